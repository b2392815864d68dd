"""How many registrations a second Kamailio sustains: asking the service each time, and remembering its answers.

SIPp registers users with tokens of their own over UDP, faster and faster, until that is no longer borne. All of it is
on loopback: SIPp, Kamailio as it is shipped, `make serve`, and its tables in memory. A complete run takes about six
minutes and writes docs/benchmarks/sip.json and its table of the page; `--quick` takes two and writes nothing.
"""

import argparse
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any, Final

from frontends.kamailio.local import Kamailio, running
from tests.benchmarks.figures import Spread
from tests.e2e.serve.serving import Serving, serving
from tests.e2e.sip import sipp
from tests.e2e.sip.clients import answer_to, udp
from tests.e2e.sip.issuing import DOMAIN, Desk, User, desk_at
from tests.e2e.sip.messages import Request
from tests.e2e.sip.stand import API_KEY, FLOODS_ALLOWED, bearer
from tools.events.stage import ROOT, Json

FOLDER: Final = ROOT / "docs" / "benchmarks"
RESULTS: Final = "sip.json"
PAGE: Final = "README.md"
COMMAND: Final = "make bench-sip"

ASKING: Final = "Kamailio, asking each time"
REMEMBERING: Final = "Kamailio, remembering answers"
ALONE: Final = "the service alone"
SUBJECTS: Final = {ASKING: False, REMEMBERING: True}
"""Subjects, and whether WITH_POSITIVE_CACHE is on."""

WORKERS: Final = {"SIP_WORKERS": 8, "API_WORKERS": 32}
"""As settings.cfg has them."""

MEMORY_MB: Final = 1024
"""So that memory is not what is measured: Kamailio begins at most 16 requests a second for each MB."""

USERS: Final = 100
CALLERS: Final = 16
FIRST_RATE: Final = 50
HIGHEST_RATE: Final = 12_800
FINENESS: Final = 1.1
RETRANSMITTED: Final = 0.01
P99_MS: Final = 250
"""Half of T1, after which a client sends its request again (RFC 3261, section 17.1.2.2)."""
_PACE: Final = 0.95
_ATTEMPTS: Final = 2  # or a hiccup of the machine would decide
_TAIL_SECONDS: Final = 5
_QUIET_SECONDS: Final = 0.05
_SETTLE_SECONDS: Final = 40

_MARKED: Final = re.compile(r"(<!-- sip: written by make bench-sip -->\n).*?(<!-- end of sip -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """Registrations at one rate.

    Attributes:
        rate: how many SIPp was to begin each second.
        achieved: how many a second were answered.
        failed: of all, how many were not answered by 200 in time, or not even begun.
        retransmitted: requests sent again, per registration.
        median_ms, p99_ms: time to the answer; SIPp counts in steps of some milliseconds.
    """

    rate: int
    achieved: float
    failed: int
    retransmitted: float
    median_ms: float
    p99_ms: float

    @property
    def is_borne(self) -> bool:
        """Whether all were answered, in time, and hardly any had to be sent again."""
        return (
            self.failed == 0
            and self.retransmitted <= RETRANSMITTED
            and self.p99_ms <= P99_MS
            and self.achieved >= _PACE * self.rate
        )


def sustained(measure: Callable[[int], Step], *, first: int = FIRST_RATE, fineness: float = FINENESS) -> Step | None:
    """Return the step of the highest rate that is borne; None if not even the *first* is.

    The rate is doubled until it is not borne, then the gap is halved until it is no wider than *fineness*.

    Args:
        measure: registers at a rate.
        first: rate to begin with.
        fineness: of a rate that is not borne to one that is.
    """
    best, rate, beyond = None, first, 0
    while rate <= HIGHEST_RATE and not beyond:
        step = measure(rate)
        if step.is_borne:
            best, rate = step, 2 * rate
        else:
            beyond = rate
    while best is not None and beyond > best.rate * fineness:
        step = measure(round(sqrt(best.rate * beyond)))
        if step.is_borne:
            best = step
        else:
            beyond = step.rate
    return best


# -- measuring --------------------------------------------------------------------------------------------------------


class Load:
    """SIPp, and the users it registers."""

    def __init__(self, folder: Path, desk: Desk, users: int, seconds: float) -> None:
        """Make the users.

        Args:
            folder: for files.
            desk: gives out the users.
            users: how many.
            seconds: how long a step lasts.
        """
        self._folder, self._seconds, self._number = folder, seconds, 0
        self.users: list[tuple[User, str]] = []
        for _ in range(users):
            user = desk.user()
            self.users.append((user, desk.token(user, seconds=86_400)))
        lines = [f"{user.name};{token}" for user, token in self.users]
        self._users = folder / "users.csv"
        self._users.write_text("\n".join(["SEQUENTIAL", *lines, ""]), "utf-8")

    def step(self, kamailio: Kamailio, rate: int) -> Step:
        """Register at a *rate* for some seconds, once Kamailio has got over what was before."""
        self._settle(kamailio)
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        calls = max(1, round(rate * self._seconds))
        command = [
            *(sipp.PROGRAM, "-sf", str(sipp.SCENARIOS / "register_load.xml"), "-inf", str(self._users)),
            *("-i", "127.0.0.1", "-p", str(sipp.free_port()), "-t", "u1", "-nostdin", "-key", "domain", DOMAIN),
            *(
                "-r",
                str(rate),
                "-m",
                str(calls),
                "-l",
                str(calls),
                "-timeout",
                f"{round(self._seconds) + _TAIL_SECONDS}s",
            ),
            *("-trace_stat", "-stf", str(folder / "stat.csv"), "-trace_rtt", "-rtt_freq", "1"),
            f"127.0.0.1:{kamailio.udp}",
        ]
        subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=self._seconds + 60)
        times = "".join(file.read_text("ascii") for file in folder.glob("*_rtt.csv"))  # none where none was answered
        return step_of(rate, calls, times, (folder / "stat.csv").read_text("utf-8"))

    def _settle(self, kamailio: Kamailio) -> None:
        """Wait until a registration is answered as quickly as at rest."""
        user, token = self.users[0]
        ends = time.monotonic() + _SETTLE_SECONDS
        with udp(kamailio.udp) as client:
            for number in range(10_000):
                request = Request(
                    over="UDP",
                    port=client.port,
                    user=user.name,
                    call=f"settle-{self._number}-{number}",
                    more=[bearer(token), "Expires: 600"],
                )
                began = time.monotonic()
                answer = answer_to(client, bytes(request), seconds=_SETTLE_SECONDS)
                if answer.status == 200 and time.monotonic() - began < _QUIET_SECONDS:
                    return
                if began > ends:
                    raise TimeoutError("Kamailio does not come to rest")


def step_of(rate: int, calls: int, times: str, statistics_file: str) -> Step:
    """Make a step of what SIPp wrote.

    Args:
        rate: that was asked for.
        calls: registrations that were to be made.
        times: of `-trace_rtt`: when each answer came, and how long after its request, in milliseconds.
        statistics_file: of `-trace_stat`.
    """
    answered = [tuple(map(float, line.split(";")[:2])) for line in times.splitlines()[1:]]
    titles, *_, last = statistics_file.splitlines()
    counted = dict(zip(titles.split(";"), last.split(";"), strict=False))
    waits = sorted(wait for _, wait in answered)
    ends = max((at for at, _ in answered), default=0)
    begins = min((at - wait for at, wait in answered), default=0)
    return Step(
        rate=rate,
        achieved=round(len(waits) * 1000 / max(ends - begins, 1), 1),
        failed=calls - int(counted["SuccessfulCall(C)"]),
        retransmitted=round(int(counted["Retransmissions(C)"]) / calls, 4),
        median_ms=statistics.median(waits) if waits else 0,
        p99_ms=waits[int(len(waits) * 0.99)] if waits else 0,
    )


def alone(service: Serving, load: Load, seconds: float) -> float:
    """Return how many queries a second the service answers, on a new connection each, as Kamailio makes them."""
    queries = [_query(user, token) for user, token in load.users]
    ends = time.monotonic() + seconds

    def caller(number: int) -> int:
        answered = 0
        while time.monotonic() < ends:
            with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
                connection.sendall(queries[(number + answered * CALLERS) % len(queries)])
                answer = connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"the service answers {answer[:12]!r}")
            answered += 1
        return answered

    with ThreadPoolExecutor(CALLERS) as callers:
        return sum(callers.map(caller, range(CALLERS))) / seconds


def _query(user: User, token: str) -> bytes:
    body = json.dumps({"jwt_token": token, "from_user": user.name})
    lines = [
        "POST /authorize HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"x-api-key: {API_KEY}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def measured(rounds: int, users: int, seconds: float) -> Json:
    """Measure all subjects, so often, one after the other; the order turns each round."""
    steps: dict[str, list[Json]] = {name: [] for name in SUBJECTS}
    queries: list[float] = []
    with tempfile.TemporaryDirectory(prefix="auth-jwt-") as name:
        folder = Path(name)
        with serving(folder / "service.log", API_KEY=API_KEY) as service:
            _say(f"making {users} users")
            load = Load(folder, desk_at(service.tables, {}), users, seconds)
            for turn in range(rounds):
                queries.append(alone(service, load, seconds))
                _say(f"round {turn + 1} of {rounds}: {ALONE}, {queries[-1]:.0f} a second")
                names = list(SUBJECTS)
                for subject in names[turn % 2 :] + names[: turn % 2]:
                    own = folder / f"kamailio-{turn}-{len(steps[subject])}-{SUBJECTS[subject]}"
                    own.mkdir()
                    steps[subject].append(_best_of(subject, own, service, load))
    return {"steps": steps, "queries": queries}


def _best_of(subject: str, folder: Path, service: Serving, load: Load) -> Json:
    settings: dict[str, Any] = {**FLOODS_ALLOWED, **WORKERS, "WITH_POSITIVE_CACHE": SUBJECTS[subject]}
    with running(folder, api_url=service.url, api_key=API_KEY, memory=MEMORY_MB, **settings) as kamailio:

        def measure(rate: int) -> Step:
            for _ in range(_ATTEMPTS):
                step = load.step(kamailio, rate)
                _say(f"  {subject}, {rate} a second: {'borne' if step.is_borne else f'not borne ({_why(step)})'}")
                if step.is_borne:
                    break
            return step

        best = sustained(measure)
    if best is None:
        raise RuntimeError(f"{subject}: not even {FIRST_RATE} a second are borne")
    return asdict(best)


def _why(step: Step) -> str:
    again, late = f"{step.retransmitted:.1%} sent again", f"99 % in {step.p99_ms:.0f} ms"
    return f"{step.achieved:.0f} a second, {step.failed} failed, {again}, {late}"


# -- what comes of it -------------------------------------------------------------------------------------------------


def results_of(found: Json) -> Json:
    """Return the figures: rates with their spread over the rounds, and the ratio of each subject to asking."""
    rates = {name: [step["rate"] for step in steps] for name, steps in found["steps"].items()}
    rates = {ALONE: found["queries"], **rates}
    return {
        "rates": {name: Spread.of(values).to_json() for name, values in rates.items()},
        "ratios": {
            name: Spread.of([rate / base for rate, base in zip(values, rates[ASKING], strict=True)]).to_json()
            for name, values in rates.items()
        },
        "median_ms": {name: _middle(steps, "median_ms") for name, steps in found["steps"].items()},
        "p99_ms": {name: _middle(steps, "p99_ms") for name, steps in found["steps"].items()},
    }


def _middle(steps: Sequence[Json], member: str) -> float:
    return float(statistics.median(step[member] for step in steps))


def table_of(results: Json) -> str:
    """Return the figures as a table of the page."""
    lines = ["| who | a second | ratio | median | 99 % within |", "| --- | --- | --- | --- | --- |"]
    for name, rate in results["rates"].items():
        ratio = results["ratios"][name]
        times = [f"{results[of][name]:.0f} ms" if name in results[of] else "—" for of in ("median_ms", "p99_ms")]
        shown = "1" if name == ASKING else f"{_shown(ratio, 2)} x"
        lines.append(f"| {name} | {_shown(rate, 0)} | {shown} | {' | '.join(times)} |")
    run = results["run"]
    return "\n".join(
        [
            *lines,
            "",
            f"Measured on {run['date']} on {run['cores']} cores, by Python {run['python']}: {run['rounds']} rounds,"
            f" steps of {run['seconds']:g} s, {run['users']} users. `{COMMAND}` does it again.",
        ]
    )


def _shown(spread: Json, digits: int) -> str:
    return f"{spread['median']:,.{digits}f} ({spread['lower']:,.{digits}f} to {spread['upper']:,.{digits}f})"


def written(page: str, results: Json) -> str:
    """Return the *page* with its table as *results* say.

    Raises:
        ValueError: there is no one place for it.
    """
    page, times = _MARKED.subn(lambda at: f"{at[1]}\n{table_of(results)}\n\n{at[2]}", page)
    if times != 1:
        raise ValueError(f"{times} places for the table, not one")
    return page


# -- the run ----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, and return the exit status."""
    chosen = _parser().parse_args(arguments)
    if chosen.quick:
        chosen.rounds, chosen.seconds = 1, 2
    started = time.monotonic()
    results = results_of(measured(chosen.rounds, chosen.users, chosen.seconds)) | {
        "run": {
            "date": datetime.now(UTC).date().isoformat(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "rounds": chosen.rounds,
            "seconds": chosen.seconds,
            "users": chosen.users,
        }
    }
    _say(f"took {time.monotonic() - started:.0f} s")
    if not chosen.quick:
        (FOLDER / RESULTS).write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        page = FOLDER / PAGE
        page.write_text(written(page.read_text("utf-8"), results), "utf-8")
    print(json.dumps(results, indent=2) if chosen.json else table_of(results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.sip",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often all are measured (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="how long a rate is tried (default: %(default)s)")
    parser.add_argument("--users", type=int, default=USERS, help="who register (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a small run, to see that all works; it writes no files")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for machines")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

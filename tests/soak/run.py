"""A run: `make serve` with tables of its own behind a proxy, all who ask and change, and who judges."""

import os
import platform
import random
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3

from tests.e2e.serve.serving import Serving, serving
from tests.faults.proxy import a_fault_proxy, forwarding
from tests.moto_server import a_moto_server
from tests.soak.changes import PROFILES, REVOCATIONS, SECRETS, DirectWrites, Operators, Staging
from tests.soak.figures import Tally, Watch, memory_series, trends
from tests.soak.issuer import IssuerOperators, a_loopback_issuer
from tests.soak.journal import Journal, snapshot_of
from tests.soak.judge import Exchange, Excuse, Judge, Violation
from tests.soak.log import LogReader
from tests.soak.plan import Injection, a_plan
from tests.soak.traffic import CLIENTS, RATE, Client, Pace
from tests.soak.wire import ServiceEnded, Wire
from tools.events.stage import create_tables, template

Json = dict[str, Any]

SETTINGS: Final[Mapping[str, str]] = {
    "CACHE_TTL_SECONDS": "2",
    "STALE_IF_ERROR_SECONDS": "6",
    "REVOCATIONS_TABLE": REVOCATIONS,
    "LOAD_CREDENTIALS": "display_name",
}
"""Little is remembered, so that much is seen."""
WORKERS: Final = 2
_JUDGED_EVERY_SECONDS: Final = 0.5
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found.

    Attributes:
        figures: as JSON.
        violations: what is wrong.
    """

    figures: Json
    violations: list[Violation]


def soak(seconds: float, seed: int, tell: Callable[[str], None]) -> Run:
    """Run for so many *seconds*.

    Args:
        seconds: how long there is traffic.
        seed: of all that is chosen.
        tell: is told of progress.

    Raises:
        ServiceEnded: it did not begin.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        moto = opened.enter_context(a_moto_server())
        tables = _client(moto)
        create_tables(tables, template())
        journal = Journal(
            forwarding(moto), snapshot_of(tables, profiles=PROFILES, secrets=SECRETS, revocations=REVOCATIONS)
        )
        proxy = opened.enter_context(a_fault_proxy(journal))
        direct = _client(opened.enter_context(a_fault_proxy(journal)).url)
        issuer = opened.enter_context(a_loopback_issuer(folder / "issuer", _choice(seed, "issuer")))
        service = _entered(
            opened,
            serving(
                folder / "serve.log",
                DB_URL=proxy.db_url,
                ADMIN="1",
                WORKERS=str(WORKERS),
                **SETTINGS,
                **issuer.settings,
            ),
        )
        wire, sent = Wire(service.port), deque[Exchange]()
        injection = Injection(proxy, a_plan(seconds, seed))
        operators = Operators(
            wire, DirectWrites(direct), journal, _choice(seed, "operators"), sent, lambda: injection.is_on
        )
        issuer_operators = IssuerOperators(
            issuer,
            wire,
            DirectWrites(direct),
            journal.history,
            _choice(seed, "issuer's operators"),
            sent,
            lambda: injection.is_on,
        )
        operators.begin()
        issuer_operators.begin()
        staging = Staging(direct, _choice(seed, "corpus"))
        begun, pace = time.time(), Pace(RATE)
        watch = Watch(service.process.pid)
        log = LogReader(service.log, lambda: _secret_texts(journal))

        def excuses() -> list[Excuse]:
            slow = [Excuse(*times, "the machine was too busy for its tables") for times in journal.slow]
            return [*injection.excuses, *slow]

        def is_faulty(start: float, end: float) -> bool:
            return any(one.began <= end and one.ended >= start for one in excuses())

        clients = [
            Client(wire, journal.history, staging, issuer, _choice(seed, f"client {number}"), sent)
            for number in range(CLIENTS)
        ]
        court = _Court(
            Judge(journal.history, SETTINGS, excuses, issuer.url), journal, log, Tally(begun, is_faulty), sent
        )
        jobs: list[Callable[[threading.Event], object]] = [
            *(lambda stop, client=client: client.work(pace, stop) for client in clients),
            operators.go_on,
            issuer_operators.go_on,
            staging.go_on,
            watch.go_on,
            lambda stop: injection.carry_out(begun, stop),
        ]
        with _going_on(jobs) as failures:
            while time.time() < begun + seconds and not failures:
                time.sleep(_JUDGED_EVERY_SECONDS)
                court.sit()
                tell(
                    f"{time.time() - begun:.0f} of {seconds:.0f} s, {court.tally.outcomes.total()} requests,"
                    f" {len(court.violations)} violations"
                )
            lasted = time.time() - begun
        court.sit()
        if failures:
            raise failures[0]
    violations = [*court.violations, *_others(operators, watch, log)]
    found = trends(watch.samples, begun)
    violations += [
        Violation(
            f"worker {one['worker']}",
            begun + lasted,
            f"at most {one['bound']} {one['unit']} a minute more",
            f"{one['what']} grew by {one['a_minute']} {one['unit']} a minute",
        )
        for one in found
        if one["met"] is False
    ]
    figures = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "seed": seed,
        "seconds": round(lasted, 1),
        "settings": dict(SETTINGS),
        "workers": WORKERS,
        "clients": CLIENTS,
        "most_a_second": RATE,
        "requests": court.tally.outcomes.total(),
        "judged": court.judged,
        "outcomes": dict(court.tally.outcomes.most_common()),
        "kinds": dict(court.tally.kinds.most_common()),
        "reasons": dict(court.tally.reasons.most_common()),
        "latency_ms": court.tally.latencies(),
        "processes": found,
        "replaced_workers": watch.replaced,
        "changes": dict((operators.done + issuer_operators.done).most_common()),
        "attacks": {"staged": staging.staged, "left_out": staging.left_out},
        "faults": {
            "injected": dict(sorted(injection.injected.items())),
            "hits": injection.hits,
            "seconds": round(sum(min(one.ended, begun + lasted) - one.began for one in injection.excuses), 1),
        },
        "slow_tables": len(journal.slow),
        "log_lines": log.lines,
        "stale": log.stale,
        "memory": memory_series(watch.samples, begun),
        "series": court.tally.series(),
        "fault_times": [
            [round(one.began - begun, 1), round(min(one.ended, begun + lasted) - begun, 1)] for one in injection.excuses
        ],
        "violations": [{**asdict(one), "at": round(one.at - begun, 2)} for one in violations[:_MOST_SHOWN]],
        "violations_in_all": len(violations),
    }
    return Run(figures, violations)


def _entered(opened: ExitStack, service: AbstractContextManager[Serving]) -> Serving:
    try:
        return opened.enter_context(service)
    except RuntimeError as error:
        raise ServiceEnded(str(error)) from None


class _Court:
    """Judges what was sent, as soon as all that was written by then is known."""

    def __init__(self, judge: Judge, journal: Journal, log: LogReader, tally: Tally, sent: "deque[Exchange]") -> None:
        self._judge = judge
        self._journal = journal
        self._log = log
        self._sent = sent
        self.tally = tally
        self.judged = 0
        self.violations: list[Violation] = []

    def sit(self) -> None:
        """Judge what was answered by now."""
        exchanges = [self._sent.popleft() for _ in range(len(self._sent))]
        self._journal.settle()
        self._log.read_on()
        for exchange in exchanges:
            reason = self._log.reason_of(exchange.request_id)
            self.tally.count(exchange, reason)
            violation = self._judge.judge(exchange, reason)
            self.judged += not exchange.right
            if violation is None and exchange.word == "denied" and reason is None:
                violation = Violation(exchange.kind, exchange.sent, "a denial has its line in the log", "none")
            if violation is not None:
                self.violations.append(violation)


@contextmanager
def _going_on(jobs: Sequence[Callable[[threading.Event], object]]) -> Iterator[list[BaseException]]:
    """Do all jobs at the same time until the context ends, and collect what goes wrong with them."""
    stop, failures = threading.Event(), list[BaseException]()

    def do(job: Callable[[threading.Event], object]) -> None:
        try:
            job(stop)
        except BaseException as failure:  # noqa: BLE001 - raised by who waits
            failures.append(failure)

    threads = [threading.Thread(target=do, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _others(operators: Operators, watch: Watch, log: LogReader) -> Iterator[Violation]:
    """What is wrong, but with no answer."""
    for name, at in operators.undone:
        yield Violation(f"operators: {name}", at, "what is confirmed is in the tables", "it is not")
    now = time.time()
    if watch.replaced:
        yield Violation("workers", now, "nobody restarts them", f"{watch.replaced} were replaced")
    if log.shown:
        yield Violation("the log", now, "no secret and no token in it", ", ".join(sorted(set(log.shown))))


def _secret_texts(journal: Journal) -> list[str]:
    rows = journal.history.latest.secrets.values()
    return [row["secret"] for of_tag in rows for row in of_tag if isinstance(row.get("secret"), str)]


def _choice(seed: int, who: str) -> random.Random:
    return random.Random(f"{who} {seed}")


def _client(url: str) -> Any:
    return boto3.client(
        "dynamodb",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )

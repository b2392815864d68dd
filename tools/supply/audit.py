"""Ask the advisory databases about every pinned package, and fail where one is known to be vulnerable or was not asked.

PyPI answers for what uv.lock pins (its JSON carries the Python Packaging Advisory Database), `npm audit` for each
package-lock.json. It needs nothing installed but npm. What could not be asked is no good news: it is named, and it is
never exit code 0. `accepted.toml` beside this file holds the advisories that somebody looked at, each until a day.
"""

import argparse
import json
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
ACCEPTED: Final = Path(__file__).with_name("accepted.toml")
INDEX: Final = "https://pypi.org/pypi"
TIMEOUT_SECONDS: Final = 20.0
AT_ONCE: Final = 8

CLEAN: Final = 0
VULNERABLE: Final = 1
USAGE: Final = 2
UNASKED: Final = 3
EXIT_CODES: Final = {
    CLEAN: "every package was asked about, and no advisory is known that is not accepted",
    VULNERABLE: "an advisory is known, or an accepted one is past its day or no longer needed",
    USAGE: "the command line is wrong",
    UNASKED: "not every package could be asked about, so nobody knows",
}


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """A package at a version, and the lock that pins it."""

    name: str
    version: str
    lock: str


@dataclass(frozen=True, slots=True, order=True)
class Advisory:
    """What a database says against a package."""

    package: str
    version: str
    ids: tuple[str, ...]
    title: str
    fixed_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An advisory that somebody looked at: why it does not concern us, and the last day on which that counts."""

    id: str
    package: str
    reason: str
    until: date

    def covers(self, advisory: Advisory, today: date) -> bool:
        """Say whether this is about *advisory*, and still counts."""
        return self.package == advisory.package and self.id in advisory.ids and today <= self.until


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was asked, what is known, and what nobody could be asked about."""

    asked: int
    advisories: tuple[Advisory, ...]
    unasked: tuple[tuple[str, str], ...]
    """What could not be asked about, and why."""


class Unasked(Exception):
    """A database gave no answer about a package."""


def pins_of(lock: Path) -> tuple[Pin, ...]:
    """Return what *lock*, a uv.lock, takes from an index."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    told = {Pin(one["name"], one["version"], lock.name) for one in packages if "registry" in one["source"]}
    return tuple(sorted(told))


def locks_of_node(root: Path) -> tuple[Path, ...]:
    """Return each package-lock.json of the project."""
    return tuple(sorted(lock for lock in root.rglob("package-lock.json") if "node_modules" not in lock.parts))


def acceptances(file: Path = ACCEPTED) -> tuple[Acceptance, ...]:
    """Return what `accepted.toml` holds."""
    told = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
    return tuple(Acceptance(**one) for one in told)


def ask_pypi(pin: Pin, index: str = INDEX) -> tuple[Advisory, ...]:
    """Return what PyPI knows against *pin*.

    A mirror may have the page of a project and none of its versions. That page speaks of the newest version, so it
    answers where that is the pinned one.

    Raises:
        Unasked: there was no answer about this version.
    """
    told = _json_of(f"{index}/{pin.name}/{pin.version}/json") or _json_of(f"{index}/{pin.name}/json")
    if told is None:
        raise Unasked("the index has no page of it")
    version = told.get("info", {}).get("version")
    if version != pin.version or not isinstance(told.get("vulnerabilities"), list):
        raise Unasked(f"the index speaks of {version} alone")
    return tuple(
        Advisory(
            pin.name,
            pin.version,
            tuple(sorted({one["id"], *one.get("aliases", ())})),
            " ".join((one.get("summary") or one.get("details") or "").split())[:160],
            tuple(one.get("fixed_in") or ()),
        )
        for one in told["vulnerabilities"]
        if not one.get("withdrawn")
    )


def _json_of(url: str) -> dict[str, Any] | None:
    """Return the JSON at *url*, or None where nothing is."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - https, or a test's loopback
            told: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise Unasked(f"the index answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise Unasked(f"no answer of the index: {type(error).__name__}") from error
    return told


def ask_npm(lock: Path) -> tuple[int, tuple[Advisory, ...]]:
    """Return how many packages *lock* pins, and what npm's registry knows against them.

    Raises:
        Unasked: npm is missing, or its registry did not answer.
    """
    command = ("npm", "audit", "--package-lock-only", "--json", "--prefix", str(lock.parent))
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=4 * TIMEOUT_SECONDS)
        told = json.loads(done.stdout)
    except FileNotFoundError as error:
        raise Unasked("npm is not installed") from error
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise Unasked(f"no answer of npm: {type(error).__name__}") from error
    if "auditReportVersion" not in told:
        raise Unasked(f"npm's registry gave no audit: {str(told.get('message', 'no reason'))[:80]}")
    pinned = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return len(pinned) - ("" in pinned), tuple(sorted(_of_npm(told, pinned)))


def _of_npm(told: dict[str, Any], pinned: dict[str, Any]) -> Iterable[Advisory]:
    for name, one in told["vulnerabilities"].items():
        version = next((pin["version"] for at, pin in pinned.items() if at.endswith(f"node_modules/{name}")), "?")
        for via in one["via"]:
            if isinstance(via, dict):  # a text names another package of this list, by which this one is concerned
                number = via["url"].rpartition("/")[2]
                yield Advisory(name, version, (number,), " ".join(via["title"].split())[:160])


def judge(outcome: Outcome, accepted: Sequence[Acceptance], today: date) -> tuple[int, list[str]]:
    """Return the exit code, and the lines that say why."""
    open_ = [one for one in outcome.advisories if not any(each.covers(one, today) for each in accepted)]
    lines = [_line_of(one) for one in open_]
    for each in accepted:
        about = [one for one in outcome.advisories if each.id in one.ids and each.package == one.package]
        if about and today > each.until:
            lines.append(f"{each.package}: {each.id} was accepted until {each.until}, and that day is past")
        elif not about and not outcome.unasked:
            lines.append(f"{each.package}: {each.id} is accepted, and no pinned package has it: take it out")
    if not lines:
        return (UNASKED if outcome.unasked else CLEAN), lines
    return VULNERABLE, lines


def _line_of(one: Advisory) -> str:
    fixed = f"; fixed in {', '.join(one.fixed_in)}" if one.fixed_in else ""
    return f"{one.package} {one.version}: {', '.join(one.ids)}: {one.title}{fixed}"


def gather(
    pins: Sequence[Pin],
    locks: Sequence[Path],
    *,
    ask: Callable[[Pin], tuple[Advisory, ...]] = ask_pypi,
    ask_lock: Callable[[Path], tuple[int, tuple[Advisory, ...]]] = ask_npm,
    say: Callable[[str], None],
) -> Outcome:
    """Ask about everything, some at once."""
    asked, advisories, unasked = 0, list[Advisory](), list[tuple[str, str]]()

    def about(pin: Pin) -> tuple[Advisory, ...] | Unasked:
        try:
            return ask(pin)
        except Unasked as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done, (pin, told) in enumerate(zip(pins, pool.map(about, pins), strict=True), 1):
            if isinstance(told, Unasked):
                unasked.append((f"{pin.name} {pin.version}", str(told)))
            else:
                asked += 1
                advisories += told
            if not done % 50:
                say(f"{done} of {len(pins)} packages of uv.lock ...")
    for lock in locks:
        try:
            count, known = ask_lock(lock)
        except Unasked as error:
            unasked.append((f"{lock.parent.name}/{lock.name}", str(error)))
        else:
            asked += count
            advisories += known
    return Outcome(asked, tuple(sorted(set(advisories))), tuple(unasked))


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the locks of this project; return the exit code."""
    given = _parser().parse_args(arguments)
    today = datetime.now(UTC).date()
    locks = () if given.only == "python" else locks_of_node(ROOT)
    pins = () if given.only == "node" else pins_of(ROOT / "uv.lock")
    outcome = gather(pins, locks, say=lambda line: print(line, file=sys.stderr, flush=True))
    code, lines = judge(outcome, acceptances(), today)
    if given.json:
        print(json.dumps({"exit_code": code, "findings": lines, **asdict(outcome)}, indent=2))
        return code
    for line in lines:
        print(line)
    if outcome.unasked:
        print(f"\nNOT ASKED, so nobody knows: {len(outcome.unasked)} of {len(pins) + len(locks)}.")
        for what, why in outcome.unasked:
            print(f"  {what}: {why}")
    print(f"\n{outcome.asked} packages asked about, {len(lines)} findings: {EXIT_CODES[code]}.")
    return code


def _parser() -> argparse.ArgumentParser:
    codes = "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tools.supply.audit",
        description=(__doc__ or "").partition("\n")[0],
        epilog=f"Exit codes: {codes}.",
        allow_abbrev=False,
    )
    parser.add_argument("--only", choices=["python", "node"], help="ask about one kind of lock")
    parser.add_argument("--json", action="store_true", help="print what was found for a machine")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`make serve` calls the function that refreshes issuers' keys as its schedule would, beside its workers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.moto_server import a_moto_server
from tools.events.stage import REGION, Json, template
from tools.serve.__main__ import options_of
from tools.serve.processes import CannotStart
from tools.serve.rounds import RoundOrders, go_round
from tools.serve.service import Options, running, variables_of
from tools.serve.tables import load

ISSUER = "https://login.example.com"


class Clock:
    """A clock that goes on when somebody waits, and a schedule that ends after some rounds."""

    def __init__(self, rounds: int) -> None:
        self.now = 100.0
        self._left = rounds

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self._left -= 1
        return self._left == 0


def test_a_round_begins_at_once_and_then_every_minute() -> None:
    clock, begun = Clock(3), list[float]()

    def handler(event: Json, _: object) -> None:
        assert event == {}
        begun.append(clock.now)
        clock.now += 5

    go_round(handler, 60, clock.wait, lambda: clock.now)

    assert begun == [100, 160, 220]


def test_a_round_that_takes_too_long_puts_off_the_next_and_none_is_made_up_for() -> None:
    clock, begun = Clock(3), list[float]()

    def handler(_: Json, __: object) -> None:
        begun.append(clock.now)
        clock.now += 150 if len(begun) == 1 else 5

    go_round(handler, 60, clock.wait, lambda: clock.now)

    assert begun == [100, 250, 310]


def test_a_round_that_fails_is_nothing_to_the_next() -> None:
    clock, rounds = Clock(2), list[object]()

    def handler(_: Json, context: object) -> None:
        rounds.append(context)
        raise ValueError("no tables")

    go_round(handler, 60, clock.wait, lambda: clock.now)

    assert len(rounds) == 2


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def lines_of(log: Path, service: str) -> Iterator[Json]:
    lines = (json.loads(line) for line in log.read_text("utf-8").splitlines())
    return (line for line in lines if line.get("service") == service)


def wait_for_a_round(log: Path) -> Json:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := list(lines_of(log, "refresh_keys")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no round within half a minute")


def test_the_process_writes_the_lines_of_its_rounds_into_the_log_and_is_replaced_like_a_worker(log: Path) -> None:
    """Its tables are those of the workers, where no issuer is listed yet."""
    told = list[str]()
    with a_moto_server() as tables:
        load(tables, template())
        line = run_a_round(log, f"dynamodb+{tables}/{REGION}", told)

    assert (line["outcome"], line["issuers"]) == ("done", {})
    assert len(told) == 1


def run_a_round(log: Path, db_url: str, told: list[str]) -> Json:
    with running(Options(0, 1, str(log), None), {"ISSUERS": ISSUER, "DB_URL": db_url}, told.append) as service:
        line = wait_for_a_round(log)
        assert service.refreshing is not None
        (process,) = service.refreshing.running
        process.kill()
        process.wait(10)
        service.refreshing.look()
        assert service.refreshing.running[0].poll() is None
    return line


def test_without_issuers_there_is_no_such_process(log: Path) -> None:
    with running(Options(0, 1, str(log), None), {"DB_URL": "dynamodb+http://127.0.0.1:9"}, print) as service:
        assert service.refreshing is None


def test_the_process_ends_with_its_parent(log: Path) -> None:
    orders = RoundOrders(str(log), 60, variables_of({"ISSUERS": ISSUER}, template()))
    with subprocess.Popen(
        [sys.executable, "-m", "tools.serve.rounds"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(f"{orders.to_json()}\n")
        process.stdin.close()

        assert process.wait(30) == 0


def test_what_only_the_refresh_reads_is_passed_on_and_checked(tmp_path: Path) -> None:
    bundle = tmp_path / "authority.pem"
    bundle.touch()
    own = {"KEYS_CA_BUNDLE": str(bundle), "KEYS_ACCEPTED_NETWORKS": "127.0.0.0/8"}

    assert own.items() <= variables_of(own, template()).items()
    with pytest.raises(CannotStart, match="KEYS_ACCEPTED_NETWORKS"):
        variables_of({"KEYS_ACCEPTED_NETWORKS": "everything"}, template())


def test_the_time_between_rounds_is_a_minute_unless_somebody_says_so() -> None:
    assert options_of([], {}).refresh_seconds == 60
    assert options_of([], {"REFRESH_SECONDS": "5"}).refresh_seconds == 5
    assert options_of(["--refresh-seconds", "7"], {"REFRESH_SECONDS": "5"}).refresh_seconds == 7

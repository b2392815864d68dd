"""The parts of `make soak` around its judge: what the tables held, the plan of faults, the log, and the trends."""

import json
from math import inf
from pathlib import Path

import pytest

from tests.factories import a_token
from tests.soak.figures import LEAST_SECONDS, WARM_UP_SECONDS, Sample, slope, trends
from tests.soak.journal import History, Journal, Rows
from tests.soak.log import LogReader
from tests.soak.page import FOLDER, PAGE, PICTURE, RESULTS, written
from tests.soak.plan import GROUPS, QUIET_SECONDS, a_plan

FIRST, SECOND = Rows({"t1": {"tag": "t1"}}), Rows({"t2": {"tag": "t2"}})


class TestHistory:
    def test_both_states_count_while_a_write_is_under_way(self) -> None:
        history = History()
        history.note(1, 2, FIRST)
        history.note(10, 12, SECOND)

        assert history.between(9, 9.9) == [FIRST]
        assert history.between(10, 10) == [SECOND, FIRST]
        assert history.between(12, 12) == [SECOND, FIRST]
        assert history.between(12.1, 13) == [SECOND]

    @pytest.mark.parametrize(
        "operation", ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"]
    )
    def test_every_write_is_noted(self, operation: str) -> None:
        journal = Journal(lambda _: b"done", lambda: FIRST)

        assert journal(_question(operation)) == b"done"
        assert journal.history.latest == FIRST

    @pytest.mark.parametrize("operation", ["GetItem", "Query", "BatchGetItem", "Scan", "TransactGetItems"])
    def test_no_read_is_noted(self, operation: str) -> None:
        journal = Journal(lambda _: b"done", lambda: FIRST)
        journal(_question(operation))

        assert journal.history.between(-inf, inf) == [Rows()]


def _question(operation: str) -> bytes:
    return f"POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n\r\n{{}}".encode()


class TestPlan:
    def test_a_seed_repeats_it(self) -> None:
        assert a_plan(600, 1) == a_plan(600, 1)
        assert a_plan(600, 1) != a_plan(600, 2)

    @pytest.mark.parametrize("seed", range(20))
    def test_ten_minutes_have_faults_of_each_group_and_quiet_times(self, seed: int) -> None:
        plan = a_plan(600, seed)

        assert all(any(planned.fault.name in group for planned in plan) for group in GROUPS)
        gaps = [0.0, *(planned.ends for planned in plan)], [*(planned.begins for planned in plan), 600.0]
        assert all(begins - ended >= QUIET_SECONDS[0] - 1e-6 for ended, begins in zip(*gaps, strict=True))


class TestLog:
    def test_a_reason_is_found_by_its_request_and_secrets_and_tokens_are_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        line = json.dumps({"request_id": "1", "outcome": "denied", "reason": "bad_signature"})
        path.write_text(f"{line}\nsomething with the-secret in it\n{a_token()}\n" + line[:20], "utf-8")
        log = LogReader(path, lambda: ["the-secret", "e"])

        log.read_on()

        assert log.reason_of("1") == "bad_signature"
        assert log.reason_of("2") is None
        assert log.shown == ["a secret in a line that is no JSON", "a token in a line that is no JSON"]
        assert log.lines == 3

    def test_what_is_shown_is_told_by_its_member_and_a_tag_may_look_like_a_token(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        lines = [{"tag": a_token(), "kid": "1"}, {"tag": "t1", "kid": a_token()}, {"tag": "the-secret"}]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
        log = LogReader(path, lambda: ["the-secret"])

        log.read_on()

        assert log.shown == ["a token in kid", "a secret in tag"]


class TestTrends:
    def test_outliers_do_not_move_a_slope(self) -> None:
        flat = [(float(at), 100.0 + at % 3 + (500 if at % 50 == 7 else 0)) for at in range(200)]
        leaking = [(at, value + at * 0.5) for at, value in flat]

        assert abs(slope(flat)) < 0.01
        assert slope(leaking) == pytest.approx(0.5, abs=0.02)

    @pytest.mark.parametrize(("a_minute", "is_met"), [(0.4, True), (0.6, False)])
    def test_memory_that_grows_faster_than_its_bound_is_missed(self, a_minute: float, is_met: bool) -> None:
        ends = WARM_UP_SECONDS + LEAST_SECONDS + 60
        samples = [Sample(float(at), (100 + at / 60 * a_minute, 10.0, 3.0)) for at in range(ends)]

        memory, descriptors, threads = trends({1: samples}, 0)

        assert (memory["met"], descriptors["met"], threads["met"]) == (is_met, True, True)

    def test_what_grows_while_it_warms_up_is_no_trend(self) -> None:
        samples = [Sample(float(at), (min(at, WARM_UP_SECONDS), 10.0, 3.0)) for at in range(400)]

        assert [one["met"] for one in trends({1: samples}, 0)] == [True, True, True]

    def test_a_short_run_says_nothing(self) -> None:
        samples = [Sample(float(at), (float(at), 10.0, 3.0)) for at in range(WARM_UP_SECONDS + LEAST_SECONDS - 1)]

        assert [one["met"] for one in trends({1: samples}, 0)] == [None, None, None]


@pytest.mark.skipif(not (FOLDER / RESULTS).exists(), reason="no run was written yet")
def test_the_page_is_written_from_its_figures() -> None:
    figures = json.loads((FOLDER / RESULTS).read_text("utf-8"))

    assert (FOLDER / PAGE).read_text("utf-8") == written(figures)
    assert (FOLDER / PICTURE).exists()
    assert figures["violations_in_all"] == 0

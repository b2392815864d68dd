"""How a sustained rate is found and shown; the measuring itself is `make bench-sip`."""

import json

import pytest

from tests.benchmarks import sip
from tests.benchmarks.sip import ASKING, HIGHEST_RATE, P99_MS, Step, results_of, step_of, sustained, written

MARKS = "before\n<!-- sip: written by make bench-sip -->\nold\n<!-- end of sip -->\nafter\n"
FIGURES = {"rate": 100, "achieved": 100, "failed": 0, "retransmitted": 0, "median_ms": 4, "p99_ms": 20}


def a_step(**others: float) -> Step:
    return Step(**{**FIGURES, **others})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("others", "borne"),
    [
        pytest.param({}, True, id="all is well"),
        pytest.param({"failed": 1}, False, id="one failed"),
        pytest.param({"retransmitted": 0.01}, True, id="one in a hundred is sent again"),
        pytest.param({"retransmitted": 0.011}, False, id="more are sent again"),
        pytest.param({"p99_ms": P99_MS}, True, id="as slow as may be"),
        pytest.param({"p99_ms": P99_MS + 1}, False, id="slower"),
        pytest.param({"achieved": 95}, True, id="nearly the rate"),
        pytest.param({"achieved": 94}, False, id="not the rate"),
    ],
)
def test_a_step_is_borne_when_nobody_has_to_wait_or_ask_again(others: dict[str, float], borne: bool) -> None:
    assert a_step(**others).is_borne is borne


@pytest.mark.parametrize("limit", [50, 51, 333, 1000, 4000])
def test_the_highest_rate_that_is_borne_is_found_closely(limit: int) -> None:
    best = sustained(lambda rate: a_step(rate=rate, achieved=rate, failed=int(rate > limit)))

    assert best is not None
    assert best.rate <= limit <= best.rate * 1.1


def test_where_nothing_is_borne_there_is_no_rate() -> None:
    assert sustained(lambda rate: a_step(rate=rate, failed=1)) is None


def test_where_everything_is_borne_it_ends() -> None:
    best = sustained(lambda rate: a_step(rate=rate, achieved=rate))

    assert best is not None
    assert best.rate == HIGHEST_RATE


def test_a_step_is_what_sipp_wrote() -> None:
    times = "Date_ms;response_time_ms;rtd_no\n" + "".join(f"{10 * n + 4};4;1\n" for n in range(99)) + "1000;300;1\n"
    statistics = "TargetRate;SuccessfulCall(C);Retransmissions(C);\n50;10;1;\n100;100;2;\n"

    assert step_of(100, 101, times, statistics) == a_step(failed=1, retransmitted=0.0198, p99_ms=300)


def test_a_rate_that_nothing_answers_is_a_step_that_failed() -> None:
    statistics = "SuccessfulCall(C);Retransmissions(C)\n0;700\n"

    step = step_of(100, 100, "Date_ms;response_time_ms;rtd_no\n", statistics)

    assert (step.failed, step.is_borne) == (100, False)


def test_the_table_stands_between_its_marks_and_nothing_else_changes() -> None:
    steps = {name: [{**FIGURES, "rate": rate}] for name, rate in zip(sip.SUBJECTS, (100, 250), strict=True)}
    run = {"date": "2026-01-01", "cores": 2, "python": "3.13.0", "rounds": 1, "seconds": 4, "users": 100}
    results = results_of({"steps": steps, "queries": [150.0]}) | {"run": run}

    page = written(MARKS, results)

    assert page.startswith("before\n<!-- sip")
    assert page.endswith("<!-- end of sip -->\nafter\n")
    assert f"| {ASKING} | 100 (100 to 100) | 1 | 4 ms | 20 ms |" in page
    assert "| 2.50 (2.50 to 2.50) x |" in page
    assert "old" not in page
    assert written(page, results) == page


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places"):
        written(
            "", {"rates": {}, "run": dict.fromkeys(("date", "cores", "python", "rounds", "users"), 1) | {"seconds": 1}}
        )


def test_the_page_says_what_the_figures_say() -> None:
    """Who measures anew, or changes the page between its marks, runs `make bench-sip`."""
    page = (sip.FOLDER / sip.PAGE).read_text("utf-8")

    assert written(page, json.loads((sip.FOLDER / sip.RESULTS).read_text("utf-8"))) == page

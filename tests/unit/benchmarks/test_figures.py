"""What the benchmarks make of samples, and what the page says of the last run."""

from collections.abc import Callable

import pytest

from tests.benchmarks import page
from tests.benchmarks.figures import GOALS, OBVIOUS, OURS, Comparison, Goal, Part, Spread, judged, measured, report
from tests.benchmarks.page import PageError

GOAL = Goal("cold", "cold", "HS256", OURS, OBVIOUS, 0.6)

MARKS = "".join(
    f"<!-- {name}: written by make bench -->\nstale\n<!-- end of {name} -->\n"
    for name in ("goals", "run", "scale", "cold")
)


def part_with(ratio: float) -> Part:
    samples = {OBVIOUS: [100.0, 200.0], OURS: [100 * ratio, 200 * ratio]}
    return {"HS256": Comparison.of("HS256", "milliseconds", OBVIOUS, samples)}


def results_of(part: Part) -> dict[str, object]:
    return {
        "date": "2026-11-23",
        "revision": "abc",
        "python": "3.13.0",
        "processor": "a processor",
        "cores": 2,
        "packages": {"pyjwt": "2.15.1"},
        "rounds": {"cold": 2},
        "goals": [GOAL.judged(part)],
        "parts": {"cold": {key: comparison.to_json() for key, comparison in part.items()}},
    }


# -- samples ----------------------------------------------------------------------------------------------------------


def test_a_spread_is_the_median_and_the_quartiles_around_it() -> None:
    assert Spread.of([4, 1, 3, 2, 5]) == Spread(median=3, lower=2, upper=4)
    assert Spread.of([1, 2]) == Spread(median=1.5, lower=1.25, upper=1.75)


def test_a_single_sample_has_no_spread() -> None:
    assert Spread.of([7]) == Spread(7, 7, 7)


def test_a_ratio_is_the_median_of_the_ratios_of_pairs() -> None:
    """Not the ratio of the medians, 20 / 10: what disturbs both halves of a pair cancels out."""
    comparison = Comparison.of("", "", "base", {"base": [10, 1, 100], "other": [11, 20, 300]})

    assert comparison.ratios["other"].median == 3
    assert comparison.ratios["base"] == Spread(1, 1, 1)


def test_samples_that_are_no_pairs_are_not_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        Comparison.of("", "", "base", {"base": [1, 2], "other": [1]})


def test_subjects_take_turns_and_each_begins_as_often() -> None:
    turns: list[str] = []

    def subject(name: str) -> Callable[[], float]:
        def measure() -> float:
            turns.append(name)
            return float(len(turns))

        return measure

    samples = measured({name: subject(name) for name in "abc"}, rounds=3)

    assert "".join(turns) == "abcbcacab"
    assert samples == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_a_comparison_is_the_same_after_json() -> None:
    comparison = part_with(0.5)["HS256"]

    assert Comparison.from_json(comparison.to_json()) == comparison


# -- goals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "met"), [pytest.param(0.6, True, id="just enough"), pytest.param(0.601, False, id="just too much")]
)
def test_a_goal_is_met_up_to_its_limit(ratio: float, met: bool) -> None:
    assert GOAL.judged(part_with(ratio))["met"] is met


def test_a_goal_stands_beside_its_figure_and_the_command_that_prints_it() -> None:
    assert GOAL.judged(part_with(0.5)) == {
        "name": "cold",
        "goal": f"at most 0.6 x {OBVIOUS}",
        "figure": "0.50 x (0.50 to 0.50)",
        "met": True,
        "command": "make bench ARGS='--only cold'",
    }


def test_what_was_not_measured_is_not_met() -> None:
    judgement = GOAL.judged({})

    assert judgement["figure"] == "not measured"
    assert judgement["met"] is False


def test_goals_of_parts_that_were_not_run_are_not_judged() -> None:
    assert len(judged({"cold": {}})) == sum(goal.part == "cold" for goal in GOALS)


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_says_what_the_figures_say() -> None:
    """Who measures anew, or changes the page between its marks, runs `make bench ARGS=--page` as well."""
    text = (page.FOLDER / page.PAGE).read_text("utf-8")

    assert page.written(text, page.results_in(), page.scale_in()) == text


def test_the_goals_of_the_figures_are_those_of_the_code() -> None:
    results = page.results_in()

    assert judged(page.comparisons_of(results)) == results["goals"]
    assert len(results["goals"]) == len(GOALS)


def test_every_plot_is_on_a_page() -> None:
    text = "".join(each.read_text("utf-8") for each in page.FOLDER.glob("*.md"))

    assert all(f"]({plot.name})" in text for plot in page.FOLDER.glob("*.svg"))


def test_goals_of_scale_stand_beside_the_others() -> None:
    of_scale = {"name": "memory", "goal": "flat", "figure": "1 MiB", "met": False, "command": "make bench-scale"}

    text = page.written(MARKS, results_of(part_with(0.5)), {"goals": [of_scale]})

    assert "| cold | at most 0.6 x the obvious one | 0.50 x (0.50 to 0.50) | met |" in text
    assert "| memory | flat | 1 MiB | **missed** | `make bench-scale` |" in text
    assert "stale" not in text


def test_writing_a_page_twice_changes_nothing_more() -> None:
    results = results_of(part_with(0.5))
    once = page.written(MARKS, results, {"goals": []})

    assert page.written(once, results, {"goals": []}) == once


@pytest.mark.parametrize("text", ["", MARKS * 2], ids=["none", "two"])
def test_a_page_with_no_one_place_for_a_table_is_refused(text: str) -> None:
    with pytest.raises(PageError):
        page.written(text, results_of(part_with(0.5)), {"goals": []})


def test_a_report_shows_every_goal_beside_its_figure() -> None:
    goals = [
        {"name": "one", "goal": "at most 2 x", "figure": "1.00 x", "met": True},
        {"name": "the other", "goal": "at most 3 x", "figure": "10.00 x", "met": False},
    ]

    assert report(goals).splitlines() == [
        "one        at most 2 x  1.00 x   met   ",
        "the other  at most 3 x  10.00 x  MISSED",
    ]

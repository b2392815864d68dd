"""How the figures of scale are made of what was measured; the measuring itself is `make bench-scale`."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import scale, scale_memory, scale_tables
from tests.benchmarks.figures import Comparison
from tests.benchmarks.scale import FLOODS, QUICK, Flood, goals_of, growth
from tools.events.stage import Json

MIB = 2**20


def a_comparison(ratio: float) -> Json:
    samples = {"100 users": [1.0, 1.0, 1.0], "1,000,000 users": [ratio] * 3}
    return Comparison.of("rows just read", "microseconds", "100 users", samples).to_json()


def a_flood() -> Flood:
    return Flood(kind="valid", title="users", full_after=100, share=0.5, at_most_mib=64)


@pytest.mark.parametrize(
    ("since", "grown"),
    [
        pytest.param(0, 9, id="from the start"),
        pytest.param(1, 4, id="from the next point"),
        pytest.param(20, 0, id="what it gave back is not forgiven earlier, but counts no more"),
    ],
)
def test_growth_is_from_a_point_to_the_most_after_it(since: int, grown: int) -> None:
    assert growth([[0, 1], [10, 6], [20, 10], [30, 2]], since) == grown


def test_a_flood_has_its_share_of_tags_but_enough_to_fill_memory_twice() -> None:
    assert [a_flood().tags(asked_for) for asked_for in (1000, 400, 300)] == [500, 200, 200]


def test_a_quick_run_fills_memory_too() -> None:
    assert all(flood.tags(QUICK["tags"]) > flood.full_after for flood in FLOODS)


@pytest.mark.parametrize(
    ("last", "met"),
    [
        pytest.param([[100, 60], [200, 64]], [True, True], id="within both bounds"),
        pytest.param([[100, 60], [200, 65]], [False, False], id="beyond both"),
        pytest.param([[100, 59], [200, 64]], [True, False], id="beyond that of a full memory"),
    ],
)
def test_a_flood_is_bounded_in_all_and_once_memory_is_full(last: list[list[int]], met: list[bool]) -> None:
    series = [[0, 0], *([tags, size * MIB] for tags, size in last)]

    assert [goal["met"] for goal in a_flood().goals({"series": series})] == met


@pytest.mark.parametrize(("ratio", "met"), [(1.1, True), (1.11, False)])
def test_a_decision_is_bounded_by_its_ratio(ratio: float, met: bool) -> None:
    parts: dict[str, Json] = {"tables": {"hit": a_comparison(ratio), "miss": a_comparison(ratio)}}

    assert [goal["met"] for goal in goals_of(parts)] == [met, met]
    assert "1,000,000 users" in goals_of(parts)[0]["name"]


def test_what_could_not_be_measured_is_not_met() -> None:
    goals = goals_of({"tables": {}})

    assert [(goal["figure"], goal["met"]) for goal in goals] == [("not measured", False)] * 2


@pytest.mark.parametrize(
    ("reads", "second_looks", "met"),
    [(1, 1, True), (2, 1, False), (1, 2, False)],
)
def test_a_burst_has_its_reads_counted(reads: int, second_looks: int, met: bool) -> None:
    counted = {"threads": 32, "let_in": 0, "reads": reads, "second_looks": second_looks}

    assert [goal["met"] for goal in goals_of({"burst": {"forged": counted}})] == [met]


def test_a_burst_costs_what_is_promised() -> None:
    assert all(goal["met"] for goal in goals_of({"burst": scale_memory.bursts()}))


@pytest.mark.parametrize("kind", [flood.kind for flood in FLOODS])
def test_every_flood_runs_and_its_tokens_are_answered_as_they_should_be(kind: str) -> None:
    found = scale_memory.flooded(kind, 20)

    assert [tags for tags, _ in found["series"]] == list(range(21))
    assert found["reads"] == 20 + scale_memory.WARMING_TAGS


def test_every_user_is_written_once_into_either_table() -> None:
    batches = list(scale_tables.batches(1000, range(30)))
    written = [
        (name, put["PutRequest"]["Item"])
        for batch in batches
        for name, puts in batch["RequestItems"].items()
        for put in puts
    ]

    assert max(len(puts) for batch in batches for puts in batch["RequestItems"].values()) == scale_tables.BATCH
    for name, key in (("profiles-1000", "tag"), ("secrets-1000", "corresponding_tag")):
        tags = [item[key]["S"] for table, item in written if table == name]
        assert tags == [scale_tables.tag_of(number) for number in range(30)]


def test_a_part_alone_is_only_printed(capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(scale.FOLDER.glob("*"))

    assert scale.main(["--only", "burst", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["series"].keys() == {"burst"}
    assert sorted(scale.FOLDER.glob("*")) == before


def test_the_figures_that_are_published_are_judged_as_they_would_be_now() -> None:
    """Who changes a goal runs the benchmark again, or the page would show the old one."""
    path = Path(scale.FOLDER) / scale.RESULTS
    results = json.loads(path.read_text("utf-8"))

    assert results["goals"] == goals_of(results["series"])

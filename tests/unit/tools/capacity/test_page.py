"""The page of docs/capacity is what its program writes."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools.capacity import page, scenarios
from tools.capacity.inputs import DEFAULT, Inputs

ROOT = Path(__file__).parents[4]
INPUTS = Inputs.load()
RESULTS = scenarios.load()
SHOWN = page.PAGE.read_text("utf-8")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.capacity", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )


def test_the_page_is_what_the_program_writes() -> None:
    """Red: run `make capacity`."""
    assert page.written(SHOWN, INPUTS, RESULTS) == SHOWN


def test_the_results_came_of_the_inputs() -> None:
    """Red: run `make capacity`."""
    assert RESULTS["digest"] == scenarios.digest(INPUTS)


def test_other_inputs_give_another_page() -> None:
    slower = replace(INPUTS, durations=replace(INPUTS.durations, miss_wait_ms=50))

    assert page.written(SHOWN, slower, RESULTS) != SHOWN


def test_inputs_that_are_simulated_have_another_digest() -> None:
    other_seed = replace(INPUTS, simulation=replace(INPUTS.simulation, seed=1))
    other_answers = replace(INPUTS, request=replace(INPUTS.request, answer_bytes=1))

    assert scenarios.digest(other_seed) != scenarios.digest(INPUTS)
    assert scenarios.digest(other_answers) == scenarios.digest(INPUTS)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(SHOWN.replace("<!-- prices: written", "<!-- price: written"), id="a place for no table"),
        pytest.param(re.sub(r"<!-- prices: .*?<!-- end of prices -->", "", SHOWN, flags=re.DOTALL), id="no place"),
    ],
)
def test_a_page_without_the_places_is_an_error(spoilt: str) -> None:
    with pytest.raises(page.PageError):
        page.written(spoilt, INPUTS, RESULTS)


def test_every_plot_is_there_and_shown() -> None:
    plots = set(re.findall(r"\]\((\w+\.svg)\)", SHOWN))

    assert plots == {path.name for path in page.PAGE.parent.glob("*.svg")}
    assert plots


def test_prices_that_are_uncertain_say_so() -> None:
    table = page.tables(INPUTS, RESULTS)["prices"]

    uncertain = sum(not price.certain for by_region in INPUTS.prices.values() for price in by_region.values())

    assert table.count("(check)") == uncertain
    assert uncertain


@pytest.mark.parametrize(
    ("amount", "shown"), [(0, "$0.00"), (0.0994, "$0.099"), (0.1, "$0.10"), (999.994, "$999.99"), (1000, "$1,000")]
)
def test_dollars_are_shown_with_the_digits_that_matter(amount: float, shown: str) -> None:
    assert page.dollars(amount) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.004, "0.4 %"), (0.099, "9.9 %"), (0.1, "10 %"), (1, "100 %")]
)
def test_shares_are_shown_in_per_cent(share: float, shown: str) -> None:
    assert page.percent(share) == shown


def test_the_command_says_that_the_page_is_fresh() -> None:
    assert run("--check").returncode == 0


def test_the_command_prints_the_tables_of_other_inputs(tmp_path: Path) -> None:
    mine = tmp_path / "my.toml"
    mine.write_text(DEFAULT.read_text("utf-8").replace("[[333e6, 3.50]", "[[333e6, 3.60]"), "utf-8")

    printed = run("--inputs", str(mine), "--json")

    said = json.loads(printed.stdout)
    assert "$3.60" in said["tables"]["entries"]
    assert {cost["dollars"]["API Gateway"] for cost in said["costs_of_a_million"]} == {3.6, 3.7, 1.0, 1.2, 0.0}


def test_the_command_says_when_other_inputs_were_not_simulated(tmp_path: Path) -> None:
    mine = tmp_path / "my.toml"
    mine.write_text(DEFAULT.read_text("utf-8").replace("jitter = 0.1", "jitter = 0.2"), "utf-8")

    assert "--simulate" in run("--inputs", str(mine)).stderr


@pytest.mark.parametrize("option", ["--write", "--check"])
def test_the_command_writes_no_page_of_other_inputs(option: str, tmp_path: Path) -> None:
    mine = tmp_path / "my.toml"
    mine.write_text(DEFAULT.read_text("utf-8"), "utf-8")

    assert run("--inputs", str(mine), option).returncode == 2


def test_the_command_names_what_is_wrong_with_inputs(tmp_path: Path) -> None:
    mine = tmp_path / "my.toml"
    mine.write_text("", "utf-8")

    refused = run("--inputs", str(mine))

    assert refused.returncode == 2
    assert "prices" in refused.stderr


def test_what_a_restart_meets_is_bold_where_there_is_too_little_of_it() -> None:
    table = page.tables(INPUTS, RESULTS)["restart"]
    throttle = next(line for line in table.splitlines() if line.startswith("| `ThrottleRate`"))
    units = next(line for line in table.splitlines() if line.startswith("| DynamoDB, read units a second of each"))

    assert throttle.split(" | ")[1:3] == ["3,333", "**100**"]  # 100,000 users in 30 seconds
    assert units.split(" | ")[1:3] == ["1,667", "12,000"]  # half a unit of each table for a user


def test_a_slower_restart_needs_less_of_everything_that_counts_by_the_second() -> None:
    storm = replace(INPUTS.simulation.storm, spread_seconds=1000)
    slower = replace(INPUTS, simulation=replace(INPUTS.simulation, storm=storm))

    assert "| **100** |" not in page.tables(slower, RESULTS)["restart"]

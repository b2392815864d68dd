"""Compute what authorizations cost and what must be raised, from stated inputs: `python -m tools.capacity`.

Without options it prints the tables of docs/capacity/README.md as Markdown, from the inputs there and the results of
the last simulation.
"""

import argparse
import json
import sys
from pathlib import Path

from tools.capacity import cost, page, plots, scenarios
from tools.capacity.inputs import DEFAULT, Inputs, InputsError


def main() -> None:
    """Print the tables, or write or check the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.capacity", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=Path, default=DEFAULT, help="a TOML file like docs/capacity/inputs.toml")
    parser.add_argument("--simulate", action="store_true", help="run the simulations anew, half a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON document: every cost, the tables, the runs")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--write", action="store_true", help="write the page; with --simulate also results.json and plots"
    )
    what.add_argument("--check", action="store_true", help="print nothing; exit with 1 when the page is stale")
    chosen = parser.parse_args()
    if (chosen.write or chosen.check) and chosen.inputs != DEFAULT:
        parser.error("the page is of its own inputs: --inputs goes with neither --write nor --check")
    try:
        inputs = Inputs.load(chosen.inputs)
    except InputsError as error:
        parser.exit(2, f"{error}\n")
    results = scenarios.results_of(inputs, _progress) if chosen.simulate else scenarios.load()
    if chosen.check:
        _check(parser, inputs, results)
    elif chosen.write:
        if chosen.simulate:
            scenarios.save(results)
            plots.draw(inputs, results)
        page.PAGE.write_text(page.written(page.PAGE.read_text("utf-8"), inputs, results), "utf-8")
    else:
        if results["digest"] != scenarios.digest(inputs):
            _progress("what is simulated was not simulated of these inputs: use --simulate")
        _print(inputs, results, as_json=chosen.json)


def _check(parser: argparse.ArgumentParser, inputs: Inputs, results: scenarios.Results) -> None:
    if results["digest"] != scenarios.digest(inputs):
        parser.exit(1, "results.json is stale: run `make capacity`\n")
    shown = page.PAGE.read_text("utf-8")
    if page.written(shown, inputs, results) != shown:
        parser.exit(1, "README.md is stale: run `make capacity`\n")


def _print(inputs: Inputs, results: scenarios.Results, *, as_json: bool) -> None:
    tables = page.tables(inputs, results)
    if as_json:
        costs = cost.every_cost(inputs, memory_sizes=page.MEMORY_SIZES, hit_rates=page.HIT_RATES)
        print(json.dumps({"costs_of_a_million": list(costs), "tables": tables, "simulated": results}, indent=2))
        return
    for name, table in tables.items():
        print(f"## {name}\n\n{table}\n")


def _progress(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()

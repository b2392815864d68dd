"""What docs/security.md and its pages claim: each row has a test that exists, or says what is left to the operator."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from auth_jwt.fetching.client import FETCH_SECONDS
from auth_jwt.runtime.settings import DEFAULTS
from tests.benchmarks import timing
from tests.security.attacks import ADVISORIES
from tests.template import test_authorizer_snippets as snippets
from tests.unit.docs.test_docs import ROOT, table, text_of
from tools.events.stage import RESOURCES, load_handler

PAGE: Final = ROOT / "docs" / "security.md"
FOLDER: Final = ROOT / "docs" / "security"
THREATS: Final = FOLDER / "threats.md"
REVOCATION: Final = FOLDER / "revocation.md"
LINK: Final = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+tests/[\w/.-]*\btest_\w+\.py)\)")
LETTERS: Final = "STRIDE"
ENTRIES: Final = (
    *("REST API", "HTTP API", "Function URL", "ALB", "Direct invocation", "Script authorize", "jambonz"),
    *("Gateway authorizer", "Health", "Admin API", "The admin page", "auth-jwt page", "Command line"),
    *("Import of dumps", "Rotation", "Refresh of keys", "Secrets that end", "Check of a release"),
    *("Logs, metrics and dashboards", "Snapshot", "Deployment by CI", "make serve"),
)


@cache
def names_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name.removeprefix("test_").lower()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def sections() -> dict[str, list[list[str]]]:
    """Return the rows of each entry's table in threats.md."""
    found: dict[str, list[list[str]]] = {}
    for part in text_of(THREATS).split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        lines = [line for line in text.splitlines() if line.startswith("|")][2:]
        found[title] = [
            [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split(" |")] for line in lines
        ]
    return found


def links() -> list[tuple[Path, str, str]]:
    pages = [PAGE, *sorted(FOLDER.glob("*.md"))]
    return [(page, *found) for page in pages for found in LINK.findall(text_of(page))]


NAMED: Final = [link for link in links() if link[0] != PAGE]


@pytest.mark.parametrize(("page", "name", "target"), NAMED, ids=[f"{page.stem}: {name}" for page, name, _ in NAMED])
def test_a_test_that_is_named_exists(page: Path, name: str, target: str) -> None:
    """The text of a link is the name of a test in that file, with blanks."""
    assert name.replace(" ", "_") in names_in((page.parent / target).resolve())


@pytest.mark.parametrize("title", ["Tokens, wherever they enter", *ENTRIES])
def test_each_entry_is_judged_by_each_letter(title: str) -> None:
    told = " ".join(row[0] for row in sections()[title])

    assert set(told.replace(" ", "")) == set(LETTERS)


def test_there_are_no_other_sections() -> None:
    assert list(sections()) == ["Tokens, wherever they enter", *ENTRIES]


@pytest.mark.parametrize("title", ["Tokens, wherever they enter", *ENTRIES])
def test_what_no_test_proves_is_said_to_be_left_to_the_operator(title: str) -> None:
    for letter, threat, stopped, proof, left in sections()[title]:
        assert threat
        assert stopped, letter
        assert LINK.search(proof) or left or threat == "nobody is to be traced there", threat


def test_every_function_has_its_place() -> None:
    told = {name.strip("`").removeprefix("functions/") for name, _ in table(THREATS, "function")}

    assert told == {folder.name for folder in (ROOT / "functions").iterdir() if (folder / "app.py").is_file()}
    assert set(RESOURCES) <= told


def test_every_form_of_an_event_is_named() -> None:
    forms = {form.value for form in load_handler("gateway_authorizer").__globals__["Form"]}
    (sentence,) = re.findall(r"^Forms: (.+?)\. ", text_of(THREATS), re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", sentence)) == forms


def test_every_advisory_of_the_corpus_is_listed_with_its_component() -> None:
    text = text_of(FOLDER / "advisories.md")
    told = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text.partition("## More than one")[0], re.MULTILINE))
    told.pop("advisory", None)
    told.pop("---", None)

    assert told == {name: one.source for name, one in ADVISORIES.items()}


def test_the_overview_leads_to_every_page() -> None:
    text = text_of(PAGE)

    assert {page.name for page in FOLDER.glob("*.md")} == set(re.findall(r"\(security/([\w-]+\.md)", text))


# -- the sums of all memories -----------------------------------------------------------------------------------------


def kept() -> dict[str, int]:
    """Return how long each memory keeps by default, from code and templates."""
    schedule = re.search(
        r"ScheduleExpression: rate\((\d+) minute", (ROOT / "stacks" / "refresh.yaml").read_text("utf-8")
    )
    assert schedule is not None
    rest = snippets.authorizer_of(snippets.only(snippets.REST, "AWS::ApiGateway::RestApi"), "token")
    http = snippets.authorizer_of(snippets.only(snippets.HTTP, "AWS::ApiGatewayV2::Api"), "request")
    return {
        "C": int(DEFAULTS["CACHE_TTL_SECONDS"]),
        "S": int(DEFAULTS["STALE_IF_ERROR_SECONDS"]),
        "L": 1,
        "G": max(one["authorizerResultTtlInSeconds"] for one in (rest, http)),
        "M": 60 * int(schedule[1]),
        "F": int(FETCH_SECONDS),
    }


def test_the_page_says_how_long_each_memory_keeps() -> None:
    told = {letter: int(seconds.removesuffix(" s")) for letter, _, seconds, _ in table(REVOCATION, "letter")}

    assert told == kept()


@pytest.mark.parametrize("row", table(REVOCATION, "way to take access away"), ids=lambda row: row[0])
def test_a_sum_is_that_of_the_defaults(row: list[str]) -> None:
    seconds = kept()
    letters = row[1].split(" + ") if row[1] != "0" else []
    normally = sum(seconds[letter] for letter in letters)
    down = normally + (seconds["S"] if "C" in letters else 0)

    told = [int(cell.removesuffix(" s")) for cell in row[2:]]

    assert told == [normally, down, normally + seconds["G"], down + seconds["G"]]


# -- what time tells --------------------------------------------------------------------------------------------------


def test_the_page_of_time_answers_every_question_of_the_benchmark() -> None:
    told = [row[0] for row in table(FOLDER / "timing.md", "question")]

    assert told == [pair.question for pair in timing.pairs()]


def test_tokens_of_the_benchmark_differ_between_the_kinds_of_a_pair() -> None:
    """Or it would measure nothing."""
    for pair in timing.pairs():
        first, second = pair.tokens(1)

        assert first != second
        assert first.count(".") == second.count(".") == 2

"""The glossary of docs/architecture.md and the public names hold each other."""

import ast
import pkgutil
import re
from collections import defaultdict

import pytest
import yaml

from auth_jwt.runtime.settings import DEFAULTS
from tests.unit.docs.test_docs import OPERATIONS, ROOT, table, text_of

PACKAGE = ROOT / "layers" / "auth_jwt"
GLOSSARY = {
    term: re.findall(r"`([^`]+)`", names) for term, _, names in table(ROOT / "docs" / "architecture.md", "term")
}
PARAMETERS = yaml.load(text_of(ROOT / "template.yaml"), Loader=yaml.BaseLoader)["Parameters"]
CODE = [path for room in ("layers", "functions", "cli", "tools/serve") for path in sorted((ROOT / room).rglob("*.py"))]
OF_TWO_COMMANDS = {
    "Finding": "`config check` and `lint` both find something; their modules know nothing of each other",
    "Severity": "likewise: how much a finding matters, to each of the two",
}
OUTSIDE_THE_PACKAGE = {*DEFAULTS, *PARAMETERS}


def test_the_terms_are_in_order() -> None:
    assert list(GLOSSARY) == sorted(GLOSSARY)


@pytest.mark.parametrize("term", GLOSSARY)
def test_the_names_of_a_term_exist_and_contain_it(term: str) -> None:
    assert GLOSSARY[term]
    for name in GLOSSARY[term]:
        assert term.replace(" ", "") in name.lower().replace("_", ""), name
        if name not in OUTSIDE_THE_PACKAGE:
            pkgutil.resolve_name(f"auth_jwt.{name}")


@pytest.mark.parametrize("term", GLOSSARY)
def test_no_class_is_called_like_a_term_and_means_something_else(term: str) -> None:
    called = re.compile(rf"^class {term.title().replace(' ', '')}\b", re.MULTILINE)
    modules = [path for path in PACKAGE.rglob("*.py") if called.search(text_of(path))]

    names = {
        ".".join([*path.relative_to(PACKAGE / "auth_jwt").with_suffix("").parts, term.title().replace(" ", "")])
        for path in modules
    }
    assert names <= set(GLOSSARY[term])


def test_no_two_classes_have_one_name() -> None:
    """Private ones and those within others count, too: a reader who searches for a name finds one thing."""
    places = defaultdict(list)
    for path in CODE:
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path.relative_to(ROOT).as_posix())

    assert len(places) > len(OF_TWO_COMMANDS)
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in shared.items() if name not in OF_TWO_COMMANDS} == {}
    assert shared.keys() == OF_TWO_COMMANDS.keys()


@pytest.mark.parametrize("heading", ["Outcomes and metrics", "Reasons of a denial", "Reasons why a secret is unusable"])
def test_the_lists_of_words_link_to_the_glossary(heading: str) -> None:
    section = text_of(OPERATIONS).split(f"\n## {heading}\n")[1].split("\n## ")[0]

    assert "](architecture.md#glossary)" in section

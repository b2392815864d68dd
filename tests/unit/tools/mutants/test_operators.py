"""What is broken, and what is left alone."""

from textwrap import dedent

import pytest

from tools.mutants.operators import Mutant, mutants_of


def mutated(source: str) -> set[str]:
    """Return what becomes of a *source*, in each mutant."""
    return {mutant.apply(source) for mutant in mutants_of("module.py", source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("if now < end: pass", "if (now <= end): pass", id="a bound is moved"),
        pytest.param("if a == b: pass", "if (a != b): pass", id="a comparison is turned round"),
        pytest.param("if a in b: pass", "if (a not in b): pass", id="membership is turned round"),
        pytest.param("if known(a): pass", "if (not known(a)): pass", id="a condition is turned round"),
        pytest.param("ok = a and b", "ok = b", id="the first operand is left out"),
        pytest.param("ok = a or b", "ok = a", id="the second operand is left out"),
        pytest.param("ok = not a", "ok = a", id="a not is left out"),
        pytest.param("end = start + ttl", "end = (start - ttl)", id="another calculation"),
        pytest.param("count += step", "count -= step", id="counting down"),
        pytest.param("LIMIT = 5", "LIMIT = 6", id="another number"),
        pytest.param("ROOM = 64 * 1024 * 1024", "ROOM = (64 * 1024 * 1024 * 2)", id="twice the size"),
        pytest.param("STRICT = True", "STRICT = False", id="another truth"),
        pytest.param("NAME = 'kid'", "NAME = 'kidXX'", id="another name"),
        pytest.param("best = max(found)", "best = min(found)", id="the other end"),
        pytest.param("sys.stdout.flush()", "pass", id="a call is left out"),
        pytest.param("self.kept = rows", "pass", id="nothing is kept"),
        pytest.param("raise Denied(reason)", "pass", id="an error is not raised"),
        pytest.param("get(key, ConsistentRead=True, Limit=1)", "get(key, Limit=1)", id="an argument is left out"),
        pytest.param("get(key, Limit=1)", "get(key, )", id="the last argument is left out"),
        pytest.param("request = {'Key': key, 'Limit': 1}", "request = {'Limit': 1}", id="a member is left out"),
        pytest.param(
            "with lock:\n  keep()", 'with __import__("contextlib").nullcontext():\n  keep()', id="a lock is left out"
        ),
        pytest.param("def f(): return g()", "def f(): return None", id="nothing is returned"),
        pytest.param("for a in b:\n  break", "for a in b:\n  continue", id="a loop goes on"),
        pytest.param("try: f()\nexcept (A, B): pass", "try: f()\nexcept (B,): pass", id="an exception is not caught"),
        pytest.param(
            "ok = [a for a in b if known(a)]", "ok = [a for a in b if (not known(a))]", id="a filter is turned round"
        ),
        pytest.param("x = 'ä' + f(1)", "x = 'ä' + f(2)", id="what is behind a letter of two octets"),
    ],
)
def test_one_thing_is_changed(source: str, expected: str) -> None:
    assert expected in mutated(source)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('"""A docstring."""', id="a docstring"),
        pytest.param("import os\nfrom typing import Final", id="imports"),
        pytest.param("def f(limit: 'Literal[5]') -> 'Literal[6]': ...", id="annotations"),
        pytest.param("limit: Literal[5]", id="a declared type"),
        pytest.param("Limit = Literal[5]", id="a named type"),
        pytest.param("T = TypeVar('T', bound=int)", id="a variable of types"),
        pytest.param("if TYPE_CHECKING:\n  limit = 5", id="what only type checkers read"),
        pytest.param("__all__ = ['limit']", id="exported names"),
        pytest.param(
            "@dataclass(frozen=True, slots=True, kw_only=True)\nclass Secret: ...", id="how a dataclass is made"
        ),
        pytest.param("zip(a, b, strict=True)", id="what finds our own faults"),
        pytest.param("text = f'{tag} is unknown'", id="text with values in it"),
        pytest.param("hint = 'say which of these it is'", id="text for people"),
    ],
)
def test_what_changes_no_decision_is_left_alone(source: str) -> None:
    assert mutated(source) - {"pass"} == set()


def test_the_words_of_an_error_are_left_alone() -> None:
    assert mutated("raise Invalid('no tag')") == {"pass"}


def test_a_mutant_says_where_it_is() -> None:
    source = dedent(
        """\
        class Memory:
            @cached
            def keep(self, row):
                if row.end > self.now:
                    self.rows = [
                        row,
                    ]
        """
    )

    found = {mutant.operator: mutant for mutant in mutants_of("memory.py", source)}

    assert found["other comparison"].function == found["statement left out"].function == ("Memory.keep", 2)
    assert (found["other comparison"].line, found["other comparison"].lines) == (4, (4, 4))
    assert (found["statement left out"].line, found["statement left out"].lines) == (5, (5, 7))


def test_what_runs_at_import_is_in_no_function() -> None:
    source = "LIMIT = 5\ndef keep(limit=6): ...\nclass Memory:\n  size = 7\n"

    assert {(mutant.line, mutant.function) for mutant in mutants_of("memory.py", source)} == {
        (1, None),
        (2, None),
        (4, None),
    }


def test_a_diff_has_nothing_but_what_changed() -> None:
    source = "a = 1\nb = 2\nc = 3\n"
    of_b = [mutant for mutant in mutants_of("module.py", source) if mutant.line == 2]

    assert [mutant.diff(source) for mutant in of_b] == [["-b = 2", "+b = 3"]]


def test_a_mutant_outlives_json() -> None:
    members = {
        "path": "a.py",
        "operator": "other constant",
        "line": 1,
        "lines": [1, 1],
        "start": 4,
        "end": 5,
        "replacement": "2",
        "function": ["keep", 1],
    }

    assert Mutant.read(members) == Mutant("a.py", "other constant", 1, (1, 1), 4, 5, "2", ("keep", 1))

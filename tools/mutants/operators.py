"""What is broken: each mutant changes one thing that a reader could have forgotten or mistaken.

No library's operators are used: those of cosmic-ray and mutmut know neither a call that is left out nor an argument
that is, as `ConsistentRead` and the condition of a write are, and replace an operator by each other one, which proves
the same several times.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Span = tuple[int, int]

_COMPARISONS: Final[dict[type[ast.cmpop], ast.cmpop]] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(),
    ast.In: ast.NotIn(), ast.NotIn: ast.In(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(),
}  # fmt: skip
_CALCULATIONS: Final[dict[type[ast.operator], ast.operator]] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.FloorDiv(), ast.Div: ast.Mult(), ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Mult(), ast.BitOr: ast.BitAnd(), ast.BitAnd: ast.BitOr(), ast.LShift: ast.RShift(),
    ast.RShift: ast.LShift(), ast.BitXor: ast.BitAnd(),
}  # fmt: skip
_FUNCTIONS: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}
_NOT_MUTATED: Final = frozenset(
    {"slots", "frozen", "kw_only", "repr", "description", "summary", "title", "help", "doc"}
)
"""Arguments that change no decision: what dataclasses are made of, and text of documents. Other tests hold these."""
_MOST_WORDS: Final = 4
"""Text of more words is for people."""
_COMPOUND: Final = (ast.If, ast.While, ast.For, ast.With, ast.Try, ast.Match, ast.ClassDef, ast.FunctionDef)
_FUNCTION: Final = (ast.FunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Mutant:
    """One change of a file.

    Attributes:
        path: the file, from the root of the checkout.
        operator: what kind of change it is, in words.
        line: where it begins.
        lines: first and last line of the statement that is changed, or of its head: the tests that run one of these
            concern the mutant.
        start: the first octet that is replaced.
        end: the octet after the last one.
        replacement: what stands there instead.
        function: name and first line of the outermost function around it; None when it runs at import.
    """

    path: str
    operator: str
    line: int
    lines: tuple[int, int]
    start: int
    end: int
    replacement: str
    function: tuple[str, int] | None

    @classmethod
    def read(cls, members: dict[str, Any]) -> "Mutant":
        """Make a mutant of what JSON made of it, which knows no tuples."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in members.items()
        }
        return cls(**known)

    def apply(self, source: str) -> str:
        """Return the *source* of the file with the change."""
        octets = source.encode()
        return (octets[: self.start] + self.replacement.encode() + octets[self.end :]).decode()

    def diff(self, source: str) -> list[str]:
        """Return the lines that go, with `-`, and those that come, with `+`."""
        compared = difflib.unified_diff(source.splitlines(), self.apply(source).splitlines(), n=0, lineterm="")
        return [line for line in list(compared)[2:] if not line.startswith("@@")]


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Return all mutants of a file, in its order."""
    return sorted(_Finder(path, source).find(), key=lambda mutant: (mutant.start, mutant.end, mutant.replacement))


def mutants_in(root: Path, paths: list[str]) -> list[Mutant]:
    """Return all mutants of several files."""
    return [mutant for path in paths for mutant in mutants_of(path, (root / path).read_text(encoding="utf-8"))]


class _Finder:
    """Goes through a file. Where it is: in which statement, and in which function."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._octets = source.encode()
        self._tree = ast.parse(source)
        self._begins = [0]
        for line in self._octets.split(b"\n"):
            self._begins.append(self._begins[-1] + len(line) + 1)
        self._lines = (0, 0)
        self._function: tuple[str, int] | None = None
        self._classes: list[str] = []

    def find(self) -> Iterator[Mutant]:
        return self._body(self._tree.body)

    # -- where things are ---------------------------------------------------------------------------------------------

    def _span(self, node: ast.expr | ast.stmt | ast.keyword) -> Span:
        assert node.end_lineno is not None and node.end_col_offset is not None  # noqa: S101, PT018 - it was parsed
        start = self._begins[node.lineno - 1] + node.col_offset
        return start, self._begins[node.end_lineno - 1] + node.end_col_offset

    def _mutant(self, operator: str, span: Span, replacement: str) -> Mutant:
        line = self._octets.count(b"\n", 0, span[0]) + 1
        return Mutant(self._path, operator, line, self._lines, *span, replacement, self._function)

    def _replaced(self, operator: str, node: ast.expr, by: ast.expr) -> Mutant:
        text = ast.unparse(by)
        atom = isinstance(by, ast.Name | ast.Constant | ast.Call | ast.Attribute)
        return self._mutant(operator, self._span(node), text if atom else f"({text})")

    # -- statements ---------------------------------------------------------------------------------------------------

    def _body(self, body: list[ast.stmt]) -> Iterator[Mutant]:
        for statement in body:
            yield from self._statement(statement)

    def _statement(self, node: ast.stmt) -> Iterator[Mutant]:
        before = self._lines
        self._lines = self._lines_of(node)
        if isinstance(node, ast.FunctionDef):
            yield from self._function_definition(node)
        elif isinstance(node, ast.ClassDef):
            yield from self._expressions(*node.decorator_list, *node.bases, *(word.value for word in node.keywords))
            self._classes.append(node.name)
            yield from self._body(node.body)
            self._classes.pop()
        elif not _says_nothing(node):
            yield from self._left_out(node)
            yield from self._inside(node)
        self._lines = before

    def _lines_of(self, node: ast.stmt) -> tuple[int, int]:
        """Return the lines of a statement; of one that has a body, those before it."""
        last = node.end_lineno or node.lineno
        if isinstance(node, _COMPOUND) and not isinstance(node, ast.Match | ast.Try):
            last = max(node.body[0].lineno - 1, node.lineno)
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        return first, last

    def _function_definition(self, node: ast.FunctionDef) -> Iterator[Mutant]:
        yield from self._expressions(*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults))
        outermost = self._function is None
        if outermost:
            self._function = ".".join([*self._classes, node.name]), self._lines_of(node)[0]
        yield from self._body(node.body)
        if outermost:
            self._function = None

    def _left_out(self, node: ast.stmt) -> Iterator[Mutant]:
        """Leave a statement out, or what it does."""
        match node:
            case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete() | ast.Raise() | ast.Assert():
                yield self._mutant("statement left out", self._span(node), "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._mutant("statement left out", self._span(node), "pass")
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield self._mutant("nothing returned", self._span(node), "return None")
            case ast.Break():
                yield self._mutant("loop goes on", self._span(node), "continue")
            case ast.Continue():
                yield self._mutant("loop ends", self._span(node), "break")
            case ast.With(items=[ast.withitem(context_expr=context, optional_vars=None)]):
                nothing = '__import__("contextlib").nullcontext()'
                yield self._mutant("context left out", self._span(context), nothing)
            case _:
                pass
        if isinstance(node, ast.AugAssign) and type(node.op) in _CALCULATIONS:
            other = ast.AugAssign(node.target, _CALCULATIONS[type(node.op)], node.value)
            yield self._mutant("other calculation", self._span(node), ast.unparse(other))

    def _inside(self, node: ast.stmt) -> Iterator[Mutant]:
        if isinstance(node, ast.If | ast.While):
            yield from self._condition(node.test)
        for name, child in ast.iter_fields(node):
            if name == "annotation" or (isinstance(node, ast.Raise) and name == "exc" and self._is_message(child)):
                continue
            for one in child if isinstance(child, list) else [child]:
                yield from self._part(one)

    def _part(self, node: object) -> Iterator[Mutant]:
        match node:
            case ast.stmt():
                yield from self._statement(node)
            case ast.expr():
                yield from self._expression(node)
            case ast.ExceptHandler(body=body, type=caught):
                if isinstance(caught, ast.Tuple):
                    yield from self._caught_less(caught)
                yield from self._body(body)
            case ast.withitem(context_expr=context):
                yield from self._expression(context)
            case ast.match_case(guard=guard, body=body):
                if guard is not None:
                    yield from self._condition(guard)
                    yield from self._expression(guard)
                yield from self._body(body)
            case _:
                pass

    @staticmethod
    def _is_message(node: object) -> bool:
        """Tell whether all that an exception gets is text for people, whose wording other tests hold."""
        return isinstance(node, ast.Call) and all(
            isinstance(one, ast.Constant | ast.JoinedStr)
            for one in (*node.args, *(word.value for word in node.keywords))
        )

    def _caught_less(self, caught: ast.Tuple) -> Iterator[Mutant]:
        for number in range(len(caught.elts)):
            rest = ast.Tuple([*caught.elts[:number], *caught.elts[number + 1 :]], ast.Load())
            yield self._mutant("exception not caught", self._span(caught), ast.unparse(rest))

    # -- expressions --------------------------------------------------------------------------------------------------

    def _expressions(self, *nodes: ast.expr) -> Iterator[Mutant]:
        for node in nodes:
            yield from self._expression(node)

    def _condition(self, node: ast.expr) -> Iterator[Mutant]:
        """Turn a condition round. Those that are themselves mutated to the same end are left out."""
        if not isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
            yield self._replaced("condition turned round", node, ast.UnaryOp(ast.Not(), node))

    def _expression(self, node: ast.expr) -> Iterator[Mutant]:
        if isinstance(node, ast.JoinedStr) or _is_of_types(node):  # the first is text for people, mostly
            return
        if _is_product(node):
            yield self._replaced("other constant", node, ast.BinOp(node, ast.Mult(), ast.Constant(2)))
            return
        yield from self._changes(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from self._expression(child)
            elif isinstance(child, ast.keyword) and not _is_left_alone(node, child):
                yield from self._expression(child.value)
            elif isinstance(child, ast.comprehension):
                yield from self._expressions(child.iter, *child.ifs)

    def _changes(self, node: ast.expr) -> Iterator[Mutant]:  # noqa: C901 - a row for each kind
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=right) if type(operator) in _COMPARISONS:
                yield self._replaced("other comparison", node, ast.Compare(left, [_COMPARISONS[type(operator)]], right))
            case ast.Compare(left=left, ops=operators, comparators=right):
                for number, operator in enumerate(operators):
                    others = [*operators[:number], _COMPARISONS[type(operator)], *operators[number + 1 :]]
                    yield self._replaced("other comparison", node, ast.Compare(left, others, right))
            case ast.BoolOp(op=operator, values=values):
                for number in range(len(values)):
                    rest = [*values[:number], *values[number + 1 :]]
                    by = rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest)
                    yield self._replaced("operand left out", node, by)
            case ast.BinOp(left=left, op=operator, right=right_side) if type(operator) in _CALCULATIONS:
                yield self._replaced(
                    "other calculation", node, ast.BinOp(left, _CALCULATIONS[type(operator)], right_side)
                )
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield self._replaced("sign or not left out", node, operand)
            case ast.IfExp(test=test):
                yield from self._condition(test)
            case ast.Constant():
                yield from self._constant(node)
            case ast.Call():
                yield from self._call(node)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant):
                        yield self._cut("member left out", (self._span(key)[0], self._span(value)[1]))
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                for generator in node.generators:
                    for test in generator.ifs:
                        yield from self._condition(test)
            case _:
                pass

    def _constant(self, node: ast.Constant) -> Iterator[Mutant]:
        match node.value:
            case bool():
                yield self._replaced("other constant", node, ast.Constant(not node.value))
            case int() | float():
                yield self._replaced("other constant", node, ast.Constant(node.value + 1))
            case str() | bytes() if len(node.value.split()) <= _MOST_WORDS:
                more = node.value + "XX" if isinstance(node.value, str) else node.value + b"XX"
                yield self._replaced("other constant", node, ast.Constant(more))
            case _:
                pass

    def _call(self, node: ast.Call) -> Iterator[Mutant]:
        if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            yield self._mutant("other function", self._span(node.func), _FUNCTIONS[node.func.id])
        for word in node.keywords:
            if word.arg is not None and not _is_left_alone(node, word):
                yield self._cut("argument left out", self._span(word))

    def _cut(self, operator: str, span: Span) -> Mutant:
        """Leave out one of several that commas part."""
        start, end = span
        after = self._octets[end:]
        rest = after.lstrip()
        if rest.startswith(b","):
            end += len(after) - len(rest) + 1
            end += len(self._octets[end:]) - len(self._octets[end:].lstrip(b" "))
        return self._mutant(operator, (start, end), "")


def _is_of_types(node: ast.expr) -> bool:
    """Tell whether an expression says something to type checkers alone."""
    match node:
        case ast.Subscript(value=ast.Name(id="Literal")) | ast.Call(func=ast.Name(id="TypeVar")):
            return True
        case _:
            return False


def _is_product(node: ast.expr) -> bool:
    """Tell whether an expression is a size in the form of a product, as `64 * 1024 * 1024`: one constant, not three."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and isinstance(node.right, ast.Constant)):
        return False
    return isinstance(node.left, ast.Constant) or _is_product(node.left)


def _is_left_alone(call: ast.expr, word: ast.keyword) -> bool:
    """Tell whether an argument changes no decision: one of those, or `strict` of a `zip`."""
    return word.arg in _NOT_MUTATED or (word.arg == "strict" and ast.unparse(call).startswith("zip("))


def _says_nothing(node: ast.stmt) -> bool:
    """Tell whether a statement is for readers and type checkers alone."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom() | ast.Pass():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
        case _:
            return False

"""CloudWatch's metric math, as far as the alarms and the dashboard use it.

By https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html: a missing value counts as 0 in
arithmetic and between series; a division by zero leaves no value; `IF` drops a value whose condition is missing. The
page does not say what becomes of a metric that has never had a point, so here nothing that it takes part in has one.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tools.dashboard.metrics import NeverCounted, Series

Value = float | Series

_ARITHMETIC: Final[Mapping[type, Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Final[Mapping[type, Callable[[float, float], bool]]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class UnknownExpression(Exception):
    """The expression has something that is not known here."""


def evaluate(expression: str, series: Mapping[str, Series], periods: Mapping[str, int] | None = None) -> Series:
    """Return the series that an *expression* makes.

    Args:
        expression: numbers, ids, `+ - * /`, comparisons, `AND`, `OR`, `IF`, `FILL` and `PERIOD`.
        series: the metrics, by id.
        periods: the seconds of a period of each, for `PERIOD`.

    Raises:
        UnknownExpression: it has something else, or is a number rather than a series, which CloudWatch rejects.
    """
    python = re.sub(r"\b(AND|OR)\b", lambda found: found[0].lower(), expression)
    value = _Evaluation(series, periods or {}).of(ast.parse(python, mode="eval").body)
    if not isinstance(value, tuple):
        raise UnknownExpression(f"{expression} is no series")
    return value


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], periods: Mapping[str, int]) -> None:
        self._series, self._periods = series, periods

    def of(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name) and node.id in self._series:
            return self._series[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _both(_ARITHMETIC[type(node.op)], self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            compare, (right_side,) = _COMPARISONS[type(node.ops[0])], node.comparators
            return _both(lambda left, right: float(compare(left, right)), self.of(node.left), self.of(right_side))
        if isinstance(node, ast.BoolOp):
            join = all if isinstance(node.op, ast.And) else any
            first, *rest = map(self.of, node.values)
            for other in rest:
                first = _both(lambda left, right: float(join([left != 0, right != 0])), first, other)
            return first
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._call(node.func.id, node.args)
        raise UnknownExpression(ast.unparse(node))

    def _call(self, function: str, arguments: list[ast.expr]) -> Value:
        if function == "PERIOD":
            return float(self._periods[ast.unparse(arguments[0])])
        if function == "FILL":
            series, filler = map(self.of, arguments)
            if isinstance(series, tuple) and not isinstance(filler, tuple):
                return tuple([filler if value is None else value for value in series])
        if function == "IF":
            condition, if_true, if_false = map(self.of, arguments)
            if isinstance(condition, tuple):
                return tuple(_choose(condition, if_true, if_false))
        raise UnknownExpression(function)


def _choose(condition: Series, if_true: Value, if_false: Value) -> Any:  # noqa: ANN401 - a generator of values
    for index, is_true in enumerate(condition):
        if is_true is None:
            yield None
        elif is_true:
            value = if_true[index] if isinstance(if_true, tuple) else if_true
            yield 0.0 if value is None else value
        else:
            yield if_false[index] if isinstance(if_false, tuple) else if_false


def _both(apply: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Apply an operator to two numbers, a series and a number, or two series of one length."""

    def applied(one: float | None, other: float | None) -> float | None:
        try:
            return apply(one or 0.0, other or 0.0)
        except ZeroDivisionError:
            return None

    if isinstance(left, NeverCounted):
        return left
    if isinstance(right, NeverCounted):
        return right
    if isinstance(left, tuple) and isinstance(right, tuple):
        pairs = zip(left, right, strict=True)
        return tuple([None if one is None and other is None else applied(one, other) for one, other in pairs])
    if isinstance(left, tuple):
        return tuple([None if one is None else applied(one, right) for one in left])  # type: ignore[arg-type]
    if isinstance(right, tuple):
        return tuple([None if other is None else applied(left, other) for other in right])
    return apply(left, right)

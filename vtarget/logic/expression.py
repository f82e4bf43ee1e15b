"""Conditions on metrics, such as ``latency_ms > 20 or ram_bytes > 64 * 1024``: read, never evaluated as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vtarget.base.errors import InputError
from vtarget.base.suggest import closest

MOST_CHARACTERS = 500
MOST_NODES = 200
_MOST_LISTED = 16

_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS = {"kernel": "kernels", "layer": "layers", "span": "spans"}


@dataclass(frozen=True)
class Condition:
    """A condition that has been read; ``text`` is as it was given."""

    text: str
    tree: ast.expr = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that it speaks of, each once."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                found.append(_metric(node) or "")
            elif isinstance(node, ast.Name) and node.id not in _FUNCTIONS:
                found.append(node.id)
        return tuple(dict.fromkeys(found))

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether it is true of these metrics. InputError for a metric that they lack, or a division by zero."""
        return _truth(self.tree, metrics, self.text)


def condition(text: str) -> Condition:
    """Read a condition: comparisons of metrics and numbers, ``and``, ``or``, ``not``, + - * /, parentheses.

    ``kernel("NAME")``, ``layer(INDEX)`` and ``span("NAME")`` are their cycles. InputError for anything else.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"--fail-if: a condition of {len(text)} characters; at most {MOST_CHARACTERS}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _wrong(text, "is no condition") from None
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise _wrong(text, "is too long")
    _check(tree, text, truth=True)
    return Condition(text, tree)


def _wrong(text: str, what: str) -> InputError:
    return InputError(f"--fail-if '{text}': {what}", hint='such as "latency_ms > 20 or ram_bytes > 65536"')


def _check(node: ast.expr, text: str, *, truth: bool) -> None:
    """InputError unless ``node`` is a condition (``truth``) or a number made of what is allowed."""
    match node:
        case ast.BoolOp(values=values) if truth:
            parts, kind = values, True
        case ast.UnaryOp(op=ast.Not(), operand=operand) if truth:
            parts, kind = [operand], True
        case ast.Compare(left=left, ops=ops, comparators=others) if truth and all(type(o) in _COMPARISONS for o in ops):
            parts, kind = [left, *others], False
        case ast.BinOp(left=left, op=op, right=right) if not truth and type(op) in _ARITHMETIC:
            parts, kind = [left, right], False
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand) if not truth:
            parts, kind = [operand], False
        case ast.Constant(value=int() | float() as value) if not truth and not isinstance(value, bool):
            return
        case ast.Name() if not truth:
            return
        case ast.Call() if not truth and _metric(node) is not None:
            return
        case _:
            raise _wrong(text, "compares metrics and numbers, and nothing else" if truth else "holds more than numbers")
    for part in parts:
        _check(part, text, truth=kind)


def _metric(node: ast.Call) -> str | None:
    """The metric that ``kernel("NAME")`` and its like name."""
    if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or len(node.args) != 1 or node.keywords:
        return None
    argument = node.args[0]
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, (str, int)):
        return None
    return f"{_FUNCTIONS[node.func.id]}.{argument.value}.cycles"


def _truth(node: ast.expr, metrics: Mapping[str, float], text: str) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_truth(value, metrics, text) for value in values)
        case ast.BoolOp(values=values):
            return any(_truth(value, metrics, text) for value in values)
        case ast.UnaryOp(operand=operand):
            return not _truth(operand, metrics, text)
        case ast.Compare(left=left, ops=ops, comparators=others):
            numbers = [_number(part, metrics, text) for part in (left, *others)]
            pairs = zip(ops, numbers, numbers[1:], strict=False)
            return all(_COMPARISONS[type(op)](one, other) for op, one, other in pairs)
    raise AssertionError(node)  # _check has refused all else


def _number(node: ast.expr, metrics: Mapping[str, float], text: str) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name):
            return _value(name, metrics, text)
        case ast.Call():
            return _value(_metric(node) or "", metrics, text)
        case ast.UnaryOp(op=op, operand=operand):
            number = _number(operand, metrics, text)
            return -number if isinstance(op, ast.USub) else number
        case ast.BinOp(left=left, op=op, right=right):
            try:
                return _ARITHMETIC[type(op)](_number(left, metrics, text), _number(right, metrics, text))
            except (ZeroDivisionError, OverflowError):
                raise InputError(f"--fail-if '{text}': divides by zero or overflows") from None
    raise AssertionError(node)


def _value(name: str, metrics: Mapping[str, float], text: str) -> float:
    if name not in metrics:
        kind = _kind(name)
        known = {_inner(metric): _spelled(metric) for metric in metrics if _kind(metric) == kind}
        match = closest(_inner(name), known)
        listed = [*known.values()][:_MOST_LISTED]
        more = ", …" if len(known) > len(listed) else ""
        has = f"it has {', '.join(listed)}{more}" if known else f"it has no {kind}"
        hint = has if match is None else f"did you mean '{known[match]}'?"
        raise InputError(f"--fail-if '{text}': this result has no {_spelled(name)}", hint=hint)
    return metrics[name]


def _kind(metric: str) -> str:
    return metric.partition(".")[0] if "." in metric else ""


def _inner(metric: str) -> str:
    return metric.partition(".")[2].removesuffix(".cycles") or metric


def _spelled(metric: str) -> str:
    """A metric as a condition names it: ``kernel("fir")``."""
    function = next((function for function, group in _FUNCTIONS.items() if group == _kind(metric)), None)
    if function is None:
        return metric
    return f"{function}({_inner(metric)})" if function == "layer" else f'{function}("{_inner(metric)}")'

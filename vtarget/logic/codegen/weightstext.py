"""Constants as C: compact rows of numbers, and one array for equal contents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vtarget.data.emission import Constant

_WIDTH = 116
_SMALLEST = {"int32_t": -(2**31), "int64_t": -(2**63)}


@dataclass(frozen=True)
class ConstantText:
    """A constant array ready for a template; ``values`` are whole lines of its initialiser."""

    name: str
    c_type: str
    count: int
    alignment: int
    values: str


@dataclass(frozen=True)
class UniqueConstants:
    """Constants without repetition, and which name stands for each of the others."""

    constants: tuple[Constant, ...]
    names: dict[str, str]


def unique_constants(constants: Iterable[Constant]) -> UniqueConstants:
    """The first of each group of constants with equal type, alignment and content."""
    seen: dict[tuple[str, int, bytes], str] = {}
    kept, names = [], {}
    for constant in constants:
        content = (constant.c_type, constant.alignment_bytes, constant.values)
        if content not in seen:
            seen[content] = constant.name
            kept.append(constant)
        names[constant.name] = seen[content]
    return UniqueConstants(tuple(kept), names)


def constant_text(constant: Constant) -> ConstantText:
    """``constant`` for a template; one without elements gets one, for C has no empty arrays."""
    values = np.frombuffer(constant.values, dtype=_dtype(constant.c_type)).tolist() or [0]
    literals = [_literal(value, constant.c_type) for value in values]
    alignment = max(constant.alignment_bytes, _dtype(constant.c_type).itemsize)
    return ConstantText(constant.name, constant.c_type, len(values), alignment, _rows(literals))


def _dtype(c_type: str) -> np.dtype[np.generic]:
    return np.dtype("<f4" if c_type == "float" else c_type.removesuffix("_t")).newbyteorder("<")


def _literal(value: int | float, c_type: str) -> str:
    if c_type == "float":
        return float_text(value)
    # The most negative number has no literal of its own type: -2147483648 is a negated 2147483648.
    return f"({value + 1} - 1)" if value == _SMALLEST.get(c_type) else str(value)


def float_text(value: float) -> str:
    """A float32 value as a C expression that is exactly it: nine digits tell every two of them apart."""
    if value != value:
        return '__builtin_nanf("")'
    if value in (float("inf"), float("-inf")):
        return "__builtin_inff()" if value > 0 else "-__builtin_inff()"
    text = f"{value:.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def _rows(literals: list[str]) -> str:
    """The literals with commas, in indented lines of a fixed width."""
    lines: list[str] = []
    row: list[str] = []
    width = 0
    for literal in literals:
        if row and width + len(literal) + 2 > _WIDTH:
            lines.append(f"    {' '.join(row)}\n")
            row, width = [], 0
        row.append(f"{literal},")
        width += len(literal) + 2
    lines.append(f"    {' '.join(row)}\n")
    return "".join(lines)

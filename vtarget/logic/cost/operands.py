"""Costs that depend on operand values: what the run observes of them, and what each class costs."""

from __future__ import annotations

from vtarget.data.core import Divide
from vtarget.data.cycles import Cycles
from vtarget.data.insn import Dynamic

_WORD = 0xFFFFFFFF
_SIGN = 0x80000000
_STEP_BITS = 4


def operand_class(dynamic: Dynamic, rn: int, rm: int, signed: bool) -> int:
    """What the recorder keeps of the operands ``rn`` and ``rm`` (32-bit values), b(x) being the bits of |x|.

    DIVIDE: 0 if an operand is 0, 1 if b(rn) < b(rm), else 2 + (b(rn) - b(rm)) // 4, at most 9. LONG_MULTIPLY: the
    significant bytes (0..4) of the smaller one. PREDICATED: 0.
    """
    if dynamic is Dynamic.PREDICATED:
        return 0
    n, m = significant_bits(rn, signed), significant_bits(rm, signed)
    if dynamic is Dynamic.LONG_MULTIPLY:
        return (min(n, m) + 7) // 8
    if n == 0 or m == 0:
        return 0
    return 1 if n < m else 2 + (n - m) // _STEP_BITS


def significant_bits(value: int, signed: bool) -> int:
    """Bits up to the highest set one of the magnitude of a 32-bit value."""
    value &= _WORD
    if signed and value & _SIGN:
        value = -value & _WORD
    return value.bit_length()


def divide_cycles(divide: Divide, operand_class: int) -> Cycles:
    """Cycles of one division of that operand class."""
    if operand_class == 0:
        nominal = divide.zero
    elif operand_class == 1:
        nominal = divide.short
    else:
        nominal = divide.base + (operand_class - 2) * _STEP_BITS // divide.step_bits
    nominal = min(max(nominal, divide.least), divide.most)
    return Cycles(max(nominal - divide.slack, divide.least), nominal, min(nominal + divide.slack, divide.most))


def long_multiply_cycles(figure: Cycles, by_class: tuple[int, ...] | None, operand_class: int) -> Cycles:
    """Cycles of one long multiply: the figure, its nominal value by the operand's bytes where the core says so."""
    if by_class is None:
        return figure
    nominal = by_class[min(operand_class, len(by_class) - 1)]
    return Cycles(min(figure.low, nominal), nominal, max(figure.high, nominal))

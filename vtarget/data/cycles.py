"""A number of cycles with its bounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cycles:
    """``low <= nominal <= high`` cycles. Adding adds each of the three; so does multiplying by a count."""

    low: int
    nominal: int
    high: int

    @property
    def bounds(self) -> tuple[int, int, int]:
        """Low, nominal and high."""
        return self.low, self.nominal, self.high

    def __add__(self, other: Cycles) -> Cycles:
        if other is NO_CYCLES:  # most of what is added
            return self
        return Cycles(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __mul__(self, count: int) -> Cycles:
        return Cycles(self.low * count, self.nominal * count, self.high * count)

    __rmul__ = __mul__


NO_CYCLES = Cycles(0, 0, 0)

"""Where cycles went: a number of cycles split into parts that add up to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import IntEnum


class CyclePart(IntEnum):
    """A part of a waterfall; docs/cycles.md defines them."""

    ISSUE = 0
    LOAD_STORE = 1
    BRANCH_REFILL = 2
    FETCH_WAIT = 3
    DATA_WAIT = 4
    FPU_DIVIDE = 5
    INTERRUPT = 6

    @property
    def title(self) -> str:
        """Its name for people."""
        return _TITLES[self][0]

    @property
    def short_title(self) -> str:
        """Its name over a narrow column."""
        return _TITLES[self][1]


_TITLES = {
    CyclePart.ISSUE: ("issue", "issue"),
    CyclePart.LOAD_STORE: ("load/store", "ld/st"),
    CyclePart.BRANCH_REFILL: ("branch refill", "refill"),
    CyclePart.FETCH_WAIT: ("fetch wait", "fetch"),
    CyclePart.DATA_WAIT: ("data wait", "data"),
    CyclePart.FPU_DIVIDE: ("FPU/divide", "FPU"),
    CyclePart.INTERRUPT: ("interrupt", "irq"),
}


@dataclass(frozen=True)
class Waterfall:
    """Nominal cycles by CyclePart, in its order."""

    issue: int = 0
    load_store: int = 0
    branch_refill: int = 0
    fetch_wait: int = 0
    data_wait: int = 0
    fpu_divide: int = 0
    interrupt: int = 0

    @classmethod
    def of(cls, parts: Iterable[int]) -> Waterfall:
        """From cycles in the order of CyclePart."""
        return cls(*(int(cycles) for cycles in parts))

    @property
    def parts(self) -> tuple[int, ...]:
        """Cycles in the order of CyclePart."""
        return astuple(self)

    @property
    def total(self) -> int:
        """All cycles."""
        return sum(self.parts)

    def __add__(self, other: Waterfall) -> Waterfall:
        return Waterfall.of(a + b for a, b in zip(self.parts, other.parts, strict=True))

    def scaled_to(self, total: int) -> Waterfall:
        """The same shares of another total, exact by largest remainders; a waterfall of nothing becomes issue."""
        if total == self.total:
            return self
        if not self.total:
            return Waterfall(issue=total)
        whole = [cycles * total // self.total for cycles in self.parts]
        by_remainder = sorted(CyclePart, key=lambda p: (-(self.parts[p] * total % self.total), p))
        for part in by_remainder[: total - sum(whole)]:
            whole[part] += 1
        return Waterfall.of(whole)


NO_WATERFALL = Waterfall()

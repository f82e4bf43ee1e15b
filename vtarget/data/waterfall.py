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
        return _TITLES[self]


_TITLES = {
    CyclePart.ISSUE: "issue",
    CyclePart.LOAD_STORE: "load/store",
    CyclePart.BRANCH_REFILL: "branch refill",
    CyclePart.FETCH_WAIT: "fetch wait",
    CyclePart.DATA_WAIT: "data wait",
    CyclePart.FPU_DIVIDE: "FPU/divide",
    CyclePart.INTERRUPT: "interrupt",
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

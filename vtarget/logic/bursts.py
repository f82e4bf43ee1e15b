"""What shows of instruction fetches that come in bursts, one at a time, where no cache is in front.

With what the core wants comes the rest of its burst. The next one waits for the end of that, while the core executes
what is there: straight code waits for little, code that jumps out of each burst for nearly all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """Code that executes in a row: its ``first`` and ``last`` byte, and the core's cycles for each of them."""

    first: int
    last: int
    cycles_per_byte: float

    @property
    def cycles(self) -> float:
        """What the core takes for it."""
        return (self.last + 1 - self.first) * self.cycles_per_byte


@dataclass(frozen=True)
class Bursts:
    """Aligned bursts of ``size_bytes`` in lines of ``line_bytes``: the wanted line is there after ``first`` cycles,
    each one behind it ``beat`` cycles later."""

    first: float
    beat: float
    line_bytes: int
    size_bytes: int

    def waits(self, source: Passage, target: Passage, *, jumped: bool, kept: bool, hidden: bool = True) -> float:
        """Cycles that the core waits for ``target``, which it gets to from ``source``.

        After a jump the line that was fetched last is there still; if ``kept``, so is the rest of its burst. Not
        ``hidden``: the core executes nothing meanwhile.
        """
        undecoded = Passage(source.last, source.last, 0.0)  # stands for a source without code
        total, before = 0.0, [undecoded, *self._pieces(source)][-1]
        for piece in self._pieces(target):
            unit = self.line_bytes if jumped and not kept and piece.first == target.first else self.size_bytes
            if piece.first // unit != before.last // unit:
                total += max(0.0, self.first + self._rest(before) - (before.cycles if hidden else 0.0))
            before = piece
        return total

    def _pieces(self, code: Passage) -> Iterator[Passage]:
        """``code`` burst by burst."""
        first = code.first
        while first <= code.last:
            end = first - first % self.size_bytes + self.size_bytes
            yield Passage(first, min(code.last, end - 1), code.cycles_per_byte)
            first = end

    def _rest(self, piece: Passage) -> float:
        """From the first line of the burst that ``piece`` began, to its last one."""
        lines = self.size_bytes // self.line_bytes
        return (lines - 1 - piece.first // self.line_bytes % lines) * self.beat

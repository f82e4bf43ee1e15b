"""Random bits that are the same in every run: PCG32 (O'Neill, "PCG: A Family of Simple Fast Space-Efficient
Statistically Good Algorithms for Random Number Generation", 2014, variant XSH-RR 64/32)."""

from __future__ import annotations

_MULTIPLIER = 6364136223846793005
_MASK = (1 << 64) - 1


class Pcg32:
    """A generator of 32-bit numbers. ``seed`` starts it, ``stream`` selects one of 2^63 sequences."""

    def __init__(self, seed: int, stream: int = 1) -> None:
        self._increment = (stream << 1 | 1) & _MASK
        self._state = 0
        self.next()
        self._state = (self._state + seed) & _MASK
        self.next()

    def next(self) -> int:
        """The next 32 bits."""
        state = self._state
        self._state = (state * _MULTIPLIER + self._increment) & _MASK
        mixed = (state >> 18 ^ state) >> 27 & 0xFFFFFFFF
        turn = state >> 59
        return (mixed >> turn | mixed << (-turn & 31)) & 0xFFFFFFFF

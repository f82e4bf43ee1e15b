"""The arithmetic of RP2040's interpolators: two lanes that shift, mask and add, with blending and clamping.

RP2040 datasheet 2.3.1.6 and the description of the registers INTERP0_CTRL_LANE0 and on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WORD = 0xFFFFFFFF
SIGNED, CROSS_INPUT, CROSS_RESULT, ADD_RAW, BLEND, CLAMP = (1 << bit for bit in (15, 16, 17, 18, 21, 22))
LANE_BITS = 0x1FFFFF


def signed(word: int) -> int:
    """A 32-bit word as two's complement."""
    return word - (1 << 32) if word & 1 << 31 else word


@dataclass
class Interpolator:
    """Accumulators, bases and lane controls. ``blends``: it has the blend mode (INTERP0), else the clamp mode."""

    blends: bool
    accum: list[int] = field(default_factory=lambda: [0, 0])
    base: list[int] = field(default_factory=lambda: [0, 0, 0])
    ctrl: list[int] = field(default_factory=lambda: [0, 0])

    def set_ctrl(self, lane: int, value: int) -> None:
        """Write a lane's control register; a mode that this interpolator lacks stays clear."""
        mode = (BLEND if self.blends else CLAMP) if lane == 0 else 0
        self.ctrl[lane] = value & (LANE_BITS | mode)

    def get_ctrl(self, lane: int) -> int:
        """Read it, with lane 0's overflow flags: OVERF1, OVERF0 and either, at bits 24, 23 and 25."""
        if lane:
            return self.ctrl[1]
        over = [self._shifted(n) >> self._msb(n) + 1 != 0 for n in (0, 1)]
        return self.ctrl[0] | over[0] << 23 | over[1] << 24 | (over[0] or over[1]) << 25

    def raw(self, lane: int) -> int:
        """The lane's value behind shift, mask and sign extension."""
        msb, lsb = self._msb(lane), self.ctrl[lane] >> 5 & 31
        value = self._shifted(lane) & ((1 << msb + 1) - 1) & ~((1 << lsb) - 1)
        if self.ctrl[lane] & SIGNED and value >> msb & 1:
            value |= WORD << msb & WORD
        return value

    def results(self) -> tuple[int, int, int]:
        """Results of lane 0, of lane 1 and the full one, as the data path has them."""
        raw = (self.raw(0), self.raw(1))
        lane0, lane1 = ((self._input(n) if self.ctrl[n] & ADD_RAW else raw[n]) + self.base[n] & WORD for n in (0, 1))
        full = self.base[2] + raw[0] + raw[1]
        if self.ctrl[0] & BLEND:
            lane0, full = raw[1] & 0xFF, self.base[2] + raw[0]
            low, high = (signed(b) if self.ctrl[1] & SIGNED else b for b in self.base[:2])
            lane1 = low + ((raw[1] & 0xFF) * (high - low) >> 8) & WORD
        elif self.ctrl[0] & CLAMP:
            lane0 = self._clamped(raw[0])
        return lane0, lane1, full & WORD

    def peek(self, which: int) -> int:
        """Lane 0, lane 1 or full (2) as the processor reads it: FORCE_MSB is in bits 29:28 of a lane."""
        forced = (self.ctrl[which] >> 19 & 3) << 28 if which < 2 else 0
        return self.results()[which] | forced

    def pop(self, which: int) -> int:
        """``peek``, and the lanes' results go to the accumulators."""
        value, results = self.peek(which), self.results()
        self.accum = [results[n ^ bool(self.ctrl[n] & CROSS_RESULT)] for n in (0, 1)]
        return value

    def set_bases(self, value: int) -> None:
        """BASE_1AND0: 16 bits for each base, extended with the sign where the lane is signed."""
        for lane, half in enumerate((value & 0xFFFF, value >> 16)):
            extend = self.ctrl[lane] & SIGNED and half & 0x8000
            self.base[lane] = half | 0xFFFF0000 if extend else half

    def _msb(self, lane: int) -> int:
        return self.ctrl[lane] >> 10 & 31

    def _input(self, lane: int) -> int:
        return self.accum[lane ^ bool(self.ctrl[lane] & CROSS_INPUT)]

    def _shifted(self, lane: int) -> int:
        return self._input(lane) >> (self.ctrl[lane] & 31)

    def _clamped(self, value: int) -> int:
        order = signed if self.ctrl[0] & SIGNED else int
        if order(value) < order(self.base[0]):
            return self.base[0]
        return self.base[1] if order(value) > order(self.base[1]) else value

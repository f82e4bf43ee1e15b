"""RP2040 watchdog (datasheet 4.7): a down counter that resets the chip, scratch registers, and the 1 us tick generator.

Its clock is clk_ref, which the tick generator divides by TICK.CYCLES. The signal ``WATCHDOG_TICK`` is high while the
generator runs. The counter falls by two with each tick (erratum RP2040-E1). What a reset keeps (SCRATCH, REASON) stays
in this object.
"""

from __future__ import annotations

from vtarget.shell.devices.counter import Counter
from vtarget.shell.devices.device import Ports, WordDevice

CTRL, LOAD, REASON, SCRATCH0, TICK = 0x00, 0x04, 0x08, 0x0C, 0x2C
TRIGGER, ENABLE, PAUSES = 1 << 31, 1 << 30, 7 << 24
TIMED_OUT, FORCED = 1, 2
TICK_ENABLE, TICK_RUNNING, CYCLES = 1 << 9, 1 << 10, 0x1FF
MASK = 0xFFFFFF
STEP = 2  # per tick: RP2040-E1


class Rp2040Watchdog(WordDevice):
    """The watchdog with its tick."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.words = {CTRL: PAUSES, TICK: TICK_ENABLE}
        self._counter = Counter(ports.clock, self._catch_up)
        self._time = 0

    def read_word(self, offset: int) -> int:
        """CTRL holds the time left; TICK tells that the generator runs."""
        if offset == CTRL:
            self._catch_up()
            return self.words[CTRL] & ~MASK | self._time
        if offset == TICK:
            return self.words[TICK] | (TICK_RUNNING if self._ticks else 0)
        return 0 if offset == LOAD else self.words.get(offset, 0)

    def peek_word(self, offset: int) -> int:
        """For narrow writes: reading has no effects."""
        return self.read_word(offset)

    def write_word(self, offset: int, value: int) -> None:
        """Take what has passed, then change."""
        self._catch_up()
        if offset == LOAD:
            self._time = value & MASK
        elif offset == CTRL:
            self.words[CTRL] = value & (ENABLE | PAUSES)
            if value & TRIGGER:
                self._fire(FORCED)
        elif offset == TICK:
            self.words[TICK] = value & (CYCLES | TICK_ENABLE)
            self._counter.set_clock(self.ports.clock, value & CYCLES or 1)
        elif offset != REASON:
            self.words[offset] = value
        self._counter.run(self._ticks and bool(self.words[CTRL] & ENABLE))
        self.ports.set_signal("WATCHDOG_TICK", self._ticks)
        self._refresh()

    @property
    def _ticks(self) -> bool:
        """Whether the generator runs; with CYCLES 0, its reset value, it doesn't (recalled)."""
        return bool(self.words[TICK] & TICK_ENABLE and self.words[TICK] & CYCLES)

    def _catch_up(self) -> None:
        counts = self._counter.take()
        expires = counts and counts * STEP >= self._time
        self._time = max(0, self._time - counts * STEP)
        if expires:
            self._fire(TIMED_OUT)
        self._refresh()

    def _fire(self, reason: int) -> None:
        """The chip restarts; SCRATCH and REASON stay, CTRL and TICK are reset."""
        self.words |= {CTRL: PAUSES, TICK: TICK_ENABLE, REASON: reason}
        self._time = 0
        self._counter.run(False)
        self.ports.set_signal("WATCHDOG_TICK", False)
        self.ports.reset_core()

    def _refresh(self) -> None:
        self._counter.call_after(max(1, -(-self._time // STEP)))


MODELS = {"": Rp2040Watchdog}

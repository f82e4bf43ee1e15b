"""What counts a core's cycles: the DWT's CYCCNT, SysTick, or a timer that the board's file names.

All of them stand still while the core is stopped. They wrap round; ``Stopwatch`` counts on, if it looks often enough,
and else says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from vtarget.data.board import Board, CycleTimer
from vtarget.shell.dwt import CYCCNTENA, DWT_CTRL, DWT_CYCCNT, DWT_LAR, UNLOCK_KEY
from vtarget.shell.probes.errors import CounterMissingError
from vtarget.shell.probes.probe import Probe, read_word, write_word
from vtarget.shell.system import DEMCR, TRCENA
from vtarget.shell.systick import CLKSOURCE, COUNTER_MASK, COUNTFLAG, ENABLE, SYST_CSR, SYST_CVR, SYST_RVR

NOCYCCNT = 1 << 25  # DWT_CTRL (DDI 0403 C1.8.7)
LOOKS_PER_WRAP = 8  # the clock may be so much faster than the board's file says
LEAST_LOOK_SECONDS = 0.005
# Cores without CYCCNT (DDI 0419, DDI 0553: it belongs to the Main Extension).
BASELINE = ("armv6-m", "armv8-m.base")


class Counter(Protocol):
    """Something that counts while the core runs."""

    @property
    def name(self) -> str:
        """What it is called in measurements."""

    @property
    def bits(self) -> int:
        """Its width."""

    @property
    def cycles_per_tick(self) -> int:
        """Core cycles of a tick."""

    @property
    def restarts(self) -> bool:
        """Whether it counts from 0 again each time it is read; then it also tells when it has gone round."""

    def start(self, probe: Probe) -> None:
        """Let it count. CounterMissingError if it doesn't exist."""

    def read(self, probe: Probe) -> int | None:
        """Its value, counting up; None if it has gone round since it was read last, and says so. CounterMissingError if
        the firmware has taken it for itself."""


class CycleCounter:
    """The DWT's CYCCNT (DDI 0403 C1.8). Firmware may use it too, as long as it only reads it."""

    name = "DWT_CYCCNT"
    bits = 32
    cycles_per_tick = 1
    restarts = False

    def start(self, probe: Probe) -> None:
        """Enable trace, unlock the unit (the M7's takes no writes before that), let it count from 0."""
        write_word(probe, DEMCR, read_word(probe, DEMCR) | TRCENA)
        write_word(probe, DWT_LAR, UNLOCK_KEY)
        control = read_word(probe, DWT_CTRL)
        write_word(probe, DWT_CYCCNT, 0)
        write_word(probe, DWT_CTRL, control | CYCCNTENA)
        enabled = read_word(probe, DWT_CTRL)
        if control & NOCYCCNT or not enabled & CYCCNTENA:
            raise CounterMissingError(
                "the core has no cycle counter: DWT_CYCCNT can't be switched on",
                hint="QEMU models none; a core without one needs a 'cycle_timer' in the board's file",
            )

    def read(self, probe: Probe) -> int:
        """Its value; both registers at once, so that it costs one transfer."""
        data = probe.read_memory(DWT_CTRL, 8)
        if not data[0] & CYCCNTENA:
            raise CounterMissingError(
                "the firmware has switched the cycle counter off", hint="it writes DWT_CTRL or DEMCR; it must not"
            )
        return int.from_bytes(data[4:], "little")


class SysTickCounter:
    """SysTick on the core's clock, with the longest period (DDI 0419 B3.3): for firmware that doesn't use it.

    Writing SYST_CVR clears count and COUNTFLAG. From there on, the flag says that a whole round has passed: it is set
    when the count comes back to 0. Whether a debugger's read clears it is the implementation's affair.
    """

    name = "SysTick"
    bits = 24
    cycles_per_tick = 1
    restarts = True

    def start(self, probe: Probe) -> None:
        """Let it count down from its maximum, without its interrupt."""
        write_word(probe, SYST_CSR, 0)
        write_word(probe, SYST_RVR, COUNTER_MASK)
        write_word(probe, SYST_CVR, 0)
        write_word(probe, SYST_CSR, ENABLE | CLKSOURCE)
        if read_word(probe, SYST_CSR) & (ENABLE | CLKSOURCE) != ENABLE | CLKSOURCE:
            raise CounterMissingError("SysTick can't be switched on: nothing counts this core's cycles", hint=_TIMER)

    def read(self, probe: Probe) -> int | None:
        """Its value since it was read last, as if it counted up; None if that was a round or more."""
        data = probe.read_memory(SYST_CSR, 12)
        control, reload, value = (int.from_bytes(data[i : i + 4], "little") for i in (0, 4, 8))
        if control & 7 != ENABLE | CLKSOURCE or reload & COUNTER_MASK != COUNTER_MASK:
            raise CounterMissingError("the firmware uses SysTick itself, and this core has no CYCCNT", hint=_TIMER)
        write_word(probe, SYST_CVR, 0)
        return None if control & COUNTFLAG else -value & COUNTER_MASK


_TIMER = "name a timer that the firmware doesn't use in the board's file: debug: cycle_timer"


@dataclass(frozen=True)
class TimerCounter:
    """A timer of the chip, set up by the writes that the board's file gives."""

    timer: CycleTimer
    restarts = False

    @property
    def name(self) -> str:
        """The timer's name."""
        return self.timer.name

    @property
    def bits(self) -> int:
        """Its width."""
        return self.timer.bits

    @property
    def cycles_per_tick(self) -> int:
        """Core cycles of a tick."""
        return self.timer.cycles_per_tick

    def start(self, probe: Probe) -> None:
        """Make the writes that let it count."""
        for address, value in self.timer.setup:
            write_word(probe, address, value)

    def read(self, probe: Probe) -> int:
        """Its value, counting up."""
        value = read_word(probe, self.timer.counter)
        return (-value if self.timer.counts_down else value) & (1 << self.bits) - 1


def counter_for(board: Board, architecture: str) -> Counter:
    """The best counter that a board has."""
    if board.debug.cycle_timer is not None:
        return TimerCounter(board.debug.cycle_timer)
    return SysTickCounter() if architecture in BASELINE else CycleCounter()


class Stopwatch:
    """Cycles since ``start``, through wraps of the counter, if ``now`` is asked every ``look_seconds`` of running.

    ``rounds_lost`` says how often it wasn't: the counter had gone round before it was looked at. Where the counter
    doesn't tell, ``rounds_doubted`` is how often the core may have run for so long, by the host's clock.
    """

    def __init__(self, probe: Probe, counter: Counter, clock_hz: int) -> None:
        self._probe = probe
        self._counter = counter
        self._last = self._ticks = 0
        self._went: float | None = None  # when the core was let run
        self._paced = False
        self.name = counter.name
        self.round_cycles = counter.cycles_per_tick << counter.bits
        self.round_seconds = self.round_cycles / clock_hz
        self.look_seconds = max(LEAST_LOOK_SECONDS, self.round_seconds / LOOKS_PER_WRAP)
        self.rounds_lost = self.rounds_doubted = 0

    def start(self) -> None:
        """Begin at 0."""
        self._paced = self._probe.pace(self.round_cycles // 2)
        self._counter.start(self._probe)
        self._last, self._ticks, self._went = self._counter.read(self._probe) or 0, 0, None
        self.rounds_lost = self.rounds_doubted = 0

    def runs(self) -> None:
        """The core is about to run."""
        if self._went is None:
            self._went = time.monotonic()

    def now(self) -> int:
        """Core cycles since the start, but for rounds that were lost. The core has stopped."""
        value, went = self._counter.read(self._probe), self._went
        self._went = None
        if value is None:
            self.rounds_lost += 1
            value = 0
        elif went is not None and not self._counter.restarts and not self._paced:
            self.rounds_doubted += time.monotonic() - went >= self.round_seconds
        last = 0 if self._counter.restarts else self._last
        self._ticks += (value - last) & (1 << self._counter.bits) - 1
        self._last = value
        return self._ticks * self._counter.cycles_per_tick

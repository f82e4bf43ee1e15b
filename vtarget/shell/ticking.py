"""A core that sleeps and that nothing but SysTick wakes: rounds of sleep, handler and thread, run by native code.

``native.ticks`` goes round as ``Waiting``, ``Exceptions``, ``SysTick`` and the recorder would. What these know of is
brought up to date before anything else looks: when the native code gives up, or when the firmware does something that
reaches Python (``Engine.catch_up``). So a run's record is the same with and without this module.
"""

from __future__ import annotations

import numpy as np

from vtarget.data.exceptions import CONTROL_SPSEL, Vector
from vtarget.logic.decode import Block
from vtarget.shell import layout
from vtarget.shell.chipset import Chipset
from vtarget.shell.engine import Engine, EngineFault, emulator_function
from vtarget.shell.exceptions import Exceptions, PlainEntry
from vtarget.shell.interruption import Suspended
from vtarget.shell.native import function_address, ticks
from vtarget.shell.recorder import Recorder
from vtarget.shell.scb import SCR, SLEEPDEEP, SLEEPONEXIT, VTOR
from vtarget.shell.waiting import Waiting

MOST_ROUNDS = 1000  # before the host is looked after
MOST_SKIPPED = 64
LARGEST = 1 << 62
FRAME_WORDS = 8
FUNCTIONS = {
    ticks.W_START: "emu_start",
    ticks.W_READ_BATCH: "reg_read_batch",
    ticks.W_WRITE_BATCH: "reg_write_batch",
    ticks.W_READ_MEMORY: "mem_read",
    ticks.W_WRITE_MEMORY: "mem_write",
}


class Ticking:
    """Prepares native rounds, starts them, and takes over what they have done. ``enabled`` False: there are none."""

    def __init__(
        self, engine: Engine, recorder: Recorder, chipset: Chipset, exceptions: Exceptions, waiting: Waiting
    ) -> None:
        self._engine = engine
        self._recorder = recorder
        self._chipset = chipset
        self._exceptions = exceptions
        self._waiting = waiting
        self._words = np.zeros(ticks.WORDS, dtype=np.int64)
        self._frame = np.zeros(FRAME_WORDS, dtype=np.uint32)
        self._stack = ""
        self._skipped = self._skip = 0
        self.enabled = True
        self.ready = False  # whether to go on with ``repeat``
        self.rounds = 0
        words = self._words
        words[ticks.W_BUFFER] = recorder.words[layout.H_BUFFER]
        words[ticks.W_UC] = engine.handle
        words[ticks.W_FRAME_BUFFER] = self._frame.ctypes.data
        for word, name in FUNCTIONS.items():
            words[word] = function_address(emulator_function(name))
        words[ticks.W_ASLEEP_SET : ticks.W_NODE] = [word for group in engine.tick_words() for word in group]

    def prepare(self, pc: int, limit: int, horizon: int) -> bool:
        """The core sleeps behind the WFI before ``pc``, at most to cycle ``limit``: whether to ``repeat``.

        The host has something to do at cycle ``horizon``.
        """
        if not self.enabled or self._skipped < self._skip:
            self._skipped += 1
            return False
        self._skipped = 0
        self.ready = self._describe(pc, limit, horizon)
        return self.ready

    def _describe(self, pc: int, limit: int, horizon: int) -> bool:
        chipset, recorder, words = self._chipset, self._recorder, self._words
        beat, node, control = chipset.systick.beat, recorder.current, chipset.control
        if beat is None or node is None or chipset.systick_sleeps or control.word(SCR) & (SLEEPDEEP | SLEEPONEXIT):
            return False
        if chipset.nvic.pending & chipset.nvic.enabled:
            return False
        horizon = min(horizon, chipset.schedule.next_but(beat.event), self._waiting.quiet_until(limit))
        base_tick, base_cycle, numerator, denominator = beat.clock.line
        leave, resume = self._exceptions.known_edges(node, recorder.known_node(Block(pc, b""), node.context))
        entry = self._exceptions.plain_entry()
        most = (beat.tick - base_tick + MOST_ROUNDS * beat.period) * numerator
        if leave is None or resume is None or entry is None or numerator < denominator or most > LARGEST:
            return False
        if not self._describe_stacks(entry):
            return False
        words[ticks.W_NODE : ticks.W_UNTIL] = node.offset, pc, leave.offset, resume.offset
        words[ticks.W_TICK : ticks.W_SP] = (
            *(beat.tick - base_tick, beat.period, numerator, denominator, base_cycle),
            horizon,
        )
        words[ticks.W_VECTOR] = control.word(VTOR) + 4 * Vector.SYSTICK
        words[ticks.W_EXC_RETURN] = entry.exc_return
        words[ticks.W_MOST :] = 0
        words[ticks.W_MOST] = MOST_ROUNDS
        words[ticks.W_ASLEEP] = chipset.timeline.asleep
        return True

    def _describe_stacks(self, entry: PlainEntry) -> bool:
        stacks, words = self._recorder.stacks, self._words
        self._stack, other = stacks.name, 0
        if entry.control & CONTROL_SPSEL:
            if self._stack == "msp" or not stacks.has_room("msp", entry.msp):
                return False
            other = stacks.lowest("msp")
        elif self._stack != "msp":
            return False
        words[ticks.W_SP : ticks.W_VECTOR] = entry.sp, entry.msp, entry.frame, entry.moved, entry.control, other
        return stacks.has_room(self._stack, entry.sp)

    def repeat(self, until: int) -> EngineFault | None:
        """Go round until something else is to be done. As ``Engine.run``, but for ``returned``."""
        words = self._words
        self.ready = False
        words[ticks.W_UNTIL] = until
        self._engine.catch_up = self._catch_up
        try:
            ticks.repeat_ticks(int(words.ctypes.data))
            if not words[ticks.W_TAKEN_OVER]:
                self._catch_up()
        finally:
            self._engine.catch_up = None
        rounds = int(words[ticks.W_RETURNS])
        self.rounds += rounds
        # Where rounds rarely succeed, don't try each time.
        self._skip = min(max(1, 2 * self._skip), MOST_SKIPPED) if rounds < 2 else 1
        return self._engine.fault(int(words[ticks.W_ERROR]))

    @property
    def returned(self) -> bool:
        """Whether the thread is to be run now, as after any exception return."""
        return int(self._words[ticks.W_STAGE]) == ticks.RETURNED

    def _catch_up(self) -> None:
        """What native code has done, as if it had been done here."""
        words, chipset = self._words, self._chipset
        self._engine.catch_up = None
        words[ticks.W_TAKEN_OVER] = 1
        entries, returns = int(words[ticks.W_ENTRIES]), int(words[ticks.W_RETURNS])
        if not entries:
            return
        chipset.timeline.asleep = int(words[ticks.W_ASLEEP])
        self._waiting.slept(int(words[ticks.W_SLEPT]), entries)
        chipset.systick.ticked(entries)
        handling = entries > returns
        self._exceptions.ticked(entries, returns, int(words[ticks.W_FRAME]), self._suspended() if handling else None)
        if words[ticks.W_CONTROL] & CONTROL_SPSEL:
            here, there = ("msp", self._stack) if handling else (self._stack, "msp")
            self._recorder.stacks.took_over(here, there, int(words[ticks.W_OTHER_LOW]))

    def _suspended(self) -> Suspended:
        words = self._words
        node = self._recorder.node_at(int(words[ticks.W_NODE]))
        saved = words[ticks.SAVED : ticks.SAVED + int(words[ticks.W_FRAMES]) * layout.FRAME_WORDS].copy()
        return Suspended(node.offset, False, node.context, int(words[ticks.W_PC]), saved, self._stack)

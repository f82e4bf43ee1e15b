"""Threads that nothing but SysTick interrupts or wakes: rounds of thread, tick and handler, run by native code.

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
from vtarget.shell.exceptions import BASIC_BYTES, Exceptions
from vtarget.shell.interruption import Suspended
from vtarget.shell.native import function_address, repeat_ticks
from vtarget.shell.native import tickwords as ticks
from vtarget.shell.recorder import Recorder
from vtarget.shell.scb import SCR, SLEEPDEEP, SLEEPONEXIT, VTOR
from vtarget.shell.waiting import Waiting

MOST_SKIPPED = 64
LARGEST = 1 << 62
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
        self._frame = np.zeros(ticks.FRAME_BUFFER_WORDS, dtype=np.uint32)
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
        words[ticks.W_STOPPED_SET : ticks.W_NODE] = [word for group in engine.tick_words() for word in group]

    def prepare(self, pc: int, limit: int, horizon: int, *, asleep: bool) -> bool:
        """The thread has stopped before ``pc``, behind a WFI or for an event that is due: whether to ``repeat``.

        The run ends at cycle ``limit``, the host has something to do at ``horizon``.
        """
        if not self.enabled or self._skipped < self._skip:
            self._skipped += 1
            return False
        self._skipped = 0
        self.ready = self._describe_time(limit, horizon, asleep=asleep)
        self.ready = self.ready and self._describe_entry() and self._describe_place(pc, asleep=asleep)
        return self.ready

    def _describe_time(self, limit: int, horizon: int, *, asleep: bool) -> bool:
        chipset, words = self._chipset, self._words
        beat, control, now = chipset.systick.beat, chipset.control, chipset.timeline.now()
        if beat is None or beat.event.cycle != chipset.schedule.next_cycle or (not asleep and beat.event.cycle > now):
            return False
        if chipset.systick_sleeps or control.word(SCR) & (SLEEPDEEP | SLEEPONEXIT):
            return False
        if chipset.nvic.active or chipset.nvic.pending & chipset.nvic.enabled:
            return False
        base_tick, base_cycle, numerator, denominator = beat.clock.line
        last_tick = beat.tick - base_tick + (ticks.MOST_ROUNDS + 1) * beat.period
        if numerator < denominator or last_tick * numerator > LARGEST:
            return False
        words[ticks.W_TICK : ticks.W_HORIZON] = beat.tick - base_tick, beat.period, numerator, denominator, base_cycle
        words[ticks.W_HORIZON] = min(horizon, chipset.schedule.next_but(beat.event), self._waiting.quiet_until(limit))
        words[ticks.W_MOST : ticks.W_CURRENT] = 0
        words[ticks.W_MOST] = ticks.MOST_ROUNDS  # before the host is looked after
        words[ticks.W_ASLEEP] = chipset.timeline.asleep
        return True

    def _describe_entry(self) -> bool:
        words, stacks = self._words, self._recorder.stacks
        rules, sp = self._exceptions.entry_rules(), self._engine.register(13)
        process = self._engine.on_process_stack
        self._stack = stacks.name
        low, high = self._ram_at(sp)
        if process is (self._stack == "msp") or not stacks.is_known("msp") or len(rules.used) > ticks.MOST_USED:
            return False
        words[ticks.W_ALIGNMENT] = -1 if rules.unaligned else ~4
        words[ticks.W_RAM_LOW : ticks.W_VECTOR] = max(low, rules.psp_limit if process else rules.msp_limit), high
        words[ticks.W_VECTOR] = self._chipset.control.word(VTOR) + 4 * Vector.SYSTICK
        words[ticks.W_EXC_RETURN], words[ticks.W_LAZY_FP] = rules.exc_return, rules.lazy_fp
        words[ticks.W_USED] = len(rules.used)
        words[ticks.USED : ticks.USED + len(rules.used)] = rules.used
        words[ticks.W_SPSEL] = CONTROL_SPSEL if process else 0
        words[ticks.W_TOP], words[ticks.W_MSP_TOP] = stacks.top(self._stack), stacks.top("msp")
        words[ticks.W_OTHER_LOW] = stacks.lowest("msp") if process else 0
        return high > 0

    def _ram_at(self, sp: int) -> tuple[int, int]:
        """The region that a stack pointer is in, or at the end of; its bounds."""
        regions = self._chipset.board.regions
        return next(((r.base, r.end) for r in regions if r.writable and r.base < sp <= r.end), (0, 0))

    def _describe_place(self, pc: int, *, asleep: bool) -> bool:
        """Where the thread sleeps; it may sleep nowhere."""
        words, recorder, node = self._words, self._recorder, self._recorder.current
        words[ticks.W_NODE : ticks.W_UNTIL] = 0
        if node is None or not asleep:
            return node is not None
        leave, resume = self._exceptions.known_edges(node, recorder.known_node(Block(pc, b""), node.context))
        if leave is None or resume is None:
            return False
        words[ticks.W_NODE : ticks.W_UNTIL] = node.offset, pc, leave.offset, resume.offset
        return True

    def repeat(self, until: int) -> EngineFault | None:
        """Go round until something else is to be done. As ``Engine.run``, but for ``returned_to``."""
        words = self._words
        self.ready = False
        words[ticks.W_UNTIL] = until
        self._engine.catch_up = self._catch_up
        try:
            repeat_ticks(int(words.ctypes.data))
            if not words[ticks.W_TAKEN_OVER]:
                self._catch_up()
        finally:
            self._engine.catch_up = None
        rounds = int(words[ticks.W_RETURNS])
        self.rounds += rounds
        # Where rounds rarely succeed, don't try each time.
        self._skip = min(max(1, 2 * self._skip), MOST_SKIPPED) if rounds < 2 else 0
        return self._engine.fault(int(words[ticks.W_ERROR]))

    @property
    def returned_to(self) -> int | None:
        """The pc to go on at, as after any exception return; None if the emulator has been running."""
        words = self._words
        return int(words[ticks.W_RETURN_PC]) if words[ticks.W_STAGE] == ticks.RETURNED else None

    def _catch_up(self) -> None:
        """What native code has done, as if it had been done here."""
        words, chipset = self._words, self._chipset
        self._engine.catch_up = None
        words[ticks.W_TAKEN_OVER] = 1
        entries, returns = int(words[ticks.W_ENTRIES]), int(words[ticks.W_RETURNS])
        if not entries:
            return
        chipset.timeline.asleep = int(words[ticks.W_ASLEEP])
        if words[ticks.W_WAKEUPS]:
            self._waiting.slept(int(words[ticks.W_SLEPT]), int(words[ticks.W_WAKEUPS]))
        rounds = words[ticks.ROUNDS : ticks.ROUNDS + entries * ticks.ROUND_WORDS].reshape(entries, ticks.ROUND_WORDS)
        self._recorder.moments.ticked(Vector.SYSTICK, rounds, returns)
        chipset.systick.ticked(entries)
        handling = entries > returns
        self._exceptions.ticked(entries, returns, int(words[ticks.W_FRAME]), self._suspended() if handling else None)
        if words[ticks.W_FPCAR]:
            extended = handling and int(words[ticks.W_FRAME_BYTES]) > BASIC_BYTES
            self._exceptions.set_lazy_fp(int(words[ticks.W_FPCAR]), active=extended)
        if words[ticks.W_SPSEL]:
            here, there = ("msp", self._stack) if handling else (self._stack, "msp")
            self._recorder.stacks.took_over(here, there, int(words[ticks.W_OTHER_LOW]))

    def _suspended(self) -> Suspended:
        words = self._words
        offset, skip, pc = (int(words[word]) for word in (ticks.W_CURRENT, ticks.W_SKIP, ticks.W_RETURN_PC))
        saved = words[ticks.SAVED : ticks.SAVED + int(words[ticks.W_FRAMES]) * layout.FRAME_WORDS].copy()
        context = -1 if skip else self._recorder.node_at(offset).context
        return Suspended(offset, skip, context, pc, saved, self._stack)

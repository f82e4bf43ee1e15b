"""The virtual board: loads an image, runs it to its end, and returns the facts of the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vtarget.base.errors import InputError, RunError
from vtarget.data.exceptions import Cfsr, Vector
from vtarget.data.image import Image
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Exit, Reason
from vtarget.logic.decode import Block
from vtarget.logic.placement import check_fits, find_vector_table
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import check_record
from vtarget.shell import layout
from vtarget.shell.boardlib import load_chip
from vtarget.shell.chipset import Chipset, Outside
from vtarget.shell.deadline import Deadline
from vtarget.shell.engine import Engine, EngineFault
from vtarget.shell.exceptions import Exceptions, LockupError
from vtarget.shell.guards import Guards
from vtarget.shell.nvic import FAULT_MASK
from vtarget.shell.recorder import UNLIMITED, Recorder
from vtarget.shell.recording import make_record, shortened
from vtarget.shell.reports import Reports
from vtarget.shell.scb import BFAR, CCR, CFSR, DIV_0_TRP, MMFAR, SCR, SEVONPEND, SLEEPONEXIT
from vtarget.shell.semihosting import Console, FirmwareExit, Semihosting, signed
from vtarget.shell.traps import Trap
from vtarget.shell.waiting import Waiting

NOWHERE = 0xFFFFFFFF  # no instruction starts at an odd address
MAIN_RETURNED = "main returned"
FIRST_CHUNK, LEAST_CHUNK, MOST_CHUNK = 2_000_000, 10_000, 200_000_000
CHUNK_SECONDS = 0.25
# Startup code that main returns into gets this far before the run ends all the same.
AFTER_MAIN_INSTRUCTIONS = 1_000_000
FAULTS = FAULT_MASK | 1 << Vector.HARD_FAULT


@dataclass(frozen=True)
class RunOptions:
    """What to do in a run besides executing: stop at an address, mark spans, put bytes into memory.

    ``on_enter`` is called before the first instruction of the functions it names, ``on_span_end`` with a span's name
    when its function has returned; both may read and write memory.
    """

    until: int | None = None
    limits: RunLimits = RunLimits()
    spans: tuple[str, ...] = ()
    writes: tuple[tuple[int, bytes], ...] = ()
    reads: tuple[tuple[int, int], ...] = ()
    on_enter: Mapping[str, Callable[[Engine], None]] = field(default_factory=dict)
    on_span_end: Callable[[str, Engine], None] | None = None
    progress: Callable[[int, int], None] | None = None


class ConsoleWire:
    def __init__(self, console):
        self.console = console
        self.receiver = None
        self.baud = 0

    def send(self, byte):
        self.console.write(bytes([byte]))


class Plain:
    def __init__(self):
        self.words = {}

    def read(self, address, size):
        return self.words.get(address & ~3, 0) >> 8 * (address & 3) & ((1 << 8 * size) - 1)

    def write(self, address, size, value):
        self.words[address & ~3] = value


@dataclass(frozen=True)
class RunResult:
    """The record of a run, and the memory asked for by ``RunOptions.reads`` as it was at the end."""

    record: ExecutionRecord
    reads: tuple[bytes, ...]


class Machine:
    """One board with one image in it. ``run`` may be called once."""

    def __init__(self, image: Image, pricer: Pricer, options: RunOptions) -> None:
        board = pricer.board
        check_fits(image, board)
        self.image = image
        self.board = board
        self.pricer = pricer
        self.options = options
        self.engine = Engine(board)
        self.vector_table = find_vector_table(image, board)
        self.console = Console()
        self.recorder = Recorder(self.engine, image, pricer, self._guards_of, options.spans, watch=self)
        chip = load_chip(board.chip) if board.chip else None
        outside = Outside(lambda _name: ConsoleWire(self.console), None, Plain())
        self.chipset = Chipset(
            self.engine, self.recorder, pricer, chip, self.vector_table, outside, self._stop_soon, self._wait_states
        )
        self.control = self.chipset.control
        self.nvic = self.chipset.nvic
        self.reports = Reports(self.engine, self.recorder, self._on_semihosting)
        self.guards = Guards(pricer, self.control, self.reports.set_trap, self._send_event)
        self.guards.recorder = self.recorder
        secure = chip is not None and chip.secure
        self.exceptions = Exceptions(self.engine, self.recorder, self.control, pricer.core.architecture, secure=secure)
        self.chipset.overhead = lambda: self.exceptions.overhead_cycles
        self.waiting = Waiting(self.recorder, self.chipset, lambda: "deep sleep")
        self.semihosting = Semihosting(self.engine, self.console, self._time_of_call, pricer.clock_hz)
        self._ending: Exit | None = None
        self._open_fault: Exit | None = None
        self._main_result: int | None = None
        self._main_entered = False
        self._main_cap = UNLIMITED
        self._chunk_end = UNLIMITED
        self._executed_in_last = 0
        self._finished = False
        self._connect()

    def _check_options(self) -> None:
        writes = [("--write", at, at + len(data)) for at, data in self.options.writes]
        for option, start, end in [*writes, *(("--read", at, at + size) for at, size in self.options.reads)]:
            if not self.board.covers(start, end - start):
                raise InputError(f"{option}: 0x{start:08x}..0x{end:08x} is not memory of board {self.board.name}")

    def _connect(self) -> None:
        self._check_options()
        for segment in self.image.segments:
            self.engine.write(segment.load_address, segment.data)
        self._apply_writes()
        self.nvic.on_pending = self._on_pending

    def _apply_writes(self) -> None:
        for address, data in self.options.writes:
            self.engine.write(address, data)

    # Hooks: what happens inside the emulator is noted and handled when it has stopped.

    def _guards_of(self, block: Block) -> dict[int, Callable[[int], None]]:
        return self.guards.of(block)

    def _send_event(self) -> None:
        self.exceptions.event = True

    def _time_of_call(self) -> int:
        return self.chipset.timeline.now_at(self.engine.register(15))

    def _on_pending(self) -> None:
        self.recorder.words[layout.H_PENDING] = 1
        self._stop_soon()

    def _wait_states(self, region: str, wait_states: int) -> None:
        pass

    def _on_semihosting(self, pc: int) -> None:
        result = self.semihosting.call(self.engine.register(0), self.engine.register(1))
        if isinstance(result, FirmwareExit):
            self._end(Reason.SEMIHOSTING, pc, code=result.code, executed=True)
            return
        self.engine.set_register(0, result)
        self.engine.set_register(15, pc + 2)

    # Ends.

    def _end(self, reason: Reason, pc: int, *, code: int = 0, detail: str = "", executed: bool = False) -> None:
        """End the run at ``pc``; ``executed``: the instruction there has completed."""
        if self._ending is None:
            stack = self.recorder.call_stack(pc)
            self._ending = Exit(reason, code, pc, detail, shortened(stack))
            self._executed_in_last = self._executed(pc, executed)
        self.engine.stop()

    def _end_with_fault(self, ended: Exit, pc: int, *, executed: bool = False) -> None:
        """End because of a fault that no handler put right: what is told is the fault that began it."""
        if self._ending is None:
            self._ending = self._open_fault or ended
            self._executed_in_last = self._executed(pc, executed)

    # main, as the recorder sees it.

    @property
    def watched(self) -> frozenset[str]:
        """Functions whose entry the recorder reports."""
        return frozenset({"main", *self.options.on_enter})

    def entered(self, name: str) -> None:
        """Once in ``main``, startup code is through with memory: put the user's bytes there again."""
        if name == "main" and not self._main_entered:
            self._main_entered = True
            self._apply_writes()
        if name in self.options.on_enter:
            self.options.on_enter[name](self.engine)

    def span_ended(self, name: str) -> None:
        """Tell who asked for it."""
        if self.options.on_span_end is not None:
            self.options.on_span_end(name, self.engine)

    def finish(self) -> None:
        """End the run before the next block of code."""
        self._finished = True
        self._stop_soon()

    def left_main(self) -> None:
        """``main`` returned: what its startup code does next, for a while, decides how the run ends."""
        if self._main_result is None:
            self._main_result = signed(self.engine.register(0))
            self._main_cap = self.recorder.instructions + AFTER_MAIN_INSTRUCTIONS
            self._set_limits()

    # The run.

    def run(self) -> RunResult:
        """Run to the end. Raises InputError for unusable options, RunError if the counts contradict themselves."""
        words = self.image.read(self.vector_table, 8) or bytes(8)
        top, reset = int.from_bytes(words[:4], "little"), int.from_bytes(words[4:], "little") & ~1
        self.engine.set_register(13, top)
        self.engine.set_register(14, 0xFFFFFFFF)
        self.recorder.stacks.start(top)
        self._loop(reset)
        self.exceptions.finish()
        assert self._ending is not None
        record = make_record(self, self._ending, self._executed_in_last)
        check_record(record)
        return RunResult(record, tuple(self.engine.read(*place) for place in self.options.reads))

    def _loop(self, pc: int) -> None:
        chunk = FIRST_CHUNK
        until = NOWHERE if self.options.until is None else self.options.until
        if pc == until:
            self._end(Reason.UNTIL, pc)
        with Deadline(self.options.limits.wall_seconds, self._stop_soon) as deadline:
            while self._ending is None:
                before = time.monotonic()
                self._chunk_end = self.recorder.instructions + chunk
                pc = self._run_once(pc, until, deadline)
                elapsed = time.monotonic() - before
                if elapsed > 2 * CHUNK_SECONDS:
                    chunk = max(chunk // 2, LEAST_CHUNK)
                elif elapsed < CHUNK_SECONDS and self.recorder.instructions >= self._chunk_end:
                    chunk = min(chunk * 2, MOST_CHUNK)
                if self.options.progress is not None:
                    self.options.progress(self.recorder.instructions, self.recorder.cycles)

    def _run_once(self, pc: int, until: int, deadline: Deadline) -> int:
        """Run until the emulator comes back, and deal with why it did; where to go on."""
        try:
            self.chipset.run_due()
            pc = self._take_pending(pc)
            self._set_limits()
            if deadline.passed:
                self._stop_soon()
            fault = self.engine.run(pc, until)
            if self.recorder.error is not None:
                error = self.recorder.error
                raise RunError(str(error)) if isinstance(error, MemoryError) else error
            pc = self.engine.register(15)
            return pc if self._ending is not None else self._judge(fault, pc, late=deadline.passed)
        except LockupError as lockup:
            stack = shortened(self.recorder.call_stack(pc))
            self._end_with_fault(Exit(Reason.FAULT, 0, pc, f"lockup: {lockup}", stack), pc)
            return pc

    def _take_pending(self, pc: int) -> int:
        ready = self.nvic.pending & self.nvic.enabled
        if ready:
            taken = self.exceptions.take_pending(pc)
            pc = pc if taken is None else taken
        self.recorder.words[layout.H_PENDING] = bool(self.nvic.pending & self.nvic.enabled)
        self.recorder.words[layout.H_DIVIDE_TRAP] = bool(self.control.word(CCR) & DIV_0_TRP)
        return pc

    def _set_limits(self) -> None:
        instructions = min(self._total_limit(), self._main_cap, self._chunk_end)
        cycles = min(self._cycle_limit(), self.chipset.schedule.next_cycle) - self.chipset.timeline.asleep
        self.recorder.limit(cycles=max(cycles, 0), instructions=instructions)

    def _stop_soon(self) -> None:
        self.recorder.limit(instructions=0)

    def _cycle_limit(self) -> int:
        """The virtual time, in cycles with sleep, at which the run ends."""
        seconds = self.options.limits.seconds
        return UNLIMITED if seconds is None else max(1, round(min(seconds * self.pricer.clock_hz, UNLIMITED)))

    def _total_limit(self) -> int:
        limit = self.options.limits.instructions
        return UNLIMITED if limit is None else min(limit, UNLIMITED)

    def _judge(self, fault: EngineFault | None, pc: int, *, late: bool) -> int:
        """Deal with what stopped the emulator: end the run, or return the pc to go on at."""
        reports, words = self.reports, self.recorder.words
        if reports.supervisor_call:
            reports.supervisor_call = False
            return self._supervisor_call(pc)
        exc_return = reports.take_exc_return(fault, pc)
        if exc_return is not None:
            return self._return(exc_return)
        trap = reports.take_trap()
        if words[layout.H_TRAPPED]:
            words[layout.H_TRAPPED] = 0
            trap = Trap(Vector.USAGE_FAULT, "division by zero (CCR.DIV_0_TRP)", pc, Cfsr.DIVBYZERO)
        elif trap is None and fault is not None and self._hint_before(pc) is None:
            trap = reports.fault_trap(fault, pc)
        if trap is not None:
            return self._take_fault(trap)
        self._judge_stop(pc, late=late)
        return pc

    def _return(self, exc_return: int) -> int:
        pc = self.exceptions.leave(exc_return)
        if not self.nvic.active & FAULTS:
            self._open_fault = None
        if self.control.word(SCR) & SLEEPONEXIT and not self.nvic.active:
            self._sleep(pc, "wfi")
        return pc

    def _judge_stop(self, pc: int, *, late: bool) -> None:
        limits, recorder = self.options.limits, self.recorder
        if recorder.idle is not None:
            edge, recorder.idle = recorder.idle, None
            if self._main_result is not None or not self.waiting.spin(edge, self._cycle_limit()):
                self._idle(pc, "idle loop")
        elif self.control.reset_requested:
            self._reset(pc)
        elif pc == self.options.until or self._finished:
            self._end(Reason.UNTIL, pc)
        elif (hint := self._hint_before(pc)) is not None:
            self._sleep(pc, hint)
        elif recorder.instructions >= self._total_limit():
            self._end(Reason.LIMIT, pc, detail=f"{limits.instructions} instructions (--max-instructions)")
        elif self.chipset.timeline.now() >= self._cycle_limit():
            self._end(Reason.LIMIT, pc, detail=f"{limits.seconds} s of virtual time (--max-seconds)")
        elif self._main_result is not None and recorder.instructions >= self._main_cap:
            self._end(Reason.RETURN, pc, code=self._main_result, detail=MAIN_RETURNED)
        elif late:
            self._end(Reason.LIMIT, pc, detail=f"{limits.wall_seconds:g} s of wall time (--timeout)")
        elif recorder.frames_full:
            self._end(Reason.LIMIT, pc, detail="call stack deeper than the recorder has room for")

    def _hint_before(self, pc: int) -> str | None:
        """The wfi, wfe or yield that was executed last, if it was one of them: the emulator comes back from those."""
        node = self.recorder.current
        if node is None or self.recorder.stopped_by_limit or pc != node.block.address + node.block.size:
            return None
        mnemonic = node.block.insns[-1].mnemonic if node.block.insns else ""
        return mnemonic if mnemonic in ("wfi", "wfe", "yield") else None

    def _sleep(self, pc: int, hint: str) -> None:
        if hint == "yield":
            return
        if hint == "wfe" and self.exceptions.event:
            self.exceptions.event = False
            return
        if self._main_result is None and self.waiting.sleep(lambda: self._wakes(hint), self._cycle_limit()):
            return
        what = "an interrupt" if hint == "wfi" else "an event"
        self._idle(pc, f"waits for {what} that can't come")

    def _wakes(self, hint: str) -> bool:
        if hint == "wfe" and self.control.word(SCR) & SEVONPEND and self.nvic.pending:
            return True
        return self.nvic.wakes(self.exceptions.masks())

    def _reset(self, pc: int) -> None:
        if self._open_fault is not None:
            self._end_with_fault(self._open_fault, pc)
        else:
            self._end(Reason.RESET, pc, detail="the firmware asked for a system reset")

    # Faults.

    def _supervisor_call(self, pc: int) -> int:
        if self.exceptions.usable(self.exceptions.destination(Vector.SVCALL)):
            return self.exceptions.raise_now(Vector.SVCALL, pc)
        return self._take_fault(Trap(Vector.SVCALL, "SVC executed, but no handler for it", pc - 2, executed=True))

    def _take_fault(self, trap: Trap) -> int:
        """Raise the exception of a trap; the run ends if no handler could put it right."""
        stack = shortened(self.recorder.call_stack(trap.pc))
        ended = Exit(Reason.FAULT, 0, trap.pc, trap.detail, stack)
        destination = self.exceptions.destination(trap.vector)
        if not self.exceptions.usable(destination) or self.nvic.active & 1 << Vector.HARD_FAULT:
            self._end_with_fault(ended, trap.pc, executed=trap.executed)
            return trap.pc
        control = self.control
        control.set_word(CFSR, control.word(CFSR) | trap.cfsr)
        if trap.address is not None:
            control.set_word(BFAR if trap.cfsr & Cfsr.BFARVALID else MMFAR, trap.address)
        self._open_fault = self._open_fault or ended
        executed = self._executed(trap.pc, trap.executed)
        return self.exceptions.raise_now(trap.vector, trap.pc if trap.target is None else trap.target, executed)

    def _idle(self, pc: int, detail: str) -> None:
        if self._open_fault is not None:
            self._end_with_fault(self._open_fault, pc, executed=True)
        elif self._main_result is None:
            self._end(Reason.IDLE, pc, detail=detail, executed=True)
        else:
            self._end(Reason.RETURN, pc, code=self._main_result, detail=MAIN_RETURNED, executed=True)

    def _executed(self, pc: int, done: bool) -> int:
        """How many instructions of the current block have completed when the run ends at ``pc``."""
        node = self.recorder.current
        if node is None or self.recorder.stopped_by_limit:
            return 0
        if pc in node.block.addresses:
            return node.block.addresses.index(pc) + (1 if done else 0)
        return len(node.block.insns)

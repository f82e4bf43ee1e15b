"""The virtual board: loads an image, runs it to its end, and returns the facts of the run."""

from __future__ import annotations

import time
from collections.abc import Callable

from vtarget.base.errors import RunError
from vtarget.data.exceptions import Cfsr, Vector
from vtarget.data.image import Image
from vtarget.data.record import Reason
from vtarget.logic.decode import Block
from vtarget.logic.placement import check_fits, find_vector_table, reset_state
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import check_record
from vtarget.logic.switches import reset_switches
from vtarget.shell import layout
from vtarget.shell.boardlib import load_chip
from vtarget.shell.budget import CHUNK_SECONDS, TICKS_PER_SECOND, Budget
from vtarget.shell.chipset import Chipset, Outside
from vtarget.shell.consoles import Consoles
from vtarget.shell.deadline import Deadline
from vtarget.shell.debugging import NoDebugger
from vtarget.shell.ending import MAIN_RETURNED, Ending
from vtarget.shell.engine import Engine, EngineFault
from vtarget.shell.epochs import ClockProgrammedError, Epochs
from vtarget.shell.exceptions import Exceptions, LockupError
from vtarget.shell.follower import Follower
from vtarget.shell.guards import Guards
from vtarget.shell.nvic import FAULT_MASK
from vtarget.shell.polling import PollWatch
from vtarget.shell.ports import PinEdge
from vtarget.shell.recorder import Recorder
from vtarget.shell.recording import make_record
from vtarget.shell.reports import Reports
from vtarget.shell.roms import load_into, load_roms, with_functions
from vtarget.shell.runoptions import RunOptions, RunResult, check_places
from vtarget.shell.scb import BFAR, CCR, CFSR, DIV_0_TRP, MMFAR, SCR, SLEEPONEXIT
from vtarget.shell.schedule import NEVER
from vtarget.shell.semihosting import Blocked, FirmwareExit, signed
from vtarget.shell.ticking import Ticking
from vtarget.shell.traps import Trap
from vtarget.shell.waiting import Waiting

NOWHERE = 0xFFFFFFFF  # no instruction starts at an odd address
FAULTS = FAULT_MASK | 1 << Vector.HARD_FAULT


class Machine:
    """One board with one image in it. ``run`` may be called once.

    The clock is the pricer's unless the firmware programs a clock tree. A ``managed`` machine begins at the chip's
    reset clock and follows the firmware; another raises ClockProgrammedError when it would have to.
    """

    recorder_type = Recorder

    def __init__(self, image: Image, pricer: Pricer, options: RunOptions, *, managed: bool = False) -> None:
        board = pricer.board
        check_fits(image, board)
        chip = load_chip(board.chip) if board.chip else None
        switches = reset_switches(board) if managed else ()
        managed = (managed or options.consoles.connected) and not pricer.pinned
        self.managed = managed or chip is None or chip.reset_clock is None
        if managed and chip is not None and chip.reset_clock is not None:
            pricer = pricer.at(chip.reset_clock, (), switches)
        self.image = image
        self.board = board
        self.pricer = pricer
        self.options = options
        self.engine = Engine(board, pricer.core.emulated_as)
        self.vector_table = find_vector_table(image, board)
        self.consoles = Consoles(self.engine, board, image, options.consoles, self._end_by_script, options.announce)
        self.roms = load_roms(chip, board)
        follower = Follower(options, self.engine, self._apply_writes, self._left_main)
        named = with_functions(image, self.roms)
        self.recorder = self.recorder_type(self.engine, named, pricer, self._guards_of, options.spans, watch=follower)
        self.epochs = Epochs(self.recorder, self._stop_soon)
        outside = Outside(self.consoles.wires.line, self.consoles.itm, self.consoles.tpiu, options.svd)
        self.chipset = Chipset(
            self.engine,
            self.recorder,
            pricer,
            chip,
            self.vector_table,
            outside,
            self._stop_soon,
            self.epochs,
            managed=managed,
        )
        self.chipset.clocks.on_core_change = self.epochs.set_clock
        self.control = self.chipset.control
        self.nvic = self.chipset.nvic
        self.reports = Reports(self.engine, self.recorder, self._on_semihosting)
        self.guards = Guards(pricer, self.control, self.reports.set_trap, self._send_event, self._set_limit)
        self.guards.recorder = self.recorder
        secure = chip is not None and chip.secure
        self.exceptions = Exceptions(self.engine, self.recorder, self.control, pricer.core.architecture, secure=secure)
        self.exceptions.arrivals = self.chipset.run_ahead
        self.chipset.overhead = lambda: self.exceptions.overhead_cycles
        self.waiting = Waiting(self.recorder, self.chipset, self.consoles, lambda: self.consoles.console.total_bytes)
        self.budget = Budget(options.limits, self.recorder, self.chipset.clocks.fixed(TICKS_PER_SECOND))
        self.ending = Ending(self.engine, self.recorder)
        self.ticking = Ticking(self.engine, self.recorder, self.chipset, self.exceptions, self.waiting)
        self.ticking.enabled = isinstance(options.debugger, NoDebugger)
        self._finished = False
        self.chipset.backplane.edge = self._on_edge
        self.chipset.bus.watch = PollWatch(self.recorder, self.chipset.timeline, self._poll_horizon, self._stuck).saw
        self._connect()

    def _connect(self) -> None:
        check_places(self.options, self.board)
        load_into(self.engine, self.image, self.roms, self.board)
        self._apply_writes()
        self.nvic.on_pending = self._on_pending
        self.control.on_ccr = self._watch_ccr
        self.control.on_reset = self._stop_soon
        self.exceptions.on_illegal = self.ending.fault_of_last

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

    def _on_edge(self, edge: PinEdge) -> None:
        self.waiting.heard()
        if edge.pin in self.options.span_pins:
            self.recorder.spans.mark(edge.pin, edge.level, self.chipset.timeline.mark())

    def _poll_horizon(self) -> int:
        """When something can happen, in cycles awake."""
        horizon = self.waiting.horizon(self.budget.cycles)
        return horizon if horizon >= NEVER else horizon - self.chipset.timeline.asleep

    def _stuck(self, address: int) -> None:
        detail = f"polls register {self.chipset.register_name(address)} (0x{address:08x}), which nothing will change"
        self.ending.end(
            Reason.STUCK, self.recorder.current.block.address if self.recorder.current else 0, detail=detail
        )

    def _on_pending(self) -> None:
        self.recorder.words[layout.H_PENDING] = 1
        self._stop_soon()

    def _set_limit(self, stack: str, source: int) -> None:
        if not self.engine.unprivileged:
            self.exceptions.limits[stack] = self.engine.register(source) & ~7

    def _on_semihosting(self, pc: int) -> None:
        result = self.consoles.call(self.engine.register(0), self.engine.register(1))
        if isinstance(result, FirmwareExit):
            self.ending.end(Reason.SEMIHOSTING, pc, code=result.code, executed=True)
        elif isinstance(result, Blocked):
            self.reports.blocked = True
            self.engine.stop()
        else:
            self.engine.set_register(0, result)
            self.engine.set_register(15, pc + 2)

    def _end_by_script(self, detail: str, success: bool) -> None:
        self.ending.end(Reason.SCRIPT, self.engine.register(15), code=0 if success else 1, detail=detail)

    def finish(self) -> None:
        """End the run before the next block of code."""
        self._finished = True
        self._stop_soon()

    def _left_main(self) -> None:
        """``main`` returned: what its startup code does next, for a while, decides how the run ends."""
        if self.ending.main_result is None and not self.engine.on_process_stack:  # a thread's main is no end
            self.ending.main_result = signed(self.engine.register(0))
            self.budget.main_returned()
            self._stop_soon()

    # The run.

    def run(self) -> RunResult:
        """Run to the end. Raises InputError for unusable options, RunError if the counts contradict themselves."""
        top, reset = reset_state(self.image, self.vector_table)
        self.engine.set_register(13, top)
        self.engine.set_register(14, 0xFFFFFFFF)
        self.recorder.stacks.start(top)
        self.consoles.connect(self.chipset, self._time_of_call)
        try:
            self._loop(reset)
            self.options.debugger.ended(self)
            self.chipset.drain()
        finally:
            self.consoles.close()
        self.exceptions.finish()
        self.ending.unmet_script(self.consoles.wires.unmet)
        assert self.ending.exit is not None
        record = make_record(self, self.ending.exit, self.ending.executed_in_last)
        check_record(record)
        return RunResult(record, tuple(self.engine.read(*place) for place in self.options.reads))

    def _loop(self, pc: int) -> None:
        until = NOWHERE if self.options.until is None else self.options.until
        if pc == until:
            self.ending.end(Reason.UNTIL, pc)
        with Deadline(self.options.debugger.wall_seconds(self.options.limits), self._stop_soon) as deadline:
            self.waiting.late = lambda: deadline.passed
            while self.ending.exit is None:
                began = time.monotonic()
                self.budget.next_chunk()
                while self.ending.exit is None and not self.budget.chunk_spent:
                    pc = self._run_once(pc, until, deadline)
                    if time.monotonic() - began > CHUNK_SECONDS:
                        break
                self.budget.adapt(time.monotonic() - began)
                self.consoles.poll()
                if self.options.progress is not None:
                    self.options.progress(self.recorder.instructions, self.recorder.cycles)

    def _run_once(self, pc: int, until: int, deadline: Deadline) -> int:
        """Run until the emulator comes back, and deal with why it did; where to go on."""
        self.recorder.rearmed = False
        try:
            if self.ticking.ready:
                fault = self.ticking.repeat(until)
                if self.ticking.returned_to is not None:
                    return self.ticking.returned_to
            else:
                pc = self._prepare(pc, deadline)
                if self.ending.exit is not None:
                    return pc
                fault = self.engine.run(pc, until)
            if self.recorder.error is not None:
                error = self.recorder.error
                raise RunError(str(error)) if isinstance(error, MemoryError) else error
            pc = self.engine.register(15)
            if self.epochs.reclocked and not self.managed:
                raise ClockProgrammedError
            return pc if self.ending.exit is not None else self._judge(fault, pc, late=deadline.passed)
        except LockupError as lockup:
            self.ending.end_with_fault(self.ending.fault(f"lockup: {lockup}", pc), pc)
            return pc

    def _prepare(self, pc: int, deadline: Deadline) -> int:
        """What is due before the emulator goes on from ``pc``; where it does."""
        self.chipset.run_due()
        if self.chipset.timeline.now() >= self.consoles.next_poll:
            self.consoles.poll_rtt()
        if self.epochs.changed:
            self.epochs.change()
        debugger = self.options.debugger
        pc = debugger.before_run(self, pc)
        if self.ending.exit is None:
            pc = pc if debugger.stepping else self._take_pending(pc)
            self._set_limits()
            if deadline.passed or debugger.stepping:
                self._stop_soon()
        return pc

    def _take_pending(self, pc: int) -> int:
        ready = self.nvic.pending & self.nvic.enabled
        if ready:
            taken = self.exceptions.take_pending(pc)
            pc = pc if taken is None else taken
        self.recorder.words[layout.H_PENDING] = bool(self.nvic.pending & self.nvic.enabled)
        return pc

    def _watch_ccr(self) -> None:
        self.recorder.words[layout.H_DIVIDE_TRAP] = bool(self.control.word(CCR) & DIV_0_TRP)

    def _set_limits(self) -> None:
        looks = self.consoles.next_poll, self.options.debugger.next_look(self)
        following = min(self.budget.cycles, self.chipset.schedule.next_cycle, *looks)
        cycles = following - self.chipset.timeline.asleep
        self.recorder.limit(cycles=max(cycles, 0), instructions=self.budget.instructions)

    def _stop_soon(self) -> None:
        self.recorder.limit(instructions=0)

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
        elif trap is None and fault is not None and self.recorder.hint_before(pc) is None:
            trap = reports.fault_trap(fault, pc)
        if trap is not None:
            return self._take_fault(trap)
        self._judge_stop(pc, late=late)
        return pc

    def _return(self, exc_return: int) -> int:
        pc = self.exceptions.leave(exc_return)
        if not self.nvic.active & FAULTS:
            self.ending.open_fault = None
        if self.control.word(SCR) & SLEEPONEXIT and not self.nvic.active:
            self._sleep(pc, "wfi")
        return pc

    def _judge_stop(self, pc: int, *, late: bool) -> None:
        recorder = self.recorder
        if self.control.reset_requested:
            self._reset(pc)
        elif self.reports.blocked:
            self.reports.blocked = False
            if not self.waiting.sleep(self.consoles.input_came, self.budget.cycles):
                self.ending.idle(pc, "waits for console input that can't come")
        elif recorder.idle is not None:
            edge, recorder.idle = recorder.idle, None
            if self._is_over() or not self.waiting.spin(edge, self.budget.cycles):
                self.ending.idle(pc, "idle loop")
            elif (limit := self.budget.exhausted(self.chipset.timeline.now(), late=late)) is not None:
                self.ending.end(Reason.LIMIT, pc, detail=limit)
        elif pc == self.options.until or self._finished:
            self.ending.end(Reason.UNTIL, pc)
        elif (hint := self.recorder.hint_before(pc)) is not None:
            self._sleep(pc, hint)
        elif self.ending.main_result is not None and self.budget.after_main_spent:
            self.ending.end(Reason.RETURN, pc, code=self.ending.main_result, detail=MAIN_RETURNED)
        elif (limit := self.budget.exhausted(self.chipset.timeline.now(), late=late)) is not None:
            self.ending.end(Reason.LIMIT, pc, detail=limit)
        elif recorder.frames_full:
            self.ending.end(Reason.LIMIT, pc, detail="call stack deeper than the recorder has room for")
        elif recorder.stopped_by_limit:
            self._ticks(pc, asleep=False)

    def _is_over(self) -> bool:
        """Whether ``main``, or a fault's handler, leaves the core in a loop for good, whatever keeps on ticking."""
        faulted = self.ending.open_fault is not None and self.nvic.unreachable(self.exceptions.masks())
        return faulted or self.ending.main_result is not None

    def _sleep(self, pc: int, hint: str) -> None:
        if hint == "yield":
            return
        if hint == "wfe" and self.exceptions.event:
            self.exceptions.event = False
            return
        if not self._is_over() and (
            (hint == "wfi" and self._ticks(pc, asleep=True))
            or self.waiting.sleep(lambda: self._wakes(hint), self.budget.cycles)
        ):
            return
        self.ending.idle(pc, f"waits for {'an interrupt' if hint == 'wfi' else 'an event'} that can't come")

    def _ticks(self, pc: int, *, asleep: bool) -> bool:
        """Whether native code goes on with a thread that only SysTick interrupts."""
        limits = self.budget.cycles, self.consoles.next_poll
        return not self.epochs.changed and self.ticking.prepare(pc, *limits, asleep=asleep)

    def _wakes(self, hint: str) -> bool:
        if not self.nvic.pending:
            return False
        if hint == "wfe" and self.exceptions.event:  # SCR.SEVONPEND
            self.exceptions.event = False
            return True
        return self.nvic.wakes(self.exceptions.masks())

    def _reset(self, pc: int) -> None:
        if self.ending.open_fault is not None:
            self.ending.end_with_fault(self.ending.open_fault, pc)
        else:
            self.ending.end(Reason.RESET, pc, detail="the firmware asked for a system reset")

    # Faults.

    def _supervisor_call(self, pc: int) -> int:
        if self.exceptions.usable(self.exceptions.destination(Vector.SVCALL)):
            return self.exceptions.raise_now(Vector.SVCALL, pc)
        return self._take_fault(Trap(Vector.SVCALL, "SVC executed, but no handler for it", pc - 2, executed=True))

    def _take_fault(self, trap: Trap) -> int:
        """Raise the exception of a trap; the run ends if no handler could put it right."""
        ended = self.ending.fault(trap.detail, trap.pc)
        if self.ending.main_result is not None and trap.is_breakpoint:  # what an _exit may end in
            self.ending.idle(trap.pc, trap.detail)
            return trap.pc
        destination = self.exceptions.destination(trap.vector)
        if trap.final or not self.exceptions.usable(destination) or self.nvic.active & 1 << Vector.HARD_FAULT:
            self.ending.end_with_fault(ended, trap.pc, executed=trap.executed)
            return trap.pc
        control = self.control
        control.set_word(CFSR, control.word(CFSR) | trap.cfsr)
        if trap.address is not None:
            control.set_word(BFAR if trap.cfsr & Cfsr.BFARVALID else MMFAR, trap.address)
        self.ending.open_fault = self.ending.open_fault or ended
        executed = self.ending.executed(trap.pc, trap.executed)
        return self.exceptions.raise_now(trap.vector, trap.pc if trap.target is None else trap.target, executed)

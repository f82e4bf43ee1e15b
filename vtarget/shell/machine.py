"""The virtual board: loads an image, runs it to its end, and returns the facts of the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vtarget.base.errors import InputError, RunError
from vtarget.data.image import Image
from vtarget.data.insn import Feature, Flow, Insn, Kind
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Exit, Reason, RecordedRegion
from vtarget.logic.cost import missing_feature
from vtarget.logic.decode import Block, effective_address
from vtarget.logic.placement import check_fits, find_vector_table, memory_use
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import check_record
from vtarget.shell.clock import LiveClock
from vtarget.shell.deadline import Deadline
from vtarget.shell.engine import (
    EXCEPTIONS,
    INTERRUPT_BKPT,
    INTERRUPT_DATA_ABORT,
    INTERRUPT_PREFETCH_ABORT,
    INTERRUPT_SVC,
    Engine,
    EngineFault,
)
from vtarget.shell.recorder import UNLIMITED, Recorder
from vtarget.shell.recording import lost_observations, overwritten_code, recorded_tables, shortened, split_conditions
from vtarget.shell.semihosting import BREAKPOINT, Console, FirmwareExit, Semihosting, signed
from vtarget.shell.system import PPB_BASE, PPB_SIZE, SystemBlock

NOWHERE = 0xFFFFFFFF  # no instruction starts at an odd address
MAIN_RETURNED = "main returned"
FIRST_EXC_RETURN = 0xFFFFFF00
FIRST_CHUNK, LEAST_CHUNK, MOST_CHUNK = 2_000_000, 10_000, 200_000_000
CHUNK_SECONDS = 0.25
# Startup code that main returns into gets this far before the run ends all the same.
AFTER_MAIN_INSTRUCTIONS = 1_000_000
FP_FEATURES = frozenset({Feature.FP_SINGLE, Feature.FP_DOUBLE, Feature.FP_V5})


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
        self.recorder = Recorder(self.engine, image, pricer, self._guards, options.spans, watch=self)
        self.clock = LiveClock(self.engine, self.recorder, pricer)
        self.system = SystemBlock(
            board.core, has_fpu=board.fpu is not None, vector_table=self.vector_table, now=self.clock.before_access
        )
        self.semihosting = Semihosting(
            self.engine, self.console, lambda: self.clock.before_instruction(self.engine.register(15)), pricer.clock_hz
        )
        self._ending: Exit | None = None
        self._main_result: int | None = None
        self._main_entered = False
        self._main_cap = UNLIMITED
        self._chunk_end = UNLIMITED
        self._event = False
        self._executed_in_last: int | None = None
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
        self.engine.map_registers(PPB_BASE, PPB_SIZE, self.system.read, self.system.write)
        self.engine.hook_interrupts(self._on_interrupt)

    def _apply_writes(self) -> None:
        for address, data in self.options.writes:
            self.engine.write(address, data)

    # Hooks.

    def _guards(self, block: Block) -> dict[int, Callable[[int], None]]:
        """Instructions that this core lacks, has switched off, or that the emulator ignores: what to do before each."""
        guards: dict[int, Callable[[int], None]] = {}
        for address, insn in zip(block.addresses, block.insns, strict=True):
            if insn.feature in FP_FEATURES and self.board.fpu is not None and not self.system.fpu_enabled:
                guards[address] = self._refuse_disabled_fpu
            if insn.mnemonic == "sev":
                guards[address] = self._send_event
            if missing_feature(self.pricer.core, insn) is not None:
                guards[address] = self._refuse_instruction
        return guards

    def _refuse_disabled_fpu(self, address: int) -> None:
        if not self.system.fpu_enabled:
            self._fault("floating-point instruction while the FPU is off (CPACR not written)", address)

    def _refuse_instruction(self, address: int) -> None:
        insn = self._insn_at(address)
        missing = missing_feature(self.pricer.core, insn)
        what = "undefined instruction" if insn.kind is Kind.UNDEFINED else f"instruction '{insn.text}'"
        reason = (
            "" if insn.kind is Kind.UNDEFINED else f", which {self.board.name} ({self.board.core}) lacks ({missing})"
        )
        self._fault(what + reason, address)

    def _insn_at(self, address: int) -> Insn:
        """An instruction of the current block."""
        node = self.recorder.current
        assert node is not None
        return node.block.insns[node.block.addresses.index(address)]

    def _send_event(self, _address: int) -> None:
        self._event = True

    def _on_interrupt(self, number: int) -> None:
        pc = self.engine.register(15)
        if number == INTERRUPT_BKPT:
            self._on_breakpoint(pc)
        elif number == INTERRUPT_SVC:
            self._fault("SVC executed, but exceptions are not modelled", pc - 2)
        elif number == INTERRUPT_PREFETCH_ABORT:
            self._bad_jump("jump to memory that is not executable", pc)
        elif number == INTERRUPT_DATA_ABORT:
            address = effective_address(self._insn_at(pc), pc, self.engine.registers()) or 0
            self._fault(f"unaligned access at 0x{address:08x}, which {self.board.core} can't do", pc)
        else:
            what = EXCEPTIONS.get(number, f"exception {number} raised")
            self._fault(f"{what}, and exceptions are not modelled", pc)

    def _on_breakpoint(self, pc: int) -> None:
        if self.engine.read(pc, 2) != BREAKPOINT:
            self._fault("breakpoint (BKPT) without a debugger", pc)
            return
        result = self.semihosting.call(self.engine.register(0), self.engine.register(1))
        if isinstance(result, FirmwareExit):
            self._end(Reason.SEMIHOSTING, pc, code=result.code, executed=True)
            return
        self.engine.set_register(0, result)
        self.engine.set_register(15, pc + 2)

    def _fault(self, detail: str, pc: int) -> None:
        self._end(Reason.FAULT, pc, detail=detail)

    def _bad_jump(self, what: str, target: int) -> None:
        """No instruction can be fetched at ``target``: the place to name is where execution came from."""
        node = self.recorder.current
        if node is None:
            self._fault(f"{what} at 0x{target:08x}", target)
            return
        if target >= FIRST_EXC_RETURN:
            what = "exception return outside an exception"
        elif node.block.insns[-1].flow is Flow.NONE:
            what = "execution ran out of memory"
        self._end(Reason.FAULT, node.block.addresses[-1], detail=f"{what} at 0x{target:08x}", executed=True)

    def _end(self, reason: Reason, pc: int, *, code: int = 0, detail: str = "", executed: bool = False) -> None:
        """End the run at ``pc``; ``executed``: the instruction there has completed."""
        if self._ending is None:
            stack = self.recorder.call_stack(pc)
            self._ending = Exit(reason, code, pc, detail, shortened(stack))
            self._executed_in_last = self._executed(pc, executed)
        self.engine.stop()

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
        record = self._record()
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
                self._set_limits()
                if deadline.passed:
                    self._stop_soon()
                fault = self.engine.run(pc, until)
                if self.recorder.error is not None:
                    error = self.recorder.error
                    raise RunError(str(error)) if isinstance(error, MemoryError) else error
                pc = self.engine.register(15)
                if self._ending is None:
                    self._judge(fault, pc, late=deadline.passed)
                elapsed = time.monotonic() - before
                if elapsed > 2 * CHUNK_SECONDS:
                    chunk = max(chunk // 2, LEAST_CHUNK)
                elif elapsed < CHUNK_SECONDS:
                    chunk = min(chunk * 2, MOST_CHUNK)
                if self.options.progress is not None:
                    self.options.progress(self.recorder.instructions, self.recorder.cycles)

    def _set_limits(self) -> None:
        instructions = min(self._total_limit(), self._main_cap, self._chunk_end)
        self.recorder.limit(cycles=self._cycle_limit(), instructions=instructions)

    def _stop_soon(self) -> None:
        self.recorder.limit(instructions=0)

    def _cycle_limit(self) -> int:
        seconds = self.options.limits.seconds
        return UNLIMITED if seconds is None else max(1, round(min(seconds * self.pricer.clock_hz, UNLIMITED)))

    def _total_limit(self) -> int:
        limit = self.options.limits.instructions
        return UNLIMITED if limit is None else min(limit, UNLIMITED)

    def _judge(self, fault: EngineFault | None, pc: int, *, late: bool) -> None:
        """Decide why the emulator came back, and end the run unless it should go on."""
        limits, recorder = self.options.limits, self.recorder
        if recorder.idle:
            self._idle(pc, "idle loop")
        elif pc == self.options.until or self._finished:
            self._end(Reason.UNTIL, pc)
        elif (hint := self._hint_before(pc)) is not None:
            self._wait(hint, pc)
        elif fault is not None:
            self._on_fault(fault, pc)
        elif recorder.instructions >= self._total_limit():
            self._end(Reason.LIMIT, pc, detail=f"{limits.instructions} instructions (--max-instructions)")
        elif recorder.cycles >= self._cycle_limit():
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
        mnemonic = node.block.insns[-1].mnemonic
        return mnemonic if mnemonic in ("wfi", "wfe", "yield") else None

    def _wait(self, hint: str, pc: int) -> None:
        if hint == "wfi":
            self._idle(pc, "waits for an interrupt that can't come")
        elif hint == "wfe" and not self._event:
            self._idle(pc, "waits for an event that can't come")
        elif hint == "wfe":
            self._event = False

    def _on_fault(self, fault: EngineFault, pc: int) -> None:
        if not self.engine.in_thumb_state:
            self._fault(f"jump to 0x{pc:08x} without the Thumb bit (Arm state)", pc)
        elif fault.fetching:
            self._bad_jump(fault.what, pc)
        else:
            at = f" at 0x{fault.address:08x}" if fault.address is not None else ""
            self._fault(fault.what + at, pc)

    def _idle(self, pc: int, detail: str) -> None:
        if self._main_result is None:
            self._end(Reason.IDLE, pc, detail=detail, executed=True)
        else:
            self._end(Reason.RETURN, pc, code=self._main_result, detail=MAIN_RETURNED, executed=True)

    # The record.

    def _executed(self, pc: int, done: bool) -> int:
        """How many instructions of the current block have completed when the run ends at ``pc``."""
        node = self.recorder.current
        if node is None:
            return 0
        if self.recorder.stopped_by_limit:
            return 0
        if pc in node.block.addresses:
            return node.block.addresses.index(pc) + (1 if done else 0)
        return len(node.block.insns)

    def _record(self) -> ExecutionRecord:
        assert self._ending is not None
        executed = self._executed_in_last or 0
        return ExecutionRecord(
            image_path=self.image.path,
            image_sha256=self.image.sha256,
            board=self.board.name,
            core=self.board.core,
            board_sha256=self.pricer.board_sha256,
            clock_hz=self.pricer.clock_hz,
            regions=tuple(RecordedRegion(r.name, r.kind.value, r.base, r.size) for r in self.board.regions),
            final_instructions=executed,
            instructions=self.recorder.instructions + executed,
            live_cycles=self.clock.after_instructions(executed),
            exit=self._ending,
            console=self.console.text,
            memory=memory_use(self.image, self.board),
            clock_reads=self.system.clock_reads + self.semihosting.clock_reads,
            not_modelled=self._not_modelled(),
            **recorded_tables(self.recorder),
        )

    def _not_modelled(self) -> tuple[str, ...]:
        notes = sorted(self.system.notes)
        for address, times in sorted(self.system.untouched.items()):
            notes.append(f"register 0x{address:08x} behaves as plain memory ({times} accesses)")
        for operation, times in sorted(self.semihosting.unknown.items()):
            notes.append(f"semihosting operation 0x{operation:02x} refused ({times} calls)")
        if self.console.dropped_bytes:
            notes.append(f"console output beyond its limit dropped ({self.console.dropped_bytes} bytes)")
        spans = self.recorder.spans
        if spans.dropped:
            notes.append(f"{spans.dropped} spans beyond the first {len(spans.closed)} not kept")
        notes.extend(f"span {name} was begun and not left" for name in spans.open_names)
        return (
            *notes,
            *overwritten_code(self.recorder),
            *split_conditions(self.recorder),
            *lost_observations(self.recorder),
        )

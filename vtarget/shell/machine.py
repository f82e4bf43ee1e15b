"""The virtual board: loads an image, runs it to its end, and returns the facts of the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vtarget.base.errors import RunError
from vtarget.data.image import Image
from vtarget.data.insn import Feature, Insn, Kind
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord, Exit, Reason, RecordedFunction, RecordedRegion
from vtarget.logic.cost import Exit as Leaving
from vtarget.logic.cost import missing_feature
from vtarget.logic.decode import Block, effective_address
from vtarget.logic.placement import check_fits, find_vector_table, memory_use
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import check_record
from vtarget.shell.engine import INTERRUPT_BKPT, INTERRUPT_SVC, Engine, EngineFault
from vtarget.shell.recorder import UNLIMITED, Node, Recorder
from vtarget.shell.semihosting import BREAKPOINT, Console, FirmwareExit, Semihosting
from vtarget.shell.system import PPB_BASE, PPB_SIZE, SystemBlock

NOWHERE = 0xFFFFFFFF  # no instruction starts at an odd address
FIRST_CHUNK = 2_000_000
CHUNK_SECONDS = 0.25
# Startup code that main returns into gets this far before the run ends all the same.
AFTER_MAIN_INSTRUCTIONS = 1_000_000
FP_FEATURES = frozenset({Feature.FP_SINGLE, Feature.FP_DOUBLE, Feature.FP_V5})


@dataclass(frozen=True)
class RunOptions:
    """What to do in a run besides executing: stop at an address, mark spans, put bytes into memory."""

    until: int | None = None
    limits: RunLimits = RunLimits()
    spans: tuple[str, ...] = ()
    writes: tuple[tuple[int, bytes], ...] = ()
    reads: tuple[tuple[int, int], ...] = ()
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
        self.system = SystemBlock(
            board.core, has_fpu=board.fpu is not None, vector_table=self.vector_table, now=self._now
        )
        self.semihosting = Semihosting(self.engine, self.console, lambda: self.recorder.cycles, pricer.clock_hz)
        self._ending: Exit | None = None
        self._main_result: int | None = None
        self._main_pc = 0
        self._executed_in_last: int | None = None
        self._access: tuple[int, int, int] = (-1, -1, 0)
        self._connect()

    def _connect(self) -> None:
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
        """Instructions that this core doesn't have, or not yet (FPU disabled), and what to do before they execute."""
        guards: dict[int, Callable[[int], None]] = {}
        for address, insn in zip(block.addresses, block.insns, strict=True):
            if insn.feature in FP_FEATURES and self.board.fpu is not None and not self.system.fpu_enabled:
                guards[address] = self._refuse_disabled_fpu
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
        reason = "" if insn.kind is Kind.UNDEFINED else f", which {self.board.name} ({self.board.core}) lacks ({missing})"
        self._fault(what + reason, address)

    def _insn_at(self, address: int) -> Insn:
        return Block(address, self.engine.read(address, 4)).insns[0]

    def _on_interrupt(self, number: int) -> None:
        pc = self.engine.register(15)
        if number == INTERRUPT_BKPT:
            self._on_breakpoint(pc)
        elif number == INTERRUPT_SVC:
            self._fault("SVC executed, but exceptions are not modelled", pc - 2)
        else:
            self._fault(f"exception {number} raised, but exceptions are not modelled", pc)

    def _on_breakpoint(self, pc: int) -> None:
        if int.from_bytes(self.engine.read(pc, 2), "little") != BREAKPOINT:
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

    def _end(self, reason: Reason, pc: int, *, code: int = 0, detail: str = "", executed: bool = False) -> None:
        """End the run at ``pc``; ``executed``: the instruction there has completed."""
        if self._ending is None:
            stack = self.recorder.call_stack(pc)
            self._ending = Exit(reason, code, pc, detail, stack)
            self._executed_in_last = self._executed(pc, executed)
        self.engine.stop()

    # Time.

    def _now(self, address: int, reading: bool) -> int:
        """Nominal cycles before the instruction that is accessing ``address``."""
        node = self.recorder.current
        if node is None:
            return 0
        return self.recorder.cycles + self.pricer.prefix(node.block, self._accessing(node, address, reading))

    def _accessing(self, node: Node, address: int, reading: bool) -> int:
        """Position of the accessing instruction: of those that address it, the next one this pass hasn't used yet."""
        registers = self.engine.registers()
        wanted = [
            index
            for index, (at, insn) in enumerate(zip(node.block.addresses, node.block.insns, strict=True))
            if insn.address is not None
            and (effective_address(insn, at, registers) or 0) & ~3 == address & ~3
            and insn.mnemonic.startswith("ldr" if reading else "str")
        ]
        passage = (node.number, self.recorder.instructions)
        previous = self._access[2] if self._access[:2] == passage else -1
        later = [index for index in wanted if index > previous]
        chosen = later[0] if later else max(previous, 0)
        self._access = (*passage, chosen)
        return chosen

    # main, as the recorder sees it.

    def entered(self) -> None:
        """Startup code is through with memory: put the user's bytes there again."""
        self._apply_writes()

    def left(self) -> None:
        """``main`` returned: what its startup code does next decides how the run ends."""
        if self._main_result is None:
            self._main_result = self.engine.register(0)
            self._main_pc = self.engine.register(15)

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
        started = time.monotonic()
        chunk = FIRST_CHUNK
        until = NOWHERE if self.options.until is None else self.options.until
        while self._ending is None:
            before = time.monotonic()
            self.recorder.limit(cycles=self._cycle_limit(), instructions=self._instruction_limit(chunk))
            fault = self.engine.run(pc, until)
            if self.recorder.error is not None:
                raise self._as_error(self.recorder.error)
            pc = self.engine.register(15)
            if self._ending is None:
                self._judge(fault, pc, time.monotonic() - started)
            elapsed = time.monotonic() - before
            if elapsed > 2 * CHUNK_SECONDS:
                chunk = max(chunk // 2, 10_000)
            elif elapsed < CHUNK_SECONDS:
                chunk = min(chunk * 2, 200_000_000)
            if self.options.progress is not None:
                self.options.progress(self.recorder.instructions, self.recorder.cycles)

    def _cycle_limit(self) -> int:
        seconds = self.options.limits.seconds
        return UNLIMITED if seconds is None else max(1, round(seconds * self.pricer.clock_hz))

    def _total_limit(self) -> int:
        limit = self.options.limits.instructions
        return UNLIMITED if limit is None else limit

    def _instruction_limit(self, chunk: int) -> int:
        return min(self._total_limit(), self.recorder.instructions + chunk)

    def _judge(self, fault: EngineFault | None, pc: int, wall_seconds: float) -> None:
        """Decide why the emulator came back, and end the run unless it should go on."""
        limits, recorder = self.options.limits, self.recorder
        if recorder.idle:
            self._idle(pc, "idle loop")
        elif fault is not None:
            at = f" at 0x{fault.address:08x}" if fault.address is not None else ""
            self._fault(fault.what + at, pc)
        elif pc == self.options.until:
            self._end(Reason.UNTIL, pc)
        elif recorder.instructions >= self._total_limit():
            self._end(Reason.LIMIT, pc, detail=f"{limits.instructions} instructions (--max-instructions)")
        elif recorder.cycles >= self._cycle_limit():
            self._end(Reason.LIMIT, pc, detail=f"{limits.seconds} s of virtual time (--max-seconds)")
        elif self._waits(pc):
            self._idle(pc, "waits for an interrupt that can't come")
        elif limits.wall_seconds is not None and wall_seconds > limits.wall_seconds:
            self._end(Reason.LIMIT, pc, detail=f"{limits.wall_seconds:g} s of wall time (--timeout)")
        elif recorder.frames_full:
            self._end(Reason.LIMIT, pc, detail="call stack deeper than the recorder has room for")

    def _waits(self, pc: int) -> bool:
        node = self.recorder.current
        if node is None or node.block.insns[-1].kind is not Kind.WAIT:
            return False
        return pc == node.block.address + node.block.size and not self.recorder.stopped_by_limit

    def _idle(self, pc: int, detail: str) -> None:
        if self._main_result is None:
            self._end(Reason.IDLE, pc, detail=detail, executed=True)
        else:
            self._end(Reason.RETURN, pc, code=self._main_result, detail="main returned", executed=True)

    def _as_error(self, error: BaseException) -> BaseException:
        return RunError(str(error)) if isinstance(error, MemoryError) else error

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
        recorder, tree = self.recorder, self.recorder.tree
        blocks: dict[Block, int] = {}
        node_block = [blocks.setdefault(node.block, len(blocks)) for node in recorder.nodes]
        final = recorder.current
        executed = self._executed_in_last or 0
        functions = recorder.functions
        live = 0 if final is None else self._live_cycles(final, executed)
        return ExecutionRecord(
            image_path=self.image.path,
            image_sha256=self.image.sha256,
            board=self.board.name,
            core=self.board.core,
            clock_hz=self.pricer.clock_hz,
            regions=tuple(RecordedRegion(r.name, r.kind.value, r.base, r.size) for r in self.board.regions),
            functions=tuple(
                RecordedFunction(*row) for row in zip(functions.names, functions.addresses, functions.sizes, strict=True)
            ),
            chain_parent=np.array(tree.chain_parent, dtype=np.int32),
            chain_function=np.array(tree.chain_function, dtype=np.int32),
            context_chain=np.array(tree.context_chain, dtype=np.int32),
            context_function=np.array(tree.context_function, dtype=np.int32),
            block_address=np.array([b.address for b in blocks], dtype=np.int64),
            block_code=tuple(b.code for b in blocks),
            node_block=np.array(node_block, dtype=np.int32),
            node_context=np.array([n.context for n in recorder.nodes], dtype=np.int32),
            edge_source=np.array([e.source for e in recorder.edges], dtype=np.int32),
            edge_target=np.array([e.target for e in recorder.edges], dtype=np.int32),
            edge_exit=np.array([int(e.exit is Leaving.TAKEN) for e in recorder.edges], dtype=np.int32),
            edge_call=np.array([e.call for e in recorder.edges], dtype=np.int32),
            edge_count=recorder.edge_counts(),
            site_node=np.array([s[0] for s in recorder.sites], dtype=np.int32),
            site_insn=np.array([s[1] for s in recorder.sites], dtype=np.int32),
            site_counts=recorder.site_counts(),
            final_node=final.number if final is not None else -1,
            final_instructions=executed,
            instructions=recorder.instructions + executed,
            live_cycles=live,
            exit=self._ending,
            console=self.console.text,
            stacks=recorder.stacks.result(),
            memory=memory_use(self.image, self.board),
            clock_reads=self.system.clock_reads,
            not_modelled=self._not_modelled(),
            spans=tuple(recorder.spans.closed),
        )

    def _live_cycles(self, final: Node, executed: int) -> int:
        if executed == 0:
            return self.recorder.cycles
        size = sum(i.size for i in final.block.insns[:executed])
        part = Block(final.block.address, final.block.code[:size])
        return self.recorder.cycles + self.pricer.edge(part, Leaving.END, None).nominal

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
        return tuple(notes)

"""Holding and releasing the core of one machine: breakpoints, watchpoints, steps.

A breakpoint in the middle of a block stops the emulator there. Going on, the emulator begins a block of its own at that
place; the recorder skips it, so that the block it is counting stays whole and costs what it always does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from vtarget.base.errors import InputError
from vtarget.data.insn import Dynamic, Flow
from vtarget.logic.cost import operand_class
from vtarget.logic.decode import Block, open_conditions
from vtarget.shell import layout
from vtarget.shell.clock import LiveClock
from vtarget.shell.interruption import Interruption

if TYPE_CHECKING:
    from vtarget.shell.calls import Node
    from vtarget.shell.machine import Machine

LONG_BLOCK = 64  # instructions; the emulator cuts straight-line code of several times that
MOST_STEPPED_BYTES = 24  # an IT instruction, the four behind it and one more


class Signal(IntEnum):
    """Signals as gdb numbers them (GDB manual, E.3)."""

    NONE = 0
    INT = 2
    ILL = 4
    TRAP = 5
    ABRT = 6
    BUS = 10
    SEGV = 11


class WatchKind(IntEnum):
    """Kinds of watchpoints, as in Z packets."""

    WRITE = 2
    READ = 3
    ACCESS = 4


WATCH_NAMES = {WatchKind.WRITE: "watch", WatchKind.READ: "rwatch", WatchKind.ACCESS: "awatch"}


@dataclass(frozen=True)
class Watch:
    """A watchpoint on ``size_bytes`` at ``address``."""

    kind: WatchKind
    address: int
    size_bytes: int


@dataclass(frozen=True)
class Stop:
    """Why the core is held."""

    signal: Signal
    watch: WatchKind | None = None
    address: int = 0


class Seen(NamedTuple):
    """What the recorder has seen of the instruction that the core is held at."""

    operands: bool
    accesses: bool


UNSEEN = Seen(operands=False, accesses=False)


class RunControl:
    """The debugger's hold on one machine. ``is_device`` tells addresses whose accesses must not be repeated."""

    def __init__(self, machine: Machine, is_device: Callable[[int], bool]) -> None:
        self._machine = machine
        self._engine = machine.engine
        self._recorder = machine.recorder
        self._is_device = is_device
        self._clock = LiveClock(machine.engine, machine.recorder)
        self._contexts = Interruption(machine.recorder)
        self.most_cycles = 0  # that the core may run until the debugger holds it; 0: any
        self._breaks: dict[tuple[int, int], int] = {}
        self._watches: dict[Watch, int] = {}
        self._everywhere: int | None = None  # a hook, while there are watchpoints
        self._step_hook: tuple[int, int] | None = None  # and its address
        self._within = (0, 0)
        self._pending: Stop | None = None
        self._stopped_by: tuple[int, Seen] | None = None  # pc, and what the recorder had seen of it by then
        self._passing = (-1, -1)  # pc and count of instructions at which hooks are passed over
        self._resumed = (-1, False)  # pc, and whether its block was entered by then
        self._breakpoint_instruction: int | None = None  # the BKPT that has stopped the core
        self._awaited: int | None = None  # where a step begins once pending handlers have run
        self._position: int | None = None  # of the next instruction, if inside the current block
        self._halted_pc = 0
        self._executed = 0  # instructions of the current block
        self._stepping = False
        self._finishing = False  # a block in whose middle the core was held: interrupts come behind it, as ever
        machine.reports.on_breakpoint = self._on_breakpoint_instruction

    # What stops the core.

    def add_break(self, kind: int, address: int) -> None:
        """A breakpoint; one that is there already stays."""
        if (kind, address) not in self._breaks:
            self._breaks[kind, address] = self._hook(address)

    def remove_break(self, kind: int, address: int) -> None:
        """Take a breakpoint away, if it is there."""
        handle = self._breaks.pop((kind, address), None)
        if handle is not None:
            self._unhook(handle, address)

    def add_watch(self, watch: Watch) -> None:
        """A watchpoint; one that is there already stays."""
        if self._everywhere is None:
            self._everywhere = self._engine.hook_every_instruction()
        if watch not in self._watches:
            self._watches[watch] = self._engine.hook_data(
                watch.address,
                watch.address + watch.size_bytes,
                lambda address: self._on_access(watch, address),
                reads=watch.kind is not WatchKind.WRITE,
                writes=watch.kind is not WatchKind.READ,
            )

    def remove_watch(self, watch: Watch) -> None:
        """Take a watchpoint away, if it is there."""
        handle = self._watches.pop(watch, None)
        if handle is not None:
            self._engine.unhook(handle)
            self._engine.forget_all_code()
        if self._everywhere is not None and not self._watches:
            self._engine.unhook_native(self._everywhere)
            self._everywhere = None

    @property
    def count(self) -> int:
        """How many breakpoints and watchpoints there are."""
        return len(self._breaks) + len(self._watches)

    def take_over(self, other: RunControl) -> None:
        """Set what is set in ``other``, of a machine that is given up."""
        self.most_cycles = other.most_cycles
        for kind, address in other._breaks:
            self.add_break(kind, address)
        for watch in other._watches:
            self.add_watch(watch)

    def settle(self) -> None:
        """Interrupts may come again: the block that the core was held in is complete."""
        self._finishing = False

    def clear(self) -> None:
        """Take everything away, so that the run goes on without a debugger."""
        for kind, address in tuple(self._breaks):
            self.remove_break(kind, address)
        for watch in tuple(self._watches):
            self.remove_watch(watch)
        self.most_cycles = 0
        self._machine.reports.on_breakpoint = lambda _pc: False

    def _hook(self, address: int) -> int:
        seen = self._seen(address)
        handle = self._engine.hook_instruction(address, lambda pc: self._on_break(pc, seen))
        self._engine.forget_code(address, 2)
        return handle

    def _seen(self, address: int) -> Seen:
        """What the recorder sees of an instruction before a hook that is set now."""
        return Seen(address in self._recorder.armed, address in self._recorder.watched)

    def _unhook(self, handle: int, address: int) -> None:
        # Code translated with the hook would go on calling it.
        self._engine.unhook(handle)
        self._engine.forget_code(address, 2)

    # Hooks.

    def _on_break(self, pc: int, seen: Seen) -> None:
        if self._passing != (pc, self._recorder.instructions):
            self._stop_at(pc, seen, Stop(Signal.TRAP))

    def _on_access(self, watch: Watch, address: int) -> None:
        pc = self._engine.register(15)
        stop = Stop(Signal.TRAP, watch.kind, address)
        if self._passing == (pc, self._recorder.instructions):
            return
        if self._is_device(address):
            self._stop_after_block(stop)
        else:
            self._stop_at(pc, self._seen(pc), stop)

    def _on_breakpoint_instruction(self, pc: int) -> bool:
        self._pending, self._stopped_by, self._breakpoint_instruction = Stop(Signal.TRAP), (pc, UNSEEN), pc
        return True

    def _stop_at(self, pc: int, seen: Seen, stop: Stop) -> None:
        """Stop before the instruction; the emulator can't inside an IT block, and stops after the code block then."""
        node = self._recorder.current
        if self._pending is not None:
            return
        if (
            node is None
            or pc not in node.block.addresses
            or open_conditions(node.block.first(node.block.addresses.index(pc)))
        ):
            self._stop_after_block(stop)
        else:
            self._pending, self._stopped_by = stop, (pc, seen)
            self._engine.stop()

    def _stop_after_block(self, stop: Stop) -> None:
        self._pending = self._pending or stop
        self._recorder.limit(instructions=0)

    # Holding.

    @property
    def stepping(self) -> bool:
        """Whether the run stops before the next block of code, and takes no interrupts before that."""
        return self._stepping or self._finishing

    def stopped(self, pc: int) -> Stop | None:
        """Why the core is to be held now that the emulator has stopped at ``pc``; None if it isn't."""
        self.settle()
        if self._pending is not None and self._awaited != pc:
            return self._pending
        if self._pending is None and not (self._stepping and self._has_progressed(pc)):
            return None
        if self._awaited == pc or self._within[0] <= pc < self._within[1]:
            within = self._within
            self.hold(pc)
            self.release(pc, step=True, within=within)
            return None
        return Stop(Signal.TRAP)

    def _has_progressed(self, pc: int) -> bool:
        resumed, entered = self._resumed
        if pc != resumed or entered:
            return True
        self._resumed = (pc, self._recorder.stopped_by_limit)
        return False

    def hold(self, pc: int) -> None:
        """The core is held at ``pc``: find out where in its block that is, and what time it is."""
        node, by = self._recorder.current, self._stopped_by
        self._position = None
        if by is not None and by[0] == pc and node is not None and not self._recorder.stopped_by_limit:
            self._position = node.block.addresses.index(pc) if pc in node.block.addresses else None
            if self._position is not None:
                self._take_back(node, self._position, by[1])
        if self._step_hook is not None:
            self._unhook(*self._step_hook)
            self._step_hook = None
        self._pending = self._stopped_by = self._awaited = None
        self._stepping = False
        self._halted_pc = pc
        if self._position is not None:
            self._executed = self._position
        else:
            self._executed = 0 if node is None or self._recorder.stopped_by_limit else len(node.block.insns)
        self._machine.chipset.timeline.halted = self.cycles

    def hold_ended(self, pc: int, executed: int) -> None:
        """The run has ended at ``pc``, after ``executed`` instructions of its last block."""
        self._halted_pc, self._executed = pc, executed
        self._machine.chipset.timeline.halted = self.cycles

    @property
    def cycles(self) -> int:
        """Cycles awake, up to where the core is held."""
        if self._position is not None:
            return self._clock.before_instruction(self._halted_pc) - self._recorder.ahead(self._halted_pc)
        return self._clock.after_instructions(self._executed)

    @property
    def instructions(self) -> int:
        """Instructions executed, up to where the core is held."""
        return self._recorder.instructions + self._executed

    def release(self, pc: int, *, step: bool = False, within: tuple[int, int] = (0, 0)) -> int:
        """Let the core go on at ``pc``, for one instruction (or while it is ``within`` addresses) if ``step``."""
        words, node = self._recorder.words, self._recorder.current
        self._machine.chipset.timeline.halted = None
        pc = self._pass_breakpoint_instruction(pc)
        if pc != self._halted_pc or (self._position and node is not None and _may_go_on(node.block)):
            executed = -1 if self._position is None else self._position
            self._contexts.resume(self._contexts.suspend(self._halted_pc, executed), pc)
        elif self._position is not None:
            words[layout.H_SKIP] = layout.BEGUN
        nvic = self._machine.nvic
        self._finishing = bool(self._position) and bool(nvic.pending & nvic.enabled)
        self._passing = (pc, self._recorder.instructions)
        self._resumed = (pc, self._recorder.stopped_by_limit)
        self._within = within
        if step and self._is_about_to_be_interrupted():
            self._awaited, self._step_hook = pc, (self._hook(pc), pc)
        elif step:
            self._stepping = True
            self._hook_next(pc)
        return pc

    def _is_about_to_be_interrupted(self) -> bool:
        """Whether handlers run before the next instruction; a run takes them between blocks only."""
        machine = self._machine
        return not self._position and machine.nvic.preempting(machine.exceptions.masks()) is not None

    def _pass_breakpoint_instruction(self, pc: int) -> int:
        """A BKPT that has stopped the core has done its work: the block that it ends is complete."""
        passed, self._breakpoint_instruction = self._breakpoint_instruction, None
        if passed != pc or pc != self._halted_pc or self._position is None:
            return pc
        self._position, self._halted_pc = None, pc + 2
        return pc + 2

    def _hook_next(self, pc: int) -> None:
        """Stop before the instruction behind the one at ``pc``, which is behind the IT block if that begins one."""
        block = Block(pc, self._code_at(pc, MOST_STEPPED_BYTES))
        following = 1 + (open_conditions(block.first(1)) if block.insns else 0)
        if following < len(block.insns):
            place = block.addresses[following]
            self._step_hook = self._hook(place), place

    def _code_at(self, pc: int, most_bytes: int) -> bytes:
        for size in range(most_bytes, 0, -2):
            try:
                return self._engine.read(pc, size)
            except InputError:
                continue
        return b""

    def _take_back(self, node: Node, position: int, seen: Seen) -> None:
        """The recorder saw the operands of an instruction that will be executed, and seen, only later; accesses that
        it followed there are left out then."""
        words, insn, pc = self._recorder.words, node.block.insns[position], node.block.addresses[position]
        if seen.accesses:
            words[layout.H_SEEN] = pc
        if not seen.operands:
            return
        site = int(words[node.offset + layout.N_SITES])
        while site and words[site + layout.S_ADDRESS] not in (0, pc):
            site += layout.SITE_WORDS
        if not site or words[site + layout.S_ADDRESS] == 0 or insn.dynamic is None:
            return
        operands = 0
        if insn.dynamic is not Dynamic.PREDICATED:
            rn, rm = (self._engine.register(r) for r in insn.operand_registers)
            operands = operand_class(insn.dynamic, rn, rm, insn.mnemonic.startswith("s"))
        words[site + layout.S_COUNTS + operands] -= 1
        words[layout.H_CYCLES] -= words[site + layout.S_PRICES + operands]


def _may_go_on(block: Block) -> bool:
    """Whether the emulator ended the block for its length, so that one begun in its middle would end later."""
    return len(block.insns) >= LONG_BLOCK and block.insns[-1].flow is Flow.NONE

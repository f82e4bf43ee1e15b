"""What the emulator reports while it runs: exceptions of its own, semihosting calls, returns from handlers.

Hooks run in the middle of a block; they only note what happened and stop the emulator. The machine acts on it then.
"""

from __future__ import annotations

from collections.abc import Callable

from vtarget.data.exceptions import EXC_RETURN_FIRST, Cfsr, Vector
from vtarget.data.insn import Flow
from vtarget.logic.decode import effective_address
from vtarget.shell import layout
from vtarget.shell.engine import (
    EXCEPTIONS,
    INTERRUPT_BKPT,
    INTERRUPT_DATA_ABORT,
    INTERRUPT_PREFETCH_ABORT,
    INTERRUPT_SVC,
    Engine,
    EngineFault,
)
from vtarget.shell.native import on_interrupt
from vtarget.shell.recorder import Recorder
from vtarget.shell.semihosting import BREAKPOINT
from vtarget.shell.traps import Trap, access_trap

INTERRUPT_FAULTS = {17: Cfsr.NOCP, 18: Cfsr.INVSTATE, 19: Cfsr.STKOF, 22: Cfsr.UNALIGNED}


class Reports:
    """The latest reports. ``semihost(pc)`` is called at once for a semihosting breakpoint."""

    def __init__(self, engine: Engine, recorder: Recorder, semihost: Callable[[int], None]) -> None:
        self._engine = engine
        self._recorder = recorder
        self._semihost = semihost
        self.trap: Trap | None = None
        self.supervisor_call = False
        self.blocked = False  # a semihosting call waits for input
        self.on_breakpoint: Callable[[int], bool] = lambda _pc: False  # whether a debugger takes a BKPT
        recorder.call_back(layout.H_INTERRUPT, self._on_exception)
        engine.hook_native("interrupt", on_interrupt.address, int(recorder.words[layout.H_BUFFER]))

    def set_trap(self, trap: Trap) -> None:
        """An instruction can't execute."""
        self.trap = trap
        self._engine.stop()

    def take_trap(self) -> Trap | None:
        """The trap reported, which is thereby dealt with."""
        trap, self.trap = self.trap, None
        return trap

    def take_exc_return(self, fault: EngineFault | None, pc: int) -> int | None:
        """The EXC_RETURN value that a handler has put into the pc, if one has; without its lowest bit."""
        if fault is not None and fault.fetching and self._is_return(pc):
            return pc
        words = self._recorder.words
        value = int(words[layout.H_EXC_RETURN])
        words[layout.H_EXC_RETURN] = 0
        return value or None

    def fault_trap(self, fault: EngineFault, pc: int) -> Trap:
        """What made the emulator give up."""
        if not self._engine.in_thumb_state:
            detail = f"jump to 0x{pc:08x} without the Thumb bit (Arm state)"
            return Trap(Vector.USAGE_FAULT, detail, pc, Cfsr.INVSTATE)
        if fault.fetching:
            return self._bad_jump(fault.what, pc, Vector.BUS_FAULT, Cfsr.IBUSERR)
        return access_trap(fault, pc)

    def _on_exception(self, number: int, pc: int, _unused: int) -> int:
        if number == INTERRUPT_BKPT and self._engine.read(pc, 2) == BREAKPOINT:
            self._semihost(pc)
            return 0
        if number == INTERRUPT_SVC:
            self.supervisor_call = True
        elif number != INTERRUPT_BKPT or not self.on_breakpoint(pc):
            self.trap = self._interrupt_trap(number, pc)
        self._engine.stop()
        return 0

    def _interrupt_trap(self, number: int, pc: int) -> Trap:
        if number == INTERRUPT_BKPT:
            return Trap(Vector.HARD_FAULT, "breakpoint (BKPT) without a debugger", pc)
        if number == INTERRUPT_PREFETCH_ABORT:
            return self._bad_jump("jump to memory that is not executable", pc, Vector.MEM_MANAGE, Cfsr.IACCVIOL)
        if number == INTERRUPT_DATA_ABORT:
            return self._unaligned(pc)
        detail = EXCEPTIONS.get(number, f"exception {number} of the emulator")
        return Trap(Vector.USAGE_FAULT, detail, pc, INTERRUPT_FAULTS.get(number, Cfsr(0)))

    def _unaligned(self, pc: int) -> Trap:
        node = self._recorder.current
        assert node is not None
        insn = node.block.insns[node.block.addresses.index(pc)]
        address = effective_address(insn, pc, self._engine.registers()) or 0
        core = self._recorder.pricer.board.core
        detail = f"unaligned access at 0x{address:08x}, which {core} can't do"
        return Trap(Vector.USAGE_FAULT, detail, pc, Cfsr.UNALIGNED)

    def _is_return(self, pc: int) -> bool:
        return pc >= EXC_RETURN_FIRST and self._engine.exception_number != 0

    def _bad_jump(self, what: str, target: int, vector: Vector, cfsr: Cfsr) -> Trap:
        """No instruction can be fetched at ``target``: the place to name is where execution came from."""
        node = self._recorder.current
        if node is None or not node.block.insns:
            return Trap(vector, f"{what} at 0x{target:08x}", target, cfsr)
        if target >= EXC_RETURN_FIRST:
            what = "exception return outside an exception"
        elif node.block.insns[-1].flow is Flow.NONE:
            what = "execution ran out of memory"
        detail = f"{what} at 0x{target:08x}"
        return Trap(vector, detail, node.block.addresses[-1], cfsr, target=target, executed=True)

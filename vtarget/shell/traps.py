"""Traps: what the emulator reports when an instruction can't execute, as the fault that the core would raise."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.exceptions import Cfsr, Vector
from vtarget.shell.engine import EngineFault

NO_BITS = Cfsr(0)


@dataclass(frozen=True)
class Trap:
    """A synchronous exception to raise. ``detail`` says what happened, ``pc`` where, ``target`` where execution would
    go on (the address to stack) if that isn't ``pc``; ``executed``: the instruction at ``pc`` has completed.
    ``final``: it is the emulator that can't go on, and no handler could put that right."""

    vector: Vector
    detail: str
    pc: int
    cfsr: Cfsr = NO_BITS
    address: int | None = None
    target: int | None = None
    executed: bool = False
    final: bool = False

    @property
    def is_breakpoint(self) -> bool:
        """Whether a BKPT without a debugger raised it."""
        return self.vector is Vector.HARD_FAULT and not self.cfsr


def access_trap(fault: EngineFault, pc: int) -> Trap:
    """A load or store that no memory answers, or an instruction that the emulator doesn't know."""
    if fault.address is None:
        return Trap(Vector.USAGE_FAULT, fault.what, pc, Cfsr.UNDEFINSTR)
    detail = f"{fault.what} at 0x{fault.address:08x}"
    return Trap(Vector.BUS_FAULT, detail, pc, Cfsr.PRECISERR | Cfsr.BFARVALID, fault.address)

"""Exception entry and return: stacking, EXC_RETURN, tail-chaining, escalation.

Armv7-M ARM (DDI 0403) B1.5.6 to B1.5.14, Armv6-M ARM (DDI 0419) B1.5, Armv8-M ARM (DDI 0553) B3.19 to B3.25 without
the Security Extension. Floating-point registers are stacked at once; what lazy stacking saves is a matter of cycles,
and is counted as the hardware would.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from vtarget.base.errors import InputError
from vtarget.data.exceptions import (
    BASIC_FRAME,
    CONTROL_FPCA,
    CONTROL_NPRIV,
    CONTROL_SPSEL,
    RETURN_TO_PSP,
    RETURN_TO_THREAD,
    RETURN_V7,
    RETURN_V8,
    RETURN_V8_SECURE,
    XPSR_ALIGNED,
    XPSR_NUMBER,
    XPSR_THUMB,
    Cfsr,
    Hfsr,
    Vector,
)
from vtarget.logic.cost import Exit
from vtarget.shell import layout
from vtarget.shell.calls import Node
from vtarget.shell.engine import Engine
from vtarget.shell.interruption import Interruption, Suspended
from vtarget.shell.nvic import Masks, Nvic
from vtarget.shell.recorder import Edge, Recorder
from vtarget.shell.scb import (  # fmt: skip
    ASPEN,
    CCR,
    CFSR,
    FPCAR,
    FPCCR,
    HFSR,
    LSPACT,
    LSPEN,
    NONBASETHRDENA,
    SCR,
    SEVONPEND,
    STKALIGN,
    VTOR,
    SystemControl,
)

BASIC_BYTES, EXTENDED_BYTES = 32, 104
BASIC = struct.Struct("<8I")
EXTENDED = struct.Struct("<8I16I2I")


class LockupError(Exception):
    """The core can't go on: a fault where no fault can be taken. The text says which."""


@dataclass(frozen=True)
class EntryRules:
    """Exception entries from Thread mode: whether frames stand at any word, EXC_RETURN for a basic one on the main
    stack, whether floating-point registers are stacked lazily, the stacks' limits, addresses of frames in use."""

    unaligned: bool
    exc_return: int
    lazy_fp: bool
    msp_limit: int
    psp_limit: int
    used: tuple[int, ...]


class Exceptions:
    """Takes exceptions and returns from them, on one engine and its recorder.

    ``arrivals(cycles)`` lets happen what happens within the cycles that an entry takes, and tells whether anything did:
    a more urgent exception that arrives then is the one whose handler starts (B1.5.11, late arrival).
    """

    def __init__(
        self, engine: Engine, recorder: Recorder, control: SystemControl, architecture: str, *, secure: bool
    ) -> None:
        self._engine = engine
        self._recorder = recorder
        self._control = control
        self._nvic: Nvic = control.nvic
        self._contexts = Interruption(recorder)
        self._baseline = architecture in ("armv6-m", "armv8-m.base")
        self._version8 = architecture.startswith("armv8")
        self._secure = secure
        self._suspended: dict[int, Suspended] = {}  # by the address of the frame that was stacked
        self.limits = {"msp": 0, "psp": 0}  # MSPLIM and PSPLIM (Armv8-M)
        self.overhead_cycles = 0
        self.arrivals: Callable[[int], bool] = lambda _cycles: False
        self.event = False  # the event register, which entries and returns set
        self._nvic.on_arrival = self._on_arrival
        self.on_illegal: Callable[[str], None] = lambda _detail: None  # told of a fault that an entry or return is

    def _on_arrival(self) -> None:
        if self._control.word(SCR) & SEVONPEND:
            self.event = True

    def masks(self) -> Masks:
        """The mask registers as they stand."""
        primask, basepri, faultmask = self._engine.masks()
        return Masks(bool(primask), basepri, bool(faultmask))

    def take_pending(self, pc: int) -> int | None:
        """Take the most urgent pending exception, if it preempts what is about to run at ``pc``; its handler's pc."""
        if not self._nvic.pending & self._nvic.enabled:
            return None
        number = self._nvic.preempting(self.masks())
        return None if number is None else self._enter(number, pc, -1)

    def raise_now(self, number: int, return_pc: int, executed: int = -1) -> int:
        """A synchronous exception: it is taken, or a more urgent pending one first, or it escalates to HardFault.

        The pc to go on at; ``executed`` is how many instructions of the current block have completed (-1: all).
        LockupError if neither can be taken.
        """
        masks = self.masks()
        if not self._nvic.can_preempt(number, masks):
            self._set_bits(HFSR, Hfsr.FORCED)
            number = Vector.HARD_FAULT
            if not self._nvic.can_preempt(number, masks):
                raise LockupError("a fault at the priority of HardFault")
        self._nvic.pend(number)
        first = self._nvic.preempting(masks)
        return self._enter(number if first is None else first, return_pc, executed)

    def usable(self, number: int) -> bool:
        """Whether the vector table has a handler for the exception, in Thumb state and in memory."""
        handler = self._vector(number)
        return handler is not None and bool(handler & 1)

    def destination(self, number: int) -> int:
        """The exception that would really be taken if ``number`` were raised now: itself, or HardFault."""
        return number if self._nvic.can_preempt(number, self.masks()) else Vector.HARD_FAULT

    # Ticks that native code handles.

    def known_edges(self, node: Node, resumed: Node | None) -> tuple[Edge | None, Edge | None]:
        """As of ``Interruption``."""
        return self._contexts.known_edges(node, resumed)

    def entry_rules(self) -> EntryRules:
        """What exception entries from Thread mode follow now."""
        fpccr = self._control.word(FPCCR)
        return EntryRules(
            self._unaligned,
            self._exc_return(0, 0, extended=False),
            bool(fpccr & ASPEN and fpccr & LSPEN),
            self.limits["msp"],
            self.limits["psp"],
            tuple(self._suspended),
        )

    def set_lazy_fp(self, fpcar: int, *, active: bool) -> None:
        """FPCAR and FPCCR.LSPACT, as entries with floating-point frames and returns have left them."""
        self._control.set_word(FPCAR, fpcar)
        self._control.set_word(FPCCR, self._control.word(FPCCR) & ~LSPACT | (LSPACT if active else 0))

    def ticked(self, entries: int, returns: int, frame: int, suspended: Suspended | None) -> None:
        """SysTick has been taken and returned from so often; its handler runs if it has ``suspended`` something."""
        model = self._recorder.pricer.model
        self.overhead_cycles += (
            entries * model.overhead(Exit.ENTRY).nominal + returns * model.overhead(Exit.RETURN).nominal
        )
        self.event = True
        self._name_handler(Vector.SYSTICK, self._vector(Vector.SYSTICK) or 0)
        if suspended is not None:
            self._nvic.active |= 1 << Vector.SYSTICK
            self._suspended[frame] = suspended

    @property
    def _unaligned(self) -> bool:
        """Whether frames stand at any word (CCR.STKALIGN is clear)."""
        return not self._version8 and not self._baseline and not self._control.word(CCR) & STKALIGN

    def finish(self) -> None:
        """The run ends: what is still interrupted will not go on."""
        for suspended in self._suspended.values():
            self._contexts.forget(suspended)
        self._suspended.clear()

    # Entry.

    def _enter(self, number: int, pc: int, executed: int) -> int:
        """Stack what runs at ``pc`` and start the handler of ``number``."""
        engine = self._engine
        *registers, xpsr, sp, control = engine.stacked_registers()
        extended = bool(control & CONTROL_FPCA) and bool(self._control.word(FPCCR) & ASPEN)
        unaligned = self._unaligned
        frame = sp - (EXTENDED_BYTES if extended else BASIC_BYTES) & (0xFFFFFFFF if unaligned else 0xFFFFFFFB)
        stack = "psp" if control & CONTROL_SPSEL and not xpsr & XPSR_NUMBER else "msp"
        if frame < self.limits[stack]:
            self._set_bits(CFSR, Cfsr.STKOF)
            return self._derived(Vector.USAGE_FAULT, self.limits[stack], xpsr, control, pc, executed)
        moved = XPSR_ALIGNED if not unaligned and sp & 4 else 0
        lazy = bool(self._control.word(FPCCR) & LSPEN)
        words = (*registers, pc, xpsr & ~XPSR_ALIGNED | moved)
        exc_return = self._exc_return(xpsr & XPSR_NUMBER, control, extended=extended)
        try:
            self._stack(frame, words, extended=extended, lazy=lazy)
        except LockupError as error:
            if stack == "msp" or not self.usable(self.destination(Vector.BUS_FAULT)):
                raise
            self.on_illegal(str(error))
            return self._derived(Vector.BUS_FAULT, frame, xpsr, control, pc, executed)
        low = self._recorder.words[layout.H_SP_LOW]
        self._recorder.words[layout.H_SP_LOW] = min(int(low), frame)
        stale = self._suspended.pop(frame, None)
        if stale is not None:
            self._contexts.forget(stale)
        self._suspended[frame] = self._contexts.suspend(pc, executed)
        kind = layout.FROM_ENTRY_FP if extended and not lazy else layout.FROM_ENTRY
        return self._start(number, xpsr, exc_return, control, kind, frame)

    def _derived(self, fault: Vector, sp: int, xpsr: int, control: int, pc: int, executed: int) -> int:
        """The frame can't be stacked (B1.5.11; Armv8-M: B3.21): this fault is taken instead, and the other waits."""
        if not self._nvic.can_preempt(fault, self.masks()):
            self._set_bits(HFSR, Hfsr.FORCED)
            fault = Vector.HARD_FAULT
            if not self._nvic.can_preempt(fault, self.masks()):
                raise LockupError("an exception frame that can't be stacked (CFSR.STKERR, CFSR.STKOF)")
        self._suspended[sp] = self._contexts.suspend(pc, executed)
        exc_return = self._exc_return(xpsr & XPSR_NUMBER, control, extended=False)
        return self._start(fault, xpsr, exc_return, control, layout.FROM_ENTRY, sp)

    def _stack(self, frame: int, words: tuple[int, ...], *, extended: bool, lazy: bool) -> None:
        data = BASIC.pack(*words)
        if extended:
            data = EXTENDED.pack(*words, *self._engine.fp_registers(), 0)
            self._control.set_word(FPCAR, frame + BASIC_BYTES)
            fpccr = self._control.word(FPCCR) & ~LSPACT
            self._control.set_word(FPCCR, fpccr | (LSPACT if lazy else 0))
        try:
            self._engine.store(frame, data)
        except InputError:
            self._set_bits(CFSR, Cfsr.STKERR)
            raise LockupError(f"the exception frame at 0x{frame:08x} is not in RAM (CFSR.STKERR)") from None

    def _start(self, number: int, xpsr: int, exc_return: int, control: int, kind: int, sp: int) -> int:
        overhead, begin = self._recorder.pricer.model.overhead(_SOURCE_EXITS[kind]).nominal, self._recorder.moments.now
        if self._nvic.pending >> number & 1 and self.arrivals(overhead):
            number = self._nvic.preempting(self.masks()) or number
        handler = self._vector(number)
        if handler is None or not handler & 1:
            self._set_bits(HFSR, Hfsr.VECTTBL)
            raise LockupError(f"the vector table has no handler for exception {number}")
        self._name_handler(number, handler)
        self._recorder.moments.entered(number, begin)
        self._nvic.enter(number)
        self._engine.enter_handler(number, xpsr, exc_return, control, sp)
        self._contexts.enter(kind, "msp")
        self.overhead_cycles += overhead
        self.event = True
        return handler & ~1

    def _name_handler(self, number: int, handler: int) -> None:
        """For the timeline: what handled an exception first."""
        handlers, calls = self._recorder.moments.handlers, self._recorder.calls
        if number not in handlers:
            function = calls.function_at(handler & ~1)
            handlers[number] = "" if function is None else self._recorder.functions.names[function]

    def _vector(self, number: int) -> int | None:
        try:
            data = self._engine.read(self._control.word(VTOR) + 4 * number, 4)
        except InputError:
            return None
        return int.from_bytes(data, "little")

    def _exc_return(self, running: int, control: int, *, extended: bool) -> int:
        """The value for lr (B1.5.8, Table B1-8; Armv8-M: D1.2.95)."""
        value = RETURN_V8_SECURE if self._secure else RETURN_V8 if self._version8 else RETURN_V7
        if not extended:
            value |= BASIC_FRAME
        if not running:
            value |= RETURN_TO_THREAD
            value |= RETURN_TO_PSP if control & CONTROL_SPSEL else 0
        return value

    # Return.

    def leave(self, exc_return: int) -> int:
        """Return from the running exception with this value in the pc; where execution goes on.

        LockupError where even the fault that an illegal return raises can't be taken.
        """
        engine, nvic = self._engine, self._nvic
        exc_return |= not self._version8 or self._secure  # the emulator's pc has lost the lowest bit
        xpsr, control, sp, process_sp, faultmask = engine.leaving_registers()
        number = xpsr & XPSR_NUMBER
        if not self._is_legal(number, exc_return):
            return self._illegal(number, exc_return, Cfsr.INVPC)
        nvic.leave(number)
        if faultmask & 1 and number != Vector.NMI and not self._baseline:
            engine.clear_faultmask()
        following = nvic.preempting(self.masks()) if nvic.pending & nvic.enabled else None
        if following is not None:
            self._contexts.leave(Exit.END)
            self._recorder.moments.left(number, self._recorder.moments.now)
            return self._start(following, xpsr, exc_return, control, layout.FROM_TAIL_CHAIN, sp)
        self.event = True
        return self._unstack(number, exc_return, process_sp if exc_return & RETURN_TO_PSP else sp, control)

    def _is_legal(self, number: int, exc_return: int) -> bool:
        """The checks of ExceptionReturn (B1.5.8): the exception is active, and the mode fits what else is."""
        others = self._nvic.active & ~(1 << number)
        if not self._nvic.active >> number & 1:
            return False
        if not exc_return & BASIC_FRAME and not self._control.has_fpu:
            return False
        if exc_return & RETURN_TO_THREAD:
            return not others or bool(self._control.word(CCR) & NONBASETHRDENA)
        return not exc_return & RETURN_TO_PSP and bool(others)

    def _illegal(self, number: int, exc_return: int, cause: Cfsr) -> int:
        """A return with that value, or to that frame, is a fault: it is taken with the frame left where it is."""
        self.on_illegal(f"illegal exception return with 0x{exc_return:08x} (CFSR.{cause.name})")
        self._set_bits(CFSR, cause)
        self._nvic.leave(number)
        if number != Vector.NMI and not self._baseline:
            self._engine.clear_faultmask()
        masks = self.masks()
        fault = Vector.USAGE_FAULT
        if self._baseline or not self._nvic.can_preempt(fault, masks):
            self._set_bits(HFSR, Hfsr.FORCED)
            fault = Vector.HARD_FAULT
            if not self._nvic.can_preempt(fault, masks):
                raise LockupError(f"illegal exception return with 0x{exc_return:08x} (CFSR.{cause.name})")
        self._contexts.leave(Exit.END)
        self._recorder.moments.left(number, self._recorder.moments.now)
        *_, xpsr, sp, control = self._engine.stacked_registers()
        return self._start(fault, xpsr, exc_return, control, layout.FROM_TAIL_CHAIN, sp)

    def _unstack(self, number: int, exc_return: int, frame: int, control: int) -> int:
        engine = self._engine
        extended = not exc_return & BASIC_FRAME
        process = bool(exc_return & RETURN_TO_PSP)
        used_fp = bool(control & CONTROL_FPCA)
        size = EXTENDED_BYTES if extended else BASIC_BYTES
        try:
            values = (EXTENDED if extended else BASIC).unpack(engine.read(frame, size))
        except InputError:
            self._set_bits(CFSR, Cfsr.UNSTKERR)
            raise LockupError(f"the exception frame at 0x{frame:08x} is not in memory (CFSR.UNSTKERR)") from None
        pc, xpsr = int(values[6]), int(values[7])
        if bool(xpsr & XPSR_NUMBER) == bool(exc_return & RETURN_TO_THREAD) or not xpsr & XPSR_THUMB:
            cause = Cfsr.INVPC if xpsr & XPSR_THUMB else Cfsr.INVSTATE
            return self._illegal(number, exc_return, cause)
        sp = frame + size + (4 if xpsr & XPSR_ALIGNED else 0)
        control = control & CONTROL_NPRIV | (CONTROL_SPSEL if process else 0)
        kind = Exit.RETURN
        if extended:
            lazy = bool(self._control.word(FPCCR) & LSPEN)
            kind = Exit.RETURN_LAZY_FP if lazy and used_fp else Exit.RETURN if lazy else Exit.RETURN_FP
            self._control.set_word(FPCCR, self._control.word(FPCCR) & ~LSPACT)
            control |= CONTROL_FPCA
        self._contexts.leave(kind)
        self._recorder.moments.left(number, self._recorder.moments.now)
        self.overhead_cycles += self._recorder.pricer.model.overhead(kind).nominal
        if extended:
            engine.set_fp_registers(values[8:25])
        engine.leave_handler(values, xpsr & ~XPSR_ALIGNED | XPSR_THUMB, control, sp)
        self._go_on(frame, pc & ~1, "psp" if process else "msp")
        return pc & ~1

    def _go_on(self, frame: int, pc: int, stack: str) -> None:
        """Resume what was interrupted with that frame, or begin a thread whose frame the firmware made."""
        suspended = self._suspended.pop(frame, None)
        if suspended is not None:
            self._contexts.resume(suspended, pc)
            return
        function = self._recorder.calls.function_at(pc)
        name = self._recorder.functions.names[function] if function is not None else f"sub_{pc:08x}"
        self._contexts.enter(layout.START, f"{stack} {name}")

    def _set_bits(self, register: int, bits: int) -> None:
        self._control.set_word(register, self._control.word(register) | bits)


_SOURCE_EXITS = {
    layout.FROM_ENTRY: Exit.ENTRY,
    layout.FROM_ENTRY_FP: Exit.ENTRY_FP,
    layout.FROM_TAIL_CHAIN: Exit.TAIL_CHAIN,
}

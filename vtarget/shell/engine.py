"""The emulated CPU (home of unicorn): memory, registers and native hooks, in vtarget's words."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import unicorn as uni
import unicorn.arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Region
from vtarget.shell import registerfile
from vtarget.shell.registerset import RegisterSet

CPU_MODELS = {
    "cortex-m0": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
}
REGISTERS = (
    *(getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13)),
    *(arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR),
    arm.UC_ARM_REG_PC,
)
SP, IPSR = arm.UC_ARM_REG_SP, arm.UC_ARM_REG_IPSR
INTERRUPT_SVC, INTERRUPT_PREFETCH_ABORT, INTERRUPT_DATA_ABORT, INTERRUPT_BKPT = 2, 3, 4, 7
# Others that the emulator raises, by its numbers.
EXCEPTIONS = {
    17: "instruction of a coprocessor that isn't there",
    18: "jump to an address without the Thumb bit (Arm state)",
    19: "stack pointer below its limit (MSPLIM, PSPLIM)",
    22: "unaligned access",
}
PAGE = 4096
PIECE_BYTES = 128  # the most that is read often: an exception frame
_MASKS = (arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK, arm.UC_ARM_REG_XPSR,
          arm.UC_ARM_REG_CONTROL)  # fmt: skip
_STACKED = (*REGISTERS[:4], REGISTERS[12], REGISTERS[14], arm.UC_ARM_REG_XPSR, SP)
_STOPPED = (*_STACKED, arm.UC_ARM_REG_CONTROL, *_MASKS[:3], arm.UC_ARM_REG_PC, arm.UC_ARM_REG_MSP)
_LEAVING = (arm.UC_ARM_REG_XPSR, arm.UC_ARM_REG_CONTROL, SP, arm.UC_ARM_REG_PSP, arm.UC_ARM_REG_FAULTMASK)
_FP_STACKED = (*(getattr(arm, f"UC_ARM_REG_S{i}") for i in range(16)), arm.UC_ARM_REG_FPSCR)
_CONTROL, _XPSR = arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_XPSR
_XPSR_FLAGS = 0xF80F0000  # N, Z, C, V, Q, GE
_SPECIAL = {
    "xpsr": arm.UC_ARM_REG_XPSR,
    "msp": arm.UC_ARM_REG_MSP,
    "psp": arm.UC_ARM_REG_PSP,
    "primask": arm.UC_ARM_REG_PRIMASK,
    "basepri": arm.UC_ARM_REG_BASEPRI,
    "faultmask": arm.UC_ARM_REG_FAULTMASK,
    "control": arm.UC_ARM_REG_CONTROL,
    "fpscr": arm.UC_ARM_REG_FPSCR,
    **{f"d{n}": getattr(arm, f"UC_ARM_REG_D{n}") for n in range(16)},
}

_FETCH_ERRORS = frozenset({uni.UC_ERR_FETCH_UNMAPPED, uni.UC_ERR_FETCH_PROT, uni.UC_ERR_FETCH_UNALIGNED})
_FAULTS = {
    uni.UC_ERR_READ_UNMAPPED: "read of unmapped memory",
    uni.UC_ERR_WRITE_UNMAPPED: "write to unmapped memory",
    uni.UC_ERR_FETCH_UNMAPPED: "jump to unmapped memory",
    uni.UC_ERR_WRITE_PROT: "write to read-only memory",
    uni.UC_ERR_READ_PROT: "read of protected memory",
    uni.UC_ERR_FETCH_PROT: "jump to memory that is not executable",
    uni.UC_ERR_INSN_INVALID: "undefined instruction",
    uni.UC_ERR_EXCEPTION: "unhandled exception",
    uni.UC_ERR_READ_UNALIGNED: "unaligned read",
    uni.UC_ERR_WRITE_UNALIGNED: "unaligned write",
    uni.UC_ERR_FETCH_UNALIGNED: "unaligned jump",
}


@dataclass(frozen=True)
class EngineFault:
    """What stopped the emulator, in words; the address it tripped over if it was a memory access; whether it was
    fetching an instruction there."""

    what: str
    address: int | None
    fetching: bool = False


def _handle(uc: Any) -> Any:
    return uc._uch if hasattr(uc, "_uch") else uc._uc


class Engine:
    """One emulated core (the board's, or ``emulated_as`` in its place) with the memory of one board."""

    def __init__(self, board: Board, emulated_as: str | None = None) -> None:
        try:
            model = CPU_MODELS[emulated_as or board.core]
        except KeyError:
            known = ", ".join(CPU_MODELS)
            raise InputError(
                f"core {board.core} of board {board.name} can't be emulated", hint=f"known: {known}"
            ) from None
        self.uc = uni.Uc(uni.UC_ARCH_ARM, uni.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(model)
        self._board = board
        self._keep: list[Any] = []
        self.catch_up: Callable[[], None] | None = None  # to be called first when firmware reaches Python
        self._fault_address: int | None = None
        for region in board.regions:
            if region.alias_of is None:
                self._map(region, [a for a in board.regions if a.alias_of == region.name])
        self.uc.hook_add(uni.UC_HOOK_MEM_INVALID, self._on_invalid_access)
        self._uch = _handle(self.uc)
        self._piece = ctypes.create_string_buffer(PIECE_BYTES)
        self._word = ctypes.c_uint32()
        self._word_pointer = ctypes.byref(self._word)
        self._masks = RegisterSet(uclib, self._uch, _MASKS)
        self._stacked = RegisterSet(uclib, self._uch, (*_STACKED, _CONTROL))
        self._leaving = RegisterSet(uclib, self._uch, _LEAVING)
        self._fp_stacked = RegisterSet(uclib, self._uch, _FP_STACKED)
        self._core = RegisterSet(uclib, self._uch, REGISTERS)
        self._stopped = RegisterSet(uclib, self._uch, _STOPPED)
        self._entry = RegisterSet(uclib, self._uch, (SP, _CONTROL, _XPSR, arm.UC_ARM_REG_LR))
        steps = (SP, _XPSR, _CONTROL, _XPSR, _CONTROL, _XPSR, _CONTROL, arm.UC_ARM_REG_LR)
        self._entry_unprivileged = RegisterSet(uclib, self._uch, steps)
        self._return = RegisterSet(uclib, self._uch, (*_STACKED[:6], _CONTROL, _XPSR, _CONTROL, SP))

    def _map(self, region: Region, aliases: list[Region]) -> None:
        size = -(-region.size // PAGE) * PAGE
        rights = uni.UC_PROT_READ
        rights |= uni.UC_PROT_WRITE if region.writable else 0
        rights |= uni.UC_PROT_EXEC if region.execute else 0
        if not aliases:
            self.uc.mem_map(region.base, size, rights)
            return
        memory = ctypes.create_string_buffer(size + PAGE)
        start = -(-ctypes.addressof(memory) // PAGE) * PAGE
        self._keep.append(memory)
        for place in (region, *aliases):
            self.uc.mem_map_ptr(place.base, size, rights, ctypes.c_void_p(start))

    def _on_invalid_access(self, uc: Any, access: int, address: int, size: int, value: int, data: Any) -> bool:
        self._fault_address = address
        return False

    def map_registers(
        self, base: int, size: int, read: Callable[[int, int], int], write: Callable[[int, int, int], None]
    ) -> None:
        """Memory-mapped registers: ``read(address, size)`` and ``write(address, size, value)`` with full addresses."""

        def on_read(_uc: Any, offset: int, width: int, _data: Any) -> int:
            if self.catch_up is not None:
                self.catch_up()
            return read(base + offset, width)

        def on_write(_uc: Any, offset: int, width: int, value: int, _data: Any) -> None:
            if self.catch_up is not None:
                self.catch_up()
            write(base + offset, width, value)

        self.uc.mmio_map(base, size, on_read, None, on_write, None)

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into memory, flash included."""
        self.uc.mem_write(address, data)

    def store(self, address: int, data: bytes) -> None:
        """Put bytes where the firmware could store them; InputError elsewhere."""
        if not self._board.covers(address, len(data), writable=True):
            raise InputError(f"0x{address:08x}..0x{address + len(data):08x} is no RAM of board {self._board.name}")
        uclib.uc_mem_write(self._uch, address, data, len(data))

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory; raises InputError where it is unmapped."""
        data = self._piece if size_bytes <= PIECE_BYTES else ctypes.create_string_buffer(size_bytes)
        if uclib.uc_mem_read(self._uch, address, data, size_bytes) != uni.UC_ERR_OK:
            raise InputError(f"0x{address:08x}..0x{address + size_bytes:08x} is not memory of this board")
        return data.raw[:size_bytes]

    def register(self, number: int) -> int:
        """A core register by its number, 0..15."""
        return self._read_register(REGISTERS[number])

    def _read_register(self, register: int) -> int:
        """A register by the emulator's number, by the shortest way."""
        uclib.uc_reg_read(self._uch, register, self._word_pointer)
        return self._word.value

    def set_register(self, number: int, value: int) -> None:
        """Set a core register by its number, 0..15; the pc takes the Thumb bit."""
        self._word.value = value | 1 if number == 15 else value
        uclib.uc_reg_write(self._uch, REGISTERS[number], self._word_pointer)

    @property
    def in_thumb_state(self) -> bool:
        """Whether the core is in Thumb state, the only one that Cortex-M executes in."""
        return bool(self._read_register(arm.UC_ARM_REG_CPSR) & 1 << 5)

    # Special registers. Sets of registers are read and written in one call: exceptions are frequent.

    @property
    def exception_number(self) -> int:
        """IPSR: the exception that is being handled, 0 in Thread mode."""
        return self._read_register(IPSR) & 0x1FF

    @property
    def flags(self) -> int:
        """xPSR: flags, IT state and exception number."""
        return self._read_register(arm.UC_ARM_REG_XPSR)

    @property
    def control(self) -> int:
        """CONTROL: nPRIV, SPSEL, FPCA."""
        return self._read_register(arm.UC_ARM_REG_CONTROL) & 7

    @property
    def unprivileged(self) -> bool:
        """Whether the core is in unprivileged Thread mode."""
        return bool(self.control & 1) and not self.exception_number

    def set_control(self, value: int) -> None:
        """Set CONTROL; in Thread mode the stack pointer follows SPSEL."""
        self.uc.reg_write(arm.UC_ARM_REG_CONTROL, value)

    def masks(self) -> tuple[int, int, int]:
        """PRIMASK, BASEPRI, FAULTMASK."""
        primask, basepri, faultmask, xpsr, control = self._masks.read()
        if control & 1 and not xpsr & 0x1FF:  # the emulator answers as it would answer the thread: with zeros
            self.uc.reg_write(_XPSR, xpsr | 3)
            primask, basepri, faultmask, _, _ = self._masks.read()
            self.uc.reg_write(_XPSR, xpsr)
        return primask & 1, basepri & 0xFF, faultmask & 1

    def clear_faultmask(self) -> None:
        """Clear FAULTMASK."""
        self.uc.reg_write(arm.UC_ARM_REG_FAULTMASK, 0)

    def stacked_registers(self) -> list[int]:
        """r0..r3, r12, lr, xPSR, sp and CONTROL: what an exception entry needs."""
        return self._stacked.read()

    def leaving_registers(self) -> list[int]:
        """xPSR, CONTROL, sp, PSP and FAULTMASK: what an exception return needs."""
        return self._leaving.read()

    def enter_handler(self, number: int, xpsr: int, exc_return: int, control: int, sp: int) -> None:
        """Handler mode on the main stack for exception ``number``, outside any IT block; SPSEL and FPCA are cleared.

        ``sp`` is where the stack pointer in use is left.
        The emulator lets SPSEL be written in privileged Thread mode alone, so an unprivileged thread gets there first.
        """
        flags = xpsr & _XPSR_FLAGS | 1 << 24
        if control & 1:
            self._entry_unprivileged.write((sp, flags | number, 0, flags, 0, flags | number, 1, exc_return))
        else:
            self._entry.write((sp, 0, flags | number, exc_return))

    def leave_handler(self, frame: tuple[int, ...], xpsr: int, control: int, sp: int) -> None:
        """Restore r0..r3, r12, lr and xPSR, then CONTROL and the stack pointer that both select."""
        # With SFPA beside FPCA: the emulated M33 would begin another floating-point context otherwise.
        self._return.write((*frame[:6], 0, xpsr, control | (8 if control & 4 else 0), sp))

    def fp_registers(self) -> list[int]:
        """s0..s15 and FPSCR."""
        return self._fp_stacked.read()

    def set_fp_registers(self, values: tuple[int, ...]) -> None:
        """Set s0..s15 and FPSCR."""
        self._fp_stacked.write(values)

    @property
    def on_process_stack(self) -> bool:
        """Whether CONTROL.SPSEL selects the process stack (PSP)."""
        return bool(self._read_register(arm.UC_ARM_REG_CONTROL) & 2)

    def registers(self) -> list[int]:
        """r0..r15."""
        return self._core.read()

    def register_file(self) -> int | None:
        """The address of r0..r15 in this process, 32 bits each; None where it can't be found. Looked for each time."""
        return registerfile.find(self.handle, self.registers, self.set_register)

    def hook_native(self, kind: str, function: int, data: int, begin: int = 1, end: int = 0) -> None:
        """Register a native callback (block, code or interrupt) at addresses, both ends included; all by default."""
        handle = ctypes.c_size_t()
        number = {"block": uni.UC_HOOK_BLOCK, "code": uni.UC_HOOK_CODE, "interrupt": uni.UC_HOOK_INTR}[kind]
        error = uclib.uc_hook_add(
            _handle(self.uc),
            ctypes.byref(handle),
            number,
            ctypes.c_void_p(function),
            ctypes.c_void_p(data),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if error != uni.UC_ERR_OK:
            raise RuntimeError(f"uc_hook_add failed: {error}")

    def hook_instruction(self, address: int, function: Callable[[int], None]) -> int:
        """Call ``function(address)`` before the instruction there executes. A handle for ``unhook``."""

        def call(_uc: Any, at: int, _size: int, _data: Any) -> None:
            if self.catch_up is not None:
                self.catch_up()
            function(at)

        return int(self.uc.hook_add(uni.UC_HOOK_CODE, call, begin=address, end=address))

    def hook_data(
        self, begin: int, end: int, function: Callable[[int], None], *, reads: bool = False, writes: bool = False
    ) -> int:
        """Call ``function(address)`` at accesses of ``begin`` .. ``end``. A handle for ``unhook``.

        If the function stops the emulator outside an IT block, the instruction has reached memory but not finished:
        the pc is still its address, and it executes again when the run goes on.
        """
        kind = (uni.UC_HOOK_MEM_READ if reads else 0) | (uni.UC_HOOK_MEM_WRITE if writes else 0)

        def call(_uc: Any, _access: int, address: int, size: int, _value: int, _data: Any) -> None:
            if address < end and begin < address + size:
                function(max(address, begin))

        # The emulator compares an access's first address alone; the widest access has 8 bytes.
        handle = self.uc.hook_add(kind, call, begin=max(0, begin - 7), end=end - 1)
        self.forget_all_code()
        return int(handle)

    def hook_every_instruction(self) -> int:
        """Have the emulator bring its registers up to date before each instruction. A handle for ``unhook_native``."""
        handle = ctypes.c_size_t()
        harmless = ctypes.cast(uclib.uc_arch_supported, ctypes.c_void_p)
        everywhere = ctypes.c_uint64(1), ctypes.c_uint64(0)
        uclib.uc_hook_add(self._uch, ctypes.byref(handle), uni.UC_HOOK_CODE, harmless, None, *everywhere)
        self.forget_all_code()
        return handle.value

    def unhook_native(self, handle: int) -> None:
        """Take such a hook away."""
        uclib.uc_hook_del(self._uch, ctypes.c_size_t(handle))
        self.forget_all_code()

    def unhook(self, handle: int) -> None:
        """Take a hook away."""
        self.uc.hook_del(handle)

    def special_register(self, name: str) -> int:
        """xpsr, msp, psp, primask, basepri, faultmask, control, fpscr, or d0..d15 as 64 bits."""
        return int(self.uc.reg_read(_SPECIAL[name]))

    def set_special_register(self, name: str, value: int) -> None:
        """Set one of them."""
        self.uc.reg_write(_SPECIAL[name], value)

    def hook_interrupts(self, function: Callable[[int], None]) -> None:
        """Call ``function(number)`` for each exception the core raises (INTERRUPT_*)."""
        self.uc.hook_add(uni.UC_HOOK_INTR, lambda _uc, number, _data: function(number))

    def tick_words(self) -> tuple[tuple[int, int, int, int], ...]:
        """What exception entry needs and sets, what a return needs and sets, and the floating-point registers."""
        return tuple(
            registers.words for registers in (self._stopped, self._entry, self._leaving, self._return, self._fp_stacked)
        )

    @property
    def handle(self) -> int:
        """The emulator, to its C functions."""
        return int(self._uch.value)

    def forget_code(self, address: int, size_bytes: int) -> None:
        """Drop translated code there, so that hooks added since take effect."""
        self.uc.ctl_remove_cache(address, address + size_bytes)

    def forget_all_code(self) -> None:
        """Drop all translated code, so that hooks of data take effect or stop costing time."""
        self.uc.ctl_flush_tb()

    def stop(self) -> None:
        """Stop before the next block (or, from a block hook, before this one)."""
        self.uc.emu_stop()

    def run(self, pc: int, until: int) -> EngineFault | None:
        """Run from ``pc`` until something stops it; None if it stopped by request or at ``until``."""
        self._fault_address = None
        return self.fault(uclib.uc_emu_start(self._uch, pc | 1, until, 0, 0))

    def fault(self, error: int) -> EngineFault | None:
        """What an error number of the emulator means; an exception that a hook has raised is raised here."""
        raised, self.uc._hook_exception = self.uc._hook_exception, None
        if raised is not None:
            raise raised
        if error == uni.UC_ERR_OK:
            return None
        return EngineFault(_FAULTS.get(error, f"emulator error {error}"), self._fault_address, error in _FETCH_ERRORS)


def emulator_function(name: str) -> Any:
    """A C function of the emulator, ``emu_stop`` for instance."""
    return getattr(uclib, f"uc_{name}")

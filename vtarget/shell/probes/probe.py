"""What reaches a board: the interface that measuring uses, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vtarget.data.image import Image
from vtarget.shell.probes.errors import LockedChipError, RefusedError, VerifyError, WrongDeviceError

CPUID, FP_CTRL = 0xE000ED00, 0xE0002000
# CPUID.PARTNO by core (the cores' technical reference manuals, CPUID).
PART_NUMBERS = {
    0xC20: "cortex-m0",
    0xC60: "cortex-m0plus",
    0xC21: "cortex-m1",
    0xC23: "cortex-m3",
    0xC24: "cortex-m4",
    0xC27: "cortex-m7",
    0xD20: "cortex-m23",
    0xD21: "cortex-m33",
    0xD22: "cortex-m55",
    0xD23: "cortex-m85",
}
SERVED_BREAKPOINTS = 32  # of a server in front of a core that has no comparators of its own
VERIFIED_BYTES = 1 << 16  # at a time

Progress = Callable[[str, int, int], None]  # what is done, bytes done, of so many


def no_progress(_what: str, _done: int, _of: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Halt:
    """The core was stopped before the instruction at ``pc``; or the run has ``ended``, with ``exit_code``.

    ``signal`` is what a GDB server gives for a reason (GDB manual, E.3).
    """

    pc: int
    signal: int = 5
    ended: bool = False
    exit_code: int | None = None


class Probe(Protocol):
    """A connection to one core, which is stopped while it is spoken to, unless ``resume`` said otherwise.

    Every method may raise ConnectionLostError, and RefusedError if the other end says no. Every wait has an end.
    """

    kind: str  # for measurements: names no machine
    serial: str | None  # of the probe or board, if it tells

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory or registers; words of registers are read as words."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Write RAM or registers."""

    def read_register(self, name: str) -> int:
        """A core register: r0 to r12, sp, lr, pc."""

    def write_register(self, name: str, value: int) -> None:
        """Set a core register."""

    def flash(self, image: Image, progress: Progress = no_progress) -> None:
        """Write the image to the board's memory: flash or RAM."""

    def reset_halt(self) -> None:
        """Reset the board and stop the core before its first instruction."""

    def halt(self) -> Halt:
        """Stop the core."""

    def resume(self) -> None:
        """Let the core run."""

    def step(self) -> Halt:
        """Execute one instruction."""

    def wait_halt(self, timeout_s: float) -> Halt | None:
        """Wait until the core stops by itself; None if it doesn't in that time. It then still runs."""

    def set_breakpoint(self, address: int) -> None:
        """Use a comparator for a breakpoint."""

    def clear_breakpoint(self, address: int) -> None:
        """Give a comparator back."""

    def pace(self, cycles: int) -> bool:
        """Have a board that isn't real wait, after so many cycles, until it is halted: it may be faster than any clock,
        and a counter must not wrap unseen. Whether it will; False of a real one."""

    def console(self) -> str:
        """What the firmware has printed through the debug connection since this was asked last."""

    def restore(self) -> None:
        """Leave the board running or halted as it was found, without breakpoints."""

    def close(self) -> None:
        """End the connection. Raises nothing."""


def read_word(probe: Probe, address: int) -> int:
    """A word of memory or a register."""
    return int.from_bytes(probe.read_memory(address, 4), "little")


def write_word(probe: Probe, address: int, value: int) -> None:
    """Write a word of memory or a register."""
    probe.write_memory(address, value.to_bytes(4, "little"))


def identify(probe: Probe, core: str) -> int:
    """CPUID of the core; WrongDeviceError if it isn't a ``core``, LockedChipError if the chip doesn't tell."""
    cpuid = read_word(probe, CPUID)
    if cpuid in (0, 0xFFFFFFFF):
        raise LockedChipError(
            f"the core's CPUID reads 0x{cpuid:08x}: the chip is locked, held in reset or unpowered",
            hint="unlocking (a mass erase) is for the vendor's tool",
        )
    found = PART_NUMBERS.get(cpuid >> 4 & 0xFFF)
    if found != core:
        named = found or f"an unknown core (CPUID 0x{cpuid:08x})"
        raise WrongDeviceError(f"the probe is connected to {named}, the board's core is {core}", hint="check --board")
    return cpuid


def check_readable(probe: Probe, image: Image) -> None:
    """LockedChipError if the chip doesn't let its memory be read where the image goes. To be asked before anything is
    erased: programming a chip with readout protection would end in a mass erase, or fail halfway."""
    for segment in image.segments:
        if segment.data:
            _read_back(probe, segment.load_address, 4)


def _read_back(probe: Probe, address: int, size_bytes: int) -> bytes:
    try:
        return probe.read_memory(address, size_bytes)
    except RefusedError as error:
        raise LockedChipError(
            f"the chip doesn't let its memory at 0x{address:08x} be read: {error.message}",
            hint="it is locked (readout protection), or has no memory there; unlocking is for the vendor's tool",
        ) from None


def verify(probe: Probe, image: Image, progress: Progress = no_progress) -> None:
    """VerifyError if the board's memory doesn't hold the image, LockedChipError if it can't be read."""
    total = sum(len(s.data) for s in image.segments)
    done = 0
    for segment in image.segments:
        for start in range(0, len(segment.data), VERIFIED_BYTES):
            expected = segment.data[start : start + VERIFIED_BYTES]
            found = _read_back(probe, segment.load_address + start, len(expected))
            if found != expected:
                at = next(i for i, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1])
                raise VerifyError(
                    f"the board's memory differs from {image.path} at 0x{segment.load_address + start + at:08x}: "
                    f"it holds 0x{found[at]:02x}, the file 0x{expected[at]:02x}",
                    hint="flash it: leave out --no-flash; or the flash is write-protected",
                )
            done += len(expected)
            progress("verifying", done, total)


def comparators(probe: Probe) -> int:
    """How many breakpoints the core's comparators make: FP_CTRL.NUM_CODE (DDI 0403 C1.11.3; DDI 0419 C1.9, BP_CTRL).

    A server that has none to tell of is taken to have SERVED_BREAKPOINTS.
    """
    control = read_word(probe, FP_CTRL)
    number = control >> 4 & 0xF | (control >> 12 & 7) << 4
    return number if 0 < number < 0x7F else SERVED_BREAKPOINTS

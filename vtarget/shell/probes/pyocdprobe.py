"""A board behind a debug probe that pyOCD drives. Home of the package pyocd (extra ``board``), loaded when used."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vtarget.base.errors import InputError
from vtarget.data.image import Image
from vtarget.shell.probes.errors import ConnectionLostError, LockedChipError, NoProbeError, ProbeError, RefusedError
from vtarget.shell.probes.probe import Halt, Progress, check_readable, no_progress

if TYPE_CHECKING:
    from pyocd.core.session import Session

POLL_SECONDS = 0.001
HALT_SECONDS = 5.0
GENERIC = "cortex_m"  # pyOCD's target for what it doesn't know: no flash
LOCKUP_SIGNAL, TRAP_SIGNAL = 11, 5
LOCKED_WORDS = ("locked", "approtect", "readout", "security")


class PyocdProbe:
    """A ``Probe`` through pyOCD. ``target`` is pyOCD's name of the chip, as the board's file has it.

    The core is attached to as it runs or stands, so that it can be left like that.
    """

    kind = "pyocd"

    def __init__(self, uid: str | None, target: str | None) -> None:
        _check_package()
        self._session = _session(uid, target)
        self._breakpoints: set[int] = set()
        self._in_ram: list[tuple[int, bytes]] = []  # what of the firmware was loaded there
        self._found_running = False
        try:
            with _told("connect to the chip"):
                self._session.open()
                self._core = self._session.target.selected_core_or_raise
                self._found_running = not self._core.is_halted()
                if self._found_running:
                    self._core.halt()
        except ProbeError:
            self.close()
            raise
        name = str(self._session.probe.unique_id)
        self.serial: str | None = None if name.startswith("remote:") else name  # that would be a host's name

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory or registers; words of registers are read as words."""
        with _told(f"read memory at 0x{address:08x}"):
            if address % 4 == 0 and size_bytes % 4 == 0:
                words = self._core.read_memory_block32(address, size_bytes // 4)
                return b"".join(int(word).to_bytes(4, "little") for word in words)
            return bytes(self._core.read_memory_block8(address, size_bytes))

    def write_memory(self, address: int, data: bytes) -> None:
        """Write RAM or registers."""
        with _told(f"write memory at 0x{address:08x}"):
            if address % 4 == 0 and len(data) % 4 == 0:
                words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]
                self._core.write_memory_block32(address, words)
            else:
                self._core.write_memory_block8(address, list(data))

    def read_register(self, name: str) -> int:
        """A core register: r0 to r12, sp, lr, pc."""
        with _told(f"read {name}"):
            value = int(self._core.read_core_register_raw(name))
        return value & ~1 if name == "pc" else value

    def write_register(self, name: str, value: int) -> None:
        """Set a core register."""
        with _told(f"set {name}"):
            self._core.write_core_register_raw(name, value)

    def flash(self, image: Image, progress: Progress = no_progress) -> None:
        """Write the image with pyOCD's algorithm for the chip's flash. What stands in RAM is just written, and again
        after every reset, as the firmware may change it."""
        from pyocd.flash.loader import MemoryLoader

        total = sum(len(segment.data) for segment in image.segments)
        self._in_ram = []
        check_readable(self, image)
        with _told("program the flash"):
            memory = self._session.target.memory_map
            loader = MemoryLoader(self._session, lambda share: progress("flashing", int(share * total), total))
            for segment in image.segments:
                region = memory.get_region_for_address(segment.load_address)
                if region is not None and region.is_flash:
                    loader.add_data(segment.load_address, bytearray(segment.data))
                else:
                    self._in_ram.append((segment.load_address, segment.data))
            loader.commit()
        for address, data in self._in_ram:
            self.write_memory(address, data)

    def reset_halt(self) -> None:
        """Reset the board and stop the core before its first instruction."""
        for address in tuple(self._breakpoints):
            self.clear_breakpoint(address)
        with _told("reset the board"):
            self._core.reset_and_halt()
        for address, data in self._in_ram:
            self.write_memory(address, data)

    def halt(self) -> Halt:
        """Stop the core."""
        with _told("stop the core"):
            self._core.halt()
        halt = self.wait_halt(HALT_SECONDS)
        if halt is None:
            raise ConnectionLostError(f"the core doesn't stop within {HALT_SECONDS:g} s")
        return halt

    def resume(self) -> None:
        """Let the core run."""
        with _told("let the core run"):
            self._core.resume()

    def step(self) -> Halt:
        """Execute one instruction."""
        with _told("step"):
            self._core.step(disable_interrupts=False)
        return Halt(self.read_register("pc"))

    def wait_halt(self, timeout_s: float) -> Halt | None:
        """Wait until the core stops by itself; None if it doesn't in that time."""
        from pyocd.core.target import Target

        end = time.monotonic() + timeout_s
        while True:
            with _told("ask whether the core runs"):
                state = self._core.get_state()
            if state == Target.State.HALTED:
                return Halt(self.read_register("pc"), TRAP_SIGNAL)
            if state == Target.State.LOCKUP:
                self._core.halt()
                return Halt(self.read_register("pc"), LOCKUP_SIGNAL)
            if time.monotonic() >= end:
                return None
            time.sleep(POLL_SECONDS)

    def set_breakpoint(self, address: int) -> None:
        """Use a comparator for a breakpoint."""
        from pyocd.core.target import Target

        with _told(f"set a breakpoint at 0x{address:08x}"):
            done = self._core.set_breakpoint(address, Target.BreakpointType.HW)
        if not done:
            raise RefusedError(f"no comparator can break at 0x{address:08x}", hint="another debugger may hold them")
        self._breakpoints.add(address)

    def clear_breakpoint(self, address: int) -> None:
        """Give a comparator back."""
        if address in self._breakpoints:
            self._breakpoints.discard(address)
            with _told(f"clear the breakpoint at 0x{address:08x}"):
                self._core.remove_breakpoint(address)

    def pace(self, cycles: int) -> bool:
        """It can't: silicon keeps real time."""
        return False

    def console(self) -> str:
        """Nothing: semihosting calls stop the core, and are served where the run is."""
        return ""

    def restore(self) -> None:
        """Leave the board running from reset, or halted there if it was found halted."""
        self.reset_halt()
        if self._found_running:
            self.resume()

    def close(self) -> None:
        """End the connection; the core stays as it is."""
        with suppress(ProbeError), _told("disconnect"):
            self._session.close()


def _check_package() -> None:
    try:
        import pyocd  # noqa: F401
    except ImportError:
        hint = "pip install 'vtarget[board]'"
        raise InputError("--probe pyocd: the package pyocd is not installed", hint=hint) from None
    logging.getLogger("pyocd").setLevel(logging.CRITICAL)  # what it has to say is in our errors


def _session(uid: str | None, target: str | None) -> Session:
    from pyocd.core.helpers import ConnectHelper
    from pyocd.core.session import Session

    with _told("look for probes"):
        probes: list[Any] = ConnectHelper.get_all_connected_probes(blocking=False, unique_id=uid)
    if not probes:
        which = "no debug probe is connected" if uid is None else f"no debug probe '{uid}' is connected"
        raise NoProbeError(which, hint="check cable and permissions (udev rules); 'pyocd list' shows what it finds")
    if len(probes) > 1:
        found = ", ".join(str(probe.unique_id) for probe in probes)
        raise InputError(f"--probe pyocd: {len(probes)} probes are connected: {found}", hint="name one: pyocd:UID")
    options = {
        "connect_mode": "attach",
        "resume_on_disconnect": False,
        "auto_unlock": False,
        "target_override": target or GENERIC,
        "chip_erase": "sector",
    }
    with _told("use the probe"):
        return Session(probes[0], options=options)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """pyOCD's exceptions, and those that its drivers let through, as ours."""
    from pyocd.core import exceptions

    try:
        yield
    except exceptions.TargetSupportError as error:
        raise RefusedError(f"pyOCD can't {what}: {_line(error)}", hint="'pyocd pack install NAME' adds chips") from None
    except (exceptions.TransferFaultError, exceptions.FlashFailure, exceptions.CoreRegisterAccessError) as error:
        raise _locked_or(RefusedError, what, error) from None
    except (exceptions.ProbeError, exceptions.TransferError, exceptions.TimeoutError, OSError) as error:
        raise _locked_or(ConnectionLostError, what, error) from None
    except AssertionError as error:  # what pyOCD's bookkeeping makes of a probe that was pulled out
        cause = error.__context__
        raise _locked_or(ConnectionLostError, what, cause if isinstance(cause, exceptions.Error) else error) from None
    except (exceptions.Error, ValueError, KeyError) as error:
        raise _locked_or(RefusedError, what, error) from None


def _locked_or(kind: type[ProbeError], what: str, error: Exception) -> ProbeError:
    text = _line(error)
    if any(word in text.lower() for word in LOCKED_WORDS):
        return LockedChipError(f"pyOCD can't {what}: {text}", hint="unlocking (a mass erase) is for the vendor's tool")
    return kind(f"pyOCD can't {what}: {text}")


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

"""A board behind a GDB server: OpenOCD, J-Link, ST-Link, probe-rs, pyOCD, QEMU, or vtarget itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from vtarget.base.errors import VtargetError
from vtarget.data.image import Image
from vtarget.shell.gdb.packets import from_hex
from vtarget.shell.probes.errors import ConnectionLostError, LockedChipError, ProbeError, RefusedError
from vtarget.shell.probes.gdbclient import ANSWER_SECONDS, FLASH_SECONDS, GdbClient, HostCall, Stop
from vtarget.shell.probes.probe import CPUID, Halt, Progress, check_readable, no_progress
from vtarget.shell.scb import VTOR

RESET_SECONDS = 20.0
HALT_SECONDS = 5.0
RESTORE_SECONDS = 2.0  # for each answer, once something has gone wrong
# What servers call "reset, and stop before the first instruction", tried in turn: OpenOCD, pyOCD, probe-rs, ST-Link and
# vtarget; J-Link; QEMU.
RESETS = ("reset halt", "reset", "system_reset")
UNKNOWN = re.compile(r"unknown|invalid|unsupported|not supported|no such|not recognized|unrecognized|error", re.I)
REGISTERS = {**{f"r{n}": n for n in range(13)}, "sp": 13, "lr": 14, "pc": 15}
PACE = "vtarget-pace"
STDOUT, STDERR = 1, 2
EBADF, EPERM = 9, 1


@dataclass(frozen=True)
class Stretch:
    """A part of the server's memory map; ``block_bytes`` is 0 but for flash."""

    start: int
    end: int
    kind: str
    block_bytes: int


class GdbProbe:
    """A ``Probe`` through a GDB server. NoProbeError if there is none, LockedChipError if it can't reach the core.

    A server stops the core when somebody connects, and doesn't tell whether it ran. It is taken to have been halted
    if it stands at the first instruction after a reset, else to have run.
    """

    def __init__(self, host: str, port: int, *, answer_s: float = ANSWER_SECONDS) -> None:
        self.kind = f"gdb:{port}"
        self.serial: str | None = None
        self._place = host, port
        self._client = GdbClient(host, port, answer_s=answer_s)
        self._breakpoints: set[int] = set()
        self._running = False
        self._reset = ""  # the command that resets, once one has worked
        self._found_halted = False
        self._in_ram: list[tuple[int, bytes]] = []  # what of the firmware was loaded there
        try:
            self._attach()
        except VtargetError:
            self.close()
            raise

    def _attach(self) -> None:
        self._client.ask(b"!")  # a server may otherwise be gone with the firmware's exit
        answer = self._client.ask(b"?", timeout_s=RESET_SECONDS)
        if answer[:1] in (b"W", b"X"):
            raise RefusedError("the GDB server has no program that it could run (it has ended)", hint="start it again")
        try:
            self.read_memory(CPUID, 4)
        except RefusedError as error:
            raise LockedChipError(
                f"the GDB server can't read the core's registers: {error.message}",
                hint="the chip is locked (readout protection), unpowered or held in reset",
            ) from None
        self._found_halted = self._is_at_reset()

    def _is_at_reset(self) -> bool:
        try:
            table = int.from_bytes(self.read_memory(VTOR, 4), "little")
            entry = int.from_bytes(self.read_memory(table + 4, 4), "little")
            return self.read_register("pc") == entry & ~1
        except RefusedError:
            return False

    # Memory and registers.

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory or registers."""
        data = bytearray()
        most = (self._client.packet_bytes - 16) // 2 & ~3
        while len(data) < size_bytes:
            at, size = address + len(data), min(most, size_bytes - len(data))
            answer = self._client.ask(f"m{at:x},{size:x}".encode())
            part = self._bytes(answer, f"read memory at 0x{at:08x}")
            if not 0 < len(part) <= size:
                raise RefusedError(f"the GDB server gives {len(part)} bytes of memory at 0x{at:08x} instead of {size}")
            data += part
        return bytes(data)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write RAM or registers."""
        most = (self._client.packet_bytes - 32) // 2 & ~3
        for start in range(0, len(data), most):
            part, at = data[start : start + most], address + start
            self._client.command(f"M{at:x},{len(part):x}:{part.hex()}".encode(), f"write memory at 0x{at:08x}")

    def read_register(self, name: str) -> int:
        """A core register: r0 to r12, sp, lr, pc."""
        index = REGISTERS[name]
        answer = self._client.ask(b"p%x" % index)
        if answer == b"":  # a server that only knows all of them together
            data = self._bytes(self._client.ask(b"g"), "read registers")
            data = data[4 * index : 4 * index + 4]
        else:
            data = self._bytes(answer, f"read {name}")
        if len(data) != 4:
            raise RefusedError(f"the GDB server gives {len(data)} bytes of {name}")
        value = int.from_bytes(data, "little")
        return value & ~1 if name == "pc" else value

    def write_register(self, name: str, value: int) -> None:
        """Set a core register."""
        self._client.command(b"P%x=%s" % (REGISTERS[name], value.to_bytes(4, "little").hex().encode()), f"set {name}")

    def _bytes(self, answer: bytes, what: str) -> bytes:
        if answer == b"" or (answer.startswith(b"E") and len(answer) % 2):
            code = answer.decode("ascii", errors="replace")[:40]
            raise RefusedError(f"the GDB server can't {what} (it answers '{code or 'nothing'}')")
        try:
            return from_hex(answer)
        except ValueError:
            raise RefusedError(f"the GDB server can't {what}: it answers something else") from None

    # Loading.

    def flash(self, image: Image, progress: Progress = no_progress) -> None:
        """Write the image; flash is erased in whole blocks, as the server's memory map says. What lies elsewhere is
        RAM, which the firmware may change: it is written after every reset again."""
        check_readable(self, image)
        flash = [stretch for stretch in self._memory_map() if stretch.kind == "flash"]
        total, done = sum(len(s.data) for s in image.segments), 0
        self._erase(image, flash)
        is_flashed, self._in_ram = False, []
        for address, data in self._pieces(image):
            if any(s.start <= address < s.end for s in flash):
                command = f"vFlashWrite:{address:x}:".encode() + data
                self._client.command(command, f"program flash at 0x{address:08x}", timeout_s=FLASH_SECONDS)
                is_flashed = True
            else:
                self.write_memory(address, data)
                self._in_ram.append((address, data))
            done += len(data)
            progress("flashing", done, total)
        if is_flashed:
            self._client.command(b"vFlashDone", "finish programming the flash", timeout_s=FLASH_SECONDS)

    def _pieces(self, image: Image) -> Iterator[tuple[int, bytes]]:
        most = (self._client.packet_bytes - 32) // 2 & ~255 or 32
        for segment in image.segments:
            for start in range(0, len(segment.data), most):
                yield segment.load_address + start, segment.data[start : start + most]

    def _erase(self, image: Image, flash: list[Stretch]) -> None:
        blocks = {
            (address - address % stretch.block_bytes, stretch.block_bytes)
            for stretch in flash
            for segment in image.segments
            for address in range(
                max(segment.load_address, stretch.start) // stretch.block_bytes * stretch.block_bytes,
                min(segment.load_end, stretch.end),
                stretch.block_bytes,
            )
        }
        for address, size in sorted(blocks):
            command = f"vFlashErase:{address:x},{size:x}".encode()
            self._client.command(command, f"erase flash at 0x{address:08x}", timeout_s=FLASH_SECONDS)

    def _memory_map(self) -> list[Stretch]:
        if not self._client.offers("qXfer:memory-map:read"):
            return []
        return parse_memory_map(self._client.document("memory-map", ""))

    # Running.

    def reset_halt(self) -> None:
        """Reset the board and stop the core before its first instruction."""
        for address in tuple(self._breakpoints):
            self.clear_breakpoint(address)
        tried = (self._reset,) if self._reset else RESETS
        for command in tried:
            known, text = self._client.monitor(command, timeout_s=RESET_SECONDS)
            if known and not UNKNOWN.search(text):
                self._reset = command
                for address, data in self._in_ram:
                    self.write_memory(address, data)
                return
        raise RefusedError("the GDB server knows no reset command", hint=f"tried: monitor {', monitor '.join(tried)}")

    def resume(self) -> None:
        """Let the core run."""
        self._client.resume(b"c")
        self._running = True

    def step(self) -> Halt:
        """Execute one instruction."""
        self._client.resume(b"s")
        self._running = True
        halt = self.wait_halt(HALT_SECONDS)
        if halt is None:
            raise ConnectionLostError(f"the GDB server doesn't finish a single step within {HALT_SECONDS:g} s")
        return halt

    def halt(self) -> Halt:
        """Stop the core."""
        self._client.interrupt()
        halt = self.wait_halt(HALT_SECONDS)
        if halt is None:
            raise ConnectionLostError(f"the GDB server doesn't stop the core within {HALT_SECONDS:g} s")
        return halt

    def wait_halt(self, timeout_s: float) -> Halt | None:
        """Wait until the core stops by itself; None if it doesn't in that time."""
        end = time.monotonic() + timeout_s
        while True:
            stop = self._client.stop(max(0.0, end - time.monotonic()))
            if isinstance(stop, HostCall):
                self._serve(stop)
                continue
            if stop is None:
                return None
            self._running = False
            if stop.kind == "S":
                return Halt(self.read_register("pc"), stop.value)
            return self._ended(stop)

    def _ended(self, stop: Stop) -> Halt:
        return Halt(0, ended=True, exit_code=stop.value if stop.kind == "W" else None)

    def _serve(self, call: HostCall) -> None:
        """The host's side of a system call: console output is taken, files aren't served."""
        arguments = call.arguments
        if call.name == "write" and len(arguments) == 3 and arguments[0] in (STDOUT, STDERR):
            self._client.keep(self.read_memory(arguments[1], min(arguments[2], 1 << 16)))
            self._client.reply(arguments[2])
        elif call.name == "isatty":
            self._client.reply(1)
        else:
            self._client.reply(-1, EPERM if call.name == "open" else EBADF)

    def set_breakpoint(self, address: int) -> None:
        """Use a comparator for a breakpoint."""
        answer = self._client.ask(f"Z1,{address:x},2".encode())
        if answer != b"OK":
            raise RefusedError(
                f"the GDB server can't set a hardware breakpoint at 0x{address:08x} "
                f"(it answers '{answer[:40].decode('ascii', errors='replace') or 'nothing'}')",
                hint="comparators of Cortex-M3 and M4 reach code below 0x20000000 only" if address >= 1 << 29 else None,
            )
        self._breakpoints.add(address)

    def clear_breakpoint(self, address: int) -> None:
        """Give a comparator back."""
        if address in self._breakpoints:
            self._client.command(f"z1,{address:x},2".encode(), f"clear the breakpoint at 0x{address:08x}")
            self._breakpoints.discard(address)

    def pace(self, cycles: int) -> bool:
        """Ask vtarget's own server to wait after so many cycles until it is halted; other boards keep real time."""
        return self._client.offers(PACE) and self._client.monitor(f"pace {cycles}")[0]

    def console(self) -> str:
        """What the firmware has printed through the server since this was asked last."""
        return self._client.output().decode("utf-8", errors="replace")

    # Leaving.

    def restore(self) -> None:
        """Leave the board running from reset, or halted there if it was found so. One new connection is tried if the
        old one is lost; ProbeError if the board can't be reached."""
        if self._client.lost:
            self._client = GdbClient(*self._place, answer_s=RESTORE_SECONDS)
            self._running = False
            self._client.ask(b"?")
        elif self._running:
            self.halt()
        self.reset_halt()
        if not self._found_halted:
            self.resume()

    def close(self) -> None:
        """End the connection: a server then leaves the core running if it runs, else lets go of it."""
        if not self._client.lost and not self._running and not self._found_halted:
            with suppress(ProbeError):
                self._client.ask(b"D", timeout_s=RESTORE_SECONDS)
        self._client.close()


_MEMORY = re.compile(r"<memory\s([^>]*?)(?:/>|>(.*?)</memory>)", re.DOTALL)
_BLOCK = re.compile(r"""<property\s+name=["']blocksize["']\s*>\s*(0[xX][0-9a-fA-F]{1,8}|\d{1,10})\s*</property>""")


def parse_memory_map(text: str) -> list[Stretch]:
    """The stretches of a memory map (GDB manual E.19). RefusedError if flash in it has no usable block size."""
    found = []
    for attributes, inside in _MEMORY.findall(text):
        fields = dict(re.findall(r"""(\w+)\s*=\s*["']([^"']*)["']""", attributes))
        try:
            start, length = int(fields["start"], 0), int(fields["length"], 0)
        except (KeyError, ValueError):
            raise RefusedError("the GDB server's memory map can't be understood") from None
        block = _BLOCK.search(inside)
        block_bytes = int(block[1], 0) if block else 0
        if fields.get("type") == "flash" and not 0 < block_bytes <= length <= 1 << 32:
            raise RefusedError("the GDB server's memory map has flash without a block size")
        found.append(Stretch(start, start + length, fields.get("type", ""), block_bytes))
    return found

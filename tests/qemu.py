"""Runs firmware in qemu-system-arm, the reference for execution: console, exit code and memory at the exit."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

QEMU = "qemu-system-arm"
EXIT_FUNCTION = "semihost_exit"
_BKPT_AB = b"\xab\xbe"

needs_qemu = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"{QEMU} not found")


@dataclass(frozen=True)
class QemuResult:
    """What a run left. ``memory`` holds the bytes of each range of ``dump``, as they were at the exit call."""

    console: str
    exit_code: int
    memory: tuple[bytes, ...] = ()


def symbol_address(elf: Path, name: str) -> int:
    """Address of a symbol, without the Thumb bit of functions. KeyError when the ELF has none of that name."""
    return _symbol(elf, name)[0]


def symbol_range(elf: Path, name: str) -> tuple[int, int]:
    """(address, size in bytes) of a symbol, to be handed to ``dump``."""
    return _symbol(elf, name)


def ram_ranges(elf: Path) -> list[tuple[int, int]]:
    """(address, size in bytes) of what our firmware can have written: .data to .bss, and the stack."""
    data, end, limit, top = (
        symbol_address(elf, name) for name in ("__data_start", "__bss_end", "__stack_limit", "__stack_top")
    )
    return [(data, end - data), (limit, top - limit)]


def run_qemu(machine: str, elf: Path, *, dump: Sequence[tuple[int, int]] = (), timeout_s: float = 20.0) -> QemuResult:
    """Runs ``elf`` on ``machine`` until it exits through semihosting.

    ``dump`` lists (address, size in bytes) to read when the program is about to execute the BKPT of its exit call.
    Raises TimeoutError when it doesn't get there in ``timeout_s``.
    """
    with tempfile.TemporaryDirectory(prefix="qemu-") as scratch:
        folder = Path(scratch)
        command = [
            *(QEMU, "-M", machine, "-kernel", str(elf), "-display", "none", "-monitor", "none", "-serial", "none"),
            *("-chardev", f"file,id=console,path={folder / 'console'}"),
            *("-semihosting-config", "enable=on,target=native,chardev=console"),
        ]
        if dump:
            command += ["-S", "-gdb", f"unix:{folder / 'gdb'},server=on,wait=off"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            memory = _dump_at_exit(folder, _exit_call(elf), dump, timeout_s) if dump else ()
            process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{elf.name} on {machine} did not exit in {timeout_s} s") from None
        finally:
            process.kill()
            process.communicate()
        return QemuResult((folder / "console").read_text(), process.returncode, memory)


def _symbol(elf: Path, name: str) -> tuple[int, int]:
    with elf.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        found = table.get_symbol_by_name(name) if isinstance(table, SymbolTableSection) else None
        if not found:
            raise KeyError(name)
        entry = found[0].entry
        is_function = entry["st_info"]["type"] == "STT_FUNC"
        return entry["st_value"] & ~1 if is_function else entry["st_value"], entry["st_size"]


def _exit_call(elf: Path) -> int:
    """Address of the first BKPT 0xAB in the exit function."""
    start, size = _symbol(elf, EXIT_FUNCTION)
    with elf.open("rb") as stream:
        text = ELFFile(stream).get_section_by_name(".text")
        body = text.data()[start - text["sh_addr"] :][:size]
    offsets = [i for i in range(0, len(body), 2) if body[i : i + 2] == _BKPT_AB]
    return start + offsets[0]


def _dump_at_exit(
    folder: Path, exit_call: int, ranges: Sequence[tuple[int, int]], timeout_s: float
) -> tuple[bytes, ...]:
    with _GdbClient(folder / "gdb", timeout_s) as gdb:
        gdb.command(f"Z0,{exit_call:x},2")
        gdb.command("c")
        memory = []
        for i, (address, size) in enumerate(ranges):
            file = folder / f"memory{i}"
            gdb.monitor(f'memsave {address:#x} {size} "{file}"')
            memory.append(file.read_bytes())
        gdb.command("D")  # detach; the program runs on into its exit
        return tuple(memory)


class _GdbClient:
    """The little of the GDB remote protocol that is needed here."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._buffer = b""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._socket.connect(str(path))
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise TimeoutError("QEMU did not open its GDB socket") from None
                time.sleep(0.005)

    def __enter__(self) -> _GdbClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def command(self, text: str) -> str:
        """Sends a packet and returns the answer's payload; RuntimeError for an error answer."""
        self._send(text)
        return self._answer(text)

    def monitor(self, text: str) -> None:
        """A command for QEMU's monitor; what it prints is an error."""
        self._send("qRcmd," + text.encode().hex())
        printed = ""
        while (answer := self._answer(text)) != "OK":
            printed += bytes.fromhex(answer.removeprefix("O")).decode()
        if printed.strip():
            raise RuntimeError(f"{text}: {printed.strip()}")

    def _send(self, text: str) -> None:
        payload = text.encode()
        self._socket.sendall(b"$%s#%02x" % (payload, sum(payload) & 0xFF))

    def _answer(self, request: str) -> str:
        while (end := self._buffer.find(b"#")) < 0 or len(self._buffer) < end + 3:
            received = self._socket.recv(4096)
            if not received:
                raise RuntimeError(f"QEMU closed the connection during '{request}'")
            self._buffer += received
        packet, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
        with contextlib.suppress(BrokenPipeError):  # it may exit right after its answer
            self._socket.sendall(b"+")
        payload = packet[packet.index(b"$") + 1 :].decode()
        if payload.startswith("E"):
            raise RuntimeError(f"QEMU refused '{request}': {payload}")
        return payload

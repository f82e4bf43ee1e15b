"""Small programs in assembly language for tests of the core: vectors by number, and a log that r7 points to.

The macro ``fn NAME`` begins a function and ``end NAME`` ends it, with its literals. ``Reset`` sets r7 to the log and r6
to the system control block (0xE000ED00), then calls ``test``; all logged words are returned.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from machinelib import Ran, run_elf

from vtarget.data.limits import RunLimits
from vtarget.shell.boardlib import load_board

needs_assembler = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
LOG_BYTES = 0x400
OPTIONS = {
    "cortex-m0plus": ["-mcpu=cortex-m0plus"],
    "cortex-m3": ["-mcpu=cortex-m3"],
    "cortex-m4": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=softfp"],
    "cortex-m7": ["-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=softfp"],
    "cortex-m23": ["-mcpu=cortex-m23"],
    "cortex-m33": ["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=softfp"],
    "cortex-m55": ["-march=armv8.1-m.main+mve.fp+fp.dp", "-mfloat-abi=softfp"],
    "cortex-m85": ["-march=armv8.1-m.main+mve.fp+fp.dp", "-mfloat-abi=softfp"],
}
HEAD = """
.syntax unified
.thumb
.macro fn name
.align 2
.type \\name, %function
.thumb_func
\\name:
.endm
.macro end name
.ltorg
.size \\name, . - \\name
.endm
.macro set address, value
ldr r0, =\\address
ldr r1, =\\value
str r1, [r0]
.endm
.equ ICSR, 0xE000ED04
.equ AIRCR, 0xE000ED0C
.equ SCR, 0xE000ED10
.equ CCR, 0xE000ED14
.equ SHPR2, 0xE000ED1C
.equ SHPR3, 0xE000ED20
.equ SHCSR, 0xE000ED24
.equ CFSR, 0xE000ED28
.equ HFSR, 0xE000ED2C
.equ BFAR, 0xE000ED38
.equ CPACR, 0xE000ED88
.equ ISER, 0xE000E100
.equ ISPR, 0xE000E200
.equ ICPR, 0xE000E280
.equ IPR, 0xE000E400
.equ PENDSV, 1 << 28
"""
RESET = """
fn Reset
ldr r7, =LOG
ldr r6, =0xE000ED00
bl test
stop: b stop
end Reset
"""
# Logs the running exception's number and returns; the handler of whatever has none of its own.
LOGGER = """
fn logger
mrs r0, ipsr
stmia r7!, {r0}
bx lr
end logger
"""


@dataclass(frozen=True)
class Logged:
    """A finished run, and the words it logged."""

    ran: Ran
    words: tuple[int, ...]

    def cycles(self, name: str) -> int:
        """Own cycles of a function."""
        return next(k.cycles for k in self.ran.profile().kernels if k.name == name)


@dataclass(frozen=True)
class Places:
    """Where a program's stack and log are on a board."""

    base: int
    stack: int
    log: int


def places(board: str) -> Places:
    """The vector table's address, the initial stack pointer, and the log."""
    described = load_board(board)
    ram = next(r for r in described.regions if r.writable and r.name != described.boot.region)
    return Places(described.vector_addresses()[0], ram.base + 0x4000, ram.base)


def assemble_program(path: Path, board: str, source: str, vectors: Mapping[int, str]) -> Path:
    """An ELF for ``board`` of HEAD, RESET, LOGGER and ``source``."""
    place = places(board)
    table = ["__stack", "Reset", *(vectors.get(n, "0") for n in range(2, max(vectors, default=2) + 1))]
    text = [
        HEAD, f".equ LOG, {place.log}\n.equ __stack, {place.stack}\n.text\n", "\n".join(f".word {v}" for v in table),
        "\n.align 6\n", RESET, LOGGER, source,
    ]  # fmt: skip
    assembly = path.with_suffix(".s")
    assembly.write_text("".join(text))
    flags = [*OPTIONS[load_board(board).core], "-mthumb", "-nostdlib", f"-Wl,-Ttext={place.base:#x},-e,Reset"]
    subprocess.run(["arm-none-eabi-gcc", *flags, assembly, "-o", path], check=True, capture_output=True)
    return path


def run_program(
    directory: Path, board: str, source: str, vectors: Mapping[int, str] | None = None, **options: Any
) -> Logged:
    """Assemble and run; at most a million instructions."""
    elf = assemble_program(directory / "p.elf", board, source, vectors or {})
    log = places(board).log
    options.setdefault("limits", RunLimits(instructions=1_000_000))
    ran = run_elf(elf, board, reads=((log, LOG_BYTES),), **options)
    end = ran.machine.engine.register(7)
    count = (end - log) // 4 if log <= end <= log + LOG_BYTES else LOG_BYTES // 4
    return Logged(ran, struct.unpack(f"<{LOG_BYTES // 4}I", ran.reads[0])[:count])

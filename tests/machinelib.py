"""Runs firmware on virtual boards from tests: committed ELFs, and small programs written down in machine code."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elfwriter import FUNC, Elf, Sec, Seg, Sym

from vtarget.app.cli import main
from vtarget.data.board import Board
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardlib import load_board
from vtarget.shell.imagefile import load_image
from vtarget.shell.machine import Machine
from vtarget.shell.running import price, pricer_for
from vtarget.shell.runoptions import RunOptions

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
EXAMPLES = FIRMWARE / "examples"
PROGRAMS = FIRMWARE / "tests"

FIRST_FUNCTION = 0x100
FUNCTION_BYTES = 0x40


@dataclass(frozen=True)
class Ran:
    """A finished run: its facts, the memory asked for, and the machine as it stands."""

    record: ExecutionRecord
    reads: tuple[bytes, ...]
    machine: Machine
    pricer: Pricer

    def profile(self) -> Profile:
        """The record priced for the board it was made on."""
        return price(self.record, self.pricer)


def core_alone(name: str) -> Board:
    """A board whose memory never lets the core wait: what runs there costs the core's own figures."""
    board = load_board(name)
    free = {"wait_states": None, "data_access": None, "fetch_access": None, "prefetch": None}
    return board.model_copy(
        update={"caches": (), "regions": tuple(region.model_copy(update=free) for region in board.regions)}
    )


def run_elf(path: Path, board: str | Board, *, clock_hz: int | None = None, **options: Any) -> Ran:
    """Run a firmware file on a board; ``options`` are those of RunOptions."""
    pricer = pricer_for(board, clock_hz=clock_hz)
    machine = Machine(load_image(str(path)), pricer, RunOptions(**options))
    result = machine.run()
    return Ran(result.record, result.reads, machine, pricer)


@dataclass(frozen=True)
class CommandResult:
    """What a command of the tool did."""

    code: int
    out: str
    err: str


def vtarget(*arguments: str | Path) -> CommandResult:
    """Run the tool in this process. What would be a traceback to the user gets through to the test."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(a) for a in arguments])
        except SystemExit as ended:
            return CommandResult(ended.code if isinstance(ended.code, int) else 1, out.getvalue(), err.getvalue())
    raise AssertionError("main returned instead of exiting")


def write_program(
    path: Path, board: str, functions: Mapping[str, str], *, extra: Mapping[int, bytes] | None = None
) -> Path:
    """An ELF for ``board`` with these functions, the first of which is the reset handler.

    Function number i stands at FIRST_FUNCTION + i * FUNCTION_BYTES in the boot region. A line of code is machine code
    in hexadecimal (halfwords in the order they stand in memory) and the instruction that it is, or ``bl NAME``,
    ``b NAME`` or ``.word NUMBER|NAME``. ``extra`` puts bytes elsewhere. The stack starts at the top of ``stack_top``.
    """
    described = load_board(board)
    base = described.vector_addresses()[0]
    starts = {name: base + FIRST_FUNCTION + FUNCTION_BYTES * i for i, name in enumerate(functions)}
    code = bytearray(FIRST_FUNCTION)
    code[:8] = stack_top(board).to_bytes(4, "little") + (base + FIRST_FUNCTION + 1).to_bytes(4, "little")
    symbols = []
    for name, text in functions.items():
        body = _assemble(text, starts[name], starts)
        assert len(body) <= FUNCTION_BYTES, f"{name} is too long"
        symbols.append(Sym(name, starts[name] | 1, len(body), kind=FUNC))
        code += body + bytes(FUNCTION_BYTES - len(body))
    segments = [Seg(base, bytes(code)), *(Seg(at, data, flags=6) for at, data in (extra or {}).items())]
    path.write_bytes(bytes(Elf(segments, [Sec(".text", base, len(code))], symbols, entry=base + FIRST_FUNCTION + 1)))
    return path


def stack_top(board: str) -> int:
    """The end of the first writable region that isn't the boot region."""
    described = load_board(board)
    return next(r.end for r in described.regions if r.writable and r.name != described.boot.region)


def _assemble(text: str, start: int, names: Mapping[str, int]) -> bytes:
    code = bytearray()
    for line in filter(str.strip, text.splitlines()):
        first, *rest = line.split()
        match first:
            case "bl" | "b":
                code += _branch(names[rest[0]] - (start + len(code)) - 4, link=first == "bl")
            case ".word":
                value = names[rest[0]] | 1 if rest[0] in names else int(rest[0], 0)
                code += value.to_bytes(4, "little")
            case _:
                digits = [first, *(r for r in rest[:1] if len(first) == 4 and _is_wide(first))]
                for halfword in digits:
                    code += int(halfword, 16).to_bytes(2, "little")
    return bytes(code)


def _is_wide(halfword: str) -> bool:
    return int(halfword, 16) >= 0xE800


def _branch(offset: int, *, link: bool) -> bytes:
    """BL (T1) or B.W (T4), DDI 0403 A7.7.12 and A7.7.18; B (T2) would do for the M0+ too, but isn't needed."""
    sign = offset >> 24 & 1
    j1, j2 = (~(offset >> 23) ^ sign) & 1, (~(offset >> 22) ^ sign) & 1
    high = 0xF000 | sign << 10 | offset >> 12 & 0x3FF
    low = (0xD000 if link else 0x9000) | j1 << 13 | j2 << 11 | offset >> 1 & 0x7FF
    return high.to_bytes(2, "little") + low.to_bytes(2, "little")

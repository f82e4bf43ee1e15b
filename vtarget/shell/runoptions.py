"""What to do in a run, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.consoles import ConsoleOptions
from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord
from vtarget.shell.debugging import Debugger, NoDebugger

if TYPE_CHECKING:
    from vtarget.shell.engine import Engine
    from vtarget.shell.svd import SvdChip

NO_CONSOLES = ConsoleOptions()


@dataclass(frozen=True)
class RunOptions:
    """What to do in a run besides executing: stop at an address, mark spans, put bytes into memory.

    ``on_enter`` is called before the first instruction of the functions it names, ``on_span_end`` with a span's name
    when its function has returned; both may read and write memory. ``announce`` is told where live ends of consoles
    are; ``svd`` names registers.
    """

    until: int | None = None
    limits: RunLimits = RunLimits()
    spans: tuple[str, ...] = ()
    span_pins: tuple[str, ...] = ()
    writes: tuple[tuple[int, bytes], ...] = ()
    reads: tuple[tuple[int, int], ...] = ()
    on_enter: Mapping[str, Callable[[Engine], None]] = field(default_factory=dict)
    on_span_end: Callable[[str, Engine], None] | None = None
    consoles: ConsoleOptions = NO_CONSOLES
    announce: Callable[[str], None] = lambda _text: None
    svd: SvdChip | None = None
    progress: Callable[[int, int], None] | None = None
    debugger: Debugger = field(default_factory=NoDebugger)


@dataclass(frozen=True)
class RunResult:
    """The record of a run, and the memory asked for by ``RunOptions.reads`` as it was at the end."""

    record: ExecutionRecord
    reads: tuple[bytes, ...]


def check_places(options: RunOptions, board: Board) -> None:
    """InputError if bytes are to be written to, or read from, where the board has no memory."""
    writes = [("--write", at, at + len(data)) for at, data in options.writes]
    for option, start, end in [*writes, *(("--read", at, at + size) for at, size in options.reads)]:
        if not board.covers(start, end - start):
            raise InputError(f"{option}: 0x{start:08x}..0x{end:08x} is not memory of board {board.name}")

"""What goes to standard output: tables and JSON. The only module that imports rich, and only when it prints.

Piped output has no colour and is as wide as its content, so that nothing is ever cut. Text of files is printed
literally: markup has no meaning in it and control characters show as escapes.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Literal

import click

from vtarget.base.errors import InputError, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from vtarget.data.profile import Profile
    from vtarget.logic.tablelayout import Layout

PIPED_WIDTH = 10_000
LATEST_ROWS = 12
COLUMN_GAP = 3
# What is written instead where the output's encoding lacks a character; of the bars, as the glyphs differ.
PLAIN = {"µ": "u", "…": "...", "±": "+-", "×": "x", "─": "-"} | dict(zip("█▓▒░▞▚╳", "#=+.:%x", strict=True))


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers are set ``right``. On a narrow terminal ``wrap`` columns give way first."""

    title: str
    justify: Literal["left", "right"] = "left"
    wrap: bool = True

    @property
    def fixed(self) -> bool:
        """Whether its values are shown whole or not at all."""
        return self.justify == "right" or not self.wrap


@dataclass(frozen=True)
class Styled:
    """A cell of stretches of text, each with its style."""

    stretches: tuple[tuple[str, str], ...]


def terminal_width() -> int | None:
    """Characters of a line of the terminal; None where standard output is none."""
    return console().width if sys.stdout.isatty() else None


def _plain_text(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking), error.end


codecs.register_error("vtarget-plain", _plain_text)


def console() -> Console:
    """A rich console on the current standard output."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="vtarget-plain")
    if sys.stdout.isatty():
        return Console(highlight=False, markup=False, emoji=False)
    return Console(
        highlight=False, markup=False, emoji=False, width=PIPED_WIDTH, force_terminal=False, color_system=None
    )


def print_line(text: str = "", *, style: str | None = None) -> None:
    """One line (longer than the terminal: wrapped there, never cut)."""
    console().print(printable(text), style=style, soft_wrap=True)


def print_notes(title: str, notes: Sequence[str]) -> None:
    """A title with notes below it, behind an empty line; nothing if there are none."""
    if notes:
        print_line()
        print_line(title, style="bold")
        for note in notes:
            print_line(f"  {note}")


def print_memory(profile: Profile) -> None:
    """How much of each region is used."""
    from vtarget.logic.report import memory_rows

    print_table(["region", *(Column(name, "right") for name in ("used", "of bytes", "share"))], memory_rows(profile))


def print_error_line(text: str) -> None:
    """One line on standard error, at once."""
    click.echo(printable(text), err=True)


def print_table(
    columns: Sequence[Column | str], rows: Iterable[Sequence[str | Styled]], *, title: str | None = None
) -> None:
    """A table with one line per row where the width allows; ``title`` stands above it. On a terminal that is too
    narrow for its numbers, each row is a paragraph."""
    described = [Column(column) if isinstance(column, str) else column for column in columns]
    if title is not None:
        print_line(title, style="bold")
    target = console()
    if sys.stdout.isatty():
        _print_fitted(target, described, list(rows))
        return
    with target.capture() as captured:
        target.print(_table(described, rows))
    target.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().rstrip("\n").split("\n")))


def _print_fitted(target: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Styled]]) -> None:
    from rich.cells import cell_len

    from vtarget.logic.tablelayout import fitted, paragraph

    titles = [column.title for column in columns]
    texts = [[_plain(cell) for cell in row] for row in rows]
    natural = [max(map(cell_len, column)) for column in zip(titles, *texts, strict=True)]
    layout = fitted(natural, [not column.fixed for column in columns], target.width)
    if layout is not None:
        target.print(_table(columns, rows, layout=layout))
        return
    for row in texts:
        for line in paragraph(titles, row, target.width):
            print_line(line)


def _plain(cell: str | Styled) -> str:
    return printable(cell) if isinstance(cell, str) else "".join(text for text, _ in cell.stretches)


def _table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Styled]],
    *,
    cut: bool = False,
    layout: Layout | None = None,
) -> Table:
    """A table, of that layout if there is one; ``cut``: one line for each row, whatever the terminal's width."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    # A column is padded left and right of the box's own blank between two.
    padding = (0, 1) if layout is None else (0, layout.gap // 2, 0, (layout.gap - 1) // 2)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    for at, column in enumerate(columns):
        table.add_column(
            Text(column.title),
            justify=column.justify,
            overflow="ellipsis" if cut else "fold",
            no_wrap=column.fixed or cut,
            width=None if layout is None else layout.widths[at],
        )
    for row in rows:
        table.add_row(*(Text.assemble(*c.stretches) if isinstance(c, Styled) else Text(printable(c)) for c in row))
    return table


def write_json(target: str, value: object) -> None:
    """``value`` as JSON to the file ``target``, whole or not at all, or to standard output for ``-``.

    InputError if it can't be written.
    """
    write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n", "--json")


def write_text(target: str, text: str, option: str) -> None:
    """``text`` to the file ``target``, whole or not at all, or to standard output for ``-``.

    InputError, naming the option, if it can't be written.
    """
    if target == "-":
        sys.stdout.write(text)
        return
    from vtarget.shell.files import replace_file

    try:
        replace_file(target, text.encode())
    except OSError as error:
        raise InputError(f"{option} {target}: can't be written: {error.strerror or error}") from None


@contextmanager
def run_progress(limit_instructions: int | None, *, show: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """A line on standard error that follows a run, if that is a terminal and may be used; yields the function."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from vtarget.shell.nativecache import is_filled

    begin = "starting" if is_filled() else "compiling native code, as the first run of a version does"
    columns = TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(begin, total=limit_instructions)

        def report(instructions: int, cycles: int) -> None:
            done = f"emulating: {instructions / 1e6:.0f} M instructions, {cycles / 1e6:.0f} M cycles"
            progress.update(task, description=done)

        yield report


@contextmanager
def stage_progress(*, show: bool = True) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error for stages in turn, if that is a terminal; yields (stage, done, of so many)."""
    if not show or not sys.stderr.isatty():
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda stage, done, total: progress.update(task, description=stage, completed=done, total=total)


@contextmanager
def progress_of(total: int, what: str, *, show: bool = True) -> Iterator[Callable[[], None]]:
    """A bar on standard error that counts ``total`` steps, with the time left, if that is a terminal."""
    if not show or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


class RowsProgress:
    """The latest rows of a table that is under way, and below them a bar with the time left and what is waited for."""

    def __init__(self, columns: Sequence[Column], progress: Progress) -> None:
        self._columns = columns
        self._most = max(1, min(LATEST_ROWS, progress.console.height - 8))
        self._progress = progress
        self._rows: tuple[Sequence[str], ...] = ()  # replaced whole: another thread draws them
        self._waiting = ("", 0.0)

    def known(self, count: int) -> None:
        """So many rows were there before; they tell nothing of how long the others take."""
        self._progress.reset(self._progress.task_ids[0], completed=count)

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        """These rows are finished."""
        self._rows = (*self._rows, *rows)[-self._most :]
        self._progress.advance(self._progress.task_ids[0], len(rows))

    def waiting_for(self, what: str) -> None:
        """What takes longest."""
        self._waiting = (what, monotonic())

    def _fitting(self, rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """The rows with as much of their last values as the terminal's width leaves to them."""
        columns = zip(*([printable(column.title) for column in self._columns], *rows), strict=True)
        widths = [max(len(printable(value)) + COLUMN_GAP for value in column) for column in columns]
        room = max(1, self._progress.console.width - sum(widths[:-1]))
        return [[*values, last if len(last) <= room else f"{last[: room - 1]}…"] for *values, last in rows]

    def __rich__(self) -> Table:
        """What to draw now."""
        from rich.table import Table
        from rich.text import Text

        drawn = Table.grid()
        if self._rows:
            drawn.add_row(_table(self._columns, self._fitting(self._rows), cut=True))
            drawn.add_row("")
        drawn.add_row(self._progress)
        what, since = self._waiting
        if what:
            text = f"waiting for {printable(what)}: {monotonic() - since:.0f} s"
            drawn.add_row(Text(text, no_wrap=True, overflow="ellipsis"))
        return drawn


@contextmanager
def rows_progress(
    total: int, what: str, columns: Sequence[Column], *, show: bool = True
) -> Iterator[RowsProgress | None]:
    """Rows as they come, with a bar that counts ``total``, on standard error, gone at the end; None if that is no
    terminal."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    shown = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*shown, console=console, auto_refresh=False, speed_estimate_period=3600)
    progress.add_task(what, total=total)
    rows = RowsProgress(columns, progress)
    with Live(rows, console=console, transient=True, refresh_per_second=4, redirect_stdout=False):
        yield rows

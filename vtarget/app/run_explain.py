"""Where the cycles go: the options ``--waterfall`` and ``--explain``, and what they print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vtarget.data.explanation import Explanation
    from vtarget.data.profile import Profile
    from vtarget.data.record import ExecutionRecord
    from vtarget.data.waterfall import Waterfall
    from vtarget.logic.pricing import Pricer
    from vtarget.logic.whatif import Setting

_STYLES = ("green", "cyan", "yellow", "magenta", "red", "blue", "white")  # by CyclePart
_PIPED_BAR, _SHORTEST_BAR, _LONGEST_BAR = 32, 6, 48
_BETWEEN = 3  # blanks between columns of a table


def explain_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options to a command; ``what`` may be explained."""
    options = (
        click.option("--waterfall", is_flag=True,
                     help="Show where the cycles went: issue, loads and stores, refills, waits."),
        click.option("--explain", "explained", multiple=True, metavar=what,
                     help="Show the hot code of this one, each instruction with its cycles and why. Repeatable."),
    )  # fmt: skip

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def refuse_explaining(options: dict[str, Any], what: str) -> None:
    """InputError if anything is to be explained along with something that it has no meaning with."""
    from vtarget.base.errors import InputError

    for name, option in (("waterfall", "--waterfall"), ("explained", "--explain")):
        if options[name]:
            raise InputError(f"{option} {what}")


def supposed_pricer(record: ExecutionRecord, pricer: Pricer, setting: Setting) -> Pricer:
    """The pricer of what was supposed."""
    from vtarget.logic.whatif import supposing

    return supposing(record, pricer, setting)


def explain_kernels(
    record: ExecutionRecord, pricer: Pricer, kernels: Sequence[str], profile: Profile
) -> list[Explanation]:
    """Explanations with source lines, where the image is still there, and with what a board measured for the kernel if
    the ``profile`` of the run tells. InputError for a kernel that didn't run."""
    if not kernels:
        return []
    from vtarget.logic.explain import explain, noted
    from vtarget.logic.measuredprofile import explained_beside
    from vtarget.shell.sourcelines import source_lines

    lines = source_lines(record.image_path, record.image_sha256)
    found = [explain(record, pricer, name, source_line=lines.at) for name in dict.fromkeys(kernels)]
    return [explained_beside(noted(one, lines.note), profile) for one in found]


def print_waterfall(what: str, rows: Sequence[tuple[str, Waterfall]], run: Profile, *, measured: bool = False) -> None:
    """That of a run, part by part, and a line for each of ``rows``. It is calibrated where the run is, and says so; and
    that it is an estimate, where it stands beside what a board ``measured``."""
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import waterfallreport as text

    total = run.waterfall
    if total is None:
        return
    title = "where estimated cycles went" if measured else "where cycles went"
    if run.calibration is not None:
        title += ", calibrated"
    cycles = "estimated" if measured else "cycles"
    graph = Column("", wrap=False)
    parts = text.shown_parts(rows, total)
    listed = text.total_rows(total, parts)
    width = _room([(title, cycles, "share"), *listed])
    steps = text.step_bars(total, parts, width)
    bars = [_bar([(None, blank), (part, length)]) for part, (blank, length) in zip(parts, steps, strict=True)]
    columns = [Column(title, wrap=False), Column(cycles, "right"), Column("share", "right")]
    print_table([*columns, graph], [(*row, bar) for row, bar in zip(listed, bars, strict=True)])
    print_line()
    titles = (what, cycles, *(part.short_title for part in parts))
    table = text.table_rows(rows, parts)
    width = _room([titles, *(row.cells for row in table)])
    right = [Column(title, "right") for title in titles[1:]]
    print_table([what, *right, graph], [(*row.cells, _bar(text.bar(row.waterfall, width))) for row in table])
    print_line()


def print_explanations(explanations: Sequence[Explanation]) -> None:
    """The hot blocks of each."""
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import explanationreport as text

    for explanation in explanations:
        print_line(text.heading(explanation), style="bold")
        if explanation.note is not None:
            print_line(explanation.note)
        columns = [
            Column(name, "right" if name in ("count", "cycles") else "left", wrap=name == "why")
            for name in text.COLUMNS
        ]
        for block in text.hot_blocks(explanation):
            print_line()
            print_table(columns, text.block_rows(block), title=text.block_heading(block, explanation))
        rest = text.rest_line(explanation)
        if rest is not None:
            print_line(rest)
        print_line()


def _room(cells: Sequence[Sequence[str]]) -> int:
    """Characters left for a bar beside a table of those cells; 0 if it would be too short to see."""
    from vtarget.app.terminal import terminal_width

    width = terminal_width()
    if width is None:
        return _PIPED_BAR
    room = width - sum(max(len(row[at]) for row in cells) + _BETWEEN for at in range(len(cells[0])))
    return min(_LONGEST_BAR, room) if room >= _SHORTEST_BAR else 0


def _bar(stretches: Sequence[tuple[int | None, int]]) -> Any:
    """A cell with a bar in it; ``None`` is blank."""
    from vtarget.app.terminal import Styled
    from vtarget.logic.waterfallreport import GLYPHS

    return Styled(
        tuple(
            (" " * length, "") if part is None else (GLYPHS[part] * length, _STYLES[part]) for part, length in stretches
        )
    )

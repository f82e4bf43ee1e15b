"""``vtarget boards``: list the boards, show one with its sources, check board files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vtarget.app.group import HelpfulGroup
from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vtarget.data.board import Board, Region
    from vtarget.data.chip import Chip, DeviceEntry
    from vtarget.data.memorysystem import Cache

_JSON = click.option("--json", "json_path", metavar="PATH", help="Write JSON to PATH ('-' for standard output).")


@click.group(cls=HelpfulGroup)
def boards() -> None:
    """Boards and their facts, with sources."""


@boards.command("list")
@_JSON
def list_boards(json_path: str | None) -> None:
    """List the boards that ship with vtarget."""
    from vtarget.app.terminal import Column, print_table, write_json
    from vtarget.shell.boardlib import board_names, load_board

    loaded = [load_board(name) for name in board_names()]
    if json_path is not None:
        write_json(
            json_path, {"schema": "vtarget.boards", "schema_version": 1, "boards": [_summary(b) for b in loaded]}
        )
    if json_path != "-":
        right: list[Column | str] = [Column(name, "right") for name in ("clock", "flash", "RAM")]
        print_table(["name", "title", "core", *right], (_list_row(board) for board in loaded))


@boards.command("show")
@click.argument("board", metavar="BOARD")
@_JSON
def show_board(board: str, json_path: str | None) -> None:
    """Show all facts of BOARD (a name or a YAML file) with their sources."""
    from vtarget.app.terminal import write_json
    from vtarget.data.core import emulation
    from vtarget.shell.boardlib import load_board, load_chip, load_core

    loaded = load_board(board)
    chip = load_chip(loaded.chip) if loaded.chip else None
    core = load_core(loaded.core)
    if json_path is not None:
        facts = {"schema": "vtarget.board", "schema_version": 1, "units": "SI (Hz, bytes, V, W)"}
        described = {"board": loaded.model_dump(mode="json"), "chip": chip.model_dump(mode="json") if chip else None}
        write_json(json_path, facts | described)
    if json_path != "-":
        _print_board(loaded, chip, emulation(core) if core.emulated_as else "")


@boards.command("check", short_help="Check board files (default: all that ship).")
@click.argument("names", metavar="[BOARD]...", nargs=-1)
@click.option("--facts-only", is_flag=True, help="Check the files; build and run nothing.")
@click.option("--model", metavar="MODEL.tflite", help="The model to try (default: the keyword model of a checkout).")
@click.pass_context
def check_boards(context: click.Context, names: tuple[str, ...], facts_only: bool, model: str | None) -> None:
    """Check board files (default: all that ship): schema, overlaps, sources, core; then that firmware links and runs.

    Exit code 2 if a file is unusable, 1 if firmware for a board doesn't link or run.
    """
    from vtarget.app.terminal import print_line, progress_of
    from vtarget.shell.boardlib import board_names

    chosen = names or tuple(board_names())
    worst = 0
    with progress_of(len(chosen), "boards", show=not facts_only and len(chosen) > 1) as advance:
        for name in chosen:
            line, status = _check(name, facts_only, model)
            worst = max(worst, status)
            print_line(line)
            advance()
    if worst:
        context.exit(worst)


def _check(name: str, facts_only: bool, model: str | None) -> tuple[str, int]:
    """What to print for a board, and the exit code that it asks for."""
    from vtarget.shell.boardcheck import check_facts, check_firmware, keyword_model
    from vtarget.shell.toolchain import find_toolchain

    try:
        board = check_facts(name)
    except InputError as error:
        return f"error: {error.one_line()}", 2
    if facts_only:
        return f"{name}: ok", 0
    try:
        toolchain = find_toolchain()
    except InputError as error:
        return f"{name}: ok (facts only: {error.one_line()})", 0
    steps = check_firmware(board, toolchain, model or keyword_model())
    told = "; ".join(f"{step.name}: {step.what}" for step in steps)
    if all(step.passed for step in steps):
        return f"{name}: ok ({told})", 0
    return f"error: {name}: {told}", 1


def _flash(board: Board) -> list[Region]:
    kept = [r for r in board.regions if r.alias_of is None and not r.writable and r.execute]
    return [r for r in kept if r.kind != "rom"]


def _ram(board: Board) -> list[Region]:
    return [r for r in board.regions if r.alias_of is None and r.writable]


def _total(regions: Iterable[Region]) -> int:
    return sum(region.size for region in regions)


def _summary(board: Board) -> dict[str, object]:
    return {
        "name": board.name,
        "title": board.title,
        "core": board.core,
        "fpu": board.fpu,
        "clock_hz": board.clock.typical,
        "max_clock_hz": board.clock.max,
        "flash_bytes": _total(_flash(board)),
        "ram_bytes": _total(_ram(board)),
    }


def _list_row(board: Board) -> list[str]:
    flash, ram = _total(_flash(board)), _total(_ram(board))
    return [board.name, board.title, _core(board), _hertz(board.clock.typical), _size(flash), _size(ram)]


def _print_board(board: Board, chip: Chip | None, emulation: str) -> None:
    from vtarget.app.terminal import Column, print_line, print_table

    print_line(f"{board.name}: {board.title}", style="bold")
    print_line()
    print_table(["fact", "value", "source"], _fact_rows(board, chip, emulation))
    print_line()
    regions = sorted(board.regions, key=lambda r: r.base)
    columns: list[Column | str] = [
        "region",
        Column("addresses", wrap=False),
        Column("size", "right"),
        "kind",
        "access",
        "timing",
    ]
    print_table(columns, (_region_row(r, board.clock.typical) for r in regions), title="Memory map")
    print_line()
    sources = [row for r in regions for row in _region_sources(r)]
    sources += [
        row for unit in board.caches for row in ([unit.name, "geometry", unit.source], ["", "miss", unit.miss.source])
    ]
    print_table(["region", "fact", "source"], sources)
    if board.caches:
        print_line()
        columns = ["cache", "of", "holds", Column("size", "right"), Column("line", "right"), Column("ways", "right")]
        print_table(columns, (_cache_row(unit) for unit in board.caches), title="Caches")
    print_line()
    _print_power(board)
    if chip is not None:
        print_line()
        _print_devices(chip)
    for title, lines in (("Unknown", board.unknown), ("Note", (board.note,) if board.note else ())):
        if lines:
            print_line()
            print_line(title, style="bold")
            for line in lines:
                print_line(f"  {line}")


def _print_devices(chip: Chip) -> None:
    from vtarget.app.terminal import Column, print_table

    columns: list[Column | str] = ["device", "model", Column("address", wrap=False), "clock", "interrupts"]
    rows = ([d.name, d.model, f"0x{d.base:08x}", _clock(d), _interrupts(d)] for d in chip.devices)
    print_table(columns, rows, title=f"Devices of {chip.title}")


def _clock(device: DeviceEntry) -> str:
    return device.clock if device.clock_hz is None else _hertz(device.clock_hz)


def _interrupts(device: DeviceEntry) -> str:
    return ", ".join(str(number) if line == "IRQ" else f"{line} {number}" for line, number in device.interrupts.items())


def _print_power(board: Board) -> None:
    from vtarget.app.terminal import Column, print_line, print_table

    if not board.power:
        print_line("Power: unknown", style="bold")
        return
    right: list[Column | str] = [Column(name, "right") for name in ("clock", "nominal", "low", "high")]
    print_table(["state", "supply", *right], (row[:-1] for row in _power_rows(board)), title="Power")
    print_line()
    columns = ["state", right[0], "source"]
    print_table(columns, ([row[0], row[2], row[-1]] for row in _power_rows(board)))


def _fact_rows(board: Board, chip: Chip | None, emulation: str) -> list[list[str]]:
    clock, boot, debug = board.clock, board.boot, board.debug
    rows = [
        ["MCU", board.mcu or "-", ""],
        ["core", _core(board), emulation],
        ["DSP instructions", "yes" if board.dsp else "no", ""],
        ["clock", f"{_hertz(clock.typical)}, at most {_hertz(clock.max)}", clock.source],
        ["peripherals", _peripherals(chip), chip.source if chip else ""],
        ["vector table", " or ".join(f"0x{a:08x}" for a in board.vector_addresses()), boot.source],
    ]
    names = {"SVD": debug.svd, "pyOCD": debug.pyocd, "OpenOCD": debug.openocd, "console": debug.console}
    names["SWO"] = None if debug.swo is None else "yes" if debug.swo else "no"
    rows += [[name, value or "unknown", ""] for name, value in names.items()]
    return [*rows, ["debug facts", "", debug.source]] if debug.source else rows


def _peripherals(chip: Chip | None) -> str:
    if chip is None:
        return "not described: registers behave as memory"
    rules = f" and {len(chip.registers)} registers by rules" if chip.registers else ""
    return f"{len(chip.devices)} devices{rules}, {chip.interrupts} interrupts of {1 << chip.priority_bits} priorities"


def _region_row(region: Region, clock_hz: int) -> list[str]:
    access = "r" + ("w" if region.writable else "-") + ("x" if region.execute else "-")
    alias = f"alias of {region.alias_of}" if region.alias_of else ""
    return [
        region.name,
        f"0x{region.base:08x}..0x{region.end:08x}",
        _size(region.size),
        str(region.kind),
        access,
        ", ".join(part for part in (alias, _timing(region, clock_hz)) if part),
    ]


def _region_sources(region: Region) -> list[list[str]]:
    rows = [[region.name, region.note or "extent", region.source]]
    if region.wait_states is not None:
        rows.append(["", "wait states", region.wait_states.source])
    if region.prefetch is not None:
        rows.append(["", region.prefetch.name, region.prefetch.source])
    if region.data_access is not None:
        rows.append(["", "data accesses", region.data_access.source])
    if region.fetch_access is not None:
        rows.append(["", "instruction fetches", region.fetch_access.source])
    return rows


def _timing(region: Region, clock_hz: int) -> str:
    parts = []
    states = region.wait_states
    if states is not None and states.unknown:
        parts.append("wait states unknown")
    elif states is not None:
        needed = [step.wait_states for step in states.table if clock_hz <= step.max_clock * states.clock_divider]
        each = f", each {states.clock_divider} cycles" if states.clock_divider > 1 else ""
        parts.append(f"{needed[0]} wait states at {_hertz(clock_hz)}{each}" if needed else "wait states unknown")
    if region.fetch_bits is not None:
        parts.append(f"{region.fetch_bits}-bit fetch")
    if region.prefetch is not None:
        parts.append("prefetch" if region.prefetch.typical else "prefetch (optional)")
    return ", ".join(parts)


def _cache_row(unit: Cache) -> list[str]:
    size = _size(unit.size) if unit.size is not None else "unknown"
    line = _size(unit.line) if unit.line is not None else "unknown"
    ways = str(unit.ways) if unit.ways is not None else "unknown"
    return [unit.name, ", ".join(unit.regions), unit.holds, size, line, ways]


def _power_rows(board: Board) -> list[list[str]]:
    rows = []
    for state in board.power:
        note = f" ({state.note})" if state.note else ""
        for i, point in enumerate(state.points):
            watts = [_watts(w) for w in (point.nominal, point.low, point.high)]
            supply = f"{state.voltage:g} V, {state.regulator}"
            rows.append([state.name, supply, _hertz(point.clock), *watts, point.source + ("" if i else note)])
    return rows


def _core(board: Board) -> str:
    return board.core if board.fpu is None else f"{board.core} {board.fpu}"


def _size(size_bytes: int) -> str:
    from vtarget.base.units import SIZE, exact

    return exact(size_bytes, SIZE) if size_bytes else "-"


def _hertz(clock_hz: int) -> str:
    from vtarget.base.units import FREQUENCY, exact

    return exact(clock_hz, FREQUENCY)


def _watts(watts: float) -> str:
    from vtarget.base.units import POWER, readable

    return readable(watts, POWER)

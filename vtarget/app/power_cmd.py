"""``vtarget power``: cut a recording of current, voltage or power into windows, and write them as a measurement."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from vtarget.base.units import Dimension
    from vtarget.data.measurement import Measurement
    from vtarget.shell.powerimport import Imported, NamedSpan, PowerOptions

# As in vtarget.shell.power.formats, which loads numpy.
FORMATS = ("auto", "joulescope-csv", "jls", "ppk2-csv", "otii-csv", "autodeploy-csv", "heliaprofiler-csv")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@click.command()
@click.argument("recording", metavar="RECORDING")
@click.option("-b", "--board", required=True, metavar="BOARD", help="A board's name or a YAML file.")
@click.option("-o", "--output", metavar="FILE", help="Write the measurement to FILE.")
@click.option("--json", "json_path", metavar="PATH", help="Write it as JSON to PATH ('-': standard output).")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="auto", show_default=True,
              help="The recording's format.")  # fmt: skip
@click.option("--gpio", metavar="CHANNEL", help="A window is where this digital channel is high (gpi0, D0, gpi1, ...).")
@click.option("--window", "windows", multiple=True, metavar="[NAME=]START..END",
              help="A window by its times, such as 'sleep=2s..3.5s'. One name again: a repeat.")  # fmt: skip
@click.option("--name", default="run", show_default=True, metavar="NAME", help="The power state that windows are of.")
@click.option("--between", metavar="NAME", help="Keep what lies between the channel's windows, as of this power state.")
@click.option("--voltage", metavar="V", help="The supply, for recordings that don't tell it: '3 V'.")
@click.option("--clock", metavar="F", help="The core's clock in the windows (default: the board's typical one).")
@click.option("--debounce", metavar="TIME", help="Ignore levels of the channel held for less than this: '20 us'.")
@click.option("--only", metavar="REGEX", help="Take these of the windows that AutoDeploy or heliaPROFILER cut.")
@click.option("--firmware", metavar="FILE", help="The image that ran, to name it in the measurement.")
@click.option("--serial", metavar="TEXT", help="The board's serial number.")
@click.option("--date", metavar="YYYY-MM-DD", help="The day of the recording (default: that of the file).")
@click.option("--add-to", "add_to", metavar="FILE", help="Add the windows to this measurement, and write both to -o.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True, metavar="S",
              help="How long to read an instrument.")  # fmt: skip
@click.option("--supply", is_flag=True, help="The PPK2 supplies the board with --voltage (default: it measures only).")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def power(recording: str, board: str, json_path: str | None, quiet: bool, **options: Any) -> int:
    """Cut RECORDING into windows: energy and mean power of each, and a measurement for 'vtarget calibrate'.

    RECORDING is a file of Joulescope, PPK2, Otii, AutoDeploy or heliaPROFILER, a directory of Otii's, or
    ppk2[:PORT], an instrument to read now.

    Exit status: 0 done; 1 the instrument failed; 2 unusable input.
    """
    from vtarget import __version__
    from vtarget.app.run_cmd import parse_clock
    from vtarget.app.terminal import write_json
    from vtarget.shell.files import check_target
    from vtarget.shell.measurementfile import load_measurement, measurement_json, save_measurement
    from vtarget.shell.powerimport import board_notes, day_of, import_power, new_measurement, with_power
    from vtarget.shell.running import pricer_for

    if options["output"] is not None:
        check_target(options["output"], "-o")
    if json_path not in (None, "-"):
        check_target(str(json_path), "--json")
    if options["date"] is not None and not _is_day(options["date"]):
        raise InputError(f"--date {options['date']}: is no day as YYYY-MM-DD")
    base = None if options["add_to"] is None else load_measurement(options["add_to"])
    pricer = pricer_for(board, clock_hz=parse_clock(options["clock"]))
    if base is not None:
        _check_base(base, pricer.board.name, pricer.clock_hz, options)
    wanted = _options(options)
    imported = import_power(recording, wanted)
    imported = _noted(imported, board_notes(imported, pricer.board, wanted.volts))
    if base is None:
        measurement = new_measurement(
            imported,
            pricer,
            version=__version__,
            date=options["date"] or day_of(recording),
            firmware=_firmware(options["firmware"]),
            serial=options["serial"],
        )
    else:
        measurement = with_power(base, imported)
    if options["output"] is not None:
        save_measurement(measurement, options["output"])
    if json_path is not None:
        write_json(json_path, measurement_json(measurement))
    if json_path != "-" and not quiet:
        _print(recording, imported, measurement)
    return 0


def _is_day(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_base(base: Measurement, board: str, clock_hz: int, options: dict[str, Any]) -> None:
    """InputError if windows of this board and clock don't belong in that measurement."""
    path = options["add_to"]
    given = [name for name in ("firmware", "serial", "date") if options[name] is not None]
    if given:
        raise InputError(f"--{given[0]}: the measurement that --add-to names has it")
    if base.board != board:
        raise InputError(f"--add-to {path}: is of board {base.board}, not of {board}")
    if base.clock_hz != clock_hz:
        raise InputError(
            f"--add-to {path}: is at {base.clock_hz / 1e6:g} MHz, not at {clock_hz / 1e6:g} MHz",
            hint="name its --clock, or write a measurement for each clock",
        )


def _options(options: dict[str, Any]) -> PowerOptions:
    from vtarget.base.units import TIME, VOLTAGE
    from vtarget.shell.powerimport import PowerOptions

    try:
        only = None if options["only"] is None else re.compile(options["only"])
    except re.error as error:
        raise InputError(f"--only: {error}") from None
    volts = _quantity("--voltage", options["voltage"], VOLTAGE)
    if volts == 0:
        raise InputError("--voltage: 0 V is no supply")
    return PowerOptions(
        kind=options["kind"],
        channel=options["gpio"],
        spans=tuple(_span(text, options["name"]) for text in options["windows"]),
        name=options["name"],
        between=options["between"],
        volts=volts,
        debounce_s=_quantity("--debounce", options["debounce"], TIME) or 0.0,
        only=only,
        live_seconds=options["seconds"],
        supply=options["supply"],
    )


def _quantity(option: str, text: str | None, dimension: Dimension) -> float | None:
    from vtarget.base.strictyaml import FieldError
    from vtarget.base.units import parse

    try:
        return None if text is None else float(parse(text, dimension))
    except FieldError as error:
        raise InputError(f"{option}: {error}", hint=error.hint) from None


def _span(text: str, usual: str) -> NamedSpan:
    from vtarget.base.units import TIME
    from vtarget.shell.powerimport import NamedSpan

    name, equals, times = text.rpartition("=")
    start, dots, end = times.partition("..")
    if not dots or (equals and not name):
        raise InputError(f"--window '{text[:60]}' is not [NAME=]START..END", hint="like 'sleep=2s..3.5s'")
    first, last = (_quantity("--window", part, TIME) or 0.0 for part in (start, end))
    if first >= last:
        raise InputError(f"--window '{text[:60]}' ends before it begins")
    return NamedSpan(name or usual, first, last)


def _noted(imported: Imported, notes: tuple[str, ...]) -> Imported:
    from dataclasses import replace

    return replace(imported, notes=(*imported.notes, *notes))


def _firmware(path: str | None) -> tuple[str, str] | None:
    from hashlib import sha256

    from vtarget.shell.files import read_file

    return None if path is None else (path, sha256(read_file(path, "--firmware", 256 << 20)).hexdigest())


def _print(recording: str, imported: Imported, measurement: Measurement) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import powerreport

    first, *others = powerreport.COLUMNS
    columns: list[Column | str] = [first, *(Column(name, "right") for name in others)]
    idle = imported.idle
    shown = [*imported.windows, *([idle] if idle is not None and idle not in imported.windows else [])]
    title = f"{recording} on {measurement.board} ({measurement.core} at {measurement.clock_hz / 1e6:g} MHz)"
    print_table(columns, powerreport.rows(shown), title=title)
    if imported.notes:
        print_line()
        print_line("notes", style="bold")
        for note in imported.notes:
            print_line(f"  {note}")

"""``vtarget calibrate``: fit a board's model to what was measured on it, and the options that apply such a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from vtarget.data.calibration import Calibration
    from vtarget.logic.pricing import Pricer

_OPTIONS = (
    click.option("--calibration", "calibration_path", metavar="FILE|DIR",
                 help="Apply this calibration (default: BOARD.calibration.yaml beside the board's YAML)."),
    click.option("--no-calibration", "no_calibration", is_flag=True, help="Apply no calibration."),
)  # fmt: skip


def calibration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a calibration to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_calibration(pricer: Pricer, board: str, options: dict[str, Any]) -> Pricer:
    """The pricer with the calibration that the options ask for; ``board`` is the argument that named the board.

    InputError for one that can't be used.
    """
    from vtarget.shell.calibrationfile import apply_calibration, find_calibration

    path, none = options["calibration_path"], options["no_calibration"]
    if path is not None and none:
        raise InputError("--calibration and --no-calibration exclude each other")
    if path is None and not none:
        path = find_calibration(board, pricer.board)
    return pricer if path is None else replace(pricer, calibration=apply_calibration(path, pricer.board))


@click.command()
@click.argument("measurements", metavar="MEASUREMENT.json...", nargs=-1, required=True)
@click.option("-b", "--board", required=True, metavar="BOARD", help="A board's name or a YAML file.")
@click.option("-o", "--output", metavar="FILE", help="Write the calibration (BOARD.calibration.yaml is picked up).")
@click.option("--record", "records", multiple=True, metavar="FILE",
              help="The virtual run of a measured image, instead of emulating it. Repeatable.")  # fmt: skip
@click.option("--json", "json_path", metavar="PATH", help="Write it as JSON to PATH ('-': standard output).")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def calibrate(
    measurements: tuple[str, ...],
    board: str,
    output: str | None,
    records: tuple[str, ...],
    json_path: str | None,
    quiet: bool,
) -> int:
    """Fit BOARD's timing and power to MEASUREMENTs of one real board.

    Exit status: 0 done; 1 the fit is no gain, and nothing is written; 2 unusable input.
    """
    from vtarget import __version__
    from vtarget.app.terminal import print_error_line, write_json
    from vtarget.shell.calibrating import calibrate_board, load_measured
    from vtarget.shell.calibrationfile import calibration_json, check_calibration_target, save_calibration
    from vtarget.shell.files import check_target
    from vtarget.shell.recordfile import load_record

    if output is not None:
        check_calibration_target(output)
    if json_path not in (None, "-"):
        check_target(str(json_path), "--json")
    measured = [load_measured(path) for path in measurements]
    say = (lambda _text: None) if quiet else print_error_line
    fit = calibrate_board(board, measured, [load_record(path) for path in records], version=__version__, say=say)
    if output is not None:
        save_calibration(fit, output)
    if json_path is not None:
        write_json(json_path, calibration_json(fit))
    if json_path != "-" and not quiet:
        _print(fit)
    return 0


def _print(fit: Calibration) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import calibrationreport as text

    if fit.residuals:
        right = [Column(name, "right") for name in text.RESIDUAL_COLUMNS[2:]]
        print_table([*text.RESIDUAL_COLUMNS[:2], *right], text.residual_rows(fit), title=text.heading(fit))
        print_line()
        right = [Column(name, "right") for name in text.FACTOR_COLUMNS[1:3]]
        print_table([text.FACTOR_COLUMNS[0], *right, text.FACTOR_COLUMNS[3]], text.factor_rows(fit))
        print_line()
    _listed("not identified, left at 1", text.unidentified_lines(fit))
    _listed("power", text.power_lines(fit))
    for label, value in text.summary_lines(fit):
        print_line(f"{label:<14} {value}")
    if fit.notes:
        print_line()
        _listed("notes", list(fit.notes))


def _listed(title: str, lines: list[str]) -> None:
    from vtarget.app.terminal import print_line

    if lines:
        print_line(title, style="bold")
        for line in lines:
            print_line(f"  {line}")
        print_line()

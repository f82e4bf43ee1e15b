"""``vtarget profile --probe``: the model's firmware on a real board, beside its estimate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from vtarget.base.errors import RunError

if TYPE_CHECKING:
    from vtarget.data.modelprofile import ModelProfile
    from vtarget.logic.pricing import Pricer
    from vtarget.shell.targets import Target

MOST_REPEATS = 1000
REPEATS = 3


def check_probe_options(boards: tuple[str, ...], options: dict[str, Any]) -> None:
    """A usage error for options that need a probe, and for a probe with several boards."""
    if options["probe_url"] is None:
        for option in ("repeat", "no_flash"):
            if options[option]:
                raise click.UsageError(f"--{option.replace('_', '-')} needs --probe")
    elif len(set(boards)) > 1:
        raise click.UsageError("--probe reaches one board: give one --board")


@contextmanager
def board_target(pricer: Pricer, options: dict[str, Any]) -> Iterator[Target | None]:
    """The board behind ``--probe``, as long as it is needed; None without the option."""
    from vtarget.app.terminal import stage_progress
    from vtarget.shell.measuring import MeasureOptions
    from vtarget.shell.targets import probed

    if options["probe_url"] is None:
        yield None
        return
    wanted = MeasureOptions(
        repeats=options["repeat"] or REPEATS, timeout_s=options["timeout"], flash=not options["no_flash"]
    )
    with (
        stage_progress(show=not options["quiet"]) as progress,
        probed(options["probe_url"], pricer, wanted, progress) as target,
    ):
        yield target


def check_measured(profile: ModelProfile) -> None:
    """RunError if the board computed something else than the interpreter (or, without it, the virtual run)."""
    from vtarget.logic.modelreport import unstable_names, verdict

    measured = profile.measured
    if measured is None:
        return
    where = f"{profile.model_path} on the board {profile.inference.board}, engine {profile.engine}"
    if measured.unstable:
        raise RunError(f"{where}: tensors differed from run to run: {unstable_names(profile, measured)}")
    for found in (measured.reference, measured.virtual):
        if found is not None and not found.passed:
            raise RunError(f"{where}: {verdict(found)}")


def print_measured(profile: ModelProfile) -> None:
    """Estimated and measured cycles side by side, and what the comparisons say."""
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import modelreport

    measured = profile.measured
    if measured is None:
        return
    columns = [t if t in modelreport.LEFT_COLUMNS else Column(t, "right") for t in modelreport.MEASURED_COLUMNS]
    print_table(
        columns, modelreport.measured_rows(profile, measured), title=modelreport.measured_heading(profile, measured)
    )
    print_line()
    for label, value in modelreport.measured_lines(profile, measured):
        print_line(f"{label:<15} {value}")
    print_line()

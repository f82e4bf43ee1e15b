"""``vtarget profile --probe`` and ``--from-record``: the model's firmware on a real board, beside its estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from vtarget.app.run_target import NO_FLASH, REPEAT, REPEATS
from vtarget.base.errors import RunError

if TYPE_CHECKING:
    from vtarget.data.modelprofile import MeasuredModel, ModelProfile
    from vtarget.data.validation import Validation
    from vtarget.logic.pricing import Pricer
    from vtarget.shell.targets import BoardTarget, Target

_OPTIONS = (
    click.option("--probe", "probe_url", metavar="PROBE",
                 help="Run it on the real board too: pyocd[:UID], or gdb:[HOST:]PORT of a GDB server."),
    REPEAT,
    NO_FLASH,
    click.option("-o", "--measurement", "measurement_path", metavar="FILE",
                 help="Write what the board took to FILE, for calibrate and --from-record; the run to FILE.record."),
    click.option("--from-record", "from_record", metavar="FILE",
                 help="Take a stored run of the same firmware: a measurement, beside the estimates, or a record."),
)  # fmt: skip


def probe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where a model's firmware runs to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_probe_options(boards: tuple[str, ...], engines: tuple[str, ...], options: dict[str, Any]) -> None:
    """A usage error for options that need a probe, and for a probe or a stored run with several boards."""
    from vtarget.shell.files import check_target

    probe, stored, written = options["probe_url"], options["from_record"], options["measurement_path"]
    if probe is None:
        for name, option in (("repeat", "--repeat"), ("no_flash", "--no-flash"), ("measurement_path", "-o")):
            if options[name]:
                raise click.UsageError(f"{option} needs --probe")
    elif stored is not None:
        raise click.UsageError("--probe and --from-record exclude each other")
    elif len(set(boards)) > 1:
        raise click.UsageError("--probe reaches one board: give one --board")
    if stored is not None and (len(set(boards)) > 1 or len(set(engines)) > 1):
        raise click.UsageError("--from-record is one run: give one --board and one --engine")
    if written is not None:
        if len(set(engines)) > 1:
            raise click.UsageError("-o takes one measurement: give one --engine")
        check_target(written, "-o")


@contextmanager
def chosen_target(pricer: Pricer, options: dict[str, Any]) -> Iterator[Target | None]:
    """The board behind ``--probe``, as long as it is needed, or the stored run; None without these options."""
    from vtarget.shell.replaying import ReplayTarget

    if options["from_record"] is not None:
        yield ReplayTarget(options["from_record"], pricer)
        return
    if options["probe_url"] is None:
        yield None
        return
    with chosen_board(pricer, options) as target:
        yield target


@contextmanager
def chosen_board(pricer: Pricer, options: dict[str, Any]) -> Iterator[BoardTarget]:
    """The board behind ``--probe``, as long as it is needed."""
    from vtarget.app.terminal import stage_progress
    from vtarget.shell.measuring import MeasureOptions
    from vtarget.shell.targets import probed

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
    from vtarget.logic.modelreport import measured_verdict, unstable_names, verdict

    measured = profile.measured
    if measured is None or measured.agrees:
        return
    where = f"{profile.model_path} on the board {profile.inference.board}, engine {profile.engine}"
    refuse_disagreement(where, measured, "tensors", lambda: unstable_names(profile, measured), verdict)
    raise RunError(f"{where}: {measured_verdict(measured)}")


def refuse_disagreement(
    where: str, measured: MeasuredModel, what: str, unstable: Callable[[], str], verdict: Callable[[Validation], str]
) -> None:
    """RunError if the board's ``what`` were ``unstable``, or not the interpreter's or the virtual run's."""
    if measured.unstable:
        raise RunError(f"{where}: {what} differed from run to run: {unstable()}")
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

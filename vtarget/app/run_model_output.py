"""What ``vtarget run --model`` prints, and when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtarget.base.errors import RunError

if TYPE_CHECKING:
    from vtarget.data.runtimeprofile import RuntimeProfile


def show_runtime(profile: RuntimeProfile, json_path: str | None, *, quiet: bool, waterfall: bool) -> None:
    """JSON and table, as asked for."""
    from vtarget.app.terminal import write_json
    from vtarget.logic.runtimereport import runtime_json

    if json_path is not None:
        write_json(json_path, runtime_json(profile))
    if json_path != "-" and not quiet:
        _print(profile, waterfall=waterfall)


def check_validation(profile: RuntimeProfile) -> None:
    """RunError if the outputs differ from the interpreter's, or the board's from either."""
    from vtarget.app.profile_probe import refuse_disagreement
    from vtarget.logic.runtimereport import output_verdict, suspects, unstable_names

    run, measured = profile.inference, profile.measured
    if profile.validation is not None and not profile.validation.passed:
        raise RunError(f"{run.firmware_path} on {run.board}: {output_verdict(profile.validation)}",
                       hint=suspects(profile))  # fmt: skip
    if measured is None or measured.agrees:
        return
    where = f"{run.firmware_path} on the board {run.board}"
    refuse_disagreement(where, measured, "outputs", lambda: unstable_names(profile, measured), output_verdict)


def _print_measured(profile: RuntimeProfile) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import runtimereport
    from vtarget.logic.modelreport import LEFT_COLUMNS, MEASURED_COLUMNS

    measured = profile.measured
    if measured is None:
        return
    columns = [title if title in LEFT_COLUMNS else Column(title, "right") for title in MEASURED_COLUMNS]
    rows = runtimereport.measured_rows(profile, measured)
    print_table(columns, rows, title=runtimereport.measured_heading(profile, measured))
    print_line()
    for label, value in runtimereport.measured_lines(profile, measured):
        print_line(f"{label:<15} {value}")
    print_line()


def _print(profile: RuntimeProfile, *, waterfall: bool) -> None:
    from vtarget.app.run_explain import print_explanations, print_waterfall
    from vtarget.app.terminal import Column, print_line, print_memory, print_notes, print_table
    from vtarget.logic import runtimereport, waterfallreport

    left = {"operator", "output", "kernel"}
    columns = [title if title in left else Column(title, "right") for title in runtimereport.LAYER_COLUMNS]
    print_table(columns, runtimereport.layer_rows(profile), title=runtimereport.runtime_heading(profile))
    print_line()
    if waterfall:
        print_waterfall("layer", waterfallreport.of_layers(profile.layers), profile.inference)
    print_explanations(profile.explanations)
    for label, value in runtimereport.runtime_lines(profile):
        print_line(f"{label:<14} {value}")
    print_line()
    _print_measured(profile)
    print_memory(profile.inference)
    print_notes("not modelled", profile.inference.not_modelled)

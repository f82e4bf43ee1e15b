"""``vtarget run``: emulate an image (or price a stored record) and print its profile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from vtarget.app.budgets import check, conditions, fail_if_option
from vtarget.app.calibrate_cmd import calibration_options, with_calibration
from vtarget.app.run_devices import device_options
from vtarget.app.run_explain import (
    explain_kernels,
    explain_options,
    print_explanations,
    print_waterfall,
    refuse_explaining,
    supposed_pricer,
)
from vtarget.app.run_model import refuse_without_model, run_model
from vtarget.app.run_target import kernel_pattern, run_target, target_options
from vtarget.app.run_whatif import priced, show_table, table, what_if, whatif_options
from vtarget.base.errors import InputError, RunError

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from vtarget.data.explanation import Explanation
    from vtarget.data.profile import Profile
    from vtarget.data.runtimeprofile import RuntimeProfile


class Positive(click.FloatRange):
    """A positive, finite number."""

    def __init__(self, name: str) -> None:
        super().__init__(min=0, min_open=True)
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for what isn't one."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


@click.command()
@click.argument("firmware", required=False, metavar="FIRMWARE")
@click.option("-b", "--board", required=True, metavar="BOARD", help="A board's name or a YAML file.")
@click.option("--json", "json_path", metavar="PATH", help="Write the profile as JSON to PATH ('-': standard output).")
@click.option("--until", metavar="SYMBOL|ADDRESS", help="Stop before executing this address.")
@click.option("--max-instructions", type=click.IntRange(min=1), metavar="N",
              help="Stop at the first block of code that begins after N instructions.")  # fmt: skip
@click.option("--max-seconds", type=Positive("seconds"), metavar="S",
              help="Stop at the first block of code that begins after S seconds of the board's time.")  # fmt: skip
@click.option("--timeout", type=Positive("seconds"), default=60.0, show_default=True, metavar="S",
              help="Stop after S seconds of wall time.")  # fmt: skip
@click.option("--span", "spans", multiple=True, metavar="SYMBOL", help="Report each call of this function by itself.")
@click.option("--kernels", metavar="REGEX", help="Show only kernels whose name matches.")
@explain_options("KERNEL")
@click.option("--write", "writes", multiple=True, metavar="SYMBOL=FILE",
              help="Put a file's bytes at SYMBOL at reset and again when main is entered.")  # fmt: skip
@click.option("--read", "reads", multiple=True, metavar="SYMBOL[:SIZE]=FILE", help="Save memory at the end of the run.")
@click.option("--base", metavar="ADDRESS", help="Load address of a raw binary (default: the board's boot region).")
@whatif_options
@fail_if_option
@click.option("--power", "power_state", metavar="STATE", help="Power state to price energy for (default: the first).")
@target_options
@click.option("--model", metavar="MODEL.tflite", help="The model in FIRMWARE: map its kernels to the model's layers.")
@click.option("--input-symbol", "input_symbols", multiple=True, metavar="SYMBOL[+OFFSET]",
              help="Where samples for --model go; once per input.")  # fmt: skip
@click.option("--output-symbol", "output_symbols", multiple=True, metavar="SYMBOL[+OFFSET]",
              help="Where --model's outputs are read; once per output.")  # fmt: skip
@click.option("--input-at", metavar="SYMBOL",
              help="The function that is one inference: fed when entered, outputs taken when it returns.")  # fmt: skip
@click.option("--input", "samples_path", metavar="FILE|DIR", help="Samples: a .npy, a .npz, or a directory of them.")
@click.option("--samples", type=click.IntRange(1, 10_000), metavar="N",
              help="How many samples (default: all of --input, or 1 random one).")  # fmt: skip
@click.option("--seed", type=int, metavar="N", help="Seed of random samples (default: 0).")
@click.option("--tolerance", type=click.IntRange(min=0), metavar="STEPS",
              help="How many steps integer outputs may differ by (default: 0).")  # fmt: skip
@calibration_options
@device_options
@click.option("--battery-mah", type=Positive("milliampere-hours"), metavar="MAH",
              help="Say how long a battery of that capacity lasts at this duty cycle.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Fail if anything was approximated or not modelled.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
def run(
    firmware: str | None,
    board: str,
    json_path: str | None,
    kernels: str | None,
    power_state: str | None,
    strict: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Run FIRMWARE (ELF, Intel HEX or raw binary) on BOARD and show what each kernel costs.

    With --probe, or a stored measurement, kernels have the cycles that the real board took, and estimates elsewhere.

    With --model, show what each layer of the model in it costs; with symbols for its inputs and outputs, feed it and
    compare what it computes with the TensorFlow Lite interpreter.

    Exit status: 0 done; 1 the firmware faulted, reached a limit, exited with a code other than 0 or computed something
    else than the interpreter, or the real board failed; 2 unusable input.
    """
    from vtarget.logic.report import failure
    from vtarget.logic.result import profile_json
    from vtarget.shell.running import pricer_for

    pattern = kernel_pattern(kernels)
    _check_targets(json_path, options["record_path"])
    supposed = what_if(options, _clock)
    budget = conditions(options["fail_if"])
    pricer = with_calibration(pricer_for(board, clock_hz=supposed.clock_hz), board, options)
    if options["battery_mah"] and not pricer.board.power:
        raise InputError(f"--battery-mah: board {pricer.board.name} has no power figures")
    others = {"kernels": kernels, "power_state": power_state, "quiet": quiet}
    if options["model"] is not None:
        found_model = run_model(firmware, board, pricer, options | others, supposed, json_path)
        if found_model is not None:
            from vtarget.logic.runtimereport import runtime_json

            _show_model(found_model, json_path, strict=strict, quiet=quiet, waterfall=options["waterfall"])
            check(budget, runtime_json(found_model))
        return 0
    refuse_without_model(options)
    found = run_target(firmware, pricer, options | others, supposed, json_path)
    record = found.record
    if supposed.table:
        refuse_explaining(options, "does not go with a table of suppositions")
        rows = table(
            lambda at, setting: priced(record, at, setting, power_state, waterfall=False),
            board,
            supposed,
            pricer.calibration,
        )
        show_table(rows, json_path, quiet=quiet)
        return 0
    setting = supposed.settings[-1]
    estimate = priced(record, found.pricer, setting, power_state, options["battery_mah"])
    profile = found.priced(lambda _: estimate)
    explanations = explain_kernels(
        record, supposed_pricer(record, found.pricer, setting), options["explained"], profile
    )
    _show(profile, pattern, json_path, quiet, explanations, estimate if options["waterfall"] else None)
    reason = failure(profile)
    if reason is not None:
        raise RunError(reason)
    _check_strict(profile, strict)
    check(budget, profile_json(profile))
    return 0


def _check_strict(profile: Profile, strict: bool) -> None:
    if strict and profile.not_modelled:
        rest = f" (+{len(profile.not_modelled) - 1} more)" if len(profile.not_modelled) > 1 else ""
        raise RunError(f"--strict: not modelled: {profile.not_modelled[0]}{rest}")


def _show_model(profile: RuntimeProfile, json_path: str | None, *, strict: bool, quiet: bool, waterfall: bool) -> None:
    from vtarget.app.run_model_output import check_validation, show_runtime

    show_runtime(profile, json_path, quiet=quiet, waterfall=waterfall)
    check_validation(profile)
    _check_strict(profile.inference, strict)


def _check_targets(json_path: str | None, record_path: str | None) -> None:
    from vtarget.shell.files import check_target

    if json_path not in (None, "-"):
        check_target(str(json_path), "--json")
    if record_path is not None:
        check_target(record_path, "--record")


def parse_clock(text: str | None) -> int | None:
    """Hertz of a ``--clock`` option; InputError if it is no frequency."""
    from vtarget.base.units import FREQUENCY, parse

    try:
        return None if text is None else int(parse(text, FREQUENCY))
    except ValueError as error:
        raise InputError(f"--clock: {error}") from None


def _clock(text: str) -> int:
    clock_hz = parse_clock(text)
    assert clock_hz is not None
    return clock_hz


def _show(
    profile: Profile,
    pattern: re.Pattern[str] | None,
    json_path: str | None,
    quiet: bool,
    explanations: Sequence[Explanation],
    waterfall: Profile | None,
) -> None:
    """``waterfall`` is the estimate whose cycles are to be split, if they are."""
    from dataclasses import replace

    from vtarget.app.terminal import write_json
    from vtarget.logic.report import select_kernels
    from vtarget.logic.result import profile_json

    if json_path is not None:
        chosen = replace(profile, kernels=select_kernels(profile, pattern))
        write_json(json_path, profile_json(chosen, explanations))
    if json_path != "-" and not quiet:
        _print(profile, pattern, explanations, waterfall)


def _print(
    profile: Profile,
    pattern: re.Pattern[str] | None,
    explanations: Sequence[Explanation],
    waterfall: Profile | None,
) -> None:
    from vtarget.app.terminal import Column, print_line, print_memory, print_notes, print_table
    from vtarget.logic import report, waterfallreport

    if profile.console:
        print_line("console", style="bold")
        for line in profile.console.rstrip("\n").split("\n"):
            print_line(f"  {line.rstrip(chr(13))}")
        print_line()
    table = report.kernel_table(profile, pattern)
    first, *others = report.kernel_columns(profile)
    columns: list[Column | str] = [first, *(name if name == "cycles are" else Column(name, "right") for name in others)]
    print_table(columns, table.rows, title=report.heading(profile))
    if not table.rows:
        print_line(f"none of {len(profile.kernels)} kernels has a name that --kernels matches")
    if table.left_out:
        print_line(f"… and {table.left_out} more kernels with {100 * table.left_out_share:.1f} % of the cycles")
    print_line()
    if waterfall is not None:
        beside = profile.measured is not None
        print_waterfall("kernel", waterfallreport.of_kernels(waterfall, pattern), waterfall, measured=beside)
    print_explanations(explanations)
    if profile.spans:
        right = [Column(name, "right") for name in ("call", "instructions", "cycles", "time", "energy")]
        print_table(["span", *right], report.span_rows(profile))
        for line in report.span_rest(profile):
            print_line(line)
        print_line()
    for label, value in report.total_lines(profile):
        print_line(f"{label:<14} {value}")
    print_line()
    print_memory(profile)
    print_notes("of the measurement", () if profile.measured is None else profile.measured.notes)
    print_notes("not modelled", profile.not_modelled)
    if len(profile.exit.call_stack) and report.failure(profile):
        print_line()
        print_line("call stack", style="bold")
        for line in report.stack_lines(profile.exit):
            print_line(f"  {line}")

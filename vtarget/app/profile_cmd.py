"""``vtarget profile``: a model becomes firmware, is profiled layer by layer, and compared with the interpreter."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vtarget.app.budgets import check, conditions, fail_if_option
from vtarget.app.calibrate_cmd import calibration_options, with_calibration
from vtarget.app.profile_probe import (
    check_measured,
    check_probe_options,
    chosen_target,
    print_measured,
    probe_options,
)
from vtarget.app.run_explain import explain_options, print_explanations, print_waterfall
from vtarget.base.errors import InputError, RunError

if TYPE_CHECKING:
    from vtarget.data.graph import Graph
    from vtarget.data.modelprofile import ModelProfile
    from vtarget.data.validation import QuantisationTable
    from vtarget.shell.interpreter import InterpreterResult
    from vtarget.shell.profiling import ModelJob
    from vtarget.shell.samples import Samples

ENGINES = ("reference", "simd")


@click.command()
@click.argument("model", metavar="MODEL.tflite")
@click.option("-b", "--board", "boards", multiple=True, required=True, metavar="BOARD", help="May be given repeatedly.")
@click.option("-e", "--engine", "engines", multiple=True, type=click.Choice(ENGINES), help="Default: simd. Repeatable.")
@click.option("--input", "inputs", metavar="FILE|DIR", help="Samples: a .npy, a .npz, or a directory of them.")
@click.option("--samples", type=click.IntRange(1, 10_000), metavar="N",
              help="How many samples (default: all of --input, or 1 random one).")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of random samples.")
@click.option("--float", "float_path", metavar="FLOAT.tflite", help="Float twin: show what quantisation costs.")
@click.option("--labels", "labels_path", metavar="FILE", help="Class numbers of the samples (.npy or text).")
@click.option("--json", "json_path", metavar="PATH", help="Write JSON to PATH ('-': standard output).")
@click.option("--toolchain", type=click.Choice(("auto", "gcc", "zig")), default="auto", show_default=True)
@click.option("--cflags", default="", metavar="FLAGS", help="More options for the compiler, behind ours.")
@click.option("--weights", default="auto", show_default=True, metavar="REGION", help="Where weights go.")
@click.option("--arena", default="auto", show_default=True, metavar="REGION",
              help="Where the arena goes: a region, or adjoining ones (SRAM1+SRAM2).")  # fmt: skip
@click.option("--clock", metavar="HZ", help="Core clock, such as '80 MHz'.")
@click.option("--power", "power_state", metavar="STATE", help="Power state to price energy for (default: the first).")
@click.option("--tolerance", type=click.IntRange(min=0), default=0, show_default=True, metavar="STEPS",
              help="How many steps integers may differ by.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True, metavar="S")
@click.option("--no-validate", is_flag=True, help="Don't run the interpreter.")
@probe_options
@explain_options("FUNCTION|LAYER")
@calibration_options
@fail_if_option
@click.option("--quiet", is_flag=True, help="Print errors only.")
def profile(
    model: str, boards: tuple[str, ...], engines: tuple[str, ...], json_path: str | None, **options: Any
) -> int:
    """Build firmware of MODEL for BOARD, run it, compare every layer with the interpreter, and show what each costs.

    With --probe the same firmware runs on the real board, and estimates stand beside measured cycles, which -o keeps
    and --from-record shows again.

    Exit status: 0 done; 1 a layer or output differs, or the board failed; 2 unusable input.
    """
    from vtarget.logic.modelresult import model_json

    _check_options(json_path, options)
    check_probe_options(boards, engines, options)
    budget = conditions(options["fail_if"])
    profiles = _profiles(model, tuple(dict.fromkeys(boards)), tuple(dict.fromkeys(engines)) or ("simd",), options)
    _show(profiles, json_path, options["quiet"], waterfall=options["waterfall"])
    for one in profiles:
        if one.validation is not None and not one.validation.passed:
            from vtarget.logic.modelreport import verdict

            raise RunError(f"{model} on {one.inference.board}, engine {one.engine}: {verdict(one.validation)}")
        check_measured(one)
    for one in profiles:
        check(budget, model_json(one), f"{one.inference.board}, engine {one.engine}" if len(profiles) > 1 else "")
    return 0


def _check_options(json_path: str | None, options: dict[str, Any]) -> None:
    from vtarget.shell.files import check_target

    if options["labels_path"] is not None and options["float_path"] is None:
        raise InputError("--labels needs --float: accuracy is shown beside the float model's")
    if json_path is not None and json_path != "-":
        check_target(json_path, "--json")


def _profiles(
    model: str, boards: tuple[str, ...], engines: tuple[str, ...], options: dict[str, Any]
) -> list[ModelProfile]:
    from vtarget.app.run_cmd import parse_clock
    from vtarget.app.terminal import run_progress
    from vtarget.shell.profiling import interpret, profile_model
    from vtarget.shell.running import check_power_state, pricer_for
    from vtarget.shell.tflitefile import read_model
    from vtarget.shell.toolchain import find_toolchain

    clock_hz = parse_clock(options["clock"])
    pricers = [with_calibration(pricer_for(board, clock_hz=clock_hz), board, options) for board in boards]
    for pricer in pricers:
        check_power_state(pricer, options["power_state"])
    graph = read_model(model)
    toolchain = find_toolchain(options["toolchain"])
    samples = _samples(graph, options)
    found: list[ModelProfile] = []
    with ExitStack() as stack:
        # A board shows a progress of its own.
        progress = stack.enter_context(run_progress(None)) if options["probe_url"] is None else None
        jobs = [_job(graph, model, samples, engine, options, progress) for engine in engines]
        work = None if options["no_validate"] else stack.enter_context(interpret(jobs[0]))
        reference: InterpreterResult | None = None
        target = stack.enter_context(chosen_target(pricers[0], options))
        for pricer in pricers:
            for job in jobs:
                one, tensors = profile_model(job, pricer, toolchain, reference or work, target)
                if work is not None and reference is None:
                    reference = work.result()
                found.append(_with_quantisation(one, tensors, job, reference, options))
    return found


def _with_quantisation(
    one: ModelProfile, tensors: Any, job: ModelJob, reference: InterpreterResult | None, options: dict[str, Any]
) -> ModelProfile:
    from dataclasses import replace

    from vtarget.shell.quantisation import compare_with_float
    from vtarget.shell.samples import load_labels

    if options["float_path"] is None:
        return one
    if reference is None:
        raise InputError("--float needs the interpreter, so not --no-validate")
    if not tensors:
        raise InputError("--float needs tensors, which a stored record doesn't have")
    labels = job.samples.labels
    if options["labels_path"] is not None:
        labels = load_labels(options["labels_path"], len(job.samples.arrays))
    table = compare_with_float(options["float_path"], job.graph, job.samples, reference, tensors, labels)
    return replace(one, quantisation=table)


def _job(graph: Graph, model: str, samples: Samples, engine: str, options: dict[str, Any], progress: Any) -> ModelJob:
    import shlex

    from vtarget.data.limits import RunLimits
    from vtarget.data.validation import Tolerance
    from vtarget.shell.modelbuild import ModelOptions
    from vtarget.shell.profiling import ModelJob

    try:
        cflags = tuple(shlex.split(options["cflags"]))
    except ValueError as error:
        raise InputError(f"--cflags: {error}") from None
    return ModelJob(
        graph=graph,
        data=Path(model).read_bytes(),
        samples=samples,
        options=ModelOptions(engine, cflags, options["weights"], options["arena"]),
        tolerance=Tolerance(steps=options["tolerance"]),
        limits=RunLimits(wall_seconds=options["timeout"]),
        power_state=options["power_state"],
        progress=progress,
        explained=options["explained"],
        measurement_path=options["measurement_path"],
    )


def _samples(graph: Graph, options: dict[str, Any]) -> Samples:
    from vtarget.shell.samples import load_samples, seeded_samples

    if options["inputs"] is None:
        return seeded_samples(graph, options["samples"] or 1, options["seed"])
    return load_samples(graph, options["inputs"], most=options["samples"])


def _show(profiles: list[ModelProfile], json_path: str | None, quiet: bool, *, waterfall: bool) -> None:
    from vtarget.app.terminal import write_json
    from vtarget.logic.modelresult import model_json

    if json_path is not None:
        objects = [model_json(one) for one in profiles]
        write_json(json_path, objects[0] if len(objects) == 1 else objects)
    if json_path == "-" or quiet:
        return
    by_board: dict[str, list[ModelProfile]] = {}
    for one in profiles:
        by_board.setdefault(one.inference.board, []).append(one)
    for number, of_board in enumerate(by_board.values()):
        _print_board(of_board, first=number == 0, waterfall=waterfall)


def _print_board(profiles: list[ModelProfile], *, first: bool, waterfall: bool) -> None:
    from vtarget.app.terminal import Column, print_line, print_memory, print_notes, print_table
    from vtarget.logic import modelreport, waterfallreport

    if not first:
        print_line()
    if len(profiles) > 1:
        titles = modelreport.compared_columns(profiles)
        columns = [t if t in modelreport.LEFT_COLUMNS else Column(t, "right") for t in titles]
        board = profiles[0].inference.board
        print_table(columns, modelreport.compared_rows(profiles), title=f"{profiles[0].model_path} on {board}")
        print_line()
    for one in profiles:
        if len(profiles) == 1:
            titles = list(modelreport.LAYER_COLUMNS)
            columns = [t if t in modelreport.LEFT_COLUMNS else Column(t, "right") for t in titles]
            print_table(columns, modelreport.layer_rows(one), title=modelreport.model_heading(one))
            print_line()
        else:
            print_line(modelreport.model_heading(one), style="bold")
        if waterfall:
            print_waterfall("layer", waterfallreport.of_layers(one.layers), one.inference)
        print_explanations(one.explanations)
        for label, value in modelreport.model_lines(one):
            print_line(f"{label:<14} {value}")
        print_line()
        print_measured(one)
        _print_remarks(modelreport.remarks(one))
    if profiles[-1].quantisation is not None:
        _print_quantisation(profiles[-1].quantisation)
    print_memory(profiles[-1].inference)
    print_notes("not modelled", profiles[-1].inference.not_modelled)


def _print_remarks(lines: list[str]) -> None:
    from vtarget.app.terminal import print_line

    if lines:
        print_line("why", style="bold")
        for line in lines:
            print_line(f"  {line}")
        print_line()


def _print_quantisation(table: QuantisationTable) -> None:
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import quantisationreport as text

    rows = text.accuracy_rows(table)
    if rows:
        columns: list[Column | str] = [
            text.ACCURACY_COLUMNS[0],
            *(Column(name, "right") for name in text.ACCURACY_COLUMNS[1:]),
        ]
        print_table(columns, rows, title=f"accuracy of {table.samples} samples")
        print_line()
    agreement = text.agreement_line(table)
    if agreement is not None:
        print_line(agreement)
        print_line()
    layers: list[Column | str] = [*text.LAYER_COLUMNS[:3], *(Column(name, "right") for name in text.LAYER_COLUMNS[3:])]
    print_table(layers, text.layer_rows(table), title="against the float model, largest losses first")
    print_line()

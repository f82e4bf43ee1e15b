"""``vtarget run --model``: firmware that was built elsewhere, held against the model that is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vtarget.app.run_target import check_probe_options
from vtarget.base.errors import InputError, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vtarget.data.board import Board
    from vtarget.data.graph import Graph
    from vtarget.data.image import Image
    from vtarget.data.runtimeprofile import RuntimeProfile
    from vtarget.logic.pricing import Pricer
    from vtarget.shell.ownruntime import Feeding
    from vtarget.shell.runoptions import RunOptions
    from vtarget.shell.samples import Samples
    from vtarget.shell.targets import BoardTarget

# Parameters of ``run`` as they are written.
_NEED_SYMBOLS = {
    "samples_path": "--input",
    "samples": "--samples",
    "seed": "--seed",
    "tolerance": "--tolerance",
}
_NEED_MODEL = {
    "input_symbols": "--input-symbol",
    "output_symbols": "--output-symbol",
    "input_at": "--input-at",
    **_NEED_SYMBOLS,
}
_EXCLUDED = {
    "from_record": "--from-record",
    "record_path": "--record",
    "spans": "--span",
    "reads": "--read",
    "kernels": "--kernels",
    "explained": "--explain",
    "battery_mah": "--battery-mah",
}


def refuse_without_model(options: dict[str, Any]) -> None:
    """InputError for options that say nothing without --model."""
    for name, option in _NEED_MODEL.items():
        if options[name] not in (None, ()):
            raise InputError(f"{option} needs --model")


def refuse_with_model(options: dict[str, Any]) -> None:
    """InputError for options that have no meaning with --model, or that lack what they need."""
    for name, option in _EXCLUDED.items():
        if options[name]:
            raise InputError(f"{option} and --model exclude each other")
    check_probe_options(options)
    given, taken = bool(options["input_symbols"]), bool(options["output_symbols"])
    if given != taken:
        have, lacks = ("--input-symbol", "--output-symbol") if given else ("--output-symbol", "--input-symbol")
        raise InputError(f"{have} needs {lacks}", hint="without both, kernels are mapped and nothing is compared")
    for name, option in _NEED_SYMBOLS.items():
        if options[name] is not None and not given:
            raise InputError(f"{option} needs --input-symbol and --output-symbol")


def profile_runtime(
    image: Image, pricer: Pricer, run: RunOptions, options: dict[str, Any], target: BoardTarget | None = None
) -> RuntimeProfile:
    """The profile that the options of ``run`` ask for, with what the board said if there is one. InputError for what
    can't be used, RunError for a failed run."""
    from vtarget.data.validation import Tolerance
    from vtarget.shell.ownruntime import RuntimeJob, profile_firmware
    from vtarget.shell.symbols import resolve_function
    from vtarget.shell.tflitefile import read_model

    graph = read_model(options["model"])
    if options["input_symbols"] and options["input_at"] is None and all(f.name != "main" for f in image.functions):
        raise InputError(
            f"{image.path} has no function main, at which samples are put once start-up code is through with memory",
            hint="--input-at names the function that is one inference",
        )
    job = RuntimeJob(
        graph=graph,
        data=Path(options["model"]).read_bytes(),
        image=image,
        feeding=_feeding(graph, image, pricer.board, options) if options["input_symbols"] else None,
        function=resolve_function(image, at, "--input-at") if (at := options["input_at"]) is not None else None,
        options=run,
        tolerance=Tolerance(steps=options["tolerance"] or 0),
        power_state=options["power_state"],
    )
    ran = profile_firmware(job, pricer)
    if target is None:
        return ran.profile
    from vtarget.shell.runtimeboard import measure_runtime

    return replace(ran.profile, measured=measure_runtime(job, ran, target))


def _feeding(graph: Graph, image: Image, board: Board, options: dict[str, Any]) -> Feeding:
    from vtarget.shell.ownruntime import Feeding

    inputs = _places(graph, graph.inputs, image, board, options["input_symbols"], "input")
    outputs = _places(graph, graph.outputs, image, board, options["output_symbols"], "output")
    return Feeding(_samples(graph, options), inputs, outputs)


def _samples(graph: Graph, options: dict[str, Any]) -> Samples:
    from vtarget.shell.samples import load_samples, seeded_samples

    if options["samples_path"] is None:
        return seeded_samples(graph, options["samples"] or 1, options["seed"] or 0)
    if options["seed"] is not None:
        raise InputError("--seed and --input exclude each other")
    return load_samples(graph, options["samples_path"], most=options["samples"])


def _places(
    graph: Graph, tensors: Sequence[int], image: Image, board: Board, symbols: tuple[str, ...], what: str
) -> tuple[int, ...]:
    """Addresses with room for each of the tensors."""
    if len(symbols) != len(tensors):
        names = ", ".join(f"'{graph.tensors[index].name}'" for index in tensors)
        raise InputError(
            f"--{what}-symbol: given {len(symbols)} times for {len(tensors)} {what}s of the model ({names})"
        )
    return tuple(
        _place(graph, index, image, board, symbol, f"--{what}-symbol")
        for index, symbol in zip(tensors, symbols, strict=True)
    )


def _place(graph: Graph, index: int, image: Image, board: Board, text: str, option: str) -> int:
    from vtarget.shell.symbols import parse_address, resolve_address

    tensor = graph.tensors[index]
    symbol, plus, behind = text.rpartition("+")
    # C++ names may hold a plus too.
    offset = parse_address(behind, option) if plus else None
    address, size_bytes = resolve_address(image, text if offset is None else symbol, option)
    offset = offset or 0
    need = f"'{tensor.name}' takes {tensor.size_bytes} bytes ({tensor.type} {list(tensor.shape)})"
    if size_bytes and size_bytes - offset < tensor.size_bytes:
        left = f"{size_bytes} bytes" if not offset else f"{max(0, size_bytes - offset)} bytes behind the offset"
        hint = "it may be a pointer: name the buffer it points to" if size_bytes == 4 else None
        raise InputError(f"{option} {text}: {left}, but {need}", hint=hint)
    if not board.covers(address + offset, tensor.size_bytes, writable=True):
        raise InputError(f"{option} {text}: 0x{address + offset:08x} is not RAM of board {board.name}, and {need}")
    return address + offset


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
    from vtarget.app.run_explain import print_waterfall
    from vtarget.app.terminal import Column, print_line, print_table
    from vtarget.logic import report, runtimereport, waterfallreport

    left = {"operator", "output", "kernel"}
    columns = [title if title in left else Column(title, "right") for title in runtimereport.LAYER_COLUMNS]
    print_table(columns, runtimereport.layer_rows(profile), title=runtimereport.runtime_heading(profile))
    print_line()
    if waterfall:
        print_waterfall("layer", waterfallreport.of_layers(profile.layers), profile.inference)
    for label, value in runtimereport.runtime_lines(profile):
        print_line(f"{label:<14} {value}")
    print_line()
    _print_measured(profile)
    right = [Column(name, "right") for name in ("used", "of bytes", "share")]
    print_table(["region", *right], report.memory_rows(profile.inference))
    if profile.inference.not_modelled:
        print_line()
        print_line("not modelled", style="bold")
        for note in profile.inference.not_modelled:
            print_line(f"  {note}")

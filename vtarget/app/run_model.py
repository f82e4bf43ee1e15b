"""``vtarget run --model``: firmware that was built elsewhere, held against the model that is in it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vtarget.app.run_devices import refuse_device_options
from vtarget.app.run_explain import explain_kernels, refuse_explaining, supposed_pricer
from vtarget.app.run_target import check_probe_options, parse_base, refuse_supposing, refuse_with_stored, write_request
from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vtarget.app.run_whatif import WhatIf
    from vtarget.data.board import Board
    from vtarget.data.graph import Graph
    from vtarget.data.image import Image
    from vtarget.data.modelprofile import MeasuredModel
    from vtarget.data.runtimeprofile import RuntimeProfile
    from vtarget.logic.pricing import Pricer
    from vtarget.logic.whatif import Setting
    from vtarget.shell.ownruntime import Feeding, RuntimeFacts, RuntimeJob, RuntimeRuns
    from vtarget.shell.runoptions import RunOptions
    from vtarget.shell.samples import Samples

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
    "spans": "--span",
    "reads": "--read",
    "kernels": "--kernels",
    "battery_mah": "--battery-mah",
}


def refuse_without_model(options: dict[str, Any]) -> None:
    """InputError for options that say nothing without --model."""
    for name, option in _NEED_MODEL.items():
        if options[name] not in (None, ()):
            raise InputError(f"{option} needs --model")


def run_model(
    firmware: str | None, board: str, pricer: Pricer, options: dict[str, Any], supposed: WhatIf, json_path: str | None
) -> RuntimeProfile | None:
    """Run the firmware where the options say, or take the stored run, and profile the model in it. The file of --record
    is written. None if a table of suppositions was shown instead.

    InputError for options that don't go together or can't be used; RunError if the firmware or the board fails.
    """
    from vtarget.shell.running import check_power_state

    _check_options(options)
    check_power_state(pricer, options["power_state"])
    with ExitStack() as stack:
        if options["from_record"] is not None:
            ran = _stored(firmware, pricer, options, supposed)
        elif firmware is None:
            raise click.UsageError("missing argument FIRMWARE (or --from-record FILE)")
        else:
            ran = _executed(firmware, pricer, options, supposed, stack)
        if ran.measure is None:
            _store(ran, None, options["record_path"])
        if not supposed.table:
            return _profile(ran, supposed.settings[-1], options)
        _show_table(ran, board, supposed, options, json_path)
        return None


@dataclass(frozen=True)
class _Ran:
    """The starts of a firmware, and what a board says of them once they are priced, if there is one."""

    facts: RuntimeFacts
    pricer: Pricer
    measure: Callable[[RuntimeRuns], MeasuredModel] | None = None


def _profile(ran: _Ran, setting: Setting, options: dict[str, Any]) -> RuntimeProfile:
    """The profile under that setting, with what a board took if there is one, which is stored if it is right."""
    runs = _priced(ran.facts, ran.pricer, setting, options["power_state"])
    pricer = supposed_pricer(runs.inference, ran.pricer, setting)
    explanations = explain_kernels(runs.inference, pricer, options["explained"], runs.profile.inference)
    profile = replace(runs.profile, explanations=tuple(explanations))
    if ran.measure is None:
        return profile
    measured = ran.measure(runs)
    if measured.agrees:
        _store(ran, measured, options["record_path"])
    return replace(profile, measured=measured)


def _show_table(ran: _Ran, board: str, supposed: WhatIf, options: dict[str, Any], json_path: str | None) -> None:
    from vtarget.app.run_whatif import show_table, table

    refuse_explaining(options, "does not go with a table of suppositions")
    power = options["power_state"]
    rows = table(
        lambda pricer, setting: _priced(ran.facts, pricer, setting, power).profile.inference,
        board,
        supposed,
        ran.pricer.calibration,
    )
    show_table(rows, json_path, quiet=options["quiet"])


def _check_options(options: dict[str, Any]) -> None:
    """InputError for options that have no meaning with --model, or that lack what they need."""
    refuse_device_options(options, "does not go with --model")
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


def _priced(facts: RuntimeFacts, pricer: Pricer, setting: Setting, power_state: str | None) -> RuntimeRuns:
    """The runs under one setting, at the pricer's clock."""
    from vtarget.app.run_whatif import with_straddling
    from vtarget.logic.whatif import supposing
    from vtarget.shell.ownruntime import profile_facts

    record = facts.starts[0].record
    at = supposing(record, pricer, setting)
    runs = profile_facts(facts, at, power_state)
    inference = with_straddling(runs.profile.inference, record, at)
    return replace(runs, profile=replace(runs.profile, inference=inference))


def _store(ran: _Ran, measured: MeasuredModel | None, path: str | None) -> None:
    from vtarget.shell.measurementfile import save_with_record
    from vtarget.shell.recordfile import save_records

    records = [start.record for start in ran.facts.starts]
    if path is not None and measured is None:
        save_records(records, path)
    elif path is not None and measured is not None:
        save_with_record(measured.measurement, records[0], path)


def _stored(firmware: str | None, pricer: Pricer, options: dict[str, Any], supposed: WhatIf) -> _Ran:
    """The starts that a file is of, or a measurement and its virtual run."""
    from vtarget.shell.measurementfile import load_measurement, record_file
    from vtarget.shell.onlooking import RunOrder
    from vtarget.shell.ownruntime import stored_facts
    from vtarget.shell.recordfile import load_records
    from vtarget.shell.replaying import ReplayTarget
    from vtarget.shell.running import load_firmware
    from vtarget.shell.runtimeboard import replayed_runtime
    from vtarget.shell.tflitefile import read_model

    path = options["from_record"]
    replay = ReplayTarget(path, pricer)
    refuse_with_stored(firmware, options, supposed, replay)
    if options["input_symbols"]:
        raise InputError("--input-symbol needs a run, not --from-record", hint="stored runs have no tensors to compare")
    graph = read_model(options["model"])
    try:
        if not replay.measures:
            return _Ran(stored_facts(graph, load_records(path), options["input_at"]), pricer)
        if record_file(load_measurement(path), path) is None:
            raise InputError(
                f"{path}: the virtual run that tells which kernels were called when isn't beside it",
                hint="'vtarget run FIRMWARE --model MODEL.tflite --probe PROBE -o FILE' writes FILE and FILE.record",
            )
        image = None if firmware is None else load_firmware(firmware, pricer)
        found = replay.run(image, RunOrder())
        facts = stored_facts(graph, [found.record], options["input_at"])
    except InputError as error:
        named = error.message if error.message.startswith(path) else f"{path}: {error.message}"
        raise InputError(named, hint=error.hint) from None
    return _Ran(facts, found.pricer, lambda runs: replayed_runtime(graph, runs, found))


def _executed(firmware: str, pricer: Pricer, options: dict[str, Any], supposed: WhatIf, stack: ExitStack) -> _Ran:
    """The firmware emulated, with the board behind --probe to run it, too, as long as the ``stack`` holds."""
    from vtarget.app.profile_probe import chosen_board
    from vtarget.app.terminal import run_progress
    from vtarget.data.limits import RunLimits
    from vtarget.shell.ownruntime import run_firmware
    from vtarget.shell.running import load_firmware, run_options
    from vtarget.shell.runtimeboard import measure_runtime

    probed = options["probe_url"] is not None
    if probed:
        refuse_supposing(supposed, None)
    image = load_firmware(firmware, pricer, base=parse_base(options["base"]))
    # A board shows a progress of its own.
    progress = None if probed else stack.enter_context(run_progress(options["max_instructions"]))
    run = run_options(
        image,
        until=options["until"],
        limits=RunLimits(options["max_instructions"], options["max_seconds"], options["timeout"]),
        writes=[write_request(text) for text in options["writes"]],
        progress=progress,
    )
    job = _job(image, pricer, run, options)
    if not probed:
        return _Ran(run_firmware(job, pricer), pricer)
    target = stack.enter_context(chosen_board(pricer, options))
    facts = run_firmware(job, pricer)
    if options["record_path"] is not None and len(facts.starts) > 1:
        raise InputError(
            f"--record: a measurement is of one start of the firmware, and {len(facts.starts)} samples take as many",
            hint="--samples 1, or --input-at for firmware that takes one after the other",
        )
    return _Ran(facts, pricer, lambda runs: measure_runtime(job, runs, target))


def _job(image: Image, pricer: Pricer, run: RunOptions, options: dict[str, Any]) -> RuntimeJob:
    from vtarget.data.validation import Tolerance
    from vtarget.shell.ownruntime import RuntimeJob
    from vtarget.shell.symbols import resolve_function
    from vtarget.shell.tflitefile import read_model

    graph = read_model(options["model"])
    if options["input_symbols"] and options["input_at"] is None and all(f.name != "main" for f in image.functions):
        raise InputError(
            f"{image.path} has no function main, at which samples are put once start-up code is through with memory",
            hint="--input-at names the function that is one inference",
        )
    return RuntimeJob(
        graph=graph,
        data=Path(options["model"]).read_bytes(),
        image=image,
        feeding=_feeding(graph, image, pricer.board, options) if options["input_symbols"] else None,
        function=resolve_function(image, at, "--input-at") if (at := options["input_at"]) is not None else None,
        options=run,
        tolerance=Tolerance(steps=options["tolerance"] or 0),
    )


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

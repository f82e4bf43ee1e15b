"""The model developer's job: a model becomes firmware, runs on the virtual board, and is compared tensor by tensor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vtarget.base.errors import InputError, RunError
from vtarget.data.explanation import Explanation
from vtarget.data.graph import Graph
from vtarget.data.image import Image
from vtarget.data.limits import RunLimits
from vtarget.data.modelprofile import MeasuredModel, ModelMemory, ModelProfile
from vtarget.data.profile import Profile, Span
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.data.target import target_of
from vtarget.data.validation import Tolerance, Validation
from vtarget.data.waterfall import NO_WATERFALL
from vtarget.logic.codegen.project import layer_function
from vtarget.logic.explain import explain, noted
from vtarget.logic.knowndifferences import allowances
from vtarget.logic.layers import LayerContext, layer_profiles, median_sample, spread_of
from vtarget.logic.measureplan import MOST_CALLS
from vtarget.logic.pricing import Pricer
from vtarget.logic.profile import restricted
from vtarget.logic.report import failure
from vtarget.logic.validation import BIT_EXACT, output_crc32, validate
from vtarget.shell.feeding import INVOKE as INVOKE
from vtarget.shell.feeding import Feeder
from vtarget.shell.imagefile import load_image
from vtarget.shell.interpreter import Array, InterpreterJob, InterpreterResult
from vtarget.shell.measurementfile import save_with_record
from vtarget.shell.modelbuild import ModelCode, ModelFirmware, ModelOptions, build_firmware, generate
from vtarget.shell.onlooking import RunOrder
from vtarget.shell.running import price
from vtarget.shell.samples import Samples
from vtarget.shell.sourcelines import SourceLines, source_lines
from vtarget.shell.targets import Target, VirtualTarget
from vtarget.shell.toolchain import Toolchain

NEXT_SAMPLE = "vt_next_sample"
SAMPLES_LEFT = "vt_samples"


@dataclass(frozen=True)
class ModelJob:
    """What to do with a model: its samples, how to build it, how closely to compare it, which functions or layers (by
    number) to explain, and the file where a measurement goes."""

    graph: Graph
    data: bytes = field(repr=False)
    samples: Samples = field(repr=False)
    options: ModelOptions = field(default_factory=ModelOptions)
    tolerance: Tolerance = field(default_factory=Tolerance)
    limits: RunLimits = RunLimits()
    power_state: str | None = None
    progress: Callable[[int, int], None] | None = None
    explained: tuple[str, ...] = ()
    measurement_path: str | None = None


@dataclass(frozen=True)
class FirmwareRun:
    """A run of a model's firmware: its facts, and what its tensors held after the operator that wrote them."""

    record: ExecutionRecord
    tensors: tuple[dict[int, Array], ...]
    image: Image


def interpret(job: ModelJob) -> InterpreterJob:
    """The interpreter at work on the job's samples, in a process of its own."""
    wanted = [tensor.index for tensor in job.graph.tensors if not tensor.constant]
    return InterpreterJob(job.data, job.samples.arrays, tensors=wanted)


def profile_model(
    job: ModelJob,
    pricer: Pricer,
    toolchain: Toolchain,
    reference: InterpreterJob | InterpreterResult | None,
    target: Target | None = None,
) -> tuple[ModelProfile, tuple[dict[int, Array], ...]]:
    """One model on one board with one engine. ``reference`` is what to compare with; None leaves validation out.
    ``target`` is where the firmware runs, by default on the virtual board. Where it ``measures``, both do.

    InputError for a model that isn't supported or doesn't fit; RunError if compiling or the firmware itself fails.
    Also returns what the firmware's tensors held, sample by sample.
    """
    code = generate(job.graph, target_of(pricer.board), job.options.engine)
    with tempfile.TemporaryDirectory(prefix="vtarget-model-") as folder:
        elf = Path(folder) / f"{Path(job.graph.path).stem}.elf"
        firmware = build_firmware(code, pricer.board, toolchain, elf, job.options)
        ran = run_firmware(code, elf, pricer, job, None if target is None or target.measures else target)
        lines = source_lines(str(elf), ran.image.sha256) if job.explained else SourceLines()
    result = reference.result() if isinstance(reference, InterpreterJob) else reference
    profile = _profile(job, firmware, ran, pricer, result, lines)
    if target is not None and target.measures:
        profile = replace(profile, measured=measure_model(job, code, ran, target, result))
    return profile, ran.tensors


def measure_model(
    job: ModelJob, code: ModelCode, ran: FirmwareRun, target: Target, reference: InterpreterResult | None
) -> MeasuredModel:
    """The firmware of a virtual run on a real board: the same samples, its cycles, and its tensors compared with the
    interpreter's and the virtual run's. InputError for more samples than can be stopped at; ProbeError if it fails."""
    count = len(job.samples.arrays)
    if count > MOST_CALLS:
        raise InputError(f"{count:,} samples are too many for a board, which stops at each: at most {MOST_CALLS:,}")
    feeder = Feeder(code, ran.image, job.samples.arrays)
    found = target.run(ran.image, replace(_order(job, code, ran.image, feeder), guide=ran.record))
    measurement = found.measurement
    if measurement is None:
        raise InputError("a model can be measured on a board only")
    if found.exit_code not in (0, None):
        raise RunError(f"{job.graph.path}: on the board, the firmware ended with {found.exit_code}")
    inferences = found.spans.get(INVOKE, ())
    if len(inferences) not in (0, count):
        what = f"{len(inferences)} inference{'s' if len(inferences) > 1 else ''}"
        raise InputError(f"the measurement is of {what}, and there are {count} samples", hint="--samples N")
    layers = {layer.operator: found.spans.get(layer_function(layer, job.graph), ()) for layer in code.layers}
    measured = MeasuredModel(
        measurement=measurement,
        spread=spread_of(inferences) if inferences else None,
        layers={index: spread_of(cycles) for index, cycles in layers.items() if cycles},
        reference=None,
        virtual=None,
        same_outputs=None,
        unstable=tuple(sorted(feeder.unstable)),
    )
    return _compared(job, ran, tuple(feeder.tensors), measured, reference)


def _compared(
    job: ModelJob,
    ran: FirmwareRun,
    tensors: tuple[dict[int, Array], ...],
    measured: MeasuredModel,
    reference: InterpreterResult | None,
) -> MeasuredModel:
    """With what the board computed against interpreter and virtual run; written to a file if it is asked for and right.
    A stored run has no tensors."""
    own = _with_inputs(job.graph, ran)
    crc = output_crc32([[taken[index] for index in job.graph.outputs] for taken in own])
    if not tensors:
        stored = measured.measurement.outputs_crc32
        return replace(measured, same_outputs=None if stored is None else stored == crc)
    on_board = FirmwareRun(ran.record, tensors, ran.image)
    virtual = validate(job.graph, own, _with_inputs(job.graph, on_board), "the virtual run", BIT_EXACT)
    found = replace(
        measured,
        measurement=measured.measurement.model_copy(update={"outputs_crc32": virtual.crc32}),
        reference=None if reference is None else validate_run(job, on_board, reference),
        virtual=virtual,
        same_outputs=virtual.crc32 == crc,
    )
    if job.measurement_path is not None and found.agrees:
        save_with_record(found.measurement, ran.record, job.measurement_path)
    return found


def _order(job: ModelJob, code: ModelCode, image: Image, feeder: Feeder) -> RunOrder:
    """A run of all samples with every layer a span, wherever it is made."""
    count = len(job.samples.arrays).to_bytes(4, "little")
    return RunOrder(
        spans=(INVOKE, *(layer_function(layer, job.graph) for layer in code.layers)),
        stops=(NEXT_SAMPLE,),
        writes=((image.objects[SAMPLES_LEFT][0], count),),
        onlooker=feeder,
        kernels=False,
        limits=job.limits,
        progress=job.progress,
    )


def run_firmware(
    code: ModelCode, elf: Path, pricer: Pricer, job: ModelJob, target: Target | None = None
) -> FirmwareRun:
    """Run all samples, taking every layer's tensors, on a target (the virtual board) that estimates. RunError if the
    firmware doesn't end by itself."""
    image = replace(load_image(str(elf)), path=elf.name)
    feeder = Feeder(code, image, job.samples.arrays)
    record = (target or VirtualTarget(pricer)).run(image, _order(job, code, image, feeder)).record
    if record.exit.reason is not Reason.SEMIHOSTING or record.exit.code:
        reason = failure(price(record, pricer)) or f"the firmware ended by {record.exit.reason.value}"
        reason = reason.removeprefix(f"{elf.name}: ")
        raise RunError(f"{job.graph.path}: {reason}")
    return FirmwareRun(record, tuple(feeder.tensors), image)


def _profile(
    job: ModelJob,
    firmware: ModelFirmware,
    ran: FirmwareRun,
    pricer: Pricer,
    reference: InterpreterResult | None,
    lines: SourceLines,
) -> ModelProfile:
    code, build = firmware.code, firmware.build
    whole = price(ran.record, pricer, power_state=job.power_state)
    invocations = [span for span in whole.spans if span.name == INVOKE]
    chosen = median_sample([span.cycles for span in invocations])
    facts = [span for span in ran.record.spans if span.name == INVOKE][chosen]
    invocation = restricted(ran.record, facts)
    inference = price(invocation, pricer, power_state=job.power_state)
    by_name: dict[str, list[Any]] = {}
    for span in whole.spans:
        by_name.setdefault(span.name, []).append(span)
    layers = code.layers
    return ModelProfile(
        model_path=job.graph.path,
        model_sha256=job.graph.sha256,
        engine=job.options.engine,
        compiler=f"{build.compiler} {build.version}",
        flags=build.flags,
        samples=len(job.samples.arrays),
        inference=inference,
        spread=spread_of([span.cycles for span in invocations]),
        layers=layer_profiles(
            job.graph,
            layers,
            [by_name.get(layer_function(layer, job.graph)) or _nothing(len(invocations)) for layer in layers],
            inference,
            _context(firmware, pricer),
        ),
        memory=_memory(code, ran.image, inference),
        plan=code.plan,
        validation=None if reference is None or not ran.tensors else validate_run(job, ran, reference),
        explanations=tuple(_explain(invocation, pricer, what, code, lines) for what in dict.fromkeys(job.explained)),
        tensor_names=tuple(tensor.name for tensor in job.graph.tensors),
        arena_region=firmware.placement.arena_region,
    )


def _explain(record: ExecutionRecord, pricer: Pricer, what: str, code: ModelCode, lines: SourceLines) -> Explanation:
    """Of a layer (its number, or its function) with all that it calls, of any other function alone."""
    functions = {str(layer.operator): layer_function(layer, code.graph) for layer in code.layers}
    if what.isdecimal() and what not in functions:
        raise InputError(f"--explain {what}: the model has {len(code.graph.operators)} layers, from 0")
    name = functions.get(what, what)
    found = explain(record, pricer, name, callees=name in functions.values(), source_line=lines.at)
    return noted(found, lines.note)


def _nothing(samples: int) -> list[Span]:
    """Spans of a layer without code, which the compiler leaves out: a handle, or a shape changed in place."""
    return [Span("", number, 0, 0, 0.0, None, NO_WATERFALL) for number in range(samples)]


def _context(firmware: ModelFirmware, pricer: Pricer) -> LayerContext:
    region = pricer.board.region(firmware.placement.weights_region)
    waits = pricer.memory.waits(region)
    return LayerContext(pricer.board.core, pricer.board.fpu, firmware.code.engine, waits, region.name)


def _memory(code: ModelCode, image: Image, inference: Profile) -> ModelMemory:
    loaded = sum(len(segment.data) for segment in image.segments)
    return ModelMemory(
        arena_bytes=code.plan.arena_bytes,
        weights_bytes=code.weights_bytes,
        code_bytes=max(0, loaded - code.weights_bytes),
        stack_peak_bytes=inference.memory.stack_peak_bytes,
    )


def validate_run(job: ModelJob, ran: FirmwareRun, reference: InterpreterResult) -> Validation:
    """What the interpreter says of the tensors of a run."""
    expected: list[Mapping[int, Array]] = [sample.tensors for sample in reference.samples]
    return validate(
        job.graph,
        expected,
        _with_inputs(job.graph, ran),
        f"{reference.name} {reference.version}",
        job.tolerance,
        allowances=allowances(job.graph, reference.name),
    )


def _with_inputs(graph: Graph, ran: FirmwareRun) -> list[Mapping[int, Array]]:
    """The firmware's tensors; a model may also hand a constant or an input through as its output."""
    constants = {
        i: np.frombuffer(data, dtype=np.dtype(graph.tensors[i].type.value)).reshape(graph.tensors[i].shape)
        for i in graph.outputs
        if (data := graph.tensors[i].data) is not None
    }
    return [{**constants, **tensors} for tensors in ran.tensors]

"""Bring your own runtime, on a real board: firmware that was built elsewhere is fed there as on the virtual board."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vtarget.base.errors import InputError, RunError
from vtarget.data.graph import Graph
from vtarget.data.measurement import Measurement
from vtarget.data.modelprofile import MeasuredModel
from vtarget.logic.layers import spread_of
from vtarget.logic.measureplan import MOST_CALLS
from vtarget.logic.recognise import align
from vtarget.logic.validation import BIT_EXACT, output_crc32, validate
from vtarget.shell.feeding import BufferFeeder
from vtarget.shell.interpreter import Array
from vtarget.shell.measuring import end_of
from vtarget.shell.onlooking import NOBODY, RunOrder
from vtarget.shell.ownruntime import Ran, Run, RuntimeJob, RuntimeRuns, validate_outputs
from vtarget.shell.targets import BoardTarget, TargetResult


def measure_runtime(job: RuntimeJob, ran: RuntimeRuns, target: BoardTarget) -> MeasuredModel:
    """The runs of a firmware on a real board: the same samples, its cycles, and its outputs compared with the
    interpreter's and the virtual run's. InputError for what a board can't do; ProbeError, a RunError, if it fails."""
    count = max(len(run.samples) for run in ran.runs)
    if count > MOST_CALLS:
        raise InputError(f"{count:,} samples are too many for a board, which stops at each: at most {MOST_CALLS:,}")
    outputs: list[Mapping[int, Array]] = []
    unstable: set[int] = set()
    results: list[TargetResult] = []
    for number, run in enumerate(ran.runs):
        feeder = _feeder(job, run)
        found = (target if number == 0 else target.flashed()).run(job.image, _order(job, run, feeder))
        if found.exit_code not in (0, None):
            raise RunError(f"{job.image.path}: on the board, the firmware ended with {found.exit_code}")
        if feeder is not None:
            if job.function is None:
                _take(feeder, dict(zip(_places(job), found.reads, strict=True)))
            outputs += feeder.outputs
            unstable |= feeder.unstable
        results.append(found)
    measured = replace(_measured(job.graph, ran.runs, results), unstable=tuple(sorted(unstable)))
    return measured if job.feeding is None else _compared(job, ran, outputs, measured)


def replayed_runtime(graph: Graph, ran: RuntimeRuns, found: TargetResult) -> MeasuredModel:
    """What a stored measurement says of the only run, which is the virtual run of the same. It has no outputs."""
    return _measured(graph, ran.runs, [found])


def _measured(graph: Graph, runs: Sequence[Run], results: Sequence[TargetResult]) -> MeasuredModel:
    """What the board took for inferences and layers; ``results`` are of the runs."""
    measurements: list[Measurement] = []
    inferences: list[int] = []
    layers: defaultdict[int, list[int]] = defaultdict(list)
    for run, found in zip(runs, results, strict=True):
        assert found.measurement is not None
        measurements.append(found.measurement)
        for one in run.inferences:
            cycles = _cycles(one, found)
            inferences += [] if cycles is None else [cycles]
            for index, taken in _layers(graph, one, found.spans).items():
                layers[index].append(taken)
    notes = dict.fromkeys(note for measurement in measurements for note in measurement.notes)
    return MeasuredModel(
        measurement=measurements[0].model_copy(update={"notes": tuple(notes)}),
        spread=spread_of(inferences) if inferences else None,
        layers={index: spread_of(cycles) for index, cycles in sorted(layers.items())},
        reference=None,
        virtual=None,
        same_outputs=None,
        unstable=(),
    )


def _feeder(job: RuntimeJob, run: Run) -> BufferFeeder | None:
    """Of the samples that this start of the firmware took on the virtual board."""
    if job.feeding is None:
        return None
    return job.feeding.feeder(job.graph, run.samples[: len(run.outputs)], job.function)


def _order(job: RuntimeJob, run: Run, feeder: BufferFeeder | None) -> RunOrder:
    """The same run, with every call of a function timed that is an inference or a layer's kernel."""
    timed = [one.function for one in run.inferences] + [call.function for one in run.inferences for call in one.calls]
    order = RunOrder(
        spans=tuple(dict.fromkeys(name for name in (job.function, *timed) if name is not None)),
        writes=job.options.writes,
        until=job.options.until,
        guide=run.record,
        kernels=False,
    )
    if feeder is None:
        return order
    if job.function is not None:
        # The virtual run ended with the last inference, at a place that each one returns to.
        return replace(order, onlooker=feeder, stops=(job.function,), to_the_end=False)
    if end_of(run.record, job.image) is None:
        raise InputError(
            f"{job.image.path}: outputs can't be read on a board, for the run has no end that a breakpoint can mark",
            hint="--input-at names the function that is one inference, or --until an end",
        )
    return replace(
        order,
        onlooker=NOBODY,
        writes=(*order.writes, *feeder.writes(0)),
        reads=_places(job),
    )


def _take(feeder: BufferFeeder, held: Mapping[tuple[int, int], bytes]) -> None:
    feeder.take(lambda address, size_bytes: held[address, size_bytes])


def _places(job: RuntimeJob) -> tuple[tuple[int, int], ...]:
    """Address and size of each output."""
    sizes = [job.graph.tensors[index].size_bytes for index in job.graph.outputs]
    return () if job.feeding is None else tuple(zip(job.feeding.outputs, sizes, strict=True))


def _cycles(one: Ran, found: TargetResult) -> int | None:
    """What an inference took on the board."""
    if one.function is not None and one.index is not None:
        return _call(found.spans, one.function, one.index)
    total = None if found.measurement is None else found.measurement.total
    return None if total is None else total.total_cycles


def _layers(graph: Graph, one: Ran, spans: Mapping[str, Sequence[int]]) -> dict[int, int]:
    """What the layers of an inference took whose kernels' calls are all known."""
    found = {}
    for index, places in enumerate(align(graph, one.calls).operators):
        calls = [one.calls[place] for place in places]
        cycles = [_call(spans, call.function, call.index) for call in calls]
        known = [taken for taken in cycles if taken is not None]
        if known and len(known) == len(calls):
            found[index] = sum(known)
    return found


def _call(spans: Mapping[str, Sequence[int]], function: str, index: int) -> int | None:
    cycles = spans.get(function, ())
    return cycles[index] if index < len(cycles) else None


def _compared(
    job: RuntimeJob, ran: RuntimeRuns, outputs: Sequence[Mapping[int, Array]], measured: MeasuredModel
) -> MeasuredModel:
    """With the board's outputs against the interpreter's and, bit by bit, the virtual run's."""
    own = [taken for run in ran.runs for taken in run.outputs]
    virtual = validate(job.graph, own, outputs, "the virtual run", BIT_EXACT)
    return replace(
        measured,
        measurement=measured.measurement.model_copy(update={"outputs_crc32": virtual.crc32}),
        reference=None if ran.reference is None else validate_outputs(job, outputs, ran.reference),
        virtual=replace(virtual, layers=tuple(layer for layer in virtual.layers if layer.outputs)),
        same_outputs=virtual.crc32 == output_crc32([[taken[i] for i in job.graph.outputs] for taken in own]),
    )

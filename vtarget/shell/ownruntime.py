"""Bring your own runtime: firmware that was built elsewhere is fed, checked against the interpreter, and mapped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vtarget.base.errors import RunError
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph
from vtarget.data.image import Image
from vtarget.data.kernelcall import Inference, KernelCall
from vtarget.data.profile import Profile, Span
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.data.runtimeprofile import RuntimeProfile, UnmappedKernel
from vtarget.data.target import target_of
from vtarget.data.validation import Tolerance, Validation
from vtarget.data.waterfall import NO_WATERFALL
from vtarget.logic.codegen.registry import emit, problem
from vtarget.logic.kernelcalls import inference_marks, inferences
from vtarget.logic.knowndifferences import allowances
from vtarget.logic.layers import LayerContext, layer_profiles, median_sample, spread_of
from vtarget.logic.pricing import Pricer
from vtarget.logic.profile import restricted
from vtarget.logic.recognise import align, is_inference, known_kernel, runtimes, short_name, specific
from vtarget.logic.report import ending_failure
from vtarget.logic.validation import validate
from vtarget.shell.engine import Engine
from vtarget.shell.epochs import ClockProgrammedError
from vtarget.shell.feeding import BufferFeeder
from vtarget.shell.interpreter import Array, InterpreterJob, InterpreterResult, run_interpreter
from vtarget.shell.machine import Machine
from vtarget.shell.running import price
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.samples import Sample, Samples


@dataclass(frozen=True)
class Feeding:
    """Samples, and where they go: an address per input and output of the model."""

    samples: Samples = field(repr=False)
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def feeder(self, graph: Graph, samples: Sequence[Sample], function: str | None) -> BufferFeeder:
        """What feeds some of the samples to one start of the firmware."""
        return BufferFeeder(graph, self.inputs, self.outputs, samples, function)


@dataclass(frozen=True)
class RuntimeJob:
    """What to do with a firmware and the model that is in it; ``options`` are what else its runs are given.

    Each call of ``function`` is one inference: fed when it is entered, outputs taken when it has returned, and the run
    ends with the last sample. Without it, the firmware is started anew for each sample, fed at reset and when ``main``
    is entered, and left to end by itself; inferences are the calls of a function that is known by its name.
    """

    graph: Graph
    data: bytes = field(repr=False)
    image: Image = field(repr=False)
    feeding: Feeding | None = None
    function: str | None = None
    options: RunOptions = field(default_factory=RunOptions)
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True)
class Started:
    """One start of the firmware: its facts, the samples that it was to be fed, and the outputs taken, by sample; both
    are empty of a stored run."""

    record: ExecutionRecord
    samples: Sequence[Sample] = ()
    outputs: Sequence[Mapping[int, Array]] = ()


@dataclass(frozen=True)
class RuntimeFacts:
    """All starts of a firmware that runs ``graph``, before anything is priced. ``marks`` are the functions whose calls
    may be inferences; ``reference`` is what the interpreter computes, and what the outputs' comparison with it says."""

    graph: Graph
    starts: Sequence[Started]
    marks: frozenset[str]
    reference: InterpreterResult | None = None
    validation: Validation | None = None


@dataclass(frozen=True)
class Ran:
    """One inference: the spans of its kernels' calls, and what executed in it. It is call number ``index`` of
    ``function``; None: the whole run."""

    calls: tuple[KernelCall, ...]
    spans: Mapping[tuple[str, int], Span]
    cycles: int
    record: Callable[[], ExecutionRecord]
    function: str | None
    index: int | None


@dataclass(frozen=True)
class Run(Started):
    """One start of the firmware, priced: its inferences."""

    inferences: Sequence[Ran] = ()


@dataclass(frozen=True)
class RuntimeRuns:
    """All runs of a job, what they say, and what the interpreter computes. ``inference`` is what executed in the
    inference that the profile is of."""

    runs: Sequence[Run]
    profile: RuntimeProfile
    inference: ExecutionRecord
    reference: InterpreterResult | None


def run_firmware(job: RuntimeJob, pricer: Pricer) -> RuntimeFacts:
    """Run the firmware, on all samples if there are any. RunError if it fails, or doesn't call the function to feed."""
    marks = frozenset({job.function} if job.function is not None else filter(is_inference, _names(job.image)))
    if job.feeding is None:
        return RuntimeFacts(job.graph, [_execute(job, pricer, ())], marks)
    samples = job.feeding.samples.arrays
    if any(tensor.variable for tensor in job.graph.tensors):
        starts = _run_all(job, pricer, samples)
        reference = _interpret_runs(job, starts)
    else:
        with InterpreterJob(job.data, samples, tensors=job.graph.outputs) as work:
            starts = _run_all(job, pricer, samples)
            reference = work.result()
    taken = [outputs for start in starts for outputs in start.outputs]
    return RuntimeFacts(job.graph, starts, marks, reference, validate_outputs(job, taken, reference))


def stored_facts(graph: Graph, records: Sequence[ExecutionRecord], function: str | None = None) -> RuntimeFacts:
    """Starts that were recorded earlier; ``function`` is one inference, if it isn't known by its name. InputError if
    the records don't tell the calls of kernels, RunError if the firmware failed."""
    for record in records:
        reason = ending_failure(record.exit)
        if reason is not None:
            raise RunError(f"{record.image_path}: {reason}")
    return RuntimeFacts(graph, [Started(record) for record in records], inference_marks(records[0], function))


def _names(image: Image) -> set[str]:
    return {function.name for function in image.functions}


def _run_all(job: RuntimeJob, pricer: Pricer, samples: Sequence[Sample]) -> list[Started]:
    starts: list[Started] = []
    done = 0
    while done < len(samples):
        group = samples[done:] if job.function is not None else samples[done : done + 1]
        starts.append(_execute(job, pricer, group, first=done))
        done += len(starts[-1].outputs)
    return starts


def _interpret_runs(job: RuntimeJob, starts: Sequence[Started]) -> InterpreterResult:
    """A model with state starts afresh with each run of the firmware."""
    assert job.feeding is not None
    samples = job.feeding.samples.arrays
    results: list[InterpreterResult] = []
    for start in starts:
        first = sum(len(result.samples) for result in results)
        group = samples[first : first + len(start.outputs)]
        results.append(run_interpreter(job.data, group, tensors=job.graph.outputs))
    return replace(results[0], samples=tuple(sample for result in results for sample in result.samples))


# One run.


def _execute(job: RuntimeJob, pricer: Pricer, samples: Sequence[Sample], *, first: int = 0) -> Started:
    try:
        return _execute_from(job, pricer, samples, first, managed=False)
    except ClockProgrammedError:
        return _execute_from(job, pricer, samples, first, managed=True)


class _Fed:
    """Feeds the function that is one inference and takes what it leaves, until ``done``. Recursion belongs to the outer
    call."""

    def __init__(self, function: str, feeder: BufferFeeder | None, done: Callable[[], None]) -> None:
        self._function, self._feeder, self._done = function, feeder, done
        self._active = False

    def entered(self, engine: Engine) -> None:
        if not self._active and self._feeder is not None:
            self._feeder.entered(self._function, engine)
        self._active = True

    def ended(self, name: str, engine: Engine) -> None:
        if name != self._function:
            return
        self._active = False
        if self._feeder is not None:
            self._feeder.take(engine.read)
            if self._feeder.is_done:
                self._done()


def _execute_from(job: RuntimeJob, pricer: Pricer, samples: Sequence[Sample], first: int, *, managed: bool) -> Started:
    """Run from reset: at the board's typical clock, or ``managed`` by the firmware."""
    at = job.function
    feeder = job.feeding.feeder(job.graph, samples, at) if job.feeding is not None and samples else None
    names = _names(job.image)
    spans = {name for name in names if known_kernel(name) is not None}
    spans |= {at} if at is not None else {name for name in names if is_inference(name)}
    options = replace(job.options, spans=tuple(sorted(spans)))
    if at is None and feeder is not None:
        options = replace(options, writes=(*options.writes, *feeder.writes(0)))
    if at is not None:
        fed = _Fed(at, feeder, lambda: machine.finish())
        options = replace(options, on_enter={at: fed.entered}, on_span_end=fed.ended)
    machine = Machine(job.image, pricer, options, managed=managed)
    record = machine.run().record
    _check_end(record, feeder, at, first)
    if feeder is not None and at is None:
        feeder.take(machine.engine.read)
    return Started(record, samples, () if feeder is None else tuple(feeder.outputs))


def _check_end(record: ExecutionRecord, feeder: BufferFeeder | None, at: str | None, first: int) -> None:
    """RunError if the firmware failed, or didn't call what was to be fed."""
    reason = ending_failure(record.exit)
    if reason is not None:
        endless = record.exit.reason is Reason.LIMIT and at is None
        hint = "of firmware that never ends, --input-at names the function to watch, or --until an end"
        where = f", with sample {first}" if feeder else ""
        raise RunError(f"{record.image_path}: {reason}{where}", hint=hint if endless else None)
    if feeder is not None and at is not None and not feeder.outputs:
        did = "never returned from" if feeder.fed else "never called"
        raise RunError(f"{record.image_path}: {did} {at}, where sample {first} was to be fed")


# What it cost.


def profile_facts(facts: RuntimeFacts, pricer: Pricer, power_state: str | None = None) -> RuntimeRuns:
    """The runs priced for the pricer's board. RunError if a run ended before its first inference had."""
    runs = [_priced(start, facts.marks, pricer, power_state) for start in facts.starts]
    ran = [inference for run in runs for inference in run.inferences]
    chosen = ran[median_sample([inference.cycles for inference in ran])]
    record = chosen.record()
    inference = replace(price(record, pricer, power_state=power_state), console=runs[0].record.console)
    return RuntimeRuns(runs, _profile(facts, pricer, runs, chosen, inference), record, facts.reference)


def _priced(start: Started, marks: frozenset[str], pricer: Pricer, power_state: str | None) -> Run:
    record = start.record
    whole = price(record, pricer, power_state=power_state)
    spans = {(span.name, span.index): span for span in whole.spans}
    facts = {(span.name, span.index): span for span in record.spans}
    mark, found = inferences(record, marks)
    left = next((frame.function for frame in record.exit.call_stack if frame.function in marks), None)
    if mark is None and left is not None:
        raise RunError(f"{record.image_path}: the run ended inside {left}")

    def ran(inference: Inference) -> Ran:
        if inference.index is None or mark is None:
            return Ran(inference.calls, spans, int(whole.cycles.nominal), lambda: record, None, None)
        key = (mark, inference.index)
        return Ran(
            inference.calls, spans, spans[key].cycles, lambda: restricted(record, facts[key]), mark, inference.index
        )

    return Run(record, start.samples, start.outputs, [ran(inference) for inference in found])


# What comes out of it.


def _profile(
    facts: RuntimeFacts, pricer: Pricer, runs: Sequence[Run], chosen: Ran, inference: Profile
) -> RuntimeProfile:
    graph = facts.graph
    ran = [inference for run in runs for inference in run.inferences]
    layers, spans = _layers(graph, pricer, ran)
    region = pricer.board.region(pricer.board.boot.region)
    context = LayerContext(pricer.board.core, pricer.board.fpu, "", pricer.memory.waits(region), region.name)
    mapped = {layer.operator for layer in layers}
    return RuntimeProfile(
        graph=graph,
        runtimes=runtimes(name for one in ran for call in one.calls for name in (call.function, *call.inner)),
        inference_function=chosen.function,
        samples=sum(len(run.outputs) for run in runs),
        runs=len(runs),
        inferences=len(ran),
        inference=inference,
        spread=spread_of([inference.cycles for inference in ran]),
        layers=layer_profiles(graph, layers, spans, inference, context),
        unmapped_layers=tuple(o.index for o in graph.operators if o.index not in mapped),
        unmapped_kernels=_unmapped(graph, chosen),
        validation=facts.validation,
    )


def _layers(graph: Graph, pricer: Pricer, ran: Sequence[Ran]) -> tuple[list[Layer], list[list[Span]]]:
    """The operators that have a kernel, and their cost in each inference."""
    calls: dict[int, list[KernelCall]] = {}
    costs: defaultdict[int, list[Span]] = defaultdict(list)
    for inference in ran:
        for index, places in enumerate(align(graph, inference.calls).operators):
            of_layer = [inference.calls[place] for place in places]
            spans = [s for call in of_layer if (s := inference.spans.get((call.function, call.index))) is not None]
            if spans:
                calls.setdefault(index, of_layer)
                costs[index].append(_sum(spans))
    found = sorted(calls)
    return [_layer(graph, index, calls[index], pricer) for index in found], [costs[index] for index in found]


def _sum(spans: Sequence[Span]) -> Span:
    energies = [span.energy_j for span in spans if span.energy_j is not None]
    waterfalls = [span.waterfall for span in spans if span.waterfall is not None]
    return replace(
        spans[0],
        instructions=sum(span.instructions for span in spans),
        cycles=sum(span.cycles for span in spans),
        latency_s=sum(span.latency_s for span in spans),
        energy_j=sum(energies) if energies else None,
        waterfall=sum(waterfalls, NO_WATERFALL) if waterfalls else None,
    )


def _layer(graph: Graph, index: int, calls: Sequence[KernelCall], pricer: Pricer) -> Layer:
    operator, (kernel, _) = graph.operators[index], specific(calls[0])
    macs = 0
    if problem(operator, graph) is None:
        macs = emit(operator, graph, "reference", target_of(pricer.board)).macs
    notes = [f"{len(calls)} calls"] if len(calls) > 1 else []
    if kernel != calls[0].function:
        notes.append(f"called by {short_name(calls[0].function)}")
    return Layer(index, kernel, call="", macs=macs, notes=tuple(notes))


def _unmapped(graph: Graph, ran: Ran) -> tuple[UnmappedKernel, ...]:
    found: dict[str, list[int]] = {}
    for place in align(graph, ran.calls).left_over:
        call = ran.calls[place]
        span = ran.spans.get((call.function, call.index))
        found.setdefault(specific(call)[0], []).append(span.cycles if span else 0)
    return tuple(UnmappedKernel(name, len(cycles), sum(cycles)) for name, cycles in found.items())


def validate_outputs(
    job: RuntimeJob, actual: Sequence[Mapping[int, Array]], reference: InterpreterResult
) -> Validation:
    """What the interpreter says of outputs alone: what layers leave in memory is the runtime's own affair."""
    expected = [dict(zip(job.graph.outputs, sample.outputs, strict=True)) for sample in reference.samples]
    known = allowances(job.graph, reference.name)
    whole = validate(
        job.graph, expected, actual, f"{reference.name} {reference.version}", job.tolerance, allowances=known
    )
    return replace(whole, layers=tuple(layer for layer in whole.layers if layer.outputs))

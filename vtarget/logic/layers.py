"""From spans to layers: what each operator of a model costs, how near to its ideal, and why it isn't nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.modelprofile import LayerProfile, Spread
from vtarget.data.profile import Profile, Span

# Multiply-accumulates per cycle that a core's multiplier can retire at best: SMLAD does two 16-bit ones (TRM-M4 3-2),
# MLA one on M4 and half of one on M3 (TRM-M3 3.3), M0+ needs MULS and ADDS; VFMA.F32 one in three (TRM-M4 7-1, M33
# likewise), on M7 one (QUIN). Loads are not in it: an ideal, not a goal.
_SIMD_CORES = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "cortex-m85")  # scalar code: Helium isn't in it
_INTEGER_MACS = {"cortex-m3": 0.5} | dict.fromkeys(_SIMD_CORES, 2.0)
_FLOAT_MACS = {"cortex-m4": 1 / 3, "cortex-m33": 1 / 3} | dict.fromkeys(("cortex-m7", "cortex-m55", "cortex-m85"), 1.0)
_BASELINE_MACS = 0.5
_SOFT_FLOAT_MACS = 1 / 100  # two library calls; our assumption

SHARE_WORTH_A_WORD = 0.05
EFFICIENCY_WORTH_A_WORD = 0.35
PADDING_WORTH_A_WORD = 0.15


@dataclass(frozen=True)
class LayerContext:
    """What is known about where the layers ran."""

    core: str
    fpu: str | None
    engine: str
    weight_waits: int | None
    weight_region: str


def layer_profiles(
    graph: Graph, layers: Sequence[Layer], spans: Sequence[Sequence[Span]], inference: Profile, context: LayerContext
) -> tuple[LayerProfile, ...]:
    """One row per operator; ``spans[i]`` are the layer's spans, one per sample, the first of them cold."""
    total = inference.cycles.nominal or 1.0
    return tuple(
        _layer(graph, layer, list(of_layer), total, inference, context)
        for layer, of_layer in zip(layers, spans, strict=True)
    )


def spread_of(cycles: Sequence[int]) -> Spread:
    """Order statistics of an inference's or layer's cycles; with one sample it is cold and warm at once."""
    warm = sorted(cycles[1:] or cycles)
    p95 = warm[min(len(warm) - 1, -(-95 * len(warm) // 100) - 1)]
    return Spread(cycles[0], warm[0], warm[(len(warm) - 1) // 2], p95, warm[-1])


def median_sample(cycles: Sequence[int]) -> int:
    """Which sample is the median warm one (the only one if there is no other)."""
    warm = range(1, len(cycles)) if len(cycles) > 1 else range(1)
    return sorted(warm, key=lambda i: (cycles[i], i))[(len(warm) - 1) // 2]


def ideal_macs_per_cycle(core: str, fpu: str | None, element: ElementType) -> float:
    """Multiply-accumulates per cycle that the core's multiplier retires at best."""
    if element is ElementType.FLOAT32:
        return _FLOAT_MACS.get(core, _SOFT_FLOAT_MACS) if fpu else _SOFT_FLOAT_MACS
    return _INTEGER_MACS.get(core, _BASELINE_MACS)


def _layer(
    graph: Graph, layer: Layer, spans: list[Span], total: float, inference: Profile, context: LayerContext
) -> LayerProfile:
    operator = graph.operators[layer.operator]
    inputs = [t for i in range(len(operator.inputs)) if (t := graph.input(operator, i)) is not None]
    outputs = [graph.output(operator, i) for i in range(len(operator.outputs))]
    spread = spread_of([span.cycles for span in spans])
    cycles = spread.median
    element = outputs[0].type if outputs else inputs[0].type
    ideal = layer.macs / ideal_macs_per_cycle(context.core, context.fpu, element) if layer.macs else None
    energy = inference.energy_j
    row = LayerProfile(
        index=operator.index,
        op=operator.op,
        name=outputs[0].name if outputs else "",
        input_shapes=tuple(t.shape for t in inputs),
        output_shapes=tuple(t.shape for t in outputs),
        type=element.value,
        kernel=layer.kernel,
        macs=layer.macs,
        cycles=cycles,
        spread=spread,
        latency_s=cycles / inference.clock_hz,
        energy_j=energy.nominal * cycles / total if energy else None,
        share=cycles / total,
        cycles_per_mac=cycles / layer.macs if layer.macs else None,
        ideal_cycles=ideal,
        efficiency=ideal / cycles if ideal is not None and cycles else None,
        notes=layer.notes,
        reason=None,
        waterfall=next((span.waterfall for span in spans if span.cycles == cycles), None),
        weights_bytes=sum(t.size_bytes for t in inputs if t.constant),
        activation_bytes=sum(t.size_bytes for t in (*inputs, *outputs) if not t.constant),
    )
    return _with_reason(row, layer, operator, graph, context)


def _with_reason(
    row: LayerProfile, layer: Layer, operator: Operator, graph: Graph, context: LayerContext
) -> LayerProfile:
    return replace(row, reason=_reason(row, layer, operator, graph, context))


def _reason(row: LayerProfile, layer: Layer, operator: Operator, graph: Graph, context: LayerContext) -> str | None:
    """The first thing off about a layer that matters, as a sentence; None for layers that are fine or too small."""
    if row.share < SHARE_WORTH_A_WORD:
        return None
    share = f"{100 * row.share:.0f} % of the cycles"
    fallback = next((note for note in layer.notes if "reference kernel" in note), None)
    if fallback is not None:
        return f"{share}: {fallback}"
    if row.efficiency is None:
        return f"{share} without a multiply-accumulate: an elementwise hotspot" if not layer.macs else None
    if row.efficiency >= EFFICIENCY_WORTH_A_WORD:
        return None
    if context.engine == "reference":
        return f"{share} at {100 * row.efficiency:.0f} % of the ideal: the reference engine's kernels are plain C"
    weights = graph.input(operator, 1)
    return f"{share} at {100 * row.efficiency:.0f} % of the ideal: {_shortfall(row, weights, operator, graph, context)}"


def _shortfall(
    row: LayerProfile, weights: Tensor | None, operator: Operator, graph: Graph, context: LayerContext
) -> str:
    if weights is not None and weights.constant and row.macs <= 2 * weights.elements:
        left_out = f" (waits of {context.weight_region} not counted)" if context.weight_waits else ""
        return f"each weight is used only once or twice, so loading outweighs multiplying{left_out}"
    padded = _padding_share(operator, graph)
    if padded > PADDING_WORTH_A_WORD:
        return f"{100 * padded:.0f} % of its window positions reach into the padding"
    channels = row.input_shapes[0][-1] if row.input_shapes and row.input_shapes[0] else 0
    if channels % 4 and row.type != "float32":
        return f"{channels} channels are no multiple of 4, so words of four values don't come out even"
    return "its loads and index arithmetic outweigh its multiplications"


def _padding_share(operator: Operator, graph: Graph) -> float:
    """The share of output positions of a SAME-padded window operator whose window reaches beyond the input."""
    source, weights, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if operator.options.get("padding") != "SAME" or source is None or len(source.shape) != 4 or len(output.shape) != 4:
        return 0.0
    if weights is not None and len(weights.shape) == 4:
        window = (weights.shape[1], weights.shape[2])
    else:
        window = (int(str(operator.options.get("filter_height", 1))), int(str(operator.options.get("filter_width", 1))))
    inside = 1.0
    for axis, (size, reach, name) in enumerate(zip(source.shape[1:3], window, ("stride_h", "stride_w"), strict=True)):
        stride = int(str(operator.options.get(name, 1))) or 1
        outputs = output.shape[1 + axis]
        before = max(0, (outputs - 1) * stride + reach - size) // 2
        whole = sum(1 for i in range(outputs) if i * stride - before >= 0 and i * stride - before + reach <= size)
        inside *= whole / outputs if outputs else 1.0
    return 1.0 - inside

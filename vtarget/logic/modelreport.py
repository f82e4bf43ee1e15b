"""A model's profile in words and columns, for people."""

from __future__ import annotations

from collections.abc import Sequence

from vtarget.data.modelprofile import LayerProfile, MeasuredModel, ModelProfile, Spread
from vtarget.data.validation import TensorComparison, Validation
from vtarget.logic.report import provenance, quantity

LAYER_COLUMNS = ("#", "operator", "output", "kernel", "MACs", "cycles", "cycles/MAC", "time", "energy", "share")
MEASURED_COLUMNS = ("#", "operator", "output", "kernel", "estimated", "measured", "error")
LEFT_COLUMNS = frozenset({"operator", "output", "kernel"})


def model_heading(profile: ModelProfile) -> str:
    """One line: what ran where, made how."""
    run = profile.inference
    return (
        f"{profile.model_path} on {run.board} ({run.core} at {run.clock_hz / 1e6:g} MHz), "
        f"engine {profile.engine}, {profile.compiler}, {provenance(run)}"
    )


def layer_rows(profile: ModelProfile) -> list[tuple[str, ...]]:
    """One row per layer, LAYER_COLUMNS."""
    return [_row(layer) for layer in profile.layers]


def _row(layer: LayerProfile) -> tuple[str, ...]:
    return (
        str(layer.index),
        layer.op,
        shape_text(layer),
        layer.kernel.removeprefix("vt_"),
        f"{layer.macs:,}" if layer.macs else "-",
        f"{layer.cycles:,}",
        f"{layer.cycles_per_mac:.2f}" if layer.cycles_per_mac is not None else "-",
        quantity(layer.latency_s, "s"),
        quantity(layer.energy_j, "J"),
        f"{100 * layer.share:.1f} %",
    )


def shape_text(layer: LayerProfile) -> str:
    """The first output's shape and the layer's type: ``1x25x5x64 int8``."""
    shape = layer.output_shapes[0] if layer.output_shapes else ()
    return f"{'x'.join(map(str, shape)) or 'scalar'} {layer.type}"


def measured_heading(profile: ModelProfile, measured: MeasuredModel) -> str:
    """One line: what was measured where, and how."""
    how = measured.measurement
    serial = f" {how.board_serial}" if how.board_serial is not None else ""
    runs = f"{how.runs} run{'s' if how.runs > 1 else ''}"
    return (
        f"{profile.model_path} on the board {profile.inference.board}{serial} through {how.probe}, engine "
        f"{profile.engine}, {how.counter}, {runs}, cycles"
    )


def measured_rows(profile: ModelProfile, measured: MeasuredModel) -> list[tuple[str, ...]]:
    """Estimate and measurement of each layer and of the inference (median warm calls), MEASURED_COLUMNS."""
    rows = [
        (*_row(layer)[:4], *beside(layer.spread, measured.layers.get(layer.index)))
        for layer in profile.layers
        if layer.cycles or layer.index in measured.layers
    ]
    return [*rows, ("", "inference", "", "", *beside(profile.spread, measured.spread))]


def beside(estimated: Spread, measured: Spread | None) -> tuple[str, str, str]:
    """Estimate, measurement and error for a table; dashes where nothing was measured."""
    if measured is None:
        return f"{estimated.median:,}", "-", "-"
    error = error_pct(estimated, measured)
    return f"{estimated.median:,}", f"{measured.median:,}", "-" if error is None else f"{error:+.2f} %"


def error_pct(estimated: Spread, measured: Spread) -> float | None:
    """How far the estimate is off, as a share of what was measured."""
    return 100 * (estimated.median - measured.median) / measured.median if measured.median else None


def measured_lines(profile: ModelProfile, measured: MeasuredModel) -> list[tuple[str, str]]:
    """(label, value): the three comparisons of interpreter, virtual run and board; and what isn't as it should be."""
    lines = []
    if profile.validation is not None and measured.reference is not None:
        lines = [("virtual", verdict(profile.validation)), ("board", verdict(measured.reference))]
    lines.append(("board : virtual", measured_verdict(measured)))
    if measured.unstable:
        lines.append(("unstable", f"differed from run to run on the board: {unstable_names(profile, measured)}"))
    return lines + [("note", note) for note in measured.measurement.notes]


def measured_verdict(measured: MeasuredModel) -> str:
    """What comparing the board with the virtual run said, in one line."""
    if measured.virtual is not None:
        return verdict(measured.virtual)
    crc, day = measured.measurement.outputs_crc32, measured.measurement.date
    if measured.same_outputs is None:
        return "unknown: the stored measurement doesn't say what the board computed"
    if measured.same_outputs:
        return f"the same outputs when it was measured, {day}, CRC {crc}"
    return f"other outputs when it was measured, {day}, CRC {crc}: other samples, or another result"


def unstable_names(profile: ModelProfile, measured: MeasuredModel) -> str:
    """The tensors that differed from run to run."""
    names = dict(enumerate(profile.tensor_names))
    return ", ".join(names.get(index, str(index)) for index in measured.unstable)


def compared_columns(profiles: Sequence[ModelProfile]) -> list[str]:
    """Titles of ``compared_rows``."""
    engines = [p.engine for p in profiles]
    titles = [title for engine in engines for title in (f"{engine} cycles", f"{engine} /MAC")]
    return ["#", "operator", "output", "MACs", *titles, f"{engines[0]} : {engines[-1]}"]


def compared_rows(profiles: Sequence[ModelProfile]) -> list[tuple[str, ...]]:
    """Engines side by side: one row per layer, and the sum."""
    rows = []
    for layers in zip(*(p.layers for p in profiles), strict=True):
        first, last = layers[0], layers[-1]
        cells = [cell for layer in layers for cell in (f"{layer.cycles:,}", _per_mac(layer.cycles, layer.macs))]
        gain = _ratio(first.cycles / last.cycles) if last.cycles else "-"
        macs = f"{first.macs:,}" if first.macs else "-"
        rows.append((str(first.index), first.op, shape_text(first), macs, *cells, gain))
    totals = [int(p.inference.cycles.nominal) for p in profiles]
    macs_of_all = profiles[0].macs
    cells = [cell for total in totals for cell in (f"{total:,}", _per_mac(total, macs_of_all))]
    rows.append(("", "inference", "", f"{macs_of_all:,}", *cells, _ratio(totals[0] / max(1, totals[-1]))))
    return rows


def _per_mac(cycles: int, macs: int) -> str:
    return f"{cycles / macs:.2f}" if macs else "-"


def model_lines(profile: ModelProfile) -> list[tuple[str, str]]:
    """(label, value) of the inference: cost, memory, validation."""
    run, memory = profile.inference, profile.memory
    cycles = run.cycles
    per_mac = f", {cycles.nominal / profile.macs:.2f} per MAC" if profile.macs else ""
    lines = [
        ("MACs", f"{profile.macs:,}"),
        ("cycles", f"{cycles.nominal:,.0f} ({cycles.low:,.0f} .. {cycles.high:,.0f}){per_mac}"),
        ("time", _bounds(run.latency_s.low, run.latency_s.nominal, run.latency_s.high, "s")),
        (
            "energy",
            _bounds(run.energy_j.low, run.energy_j.nominal, run.energy_j.high, "J") if run.energy_j else "unknown",
        ),
    ]
    if profile.samples > 1:
        s = profile.spread
        lines.append(
            (
                f"{profile.samples} samples",
                f"cold {s.cold:,}; warm: min {s.minimum:,}, median {s.median:,}, p95 {s.p95:,}, max {s.maximum:,}",
            )
        )
    where = f" in {profile.arena_region}" if profile.arena_region else ""
    lines.append(
        (
            "memory",
            f"arena {memory.arena_bytes:,}{where}, weights {memory.weights_bytes:,}, code {memory.code_bytes:,}, "
            f"stack {memory.stack_peak_bytes:,} bytes",
        )
    )
    if profile.validation is not None:
        lines.append(("validation", verdict(profile.validation)))
    return lines


def _bounds(low: float, nominal: float, high: float, unit: str) -> str:
    return f"{quantity(nominal, unit)} ({quantity(low, unit)} .. {quantity(high, unit)})"


def verdict(validation: Validation) -> str:
    """What comparing with the interpreter said, in one line."""
    against = f"{validation.reference}, {validation.samples} sample{'s' if validation.samples != 1 else ''}"
    if validation.bit_exact:
        return f"bit-exact in {_all_layers(len(validation.layers))} against {against}, output CRC {validation.crc32}"
    diverging = validation.first_diverging
    known = [layer for layer in validation.layers if not layer.bit_exact and layer.index not in validation.unjudged]
    if diverging is None and validation.unjudged:
        where = ", ".join(f"{layer.index} {layer.op}" for layer in known)
        return (
            f"bit-exact against {against}, but for layer {where}, where this interpreter is known to differ from TFLM; "
            f"{_layers(len(validation.unjudged))} behind it not judged, output CRC {validation.crc32}"
        )
    if diverging is None:
        return (
            f"within tolerance in {_all_layers(len(validation.layers))} against {against}, "
            f"largest output difference {validation.max_abs_diff:g}, output CRC {validation.crc32}"
        )
    worst = max(diverging.outputs, key=lambda output: (not output.within, output.max_abs_diff))
    return f"differs from {against}, first at layer {diverging.index} {diverging.op} {difference(worst)}"


def _ratio(value: float) -> str:
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def difference(compared: TensorComparison) -> str:
    """By how much a tensor differs, in words; what isn't finite on one side has no difference that could be told."""
    by = f"by up to {compared.max_abs_diff:g}"
    if not compared.not_finite:
        return by
    odd = f"{compared.not_finite:,} of {compared.elements:,} elements are infinite or NaN on one side"
    return f"{by}, and {odd}" if compared.max_abs_diff else f"where {odd}"


def _all_layers(count: int) -> str:
    return "its only layer" if count == 1 else f"all {count} layers"


def _layers(count: int) -> str:
    return "1 layer" if count == 1 else f"{count} layers"


def remarks(profile: ModelProfile) -> list[str]:
    """Why layers are slow, one line each, the largest first."""
    slow = sorted((layer for layer in profile.layers if layer.reason), key=lambda layer: -layer.cycles)
    return [f"layer {layer.index} {layer.op}: {layer.reason}" for layer in slow]

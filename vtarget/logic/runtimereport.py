"""The profile of a model in somebody else's runtime, in words and columns for people and as the JSON contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from vtarget.data.modelprofile import LayerProfile, MeasuredModel
from vtarget.data.runtimeprofile import RuntimeProfile
from vtarget.data.validation import Validation
from vtarget.logic.knowndifferences import allowances
from vtarget.logic.modelreport import beside, difference
from vtarget.logic.modelresult import layer_json, measured_json, validation_json
from vtarget.logic.recognise import short_name
from vtarget.logic.report import provenance, quantity
from vtarget.logic.result import profile_json

LAYER_COLUMNS: Final = ("#", "operator", "output", "kernel", "MACs", "cycles", "cycles/MAC", "time", "energy", "share")
MOST_NAMED = 12


def runtime_json(profile: RuntimeProfile) -> dict[str, Any]:
    """The contract's object; its totals are those of one inference, if the firmware has a function that is one."""
    return profile_json(profile.inference, profile.explanations) | {
        "model": {"path": profile.graph.path, "sha256": profile.graph.sha256, "macs": profile.macs},
        "runtimes": list(profile.runtimes),
        "inference_function": profile.inference_function,
        "samples": {
            "count": profile.samples,
            "runs": profile.runs,
            "inferences": profile.inferences,
            "cycles": asdict(profile.spread),
        },
        "layers": [layer_json(layer) for layer in profile.layers],
        "unmapped": {
            "layers": list(profile.unmapped_layers),
            "kernels": [
                {"name": k.function, "calls": k.calls, "total_cycles": k.cycles} for k in profile.unmapped_kernels
            ],
        },
        "validation": None if profile.validation is None else validation_json(profile.validation),
        **({} if profile.measured is None else {"measured": measured_json(profile, profile.measured)}),
    }


def runtime_heading(profile: RuntimeProfile) -> str:
    """One line: what ran where, with whose kernels."""
    run = profile.inference
    kernels = " and ".join(profile.runtimes) or "no known"
    return (
        f"{profile.graph.path} in {run.firmware_path} on {run.board} ({run.core} at {run.clock_hz / 1e6:g} MHz), "
        f"{kernels} kernels, {provenance(run)}"
    )


def layer_rows(profile: RuntimeProfile) -> list[tuple[str, ...]]:
    """One row per operator, LAYER_COLUMNS; dashes where no kernel is known to be its."""
    by_index = {layer.index: layer for layer in profile.layers}
    return [
        _row(by_index[o.index]) if o.index in by_index else (str(o.index), o.op, *["-"] * (len(LAYER_COLUMNS) - 2))
        for o in profile.graph.operators
    ]


def _row(layer: LayerProfile) -> tuple[str, ...]:
    shape = layer.output_shapes[0] if layer.output_shapes else ()
    return (
        str(layer.index),
        layer.op,
        f"{'x'.join(map(str, shape)) or 'scalar'} {layer.type}",
        " ".join([short_name(layer.kernel), *(f"({note})" for note in layer.notes)]),
        f"{layer.macs:,}" if layer.macs else "-",
        f"{layer.cycles:,}",
        f"{layer.cycles_per_mac:.2f}" if layer.cycles_per_mac is not None else "-",
        quantity(layer.latency_s, "s"),
        quantity(layer.energy_j, "J"),
        f"{100 * layer.share:.1f} %",
    )


def runtime_lines(profile: RuntimeProfile) -> list[tuple[str, str]]:
    """(label, value): cost of one inference, what is mapped and what isn't, validation."""
    run, total = profile.inference, profile.inference.cycles.nominal
    what = "no function known to be one: the whole run, start-up included (--input-at names one)"
    if profile.inference_function is not None:
        what = short_name(profile.inference_function)
    per_mac = f", {total / profile.macs:.2f} per MAC" if profile.macs else ""
    share = 100 * profile.mapped_cycles / total if total else 0.0
    lines = [
        ("inference", what),
        ("cycles", f"{total:,.0f} ({run.cycles.low:,.0f} .. {run.cycles.high:,.0f}){per_mac}"),
        ("time", quantity(run.latency_s.nominal, "s")),
        ("energy", quantity(run.energy_j.nominal, "J") if run.energy_j else f"unknown ({run.power_source})"),
    ]
    if profile.inferences > 1:
        s = profile.spread
        lines.append(
            (
                f"{profile.inferences} inferences",
                f"first {s.cold:,}; others: min {s.minimum:,}, median {s.median:,}, p95 {s.p95:,}, max {s.maximum:,}",
            )
        )
    lines.append(
        ("mapped", f"{len(profile.layers)} of {len(profile.graph.operators)} layers, {share:.1f} % of the cycles")
    )
    if profile.unmapped_layers:
        names = [f"{index} {profile.graph.operators[index].op}" for index in profile.unmapped_layers]
        lines.append(("no kernel for", f"{_some(names)} (fused, left out, or under a name that isn't known)"))
    if profile.unmapped_kernels:
        kernels = [f"{short_name(k.function)} ({k.calls}x, {k.cycles:,} cycles)" for k in profile.unmapped_kernels]
        lines.append(("no layer for", _some(kernels)))
    if profile.validation is not None:
        lines.append(("validation", output_verdict(profile.validation)))
    return lines


def measured_heading(profile: RuntimeProfile, measured: MeasuredModel) -> str:
    """One line: what was measured where, and how."""
    how, run = measured.measurement, profile.inference
    serial = f" {how.board_serial}" if how.board_serial is not None else ""
    runs = f"{how.runs} run{'s' if how.runs > 1 else ''}"
    return f"{run.firmware_path} on the board {run.board}{serial} through {how.probe}, {how.counter}, {runs}, cycles"


def measured_rows(profile: RuntimeProfile, measured: MeasuredModel) -> list[tuple[str, ...]]:
    """Estimate and measurement of each layer with a kernel and of the inference (median warm calls)."""
    rows = [(*_row(layer)[:4], *beside(layer.spread, measured.layers.get(layer.index))) for layer in profile.layers]
    return [*rows, ("", "inference", "", "", *beside(profile.spread, measured.spread))]


def measured_lines(profile: RuntimeProfile, measured: MeasuredModel) -> list[tuple[str, str]]:
    """(label, value): the three comparisons of interpreter, virtual run and board; and what isn't as it should be."""
    pairs = (("virtual", profile.validation), ("board", measured.reference), ("board : virtual", measured.virtual))
    lines = [(label, output_verdict(found)) for label, found in pairs if found is not None]
    if measured.unstable:
        lines.append(("unstable", f"differed from run to run on the board: {unstable_names(profile, measured)}"))
    return lines + [("note", note) for note in measured.measurement.notes]


def unstable_names(profile: RuntimeProfile, measured: MeasuredModel) -> str:
    """The outputs that differed from run to run."""
    return ", ".join(f"'{profile.graph.tensors[index].name}'" for index in measured.unstable)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def output_verdict(validation: Validation) -> str:
    """What comparing the outputs with the interpreter's said, in one line."""
    against = f"{validation.reference}, {validation.samples} sample{'s' if validation.samples != 1 else ''}"
    if validation.bit_exact:
        return f"outputs bit-exact against {against}, CRC {validation.crc32}"
    worst = max(validation.outputs, key=lambda output: (not output.within, output.max_abs_diff))
    how = f"{worst.differing} of {worst.elements} elements {difference(worst)}"
    if validation.passed:
        return f"outputs within tolerance of {against}: '{worst.name}' differs in {how}, CRC {validation.crc32}"
    return f"output '{worst.name}' differs from {against}: {how}"


def suspects(profile: RuntimeProfile) -> str | None:
    """A hint at the layers that the interpreter itself is known to compute otherwise than TFLM; None without any."""
    if profile.validation is None:
        return None
    known = allowances(profile.graph, profile.validation.reference.split(" ")[0])
    names = [f"{index} {profile.graph.operators[index].op}" for index in known]
    if not names:
        return None
    return f"this interpreter is known to differ from TFLM in layer {_some(names)}; --tolerance STEPS allows for it"

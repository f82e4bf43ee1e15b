"""A model's profile as the JSON contract: the object of ``vtarget.profile`` for one inference, with its layers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vtarget.data.modelprofile import LayerProfile, MeasuredModel, ModelProfile, Spread
from vtarget.data.runtimeprofile import RuntimeProfile
from vtarget.data.validation import TensorComparison, Validation
from vtarget.logic.modelreport import error_pct
from vtarget.logic.quantisationreport import quantisation_json
from vtarget.logic.result import profile_json


def model_json(profile: ModelProfile) -> dict[str, Any]:
    """The contract's object; its totals are those of one inference, the median warm one."""
    whole = profile_json(profile.inference, profile.explanations)
    whole["firmware"] = {
        "path": profile.inference.firmware_path.rpartition("/")[2],
        "sha256": whole["firmware"]["sha256"],
    }
    whole["memory"]["arena_bytes"] = profile.memory.arena_bytes
    whole["memory"]["weights_bytes"] = profile.memory.weights_bytes
    whole["memory"]["code_bytes"] = profile.memory.code_bytes
    whole["memory"]["arena"] = _arena(profile)
    return (
        whole
        | {
            "model": {"path": profile.model_path, "sha256": profile.model_sha256, "macs": profile.macs},
            "engine": profile.engine,
            "compiler": {"name": profile.compiler, "flags": list(profile.flags)},
            "samples": {"count": profile.samples, "cycles": asdict(profile.spread)},
            "layers": [layer_json(layer) for layer in profile.layers],
            "validation": None if profile.validation is None else validation_json(profile.validation),
            "quantisation": None if profile.quantisation is None else quantisation_json(profile.quantisation),
        }
        | ({} if profile.measured is None else {"measured": measured_json(profile, profile.measured)})
    )


def measured_json(profile: ModelProfile | RuntimeProfile, measured: MeasuredModel) -> dict[str, Any]:
    """The object ``measured``, which is there if a board ran the model too; its errors are the estimate's."""
    estimates, how = {layer.index: layer.spread for layer in profile.layers}, measured.measurement
    return {
        "provenance": "measured",
        "probe": how.probe,
        "board_serial": how.board_serial,
        "counter": how.counter,
        "date": how.date,
        "runs": how.runs,
        "overhead_cycles": how.overhead_cycles,
        "inference": None if measured.spread is None else _beside(profile.spread, measured.spread),
        "layers": [
            {"index": index, **_beside(estimates[index], spread)} for index, spread in sorted(measured.layers.items())
        ],
        "validation": None if measured.reference is None else validation_json(measured.reference),
        "virtual_validation": None if measured.virtual is None else validation_json(measured.virtual),
        "same_outputs": measured.same_outputs,
        "unstable_tensors": list(measured.unstable),
        "notes": list(how.notes),
    }


def _beside(estimated: Spread, measured: Spread) -> dict[str, Any]:
    return {
        "estimated_cycles": estimated.median,
        "measured_cycles": measured.median,
        "error_pct": error_pct(estimated, measured),
        "measured_spread": asdict(measured),
    }


def _arena(profile: ModelProfile) -> dict[str, Any]:
    plan, names = profile.plan, dict(enumerate(profile.tensor_names))
    return {
        "region": profile.arena_region,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "allocations": [
            {
                "offset_bytes": a.offset_bytes,
                "size_bytes": a.size_bytes,
                "first_layer": a.first,
                "last_layer": a.last,
                "tensors": [names.get(tensor, str(tensor)) for tensor in a.tensors],
            }
            for a in plan.allocations
        ],
    }


def layer_json(layer: LayerProfile) -> dict[str, Any]:
    """An element of the contract's ``layers``."""
    plain = asdict(layer)
    plain["cycles_spread"] = plain.pop("spread")
    plain["input_shapes"] = [list(shape) for shape in layer.input_shapes]
    plain["output_shapes"] = [list(shape) for shape in layer.output_shapes]
    plain["notes"] = [*layer.notes, *([layer.reason] if layer.reason else [])]
    return plain


def validation_json(validation: Validation) -> dict[str, Any]:
    """The contract's ``validation``."""
    diverging = validation.first_diverging
    return {
        "reference": validation.reference,
        "samples": validation.samples,
        "passed": validation.passed,
        "bit_exact": validation.bit_exact,
        "max_abs_diff": validation.max_abs_diff,
        "crc32": validation.crc32,
        "unjudged_layers": list(validation.unjudged),
        "first_diverging_layer": None if diverging is None else diverging.index,
        "outputs": [_tensor(output) for output in validation.outputs],
        "layers": [
            {
                "index": layer.index,
                "op": layer.op,
                "bit_exact": layer.bit_exact,
                "within": layer.within,
                "outputs": [_tensor(output) for output in layer.outputs],
            }
            for layer in validation.layers
        ],
    }


def _tensor(comparison: TensorComparison) -> dict[str, Any]:
    return asdict(comparison) | {"shape": list(comparison.shape), "bit_exact": comparison.bit_exact}

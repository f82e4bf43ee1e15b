"""A model's profile as the JSON contract: the object of ``vtarget.profile`` for one inference, with its layers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vtarget.data.modelprofile import LayerProfile, ModelProfile
from vtarget.data.validation import TensorComparison, Validation
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
    return whole | {
        "model": {"path": profile.model_path, "sha256": profile.model_sha256, "macs": profile.macs},
        "engine": profile.engine,
        "compiler": {"name": profile.compiler, "flags": list(profile.flags)},
        "samples": {"count": profile.samples, "cycles": asdict(profile.spread)},
        "layers": [layer_json(layer) for layer in profile.layers],
        "validation": None if profile.validation is None else validation_json(profile.validation),
        "quantisation": None if profile.quantisation is None else quantisation_json(profile.quantisation),
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

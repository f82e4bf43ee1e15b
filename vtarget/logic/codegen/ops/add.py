"""ADD and SUB: two tensors of one type that broadcast to the output, a fused activation.

int16 has two arithmetics: one for scales that are powers of two (option ``pot_scale_int16``), one for any. TensorFlow
Lite Micro always takes the general one; results then differ by at most 1.
"""

from __future__ import annotations

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.binary import (
    activation_range_int32,
    add_fields,
    binary_layer,
    binary_problem,
    binary_tensors,
)
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue
from vtarget.logic.codegen.options import activation, activation_problem, flag, scale
from vtarget.logic.codegen.quantise import (
    activation_range,
    activation_range_float,
    round_away,
)

TYPES = (ElementType.INT8, ElementType.UINT8, ElementType.INT16, ElementType.INT32, ElementType.FLOAT32)
# From how far a scale's logarithm may be from an integer for TensorFlow Lite to take it as a power of two.
POWER_TOLERANCE = 1e-3


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = activation_problem(operator) or binary_problem(operator, graph, TYPES)
    if problem is not None:
        return problem
    tensors = binary_tensors(operator, graph)
    if power_scales(operator, *tensors):
        return _power_problem(operator, *tensors)
    if tensors[0].type in (ElementType.INT32, ElementType.FLOAT32):
        return None
    return add_fields(*tensors, _left_shift(tensors[0])).problem


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_add_*`` or ``vt_sub_*``."""
    input1, input2, output = tensors = binary_tensors(operator, graph)
    name = operator.op.lower()
    fields: dict[str, FieldValue]
    if output.type is ElementType.FLOAT32:
        c_type, (low, high) = "vt_elementwise_f32_params", activation_range_float(activation(operator))
        fields = {"activation_min": low, "activation_max": high}
    elif output.type is ElementType.INT32:
        c_type, limits = "vt_elementwise_s32_params", activation_range_int32(activation(operator))
        fields = {"activation_min": limits[0], "activation_max": limits[1]}
    else:
        assert output.quantisation is not None
        limits = activation_range(activation(operator), output.type, output.quantisation)
        if power_scales(operator, *tensors):
            c_type, name = "vt_add_pot_params", f"{name}_pot"
            shifts = [_log2(scale(output)) - _log2(scale(source)) for source in (input1, input2)]
            fields = {"input1_shift": shifts[0], "input2_shift": shifts[1]}
        else:
            c_type = "vt_add_params"
            fields = add_fields(*tensors, _left_shift(output), subtract=name == "sub").fields
            name = "add"
        fields = {**fields, "activation_min": limits[0], "activation_max": limits[1]}
    return binary_layer(operator, tensors, f"vt_{name}_{SUFFIXES[output.type]}", c_type, fields, engine)


def _left_shift(tensor: Tensor) -> int:
    """Bits that inputs gain before they are rescaled."""
    return 15 if tensor.type is ElementType.INT16 else 20


def _exact_log2(value: float) -> tuple[int, float]:
    log2 = np.log(np.float32(value)) * (np.float32(1) / np.log(np.float32(2)))
    return round_away(float(log2)), float(log2)


def _log2(value: float) -> int:
    return _exact_log2(value)[0]


def _power_of_two(value: float) -> bool:
    rounded, log2 = _exact_log2(value)
    return abs(log2 - rounded) < POWER_TOLERANCE


def power_scales(operator: Operator, input1: Tensor, input2: Tensor, output: Tensor) -> bool:
    """Whether int16 is added by the arithmetic for scales that are powers of two."""
    if output.type is not ElementType.INT16 or not flag(operator, "pot_scale_int16", True):
        return False
    return all(_power_of_two(scale(tensor)) for tensor in (input1, input2, output))


def _power_problem(operator: Operator, input1: Tensor, input2: Tensor, output: Tensor) -> str | None:
    """Both inputs at least as fine as the output, one of them in its scale, nothing broadcast in a sum.

    TensorFlow Lite refuses the rest, or crashes on it.
    """
    shifts = [_log2(scale(output)) - _log2(scale(source)) for source in (input1, input2)]
    if min(shifts) != 0 or max(shifts) > 31:
        return "int16 inputs with power-of-two scales must be as fine as the output, one of them of its scale"
    if operator.op == "ADD" and input1.shape != input2.shape:
        return "int16 inputs with power-of-two scales can't broadcast"
    return None

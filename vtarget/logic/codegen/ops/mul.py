"""MUL: two tensors of one type that broadcast to the output, a fused activation."""

from __future__ import annotations

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.binary import QUANTISED, activation_range_int32, binary_layer, binary_problem, binary_tensors
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue
from vtarget.logic.codegen.options import activation, activation_problem, scale, zero_point
from vtarget.logic.codegen.quantise import (
    FLOAT32_MAX,
    LARGEST_SHIFT,
    activation_range,
    activation_range_float,
    quantise_multiplier,
)

TYPES = (ElementType.INT8, ElementType.UINT8, ElementType.INT16, ElementType.INT32, ElementType.FLOAT32)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = activation_problem(operator) or binary_problem(operator, graph, TYPES)
    if problem is not None or graph.output(operator).type not in QUANTISED:
        return problem
    too_fine = _multiplier(*binary_tensors(operator, graph))[1] > LARGEST_SHIFT
    return "the output's scale is too small for those of the inputs" if too_fine else None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_mul_*``."""
    input1, input2, output = tensors = binary_tensors(operator, graph)
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
        multiplier, shift = _multiplier(*tensors)
        c_type = "vt_mul_params"
        fields = {
            "input1_offset": -zero_point(input1),
            "input2_offset": -zero_point(input2),
            "output_offset": zero_point(output),
            "output_multiplier": multiplier,
            "output_shift": shift,
            "activation_min": limits[0],
            "activation_max": limits[1],
        }
    return binary_layer(operator, tensors, f"vt_mul_{SUFFIXES[output.type]}", c_type, fields, engine)


def _multiplier(input1: Tensor, input2: Tensor, output: Tensor) -> tuple[int, int]:
    """In single precision, as the interpreter has it, unlike that of other operators.

    TensorFlow Lite Micro takes double precision here: about 1 in 2000 int16 results then differs by 1.
    """
    with np.errstate(over="ignore"):
        real = np.float32(scale(input1)) * np.float32(scale(input2)) / np.float32(scale(output))
    return quantise_multiplier(min(float(real), FLOAT32_MAX))

"""SQUARED_DIFFERENCE: two tensors of one type that broadcast to the output."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.binary import AddFields, add_fields, binary_layer, binary_problem, binary_tensors
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue
from vtarget.logic.codegen.quantise import type_range

TYPES = (ElementType.INT8, ElementType.INT16, ElementType.INT32, ElementType.FLOAT32)
# Bits that inputs gain before they are rescaled, so that the square still fits int32.
LEFT_SHIFTS = {ElementType.INT8: 7, ElementType.INT16: 0}


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    problem = binary_problem(operator, graph, TYPES)
    if problem is not None or graph.output(operator).type not in LEFT_SHIFTS:
        return problem
    return _fields(*binary_tensors(operator, graph)).problem


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_squared_difference_*``."""
    tensors = binary_tensors(operator, graph)
    type_ = tensors[2].type
    c_type = "vt_elementwise_params"
    fields: dict[str, FieldValue] = {}
    if type_ in LEFT_SHIFTS:
        low, high = type_range(type_)
        c_type = "vt_add_params"
        fields = {**_fields(*tensors).fields, "activation_min": low, "activation_max": high}
    return binary_layer(operator, tensors, f"vt_squared_difference_{SUFFIXES[type_]}", c_type, fields, engine)


def _fields(input1: Tensor, input2: Tensor, output: Tensor) -> AddFields:
    return add_fields(input1, input2, output, LEFT_SHIFTS[output.type], square=True)

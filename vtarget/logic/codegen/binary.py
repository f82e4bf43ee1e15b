"""What the operators of two broadcast inputs have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.logic.codegen.constants import FieldValue, call, operand, struct
from vtarget.logic.codegen.loops import broadcast_fields, broadcast_problem, in_place, size_problem
from vtarget.logic.codegen.options import (
    arity_problem,
    fallback_notes,
    required_input,
    scale,
    scales_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import INT32_MAX, INT32_MIN, quantise_multiplier

QUANTISED = (ElementType.INT8, ElementType.UINT8, ElementType.INT16)


def binary_problem(
    operator: Operator, graph: Graph, types: Collection[ElementType], *, quantised: bool = True
) -> str | None:
    """Two inputs and an output of one of ``types``, of shapes that broadcast; with scales unless not ``quantised``."""
    problem = arity_problem(operator, (2,))
    if problem is not None:
        return problem
    input1, input2, output = graph.input(operator, 0), graph.input(operator, 1), graph.output(operator)
    if input1 is None or input2 is None:
        return "an input is missing"
    roles = ((input1, "its first input"), (input2, "its second input"), (output, "its output"))
    for tensor, role in roles:
        problem = type_problem(tensor, role, types)
        if problem is None and quantised and tensor.type in QUANTISED:
            problem = scales_problem(tensor, role)
        if problem is not None:
            return problem
    if not input1.type is input2.type is output.type:
        return f"it mixes {input1.type.value}, {input2.type.value} and {output.type.value}"
    return size_problem(input1, input2, output) or broadcast_problem(input1, input2, output)


def binary_tensors(operator: Operator, graph: Graph) -> tuple[Tensor, Tensor, Tensor]:
    """Both inputs and the output of an operator that passed ``binary_problem``."""
    return required_input(graph, operator, 0), required_input(graph, operator, 1), graph.output(operator)


def binary_layer(
    operator: Operator,
    tensors: tuple[Tensor, Tensor, Tensor],
    kernel: str,
    c_type: str,
    fields: Mapping[str, FieldValue],
    engine: str,
) -> Layer:
    """The call of ``kernel`` with a ``c_type`` of the broadcast loops and ``fields``."""
    input1, input2, output = tensors
    operands = [operand("input1", input1), operand("input2", input2)]
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *(o.expression for o in operands), f"{{tensor_{output.index}}}"),
        constants=tuple(constant for o in operands for constant in o.constants),
        declarations=struct(c_type, {"loop": broadcast_fields(input1, input2, output), **fields}),
        sources=("elementwise.c",),
        in_place=tuple(dict.fromkeys((*in_place(input1, output), *in_place(input2, output)))),
        notes=fallback_notes(engine, operator.op),
    )


@dataclass(frozen=True)
class AddFields:
    """The rescaling fields of a ``vt_add_params``, and why TensorFlow Lite can't do it, if it can't."""

    fields: dict[str, FieldValue]
    problem: str | None


def add_fields(
    input1: Tensor, input2: Tensor, output: Tensor, left_shift: int, *, subtract: bool = False, square: bool = False
) -> AddFields:
    """Both inputs go to twice the larger scale with ``left_shift`` bits more, the result to the output's scale.

    All of it in double precision, as TensorFlow Lite does. ``subtract`` makes the second multiplier negative;
    ``square``: the result's scale is the square of the common one.
    """
    common = 2.0 * max(scale(input1), scale(input2))
    first = quantise_multiplier(scale(input1) / common)
    second = quantise_multiplier(scale(input2) / common)
    power = 2 if square else 1
    real = common**power / (2.0 ** (left_shift * power) * scale(output))
    result = quantise_multiplier(real)
    fields: dict[str, FieldValue] = {
        "input1_offset": -zero_point(input1),
        "input2_offset": -zero_point(input2),
        "output_offset": zero_point(output),
        "left_shift": left_shift,
        "input1_multiplier": first[0],
        "input1_shift": first[1],
        "input2_multiplier": -second[0] if subtract else second[0],
        "input2_shift": second[1],
        "output_multiplier": result[0],
        "output_shift": result[1],
    }
    too_fine = result[1] > (30 if square else 0)
    return AddFields(fields, "the output's scale is too small for those of the inputs" if too_fine else None)


def activation_range_int32(activation: str) -> tuple[int, int]:
    """The limits of a fused activation for int32 without quantisation."""
    limits = {"RELU": (0, INT32_MAX), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
    return limits.get(activation, (INT32_MIN, INT32_MAX))

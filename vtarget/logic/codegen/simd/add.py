"""ADD of int8 and int16 without broadcasting."""

from __future__ import annotations

import vtarget.logic.codegen.ops.add as add
from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.binary import add_fields, binary_tensors
from vtarget.logic.codegen.constants import SUFFIXES, call, operand, struct
from vtarget.logic.codegen.loops import in_place
from vtarget.logic.codegen.options import activation, quantisation, scale, zero_point
from vtarget.logic.codegen.quantise import activation_range
from vtarget.logic.codegen.simd.packing import short_form

# Bits that inputs gain before they are rescaled, and the most that an input without its zero point can be.
BITS = {ElementType.INT8: (20, 255), ElementType.INT16: (15, 2**15)}
# What leaves a multiple of 2**15 as it is but for halving it: the larger scale is half of twice itself.
HALVING = (0, 1, 1)


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """A sum of two tensors of one shape, if the output's scale isn't far finer than the inputs'."""
    tensors = binary_tensors(operator, graph)
    output = tensors[2]
    if output.type not in BITS or any(t.shape != output.shape for t in tensors) or add.power_scales(operator, *tensors):
        return None
    bits, largest = BITS[output.type]
    fields = add_fields(*tensors, bits).fields
    result = short_form(_integers(fields, "output"), -largest << bits, largest << bits, zero_point(output))
    # The input of the larger scale is the halved one; the other's multiplier is at most 1/2.
    swapped = scale(tensors[0]) < scale(tensors[1])
    half, scaled = (tensors[1], tensors[0]) if swapped else (tensors[0], tensors[1])
    pair = _integers(fields, "input1" if swapped else "input2")
    smaller = HALVING if pair[1] == 0 else short_form(pair, -largest << bits, largest << bits, 0)
    if result is None or smaller is None:
        return None
    low, high = activation_range(activation(operator), output.type, quantisation(output))
    declarations = struct(
        "vt_add_simd_params",
        {
            "count": output.elements,
            "half_offset": -zero_point(half) << (bits - 1),
            "scaled_offset": -zero_point(scaled) << bits,
            **dict(zip(("scaled_multiplier", "scaled_rounding", "scaled_shift"), smaller, strict=True)),
            **dict(zip(("multiplier", "rounding", "shift"), result, strict=True)),
            "activation_min": low,
            "activation_max": high,
        },
    )
    kernel = f"vt_add_{SUFFIXES[output.type]}_simd"
    operands = [operand("half", half), operand("scaled", scaled)]
    arguments = (*(o.expression for o in operands), f"{{tensor_{output.index}}}")
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *arguments),
        constants=tuple(constant for o in operands for constant in o.constants),
        declarations=declarations,
        sources=tuple(f"simd/{part}_{SUFFIXES[output.type]}.c" for part in ("add", "clamp")),
        in_place=tuple(dict.fromkeys((*in_place(half, output), *in_place(scaled, output)))),
    )


def _integers(fields: object, name: str) -> tuple[int, int]:
    assert isinstance(fields, dict)
    return int(fields[f"{name}_multiplier"]), int(fields[f"{name}_shift"])

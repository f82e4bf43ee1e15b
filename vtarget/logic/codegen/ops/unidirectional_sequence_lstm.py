"""UNIDIRECTIONAL_SEQUENCE_LSTM without peepholes, projection, layer normalisation and coupled gates.

int8 and int16 (weights int8, cell state int16, TensorFlow Lite Micro's arithmetic) and float32; input (n, t, inputs)
or, time-major, (t, n, inputs); output alike with the number of units.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

import numpy as np

from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct
from vtarget.logic.codegen.loops import size_problem
from vtarget.logic.codegen.options import (
    activation,
    arity_problem,
    fallback_notes,
    flag,
    number,
    required_input,
    scale,
    scales_problem,
    type_problem,
    zero_point,
)
from vtarget.logic.codegen.quantise import quantise_multiplier, shift_problem, type_range
from vtarget.logic.codegen.tables import sigmoid_table

INT8, INT16, INT32, INT64, FLOAT32 = (
    ElementType.INT8,
    ElementType.INT16,
    ElementType.INT32,
    ElementType.INT64,
    ElementType.FLOAT32,
)
INPUT, HIDDEN, CELL = 0, 18, 19
# Gate -> positions of its input weights, hidden weights and bias.
GATES = {"input_gate": (1, 5, 12), "forget_gate": (2, 6, 13), "cell_gate": (3, 7, 14), "output_gate": (4, 8, 15)}
# Position -> what an LSTM with a tensor there has.
VARIANTS = {
    **dict.fromkeys((9, 10, 11), "peepholes"),
    **dict.fromkeys((16, 17), "a projection"),
    **dict.fromkeys((20, 21, 22, 23), "layer normalisation"),
}
# Input type -> the types of weights, bias and cell state.
TYPES = {INT8: (INT8, INT32, INT16), INT16: (INT8, INT64, INT16), FLOAT32: (FLOAT32, FLOAT32, FLOAT32)}
SUM_SCALE = 2.0**-12  # of what a gate's function is applied to
GATE_SCALE = 2.0**-15  # of the function's value
ARITHMETIC_NOTE = "quantised LSTM is TensorFlow Lite Micro's: the interpreter's may differ by a step or two"


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the layer can't be generated, None if it can."""
    problem = arity_problem(operator, (20, 24))
    if problem is not None:
        return problem
    source, hidden, cell = (graph.input(operator, position) for position in (INPUT, HIDDEN, CELL))
    if source is None or hidden is None or cell is None:
        return "its input or a state is missing"
    for position, what in VARIANTS.items():
        if graph.input(operator, position) is not None:
            return f"an LSTM with {what} isn't supported"
    if any(graph.input(operator, position) is None for positions in GATES.values() for position in positions):
        return "an LSTM with coupled gates or without bias isn't supported"
    if activation(operator) != "TANH":
        return f"activation {activation(operator)} isn't supported"
    return (
        _types_problem(operator, graph, source, hidden, cell)
        or _shapes_problem(operator, graph, source, hidden, cell)
        or _scales_problem(operator, graph, source, hidden, cell)
    )


def _types_problem(operator: Operator, graph: Graph, source: Tensor, hidden: Tensor, cell: Tensor) -> str | None:
    if source.type not in TYPES:
        return f"input has type {source.type.value}"
    weight, bias, cell_type = TYPES[source.type]
    if not hidden.variable or not cell.variable:
        return "its states aren't variable tensors"
    problem = type_problem(hidden, "hidden state", (source.type,)) or type_problem(cell, "cell state", (cell_type,))
    problem = problem or type_problem(graph.output(operator), "output", (source.type,))
    for gate, positions in GATES.items():
        types = (weight, weight, bias)
        for position, type_, role in zip(positions, types, ("weights", "hidden weights", "bias"), strict=True):
            tensor = required_input(graph, operator, position)
            problem = problem or type_problem(tensor, f"{role} of the {gate.replace('_', ' ')}", (type_,))
            if problem is None and not tensor.constant:
                problem = f"{role} of the {gate.replace('_', ' ')} aren't constant"
    return problem


def _shapes_problem(operator: Operator, graph: Graph, source: Tensor, hidden: Tensor, cell: Tensor) -> str | None:
    output = graph.output(operator)
    problem = size_problem(source, hidden, cell, output)
    if problem is None and (len(source.shape) != 3 or len(output.shape) != 3 or output.shape[:2] != source.shape[:2]):
        problem = "its input and output don't have 3 dimensions that go together"
    if problem is not None:
        return problem
    inputs, units = source.shape[2], output.shape[2]
    batches = source.shape[1] if flag(operator, "time_major") else source.shape[0]
    if hidden.elements != batches * units or cell.elements != batches * units:
        return f"its states don't have {batches} times {units} elements"
    for positions in GATES.values():
        shapes = ((units, inputs), (units, units), (units,))
        if any(required_input(graph, operator, at).shape != s for at, s in zip(positions, shapes, strict=True)):
            return f"the shape of a weight or bias doesn't go with {inputs} inputs and {units} units"
    return None


def _scales_problem(operator: Operator, graph: Graph, source: Tensor, hidden: Tensor, cell: Tensor) -> str | None:
    if source.type is FLOAT32:
        return None
    problem = None
    output = graph.output(operator)
    roles = ((source, "input"), (hidden, "hidden state"), (cell, "cell state"), (output, "output"))
    for tensor, role in roles:
        problem = problem or scales_problem(tensor, role)
    for positions in GATES.values():
        for position in positions[:2]:
            tensor = required_input(graph, operator, position)
            problem = problem or scales_problem(tensor, "a weight")
            if problem is None and zero_point(tensor):
                problem = "a weight has a zero point other than 0"
    if problem is not None:
        return problem
    if not -15 <= round(log2(scale(cell))) <= -3:
        return "its cell state's scale isn't between 2^-15 and 2^-3"
    shifts = [
        value
        for gate in GATES
        for key, value in _gate_multipliers(operator, graph, gate).items()
        if key.endswith("shift")
    ]
    return shift_problem(shifts, source.type) or shift_problem(
        [value for key, value in _state_fields(hidden, cell).items() if key.endswith("shift")], INT8
    )


def _gate_multipliers(operator: Operator, graph: Graph, gate: str) -> dict[str, int]:
    """What takes a gate's two sums to 12 fraction bits; scales are multiplied in float32."""
    fields = {}
    for name, activations, position in zip(("input", "hidden"), (INPUT, HIDDEN), GATES[gate], strict=False):
        weights = required_input(graph, operator, position)
        product = np.float32(scale(required_input(graph, operator, activations))) * np.float32(scale(weights))
        fields[f"{name}_multiplier"], fields[f"{name}_shift"] = quantise_multiplier(float(product) / SUM_SCALE)
    return fields


def _state_fields(hidden: Tensor, cell: Tensor) -> dict[str, int]:
    """Multipliers of the products of gates and states, and from the cell state to 3 * 4096 per unit."""
    products = {
        "forget": GATE_SCALE * scale(cell) / scale(cell),
        "update": GATE_SCALE * GATE_SCALE / scale(cell),
        "output": GATE_SCALE * GATE_SCALE / scale(hidden),
    }
    fields = {}
    for name, real in products.items():
        fields[f"{name}_multiplier"], fields[f"{name}_shift"] = quantise_multiplier(real)
    left = 12 + round(log2(scale(cell)))
    fields["tanh_multiplier"], fields["tanh_shift"] = (3, -left) if left < 0 else (3 << left, 0)
    return fields


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The layer as a call of ``vt_lstm_*``."""
    source, hidden, cell = (required_input(graph, operator, position) for position in (INPUT, HIDDEN, CELL))
    output = graph.output(operator)
    real = source.type is FLOAT32
    gates = {gate: _gate(operator, graph, gate) for gate in GATES}
    constants = [constant for _, found in gates.values() for constant in found]
    fields: dict[str, FieldValue] = {"shape": _shape_fields(operator, source, output)}
    fields |= {gate: description for gate, (description, _) in gates.items()}
    clip = number(operator, "cell_clip")
    fields |= {"cell_clip": clip} if real else _quantised_fields(clip, source, hidden, cell)
    given, table = operand("input", source), sigmoid_table()
    kernel = f"vt_lstm_{SUFFIXES[source.type]}"
    arguments = [given.expression, *(f"{{tensor_{tensor.index}}}" for tensor in (hidden, cell, output))]
    inputs, units = source.shape[2], output.shape[2]
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", *(() if real else (table.name,)), *arguments),
        constants=(*constants, *(() if real else (table,)), *given.constants),
        declarations=struct("vt_lstm_f32_params" if real else "vt_lstm_params", fields),
        sources=("lstm.c",),
        macs=source.elements // inputs * 4 * units * (inputs + units),
        notes=(*fallback_notes(engine, f"{source.type.value} {operator.op}"), *(() if real else (ARITHMETIC_NOTE,))),
    )


def _gate(operator: Operator, graph: Graph, gate: str) -> tuple[Mapping[str, FieldValue], list[Constant]]:
    """A gate's structure and the arrays that it points to."""
    names = ("input_weights", "hidden_weights", "bias")
    tensors = [required_input(graph, operator, position) for position in GATES[gate]]
    operands = [operand(f"{gate}_{name}", tensor) for name, tensor in zip(names, tensors, strict=True)]
    fields: dict[str, FieldValue] = {name: o.expression for name, o in zip(names, operands, strict=True)}
    if tensors[0].type is not FLOAT32:
        fields |= _gate_multipliers(operator, graph, gate)
    return fields, [constant for o in operands for constant in o.constants]


def _shape_fields(operator: Operator, source: Tensor, output: Tensor) -> dict[str, FieldValue]:
    first, second, inputs = source.shape
    time_major = flag(operator, "time_major")
    batches, steps = (second, first) if time_major else (first, second)
    strides = {"step_stride": batches if time_major else 1, "batch_stride": 1 if time_major else steps}
    return {"batches": batches, "steps": steps, "inputs": inputs, "units": output.shape[2], **strides}


def _quantised_fields(cell_clip: float, source: Tensor, hidden: Tensor, cell: Tensor) -> dict[str, FieldValue]:
    low, high = type_range(hidden.type)
    return {
        "input_offset": -zero_point(source),
        "hidden_offset": -zero_point(hidden),
        "hidden_zero_point": zero_point(hidden),
        "hidden_min": low,
        "hidden_max": high,
        **_state_fields(hidden, cell),
        "cell_clip": int(min(max(cell_clip / scale(cell), 0.0), 32767.0)),
    }

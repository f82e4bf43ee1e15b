"""VAR_HANDLE, READ_VARIABLE and ASSIGN_VARIABLE: memory that lasts from one inference to the next.

A resource variable is one variable tensor of the graph, which stands wherever the model has a handle to it.
"""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import call, operand
from vtarget.logic.codegen.loops import size_problem
from vtarget.logic.codegen.options import required_input

# Numbers of inputs and outputs.
ARITY = {"VAR_HANDLE": (0, 1), "READ_VARIABLE": (1, 1), "ASSIGN_VARIABLE": (2, 0)}


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    if (len(operator.inputs), len(operator.outputs)) != ARITY[operator.op]:
        return f"it has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
    if operator.op == "VAR_HANDLE":
        return None
    variable = graph.input(operator, 0)
    if variable is None or not variable.variable:
        return "its first input isn't a variable"
    other = graph.output(operator) if operator.op == "READ_VARIABLE" else graph.input(operator, 1)
    if other is None:
        return "its value is missing"
    if (other.type, other.shape) != (variable.type, variable.shape):
        return (
            f"its value is {other.type.value} {list(other.shape)}, "
            f"the variable {variable.type.value} {list(variable.shape)}"
        )
    return size_problem(variable)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """A copy out of the variable or into it; nothing for a handle."""
    if operator.op == "VAR_HANDLE":
        return Layer(operator=operator.index, kernel="", call="")
    variable = required_input(graph, operator, 0)
    if operator.op == "READ_VARIABLE":
        return _copy(operator, variable, graph.output(operator))
    return _copy(operator, required_input(graph, operator, 1), variable)


def _copy(operator: Operator, source: Tensor, target: Tensor) -> Layer:
    value = operand("value", source)
    return Layer(
        operator=operator.index,
        kernel="vt_copy",
        call=call("vt_copy", value.expression, f"{{tensor_{target.index}}}", str(target.size_bytes)),
        constants=value.constants,
        sources=("move.c",),
    )

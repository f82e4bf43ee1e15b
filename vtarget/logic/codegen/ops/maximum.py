"""MAXIMUM and MINIMUM: two tensors of one type that broadcast to the output, all of one quantisation."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.binary import binary_layer, binary_problem, binary_tensors
from vtarget.logic.codegen.constants import SUFFIXES

TYPES = tuple(type_ for type_ in ElementType if type_ is not ElementType.BOOL)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the operator can't be generated, None if it can."""
    return binary_problem(operator, graph, TYPES, quantised=False)


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The operator as a call of ``vt_maximum_*`` or ``vt_minimum_*``."""
    tensors = binary_tensors(operator, graph)
    kernel = f"vt_{operator.op.lower()}_{SUFFIXES[tensors[2].type]}"
    return binary_layer(operator, tensors, kernel, "vt_elementwise_params", {}, engine)

"""What the operators that take each element alone have in common."""

from __future__ import annotations

from collections.abc import Collection

from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.logic.codegen.options import arity_problem, scales_problem, shape_problem, type_problem


def elementwise_problem(
    operator: Operator, graph: Graph, types: Collection[ElementType], inputs: Collection[int] = (1,)
) -> str | None:
    """The first input and the output must have one shape and one of ``types``, and scales unless float32."""
    problem = arity_problem(operator, inputs)
    source = graph.input(operator, 0)
    if problem is not None or source is None:
        return problem or "its input is missing"
    output = graph.output(operator)
    problem = type_problem(source, "input", types) or type_problem(output, "output", (source.type,))
    problem = problem or shape_problem(output, "output", source.shape)
    if problem is not None:
        return problem
    if source.elements < 1:
        return f"input shape {list(source.shape)} can't be handled"
    if source.type is ElementType.FLOAT32:
        return None
    return scales_problem(source, "input") or scales_problem(output, "output")


def in_place(source: Tensor) -> tuple[int, ...]:
    """The input, unless constant: an element of the output may overwrite its own input."""
    return () if source.constant or source.variable else (source.index,)

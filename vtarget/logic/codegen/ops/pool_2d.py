"""AVERAGE_POOL_2D and MAX_POOL_2D: input (n, h, w, c), output (n, h', w', c), both quantised alike."""

from __future__ import annotations

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import SUFFIXES, FieldValue, call, operand, struct
from vtarget.logic.codegen.options import (
    activation,
    activation_problem,
    arity_problem,
    fallback_notes,
    integer,
    quantisation,
    required_input,
    same_quantisation_problem,
    type_problem,
)
from vtarget.logic.codegen.quantise import activation_range, activation_range_float
from vtarget.logic.codegen.window import window_of, window_problem

TYPES = (ElementType.INT8, ElementType.INT16, ElementType.FLOAT32)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the pooling can't be generated, None if it can."""
    problem = arity_problem(operator, (1,)) or activation_problem(operator)
    if problem is not None:
        return problem
    source, output = graph.input(operator, 0), graph.output(operator)
    if source is None or len(source.shape) != 4:
        return "its input doesn't have 4 dimensions"
    return (
        type_problem(source, "input", TYPES)
        or type_problem(output, "output", (source.type,))
        or same_quantisation_problem(source, output)
        or window_problem(operator, source.shape, _filter_size(operator), source.shape[3], output.shape)
    )


def _filter_size(operator: Operator) -> tuple[int, int]:
    return integer(operator, "filter_height"), integer(operator, "filter_width")


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The pooling as a call of ``vt_average_pool_2d_*`` or ``vt_max_pool_2d_*``."""
    source, output = required_input(graph, operator, 0), graph.output(operator)
    given = operand("input", source)
    kernel = f"vt_{operator.op.lower()}_{SUFFIXES[source.type]}"
    window = window_of(operator, source.shape, _filter_size(operator), output.shape)
    limits = _limits(operator, output)
    fields: dict[str, FieldValue] = {
        "window": window.fields(),
        "activation_min": limits[0],
        "activation_max": limits[1],
    }
    c_type = "vt_pool_2d_f32_params" if source.type is ElementType.FLOAT32 else "vt_pool_2d_params"
    return Layer(
        operator=operator.index,
        kernel=kernel,
        call=call(kernel, "&{layer}_params", given.expression, f"{{tensor_{output.index}}}"),
        constants=given.constants,
        declarations=struct(c_type, fields),
        sources=("pool_2d.c",),
        notes=fallback_notes(engine, f"{source.type.value} {operator.op}"),
    )


def _limits(operator: Operator, output: Tensor) -> tuple[float, float]:
    if output.type is ElementType.FLOAT32:
        return activation_range_float(activation(operator))
    return activation_range(activation(operator), output.type, quantisation(output))

"""FULLY_CONNECTED: input of n * depth elements, filter (units, depth), optional bias (units), output (…, units)."""

from __future__ import annotations

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.options import (
    activation_problem,
    arity_problem,
    quantisation,
    required_input,
    scale,
    text,
)
from vtarget.logic.codegen.quantise import Multipliers, quantise_multiplier
from vtarget.logic.codegen.weights import (
    WeightedLayer,
    bias_problem,
    emit_weighted,
    multipliers_of,
    narrow_accumulator,
    scaling_problem,
    types_problem,
)


def check(operator: Operator, graph: Graph) -> str | None:
    """Why the layer can't be generated, None if it can."""
    problem = arity_problem(operator, (2, 3)) or activation_problem(operator)
    if problem is not None:
        return problem
    if text(operator, "weights_format", "DEFAULT") != "DEFAULT":
        return f"weights format {text(operator, 'weights_format', 'DEFAULT')} isn't supported"
    source, weights = graph.input(operator, 0), graph.input(operator, 1)
    if source is None or weights is None:
        return "its input or filter is missing"
    bias, output = graph.input(operator, 2), graph.output(operator)
    return (
        types_problem(source, weights, bias, output)
        or _shape_problem(source, weights, output)
        or bias_problem(bias, weights.shape[0])
        or scaling_problem(source, weights, output, weights.shape[0], 0)
    )


def _shape_problem(source: Tensor, weights: Tensor, output: Tensor) -> str | None:
    if len(weights.shape) != 2 or min(weights.shape) < 1:
        return f"filter shape {list(weights.shape)} can't be handled"
    units, depth = weights.shape
    if source.elements < 1 or source.elements % depth:
        return f"{source.elements} input elements aren't a multiple of the filter's depth {depth}"
    if not output.shape or output.shape[-1] != units or output.elements != source.elements // depth * units:
        return f"output shape {list(output.shape)} doesn't go with {units} units"
    return None


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """The layer as a call of ``vt_fully_connected_*``."""
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    units, depth = weights.shape
    batches = source.elements // depth
    multipliers = unit_multipliers(source, weights, graph.output(operator))
    step = {} if multipliers is None else {"multiplier_step": int(len(multipliers.shifts) > 1)}
    what = WeightedLayer(
        family="fully_connected",
        fields={"batches": batches, "depth": depth, "units": units, **step},
        multipliers=multipliers,
        macs=batches * depth * units,
        narrow=source.type is ElementType.INT16 and narrow_accumulator(graph, operator),
    )
    return emit_weighted(operator, graph, engine, what)


def unit_multipliers(source: Tensor, weights: Tensor, output: Tensor) -> Multipliers | None:
    """As for convolutions; one only if the filter has one scale, input and filter scale then multiplied in float32."""
    if source.type is ElementType.FLOAT32 or quantisation(weights).per_channel:
        return multipliers_of(source, weights, output, weights.shape[0])
    product = np.float32(scale(source)) * np.float32(scale(weights))
    multiplier, shift = quantise_multiplier(float(product) / scale(output))
    return Multipliers((multiplier,), (shift,))

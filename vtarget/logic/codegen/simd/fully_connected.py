"""FULLY_CONNECTED of int8, int16 and float32: a convolution of 1x1 over the batch."""

from __future__ import annotations

import vtarget.logic.codegen.ops.fully_connected as fully_connected
from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import array_of, operand
from vtarget.logic.codegen.options import required_input
from vtarget.logic.codegen.quantise import Multipliers
from vtarget.logic.codegen.simd.matrix import matrix_of, pointwise_layer
from vtarget.logic.codegen.weights import narrow_accumulator


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """A layer of any size; int16 as for convolutions."""
    source, weights = required_input(graph, operator, 0), required_input(graph, operator, 1)
    if source.type is ElementType.INT16 and narrow_accumulator(graph, operator):
        return None
    units, depth = weights.shape
    multipliers = fully_connected.unit_multipliers(source, weights, graph.output(operator))
    if multipliers is not None and len(multipliers.shifts) == 1:
        multipliers = Multipliers(multipliers.multipliers * units, multipliers.shifts * units)
    matrix = matrix_of(operator, graph, array_of(weights).reshape(units, 1, depth), multipliers, target)
    if matrix is None:
        return None
    return pointwise_layer(operator, matrix, operand("input", source), source.elements // depth, depth)

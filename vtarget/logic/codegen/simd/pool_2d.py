"""AVERAGE_POOL_2D and MAX_POOL_2D of int8, four channels at a time on cores with the DSP extension."""

from __future__ import annotations

from dataclasses import replace

import vtarget.logic.codegen.ops.pool_2d as pool_2d
from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.options import integer, required_input

SOURCES = ("simd/pool_2d_s8.c", "simd/clamp_s8.c")
# Sums of so many int8 values stay within 16 bits.
LARGEST_WINDOW = 255


def emit(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """int8 pooling of at least four channels; averages of no more than LARGEST_WINDOW elements."""
    source = required_input(graph, operator, 0)
    window = integer(operator, "filter_height") * integer(operator, "filter_width")
    if not target.dsp or source.type is not ElementType.INT8 or source.shape[3] < 4:
        return None
    if operator.op == "AVERAGE_POOL_2D" and window > LARGEST_WINDOW:
        return None
    return fast_twin(pool_2d.emit(operator, graph, "reference", target), SOURCES)


def fast_twin(layer: Layer, sources: tuple[str, ...]) -> Layer:
    """The layer with the fast kernel that takes the reference kernel's arguments."""
    kernel = f"{layer.kernel}_simd"
    assert layer.call.startswith(f"{layer.kernel}(")
    return replace(layer, kernel=kernel, call=kernel + layer.call[len(layer.kernel) :], sources=sources, notes=())

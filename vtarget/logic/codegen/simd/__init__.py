"""Fast kernels, by operator: its module may know one for a case and a core or not. Most need the DSP extension.

What it doesn't know is left to the reference kernels. Bits are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import vtarget.logic.codegen.simd.add as add
import vtarget.logic.codegen.simd.conv_2d as conv_2d
import vtarget.logic.codegen.simd.depthwise_conv_2d as depthwise_conv_2d
import vtarget.logic.codegen.simd.fully_connected as fully_connected
import vtarget.logic.codegen.simd.leaky_relu as leaky_relu
import vtarget.logic.codegen.simd.pool_2d as pool_2d
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator
from vtarget.data.target import Target


class FastModule(Protocol):
    """What a module of this package offers."""

    def emit(self, operator: Operator, graph: Graph, target: Target) -> Layer | None:
        """The operator as a call of a fast kernel, None if there is none; only for a supported operator."""


FAST_MODULES: Mapping[str, FastModule] = {
    "ADD": add,
    "AVERAGE_POOL_2D": pool_2d,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "LEAKY_RELU": leaky_relu,
    "MAX_POOL_2D": pool_2d,
}


def emit_fast(operator: Operator, graph: Graph, target: Target) -> Layer | None:
    """The operator as a call of a fast kernel for ``target``, None if there is none."""
    module = FAST_MODULES.get(operator.op)
    return None if module is None else module.emit(operator, graph, target)

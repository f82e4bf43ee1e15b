"""The operators that code can be generated for, by their builtin names, sorted: one module per kind of operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import vtarget.logic.codegen.ops.conv_2d as conv_2d
import vtarget.logic.codegen.ops.depthwise_conv_2d as depthwise_conv_2d
import vtarget.logic.codegen.ops.fully_connected as fully_connected
import vtarget.logic.codegen.ops.pool_2d as pool_2d
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator
from vtarget.data.target import Target


class OperatorModule(Protocol):
    """What a module of this package offers."""

    def check(self, operator: Operator, graph: Graph) -> str | None:
        """Why the operator can't be generated, None if it can."""

    def emit(self, operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
        """The operator as C; only for an operator that passed ``check``."""


MODULES: Mapping[str, OperatorModule] = {
    "AVERAGE_POOL_2D": pool_2d,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": pool_2d,
}

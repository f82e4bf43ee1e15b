"""What can be generated, and generating it: the way from an operator to the module that knows it."""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Operator
from vtarget.data.target import Target
from vtarget.logic.codegen.ops import MODULES
from vtarget.logic.codegen.simd import emit_fast

ENGINES = ("reference", "simd")


def problem(operator: Operator, graph: Graph) -> str | None:
    """Why this operator can't be generated, None if it can."""
    module = MODULES.get(operator.op)
    if module is None:
        return "this operator isn't supported"
    return module.check(operator, graph)


def problems(graph: Graph) -> list[str]:
    """Every operator that can't be generated, with its index, name and the reason; empty if all can."""
    found = ((operator, problem(operator, graph)) for operator in graph.operators)
    return [f"operator {operator.index} {operator.op}: {reason}" for operator, reason in found if reason is not None]


def emit(operator: Operator, graph: Graph, engine: str, target: Target) -> Layer:
    """One operator as C of ``engine`` (one of ENGINES) for ``target``.

    :raises InputError: the operator isn't supported, or there is no such engine.
    """
    if engine not in ENGINES:
        raise InputError(f"there is no engine {engine!r}", hint=f"engines: {', '.join(ENGINES)}")
    reason = problem(operator, graph)
    if reason is not None:
        raise InputError(f"operator {operator.index} {operator.op}: {reason}")
    fast = emit_fast(operator, graph, target) if engine == "simd" else None
    return fast or MODULES[operator.op].emit(operator, graph, engine, target)

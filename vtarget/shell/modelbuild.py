"""From a graph to the firmware of one board: what is decided before any compiler runs, and then the build."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph
from vtarget.data.plan import Placement, Plan
from vtarget.data.target import Target
from vtarget.logic.codegen.project import generate_project, model_sources, weights_bytes
from vtarget.logic.codegen.registry import emit, problems
from vtarget.logic.memoryfit import AUTO, place
from vtarget.logic.plan import plan_memory
from vtarget.shell.building import Project, build_project, complete_project
from vtarget.shell.toolchain import BuildResult, Toolchain


@dataclass(frozen=True)
class ModelOptions:
    """How to make firmware of a model: kernels, compiler options, and regions (``auto``: the first that fit)."""

    engine: str = "simd"
    cflags: tuple[str, ...] = ()
    weights_region: str = AUTO
    arena_region: str = AUTO


@dataclass(frozen=True)
class ModelCode:
    """A model as C for one kind of core: its layers and its memory, on whatever board."""

    graph: Graph
    target: Target
    engine: str
    layers: tuple[Layer, ...]
    plan: Plan
    weights_bytes: int

    @cached_property
    def sources(self) -> dict[str, str]:
        """The texts of the firmware that don't depend on the board."""
        return model_sources(self.graph, self.layers, self.plan, spans=False)


@dataclass(frozen=True)
class ModelFirmware:
    """A model's firmware on one board, built."""

    code: ModelCode
    placement: Placement
    project: Project
    build: BuildResult


def generate(graph: Graph, target: Target, engine: str) -> ModelCode:
    """``graph`` as C with the kernels of ``engine``.

    :raises InputError: operators that aren't supported (all of them, in one line), or no such engine.
    """
    found = problems(graph)
    if found:
        raise InputError(f"{graph.path}: {'; '.join(found)}")
    layers = tuple(emit(operator, graph, engine, target) for operator in graph.operators)
    plan = plan_memory(graph, layers)
    return ModelCode(graph, target, engine, layers, plan, weights_bytes(graph, layers, plan))


def project_of(code: ModelCode, board: Board, options: ModelOptions) -> tuple[Project, Placement]:
    """The firmware's files for ``board``. InputError if the model doesn't fit it."""
    placement = place(code.plan, code.weights_bytes, board, options.weights_region, options.arena_region)
    generated = generate_project(code.graph, code.layers, code.plan, placement, board, spans=False, known=code.sources)
    return complete_project(generated, code.layers), placement


def build_firmware(
    code: ModelCode, board: Board, toolchain: Toolchain, elf: str | os.PathLike[str], options: ModelOptions
) -> ModelFirmware:
    """``code`` on ``board``, compiled to the file ``elf``.

    InputError if the model doesn't fit the board, RunError if the compiler fails.
    """
    project, placement = project_of(code, board, options)
    build = build_project(project, code.target, toolchain, elf, cflags=options.cflags)
    return ModelFirmware(code, placement, project, build)

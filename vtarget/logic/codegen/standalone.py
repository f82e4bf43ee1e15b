"""What makes a project stand alone: build files for make and CMake, a README, the licence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vtarget.base.names import safe_comment
from vtarget.data.board import Board
from vtarget.data.graph import Graph
from vtarget.data.plan import Placement
from vtarget.data.target import Target
from vtarget.logic.codegen.project import LINKER_SCRIPT, file_name, model_title
from vtarget.logic.codegen.templates import render
from vtarget.logic.compileflags import compile_flags, core_flags, file_flags, link_flags, link_libraries
from vtarget.logic.linkerscript import copies_weights

# What to call where vtarget would call what it has found.
_COMMANDS = {"gcc": "arm-none-eabi-gcc", "zig": "python3 -m ziglang cc"}


@dataclass(frozen=True)
class Facts:
    """What a project is of, and what for."""

    graph: Graph
    board: Board
    target: Target
    engine: str
    placement: Placement
    arena_bytes: int
    weights_bytes: int


@dataclass(frozen=True)
class Compiler:
    """What a project was built with: kind of toolchain, its name and version in words, options of the user."""

    kind: str
    words: str
    cflags: tuple[str, ...] = ()


def standalone_files(
    facts: Facts, sources: Sequence[str], include_dirs: Sequence[str], compiler: Compiler, version: str
) -> dict[str, str]:
    """``Makefile``, ``CMakeLists.txt``, ``README.md`` and ``LICENSE`` by name.

    ``sources`` are the project's C files in the order they are linked in, ``version`` is vtarget's. The build files
    repeat the build that vtarget does, byte for byte, given the linker script of ``link_script``.
    """
    values = _values(facts, sources, include_dirs, compiler) | {"version": version}
    return {name: render(name, **values) for name in ("Makefile", "CMakeLists.txt", "README.md", "LICENSE")}


def _values(facts: Facts, sources: Sequence[str], include_dirs: Sequence[str], compiler: Compiler) -> dict[str, object]:
    kind, board = compiler.kind, facts.board
    return {
        "board": board.name,
        "board_title": safe_comment(board.title),
        "compiler": safe_comment(compiler.words),
        "command": _COMMANDS[kind],
        "core_flags": core_flags(kind, facts.target),
        "compile_flags": compile_flags(kind, facts.target, compiler.cflags),
        "include_flags": [f"-I{folder}" for folder in include_dirs],
        "link_flags": link_flags(kind, facts.target, compiler.cflags),
        "libraries": link_libraries(kind),
        "file_flags": {name: flags for name in sources if (flags := file_flags(kind, name))},
        "sources": sources,
        "library": [name for name in sources if not name.startswith("board/")],
        "firmware": [name for name in sources if name.startswith("board/")],
        "script": LINKER_SCRIPT,
        # What Markdown and the HTML in it could take for their own is left out.
        "heading": re.sub(r"[^A-Za-z0-9 .,:;+_/-]", "?", model_title(facts.graph)) or "Model",
        "model_file": safe_comment(file_name(facts.graph)),
        "sha256": facts.graph.sha256,
        "engine": facts.engine,
        "contents": f"{'variables, ' if any(t.variable for t in facts.graph.tensors) else ''}activations, scratch",
        "arena_bytes": facts.arena_bytes,
        "region": facts.placement.arena_region,
        "weights_bytes": facts.weights_bytes,
        "weights_region": facts.placement.weights_region,
        "copies_weights": copies_weights(board, facts.placement.weights_region),
    }

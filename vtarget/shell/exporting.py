"""A model file as a project that stands alone, with its firmware: all of it in memory, nothing written yet."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vtarget import __version__
from vtarget.data.board import Board
from vtarget.data.image import RegionUse
from vtarget.data.target import target_of
from vtarget.logic.codegen.project import LINKER_SCRIPT
from vtarget.logic.codegen.standalone import Compiler, Facts, standalone_files
from vtarget.logic.compileflags import link_script
from vtarget.logic.placement import memory_use
from vtarget.shell.boardlib import load_board, load_core
from vtarget.shell.building import INCLUDE_DIRS, Project
from vtarget.shell.imagefile import load_image
from vtarget.shell.modelbuild import ModelFirmware, ModelOptions, build_firmware, generate
from vtarget.shell.tflitefile import read_model
from vtarget.shell.toolchain import Toolchain, find_toolchain

FIRMWARE = "firmware.elf"


@dataclass(frozen=True)
class ExportedProject:
    """A project's files by path (``firmware.elf`` is one of them), and what is worth saying about it."""

    files: Mapping[str, bytes]
    firmware: ModelFirmware
    board: Board
    regions: tuple[RegionUse, ...]

    def facts(self) -> dict[str, object]:
        """What was built, for JSON; the same for the same model, board, options, compiler and vtarget."""
        code, build, placement = self.firmware.code, self.firmware.build, self.firmware.placement
        return {
            "schema": "vtarget.build",
            "schema_version": 1,
            "vtarget_version": __version__,
            "model": {"name": code.graph.name, "sha256": code.graph.sha256},
            "board": {"name": self.board.name, "core": code.target.core},
            "engine": code.engine,
            "compiler": {"name": build.compiler, "version": build.version, "flags": list(build.flags)},
            "layers": len(code.layers),
            "memory": {
                "arena_bytes": code.plan.arena_bytes,
                "weights_bytes": code.weights_bytes,
                "arena_region": placement.arena_region,
                "weights_region": placement.weights_region,
                "regions": [
                    {"name": r.name, "used_bytes": r.used_bytes, "size_bytes": r.size_bytes} for r in self.regions
                ],
            },
            "notes": self.notes(),
        }

    def notes(self) -> list[str]:
        """What the layers' generation had to say, by layer."""
        return [f"layer {layer.operator}: {note}" for layer in self.firmware.code.layers for note in layer.notes]


def export_model(
    model: str, board: str, options: ModelOptions | None = None, *, toolchain: str = "auto"
) -> ExportedProject:
    """The project of a model file for a board by name or path, built with that kind of toolchain.

    InputError for a model that can't be read, isn't supported or doesn't fit, RunError if the compiler fails.
    """
    options = options or ModelOptions()
    graph, loaded = read_model(model), load_board(board)
    code = generate(graph, target_of(loaded, load_core(loaded.core).name), options.engine)
    compiler = find_toolchain(toolchain)
    with tempfile.TemporaryDirectory(prefix="vtarget-export-") as folder:
        elf = Path(folder) / FIRMWARE
        firmware = build_firmware(code, loaded, compiler, elf, options)
        regions = memory_use(load_image(str(elf)), loaded)
        data = elf.read_bytes()
    texts = _texts(firmware, loaded, compiler, options.cflags)
    files = {name: text.encode() for name, text in texts.items()} | {FIRMWARE: data}
    return ExportedProject(files, firmware, loaded, regions)


def _texts(firmware: ModelFirmware, board: Board, toolchain: Toolchain, cflags: tuple[str, ...]) -> dict[str, str]:
    code, project = firmware.code, firmware.project
    facts = Facts(
        graph=code.graph,
        board=board,
        target=code.target,
        engine=code.engine,
        placement=firmware.placement,
        arena_bytes=code.plan.arena_bytes,
        weights_bytes=code.weights_bytes,
    )
    compiler = Compiler(toolchain.kind, f"{toolchain.name} {toolchain.version}", cflags)
    standalone = standalone_files(facts, project.sources, INCLUDE_DIRS, compiler, __version__)
    return {**project.files, **standalone, LINKER_SCRIPT: _script(project, toolchain, cflags)}


def _script(project: Project, toolchain: Toolchain, cflags: tuple[str, ...]) -> str:
    return link_script(toolchain.kind, project.files[LINKER_SCRIPT], cflags)

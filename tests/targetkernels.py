"""Runs generated layers on a virtual board: many models in one firmware, with the cycles of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vtarget.data.board import Board
from vtarget.data.emission import Layer
from vtarget.data.graph import Graph
from vtarget.data.target import target_of
from vtarget.logic.codegen.constants import definition, fill, initial_byte
from vtarget.logic.codegen.registry import emit
from vtarget.logic.linkerscript import linker_script
from vtarget.shell.boardlib import load_board
from vtarget.shell.running import execute, price, pricer_for
from vtarget.shell.tflitefile import parse_model
from vtarget.shell.toolchain import compile_and_link, find_toolchain

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
KERNELS = FIRMWARE / "kernels"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TargetRun:
    """One model after one inference: every tensor in memory by index, and the cycles of each layer."""

    graph: Graph
    layers: tuple[Layer, ...]
    tensors: dict[int, Array]
    cycles: tuple[int, ...]

    @property
    def outputs(self) -> list[Array]:
        """The model's outputs."""
        return [self.tensors[index] for index in self.graph.outputs]

    def cycles_per_mac(self) -> float:
        """All cycles over all multiply-accumulates."""
        return sum(self.cycles) / sum(layer.macs for layer in self.layers)


@dataclass(frozen=True)
class _Model:
    number: int
    graph: Graph
    layers: tuple[Layer, ...]

    def span(self, position: int) -> str:
        return f"layer_{self.number}_{position}"

    def place(self, tensor: int) -> str:
        return f"m{self.number}_t{tensor}"

    def text(self) -> str:
        parts = [
            f"_Alignas(16) uint8_t {self.place(t.index)}[{max(t.size_bytes, 1)}];\n"
            for t in self.graph.tensors
            if not t.constant
        ]
        for position, layer in enumerate(self.layers):
            prefix = f"m{self.number}_{position}"
            constants = "".join(definition(constant) for constant in layer.constants)
            parts.append(fill(constants + layer.declarations, prefix, self._pointer))
            body = fill(layer.call, prefix, self._pointer, "(void *)scratch")
            parts.append(f"__attribute__((noinline)) void {self.span(position)}(void)\n{{\n    {body}\n}}\n")
        return "".join(parts)

    def _pointer(self, tensor: int) -> str:
        return f"(void *){self.place(tensor)}"

    def calls(self) -> str:
        return "".join(f"    {self.span(position)}();\n" for position in range(len(self.layers)))


def run_models(
    models: Sequence[bytes],
    inputs: Sequence[Sequence[Array]],
    folder: Path,
    board: str | Board = "nucleo-l4r5zi",
    engine: str = "simd",
    toolchain: str = "gcc",
) -> list[TargetRun]:
    """Every model on its own inputs, in one run of one firmware built in ``folder``."""
    loaded = load_board(board) if isinstance(board, str) else board
    target = target_of(loaded)
    graphs = [parse_model(f"model_{number}.tflite", data) for number, data in enumerate(models)]
    built = [
        _Model(number, graph, tuple(emit(op, graph, engine, target) for op in graph.operators))
        for number, graph in enumerate(graphs)
    ]
    elf = folder / "models.elf"
    compile_and_link(
        _sources(built),
        _headers(),
        target=target,
        linker_script=linker_script(loaded),
        toolchain=find_toolchain(toolchain),
        output=elf,
        include_dirs=("kernels", "common", "freestanding"),
        cflags=("-Werror",),
    )
    return _run(built, inputs, elf, loaded)


def _sources(models: Sequence[_Model]) -> dict[str, str | Path]:
    needed = sorted({source for model in models for layer in model.layers for source in layer.sources})
    scratch = max([layer.scratch_bytes for model in models for layer in model.layers], default=0)
    text = "#include <stddef.h>\n#include <stdint.h>\n"
    text += "".join(f'#include "{source.removesuffix(".c")}.h"\n' for source in needed)
    text += f"_Alignas(16) static uint8_t scratch[{scratch + 16}];\n"
    text += "".join(model.text() for model in models)
    text += "int main(void);\nint main(void)\n{\n    (void)scratch;\n"
    text += "".join(model.calls() for model in models) + "    return 0;\n}\n"
    common = {f"common/{path.name}": path for path in sorted((FIRMWARE / "common").glob("*.c"))}
    return {"main.c": text, **common, **{f"kernels/{source}": KERNELS / source for source in needed}}


def _headers() -> dict[str, str | Path]:
    shared = [path for folder in ("common", "freestanding") for path in (FIRMWARE / folder).glob("*.h")]
    common = {str(path.relative_to(FIRMWARE)): path for path in shared}
    return {**common, **{f"kernels/{path.relative_to(KERNELS)}": path for path in KERNELS.rglob("*.h")}}


def _run(models: Sequence[_Model], inputs: Sequence[Sequence[Array]], elf: Path, board: Board) -> list[TargetRun]:
    pricer = pricer_for(board)
    writes = [
        (model.place(index), array.tobytes())
        for model, arrays in zip(models, inputs, strict=True)
        for index, array in zip(model.graph.inputs, arrays, strict=True)
    ]
    writes += [
        (model.place(t.index), t.data or bytes([initial_byte(t)]) * t.size_bytes)
        for model in models
        for t in model.graph.tensors
        if t.variable
    ]
    kept = [(m, t) for m in models for t in m.graph.tensors if not t.constant and t.size_bytes]
    spans = [model.span(position) for model in models for position in range(len(model.layers))]
    reads = [(model.place(tensor.index), tensor.size_bytes) for model, tensor in kept]
    result = execute(elf, pricer, spans=spans, writes=writes, reads=reads)
    profile = price(result.record, pricer)
    assert profile.exit.reason == "semihosting" and profile.exit.code == 0, profile.exit
    cycles = {span.name: span.cycles for span in profile.spans}
    tensors: dict[int, dict[int, Array]] = {model.number: {} for model in models}
    for (model, tensor), data in zip(kept, result.reads, strict=True):
        tensors[model.number][tensor.index] = np.frombuffer(data, tensor.type.value).reshape(tensor.shape)
    return [
        TargetRun(m.graph, m.layers, tensors[m.number], tuple(cycles[m.span(i)] for i in range(len(m.layers))))
        for m in models
    ]

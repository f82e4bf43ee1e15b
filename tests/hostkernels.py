"""Runs generated layers on the host: many models become one shared library, each layer called as the firmware calls it.

Memory around every tensor is guarded, so a kernel that writes outside its output is found.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vtarget.data.emission import Layer
from vtarget.data.graph import Graph, Tensor
from vtarget.data.target import Target
from vtarget.logic.codegen.constants import definition, fill, initial_byte
from vtarget.logic.codegen.registry import emit
from vtarget.shell.tflitefile import parse_model

KERNELS = Path(__file__).resolve().parent.parent / "firmware" / "kernels"
FLAGS = ("-std=c11", "-O1", "-fPIC", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off")
SANITISE = ("-fsanitize=undefined", "-fno-sanitize-recover=undefined")
GUARD_BYTES = 64
GUARD = 0xA5

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class HostModel:
    """One model of a library: its graph, its layers, and the function that runs it."""

    graph: Graph
    layers: tuple[Layer, ...]
    function: Callable[..., None]

    def run(self, inputs: Mapping[int, Array] | Sequence[Array], state: dict[int, Array] | None = None) -> list[Array]:
        """The outputs; see ``run_all``."""
        tensors = self.run_all(inputs, state)
        return [tensors[index] for index in self.graph.outputs]

    def run_all(
        self, inputs: Mapping[int, Array] | Sequence[Array], state: dict[int, Array] | None = None
    ) -> dict[int, Array]:
        """Every tensor in memory after one run, by index. ``state`` keeps variable tensors from run to run."""
        if not isinstance(inputs, Mapping):
            inputs = dict(zip(self.graph.inputs, inputs, strict=True))
        known = {**inputs, **(state or {})}
        buffers = {t.index: _guarded(t, known.get(t.index)) for t in self.graph.tensors if not t.constant}
        scratch = _guarded_bytes(max([layer.scratch_bytes for layer in self.layers], default=0))
        pointers = (ctypes.c_void_p * len(self.graph.tensors))()
        for index, buffer in buffers.items():
            pointers[index] = buffer.ctypes.data + GUARD_BYTES
        self.function(pointers, ctypes.c_void_p(scratch.ctypes.data + GUARD_BYTES))
        assert _guards_hold(scratch), "scratch memory overrun"
        for index, buffer in buffers.items():
            assert _guards_hold(buffer), f"memory around tensor {index} was written"
        tensors = {index: _content(self.graph.tensors[index], buffer) for index, buffer in buffers.items()}
        if state is not None:
            state.update({t.index: tensors[t.index] for t in self.graph.tensors if t.variable})
        return tensors


def _dtype(tensor: Tensor) -> np.dtype[Any]:
    return np.dtype(tensor.type.value)


def _guarded_bytes(size: int) -> Array:
    storage = np.full(size + 2 * GUARD_BYTES + 16, GUARD, np.uint8)
    shift = -storage.ctypes.data % 16
    return storage[shift : shift + size + 2 * GUARD_BYTES]


def _guarded(tensor: Tensor, content: Array | None) -> Array:
    buffer = _guarded_bytes(tensor.size_bytes)
    if content is not None:
        assert content.shape == tensor.shape and content.dtype == _dtype(tensor), f"tensor {tensor.index}"
        buffer[GUARD_BYTES : GUARD_BYTES + tensor.size_bytes] = np.frombuffer(content.tobytes(), np.uint8)
    elif tensor.variable:
        initial = tensor.data or bytes([initial_byte(tensor)]) * tensor.size_bytes
        buffer[GUARD_BYTES : GUARD_BYTES + tensor.size_bytes] = np.frombuffer(initial, np.uint8)
    return buffer


def _guards_hold(buffer: Array) -> bool:
    return bool((buffer[:GUARD_BYTES] == GUARD).all() and (buffer[-GUARD_BYTES:] == GUARD).all())


def _content(tensor: Tensor, buffer: Array) -> Array:
    raw = buffer[GUARD_BYTES : GUARD_BYTES + tensor.size_bytes].tobytes()
    return np.frombuffer(raw, _dtype(tensor)).reshape(tensor.shape)


@cache
def _object(source: str, folder: Path, flags: tuple[str, ...]) -> Path:
    built = folder / (source.replace("/", "_") + ".o")
    _gcc(*flags, "-I", str(KERNELS), "-c", str(KERNELS / source), "-o", str(built))
    return built


def _gcc(*arguments: str) -> None:
    done = subprocess.run(["gcc", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def model_text(number: int, graph: Graph, layers: Sequence[Layer]) -> str:
    """One model as C: file-scope constants and ``model_N``, which runs every layer."""
    parts, calls = [], []
    for position, layer in enumerate(layers):
        prefix = f"m{number}_{position}"
        text = "".join(definition(constant) for constant in layer.constants) + layer.declarations
        parts.append(fill(text, prefix, lambda n: f"t[{n}]"))
        calls.append("    " + fill(layer.call, prefix, lambda n: f"t[{n}]", "scratch") + "\n")
    body = "".join(calls)
    return f"{''.join(parts)}void model_{number}(void *const *t, void *scratch);\n" + (
        f"void model_{number}(void *const *t, void *scratch)\n{{\n    (void)scratch;\n{body}}}\n"
    )


def build(
    models: Sequence[bytes],
    folder: Path,
    engine: str = "reference",
    target: Target = Target("cortex-m4"),  # noqa: B008
    sanitise: bool = True,
) -> list[HostModel]:
    """Generates and compiles every model into one library in ``folder`` (empty or this module's own)."""
    graphs = [parse_model(f"model_{number}.tflite", data) for number, data in enumerate(models)]
    emitted = [tuple(emit(op, graph, engine, target) for op in graph.operators) for graph in graphs]
    sources = sorted({source for layers in emitted for layer in layers for source in layer.sources})
    headers = "".join(f'#include "{source.removesuffix(".c")}.h"\n' for source in sources)
    generated = folder / "models.c"
    texts = [model_text(number, *pair) for number, pair in enumerate(zip(graphs, emitted, strict=True))]
    generated.write_text(f"#include <stddef.h>\n#include <stdint.h>\n{headers}" + "".join(texts), encoding="utf-8")
    flags = (*FLAGS, *(SANITISE if sanitise else ()))
    objects = [str(_object(source, folder, flags)) for source in sources]
    library = folder / "models.so"
    _gcc(*flags, "-shared", "-I", str(KERNELS), str(generated), *objects, "-o", str(library))
    loaded = ctypes.CDLL(str(library))
    return [
        HostModel(graph, layers, getattr(loaded, f"model_{number}"))
        for number, (graph, layers) in enumerate(zip(graphs, emitted, strict=True))
    ]

"""Feeds a model's firmware its samples while it runs, and takes the tensors that its layers leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vtarget.data.image import Image
from vtarget.logic.codegen.project import layer_function
from vtarget.shell.interpreter import Array
from vtarget.shell.modelbuild import ModelCode
from vtarget.shell.onlooking import Memory

INVOKE = "model_invoke"
ARENA = "model_arena"


class Feeder:
    """The onlooker of a model's firmware. ``tensors`` are by sample; if the firmware runs again, ``unstable`` are those
    that hold something else than before."""

    def __init__(self, code: ModelCode, image: Image, samples: Sequence[Sequence[Array]]) -> None:
        self._graph = code.graph
        self._offsets = code.plan.offsets_bytes
        self._arena = image.objects[ARENA][0]
        self._samples = samples
        self._fed = 0
        self._by_function = {layer_function(layer, code.graph): layer.operator for layer in code.layers}
        self.tensors: list[dict[int, Array]] = []
        self.unstable: set[int] = set()

    def begins(self) -> None:
        """From the first sample on."""
        self._fed = 0

    def entered(self, _name: str, memory: Memory) -> None:
        """The firmware asks for the next sample."""
        if self._fed == len(self._samples):
            return
        for index, array in zip(self._graph.inputs, self._samples[self._fed], strict=True):
            if index in self._offsets:
                memory.write(self._arena + self._offsets[index], array.tobytes())
        self._fed += 1
        if self._fed > len(self.tensors):
            self.tensors.append({})

    def returned(self, name: str, memory: Memory) -> None:
        """A layer has run; or the whole model, and outputs that no layer's code wrote (a RESHAPE in place) are due."""
        if not self._fed:
            return
        if name in self._by_function:
            self._read(self._graph.operators[self._by_function[name]].outputs, memory)
        elif name == INVOKE:
            taken = self.tensors[self._fed - 1]
            self._read([index for index in self._graph.outputs if index not in taken], memory)

    def _read(self, indices: Iterable[int], memory: Memory) -> None:
        taken = self.tensors[self._fed - 1]
        for index in indices:
            tensor = self._graph.tensors[index]
            if index in self._offsets and tensor.size_bytes:
                content = memory.read(self._arena + self._offsets[index], tensor.size_bytes)
                array = np.frombuffer(content, dtype=np.dtype(tensor.type.value)).reshape(tensor.shape)
                if index in taken and taken[index].tobytes() != content:
                    self.unstable.add(index)
                taken[index] = array

"""Feeds a model's firmware its samples while it runs, and takes the tensors that it leaves: ours or anybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vtarget.data.graph import Graph
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


class BufferFeeder:
    """The onlooker of firmware that was built elsewhere: samples go to its input buffers when ``function`` is entered,
    outputs are taken from its output buffers when that has returned.

    Without a function, a run is of one sample, which is put there before ``main``, and ``take`` is for its end. If the
    firmware runs again, ``unstable`` are the outputs that hold something else than before.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[int],
        outputs: Sequence[int],
        samples: Sequence[Sequence[Array]],
        function: str | None,
    ) -> None:
        self._graph = graph
        self._inputs = inputs
        self._places = outputs
        self._samples = samples
        self._function = function
        self._taken = 0
        self.fed = 0
        self.outputs: list[dict[int, Array]] = []
        self.unstable: set[int] = set()
        self.begins()

    @property
    def is_done(self) -> bool:
        """Whether this run has had all samples."""
        return self._taken == len(self._samples)

    def begins(self) -> None:
        """From the first sample on."""
        self.fed, self._taken = 0 if self._function is not None else 1, 0

    def writes(self, number: int) -> tuple[tuple[int, bytes], ...]:
        """A sample as bytes, with the addresses where they go."""
        pairs = zip(self._inputs, self._samples[number], strict=True)
        return tuple((address, array.tobytes()) for address, array in pairs)

    def entered(self, _name: str, memory: Memory) -> None:
        """An inference begins."""
        if self.fed < len(self._samples):
            for address, data in self.writes(self.fed):
                memory.write(address, data)
            self.fed += 1

    def returned(self, name: str, memory: Memory) -> None:
        """An inference is done, if it was the function."""
        if name == self._function:
            self.take(memory.read)

    def take(self, read: Callable[[int, int], bytes]) -> None:
        """The outputs, if a sample was fed of which they haven't been taken."""
        if self._taken >= self.fed:
            return
        found = {}
        for place, index in zip(self._places, self._graph.outputs, strict=True):
            tensor = self._graph.tensors[index]
            content = read(place, tensor.size_bytes)
            found[index] = np.frombuffer(content, dtype=np.dtype(tensor.type.value)).reshape(tensor.shape)
        if self._taken == len(self.outputs):
            self.outputs.append(found)
        before = self.outputs[self._taken]
        self.unstable |= {index for index, array in found.items() if array.tobytes() != before[index].tobytes()}
        self._taken += 1

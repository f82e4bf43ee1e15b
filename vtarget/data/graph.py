"""A model as a graph: tensors and operators of one subgraph, decoded and checked, in TensorFlow Lite's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod

NO_TENSOR = -1
Option = bool | int | float | str | tuple[int, ...]


class ElementType(StrEnum):
    """Element types that a model's tensors may have here."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def size_bytes(self) -> int:
        """Bytes of one element."""
        return {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4, "int64": 8}[self.value]


@dataclass(frozen=True)
class Quantisation:
    """real = scale * (quantised - zero_point), with one pair for the tensor or one per slice along ``axis``."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        """Whether slices have scales of their own."""
        return len(self.scales) > 1


@dataclass(frozen=True)
class Tensor:
    """A tensor. ``data`` is its little-endian content if constant; ``variable`` ones keep it between calls.

    A variable's ``data`` is what it holds before the first call.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: ElementType
    quantisation: Quantisation | None = None
    data: bytes | None = field(default=None, repr=False)
    variable: bool = False

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of its content."""
        return self.elements * self.type.size_bytes

    @property
    def constant(self) -> bool:
        """Whether its content is part of the model and never changes."""
        return self.data is not None and not self.variable


@dataclass(frozen=True)
class Operator:
    """One operator instance, i.e. a layer. ``op`` is TensorFlow Lite's builtin name (``CONV_2D``).

    ``inputs`` and ``outputs`` are tensor indices, NO_TENSOR for an optional input left out. ``options`` are the builtin
    options' fields in lower snake case, enums by name in upper case (``padding``: ``SAME``,
    ``fused_activation_function``: ``RELU6``). ``intermediates`` are tensors that only carry quantisation (LSTM).
    """

    index: int
    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option] = field(default_factory=dict)
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Graph:
    """A model: subgraph 0, operators in execution order; an operator's ``index`` is its place there.

    A resource variable is one variable tensor, which stands where the model has handles to it: VAR_HANDLE makes it,
    READ_VARIABLE copies out of its first input, ASSIGN_VARIABLE into it. CALL_ONCE is gone: what it assigns is the
    variable's ``data``.
    """

    path: str
    sha256: str
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def input(self, operator: Operator, position: int) -> Tensor | None:
        """An operator's input tensor, None if it has none there."""
        if position >= len(operator.inputs) or operator.inputs[position] == NO_TENSOR:
            return None
        return self.tensors[operator.inputs[position]]

    def output(self, operator: Operator, position: int = 0) -> Tensor:
        """An operator's output tensor."""
        return self.tensors[operator.outputs[position]]

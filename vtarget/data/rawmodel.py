"""A TensorFlow Lite file as it stands: subgraphs decoded, nothing of their sense checked yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from vtarget.data.graph import Operator, Quantisation


@dataclass(frozen=True)
class RawTensor:
    """A tensor of the file. ``type`` is the schema's name for it (``INT8``), ``signature`` the shape with -1 for what
    may change, empty if the file has none. ``data`` is its buffer, None if it has none or an empty one."""

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    signature: tuple[int, ...] = ()
    quantisation: Quantisation | None = None
    data: bytes | None = field(default=None, repr=False)
    variable: bool = False
    sparse: bool = False


@dataclass(frozen=True)
class RawSubgraph:
    """A subgraph of the file; its tensor indices are in range."""

    name: str
    tensors: tuple[RawTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class RawModel:
    """All subgraphs of the file, at least one."""

    subgraphs: tuple[RawSubgraph, ...]

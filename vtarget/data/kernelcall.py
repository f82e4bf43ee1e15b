"""Calls of kernels as a run makes them, and which operators of a model they are."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class KnownKernel:
    """What a function's name says: the runtime it belongs to, and the operators it may do (none: any)."""

    runtime: str
    operators: tuple[str, ...]


@dataclass(frozen=True)
class KernelCall:
    """The ``index``-th call of ``function`` in a run; ``inner`` are the first known kernels called by it."""

    function: str
    index: int
    inner: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inference:
    """Call number ``index`` of the inference function in its run (None: the whole run), and the kernels called in it,
    in order."""

    index: int | None
    calls: tuple[KernelCall, ...] = ()


@dataclass(frozen=True)
class Alignment:
    """``operators[i]`` are the places of the calls that are operator i; ``left_over`` those of calls that are none."""

    operators: tuple[tuple[int, ...], ...]
    left_over: tuple[int, ...] = field(default=())

"""The profile of a model that somebody else's runtime runs: its layers as far as its kernels could be told."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.explanation import Explanation
from vtarget.data.graph import Graph
from vtarget.data.modelprofile import LayerProfile, MeasuredModel, Spread
from vtarget.data.profile import Profile
from vtarget.data.validation import Validation


@dataclass(frozen=True)
class UnmappedKernel:
    """A known kernel whose calls are no operator of the model; ``cycles`` are those of all its calls in one inference,
    callees included."""

    function: str
    calls: int
    cycles: int


@dataclass(frozen=True)
class RuntimeProfile:
    """A firmware that was built elsewhere, running ``graph``.

    ``inference`` is the profile of one call of ``inference_function``, the median warm one, or of a whole run if no
    such function is known (None). ``layers`` are the operators with a kernel, in order; ``unmapped_layers`` the others'
    indices. ``runtimes`` are those whose kernels were called. ``runs`` is how often the firmware was started.
    ``measured`` is what a real board said of it, all else is estimated. ``explanations`` are of functions in the same
    inference.
    """

    graph: Graph
    runtimes: tuple[str, ...]
    inference_function: str | None
    samples: int
    runs: int
    inferences: int
    inference: Profile
    spread: Spread
    layers: tuple[LayerProfile, ...]
    unmapped_layers: tuple[int, ...]
    unmapped_kernels: tuple[UnmappedKernel, ...]
    validation: Validation | None
    measured: MeasuredModel | None = None
    explanations: tuple[Explanation, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layers that have a kernel."""
        return sum(layer.macs for layer in self.layers)

    @property
    def mapped_cycles(self) -> int:
        """Cycles of one inference that belong to layers."""
        return sum(layer.cycles for layer in self.layers)

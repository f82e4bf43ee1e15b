"""The profile of a model: the inference's profile, one row per layer, memory, and what validation says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtarget.data.notebook import summary_html
from vtarget.data.profile import Profile, headline
from vtarget.data.waterfall import Waterfall

if TYPE_CHECKING:
    from vtarget.data.explanation import Explanation
    from vtarget.data.measurement import Measurement
    from vtarget.data.plan import Plan
    from vtarget.data.validation import QuantisationTable, Validation


@dataclass(frozen=True)
class Spread:
    """Cycles over several inferences: the first (``cold``) by itself, the others by their order statistics."""

    cold: int
    minimum: int
    median: int
    p95: int
    maximum: int


@dataclass(frozen=True)
class LayerProfile:
    """One operator of the model. ``cycles`` are its median warm ones; ``ideal_cycles`` what its MACs alone would take.

    ``efficiency`` = ideal_cycles / cycles, None for a layer without MACs. ``share`` is of the inference's cycles.
    ``reason`` is at most one sentence on why the layer is slow; ``waterfall`` splits its cycles. ``weights_bytes`` are
    its constant inputs, ``activation_bytes`` its other inputs and its outputs.
    """

    index: int
    op: str
    name: str
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    type: str
    kernel: str
    macs: int
    cycles: int
    spread: Spread
    latency_s: float
    energy_j: float | None
    share: float
    cycles_per_mac: float | None
    ideal_cycles: float | None
    efficiency: float | None
    notes: tuple[str, ...]
    reason: str | None
    waterfall: Waterfall | None = None
    weights_bytes: int = 0
    activation_bytes: int = 0


@dataclass(frozen=True)
class ModelMemory:
    """Bytes: weights and tables, activations, and code (kernels, start-up and support together)."""

    arena_bytes: int
    weights_bytes: int
    code_bytes: int
    stack_peak_bytes: int


@dataclass(frozen=True)
class MeasuredModel:
    """The same firmware on a real board.

    ``spread`` is of inferences, ``layers`` of the operators that have code, by index: cycles of single calls, medians
    of the ``measurement``'s runs. ``reference`` compares the board's tensors with the interpreter's (None without one),
    ``virtual`` with those of the virtual run, bit by bit. A stored measurement has no tensors: both are None then, and
    ``same_outputs`` says whether the checksum of its outputs is that of the virtual run's (None: it has none).
    ``unstable`` are tensors that differed from run to run.
    """

    measurement: Measurement
    spread: Spread | None
    layers: Mapping[int, Spread]
    reference: Validation | None
    virtual: Validation | None
    same_outputs: bool | None
    unstable: tuple[int, ...]

    @property
    def agrees(self) -> bool:
        """Whether the board computed what it should, as far as that is known."""
        found = (one for one in (self.reference, self.virtual) if one is not None)
        return not self.unstable and self.same_outputs is not False and all(one.passed for one in found)


@dataclass(frozen=True)
class ModelProfile:
    """What one model costs on one board with one engine.

    ``inference`` is the profile of one ``model_invoke``, the median warm one of ``samples``, as are ``explanations``.
    ``plan`` speaks of tensors by number; ``tensor_names`` are their names, and its arena is in ``arena_region``.
    ``measured`` is what a real board said of it, all else is estimated.
    """

    model_path: str
    model_sha256: str
    engine: str
    compiler: str
    flags: tuple[str, ...]
    samples: int
    inference: Profile
    spread: Spread
    layers: tuple[LayerProfile, ...]
    memory: ModelMemory
    plan: Plan
    validation: Validation | None
    quantisation: QuantisationTable | None = None
    explanations: tuple[Explanation, ...] = ()
    tensor_names: tuple[str, ...] = ()
    arena_region: str | None = None
    measured: MeasuredModel | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    def _repr_html_(self) -> str:
        verdict = self.validation
        facts = (
            *headline(self.inference),
            ("MACs", f"{self.macs:,}"),
            ("memory", f"arena {self.memory.arena_bytes:,}, weights {self.memory.weights_bytes:,} bytes"),
            ("validation", "none" if verdict is None else "passed" if verdict.passed else "failed"),
        )
        rows = [
            (str(layer.index), layer.op, layer.kernel, f"{layer.macs:,}", f"{layer.cycles:,}", f"{layer.share:.1%}")
            for layer in self.layers
        ]
        title = f"{self.model_path} on {self.inference.board}, engine {self.engine}"
        return summary_html(title, facts, ("#", "operator", "kernel", "MACs", "cycles", "share"), rows)

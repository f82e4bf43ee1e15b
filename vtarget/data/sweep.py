"""A sweep: what is to be crossed with what, the cells of that matrix, and what came of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from vtarget.base.strictyaml import BeforeValidator, Field, FieldError, Model, Text, model_validator
from vtarget.base.units import Hertz

TYPICAL = "typical"

Engine = Literal["reference", "simd"]


def _clock(value: object) -> object:
    return None if value == TYPICAL else value


class SweepSpec(Model):
    """A matrix. ``models`` and ``firmware`` are files, globs and directories; ``boards`` names, globs, paths, ``all``.

    ``clocks`` are ``typical`` (None) or frequencies; ``weights`` and ``arena`` names of regions, or ``auto``;
    ``cflags`` texts of compiler options. Firmware is crossed with boards and clocks only. ``timeout_s`` (None: 600 of a
    model, 60 of firmware) and ``max_instructions`` limit each run. ``share`` prices a stream on other memory systems,
    too.
    """

    models: tuple[Text, ...] = ()
    firmware: tuple[Text, ...] = ()
    boards: Annotated[tuple[Text, ...], Field(min_length=1)]
    engines: Annotated[tuple[Engine, ...], Field(min_length=1)] = ("simd",)
    clocks: Annotated[tuple[Annotated[Hertz | None, BeforeValidator(_clock)], ...], Field(min_length=1)] = (None,)
    weights: Annotated[tuple[Text, ...], Field(min_length=1)] = ("auto",)
    arena: Annotated[tuple[Text, ...], Field(min_length=1)] = ("auto",)
    cflags: Annotated[tuple[str, ...], Field(min_length=1)] = ("",)
    samples: Annotated[int, Field(ge=1, le=10_000)] = 1
    seed: Annotated[int, Field(ge=0)] = 0
    validation: bool = False
    power: Text | None = None
    timeout_s: Annotated[float | None, Field(gt=0, le=86_400)] = None
    max_instructions: Annotated[int | None, Field(ge=1)] = None
    toolchain: Literal["auto", "gcc", "zig"] = "auto"
    share: bool = False

    @model_validator(mode="after")
    def _sweeps_something(self) -> Self:
        if not self.models and not self.firmware:
            raise FieldError("give models or firmware")
        return self


@dataclass(frozen=True)
class Cell:
    """One point of the matrix, ``index`` being its place in the defined order: workload, board, engine, clock, weights,
    arena, compiler options. Firmware has no engine, placement or options. ``clock_hz`` None: the board's typical one.
    ``key`` is a digest of all that the outcome depends on."""

    index: int
    workload: str
    kind: Literal["model", "firmware"]
    board: str
    engine: str | None
    clock_hz: int | None
    weights: str | None
    arena: str | None
    cflags: str | None
    key: str


@dataclass(frozen=True)
class Outcome:
    """What came of a cell; of a failed one only ``error``, a line. Cycles and so on are of one inference of a model,
    the median warm one, or of a whole firmware run.

    ``emulated_on`` is the board whose stream was priced where that is an approximation (``share``).
    """

    status: Literal["ok", "failed"]
    error: str | None = None
    core: str | None = None
    clock_hz: int | None = None
    instructions: int | None = None
    cycles: int | None = None
    cycles_low: int | None = None
    cycles_high: int | None = None
    latency_s: float | None = None
    latency_s_low: float | None = None
    latency_s_high: float | None = None
    energy_j: float | None = None
    energy_j_low: float | None = None
    energy_j_high: float | None = None
    macs: int | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    stack_peak_bytes: int | None = None
    arena_bytes: int | None = None
    weights_bytes: int | None = None
    code_bytes: int | None = None
    bit_exact: bool | None = None
    max_abs_diff: float | None = None
    price: float | None = None
    price_currency: str | None = None
    provenance: str | None = None
    emulated_on: str | None = None
    not_modelled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A cell and its outcome; ``front`` whether it is on the Pareto front, None if nobody asked."""

    cell: Cell
    outcome: Outcome
    front: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, in a fixed order: the cell's, then the outcome's (its clock is the one that counts)."""
        plain = asdict(self.cell) | asdict(self.outcome)
        plain["not_modelled"] = list(self.outcome.not_modelled)
        if plain["clock_hz"] is None:
            plain["clock_hz"] = self.cell.clock_hz
        return plain if self.front is None else plain | {"front": self.front}

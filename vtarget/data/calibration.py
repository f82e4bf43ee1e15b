"""A calibration: by how much the terms of a core's cycles, and a board's power, were off on one real board.

Cycles are linear in a few terms: the parts of a waterfall, split further where a record can tell. A calibration has a
factor for each, and says what it was fitted to and how well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from vtarget.base.strictyaml import Field, FieldError, Model, Text, model_validator
from vtarget.data.waterfall import CyclePart

Name = Annotated[str, Field(min_length=1, max_length=4096)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Percent = Annotated[float, Field(ge=-1e9, le=1e9)]
Hertz = Annotated[int, Field(gt=0, le=10_000_000_000)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Scale = Annotated[float, Field(ge=0, le=100)]


class Term(StrEnum):
    """A term of the cycles; docs/calibration.md defines them."""

    ISSUE = "issue"
    LOAD = "load"
    STORE = "store"
    BRANCH = "branch"
    CALL = "call"
    RETURN = "return"
    MISPREDICTED = "mispredicted"
    FETCH_WAIT = "fetch_wait"
    FETCH_MISS = "fetch_miss"
    DATA_WAIT = "data_wait"
    DATA_MISS = "data_miss"
    UNALIGNED = "unaligned"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    FPU = "fpu"
    INTERRUPT = "interrupt"

    @property
    def part(self) -> CyclePart:
        """The part of the waterfall that it belongs to."""
        return _PARTS[self]

    @property
    def shown(self) -> str:
        """Its name for people."""
        return self.value.replace("_", " ").replace("fpu", "FPU")


_PARTS = {
    Term.ISSUE: CyclePart.ISSUE,
    Term.LOAD: CyclePart.LOAD_STORE,
    Term.STORE: CyclePart.LOAD_STORE,
    Term.BRANCH: CyclePart.BRANCH_REFILL,
    Term.CALL: CyclePart.BRANCH_REFILL,
    Term.RETURN: CyclePart.BRANCH_REFILL,
    Term.MISPREDICTED: CyclePart.BRANCH_REFILL,
    Term.FETCH_WAIT: CyclePart.FETCH_WAIT,
    Term.FETCH_MISS: CyclePart.FETCH_WAIT,
    Term.DATA_WAIT: CyclePart.DATA_WAIT,
    Term.DATA_MISS: CyclePart.DATA_WAIT,
    Term.UNALIGNED: CyclePart.DATA_WAIT,
    Term.MULTIPLY: CyclePart.FPU_DIVIDE,
    Term.DIVIDE: CyclePart.FPU_DIVIDE,
    Term.FPU: CyclePart.FPU_DIVIDE,
    Term.INTERRUPT: CyclePart.INTERRUPT,
}
TERMS = tuple(Term)


class Factor(Model):
    """What a term is multiplied by: ``low`` <= ``value`` <= ``high`` (two standard deviations each way).

    Before the fit it was 1, known to ``prior_width`` (a standard deviation). ``tied_to`` are terms that the data can't
    tell from this one: they have one factor."""

    value: Scale
    low: Scale
    high: Scale
    prior_width: Scale
    tied_to: tuple[Term, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise FieldError("low <= value <= high must hold", at=("value",))
        return self


class Unidentified(Model):
    """Why a term keeps the factor 1, and how far off that may be (a standard deviation)."""

    reason: Text
    prior_width: Scale


class Source(Model):
    """A measurement that was used: the file's name and digest, the firmware's, when and at which clock it was made."""

    file: Name
    sha256: Digest
    firmware: Name
    firmware_sha256: Digest
    clock_hz: Hertz
    probe: Text
    date: Day


class Residual(Model):
    """A kernel that was used: what was measured, and by how many percent the estimate is off, uncalibrated and
    calibrated. ``left_out_pct`` is by a fit without this kernel, None where that leaves nothing to fit."""

    firmware: Name
    kernel: Name
    calls: Count
    measured_cycles: Count
    before_pct: Percent
    after_pct: Percent
    left_out_pct: Percent | None = None


class PowerFit(Model):
    """Power of a state: ``base_w + watts_per_mhz * f``, from windows at two clocks or more; else the board's figures
    times ``factor``. ``residual_pct`` is the largest; ``clocks_hz`` are those of the windows."""

    state: Text
    base_w: Annotated[float, Field(ge=-1e3, le=1e3)] | None = None
    watts_per_mhz: Annotated[float, Field(ge=-1e3, le=1e3)] | None = None
    factor: Scale | None = None
    clocks_hz: Annotated[tuple[Hertz, ...], Field(min_length=1)]
    windows: Annotated[int, Field(ge=1, lt=1 << 31)]
    residual_pct: Annotated[float, Field(ge=0, le=1e6)]

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        line = self.base_w is not None and self.watts_per_mhz is not None
        if line == (self.factor is not None) or (self.base_w is None) != (self.watts_per_mhz is None):
            raise FieldError("give either 'factor' or both 'base_w' and 'watts_per_mhz'")
        return self


class Calibration(Model):
    """One fit for one board.

    ``board_sha256`` is a digest of the board's and core's facts that the fit was made with. ``unidentified`` terms are
    left as they were. ``leave_one_out_pct`` is the root mean square error over kernels that the
    fit didn't see, ``uncalibrated_pct`` that without the fit, ``residual_pct`` that over the kernels that it saw.
    ``condition`` is the condition number of the fitted system.
    """

    board: Name
    board_sha256: Digest
    board_serial: str | None = None
    core: Name
    date: Day
    vtarget_version: Text
    sources: tuple[Source, ...] = ()
    factors: dict[Term, Factor]
    unidentified: dict[Term, Unidentified] = Field(default_factory=dict)
    residuals: tuple[Residual, ...] = ()
    uncalibrated_pct: Annotated[float, Field(ge=0, le=1e9)]
    residual_pct: Annotated[float, Field(ge=0, le=1e9)]
    leave_one_out_pct: Annotated[float, Field(ge=0, le=1e9)] | None = None
    condition: Annotated[float, Field(ge=1, le=1e300)] | None = None
    power: tuple[PowerFit, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = set(self.factors) & set(self.unidentified)
        if both:
            raise FieldError("is fitted and unidentified at once", at=("unidentified", min(both)))
        states = [fit.state for fit in self.power]
        if len(set(states)) < len(states):
            raise FieldError("a state is there twice", at=("power",))
        return self

    def factor(self, term: Term) -> float:
        """What the term is multiplied by; 1 if it isn't calibrated."""
        found = self.factors.get(term)
        return 1.0 if found is None else found.value

    @property
    def error_pct(self) -> float:
        """How far an estimate is expected to be off: out of the fit where that is known."""
        return self.residual_pct if self.leave_one_out_pct is None else self.leave_one_out_pct


@dataclass(frozen=True)
class AppliedCalibration:
    """A calibration in use, and the file that it is from."""

    file: str
    fit: Calibration

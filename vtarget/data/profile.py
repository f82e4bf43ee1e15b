"""The priced record: what a run cost, in cycles, seconds, joules and bytes, with bounds and provenance."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.image import RegionUse
from vtarget.data.notebook import summary_html
from vtarget.data.record import Exit, Stack
from vtarget.data.timeline import Timeline
from vtarget.data.waterfall import Waterfall


@dataclass(frozen=True)
class Bound:
    """``low <= nominal <= high`` of an estimate."""

    low: float
    nominal: float
    high: float

    def scaled(self, factor: float) -> Bound:
        """The bound times a factor that is known exactly."""
        return Bound(self.low * factor, self.nominal * factor, self.high * factor)


@dataclass(frozen=True)
class Kernel:
    """A function: ``cycles`` inside it, ``total_cycles`` callees included; no ``energy_j`` where power is unknown.

    Of its ``calls``, ``interrupts`` came from exceptions; their entries and returns are in its cycles, which the
    ``waterfall`` splits.
    """

    name: str
    address: int
    calls: int
    instructions: int
    cycles: int
    total_cycles: int
    latency_s: float
    energy_j: float | None
    interrupts: int = 0
    waterfall: Waterfall | None = None


@dataclass(frozen=True)
class Span:
    """One call of a spanned function, callees included. When it was stands in the profile's timeline."""

    name: str
    index: int
    instructions: int
    cycles: int
    latency_s: float
    energy_j: float | None
    waterfall: Waterfall | None = None


@dataclass(frozen=True)
class Context:
    """A function as the functions above it called it: a row of a call tree, in which ``parent`` is the caller's row.

    ``calls``, ``instructions`` and ``cycles`` are its own, without callees. A function that is already active is no
    new row when it calls itself, so recursion is counted once. Interrupt handlers have no parent.
    """

    parent: int | None
    function: str
    address: int
    calls: int
    instructions: int
    cycles: int


@dataclass(frozen=True)
class Sleeping:
    """A sleep state: core cycles at ``clock_hz`` that passed in it, and what that cost."""

    state: str
    clock_hz: int
    cycles: int
    seconds: float
    wakeups: int
    energy_j: Bound | None
    power_source: str


@dataclass(frozen=True)
class Duty:
    """Awake and asleep together; energy and average power are None where power is unknown."""

    elapsed_s: Bound
    energy_j: Bound | None
    average_w: Bound | None


@dataclass(frozen=True)
class Battery:
    """How long a battery lasts."""

    capacity_mah: float
    volts: float
    life_s: Bound


@dataclass(frozen=True)
class Memory:
    """Bytes: ``flash_bytes`` is what the image occupies in non-volatile regions, ``ram_bytes`` in writable ones."""

    flash_bytes: int
    ram_bytes: int
    stack_peak_bytes: int
    regions: tuple[RegionUse, ...]
    stacks: tuple[Stack, ...]


@dataclass(frozen=True)
class CalibrationFacts:
    """The calibration that a profile was made with: its file and date, the board that it was fitted to, and how far it
    is expected to be off (root mean square over kernels, in percent)."""

    file: str
    date: str
    board_serial: str | None
    error_pct: float


@dataclass(frozen=True)
class MeasuredKernel:
    """A function, or all of a run, whose ``total_cycles`` over ``calls`` a real board took (callees included), beside
    the ``estimated_cycles`` of as many calls; None if the virtual run made another number of them. ``own``: its cycles
    without callees are known from the measurement, too. ``spread`` is the largest run less the smallest."""

    name: str
    address: int | None
    calls: int
    total_cycles: int
    spread: int
    estimated_cycles: int | None
    own: bool = False

    @property
    def error_pct(self) -> float | None:
        """How far the estimate is off, as a share of what was measured."""
        if self.estimated_cycles is None or not self.total_cycles:
            return None
        return 100 * (self.estimated_cycles - self.total_cycles) / self.total_cycles


@dataclass(frozen=True)
class MeasuredFacts:
    """What a real board said of a run: how it was measured, and which figures of the profile are its own.

    ``total`` is None if the whole run wasn't measured. ``spans`` are the functions whose single calls were;
    ``self_reported`` what the firmware timed itself. ``notes`` say what was not measured, and why. The ``waterfall`` is
    the virtual run's, of its estimated cycles: a board doesn't tell where its own went.
    """

    probe: str
    board_serial: str | None
    counter: str
    date: str
    runs: int
    overhead_cycles: int
    total: MeasuredKernel | None
    kernels: tuple[MeasuredKernel, ...]
    spans: tuple[str, ...]
    self_reported: tuple[MeasuredKernel, ...]
    notes: tuple[str, ...]
    waterfall: Waterfall | None = None


@dataclass(frozen=True)
class Profile:
    """What one run costs on one board at one clock. Without a ``waterfall`` if none was asked for.

    If a real board ran it too, ``measured`` says which figures are measured; all others stay estimates.
    The ``timeline`` is that of the recorded run; the ``timeline_note`` says so where the cycles are not.
    """

    board: str
    core: str
    clock_hz: int
    firmware_path: str
    firmware_sha256: str
    exit: Exit
    instructions: int
    cycles: Bound
    latency_s: Bound
    energy_j: Bound | None
    power_source: str
    provenance: str
    kernels: tuple[Kernel, ...]
    spans: tuple[Span, ...]
    memory: Memory
    console: str
    not_modelled: tuple[str, ...]
    sleep: tuple[Sleeping, ...]
    duty: Duty
    battery: Battery | None = None
    waterfall: Waterfall | None = None
    calibration: CalibrationFacts | None = None
    contexts: tuple[Context, ...] = ()
    measured: MeasuredFacts | None = None
    timeline: Timeline | None = None
    timeline_note: str = ""

    def _repr_html_(self) -> str:
        facts = (*headline(self), ("ended by", self.exit.reason.value))
        rows = [(k.name, f"{k.calls:,}", f"{k.cycles:,}", f"{k.total_cycles:,}") for k in self.kernels]
        return summary_html(f"{self.firmware_path} on {self.board}", facts, _KERNEL_COLUMNS, rows)


_KERNEL_COLUMNS = ("kernel", "calls", "cycles", "with callees")


def headline(profile: Profile) -> tuple[tuple[str, str], ...]:
    """What matters most, for a notebook: cycles, time and energy with bounds, and what stands behind them."""
    cycles, seconds, joules = profile.cycles, profile.latency_s.scaled(1e3), profile.energy_j
    energy = "unknown" if joules is None else _bounds(joules.scaled(1e6), "µJ")
    return (
        ("core", f"{profile.core} at {profile.clock_hz / 1e6:g} MHz"),
        ("cycles", f"{cycles.nominal:,.0f} ({cycles.low:,.0f} .. {cycles.high:,.0f})"),
        ("time", _bounds(seconds, "ms")),
        ("energy", energy),
        ("provenance", profile.provenance),
    )


def _bounds(bound: Bound, unit: str) -> str:
    return f"{bound.nominal:.4g} {unit} ({bound.low:.4g} .. {bound.high:.4g})"

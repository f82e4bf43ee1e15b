"""The priced record: what a run cost, in cycles, seconds, joules and bytes, with bounds and provenance."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.image import RegionUse
from vtarget.data.record import Exit, Stack


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
    """A function: ``cycles`` inside it, ``total_cycles`` callees included; no ``energy_j`` where power is unknown."""

    name: str
    address: int
    calls: int
    instructions: int
    cycles: int
    total_cycles: int
    latency_s: float
    energy_j: float | None


@dataclass(frozen=True)
class Span:
    """One call of a spanned function, callees included. ``start``s are not kept: a span is a cost, not a moment."""

    name: str
    index: int
    instructions: int
    cycles: int
    latency_s: float
    energy_j: float | None


@dataclass(frozen=True)
class Memory:
    """Bytes: ``flash_bytes`` is what the image occupies in non-volatile regions, ``ram_bytes`` in writable ones."""

    flash_bytes: int
    ram_bytes: int
    stack_peak_bytes: int
    regions: tuple[RegionUse, ...]
    stacks: tuple[Stack, ...]


@dataclass(frozen=True)
class Profile:
    """What one run costs on one board at one clock."""

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

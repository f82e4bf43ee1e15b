"""A board description: memory map, clocks, power and debug facts, each with its source."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from vtarget.base.strictyaml import Field, Model, model_validator
from vtarget.base.units import Address, Bytes, Hertz, Volts, Watts


class RegionKind(StrEnum):
    """What a region is made of; decides its default access rights."""

    FLASH = "flash"
    MRAM = "mram"
    XIP = "xip"
    ROM = "rom"
    SRAM = "sram"
    TCM = "tcm"
    CCM = "ccm"


WRITABLE = frozenset({RegionKind.SRAM, RegionKind.TCM, RegionKind.CCM})


class WaitStateStep(Model):
    """Up to ``max_clock`` hertz a region needs ``wait_states``."""

    max_clock: Hertz
    wait_states: Annotated[int, Field(ge=0, le=64)]


class WaitStates(Model):
    """Wait states of a region by clock, ascending. ``unknown: true`` with no table says that nobody published them."""

    table: tuple[WaitStateStep, ...] = ()
    unknown: bool = False
    source: str

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        clocks = [step.max_clock for step in self.table]
        if clocks != sorted(set(clocks)):
            raise ValueError("max_clock must ascend from step to step")
        if bool(self.table) == self.unknown:
            raise ValueError("give either a table or 'unknown: true'")
        return self


class Accelerator(Model):
    """A cache or prefetch unit in front of a region. Sizes in bytes; None is unknown."""

    name: str
    line: Bytes | None = None
    instruction_cache: Bytes | None = None
    data_cache: Bytes | None = None
    unified: bool = False
    ways: Annotated[int, Field(ge=1)] | None = None
    prefetch: bool = False
    source: str


class Region(Model):
    """A stretch of memory: half-open ``base`` .. ``base + size``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    kind: RegionKind
    base: Address
    size: Bytes
    execute: bool = True
    alias_of: str | None = None
    wait_states: WaitStates | None = None
    fetch_bits: Annotated[int, Field(ge=16, le=512)] | None = None
    accelerator: Accelerator | None = None
    note: str | None = None
    source: str

    @property
    def end(self) -> int:
        """One past the last address."""
        return self.base + self.size

    @property
    def writable(self) -> bool:
        """Whether stores reach it as on silicon (flash is written through a controller, not by stores)."""
        return self.kind in WRITABLE

    def holds(self, address: int, size_bytes: int = 1) -> bool:
        """Whether ``size_bytes`` at ``address`` lie inside."""
        return self.base <= address and address + size_bytes <= self.end


class Clock(Model):
    """Core clock: what the board usually runs at and the most it can."""

    typical: Hertz
    max: Hertz
    source: str


class Boot(Model):
    """Where the core finds its vector table: candidate offsets in ``region``, tried in order."""

    region: str
    vector_offsets: tuple[Address, ...] = (0,)
    source: str


class PowerPoint(Model):
    """Power at one clock; ``low``..``high`` bound what a firmware can make of it."""

    clock: Hertz
    nominal: Watts
    low: Watts
    high: Watts
    source: str

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.nominal <= self.high:
            raise ValueError("low <= nominal <= high must hold")
        return self


class PowerState(Model):
    """A power state (run, sleep, …) at one supply: power by clock."""

    name: str
    voltage: Volts
    regulator: str
    points: Annotated[tuple[PowerPoint, ...], Field(min_length=1)]


class Debug(Model):
    """Names that debug tools know this board by; None is unknown or not supported."""

    svd: str | None = None
    pyocd: str | None = None
    openocd: str | None = None
    swo: bool | None = None
    console: str | None = None


class Board(Model):
    """One board. ``core`` names a file of ``boards/cores``; ``fpu`` and ``dsp`` say which options the chip has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    mcu: str | None = None
    core: str
    fpu: str | None = None
    dsp: bool = False
    clock: Clock
    boot: Boot
    regions: Annotated[tuple[Region, ...], Field(min_length=1)]
    power: tuple[PowerState, ...] = ()
    debug: Debug = Debug()
    unknown: tuple[str, ...] = ()
    note: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [r.name for r in self.regions]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"region {name} is listed twice")
        ordered = sorted(self.regions, key=lambda r: r.base)
        for below, above in zip(ordered, ordered[1:], strict=False):
            if above.base < below.end:
                raise ValueError(
                    f"regions {below.name} 0x{below.base:08x}..0x{below.end:08x} and "
                    f"{above.name} 0x{above.base:08x}..0x{above.end:08x} overlap"
                )
        for region in self.regions:
            self._check_alias(region)
        if self.boot.region not in names:
            raise ValueError(f"boot.region {self.boot.region} is not a region of this board")
        if self.clock.typical > self.clock.max:
            raise ValueError("clock.typical is above clock.max")
        return self

    def _check_alias(self, region: Region) -> None:
        if region.alias_of is None:
            return
        targets = [r for r in self.regions if r.name == region.alias_of and r.alias_of is None]
        if not targets:
            raise ValueError(f"region {region.name} is an alias of {region.alias_of}, which is no (real) region")
        if targets[0].size != region.size:
            raise ValueError(f"alias {region.name} and {targets[0].name} differ in size")

    def region(self, name: str) -> Region:
        """The region of that name (KeyError if none)."""
        for r in self.regions:
            if r.name == name:
                return r
        raise KeyError(name)

    def region_at(self, address: int, size_bytes: int = 1) -> Region | None:
        """The region that holds ``size_bytes`` at ``address``."""
        for r in self.regions:
            if r.holds(address, size_bytes):
                return r
        return None

    def vector_addresses(self) -> tuple[int, ...]:
        """Where to look for a vector table, in order."""
        base = self.region(self.boot.region).base
        return tuple(base + offset for offset in self.boot.vector_offsets)

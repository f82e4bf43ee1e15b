"""A board description: memory map, clocks, power and debug facts, each with its source."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from vtarget.base.strictyaml import Field, FieldError, Model, Text, model_validator
from vtarget.base.suggest import did_you_mean
from vtarget.base.units import Address, Bytes, Hertz, Volts, Watts
from vtarget.data.memorysystem import Cache, DataAccess, FetchAccess, Prefetch, WaitStates


class RegionKind(StrEnum):
    """What a region is made of; decides its default access rights."""

    FLASH = "flash"
    MRAM = "mram"
    XIP = "xip"
    ROM = "rom"
    SRAM = "sram"
    TCM = "tcm"
    CCM = "ccm"


WORD_BYTES = 4
PPB_BASE, PPB_END = 0xE0000000, 0xE0100000  # DDI 0403 B3.1, the private peripheral bus
WRITABLE = frozenset({RegionKind.SRAM, RegionKind.TCM, RegionKind.CCM})


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
    prefetch: Prefetch | None = None
    data_access: DataAccess | None = None
    fetch_access: FetchAccess | None = None
    note: str | None = None
    source: Text

    @model_validator(mode="after")
    def _inside_address_space(self) -> Self:
        if self.size == 0:
            raise FieldError("a region must hold at least one byte", at=("size",))
        for key, value in (("base", self.base), ("size", self.size)):
            if value % WORD_BYTES:
                raise FieldError(f"0x{value:x} is no multiple of {WORD_BYTES}", at=(key,))
        if self.end > 1 << 32:
            raise FieldError(f"region {self.name} reaches past 0xffffffff", at=("size",))
        if self.base < PPB_END and self.end > PPB_BASE:
            core = f"0x{PPB_BASE:08x}..0x{PPB_END:08x}, where the core's own registers are"
            raise FieldError(f"region {self.name} 0x{self.base:08x}..0x{self.end:08x} lies in {core}", at=("base",))
        if self.fetch_bits is not None and self.fetch_bits.bit_count() != 1:
            raise FieldError(f"{self.fetch_bits} is no power of two", at=("fetch_bits",))
        return self

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
    source: Text


class Boot(Model):
    """Where the core finds its vector table: candidate offsets in ``region``, tried in order."""

    region: str
    vector_offsets: Annotated[tuple[Address, ...], Field(min_length=1)] = (0,)
    source: Text

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        for index, offset in enumerate(self.vector_offsets):
            if offset % WORD_BYTES:
                raise FieldError(f"0x{offset:x} is no multiple of {WORD_BYTES}", at=("vector_offsets", index))
        return self


class PowerPoint(Model):
    """Power at one clock; ``low``..``high`` bound what a firmware can make of it."""

    clock: Hertz
    nominal: Watts
    low: Watts
    high: Watts
    source: Text

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.nominal <= self.high:
            raise FieldError("low <= nominal <= high must hold", at=("nominal",))
        return self


class PowerState(Model):
    """A power state (run, sleep, …) at one supply: power by clock."""

    name: Text
    voltage: Volts
    regulator: Text
    points: Annotated[tuple[PowerPoint, ...], Field(min_length=1)]
    note: str | None = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.voltage:
            raise FieldError("a supply has more than 0 V", at=("voltage",))
        clocks = [point.clock for point in self.points]
        if clocks != sorted(set(clocks)):
            raise FieldError("clock must ascend from point to point", at=("points",))
        return self


class CycleTimer(Model):
    """A timer that counts the core's clock, for measuring on boards whose core has no counter, or not for the debugger.

    ``setup`` are (address, value) words to write after a reset; ``counter`` is the word to read, ``bits`` wide, which
    moves every ``cycles_per_tick`` core cycles. It must stand still while the core is stopped.
    """

    name: Text
    setup: tuple[tuple[Address, Annotated[int, Field(ge=0, lt=1 << 32)]], ...] = ()
    counter: Address
    bits: Annotated[int, Field(ge=16, le=32)]
    counts_down: bool = False
    cycles_per_tick: Annotated[int, Field(ge=1, le=1 << 16)] = 1
    source: Text


class Debug(Model):
    """Names that debug tools know this board by; None is unknown or not supported."""

    svd: str | None = None
    pyocd: str | None = None
    openocd: str | None = None
    swo: bool | None = None
    console: str | None = None
    cycle_timer: CycleTimer | None = None
    source: str | None = None


class Price(Model):
    """What one board costs, in a currency by its ISO 4217 code; for sweeps to weigh against time and energy."""

    amount: Annotated[float, Field(gt=0, le=1e6)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    source: Text


class Board(Model):
    """One board. ``core`` names a file of ``boards/cores``, ``chip`` one of ``boards/chips`` (its peripherals);
    ``fpu`` and ``dsp`` say which options the chip has."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: Text
    mcu: str | None = None
    core: Text
    fpu: Literal["fpv4-sp", "fpv5-sp", "fpv5-dp"] | None = None
    dsp: bool = False
    chip: Text | None = None
    clock: Clock
    boot: Boot
    regions: Annotated[tuple[Region, ...], Field(min_length=1)]
    caches: tuple[Cache, ...] = ()
    power: tuple[PowerState, ...] = ()
    debug: Debug = Debug()
    price: Annotated[Price | None, Field(repr=False)] = None  # no part of what runs are compared by
    unknown: tuple[str, ...] = ()
    note: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_twice([r.name for r in self.regions], "regions", "region")
        _refuse_twice([p.name for p in self.power], "power", "power state")
        self._check_overlaps()
        for index, region in enumerate(self.regions):
            self._check_alias(index, region)
        names = [r.name for r in self.regions]
        self._check_caches(names)
        if self.boot.region not in names:
            hint = did_you_mean(self.boot.region, names)
            raise FieldError(f"'{self.boot.region}' is no region of this board", at=("boot", "region"), hint=hint)
        if self.clock.typical > self.clock.max:
            raise FieldError("typical is above max", at=("clock", "typical"))
        if self.power and self.power[0].name != "run":
            raise FieldError("the first power state must be 'run'", at=("power", 0, "name"))
        return self

    def _check_caches(self, names: list[str]) -> None:
        _refuse_twice([c.name for c in self.caches], "caches", "cache")
        for index, cache in enumerate(self.caches):
            for name in cache.regions:
                if name not in names:
                    hint = did_you_mean(name, names)
                    raise FieldError(f"'{name}' is no region of this board", at=("caches", index, "regions"), hint=hint)
            for other in self.caches[:index]:
                both = set(other.regions) & set(cache.regions)
                if both and (other.holds == cache.holds or "both" in (other.holds, cache.holds)):
                    raise FieldError(f"{cache.name} and {other.name} both hold {min(both)}", at=("caches", index))

    def _check_overlaps(self) -> None:
        ordered = sorted(enumerate(self.regions), key=lambda pair: pair[1].base)
        for (_, below), (index, above) in pairwise(ordered):
            if above.base < below.end:
                raise FieldError(
                    f"regions {below.name} 0x{below.base:08x}..0x{below.end:08x} and "
                    f"{above.name} 0x{above.base:08x}..0x{above.end:08x} overlap",
                    at=("regions", index, "base"),
                )

    def _check_alias(self, index: int, region: Region) -> None:
        if region.alias_of is None:
            return
        at = ("regions", index, "alias_of")
        targets = {r.name: r for r in self.regions if r.alias_of is None}
        if region.alias_of not in targets:
            hint = did_you_mean(region.alias_of, targets)
            raise FieldError(f"'{region.alias_of}' is no real region of this board", at=at, hint=hint)
        target = targets[region.alias_of]
        if target.size != region.size:
            raise FieldError(
                f"{region.name} (0x{region.size:x}) and {target.name} (0x{target.size:x}) differ in size", at=at
            )
        if target.kind is not region.kind:
            raise FieldError(f"{region.name} ({region.kind}) and {target.name} ({target.kind}) differ in kind", at=at)

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

    def covers(self, address: int, size_bytes: int, *, writable: bool = False) -> bool:
        """Whether every byte of a stretch lies in a region (that stores reach, if ``writable``); regions may touch."""
        end = address + size_bytes
        while address < end:
            region = self.region_at(address)
            if region is None or (writable and not region.writable):
                return False
            address = region.end
        return True

    def vector_addresses(self) -> tuple[int, ...]:
        """Where to look for a vector table, in order."""
        base = self.region(self.boot.region).base
        return tuple(base + offset for offset in self.boot.vector_offsets)


def _refuse_twice(names: list[str], key: str, what: str) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise FieldError(f"{what} '{name}' is listed twice", at=(key, index, "name"))

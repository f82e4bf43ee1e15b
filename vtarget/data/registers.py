"""Rules for registers: what a chip file says of a register that no device model answers for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import combinations
from operator import or_
from typing import Annotated, Self

from vtarget.base.strictyaml import BeforeValidator, Field, FieldError, KeyPath, Model, Text, model_validator
from vtarget.base.units import TIME, Address, Hertz, parse
from vtarget.base.yamlreader import shown

WORD = 0xFFFFFFFF
MAX_CYCLES = 1 << 40
_RANGE = re.compile(r"([0-9]{1,2}):([0-9]{1,2})\Z")


def bit_list(mask: int) -> list[int]:
    """The numbers of the bits of ``mask``, lowest first."""
    return [n for n in range(32) if mask >> n & 1]


def gather(value: int, mask: int) -> int:
    """The bits of ``value`` under ``mask``, moved together: the field's value."""
    return sum((value >> n & 1) << k for k, n in enumerate(bit_list(mask)))


def spread(field: int, mask: int) -> int:
    """``field`` laid into the bits of ``mask``: what ``gather`` takes out."""
    return sum((field >> k & 1) << n for k, n in enumerate(bit_list(mask)))


def _one(item: object) -> int:
    """The mask of a bit number or of a range as manuals write it (``15:8``)."""
    if isinstance(item, int) and not isinstance(item, bool):
        high, low = item, item
    elif isinstance(item, str) and (match := _RANGE.match(item)):
        high, low = int(match[1]), int(match[2])
    else:
        raise FieldError(f"{shown(item)} is no bit and no range of bits", hint="like 16, 15:8 or [16, 3:2]")
    if not 31 >= high >= low >= 0:
        raise FieldError(f"{shown(item)} is not within 31:0, highest bit first")
    return (1 << high + 1) - (1 << low)


def _bits(value: object) -> object:
    items = value if isinstance(value, list | tuple) else (value,)
    mask = 0
    for item in items:
        if mask & _one(item):
            raise FieldError(f"{shown(item)} repeats a bit")
        mask |= _one(item)
    if not mask:
        raise FieldError("must not be empty")
    return mask


Bits = Annotated[int, BeforeValidator(_bits)]  # in YAML 16, 15:8 or [16, 3:2]; here a mask


class Delay(Model):
    """How long something takes: ``cycles`` of the core (in YAML a plain number), or a time (``2 ms``)."""

    cycles: Annotated[int, Field(ge=0, le=MAX_CYCLES)] = 0
    nanoseconds: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"cycles": value}
        if isinstance(value, str):
            return {"nanoseconds": round(parse(value, TIME) * 10**9)}
        if isinstance(value, Delay):
            return value.model_dump()
        if isinstance(value, dict) and value.keys() <= cls.model_fields.keys():
            return value
        raise FieldError("is no delay", hint="a number of core cycles, or a time like '2 ms'")

    @property
    def takes_time(self) -> bool:
        """Whether it is longer than nothing."""
        return self.cycles > 0 or self.nanoseconds > 0


NOW = Delay()


class Follow(Model):
    """``bits`` take the value of the bits ``of`` register ``of_register`` (default: this one), ``after`` a while.

    Widths are equal; the lowest follows the lowest. A change that is taken back in the meantime never shows.
    """

    bits: Bits
    of: Bits
    of_register: Text | None = None
    inverted: bool = False
    after: Delay = NOW


class ReadsAs(Model):
    """``bits`` read as ``value``, whatever was written."""

    bits: Bits
    value: Annotated[int, Field(ge=0, le=WORD)]


class SelfClearing(Model):
    """``bits`` become 0 again ``after`` a while from when they became 1."""

    bits: Bits
    after: Delay = NOW


class Count(Model):
    """``bits`` count the ticks of a clock, from their reset value on and through 0 .. ``top`` in a circle.

    The clock is one of the board's by name, or a fixed ``clock_hz``. A write sets the count.
    """

    bits: Bits = WORD
    clock: Text = "HCLK"
    clock_hz: Hertz | None = None
    down: bool = False
    top: Annotated[int, Field(ge=1, le=WORD)] | None = None


class OnWrite(Model):
    """A write has an effect on register ``target`` (default: this one): it ``sets`` or ``clears`` bits.

    With ``values``: when they are written to ``bits``, one after the other. Without: each 1 written to ``bits`` acts on
    the bit of ``sets`` or ``clears`` in the same place.
    """

    bits: Bits = WORD
    values: tuple[Annotated[int, Field(ge=0, le=WORD)], ...] = ()
    target: Text | None = None
    sets: Bits | None = None
    clears: Bits | None = None
    after: Delay = NOW

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        width = self.bits.bit_count()
        if self.sets is None and self.clears is None:
            raise FieldError("give 'sets', 'clears' or both")
        for index, value in enumerate(self.values):
            _check_fits(value, width, ("values", index))
        for key, target in (("sets", self.sets), ("clears", self.clears)):
            if target is not None and not self.values and target.bit_count() != width:
                raise FieldError(f"has {_counted(target.bit_count())} where 'bits' has {width}", at=(key,))
        return self


class RegisterEntry(Model):
    """One 32-bit register: where it is, its value after reset, and its rules.

    It is at ``address``, at ``offset`` in the device of that name, or, with neither, where the SVD file has a
    register of this ``name``. Without ``reset`` the SVD's value counts, else 0. Bits that no rule speaks of keep what
    is written.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.\[\]]*$")]
    address: Address | None = None
    device: Text | None = None
    offset: Address | None = None
    reset: Annotated[int, Field(ge=0, le=WORD)] | None = None
    read_only: Bits | None = None
    write_one_to_clear: Bits | None = None
    write_one_to_set: Bits | None = None
    write_zero_to_clear: Bits | None = None
    clear_on_read: Bits | None = None
    reads_as: tuple[ReadsAs, ...] = ()
    follows: tuple[Follow, ...] = ()
    self_clearing: tuple[SelfClearing, ...] = ()
    counts: Count | None = None
    on_write: tuple[OnWrite, ...] = ()
    source: Text

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_place()
        for index, follow in enumerate(self.follows):
            widths = follow.bits.bit_count(), follow.of.bit_count()
            if widths[0] != widths[1]:
                raise FieldError(f"{widths[0]} bits can't follow {widths[1]}", at=("follows", index, "of"))
        for index, fixed in enumerate(self.reads_as):
            _check_fits(fixed.value, fixed.bits.bit_count(), ("reads_as", index, "value"))
        if self.counts is not None:
            self._check_counter(self.counts)
        self._check_claims()
        return self

    @property
    def computed(self) -> int:
        """The bits whose value comes from a rule and not from the word that was written."""
        return _union(mask for _, mask in self._holding())

    @property
    def written(self) -> int:
        """The bits that a write replaces."""
        acting = self._masks("write_one_to_clear", "write_one_to_set", "write_zero_to_clear", "read_only")
        return WORD & ~(self.computed | _union(mask for _, mask in acting))

    def _check_place(self) -> None:
        if (self.device is None) != (self.offset is None):
            raise FieldError("'device' and 'offset' go together", at=("device" if self.offset is None else "offset",))
        if self.address is not None and self.device is not None:
            raise FieldError("give 'address', or 'device' and 'offset'", at=("address",))
        for key, place in (("address", self.address), ("offset", self.offset)):
            if place is not None and place % 4:
                raise FieldError(f"{place:#x} is not a multiple of 4", at=(key,), hint="describe the whole word")

    def _check_counter(self, count: Count) -> None:
        field = count.bits // (count.bits & -count.bits)
        if field & field + 1:
            raise FieldError("a counter's bits must be next to each other", at=("counts", "bits"))
        _check_fits(count.top or 0, field.bit_length(), ("counts", "top"))

    def _check_claims(self) -> None:
        """No bit has two rules that contradict each other."""
        held = list(self._holding())
        acting = list(self._masks("write_one_to_clear", "write_one_to_set", "write_zero_to_clear"))
        clearing = list(self._masks("clear_on_read"))
        clearing += [(("self_clearing", i, "bits"), rule.bits) for i, rule in enumerate(self.self_clearing)]
        read_only = list(self._masks("read_only"))
        pairs = [*combinations(held + acting, 2), *combinations(acting + read_only, 2)]
        pairs += [(one, other) for one in held for other in clearing]
        for (one, mask), (at, other) in pairs:
            if mask & other:
                bit = bit_list(mask & other)[0]
                raise FieldError(f"bit {bit} already has a rule in '{one[0]}'", at=at)

    def _holding(self) -> Iterator[tuple[KeyPath, int]]:
        for index, follow in enumerate(self.follows):
            yield ("follows", index, "bits"), follow.bits
        for index, fixed in enumerate(self.reads_as):
            yield ("reads_as", index, "bits"), fixed.bits
        if self.counts is not None:
            yield ("counts",), self.counts.bits

    def _masks(self, *keys: str) -> Iterator[tuple[KeyPath, int]]:
        for key in keys:
            mask: int | None = getattr(self, key)
            if mask is not None:
                yield (key,), mask


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _check_fits(value: int, width: int, at: KeyPath) -> None:
    if value >> width:
        raise FieldError(f"{value:#x} does not fit {_counted(width)}", at=at)


def _counted(width: int) -> str:
    return f"{width} bit" if width == 1 else f"{width} bits"

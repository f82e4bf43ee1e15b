"""What stands between a core and its memories, each fact with its source: wait states, caches, prefetch buffers and
slow buses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from vtarget.base.strictyaml import Field, FieldError, Model, Text, model_validator
from vtarget.base.units import Bytes, Hertz


class WaitStateStep(Model):
    """Up to ``max_clock`` hertz a region needs ``wait_states``."""

    max_clock: Hertz
    wait_states: Annotated[int, Field(ge=0, le=64)]


class WaitStates(Model):
    """Wait states of a region by clock, ascending. ``unknown: true`` with no table says that nobody published them.

    ``clock_divider``: a bus at 1/n of the core's clock counts them, so each takes n core cycles; the table's clocks are
    that bus's.
    """

    table: tuple[WaitStateStep, ...] = ()
    unknown: bool = False
    clock_divider: Annotated[int, Field(ge=1, le=16)] = 1
    source: Text

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        clocks = [step.max_clock for step in self.table]
        if clocks != sorted(set(clocks)):
            raise FieldError("max_clock must ascend from step to step", at=("table",))
        if bool(self.table) == self.unknown:
            raise FieldError("give either a table or 'unknown: true'")
        return self


class Amount(Model):
    """A number with bounds; ``low`` and ``high`` default to ``nominal``."""

    nominal: Annotated[float, Field(ge=0, le=10_000)]
    low: Annotated[float, Field(ge=0, le=10_000)] | None = None
    high: Annotated[float, Field(ge=0, le=10_000)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, nominal, high = self.bounds
        if not low <= nominal <= high:
            raise FieldError("low <= nominal <= high must hold")
        return self

    @property
    def bounds(self) -> tuple[float, float, float]:
        """Low, nominal, high."""
        low = self.nominal if self.low is None else self.low
        return low, self.nominal, self.nominal if self.high is None else self.high


NOTHING = Amount(nominal=0)


class Wait(Model):
    """How long the core waits, in its cycles: ``waits`` times the region's wait states (at the bus's clock), and
    ``cycles`` more."""

    waits: Amount = NOTHING
    cycles: Amount = NOTHING
    source: Text


class Cache(Model):
    """A cache between the core and ``regions`` (an alias that is not named goes around it).

    ``size``, ``line`` and ``ways`` None: nobody published them; such a cache can't be simulated. ``write``: what a
    store does (``around``: not cached; ``through``: updates a line that is there; ``back``: takes a line). ``switch``
    is the register bit that turns it on, in the words of the chip's device models; ``typical`` whether firmware that
    isn't seen to switch it is taken to have it on, ``reset`` whether it is on after reset. ``miss`` is what the core
    waits. ``fills``: what takes a line; ``misses`` leaves out those that a prefetch buffer has ready or is reading.
    """

    name: Text
    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    holds: Literal["instructions", "data", "both"]
    line: Bytes | None = None
    size: Bytes | None = None
    ways: Annotated[int, Field(ge=1, le=256)] | None = None
    replacement: Literal["lru", "round_robin", "random"] = "lru"
    write: Literal["around", "through", "back"] = "around"
    fills: Literal["all", "misses"] = "all"
    switch: Text | None = None
    typical: bool = True
    reset: bool = False
    miss: Wait
    source: Text

    @model_validator(mode="after")
    def _has_sets(self) -> Self:
        if None in (self.line, self.size, self.ways):
            return self
        assert self.line is not None and self.size is not None and self.ways is not None
        if self.line < 4 or self.line & self.line - 1:
            raise FieldError("a line is a power of two of at least 4 bytes", at=("line",))
        sets, rest = divmod(self.size, self.line * self.ways)
        if rest or sets == 0 or sets & sets - 1:
            raise FieldError("size / line / ways must be a power of two (the number of sets)", at=("size",))
        return self

    @property
    def simulated(self) -> bool:
        """Whether its geometry is known."""
        return None not in (self.line, self.size, self.ways)


class Prefetch(Model):
    """A buffer that reads the next ``line`` of a region while the core executes the one before.

    ``blocks``: it is known to hold that many lines, the one fetched from and those next to it, and nothing else.
    """

    name: Text
    line: Bytes
    blocks: Literal[2] | None = None
    switch: Text | None = None
    typical: bool = True
    reset: bool = False
    source: Text


class Burst(Model):
    """Aligned fetches of ``size`` bytes, from what the core wants to the end, ``beat`` cycles for each ``fetch_bits``
    behind that. The next one waits for its end."""

    size: Bytes
    beat: Annotated[float, Field(gt=0, le=1_000)]


class FetchAccess(Model):
    """What an instruction fetch from a region takes beyond one of the core's own, in cycles per ``fetch_bits``.

    ``shared``: the bus is that of loads and stores, too, and the core fetches ahead: what shows is what doesn't fit
    beside the core's own cycles. ``burst``: ``cycles``, and the region's wait states, are those until its first
    ``fetch_bits`` are there. Not through a cache.
    """

    cycles: Amount
    shared: bool = False
    burst: Burst | None = None
    source: Text

    @model_validator(mode="after")
    def _one_kind_of_bus(self) -> Self:
        if self.shared and self.burst is not None:
            raise FieldError("a shared bus has no bursts", at=("burst",))
        return self


class DataAccess(Model):
    """What loads and stores of a region take beyond the core's own figures, each once per instruction.

    ``load``: one that doesn't pipeline behind another load; ``next_load``: one that does; ``multiple``: LDM, LDRD, POP
    and their like; ``store``: any store. ``load_behind_partial_store``: what any load takes besides, right behind a
    store of a byte or halfword, which a memory with error correction over words has to read, merge and write.
    """

    load: Amount = NOTHING
    next_load: Amount = NOTHING
    multiple: Amount = NOTHING
    store: Amount = NOTHING
    load_behind_partial_store: Amount = NOTHING
    source: Text

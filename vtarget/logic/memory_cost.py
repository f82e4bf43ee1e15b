"""What memory adds to the core's own cycles: wait states of instruction fetch, and bounds where caches decide."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.data.board import Board, Region
from vtarget.data.cycles import NO_CYCLES, Cycles

FETCH_BITS_DEFAULT = 32

# Measured on vendor inference images running from wait-stated flash behind a cache: a model without wait states is
# 6 % to 27 % low, worst where weights stream from flash; small cached kernels are within 0.3 % (core_timing facts, 9).
ACCELERATED_HIGH_PCT = 30.0
# Execution from serial flash behind a cache whose miss cost nobody published; the width is our assumption.
UNKNOWN_HIGH_PCT = 60.0


def wait_states(region: Region, clock_hz: int) -> int | None:
    """Wait states of ``region`` at ``clock_hz``; None if unknown. A clock beyond the table takes its last step."""
    if region.wait_states is None:
        return 0
    if region.wait_states.unknown:
        return None
    for step in region.wait_states.table:
        if clock_hz <= step.max_clock:
            return step.wait_states
    return region.wait_states.table[-1].wait_states


@dataclass(frozen=True)
class FetchModel:
    """Fetch cost by region of one board at one clock. ``placement`` prices a region's code as if it lay in another;
    ``programmed`` wait states are those that the firmware set, by region."""

    board: Board
    clock_hz: int
    placement: tuple[tuple[str, str], ...] = ()
    wait_states_override: int | None = None
    programmed: tuple[tuple[str, int], ...] = ()

    def region(self, address: int) -> Region | None:
        """The region that code at ``address`` is priced in."""
        region = self.board.region_at(address)
        if region is None:
            return None
        target = dict(self.placement).get(region.name)
        return self.board.region(target) if target else region

    def waits(self, region: Region) -> int | None:
        """Wait states of ``region`` at this clock, or the override for regions that have any."""
        if self.wait_states_override is not None and not region.writable:
            return self.wait_states_override
        for name, waits in self.programmed:
            if name == region.name:
                return waits
        return wait_states(region, self.clock_hz)

    def stall(self, address: int, size_bytes: int, entered_in_line: int | None) -> Cycles:
        """Fetch stalls of a block: each new fetch line costs the region's wait states, if nothing buffers it.

        ``entered_in_line`` is the last address fetched before, when the block is reached by falling through.
        """
        region = self.region(address)
        if region is None:
            return NO_CYCLES
        waits = self.waits(region)
        if not waits or region.accelerator is not None:
            return NO_CYCLES
        line_bytes = (region.fetch_bits or FETCH_BITS_DEFAULT) // 8
        first, last = address // line_bytes, (address + size_bytes - 1) // line_bytes
        lines = last - first + 1
        if entered_in_line is not None and entered_in_line // line_bytes == first:
            lines -= 1
        return Cycles(0, lines * waits, lines * waits)

    @property
    def what_if(self) -> bool:
        """Whether this prices something else than the board as described."""
        return bool(self.placement) or self.wait_states_override is not None

    def region_name(self, address: int) -> str | None:
        """Name of the region that code at ``address`` is priced in."""
        region = self.region(address)
        return region.name if region else None

    def notes(self, region: Region) -> list[str]:
        """What this model leaves out for code that executes from ``region``."""
        waits = self.waits(region)
        if waits is None:
            return [
                f"{region.name}: access time unknown, priced as if every access hit (bound +{UNKNOWN_HIGH_PCT:g} %)"
            ]
        if waits == 0:
            return []
        if region.accelerator is None:
            return [f"{region.name}: {waits} wait states on instruction fetch only, not on data"]
        name = region.accelerator.name
        return [
            f"{region.name}: {waits} wait states behind {name}, misses not modelled (bound +{ACCELERATED_HIGH_PCT:g} %)"
        ]


def high_budget_pct(fetch: FetchModel, region: Region) -> float:
    """By how many percent execution from ``region`` may exceed the counted cycles because of what isn't modelled."""
    waits = fetch.waits(region)
    if waits is None:
        return UNKNOWN_HIGH_PCT
    return ACCELERATED_HIGH_PCT if waits else 0.0

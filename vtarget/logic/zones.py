"""Which accesses of a board's memory are worth watching: caches by region, and regions that time their data alike."""

from __future__ import annotations

from functools import cache

from vtarget.data.board import Board, Region
from vtarget.data.memorysystem import Cache

MOST_ZONES = 7  # a site has 16 classes: changed, unaligned, and two for each zone
MOST_MEMORIES = 31  # that are told apart
CHANGED = 0  # the class of an access of another memory than the load before, behind which it would pipeline
UNALIGNED = 1  # the class of one more bus transfer, because an access isn't aligned
JUMP_MISS, SEQUENCE_MISS = 1, 2  # classes of a fetched line
MISPREDICTED = 1  # the class of a branch that went the other way than predicted


def instruction_cache(board: Board, region: Region) -> Cache | None:
    """The cache that instructions of ``region`` are fetched through."""
    return _cache(board, region, "instructions")


def data_cache(board: Board, region: Region) -> Cache | None:
    """The cache that loads from ``region`` go through."""
    return _cache(board, region, "data")


def _cache(board: Board, region: Region, holds: str) -> Cache | None:
    for unit in board.caches:
        if region.name in unit.regions and unit.holds in (holds, "both"):
            return unit
    return None


def real_region(board: Board, region: Region) -> Region:
    """The region that an alias stands for, another itself."""
    return region if region.alias_of is None else board.region(region.alias_of)


def waits_at_all(region: Region) -> bool:
    """Whether a region has wait states at some clock."""
    states = region.wait_states
    return states is not None and any(step.wait_states for step in states.table)


@cache
def zones(board: Board) -> tuple[tuple[str, ...], ...]:
    """Names of the regions whose data accesses may cost more than the core's figures, in groups that time alike.

    Zone number n is at position n - 1. Regions beyond MOST_ZONES groups are in none, which ``unwatched`` tells.
    """
    return tuple(_groups(board).values())[:MOST_ZONES]


@cache
def unwatched(board: Board) -> tuple[str, ...]:
    """Names of the regions that would need a zone and have none."""
    return tuple(name for names in tuple(_groups(board).values())[MOST_ZONES:] for name in names)


def _groups(board: Board) -> dict[tuple[object, ...], tuple[str, ...]]:
    groups: dict[tuple[object, ...], tuple[str, ...]] = {}
    for region in board.regions:
        real = real_region(board, region)
        unit = data_cache(board, region)
        if unit is not None or waits_at_all(real) or real.data_access is not None:
            states = real.wait_states
            steps = None if states is None else (*states.table, states.clock_divider)
            key = (unit.name if unit else None, steps, real.data_access, real.fetch_bits)
            groups[key] = (*groups.get(key, ()), region.name)
    return groups


def zone_number(board: Board, region: Region) -> int:
    """The zone of a region, 0 if it has none."""
    for number, names in enumerate(zones(board), start=1):
        if region.name in names:
            return number
    return 0


def memory_number(board: Board, region: Region) -> int:
    """Which memory a region is, aliases the same one; 0 for those beyond MOST_MEMORIES."""
    names = [other.name for other in board.regions if other.alias_of is None]
    number = names.index(real_region(board, region).name) + 1
    return number if number <= MOST_MEMORIES else 0


def needs_data(board: Board) -> bool:
    """Whether loads and stores have to be watched on this board."""
    return bool(zones(board))


def fingerprint(unit: Cache) -> str:
    """What has to be the same for misses counted in one cache to hold for another."""
    sizes = f"{unit.size}/{unit.line}/{unit.ways}"
    filled = " misses" if unit.fills == "misses" else ""
    return f"{unit.holds} of {'+'.join(unit.regions)}: {sizes} {unit.replacement} {unit.write}{filled}"

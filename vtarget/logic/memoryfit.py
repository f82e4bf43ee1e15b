"""Whether a model's weights and arena fit a board, and in which regions."""

from __future__ import annotations

from dataclasses import dataclass

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.board import Board, Region
from vtarget.data.plan import Need, Placement, Plan, RegionNeed
from vtarget.logic.linkerscript import STACK_BYTES, data_region, data_regions
from vtarget.logic.memory_cost import wait_states
from vtarget.logic.stretches import DATA_BUS, real_names, stretch, stretches
from vtarget.logic.zones import data_cache, real_region

AUTO = "auto"
SPARE_BYTES = 1024  # for .data, .bss and alignment, whose sizes are known after linking


def place(
    plan: Plan,
    weights_bytes: int,
    board: Board,
    weights_region: str = AUTO,
    arena_region: str = AUTO,
    *,
    code_bytes: int = 0,
    data_bytes: int = 0,
    stack_bytes: int = STACK_BYTES,
) -> Placement:
    """Where weights and arena go: the regions named, or for ``auto`` the first that have room.

    Code goes to the boot region. Data, stack and an arena that isn't named go together where loads and stores take no
    more than the core's own cycles, if all fit there; else data and stack go to the board's data region. Weights try
    the boot region, then other regions that keep their content without power, the largest first; the arena tries the
    data region, then other writable ones, the largest first, then `stretches` of adjoining ones, the fewest first.
    Data and stack are in such a stretch, too, if their region is part of it. Weights in a writable region are copied
    there at start, so they take room in the boot region, too. An alias stands for the region it is an alias of.

    :raises InputError: no such region, the arena's can't be written, or no room; then what each region needs and has.
    """
    boot = real_region(board, board.region(board.boot.region))
    data = data_region(board)
    weights_choices = [_named(board, weights_region)] if weights_region != AUTO else _keeping(board, boot)
    arena_choices = [_named(board, arena_region, joined=True)] if arena_region != AUTO else _writable(board, data)
    if arena_region != AUTO and not arena_choices[0].writable:
        region = arena_choices[0]
        hint = f"it can be in {', '.join(r.name for r in _writable(board, data))}"
        raise InputError(f"region {region.name} of board {board.name} is {region.kind}: no arena there", hint=hint)
    sizes = _Sizes(code_bytes, data_bytes, stack_bytes, weights_bytes, plan.arena_bytes)
    for fast in _faster(board, data):
        arena = fast if arena_region == AUTO else arena_choices[0]
        for weights in weights_choices:
            placement = _placement(board, sizes, boot, fast, weights, arena)
            if _apart(board, placement) and _has_room(placement, SPARE_BYTES):
                return placement
    more = stretches(board) if arena_region == AUTO else ()
    tried = [
        placement
        for arena in (*arena_choices, *more)
        for weights in weights_choices
        if _apart(board, placement := _placement(board, sizes, boot, _around(board, data, arena), weights, arena))
    ]
    # Without room to spare linking may fail: a stretch that has it comes before a single region that hasn't.
    for spare in (SPARE_BYTES if more else 0, 0):
        for placement in tried:
            if _has_room(placement, spare):
                return placement
    if not tried:
        raise InputError(
            f"weights and arena of board {board.name} can't both be in {weights_region} and {arena_region}"
        )
    least = min(tried, key=lambda p: sum(max(0, need.need_bytes - need.have_bytes) for need in p.regions))
    raise InputError(f"the model doesn't fit board {board.name}: {fit_table(least)}")


def _around(board: Board, data: Region, arena: Region) -> Region:
    """Where data and stack go: to the arena's stretch if their own region is part of it."""
    return arena if data.name in real_names(board, arena.name) else data


def _apart(board: Board, placement: Placement) -> bool:
    """Whether no region is used by itself and as part of a stretch."""
    parts = [name for row in placement.regions for name in real_names(board, row.region)]
    return len(set(parts)) == len(parts)


def _has_room(placement: Placement, spare_bytes: int) -> bool:
    """Whether all fits, with so much to spare where data is."""
    return all(
        row.need_bytes + spare_bytes * (row.region == placement.data_region) <= row.have_bytes
        for row in placement.regions
    )


@dataclass(frozen=True)
class _Sizes:
    code: int
    data: int
    stack: int
    weights: int
    arena: int


def _faster(board: Board, largest: Region) -> list[Region]:
    """The regions for data whose loads and stores take the core's own cycles only, if the largest's take more: those of
    the data bus first, then by size."""
    if _at_core_speed(board, largest):
        return []
    fast = [region for region in data_regions(board) if _at_core_speed(board, region)]
    return sorted(fast, key=lambda region: (region.base < DATA_BUS, -region.size))


def _at_core_speed(board: Board, region: Region) -> bool:
    waits = wait_states(region, board.clock.typical)
    return waits == 0 and region.data_access is None and data_cache(board, region) is None


def fit_table(placement: Placement) -> str:
    """What each region needs and has, in one line, those without room first."""
    rows = sorted(placement.regions, key=lambda row: row.fits)
    return "; ".join(_row(row) for row in rows)


def _row(row: RegionNeed) -> str:
    parts = ", ".join(f"{need.what} {need.size_bytes}" for need in row.needs)
    verdict = "" if row.fits else f", {row.need_bytes - row.have_bytes} too many"
    return f"{row.region} needs {row.need_bytes} of {row.have_bytes} bytes ({parts}){verdict}"


def _add(needs: dict[str, list[Need]], region: Region, what: str, size_bytes: int) -> None:
    if size_bytes:
        needs.setdefault(region.name, []).append(Need(what, size_bytes))


def _named(board: Board, name: str, *, joined: bool = False) -> Region:
    if joined and (found := stretch(board, name)) is not None:
        return found
    names = [region.name for region in (*board.regions, *(stretches(board) if joined else ()))]
    if name not in names:
        raise InputError(f"board {board.name} has no region '{name}'", hint=did_you_mean(name, [*names, AUTO]))
    return real_region(board, board.region(name))


def _others(board: Board, first: Region, writable: bool) -> list[Region]:
    found = [r for r in board.regions if r.writable is writable and r.alias_of is None and r.name != first.name]
    return [first, *sorted(found, key=lambda region: -region.size)]


def _keeping(board: Board, boot: Region) -> list[Region]:
    return [region for region in _others(board, boot, writable=False) if region.kind != "rom" or region is boot]


def _writable(board: Board, data: Region) -> list[Region]:
    return _others(board, data, writable=True)


def _placement(board: Board, sizes: _Sizes, boot: Region, data: Region, weights: Region, arena: Region) -> Placement:
    needs: dict[str, list[Need]] = {}
    _add(needs, boot, "code", sizes.code)
    _add(needs, data, "data", sizes.data)
    _add(needs, data, "stack", sizes.stack)
    _add(needs, weights, "weights", sizes.weights)
    if weights.writable and weights.name != boot.name:
        _add(needs, boot, "weights to copy", sizes.weights)
    _add(needs, arena, "arena", sizes.arena)
    used = {region.name: region for region in (*board.regions, data, arena)}
    rows = (RegionNeed(r.name, r.size, tuple(needs[r.name])) for r in used.values() if r.name in needs)
    return Placement(weights.name, arena.name, tuple(rows), data.name)

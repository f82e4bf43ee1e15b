"""Whether a model's weights and arena fit a board, and in which regions."""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.board import Board, Region
from vtarget.data.plan import Need, Placement, Plan, RegionNeed
from vtarget.logic.linkerscript import STACK_BYTES, data_region

AUTO = "auto"


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

    Code goes to the boot region, data and stack to the board's data region. Weights try the boot region, then other
    regions that keep their content without power, the largest first; the arena tries the data region, then other
    writable ones, the largest first. Weights in a writable region are copied there at start, so they take room in the
    boot region, too. An alias stands for the region it is an alias of.

    :raises InputError: no such region, the arena's can't be written, or no room; then what each region needs and has.
    """
    boot = _real(board, board.region(board.boot.region))
    data = data_region(board)
    base: dict[str, list[Need]] = {}
    _add(base, boot, "code", code_bytes)
    _add(base, data, "data", data_bytes)
    _add(base, data, "stack", stack_bytes)
    weights_choices = [_named(board, weights_region)] if weights_region != AUTO else _keeping(board, boot)
    arena_choices = [_named(board, arena_region)] if arena_region != AUTO else _writable(board, data)
    if arena_region != AUTO and not arena_choices[0].writable:
        region = arena_choices[0]
        hint = f"it can be in {', '.join(r.name for r in _writable(board, data))}"
        raise InputError(f"region {region.name} of board {board.name} is {region.kind}: no arena there", hint=hint)
    tried = [
        _placement(board, base, boot, weights, arena, weights_bytes, plan.arena_bytes)
        for arena in arena_choices
        for weights in weights_choices
    ]
    for placement in tried:
        if all(need.fits for need in placement.regions):
            return placement
    least = min(tried, key=lambda p: sum(max(0, need.need_bytes - need.have_bytes) for need in p.regions))
    raise InputError(f"the model doesn't fit board {board.name}: {fit_table(least)}")


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


def _real(board: Board, region: Region) -> Region:
    return region if region.alias_of is None else board.region(region.alias_of)


def _named(board: Board, name: str) -> Region:
    names = [region.name for region in board.regions]
    if name not in names:
        raise InputError(f"board {board.name} has no region '{name}'", hint=did_you_mean(name, [*names, AUTO]))
    return _real(board, board.region(name))


def _others(board: Board, first: Region, writable: bool) -> list[Region]:
    found = [r for r in board.regions if r.writable is writable and r.alias_of is None and r.name != first.name]
    return [first, *sorted(found, key=lambda region: -region.size)]


def _keeping(board: Board, boot: Region) -> list[Region]:
    return [region for region in _others(board, boot, writable=False) if region.kind != "rom" or region is boot]


def _writable(board: Board, data: Region) -> list[Region]:
    return _others(board, data, writable=True)


def _placement(
    board: Board,
    base: dict[str, list[Need]],
    boot: Region,
    weights: Region,
    arena: Region,
    weights_bytes: int,
    arena_bytes: int,
) -> Placement:
    needs = {name: list(found) for name, found in base.items()}
    _add(needs, weights, "weights", weights_bytes)
    if weights.writable and weights.name != boot.name:
        _add(needs, boot, "weights to copy", weights_bytes)
    _add(needs, arena, "arena", arena_bytes)
    rows = (RegionNeed(r.name, r.size, tuple(needs[r.name])) for r in board.regions if r.name in needs)
    return Placement(weights.name, arena.name, tuple(rows))

"""The main job as functions: run an image on a board, or price a stored record for one."""

from __future__ import annotations

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardlib import load_board, load_core


def pricer_for(
    board: str | Board,
    *,
    clock_hz: int | None = None,
    placement: tuple[tuple[str, str], ...] = (),
    wait_states: int | None = None,
) -> Pricer:
    """A pricer for a board by name, path or value. InputError for unknown boards and regions, or a clock beyond it."""
    loaded = load_board(board) if isinstance(board, str) else board
    for pair in placement:
        for name in pair:
            if all(r.name != name for r in loaded.regions):
                known = ", ".join(r.name for r in loaded.regions)
                raise InputError(f"--place: board {loaded.name} has no region '{name}'", hint=f"it has {known}")
    if clock_hz is not None and not 0 < clock_hz <= loaded.clock.max:
        raise InputError(
            f"--clock: {clock_hz / 1e6:g} MHz is not a clock of board {loaded.name}",
            hint=f"it runs at up to {loaded.clock.max / 1e6:g} MHz",
        )
    return Pricer.of(
        load_core(loaded.core), loaded, clock_hz=clock_hz, placement=placement, wait_states=wait_states
    )


def price(record: ExecutionRecord, pricer: Pricer, *, power_state: str | None = None) -> Profile:
    """Price a record for the pricer's board without running anything."""
    from vtarget.logic.profile import build_profile

    return build_profile(record, pricer, power_state=power_state)

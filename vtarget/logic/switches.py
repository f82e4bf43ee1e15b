"""The switches of a board's caches and prefetch buffers: register bits by the names that its device models report."""

from __future__ import annotations

from vtarget.data.board import Board
from vtarget.data.memorysystem import Cache, Prefetch

Switches = tuple[tuple[str, bool], ...]


def typical_switches(board: Board) -> Switches:
    """What is taken to be on in a firmware that isn't seen to switch it, by name."""
    return tuple(sorted((switch, unit.typical) for switch, unit in _units(board).items()))


def reset_switches(board: Board) -> Switches:
    """What is on after reset, by name."""
    return tuple(sorted((switch, unit.reset) for switch, unit in _units(board).items()))


def _units(board: Board) -> dict[str, Cache | Prefetch]:
    units: list[Cache | Prefetch] = [*board.caches]
    units += [region.prefetch for region in board.regions if region.prefetch is not None]
    return {unit.switch: unit for unit in units if unit.switch is not None}

"""Adjoining RAM regions as one stretch, named like ``SRAM1+SRAM2``, for what no single one has room for. Pure.

Each address stays that of its region, so that whatever lies there is used and priced as that region.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from vtarget.data.board import Board, Region, RegionKind

JOINT = "+"
DATA_BUS = 0x20000000  # from here on loads don't share the code bus; of a Cortex-M7's TCMs, the one for data is here


@cache
def stretches(board: Board) -> tuple[Region, ...]:
    """Every run of two or more SRAM regions without a gap, those of fewest regions first, then by size. What boots
    isn't among them; an alias stands for memory that isn't in the run a second time.

    TCMs have buses of their own, and so has what lies below DATA_BUS: a run doesn't reach across. Where the two RAMs of
    a Kinetis meet there, no buffer may lie, as unaligned accesses bring wrong data (NXP, "Kinetis Memory Map and Linker
    Considerations"; seen on a K22 in NXP's forum, thread 1097007).
    """
    rams = [r for r in board.regions if r.kind is RegionKind.SRAM and board.boot.region not in (r.name, r.alias_of)]
    rams.sort(key=lambda region: region.base)
    runs: list[tuple[Region, ...]] = []
    for first in range(len(rams)):
        for last in range(first + 2, len(rams) + 1):
            run = tuple(rams[first:last])
            if all(_adjoin(a, b) for a, b in pairwise(run)) and len({_real(r) for r in run}) == len(run):
                runs.append(run)
    joined = ((len(run), _joined(run)) for run in runs)
    return tuple(region for _, region in sorted(joined, key=lambda pair: (pair[0], pair[1].size, pair[1].base)))


def stretch(board: Board, name: str) -> Region | None:
    """The stretch of that name, None if there is none."""
    return next((region for region in stretches(board) if region.name == name), None)


def real_names(board: Board, name: str) -> frozenset[str]:
    """The names of the real regions that a region or stretch of that name is made of."""
    return frozenset(_real(board.region(part)) for part in name.split(JOINT))


def _adjoin(below: Region, above: Region) -> bool:
    return below.end == above.base != DATA_BUS


def _real(region: Region) -> str:
    return region.alias_of or region.name


def _joined(run: tuple[Region, ...]) -> Region:
    changed = {
        "name": JOINT.join(region.name for region in run),
        "size": sum(region.size for region in run),
        "execute": all(region.execute for region in run),
        "alias_of": None,
    }
    return run[0].model_copy(update=changed)

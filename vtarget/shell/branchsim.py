"""Branches as a run finds them: which each node ends in, for native code to predict (``native.branches``).

A misprediction is an event of a site. A record without any such site is priced by averages per direction
(``Pricer.watching``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtarget.data.core import Predictor
from vtarget.data.insn import Flow
from vtarget.data.record import SiteKind
from vtarget.shell import layout
from vtarget.shell.calls import Node, block_end
from vtarget.shell.native import on_new_branch
from vtarget.shell.sites import Sites

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STRAIGHT = frozenset({Flow.NONE, Flow.TRAP})


class BranchSim:
    """The predictor of one run: a history for each branch, the same in all nodes that end in it.

    All taken branches take places of the predictor; only conditional ones are counted. Where calls, returns and
    indirect branches lead is no matter of it: their refill is an average.
    """

    def __init__(self, predictor: Predictor, words: NDArray[np.int64], sites: Sites) -> None:
        self._words = words
        self._sites = sites
        self._ways = predictor.ways
        self._sets = predictor.entries // predictor.ways
        self._next = layout.BRANCHES
        self._histories: dict[int, int] = {}  # by address of the branch
        self._first_set = self._allocate(predictor.entries)
        self._uncounted = self._allocate(layout.SITE_WORDS)
        words[layout.H_MOST_STATE] = 1 << predictor.counter_bits
        words[layout.H_NEW_BRANCH] = on_new_branch.address

    def add(self, node: Node) -> None:
        """Write which branch a new node ends in."""
        insns = node.block.insns
        if not insns or insns[-1].flow in STRAIGHT:
            return
        record, last = self._allocate(layout.BRANCH_WORDS), len(insns) - 1
        site = self._uncounted
        if insns[last].flow is Flow.CONDITIONAL:
            site = self._sites.add(node, last, SiteKind.BRANCH)
        self._words[record + layout.B_HISTORY] = self._history(node.block.addresses[last], block_end(node.block))
        self._words[record + layout.B_SITE] = site
        self._words[node.offset + layout.N_BRANCH] = record

    def _history(self, address: int, following: int) -> int:
        found = self._histories.get(address)
        if found is None:
            found = self._histories[address] = self._allocate(layout.HISTORY_WORDS)
            place = (address >> 1) % self._sets
            self._words[found + layout.Y_NEXT] = following
            self._words[found + layout.Y_SET] = self._first_set + place * self._ways
            self._words[found + layout.Y_WAYS] = self._ways
        return found

    def _allocate(self, count: int) -> int:
        first = self._next
        self._next += count
        if self._next > layout.BUFFER_WORDS:
            raise MemoryError("more branches than the recorder has room for")
        return first

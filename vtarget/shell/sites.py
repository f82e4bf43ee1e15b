"""Sites: what of a node is counted by class, with a live price per class (``data.record.SiteKind``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vtarget.data.cycles import Cycles
from vtarget.data.record import SiteKind
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.logic.zones import CHANGED, JUMP_MISS, MISPREDICTED, SEQUENCE_MISS
from vtarget.shell import layout
from vtarget.shell.calls import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SETTINGS = 8  # whose prices are kept


class Site(NamedTuple):
    """Where a site stands: the number of its node, an instruction of the node's block, the offset of its words."""

    node: int
    insn: int
    offset: int
    kind: SiteKind


class Sites:
    """All sites of a run, in order of first sight."""

    def __init__(self, words: NDArray[np.int64], pricer: Pricer) -> None:
        self._words = words
        self._pricer = pricer
        self._next = layout.SITES + layout.SITE_WORDS
        self.rows: list[Site] = []
        self._blocks: list[Block] = []
        self._settings: dict[object, dict[tuple[SiteKind, Block, int], NDArray[np.int64]]] = {}
        self._prices = self._prices_of(pricer)

    def add_operands(self, node: Node) -> int:
        """The sites of the node's dynamic instructions; their first offset, 0 if it has none. A zero address ends
        the list."""
        first = self._next
        for index, insn in enumerate(node.block.insns):
            if insn.dynamic is not None:
                self.add(node, index, SiteKind.OPERANDS)
        if self._next == first:
            return 0
        self._next += layout.SITE_WORDS
        return first

    def add(self, node: Node, index: int, kind: SiteKind) -> int:
        """A site of the node's instruction ``index``; its offset. Raises MemoryError when there is no room."""
        site = self._next
        if site + 2 * layout.SITE_WORDS > layout.FRAMES:
            raise MemoryError("more dynamic instructions and memory accesses than the recorder has room for")
        self._next += layout.SITE_WORDS
        self._words[site + layout.S_ADDRESS] = node.block.addresses[index]
        self._words[site + layout.S_LOW], self._words[site + layout.S_HIGH] = layout.NEVER_ACCESSED, -1
        self.rows.append(Site(node.number, index, site, kind))
        self._blocks.append(node.block)
        self._write_prices(len(self.rows) - 1)
        return site

    def pipelined(self, block: Block) -> frozenset[int]:
        """The instructions of a block that pipeline behind the load before them, inside one memory."""
        return self._pricer.model.pipelined(block)

    def reprice(self, pricer: Pricer) -> None:
        """From here on live prices are this pricer's."""
        self._pricer = pricer
        self._prices = self._prices_of(pricer)
        for row in range(len(self.rows)):
            self._write_prices(row)

    def _prices_of(self, pricer: Pricer) -> dict[tuple[SiteKind, Block, int], NDArray[np.int64]]:
        """What has been priced before in the same setting."""
        memory = pricer.memory
        if len(self._settings) > MOST_SETTINGS:
            self._settings.clear()
        return self._settings.setdefault((memory.clock_hz, memory.programmed, memory.switches), {})

    def _write_prices(self, row: int) -> None:
        site, block = self.rows[row], self._blocks[row]
        key = (site.kind, block, site.insn)
        prices = self._prices.get(key)
        if prices is None:
            prices = self._prices[key] = self._price(*key)
        start = site.offset + layout.S_PRICES
        self._words[start : start + layout.OPERAND_CLASSES] = prices

    def _price(self, kind: SiteKind, block: Block, index: int) -> NDArray[np.int64]:
        prices = np.zeros(layout.OPERAND_CLASSES, dtype=np.int64)
        for event in classes(self._pricer, kind):
            prices[event] = site_price(self._pricer, kind, block, index, event).nominal
        return prices

    def counts(self) -> NDArray[np.int64]:
        """Counts per site and class."""
        return self._columns(layout.S_COUNTS, layout.OPERAND_CLASSES)

    def table(self) -> dict[str, NDArray[np.int32] | NDArray[np.int64]]:
        """The fields of ExecutionRecord that describe sites, by name."""
        low, high = self._columns(layout.S_LOW, 1)[:, 0], self._columns(layout.S_HIGH, 1)[:, 0]
        accessed = np.array([row.kind is SiteKind.DATA for row in self.rows], dtype=bool) & (high >= 0)
        return {
            "site_node": np.array([row.node for row in self.rows], dtype=np.int32),
            "site_insn": np.array([row.insn for row in self.rows], dtype=np.int32),
            "site_kind": np.array([row.kind for row in self.rows], dtype=np.int32),
            "site_low": np.where(accessed, low, -1),
            "site_high": np.where(accessed, high, -1),
            "site_counts": self.counts(),
        }

    def _columns(self, first: int, count: int) -> NDArray[np.int64]:
        table = self._words[layout.SITES : self._next].reshape(-1, layout.SITE_WORDS)
        offsets = np.array([row.offset for row in self.rows], dtype=np.int64)
        return table[(offsets - layout.SITES) // layout.SITE_WORDS, first : first + count]


def classes(pricer: Pricer, kind: SiteKind) -> range:
    """The classes that a site of that kind may have counts in."""
    if kind is SiteKind.FETCH:
        return range(JUMP_MISS, SEQUENCE_MISS + 1)
    if kind is SiteKind.BRANCH:
        return range(MISPREDICTED, MISPREDICTED + 1)
    if kind is SiteKind.DATA:
        return range(CHANGED, 2 * len(pricer.zones) + 2)
    return range(layout.OPERAND_CLASSES)


def site_price(pricer: Pricer, kind: SiteKind, block: Block, index: int, event: int) -> Cycles:
    """What one event of that class adds."""
    prices = {SiteKind.FETCH: pricer.fetch, SiteKind.DATA: pricer.data, SiteKind.BRANCH: pricer.branch}
    price = prices.get(kind, pricer.site)
    return price(block, index, event)

"""Prices of a record's tables: what every transition, instruction and node costs in one epoch of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtarget.data.board import Board, Region
from vtarget.data.cycles import NO_CYCLES, Cycles
from vtarget.data.profile import Bound
from vtarget.data.record import OPERAND_CLASSES, ExecutionRecord, RecordedRegion, SiteKind
from vtarget.logic.cost import EXITS, Exit
from vtarget.logic.decode import Block
from vtarget.logic.energy import Power, energy, power_at
from vtarget.logic.memory_cost import high_budget_pct
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import executed_per_edge
from vtarget.logic.zones import fingerprint, zone_number, zones

Prices = NDArray[np.int64]  # n x 3: low, nominal, high
Events = tuple[NDArray[np.intp], ...]  # the rows and classes of the sites that counted something
CODE_KINDS = frozenset({"flash", "mram", "xip", "rom"})


@dataclass(frozen=True)
class Part:
    """One epoch: its share of the record, the prices of everything in it, and its power.

    ``events`` are the rows and classes of the sites that counted something, in their order; ``event_prices`` is what
    one of each costs.
    """

    record: ExecutionRecord
    pricer: Pricer
    power: Power | None
    edges: Prices
    event_prices: Prices
    final: Cycles
    lengths: NDArray[np.int64]  # instructions per node
    cycles: Prices  # own cycles per node
    total: Bound
    ways: Transitions
    events: Events

    @cached_property
    def sites(self) -> NDArray[np.int64]:
        """The prices of events by site and class, n x OPERAND_CLASSES x 3; 0 where nothing was counted."""
        sites = np.zeros((*self.record.site_counts.shape, 3), dtype=np.int64)
        sites[self.events] = self.event_prices
        return sites

    def counted(self, sites: NDArray[Any], counts: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The positions in ``events`` of what some sites counted (their rows, and counts as in the record), and how
        often."""
        rows, classes = np.nonzero(counts)
        known, wanted = (r * OPERAND_CLASSES + c for r, c in (self.events, (sites[rows], classes)))
        at = np.searchsorted(known, wanted)
        here = np.isin(wanted, known)
        return at[here], counts[rows, classes][here]

    @property
    def seconds(self) -> Bound:
        """Time of the epoch."""
        return self.total.scaled(1 / self.pricer.clock_hz)

    @property
    def joules(self) -> Bound | None:
        """Energy of the epoch."""
        return energy(self.power, self.seconds)


def follows_firmware(record: ExecutionRecord, pricer: Pricer) -> bool:
    """Whether this pricer takes the clocks of a record's epochs: its own board's, and none asked for."""
    chosen = any(epoch.clock_hz for epoch in record.epochs)
    return chosen and not pricer.pinned and record.board == pricer.board.name


def price_parts(record: ExecutionRecord, pricer: Pricer, power_state: str | None) -> list[Part]:
    """The record's epochs priced, each as it was set up; the whole record as one where that is all the same.

    A clock that was asked for is every epoch's, with its wait states. Caches are as the firmware switched them.
    """
    blocks = relocated_blocks(record, pricer.board)
    pricer = watching(record, pricer)
    pricers = _epoch_pricers(record, pricer)
    if all(other.memory == pricers[0].memory for other in pricers):
        return [_part(record, pricers[0], blocks, power_state)]
    parts = []
    for number, (epoch, at) in enumerate(zip(record.epochs, pricers, strict=True)):
        last = number == len(record.epochs) - 1
        edge_count, site_counts = np.zeros_like(record.edge_count), np.zeros_like(record.site_counts)
        edge_count[epoch.edges] = epoch.edge_counts
        site_counts[epoch.sites] = epoch.site_counts
        share = replace(
            record,
            edge_count=edge_count,
            site_counts=site_counts,
            final_node=record.final_node if last else -1,
            final_instructions=record.final_instructions if last else 0,
        )
        parts.append(_part(share, at, blocks, power_state))
    return parts


def _epoch_pricers(record: ExecutionRecord, pricer: Pricer) -> list[Pricer]:
    """The pricer of each epoch; that given, where the record has none of this board."""
    if not record.epochs or record.board != pricer.board.name:
        return [pricer]
    if follows_firmware(record, pricer):
        return [pricer.at(epoch.clock_hz, epoch.wait_states, epoch.switches) for epoch in record.epochs]
    return [pricer.at(pricer.clock_hz, (), epoch.switches) for epoch in record.epochs]


def _part(record: ExecutionRecord, pricer: Pricer, blocks: list[Block], power_state: str | None) -> Part:
    ways, events = transitions(record), np.nonzero(record.site_counts)
    edges, event_prices = _price(pricer, blocks, ways), _price_events(record, pricer, blocks, events)
    final = _final(record, pricer, blocks)
    cycles = _node_cycles(record, edges, event_prices, final, events)
    lengths = np.array([len(b.insns) for b in blocks], dtype=np.int64)[record.node_block]
    total = _with_budget(record, pricer, blocks, cycles)
    power = power_at(pricer.board, pricer.clock_hz, power_state)
    return Part(record, pricer, power, edges, event_prices, final, lengths, cycles, total, ways, events)


def watching(record: ExecutionRecord, pricer: Pricer) -> Pricer:
    """The pricer as it has to read the record's events: by the zones of the board that the record was made on."""
    recorded = {region.name: region for region in record.regions}
    names = {region.name for region in pricer.board.regions}
    own = record.board == pricer.board.name
    regions = tuple(
        pricer.board.region(zone[0]) if own and zone[0] in names else _counterpart(recorded.get(zone[0]), pricer.board)
        for zone in record.zones
    )
    wanted = {fingerprint(unit) for unit in pricer.board.caches if unit.simulated}
    watched = {zone_number(pricer.board, region) for region in regions}
    followed = wanted <= set(record.caches) and watched >= set(range(1, len(zones(pricer.board)) + 1))
    return pricer.watching(regions, simulated=followed, branches=branches_followed(record))


def _counterpart(recorded: RecordedRegion | None, board: Board) -> Region:
    """The region that stands for a recorded one on another board: one of its kind where it lay, else of its role."""
    if recorded is None:
        return same_role("", board)
    there = board.region_at(recorded.base, 1)
    return there if there is not None and there.kind == recorded.kind else same_role(recorded.kind, board)


def branches_followed(record: ExecutionRecord) -> bool:
    """Whether the run counted mispredictions, as it does on boards whose core has a predictor."""
    return bool(np.any(record.site_kind == SiteKind.BRANCH))


def relocated_blocks(record: ExecutionRecord, board: Board) -> list[Block]:
    """The record's blocks where they would lie on ``board``: in place if it has memory there, else in the region of
    the same role (code in the boot region, data in the largest RAM), at the same offset."""
    codes = record.block_code
    places = zip(record.block_address.tolist(), codes, strict=True)
    addresses = [_relocated(record, board, address, len(code)) for address, code in places]
    for known, at, blocks in _PLACED:
        if known is codes and at == addresses:
            return blocks
    blocks = [Block(*place) for place in zip(addresses, codes, strict=True)]
    _PLACED[:] = [(codes, addresses, blocks), *_PLACED][:_MOST_PLACED]
    return blocks


# The last ones: blocks keep what was decoded of them, and a record is mostly priced for several boards in turn.
_PLACED: list[tuple[tuple[bytes, ...], list[int], list[Block]]] = []
_MOST_PLACED = 8


def _relocated(record: ExecutionRecord, board: Board, address: int, size_bytes: int) -> int:
    if board.region_at(address, size_bytes) is not None:
        return address
    for region in record.regions:
        if region.base <= address < region.base + region.size_bytes:
            target = same_role(region.kind, board)
            return target.base + (address - region.base) % target.size
    return address


def same_role(kind: str, board: Board) -> Region:
    """The region of ``board`` with the role of that kind: the boot region for code, the largest RAM for data."""
    if kind in CODE_KINDS:
        return board.region(board.boot.region)
    ram = [r for r in board.regions if r.writable and r.alias_of is None]
    return max(ram, key=lambda r: r.size) if ram else board.region(board.boot.region)


@dataclass(frozen=True)
class Transitions:
    """The edges of a record that may differ in price, and which of them every edge is.

    ``rows`` are (block, the block that follows, exit, instructions executed), as the columns of the record; ``of_edge``
    are positions in them.
    """

    rows: tuple[tuple[int, int, int, int], ...]
    of_edge: NDArray[np.intp]

    def each(self, blocks: Sequence[Block]) -> Iterator[tuple[Block | None, Exit, Block | None]]:
        """What a ``Pricer`` needs of each row."""
        for source, target, leaving, executed in self.rows:
            yield (
                _left(blocks[source], executed) if source >= 0 else None,
                EXITS[leaving],
                blocks[target] if target >= 0 else None,
            )


def transitions(record: ExecutionRecord) -> Transitions:
    """Those of all contexts: a node that another chain of calls has led to costs the same."""
    nodes = np.append(record.node_block, -1)  # so that node -1 has block -1
    columns = (nodes[record.edge_source], nodes[record.edge_target], record.edge_exit, record.edge_executed)
    rows, of_edge = _distinct(columns)
    return Transitions(rows, of_edge)


def _distinct(columns: Sequence[NDArray[Any]]) -> tuple[tuple[Any, ...], NDArray[np.intp]]:
    """The distinct rows of a table, and which of them each is."""
    number: dict[tuple[int, ...], int] = {}
    found = [number.setdefault(row, len(number)) for row in zip(*(c.tolist() for c in columns), strict=True)]
    return tuple(number), np.array(found, dtype=np.intp)


def _price(pricer: Pricer, blocks: list[Block], ways: Transitions) -> Prices:
    prices = np.array([pricer.edge(*way).bounds for way in ways.each(blocks)], dtype=np.int64).reshape(-1, 3)
    return prices[ways.of_edge]


def _price_events(record: ExecutionRecord, pricer: Pricer, blocks: list[Block], events: Events) -> Prices:
    classes, kinds = events[1], record.site_kind[events[0]]
    by_class = [pricer.data_alike(event) for event in range(OPERAND_CLASSES)]
    prices = np.array([(known or NO_CYCLES).bounds for known in by_class], dtype=np.int64)[classes]
    known = np.array([known is not None for known in by_class])[classes]
    others = np.flatnonzero((kinds != SiteKind.DATA) | ~known)
    rows, classes, kinds = events[0][others], classes[others], kinds[others]
    columns: list[NDArray[Any]] = [kinds, record.node_block[record.site_node[rows]], record.site_insn[rows], classes]
    if pricer.memory.placement:  # then it matters which addresses an access has reached
        data = kinds == SiteKind.DATA
        columns += [np.where(data, record.site_low[rows], -1), np.where(data, record.site_high[rows], -1)]
    else:
        columns += [np.full(len(rows), -1)] * 2
    distinct, of_event = _distinct(columns)
    found = np.array([_event(pricer, blocks[row[1]], row).bounds for row in distinct], dtype=np.int64)
    prices[others] = found.reshape(-1, 3)[of_event]
    return prices


_DATA, _FETCH, _BRANCH = int(SiteKind.DATA), int(SiteKind.FETCH), int(SiteKind.BRANCH)


def _event(pricer: Pricer, block: Block, row: tuple[int, int, int, int, int, int]) -> Cycles:
    kind, _, index, event, low, high = row
    if kind == _DATA:
        return pricer.data(block, index, event, (low, high))
    if kind == _FETCH:
        return pricer.fetch(block, index, event)
    return pricer.branch(block, index, event) if kind == _BRANCH else pricer.site(block, index, event)


def _left(block: Block, executed: int) -> Block:
    return block if executed < 0 else block.first(executed)


def _final(record: ExecutionRecord, pricer: Pricer, blocks: list[Block]) -> Cycles:
    if record.final_node < 0 or record.final_instructions == 0:
        return Cycles(0, 0, 0)
    block = blocks[record.node_block[record.final_node]]
    return pricer.edge(block.first(record.final_instructions), Exit.END, None)


def _node_cycles(record: ExecutionRecord, edges: Prices, event_prices: Prices, final: Cycles, events: Events) -> Prices:
    """Own cycles per node, nodes x 3. What leads into a handler belongs to the handler."""
    cycles = np.zeros((len(record.node_block), 3), dtype=np.int64)
    owner = np.where(record.edge_source >= 0, record.edge_source, record.edge_target)
    np.add.at(cycles, owner, edges * record.edge_count[:, None])
    np.add.at(cycles, record.site_node[events[0]], event_prices * record.site_counts[events][:, None])
    if record.final_node >= 0:
        cycles[record.final_node] += (final.low, final.nominal, final.high)
    return cycles


def node_instructions(part: Part) -> NDArray[np.int64]:
    """Instructions executed per node."""
    record = part.record
    instructions = np.zeros(len(record.node_block), dtype=np.int64)
    inner = record.edge_source >= 0
    per_edge = executed_per_edge(record, part.lengths) * record.edge_count
    np.add.at(instructions, record.edge_source[inner], per_edge[inner])
    if record.final_node >= 0:
        instructions[record.final_node] += record.final_instructions
    return instructions


def _with_budget(record: ExecutionRecord, pricer: Pricer, blocks: list[Block], node_cycles: Prices) -> Bound:
    """Summed bounds, widened by the core's error budget and by what memory may add where the code executed."""
    low, nominal, high = (int(v) for v in node_cycles.sum(axis=0))
    budget = pricer.core.error_budget
    by_region: dict[str, int] = {}
    regions = {}
    for block, cycles in zip(record.node_block.tolist(), node_cycles[:, 2].tolist(), strict=True):
        region = pricer.memory.region(blocks[block].address)
        if region is not None:
            regions[region.name] = region
            by_region[region.name] = by_region.get(region.name, 0) + cycles
    memory = sum(cycles * high_budget_pct(pricer.memory, regions[name]) / 100 for name, cycles in by_region.items())
    return Bound(
        float(int(low * (1 - budget.low_pct / 100))),
        float(nominal),
        float(-int(-(high * (1 + budget.high_pct / 100) + memory) // 1)),
    )

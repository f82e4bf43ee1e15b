"""Whether the tables of a record that comes from a file fit together, so that pricing can rely on them."""

from __future__ import annotations

from collections.abc import Sized
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtarget.data.insn import Flow
from vtarget.data.record import OPERAND_CLASSES, Epoch, ExecutionRecord, SiteKind, SpanFacts
from vtarget.data.timeline import Lane, LaneKind, Timeline
from vtarget.logic.addresses import accesses
from vtarget.logic.cost import EXITS, Exit
from vtarget.logic.decode import Block
from vtarget.logic.zones import JUMP_MISS, MISPREDICTED, MOST_ZONES, SEQUENCE_MISS

_INSIDE = (Exit.FALLTHROUGH, Exit.TAKEN)
MOST_COUNT = 1 << 53
MOST_CHAIN_MEMBERS = 10_000_000


def check_tables(record: ExecutionRecord) -> None:
    """ValueError unless every index names a row, tables that belong together have one length, and counts are sane."""
    _check_lengths(record)
    _check_indices(record)
    _check_counts(record)
    _check_chains(record)
    _check_instructions(record)
    _check_zones(record)
    if record.timeline is not None:
        _check_timeline(record.timeline, record.spans)
    names = {region.name for region in record.regions}
    if any(use.name not in names for use in record.memory):
        raise ValueError("its memory use names a region that its board doesn't have")


def _check_lengths(record: ExecutionRecord) -> None:
    columns: dict[str, tuple[Sized, ...]] = {
        "chain": (record.chain_parent, record.chain_function),
        "context": (record.context_chain, record.context_function),
        "block": (record.block_address, record.block_code),
        "node": (record.node_block, record.node_context),
        "edge": (
            record.edge_source,
            record.edge_target,
            record.edge_exit,
            record.edge_call,
            record.edge_executed,
            record.edge_count,
        ),
        "site": (
            record.site_node,
            record.site_insn,
            record.site_kind,
            record.site_low,
            record.site_high,
            record.site_counts,
        ),
        **{f"span {s.index} edge": (s.edges, s.edge_counts) for s in record.spans},
        **{f"span {s.index} site": (s.sites, s.site_counts) for s in record.spans},
        **{f"epoch {n} edge": (e.edges, e.edge_counts) for n, e in enumerate(record.epochs)},
        **{f"epoch {n} site": (e.sites, e.site_counts) for n, e in enumerate(record.epochs)},
    }
    for table, parts in columns.items():
        if len({len(part) for part in parts}) != 1:
            raise ValueError(f"the columns of its {table} table differ in length")
    for counts in (record.site_counts, *(part.site_counts for part in _parts(record))):
        if counts.shape[1:] != (OPERAND_CLASSES,):
            raise ValueError("a site table has no column per operand class")


def _check_indices(record: ExecutionRecord) -> None:
    nodes, functions, chains = len(record.node_block), len(record.functions), len(record.chain_parent)
    checks: dict[str, tuple[NDArray[Any], int, int]] = {
        "node_block": (record.node_block, 0, len(record.block_code)),
        "node_context": (record.node_context, 0, len(record.context_chain)),
        "context_chain": (record.context_chain, 0, chains),
        "context_function": (record.context_function, 0, functions),
        "chain_function": (record.chain_function, 0, functions),
        "chain_parent": (record.chain_parent, -1, chains),
        "edge_source": (record.edge_source, -1, nodes),
        "edge_target": (record.edge_target, -1, nodes),
        "edge_call": (record.edge_call, -1, functions),
        "edge_exit": (record.edge_exit, 0, len(EXITS)),
        "unfinished": (record.unfinished, 0, nodes),
        "site_node": (record.site_node, 0, nodes),
        "site_kind": (record.site_kind, 0, len(SiteKind)),
        "site_low": (record.site_low, -1, 1 << 32),
        "site_high": (record.site_high, -1, 1 << 32),
        "block_address": (record.block_address, 0, 1 << 32),
        "final_node": (np.array([record.final_node]), -1, nodes),
        **{f"span {s.index} edges": (s.edges, 0, len(record.edge_source)) for s in record.spans},
        **{f"span {s.index} sites": (s.sites, 0, len(record.site_node)) for s in record.spans},
        **{f"epoch {n} edges": (e.edges, 0, len(record.edge_source)) for n, e in enumerate(record.epochs)},
        **{f"epoch {n} sites": (e.sites, 0, len(record.site_node)) for n, e in enumerate(record.epochs)},
    }
    for name, (column, low, high) in checks.items():
        if column.size and (int(column.min()) < low or int(column.max()) >= high):
            raise ValueError(f"{name} points outside its table")


def _check_counts(record: ExecutionRecord) -> None:
    spans = [counts for part in _parts(record) for counts in (part.edge_counts, part.site_counts)]
    for counts in (record.edge_count, record.site_counts, *spans):
        if counts.size and (int(counts.min()) < 0 or float(counts.sum(dtype=np.float64)) >= MOST_COUNT):
            raise ValueError("a count is out of range")
    if any(span.epoch >= max(1, len(record.epochs)) for span in record.spans):
        raise ValueError("a span ended in an epoch that isn't there")
    if record.epochs:
        _check_epochs(record)


def _parts(record: ExecutionRecord) -> list[SpanFacts | Epoch]:
    return [*record.spans, *record.epochs]


def _check_epochs(record: ExecutionRecord) -> None:
    edges, sites = np.zeros_like(record.edge_count), np.zeros_like(record.site_counts)
    for epoch in record.epochs:
        np.add.at(edges, epoch.edges, epoch.edge_counts)
        np.add.at(sites, epoch.sites, epoch.site_counts)
    if not (np.array_equal(edges, record.edge_count) and np.array_equal(sites, record.site_counts)):
        raise ValueError("its epochs do not add up to its counts")


def _check_chains(record: ExecutionRecord) -> None:
    if np.any(record.chain_parent >= np.arange(len(record.chain_parent))):
        raise ValueError("its call chains have a loop")
    depth: list[int] = []
    members = 0
    for parent in record.chain_parent.tolist():
        depth.append(depth[parent] + 1 if parent >= 0 else 1)
        members += depth[-1]
        if members > MOST_CHAIN_MEMBERS:
            raise ValueError("its call chains are too deep")


def _check_instructions(record: ExecutionRecord) -> None:
    blocks = [Block(int(a), code) for a, code in zip(record.block_address, record.block_code, strict=True)]
    _check_sites(record, blocks)
    for source, target, leaving, executed in zip(
        record.edge_source.tolist(), record.edge_target.tolist(), record.edge_exit.tolist(),
        record.edge_executed.tolist(), strict=True,
    ):  # fmt: skip
        if source < 0 and target < 0:
            raise ValueError("an edge leads from nowhere to nowhere")
        if (source >= 0 and target >= 0) != (EXITS[leaving] in _INSIDE) and (source >= 0 or leaving != 1):
            raise ValueError("an edge has an exit that leads elsewhere")
        if executed > (len(blocks[record.node_block[source]].insns) if source >= 0 else -1):
            raise ValueError("more instructions executed in a block than it has")
    last = len(blocks[record.node_block[record.final_node]].insns) if record.final_node >= 0 else 0
    if record.final_instructions > last:
        raise ValueError("more instructions executed in its last block than that has")


def _check_sites(record: ExecutionRecord, blocks: list[Block]) -> None:
    reaching: dict[int, frozenset[int]] = {}  # the instructions of a block that access memory
    rows = zip(record.site_node.tolist(), record.site_insn.tolist(), record.site_kind.tolist(), strict=True)
    for node, index, kind in rows:
        block = record.node_block[node]
        insns = blocks[block].insns
        if not 0 <= index < len(insns):
            raise ValueError("a site is no instruction of its block")
        if kind == SiteKind.OPERANDS and insns[index].dynamic is None:
            raise ValueError("a site is no instruction whose cost varies")
        if kind == SiteKind.BRANCH and (index != len(insns) - 1 or insns[index].flow is not Flow.CONDITIONAL):
            raise ValueError("a site of predictions is no conditional branch")
        if kind == SiteKind.DATA:
            if block not in reaching:
                reaching[block] = frozenset(access.index for access in accesses(blocks[block]))
            if index not in reaching[block]:
                raise ValueError("a site of data accesses is no load or store")
    data = record.site_kind == SiteKind.DATA
    if np.any((record.site_low < 0) != (record.site_high < 0)) or np.any(record.site_low > record.site_high):
        raise ValueError("a site's lowest address is above its highest")
    if np.any(record.site_low[~data] >= 0):
        raise ValueError("a site that accesses no data has addresses")
    zoned = np.arange(OPERAND_CLASSES) < 2 * (len(record.zones) + 1)
    missed = np.isin(np.arange(OPERAND_CLASSES), (JUMP_MISS, SEQUENCE_MISS))
    wrong = np.arange(OPERAND_CLASSES) == MISPREDICTED
    kinds = ((data, zoned), (record.site_kind == SiteKind.FETCH, missed), (record.site_kind == SiteKind.BRANCH, wrong))
    for kind, allowed in kinds:
        if np.any(record.site_counts[kind][:, ~allowed]):
            raise ValueError("a site counts what its kind doesn't have")


def _check_zones(record: ExecutionRecord) -> None:
    names = [name for zone in record.zones for name in zone]
    if len(record.zones) > MOST_ZONES or not all(record.zones) or len(set(names)) != len(names):
        raise ValueError("its zones are too many, empty, or overlap")
    if not set(names) <= {region.name for region in record.regions}:
        raise ValueError("a zone names a region that its board doesn't have")


def _check_timeline(timeline: Timeline, spans: tuple[SpanFacts, ...]) -> None:
    changes = [change.cycle for change in timeline.clocks]
    if changes[:1] != [0] or any(a >= b for a, b in pairwise(changes)):
        raise ValueError("its timeline's clock changes aren't in order of time from 0 on")
    if not changes[-1] <= timeline.known_cycles <= timeline.end_cycle:
        raise ValueError("its timeline is known for longer than it lasts")
    names = [(lane.kind, lane.name) for lane in timeline.lanes]
    if len(set(names)) < len(names) or any(kind is LaneKind.SPAN for kind, _ in names):
        raise ValueError("its timeline has a lane that can't be one")
    for lane in timeline.lanes:
        _check_lane(lane, timeline.end_cycle)
    if any(not -1 <= span.begin_cycle <= span.end_cycle <= timeline.end_cycle for span in spans):
        raise ValueError("a span ends before it begins, or after the run")


def _check_lane(lane: Lane, end_cycle: int) -> None:
    """Stretches follow each other, and what is left out them."""
    left_out = lane.left_out
    if len(lane.begins) != len(lane.ends):
        raise ValueError("the columns of a lane differ in length")
    moments = [0, *(moment for stretch in zip(lane.begins, lane.ends, strict=True) for moment in stretch)]
    if left_out.count:
        moments += [left_out.first_cycle, left_out.last_cycle]
    if any(a > b for a, b in pairwise([*moments, end_cycle])):
        raise ValueError("a lane's stretches aren't in order of time")
    if left_out.cycles > left_out.last_cycle - left_out.first_cycle:
        raise ValueError("what a lane leaves out is longer than the time it took")

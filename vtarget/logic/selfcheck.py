"""Self-checks of a record: its counts must explain each other, on every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vtarget.base.errors import RunError
from vtarget.data.insn import Dynamic
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.logic.addresses import accesses
from vtarget.logic.decode import Block, open_conditions
from vtarget.logic.zones import CHANGED, UNALIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vtarget.data.record import Counts

SMALLEST_LINE = 4  # bytes of a cache line, at least (data.board.Cache)


def check_record(record: ExecutionRecord) -> None:
    """RunError unless counted instructions equal the sum over blocks, every node is left as often as it is entered
    (but for the last), every divide in every node was observed as often as it executed, no line of a node missed and
    no load or store of it accessed memory more often than the node was entered, and no branch was mispredicted more
    often than its node was left."""
    nodes = len(record.node_block)
    into = record.edge_target >= 0
    entered = np.bincount(record.edge_target[into], weights=record.edge_count[into], minlength=nodes).astype(np.int64)
    left = _left(record, record.edge_source >= 0)
    blocks = [Block(int(a), c) for a, c in zip(record.block_address, record.block_code, strict=True)]
    lengths = np.array([len(b.insns) for b in blocks], dtype=np.int64)[record.node_block]
    total = int((executed_per_edge(record, lengths) * record.edge_count).sum()) + record.final_instructions
    if total != record.instructions:
        raise RunError(f"self-check: {record.instructions} instructions counted, but blocks add up to {total}")
    last = np.bincount(record.unfinished, minlength=nodes)
    if record.final_node >= 0:
        last[record.final_node] += 1
    if not np.array_equal(entered, left + last):
        raise RunError("self-check: a block was left more or less often than it was entered")
    _check_operands(record, blocks, left, _left(record, (record.edge_source >= 0) & (record.edge_executed < 0)))
    _check_fetches(record, blocks, entered)
    _check_accesses(record, blocks, entered)
    _check_branches(record, blocks, left)


def executed_per_edge(record: ExecutionRecord, lengths: Counts) -> Counts:
    """How many instructions of its source each edge stands for; ``lengths`` are instructions per node."""
    inner = record.edge_source >= 0
    whole = np.where(inner, lengths[record.edge_source] if len(lengths) else 0, 0)
    return np.where(record.edge_executed >= 0, record.edge_executed, whole).astype(np.int64)


def _left(record: ExecutionRecord, rows: NDArray[np.bool_]) -> Counts:
    """How often each node was left by the edges of a selection."""
    nodes = len(record.node_block)
    return np.bincount(record.edge_source[rows], weights=record.edge_count[rows], minlength=nodes).astype(np.int64)


def _inside_it(record: ExecutionRecord, blocks: list[Block]) -> dict[int, int]:
    """How many first instructions of a node belong to an IT block that the node before it began."""
    open_at_end = [open_conditions(block) for block in blocks]
    if not any(open_at_end):
        return {}
    edges = zip(record.edge_source.tolist(), record.edge_target.tolist(), record.edge_exit.tolist(), strict=True)
    return {
        target: open_at_end[record.node_block[source]]
        for source, target, taken in edges
        if source >= 0 and not taken and open_at_end[record.node_block[source]]
    }


def _check_operands(record: ExecutionRecord, blocks: list[Block], left: Counts, wholly: Counts) -> None:
    seen = record.site_counts.sum(axis=1)
    conditional = _inside_it(record, blocks)
    for row in np.flatnonzero(record.site_kind == SiteKind.OPERANDS).tolist():
        node, index = int(record.site_node[row]), int(record.site_insn[row])
        block = blocks[record.node_block[node]]
        insn = block.insns[index]
        extra = int(node == record.final_node)
        exact = insn.dynamic is not Dynamic.PREDICATED and not insn.predicated and index >= conditional.get(node, 0)
        if seen[row] > left[node] + extra or (exact and seen[row] < wholly[node]):
            raise RunError(
                f"self-check: {insn.text} at 0x{block.addresses[index]:08x} was observed {seen[row]} times "
                f"in {left[node]} passages"
            )


def _check_fetches(record: ExecutionRecord, blocks: list[Block], entered: Counts) -> None:
    """A line of a node's block is looked up at most once each time the node is entered."""
    rows = np.flatnonzero(record.site_kind == SiteKind.FETCH)
    missed, times = record.site_counts[rows].sum(axis=1), entered[record.site_node[rows]]
    for row in np.flatnonzero(missed > times)[:1].tolist():
        where = _place(record, blocks, int(rows[row]))
        raise RunError(f"self-check: the line at {where} missed {missed[row]} times in {times[row]} passages")


def _check_branches(record: ExecutionRecord, blocks: list[Block], left: Counts) -> None:
    rows = np.flatnonzero(record.site_kind == SiteKind.BRANCH)
    wrong, times = record.site_counts[rows].sum(axis=1), left[record.site_node[rows]]
    for row in np.flatnonzero(wrong > times)[:1].tolist():
        where = _place(record, blocks, int(rows[row]))
        raise RunError(f"self-check: {where} was mispredicted {wrong[row]} times in {times[row]} passages")


def _check_accesses(record: ExecutionRecord, blocks: list[Block], entered: Counts) -> None:
    """An instruction accesses memory once each time its node is entered; a cache counts each line that it touches, and
    a bus at most two more transfers of what isn't aligned."""
    rows = np.flatnonzero(record.site_kind == SiteKind.DATA)
    counts, times = record.site_counts[rows], entered[record.site_node[rows]]
    if np.any(counts[:, CHANGED] > times):
        row = int(rows[np.flatnonzero(counts[:, CHANGED] > times)[0]])
        raise RunError(f"self-check: {_place(record, blocks, row)} changed memory more often than its block executed")
    accessed, extra = counts[:, UNALIGNED + 1 :].sum(axis=1), counts[:, UNALIGNED]
    for n in np.flatnonzero((accessed > times) | (extra > 2 * times)).tolist():
        row = int(rows[n])
        block = blocks[record.node_block[record.site_node[row]]]
        sizes = [a.size_bytes for a in accesses(block) if a.index == record.site_insn[row]]
        most = sizes[0] // SMALLEST_LINE + 2 if record.caches and sizes else 1
        if accessed[n] > most * times[n] or extra[n] > 2 * times[n]:
            raise RunError(
                f"self-check: {_place(record, blocks, row)} accessed memory {accessed[n]} times, {extra[n]} times "
                f"unaligned, in {times[n]} passages"
            )


def _place(record: ExecutionRecord, blocks: list[Block], row: int) -> str:
    block = blocks[record.node_block[record.site_node[row]]]
    index = int(record.site_insn[row])
    return f"{block.insns[index].text} (0x{block.addresses[index]:08x})"

"""Self-checks of a record: its counts must explain each other, on every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vtarget.base.errors import RunError
from vtarget.data.insn import Dynamic
from vtarget.data.record import ExecutionRecord
from vtarget.logic.decode import Block, open_conditions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vtarget.data.record import Counts


def check_record(record: ExecutionRecord) -> None:
    """RunError unless counted instructions equal the sum over blocks, every node is left as often as it is entered
    (but for the last), and every divide in every node was observed as often as it executed."""
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
    _check_sites(record, blocks, left, _left(record, (record.edge_source >= 0) & (record.edge_executed < 0)))


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


def _check_sites(record: ExecutionRecord, blocks: list[Block], left: Counts, wholly: Counts) -> None:
    seen = record.site_counts.sum(axis=1)
    conditional = _inside_it(record, blocks)
    for row, (node, index) in enumerate(zip(record.site_node, record.site_insn, strict=True)):
        block = blocks[record.node_block[node]]
        insn = block.insns[index]
        extra = int(node == record.final_node)
        exact = insn.dynamic is not Dynamic.PREDICATED and not insn.predicated and index >= conditional.get(node, 0)
        if seen[row] > left[node] + extra or (exact and seen[row] < wholly[node]):
            raise RunError(
                f"self-check: {insn.text} at 0x{block.addresses[index]:08x} was observed {seen[row]} times "
                f"in {left[node]} passages"
            )

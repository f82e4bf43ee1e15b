"""Waterfalls: the priced cycles of a record's nodes and spans, split into where they went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import RunError
from vtarget.data.record import OPERAND_CLASSES, ExecutionRecord, SiteKind, SpanFacts
from vtarget.data.waterfall import CyclePart, Waterfall
from vtarget.logic.attribution import Attribution, Charge
from vtarget.logic.cost import EXITS, CostModel, Exit
from vtarget.logic.costs import Part
from vtarget.logic.decode import Block

Counts = NDArray[np.int64]
_WAITS = {
    SiteKind.DATA: CyclePart.DATA_WAIT,
    SiteKind.FETCH: CyclePart.FETCH_WAIT,
    SiteKind.BRANCH: CyclePart.BRANCH_REFILL,
}


@dataclass(frozen=True)
class Split:
    """One epoch's cycles by CyclePart: per transition, per site and class, and summed per node. Those of one transition
    and of one event are whole unless they are calibrated."""

    edges: Counts | NDArray[np.float64]  # n x parts, of one transition
    sites: Counts | NDArray[np.float64]  # n x OPERAND_CLASSES x parts, of one event
    nodes: Counts  # n x parts, all of a node's own cycles


def split_parts(parts: Sequence[Part], blocks: Sequence[Block]) -> list[Split]:
    """Every epoch's ``split``."""
    return [split(part, blocks, _attribution(part.pricer.model)) for part in parts]


_ATTRIBUTIONS: WeakKeyDictionary[CostModel, Attribution] = WeakKeyDictionary()


def _attribution(model: CostModel) -> Attribution:
    """One for each model: like it, it remembers the blocks that it has seen."""
    found = _ATTRIBUTIONS.get(model)
    if found is None:
        found = _ATTRIBUTIONS[model] = Attribution(model, remarks=False)
    return found


def sum_nodes(splits: Sequence[Split]) -> Counts:
    """Own cycles per node of the whole record, by CyclePart."""
    return sum((found.nodes for found in splits), np.zeros_like(splits[0].nodes))


def by_function(record: ExecutionRecord, splits: Sequence[Split]) -> Counts:
    """Own cycles per function of the record, by CyclePart."""
    functions = np.zeros((len(record.functions), len(CyclePart)), dtype=np.int64)
    np.add.at(functions, record.context_function[record.node_context], sum_nodes(splits))
    return functions


def split(part: Part, blocks: Sequence[Block], attribution: Attribution) -> Split:
    """The cycles of one epoch; ``blocks`` are those that it was priced with. RunError if a node's don't add up."""
    edges = np.array([_sum(charges) for charges in edge_charges(part, blocks, attribution)], dtype=np.int64)
    edges = edges.reshape(-1, len(CyclePart))
    sites = _sites(part, blocks, attribution)
    nodes = _nodes(part, edges, sites)
    final = final_charges(part, blocks, attribution)
    if final:
        nodes[part.record.final_node] += _sum(final)
    if not np.array_equal(nodes.sum(axis=1), part.cycles[:, 1]):
        raise RunError("self-check: the waterfall's parts do not add up to the cycles of every block")
    return Split(edges, sites, nodes)


def span_waterfall(part: Part, found: Split, span: SpanFacts) -> Waterfall:
    """Of one span, callees included. Where its marks lie inside blocks all parts give way alike."""
    total = (found.edges[span.edges] * span.edge_counts[:, None]).sum(axis=0)
    total = total + (found.sites[span.sites] * span.site_counts[:, :, None]).sum(axis=(0, 1))
    whole = Waterfall.of(np.rint(total))
    return whole.scaled_to(whole.total + span.adjust_cycles)


def edge_charges(part: Part, blocks: Sequence[Block], attribution: Attribution) -> list[list[Charge]]:
    """What every transition of the record consists of."""
    record, node_block = part.record, part.record.node_block.tolist()
    rows = zip(
        record.edge_source.tolist(),
        record.edge_target.tolist(),
        record.edge_exit.tolist(),
        record.edge_executed.tolist(),
        part.edges[:, 1].tolist(),
        strict=True,
    )
    found = []
    for source, target, leaving, executed, nominal in rows:
        block = blocks[node_block[source]] if source >= 0 else None
        if block is not None and executed >= 0:
            block = block.first(executed)
        following = blocks[node_block[target]] if target >= 0 else None
        found.append(attribution.edge(block, EXITS[leaving], following, nominal))
    return found


def final_charges(part: Part, blocks: Sequence[Block], attribution: Attribution) -> list[Charge]:
    """What the last node executed before the run ended."""
    record = part.record
    if record.final_node < 0 or record.final_instructions == 0:
        return []
    block = blocks[record.node_block[record.final_node]].first(record.final_instructions)
    return attribution.edge(block, Exit.END, None, part.final.nominal)


def _sum(charges: Sequence[Charge]) -> list[int]:
    parts = [0] * len(CyclePart)
    for charge in charges:
        parts[charge.part] += charge.cycles
    return parts


def _sites(part: Part, blocks: Sequence[Block], attribution: Attribution) -> Counts:
    record, prices = part.record, part.sites[:, :, 1]
    sites = np.zeros((len(record.site_node), OPERAND_CLASSES, len(CyclePart)), dtype=np.int64)
    for kind, where in _WAITS.items():
        rows = record.site_kind == kind
        sites[rows, :, where] = prices[rows]
    block_of, insns = record.node_block[record.site_node].tolist(), record.site_insn.tolist()
    for row in np.flatnonzero(record.site_kind == SiteKind.OPERANDS).tolist():
        block = blocks[block_of[row]]
        for klass in np.flatnonzero(record.site_counts[row]).tolist():
            sites[row, klass] = _sum(attribution.site(block, insns[row], int(prices[row, klass])))
    return sites


def _nodes(part: Part, edges: Counts, sites: Counts) -> Counts:
    """What leads into a handler belongs to the handler, as in ``costs``."""
    record = part.record
    nodes = np.zeros((len(record.node_block), len(CyclePart)), dtype=np.int64)
    owner = np.where(record.edge_source >= 0, record.edge_source, record.edge_target)
    np.add.at(nodes, owner, edges * record.edge_count[:, None])
    np.add.at(nodes, record.site_node, (sites * record.site_counts[:, :, None]).sum(axis=1))
    return nodes

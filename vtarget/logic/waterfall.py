"""Waterfalls: the priced cycles of a record's nodes and spans, split into where they went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import RunError
from vtarget.data.record import ExecutionRecord, SiteKind, SpanFacts
from vtarget.data.waterfall import CyclePart, Waterfall
from vtarget.logic.attribution import Attribution, Charge, sum_parts
from vtarget.logic.cost import CostModel, Exit
from vtarget.logic.costs import Part
from vtarget.logic.decode import Block

Counts = NDArray[np.int64]
_WAITS = {
    SiteKind.DATA: CyclePart.DATA_WAIT,
    SiteKind.FETCH: CyclePart.FETCH_WAIT,
    SiteKind.BRANCH: CyclePart.BRANCH_REFILL,
}
_PART_OF_KIND = np.array([_WAITS.get(kind, CyclePart.ISSUE) for kind in SiteKind])


@dataclass(frozen=True)
class Split:
    """One epoch's cycles by CyclePart: per transition, per event of its part, and summed per node. Those of one
    transition and of one event are whole unless they are calibrated."""

    edges: Counts | NDArray[np.float64]  # n x parts, of one transition
    events: Counts | NDArray[np.float64]  # n x parts, of one event
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
    sums = [attribution.parts(*way, cycles) for way, cycles in _ways(part, blocks)]
    edges = np.array(sums, dtype=np.int64).reshape(-1, len(CyclePart))[part.ways.of_edge]
    events = _events(part, blocks, attribution)
    nodes = _nodes(part, edges, events)
    final = final_charges(part, blocks, attribution)
    if final:
        nodes[part.record.final_node] += sum_parts(final)
    if not np.array_equal(nodes.sum(axis=1), part.cycles[:, 1]):
        raise RunError("self-check: the waterfall's parts do not add up to the cycles of every block")
    return Split(edges, events, nodes)


def span_waterfall(part: Part, found: Split, span: SpanFacts) -> Waterfall:
    """Of one span, callees included. Where its marks lie inside blocks all parts give way alike."""
    total = (found.edges[span.edges] * span.edge_counts[:, None]).sum(axis=0)
    at, counts = part.counted(span.sites, span.site_counts)
    total = total + (found.events[at] * counts[:, None]).sum(axis=0)
    whole = Waterfall.of(np.rint(total))
    return whole.scaled_to(whole.total + span.adjust_cycles)


def edge_charges(part: Part, blocks: Sequence[Block], attribution: Attribution) -> list[list[Charge]]:
    """What every transition of the record consists of."""
    found = [attribution.edge(*way, cycles) for way, cycles in _ways(part, blocks)]
    return [found[position] for position in part.ways.of_edge.tolist()]


def _ways(part: Part, blocks: Sequence[Block]) -> Iterator[tuple[tuple[Block | None, Exit, Block | None], int]]:
    """The distinct transitions with their nominal cycles."""
    nominal = np.zeros(len(part.ways.rows), dtype=np.int64)
    nominal[part.ways.of_edge] = part.edges[:, 1]
    return zip(part.ways.each(blocks), nominal.tolist(), strict=True)


def final_charges(part: Part, blocks: Sequence[Block], attribution: Attribution) -> list[Charge]:
    """What the last node executed before the run ended."""
    record = part.record
    if record.final_node < 0 or record.final_instructions == 0:
        return []
    block = blocks[record.node_block[record.final_node]].first(record.final_instructions)
    return attribution.edge(block, Exit.END, None, part.final.nominal)


def _events(part: Part, blocks: Sequence[Block], attribution: Attribution) -> Counts:
    record, rows, prices = part.record, part.events[0], part.event_prices[:, 1]
    kinds = record.site_kind[rows]
    parts = np.zeros((len(rows), len(CyclePart)), dtype=np.int64)
    parts[np.arange(len(rows)), _PART_OF_KIND[kinds]] = prices
    by_operands = np.flatnonzero((kinds == SiteKind.OPERANDS) & (prices != 0))  # of the others, all is one part
    rows = rows[by_operands]
    columns = record.node_block[record.site_node[rows]], record.site_insn[rows], prices[by_operands]
    known: dict[tuple[int, int, int], list[int]] = {}
    for at, key in zip(by_operands.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True):
        if key not in known:
            block, index, cycles = key
            known[key] = sum_parts(attribution.site(blocks[block], index, cycles))
        parts[at] = known[key]
    return parts


def _nodes(part: Part, edges: Counts, events: Counts) -> Counts:
    """What leads into a handler belongs to the handler, as in ``costs``."""
    record = part.record
    nodes = np.zeros((len(record.node_block), len(CyclePart)), dtype=np.int64)
    owner = np.where(record.edge_source >= 0, record.edge_source, record.edge_target)
    np.add.at(nodes, owner, edges * record.edge_count[:, None])
    np.add.at(nodes, record.site_node[part.events[0]], events * record.site_counts[part.events][:, None])
    return nodes

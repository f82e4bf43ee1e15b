"""The terms of a record's cycles (``data.calibration.Term``): the parts of its waterfall, split further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import RunError
from vtarget.data.calibration import TERMS, Term
from vtarget.data.core import Refill
from vtarget.data.insn import Insn, Kind
from vtarget.data.record import OPERAND_CLASSES, ExecutionRecord, SiteKind
from vtarget.data.waterfall import CyclePart
from vtarget.logic import isa
from vtarget.logic.attribution import Attribution, Cause, Charge
from vtarget.logic.cost.classes import refill_class
from vtarget.logic.costs import Part
from vtarget.logic.decode import Block
from vtarget.logic.waterfall import edge_charges, final_charges
from vtarget.logic.zones import UNALIGNED

Counts = NDArray[np.int64]
NUMBER = {term: number for number, term in enumerate(TERMS)}
PART_OF = np.array([term.part for term in TERMS])
_ONE_PART = {
    CyclePart.ISSUE: Term.ISSUE,
    CyclePart.FETCH_WAIT: Term.FETCH_WAIT,
    CyclePart.DATA_WAIT: Term.DATA_WAIT,
    CyclePart.INTERRUPT: Term.INTERRUPT,
}
_BRANCHES = {Refill.DIRECT: Term.BRANCH, Refill.COMPARE: Term.BRANCH, Refill.CALL: Term.CALL}
_OPERAND_TERMS = {Kind.DIVIDE: Term.DIVIDE}


@dataclass(frozen=True)
class TermSplit:
    """One epoch's nominal cycles by Term: per transition, per event of a site, and own cycles per node."""

    edges: Counts  # n x terms, of one transition
    sites: Counts  # n x OPERAND_CLASSES x terms, of one event
    nodes: Counts  # n x terms


def term_of(charge: Charge, insns: Sequence[Insn]) -> Term:
    """The term of a charge to one of these instructions."""
    only = _ONE_PART.get(charge.part)
    if only is not None:
        return only
    insn = insns[charge.index]
    if charge.part is CyclePart.BRANCH_REFILL:
        if charge.cause is Cause.MISPREDICTED:
            return Term.MISPREDICTED
        kind = refill_class(insn)
        return Term.BRANCH if kind is None else _BRANCHES.get(kind, Term.RETURN)
    if charge.cause in (Cause.RESULT, Cause.NEXT, Cause.NEXT_WAITS, Cause.RUNNING) and charge.other is not None:
        insn = charge.other if _part_kind(charge.other) is charge.part else insn
    if charge.part is CyclePart.LOAD_STORE:
        return Term.STORE if insn.kind in isa.STORES else Term.LOAD
    if insn.kind is Kind.DIVIDE:
        return Term.DIVIDE
    return Term.FPU if insn.kind in isa.FP_KINDS else Term.MULTIPLY


def _part_kind(insn: Insn) -> CyclePart:
    memory = insn.kind in isa.MEMORY_KINDS or insn.kind is Kind.TABLE_BRANCH
    return CyclePart.LOAD_STORE if memory else CyclePart.FPU_DIVIDE


def charged(charges: Sequence[Charge], insns: Sequence[Insn]) -> list[int]:
    """Cycles by Term."""
    found = [0] * len(TERMS)
    for charge in charges:
        if charge.cycles:
            found[NUMBER[term_of(charge, insns)]] += charge.cycles
    return found


def site_term(kind: SiteKind, event: int) -> Term | None:
    """The term of all that a site's event costs; None where that is a matter of the instruction."""
    if kind == SiteKind.FETCH:
        return Term.FETCH_MISS
    if kind == SiteKind.BRANCH:
        return Term.MISPREDICTED
    if kind == SiteKind.DATA:
        return Term.UNALIGNED if event == UNALIGNED else Term.DATA_MISS if event % 2 else Term.DATA_WAIT
    return None


def split_terms(parts: Sequence[Part], blocks: Sequence[Block]) -> list[TermSplit]:
    """Every epoch's cycles by term; ``blocks`` are those that it was priced with. RunError if they don't add up."""
    attributions = {id(part.pricer.model): Attribution(part.pricer.model, remarks=False) for part in parts}
    return [_split(part, blocks, attributions[id(part.pricer.model)]) for part in parts]


def _split(part: Part, blocks: Sequence[Block], attribution: Attribution) -> TermSplit:
    record = part.record
    codes = [blocks[block].insns for block in record.node_block.tolist()]
    sources = [codes[node] if node >= 0 else () for node in record.edge_source.tolist()]
    charges = edge_charges(part, blocks, attribution)
    rows = [charged(found, insns) for found, insns in zip(charges, sources, strict=True)]
    edges = np.array(rows, dtype=np.int64).reshape(-1, len(TERMS))
    sites = _sites(part, blocks, attribution)
    nodes = np.zeros((len(codes), len(TERMS)), dtype=np.int64)
    owner = np.where(record.edge_source >= 0, record.edge_source, record.edge_target)
    np.add.at(nodes, owner, edges * record.edge_count[:, None])
    np.add.at(nodes, record.site_node, (sites * record.site_counts[:, :, None]).sum(axis=1))
    final = final_charges(part, blocks, attribution)
    if final:
        nodes[record.final_node] += charged(final, codes[record.final_node])
    if not np.array_equal(nodes.sum(axis=1), part.cycles[:, 1]):
        raise RunError("self-check: the terms of the cycles do not add up to the cycles of every block")
    return TermSplit(edges, sites, nodes)


def _sites(part: Part, blocks: Sequence[Block], attribution: Attribution) -> Counts:
    record, prices = part.record, part.sites[:, :, 1]
    sites = np.zeros((len(record.site_node), OPERAND_CLASSES, len(TERMS)), dtype=np.int64)
    for kind in (SiteKind.DATA, SiteKind.FETCH, SiteKind.BRANCH):
        rows = np.flatnonzero(record.site_kind == kind)
        for event in range(OPERAND_CLASSES):
            term = site_term(kind, event)
            assert term is not None
            sites[rows, event, NUMBER[term]] = prices[rows, event]
    block_of, insns = record.node_block[record.site_node].tolist(), record.site_insn.tolist()
    for row in np.flatnonzero(record.site_kind == SiteKind.OPERANDS).tolist():
        block = blocks[block_of[row]]
        for klass in np.flatnonzero(record.site_counts[row]).tolist():
            cycles = int(prices[row, klass])
            sites[row, klass] = charged(attribution.site(block, insns[row], cycles), block.insns)
    return sites


def inclusive(record: ExecutionRecord, splits: Sequence[TermSplit]) -> NDArray[np.float64]:
    """Cycles per function of the record by Term, callees included, over all its calls."""
    nodes = sum((split.nodes for split in splits), np.zeros_like(splits[0].nodes))
    by_chain = np.zeros((len(record.chain_parent), len(TERMS)))
    np.add.at(by_chain, record.context_chain[record.node_context], nodes)
    found = np.zeros((len(record.functions), len(TERMS)))
    members: list[list[int]] = []
    pairs = zip(record.chain_parent.tolist(), record.chain_function.tolist(), strict=True)
    for chain, (parent, function) in enumerate(pairs):
        members.append([*(members[parent] if parent >= 0 else []), function])
        found[members[-1]] += by_chain[chain]
    return found

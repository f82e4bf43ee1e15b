"""``--explain``: the blocks of a kernel, each instruction with what it took and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vtarget.base.errors import InputError, RunError
from vtarget.base.suggest import did_you_mean
from vtarget.data.explanation import ExplainedBlock, ExplainedInsn, Explanation, Why
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.data.waterfall import CyclePart
from vtarget.logic.attribution import HEAD, Attribution, Cause, Charge
from vtarget.logic.calibrated import calibrate_parts, calibrated_board
from vtarget.logic.cost import EXITS, Exit
from vtarget.logic.costs import Part, price_parts, relocated_blocks
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.logic.reasons import Event, Transition, edge_reason, site_reason

_RELATIVE = re.compile(r"pc[+-]0x[0-9a-f]+$")


@dataclass
class _Tally:
    """What one block of the record took: executions by instruction, and (times, cycles) by instruction and reason."""

    entered: int = 0
    executed: list[int] = field(default_factory=list)
    whys: dict[tuple[int, CyclePart, str], list[int]] = field(default_factory=dict)
    slots: dict[int, int] = field(default_factory=dict)

    def add(self, index: int, charge: Charge, text: str | None, times: int) -> None:
        cycles = charge.cycles * times
        if text is None:
            self.slots[index] = self.slots.get(index, 0) + cycles
            return
        found = self.whys.setdefault((index, charge.part, text), [0, 0])
        found[0] += times
        found[1] += cycles

    def reasons(self, index: int) -> tuple[Why, ...]:
        found = [Why(text, part, *sums) for (at, part, text), sums in self.whys.items() if at == index]
        return tuple(sorted(found, key=lambda why: (-abs(why.cycles), why.part, why.text)))

    def cycles(self, index: int) -> int:
        return self.slots.get(index, 0) + sum(sums[1] for (at, _, _), sums in self.whys.items() if at == index)


def explain(
    record: ExecutionRecord,
    pricer: Pricer,
    kernel: str,
    *,
    callees: bool = False,
    source_line: Callable[[int], str | None] | None = None,
) -> Explanation:
    """What the blocks of ``kernel`` took in the whole record; ``callees``: also those of all that it calls.

    ``source_line`` gives ``file:line`` of an address. All cycles are the model's own, also where the pricer has a
    calibration: its factors are of all of a term, not of one instruction. InputError for a kernel that didn't run.
    """
    parts = price_parts(record, pricer, None)
    blocks = relocated_blocks(record, pricer.board)
    nodes = _nodes(record, kernel, callees=callees)
    tallies: dict[int, _Tally] = {}
    for part in parts:
        _tally(part, blocks, nodes, tallies)
    functions = {int(record.node_block[node]): int(record.node_context[node]) for node in sorted(nodes, reverse=True)}
    names = {block: record.functions[record.context_function[context]].name for block, context in functions.items()}
    known = {function.address: function.name for function in record.functions}
    listed = [
        _block(int(record.block_address[block]), blocks[block], names[block], tally, known, source_line)
        for block, tally in tallies.items()
    ]
    total = sum(int(part.cycles[sorted(nodes), 1].sum()) for part in parts)
    if sum(block.cycles for block in listed) != total:
        raise RunError(f"self-check: the explained blocks of {kernel} do not add up to its {total} cycles")
    found = tuple(sorted(listed, key=lambda b: (-b.cycles, b.address)))
    return Explanation(kernel, callees, total, found, calibrated_cycles=_calibrated(pricer, parts, blocks, nodes))


def _calibrated(pricer: Pricer, parts: Sequence[Part], blocks: Sequence[Block], nodes: set[int]) -> int | None:
    """What the nodes take by the pricer's calibration; None without one."""
    if pricer.calibration is None:
        return None
    board = calibrated_board(pricer.board, pricer.calibration)
    scaled, _ = calibrate_parts(parts, blocks, pricer.calibration.fit, board, None)
    return sum(int(part.cycles[sorted(nodes), 1].sum()) for part in scaled)


def noted(explanation: Explanation, note: str | None) -> Explanation:
    """The explanation with a note on why it has no source lines."""
    return replace(explanation, note=note)


def _nodes(record: ExecutionRecord, kernel: str, *, callees: bool) -> set[int]:
    wanted = {i for i, function in enumerate(record.functions) if kernel in (function.name, _plain(function.name))}
    if callees:
        chains = set()
        pairs = zip(record.chain_parent.tolist(), record.chain_function.tolist(), strict=True)
        for chain, (parent, function) in enumerate(pairs):
            if function in wanted or parent in chains:
                chains.add(chain)
        contexts = [chain in chains for chain in record.context_chain.tolist()]
    else:
        contexts = [function in wanted for function in record.context_function.tolist()]
    ran = np.unique(record.edge_source[record.edge_count > 0]).tolist()
    ran += np.unique(record.edge_target[record.edge_count > 0]).tolist()
    alive = {node for node in (*ran, record.final_node) if node >= 0}
    found = {node for node, context in enumerate(record.node_context.tolist()) if contexts[context]} & alive
    if not found:
        names = sorted({f.name for f in record.functions})
        raise InputError(f"--explain: no kernel '{kernel}' ran", hint=did_you_mean(kernel, names))
    return found


def _plain(name: str) -> str:
    """A C++ name without its parameters."""
    return name.partition("(")[0]


def _tally(part: Part, blocks: Sequence[Block], nodes: set[int], tallies: dict[int, _Tally]) -> None:
    """Add one epoch's transitions and sites of the nodes."""
    record, attribution = part.record, Attribution(part.pricer.model)
    node_block = record.node_block.tolist()

    def of(node: int) -> _Tally:
        block = node_block[node]
        found = tallies.get(block)
        if found is None:
            found = tallies[block] = _Tally(executed=[0] * len(blocks[block].insns))
        return found

    rows = zip(
        record.edge_source.tolist(),
        record.edge_target.tolist(),
        record.edge_exit.tolist(),
        record.edge_executed.tolist(),
        record.edge_count.tolist(),
        part.edges[:, 1].tolist(),
        strict=True,
    )
    for source, target, leaving, executed, count, nominal in rows:
        if target in nodes:
            of(target).entered += count
        owner = source if source >= 0 else target
        if owner not in nodes or not count:
            continue
        block = blocks[node_block[source]] if source >= 0 else None
        if block is not None and executed >= 0:
            block = block.first(executed)
        at = Transition(block, EXITS[leaving], blocks[node_block[target]] if target >= 0 else None)
        _add(of(owner), part.pricer, attribution, at, nominal, count)
    _add_final(part, blocks, nodes, attribution, of)
    _add_sites(part, blocks, nodes, attribution, of)


def _add(tally: _Tally, pricer: Pricer, attribution: Attribution, at: Transition, nominal: int, count: int) -> None:
    for index in range(len(at.source.insns) if at.source is not None else 0):
        tally.executed[index] += count
    for charge in attribution.edge(at.source, at.leaving, at.target, nominal):
        tally.add(charge.index, charge, edge_reason(pricer, charge, at), count)


def _add_final(
    part: Part, blocks: Sequence[Block], nodes: set[int], attribution: Attribution, of: Callable[[int], _Tally]
) -> None:
    record = part.record
    if record.final_node not in nodes or not record.final_instructions:
        return
    block = blocks[record.node_block[record.final_node]].first(record.final_instructions)
    _add(of(record.final_node), part.pricer, attribution, Transition(block, Exit.END, None), part.final.nominal, 1)


def _add_sites(
    part: Part, blocks: Sequence[Block], nodes: set[int], attribution: Attribution, of: Callable[[int], _Tally]
) -> None:
    record = part.record
    waits = {
        SiteKind.DATA: (CyclePart.DATA_WAIT, Cause.DATA),
        SiteKind.FETCH: (CyclePart.FETCH_WAIT, Cause.LINE_MISS),
        SiteKind.BRANCH: (CyclePart.BRANCH_REFILL, Cause.MISPREDICTED),
    }
    rows = zip(record.site_node.tolist(), record.site_insn.tolist(), record.site_kind.tolist(), strict=True)
    for row, (node, index, number) in enumerate(rows):
        if node not in nodes:
            continue
        kind, block = SiteKind(number), blocks[record.node_block[node]]
        for klass in np.flatnonzero(record.site_counts[row]).tolist():
            cycles, times = int(part.sites[row, klass, 1]), int(record.site_counts[row, klass])
            if kind is SiteKind.OPERANDS:
                charges = attribution.site(block, index, cycles)
            else:
                charges = [Charge(HEAD, waits[kind][0], cycles, waits[kind][1])] if cycles else []
            event = Event(kind, block, index, klass, (int(record.site_low[row]), int(record.site_high[row])))
            for charge in charges:
                of(node).add(index, charge, site_reason(part.pricer, charge, event), times)


def _block(
    address: int,
    block: Block,
    function: str,
    tally: _Tally,
    functions: dict[int, str],
    source_line: Callable[[int], str | None] | None,
) -> ExplainedBlock:
    """A block in words; ``address`` is where the image has it, which ``block`` may not be on another board."""
    shift = address - block.address
    insns = tuple(
        ExplainedInsn(
            at + shift,
            _text(insn.text, None if insn.branch_offset is None else at + shift + insn.branch_offset, functions),
            tally.executed[index],
            tally.cycles(index),
            tally.reasons(index),
            None if source_line is None else source_line(at + shift),
        )
        for index, (at, insn) in enumerate(zip(block.addresses, block.insns, strict=True))
    )
    whys = tally.reasons(HEAD)
    cycles = sum(insn.cycles for insn in insns) + tally.cycles(HEAD)
    return ExplainedBlock(address, function, tally.entered, cycles, insns, whys)


def _text(text: str, target: int | None, functions: dict[int, str]) -> str:
    """The instruction with the address that it branches to."""
    if target is None:
        return text
    name = functions.get(target)
    return _RELATIVE.sub(f"0x{target:08x}" + (f" <{name}>" if name else ""), text)

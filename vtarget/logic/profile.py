"""From facts to costs: prices every transition of a record and sums over kernels, call chains and spans."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError, RunError
from vtarget.data.board import Board, Region
from vtarget.data.cycles import Cycles
from vtarget.data.image import RegionUse
from vtarget.data.profile import Bound, Kernel, Memory, Profile, Span
from vtarget.data.record import OPERAND_CLASSES, ExecutionRecord, SpanFacts
from vtarget.logic.cost import EXITS, Exit, missing_feature
from vtarget.logic.decode import Block
from vtarget.logic.energy import Power, energy, power_at
from vtarget.logic.memory_cost import high_budget_pct
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import executed_per_edge

Prices = NDArray[np.int64]  # n x 3: low, nominal, high
NO_LIVE_CYCLES = -1
CODE_KINDS = frozenset({"flash", "mram", "xip", "rom"})


@dataclass(frozen=True)
class _Priced:
    """Everything that has a price: per edge, per site and class, and the unfinished last block."""

    edges: Prices
    sites: NDArray[np.int64]  # n x OPERAND_CLASSES x 3
    final: Cycles
    lengths: NDArray[np.int64]  # instructions per node


def build_profile(record: ExecutionRecord, pricer: Pricer, *, power_state: str | None = None) -> Profile:
    """Price a record. InputError if the board's core lacks an instruction that ran; RunError if sums disagree."""
    check_runnable(record, pricer)
    blocks = relocated_blocks(record, pricer.board)
    priced = _price(record, pricer, blocks)
    power = power_at(pricer.board, pricer.clock_hz, power_state)
    node_cycles = _node_cycles(record, priced)
    total = node_cycles.sum(axis=0)
    _check_live(record, pricer, int(total[1]))
    cycles = _with_budget(record, pricer, blocks, node_cycles)
    latency = cycles.scaled(1 / pricer.clock_hz)
    return Profile(
        board=pricer.board.name,
        core=pricer.board.core,
        clock_hz=pricer.clock_hz,
        firmware_path=record.image_path,
        firmware_sha256=record.image_sha256,
        exit=record.exit,
        instructions=record.instructions,
        cycles=cycles,
        latency_s=latency,
        energy_j=energy(power, latency),
        power_source=power.source if power else "no power figure for this board",
        provenance="uncalibrated",
        kernels=_kernels(record, priced, node_cycles[:, 1], pricer.clock_hz, power),
        spans=tuple(_span(record, priced, span, pricer.clock_hz, power) for span in record.spans),
        memory=_memory(record, pricer.board),
        console=record.console,
        not_modelled=_not_modelled(record, pricer, power),
    )


def restricted(record: ExecutionRecord, span: SpanFacts) -> ExecutionRecord:
    """The record of one span alone, as if nothing had run before and after it; its own call counts as the first."""
    edge_count, site_counts = np.zeros_like(record.edge_count), np.zeros_like(record.site_counts)
    edge_count[span.edges] = span.edge_counts
    site_counts[span.sites] = span.site_counts
    lengths = np.array(
        [len(Block(int(a), c).insns) for a, c in zip(record.block_address, record.block_code, strict=True)],
        dtype=np.int64,
    )
    per_edge = executed_per_edge(record, lengths[record.node_block])[span.edges] * span.edge_counts
    return replace(
        record,
        edge_count=edge_count,
        site_counts=site_counts,
        final_node=-1,
        final_instructions=0,
        instructions=int(per_edge.sum()),
        live_cycles=NO_LIVE_CYCLES,
        spans=(),
    )


def check_runnable(record: ExecutionRecord, pricer: Pricer) -> None:
    """InputError if an executed instruction is not one of the board's core."""
    for address, code in zip(record.block_address, record.block_code, strict=True):
        block = Block(int(address), code)
        for at, insn in zip(block.addresses, block.insns, strict=True):
            missing = missing_feature(pricer.core, insn)
            if missing is not None and record.board != pricer.board.name:
                raise InputError(
                    f"the record executed '{insn.text}' at 0x{at:08x}, which {pricer.board.core} of board "
                    f"{pricer.board.name} lacks ({missing})",
                    hint=f"it was made on {record.board} ({record.core})",
                )


def relocated_blocks(record: ExecutionRecord, board: Board) -> list[Block]:
    """The record's blocks where they would lie on ``board``: in place if it has memory there, else in the region of
    the same role (code in the boot region, data in the largest RAM), at the same offset."""
    return [
        Block(_relocated(record, board, int(address), len(code)), code)
        for address, code in zip(record.block_address, record.block_code, strict=True)
    ]


def _relocated(record: ExecutionRecord, board: Board, address: int, size_bytes: int) -> int:
    if board.region_at(address, size_bytes) is not None:
        return address
    for region in record.regions:
        if region.base <= address < region.base + region.size_bytes:
            target = _same_role(region.kind, board)
            return target.base + (address - region.base) % target.size
    return address


def _same_role(kind: str, board: Board) -> Region:
    if kind in CODE_KINDS:
        return board.region(board.boot.region)
    ram = [r for r in board.regions if r.writable and r.alias_of is None]
    return max(ram, key=lambda r: r.size) if ram else board.region(board.boot.region)


def _price(record: ExecutionRecord, pricer: Pricer, blocks: list[Block]) -> _Priced:
    lengths = np.array([len(b.insns) for b in blocks], dtype=np.int64)
    node_block = record.node_block.tolist()
    executed = record.edge_executed.tolist()
    edges = np.zeros((len(record.edge_count), 3), dtype=np.int64)
    rows = zip(record.edge_source.tolist(), record.edge_target.tolist(), record.edge_exit.tolist(), strict=True)
    for row, (source, target, leaving) in enumerate(rows):
        cost = pricer.edge(
            _executed(blocks[node_block[source]], executed[row]) if source >= 0 else None,
            EXITS[leaving],
            blocks[node_block[target]] if target >= 0 else None,
        )
        edges[row] = (cost.low, cost.nominal, cost.high)
    sites = np.zeros((len(record.site_node), OPERAND_CLASSES, 3), dtype=np.int64)
    for row, (node, index) in enumerate(zip(record.site_node.tolist(), record.site_insn.tolist(), strict=True)):
        for operands in np.flatnonzero(record.site_counts[row]).tolist():
            cost = pricer.site(blocks[node_block[node]], index, operands)
            sites[row, operands] = (cost.low, cost.nominal, cost.high)
    return _Priced(edges, sites, _final(record, pricer, blocks), lengths[record.node_block])


def _final(record: ExecutionRecord, pricer: Pricer, blocks: list[Block]) -> Cycles:
    if record.final_node < 0 or record.final_instructions == 0:
        return Cycles(0, 0, 0)
    block = blocks[record.node_block[record.final_node]]
    return pricer.edge(_executed(block, record.final_instructions), Exit.END, None)


def _executed(block: Block, count: int) -> Block:
    """The block's first ``count`` instructions; all of them if negative."""
    if count < 0:
        return block
    return Block(block.address, block.code[: sum(i.size for i in block.insns[:count])])


def _node_cycles(record: ExecutionRecord, priced: _Priced) -> Prices:
    """Own cycles per node, nodes x 3. What leads into a handler belongs to the handler."""
    cycles = np.zeros((len(record.node_block), 3), dtype=np.int64)
    owner = np.where(record.edge_source >= 0, record.edge_source, record.edge_target)
    np.add.at(cycles, owner, priced.edges * record.edge_count[:, None])
    np.add.at(cycles, record.site_node, (priced.sites * record.site_counts[:, :, None]).sum(axis=1))
    if record.final_node >= 0:
        cycles[record.final_node] += (priced.final.low, priced.final.nominal, priced.final.high)
    return cycles


def _node_instructions(record: ExecutionRecord, priced: _Priced) -> NDArray[np.int64]:
    instructions = np.zeros(len(record.node_block), dtype=np.int64)
    inner = record.edge_source >= 0
    per_edge = executed_per_edge(record, priced.lengths) * record.edge_count
    np.add.at(instructions, record.edge_source[inner], per_edge[inner])
    if record.final_node >= 0:
        instructions[record.final_node] += record.final_instructions
    return instructions


def _as_it_ran(record: ExecutionRecord, pricer: Pricer) -> bool:
    """Whether this prices the very board, clock and placement that the record was made with."""
    same_board = record.board_sha256 == pricer.board_sha256
    return same_board and record.clock_hz == pricer.clock_hz and not pricer.fetch.what_if


def _check_live(record: ExecutionRecord, pricer: Pricer, total: int) -> None:
    """On the board and clock of the run, the priced total must be what the live clock counted."""
    if _as_it_ran(record, pricer) and record.live_cycles not in (total, NO_LIVE_CYCLES):
        raise RunError(f"self-check: the live clock counted {record.live_cycles} cycles, kernels add up to {total}")


def _with_budget(record: ExecutionRecord, pricer: Pricer, blocks: list[Block], node_cycles: Prices) -> Bound:
    """Summed bounds, widened by the core's error budget and by what memory may add where the code executed."""
    low, nominal, high = (int(v) for v in node_cycles.sum(axis=0))
    budget = pricer.core.error_budget
    by_region: dict[str, int] = {}
    regions = {}
    for node, cycles in enumerate(node_cycles[:, 2].tolist()):
        region = pricer.fetch.region(blocks[record.node_block[node]].address)
        if region is not None:
            regions[region.name] = region
            by_region[region.name] = by_region.get(region.name, 0) + cycles
    memory = sum(cycles * high_budget_pct(pricer.fetch, regions[name]) / 100 for name, cycles in by_region.items())
    return Bound(
        float(int(low * (1 - budget.low_pct / 100))),
        float(nominal),
        float(-int(-(high * (1 + budget.high_pct / 100) + memory) // 1)),
    )


def _members(record: ExecutionRecord) -> list[list[int]]:
    """The functions active in each chain."""
    members: list[list[int]] = []
    pairs = zip(record.chain_parent.tolist(), record.chain_function.tolist(), strict=True)
    for parent, function in pairs:
        members.append([*(members[parent] if parent >= 0 else []), function])
    return members


def _kernels(
    record: ExecutionRecord, priced: _Priced, cycles: NDArray[np.int64], clock_hz: int, power: Power | None
) -> tuple[Kernel, ...]:
    count = len(record.functions)
    functions = record.context_function[record.node_context]
    own, instructions = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(own, functions, cycles)
    np.add.at(instructions, functions, _node_instructions(record, priced))
    by_chain = np.zeros(len(record.chain_parent), dtype=np.int64)
    np.add.at(by_chain, record.context_chain[record.node_context], cycles)
    inclusive = np.zeros(count, dtype=np.int64)
    for chain, members in enumerate(_members(record)):
        inclusive[members] += by_chain[chain]
    calls = np.zeros(count, dtype=np.int64)
    calling = record.edge_call >= 0
    np.add.at(calls, record.edge_call[calling], record.edge_count[calling])
    kernels = [
        Kernel(
            f.name,
            f.address,
            int(calls[i]),
            int(instructions[i]),
            int(own[i]),
            int(inclusive[i]),
            int(own[i]) / clock_hz,
            power.watts.nominal * int(own[i]) / clock_hz if power else None,
        )
        for i, f in enumerate(record.functions)
        if instructions[i] or calls[i]
    ]
    if sum(k.cycles for k in kernels) != int(cycles.sum()):
        raise RunError("self-check: kernels' own cycles do not add up to the total")
    return tuple(sorted(kernels, key=lambda k: (-k.cycles, k.address)))


def _span(record: ExecutionRecord, priced: _Priced, span: SpanFacts, clock_hz: int, power: Power | None) -> Span:
    cycles = int((priced.edges[span.edges, 1] * span.edge_counts).sum())
    cycles += int((priced.sites[span.sites, :, 1] * span.site_counts).sum())
    instructions = int((executed_per_edge(record, priced.lengths)[span.edges] * span.edge_counts).sum())
    seconds = cycles / clock_hz
    return Span(span.name, span.index, instructions, cycles, seconds, power.watts.nominal * seconds if power else None)


def _memory(record: ExecutionRecord, board: Board) -> Memory:
    """Region use on ``board``: the record's, or what it comes to where regions have the same role."""
    kinds = {r.name: r for r in board.regions}
    same = record.board == board.name and all(use.name in kinds for use in record.memory)
    uses = record.memory if same else _moved_use(record, board)
    flash = sum(u.used_bytes for u in uses if not kinds[u.name].writable)
    ram = sum(u.used_bytes for u in uses if kinds[u.name].writable)
    return Memory(flash, ram, max((s.bytes for s in record.stacks), default=0), uses, record.stacks)


def _moved_use(record: ExecutionRecord, board: Board) -> tuple[RegionUse, ...]:
    used = {r.name: 0 for r in board.regions if r.alias_of is None}
    recorded = {r.name: r for r in record.regions}
    for use in record.memory:
        region = recorded[use.name]
        target = board.region_at(region.base) or _same_role(region.kind, board)
        name = target.alias_of or target.name
        used[name] += use.used_bytes
    return tuple(RegionUse(name, used_bytes, board.region(name).size) for name, used_bytes in used.items())


def _not_modelled(record: ExecutionRecord, pricer: Pricer, power: Power | None) -> tuple[str, ...]:
    notes = list(record.not_modelled)
    if power is None:
        notes.append("energy: no power figure is known for this board")
    for region in sorted({r for b in record.block_address.tolist() if (r := pricer.fetch.region_name(b))}):
        notes.extend(pricer.fetch.notes(pricer.board.region(region)))
    if record.clock_reads and not _as_it_ran(record, pricer):
        ran = f"{record.board} at {record.clock_hz / 1e6:g} MHz"
        notes.append(
            f"the firmware read the clock {record.clock_reads} times on {ran}: a fresh run could go other ways"
        )
    return tuple(notes)

"""From facts to costs: prices every transition of a record and sums over kernels, call chains and spans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError, RunError
from vtarget.data.board import Board
from vtarget.data.calibration import AppliedCalibration
from vtarget.data.core import emulation
from vtarget.data.image import RegionUse
from vtarget.data.insn import Flow
from vtarget.data.profile import Bound, CalibrationFacts, Kernel, Memory, Profile, Span
from vtarget.data.record import ExecutionRecord, SpanFacts
from vtarget.data.waterfall import Waterfall
from vtarget.logic.calibrated import calibrate_parts, calibrated_board, calibration_notes
from vtarget.logic.contexts import call_tree
from vtarget.logic.cost import EXITS, Exit, missing_feature
from vtarget.logic.costs import (
    Part,
    branches_followed,
    follows_firmware,
    node_instructions,
    price_parts,
    relocated_blocks,
    same_role,
    watching,
)
from vtarget.logic.decode import Block
from vtarget.logic.duty import battery_life, duty_of, sleeping
from vtarget.logic.energy import Power
from vtarget.logic.pricing import Pricer
from vtarget.logic.selfcheck import executed_per_edge
from vtarget.logic.timelines import part_of, timeline_of
from vtarget.logic.waterfall import Split, by_function, span_waterfall, split_parts, sum_nodes

NO_LIVE_CYCLES = -1
_ENTRIES = [EXITS.index(leaving) for leaving in (Exit.ENTRY, Exit.ENTRY_FP, Exit.TAIL_CHAIN)]


def build_profile(
    record: ExecutionRecord,
    pricer: Pricer,
    *,
    power_state: str | None = None,
    battery_mah: float | None = None,
    waterfall: bool = True,
) -> Profile:
    """Price a record; without ``waterfall`` a little quicker.

    InputError if the board's core lacks an instruction that ran; RunError if sums disagree.
    """
    check_runnable(record, pricer)
    pricer = watching(record, pricer)
    parts = price_parts(record, pricer, power_state)
    _check_live(record, pricer, sum(int(part.cycles[:, 1].sum()) for part in parts))
    blocks, board, applied = relocated_blocks(record, pricer.board), pricer.board, pricer.calibration
    splits = None
    if applied is not None:
        board = calibrated_board(board, applied)
        parts, splits = calibrate_parts(parts, blocks, applied.fit, board, power_state)
    elif waterfall:
        splits = split_parts(parts, blocks)
    power = parts[-1].power
    latency = _sum(part.seconds for part in parts)
    joules = _sum(part.joules for part in parts if part.joules) if power else None
    pinned_hz = None if follows_firmware(record, pricer) else pricer.clock_hz
    asleep = sleeping(record, board, pinned_hz, power_state)
    duty = duty_of(latency, joules, asleep)
    return Profile(
        board=pricer.board.name,
        core=pricer.board.core,
        clock_hz=parts[-1].pricer.clock_hz,
        firmware_path=record.image_path,
        firmware_sha256=record.image_sha256,
        exit=record.exit,
        instructions=record.instructions,
        cycles=_sum(part.total for part in parts),
        latency_s=latency,
        energy_j=joules,
        power_source=power.source if power else "no power figure for this board",
        provenance="uncalibrated" if applied is None else "calibrated",
        kernels=_kernels(record, parts, splits),
        spans=tuple(_span(parts, splits, span) for span in record.spans),
        memory=_memory(record, pricer.board),
        console=record.console,
        not_modelled=(
            *_not_modelled(record, pricer, power),
            *(calibration_notes(record, pricer, applied) if applied is not None else ()),
        ),
        sleep=asleep,
        duty=duty,
        battery=battery_life(duty, battery_mah, power.volts) if battery_mah and power else None,
        waterfall=None if splits is None else Waterfall.of(sum_nodes(splits).sum(axis=0)),
        calibration=None if applied is None else _facts(applied),
        contexts=call_tree(record, parts),
        timeline=timeline_of(record),
        timeline_note=_timeline_note(record, pricer),
    )


def _timeline_note(record: ExecutionRecord, pricer: Pricer) -> str:
    """Why the moments of the timeline don't fit the priced cycles; empty if they do."""
    if record.timeline is None:
        return ""
    if not _as_it_ran(record, pricer) or record.timeline.board != pricer.board.name:
        clocks = sorted({change.clock_hz for change in record.timeline.clocks})
        at = " to ".join(f"{hz / 1e6:g} MHz" for hz in dict.fromkeys((clocks[0], clocks[-1])))
        return f"moments are those of the recorded run, on {record.timeline.board} at {at}"
    return "moments are the model's, without the calibration" if pricer.calibration is not None else ""


def _facts(applied: AppliedCalibration) -> CalibrationFacts:
    return CalibrationFacts(applied.file, applied.fit.date, applied.fit.board_serial, applied.fit.error_pct)


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
    epochs = tuple(
        replace(
            epoch,
            edges=span.edges,
            edge_counts=span.edge_counts,
            sites=span.sites,
            site_counts=span.site_counts,
        )
        for epoch in record.epochs[span.epoch : span.epoch + 1]
    )
    return replace(
        record,
        epochs=epochs,
        sleep=(),
        unfinished=record.unfinished[:0],
        edge_count=edge_count,
        site_counts=site_counts,
        final_node=-1,
        final_instructions=0,
        instructions=int(per_edge.sum()),
        live_cycles=NO_LIVE_CYCLES,
        spans=(),
        timeline=part_of(timeline_of(record), span.begin_cycle, span.end_cycle),
    )


def check_runnable(record: ExecutionRecord, pricer: Pricer) -> None:
    """InputError if an executed instruction is not one of the board's core."""
    if record.board == pricer.board.name:
        return
    provided = frozenset(pricer.core.features)
    for start, block in zip(record.block_address.tolist(), relocated_blocks(record, pricer.board), strict=True):
        if provided.issuperset([insn.feature for insn in block.insns]):
            continue
        for at, insn in zip(block.addresses, block.insns, strict=True):
            if (missing := missing_feature(pricer.core, insn)) is not None:
                raise InputError(
                    f"the record executed '{insn.text}' at 0x{at - block.address + start:08x}, which "
                    f"{pricer.board.core} of board {pricer.board.name} lacks ({missing})",
                    hint=f"it was made on {record.board} ({record.core})",
                )


def _as_it_ran(record: ExecutionRecord, pricer: Pricer) -> bool:
    """Whether this prices the very board, clock and placement that the record was made with."""
    if record.board != pricer.board.name or pricer.memory.what_if:
        return False
    asked = record.clock_hz == pricer.clock_hz and not any(epoch.clock_hz for epoch in record.epochs)
    same_clock = follows_firmware(record, pricer) or asked
    return same_clock and record.board_sha256 == pricer.board_sha256


def _check_live(record: ExecutionRecord, pricer: Pricer, total: int) -> None:
    """On the board and clock of the run, the priced total must be what the live clock counted."""
    if _as_it_ran(record, pricer) and record.live_cycles not in (total, NO_LIVE_CYCLES):
        raise RunError(f"self-check: the live clock counted {record.live_cycles} cycles, kernels add up to {total}")


def _members(record: ExecutionRecord) -> list[list[int]]:
    """The functions active in each chain."""
    members: list[list[int]] = []
    pairs = zip(record.chain_parent.tolist(), record.chain_function.tolist(), strict=True)
    for parent, function in pairs:
        members.append([*(members[parent] if parent >= 0 else []), function])
    return members


def _sum(bounds: Iterable[Bound]) -> Bound:
    found = list(bounds)
    return Bound(sum(b.low for b in found), sum(b.nominal for b in found), sum(b.high for b in found))


def _kernels(record: ExecutionRecord, parts: list[Part], splits: list[Split] | None) -> tuple[Kernel, ...]:
    functions = record.context_function[record.node_context]
    cycles = sum((part.cycles[:, 1] for part in parts), np.zeros(len(functions), dtype=np.int64))
    seconds, joules = _per_function(record, parts, functions)
    count = len(record.functions)
    own, instructions = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(own, functions, cycles)
    for part in parts:
        np.add.at(instructions, functions, node_instructions(part))
    by_chain = np.zeros(len(record.chain_parent), dtype=np.int64)
    np.add.at(by_chain, record.context_chain[record.node_context], cycles)
    inclusive = np.zeros(count, dtype=np.int64)
    for chain, members in enumerate(_members(record)):
        inclusive[members] += by_chain[chain]
    calls = np.zeros(count, dtype=np.int64)
    calling = record.edge_call >= 0
    np.add.at(calls, record.edge_call[calling], record.edge_count[calling])
    taken = calling & (record.edge_source < 0) & np.isin(record.edge_exit, _ENTRIES)
    interrupts = np.zeros(count, dtype=np.int64)
    np.add.at(interrupts, record.edge_call[taken], record.edge_count[taken])
    falls = None if splits is None else by_function(record, splits)
    kernels = [
        Kernel(
            f.name,
            f.address,
            int(calls[i]),
            int(instructions[i]),
            int(own[i]),
            int(inclusive[i]),
            float(seconds[i]),
            float(joules[i]) if parts[-1].power else None,
            int(interrupts[i]),
            None if falls is None else Waterfall.of(falls[i]),
        )
        for i, f in enumerate(record.functions)
        if instructions[i] or calls[i]
    ]
    if sum(k.cycles for k in kernels) != int(cycles.sum()):
        raise RunError("self-check: kernels' own cycles do not add up to the total")
    return tuple(sorted(kernels, key=lambda k: (-k.cycles, k.address)))


def _per_function(
    record: ExecutionRecord, parts: list[Part], functions: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and joules inside each function. Whole cycles are summed per epoch first, so that sums stay exact."""
    seconds, joules = np.zeros(len(record.functions)), np.zeros(len(record.functions))
    for part in parts:
        own = np.zeros(len(record.functions), dtype=np.int64)
        np.add.at(own, functions, part.cycles[:, 1])
        seconds += own / part.pricer.clock_hz
        if part.power is not None:
            joules += part.power.watts.nominal * own / part.pricer.clock_hz
    return seconds, joules


def _span(parts: list[Part], splits: list[Split] | None, span: SpanFacts) -> Span:
    epoch = span.epoch if len(parts) > 1 else 0
    part = parts[epoch]
    cycles = int((part.edges[span.edges, 1] * span.edge_counts).sum())
    at, counts = part.counted(span.sites, span.site_counts)
    cycles += int((part.event_prices[at, 1] * counts).sum()) + span.adjust_cycles
    instructions = int((executed_per_edge(part.record, part.lengths)[span.edges] * span.edge_counts).sum())
    instructions += span.adjust_instructions
    waterfall = None if splits is None else span_waterfall(part, splits[epoch], span)
    if waterfall is not None and part.pricer.calibration is not None:
        cycles = waterfall.total
    seconds = cycles / part.pricer.clock_hz
    joules = part.power.watts.nominal * seconds if part.power else None
    return Span(span.name, span.index, instructions, cycles, seconds, joules, waterfall)


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
        target = board.region_at(region.base) or same_role(region.kind, board)
        name = target.alias_of or target.name
        used[name] += use.used_bytes
    return tuple(RegionUse(name, used_bytes, board.region(name).size) for name, used_bytes in used.items())


def _branches(record: ExecutionRecord) -> bool:
    """Whether a conditional branch executed."""
    blocks = (Block(int(a), code) for a, code in zip(record.block_address, record.block_code, strict=True))
    return any(block.insns and block.insns[-1].flow is Flow.CONDITIONAL for block in blocks)


def _not_modelled(record: ExecutionRecord, pricer: Pricer, power: Power | None) -> tuple[str, ...]:
    notes = list(record.not_modelled)
    if pricer.core.emulated_as is not None:
        notes.append(f"{pricer.core.name}: {emulation(pricer.core)}")
    if power is None:
        notes.append("energy: no power figure is known for this board")
    for region in sorted({r for b in record.block_address.tolist() if (r := pricer.memory.region_name(b))}):
        notes.extend(pricer.memory.notes(pricer.board.region(region)))
    if pricer.core.predictor is not None and not branches_followed(record) and _branches(record):
        notes.append("branches: how this run's are predicted is not known, each counts as on an average")
    if _as_it_ran(record, pricer):
        return tuple(notes)
    ran = f"{record.board} at {record.clock_hz / 1e6:g} MHz"
    if record.clock_reads:
        notes.append(
            f"the firmware read the clock {record.clock_reads} times on {ran}: a fresh run could go other ways"
        )
    if record.sleep or np.isin(record.edge_exit, _ENTRIES).any():
        notes.append(f"interrupts and sleep came when they did on {ran}: in a fresh run they could come at other times")
    return tuple(notes)

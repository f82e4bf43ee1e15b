"""What a recorder has gathered, as the tables of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vtarget.data.record import ExecutionRecord, Exit, Frame, RecordedFunction, RecordedRegion
from vtarget.logic.cost import EXITS
from vtarget.logic.cost import Exit as Leaving
from vtarget.logic.decode import Block, open_conditions
from vtarget.logic.placement import memory_use
from vtarget.shell.clock import LiveClock
from vtarget.shell.recorder import Recorder

if TYPE_CHECKING:
    from vtarget.shell.machine import Machine

MOST_FRAMES = 1000
MOST_PINS = 8  # that a note names


def make_record(machine: Machine, ended: Exit, executed: int) -> ExecutionRecord:
    """The record of a run that has ended, after ``executed`` instructions of its last block."""
    recorder, pricer, board = machine.recorder, machine.pricer, machine.board
    live_cycles = LiveClock(machine.engine, recorder).after_instructions(executed)
    return ExecutionRecord(
        image_path=machine.image.path,
        image_sha256=machine.image.sha256,
        board=board.name,
        core=board.core,
        board_sha256=pricer.board_sha256,
        clock_hz=pricer.clock_hz,
        regions=tuple(RecordedRegion(r.name, r.kind.value, r.base, r.size) for r in board.regions),
        final_instructions=executed,
        instructions=recorder.instructions + executed,
        live_cycles=live_cycles,
        exit=ended,
        console=machine.consoles.console.text,
        memory=memory_use(machine.image, board),
        clock_reads=machine.chipset.system.clock_reads + machine.consoles.clock_reads,
        not_modelled=_not_modelled(machine),
        sleep=machine.waiting.result(),
        epochs=machine.epochs.result(),
        sections=machine.image.sections,
        timeline=recorder.moments.result(board.name, live_cycles + recorder.moments.asleep),
        **recorded_tables(recorder),
    )


def _not_modelled(machine: Machine) -> tuple[str, ...]:
    chipset, recorder = machine.chipset, machine.recorder
    notes = sorted(chipset.control.notes | chipset.backplane.notes)
    for address, times in sorted(chipset.system.untouched.items()):
        notes.append(f"register 0x{address:08x} behaves as plain memory ({times} accesses)")
    notes.extend(chipset.plain.notes())
    notes.extend(machine.consoles.notes)
    spans = recorder.spans
    if spans.dropped:
        notes.append(f"{spans.dropped} spans beyond the first {len(spans.closed)} not kept")
    notes.extend(f"span {name} was begun and not left" for name in spans.open_names)
    silent = sorted(set(machine.options.span_pins) - spans.marked_pins)
    moved = sorted({edge.pin for edge in machine.chipset.backplane.edges})
    others = f"; {', '.join(moved[:MOST_PINS])}{', …' if len(moved) > MOST_PINS else ''} did" if moved else ""
    notes.extend(f"pin {pin} never changed, so it marks no span{others}" for pin in silent)
    return (*notes, *overwritten_code(recorder), *split_conditions(recorder), *lost_observations(recorder))


def recorded_tables(recorder: Recorder) -> dict[str, Any]:
    """The fields of ExecutionRecord that describe what executed, by name."""
    tree, functions = recorder.tree, recorder.functions
    blocks: dict[Block, int] = {}
    node_block = [blocks.setdefault(node.block, len(blocks)) for node in recorder.nodes]
    final = recorder.current
    return {
        "functions": tuple(
            RecordedFunction(*row) for row in zip(functions.names, functions.addresses, functions.sizes, strict=True)
        ),
        "chain_parent": np.array(tree.chain_parent, dtype=np.int32),
        "chain_function": np.array(tree.chain_function, dtype=np.int32),
        "context_chain": np.array(tree.context_chain, dtype=np.int32),
        "context_function": np.array(tree.context_function, dtype=np.int32),
        "block_address": np.array([b.address for b in blocks], dtype=np.int64),
        "block_code": tuple(b.code for b in blocks),
        "node_block": np.array(node_block, dtype=np.int32),
        "node_context": np.array([n.context for n in recorder.nodes], dtype=np.int32),
        "edge_source": np.array([e.source for e in recorder.edges], dtype=np.int32),
        "edge_target": np.array([e.target for e in recorder.edges], dtype=np.int32),
        "edge_exit": np.array([EXITS.index(e.exit) for e in recorder.edges], dtype=np.int32),
        "edge_call": np.array([e.call for e in recorder.edges], dtype=np.int32),
        "edge_executed": np.array([e.executed for e in recorder.edges], dtype=np.int32),
        "edge_count": recorder.edge_counts(),
        **recorder.site_table.table(),
        "zones": recorder.memory.zones if recorder.memory is not None else (),
        "caches": recorder.memory.caches if recorder.memory is not None else (),
        "unfinished": np.array(sorted(recorder.unfinished), dtype=np.int32),
        "final_node": final.number if final is not None else -1,
        "stacks": recorder.stacks.result(),
        "spans": tuple(recorder.spans.closed),
    }


def overwritten_code(recorder: Recorder) -> list[str]:
    """A note on code that isn't any more what it was when it first ran: it was counted and priced as it was then."""
    changed = [
        b.address for b in {n.block for n in recorder.nodes} if recorder.engine.read(b.address, b.size) != b.code
    ]
    if not changed:
        return []
    where = f"0x{min(changed):08x}" + (f" and {len(changed) - 1} more blocks" if len(changed) > 1 else "")
    return [f"code at {where} was overwritten after it first ran, and is counted as it was then"]


def shortened(stack: tuple[Frame, ...], most: int = MOST_FRAMES) -> tuple[Frame, ...]:
    """A call stack of at most ``most`` frames: one frame says how many were left out in the middle of a deeper one."""
    if len(stack) <= most:
        return stack
    inner, outer = most // 2, most - most // 2 - 1
    left_out = Frame(f"({len(stack) - inner - outer} frames left out)", 0)
    return (*stack[:inner], left_out, *stack[-outer:])


def split_conditions(recorder: Recorder) -> list[str]:
    """A note on blocks that begin inside an IT block: their conditional instructions are priced as if all executed."""
    split = {
        recorder.nodes[edge.target].block.address
        for edge in recorder.edges
        if edge.source >= 0 and edge.exit is Leaving.FALLTHROUGH and open_conditions(recorder.nodes[edge.source].block)
    }
    if not split:
        return []
    where = f"0x{min(split):08x}" + (f" and {len(split) - 1} more blocks" if len(split) > 1 else "")
    return [
        f"code at {where} begins inside an IT block that a page border splits, and is priced as if all of it executed"
    ]


def lost_observations(recorder: Recorder) -> list[str]:
    """A note on operands seen at instructions that the block being counted doesn't have (code that was overwritten)."""
    lost = recorder.lost_sites
    return [f"{lost} observations of operands belonged to no counted instruction, and are not priced"] if lost else []

"""Explanations in rows for people, and as JSON."""

from __future__ import annotations

from typing import Any

from vtarget.data.explanation import ExplainedBlock, ExplainedInsn, Explanation, Why

COLUMNS = ("address", "count", "cycles", "instruction", "why")
SHOWN_SHARE = 0.9
MOST_BLOCKS = 12


def hot_blocks(explanation: Explanation) -> tuple[ExplainedBlock, ...]:
    """The blocks with most cycles, until they hold SHOWN_SHARE of the kernel's; at most MOST_BLOCKS."""
    shown: list[ExplainedBlock] = []
    held = 0
    for block in explanation.blocks[:MOST_BLOCKS]:
        if shown and held >= SHOWN_SHARE * explanation.cycles:
            break
        shown.append(block)
        held += block.cycles
    return tuple(shown)


def heading(explanation: Explanation) -> str:
    """What is explained, and what it took."""
    callees = " and what it calls" if explanation.callees else ""
    calibrated, measured = explanation.calibrated_cycles, explanation.measured_cycles
    words = ["estimated"] * explanation.beside_board + ["uncalibrated"] * (calibrated is not None)
    figures = [f"{cycles:,} {what}" for cycles, what in ((calibrated, "calibrated"), (measured, "measured"))
               if cycles is not None]  # fmt: skip
    kind = f", {' and '.join(words)}" if words else ""
    rest = f" ({', '.join(figures)})" if figures else ""
    return f"{explanation.name}{callees}: {explanation.cycles:,} cycles{kind}{rest}"


def block_heading(block: ExplainedBlock, explanation: Explanation) -> str:
    """Which block, how often, and its share."""
    where = f" in {block.function}" if explanation.callees else ""
    share = 100 * block.cycles / explanation.cycles if explanation.cycles else 0
    times = f"{block.entered:,} time{'s' if block.entered != 1 else ''}"
    return f"0x{block.address:08x}{where}: entered {times}, {block.cycles:,} cycles ({share:.1f} %)"


def block_rows(block: ExplainedBlock) -> list[tuple[str, ...]]:
    """One row per instruction (COLUMNS), and one wherever another source line begins."""
    rows: list[tuple[str, ...]] = []
    if block.whys:
        cycles = sum(why.cycles for why in block.whys)
        rows.append(("", "", f"{cycles:,}", "", "; ".join(_why(why, block.entered) for why in block.whys)))
    line = None
    for insn in block.insns:
        if insn.source is not None and insn.source != line:
            rows.append(("", "", "", insn.source, ""))
        line = insn.source
        whys = "; ".join(_why(why, insn.count) for why in insn.whys)
        rows.append((f"0x{insn.address:08x}", f"{insn.count:,}", f"{insn.cycles:,}", insn.text, whys))
    return rows


def _why(why: Why, count: int) -> str:
    return why.text if why.times == count else f"{why.times:,} x {why.text}"


def rest_line(explanation: Explanation) -> str | None:
    """How much the blocks that aren't shown hold; None if all are."""
    shown = hot_blocks(explanation)
    left = len(explanation.blocks) - len(shown)
    if not left:
        return None
    cycles = explanation.cycles - sum(block.cycles for block in shown)
    return f"… and {left} more block{'s' if left > 1 else ''} with {cycles:,} cycles"


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """An element of the contract's ``explain``: all blocks, most cycles first."""
    return {
        "kernel": explanation.name,
        "callees": explanation.callees,
        "cycles": explanation.cycles,
        "calibrated_cycles": explanation.calibrated_cycles,
        "measured_cycles": explanation.measured_cycles,
        "note": explanation.note,
        "blocks": [
            {
                "address": block.address,
                "function": block.function,
                "entered": block.entered,
                "cycles": block.cycles,
                "why": [_why_json(why) for why in block.whys],
                "instructions": [_insn_json(insn) for insn in block.insns],
            }
            for block in explanation.blocks
        ],
    }


def _insn_json(insn: ExplainedInsn) -> dict[str, Any]:
    return {
        "address": insn.address,
        "text": insn.text,
        "count": insn.count,
        "cycles": insn.cycles,
        "source": insn.source,
        "why": [_why_json(why) for why in insn.whys],
    }


def _why_json(why: Why) -> dict[str, Any]:
    return {"text": why.text, "part": why.part.name.lower(), "times": why.times, "cycles": why.cycles}

"""Tables of a report: what its charts show, in numbers that can be sorted and read aloud."""

from __future__ import annotations

from collections.abc import Sequence

from vtarget.data.page import Cell, Table
from vtarget.data.savedresult import (
    SavedArena,
    SavedContext,
    SavedKernel,
    SavedLayer,
    SavedQuantisation,
    SavedRegion,
    SavedResult,
    SavedSpan,
    SavedValidation,
)
from vtarget.data.waterfall import CyclePart, Waterfall
from vtarget.logic.charts import inclusive_cycles, intensity
from vtarget.logic.quantisationreport import short_name
from vtarget.logic.report import quantity

MOST_KERNELS = 500
MOST_CONTEXTS = 300
MOST_SPANS = 500


def count(value: float | None) -> Cell:
    """A whole number."""
    return Cell("–") if value is None else Cell(f"{value:,.0f}", float(value))


def measure(value: float | None, unit: str) -> Cell:
    """A quantity with a unit."""
    return Cell("–") if value is None else Cell(quantity(value, unit), float(value))


def percent(share: float) -> Cell:
    """A share of 1."""
    return Cell(f"{100 * share:.1f} %", share)


def number(value: float | None, form: str = ".2f") -> Cell:
    """Any other number."""
    return Cell("–") if value is None else Cell(f"{value:{form}}", float(value))


def layers_table(layers: Sequence[SavedLayer]) -> Table:
    """One row per layer."""
    return Table(
        "Layers",
        ("#", "operator", "output", "kernel", "MACs", "cycles", "share", "cycles/MAC", "MAC/byte", "time", "energy",
         "notes"),
        tuple(
            (
                count(layer.index), Cell(layer.op), Cell(_shape(layer)), Cell(layer.kernel), count(layer.macs or None),
                count(layer.cycles), percent(layer.share), number(layer.cycles_per_mac), number(intensity(layer)),
                measure(layer.latency_s, "s"), measure(layer.energy_j, "J"), Cell("; ".join(layer.notes)),
            )
            for layer in layers
        ),
    )  # fmt: skip


def kernels_table(kernels: Sequence[SavedKernel], total: int) -> Table:
    """One row per function."""
    return Table(
        "Functions",
        ("function", "calls", "interrupts", "instructions", "cycles", "with callees", "share", "time", "energy"),
        tuple(
            (
                Cell(k.name), count(k.calls), count(k.interrupts or None), count(k.instructions), count(k.cycles),
                count(k.total_cycles), percent(k.cycles / (total or 1)), measure(k.latency_s, "s"),
                measure(k.energy_j, "J"),
            )
            for k in kernels[:MOST_KERNELS]
        ),
        _left_out(len(kernels), MOST_KERNELS, "functions"),
    )  # fmt: skip


def waterfall_table(rows: Sequence[tuple[str, Waterfall]], what: str) -> Table:
    """One row per layer or function, one column per part."""
    return Table(
        f"Where the cycles go, by {what}",
        (what, "cycles", *(part.title for part in CyclePart)),
        tuple((Cell(name), count(fall.total), *(count(cycles) for cycles in fall.parts)) for name, fall in rows),
    )


def contexts_table(contexts: Sequence[SavedContext]) -> Table:
    """The rows of the call tree with most cycles, each with the chain of its callers."""
    totals = inclusive_cycles(contexts)
    order = sorted(range(len(contexts)), key=lambda at: (-totals[at], at))[:MOST_CONTEXTS]
    return Table(
        "Call tree",
        ("function", "called from", "calls", "cycles", "with callees"),
        tuple(
            (
                Cell(contexts[at].function), Cell(_callers(contexts, at)), count(contexts[at].calls),
                count(contexts[at].cycles), count(totals[at]),
            )
            for at in order
        ),
        _left_out(len(contexts), MOST_CONTEXTS, "contexts"),
    )  # fmt: skip


def regions_table(regions: Sequence[SavedRegion]) -> Table:
    """Use of memory."""
    return Table(
        "Regions",
        ("region", "used bytes", "of bytes", "share"),
        tuple(
            (Cell(r.name), count(r.used_bytes), count(r.size_bytes), percent(r.used_bytes / (r.size_bytes or 1)))
            for r in regions
        ),
    )


def arena_table(arena: SavedArena) -> Table:
    """Every allocation of the arena."""
    return Table(
        f"Arena{f' in {arena.region}' if arena.region else ''}",
        ("tensors", "offset", "bytes", "first layer", "last layer"),
        tuple(
            (
                Cell(", ".join(map(short_name, a.tensors)) or "scratch"), count(a.offset_bytes), count(a.size_bytes),
                count(a.first_layer), count(a.last_layer),
            )
            for a in arena.allocations
        ),
    )  # fmt: skip


def time_table(result: SavedResult) -> Table:
    """Awake, in handlers, and asleep."""
    rows = [(Cell("awake"), count(result.cycles), measure(result.latency_s, "s"), Cell("–"),
             measure(result.energy_j, "J"))]  # fmt: skip
    rows += [
        (Cell(f"interrupt handler {k.name}"), count(k.cycles), measure(k.latency_s, "s"), count(k.interrupts),
         measure(k.energy_j, "J"))
        for k in result.kernels
        if k.interrupts
    ]  # fmt: skip
    rows += [
        (Cell(f"asleep ({s.state})"), count(s.cycles), measure(s.seconds, "s"), count(s.wakeups),
         measure(s.energy_j, "J"))
        for s in result.sleep
    ]  # fmt: skip
    if result.duty and result.sleep:
        rows.append((Cell("together"), Cell("–"), measure(result.duty.elapsed_s, "s"), Cell("–"),
                     measure(result.duty.energy_j, "J")))  # fmt: skip
    return Table("Time and energy", ("state", "cycles", "time", "entries", "energy"), tuple(rows))


def spans_table(spans: Sequence[SavedSpan]) -> Table:
    """One row per call."""
    return Table(
        "Spans",
        ("span", "call", "instructions", "cycles", "time", "energy"),
        tuple(
            (Cell(s.name), count(s.index), count(s.instructions), count(s.cycles), measure(s.latency_s, "s"),
             measure(s.energy_j, "J"))
            for s in spans[:MOST_SPANS]
        ),
        _left_out(len(spans), MOST_SPANS, "calls"),
    )  # fmt: skip


def validation_table(validation: SavedValidation) -> Table:
    """One row per compared tensor."""
    layers = [(count(layer.index), layer.op, layer.within, t) for layer in validation.layers for t in layer.outputs]
    outputs = [(Cell("output"), "", validation.passed, t) for t in validation.outputs]
    return Table(
        f"Firmware against {validation.reference}",
        ("layer", "operator", "tensor", "elements", "differing", "largest difference", "SQNR dB", "verdict"),
        tuple(
            (
                index, Cell(op), Cell(short_name(t.name)), count(t.elements), count(t.differing),
                number(t.max_abs_diff, "g"), number(t.sqnr_db, ".1f"),
                Cell("bit-exact" if t.bit_exact else "within tolerance" if ok else "differs"),
            )
            for index, op, ok, t in (*layers, *outputs)
        ),
    )  # fmt: skip


def quantisation_table(table: SavedQuantisation) -> Table:
    """SQNR of each layer against the float model."""
    return Table(
        "Signal to quantisation noise against the float model",
        ("layer", "operator", "tensor", "quantised dB", "firmware dB"),
        tuple(
            (count(row.index), Cell(row.op), Cell(short_name(row.name)), number(row.quantised_sqnr_db, ".1f"),
             number(row.firmware_sqnr_db, ".1f"))
            for row in table.layers
        ),
    )  # fmt: skip


def comparison_table(results: Sequence[SavedResult]) -> Table:
    """All results, each set against the first."""
    first = results[0]
    return Table(
        "Results side by side",
        ("result", "cycles", "of the first", "time", "energy", "flash bytes", "RAM bytes", "arena bytes", "provenance"),
        tuple(
            (
                Cell(r.title), count(r.cycles), percent(r.cycles / (first.cycles or 1)), measure(r.latency_s, "s"),
                measure(r.energy_j, "J"), count(r.memory.flash_bytes), count(r.memory.ram_bytes),
                count(r.memory.arena_bytes), Cell(r.provenance),
            )
            for r in results
        ),
    )  # fmt: skip


def _shape(layer: SavedLayer) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in layer.output_shapes) + (f" {layer.type}" * bool(layer.type))


def _callers(contexts: Sequence[SavedContext], at: int) -> str:
    names = []
    parent = contexts[at].parent
    while parent is not None:
        names.append(contexts[parent].function)
        parent = contexts[parent].parent
    return " < ".join(names)


def _left_out(have: int, most: int, what: str) -> str:
    return f"The first {most} of {have:,} {what}." if have > most else ""

"""A report as one HTML page that needs nothing else: no network, no file beside it.

Names come from firmware and models that anyone may have made. The template escapes every text, figures are JSON without
a ``<`` in it, and a Content-Security-Policy lets nothing run but the two scripts whose digests it names.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence

from vtarget.base.errors import printable
from vtarget.data.page import Assets, Chapter, Chart, Section, Table
from vtarget.data.savedresult import SavedMeasured, SavedResult
from vtarget.logic import charts
from vtarget.logic import reporttables as tables
from vtarget.logic.momentchart import lanes_table, moments_chart, moments_table
from vtarget.logic.report import quantity
from vtarget.logic.templates import environment

# The library makes an empty style element and fills it rule by rule, which the digest of nothing allows.
_EMPTY = ""


def html_report(results: Sequence[SavedResult], assets: Assets) -> str:
    """The page for one result or several."""
    chapters = tuple(_chapters(results))
    figures = [chart.figure for chapter in chapters for section in chapter.sections for chart in section.charts]
    return environment({"page": assets.template}, markup=True).get_template("page").render(
        title=printable(results[0].title if len(results) == 1 else f"{len(results)} results"),
        chapters=chapters,
        assets=assets,
        policy=policy(scripts=(assets.library, assets.script), styles=(assets.style, _EMPTY)),
        figures=json_text(figures),
        show=printable, text=_lines,
    )  # fmt: skip


def policy(*, scripts: Sequence[str], styles: Sequence[str]) -> str:
    """A Content-Security-Policy for exactly these inline scripts and styles, pictures that the page itself makes, and
    nothing from anywhere else (https://www.w3.org/TR/CSP3/)."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {' '.join(map(_digest, styles))}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def json_text(value: object) -> str:
    """JSON that can stand in a script element: no markup, and no line separators that old parsers trip over."""
    plain = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _lines(text: str) -> str:
    """Text of several lines without anything else that moves a cursor."""
    return "\n".join(map(printable, text.split("\n")))


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _chapters(results: Sequence[SavedResult]) -> Iterator[Chapter]:
    if len(results) > 1:
        yield Chapter("Comparison", (_comparison(results),))
    for result in results:
        yield Chapter(result.title, tuple(_sections(result)))


def _sections(result: SavedResult) -> Iterator[Section]:
    yield _summary(result)
    if result.layers:
        yield Section("Layers", (charts.layers_chart(result),), (tables.layers_table(result.layers),))
    falls = [(charts.layer_label(layer), layer.waterfall) for layer in result.layers if layer.waterfall]
    rows = [(k.name, k.waterfall) for k in result.kernels[: charts.MOST_BARS] if k.waterfall]
    found = [("layer", falls), ("function", rows)]
    shown = [(what, of) for what, of in found if of]
    if shown:
        yield Section(
            "Where the cycles go",
            tuple(charts.waterfall_chart(of, what, vertical=len(of) > charts.MOST_BARS) for what, of in shown),
            tuple(tables.waterfall_table(of, what) for what, of in shown),
        )
    if result.kernels:
        listed = tables.kernels_table(result.kernels, result.cycles)
        yield Section("Functions", (charts.kernels_chart(result),), (listed,))
    if any(row.cycles for row in result.contexts):
        yield Section("Calls", (charts.flame_chart(result),), (tables.contexts_table(result.contexts),))
    yield _memory(result)
    spans = (tables.spans_table(result.spans),) if result.spans else ()
    yield _time(result, spans)
    if result.energy_j:
        yield Section("Energy", (charts.energy_chart(result),), facts=(("power", result.power_source),))
    roofline = charts.roofline_chart(result)
    if roofline:
        yield Section("Roofline", (roofline,), notes=("Its numbers are in the table of layers.",))
    yield from _correctness(result)
    if result.console:
        yield Section("Console", notes=(result.console,))


def _time(result: SavedResult, spans: tuple[Table, ...]) -> Section:
    """The timeline, or sums where the result has no moments."""
    timeline = result.timeline
    if timeline is None:
        return Section("Time", (charts.timeline_chart(result),), (tables.time_table(result), *spans))
    listed = (lanes_table(timeline), moments_table(timeline)) if timeline.lanes else ()
    drawn = (moments_chart(timeline),) if timeline.lanes or len(timeline.clocks) > 1 else ()
    return Section("Time", drawn, (tables.time_table(result), *listed, *spans))


def _summary(result: SavedResult) -> Section:
    energy = "unknown"
    if result.energy_j is not None:
        energy = _bounds(result.energy_j, result.energy_j_low, result.energy_j_high, "J")
    fit = result.calibration
    told = "" if fit is None else f"; estimates calibrated {fit.date} ({fit.file}, {fit.error_pct:.1f} % off)"
    if fit is not None and result.measured is None:
        told = told.removeprefix("; estimates calibrated")
    facts = [
        ("board", f"{result.board.name} ({result.board.core} at {result.board.clock_hz / 1e6:g} MHz)"),
        ("cycles", f"{result.cycles:,} ({result.cycles_low:,} .. {result.cycles_high:,})"),
        ("time", _bounds(result.latency_s, result.latency_s_low, result.latency_s_high, "s")),
        ("energy", energy),
        ("instructions", f"{result.instructions:,}"),
        ("provenance", f"{result.provenance}{told}"),
        (
            "ended by",
            f"{result.exit.reason}, code {result.exit.code}{result.exit.detail and f': {result.exit.detail}'}",
        ),
        ("firmware", f"{result.firmware.path}, sha256 {result.firmware.sha256}"),
    ]
    if result.measured:
        facts.append(("measured", _measured(result.measured)))
    if result.model:
        facts.append(("model", f"{result.model.path}, {result.model.macs:,} MACs, sha256 {result.model.sha256}"))
    if result.validation:
        facts.append(("validation", _verdict(result)))
    notes = [f"Not modelled: {note}" for note in result.not_modelled]
    if result.measured:
        notes += [f"Of the measurement: {note}" for note in result.measured.notes]
        notes.append("The call tree and the instructions are those of the virtual run.")
    return Section("Summary", facts=tuple(facts), notes=tuple(notes))


def _measured(how: SavedMeasured) -> str:
    serial = f" {how.board_serial}" if how.board_serial is not None else ""
    return f"{how.date}, board{serial} through {how.probe}, {how.counter}, {how.runs} run{'s' if how.runs != 1 else ''}"


def _memory(result: SavedResult) -> Section:
    memory, arena = result.memory, result.memory.arena
    used = [r for r in memory.regions if r.used_bytes]
    shown = [charts.regions_chart(used)] if used else []
    listed = [tables.regions_table(memory.regions)]
    if arena and arena.allocations:
        shown.append(charts.arena_chart(arena))
        listed.append(tables.arena_table(arena))
    sizes = (("flash", memory.flash_bytes), ("RAM", memory.ram_bytes), ("arena", memory.arena_bytes),
             ("weights", memory.weights_bytes), ("code", memory.code_bytes))  # fmt: skip
    facts = [(name, f"{size:,} bytes") for name, size in sizes if size is not None]
    facts += [(f"stack {stack.name}", f"{stack.bytes:,} bytes at most") for stack in memory.stacks]
    return Section("Memory", tuple(shown), tuple(listed), tuple(facts))


def _correctness(result: SavedResult) -> Iterator[Section]:
    found, table = result.validation, result.quantisation
    if found is not None:
        rows = [layer for layer in found.layers if layer.outputs]
        worst = [max(t.max_abs_diff for t in layer.outputs) for layer in rows]
        chart = charts.grouped_chart("Largest difference by layer", [layer.index for layer in rows],
                                     [("largest difference", worst)], axis="layer", unit="steps",
                                     summary=_verdict(result))  # fmt: skip
        yield Section("Validation", (chart,) if rows else (), (tables.validation_table(found),))
    if table is not None:
        layers = sorted(table.layers, key=lambda row: row.index)
        groups = [("quantised", [row.quantised_sqnr_db for row in layers]),
                  ("firmware", [row.firmware_sqnr_db for row in layers])]  # fmt: skip
        charted = charts.grouped_chart("Signal to quantisation noise", [row.index for row in layers], groups,
                                       axis="layer", unit="dB", summary=f"{len(layers)} layers")  # fmt: skip
        right = table.accuracy
        facts = () if right is None else (
            ("float model", f"{100 * right.float_model:.1f} % of {right.samples} samples right"),
            ("quantised model", f"{100 * right.quantised_model:.1f} %"),
            ("firmware", f"{100 * right.firmware:.1f} %"),
        )  # fmt: skip
        yield Section("Quantisation", (charted,) if layers else (), (tables.quantisation_table(table),), facts)


def _comparison(results: Sequence[SavedResult]) -> Section:
    names = [str(number + 1) for number in range(len(results))]
    shown = [_bounded("Time", names, "ms", 1e3, [(r.latency_s_low, r.latency_s, r.latency_s_high) for r in results])]
    joules = [(r.energy_j_low or 0.0, r.energy_j or 0.0, r.energy_j_high or 0.0) for r in results]
    if all(r.energy_j is not None for r in results):
        shown.append(_bounded("Energy", names, "µJ", 1e6, joules))
    layers = [r.layers for r in results]
    if layers[0] and all([(a.index, a.op) for a in of] == [(a.index, a.op) for a in layers[0]] for of in layers):
        groups = [
            (f"{name}: {r.title}", [layer.cycles for layer in r.layers]) for name, r in zip(names, results, strict=True)
        ]
        shown.append(charts.grouped_chart("Cycles by layer", [layer.index for layer in layers[0]], groups, axis="layer",
                                          unit="cycles", summary=f"{len(layers[0])} layers"))  # fmt: skip
    numbered = tuple((name, r.title) for name, r in zip(names, results, strict=True))
    return Section("Side by side", tuple(shown), (tables.comparison_table(results),), numbered)


def _bounded(
    title: str, names: Sequence[str], unit: str, factor: float, values: Sequence[tuple[float, float, float]]
) -> Chart:
    """A bar per result with its bounds; ``values`` are low, nominal and high."""
    scaled = [factor * value for _, value, _ in values]
    up, down = [factor * (high - value) for _, value, high in values], [factor * (v - low) for low, v, _ in values]
    summary = ", ".join(f"{name}: {value:.3g} {unit}" for name, value in zip(names, scaled, strict=True))
    groups = [(title, scaled)]
    return charts.grouped_chart(title, names, groups, axis="result", unit=unit, summary=summary, errors=[(up, down)])


def _verdict(result: SavedResult) -> str:
    found = result.validation
    if found is None:
        return "not validated"
    what = "bit-exact" if found.bit_exact else f"differs by up to {found.max_abs_diff:g}"
    return f"{'passed' if found.passed else 'failed'}: {what} against {found.reference}, {_samples(found.samples)}"


def _samples(count: int) -> str:
    return f"{count} sample{'s' if count != 1 else ''}"


def _bounds(value: float, low: float | None, high: float | None, unit: str) -> str:
    return f"{quantity(value, unit)} ({quantity(low, unit)} .. {quantity(high, unit)})"

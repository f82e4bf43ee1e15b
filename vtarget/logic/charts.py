"""Charts of results: layers, functions, calls, memory, time, energy and how near to the multiplier's best they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vtarget.data.page import Chart
from vtarget.data.savedresult import SavedArena, SavedContext, SavedLayer, SavedRegion, SavedResult
from vtarget.data.waterfall import CyclePart, Waterfall
from vtarget.logic.chartparts import PALETTE, bars, figure_of, integers, line, name_rows, rows_px, text
from vtarget.logic.report import quantity

MOST_BARS = 25
MOST_FRAMES = 1500
SMALLEST_FRAME = 1 / 5000  # of the whole: narrower than a pixel
LEAST_SLICE = 0.01  # of the whole
WORD_BYTES = 4


def layer_label(layer: SavedLayer) -> str:
    """Its number and operator."""
    return f"{layer.index} {layer.op}"


def layers_chart(result: SavedResult) -> Chart:
    """Cycles by layer; the legend switches operators on and off."""
    traces = [
        bars(
            [layer.index for layer in rows],
            [layer.cycles for layer in rows],
            name=text(op),
            color=PALETTE[number % len(PALETTE)],
            hover=[f"{text(layer_label(layer))}<br>{text(layer.kernel)}<br>{_share(layer)}" for layer in rows],
        )
        for number, (op, rows) in enumerate(_by_operator(result.layers))
    ]
    worst = max(result.layers, key=lambda layer: layer.cycles)
    return Chart(
        "Cycles by layer",
        f"{len(result.layers)} layers; most cycles: layer {layer_label(worst)} with {worst.cycles:,}",
        figure_of(traces, x="layer", y="cycles", barmode="stack", showlegend=True, xtick=integers(len(result.layers))),
        "A click in the legend hides an operator, a double click leaves it alone. Dragging enlarges, a double click in "
        "the chart shows all again.",
    )


def waterfall_chart(rows: Sequence[tuple[str, Waterfall]], what: str, *, vertical: bool = False) -> Chart:
    """Stacked parts of each row's cycles; rows from top to bottom, or from left to right by number."""
    names = [text(name) for name, _ in rows]
    places: list[Any] = list(range(len(rows)))
    traces = []
    for part in CyclePart:
        cycles = [max(0, fall.parts[part]) for _, fall in rows]
        if any(cycles):
            traces.append(
                bars(
                    places if vertical else cycles,
                    cycles if vertical else places,
                    name=part.title,
                    color=PALETTE[part],
                    hover=names,
                    horizontal=not vertical,
                    suffix=f"<br>{part.title}",
                )
            )
    whole = sum(fall.total for _, fall in rows) or 1
    biggest = max(CyclePart, key=lambda p: sum(fall.parts[p] for _, fall in rows))
    share = 100 * sum(fall.parts[biggest] for _, fall in rows) / whole
    figure = figure_of(traces, x=what if vertical else "cycles", y="cycles" if vertical else "", barmode="stack",
                     showlegend=True)  # fmt: skip
    if not vertical:
        name_rows(figure, [name for name, _ in rows])
    else:
        figure["layout"]["xaxis"] |= integers(len(rows))
    return Chart(
        f"Where the cycles go, by {what}",
        f"{len(rows)} rows; the largest part is {biggest.title} with {share:.1f} %",
        figure,
        height_px=380 if vertical else rows_px(len(rows)),
    )


def kernels_chart(result: SavedResult) -> Chart:
    """Own cycles of the functions with most."""
    rows = result.kernels[:MOST_BARS]
    names = [text(k.name) for k in rows]
    figure = figure_of([bars([k.cycles for k in rows], list(range(len(rows))), name="cycles", color=PALETTE[0],
                            hover=[f"{n}<br>{k.calls:,} calls" for n, k in zip(names, rows, strict=True)],
                            horizontal=True)], x="cycles", y="")  # fmt: skip
    name_rows(figure, [k.name for k in rows])
    return Chart(
        "Cycles by function",
        f"{len(rows)} functions; most cycles: {rows[0].name} with {rows[0].cycles:,}",
        figure,
        "Inside the function itself, without what it calls.",
        rows_px(len(rows)),
    )


def inclusive_cycles(contexts: Sequence[SavedContext]) -> list[int]:
    """Cycles of each row with all below it. A parent stands above its children."""
    totals = [row.cycles for row in contexts]
    for at in range(len(contexts) - 1, -1, -1):
        parent = contexts[at].parent
        if parent is not None:
            totals[parent] += totals[at]
    return totals


def flame_chart(result: SavedResult) -> Chart:
    """The call tree, widths by cycles with callees. What is narrower than a pixel is left out."""
    totals = inclusive_cycles(result.contexts)
    whole = sum(row.cycles for row in result.contexts)
    least = sorted(totals, reverse=True)[:MOST_FRAMES][-1]
    kept = [at for at, total in enumerate(totals) if total >= max(1, least, whole * SMALLEST_FRAME)]
    rows = [result.contexts[at] for at in kept]
    trace = {
        "type": "icicle",
        "ids": ["all", *(str(at) for at in kept)],
        "labels": ["everything", *(text(row.function) for row in rows)],
        "parents": ["", *("all" if row.parent is None else str(row.parent) for row in rows)],
        "values": [whole, *(totals[at] for at in kept)],
        "customdata": [[whole, 0], *([row.cycles, row.calls] for row in rows)],
        "branchvalues": "total",
        "sort": False,
        "tiling": {"orientation": "v"},
        "pathbar": {"visible": False},
        "marker": {"colors": ["#999999", *(PALETTE[_hue(row.function)] for row in rows)]},
        "hovertemplate": "%{label}<br>%{value:,} cycles with callees<br>%{customdata[0]:,} of its own<br>"
        "%{customdata[1]:,} calls<extra></extra>",
    }
    left_out, depth = len(result.contexts) - len(kept), _depth(result.contexts)
    return Chart(
        "Flame graph",
        f"Call tree of {len(result.contexts)} contexts, {depth} deep",
        {"data": [trace], "layout": {"margin": {"t": 8, "l": 4, "r": 4, "b": 4}}},
        "Callers stand above what they call; the width is cycles. A click enlarges a function, a click on the top goes "
        "back." + (f" {left_out} contexts narrower than a pixel are left out." if left_out else ""),
        min(620, 60 + 40 * (depth + 1)),
    )


def regions_chart(regions: Sequence[SavedRegion]) -> Chart:
    """Used and free of each region, in percent of it."""
    used = [100 * r.used_bytes / r.size_bytes if r.size_bytes else 0.0 for r in regions]
    names = [text(r.name) for r in regions]
    hover = [f"{n}<br>{r.used_bytes:,} of {r.size_bytes:,} bytes" for n, r in zip(names, regions, strict=True)]
    places = list(range(len(regions)))
    traces = [
        bars(used, places, name="used", color=PALETTE[0], hover=hover, horizontal=True, shown="%{x:.1f} %"),
        bars([100 - share for share in used], places, name="free", color="#99999955", hover=hover, horizontal=True,
              shown="%{x:.1f} %"),
    ]  # fmt: skip
    figure = figure_of(traces, x="percent of the region", y="", barmode="stack", showlegend=True)
    name_rows(figure, [r.name for r in regions])
    figure["layout"]["xaxis"]["range"] = [0, 100]
    fullest = max(zip(used, regions, strict=True), key=lambda pair: pair[0])
    return Chart(
        "Use of memory by region",
        f"{len(regions)} regions; fullest: {fullest[1].name} at {fullest[0]:.1f} %",
        figure,
        height_px=rows_px(len(regions)),
    )


def arena_chart(arena: SavedArena) -> Chart:
    """Lifetimes in the arena: each rectangle is a stretch of memory from its first layer to its last."""
    rows = arena.allocations
    traces: list[dict[str, Any]] = []
    for scratch, name, color in ((False, "tensors", PALETTE[0]), (True, "scratch", PALETTE[1])):
        of = [a for a in rows if (not a.tensors) == scratch]
        if of:
            trace = bars(
                [(a.first_layer + a.last_layer) / 2 for a in of],
                [a.size_bytes for a in of],
                name=name,
                color=color,
                hover=[
                    f"{text(', '.join(a.tensors) or 'scratch')}<br>{a.offset_bytes:,} to "
                    f"{a.offset_bytes + a.size_bytes:,}<br>layers {a.first_layer} to {a.last_layer}"
                    for a in of
                ],
                shown="%{y:,} bytes",
            )
            trace["base"] = [a.offset_bytes for a in of]
            trace["width"] = [a.last_layer - a.first_layer + 1 for a in of]
            trace["marker"] |= {"opacity": 0.7, "line": {"width": 1, "color": "#777777"}}
            traces.append(trace)
    layers = range(min(a.first_layer for a in rows), max(a.last_layer for a in rows) + 1)
    live = [sum(a.size_bytes for a in rows if a.first_layer <= at <= a.last_layer) for at in layers]
    traces.append({"type": "scatter", "mode": "lines", "x": list(layers), "y": live, "name": "in use at once",
                   "line": {"shape": "hvh", "color": PALETTE[3], "width": 2}})  # fmt: skip
    top = max(a.offset_bytes + a.size_bytes for a in rows)
    return Chart(
        "The arena over time",
        f"{len(rows)} stretches of memory, {top:,} bytes in all, at least {arena.lower_bound_bytes:,} at once",
        figure_of(
            traces, x="layer", y="offset in bytes", barmode="overlay", showlegend=True, xtick=integers(len(layers))
        ),
        "From left to right the layers as they run, upwards the arena's bytes.",
    )


def timeline_chart(result: SavedResult) -> Chart:
    """Layers one after another; below them how long the core slept and handled interrupts, as totals."""
    traces = []
    starts = {layer.index: at for layer, at in _starts(result.layers)}
    for number, (op, layers) in enumerate(_by_operator(result.layers)):
        trace = bars([1e3 * layer.latency_s for layer in layers], ["layers"] * len(layers), name=text(op),
                      color=PALETTE[number % len(PALETTE)], hover=[text(layer_label(layer)) for layer in layers],
                      horizontal=True, shown="%{x:.4g} ms")  # fmt: skip
        trace["base"] = [1e3 * starts[layer.index] for layer in layers]
        traces.append(trace)
    lanes = [("awake", result.latency_s, PALETTE[0])]
    handlers = sum(k.latency_s for k in result.kernels if k.interrupts)
    if handlers:
        lanes.append(("of it interrupt handlers", handlers, PALETTE[3]))
    lanes += [(f"asleep ({s.state})", s.seconds, PALETTE[7]) for s in result.sleep]
    traces += [
        bars([1e3 * seconds], [text(name)], name=text(name), color=color, hover=[text(name)], horizontal=True,
              shown="%{x:.4g} ms")
        for name, seconds, color in lanes
    ]  # fmt: skip
    figure = figure_of(traces, x="milliseconds", y="", barmode="overlay")
    figure["layout"]["yaxis"]["autorange"] = "reversed"
    count = sum(k.interrupts for k in result.kernels)
    asleep = quantity(sum(s.seconds for s in result.sleep), "s")
    return Chart(
        "Time",
        f"awake {quantity(result.latency_s, 's')}, asleep {asleep}, {count:,} interrupts",
        figure,
        "This result holds totals, not moments: layers are drawn in the order in which they run, sleep and interrupts "
        "as how long they took together.",
        rows_px(len(lanes) + bool(result.layers)),
    )


def energy_chart(result: SavedResult) -> Chart:
    """Joules by layer (or function) and sleep state."""
    awake = [(layer_label(layer), layer.energy_j) for layer in result.layers] or [
        (k.name, k.energy_j) for k in result.kernels
    ]
    asleep = [(f"asleep ({s.state})", s.energy_j, PALETTE[7]) for s in result.sleep if s.energy_j]
    least = LEAST_SLICE * ((result.energy_j or 0.0) + sum(joules for _, joules, _ in asleep))
    known = sorted(((name, joules) for name, joules in awake if joules and joules >= least), key=lambda pair: -pair[1])
    slices = [(name, joules, color) for (name, joules), color in zip(known, PALETTE[:7], strict=False)]
    rest = (result.energy_j or 0.0) - sum(joules for _, joules, _ in slices)
    slices += [("everything else", rest, "#555555")] if rest >= least / 10 else []
    slices += asleep
    trace = {
        "type": "pie",
        "hole": 0.5,
        "sort": False,
        "labels": [text(name) for name, _, _ in slices],
        "values": [1e6 * joules for _, joules, _ in slices],
        "marker": {"colors": [color for _, _, color in slices]},
        "textinfo": "percent",
        "hovertemplate": "%{label}<br>%{value:.4g} µJ<br>%{percent}<extra></extra>",
    }
    return Chart(
        "Energy",
        "; ".join(f"{name} {quantity(joules, 'J')}" for name, joules, _ in slices),
        {"data": [trace], "layout": {"showlegend": True, "margin": {"t": 8, "l": 8, "r": 8, "b": 8}}},
    )


def roofline_chart(result: SavedResult) -> Chart | None:
    """Cycles per MAC against MACs per byte, with what multiplier and loads allow at best; None without such layers."""
    rows = [(layer, i) for layer in result.layers if layer.cycles_per_mac and (i := intensity(layer)) is not None]
    if not rows:
        return None
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": text(op),
            "x": [at for layer, at in rows if layer.op == op],
            "y": [layer.cycles_per_mac for layer, _ in rows if layer.op == op],
            "text": [f"{text(layer_label(layer))}<br>{_share(layer)}" for layer, _ in rows if layer.op == op],
            "marker": {"size": 11, "color": PALETTE[number % len(PALETTE)], "symbol": number},
            "hovertemplate": "%{text}<br>%{y:.3g} cycles/MAC<br>%{x:.3g} MAC/byte<extra></extra>",
        }
        for number, op in enumerate(dict.fromkeys(layer.op for layer, _ in rows))
    ]
    low, high = min(at for _, at in rows) / 2, max(at for _, at in rows) * 2
    ideals = {layer.ideal_cycles / layer.macs for layer, _ in rows if layer.ideal_cycles}
    traces += [line([low, high], [best, best], "the multiplier at best") for best in sorted(ideals)]
    traces.append(line([low, high], [1 / (WORD_BYTES * low), 1 / (WORD_BYTES * high)], "a word loaded per cycle"))
    figure = figure_of(traces, x="MACs per byte of weights and activations", y="cycles per MAC", showlegend=True)
    figure["layout"]["xaxis"]["type"] = figure["layout"]["yaxis"]["type"] = "log"
    best = min(rows, key=lambda row: row[0].cycles_per_mac or 0.0)[0]
    return Chart(
        "Roofline",
        f"{len(rows)} layers with multiplications; the best is layer {layer_label(best)} with "
        f"{best.cycles_per_mac or 0:.2f} cycles per MAC",
        figure,
        "Lower is better; the dashed lines are what multiplier and loads allow at best. Bytes are those of weights, "
        "inputs and outputs, each counted once.",
    )


def intensity(layer: SavedLayer) -> float | None:
    """MACs per byte of weights, inputs and outputs, each counted once."""
    size = layer.weights_bytes + layer.activation_bytes
    return layer.macs / size if layer.macs and size else None


def grouped_chart(
    title: str,
    x: Sequence[Any],
    groups: Sequence[tuple[str, Sequence[float | None]]],
    *,
    axis: str,
    unit: str,
    summary: str,
    errors: Sequence[tuple[list[float], list[float]]] = (),
) -> Chart:
    """Bars side by side: one group per place on the x axis. ``errors`` are distances (up, down) of each group."""
    traces = []
    for number, (name, values) in enumerate(groups):
        trace = bars(list(x), list(values), name=text(name), color=PALETTE[number % len(PALETTE)],
                      hover=[text(name)] * len(x), shown=f"%{{y:.5g}} {unit}")  # fmt: skip
        if errors:
            up, down = errors[number]
            trace["error_y"] = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
        traces.append(trace)
    numbered = all(isinstance(place, int) for place in x)
    ticks = integers(len(x)) if numbered else {"type": "category"}
    figure = figure_of(traces, x=axis, y=unit, barmode="group", showlegend=len(groups) > 1, xtick=ticks)
    return Chart(title, summary, figure)


def _share(layer: SavedLayer) -> str:
    return f"{100 * layer.share:.1f} % of the cycles"


def _by_operator(layers: Iterable[SavedLayer]) -> list[tuple[str, list[SavedLayer]]]:
    found: dict[str, list[SavedLayer]] = {}
    for layer in layers:
        found.setdefault(layer.op, []).append(layer)
    return sorted(found.items(), key=lambda item: -sum(layer.cycles for layer in item[1]))


def _starts(layers: Iterable[SavedLayer]) -> list[tuple[SavedLayer, float]]:
    found, at = [], 0.0
    for layer in layers:
        found.append((layer, at))
        at += layer.latency_s
    return found


def _hue(name: str) -> int:
    return sum(name.encode("utf-8", "replace")) % (len(PALETTE) - 1)


def _depth(contexts: Sequence[SavedContext]) -> int:
    depths: list[int] = []
    for row in contexts:
        depths.append(1 if row.parent is None else depths[row.parent] + 1)
    return max(depths, default=0)

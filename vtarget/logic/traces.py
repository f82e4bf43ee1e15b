"""Results for the viewers that people have: Chrome's trace events (Perfetto), speedscope, collapsed stacks.

Spans, exceptions and sleep of a Chrome trace stand at their moments (``tracemoments``). All else has none but the order
of a model's layers: calls are laid out as a flame graph is, callers over callees, in the order in which they first
came, as wide as their cycles. They are a process of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vtarget.base.errors import printable
from vtarget.data.savedresult import SavedContext, SavedResult
from vtarget.logic.charts import inclusive_cycles, layer_label
from vtarget.logic.tracemoments import clock_counter, slices, tracks

LAYERS, CALLS, SPANS, TOTALS = 1, 2, 3, 4  # threads of a Chrome trace
_THREADS = {
    LAYERS: "layers, in order",
    CALLS: "calls, widths are cycles",
    SPANS: "spans, one after another",
    TOTALS: "interrupts and sleep, totals",
}
SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def chrome_trace(results: Sequence[SavedResult]) -> dict[str, Any]:
    """The trace event format in its JSON object form (Google, "Trace Event Format"): a process per result; times in
    microseconds."""
    events = [event for number, result in enumerate(results, 1) for event in _process(number, result)]
    for pid, result in enumerate(results, len(results) + 1):
        events += _moments(pid, result)
    order = "in the processes of sums, only layers are in the order in which they ran"
    return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": {"made by": "vtarget", "order": order}}


def speedscope(results: Sequence[SavedResult]) -> dict[str, Any]:
    """The file format of speedscope (its ``file-format-spec.ts``): calls as weighted stacks, layers as events."""
    frames: dict[str, int] = {}

    def frame(name: str) -> int:
        return frames.setdefault(printable(name), len(frames))

    profiles: list[dict[str, Any]] = []
    for result in results:
        stacks = [(stack, cycles) for stack, cycles in _stacks(result.contexts) if cycles]
        profiles.append(
            {
                "type": "sampled",
                "name": f"{result.title}: cycles by call",
                "unit": "none",
                "startValue": 0,
                "endValue": sum(cycles for _, cycles in stacks),
                "samples": [[frame(name) for name in stack] for stack, _ in stacks],
                "weights": [cycles for _, cycles in stacks],
            }
        )
        if result.layers:
            profiles.append(_layer_events(result, frame))
    return {
        "$schema": SPEEDSCOPE_SCHEMA,
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": profiles,
        "name": results[0].title,
        "activeProfileIndex": 0,
        "exporter": f"vtarget {results[0].vtarget_version}",
    }


def collapsed(results: Sequence[SavedResult]) -> str:
    """Stacks from the outermost caller on, joined by semicolons, with their cycles (flamegraph.pl reads it). Of several
    results each has its title at the bottom."""
    lines = []
    for result in results:
        bottom = (result.title,) if len(results) > 1 else ()
        for stack, cycles in _stacks(result.contexts):
            if cycles:
                names = ";".join(printable(name).replace(";", ",") for name in (*bottom, *stack))
                lines.append(f"{names} {cycles}\n")
    return "".join(lines)


def _stacks(contexts: Sequence[SavedContext]) -> Iterator[tuple[tuple[str, ...], int]]:
    stacks: list[tuple[str, ...]] = []
    for row in contexts:
        above = () if row.parent is None else stacks[row.parent]
        stacks.append((*above, row.function))
        yield stacks[-1], row.cycles


def _layer_events(result: SavedResult, frame: Any) -> dict[str, Any]:
    events, at = [], 0
    for layer in result.layers:
        number = frame(layer_label(layer))
        events += [{"type": "O", "at": at, "frame": number}, {"type": "C", "at": at + layer.cycles, "frame": number}]
        at += layer.cycles
    return {
        "type": "evented",
        "name": f"{result.title}: layers in order, cycles",
        "unit": "none",
        "startValue": 0,
        "endValue": at,
        "events": events,
    }


def _process(pid: int, result: SavedResult) -> Iterator[dict[str, Any]]:
    yield _name(pid, 0, "process_name", f"{result.title}: sums" if result.timeline else result.title)
    shown = {event["tid"] for event in _slices(pid, result)}
    for tid in sorted(shown):
        yield _name(pid, tid, "thread_name", _THREADS[tid])
    yield from _slices(pid, result)
    yield from _arena(pid, result)


def _moments(pid: int, result: SavedResult) -> Iterator[dict[str, Any]]:
    """A result's timeline, as a process."""
    timeline = result.timeline
    if timeline is None:
        return
    yield _name(pid, 0, "process_name", f"{result.title}: {timeline.note or 'timeline'}")
    for tid, name in tracks(timeline).items():
        yield _name(pid, tid, "thread_name", name)
    yield from slices(timeline, lambda tid, *rest: _slice(pid, tid, *rest))
    yield from clock_counter(result, pid)


def _slices(pid: int, result: SavedResult) -> Iterator[dict[str, Any]]:
    at = 0.0
    for layer in result.layers:
        facts = {"kernel": _text(layer.kernel), "cycles": layer.cycles, "macs": layer.macs}
        yield _slice(pid, LAYERS, layer_label(layer), at, at + layer.latency_s, facts)
        at += layer.latency_s
    yield from _calls(pid, result)
    if result.timeline is None:
        yield from _totals(pid, result)


def _totals(pid: int, result: SavedResult) -> Iterator[dict[str, Any]]:
    """What would stand at its moments, were they known."""
    at = 0.0
    for span in result.spans:
        seconds = max(0.0, span.latency_s)
        yield _slice(pid, SPANS, f"{span.name} {span.index}", at, at + seconds, {"cycles": span.cycles})
        at += seconds
    at = 0.0
    totals: list[tuple[str, float, dict[str, Any]]] = [
        (f"interrupt {k.name}", k.latency_s, {"cycles": k.cycles, "entries": k.interrupts})
        for k in result.kernels
        if k.interrupts
    ]
    totals += [(f"asleep ({s.state})", s.seconds, {"cycles": s.cycles, "wakeups": s.wakeups}) for s in result.sleep]
    for name, seconds, facts in totals:
        yield _slice(pid, TOTALS, name, at, at + seconds, facts)
        at += seconds


def _calls(pid: int, result: SavedResult) -> Iterator[dict[str, Any]]:
    totals, clock = inclusive_cycles(result.contexts), result.board.clock_hz
    filled: list[int] = []  # where the next callee of each row begins, in cycles
    top = 0
    for row, total in zip(result.contexts, totals, strict=True):
        if row.parent is None:
            start, top = top, top + total
        else:
            start = filled[row.parent]
            filled[row.parent] += total
        filled.append(start)
        if total:
            facts = {"cycles": row.cycles, "with callees": total, "calls": row.calls}
            yield _slice(pid, CALLS, row.function, start / clock, (start + total) / clock, facts)


def _arena(pid: int, result: SavedResult) -> Iterator[dict[str, Any]]:
    """Bytes of the arena in use, as a counter that changes from layer to layer."""
    arena = result.memory.arena
    if arena is None:
        return
    at = 0.0
    for layer in result.layers:
        live = [a.size_bytes for a in arena.allocations if a.first_layer <= layer.index <= a.last_layer]
        yield {"name": "arena bytes", "ph": "C", "pid": pid, "ts": 1e6 * at, "args": {"in use": sum(live)}}
        at += layer.latency_s


def _slice(pid: int, tid: int, name: str, start_s: float, end_s: float, facts: dict[str, Any]) -> dict[str, Any]:
    """Both ends are whole nanoseconds: Perfetto's importer rounds start and length each to one, and then drops a slice
    that seems to begin before its neighbour has ended."""
    start_ns, end_ns = round(1e9 * start_s), round(1e9 * end_s)
    times = {"ts": start_ns / 1e3, "dur": (end_ns - start_ns) / 1e3}
    return {"name": _text(name), "ph": "X", "pid": pid, "tid": tid, **times, "args": facts}


def _name(pid: int, tid: int, what: str, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {"name": _text(name)}}


def _text(name: str) -> str:
    """Without backslashes: Perfetto 52 takes one at a name's end for the escape of its quote, and reads no further."""
    return printable(name).replace("\\", "/")

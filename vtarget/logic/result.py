"""A profile as the JSON contract (``schema: vtarget.profile``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vtarget import __version__
from vtarget.data.explanation import Explanation
from vtarget.data.profile import Battery, Bound, MeasuredFacts, MeasuredKernel, Profile
from vtarget.data.record import Frame
from vtarget.data.timeline import Timeline
from vtarget.data.waterfall import Waterfall
from vtarget.logic.explanationreport import explanation_json

SCHEMA = "vtarget.profile"
SCHEMA_VERSION = 1


def profile_json(profile: Profile, explanations: Sequence[Explanation] = ()) -> dict[str, Any]:
    """The contract's object. The same profile gives the same object: no dates, no host facts."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "vtarget_version": __version__,
        "board": {"name": profile.board, "core": profile.core, "clock_hz": profile.clock_hz},
        "firmware": {"path": profile.firmware_path, "sha256": profile.firmware_sha256},
        "exit": {
            "reason": profile.exit.reason.value,
            "code": profile.exit.code,
            "pc": profile.exit.pc,
            "detail": profile.exit.detail,
            "call_stack": [_frame(frame) for frame in profile.exit.call_stack],
        },
        "instructions": profile.instructions,
        "cycles": int(profile.cycles.nominal),
        "cycles_low": int(profile.cycles.low),
        "cycles_high": int(profile.cycles.high),
        **_bounds("latency_s", profile.latency_s),
        **_maybe_bounds("energy_j", profile.energy_j),
        "power_source": profile.power_source,
        "provenance": profile.provenance,
        "calibration": None if profile.calibration is None else asdict(profile.calibration),
        "waterfall": waterfall_json(profile.waterfall),
        "kernels": [
            {
                "name": k.name,
                "address": k.address,
                "calls": k.calls,
                "instructions": k.instructions,
                "cycles": k.cycles,
                "total_cycles": k.total_cycles,
                "latency_s": k.latency_s,
                "energy_j": k.energy_j,
                "interrupts": k.interrupts,
                "waterfall": waterfall_json(k.waterfall),
            }
            for k in profile.kernels
        ],
        "spans": [
            {
                "name": s.name,
                "index": s.index,
                "instructions": s.instructions,
                "cycles": s.cycles,
                "latency_s": s.latency_s,
                "energy_j": s.energy_j,
                "waterfall": waterfall_json(s.waterfall),
            }
            for s in profile.spans
        ],
        "contexts": [asdict(context) for context in profile.contexts],
        "layers": [],
        "explain": [explanation_json(explanation) for explanation in explanations],
        "memory": {
            "flash_bytes": profile.memory.flash_bytes,
            "ram_bytes": profile.memory.ram_bytes,
            "stack_peak_bytes": profile.memory.stack_peak_bytes,
            "arena_bytes": None,
            "regions": [
                {"name": r.name, "used_bytes": r.used_bytes, "size_bytes": r.size_bytes} for r in profile.memory.regions
            ],
            "stacks": [
                {"name": s.name, "top": s.top, "lowest": s.lowest, "bytes": s.bytes} for s in profile.memory.stacks
            ],
        },
        "sleep": [
            {
                "state": s.state,
                "clock_hz": s.clock_hz,
                "cycles": s.cycles,
                "seconds": s.seconds,
                "wakeups": s.wakeups,
                **_maybe_bounds("energy_j", s.energy_j),
                "power_source": s.power_source,
            }
            for s in profile.sleep
        ],
        "duty": {
            **_bounds("elapsed_s", profile.duty.elapsed_s),
            **_maybe_bounds("energy_j", profile.duty.energy_j),
            **_maybe_bounds("average_w", profile.duty.average_w),
        },
        "battery": _battery(profile.battery),
        "timeline": None if profile.timeline is None else _timeline(profile.timeline, profile.timeline_note),
        "validation": None,
        "console": profile.console,
        "not_modelled": list(profile.not_modelled),
        **({} if profile.measured is None else {"measured": _measured(profile.measured)}),
    }


def _measured(facts: MeasuredFacts) -> dict[str, Any]:
    """The object ``measured``, which is there if a real board ran the firmware."""
    return {
        "provenance": "measured",
        "probe": facts.probe,
        "board_serial": facts.board_serial,
        "counter": facts.counter,
        "date": facts.date,
        "runs": facts.runs,
        "overhead_cycles": facts.overhead_cycles,
        "total": None if facts.total is None else _beside(facts.total),
        "kernels": [
            {"name": one.name, "address": one.address, "calls": one.calls, **_beside(one), "own": one.own}
            for one in facts.kernels
        ],
        "spans": list(facts.spans),
        "self_reported": [
            {"name": one.name, "calls": one.calls, "measured_cycles": one.total_cycles} for one in facts.self_reported
        ],
        "notes": list(facts.notes),
        "waterfall": waterfall_json(facts.waterfall),
    }


def _beside(one: MeasuredKernel) -> dict[str, Any]:
    return {
        "estimated_cycles": one.estimated_cycles,
        "measured_cycles": one.total_cycles,
        "spread": one.spread,
        "error_pct": one.error_pct,
    }


def waterfall_json(waterfall: Waterfall | None) -> dict[str, int] | None:
    """A waterfall by the names of its parts."""
    return None if waterfall is None else asdict(waterfall)


def _timeline(timeline: Timeline, note: str) -> dict[str, Any]:
    return {
        "board": timeline.board,
        "note": note,
        "end_cycle": timeline.end_cycle,
        "known_cycles": timeline.known_cycles,
        "clocks": [asdict(change) for change in timeline.clocks],
        "lanes": [
            {
                "kind": lane.kind.value,
                "name": lane.name,
                "number": lane.number,
                "handler": lane.handler,
                "begin_cycles": list(lane.begins),
                "end_cycles": list(lane.ends),
                "left_out": asdict(lane.left_out),
                "unfinished": lane.unfinished,
            }
            for lane in timeline.lanes
        ],
    }


def _frame(frame: Frame) -> dict[str, Any]:
    return {"function": frame.function, "address": frame.address}


def _battery(battery: Battery | None) -> dict[str, float] | None:
    if battery is None:
        return None
    return {"capacity_mah": battery.capacity_mah, "volts": battery.volts, **_bounds("life_s", battery.life_s)}


def _maybe_bounds(name: str, bound: Bound | None) -> dict[str, float] | dict[str, None]:
    return _bounds(name, bound) if bound else {name: None, f"{name}_low": None, f"{name}_high": None}


def _bounds(name: str, bound: Bound) -> dict[str, float]:
    return {name: bound.nominal, f"{name}_low": bound.low, f"{name}_high": bound.high}

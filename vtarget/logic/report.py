"""A profile in words and columns, for people. Pure: the application decides where it goes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from vtarget.data.profile import Bound, Duty, Kernel, MeasuredFacts, Profile, Sleeping, Span
from vtarget.data.record import Exit, Reason
from vtarget.logic.shortnames import short_name, short_names

KERNEL_COLUMNS = ("kernel", "calls", "instructions", "cycles", "with callees", "time", "energy", "share")
MEASURED_COLUMNS = ("estimated", "error", "cycles are")  # beside KERNEL_COLUMNS, if a board was measured
MOST_KERNELS = 25
MOST_SPANS, LEAST_SPANS = 50, 5  # of all names together if they are few, of each if they are many
_LIFE_UNITS = ((365.25 * 86_400, "years"), (86_400, "days"), (3600, "hours"))
_LONGEST_LIFE_S = 1000 * _LIFE_UNITS[0][0]
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))


@dataclass(frozen=True)
class KernelTable:
    """Rows to print and how many kernels (with what share of the cycles) were left out."""

    rows: tuple[tuple[str, ...], ...]
    left_out: int
    left_out_share: float


def quantity(value: float | None, unit: str) -> str:
    """A value with three significant digits and a prefix: ``12.3 ms``. ``unknown`` for None."""
    if value is None:
        return "unknown"
    if value == 0:
        return f"0 {unit}"
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            return f"{_three_digits(value / factor)} {prefix}{unit}"
    return f"{_three_digits(value / _PREFIXES[-1][0])} {_PREFIXES[-1][1]}{unit}"


def _three_digits(value: float) -> str:
    magnitude = abs(value)
    decimals = 2 if magnitude < 9.995 else 1 if magnitude < 99.95 else 0
    return f"{value:,.{decimals}f}"


def select_kernels(profile: Profile, pattern: re.Pattern[str] | None) -> tuple[Kernel, ...]:
    """Kernels whose name the pattern finds; all of them without one."""
    return tuple(k for k in profile.kernels if pattern is None or pattern.search(k.name))


def kernel_table(profile: Profile, pattern: re.Pattern[str] | None = None) -> KernelTable:
    """The kernels to show: all that match a pattern, else the MOST_KERNELS with most cycles."""
    chosen = select_kernels(profile, pattern)
    shown = chosen if pattern is not None else chosen[:MOST_KERNELS]
    total = profile.cycles.nominal or 1.0
    rest = sum(k.cycles for k in chosen[len(shown) :])
    names = short_names([(k.name, k.address) for k in shown])
    found = tuple((*_row(k, name, total), *_beside(k, profile.measured)) for k, name in zip(shown, names, strict=True))
    return KernelTable(found, len(chosen) - len(shown), rest / total)


def kernel_columns(profile: Profile) -> tuple[str, ...]:
    """Titles of ``kernel_table``."""
    return KERNEL_COLUMNS if profile.measured is None else (*KERNEL_COLUMNS, *MEASURED_COLUMNS)


def _beside(kernel: Kernel, facts: MeasuredFacts | None) -> tuple[str, ...]:
    """The estimate of a measured kernel's cycles with callees, its error, and which cycles are measured."""
    if facts is None:
        return ()
    one = next((one for one in facts.kernels if one.address == kernel.address), None)
    if one is None:
        return "", "", "estimated"
    estimated = "-" if one.estimated_cycles is None else f"{one.estimated_cycles:,}"
    error = "-" if one.error_pct is None else f"{one.error_pct:+.2f} %"
    return estimated, error, "measured" if one.own else "measured with callees"


def _row(kernel: Kernel, name: str, total: float) -> tuple[str, ...]:
    return (
        f"{name} (interrupt)" if kernel.interrupts else name,
        f"{kernel.calls:,}",
        f"{kernel.instructions:,}",
        f"{kernel.cycles:,}",
        f"{kernel.total_cycles:,}",
        quantity(kernel.latency_s, "s"),
        quantity(kernel.energy_j, "J"),
        f"{100 * kernel.cycles / total:.1f} %",
    )


def heading(profile: Profile) -> str:
    """One line: what ran where."""
    return (
        f"{profile.firmware_path} on {profile.board} ({profile.core} at {profile.clock_hz / 1e6:g} MHz), "
        f"{provenance(profile)}"
    )


def provenance(profile: Profile) -> str:
    """What stands behind the cycles."""
    facts, fit = profile.measured, profile.calibration
    if facts is not None:
        serial = f" {facts.board_serial}" if facts.board_serial is not None else ""
        runs = f"{facts.runs} run{'s' if facts.runs > 1 else ''}"
        return f"{profile.provenance} {facts.date} (board{serial} through {facts.probe}, {facts.counter}, {runs})"
    if fit is None:
        return profile.provenance
    return f"{profile.provenance} {fit.date} ({fit.file}, {fit.error_pct:.1f} % off)"


def total_lines(profile: Profile) -> list[tuple[str, str]]:
    """(label, value) of the totals."""
    energy = profile.energy_j
    lines = [
        ("instructions", f"{profile.instructions:,}"),
        ("cycles", _with_bounds(profile.cycles, lambda v: f"{v:,.0f}")),
        ("time", _with_bounds(profile.latency_s, lambda v: quantity(v, "s"))),
        (
            "energy",
            _with_bounds(energy, lambda v: quantity(v, "J")) if energy else f"unknown ({profile.power_source})",
        ),
    ]
    if energy:
        lines.append(("power", profile.power_source))
    if profile.measured is not None:
        lines.extend(_measured_lines(profile.measured))
    lines.extend(duty_lines(profile))
    lines.extend((f"stack ({s.name})", f"{s.bytes:,} bytes at most") for s in profile.memory.stacks)
    lines.append(("ended by", ending(profile.exit)))
    return lines


def _measured_lines(facts: MeasuredFacts) -> list[tuple[str, str]]:
    if facts.total is None:
        lines = [("measured", "not the whole run: the totals are estimates")]
    else:
        error = f" ({facts.total.error_pct:+.2f} %)" if facts.total.error_pct is not None else ""
        lines = [("estimated", f"{facts.total.estimated_cycles:,} cycles{error}")]
    return lines + [(f"timed ({one.name})", f"{one.total_cycles:,} cycles in {one.calls:,} calls, by the firmware")
                    for one in facts.self_reported]  # fmt: skip


def duty_lines(profile: Profile) -> list[tuple[str, str]]:
    """(label, value) of sleep, of awake and asleep together if the core slept, and of the battery if asked for."""
    lines = _sleep_lines(profile.sleep, profile.duty, profile.latency_s.nominal) if profile.sleep else []
    battery = profile.battery
    if battery is not None:
        source = f"{battery.capacity_mah:g} mAh at {battery.volts:g} V, the chip alone"
        lines.append(("battery", f"{_life(battery.life_s)} from {source}"))
    return lines


def _sleep_lines(sleep: tuple[Sleeping, ...], duty: Duty, awake_s: float) -> list[tuple[str, str]]:
    lines = [(s.state, _sleeping(s)) for s in sleep]
    share = 100 * awake_s / duty.elapsed_s.nominal if duty.elapsed_s.nominal else 100
    digits = ".0f" if share >= 10 else ".2g"
    lines.append(("elapsed", f"{quantity(duty.elapsed_s.nominal, 's')}, awake {share:{digits}} % of it"))
    if duty.average_w is None or duty.energy_j is None:
        unknown = next((s.power_source for s in sleep if s.energy_j is None), "no power figure")
        return [*lines, ("average", f"unknown ({unknown})")]
    lines.append(("average", _with_bounds(duty.average_w, lambda v: quantity(v, "W"))))
    wakeups = sum(s.wakeups for s in sleep)
    if wakeups > 1:
        each = duty.energy_j.scaled(1 / wakeups)
        lines.append(("per wake-up", _with_bounds(each, lambda v: quantity(v, "J"))))
    return lines


def _sleeping(sleep: Sleeping) -> str:
    joules = _with_bounds(sleep.energy_j, lambda v: quantity(v, "J")) if sleep.energy_j else "energy unknown"
    wakeups = f"{sleep.wakeups:,} wake-up{'s' if sleep.wakeups != 1 else ''}"
    return f"{quantity(sleep.seconds, 's')} at {sleep.clock_hz / 1e6:g} MHz, {wakeups}, {joules}"


def _life(seconds: Bound) -> str:
    """A battery's life in one unit: hours, days or years."""
    if seconds.low >= _LONGEST_LIFE_S:
        return "more than 1,000 years"
    unit, name = next((u for u in _LIFE_UNITS if seconds.nominal >= 2 * u[0]), _LIFE_UNITS[-1])
    return _with_bounds(seconds, lambda v: f"{_three_digits(v / unit)} {name}")


def _with_bounds(bound: Bound, show: Callable[[float], str]) -> str:
    return f"{show(bound.nominal)} ({show(bound.low)} .. {show(bound.high)})"


def memory_rows(profile: Profile) -> list[tuple[str, ...]]:
    """Region, used, size, percent; only regions that are used."""
    return [
        (r.name, f"{r.used_bytes:,}", f"{r.size_bytes:,}", f"{100 * r.used_bytes / r.size_bytes:.1f} %")
        for r in profile.memory.regions
        if r.used_bytes
    ]


def ending(ended: Exit) -> str:
    """How the run ended, in words."""
    detail = f": {ended.detail}" if ended.detail else ""
    match ended.reason:
        case Reason.SEMIHOSTING:
            return f"semihosting exit, code {ended.code}"
        case Reason.RETURN:
            return f"return from main, value {ended.code}"
        case Reason.UNTIL:
            return ended.detail or f"reaching 0x{ended.pc:08x} (--until)"
        case _:
            return f"{ended.reason.value}{detail} at 0x{ended.pc:08x}"


def failure(profile: Profile) -> str | None:
    """One line about why the run counts as failed (fault, limit, exit code), or None. Names place and call stack."""
    reason = ending_failure(profile.exit)
    return None if reason is None else f"{profile.firmware_path}: {reason}"


def ending_failure(ended: Exit) -> str | None:
    """Why an end counts as a failure, or None."""
    if ended.reason is Reason.SEMIHOSTING and ended.code:
        return f"the firmware exited with code {ended.code}"
    failed_script = ended.reason is Reason.SCRIPT and ended.code
    if ended.reason not in (Reason.FAULT, Reason.LIMIT, Reason.STUCK) and not failed_script:
        return None
    what = "limit reached: " if ended.reason is Reason.LIMIT else ""
    return f"{what}{ended.detail}, at pc 0x{ended.pc:08x} in {_stack(ended)}"


def _stack(ended: Exit, most: int = 8) -> str:
    names = [short_name(f.function) for f in ended.call_stack[:most]]
    folded: list[str] = []
    for name in names:
        if not folded or folded[-1] != name:
            folded.append(name)
    more = len(ended.call_stack) - len(names)
    return " < ".join(folded) + (f" < … ({more} more frames)" if more > 0 else "")


def stack_lines(ended: Exit, most: int = 30) -> list[str]:
    """The call stack, one frame a line, innermost first; the middle of a deep one is left out."""
    lines = [f"0x{frame.address:08x} {frame.function}" for frame in ended.call_stack]
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], f"… {len(lines) - 2 * half} more frames", *lines[-half:]]


def span_rows(profile: Profile) -> list[tuple[str, ...]]:
    """One row per span, the first of each name; ``span_rest`` tells of the others."""
    return [
        (
            short_name(s.name),
            f"{s.index}",
            f"{s.instructions:,}",
            f"{s.cycles:,}",
            quantity(s.latency_s, "s"),
            quantity(s.energy_j, "J"),
        )
        for s in _spans_split(profile)[0]
    ]


def span_rest(profile: Profile) -> list[str]:
    """A line for each name of which ``span_rows`` leaves out calls."""
    left_out: dict[str, list[int]] = {}
    for span in _spans_split(profile)[1]:
        left_out.setdefault(span.name, []).append(span.cycles)
    return [
        f"… and {len(cycles):,} more of {short_name(name)}, of {min(cycles):,} .. {max(cycles):,} cycles"
        for name, cycles in left_out.items()
    ]


def _spans_split(profile: Profile) -> tuple[list[Span], list[Span]]:
    """Those to show, and the others."""
    names = Counter(span.name for span in profile.spans)
    most = max(MOST_SPANS // max(len(names), 1), LEAST_SPANS)
    seen: Counter[str] = Counter()
    shown: list[Span] = []
    others: list[Span] = []
    for span in profile.spans:
        seen[span.name] += 1
        (shown if seen[span.name] <= most else others).append(span)
    return shown, others

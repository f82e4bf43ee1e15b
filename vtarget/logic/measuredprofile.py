"""A profile with what a real board took in place of the estimates, wherever it was measured. Pure.

A board tells cycles of calls, callees included. A kernel's own cycles follow where all that it calls was measured too
and is called by nothing else; power stays the board file's, so energy is that power over the measured time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vtarget.base.errors import InputError
from vtarget.data.explanation import Explanation
from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Bound, Kernel, MeasuredFacts, MeasuredKernel, Profile, Span
from vtarget.logic.calibration import NOISE
from vtarget.logic.duty import battery_life, duty_of

MEASURED, PARTLY_MEASURED = "measured", "partly measured"
LEAST_OWN = 10 * NOISE  # of a kernel's cycles: a smaller difference to its callees' says nothing


def with_measurement(profile: Profile, measurement: Measurement | None) -> Profile:
    """The profile of the same firmware's virtual run with measured cycles where there are any: ``provenance`` is then
    MEASURED, or PARTLY_MEASURED if the whole run isn't. Unchanged without a measurement.

    InputError if the two aren't of the same firmware, board and core.
    """
    if measurement is None:
        return profile
    check_same(profile, measurement)
    kernels = {kernel.address: kernel for kernel in profile.kernels}
    found = [_kernel(timed, kernels) for timed in measurement.kernels]
    owns = _owns(profile, {one.address: one for one in found if one.address is not None})
    found = [replace(one, own=one.address in owns) for one in found]
    spans, known = _spans(profile, {timed.name: timed.each for timed in measurement.spans if timed.each})
    total = None if measurement.total is None else _total(profile, measurement.total)
    facts = MeasuredFacts(
        probe=measurement.probe,
        board_serial=measurement.board_serial,
        counter=measurement.counter,
        date=measurement.date,
        runs=measurement.runs,
        overhead_cycles=measurement.overhead_cycles,
        total=total,
        kernels=tuple(found),
        spans=known,
        self_reported=tuple(_own_words(timed) for timed in measurement.spans if timed.address is None),
        notes=(*measurement.notes, *_notes(profile, measurement)),
        waterfall=profile.waterfall,
    )
    changed = replace(
        profile,
        provenance=PARTLY_MEASURED if total is None else MEASURED,
        exit=replace(profile.exit, code=_code(profile, measurement)),
        console=measurement.console or profile.console,
        kernels=_measured_kernels(profile, found, owns),
        spans=spans,
        measured=facts,
    )
    return changed if total is None else _whole(changed, total)


def explained_beside(explanation: Explanation, profile: Profile) -> Explanation:
    """An explanation beside what a real board measured for the kernel alone, if it ran the profile's firmware."""
    if profile.measured is None:
        return explanation
    own = {one.address for one in profile.measured.kernels if one.own}
    found = [k.cycles for k in profile.kernels if k.name == explanation.name and k.address in own]
    return replace(explanation, beside_board=True, measured_cycles=found[0] if len(found) == 1 else None)


def check_same(profile: Profile, measurement: Measurement) -> None:
    """InputError if a measurement is of another board or firmware than a profile."""
    if measurement.board != profile.board:
        raise InputError(f"the measurement is of board {measurement.board}, not of {profile.board}")
    if measurement.firmware_sha256 != profile.firmware_sha256:
        raise InputError(
            f"the measurement is of another firmware than {profile.firmware_path}",
            hint=f"it names {measurement.firmware_path}, sha256 {measurement.firmware_sha256[:12]}…",
        )


def _kernel(timed: Timed, kernels: Mapping[int, Kernel]) -> MeasuredKernel:
    estimate = None if timed.address is None else kernels.get(timed.address)
    same = estimate is not None and estimate.calls == timed.calls
    estimated = estimate.total_cycles if estimate is not None and same else None
    return MeasuredKernel(timed.name, timed.address, timed.calls, timed.total_cycles, timed.spread, estimated)


def _own_words(timed: Timed) -> MeasuredKernel:
    return MeasuredKernel(timed.name, None, timed.calls, timed.total_cycles, timed.spread, None)


def _total(profile: Profile, timed: Timed) -> MeasuredKernel:
    return MeasuredKernel("total", None, 1, timed.total_cycles, timed.spread, round(profile.cycles.nominal))


def _owns(profile: Profile, measured: Mapping[int, MeasuredKernel]) -> dict[int, int]:
    """Own cycles by address, of kernels whose callees' cycles can be taken off: those for which the estimates' own
    cycles are the difference, too (not so with recursion, or a callee of others), and that is well above the noise."""
    callees: dict[int, set[int]] = {}
    for row in profile.contexts:
        if row.parent is not None and profile.contexts[row.parent].address != row.address:
            callees.setdefault(profile.contexts[row.parent].address, set()).add(row.address)
    estimates = {kernel.address: kernel for kernel in profile.kernels}
    found = {}
    for address, one in measured.items():
        below = callees.get(address, set())
        if one.estimated_cycles is None or any(_estimate(measured, at) is None for at in below):
            continue
        rest = sum(estimates[at].total_cycles for at in below)
        own = one.total_cycles - sum(measured[at].total_cycles for at in below)
        told = not below or own >= LEAST_OWN * one.total_cycles
        if told and estimates[address].cycles == one.estimated_cycles - rest:
            found[address] = own
    return found


def _estimate(measured: Mapping[int, MeasuredKernel], address: int) -> int | None:
    return measured[address].estimated_cycles if address in measured else None


def _measured_kernels(profile: Profile, found: list[MeasuredKernel], owns: Mapping[int, int]) -> tuple[Kernel, ...]:
    by_address = {one.address: one for one in found}
    kernels = []
    for kernel in profile.kernels:
        one = by_address.get(kernel.address)
        if one is not None:
            kernel = replace(kernel, calls=one.calls, total_cycles=one.total_cycles)
        own = owns.get(kernel.address)
        if own is not None:
            seconds, joules = _at(profile, kernel, own)
            kernel = replace(kernel, cycles=own, latency_s=seconds, energy_j=joules, waterfall=None)
        kernels.append(kernel)
    return tuple(sorted(kernels, key=lambda k: (-k.cycles, k.address)))


def _spans(profile: Profile, each: Mapping[str, tuple[int, ...]]) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """Spans with measured cycles, and the names of those functions; as many calls as the virtual run must have been."""
    counts = {name: sum(span.name == name for span in profile.spans) for name in each}
    known = tuple(name for name, cycles in each.items() if counts[name] == len(cycles))
    spans = [_span(profile, span, each[span.name][span.index]) if span.name in known else span
             for span in profile.spans]  # fmt: skip
    return tuple(spans), known


def _span(profile: Profile, span: Span, cycles: int) -> Span:
    seconds, joules = _at(profile, span, cycles)
    return replace(span, cycles=cycles, latency_s=seconds, energy_j=joules, waterfall=None)


def _at(profile: Profile, estimate: Kernel | Span, cycles: int) -> tuple[float, float | None]:
    """Seconds and joules of so many cycles, at the clocks and the power of the estimate."""
    if estimate.cycles <= 0:
        watts = None if profile.energy_j is None else profile.energy_j.nominal / (profile.latency_s.nominal or 1.0)
        seconds = cycles / profile.clock_hz
        return seconds, None if watts is None else watts * seconds
    ratio = cycles / estimate.cycles
    return estimate.latency_s * ratio, None if estimate.energy_j is None else estimate.energy_j * ratio


def _whole(profile: Profile, total: MeasuredKernel) -> Profile:
    """Totals of the measured run. All runs lie within a spread of their median."""
    nominal, spread = total.total_cycles, total.spread
    cycles = Bound(float(max(min(1, nominal), nominal - spread)), float(nominal), float(nominal + spread))
    latency = cycles.scaled(profile.latency_s.nominal / (profile.cycles.nominal or 1.0))
    joules = None
    if profile.energy_j is not None:
        before, energy = profile.latency_s, profile.energy_j
        watts = [j / (s or 1.0) for j, s in zip(_three(energy), _three(before), strict=True)]
        joules = Bound(*sorted(w * s for w, s in zip(watts, _three(latency), strict=True)))
    duty = duty_of(latency, joules, profile.sleep)
    battery = profile.battery
    if battery is not None:
        battery = battery_life(duty, battery.capacity_mah, battery.volts)
    return replace(profile, cycles=cycles, latency_s=latency, energy_j=joules, duty=duty, battery=battery,
                   waterfall=None)  # fmt: skip


def _three(bound: Bound) -> tuple[float, float, float]:
    return bound.low, bound.nominal, bound.high


def _code(profile: Profile, measurement: Measurement) -> int:
    return profile.exit.code if measurement.exit_code is None else measurement.exit_code


def _notes(profile: Profile, measurement: Measurement) -> list[str]:
    notes = []
    if profile.clock_hz != measurement.clock_hz:
        notes.append(
            f"measured at {measurement.clock_hz / 1e6:g} MHz, as the board's file says; time is at the "
            f"{profile.clock_hz / 1e6:g} MHz of the virtual run"
        )
    if not measurement.console and profile.console:
        notes.append("what the board printed did not come through the probe; the console text is the virtual run's")
    if any(kernel.interrupts for kernel in profile.kernels):
        notes.append("interrupts came: what they interrupted was measured with them, and is estimated without")
    if profile.sleep:
        notes.append("the core slept: whether the counter counts then is the chip's affair; sleep is the virtual run's")
    return notes

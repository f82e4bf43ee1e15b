"""The energy of a duty cycle: what sleeping cost, average power, and how long a battery lasts.

E = sum over states of P(state, clock) t (energy facts, section 7). Sleep is priced with the board's power state of the
same supply as the run's: ``sleep-3v0-ldo`` for ``run-3v0-ldo`` if there is one, else ``sleep``.
"""

from __future__ import annotations

from vtarget.data.board import Board
from vtarget.data.profile import Battery, Bound, Duty, Sleeping
from vtarget.data.record import ExecutionRecord, Sleep
from vtarget.logic.energy import Power, energy, power_at

COULOMBS_PER_MAH = 3.6
SLEEP = "sleep"  # WFI and WFE without SLEEPDEEP; the other states are deep


def sleep_power(board: Board, state: str, clock_hz: int, run_state: str | None) -> Power | None:
    """Power of a sleep state; None if the board has no figure for it."""
    if not board.power:
        return None
    supply = (run_state or board.power[0].name).removeprefix("run")
    names = {power.name for power in board.power}
    for name in (state + supply, state):
        if name in names:
            return power_at(board, _clock_asleep(board, state, name, clock_hz), name)
    return None


def _clock_asleep(board: Board, state: str, name: str, clock_hz: int) -> int:
    """The clock to price at. A deep state stops the core's clock, so its power doesn't scale with that."""
    if state == SLEEP:
        return clock_hz
    points = next(power.points for power in board.power if power.name == name)
    return min((point.clock for point in points), key=lambda clock: abs(clock - clock_hz))


def sleeping(
    record: ExecutionRecord, board: Board, clock_hz: int | None, run_state: str | None
) -> tuple[Sleeping, ...]:
    """What each sleep state of a record cost; ``clock_hz`` stands for the clocks of the record, if given."""
    return tuple(_sleeping(sleep, board, clock_hz or sleep.clock_hz, run_state) for sleep in record.sleep)


def _sleeping(sleep: Sleep, board: Board, clock_hz: int, run_state: str | None) -> Sleeping:
    seconds = sleep.cycles / sleep.clock_hz
    power = sleep_power(board, sleep.state, clock_hz, run_state)
    joules = energy(power, Bound(seconds, seconds, seconds))
    source = power.source if power else f"no power figure for {sleep.state} on this board"
    return Sleeping(sleep.state, clock_hz, sleep.cycles, seconds, sleep.wakeups, joules, source)


def duty_of(awake_s: Bound, awake_j: Bound | None, asleep: tuple[Sleeping, ...]) -> Duty:
    """Awake and asleep together. Energy is unknown if that of any part is."""
    asleep_s = sum(part.seconds for part in asleep)
    elapsed = Bound(awake_s.low + asleep_s, awake_s.nominal + asleep_s, awake_s.high + asleep_s)
    parts = [awake_j, *(part.energy_j for part in asleep)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or not elapsed.nominal:
        return Duty(elapsed, None, None)
    total = Bound(sum(p.low for p in known), sum(p.nominal for p in known), sum(p.high for p in known))
    # Each bound of energy goes with the time that it was made with.
    average = sorted((total.low / elapsed.low, total.nominal / elapsed.nominal, total.high / elapsed.high))
    return Duty(elapsed, total, Bound(*average))


def battery_life(duty: Duty, capacity_mah: float, volts: float) -> Battery | None:
    """How long a battery of that capacity feeds this duty cycle, nothing but the chip drawing from it at ``volts``."""
    if duty.average_w is None or not duty.average_w.low:
        return None
    joules, watts = capacity_mah * COULOMBS_PER_MAH * volts, duty.average_w
    return Battery(capacity_mah, volts, Bound(joules / watts.high, joules / watts.nominal, joules / watts.low))

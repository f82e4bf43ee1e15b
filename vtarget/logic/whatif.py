"""What-if: one record priced for settings that the board didn't have when it ran."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.base.units import FREQUENCY, exact
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.memory_cost import Moved
from vtarget.logic.pricing import Pricer
from vtarget.logic.report import quantity


@dataclass(frozen=True)
class Setting:
    """One supposition; None and () leave things as they are. ``places`` are (section, function or region, region)."""

    clock_hz: int | None = None
    wait_states: int | None = None
    caches_on: bool | None = None
    places: tuple[tuple[str, str], ...] = ()

    @property
    def is_what_if(self) -> bool:
        """Whether it supposes another board than there is; another clock is one that the board can have."""
        return self.wait_states is not None or self.caches_on is not None or bool(self.places)

    @property
    def label(self) -> str:
        """The options that ask for it."""
        parts = []
        if self.clock_hz is not None:
            parts.append(f"--clock {exact(self.clock_hz, FREQUENCY).replace(' ', '')}")
        if self.wait_states is not None:
            parts.append(f"--wait-states {self.wait_states}")
        if self.caches_on is not None:
            parts.append(f"--cache {'on' if self.caches_on else 'off'}")
        parts += [f"--place {what}={where}" for what, where in self.places]
        return " ".join(parts) or "as it is"


def settings(
    clocks: tuple[int, ...],
    wait_states: tuple[int, ...],
    caches: tuple[bool, ...],
    places: tuple[tuple[str, str], ...],
) -> tuple[Setting, ...]:
    """Every combination of the values given, each kind also left as it is; places are all taken or none."""
    kinds = product((None, *clocks), (None, *wait_states), (None, *caches), ((), places) if places else ((),))
    return tuple(dict.fromkeys(Setting(*kind) for kind in kinds))


def supposing(record: ExecutionRecord, pricer: Pricer, setting: Setting) -> Pricer:
    """The pricer under that supposition. InputError for places that the record or the board doesn't know."""
    return pricer.supposing(
        placement=tuple(_moved(record, pricer, *place) for place in setting.places),
        wait_states=setting.wait_states,
        caches_on=setting.caches_on,
    )


def _moved(record: ExecutionRecord, pricer: Pricer, what: str, where: str) -> Moved:
    board = pricer.board
    names = [region.name for region in board.regions]
    if where not in names:
        raise InputError(f"--place: board {board.name} has no region '{where}'", hint=f"it has {', '.join(names)}")
    for region in board.regions:
        if region.name == what:
            return Moved(region.base, region.end, where)
    stretches = {s.name: (s.address, s.size_bytes) for s in record.sections}
    stretches |= {f.name: (f.address & ~1, f.size_bytes) for f in record.functions if f.size_bytes}
    if what not in stretches:
        hint = did_you_mean(what, [*stretches, *names])
        raise InputError(f"--place: '{what}' is no section, function or region of this run", hint=hint)
    address, size_bytes = stretches[what]
    if board.region_at(address) is None:
        raise InputError(
            f"--place: {what} lies at 0x{address:08x}, where board {board.name} has no memory",
            hint=f"the record was made on {record.board}",
        )
    return Moved(address, address + size_bytes, where)


def straddling(record: ExecutionRecord, moved: tuple[Moved, ...]) -> int:
    """How many loads and stores reached both what is moved and what isn't: they are priced as if nothing were."""
    count = 0
    for low, high in zip(record.site_low.tolist(), record.site_high.tolist(), strict=True):
        touched = [m for m in moved if low < m.high and m.low <= high]
        if low >= 0 and touched and not any(m.low <= low and high < m.high for m in touched):
            count += 1
    return count


@dataclass(frozen=True)
class Supposed:
    """A setting, and the record priced for it."""

    setting: Setting
    profile: Profile


def rows(supposed: tuple[Supposed, ...]) -> list[list[str]]:
    """(setting, cycles with bounds, change to the first, time, energy) of each."""
    base = supposed[0].profile.cycles.nominal
    table = []
    for row in supposed:
        cycles, energy = row.profile.cycles, row.profile.energy_j
        table.append(
            [
                row.setting.label,
                f"{cycles.nominal:,.0f}",
                f"{cycles.low:,.0f} .. {cycles.high:,.0f}",
                _change(cycles.nominal, base),
                quantity(row.profile.latency_s.nominal, "s"),
                quantity(energy.nominal, "J") if energy else "unknown",
            ]
        )
    return table


def _change(cycles: float, base: float) -> str:
    # Adding 0.0 makes 0 of what rounds to -0.
    return f"{round(100 * (cycles / base - 1), 1) + 0.0:+.1f} %" if base else "-"


def whatif_json(supposed: tuple[Supposed, ...]) -> dict[str, object]:
    """The table for machines; the first row is the board as it is."""
    first = supposed[0].profile
    return {
        "schema": "vtarget.whatif",
        "schema_version": 1,
        "board": first.board,
        "rows": [_row_json(row) for row in supposed],
    }


def _row_json(row: Supposed) -> dict[str, object]:
    profile, setting = row.profile, row.setting
    energy = profile.energy_j
    return {
        "options": setting.label,
        "clock_hz": profile.clock_hz,
        "wait_states": setting.wait_states,
        "cache": None if setting.caches_on is None else "on" if setting.caches_on else "off",
        "place": [f"{what}={where}" for what, where in setting.places],
        "cycles": int(profile.cycles.nominal),
        "cycles_low": int(profile.cycles.low),
        "cycles_high": int(profile.cycles.high),
        "latency_s": profile.latency_s.nominal,
        "energy_j": energy.nominal if energy else None,
        "not_modelled": list(profile.not_modelled),
    }

"""Options of ``vtarget run`` that suppose another clock, wait states, caches or places, and their table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from vtarget.base.errors import InputError

if TYPE_CHECKING:
    from vtarget.data.calibration import AppliedCalibration
    from vtarget.data.profile import Profile
    from vtarget.data.record import ExecutionRecord
    from vtarget.logic.pricing import Pricer
    from vtarget.logic.whatif import Setting, Supposed

_OPTIONS = (
    click.option("--clock", "clocks", multiple=True, metavar="HZ",
                 help="Core clock, such as '80 MHz' (default: the board's typical clock)."),
    click.option("--wait-states", "wait_states", multiple=True, type=click.IntRange(0, 64), metavar="N",
                 help="Price memory that isn't RAM as if it had N wait states."),
    click.option("--cache", "caches", multiple=True, type=click.Choice(["on", "off"]),
                 help="Price the board as if its caches and prefetch buffers were all on or off."),
    click.option("--place", "places", multiple=True, metavar="WHAT=REGION",
                 help="Price a section, a function or what lies in a region as if it lay in REGION."),
    click.option("--table", is_flag=True,
                 help="Show these options one by one and together as a table (as does one given twice)."),
)  # fmt: skip


def whatif_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class WhatIf:
    """The options given: one setting to price the run for, or (``table``) several to compare."""

    settings: tuple[Setting, ...]
    table: bool

    @property
    def clock_hz(self) -> int | None:
        """The clock to run at; None where the table is to compare several."""
        return None if self.table else self.settings[-1].clock_hz

    @property
    def given(self) -> bool:
        """Whether anything is supposed that needs a record to be priced."""
        return self.table or self.settings[-1].is_what_if


def what_if(options: dict[str, Any], parse_clock: Callable[[str], int]) -> WhatIf:
    """The options as values. InputError for what can't be read."""
    from vtarget.logic.whatif import settings

    clocks = tuple(dict.fromkeys(parse_clock(text) for text in options["clocks"]))
    caches = tuple(dict.fromkeys(state == "on" for state in options["caches"]))
    waits = tuple(dict.fromkeys(options["wait_states"]))
    places = tuple(_pair(text) for text in options["places"])
    table = options["table"] or max(len(clocks), len(caches), len(waits)) > 1
    chosen = settings(clocks, waits, caches, places)
    if options["table"] and len(chosen) == 1:
        raise InputError("--table compares settings, and none is given", hint="such as --clock, --wait-states, --cache")
    return WhatIf(chosen, table)


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise InputError(f"--place '{text}': expected WHAT=REGION")
    return left, right


def priced(
    record: ExecutionRecord,
    pricer: Pricer,
    setting: Setting,
    power_state: str | None,
    battery_mah: float | None = None,
    *,
    waterfall: bool = True,
) -> Profile:
    """The record priced under one setting, at the pricer's clock."""
    from vtarget.logic.whatif import supposing
    from vtarget.shell.running import price

    at = supposing(record, pricer, setting)
    profile = price(record, at, power_state=power_state, battery_mah=battery_mah, waterfall=waterfall)
    return with_straddling(profile, record, at)


def with_straddling(profile: Profile, record: ExecutionRecord, supposed: Pricer) -> Profile:
    """The profile with a note on the accesses that --place couldn't tell apart, if there are any."""
    from vtarget.logic.whatif import straddling
    from vtarget.shell.running import with_notes

    split = straddling(record, supposed.memory.placement)
    if not split:
        return profile
    return with_notes(profile, f"--place: {split} loads and stores reached more than what is moved: priced in place")


def table(
    price_at: Callable[[Pricer, Setting], Profile],
    board: str,
    chosen: WhatIf,
    calibration: AppliedCalibration | None = None,
) -> tuple[Supposed, ...]:
    """What is priced under every setting, the board as it is first. ``price_at`` is told a pricer at its clock."""
    from vtarget.logic.whatif import Supposed
    from vtarget.shell.running import pricer_for

    at = {setting.clock_hz: pricer_for(board, clock_hz=setting.clock_hz) for setting in chosen.settings}
    pricers = {clock_hz: replace(pricer, calibration=calibration) for clock_hz, pricer in at.items()}
    return tuple(Supposed(setting, price_at(pricers[setting.clock_hz], setting)) for setting in chosen.settings)


def show_table(supposed: tuple[Supposed, ...], json_path: str | None, *, quiet: bool) -> None:
    """Print the table and write it as JSON."""
    from vtarget.app.terminal import Column, print_line, print_table, write_json
    from vtarget.logic.whatif import rows, whatif_json

    if json_path is not None:
        write_json(json_path, whatif_json(supposed))
    if json_path == "-" or quiet:
        return
    right = [Column(name, "right") for name in ("cycles", "low .. high", "change", "time", "energy")]
    first = supposed[0].profile
    title = f"{first.firmware_path} on {first.board}, what if"
    print_table(["options", *right], rows(supposed), title=title)
    notes = dict.fromkeys(note for row in supposed for note in row.profile.not_modelled)
    if notes:
        print_line()
        print_line("not modelled in one or more rows", style="bold")
        for note in notes:
            print_line(f"  {note}")

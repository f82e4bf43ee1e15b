"""CSV files that Nordic's Power Profiler exports from a PPK2.

``Timestamp(ms)``, ``Current(uA)``, and eight digital channels, as a column ``D0-D7`` of eight characters (D0 first),
as columns ``D0`` to ``D7``, or as both: ``0``, ``1``, ``X`` for both within one sample, ``-`` for unknown. Samples that
were lost have no line. The supply's voltage is not in it. Source: pc-nrfconnect-ppk, exportChartAction.ts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from vtarget.base.errors import InputError
from vtarget.shell.power.recording import Floats, Samples, Trace, no_channel
from vtarget.shell.power.table import Columns, Header, Table, held

KIND = "ppk2-csv"
TIME, CURRENT, PACKED = "timestamp(ms)", "current(ua)", "d0-d7"
_CHANNEL = re.compile(r"[dD]?([0-7])")


def matches(names: Sequence[str]) -> bool:
    """Whether a table with these columns is a Power Profiler's."""
    return CURRENT in _plain(names)


def channel_number(channel: str) -> int | None:
    """0 to 7 for D0 to D7."""
    found = _CHANNEL.fullmatch(channel)
    return int(found[1]) if found else None


def open_trace(header: Header, channel: str | None) -> Trace:
    """The recording in such a file. InputError if it lacks the channel or the time."""
    names = _plain(header.names)
    for needed, what in ((TIME, "Timestamp(ms)"), (CURRENT, "Current(uA)")):
        if needed not in names:
            raise InputError(f"{header.path}: line 1: no column {what}", hint="tick it when you export")
    states: tuple[int, ...] = ()
    packed = False
    digit = 0
    if channel is not None:
        number = channel_number(channel)
        packed = f"d{number}" not in names and PACKED in names and number is not None
        if not packed and (number is None or f"d{number}" not in names):
            has = [f"D{n}" for n in range(8) if f"d{n}" in names or PACKED in names]
            raise no_channel(header.path, channel, has)
        states = (names.index(PACKED if packed else f"d{number}"),)
        digit = 7 - (number or 0)
    notes: list[str] = []
    table = Table(header, Columns(names.index(TIME), (names.index(CURRENT),), states, packed), notes)
    return Trace(KIND, header.path, False, _samples(table, digit if packed else None, bool(states)), notes)


def _samples(table: Table, digit: int | None, with_states: bool) -> Iterator[Samples]:
    before = 0.0
    for block in table.blocks():
        share: Floats | None = None
        if with_states:
            share = held(block[:, 2], before) if digit is None else np.floor(block[:, 2] / 10.0**digit) % 10
            before = float(share[-1]) if len(share) else before
        yield Samples(block[:, 0] / 1e3, amps=block[:, 1] / 1e6, share=share)


def _plain(names: Sequence[str]) -> list[str]:
    return [name.replace(" ", "").replace("µ", "u").replace("μ", "u").lower() for name in names]

"""CSV files of Joulescope's software: waveform exports of its UI, its recordings of statistics, and JLS files turned
into CSV by pyjls.

First line, a ``#`` before it or not: ``time`` or ``timestamp`` in seconds, then signals as ``SOURCE.NAME`` or ``NAME``:
``i``/``current`` in A, ``v``/``voltage`` in V, ``p``/``power`` in W, and the general purpose inputs ``0`` to ``7`` or
``gpi[0]`` to ``gpi[7]``, which are means where the export was thinned out. Columns that ``charge`` and ``energy`` are
among are statistics, whose time is the end of what they are of. Source: joulescope_ui 1.5.5 and pyjls 0.17, as they
write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vtarget.base.errors import InputError
from vtarget.shell.power.recording import Samples, Trace, no_channel
from vtarget.shell.power.table import Columns, Header, Table

KIND = "joulescope-csv"
_MEANING = {
    "time": "time", "timestamp": "time", "i": "current", "current": "current", "v": "voltage", "voltage": "voltage",
    "p": "power", "power": "power",
}  # fmt: skip
_INPUT = re.compile(r"(?:gpi\[?|in)?([0-7])\]?")


def matches(names: Sequence[str]) -> bool:
    """Whether a table with these columns is one of Joulescope's."""
    meanings = [meaning(name) for name in names]
    return meanings[0] == "time" and bool({"current", "power"} & set(meanings))


def meaning(name: str) -> str | None:
    """What a column or signal holds: time, current, voltage, power, gpi0 to gpi7; None for others."""
    last = name.rpartition(".")[2].strip().lower()
    found = _INPUT.fullmatch(last)
    return f"gpi{found[1]}" if found else _MEANING.get(last)


def open_trace(header: Header, channel: str | None) -> Trace:
    """The recording in such a file. InputError if it lacks the channel, or has two of what it needs one of."""
    columns: dict[str, int] = {}
    for number, name in enumerate(header.names):
        found = meaning(name)
        if found in columns:
            raise InputError(
                f"{header.path}: line 1: two columns of {found}: {header.names[columns[found]]} and {name}",
                hint="export one instrument",
            )
        if found is not None:
            columns[found] = number
    wanted = None if channel is None else meaning(channel)
    if channel is not None and wanted not in columns:
        raise no_channel(header.path, channel, [name for name in columns if name.startswith("gpi")])
    values = ["power"] if "power" in columns else [name for name in ("current", "voltage") if name in columns]
    if "current" not in values and "power" not in values:
        raise InputError(f"{header.path}: line 1: no column of current or power")
    states = () if wanted is None else (columns[wanted],)
    notes: list[str] = []
    table = Table(header, Columns(columns["time"], tuple(columns[name] for name in values), states), notes)
    statistics = {"charge", "energy"} <= {name.lower() for name in header.names}
    return Trace(KIND, header.path, len(values) == 2 or "power" in values, _samples(table, values, bool(states)), notes,
                 ending=statistics)  # fmt: skip


def _samples(table: Table, values: Sequence[str], with_states: bool) -> Iterator[Samples]:
    for block in table.blocks():
        of = {name: block[:, 1 + number] for number, name in enumerate(values)}
        share = block[:, -1] if with_states else None
        yield Samples(block[:, 0], of.get("current"), of.get("voltage"), of.get("power"), share)

"""CSV files that Otii exports: one for each channel, ``Main current - Arc.csv`` and the like, in a directory.

Each has the columns ``Timestamp`` (seconds) and ``Value``; its name says what of: ``Main current`` (A),
``Main voltage`` (V), ``Main power`` (W), ``GPI1`` and ``GPI2`` (0 or 1, recalled: a line for each change or sample).
Channels are sampled at rates of their own: power or current gives the cells, the others hold until their next sample.
A single table with a ``Timestamp`` and such names as columns is read too. Names as in otii-tcp-client's channels and in
public scripts that read such exports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vtarget.base.errors import InputError
from vtarget.shell.power.recording import Floats, Samples, Trace, no_channel
from vtarget.shell.power.table import Columns, Header, Table, held, read_header

KIND = "otii-csv"
_CHANNEL = re.compile(
    r"(main[ _](?:current|voltage|power)|gpi ?[12]|i[12])\s*(?:\([aAvVwW]\))?\s*(?:-\s*(.*))?", re.IGNORECASE
)


def matches(names: Sequence[str]) -> bool:
    """Whether a table with these columns is one of Otii's."""
    if names[0].lower() not in ("timestamp", "timestamp (s)", "time (s)"):
        return False
    return [name.lower() for name in names[1:]] == ["value"] or any(_meaning(name) for name in names[1:])


def open_trace(path: str, channel: str | None) -> Trace:
    """The recording in a directory of such files, or in one of them. InputError if it lacks what is needed."""
    found = _directory(path) if Path(path).is_dir() else _columns(path, read_header(path))
    digital = None if channel is None else _meaning(channel)
    if channel is not None and (digital is None or digital not in found):
        raise no_channel(path, channel, sorted(name for name in found if name.startswith("gpi")))
    main = next((name for name in ("power", "current") if name in found), None)
    if main is None:
        raise InputError(f"{path}: no main current and no main power in it")
    notes: list[str] = []
    volts = found.get("voltage") if main == "current" else None
    held_volts = None if volts is None else _Held(Table(*volts, notes))
    held_state = None if digital is None else _Held(Table(*found[digital], notes))
    samples = _samples(Table(*found[main], notes), main, held_volts, held_state)
    return Trace(KIND, path, main == "power" or volts is not None, samples, notes)


def _meaning(name: str) -> str | None:
    """current, voltage, power, gpi1, gpi2; None for other channels."""
    found = _CHANNEL.fullmatch(name.strip())
    if found is None:
        return None
    plain = found[1].lower().replace(" ", "").replace("_", "")
    return f"gpi{plain[-1]}" if plain[-1].isdigit() else plain.removeprefix("main")


def _directory(path: str) -> dict[str, tuple[Header, Columns]]:
    """What the files of a directory hold, by quantity."""
    found: dict[str, tuple[Header, Columns]] = {}
    for file in sorted(Path(path).iterdir()):
        what = _meaning(file.stem) if file.suffix.lower() == ".csv" else None
        if what is None:
            continue
        if what in found:
            raise InputError(
                f"{path}: two files of {what}: {Path(found[what][0].path).name} and {file.name}",
                hint="one instrument to a directory",
            )
        found[what] = _single(read_header(str(file)))
    if not found:
        raise InputError(f"{path}: no file such as 'Main current - Arc.csv' in it")
    return found


def _columns(path: str, header: Header) -> dict[str, tuple[Header, Columns]]:
    """What one file holds, by quantity."""
    if [name.lower() for name in header.names[1:]] == ["value"]:
        what = _meaning(Path(path).stem)
        if what is None:
            raise InputError(
                f"{path}: its name doesn't say what its values are of", hint="like 'Main current - Arc.csv'"
            )
        return {what: _single(header)}
    named = {_meaning(name): number for number, name in enumerate(header.names) if number}
    return {what: (header, Columns(0, (number,))) for what, number in named.items() if what is not None}


def _single(header: Header) -> tuple[Header, Columns]:
    if len(header.names) != 2 or not matches(header.names):
        raise InputError(f"{header.path}: line 1: the columns are not Timestamp and Value")
    return header, Columns(0, (1,))


class _Held:
    """A channel's values at given times: each holds until the next. Times must not go back from call to call."""

    def __init__(self, table: Table) -> None:
        self._blocks = table.blocks()
        self._times: Floats = np.empty(0)
        self._values: Floats = np.empty(0)
        self._ended = False

    def at(self, times: Floats) -> Floats:
        """The values; before the channel's first sample, that one."""
        while not self._ended and (not len(self._times) or self._times[-1] <= times[-1]):
            block = next(self._blocks, None)
            self._ended = block is None
            if block is not None:
                self._times = np.concatenate((self._times, block[:, 0]))
                self._values = np.concatenate((self._values, block[:, 1]))
        index = np.maximum(np.searchsorted(self._times, times, side="right") - 1, 0)
        found = self._values[index]
        self._times, self._values = self._times[index[-1] :], self._values[index[-1] :]
        return found


def _samples(table: Table, main: str, volts: _Held | None, state: _Held | None) -> Iterator[Samples]:
    for block in table.blocks():
        times, values = block[:, 0], block[:, 1]
        if not len(times):
            continue
        share = None if state is None else np.clip(held(state.at(times), 0.0), 0.0, 1.0)
        if main == "power":
            yield Samples(times, watts=values, share=share)
        else:
            yield Samples(times, amps=values, volts=None if volts is None else volts.at(times), share=share)

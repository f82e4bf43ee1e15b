"""Tables of numbers as text, read in blocks: hundreds of megabytes in flat memory, errors by line number."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError

BLOCK_BYTES = 1 << 20
MOST_LINE_BYTES = 1 << 16
DELIMITERS = (b";", b"\t", b",")
_NUMBER = re.compile(rb"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*")
LARGEST = 1e15  # of a figure in any unit here
PACKED_HIGH = 11_111_111  # eight channels, all high, a decimal digit for each
# What stands for a digital channel's state; '-': nothing known, 'X': both (nRF Connect Power Profiler's export).
_STATES = {b"0": 0.0, b"1": 1.0, b"X": 0.5, b"-": float("nan")}


@dataclass(frozen=True)
class Header:
    """A table's first line: names, what separates them, and where the rows begin."""

    path: str
    names: tuple[str, ...]
    delimiter: bytes
    offset: int


def read_header(path: str) -> Header:
    """The first line of a text table. InputError for what is none."""
    try:
        with Path(path).open("rb") as file:
            line = file.readline(MOST_LINE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if not line.strip():
        raise InputError(f"{path}: line 1 is empty" if line else f"{path}: is empty")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: line 1: is UTF-16, not UTF-8", hint="save it as UTF-8")
    if len(line) > MOST_LINE_BYTES:
        raise InputError(f"{path}: line 1 is longer than {MOST_LINE_BYTES} bytes")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line 1: byte {error.start + 1} is not UTF-8") from None
    if "\0" in text:
        raise InputError(f"{path}: line 1: is not text")
    delimiter = next((d for d in DELIMITERS if d in line), b",")
    names = tuple(name.strip().strip("\"'").strip() for name in text.strip().lstrip("#").split(delimiter.decode()))
    return Header(path, names, delimiter, len(line))


@dataclass(frozen=True)
class Columns:
    """Which columns to read: time, values, and digital channels, whose states may be letters."""

    time: int
    values: tuple[int, ...]
    states: tuple[int, ...] = ()
    packed: bool = False  # the state's column has a digit for each channel

    @property
    def all(self) -> tuple[int, ...]:
        """Their numbers, in this order."""
        return (self.time, *self.values, *self.states)


class Table:
    """The rows of a table. ``notes`` tells what was left out."""

    def __init__(self, header: Header, columns: Columns, notes: list[str]) -> None:
        self._header, self._columns, self._notes = header, columns, notes
        self._line = 2
        self._time = -np.inf

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Rows of the wanted columns, as they come. InputError names the line of what can't be read."""
        try:
            with Path(self._header.path).open("rb") as file:
                file.seek(self._header.offset)
                yield from self._blocks(file)
        except OSError as error:
            raise InputError(f"{self._header.path}: {error.strerror or error}") from None

    def _blocks(self, file: BinaryIO) -> Iterator[NDArray[np.float64]]:
        rest, rows = b"", 0
        while data := file.read(BLOCK_BYTES):
            whole = rest + data
            end = whole.rfind(b"\n") + 1
            block, rest = whole[:end], whole[end:]
            if len(rest) > MOST_LINE_BYTES:
                raise self._error(self._line + block.count(b"\n"), f"is longer than {MOST_LINE_BYTES} bytes")
            if block:
                values = self._read(block)
                rows += len(values)
                yield values
        if rest.strip():
            self._slowly([self._plain(rest)])  # refused if it isn't whole
            self._notes.append(f"line {self._line} has no end and is not used")
        if not rows:
            raise InputError(f"{self._header.path}: line {self._line}: no samples before the end of the file")

    def _read(self, block: bytes) -> NDArray[np.float64]:
        values = self._fast(self._plain(block))
        if values is None:
            values = self._slowly(self._plain(block).split(b"\n")[:-1])
        self._line += block.count(b"\n")
        if len(values):
            self._time = float(values[-1, 0])
        return values

    def _plain(self, text: bytes) -> bytes:
        """The text with decimal points where it has decimal commas."""
        return text.replace(b",", b".") if self._header.delimiter == b";" else text

    def _fast(self, block: bytes) -> NDArray[np.float64] | None:
        """The block, if all in it is as it should be."""
        characters = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(characters == ord("\n"))
        between = np.flatnonzero(characters == self._header.delimiter[0])
        counts = np.diff(np.searchsorted(between, ends), prepend=0)
        if (counts != len(self._header.names) - 1).any() or block.endswith(b"\n\n"):
            return None
        try:
            values = np.loadtxt(
                io.BytesIO(block),
                delimiter=self._header.delimiter.decode(),
                usecols=self._columns.all,
                comments=None,
                ndmin=2,
            )
        except ValueError:
            return None
        if len(values) != len(ends) or not (np.abs(values) <= LARGEST).all():
            return None
        times, states = values[:, 0], values[:, 1 + len(self._columns.values) :]
        if times[0] < self._time or (np.diff(times) < 0).any():
            return None
        if ((states < 0) | (states > (PACKED_HIGH if self._columns.packed else 1))).any():
            return None
        return np.asarray(values, dtype=np.float64)

    def _slowly(self, lines: Sequence[bytes]) -> NDArray[np.float64]:
        """Line by line: letters for states, and the number of the line that is wrong."""
        rows = []
        last = self._time
        lines = [*lines]
        while lines and not lines[-1].strip():
            lines.pop()  # empty lines at a block's end: what follows them will be missed by its own number
        for number, line in enumerate(lines, start=self._line):
            fields = line.rstrip(b"\r\n").split(self._header.delimiter)
            if len(fields) != len(self._header.names):
                what = "is empty" if not line.strip() else f"has {_columns(len(fields))}, not {len(self._header.names)}"
                raise self._error(number, what)
            row = [self._number(fields, column, number) for column in (self._columns.time, *self._columns.values)]
            if row[0] < last:
                raise self._error(number, f"time goes back from {last:g} to {row[0]:g}")
            last = row[0]
            rows.append([*row, *(self._state(fields, column, number) for column in self._columns.states)])
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self._columns.all))

    def _number(self, fields: Sequence[bytes], column: int, line: int) -> float:
        if _NUMBER.fullmatch(fields[column]) is None:
            raise self._error(line, f"{_shown(fields[column])} in column {self._header.names[column]} is not a number")
        value = float(fields[column])
        if abs(value) > LARGEST:
            raise self._error(line, f"{_shown(fields[column])} in column {self._header.names[column]} is too large")
        return value

    def _state(self, fields: Sequence[bytes], column: int, line: int) -> float:
        field = fields[column].strip()
        if self._columns.packed:
            if len(field) != 8 or set(field) - set(b"01X-"):
                raise self._error(line, f"{_shown(field)} is not eight states of 0, 1, X or -")
            return _packed(field)
        if field in _STATES:
            return _STATES[field]
        value = self._number(fields, column, line)
        if not 0 <= value <= 1:
            raise self._error(line, f"{_shown(field)} in column {self._header.names[column]} is no state of a channel")
        return value

    def _error(self, line: int, what: str) -> InputError:
        return InputError(f"{self._header.path}: line {line}: {what}")


def _packed(field: bytes) -> float:
    """Eight states as one number with a decimal digit for each; unknown ones are low, and both at once is high."""
    return float(int(field.replace(b"X", b"1").replace(b"-", b"0")))


def held(states: NDArray[np.float64], before: float) -> NDArray[np.float64]:
    """States with the unknown ones (NaN) as they last were; ``before`` the first one."""
    known = np.where(np.isnan(states), -1, np.arange(len(states)))
    last = np.maximum.accumulate(known) if len(known) else known
    return np.where(last < 0, before, states[np.maximum(last, 0)])


def _shown(field: bytes) -> str:
    text = field.decode("utf-8", errors="backslashreplace").strip()
    return f"'{text if len(text) <= 40 else text[:37] + '...'}'"


def _columns(count: int) -> str:
    return f"{count} column{'s' if count != 1 else ''}"

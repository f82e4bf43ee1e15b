"""JLS files of Joulescope, through the package pyjls (extra ``power``), whose home this is.

Signals ``current``, ``voltage``, ``power`` (32-bit floats) and ``gpi[0]`` to ``gpi[7]`` (bits), of fixed rates. Samples
that were lost are NaN in the file. The package repairs files that were not closed in their place, so they are refused
before it sees them: the header (at 16, 8 bytes, little-endian) holds the file's length once it is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vtarget.base.errors import InputError
from vtarget.shell.power.joulescope import meaning
from vtarget.shell.power.recording import Floats, Samples, Trace, no_channel

KIND = "jls"
MAGIC = b"jlsfmt\r\n \n \x1a  \xb2\x1c"
CHUNK_SAMPLES = 1 << 18
TICKS_PER_SECOND = 1 << 30


def is_jls(path: str) -> bool:
    """Whether a file begins like a JLS file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def open_trace(path: str, channel: str | None) -> Trace:
    """The recording in a JLS file. InputError if it can't be read, or lacks what is needed."""
    _check(path)
    reader = _open(path)
    signals: dict[str, Any] = {}
    for signal in reader.signals.values():
        what = meaning(signal.name)
        if what is not None and signal.length > 0 and signal.sample_rate > 0:
            if what in signals:
                reader.close()
                raise InputError(f"{path}: two signals of {what}", hint="record one instrument")
            signals[what] = signal
    wanted = None if channel is None else meaning(channel)
    if channel is not None and wanted not in signals:
        reader.close()
        raise no_channel(path, channel, sorted(name for name in signals if name.startswith("gpi")))
    values: list[str] = (
        ["power"] if "power" in signals else [name for name in ("current", "voltage") if name in signals]
    )
    if not {"power", "current"} & set(values):
        reader.close()
        raise InputError(f"{path}: no signal of current or power in it")
    notes: list[str] = []
    used = [signals[name] for name in values], None if wanted is None else signals[wanted]
    powered = len(values) == 2 or values == ["power"]
    return Trace(KIND, path, powered, _samples(path, reader, values, *used, notes), notes)


def _check(path: str) -> None:
    if not is_jls(path):
        raise InputError(f"{path}: is no JLS file")
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(24)[16:], "little")
    size = Path(path).stat().st_size
    if length != size:
        raise InputError(
            f"{path}: was not closed or is cut off: {size} bytes, its header says {length}",
            hint="Joulescope's software repairs copies of such files",
        )


def _open(path: str) -> Any:
    try:
        from pyjls import Reader
    except ImportError:
        raise InputError(
            f"{path}: JLS files are read by the package pyjls, which is not installed",
            hint="pip install 'vtarget[power]'",
        ) from None
    try:
        return Reader(path)
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{path}: can't be read: {error}") from None


def _samples(
    path: str, reader: Any, names: list[str], signals: list[Any], state: Any, notes: list[str]
) -> Iterator[Samples]:
    main = signals[0]
    lost = 0
    try:
        for start in range(0, main.length, CHUNK_SAMPLES):
            count = min(CHUNK_SAMPLES, main.length - start)
            numbers = np.arange(start, start + count)
            read = [_at(reader, main, signal, numbers) for signal in signals]
            share = None if state is None else _at(reader, main, state, numbers)
            good = np.isfinite(read).all(axis=0)
            lost += count - int(good.sum())
            if not good.any():
                continue
            of = {name: values[good] for name, values in zip(names, read, strict=True)}
            times = (numbers / main.sample_rate)[good]
            shared = None if share is None else share[good]
            yield Samples(times, of.get("current"), of.get("voltage"), of.get("power"), shared)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path}: can't be read: {error}") from None
    finally:
        reader.close()
    if lost:
        notes.append(f"{lost:,} samples of {main.length:,} were lost")


def _at(reader: Any, main: Any, signal: Any, numbers: Any) -> Floats:
    """A signal at the times of the main signal's samples; its own sample before that where it is slower."""
    index = numbers
    if signal is not main:
        seconds = numbers / main.sample_rate + _lateness_s(reader, main, signal)
        index = np.clip(np.floor(seconds * signal.sample_rate + 1e-3).astype(np.int64), 0, signal.length - 1)
    first, count = int(index[0]), int(index[-1] - index[0]) + 1
    data = reader.fsr(signal.signal_id, first, count)
    if signal.data_type >> 8 & 0xFF == 1:  # bits of a sample
        data = np.unpackbits(data, bitorder="little")[:count]
    values: Floats = np.asarray(data, dtype=np.float64)[index - first]
    return values


def _lateness_s(reader: Any, main: Any, signal: Any) -> float:
    """How much later the main signal's first sample is, by their common clock or, if told, by the time of day."""
    if main.sample_rate != signal.sample_rate and all(reader.time_map_length(s.signal_id) for s in (main, signal)):
        first = [reader.sample_id_to_timestamp(s.signal_id, 0) for s in (main, signal)]
        return float(first[0] - first[1]) / TICKS_PER_SECOND
    return float(main.sample_id_offset / main.sample_rate - signal.sample_id_offset / signal.sample_rate)

"""Importing power as functions: a recording becomes windows, and windows a measurement that calibrate takes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.measurement import UNKNOWN_FIRMWARE, UNKNOWN_SHA256, Measurement, PowerWindow
from vtarget.logic.powerwindows import Cells, ChannelCutter, Cut, Floats, Piece, SpanCutter, Window, remarks, summarise
from vtarget.logic.pricing import Pricer
from vtarget.shell.power.formats import AUTO, open_recording
from vtarget.shell.power.recording import Results, Samples, Trace

RUN = "run"
OTHER_VOLTS = 0.05  # of the board's figure: worth a remark
LIVE = "ppk2"


@dataclass(frozen=True)
class NamedSpan:
    """A window by its times, in seconds as the recording counts them."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class PowerOptions:
    """How to cut a recording, and what to call it.

    ``channel`` is a digital channel, high in a window; ``spans`` are windows by time; with neither, the whole recording
    is one. ``between`` names what lies between the channel's windows, which isn't kept if that is None. ``only`` picks
    among windows that another tool cut. ``volts`` is for recordings without voltage.
    """

    kind: str = AUTO
    channel: str | None = None
    spans: tuple[NamedSpan, ...] = ()
    name: str = RUN
    between: str | None = None
    volts: float | None = None
    debounce_s: float = 0.0
    only: re.Pattern[str] | None = None
    live_seconds: float = 10.0
    supply: bool = False


@dataclass(frozen=True)
class Imported:
    """What a recording gave. ``idle`` lies between the channel's windows, kept among ``windows`` or not."""

    windows: tuple[PowerWindow, ...]
    idle: PowerWindow | None
    notes: tuple[str, ...]


def import_power(source: str, options: PowerOptions) -> Imported:
    """Read a file, a directory or an instrument (``ppk2[:PORT]``), and cut it. InputError for what can't be used."""
    if options.channel is not None and options.spans:
        raise InputError("--gpio and --window exclude each other")
    if source == LIVE or source.startswith(f"{LIVE}:"):
        return _from_trace(_live(source, options), options)
    found = open_recording(source, options.kind, options.channel)
    if isinstance(found, Results):
        return _from_results(found, options)
    if options.only is not None:
        raise InputError(f"--only: {found.kind} is cut here, by --gpio or --window")
    return _from_trace(found, options)


def _live(source: str, options: PowerOptions) -> Trace:
    from vtarget.shell.power import ppk2live

    if options.volts is None:
        raise InputError("a PPK2 doesn't tell the voltage: --voltage is missing")
    port = source.partition(":")[2] or None
    return ppk2live.record(
        port, volts=options.volts, seconds=options.live_seconds, supply=options.supply, channel=options.channel
    )


def _from_trace(trace: Trace, options: PowerOptions) -> Imported:
    if not trace.powered and options.volts is None:
        raise InputError(f"{trace.file}: it has currents but no voltage: --voltage is missing")
    if trace.powered and options.volts is not None:
        raise InputError(f"--voltage: {trace.file} has its own")
    cells = Cells(ending=trace.ending)
    channel = ChannelCutter(options.debounce_s) if options.channel is not None else None
    spans = SpanCutter([(span.start_s, span.end_s) for span in options.spans])
    whole = _Whole()
    for samples in trace.samples:
        watts = _watts(samples, options.volts)
        _feed(cells.push(samples.times_s, watts, samples.share), channel, spans, whole)
    _feed(cells.finish(), channel, spans, whole)
    if not cells.step_s:
        raise InputError(f"{trace.file}: no time passes in it")
    gaps = [f"{cells.gaps:,} gaps in the samples: their power is held over them"] if cells.gaps else []
    notes = [*trace.notes, *gaps]
    label = Path(trace.file).name or trace.kind
    if channel is not None:
        try:
            return _by_channel(trace, channel.finish(), options, label, notes)
        except InputError as error:
            raise InputError(f"{trace.file}: {error.message}", hint=error.hint) from None
    if options.spans:
        return _by_spans(trace, spans.finish(), options, label, notes)
    assert whole.window is not None
    notes.append(f"{options.name}: the whole recording is one window")
    window = summarise(options.name, [whole.window], f"{label} ({trace.kind}), all of it")
    return Imported((window,), None, tuple(notes))


class _Whole:
    """The recording as one window."""

    def __init__(self) -> None:
        self.window: Window | None = None

    def feed(self, piece: Piece) -> None:
        """The next piece."""
        widths = np.diff(piece.bounds_s)
        last = self.window or Window(float(piece.bounds_s[0]), 0.0, 0.0, 0.0)
        end, energy = float(piece.bounds_s[-1]), float((piece.watts * widths).sum())
        unsure = float(piece.unsure_j.sum())
        self.window = Window(last.start_s, end - last.start_s, last.energy_j + energy, last.slack_j + unsure)


def _feed(piece: Piece | None, channel: ChannelCutter | None, spans: SpanCutter, whole: _Whole) -> None:
    if piece is None or not len(piece.watts):
        return
    if channel is not None:
        channel.feed(piece)
    else:
        spans.feed(piece)
        whole.feed(piece)


def _watts(samples: Samples, volts: float | None) -> Floats:
    if samples.watts is not None:
        return samples.watts
    assert samples.amps is not None
    if samples.volts is not None:
        return samples.amps * samples.volts
    assert volts is not None
    return samples.amps * volts


def _by_channel(trace: Trace, cut: Cut, options: PowerOptions, label: str, notes: list[str]) -> Imported:
    source = f"{label} ({trace.kind}), {options.channel} high"
    if not cut.windows:
        held = "is high at an end of the recording only" if cut.cut_off else "is never high"
        raise InputError(f"channel {options.channel} {held}: no window")
    if cut.cut_off:
        notes.append(
            f"left out: {cut.cut_off} window{'s' if cut.cut_off > 1 else ''} that the recording's ends cut off"
        )
    windows = [summarise(options.name, cut.windows, source)]
    notes += remarks(options.name, cut.windows)
    idle = None
    if cut.between:
        idle = summarise(options.between or "between", cut.between, f"{label} ({trace.kind}), {options.channel} low")
    if options.between is not None:
        if idle is None:
            raise InputError(f"--between: nothing lies between windows of {options.channel}, there is one only")
        windows.append(idle)
        notes += remarks(options.between, cut.between)
    return Imported(tuple(windows), idle, tuple(notes))


def _by_spans(trace: Trace, cut: Sequence[Window], options: PowerOptions, label: str, notes: list[str]) -> Imported:
    if options.between is not None:
        raise InputError("--between goes with --gpio")
    groups: dict[str, list[Window]] = {}
    for span, window in zip(options.spans, cut, strict=True):
        groups.setdefault(span.name, []).append(window)
    windows = tuple(summarise(name, group, f"{label} ({trace.kind}), by time") for name, group in groups.items())
    for name, group in groups.items():
        notes += remarks(name, group)
    return Imported(windows, None, tuple(notes))


def _from_results(results: Results, options: PowerOptions) -> Imported:
    if options.channel is not None or options.spans or options.between is not None or options.volts is not None:
        raise InputError(
            f"{results.file}: {results.kind} has windows already: no --gpio, --window, --between, --voltage"
        )
    chosen = [r for r in results.results if options.only is None or options.only.search(r.label)]
    labels = ", ".join(result.label for result in results.results[:6]) or "nothing"
    if not chosen:
        raise InputError(f"{results.file}: nothing in it was measured that --only picks", hint=f"it has {labels}")
    states = sorted({result.state for result in chosen})
    if len(states) > 1:
        raise InputError(
            f"{results.file}: its windows are of {' and '.join(states)}: pick one by --only, and its --clock",
            hint=f"it has {labels}",
        )
    groups: dict[str, list[Window]] = {}
    for result in chosen:
        groups.setdefault(result.label, []).append(result.window)
    label = Path(results.file).name
    windows = tuple(
        summarise(options.name, group, f"{label} ({results.kind}), {name}") for name, group in groups.items()
    )
    return Imported(windows, None, (results.note,))


def new_measurement(
    imported: Imported, pricer: Pricer, *, version: str, date: str, firmware: tuple[str, str] | None, serial: str | None
) -> Measurement:
    """A measurement of power alone. ``firmware`` is the path and the digest of what ran, if anybody knows."""
    path, sha256 = firmware or (UNKNOWN_FIRMWARE, UNKNOWN_SHA256)
    empty = Measurement(
        board=pricer.board.name,
        core=pricer.core.name,
        probe="none",
        clock_hz=pricer.clock_hz,
        counter="none",
        firmware_path=path,
        firmware_sha256=sha256,
        vtarget_version=version,
        date=date,
        runs=1,
        overhead_cycles=0,
        board_serial=serial,
    )
    return with_power(empty, imported)


def with_power(measurement: Measurement, imported: Imported) -> Measurement:
    """The measurement with these windows added. InputError if it has one of them already."""
    for window in imported.windows:
        if window in measurement.power:
            raise InputError(f"the measurement has window {window.name} of {window.source} already")
    notes = tuple(note for note in imported.notes if note not in measurement.notes)
    power, notes = (*measurement.power, *imported.windows), (*measurement.notes, *notes)
    return measurement.model_copy(update={"power": power, "notes": notes})


def board_notes(imported: Imported, board: Board, volts: float | None) -> tuple[str, ...]:
    """What calibrate will make of the windows, where that may be another thing than meant."""
    states = {state.name: state for state in board.power}
    found = []
    for name in dict.fromkeys(window.name for window in imported.windows):
        state = states.get(name)
        if state is None:
            known = f"has the states {', '.join(states)}" if states else "has no figures of power"
            found.append(f"{name} is no power state of {board.name}, which {known}: calibrate takes it for '{RUN}'")
        elif volts is not None and not _alike(volts, state.voltage):
            others = [other.name for other in board.power if _alike(volts, other.voltage)]
            hint = f" (of {volts:g} V: {', '.join(others)})" if others else ""
            found.append(f"{name}: measured at {volts:g} V, the board's figures are of {state.voltage:g} V{hint}")
    return tuple(found)


def _alike(volts: float, others: float) -> bool:
    return abs(volts - others) <= OTHER_VOLTS * others


def day_of(source: str) -> str:
    """The day a file was last written (UTC), as the best guess at when it was recorded; today for an instrument."""
    try:
        stamp = datetime.datetime.fromtimestamp(Path(source).stat().st_mtime, datetime.UTC)
    except OSError:
        stamp = datetime.datetime.now(datetime.UTC)
    return stamp.date().isoformat()

"""Measuring as functions: run the image that was emulated on a board behind a probe, and say what each kernel took."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median_low

from vtarget.base.errors import InputError, VtargetError
from vtarget.data.board import Board
from vtarget.data.image import Image
from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.logic.measureplan import RESERVED, Pick, empty_span, plan_measurement
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardrun import BoardRun
from vtarget.shell.laps import NO_VISITS, End, Lap, Visits
from vtarget.shell.probes.counters import Stopwatch, counter_for
from vtarget.shell.probes.errors import ConnectionLostError, ProbeError
from vtarget.shell.probes.probe import Probe, Progress, comparators, identify, no_progress, verify
from vtarget.shell.selfreport import load_spans, read_mailbox, spans_of_text

MOST_REPEATS = 1000
BRANCH_TO_SELF = b"\xfe\xe7"
ENDINGS = (Reason.SEMIHOSTING, Reason.UNTIL, Reason.RETURN, Reason.STUCK)


@dataclass(frozen=True)
class MeasureOptions:
    """What to measure. ``timeout_s`` is for one run on the board; ``pattern`` and ``spans`` choose kernels.
    ``self_reported`` is a mailbox's symbol or a file of console text. A run without an end may be ``partial``: the
    calls that came until its time was over count."""

    repeats: int = 3
    timeout_s: float = 60.0
    flash: bool = True
    pattern: re.Pattern[str] | None = None
    spans: tuple[str, ...] = ()
    self_reported: str | None = None
    serial: str | None = None
    partial: bool = False


@dataclass(frozen=True)
class MeasuredRun:
    """A measurement, and the memory that was asked for, as it was when the last run ended."""

    measurement: Measurement
    reads: tuple[bytes, ...]


def open_probe(text: str, board: Board) -> Probe:
    """The probe that ``pyocd[:UID]`` or ``gdb:[HOST:]PORT`` names, for a ``board``. InputError for another text,
    NoProbeError if nothing answers there."""
    kind, _, rest = text.partition(":")
    if kind == "gdb":
        from vtarget.shell.probes.gdbclient import parse_server
        from vtarget.shell.probes.gdbprobe import GdbProbe

        return GdbProbe(*parse_server(rest))
    if kind == "pyocd":
        from vtarget.shell.probes.pyocdprobe import PyocdProbe

        return PyocdProbe(rest or None, board.debug.pyocd)
    raise InputError(f"--probe '{text}': no such kind of probe", hint="pyocd[:UID] or gdb:HOST:PORT")


def measure(
    image: Image,
    pricer: Pricer,
    record: ExecutionRecord,
    profile: Profile,
    probe: Probe,
    options: MeasureOptions,
    *,
    version: str,
    progress: Progress = no_progress,
) -> Measurement:
    """Run the image on the board that the probe reaches, as often as its kernels need. ``record`` and ``profile`` are
    of the virtual run. The board is left as it was found, also when this fails: ProbeError says how."""
    return measure_run(image, pricer, record, profile, probe, options, version=version, progress=progress).measurement


def measure_run(
    image: Image,
    pricer: Pricer,
    record: ExecutionRecord,
    profile: Profile,
    probe: Probe,
    options: MeasureOptions,
    *,
    version: str,
    visits: Visits = NO_VISITS,
    reads: Sequence[tuple[int, int]] = (),
    progress: Progress = no_progress,
) -> MeasuredRun:
    """As ``measure``, with somebody who looks on in every run, and memory to read at the end of the last."""
    try:
        found = _measure(image, pricer, record, profile, probe, options, version, visits, reads, progress)
    except VtargetError as error:
        if _put_back(probe) is not None:
            error.message += "; the board may not be as it was found"
        raise
    trouble = _put_back(probe)
    if trouble is None:
        return found
    notes = (*found.measurement.notes, f"the board may not be as it was found: {trouble.message}")
    return replace(found, measurement=found.measurement.model_copy(update={"notes": notes}))


def _put_back(probe: Probe) -> ProbeError | None:
    """Leave the board as it was found; a connection lost meanwhile is made anew once. What went wrong, if anything."""
    try:
        with suppress(ConnectionLostError):
            probe.restore()
            return None
        probe.restore()
    except ProbeError as error:
        return error
    return None


def _measure(
    image: Image,
    pricer: Pricer,
    record: ExecutionRecord,
    profile: Profile,
    probe: Probe,
    options: MeasureOptions,
    version: str,
    visits: Visits,
    reads: Sequence[tuple[int, int]],
    progress: Progress,
) -> MeasuredRun:
    file = options.self_reported if options.self_reported not in image.objects else None
    cpuid = identify(probe, pricer.core.name)
    if options.flash:
        probe.reset_halt()
        probe.flash(image, progress)
    verify(probe, image, progress)
    room = comparators(probe)
    needed = RESERVED + 1 + len(visits.entries)
    if room < needed:
        raise ProbeError(f"the core has {room} comparators for breakpoints, {needed} are needed")
    room -= len(visits.entries)
    plan = plan_measurement(record, profile, room, pattern=options.pattern, spans=options.spans)
    end = end_of(record, image) if visits.to_the_end else None
    counter = counter_for(pricer.board, pricer.core.architecture)
    watch = Stopwatch(probe, counter, pricer.board.clock.max)
    run = BoardRun(probe, watch, image, pricer.board, end, options.timeout_s, partial=options.partial)
    notes = [*plan.notes]
    laps = options.repeats * (len(plan.passes) + (end is not None))
    done = 0

    def lap(picks: Sequence[Pick] = ()) -> Lap:
        nonlocal done
        progress("measuring", done, laps)
        done += 1
        return run.lap(picks, visits)

    place = empty_span(record)
    overhead = run.calibrate(place, visits) if place is not None else None
    if overhead is None:
        notes.append(
            "the overhead of a stop is not known, and not taken off: no single-cycle instruction to measure it on"
        )
    run.overhead_cycles = overhead or 0
    console, stated = "", load_spans(file) if file is not None else ()
    whole: list[Lap] = []
    for _ in range(options.repeats if end is not None else 0):
        whole.append(lap())
        console = run.console.text
        stated = _mailbox(probe, image, options.self_reported) or stated
    timed: list[Timed] = []
    calls: dict[str, tuple[int, ...]] = {}
    notes += [note for each in whole for note in each.notes]
    for picks in plan.passes:
        rounds = [lap(picks)]
        while len(rounds) < options.repeats and not rounds[-1].timed_out:
            rounds.append(lap(picks))
        timed += [_timed(pick, rounds, notes) for pick in picks if any(r.calls.get(pick.address) for r in rounds)]
        calls |= {pick.name: _each(pick, rounds) for pick in picks}
        notes += [note for r in rounds for note in r.notes]
        console = console or run.console.text
        stated = stated or _mailbox(probe, image, options.self_reported)
    progress("measuring", laps, laps)
    timed.sort(key=lambda t: (-t.total_cycles, t.name))
    reported, ignored = spans_of_text(console)
    reported = (*reported, *(span for span in stated if span.name not in {s.name for s in reported}))
    measurement = Measurement(
        board=pricer.board.name,
        core=pricer.core.name,
        probe=probe.kind,
        board_serial=options.serial or probe.serial,
        cpuid=cpuid,
        clock_hz=pricer.clock_hz,
        counter=counter.name,
        firmware_path=image.path,
        firmware_sha256=image.sha256,
        vtarget_version=version,
        date=_today(),
        runs=options.repeats,
        overhead_cycles=run.overhead_cycles,
        total=_total(whole, run.overhead_cycles, notes),
        exit_code=whole[-1].exit_code if whole else None,
        kernels=tuple(timed),
        spans=(*(_with_calls(t, calls) for t in timed if t.name in options.spans), *reported),
        notes=(*dict.fromkeys(notes), *ignored),
        console=console or None,
    )
    at_end = tuple(probe.read_memory(address, size_bytes) for address, size_bytes in reads)
    return MeasuredRun(measurement, at_end)


def _with_calls(timed: Timed, calls: Mapping[str, tuple[int, ...]]) -> Timed:
    """With the cycles of each call, the median of the runs."""
    return timed.model_copy(update={"each": calls[timed.name]})


def _mailbox(probe: Probe, image: Image, symbol: str | None) -> tuple[Timed, ...]:
    return read_mailbox(probe, symbol, *image.objects[symbol]) if symbol in image.objects and symbol else ()


def imported(
    image: Image, pricer: Pricer, spans: tuple[Timed, ...], *, version: str, serial: str | None
) -> Measurement:
    """A measurement made of spans that the firmware timed itself, without a probe."""
    return Measurement(
        board=pricer.board.name,
        core=pricer.core.name,
        probe="none",
        board_serial=serial,
        clock_hz=pricer.clock_hz,
        counter="the firmware's own",
        firmware_path=image.path,
        firmware_sha256=image.sha256,
        vtarget_version=version,
        date=_today(),
        runs=1,
        overhead_cycles=0,
        spans=spans,
        notes=("only what the firmware timed itself: no kernel was measured",),
    )


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def end_of(record: ExecutionRecord, image: Image) -> End | None:
    """Where the run ends on a board: where the virtual one did, if that is a place it gets to once. None if not."""
    ending = record.exit
    stays = ending.reason is Reason.IDLE and image.read(ending.pc, 2) == BRANCH_TO_SELF
    return End(ending.pc) if ending.reason in ENDINGS or stays else None


def _each(pick: Pick, rounds: Sequence[Lap]) -> tuple[int, ...]:
    """The cycles of each call, the median over the rounds."""
    found = [r.calls[pick.address] for r in rounds if pick.address in r.calls]
    return tuple(median_low(cycles) for cycles in zip(*found, strict=False))


def _timed(pick: Pick, rounds: Sequence[Lap], notes: list[str]) -> Timed:
    """The median over the rounds; a note if there were other calls than in the virtual run."""
    found = [r.calls[pick.address] for r in rounds if r.calls.get(pick.address)]
    totals, calls = [sum(cycles) for cycles in found], [len(cycles) for cycles in found]
    if set(calls) != {pick.calls}:
        seen = " to ".join(str(n) for n in sorted({min(calls), max(calls)}))
        notes.append(
            f"{pick.name}: {seen} calls measured, {pick.calls} in the virtual run (which counts recursive ones)"
        )
    middle = median_low(totals)
    return Timed(
        name=pick.name,
        address=pick.address,
        calls=calls[totals.index(middle)],
        total_cycles=middle,
        spread=max(totals) - min(totals),
    )


def _total(whole: Sequence[Lap], overhead: int, notes: list[str]) -> Timed | None:
    totals = [lap.total_cycles - lap.stops * overhead for lap in whole if lap.total_cycles is not None]
    if not totals:
        why = "its end can't be timed" if whole else "it has no end that a breakpoint can mark"
        notes.append(f"the whole run is not measured: {why}")
        return None
    middle = max(0, median_low(totals))
    return Timed(name="total", address=None, calls=1, total_cycles=middle, spread=max(totals) - min(totals))

"""One interface to whatever runs a firmware: the virtual board, a stored run, or a real board behind a probe.

Whoever asks gets cycles, memory and text, and need not know which it was; ``provenance`` says so for people.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from vtarget.base.errors import InputError
from vtarget.data.board import Board
from vtarget.data.image import Image
from vtarget.data.limits import RunLimits
from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord
from vtarget.logic.pricing import Pricer
from vtarget.shell.boardrun import Visits
from vtarget.shell.measurementfile import load_measurement
from vtarget.shell.measuring import MeasureOptions, measure_run, open_probe
from vtarget.shell.onlooking import NOBODY, Memory, RunOrder
from vtarget.shell.probes.probe import Probe, Progress, no_progress
from vtarget.shell.recordfile import load_record
from vtarget.shell.running import load_firmware, price, pricer_for
from vtarget.shell.runoptions import RunOptions, RunResult
from vtarget.shell.starting import run_image
from vtarget.shell.symbols import resolve_address, resolve_function

ESTIMATED, MEASURED = "estimated", "measured"
NO_KERNEL = re.compile(r"(?!)")


@dataclass(frozen=True)
class TargetResult:
    """What a run gave. ``provenance`` is ESTIMATED or MEASURED.

    ``spans`` are the cycles of each call of the functions that were asked for, callees included; ``kernels`` those of
    functions over all calls (a board measures some of them). ``total_cycles`` is None if the run's end isn't known.
    ``record`` and ``profile`` are there if the virtual board ran it, ``measurement`` if a real one did.
    """

    provenance: str
    spans: Mapping[str, tuple[int, ...]]
    kernels: tuple[Timed, ...]
    total_cycles: int | None
    console: str
    exit_code: int | None
    reads: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()
    record: ExecutionRecord | None = None
    profile: Profile | None = None
    measurement: Measurement | None = None


class Target(Protocol):
    """Something that runs firmware."""

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """Run an image from reset to its end. InputError for an order that the target can't follow, ProbeError if a
        board fails; firmware that faults is a result of the virtual board, and an error of a real one."""


@dataclass(frozen=True)
class VirtualTarget:
    """The virtual board."""

    pricer: Pricer

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """Emulate the image."""
        ran = self.emulate(image, order)
        return _virtual(ran.record, self.pricer, order.spans, ran.reads)

    def emulate(self, image: Image, order: RunOrder) -> RunResult:
        """The facts of the run, not priced yet."""
        looking = order.onlooker
        options = RunOptions(
            until=order.until,
            limits=order.limits,
            spans=order.spans,
            writes=order.writes,
            reads=order.reads,
            on_enter={name: _told(order, name) for name in order.stops},
            on_span_end=None if looking is NOBODY else looking.returned,
            progress=order.progress,
        )
        return run_image(image, self.pricer, options, looking.begins)


class _Told(Protocol):
    def __call__(self, memory: Memory, /) -> None: ...


def _told(order: RunOrder, name: str) -> _Told:
    return lambda memory: order.onlooker.entered(name, memory)


def _virtual(
    record: ExecutionRecord, pricer: Pricer, spans: tuple[str, ...], reads: tuple[bytes, ...] = ()
) -> TargetResult:
    profile = price(record, pricer, waterfall=False)
    calls: dict[str, list[int]] = {name: [] for name in spans}
    for span in profile.spans:
        if span.name in calls:
            calls[span.name].append(span.cycles)
    kernels = (Timed(name=k.name, address=k.address, calls=k.calls, total_cycles=k.total_cycles, spread=0)
               for k in profile.kernels)  # fmt: skip
    return TargetResult(
        provenance=ESTIMATED,
        spans={name: tuple(cycles) for name, cycles in calls.items()},
        kernels=tuple(kernels),
        total_cycles=round(profile.cycles.nominal),
        console=profile.console,
        exit_code=profile.exit.code,
        reads=reads,
        notes=profile.not_modelled,
        record=record,
        profile=profile,
    )


@dataclass(frozen=True)
class ReplayTarget:
    """A run that was made earlier: the file of a record, which is priced for the pricer's board, or of a measurement.

    Its memory is gone: it can't be written to or read. A measurement keeps single calls only of what was called once.
    """

    path: str
    pricer: Pricer

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """What the file says of this image. InputError if it is of another, or doesn't know what was asked for."""
        if order.onlooker is not NOBODY or order.writes or order.reads or order.until is not None:
            raise InputError(f"{self.path}: a stored run has no memory and can't be ended elsewhere")
        is_record = zipfile.is_zipfile(self.path)
        found = _virtual(load_record(self.path), self.pricer, order.spans) if is_record else self._measured(order)
        digest = found.record.image_sha256 if found.record is not None else _digest(found)
        if digest != image.sha256:
            raise InputError(f"{self.path}: is of another firmware than {image.path}")
        for name in order.spans:
            if not found.spans[name]:
                raise InputError(f"{self.path}: doesn't say what each call of {name} took")
        return found

    def _measured(self, order: RunOrder) -> TargetResult:
        measurement = load_measurement(self.path)
        if measurement.board != self.pricer.board.name:
            raise InputError(f"{self.path}: is of board {measurement.board}, not of {self.pricer.board.name}")
        single = {timed.name: (timed.total_cycles,) for timed in measurement.kernels if timed.calls == 1}
        return _board(measurement, {name: single.get(name, ()) for name in order.spans})


def _digest(found: TargetResult) -> str | None:
    return None if found.measurement is None else found.measurement.firmware_sha256


def _board(
    measurement: Measurement,
    spans: Mapping[str, tuple[int, ...]],
    reads: tuple[bytes, ...] = (),
    console: str = "",
) -> TargetResult:
    total = measurement.total
    return TargetResult(
        provenance=MEASURED,
        spans=spans,
        kernels=measurement.kernels,
        total_cycles=None if total is None else total.total_cycles,
        console=console,
        exit_code=measurement.exit_code,
        reads=reads,
        notes=measurement.notes,
        measurement=measurement,
    )


@dataclass(frozen=True)
class BoardTarget:
    """A real board behind a probe, which is flashed and left as it was found.

    Spans are timed and looked at in several runs, as the core's comparators allow. If an order has spans, no other
    kernels are measured.
    """

    probe: Probe
    pricer: Pricer
    version: str
    options: MeasureOptions = field(default_factory=MeasureOptions)
    progress: Progress = no_progress

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """Run the image on the board. ProbeError says what went wrong."""
        record = order.guide
        if record is None:
            guide = RunOptions(until=order.until, limits=order.limits, spans=order.spans, writes=order.writes)
            record = run_image(image, self.pricer, guide).record  # nobody looks on: a firmware should end without, too
        profile = price(record, self.pricer, waterfall=False)
        functions = {function.name: function.address for function in image.functions}
        visits = Visits(
            onlooker=order.onlooker,
            start=functions.get("main") if order.writes else None,
            writes=order.writes,
            entries={functions[name]: name for name in order.stops},
        )
        spans = tuple(dict.fromkeys((*self.options.spans, *order.spans)))
        wanted = MeasureOptions(
            repeats=self.options.repeats,
            timeout_s=self.options.timeout_s,
            flash=self.options.flash,
            pattern=self.options.pattern or (NO_KERNEL if order.spans else None),
            spans=spans,
            self_reported=self.options.self_reported,
            serial=self.options.serial,
        )
        found = measure_run(
            image,
            self.pricer,
            record,
            profile,
            self.probe,
            wanted,
            version=self.version,
            visits=visits,
            reads=order.reads,
            progress=self.progress,
        )
        calls = {name: found.calls.get(name, ()) for name in order.spans}
        return _board(found.measurement, calls, found.reads, found.console)


@contextmanager
def probed(
    url: str, pricer: Pricer, options: MeasureOptions | None = None, progress: Progress = no_progress
) -> Iterator[BoardTarget]:
    """The board behind a probe (``pyocd[:UID]``, ``gdb:HOST:PORT``), as long as it is needed."""
    from vtarget import __version__

    probe = open_probe(url, pricer.board)
    try:
        yield BoardTarget(probe, pricer, __version__, options or MeasureOptions(), progress)
    finally:
        probe.close()


def measure(
    firmware: str | os.PathLike[str],
    board: str | Board,
    probe: str,
    *,
    repeats: int = 3,
    spans: Iterable[str] = (),
    kernels: str | None = None,
    until: str | int | None = None,
    flash: bool = True,
    serial: str | None = None,
    timeout_s: float = 60.0,
    base: int | None = None,
) -> Measurement:
    """Emulate a firmware file, run it on the real board behind a probe (``pyocd[:UID]``, ``gdb:HOST:PORT``) and measure
    its kernels: those with most of the estimated cycles, or that match the expression ``kernels``; and ``spans``.

    InputError for input that can't be used; ProbeError, a RunError, for what goes wrong with the board.
    """
    try:
        pattern = None if kernels is None else re.compile(kernels)
    except re.error as error:
        raise InputError(f"kernels '{kernels}': not a regular expression: {error}") from None
    pricer = pricer_for(board)
    image = load_firmware(firmware, pricer, base=base)
    wanted = MeasureOptions(
        repeats=repeats,
        timeout_s=timeout_s,
        flash=flash,
        pattern=pattern,
        spans=tuple(resolve_function(image, name, "spans") for name in spans),
        serial=serial,
    )
    end = None if until is None else resolve_address(image, str(until), "until")[0] & ~1
    order = RunOrder(until=end, limits=RunLimits(wall_seconds=timeout_s))
    guide = VirtualTarget(pricer).emulate(image, order).record
    with probed(probe, pricer, wanted) as target:
        found = target.run(image, replace(order, guide=guide))
    assert found.measurement is not None
    return found.measurement

"""One interface to whatever runs a firmware: the virtual board, or a real one (stored runs: ``replaying``).

Whoever asks gets facts that become a profile, and need not know which it was; ``provenance`` says so for people.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from vtarget.base.errors import InputError, RunError
from vtarget.data.board import Board
from vtarget.data.image import Image
from vtarget.data.limits import RunLimits
from vtarget.data.measurement import Measurement
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.logic.measuredprofile import with_measurement
from vtarget.logic.pricing import Pricer
from vtarget.logic.report import failure
from vtarget.shell.onlooking import NOBODY, Memory, RunOrder
from vtarget.shell.running import check_power_state, load_firmware, price, pricer_for, run_options
from vtarget.shell.runoptions import RunOptions
from vtarget.shell.symbols import resolve_address, resolve_function

if TYPE_CHECKING:
    from vtarget.shell.measuring import MeasureOptions
    from vtarget.shell.probes.probe import Probe, Progress

ESTIMATED, MEASURED = "estimated", "measured"
NO_KERNEL = re.compile(r"(?!)")
NO_OPTIONS = RunOptions()


@dataclass(frozen=True)
class TargetResult:
    """What a run gave: the ``record`` of the virtual run, which says what executed, and the ``measurement`` if a real
    board ran it, too. ``reads`` is the memory that was asked for."""

    record: ExecutionRecord
    pricer: Pricer
    measurement: Measurement | None = None
    reads: tuple[bytes, ...] = ()

    @property
    def provenance(self) -> str:
        """ESTIMATED or MEASURED."""
        return ESTIMATED if self.measurement is None else MEASURED

    @property
    def exit_code(self) -> int | None:
        """What the firmware exited with, None if that isn't known."""
        return self.record.exit.code if self.measurement is None else self.measurement.exit_code

    def priced(self, price_record: Callable[[ExecutionRecord], Profile]) -> Profile:
        """The profile: estimates as ``price_record`` makes them, and measured figures where there are any. InputError
        if measurement and record don't belong together."""
        return with_measurement(price_record(self.record), self.measurement)

    @cached_property
    def profile(self) -> Profile:
        """``priced`` without a waterfall, by the target's pricer."""
        return self.priced(lambda record: price(record, self.pricer, waterfall=False))

    @cached_property
    def spans(self) -> Mapping[str, tuple[int, ...]]:
        """Cycles of each call of the functions that were asked for, callees included, as far as they are known."""
        if self.measurement is not None:
            return {timed.name: timed.each for timed in self.measurement.spans if timed.each}
        calls: dict[str, tuple[int, ...]] = {}
        for span in self.profile.spans:
            calls[span.name] = (*calls.get(span.name, ()), span.cycles)
        return calls


class Target(Protocol):
    """Something that runs firmware."""

    @property
    def measures(self) -> bool:
        """Whether it tells measured cycles: then an estimate can be made beside them."""

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """Run an image from reset to its end. InputError for an order that the target can't follow, ProbeError if a
        board fails; firmware that faults is a result of the virtual board, and an error of a real one."""


@dataclass(frozen=True)
class VirtualTarget:
    """The virtual board; ``options`` are what it has beyond an order, such as consoles and a debugger."""

    pricer: Pricer
    options: RunOptions = NO_OPTIONS

    @property
    def measures(self) -> bool:
        """It estimates."""
        return False

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """Emulate the image."""
        looking = order.onlooker
        options = replace(
            self.options,
            until=order.until,
            limits=order.limits,
            spans=order.spans,
            writes=order.writes,
            reads=order.reads,
            on_enter={name: _told(order, name) for name in order.stops},
            on_span_end=None if looking is NOBODY else looking.returned,
            progress=order.progress,
        )
        from vtarget.shell.starting import run_image

        ran = run_image(image, self.pricer, options, looking.begins)
        return TargetResult(ran.record, self.pricer, reads=ran.reads)


class _Told(Protocol):
    def __call__(self, memory: Memory, /) -> None: ...


def _told(order: RunOrder, name: str) -> _Told:
    return lambda memory: order.onlooker.entered(name, memory)


@dataclass(frozen=True)
class BoardTarget:
    """A real board behind a probe, which is flashed and left as it was found.

    Spans are timed and looked at in several runs, as the core's comparators allow.
    """

    probe: Probe
    pricer: Pricer
    version: str
    options: MeasureOptions | None = None
    progress: Progress | None = None

    @property
    def measures(self) -> bool:
        """It does."""
        return True

    def flashed(self) -> BoardTarget:
        """The same board, which holds the firmware already."""
        from vtarget.shell.measuring import MeasureOptions

        return replace(self, options=replace(self.options or MeasureOptions(), flash=False))

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        """Run the image on the board. ProbeError says what went wrong; RunError if the virtual run does before."""
        from vtarget.shell.laps import Visits
        from vtarget.shell.measuring import MeasureOptions, measure_run
        from vtarget.shell.probes.probe import no_progress

        record = order.guide
        if record is None:  # nobody looks on: a firmware should end without, too
            quiet = replace(order, onlooker=NOBODY, stops=(), reads=())
            record = VirtualTarget(self.pricer).run(image, quiet).record
        profile = price(record, self.pricer, waterfall=False)
        check_measurable(profile)
        functions = {function.name: function.address for function in image.functions}
        visits = Visits(
            onlooker=order.onlooker,
            start=functions.get("main") if order.writes else None,
            writes=order.writes,
            entries={functions[name]: name for name in order.stops},
            to_the_end=order.to_the_end,
        )
        options = self.options or MeasureOptions()
        wanted = replace(
            options,
            pattern=options.pattern if order.kernels else NO_KERNEL,
            spans=tuple(dict.fromkeys((*options.spans, *order.spans))),
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
            progress=self.progress or no_progress,
        )
        return TargetResult(record, self.pricer, found.measurement, found.reads)


def check_measurable(profile: Profile) -> None:
    """RunError if the virtual run failed: a board need not be tried then."""
    reason = failure(profile)
    if reason is not None and profile.exit.reason in (Reason.FAULT, Reason.STUCK):
        raise RunError(f"nothing is measured, for the emulated run failed: {reason}")


@contextmanager
def probed(
    url: str, pricer: Pricer, options: MeasureOptions | None = None, progress: Progress | None = None
) -> Iterator[BoardTarget]:
    """The board behind a probe (``pyocd[:UID]``, ``gdb:HOST:PORT``), as long as it is needed."""
    from vtarget import __version__
    from vtarget.shell.measuring import open_probe

    probe = open_probe(url, pricer.board)
    try:
        yield BoardTarget(probe, pricer, __version__, options, progress)
    finally:
        probe.close()


@contextmanager
def target_for(url: str | None, pricer: Pricer, repeats: int, timeout_s: float | None) -> Iterator[Target]:
    """The board behind a probe, as ``probed``; without one the virtual board."""
    if url is None:
        yield VirtualTarget(pricer)
        return
    from vtarget.shell.measuring import MeasureOptions

    options = MeasureOptions(repeats=repeats, partial=True)
    with probed(url, pricer, options if timeout_s is None else replace(options, timeout_s=timeout_s)) as target:
        yield target


def run(
    firmware: str | os.PathLike[str],
    board: str | Board,
    *,
    clock_hz: int | None = None,
    base: int | None = None,
    until: str | int | None = None,
    spans: Iterable[str] = (),
    limits: RunLimits = RunLimits(),
    writes: Mapping[str, bytes] | None = None,
    power_state: str | None = None,
    probe: str | None = None,
    repeats: int = 3,
) -> Profile:
    """Run a firmware file on a board (a name, a path or a value) and price the run.

    ``clock_hz`` defaults to the board's typical clock, ``base`` (of a raw binary) to its boot region. ``until`` is a
    symbol or an address to stop before; ``spans`` are functions whose calls are reported one by one; ``writes`` puts
    bytes at symbols at reset and again when ``main`` is entered; ``power_state`` is the board's first by default.
    With a ``probe`` (``pyocd[:UID]``, ``gdb:HOST:PORT``) it runs on the real board, too, each run ``repeats`` times and
    for at most ``limits.wall_seconds``: measured cycles take the place of estimates, see ``Profile.measured``.

    A firmware that faults or reaches a limit is a result too: see ``Profile.exit``. InputError for input that can't
    be used, RunError if a self-check or the real board fails.
    """
    pricer = pricer_for(board, clock_hz=clock_hz)
    check_power_state(pricer, power_state)
    image = load_firmware(firmware, pricer, base=base)
    chosen = run_options(image, until=until, spans=spans, writes=(writes or {}).items())
    order = RunOrder(spans=chosen.spans, writes=chosen.writes, until=chosen.until, limits=limits)
    with target_for(probe, pricer, repeats, limits.wall_seconds) as target:
        return target.run(image, order).priced(lambda facts: price(facts, pricer, power_state=power_state))


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
    from vtarget.shell.measuring import MeasureOptions

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
    guide = VirtualTarget(pricer).run(image, order).record
    with probed(probe, pricer, wanted) as target:
        found = target.run(image, replace(order, guide=guide))
    assert found.measurement is not None
    return found.measurement

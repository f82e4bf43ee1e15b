"""A piece of a sweep that one worker does: a model's cells that are compiled alike, or a firmware's on one board."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from vtarget.base.errors import InputError, RunError, VtargetError
from vtarget.data.board import Board
from vtarget.data.calibration import AppliedCalibration
from vtarget.data.core import Core
from vtarget.data.graph import Graph
from vtarget.data.limits import RunLimits
from vtarget.data.profile import Profile
from vtarget.data.record import ExecutionRecord, Reason
from vtarget.data.sweep import Cell, Outcome
from vtarget.data.target import target_of
from vtarget.data.validation import Validation
from vtarget.logic.cost import EXITS, Exit
from vtarget.logic.layers import median_sample
from vtarget.logic.pricing import Pricer
from vtarget.logic.profile import restricted
from vtarget.logic.report import failure
from vtarget.logic.streams import Linked, covers, moved, roots
from vtarget.shell.boardlib import load_core
from vtarget.shell.imagefile import load_image
from vtarget.shell.modelbuild import ModelCode, ModelOptions, build_firmware, generate
from vtarget.shell.profiling import INVOKE, ModelJob, interpret, run_firmware, validate_run
from vtarget.shell.running import execute, price, pricer_for
from vtarget.shell.samples import seeded_samples
from vtarget.shell.toolchain import Toolchain, find_toolchain

MODEL_S, FIRMWARE_S = 600.0, 60.0  # what a run may take: models end by themselves, firmware may be for another board
_LIMIT = "limit reached: "  # as ``report.failure`` says it
_ENTRIES = [EXITS.index(leaving) for leaving in (Exit.ENTRY, Exit.ENTRY_FP, Exit.TAIL_CHAIN)]


@dataclass(frozen=True)
class SweptBoard:
    """A board of a sweep with the calibration that applies to it."""

    board: Board
    calibration: AppliedCalibration | None = None

    def pricer(self, clock_hz: int | None) -> Pricer:
        """Its pricer; InputError for a clock beyond the board's."""
        typical = clock_hz is None
        found = Pricer.of(_core(self.board.core), self.board) if typical else pricer_for(self.board, clock_hz=clock_hz)
        return found if self.calibration is None else replace(found, calibration=self.calibration)


@cache
def _core(name: str) -> Core:
    return load_core(name)


@dataclass(frozen=True)
class UnitOptions:
    """What a sweep asks of every cell. ``compiler`` is the name and version that its keys speak of."""

    samples: int = 1
    seed: int = 0
    validation: bool = False
    power: str | None = None
    timeout_s: float | None = None
    max_instructions: int | None = None
    toolchain: str = "auto"
    compiler: str = ""
    share: bool = False

    def limits(self, default_s: float) -> RunLimits:
        """Those of one run, which takes at most ``default_s`` if nobody said otherwise."""
        return RunLimits(self.max_instructions, wall_seconds=self.timeout_s or default_s)


@dataclass(frozen=True)
class Unit:
    """Cells of one workload whose streams may be shared, each with the position of its board in ``boards``."""

    workload: str
    kind: str
    data: bytes = field(repr=False)
    boards: tuple[SweptBoard, ...] = field(repr=False)
    cells: tuple[tuple[Cell, int], ...] = field(repr=False)
    options: UnitOptions = UnitOptions()

    @property
    def description(self) -> str:
        """What it is, for people."""
        names = list(dict.fromkeys(cell.board for cell, _ in self.cells))
        boards = names[0] if len(names) == 1 else f"{len(names)} boards"
        engine = self.cells[0][0].engine
        return f"{Path(self.workload).name}{f', {engine}' if engine else ''} on {boards}"


@dataclass(frozen=True)
class UnitResult:
    """Outcomes by the cells' indices, and how many runs they took."""

    outcomes: tuple[tuple[int, Outcome], ...]
    emulations: int = 0
    lasting: tuple[bool, ...] = ()  # of each outcome: whether the same cell will always come to it


@dataclass
class _Work:
    """What a unit has come to so far."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    fleeting: set[int] = field(default_factory=set)
    emulations: int = 0

    def fail(self, cells: Sequence[Cell], error: VtargetError | str, hide: str = "", *, lasting: bool = False) -> None:
        """The cells failed; ``hide`` is the name of a temporary file that the error may speak of; ``lasting``: they
        would again, as they do if their input can't be used."""
        text = error.one_line() if isinstance(error, VtargetError) else error
        for cell in cells:
            self.outcomes[cell.index] = failed(text.replace(hide, cell.workload) if hide else text)
            if not (lasting or isinstance(error, InputError)):
                self.fleeting.add(cell.index)


def failed(error: str) -> Outcome:
    """The outcome of a cell that came to nothing, for this reason."""
    return Outcome("failed", error)


def run_unit(unit: Unit) -> UnitResult:
    """Do a unit. Whatever goes wrong becomes the outcome of the cells that it went wrong for."""
    work = _Work()
    cells = [cell for cell, _ in unit.cells]
    try:
        (_models if unit.kind == "model" else _firmware)(unit, work)
    except VtargetError as error:
        work.fail([cell for cell in cells if cell.index not in work.outcomes], error)
    except Exception as error:
        left = [cell for cell in cells if cell.index not in work.outcomes]
        work.fail(left, f"internal error: {type(error).__name__}: {error}".replace("\n", " "))
    outcomes = tuple((cell.index, work.outcomes[cell.index]) for cell in cells)
    return UnitResult(outcomes, work.emulations, tuple(cell.index not in work.fleeting for cell in cells))


# Models.


def _models(unit: Unit, work: _Work) -> None:
    graph = parse(unit)
    first, options = unit.cells[0][0], unit.options
    toolchain = _toolchain(options)
    try:
        cflags = tuple(shlex.split(first.cflags or ""))
    except ValueError as error:
        raise InputError(f"--cflags: {error}") from None
    code = generate(graph, target_of(unit.boards[0].board), first.engine or "simd")
    job = ModelJob(
        graph=graph,
        data=unit.data,
        samples=seeded_samples(graph, options.samples, options.seed),
        options=ModelOptions(code.engine, cflags, first.weights or "auto", first.arena or "auto"),
        limits=options.limits(MODEL_S),
        power_state=options.power,
    )
    _ModelUnit(unit, work, job, code, toolchain).run()


def parse(unit: Unit) -> Graph:
    """The unit's model; InputError for one that can't be used."""
    from vtarget.shell.tflitefile import parse_model

    return parse_model(unit.workload, unit.data)


def _toolchain(options: UnitOptions) -> Toolchain:
    found = find_toolchain(options.toolchain)
    if options.compiler not in ("", f"{found.name} {found.version}"):
        raise RunError(f"this worker has {found.name} {found.version}, the sweep was begun with {options.compiler}")
    return found


@dataclass(frozen=True)
class _Stream:
    """A run of a model's firmware: whole, and one inference if that is the one to price whatever the board."""

    linked: Linked
    record: ExecutionRecord
    inference: ExecutionRecord | None
    validation: Validation | None


class _ModelUnit:
    """Links a model for every board, runs as many as needed, and prices all."""

    def __init__(self, unit: Unit, work: _Work, job: ModelJob, code: ModelCode, toolchain: Toolchain) -> None:
        self._unit = unit
        self._work = work
        self._job = job
        self._code = code
        self._toolchain = toolchain
        self._streams: dict[int, _Stream | VtargetError] = {}
        self._files: dict[int, Path] = {}

    def run(self) -> None:
        """All cells of the unit."""
        with tempfile.TemporaryDirectory(prefix="vtarget-sweep-") as folder, ExitStack() as stack:
            self._reference = stack.enter_context(interpret(self._job)) if self._unit.options.validation else None
            linked = dict(self._link(Path(folder)))
            numbers, found = list(linked), roots(list(linked.values()))
            for number, root in zip(numbers, found, strict=True):
                source = numbers[found[0] if self._unit.options.share else root]
                self._price(number, linked[number], source, linked[source])

    def _cells(self, number: int) -> list[Cell]:
        return [cell for cell, position in self._unit.cells if position == number]

    def _link(self, folder: Path) -> Iterator[tuple[int, Linked]]:
        """The model for each board that it fits."""
        for number, swept in enumerate(self._unit.boards):
            elf = folder / str(number) / f"{Path(self._unit.workload).stem}.elf"
            elf.parent.mkdir()
            try:
                firmware = build_firmware(self._code, swept.board, self._toolchain, elf, self._job.options)
            except VtargetError as error:
                self._work.fail(self._cells(number), error)
                continue
            self._files[number] = elf
            yield number, Linked.of(swept.board, load_image(str(elf)), firmware.placement)

    def _price(self, number: int, linked: Linked, root: int, source: Linked) -> None:
        stream = self._stream(root, source)
        if isinstance(stream, VtargetError) and root != number:
            if _LIMIT in stream.message:  # which the same stream would reach again, after as long
                stream = RunError(f"{stream.message}, on {source.board.name}, whose run stands for this")
            else:
                stream = self._stream(number, linked)  # another stack or memory may do
        if isinstance(stream, VtargetError):
            self._work.fail(self._cells(number), stream)
            return
        for cell in self._cells(number):
            try:
                pricer = self._unit.boards[number].pricer(cell.clock_hz)
                self._work.outcomes[cell.index] = self._outcome(stream, linked, pricer)
            except VtargetError as error:
                self._work.fail([cell], error)

    def _stream(self, number: int, linked: Linked) -> _Stream | VtargetError:
        if number not in self._streams:
            try:
                self._streams[number] = self._run(number, linked)
            except VtargetError as error:
                self._streams[number] = error
        return self._streams[number]

    def _run(self, number: int, linked: Linked) -> _Stream:
        self._work.emulations += 1
        ran = run_firmware(self._code, self._files[number], self._unit.boards[number].pricer(None), self._job)
        spans = [span for span in ran.record.spans if span.name == INVOKE]
        inference = restricted(ran.record, spans[0]) if len(spans) == 1 else None
        reference = self._reference.result() if self._reference is not None else None
        validation = None if reference is None else validate_run(self._job, ran, reference)
        return _Stream(linked, ran.record, inference, validation)

    def _outcome(self, stream: _Stream, linked: Linked, pricer: Pricer) -> Outcome:
        power = self._unit.options.power
        exact = covers(stream.linked, linked)
        record = stream.inference or stream.record
        if exact:
            record = moved(record, stream.linked, linked, pricer.board_sha256)
        if stream.inference is None:
            record = _median(record, pricer, power)
        profile = price(record, pricer, power_state=power, waterfall=False)
        weights, loaded = self._code.weights_bytes, sum(len(segment.data) for segment in linked.image.segments)
        found = outcome_of_profile(profile, pricer.board)
        checked = stream.validation
        return replace(
            found,
            macs=sum(layer.macs for layer in self._code.layers),
            arena_bytes=self._code.plan.arena_bytes,
            weights_bytes=weights,
            code_bytes=max(0, loaded - weights),
            bit_exact=None if checked is None else checked.bit_exact,
            max_abs_diff=None if checked is None else float(checked.max_abs_diff),
            emulated_on=None if exact else stream.linked.board.name,
        )


def _median(record: ExecutionRecord, pricer: Pricer, power: str | None) -> ExecutionRecord:
    """The median warm inference of several, on this board at this clock."""
    whole = price(record, pricer, power_state=power, waterfall=False)
    chosen = median_sample([span.cycles for span in whole.spans if span.name == INVOKE])
    return restricted(record, [span for span in record.spans if span.name == INVOKE][chosen])


def outcome_of_profile(profile: Profile, board: Board) -> Outcome:
    """What a sweep tells of a profile."""
    energy, cost = profile.energy_j, board.price
    return Outcome(
        status="ok",
        core=profile.core,
        clock_hz=profile.clock_hz,
        instructions=profile.instructions,
        cycles=int(profile.cycles.nominal),
        cycles_low=int(profile.cycles.low),
        cycles_high=int(profile.cycles.high),
        latency_s=profile.latency_s.nominal,
        latency_s_low=profile.latency_s.low,
        latency_s_high=profile.latency_s.high,
        energy_j=energy.nominal if energy else None,
        energy_j_low=energy.low if energy else None,
        energy_j_high=energy.high if energy else None,
        flash_bytes=profile.memory.flash_bytes,
        ram_bytes=profile.memory.ram_bytes,
        stack_peak_bytes=profile.memory.stack_peak_bytes,
        price=cost.amount if cost else None,
        price_currency=cost.currency if cost else None,
        provenance=profile.provenance,
        not_modelled=profile.not_modelled,
    )


# Firmware as it is.


def _firmware(unit: Unit, work: _Work) -> None:
    ran: list[tuple[ExecutionRecord, bool]] = []  # with whether its clock was asked for
    with tempfile.TemporaryDirectory(prefix="vtarget-sweep-") as folder:
        path = Path(folder) / Path(unit.workload).name
        path.write_bytes(unit.data)
        for cell, number in unit.cells:
            try:
                pricer = unit.boards[number].pricer(cell.clock_hz)
                record = next((r for r, pinned in ran if _stands_for(r, pinned, pricer, unit.options.share)), None)
                if record is None:
                    work.emulations += 1
                    record = execute(path, pricer, limits=unit.options.limits(FIRMWARE_S)).record
                    ran.append((record, pricer.pinned))
                profile = price(record, pricer, power_state=unit.options.power, waterfall=False)
            except VtargetError as error:
                work.fail([cell], error, hide=str(path))
                continue
            ended = failure(profile)
            if ended is not None:
                work.fail([cell], ended, hide=str(path), lasting=not _ran_out_of_time(record, unit.options))
                continue
            other = None if record.board == pricer.board.name else record.board
            work.outcomes[cell.index] = replace(outcome_of_profile(profile, pricer.board), emulated_on=other)


def _ran_out_of_time(record: ExecutionRecord, options: UnitOptions) -> bool:
    """Whether the host's clock ended the run, which another host's may not."""
    spent = options.max_instructions is not None and record.instructions >= options.max_instructions
    return record.exit.reason is Reason.LIMIT and not spent


def _stands_for(record: ExecutionRecord, pinned: bool, pricer: Pricer, share: bool) -> bool:
    """Whether to price this run instead of making one: at another clock if time was nothing to it, on another board if
    that is asked for."""
    if record.board != pricer.board.name:
        return share
    return is_timeless(record) and (pricer.pinned or not pinned)


def is_timeless(record: ExecutionRecord) -> bool:
    """Whether a firmware would have gone the same way at any clock: it never looked at time, slept, was interrupted or
    set its clock."""
    interrupted = bool(np.isin(record.edge_exit, _ENTRIES).any())
    return not (record.clock_reads or record.sleep or record.epochs or interrupted)

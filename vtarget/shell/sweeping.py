"""Sweeps: does the cells of a matrix that nobody has done yet, and gives out rows in the matrix's order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import load_yaml_model, parse_json
from vtarget.data.sweep import TYPICAL, Cell, Outcome, Row, SweepSpec
from vtarget.logic.sweepquery import Question
from vtarget.logic.sweeptext import html, row_of, summary
from vtarget.shell.buildcache import cache_dir, content_key
from vtarget.shell.files import read_file
from vtarget.shell.frames import to_frame
from vtarget.shell.matrix import Matrix, matrix_of, remaining
from vtarget.shell.outcomes import Journal, OutcomeCache
from vtarget.shell.parallel import Died, run_all
from vtarget.shell.sweepunit import Unit, UnitResult, failed, run_unit

MOST_ROWS_BYTES = 1 << 30


@dataclass(frozen=True)
class SweepOptions:
    """How to run a sweep; nothing here changes what comes out. ``jobs`` processes (None: one for each processor) or a
    ``cluster``; ``journal`` is where finished cells are noted, to ``resume`` from; ``cached``: whether outcomes of
    earlier sweeps are taken. ``done`` is told of rows as they are finished, in whatever order, and first of those
    that were there before (or none); ``waiting`` of what has been under way for longest, ``emulated`` of runs that were
    made."""

    jobs: int | None = None
    cluster: str | None = None
    journal: Path | None = None
    resume: bool = False
    cached: bool = True
    done: Callable[[Sequence[Row]], None] | None = None
    waiting: Callable[[str], None] | None = None
    emulated: Callable[[int], None] | None = None


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep."""

    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows that came to nothing."""
        return tuple(row for row in self.rows if row.outcome.status == "failed")

    def to_dicts(self) -> list[dict[str, Any]]:
        """Plain values by name, one dict per row."""
        return [row.to_dict() for row in self.rows]

    def to_pandas(self) -> Any:
        """A pandas DataFrame. InputError if pandas isn't installed."""
        return to_frame(self.to_dicts())

    def ask(self, where: str | None = None, pareto: str | None = None, sort: str | None = None) -> SweepResult:
        """The rows that fulfil a condition, with the Pareto front of some metrics marked, sorted."""
        return SweepResult(tuple(Question.of(where, pareto, sort).answer(self.rows)))

    def __repr__(self) -> str:
        return f"SweepResult({summary(self.rows)})"

    def _repr_html_(self) -> str:
        return html(self.rows)


def sweep(
    models: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    boards: str | Iterable[str] = "all",
    *,
    firmware: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    engines: Iterable[str] = ("simd",),
    clocks_hz: Iterable[int | None] = (None,),
    weights: Iterable[str] = ("auto",),
    arena: Iterable[str] = ("auto",),
    cflags: Iterable[str] = ("",),
    samples: int = 1,
    seed: int = 0,
    validate: bool = False,
    power_state: str | None = None,
    timeout_s: float | None = None,
    max_instructions: int | None = None,
    share: bool = False,
    jobs: int | None = None,
    cluster: str | None = None,
    journal: str | os.PathLike[str] | None = None,
    resume: bool = False,
    cached: bool = True,
) -> SweepResult:
    """Models (files, globs, directories) and firmware on boards (names, globs, paths, ``all``), in every combination.

    A cell that fails is a row that says why; ``timeout_s`` and ``max_instructions`` limit each run. ``journal`` and
    ``resume`` go on with a sweep that was ended; ``share`` prices a stream on other memory systems, too. InputError for
    what can't be found or used at all.
    """
    spec = spec_of(
        models=_texts(models),
        firmware=_texts(firmware),
        boards=_texts(boards),
        engines=tuple(engines),
        clocks=tuple(TYPICAL if clock is None else f"{clock} Hz" for clock in clocks_hz),
        weights=tuple(weights),
        arena=tuple(arena),
        cflags=tuple(cflags),
        samples=samples,
        seed=seed,
        validation=validate,
        power=power_state,
        timeout_s=timeout_s,
        max_instructions=max_instructions,
        share=share,
    )
    options = SweepOptions(jobs, cluster, None if journal is None else Path(journal), resume, cached)
    return SweepResult(tuple(run_sweep(matrix_of(spec), options)))


def _texts(given: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    return (os.fspath(given),) if isinstance(given, str | os.PathLike) else tuple(os.fspath(one) for one in given)


def spec_of(**fields: Any) -> SweepSpec:
    """A spec of plain values, as they would stand in YAML. InputError names the first that can't be used."""
    try:
        return parse_json(json.dumps(fields).encode(), SweepSpec)
    except (TypeError, ValueError) as error:
        raise InputError(f"sweep: {error}") from None


def load_spec(path: str) -> SweepSpec:
    """The spec in a YAML file. InputError names file, line and key of whatever is wrong."""
    return load_yaml_model(Path(path), SweepSpec)


def journal_path(matrix: Matrix) -> Path:
    """Where the finished cells of this very sweep are noted if nobody says where."""
    return cache_dir() / "journals" / f"{content_key([cell.key for cell in matrix.cells])[:32]}.jsonl"


def run_sweep(
    matrix: Matrix, options: SweepOptions = SweepOptions(), *, work: Callable[[Unit], UnitResult] = run_unit
) -> Iterator[Row]:
    """The rows of a matrix, in its order, each as soon as those before it are there. ``work`` does a unit."""
    kept = OutcomeCache() if options.cached else None
    own = options.journal is None
    with closing(Journal(options.journal or journal_path(matrix), resume=options.resume)) as journal:
        run = _Run(matrix, options, journal, kept)
        yield from run.rows(work)
    if kept is not None:
        kept.clean()
    if own:
        journal.path.unlink(missing_ok=True)


class _Run:
    """A sweep under way: outcomes that are there and not given out yet."""

    def __init__(self, matrix: Matrix, options: SweepOptions, journal: Journal, kept: OutcomeCache | None) -> None:
        self._matrix = matrix
        self._options = options
        self._journal = journal
        self._kept = kept
        self._ready: dict[int, Outcome] = {}
        self._cells = {cell.index: cell for cell in matrix.cells}
        self._handed_out: dict[int, Unit] = {}
        self._next = 0

    def rows(self, work: Callable[[Unit], UnitResult]) -> Iterator[Row]:
        """All rows in order."""
        known = self._known()
        yield from self._in_order()
        tasks = self._handing_out(left for u in self._matrix.units if (left := remaining(u, known)) is not None)
        for result in run_all(work, tasks, jobs=self._options.jobs, cluster=self._options.cluster):
            self._take(_dead(result.task) if isinstance(result, Died) else result)
            yield from self._in_order()

    def _handing_out(self, units: Iterable[Unit]) -> Iterator[Unit]:
        for unit in units:
            self._handed_out[unit.cells[0][0].index] = unit
            if len(self._handed_out) == 1:
                self._tell_oldest()
            yield unit

    def _tell_oldest(self) -> None:
        if self._options.waiting is not None:
            self._options.waiting(next((u.description for u in self._handed_out.values()), ""))

    def _known(self) -> set[str]:
        """The cells that were done before, by journal or cache, are ready; their keys."""
        known = set()
        cached = []
        for cell in self._matrix.cells:
            found = self._journal.known.get(cell.key)
            if found is None and self._kept is not None:
                found = self._kept.get(cell.key)
                if found is not None:
                    cached.append((cell.key, found))
            if found is not None:
                known.add(cell.key)
                self._ready[cell.index] = found
        self._journal.known.clear()
        if cached:
            self._journal.add(cached)
        self._tell(sorted(self._ready))
        return known

    def _take(self, result: UnitResult) -> None:
        self._journal.add((self._cells[index].key, outcome) for index, outcome in result.outcomes)
        lasting = result.lasting or (True,) * len(result.outcomes)
        for (index, outcome), lasts in zip(result.outcomes, lasting, strict=True):
            self._ready[index] = outcome
            if self._kept is not None and lasts:
                self._kept.put(self._cells[index].key, outcome)
        self._tell([index for index, _ in result.outcomes])
        first = next(iter(self._handed_out))
        self._handed_out.pop(result.outcomes[0][0], None)
        if first not in self._handed_out:
            self._tell_oldest()
        if self._options.emulated is not None:
            self._options.emulated(result.emulations)

    def _tell(self, indices: Sequence[int]) -> None:
        if self._options.done is not None:
            self._options.done([Row(self._cells[index], self._ready[index]) for index in indices])

    def _in_order(self) -> Iterator[Row]:
        cells: Sequence[Cell] = self._matrix.cells
        while self._next < len(cells) and cells[self._next].index in self._ready:
            cell = cells[self._next]
            self._next += 1
            yield Row(cell, self._ready.pop(cell.index))


def _dead(unit: Unit) -> UnitResult:
    gone = failed("the worker process ended, and so did the next one that tried this alone")
    return UnitResult(tuple((cell.index, gone) for cell, _ in unit.cells), 0, (False,) * len(unit.cells))


def load_rows(paths: Iterable[str]) -> list[Row]:
    """The rows of JSON-lines files that sweeps wrote (the shards of one, for example), in the order of their cells,
    each once. InputError for anything else."""
    found: dict[str, Row] = {}
    for path in paths:
        for number, line in enumerate(read_file(path, "--from", MOST_ROWS_BYTES).splitlines(), start=1):
            try:
                row = row_of(json.loads(line))
            except (ValueError, AttributeError) as error:
                raise InputError(f"--from {path}:{number}: {error}") from None
            found.setdefault(row.cell.key, row)
    return sorted(found.values(), key=lambda row: row.cell.index)

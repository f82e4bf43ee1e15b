"""A sweep's spec, made concrete: files and boards found, cells in their order with their keys, units of work."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.base.suggest import did_you_mean
from vtarget.data.sweep import Cell, SweepSpec
from vtarget.data.target import target_of
from vtarget.shell.boardlib import board_names, is_path, load_board, load_chip
from vtarget.shell.buildcache import content_key
from vtarget.shell.calibrationfile import apply_calibration, find_calibration
from vtarget.shell.files import read_file
from vtarget.shell.outcomes import code_digest
from vtarget.shell.running import pricer_for
from vtarget.shell.sweepunit import SweptBoard, Unit, UnitOptions
from vtarget.shell.toolchain import find_toolchain

ALL = "all"
MODEL_SUFFIX = ".tflite"
FIRMWARE_SUFFIXES = (".elf", ".axf", ".hex")
MOST_WORKLOAD_BYTES = 64 << 20
MOST_CELLS = 1_000_000


@dataclass(frozen=True)
class Matrix:
    """A sweep's cells in their order, and the units that they are done in."""

    cells: tuple[Cell, ...]
    units: tuple[Unit, ...] = field(repr=False)

    def shard(self, number: int, of: int) -> Matrix:
        """Part ``number`` (from 1) of as many: whole units, so that no stream is run in two of them."""
        units = self.units[number - 1 :: of]
        kept = {cell.index for unit in units for cell, _ in unit.cells}
        return Matrix(tuple(cell for cell in self.cells if cell.index in kept), units)


def matrix_of(spec: SweepSpec, *, calibrated: bool = True) -> Matrix:
    """The cells and units of a spec. InputError for files and boards that aren't there or can't be used; what is wrong
    with one cell (a model that doesn't fit, a clock that is too high) shows when it is done."""
    boards = [_swept(name, calibrated) for name in find_boards(spec.boards)]
    names = [swept.board.name for swept in boards]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"two boards of the sweep are named {name}", hint="a row names its board by the key name")
    compiler = ""
    if spec.models:
        toolchain = find_toolchain(spec.toolchain)
        compiler = f"{toolchain.name} {toolchain.version}"
    options = UnitOptions(
        spec.samples,
        spec.seed,
        spec.validation,
        spec.power,
        spec.timeout_s,
        spec.max_instructions,
        spec.toolchain,
        compiler,
        spec.share,
    )
    maker = _Maker(options, boards)
    cells: list[Cell] = []
    for path in find_files(spec.models, (MODEL_SUFFIX,), "models"):
        ways = product(spec.engines, spec.clocks, spec.weights, spec.arena, spec.cflags)
        cells += maker.cells(path, "model", list(ways), len(cells))
    for path in find_files(spec.firmware, FIRMWARE_SUFFIXES, "firmware"):
        cells += maker.cells(path, "firmware", [(None, clock, None, None, None) for clock in spec.clocks], len(cells))
    cells = [replace(cell, index=n) for n, cell in enumerate({cell.key: cell for cell in cells}.values())]
    return Matrix(tuple(cells), tuple(maker.units(cells)))


_Way = tuple[str | None, int | None, str | None, str | None, str | None]


class _Maker:
    """Makes cells and units; holds the boards and the bytes of workloads."""

    def __init__(self, options: UnitOptions, boards: Sequence[SweptBoard]) -> None:
        self._options = options
        self._boards = boards
        self._digests = [_board_digest(board) for board in boards]
        self._data: dict[str, bytes] = {}
        # What stands for a board that is approximated depends on which others there are.
        self._common = [code_digest(), repr(options), *(self._digests if options.share else ())]

    def cells(self, path: str, kind: str, ways: Sequence[_Way], first: int) -> list[Cell]:
        """The cells of one workload, in order."""
        data = self._data[path] = read_file(path, kind, MOST_WORKLOAD_BYTES)
        if first + len(self._boards) * len(ways) > MOST_CELLS:
            raise InputError(f"the sweep has more than {MOST_CELLS} cells")
        sha256 = hashlib.sha256(data).hexdigest()
        found: list[Cell] = []
        for board, digest in zip(self._boards, self._digests, strict=True):
            for way in ways:
                key = content_key([*self._common, kind, path, sha256, digest, repr(way)])
                index = first + len(found)
                found.append(Cell(index, path, "model" if kind == "model" else "firmware", board.board.name, *way, key))
        return found

    def units(self, cells: Iterable[Cell]) -> Iterator[Unit]:
        """Cells that may share a stream, together: of a model all boards of one kind of core and all clocks, of a
        firmware all clocks of a board, or of a kind of core if streams are to be shared."""
        places = {board.board.name: place for place, board in enumerate(self._boards)}
        groups: dict[tuple[object, ...], list[Cell]] = {}
        for cell in cells:
            apart = cell.kind == "firmware" and not self._options.share
            alike = cell.board if apart else target_of(self._boards[places[cell.board]].board)
            way = (cell.engine, cell.weights, cell.arena, cell.cflags)
            groups.setdefault((cell.workload, cell.kind, way, alike), []).append(cell)
        for group in groups.values():
            names = list(dict.fromkeys(cell.board for cell in group))
            yield Unit(
                group[0].workload,
                group[0].kind,
                self._data[group[0].workload],
                tuple(self._boards[places[name]] for name in names),
                tuple((cell, names.index(cell.board)) for cell in group),
                self._options,
            )


def _swept(name: str, calibrated: bool) -> SweptBoard:
    board = load_board(name)
    path = find_calibration(name, board) if calibrated else None
    return SweptBoard(board, None if path is None else apply_calibration(path, board))


def _board_digest(swept: SweptBoard) -> str:
    """A digest of all that a board has to do with an outcome; files of its own included."""
    board = swept.board
    chip = repr(load_chip(board.chip)) if board.chip is not None and is_path(board.chip) else ""
    return content_key([pricer_for(board).board_sha256, repr(board.price), chip, repr(swept.calibration)])


def find_boards(wanted: Iterable[str]) -> list[str]:
    """Names and paths of boards, each once: ``all``, names, globs of names, paths, and globs of paths.

    InputError for one that names nothing.
    """
    names = board_names()
    found: list[str] = []
    for text in wanted:
        if text == ALL:
            found += names
        elif not _is_glob(text):
            found.append(text)
        else:
            matching = _matching(text) if is_path(text) else [n for n in names if fnmatchcase(n, text)]
            if not matching:
                raise InputError(f"no board '{text}'", hint=did_you_mean(text.strip("*"), names))
            found += matching
    return list(dict.fromkeys(found))


def find_files(wanted: Iterable[str], suffixes: Sequence[str], what: str) -> list[str]:
    """Files, each once: those named, those that a glob matches, and those of a directory with one of the suffixes.

    InputError for what names nothing.
    """
    found: list[str] = []
    for text in wanted:
        if Path(text).is_dir():
            inside = sorted(str(path) for path in Path(text).iterdir() if path.suffix in suffixes and path.is_file())
        elif _is_glob(text) and not Path(text).exists():
            inside = [path for path in _matching(text) if Path(path).is_file()]
        else:
            inside = [text]
        if not inside:
            raise InputError(f"{text}: no {what} there", hint=f"files that end in {', '.join(suffixes)}")
        found += inside
    return list(dict.fromkeys(found))


def split_workloads(paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(models, firmware) of what a command line names: by suffix, a directory for what it holds."""
    models: list[str] = []
    firmware: list[str] = []
    for path in paths:
        if Path(path).is_dir():
            inside = {p.suffix for p in Path(path).iterdir()}
            kinds = [(models, MODEL_SUFFIX in inside), (firmware, bool(inside.intersection(FIRMWARE_SUFFIXES)))]
            if not any(there for _, there in kinds):
                raise InputError(f"{path}: holds neither models nor firmware")
            for kind, there in kinds:
                if there:
                    kind.append(path)
        else:
            (models if path.endswith(MODEL_SUFFIX) else firmware).append(path)
    return tuple(models), tuple(firmware)


def _matching(pattern: str) -> list[str]:
    anchor = Path(pattern).anchor
    return sorted(str(path) for path in Path(anchor).glob(pattern.removeprefix(anchor)))


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def remaining(unit: Unit, known: Container[str]) -> Unit | None:
    """The unit without cells whose keys are known; None if that leaves none."""
    left = tuple((cell, place) for cell, place in unit.cells if cell.key not in known)
    if len(left) in (0, len(unit.cells)) or unit.options.share:
        return replace(unit, cells=left) if left else None
    used = sorted({place for _, place in left})
    return replace(
        unit,
        boards=tuple(unit.boards[place] for place in used),
        cells=tuple((cell, used.index(place)) for cell, place in left),
    )

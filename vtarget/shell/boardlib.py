"""The board library: finds boards and cores by name or path and loads them, with ``extends`` resolved."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import KeyPath, LineMap, display_path, load_yaml, load_yaml_model, validate
from vtarget.base.suggest import did_you_mean
from vtarget.shell.datadir import boards_dir, firmware_dir

if TYPE_CHECKING:
    from vtarget.data.board import Board
    from vtarget.data.chip import Chip
    from vtarget.data.core import Core

_OWN_KEYS = ("name", "title")
_LIST_HINT = "'vtarget boards list' shows all"


def board_names() -> list[str]:
    """The names of the shipped boards, sorted."""
    return sorted(path.stem for path in boards_dir().glob("*.yaml"))


def core_names() -> list[str]:
    """The names of the shipped cores, sorted."""
    return sorted(path.stem for path in (boards_dir() / "cores").glob("*.yaml"))


def chip_names() -> list[str]:
    """The names of the shipped chips, sorted."""
    return sorted(path.stem for path in (boards_dir() / "chips").glob("*.yaml"))


def is_path(name_or_path: str) -> bool:
    """Whether a BOARD or CORE argument is meant as a file: it has a path separator or ends in .yaml or .yml."""
    separators = {"/", os.sep, os.altsep or os.sep}
    return name_or_path.endswith((".yaml", ".yml")) or any(s in name_or_path for s in separators)


def board_path(name_or_path: str) -> Path:
    """The file of a shipped board, or of any path given. InputError with a did-you-mean for an unknown name."""
    if is_path(name_or_path):
        return Path(name_or_path)
    names = board_names()
    if name_or_path not in names:
        close = did_you_mean(name_or_path, names) or ""
        hint = f"{close} {_LIST_HINT}" if close.startswith("did you mean") else _LIST_HINT
        raise InputError(f"no board '{name_or_path}'", hint=hint)
    return boards_dir() / f"{name_or_path}.yaml"


def load_board(name_or_path: str) -> Board:
    """The board of that name, or in that file.

    A ``core`` or ``chip`` given as a path is relative to the board's file; it is returned relative to the working
    directory, so that ``load_core(board.core)`` finds it. InputError names file, line and key of whatever is wrong.
    """
    from vtarget.data.board import Board

    source = _read(board_path(name_or_path), ())
    board = validate(source.data, source.lines, Board)
    core = _part(board.core, "core", core_names(), source.lines)
    chip = None if board.chip is None else _part(board.chip, "chip", chip_names(), source.lines)
    return board.model_copy(update={"core": core, "chip": chip})


def _part(value: str, key: str, known: list[str], lines: LineMap) -> str:
    """A board's core or chip: a known name, or a path made relative to the working directory."""
    place = lines.nearest((key,))
    if is_path(value):
        return str(_existing(value, Path(place.file).parent, f"{place}: {key}"))
    _check_name(value, known, f"{place}: {key}: no {key}")
    return value


def load_chip(name_or_path: str) -> Chip:
    """The chip of that name, or in that file, with the files of its ROMs found.

    InputError names file, line and key of whatever is wrong.
    """
    from vtarget.data.chip import Chip

    if not is_path(name_or_path):
        _check_name(name_or_path, chip_names(), "no chip")
    path = Path(name_or_path) if is_path(name_or_path) else boards_dir() / "chips" / f"{name_or_path}.yaml"
    data, lines = load_yaml(path)
    chip = validate(data, lines, Chip)
    roms = (rom.model_copy(update={"image": _rom_image(rom.image, lines, i)}) for i, rom in enumerate(chip.roms))
    return chip.model_copy(update={"roms": tuple(roms)})


def _rom_image(value: str, lines: LineMap, index: int) -> str:
    """A ROM's image: a file of ``firmware/roms``, or a path relative to the chip's file."""
    place = lines.nearest(("roms", index, "image"))
    directory = Path(place.file).parent if "/" in value or os.sep in value else firmware_dir() / "roms"
    return str(_existing(value, directory, f"{place}: roms.{index}.image"))


def load_core(name_or_path: str) -> Core:
    """The core of that name, or in that file. InputError names file, line and key of whatever is wrong."""
    from vtarget.data.core import Core

    if is_path(name_or_path):
        return load_yaml_model(Path(name_or_path), Core)
    _check_name(name_or_path, core_names(), "no core")
    return load_yaml_model(boards_dir() / "cores" / f"{name_or_path}.yaml", Core)


@dataclass(frozen=True)
class _Source:
    """A board's YAML, before it is checked, and where its keys stand."""

    data: dict[str, object]
    lines: LineMap


def _read(path: Path, extended_by: tuple[Path, ...]) -> _Source:
    """The mapping in ``path`` laid over the boards it extends."""
    data, lines = load_yaml(path)
    if "extends" not in data:
        return _Source(data, lines)
    base_path = _extended_path(data.pop("extends"), path, lines)
    chain = (*extended_by, path.resolve())
    if base_path.resolve() in chain:
        raise InputError(f"{lines[('extends',)]}: extends: {display_path(base_path)} extends this file in turn")
    base = _read(base_path, chain)
    for key in _OWN_KEYS:
        base.data.pop(key, None)
    replaced: set[KeyPath] = {(key,) for key in _OWN_KEYS}
    merged = _merge(base.data, data, (), replaced)
    kept = {at: place for at, place in base.lines.items() if not any(at[:n] in replaced for n in range(len(at) + 1))}
    return _Source(merged, LineMap(kept | lines))


def _extended_path(value: object, path: Path, lines: LineMap) -> Path:
    place = lines[("extends",)]
    if not isinstance(value, str):
        raise InputError(f"{place}: extends: give the name or the path of one board")
    if not is_path(value):
        _check_name(value, board_names(), f"{place}: extends: no board")
        return boards_dir() / f"{value}.yaml"
    return _existing(value, path.parent, f"{place}: extends")


def _existing(value: str, directory: Path, where: str) -> Path:
    target = directory / value
    if "\0" in value or not target.is_file():
        raise InputError(f"{where}: there is no file '{value}'", hint=f"it is taken relative to {directory}")
    return target


def _merge(base: dict[str, object], over: dict[str, object], at: KeyPath, replaced: set[KeyPath]) -> dict[str, object]:
    """``over`` laid over ``base``: mappings merge, everything else replaces; ``replaced`` gathers what went."""
    merged = dict(base)
    for key, value in over.items():
        below = base.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merge(below, value, (*at, key), replaced)
        else:
            merged[key] = value
            replaced.add((*at, key))
    return merged


def _check_name(name: str, known: list[str], what: str) -> None:
    if known and name not in known:
        raise InputError(f"{what} '{name}'", hint=did_you_mean(name, known))

"""Calibration files: strict YAML beside a board's, written whole or not at all, and never over another kind of file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import display_path, load_yaml, validate
from vtarget.base.yamlreader import MAX_FILE_BYTES
from vtarget.data.board import Board
from vtarget.data.calibration import AppliedCalibration, Calibration
from vtarget.shell.boardlib import is_path
from vtarget.shell.files import replace_file

SCHEMA, SCHEMA_VERSION = "vtarget.calibration", 1
SUFFIX = ".calibration.yaml"
HINT = "make one with 'vtarget calibrate'"
_HEADING = "# Fitted by 'vtarget calibrate': a machine writes this file, docs/calibration.md explains it.\n"
_UNPLAIN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def load_calibration(path: str) -> Calibration:
    """Read a calibration file. InputError names file, line and key of whatever is wrong."""
    data, lines = load_yaml(Path(path))
    place = lines.nearest(("schema",))
    if data.pop("schema", None) != SCHEMA:
        raise InputError(f"{place}: not a calibration (schema: {SCHEMA})", hint=HINT)
    version = data.pop("schema_version", None)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        where = lines.nearest(("schema_version",))
        raise InputError(f"{where}: schema_version is {version!r:.20}, this vtarget reads {SCHEMA_VERSION}")
    return validate(data, lines, Calibration)


def save_calibration(calibration: Calibration, path: str) -> None:
    """Write a calibration file. InputError if the place can't be written, or holds what is no calibration."""
    check_calibration_target(path)
    data = calibration_text(calibration).encode("utf-8")
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path}: the calibration has {len(data)} bytes, at most {MAX_FILE_BYTES} could be read again")
    try:
        replace_file(path, data)
    except OSError as error:
        raise InputError(f"{path}: can't write the calibration: {error.strerror or error}") from None


def check_calibration_target(path: str) -> None:
    """InputError if a calibration can't be written there without loss: better before the work than after it."""
    target = Path(path)
    why = "a name holds no NUL" if "\0" in path else "it is a directory" if target.is_dir() else None
    if why is None and not target.absolute().parent.is_dir():
        why = f"no such directory: {target.parent}"
    if why is not None:
        raise InputError(f"{path!r:.200}: a calibration can't be written there: {why}")
    if target.is_file() and not _is_calibration(target):
        raise InputError(
            f"{path}: exists and is no calibration: it is left alone", hint=f"choose another name, such as X{SUFFIX}"
        )


def _is_calibration(path: Path) -> bool:
    try:
        return load_yaml(path)[0].get("schema") == SCHEMA
    except InputError:
        return False


def calibration_json(calibration: Calibration) -> dict[str, Any]:
    """The calibration as JSON has it."""
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **calibration.model_dump(mode="json")}


def calibration_text(calibration: Calibration) -> str:
    """The calibration as YAML, one line per factor and kernel."""
    return _HEADING + "".join(_lines(calibration_json(calibration)))


def _lines(content: dict[str, Any]) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield f"{key}:\n"
            yield from (f"  {name}: {_flow(item)}\n" for name, item in value.items())
        elif isinstance(value, list) and value:
            yield f"{key}:\n"
            yield from (f"  - {_flow(item)}\n" for item in value)
        else:
            yield f"{key}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    """A value on one line: JSON is YAML, once what YAML takes for no text is escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _UNPLAIN.sub(lambda found: "?" if "\ud800" <= found[0] <= "\udfff" else f"\\u{ord(found[0]):04x}", text)


def find_calibration(board_argument: str, board: Board) -> str | None:
    """The calibration beside a board's YAML, or of a shipped board by its name in the working directory, if there is
    one."""
    if is_path(board_argument):
        path = Path(board_argument)
        beside = path.with_name(path.stem + SUFFIX)
    else:
        beside = Path(board.name + SUFFIX)
    return display_path(beside) if beside.is_file() else None


def apply_calibration(path: str, board: Board) -> AppliedCalibration:
    """The calibration in a file, or (of a directory) in the file in it that has the board's name. InputError if it
    can't be used for this board."""
    place = Path(path) / (board.name + SUFFIX) if Path(path).is_dir() else Path(path)
    fit = load_calibration(str(place))
    if fit.board != board.name:
        raise InputError(f"{display_path(place)}: is of board {fit.board}, not of {board.name}")
    return AppliedCalibration(display_path(place), fit)

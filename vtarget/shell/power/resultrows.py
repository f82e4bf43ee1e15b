"""Rows of short result files, which other tools wrote after cutting their own windows."""

from __future__ import annotations

import csv
import io

from vtarget.base.errors import InputError
from vtarget.shell.files import read_file

MOST_BYTES = 16 << 20


def read_rows(path: str) -> list[tuple[int, list[str]]]:
    """(line number, fields) of each line that isn't empty, the header among them. InputError names a bad line."""
    data = read_file(path, "power", MOST_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line}: is not UTF-8") from None
    reader = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    try:
        every = [(reader.line_num, [field.strip() for field in fields]) for fields in reader]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from None
    rows = [(line, fields) for line, fields in every if any(fields)]
    if not rows:
        raise InputError(f"{path}: is empty")
    width = len(rows[0][1])
    for line, fields in rows:
        if len(fields) != width:
            raise InputError(f"{path}: line {line}: has {len(fields)} columns, not {width}")
    return rows


def number(path: str, line: int, column: str, text: str) -> float:
    """A figure of at least 0. InputError if the text is none."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e15 or "_" in text:
        raise InputError(f"{path}: line {line}: '{text[:40]}' in column {column} is not a figure of at least 0")
    return value

"""Reads YAML files: one value per key, no anchors or tags, every error one line with file and line.

Plain scalars follow YAML 1.2: only ``true``/``false`` are booleans, ``010`` and ``no`` are text.
This is the only module that imports PyYAML.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vtarget.base.errors import InputError

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_INT_DIGITS = 20

KeyPath = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.?(inf|nan)\Z", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_TAB_INDENT = re.compile(r"^ *\t", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """A line (from 1) of a file, as errors print it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class LineMap(dict[KeyPath, Place]):
    """Where each key path of a document stands; the empty path is the document itself."""

    def nearest(self, path: KeyPath) -> Place:
        """The place of ``path``, or of its closest existing parent."""
        while path and path not in self:
            path = path[:-1]
        return self[path]


def display_path(path: Path) -> str:
    """``path`` as errors name it: relative to the working directory where it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def load_yaml(path: Path) -> tuple[dict[str, object], LineMap]:
    """The mapping in the YAML file ``path`` (dict, list, str, int, float, bool, None) and its line map.

    Raises InputError for a file that can't be read, is empty, too large, not UTF-8, not YAML, or not one mapping.
    """
    name = display_path(path)
    text = _read_text(path, name)
    builder = _Builder(name, text)
    data = builder.document()
    return data, builder.lines


def _read_text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{name}: can't be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{name}: can't be read: {error}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"{name}: is larger than 1 MiB", hint="is this a board or core file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8 text") from None
    text = text.replace("\r\n", "\n")
    _refuse(_CONTROL, text, name, "control character", "remove it")
    _refuse(_TAB_INDENT, text, name, "tab in the indentation", "indent with spaces")
    return text


def _refuse(pattern: re.Pattern[str], text: str, name: str, what: str, hint: str) -> None:
    found = pattern.search(text)
    if found is not None:
        line = text.count("\n", 0, found.start()) + 1
        shown = f" {found[0]!r}" if pattern is _CONTROL else ""
        raise InputError(f"{name}:{line}: {what}{shown}", hint=hint)


class _Builder:
    """Builds plain values from PyYAML's event stream, noting where each key and item stands."""

    def __init__(self, name: str, text: str) -> None:
        self.lines = LineMap()
        self._name = name
        self._text = text
        self._events: Iterator[Any] = iter(())

    def document(self) -> dict[str, object]:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = yaml.parse(self._text, Loader=loader)
        try:
            return self._document(yaml)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            raise InputError(f"{self._name}:{line}: not valid YAML: {error.problem or error.context}") from None
        except yaml.YAMLError as error:
            raise InputError(f"{self._name}: not valid YAML: {str(error).splitlines()[0]}") from None

    def _document(self, yaml: Any) -> dict[str, object]:
        next(self._events)  # stream start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise InputError(f"{self._name}: is empty")
        root = next(self._events)
        if isinstance(root, yaml.ScalarEvent) and not root.value and not root.style:
            raise InputError(f"{self._name}: is empty")
        if not isinstance(root, yaml.MappingStartEvent):
            raise self._error(root, "the file must be a mapping (key: value)")
        self.lines[()] = self._place(root)
        if root.anchor is not None or root.tag is not None:
            raise self._error(root, "anchors and tags are not allowed", hint="remove it")
        data = self._mapping((), yaml)
        next(self._events)  # document end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._error(after, "a second document; one file holds one", hint="remove the '---'")
        return data

    def _value(self, event: Any, path: KeyPath, yaml: Any) -> object:
        if len(path) > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            raise self._error(
                event, f"anchors and aliases are not allowed ('{sign}{event.anchor}')", hint="write it out"
            )
        if event.tag is not None:
            raise self._error(event, f"tags are not allowed ('{event.tag}')", hint="remove it")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path, yaml)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, yaml)
        return event.value if event.style else self._plain(event, path)

    def _mapping(self, path: KeyPath, yaml: Any) -> dict[str, object]:
        values: dict[str, object] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None or event.anchor is not None:
                raise self._error(event, "a key must be plain text")
            key = event.value
            here = (*path, key)
            if not key:
                raise self._error(event, "empty key")
            if key in values:
                raise self._error(event, f"key '{dotted(here)}' stands twice (first in line {self.lines[here].line})")
            self.lines[here] = self._place(event)
            values[key] = self._value(next(self._events), here, yaml)
        return values

    def _sequence(self, path: KeyPath, yaml: Any) -> list[object]:
        values: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*path, len(values))
            self.lines[here] = self._place(event)
            values.append(self._value(event, here, yaml))
        return values

    def _plain(self, event: Any, path: KeyPath) -> object:
        text: str = event.value
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _NOT_FINITE.match(text):
            raise self._error(event, f"{dotted(path)}: '{text}' is not a finite number")
        if _INT.match(text) or _HEX.match(text):
            if len(text) > MAX_INT_DIGITS:
                raise self._error(event, f"{dotted(path)}: {shown(text)} is too large a number")
            return int(text, 16 if _HEX.match(text) else 10)
        if _FLOAT.match(text):
            value = float(text)
            if not math.isfinite(value):
                raise self._error(event, f"{dotted(path)}: {shown(text)} is too large a number")
            return value
        return text

    def _place(self, event: Any) -> Place:
        return Place(self._name, event.start_mark.line + 1)

    def _error(self, event: Any, message: str, hint: str | None = None) -> InputError:
        return InputError(f"{self._place(event)}: {message}", hint=hint)


def dotted(path: KeyPath) -> str:
    """``path`` as errors print it: ``regions.0.size``."""
    return ".".join(str(step) for step in path)


def shown(value: object) -> str:
    """``value`` as an error prints it, cut to a readable length."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:56]}..."

"""Strict models read from YAML: every error is one line with file, line and key path, and a did-you-mean.

This is the only module that imports pydantic; models elsewhere take pydantic's names from here. The files
themselves are read by ``yamlreader``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vtarget.base.errors import InputError
from vtarget.base.suggest import closest, did_you_mean
from vtarget.base.yamlreader import KeyPath, LineMap, Place, display_path, dotted, load_yaml, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "BeforeValidator",
    "Field",
    "FieldError",
    "KeyPath",
    "LineMap",
    "Model",
    "OpenModel",
    "Place",
    "Text",
    "ValidationInfo",
    "display_path",
    "field_validator",
    "load_yaml",
    "load_yaml_model",
    "model_validator",
    "parse_json",
    "validate",
]

MAX_LISTED = 16


class Model(BaseModel):
    """Base of every value read from YAML: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class OpenModel(BaseModel):
    """Base of values in files that newer versions may add keys to: frozen, strict about the keys it knows."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=BaseModel)


class FieldError(ValueError):
    """What a model's validator raises: a message, an optional hint, and where below the model it is wrong."""

    def __init__(self, message: str, *, at: KeyPath = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.hint = hint


def _not_blank(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise FieldError("must not be empty")
    return value


Text = Annotated[str, BeforeValidator(_not_blank)]


def load_yaml_model(path: Path, model: type[M]) -> M:
    """The YAML file ``path`` as ``model``; InputError names file, line and key of the first thing wrong."""
    data, lines = load_yaml(path)
    return validate(data, lines, model)


def parse_json(text: bytes, model: type[R]) -> R:
    """JSON text as ``model``; ValueError names the key of the first thing wrong and says what it is."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
    where = f"{dotted(details['loc'])}: " if details["loc"] else ""
    message = "is missing" if details["type"] == "missing" else _explain(details)[0]
    raise ValueError(f"{where}{message}")


def validate(data: object, lines: LineMap, model: type[M]) -> M:
    """``data`` (from ``load_yaml``) as ``model``; InputError tells the first thing wrong, in file order."""
    try:
        # JSON mode: lists become tuples and text becomes enum members, while all else stays strict.
        return model.model_validate_json(json.dumps(data, allow_nan=False))
    except ValidationError as error:
        found = error.errors(include_url=False)
        # A list whose items failed also counts as too short: that is an echo, not a second error.
        inside = {details["loc"][:-k] for details in found for k in range(1, len(details["loc"]) + 1)}
        problems = [_problem(d, lines, model) for d in found if d["type"] != "too_short" or d["loc"] not in inside]
    main = lines[()].file
    problems.sort(key=lambda p: (p.place.file != main, p.place.line))
    first = problems[0]
    more = f" (+{len(problems) - 1} more)" if len(problems) > 1 else ""
    where = f"{dotted(first.path)}: " if first.path else ""
    raise InputError(f"{first.place}: {where}{first.message}{more}", hint=first.hint)


@dataclass(frozen=True)
class _Problem:
    place: Place
    path: KeyPath
    message: str
    hint: str | None


def _problem(details: ErrorDetails, lines: LineMap, model: type[Model]) -> _Problem:
    path: KeyPath = details["loc"]
    kind = details["type"]
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        path = (*path, *cause.at)
        return _Problem(lines.nearest(path), path, str(cause), cause.hint)
    if kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _known_keys(model, path[:-1]))
        return _Problem(lines.nearest(path), path[:-1], f"unknown key '{path[-1]}'", hint)
    if path[-1:] == ("[key]",):
        hint = did_you_mean(str(path[-2]), _names(details))
        return _Problem(lines.nearest(path), path[:-2], f"unknown key '{path[-2]}'", hint)
    if kind == "missing":
        return _Problem(lines.nearest(path), path[:-1], f"'{path[-1]}' is missing", None)
    message, hint = _explain(details)
    return _Problem(lines.nearest(path), path, message, hint)


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dict_type": "a mapping (key: value)",
}
_LIMITS = {"greater_than_equal": ("ge", ">="), "less_than_equal": ("le", "<="), "greater_than": ("gt", ">")} | {
    "less_than": ("lt", "<")
}


def _explain(details: ErrorDetails) -> tuple[str, str | None]:
    kind, value, ctx = details["type"], details["input"], details.get("ctx", {})
    if kind == "value_error":
        return str(ctx["error"]), None
    if value is None:
        return "has no value", None
    if kind in _EXPECTED:
        quoted = kind == "string_type" and isinstance(value, int | float)
        return f"{shown(value)} is not {_EXPECTED[kind]}", "put it in quotes" if quoted else None
    if kind in _LIMITS:
        key, sign = _LIMITS[kind]
        return f"{shown(value)} is out of range, must be {sign} {ctx[key]}", None
    if kind in ("enum", "literal_error"):
        return _not_one_of(value, _names(details))
    if kind == "string_pattern_mismatch":
        return f"{shown(value)} does not have the form {ctx['pattern']}", None
    if kind in ("too_short", "string_too_short"):
        return "must not be empty", None
    return f"{shown(value)}: {details['msg']}", None


def _names(details: ErrorDetails) -> list[str]:
    """The values an enum or literal may take, from pydantic's "'a', 'b' or 'c'"."""
    return re.findall(r"'([^']*)'", str(details.get("ctx", {}).get("expected", "")))


def _not_one_of(value: object, names: list[str]) -> tuple[str, str | None]:
    match = closest(str(value), names)
    listed = ", ".join(names) if len(names) <= MAX_LISTED else f"the {len(names)} known names"
    return f"{shown(value)} is not one of {listed}", f"did you mean '{match}'?" if match else None


def _known_keys(model: type[Model], path: KeyPath) -> list[str]:
    """The keys a mapping at ``path`` below ``model`` may have."""
    annotation: object = model
    for step in path:
        candidates = list(_models(annotation))
        if isinstance(step, int) or not candidates:
            continue
        fields = {name: f.annotation for c in candidates for name, f in c.model_fields.items()}
        annotation = fields.get(step, annotation)
    return [name for c in _models(annotation) for name in c.model_fields]


def _models(annotation: object) -> Iterator[type[Model]]:
    """The models an annotation mentions: itself, in a union, or as what a tuple or dict holds."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, Model):
            yield annotation
        return
    args = get_args(annotation)
    for arg in args[:1] if get_origin(annotation) is Annotated else args:
        if arg is not NoneType and arg is not Ellipsis:
            yield from _models(arg)

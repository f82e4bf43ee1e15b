"""Results as rows of plain values: for data frames, spreadsheets and whatever else takes a list of dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vtarget.base.errors import InputError
from vtarget.data.modelprofile import ModelProfile
from vtarget.data.profile import Profile

TABLES = ("kernels", "spans", "contexts", "sleep", "layers")
Row = dict[str, Any]


def to_dicts(result: Profile | ModelProfile, table: str | None = None) -> list[Row]:
    """The rows of a table: ``kernels``, ``spans``, ``contexts`` (the call tree), ``sleep``, or ``layers`` of a model.

    By default a model's layers, else the kernels. What is nested becomes columns (``waterfall_issue``,
    ``spread_median``); units are in the names. InputError for a table that the result doesn't have.
    """
    model = isinstance(result, ModelProfile)
    wanted = table or ("layers" if model else "kernels")
    if wanted not in TABLES or (wanted == "layers" and not model):
        have = TABLES if model else TABLES[:-1]
        raise InputError(f"no table '{wanted}' in this result", hint=f"it has {', '.join(have)}")
    holder: Any = result
    if model and wanted != "layers":
        holder = result.inference  # type: ignore[union-attr]
    return [_flat(asdict(row)) for row in getattr(holder, wanted)]


def _flat(row: Row, prefix: str = "") -> Row:
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}_")
        else:
            found[prefix + name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    """Tuples as lists, whatever is in them."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value

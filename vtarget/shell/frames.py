"""Rows as data frames and Parquet files (home of pandas and pyarrow, which are loaded only here, when asked for)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from vtarget.base.errors import InputError
from vtarget.data.modelprofile import ModelProfile
from vtarget.data.profile import Profile
from vtarget.logic.frames import to_dicts

BATCH_ROWS = 1000


def to_frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """A pandas DataFrame of rows. InputError if pandas isn't installed."""
    try:
        import pandas
    except ImportError:
        raise InputError("to_pandas: the package pandas is not installed", hint="pip install pandas") from None
    return pandas.DataFrame(list(rows))


def to_pandas(result: Profile | ModelProfile, table: str | None = None) -> Any:
    """The rows of ``to_dicts`` as a pandas DataFrame. InputError if there is no such table, or no pandas."""
    return to_frame(to_dicts(result, table))


def check_parquet(option: str) -> None:
    """InputError if Parquet files can't be written here."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise InputError(
            f"{option}: the package pyarrow is not installed", hint="pip install 'vtarget[parquet]', or write .csv"
        ) from None


def write_parquet(path: str, columns: Sequence[tuple[str, str]], rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as a Parquet file, whole or not at all. ``columns`` are (name, type), the type being ``text``, ``int``,
    ``float``, ``bool`` or ``texts`` (a list). OSError if it can't be written."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "text": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "texts": pyarrow.list_(pyarrow.string()),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns])
    target = Path(path).resolve()
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    left = iter(rows)
    try:
        with parquet.ParquetWriter(part, schema) as writer:
            while batch := list(islice(left, BATCH_ROWS)):
                writer.write_table(pyarrow.Table.from_pylist([dict(row) for row in batch], schema))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)

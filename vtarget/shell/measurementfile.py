"""Measurement files: JSON with a schema's name and version in front. Written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import parse_json
from vtarget.data.measurement import Measurement
from vtarget.data.record import ExecutionRecord
from vtarget.shell.files import read_file, replace_file
from vtarget.shell.recordfile import load_record, save_record

SCHEMA, SCHEMA_VERSION = "vtarget.measurement", 1
MOST_BYTES = 64 << 20
HINT = "make one with 'vtarget measure'"


def measurement_json(measurement: Measurement) -> dict[str, object]:
    """The measurement as JSON has it; single calls stand only where they are known."""
    plain = measurement.model_dump(mode="json")
    for row in (*plain["kernels"], *plain["spans"], *([plain["total"]] if plain["total"] else [])):
        if not row["each"]:
            del row["each"]
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **plain}


def save_measurement(measurement: Measurement, path: str) -> None:
    """Write a measurement file. InputError if the place can't be written."""
    text = json.dumps(measurement_json(measurement), indent=2, allow_nan=False) + "\n"
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise InputError(f"{path}: can't write the measurement: {error.strerror or error}") from None


def save_with_record(measurement: Measurement, record: ExecutionRecord, path: str) -> None:
    """Write a measurement file, and beside it (``path`` and ``.record``) the virtual run of the same: for firmware that
    isn't in a file of its own, or that was given something that the file doesn't tell. InputError as above."""
    save_record(record, f"{path}.record")
    save_measurement(measurement.model_copy(update={"record_path": f"{Path(path).name}.record"}), path)


def record_beside(measurement: Measurement, path: str) -> ExecutionRecord | None:
    """The virtual run that was stored along with a measurement file; None if none was, or it isn't there any more."""
    place = record_file(measurement, path)
    return None if place is None else load_record(place)


def record_file(measurement: Measurement, path: str) -> str | None:
    """The file of that run; None as above."""
    if measurement.record_path is None:
        return None
    place = Path(path).parent / Path(measurement.record_path).name
    return str(place) if place.is_file() else None


def find_image(measurement: Measurement, path: str) -> str:
    """The file of the image that was measured: where a measurement file names it, or beside that. InputError if it is
    in neither place."""
    named = measurement.firmware_path
    for place in (Path(named), Path(path).parent / Path(named).name):
        if place.is_file():
            return str(place)
    raise InputError(f"{path}: names the image {named}, which isn't there")


def load_measurement(path: str) -> Measurement:
    """Read a measurement file. InputError if it is none, is damaged, or has unknown fields."""
    data = read_file(path, "measurement", MOST_BYTES)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {str(error)[:200]}", hint=HINT) from None
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise InputError(f"{path}: not a measurement (schema '{SCHEMA}')", hint=HINT)
    version = content.pop("schema_version", None)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise InputError(f"{path}: schema_version is {version!r:.20}, this vtarget reads {SCHEMA_VERSION}")
    try:
        measurement = parse_json(json.dumps(content, allow_nan=False).encode(), Measurement)
    except ValueError as error:
        raise InputError(f"{path}: {error}", hint=HINT) from None
    for rows, what in ((measurement.kernels, "kernels"), (measurement.spans, "spans")):
        names = [(row.name, row.address) for row in rows]
        if len(set(names)) < len(names):
            raise InputError(f"{path}: {what}: one of them is there twice")
    return measurement

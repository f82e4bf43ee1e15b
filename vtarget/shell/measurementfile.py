"""Measurement files: JSON with a schema's name and version in front. Written whole or not at all."""

from __future__ import annotations

import json

from vtarget.base.errors import InputError
from vtarget.base.strictyaml import parse_json
from vtarget.data.measurement import Measurement
from vtarget.shell.files import read_file, replace_file

SCHEMA, SCHEMA_VERSION = "vtarget.measurement", 1
MOST_BYTES = 64 << 20
HINT = "make one with 'vtarget measure'"


def measurement_json(measurement: Measurement) -> dict[str, object]:
    """The measurement as JSON has it."""
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **measurement.model_dump(mode="json")}


def save_measurement(measurement: Measurement, path: str) -> None:
    """Write a measurement file. InputError if the place can't be written."""
    text = json.dumps(measurement_json(measurement), indent=2, allow_nan=False) + "\n"
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise InputError(f"{path}: can't write the measurement: {error.strerror or error}") from None


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

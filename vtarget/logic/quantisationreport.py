"""The three-way quantisation table in words and columns, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vtarget.data.validation import Accuracy, QuantisationTable

ACCURACY_COLUMNS = ("class", "samples", "float", "quantised", "firmware")
LONGEST_NAME = 40
LAYER_COLUMNS = ("#", "operator", "output", "quantised SQNR", "firmware SQNR")


def accuracy_rows(table: QuantisationTable) -> list[tuple[str, ...]]:
    """Accuracy overall and per class; empty without labels."""
    rows = [("all", table.accuracy)] if table.accuracy else []
    return [_accuracy(name, accuracy) for name, accuracy in [*rows, *((str(c), a) for c, a in table.classes)]]


def _accuracy(name: str, accuracy: Accuracy) -> tuple[str, ...]:
    shares = (accuracy.float_model, accuracy.quantised_model, accuracy.firmware)
    return (name, str(accuracy.samples), *(f"{100 * share:.1f} %" for share in shares))


def layer_rows(table: QuantisationTable) -> list[tuple[str, ...]]:
    """SQNR against the float model per layer, the largest losses first."""
    return [
        (
            str(loss.index),
            loss.op,
            short_name(loss.name),
            _decibels(loss.quantised_sqnr_db),
            _decibels(loss.firmware_sqnr_db),
        )
        for loss in table.layers
    ]


def agreement_line(table: QuantisationTable) -> str | None:
    """How often two of the three give the same answer; None if the model's answer is no class."""
    if table.agreement is None:
        return None
    a = table.agreement
    return (
        f"same answer: quantised and float {100 * a.quantised_and_float:.1f} %, "
        f"firmware and float {100 * a.firmware_and_float:.1f} %, "
        f"firmware and quantised {100 * a.firmware_and_quantised:.1f} %"
    )


def quantisation_json(table: QuantisationTable) -> dict[str, Any]:
    """The table for the JSON result."""
    plain = asdict(table)
    plain["classes"] = [{"class": number, **asdict(accuracy)} for number, accuracy in table.classes]
    return plain


def short_name(name: str) -> str:
    """Converters join the names of what they fuse by semicolons: the first will do."""
    first = name.partition(";")[0]
    return first if len(first) <= LONGEST_NAME else f"…{first[1 - LONGEST_NAME :]}"


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} dB"

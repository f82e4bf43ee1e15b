"""What the modules of the formats make of a file: a trace of samples, or the results of somebody else's windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError
from vtarget.logic.powerwindows import Window

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """A stretch of a recording; None for what it doesn't hold. ``share``: 1 where the channel is high, 0 where low,
    between where it was both."""

    times_s: Floats
    amps: Floats | None = None
    volts: Floats | None = None
    watts: Floats | None = None
    share: Floats | None = None


@dataclass(frozen=True)
class Trace:
    """A recording, to be read once. ``powered``: it tells power, or current and voltage. ``ending``: a sample's time
    is that of its end. ``notes`` are complete when the samples are read."""

    kind: str
    file: str
    powered: bool
    samples: Iterator[Samples]
    notes: list[str]
    ending: bool = False


@dataclass(frozen=True)
class Result:
    """One window that another tool cut. ``state`` names what mustn't be mixed, such as its clock."""

    label: str
    state: str
    window: Window


@dataclass(frozen=True)
class Results:
    """Windows that another tool cut; ``note`` says what is known of their edges."""

    kind: str
    file: str
    results: tuple[Result, ...]
    note: str


def no_channel(path: str, wanted: str, has: list[str]) -> InputError:
    """The error for a digital channel that a recording doesn't have."""
    hint = f"it has {', '.join(has)}" if has else "it has none: export them, or use --window"
    return InputError(f"{path}: no digital channel {wanted}", hint=hint)

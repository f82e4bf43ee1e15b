"""Python's search for cycles of objects, held off while something is computed that makes none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_off() -> Iterator[None]:
    """No search while this lasts: many small values that stay would have it look through all of them time and again.

    Memory is freed as ever; only what refers to itself waits. Where the search was off before, it stays off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

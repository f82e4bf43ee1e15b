"""Costs by instruction of a record, and where its calls stand. Functions go by the addresses of their entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LineCosts:
    """``own``: (cycles, instructions) by (function, address); ``calls``: how often by (caller, callee, address).

    ``lines`` is ``file:line`` of an address, for those known.
    """

    own: Mapping[tuple[int, int], tuple[int, int]] = field(repr=False)
    calls: Mapping[tuple[int, int, int], int] = field(repr=False)
    lines: Mapping[int, str] = field(repr=False)

"""When to stop a run that doesn't end by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunLimits:
    """``instructions`` and virtual ``seconds`` at the board's clock bound the firmware, ``wall_seconds`` the host.

    None is no limit. A run that reaches one ends with ``Reason.LIMIT``.
    """

    instructions: int | None = None
    seconds: float | None = None
    wall_seconds: float | None = 60.0

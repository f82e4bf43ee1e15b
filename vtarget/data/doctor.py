"""What a look at the environment finds, and what is to be made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Facts = Mapping[str, str | int | float | bool | None]


class Status(Enum):
    """How it is with a part of the environment: works, isn't there, or is there and doesn't work."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """A part of the environment as it was found: ``found`` in words (empty: it isn't there), the ``problem`` if it
    doesn't work. ``facts`` are versions, paths and sizes."""

    name: str
    found: str = ""
    problem: str = ""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A finding, judged. ``purpose`` is what needs it; ``remedy`` the command (or what to do, in words) that gets it.
    Where one that is ``required`` isn't ok, vtarget doesn't work."""

    finding: Finding
    status: Status
    required: bool
    purpose: str
    remedy: str

    @property
    def told(self) -> str:
        """What was found, in words."""
        return self.finding.problem or self.finding.found

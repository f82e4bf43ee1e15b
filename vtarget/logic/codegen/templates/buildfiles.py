"""What builds the project outside vtarget, and what explains it."""

from __future__ import annotations

TEXTS: dict[str, str] = {}

"""Who follows a run from outside the recorder."""

from __future__ import annotations

from typing import Protocol


class Watch(Protocol):
    """Who wants to know when some functions are entered, ``main`` is left, and a span has ended."""

    @property
    def watched(self) -> frozenset[str]:
        """Names of the functions whose entry is reported."""

    def entered(self, name: str) -> None:
        """A watched function is about to execute its first instruction."""

    def left_main(self) -> None:
        """``main`` has returned; r0 holds its result."""

    def span_ended(self, name: str) -> None:
        """The function that a span marks has returned."""

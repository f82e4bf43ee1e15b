"""Who follows a run by its functions: the run's options."""

from __future__ import annotations

from collections.abc import Callable

from vtarget.shell.engine import Engine
from vtarget.shell.runoptions import RunOptions


class Follower:
    """The recorder's ``Watch``: calls what the options ask for, and ``main_entered`` (once) and ``main_left``."""

    def __init__(
        self, options: RunOptions, engine: Engine, main_entered: Callable[[], None], main_left: Callable[[], None]
    ) -> None:
        self._options = options
        self._engine = engine
        self._main_entered: Callable[[], None] | None = main_entered
        self.left_main = main_left

    @property
    def watched(self) -> frozenset[str]:
        """Functions whose entry the recorder reports."""
        return frozenset({"main", *self._options.on_enter})

    def entered(self, name: str) -> None:
        """Once in ``main``, startup code is through with memory: the user's bytes are to be put there again."""
        if name == "main" and self._main_entered is not None:
            self._main_entered()
            self._main_entered = None
        if name in self._options.on_enter:
            self._options.on_enter[name](self._engine)

    def span_ended(self, name: str) -> None:
        """Tell who asked for it."""
        if self._options.on_span_end is not None:
            self._options.on_span_end(name, self._engine)

"""Follows a run: which known kernels are called in each inference and in what order; feeds it and takes its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from vtarget.data.kernelcall import KernelCall
from vtarget.shell.spans import SPAN_LIMIT

if TYPE_CHECKING:
    from vtarget.shell.engine import Engine

MOST_INNER = 16

Action = Callable[["Engine"], None]


@dataclass
class Inference:
    """One call of the inference function (``index``-th in its run; None: the whole run) and the kernels called."""

    index: int | None
    calls: list[KernelCall] = field(default_factory=list)


class KernelTrace:
    """What the machine tells while it runs. Recursion belongs to the outer call, as it does in spans.

    The first function of ``inference_functions`` that is called marks inferences. ``feed`` and ``take`` are called when
    ``fed_at`` is entered and has returned.
    """

    def __init__(
        self,
        kernels: Iterable[str],
        inference_functions: Iterable[str],
        fed_at: str | None = None,
        feed: Action | None = None,
        take: Action | None = None,
    ) -> None:
        self._kernels = frozenset(kernels)
        self._marks = frozenset(inference_functions)
        self._fed_at, self._feed, self._take = fed_at, feed, take
        self._open: list[str] = []
        self._ended: Counter[str] = Counter()
        self._outside = Inference(None)
        self.inference_function: str | None = None
        self.marked: list[Inference] = []

    @property
    def spans(self) -> tuple[str, ...]:
        """The functions that must be marked as spans."""
        return tuple(sorted(self._kernels | self._marks | ({self._fed_at} if self._fed_at else set())))

    @property
    def on_enter(self) -> dict[str, Action]:
        """For ``RunOptions``."""
        return {name: partial(self._entered, name) for name in self.spans}

    @property
    def inferences(self) -> list[Inference]:
        """Inferences in order; the whole run as one if no inference function was called."""
        return self.marked or [self._outside]

    def _entered(self, name: str, engine: Engine) -> None:
        if name in self._open:
            return
        if name == self._fed_at and self._feed is not None:
            self._feed(engine)
        if name in self._marks and self.inference_function in (None, name):
            self.inference_function = name
            self.marked.append(Inference(self._ended[name]))
        if name in self._kernels:
            self._call(name)
        self._open.append(name)

    def _call(self, name: str) -> None:
        inside = self.inference_function in self._open
        inference = self.marked[-1] if inside else self._outside
        if any(other in self._kernels for other in self._open):
            if inference.calls and len(inference.calls[-1].inner) < MOST_INNER:
                outer = inference.calls[-1]
                inference.calls[-1] = replace(outer, inner=(*outer.inner, name))
        elif len(inference.calls) < SPAN_LIMIT:
            inference.calls.append(KernelCall(name, self._ended[name]))

    def ended(self, name: str, engine: Engine) -> None:
        """A span has ended."""
        if name in self._open:
            self._open.remove(name)
        self._ended[name] += 1
        if name == self._fed_at and self._take is not None:
            self._take(engine)

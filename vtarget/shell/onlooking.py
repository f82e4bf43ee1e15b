"""Looking on while a firmware runs, the same on the virtual board and on a real one, and what to do in such a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vtarget.data.limits import RunLimits
from vtarget.data.record import ExecutionRecord


class Memory(Protocol):
    """The memory of a core that stands still."""

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory; InputError where there is none."""

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into RAM; InputError elsewhere."""


class Onlooker(Protocol):
    """Who looks on. A board may run the firmware several times: everything must be done anew in each run."""

    def begins(self) -> None:
        """A run begins from reset."""

    def entered(self, name: str, memory: Memory) -> None:
        """Before the first instruction of a function that was asked for."""

    def returned(self, name: str, memory: Memory) -> None:
        """The function of a span has returned. Within a run of a board not every span is watched."""


class Nobody:
    """Nobody looks on."""

    def begins(self) -> None:
        """Nothing."""

    def entered(self, _name: str, _memory: Memory) -> None:
        """Nothing."""

    def returned(self, _name: str, _memory: Memory) -> None:
        """Nothing."""


NOBODY = Nobody()


@dataclass(frozen=True)
class RunOrder:
    """What a target is to do besides running an image.

    ``spans`` are functions whose calls are timed one by one; ``stops`` functions at whose entry the onlooker is told.
    ``writes`` are put to memory when ``main`` is entered, ``reads`` (address, bytes) taken when the run ends. ``until``
    ends it before that address. ``guide`` is the record of the same run on the virtual board, for targets that need to
    know what to expect; without it they make one. ``limits`` are of the virtual run. A board measures other ``kernels``
    than the spans only if they are wanted. Unless it is ``to_the_end``, a run of a board is over when each of these was
    called as often as in the guide, wherever that ended.
    """

    spans: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    writes: tuple[tuple[int, bytes], ...] = ()
    reads: tuple[tuple[int, int], ...] = ()
    until: int | None = None
    onlooker: Onlooker = NOBODY
    guide: ExecutionRecord | None = None
    limits: RunLimits = RunLimits()
    progress: Callable[[int, int], None] | None = None
    kernels: bool = True
    to_the_end: bool = True

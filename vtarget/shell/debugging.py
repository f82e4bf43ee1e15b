"""What a debugger is to a run: it may hold the core before every stretch of emulation, and look around at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vtarget.data.limits import RunLimits
from vtarget.shell.schedule import NEVER

if TYPE_CHECKING:
    from vtarget.shell.machine import Machine


class RestartRequestedError(Exception):
    """The debugger resets the board: the run begins anew."""


class Debugger(Protocol):
    """Controls one run after the other, as long as it asks for restarts."""

    @property
    def stepping(self) -> bool:
        """Whether the run stops before the next block of code, and takes no interrupts before that."""

    def wall_seconds(self, limits: RunLimits) -> float | None:
        """The wall time after which the run itself ends."""

    def next_look(self, machine: Machine) -> int:
        """The virtual time, in cycles with sleep, at which it wants to be asked again at the latest."""

    def before_run(self, machine: Machine, pc: int) -> int:
        """The emulator has stopped at ``pc``, or is about to start; where to go on. It may end the run.

        RestartRequestedError if the board is to be reset.
        """

    def ended(self, machine: Machine) -> None:
        """The run has ended; RestartRequestedError if it is to begin anew."""


class NoDebugger:
    """Nobody debugs."""

    stepping = False

    def wall_seconds(self, limits: RunLimits) -> float | None:
        """The user's limit."""
        return limits.wall_seconds

    def next_look(self, _machine: Machine) -> int:
        """Never."""
        return NEVER

    def before_run(self, _machine: Machine, pc: int) -> int:
        """Go on."""
        return pc

    def ended(self, _machine: Machine) -> None:
        """Nothing to look at."""

"""How far a run may go: the user's limits, and the stretches that the host looks up from in between."""

from __future__ import annotations

from vtarget.data.limits import RunLimits
from vtarget.shell.clocks import Clock
from vtarget.shell.recorder import UNLIMITED, Recorder

FIRST_CHUNK, LEAST_CHUNK, MOST_CHUNK = 2_000_000, 10_000, 200_000_000
CHUNK_SECONDS = 0.25
# Startup code that main returns into gets this far before the run ends all the same.
AFTER_MAIN_INSTRUCTIONS = 1_000_000
TICKS_PER_SECOND = 1_000_000_000


class Budget:
    """Limits of one run. ``wall_clock`` is a clock of TICKS_PER_SECOND, which knows virtual seconds."""

    def __init__(self, limits: RunLimits, recorder: Recorder, wall_clock: Clock) -> None:
        self._limits = limits
        self._recorder = recorder
        self._wall_clock = wall_clock
        self._chunk = FIRST_CHUNK
        self._chunk_end = 0
        self._main_cap = UNLIMITED

    @property
    def cycles(self) -> int:
        """The virtual time, in cycles with sleep, at which the run ends."""
        seconds = self._limits.seconds
        if seconds is None or seconds * TICKS_PER_SECOND > UNLIMITED:
            return UNLIMITED
        return min(max(1, self._wall_clock.cycle_of(round(seconds * TICKS_PER_SECOND))), UNLIMITED)

    @property
    def instructions(self) -> int:
        """Where the emulator is to come back, at the latest."""
        return min(self._most, self._main_cap, self._chunk_end)

    @property
    def _most(self) -> int:
        limit = self._limits.instructions
        return UNLIMITED if limit is None else min(limit, UNLIMITED)

    def main_returned(self) -> None:
        """What startup code still does has a limit of its own."""
        self._main_cap = self._recorder.instructions + AFTER_MAIN_INSTRUCTIONS

    @property
    def after_main_spent(self) -> bool:
        """Whether startup code has gone on for too long after ``main`` returned."""
        return self._recorder.instructions >= self._main_cap

    def exhausted(self, now: int, *, late: bool) -> str | None:
        """Which limit is reached at virtual time ``now``, in words; ``late``: the host's time is up."""
        limits = self._limits
        if self._recorder.instructions >= self._most:
            return f"{limits.instructions} instructions (--max-instructions)"
        if now >= self.cycles:
            return f"{limits.seconds} s of virtual time (--max-seconds)"
        if late:
            return f"{limits.wall_seconds:g} s of wall time (--timeout)"
        return None

    def next_chunk(self) -> None:
        """Begin another stretch."""
        self._chunk_end = self._recorder.instructions + self._chunk

    @property
    def chunk_spent(self) -> bool:
        """Whether the stretch has been run to its end."""
        return self._recorder.instructions >= self._chunk_end

    def adapt(self, elapsed_seconds: float) -> None:
        """Make stretches last about CHUNK_SECONDS."""
        if elapsed_seconds > 2 * CHUNK_SECONDS:
            self._chunk = max(self._chunk // 2, LEAST_CHUNK)
        elif elapsed_seconds < CHUNK_SECONDS:
            self._chunk = min(self._chunk * 2, MOST_CHUNK)

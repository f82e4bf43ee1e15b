"""What can go wrong with a board at the other end of a wire. Each is one line with its cause, and mostly a hint."""

from __future__ import annotations

from vtarget.base.errors import RunError


class ProbeError(RunError):
    """The board or the probe didn't do what was asked for."""


class NoProbeError(ProbeError):
    """Nothing answers where a probe should be."""


class LockedChipError(ProbeError):
    """The chip keeps debuggers out."""


class WrongDeviceError(ProbeError):
    """Another chip is connected than the board's."""


class VerifyError(ProbeError):
    """Memory doesn't hold what was written to it."""


class NeverReachedError(ProbeError):
    """The firmware didn't get to a breakpoint in time."""


class ConnectionLostError(ProbeError):
    """The probe doesn't answer any more, or what it says can't be understood."""


class CounterMissingError(ProbeError):
    """The board has nothing that counts cycles."""


class RefusedError(ProbeError):
    """The probe can't do something that is needed."""

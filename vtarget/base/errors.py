"""Errors a user can cause. Each renders as one line that names cause and place, with an optional hint."""

from __future__ import annotations


class VtargetError(Exception):
    """Base of every error vtarget raises on purpose.

    ``exit_code`` is what the command line returns for it: 2 for wrong usage or unusable input,
    1 when the thing asked about failed.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def one_line(self) -> str:
        """The error as a single printable line; control characters are escaped."""
        text = self.message if self.hint is None else f"{self.message} (hint: {self.hint})"
        return printable(text)


class InputError(VtargetError):
    """A file, option or value that can't be used."""


class RunError(VtargetError):
    """What was asked for was tried and failed (firmware fault, limit, failed self-check)."""

    exit_code = 1


def printable(text: str) -> str:
    """``text`` with every control or unprintable character written as an escape, so it can't move a cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)

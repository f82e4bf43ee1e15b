"""Where the data that ships with vtarget lies: inside the installed package, or at the top of the checkout."""

from __future__ import annotations

from pathlib import Path

from vtarget.base.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]


def boards_dir() -> Path:
    """The directory of the shipped board files; ``cores`` is below it. InputError if the installation lacks it."""
    return _data("boards")


def firmware_dir() -> Path:
    """The directory of the shipped firmware. InputError if the installation lacks it."""
    return _data("firmware")


def _data(name: str) -> Path:
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise InputError(f"the {name} directory is missing from this installation", hint="install vtarget again")

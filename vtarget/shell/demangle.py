"""C++ names made readable. Home of the package cpp_demangle."""

from __future__ import annotations

import re
from collections.abc import Callable

_LONGEST_NAME = 4096
_MOST_REFERENCES = 32
_MOST_CHARACTERS = 32 << 20

_REFERENCE = re.compile(r"S[0-9A-Z]*_")
_THUNK = re.compile(r"\{virtual override thunk\(\{(virtual )?offset\([^()]*\)\}, (.*)\)\}")


def demangle(raw_name: str) -> str:
    """The readable form of an Itanium-mangled name; any other name, and one that fails to demangle, as it is.

    GCC's suffixes read as ``name() [clone .constprop.0]``, as in binutils. A name that refers back to itself more than
    32 times stays raw: each pair of such references can double the length of the result.
    """
    if not raw_name.startswith("_Z") or len(raw_name) > _LONGEST_NAME:
        return raw_name
    if len(_REFERENCE.findall(raw_name)) > _MOST_REFERENCES:
        return raw_name
    from cpp_demangle import demangle as library_demangle

    try:
        name: str = library_demangle(raw_name)
    except ValueError:
        return raw_name
    return _with_thunk_named(name) if len(name) <= _LONGEST_NAME else raw_name


def _with_thunk_named(name: str) -> str:
    match = _THUNK.fullmatch(name)
    if match is None:
        return name
    return f"{'virtual' if match[1] else 'non-virtual'} thunk to {match[2]}"


def bounded_demangler() -> Callable[[str], str]:
    """A :func:`demangle` for the names of one file: past 32 Mi characters of output it leaves the rest raw."""
    left = _MOST_CHARACTERS

    def demangle_within_budget(raw_name: str) -> str:
        nonlocal left
        if left <= 0:
            return raw_name
        name = demangle(raw_name)
        left -= len(name)
        return name

    return demangle_within_budget

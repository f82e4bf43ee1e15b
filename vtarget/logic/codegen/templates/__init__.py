"""The texts that generated projects are filled into.

Templates escape nothing: whatever comes from a model must have gone through ``base.names`` before.
"""

from __future__ import annotations

import re
from functools import cache

from vtarget.logic.codegen.templates import buildfiles, firmware, library
from vtarget.logic.templates import Environment, environment

_TEXTS = {**library.TEXTS, **firmware.TEXTS, **buildfiles.TEXTS}


def render(template: str, **values: object) -> str:
    """The text of that name, filled in. Raises jinja2.UndefinedError if a value is missing."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    found = environment(_TEXTS, markup=False)
    found.filters |= {"make": make_word, "cmake": cmake_word}
    return found


def make_word(text: str) -> str:
    """``text`` as one word of a shell command in a Makefile."""
    plain = re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII)
    quoted = text if plain else "'" + text.replace("'", "'\\''") + "'"
    return quoted.replace("$", "$$").replace("#", "\\#")


def cmake_word(text: str) -> str:
    """``text`` as one argument in a CMakeLists.txt."""
    if re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII):
        return text
    return '"' + re.sub(r'([\\"$;])', r"\\\1", text) + '"'

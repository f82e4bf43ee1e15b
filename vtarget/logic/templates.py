"""Texts with places to fill in. Home of Jinja2."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import DictLoader, Environment, StrictUndefined

__all__ = ["Environment", "environment"]


def environment(texts: Mapping[str, str], *, markup: bool) -> Environment:
    """Templates by name. In ``markup`` every value is escaped as HTML; in other texts (C, Make, Markdown) nothing is.

    Rendering raises jinja2.UndefinedError where a value is missing.
    """
    return Environment(
        loader=DictLoader(texts),
        undefined=StrictUndefined,
        autoescape=markup,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

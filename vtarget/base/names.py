"""Names from files, made safe for where they are to stand."""

from __future__ import annotations

import re

MOST_LETTERS = 48

_C_KEYWORDS = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if|inline|int|long|register|"
    "restrict|return|short|signed|sizeof|static|struct|switch|typedef|union|unsigned|void|volatile|while"
)


def safe_identifier(name: str, fallback: str = "unnamed") -> str:
    """``name`` as a C identifier of at most 48 ASCII letters, digits and single underscores, starting with a letter.

    Different names may become the same one.
    """
    text = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:MOST_LETTERS].rstrip("_")
    if not text:
        return fallback
    if _C_KEYWORDS.fullmatch(text) or not text[0].isalpha():
        return f"x_{text}"[:MOST_LETTERS].rstrip("_")
    return text


def safe_comment(name: str, most_letters: int = 80) -> str:
    """``name`` for a C comment, a Makefile or a format string: one line of plain ASCII that ends or starts nothing.

    Everything but letters, digits, blanks and ``_ . , : ; = + - / ( ) [ ] < >`` becomes ``?`` (never two of them,
    which could begin a trigraph), and so does a ``/`` beside another.
    """
    text = re.sub(r"[^A-Za-z0-9 _.,:;=+\-/()\[\]<>]+", "?", name)
    text = re.sub(r"\?*/[?/]+|\?+/", "?", text)
    return text if len(text) <= most_letters else f"{text[: most_letters - 3]}..."


def quoted(name: str, most_letters: int = 60) -> str:
    """``name`` in single quotes as errors show it, cut to a readable length. Escaping is left to the error."""
    return f"'{name}'" if len(name) <= most_letters else f"'{name[: most_letters - 3]}...'"

"""Which headers a C file includes, so that a build knows what it depends on without asking a compiler."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def include_closure(name: str, text: str, headers: Mapping[str, str], include_dirs: Sequence[str]) -> list[str]:
    """Names of all ``headers`` that ``text`` (a file called ``name``) includes, directly or not, sorted.

    Includes that conditions leave out count too; what is in no header here (the compiler's own) doesn't.
    """
    found: set[str] = set()
    waiting = [(name, text)]
    while waiting:
        at, content = waiting.pop()
        for header in direct_includes(at, content, headers, include_dirs):
            if header not in found:
                found.add(header)
                waiting.append((header, headers[header]))
    return sorted(found)


def direct_includes(name: str, text: str, known: Container[str], include_dirs: Sequence[str]) -> list[str]:
    """Names in ``known`` that ``text`` includes itself."""
    found = []
    for quoted, bracketed in _named(text):
        folders = [*([name.rpartition("/")[0]] if quoted else []), *include_dirs]
        candidates = [_joined(folder, quoted or bracketed) for folder in folders]
        found += [c for c in candidates if c in known][:1]
    return found


@lru_cache(maxsize=1024)  # a sweep builds the same files for board after board
def _named(text: str) -> tuple[tuple[str, str], ...]:
    """(name in quotes, name in brackets) of every include, one of them empty."""
    return tuple((match[1] or "", match[2] or "") for match in _INCLUDE.finditer(text))


@lru_cache(maxsize=4096)
def _joined(folder: str, name: str) -> str:
    """``folder/name`` without ``.`` and ``..``."""
    parts: list[str] = []
    for part in f"{folder}/{name}".split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)

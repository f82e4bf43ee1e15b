"""Source lines of an image's code, where its file has DWARF line tables."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vtarget.shell.elf import read_lines

NO_LINES = "no source lines: the image was built without them (-g)"


@dataclass(frozen=True)
class SourceLines:
    """``rows`` are (first address, address behind, ``path:line``), sorted; ``note`` says why there are none."""

    rows: tuple[tuple[int, int, str], ...] = ()
    note: str | None = None

    @cached_property
    def _starts(self) -> list[int]:
        return [row[0] for row in self.rows]

    def at(self, address: int) -> str | None:
        """``file:line`` of the instruction at ``address``, None if unknown; files without their folders."""
        found = self.path_at(address)
        return found and found.replace("\\", "/").rpartition("/")[2]

    def path_at(self, address: int) -> str | None:
        """The same with the folders, as the compiler knew them."""
        position = bisect_right(self._starts, address) - 1
        if position < 0 or address >= self.rows[position][1]:
            return None
        return self.rows[position][2]


def source_lines(path: str, sha256: str) -> SourceLines:
    """The lines of the ELF file at ``path``, if it is (still) the image with that digest."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return SourceLines(note=f"no source lines: {path} can't be read")
    if hashlib.sha256(data).hexdigest() != sha256:
        return SourceLines(note=f"no source lines: {path} is another image by now")
    return lines_of(data)


def lines_of(data: bytes) -> SourceLines:
    """The lines of an ELF file's bytes; a file of another format, or with damaged tables, has none."""
    rows = read_lines(data)
    if rows is None:
        return SourceLines(note="no source lines: the image's line tables are damaged")
    if not rows:
        return SourceLines(note=NO_LINES)
    return SourceLines(tuple(sorted((start, end, f"{path}:{line}") for start, end, path, line in rows)))

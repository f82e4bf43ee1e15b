"""Reads ``arm-none-eabi-objdump -d``: the trusted decoder that ours is held to."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"\s*([0-9a-f]+):\t([0-9a-f]{4}(?: [0-9a-f]{4})?)\s+\t(\S+)\s*(.*)")
_SECTION = re.compile(r"Disassembly of section")


@dataclass(frozen=True)
class Line:
    """One disassembled instruction; ``target`` is a branch's target address."""

    address: int
    code: bytes
    mnemonic: str
    operands: str
    target: int | None


def disassemble(path: Path) -> list[list[Line]]:
    """The instructions of each section of an object, executable or archive, data left out."""
    text = subprocess.run(
        ["arm-none-eabi-objdump", "-d", "-z", str(path)], check=True, capture_output=True, text=True
    ).stdout
    sections: list[list[Line]] = []
    for line in text.splitlines():
        if _SECTION.match(line):
            sections.append([])
        found = _LINE.match(line)
        if found and not found[3].startswith("."):
            sections[-1].append(_line(found))
    return sections


def _line(found: re.Match[str]) -> Line:
    code = b"".join(int(h, 16).to_bytes(2, "little") for h in found[2].split())
    operands = found[4].partition("@")[0].strip()
    target = re.search(r"([0-9a-f]+) <", operands)
    mnemonic = found[3]
    branches = mnemonic.startswith(("b", "cb")) and not mnemonic.startswith(("bx", "blx", "bic", "bf", "bkpt"))
    return Line(int(found[1], 16), code, mnemonic, operands, int(target[1], 16) if target and branches else None)


def registers(operands: str) -> int:
    """The mask of a register list ``{r0, r1, pc}`` or ``{s0-s3}`` in our numbering."""
    names = {"sp": 13, "lr": 14, "pc": 15, "sl": 10, "fp": 11, "ip": 12, "sb": 9}
    mask = 0
    for item in operands.partition("{")[2].partition("}")[0].split(","):
        first, _, last = item.strip().partition("-")
        for n in range(_number(first, names), _number(last or first, names) + 1):
            mask |= {"s": 1 << 16 + n, "d": 3 << 16 + 2 * n}.get(first[0] if first not in names else "r", 1 << n)
    return mask


def _number(name: str, names: dict[str, int]) -> int:
    return names[name] if name in names else int(name[1:])

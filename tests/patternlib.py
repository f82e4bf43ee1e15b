"""Patterns of instructions, priced as a study measures them: repeated, for the cycles that one more repetition takes.

A pattern is assembly, instructions separated by ``; ``. It runs with the Z flag set and never changes that: a branch or
an IT on EQ goes ahead, one on NE doesn't, CBZ is taken and CBNZ isn't, BL and BX LR call and return. One that begins
with ``loop:`` is a round that branches back to its beginning.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from corelib import model

from vtarget.data.insn import Dynamic, Flow, Insn, Kind
from vtarget.logic.cost import Block, CostModel, Exit
from vtarget.logic.decode import decode_block

_FEW, _MANY = 16, 48
_SPACE = 0x1000
_BASE = 0x8000
_EQ = 0
_CPUS = {
    "m0": "cortex-m0",
    "m0plus": "cortex-m0plus",
    "m3": "cortex-m3",
    "m4": "cortex-m4\n.fpu fpv4-sp-d16",
    "m33": "cortex-m33\n.fpu fpv5-sp-d16",
    "m7": "cortex-m7\n.fpu fpv5-d16",
}


@dataclass(frozen=True)
class Pattern:
    """``code`` takes ``cycles`` (a number or a fraction such as ``1/2``) per repetition, as ``source`` says.

    ``within``: how far off the model may be, with the reason in ``source``.
    """

    code: str
    cycles: int | str
    source: str
    within: int = 0


@cache
def _assembled(core: str, codes: tuple[str, ...]) -> bytes:
    """Each code twice, few and many times in a row, every copy in a space of its own that ends in UDF #255."""
    lines = [".syntax unified", ".thumb", f".cpu {_CPUS[core]}", ".text"]
    for index, code in enumerate(codes):
        for which, count in enumerate((_FEW, _MANY)):
            body = code.removeprefix("loop: ").split("; ")
            repeat = 1 if code.startswith("loop: ") else count
            lines += [f".org {(2 * index + which) * _SPACE}", f".rept {repeat}", *body, ".endr", "udf #255"]
    with TemporaryDirectory() as name:
        source, object_, binary = (Path(name) / f"patterns.{kind}" for kind in ("s", "o", "bin"))
        source.write_text("\n".join([*lines, f".org {2 * len(codes) * _SPACE}", ""]))
        subprocess.run(["arm-none-eabi-as", "-mthumb", source, "-o", object_], check=True)
        subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", "-j", ".text", object_, binary], check=True)
        return binary.read_bytes()


def _taken(insn: Insn) -> bool:
    if insn.mnemonic in ("cbz", "cbnz"):
        return insn.mnemonic == "cbz"
    return insn.condition == _EQ if insn.flow is Flow.CONDITIONAL else True


class _Walk:
    """One run through a copy of a pattern, edge by edge."""

    def __init__(self, costs: CostModel, code: bytes) -> None:
        self._costs = costs
        insns = decode_block(code, _BASE)
        self._insns: dict[int, Insn] = {}
        at = _BASE
        for insn in insns:
            if insn.text == "udf #0xff":
                break
            self._insns[at] = insn
            at += insn.size
        self._code, self._end = code, at
        self._returns: list[int] = []

    def cycles(self, *, once_round: bool) -> int:
        """Of the whole, or of one round of a loop."""
        total, at = 0, _BASE
        while at < self._end:
            block = self._block(at)
            leaving, target = self._exit(block)
            following = self._block(target) if target < self._end else None
            total += self._costs.edge(block, leaving if following else Exit.END, following).nominal
            for index, insn in enumerate(block.insns):
                if insn.dynamic is Dynamic.LONG_MULTIPLY or (insn.dynamic is not None and insn.condition == _EQ):
                    total += self._costs.site(block, index, 0).nominal
            at = target
            if once_round and at == _BASE:
                break
        return total

    def _block(self, start: int) -> Block:
        at = start
        while at < self._end:
            insn = self._insns[at]
            at += insn.size
            if insn.flow is not Flow.NONE:
                break
        return Block(start, self._code[start - _BASE : at - _BASE])

    def _exit(self, block: Block) -> tuple[Exit, int]:
        last, after = block.insns[-1], block.address + block.size
        if last.flow is Flow.NONE or not _taken(last):
            return Exit.FALLTHROUGH, after
        if last.flow is Flow.RETURN or (last.kind is Kind.BRANCH and last.branch_offset is None):
            return Exit.TAKEN, self._returns.pop()
        if last.flow is Flow.CALL:
            self._returns.append(after)
        assert last.branch_offset is not None
        return Exit.TAKEN, block.addresses[-1] + last.branch_offset


@cache
def measured(core: str, patterns: tuple[Pattern, ...]) -> dict[str, Fraction]:
    """Nominal cycles of one repetition of each pattern on the shipped ``core``."""
    codes = tuple(pattern.code for pattern in patterns)
    image = _assembled(core, codes)
    found = {}
    for index, code in enumerate(codes):
        copies = [image[(2 * index + w) * _SPACE : (2 * index + w + 1) * _SPACE] for w in (0, 1)]
        if code.startswith("loop: "):
            found[code] = Fraction(_Walk(model(core), copies[0]).cycles(once_round=True))
        else:
            few, many = (_Walk(model(core), copy).cycles(once_round=False) for copy in copies)
            found[code] = Fraction(many - few, _MANY - _FEW)
    return found


def check(core: str, pattern: Pattern, patterns: tuple[Pattern, ...]) -> None:
    """Assert what the study says of ``pattern``, one of ``patterns``."""
    found = measured(core, patterns)[pattern.code]
    assert abs(found - Fraction(pattern.cycles)) <= pattern.within, f"{found} cycles. {pattern.source}"

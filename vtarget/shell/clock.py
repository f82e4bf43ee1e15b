"""The live clock: nominal cycles at the instruction that is executing, for firmware that looks at the time."""

from __future__ import annotations

from functools import cache

from vtarget.data.insn import PC
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block, effective_address
from vtarget.shell.calls import Node
from vtarget.shell.engine import Engine
from vtarget.shell.recorder import Recorder


class LiveClock:
    """Cycles since reset, as the recorder has counted them plus the started part of the current block."""

    def __init__(self, engine: Engine, recorder: Recorder) -> None:
        self._engine = engine
        self._recorder = recorder
        self._access: tuple[int, int, int] = (-1, -1, 0)
        self._pricer = recorder.pricer
        self._prefixes: dict[tuple[int, int], int] = {}

    def before_instruction(self, pc: int) -> int:
        """Nominal cycles before the instruction at ``pc``, which is executing."""
        node = self._recorder.current
        if node is None:
            return 0
        index = node.block.addresses.index(pc) if pc in node.block.addresses else 0
        return self._recorder.cycles + self._recorder.pricer.prefix(node.block, index)

    def after_instructions(self, count: int) -> int:
        """Nominal cycles when the current block's first ``count`` instructions have executed and nothing follows."""
        node = self._recorder.current
        if node is None or count == 0:
            return self._recorder.cycles
        size_bytes = sum(insn.size for insn in node.block.insns[:count])
        part = Block(node.block.address, node.block.code[:size_bytes])
        return self._recorder.cycles + self._recorder.pricer.edge(part, Exit.END, None).nominal

    def before_access(self, address: int, reading: bool) -> int:
        """Nominal cycles before the instruction that is accessing ``address``."""
        node = self._recorder.current
        if node is None:
            return 0
        return self._recorder.cycles + self._prefix(node, self._accessing(node.block, address, reading))

    def _prefix(self, node: Node, index: int) -> int:
        pricer = self._recorder.pricer
        if pricer is not self._pricer:
            self._pricer = pricer
            self._prefixes.clear()
        prefix = self._prefixes.get((node.offset, index))
        if prefix is None:
            prefix = self._prefixes[(node.offset, index)] = pricer.prefix(node.block, index)
        return prefix

    @property
    def position(self) -> int:
        """How many instructions of the current block stand before the access last asked for."""
        return self._access[2]

    def _accessing(self, block: Block, address: int, reading: bool) -> int:
        """Position of the accessing instruction: of those that address it, the next one this pass hasn't used yet."""
        candidates, alone = accesses(block, reading)
        wanted = candidates if alone else self._at(block, candidates, address)
        passage = (block.address, self._recorder.instructions)
        previous = self._access[2] if self._access[:2] == passage else -1
        later = [index for index in wanted if index > previous]
        chosen = later[0] if later else max(previous, 0)
        self._access = (*passage, chosen)
        return chosen

    def _at(self, block: Block, candidates: tuple[int, ...], address: int) -> tuple[int, ...]:
        registers = self._engine.registers()
        effective = ((i, effective_address(block.insns[i], block.addresses[i], registers) or 0) for i in candidates)
        return tuple(index for index, accessed in effective if accessed & ~3 == address & ~3)


@cache
def accesses(block: Block, reading: bool) -> tuple[tuple[int, ...], bool]:
    """Positions of the instructions that may read (or write) a register, and whether there is no other than one."""
    prefix = "ldr" if reading else "str"
    found = [(i, insn) for i, insn in enumerate(block.insns) if insn.address is not None and insn.address.base != PC]
    candidates = tuple(i for i, insn in found if insn.mnemonic.startswith(prefix))
    return candidates, len(candidates) == 1 and all(insn.mnemonic.startswith(("ldr", "str")) for _, insn in found)

"""The live clock: nominal cycles at the instruction that is executing, for firmware that looks at the time."""

from __future__ import annotations

from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block, effective_address
from vtarget.shell.engine import Engine
from vtarget.shell.recorder import Recorder


class LiveClock:
    """Cycles since reset, as the recorder has counted them plus the started part of the current block."""

    def __init__(self, engine: Engine, recorder: Recorder) -> None:
        self._engine = engine
        self._recorder = recorder
        self._access: tuple[int, int, int] = (-1, -1, 0)

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
        return self._recorder.cycles + self._recorder.pricer.prefix(
            node.block, self._accessing(node.block, address, reading)
        )

    @property
    def position(self) -> int:
        """How many instructions of the current block stand before the access last asked for."""
        return self._access[2]

    def _accessing(self, block: Block, address: int, reading: bool) -> int:
        """Position of the accessing instruction: of those that address it, the next one this pass hasn't used yet."""
        registers = self._engine.registers()
        wanted = [
            index
            for index, (at, insn) in enumerate(zip(block.addresses, block.insns, strict=True))
            if insn.address is not None
            and (effective_address(insn, at, registers) or 0) & ~3 == address & ~3
            and insn.mnemonic.startswith("ldr" if reading else "str")
        ]
        passage = (block.address, self._recorder.instructions)
        previous = self._access[2] if self._access[:2] == passage else -1
        later = [index for index in wanted if index > previous]
        chosen = later[0] if later else max(previous, 0)
        self._access = (*passage, chosen)
        return chosen

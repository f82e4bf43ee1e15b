"""Guards: instructions before which the host must be asked, because the core lacks them, has them switched off, or
because the emulator keeps to itself what they do."""

from __future__ import annotations

from collections.abc import Callable

from vtarget.data.exceptions import Cfsr, Vector
from vtarget.data.insn import Feature, Insn, Kind
from vtarget.logic.armv81m import armv81m_extension
from vtarget.logic.cost import missing_feature
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.shell.recorder import Recorder
from vtarget.shell.scb import SystemControl
from vtarget.shell.traps import Trap

DOUBLE_PRECISION = "double precision"
FP_FEATURES = frozenset({Feature.FP_SINGLE, Feature.FP_DOUBLE, Feature.FP_V5})


class Guards:
    """Names the guarded instructions of a block; ``trap``, ``event`` and ``limit`` (a stack and the core register that
    its limit is taken from) are told when one is about to execute."""

    def __init__(
        self,
        pricer: Pricer,
        control: SystemControl,
        trap: Callable[[Trap], None],
        event: Callable[[], None],
        limit: Callable[[str, int], None],
    ) -> None:
        self._pricer = pricer
        self._control = control
        self._trap = trap
        self._event = event
        self._limit = limit
        self.recorder: Recorder | None = None

    def of(self, block: Block) -> dict[int, Callable[[int], None]]:
        """What to do before which instruction of the block."""
        guards: dict[int, Callable[[int], None]] = {}
        for address, insn in zip(block.addresses, block.insns, strict=True):
            if insn.feature in FP_FEATURES and self._pricer.board.fpu is not None and not self._control.fpu_enabled:
                guards[address] = self._refuse_disabled_fpu
            if insn.mnemonic == "msr" and (stack := _limited_stack(insn)) is not None:
                guards[address] = self._limit_setter(stack, insn)
            if insn.mnemonic == "sev":
                guards[address] = lambda _address: self._event()
            if missing_feature(self._pricer.core, insn) is not None:
                guards[address] = self._refuse_instruction
            if self._pricer.core.not_emulated and self._not_emulated(block, insn, address) is not None:
                guards[address] = self._refuse_for_good
        return guards

    def _limit_setter(self, stack: str, insn: Insn) -> Callable[[int], None]:
        source = insn.reads.bit_length() - 1
        return lambda _address: self._limit(stack, source)

    def _refuse_disabled_fpu(self, address: int) -> None:
        if not self._control.fpu_enabled:
            detail = "floating-point instruction while the FPU is off (CPACR not written)"
            self._trap(Trap(Vector.USAGE_FAULT, detail, address, Cfsr.NOCP))

    def _refuse_instruction(self, address: int) -> None:
        board, insn = self._pricer.board, self._insn_at(address)
        missing = missing_feature(self._pricer.core, insn)
        coprocessor = self._coprocessor_at(address)
        if coprocessor is not None:
            detail = f"instruction of coprocessor {coprocessor}, which {board.name} ({board.core}) doesn't have"
            self._trap(Trap(Vector.USAGE_FAULT, detail, address, Cfsr.NOCP))
            return
        if insn.kind is Kind.UNDEFINED:
            detail = "undefined instruction"
        else:
            detail = f"instruction '{insn.text}', which {board.name} ({board.core}) lacks ({missing})"
        cfsr = Cfsr.NOCP if insn.feature in FP_FEATURES else Cfsr.UNDEFINSTR
        self._trap(Trap(Vector.USAGE_FAULT, detail, address, cfsr))

    def _not_emulated(self, block: Block, insn: Insn, address: int) -> str | None:
        """What the core has and the emulator doesn't that the instruction belongs to."""
        if insn.feature is Feature.FP_DOUBLE and self._pricer.board.fpu == "fpv5-dp":
            return DOUBLE_PRECISION
        found = armv81m_extension(_code_at(block, address)) if insn.size == 4 else None
        return found if found in self._pricer.core.not_emulated else None

    def _refuse_for_good(self, address: int) -> None:
        """Not the firmware's fault, so its fault handlers aren't asked."""
        assert self.recorder is not None and self.recorder.current is not None
        block = self.recorder.current.block
        what, board = self._not_emulated(block, self._insn_at(address), address), self._pricer.board
        code = _code_at(block, address).hex()
        detail = f"{board.core}: {what}: not emulated (instruction {code[2:4]}{code[:2]} {code[6:]}{code[4:6]})"
        self._trap(Trap(Vector.USAGE_FAULT, detail, address, Cfsr.UNDEFINSTR, final=True))

    def _coprocessor_at(self, address: int) -> int | None:
        """The number of the coprocessor whose instruction stands there, but for those of the FPU (A5.3.18)."""
        assert self.recorder is not None and self.recorder.current is not None
        block = self.recorder.current.block
        code = _code_at(block, address)
        first, second = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:], "little")
        number = second >> 8 & 15
        return number if first & 0xEC00 == 0xEC00 and number not in (10, 11) else None

    def _insn_at(self, address: int) -> Insn:
        """An instruction of the current block."""
        assert self.recorder is not None and self.recorder.current is not None
        block = self.recorder.current.block
        return block.insns[block.addresses.index(address)]


def _code_at(block: Block, address: int) -> bytes:
    return block.code[address - block.address :][:4]


def _limited_stack(insn: Insn) -> str | None:
    """The stack whose limit register the MSR writes."""
    return next((stack for stack in ("msp", "psp") if f"{stack}lim" in insn.text), None)

"""A core: what it can execute and what that costs in cycles, each figure with its source."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from vtarget.base.strictyaml import Field, FieldError, Model, Text, model_validator
from vtarget.data.cycles import Cycles
from vtarget.data.insn import Feature

Count = Annotated[int, Field(ge=0, le=1000)]
Percent = Annotated[float, Field(ge=0, le=100)]


class CostClass(StrEnum):
    """Rows of a core's cycle table. Multiple transfers state their base: words are added by ``words_per_cycle``."""

    ALU = "alu"
    MUL = "mul"
    MLA = "mla"
    LONG_MUL = "long_mul"
    LONG_MLA = "long_mla"
    DSP = "dsp"
    LOAD = "load"
    STORE = "store"
    STORE_REGISTER = "store_register"
    LOAD_PAIR = "load_pair"
    STORE_PAIR = "store_pair"
    LOAD_MULTIPLE = "load_multiple"
    STORE_MULTIPLE = "store_multiple"
    LOAD_EXCLUSIVE = "load_exclusive"
    STORE_EXCLUSIVE = "store_exclusive"
    BRANCH = "branch"
    CALL = "call"
    CALL_REGISTER = "call_register"
    TABLE_BRANCH = "table_branch"
    IT = "it"
    NOP = "nop"
    SKIPPED = "skipped"
    SYSTEM = "system"
    CPS = "cps"
    BARRIER = "barrier"
    ISB = "isb"
    WAIT = "wait"
    BREAKPOINT = "breakpoint"
    SVC = "svc"
    UNDEFINED = "undefined"
    FP_ALU = "fp_alu"
    FP_MAC = "fp_mac"
    FP_DIVIDE = "fp_divide"
    FP_SQRT = "fp_sqrt"
    FP_MOVE = "fp_move"
    FP_MOVE_PAIR = "fp_move_pair"
    FP_SYSTEM = "fp_system"
    FP_LOAD = "fp_load"
    FP_LOAD_DOUBLE = "fp_load_double"
    FP_STORE = "fp_store"
    FP_STORE_DOUBLE = "fp_store_double"
    FP_LOAD_MULTIPLE = "fp_load_multiple"
    FP_STORE_MULTIPLE = "fp_store_multiple"
    FP_ALU_DOUBLE = "fp_alu_double"
    FP_MUL_DOUBLE = "fp_mul_double"
    FP_MAC_DOUBLE = "fp_mac_double"
    FP_DIVIDE_DOUBLE = "fp_divide_double"


class Refill(StrEnum):
    """How a taken branch found its target; the figure is what it costs beyond the instruction itself.

    ``COMPARE`` is CBZ and CBNZ, ``LINK`` a branch to what LR holds; absent, they count as DIRECT and REGISTER.
    The last three are what mispredictions add on an average to a conditional branch, backward and not taken, forward
    either way, where the core has no ``predictor`` or a run didn't follow it.
    """

    DIRECT = "direct"
    COMPARE = "compare"
    CALL = "call"
    LINK = "link"
    REGISTER = "register"
    LOAD_PC = "load_pc"
    POP_PC = "pop_pc"
    TABLE = "table"
    MISALIGNED_TARGET = "misaligned_target"
    LOOP_EXIT = "loop_exit"
    FORWARD_TAKEN = "forward_taken"
    FORWARD_NOT_TAKEN = "forward_not_taken"


MISPREDICTIONS = (Refill.LOOP_EXIT, Refill.FORWARD_TAKEN, Refill.FORWARD_NOT_TAKEN)


class Rule(StrEnum):
    """What the neighbourhood of an instruction adds (``_penalty``) or takes off (``_saving``). Absent: 0."""

    LOAD_AFTER_LOAD_SAVING = "load_after_load_saving"
    INDEXED_LOAD_AFTER_LOAD_SAVING = "indexed_load_after_load_saving"
    SAME_BASE_LOAD_SAVING = "same_base_load_saving"
    STORE_AFTER_LOAD_SAVING = "store_after_load_saving"
    INDEXED_STORE_AFTER_LOAD_PENALTY = "indexed_store_after_load_penalty"
    SAME_BASE_STORE_PENALTY = "same_base_store_penalty"
    LOAD_AFTER_STORE_PENALTY = "load_after_store_penalty"
    MIXED_MEMORIES_PENALTY = "mixed_memories_penalty"
    LOAD_FROM_OTHER_MEMORY_PENALTY = "load_from_other_memory_penalty"
    STORE_TO_OTHER_MEMORY_PENALTY = "store_to_other_memory_penalty"
    LITERAL_LOAD_PENALTY = "literal_load_penalty"
    ALU_TO_ADDRESS_PENALTY = "alu_to_address_penalty"
    NOP_AFTER_LOAD_SAVING = "nop_after_load_saving"
    STORE_MULTIPLE_AFTER_STORE_SAVING = "store_multiple_after_store_saving"
    IT_AFTER_16BIT_SAVING = "it_after_16bit_saving"
    FP_DEPENDENCY_PENALTY = "fp_dependency_penalty"
    FP_DIVIDE_OVERLAP = "fp_divide_overlap"
    THREE_MISALIGNED_WIDE_PENALTY = "three_misaligned_wide_penalty"
    NARROW_MULTIPLY_PENALTY = "narrow_multiply_penalty"
    SHIFTED_CONSTANT_FLAGS_PENALTY = "shifted_constant_flags_penalty"
    PAIR_TO_FP_SAVING = "pair_to_fp_saving"
    FP_ISSUES_EARLY = "fp_issues_early"
    EARLY_FLAGS_SAVING = "early_flags_saving"
    SMALL_STORE_DRAIN = "small_store_drain"
    UNALIGNED_TRANSFER_PENALTY = "unaligned_transfer_penalty"


class Latency(StrEnum):
    """Cycles from issue of a producer to issue of a dependent instruction, for the scoreboard pipelines. Absent: 1.

    The ``_to_`` rows replace the producer's row for that kind of use. ``EARLY`` is the first of two stages of ALUs,
    which needs its operands, and is done, a cycle before the other; ``SHIFTED`` has a second operand that is shifted.
    ``STORE_TO_LOAD`` is of a load that reads what a store wrote (absent: none), ``STORE_TO_LOAD_NEARBY`` of one that
    reads another word less than 8 bytes away, or where the load or the store is a multiple one.
    """

    ALU = "alu"
    EARLY_ALU = "early_alu"
    EARLY_ALU_TO_EARLY = "early_alu_to_early"
    SHIFTED = "shifted"
    FLAGS_OF_SHIFTED = "flags_of_shifted"
    SHIFTED_TO_ACCUMULATOR = "shifted_to_accumulator"
    SHIFTED_TO_STORE_DATA = "shifted_to_store_data"
    MULTIPLY = "multiply"
    DSP = "dsp"
    LOAD = "load"
    LOAD_SMALL = "load_small"
    ALU_TO_ADDRESS = "alu_to_address"
    ALU_TO_EARLY = "alu_to_early"
    ALU_TO_ACCUMULATOR = "alu_to_accumulator"
    LOAD_TO_ADDRESS = "load_to_address"
    LOAD_SMALL_TO_ADDRESS = "load_small_to_address"
    ALU_TO_STORE_DATA = "alu_to_store_data"
    LOAD_TO_STORE_DATA = "load_to_store_data"
    LOAD_TO_MULTIPLY = "load_to_multiply"
    LOAD_TO_EARLY = "load_to_early"
    LOAD_SMALL_TO_EARLY = "load_small_to_early"
    LOAD_TO_ACCUMULATOR = "load_to_accumulator"
    MULTIPLY_TO_ADDRESS = "multiply_to_address"
    MULTIPLY_TO_EARLY = "multiply_to_early"
    MULTIPLY_TO_ACCUMULATOR = "multiply_to_accumulator"
    MULTIPLY_TO_EXTEND_ADD = "multiply_to_extend_add"
    MULTIPLY_TO_STORE_DATA = "multiply_to_store_data"
    FP_ALU = "fp_alu"
    FP_ALU_TO_STORE_DATA = "fp_alu_to_store_data"
    FP_MAC = "fp_mac"
    FP_CHAINED_MAC = "fp_chained_mac"
    FP_MAC_TO_ACCUMULATOR = "fp_mac_to_accumulator"
    FP_MAC_TO_STORE_DATA = "fp_mac_to_store_data"
    FP_CHAINED_MAC_TO_STORE_DATA = "fp_chained_mac_to_store_data"
    FP_MAC_BLOCKS_FP = "fp_mac_blocks_fp"
    FP_MAC_BLOCKS_ADD = "fp_mac_blocks_add"
    FP_LOAD = "fp_load"
    FP_LOAD_TO_ACCUMULATOR = "fp_load_to_accumulator"
    FP_LOAD_TO_CORE = "fp_load_to_core"
    FP_DIVIDE = "fp_divide"
    FP_SQRT = "fp_sqrt"
    FP_MOVE = "fp_move"
    FP_TO_CORE = "fp_to_core"
    FP_PAIR_TO_CORE = "fp_pair_to_core"
    CORE_TO_FP = "core_to_fp"
    PAIR_TO_FP = "pair_to_fp"
    FP_ALU_DOUBLE = "fp_alu_double"
    FP_MUL_DOUBLE = "fp_mul_double"
    FP_MAC_DOUBLE = "fp_mac_double"
    FP_MAC_DOUBLE_TO_ACCUMULATOR = "fp_mac_double_to_accumulator"
    FP_DIVIDE_DOUBLE = "fp_divide_double"
    STORE_TO_LOAD = "store_to_load"
    STORE_TO_LOAD_NEARBY = "store_to_load_nearby"


class Overhead(StrEnum):
    """What the core does on its own around exception handlers; ``_FP`` with floating-point registers moved."""

    ENTRY = "entry"
    ENTRY_FP = "entry_fp"
    LAZY_FP = "lazy_fp"
    TAIL_CHAIN = "tail_chain"
    RETURN = "return"
    RETURN_FP = "return_fp"


class Figure(Model):
    """A number of cycles; ``low`` and ``high`` default to ``nominal``. ``source`` starts with tags of the core."""

    nominal: Count
    low: Count | None = None
    high: Count | None = None
    source: str

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        bounds = self.cycles
        if not bounds.low <= bounds.nominal <= bounds.high:
            raise FieldError("low <= nominal <= high must hold")
        return self

    @property
    def cycles(self) -> Cycles:
        """The three bounds."""
        low = self.nominal if self.low is None else self.low
        return Cycles(low, self.nominal, self.nominal if self.high is None else self.high)


class Divide(Model):
    """SDIV/UDIV by the operands' sizes, b(x) being the significant bits of |x|.

    ``zero`` cycles if an operand is 0, ``short`` if b(Rn) < b(Rm), else ``base`` + (b(Rn) - b(Rm)) // ``step_bits``.
    The bounds are ``slack`` off that, inside ``least`` .. ``most``.
    """

    zero: Count
    short: Count
    base: Count
    step_bits: Literal[4, 8, 16, 32]
    slack: Count = 0
    least: Count
    most: Count
    source: str


class LongMultiply(Model):
    """Nominal cycles of long multiplies by the significant bytes (0..4) of the smaller operand."""

    mul: Annotated[tuple[Count, ...], Field(min_length=5, max_length=5)]
    mla: Annotated[tuple[Count, ...], Field(min_length=5, max_length=5)]
    source: str


class FetchQueue(Model):
    """The prefetch unit: ``words`` it holds; a slot that decode empties has its new word ``refill`` cycles later, or
    ``streaming`` cycles while the bus brings a word each cycle."""

    words: Annotated[int, Field(ge=1, le=16)]
    refill: Count
    streaming: Count
    source: str


class Predictor(Model):
    """A branch predictor: a cache of taken branches, ``entries`` in sets of ``ways`` (the least recently used gives
    way), each with a saturating counter of ``counter_bits``. What isn't in it is taken to go straight on; a branch that
    is taken nevertheless comes in, weakly taken. ``mispredicted``: what a wrong guess adds, ``mispredicted_forward``
    where the branch leads forward, if that is another figure."""

    entries: Annotated[int, Field(ge=1, le=4096)]
    ways: Annotated[int, Field(ge=1, le=64)]
    counter_bits: Annotated[int, Field(ge=1, le=4)]
    mispredicted: Figure
    mispredicted_forward: Figure | None = None
    source: str

    @model_validator(mode="after")
    def _sets(self) -> Self:
        sets, rest = divmod(self.entries, self.ways)
        if rest or sets < 1 or sets & (sets - 1):
            raise FieldError("must be 'ways' times a power of two", at=("entries",))
        return self


class ErrorBudget(Model):
    """What the form of the model may miss, on top of the figures' own bounds; percent of the cycles."""

    low_pct: Percent
    high_pct: Percent
    source: str


class Core(Model):
    """One core. ``features`` it always has; ``optional`` ones depend on the chip (see ``configured``).

    ``emulated_as``: the core that the emulator has in its place, None if it has this one. ``not_emulated``: what this
    one has beyond that; firmware that executes such an instruction can't go on.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    architecture: Literal["armv6-m", "armv7-m", "armv7e-m", "armv8-m.base", "armv8-m.main"]
    pipeline: Literal["scalar", "m33", "m55", "m7"]
    emulated_as: str | None = None
    not_emulated: tuple[Text, ...] = ()
    features: tuple[Feature, ...]
    optional: tuple[Feature, ...] = ()
    cycles: dict[CostClass, Figure]
    words_per_cycle: Annotated[int, Field(ge=1, le=2)] = 1
    refill: dict[Refill, Figure]
    rules: dict[Rule, Figure] = Field(default_factory=dict)
    latency: dict[Latency, Figure] = Field(default_factory=dict)
    exceptions: dict[Overhead, Figure] = Field(default_factory=dict)
    fetch: FetchQueue | None = None
    predictor: Predictor | None = None
    divide: Divide | None = None
    long_multiply: LongMultiply | None = None
    error_budget: ErrorBudget
    sources: dict[str, str]
    unknown: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for needed in (CostClass.ALU, CostClass.SKIPPED, CostClass.UNDEFINED, CostClass.BRANCH):
            if needed not in self.cycles:
                raise FieldError(f"'{needed}' is missing", at=("cycles",))
        for path, source in self._sources():
            for part in source.split(";"):
                tag = part.split()[0] if part.split() else ""
                if tag not in self.sources:
                    raise FieldError(f"'{tag}' is not a tag of 'sources'", at=path)
        return self

    def _sources(self) -> list[tuple[tuple[str, ...], str]]:
        """(key path, source text) of everything that has one."""
        found: list[tuple[tuple[str, ...], str]] = [(("error_budget", "source"), self.error_budget.source)]
        found += [(("cycles", key, "source"), figure.source) for key, figure in self.cycles.items()]
        found += [(("refill", key, "source"), figure.source) for key, figure in self.refill.items()]
        found += [(("rules", key, "source"), figure.source) for key, figure in self.rules.items()]
        found += [(("latency", key, "source"), figure.source) for key, figure in self.latency.items()]
        found += [(("exceptions", key, "source"), figure.source) for key, figure in self.exceptions.items()]
        if self.fetch is not None:
            found.append((("fetch", "source"), self.fetch.source))
        if self.predictor is not None:
            found.append((("predictor", "source"), self.predictor.source))
            found.append((("predictor", "mispredicted", "source"), self.predictor.mispredicted.source))
            if self.predictor.mispredicted_forward is not None:
                at = ("predictor", "mispredicted_forward", "source")
                found.append((at, self.predictor.mispredicted_forward.source))
        if self.divide is not None:
            found.append((("divide", "source"), self.divide.source))
        if self.long_multiply is not None:
            found.append((("long_multiply", "source"), self.long_multiply.source))
        return found

    def configured(self, *, fpu: str | None, dsp: bool) -> Core:
        """The core as a chip has it: its options ``fpu`` (``fpv4-sp``, ``fpv5-sp``, ``fpv5-dp``, None) and ``dsp``."""
        wanted = set(_FPU_FEATURES.get((fpu or "").partition(" ")[0], ()))
        if dsp:
            wanted.add(Feature.DSP)
        extra = tuple(f for f in self.optional if f in wanted)
        return self.model_copy(update={"features": (*self.features, *extra), "optional": ()})

    @property
    def following_branches(self) -> Core:
        """The core for runs in which its predictor is followed: without what mispredictions add on an average."""
        refill = {kind: figure for kind, figure in self.refill.items() if kind not in MISPREDICTIONS}
        return self.model_copy(update={"refill": refill}) if self.predictor is not None else self


def emulation(core: Core) -> str:
    """How firmware of the core runs, in words: by which other core, and what ends it."""
    if core.emulated_as is None:
        return "emulated"
    lacking = f"; {', '.join(core.not_emulated)} end a run" if core.not_emulated else ""
    return f"emulated as {core.emulated_as}{lacking}"


_FPU_FEATURES = {
    "fpv4-sp": (Feature.FP_SINGLE,),
    "fpv5-sp": (Feature.FP_SINGLE, Feature.FP_V5),
    "fpv5-dp": (Feature.FP_SINGLE, Feature.FP_V5, Feature.FP_DOUBLE),
}

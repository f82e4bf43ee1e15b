"""The facts of one run: what executed, how often, and in which calling context. No cycles, seconds or joules.

Indices between tables are positions: a node names a block and a context, an edge two nodes, a context a chain of
functions. Every array is one-dimensional unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from vtarget.data.image import RegionUse
from vtarget.data.timeline import Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Indices = NDArray[np.int32]
    Counts = NDArray[np.int64]

OPERAND_CLASSES = 16


class SiteKind(IntEnum):
    """What the classes of a site count: operands of an instruction, what its data accesses found, what fetching a
    line of a node's block found, how its branch was predicted (``logic.zones`` says which class is what)."""

    OPERANDS = 0
    DATA = 1
    FETCH = 2
    BRANCH = 3


class Reason(StrEnum):
    """Why a run ended."""

    SEMIHOSTING = "semihosting"
    UNTIL = "until"
    LIMIT = "limit"
    FAULT = "fault"
    IDLE = "idle"
    RETURN = "return"
    RESET = "reset"
    STUCK = "stuck"
    SCRIPT = "script"


@dataclass(frozen=True)
class Frame:
    """One line of a call stack: the function, and where in it (the call's return address, or the pc)."""

    function: str
    address: int


@dataclass(frozen=True)
class Exit:
    """How a run ended. ``code`` is the firmware's exit code (0 where it has none); ``call_stack`` innermost first."""

    reason: Reason
    code: int
    pc: int
    detail: str = ""
    call_stack: tuple[Frame, ...] = ()


@dataclass(frozen=True)
class RecordedFunction:
    """A kernel: ``address`` of its entry, its (demangled) name and size, 0 if unknown."""

    name: str
    address: int
    size_bytes: int


@dataclass(frozen=True)
class RecordedRegion:
    """A region of the board that the run was made on."""

    name: str
    kind: str
    base: int
    size_bytes: int


@dataclass(frozen=True)
class Stack:
    """How deep a stack got: ``lowest`` is the lowest stack pointer seen, ``bytes`` = top - lowest."""

    name: str
    top: int
    lowest: int

    @property
    def bytes(self) -> int:
        """Bytes used at the deepest point."""
        return max(0, self.top - self.lowest)


@dataclass(frozen=True)
class SpanFacts:
    """One call of a spanned function: which edges and sites were counted between entry and return, callees included.

    ``edges``/``edge_counts`` pair up; so do ``sites`` and the rows of ``site_counts`` (n x OPERAND_CLASSES). It ended
    in that ``epoch`` of the record. Marks of a pin lie inside blocks: ``adjust_cycles`` and ``adjust_instructions``
    bring what whole blocks add up to from their starts to the marks. It lasted from ``begin_cycle`` to ``end_cycle``
    of the run's time (-1: an older record, which doesn't tell), in which there may be interrupts, other threads and
    sleep that aren't counted as its own.
    """

    name: str
    index: int
    edges: Indices
    edge_counts: Counts
    sites: Indices
    site_counts: Counts
    epoch: int = 0
    adjust_cycles: int = 0
    adjust_instructions: int = 0
    begin_cycle: int = -1
    end_cycle: int = -1


@dataclass(frozen=True)
class Sleep:
    """Core cycles that passed in a sleep state (``sleep``, or a deep one by the manual's name) at one core clock."""

    state: str
    clock_hz: int
    cycles: int
    wakeups: int


@dataclass(frozen=True)
class Epoch:
    """What was counted while the core ran at ``clock_hz`` (0: one that was asked for, whatever the firmware set), with
    the wait states that the firmware had programmed by region (empty: those of the clock) and the caches and prefetch
    buffers that it had switched. Rows and counts as in SpanFacts; all epochs add up to the record."""

    clock_hz: int
    wait_states: tuple[tuple[str, int], ...]
    edges: Indices
    edge_counts: Counts
    sites: Indices
    site_counts: Counts
    switches: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Section:
    """A stretch of the image that the linker named."""

    name: str
    address: int
    size_bytes: int


@dataclass(frozen=True)
class ExecutionRecord:
    """Facts of one run.

    ``block_code[i]`` are the bytes of the block at ``block_address[i]``. A context is a chain of functions (each once,
    in order of first appearance on the call stack) and the function running: ``chain_parent`` (-1: none) and
    ``chain_function`` form the chains. ``edge_exit`` is a position in ``logic.cost.EXITS``; ``edge_call`` the function
    that the edge calls, -1 if none; ``edge_source`` is -1 for edges into the first block of the run, of a thread and of
    a handler; ``edge_target`` is -1 where a block is left for an exception or by returning from one, after
    ``edge_executed`` of its instructions (-1: all). A block without code is where an interrupted context went on.
    ``site_insn`` is an instruction's position in its node's block, ``site_kind`` a SiteKind (of a fetched line, the
    instruction is the first in it); ``site_low`` and ``site_high`` are the lowest and highest address that a data
    access reached (-1: none). ``zones`` are the regions that data accesses were counted by, ``caches`` the caches that
    were followed (``logic.zones.fingerprint``); both are empty where the board needs neither. The last node executed
    ``final_instructions`` instructions; ``unfinished`` nodes were entered, interrupted before their first instruction
    and not gone on with. Where the firmware changed its clock or caches there are ``epochs``. The ``timeline`` has
    exceptions and sleep; an older record has none.
    """

    image_path: str
    image_sha256: str
    board: str
    core: str
    board_sha256: str
    clock_hz: int
    regions: tuple[RecordedRegion, ...]
    functions: tuple[RecordedFunction, ...]
    chain_parent: Indices
    chain_function: Indices
    context_chain: Indices
    context_function: Indices
    block_address: Counts
    block_code: tuple[bytes, ...]
    node_block: Indices
    node_context: Indices
    edge_source: Indices
    edge_target: Indices
    edge_exit: Indices
    edge_call: Indices
    edge_executed: Indices
    edge_count: Counts
    site_node: Indices
    site_insn: Indices
    site_kind: Indices
    site_low: Counts
    site_high: Counts
    site_counts: Counts
    unfinished: Indices
    final_node: int
    final_instructions: int
    instructions: int
    live_cycles: int
    exit: Exit
    console: str
    stacks: tuple[Stack, ...]
    memory: tuple[RegionUse, ...]
    clock_reads: int
    not_modelled: tuple[str, ...]
    spans: tuple[SpanFacts, ...] = ()
    sleep: tuple[Sleep, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    zones: tuple[tuple[str, ...], ...] = ()
    caches: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    timeline: Timeline | None = None

"""The recorder: turns native block callbacks into nodes, edges, calls and sites.

The hot path is native (``native``); this class runs at first sight of a block or transition, and for the rare
transitions that need the host (spans, unwinding, idle loops).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vtarget.data.image import Image
from vtarget.data.insn import Flow
from vtarget.data.record import Frame
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.shell import layout, native
from vtarget.shell.arming import Arming
from vtarget.shell.blockkinds import idles, unmasks
from vtarget.shell.branchsim import BranchSim
from vtarget.shell.calls import Arrival, CallFollower, Node, block_key, exit_of
from vtarget.shell.engine import IPSR, REGISTERS, SP, Engine, emulator_function
from vtarget.shell.memorysim import MemorySim, needs_following
from vtarget.shell.moments import Moments
from vtarget.shell.sites import Site, Sites
from vtarget.shell.spans import SpanRecorder
from vtarget.shell.stacks import StackRecorder, stack_reach, writes_stack_registers
from vtarget.shell.watch import Watch

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNLIMITED = 1 << 62
# What execution that comes from no node has come by, in the order of layout.START and those behind it.
ENTRIES = (Exit.TAKEN, Exit.ENTRY, Exit.ENTRY_FP, Exit.TAIL_CHAIN)


@dataclass(frozen=True)
class Edge:
    """A known transition."""

    offset: int
    source: int
    target: int
    exit: Exit
    call: int
    unwinds: bool
    executed: int = -1


class Recorder:
    """Counts one run. ``guards`` names instructions of a new block before which the host wants to be called."""

    def __init__(
        self,
        engine: Engine,
        image: Image,
        pricer: Pricer,
        guards: Callable[[Block], dict[int, Callable[[int], None]]],
        span_names: tuple[str, ...] = (),
        watch: Watch | None = None,
    ) -> None:
        self.engine = engine
        self.pricer = pricer
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.words: NDArray[np.int64] = layout.new_buffer()
        self.site_table = Sites(self.words, pricer)
        self.memory: MemorySim | None = None
        self.branches: BranchSim | None = None
        self.calls = CallFollower(engine, image, self.words)
        self.functions = self.calls.functions
        self.tree = self.calls.tree
        self.error: BaseException | None = None
        self.rearmed = False  # the emulator stopped before a new block, to begin it again with hooks in it
        self.unfinished: list[int] = []
        self.idle: Edge | None = None  # the loop that does nothing, when one was entered
        self.moments = Moments(pricer.clock_hz, lambda: self.cycles)
        self.spans = SpanRecorder(self, span_names)
        self.stacks = StackRecorder(self)
        self._watch = watch
        self._arming = Arming(engine, self.words, guards)
        self.armed, self.watched = self._arming.armed, self._arming.watched
        self._blocks: dict[int, Block] = {}
        self._node_at: dict[tuple[int, int], Node] = {}
        self._node_by_offset: dict[int, Node] = {}
        self._edge_at: dict[tuple[int, int], Edge] = {}
        self._edge_by_offset: dict[int, Edge] = {}
        self._callbacks: list[object] = []
        self._set_up()

    def _set_up(self) -> None:
        words, base = self.words, int(self.words.ctypes.data)
        words[layout.H_CYCLE_LIMIT] = words[layout.H_INSTRUCTION_LIMIT] = UNLIMITED
        words[layout.H_STOP_FUNCTION] = native.function_address(emulator_function("emu_stop"))
        words[layout.H_READ_FUNCTION] = native.function_address(emulator_function("reg_read"))
        words[layout.H_PC_ID], words[layout.H_IPSR_ID] = REGISTERS[15], IPSR
        words[layout.H_SP_ID] = SP
        words[layout.H_SP_LOW] = UNLIMITED
        words[layout.H_SCRATCH_ADDRESS] = base + 8 * layout.H_SCRATCH
        words[layout.H_BUFFER] = base
        words[layout.H_RARE] = native.on_rare_block.address
        self.call_back(layout.H_MISS, self._first_sight)
        self.call_back(layout.H_EVENT, self._event)
        words[layout.H_CURRENT] = layout.NODES
        if needs_following(self.pricer.board):
            words[layout.H_ACCESSES] = native.on_accesses.address
            self.memory = self._arming.memory = MemorySim(self.pricer.memory, self.engine, words, self.site_table)
        if self.pricer.core.predictor is not None:
            self.branches = BranchSim(self.pricer.core.predictor, words, self.site_table)
        callback = native.block_callback(memory=self.memory is not None, branches=self.branches is not None)
        self.engine.hook_native("block", callback, base)

    # What has been counted so far.

    @property
    def cycles(self) -> int:
        """Nominal cycles up to the start of the current block."""
        return int(self.words[layout.H_CYCLES])

    @property
    def instructions(self) -> int:
        """Instructions counted up to the start of the current block."""
        return int(self.words[layout.H_INSTRUCTIONS])

    @property
    def current(self) -> Node | None:
        """The node that is executing; None before the first block."""
        return self._node_by_offset.get(int(self.words[layout.H_CURRENT]))

    @property
    def stopped_by_limit(self) -> bool:
        """Whether the emulator stopped at the start of the current block, before it executed, for a limit."""
        return bool(self.words[layout.H_SKIP])

    def hint_before(self, pc: int) -> str | None:
        """The wfi, wfe or yield that was executed last, if it was one of them: the emulator comes back from those."""
        node = self.current
        if node is None or self.stopped_by_limit or self.rearmed or pc != node.block.address + node.block.size:
            return None
        mnemonic = node.block.insns[-1].mnemonic if node.block.insns else ""
        return mnemonic if mnemonic in ("wfi", "wfe", "yield") else None

    @property
    def frames_full(self) -> bool:
        """Whether the call stack has outgrown the recorder."""
        return int(self.words[layout.H_FRAMES]) >= layout.FRAME_CAPACITY - 1

    def limit(self, *, cycles: int = UNLIMITED, instructions: int = UNLIMITED) -> None:
        """Stop at the first block that begins at or after these totals."""
        self.words[layout.H_CYCLE_LIMIT] = cycles
        self.words[layout.H_INSTRUCTION_LIMIT] = instructions
        self.words[layout.H_FAST_LIMIT] = 0

    def edge_counts(self) -> NDArray[np.int64]:
        """How often each edge was taken, in order of first sight."""
        start = layout.EDGES + layout.EDGE_WORDS
        table = self.words[start : start + len(self.edges) * layout.EDGE_WORDS]
        return table.reshape(-1, layout.EDGE_WORDS)[:, layout.E_COUNT].copy()

    def site_counts(self) -> NDArray[np.int64]:
        """Counts per site and class: (number of sites) x OPERAND_CLASSES."""
        return self.site_table.counts()

    @property
    def sites(self) -> list[Site]:
        """All sites, in order of first sight."""
        return self.site_table.rows

    @property
    def lost_sites(self) -> int:
        """Observations that belonged to no known site: code that was overwritten. The result tells of them."""
        return int(self.words[layout.H_LOST_SITES])

    def ahead(self, pc: int) -> int:
        """Of ``cycles``, those of lines and data accesses from the instruction at ``pc`` on, where the core is held in
        the current block: they are counted when a block begins."""
        return sum(int(self.words[site + layout.S_PRICES + event]) for site, event in self.noted_from(pc))

    def noted_from(self, pc: int) -> list[tuple[int, int]]:
        """What has cost cycles, of the current block from ``pc`` on: the sites' offsets and the classes."""
        words = self.words
        if (words[layout.H_NOTED_NODE], words[layout.H_NOTED_AT]) != (words[layout.H_CURRENT], self.instructions):
            return []
        notes = words[layout.NOTES : layout.NOTES + int(words[layout.H_NOTED])].tolist()
        found = [(note >> layout.NOTE_BITS, note & (1 << layout.NOTE_BITS) - 1) for note in notes]
        return [(site, event) for site, event in found if words[site + layout.S_ADDRESS] >= pc]

    def call_stack(self, pc: int) -> tuple[Frame, ...]:
        """Active functions, innermost first, with the pc or the address each will return to."""
        return self.calls.call_stack(self.current, pc)

    # First sight, called from native code.

    def call_back(self, word: int, function: Callable[[int, int, int], int]) -> None:
        """Have native code call ``function`` by the address in a header word. What it raises is kept in ``error``."""
        callback = native.MISS_CALLBACK(partial(self._called_back, function))
        self._callbacks.append(callback)
        self.words[word] = native.function_address(callback)

    def _called_back(self, function: Callable[[int, int, int], int], first: int, second: int, third: int) -> int:
        try:
            if self.engine.catch_up is not None:
                self.engine.catch_up()
            return function(first, second, third)
        except BaseException as error:  # a ctypes callback can't raise: keep it for the machine
            self.error = error
            self.engine.stop()
            return 0

    def _first_sight(self, current: int, key: int, _unused: int) -> int:
        block = self._block(key)
        if not self._arming.arm(block):
            self.rearmed = True
            self.engine.stop()
            return 0
        source = self._node_by_offset.get(current)
        leaving = exit_of(source.block, block) if source else ENTRIES[(current - layout.NODES) // layout.NODE_WORDS]
        arrival = self.calls.arrive(source, block.address, leaving)
        target = self.add_node(block, arrival.context)
        return self.add_edge(current, source, target, leaving, arrival).offset

    def _block(self, key: int) -> Block:
        block = self._blocks.get(key)
        if block is None:
            address, size = key & 0xFFFFFFFF, key >> 32
            self._blocks[key] = block = Block(address, self.engine.read(address, size))
        return block

    def node_at(self, offset: int) -> Node:
        """The node whose native words begin at ``offset``."""
        return self._node_by_offset[offset]

    def add_node(self, block: Block, context: int) -> Node:
        """The node of a block in a context, made if it is new."""
        key = (block_key(block), context)
        node = self._node_at.get(key)
        if node is not None:
            return node
        number = len(self.nodes)
        if number + layout.SOURCES + 1 >= layout.NODE_CAPACITY:
            raise MemoryError("more code and calling contexts than the recorder has room for")
        offset = layout.NODES + (number + layout.SOURCES) * layout.NODE_WORDS
        node = Node(offset, block, context, number)
        self.nodes.append(node)
        self._node_at[key] = node
        self._node_by_offset[offset] = node
        self.words[offset + layout.N_KEY] = block_key(block)
        self.words[offset + layout.N_CONTEXT] = context
        self.words[offset + layout.N_SP_LOW] = stack_reach(block)[0]
        self.words[offset + layout.N_SITES] = self.site_table.add_operands(node)
        if self.memory is not None:
            self.memory.add(node)
        if self.branches is not None:
            self.branches.add(node)
        return node

    def add_edge(self, current: int, source: Node | None, target: Node, leaving: Exit, arrival: Arrival) -> Edge:
        """The edge from ``source`` (whose native words begin at ``current``) to ``target``, made if it is new."""
        known = self._edge_at.get((current, target.offset))
        if known is not None:
            self._insert_hash(known)
            return known
        offset = self._next_edge()
        flags = arrival.flags
        if stack_reach(target.block)[0] < 0 or (source is not None and stack_reach(source.block)[1]):
            flags |= layout.READ_SP
        if self._needs_host(source, target, arrival):
            flags |= layout.EVENT
        if source is not None and unmasks(source.block):
            flags |= layout.UNMASK
        words = self.words
        words[offset + layout.E_TARGET] = target.offset
        words[offset + layout.E_SOURCE] = current
        words[offset + layout.E_RETURN] = arrival.return_address
        words[offset + layout.E_KEY] = block_key(target.block)
        cycles = self.pricer.edge(source.block if source else None, leaving, target.block).nominal
        words[offset + layout.E_INSTRUCTIONS] = len(source.block.insns) if source else 0
        words[offset + layout.E_FAST] = layout.SPECIAL if flags else cycles
        words[offset + layout.E_FLAGS] = flags | cycles << layout.CYCLES_SHIFT
        number = source.number if source else -1
        edge = Edge(offset, number, target.number, leaving, arrival.call, arrival.unwinds)
        self.edges.append(edge)
        self._edge_at[(current, target.offset)] = edge
        self._edge_by_offset[offset] = edge
        self._insert_hash(edge)
        return edge

    def leaving_edge(self, node: Node, leaving: Exit, executed: int) -> Edge:
        """An edge out of ``node`` after ``executed`` of its instructions (-1: all), to no other node."""
        block, offset = node.block, self._next_edge()
        if executed >= 0:
            block = block.first(executed)
        cycles = self.pricer.edge(block, leaving, None).nominal
        self.words[offset + layout.E_INSTRUCTIONS] = len(block.insns)
        self.words[offset + layout.E_FLAGS] = cycles << layout.CYCLES_SHIFT
        edge = Edge(offset, node.number, -1, leaving, -1, False, executed)
        self.edges.append(edge)
        self._edge_by_offset[offset] = edge
        if leaving is Exit.RETURN and executed < 0:
            self.words[offset + layout.E_SOURCE], self.words[offset + layout.E_KEY] = node.offset, layout.RETURN_KEY
            self._insert_hash(edge)
        return edge

    def known_edge(self, source: int, target: int) -> Edge | None:
        """The edge between the nodes whose native words begin there, if it has been seen."""
        return self._edge_at.get((source, target))

    def known_node(self, block: Block, context: int) -> Node | None:
        """The node of a block in a context, if it has been seen."""
        return self._node_at.get((block_key(block), context))

    def _next_edge(self) -> int:
        if len(self.edges) + 2 >= layout.EDGE_CAPACITY:
            raise MemoryError("more transitions than the recorder has room for")
        return layout.EDGES + (len(self.edges) + 1) * layout.EDGE_WORDS

    def _needs_host(self, source: Node | None, target: Node, arrival: Arrival) -> bool:
        """Whether each passage of the transition is an event."""
        if arrival.unwinds or self.spans.starts_at(arrival.call) or self._is_watched(arrival.call):
            return True
        if source is None:
            return False
        return idles(source, target) or self._leaves_main(source, target) or writes_stack_registers(source.block)

    def _is_watched(self, function: int) -> bool:
        return self._watch is not None and function >= 0 and self.functions.names[function] in self._watch.watched

    def _leaves_main(self, source: Node, target: Node) -> bool:
        chain = self.tree.context_chain
        if self._watch is None or not source.block.insns or source.block.insns[-1].flow is not Flow.RETURN:
            return False
        inside = self.functions.names[self.tree.function(source.context)] == "main"
        return inside and chain[source.context] != chain[target.context]

    def _insert_hash(self, edge: Edge) -> None:
        words, offset = self.words, edge.offset
        flags = int(words[offset + layout.E_FLAGS])
        context = self.nodes[edge.target].context if flags & layout.RETURN else -1
        slot = layout.hash_slot_of(int(words[offset + layout.E_SOURCE]), int(words[offset + layout.E_KEY]), context)
        while words[layout.HASHES + slot] not in (0, offset):
            slot = (slot + 1) & (layout.HASH_CAPACITY - 1)
        words[layout.HASHES + slot] = offset

    # Events.

    def _event(self, offset: int, key: int, ending: int) -> int:
        edge = self._edge_by_offset[offset]
        if ending:
            self._end_spans(edge)
            return edge.offset
        if edge.unwinds:
            edge = self._unwind(edge, key)
        source, target = self.nodes[edge.source] if edge.source >= 0 else None, self.nodes[edge.target]
        if self._watch is not None:
            if self._is_watched(edge.call):
                self._watch.entered(self.functions.names[edge.call])
            elif source is not None and self._leaves_main(source, target):
                self._watch.left_main()
        if source is not None and writes_stack_registers(source.block):
            self.stacks.switched()
        elif source is not None and idles(source, target):
            self.idle = edge
            self.engine.stop()
            return 0
        if self.spans.starts_at(edge.call):
            pushes = bool(self.words[edge.offset + layout.E_FLAGS] & layout.CALL)
            self.spans.begin(edge.call, edge.offset, pushes=pushes)
        return edge.offset

    def _end_spans(self, edge: Edge) -> None:
        """End the spans that end with the top frame: its own, and those of tail calls from it."""
        top = layout.FRAMES + (int(self.words[layout.H_FRAMES]) - 1) * layout.FRAME_WORDS
        for _ in range(int(self.words[top + layout.F_SPAN])):
            name = self.spans.end(edge.offset)
            if name is not None and self._watch is not None:
                self._watch.span_ended(name)

    def _unwind(self, edge: Edge, key: int) -> Edge:
        """Leave the frames that this jump abandons; the edge into the context that it really reaches."""
        context, popped = self.calls.unwound(key & 0xFFFFFFFF)
        for _ in range(popped):
            index = int(self.words[layout.H_FRAMES]) - 1
            self._end_spans(edge)
            self.words[layout.H_FRAMES] = index
        if popped == 0 or context == self.nodes[edge.target].context:
            return edge
        source = self.nodes[edge.source]
        target = self.add_node(self._block(key), context)
        return self.add_edge(source.offset, source, target, edge.exit, Arrival(context, layout.DYNAMIC, unwinds=True))

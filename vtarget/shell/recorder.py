"""The recorder: turns native block callbacks into nodes, edges, calls and sites.

The hot path is native (``native.py``); this class runs at first sight of a block or transition, and for the rare
transitions that need the host (spans, unwinding, idle loops).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vtarget.data.image import Image
from vtarget.data.insn import Dynamic, Flow, Insn, Kind
from vtarget.data.record import Frame, Stack
from vtarget.logic.calltree import CallTree, FunctionTable
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.shell import native
from vtarget.shell.engine import REGISTERS, SP, Engine, read_function, stop_function
from vtarget.shell.spans import SpanRecorder

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNLIMITED = 1 << 62
IDLE_KINDS = frozenset({Kind.NOP, Kind.BRANCH, Kind.WAIT, Kind.BARRIER})
_OBSERVE = {
    Dynamic.PREDICATED: native.OBSERVE_EXECUTED,
    Dynamic.DIVIDE: native.OBSERVE_DIVIDE,
    Dynamic.LONG_MULTIPLY: native.OBSERVE_LONG_MULTIPLY,
}


@dataclass
class Node:
    """A block in a context, with the offset of its native words."""

    offset: int
    block: Block
    context: int
    number: int


@dataclass(frozen=True)
class Edge:
    """A known transition."""

    offset: int
    source: int
    target: int
    exit: Exit
    call: int
    unwinds: bool


@dataclass(frozen=True)
class Arrival:
    """Where a transition leads, in terms of calls: the new context and what it does to the frames."""

    context: int
    flags: int = 0
    return_address: int = 0
    call: int = -1
    unwinds: bool = False


class MainWatch(Protocol):
    """Who wants to know when ``main`` is entered and left."""

    def entered(self) -> None:
        """``main`` is about to execute its first instruction."""

    def left(self) -> None:
        """``main`` has returned; r0 holds its result."""


class StackRecorder:
    """The lowest pointer of each stack: MSP, and PSP once the firmware switches to it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._name = "msp"
        self._top: dict[str, int] = {}
        self._lowest: dict[str, int] = {}

    def start(self, top: int) -> None:
        """Execution begins on the main stack at ``top``."""
        self._top["msp"] = top
        self._recorder.words[native.H_SP_LOW] = top

    def switched(self) -> None:
        """The firmware wrote MSP, PSP or CONTROL: take the stack in use from the core."""
        engine, words = self._recorder.engine, self._recorder.words
        self._save()
        self._name = "psp" if engine.on_process_stack else "msp"
        sp = engine.register(13)
        if self._name not in self._top or sp > self._top[self._name]:
            self._top[self._name] = self._lowest[self._name] = sp
        words[native.H_SP_LOW] = min(self._lowest[self._name], sp)

    def result(self) -> tuple[Stack, ...]:
        """All stacks used."""
        self._save()
        return tuple(Stack(name, top, self._lowest[name]) for name, top in self._top.items())

    def _save(self) -> None:
        self._lowest[self._name] = int(self._recorder.words[native.H_SP_LOW])


class Recorder:
    """Counts one run. ``guards`` names instructions of a new block before which the host wants to be called."""

    def __init__(
        self,
        engine: Engine,
        image: Image,
        pricer: Pricer,
        guards: Callable[[Block], dict[int, Callable[[int], None]]],
        span_names: tuple[str, ...] = (),
        watch: MainWatch | None = None,
    ) -> None:
        self.engine = engine
        self.image = image
        self.pricer = pricer
        self.functions = FunctionTable()
        self.tree = CallTree()
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.sites: list[tuple[int, int, int]] = []  # (node number, instruction, offset)
        self.words: NDArray[np.int64] = native.new_buffer()
        self.error: BaseException | None = None
        self.idle = False
        self.spans = SpanRecorder(self, span_names)
        self.stacks = StackRecorder(self)
        self._watch = watch
        self._guards = guards
        self._blocks: dict[int, Block] = {}
        self._node_at: dict[tuple[int, int], Node] = {}
        self._node_by_offset: dict[int, Node] = {}
        self._edge_at: dict[tuple[int, int], Edge] = {}
        self._edge_by_offset: dict[int, Edge] = {}
        self._armed: set[int] = set()
        self._guarded: set[int] = set()
        self._next_site = native.SITES + native.SITE_WORDS
        self._next_hook = native.HOOKS
        self._callbacks = (native.MISS_CALLBACK(self._on_miss), native.MISS_CALLBACK(self._on_event))
        self._set_up()

    def _set_up(self) -> None:
        words, base = self.words, int(self.words.ctypes.data)
        words[native.H_CYCLE_LIMIT] = words[native.H_INSTRUCTION_LIMIT] = UNLIMITED
        words[native.H_STOP_FUNCTION] = native.function_address(stop_function())
        words[native.H_READ_FUNCTION] = native.function_address(read_function())
        words[native.H_SP_ID] = SP
        words[native.H_SP_LOW] = UNLIMITED
        words[native.H_SCRATCH_ADDRESS] = base + 8 * native.H_SCRATCH
        words[native.H_BUFFER] = base
        words[native.H_RARE] = native.on_rare_block.address
        words[native.H_MISS] = native.function_address(self._callbacks[0])
        words[native.H_EVENT] = native.function_address(self._callbacks[1])
        words[native.H_CURRENT] = native.NODES
        self.engine.hook_native("block", native.on_block_address(), base)

    # What has been counted so far.

    @property
    def cycles(self) -> int:
        """Nominal cycles up to the start of the current block."""
        return int(self.words[native.H_CYCLES])

    @property
    def instructions(self) -> int:
        """Instructions counted up to the start of the current block."""
        return int(self.words[native.H_INSTRUCTIONS])

    @property
    def current(self) -> Node | None:
        """The node that is executing; None before the first block."""
        return self._node_by_offset.get(int(self.words[native.H_CURRENT]))

    @property
    def stopped_by_limit(self) -> bool:
        """Whether the emulator stopped at the start of the current block, before it executed, for a limit."""
        return bool(self.words[native.H_SKIP])

    @property
    def frames_full(self) -> bool:
        """Whether the call stack has outgrown the recorder."""
        return int(self.words[native.H_FRAMES]) >= native.FRAME_CAPACITY - 1

    def limit(self, *, cycles: int = UNLIMITED, instructions: int = UNLIMITED) -> None:
        """Stop at the first block that begins at or after these totals."""
        self.words[native.H_CYCLE_LIMIT] = cycles
        self.words[native.H_INSTRUCTION_LIMIT] = instructions
        self.words[native.H_FAST_LIMIT] = 0

    def edge_counts(self) -> NDArray[np.int64]:
        """How often each edge was taken, in order of first sight."""
        start = native.EDGES + native.EDGE_WORDS
        table = self.words[start : start + len(self.edges) * native.EDGE_WORDS]
        return table.reshape(-1, native.EDGE_WORDS)[:, native.E_COUNT].copy()

    def site_counts(self) -> NDArray[np.int64]:
        """Counts per site and operand class: (number of sites) x OPERAND_CLASSES."""
        counts = np.zeros((len(self.sites), native.OPERAND_CLASSES), dtype=np.int64)
        for row, (_, _, offset) in enumerate(self.sites):
            counts[row] = self.words[offset + native.S_COUNTS : offset + native.S_PRICES]
        return counts

    @property
    def lost_sites(self) -> int:
        """Observations that belonged to no known site; a self-check wants zero."""
        return int(self.words[native.H_LOST_SITES])

    def call_stack(self, pc: int) -> tuple[Frame, ...]:
        """Active functions, innermost first, with the pc or the address each will return to."""
        node = self.current
        if node is None:
            return (Frame("?", pc),)
        frames = [Frame(self.functions.names[self.tree.function(node.context)], pc)]
        for index in range(int(self.words[native.H_FRAMES]) - 1, -1, -1):
            top = native.FRAMES + index * native.FRAME_WORDS
            function = self.tree.function(int(self.words[top + native.F_CONTEXT]))
            frames.append(Frame(self.functions.names[function], int(self.words[top + native.F_RETURN])))
        return tuple(frames)

    # First sight, called from native code.

    def _on_miss(self, current: int, key: int, _unused: int) -> int:
        try:
            return self._first_sight(current, key)
        except BaseException as error:  # a ctypes callback can't raise: keep it for the machine
            return self._fail(error)

    def _on_event(self, offset: int, key: int, ending: int) -> int:
        try:
            return self._event(self._edge_by_offset[offset], key, bool(ending))
        except BaseException as error:  # as above
            return self._fail(error)

    def _fail(self, error: BaseException) -> int:
        self.error = error
        self.engine.stop()
        return 0

    def _first_sight(self, current: int, key: int) -> int:
        block = self._block(key)
        if not self._arm(block):
            self.engine.stop()
            return 0
        source = self._node_by_offset.get(current)
        leaving = _exit_of(source.block, block) if source else Exit.TAKEN
        arrival = self._arrive(source, block.address, leaving)
        target = self._node(block, arrival.context)
        return self._edge(current, source, target, leaving, arrival).offset

    def _block(self, key: int) -> Block:
        block = self._blocks.get(key)
        if block is None:
            address, size = key & 0xFFFFFFFF, key >> 32
            self._blocks[key] = block = Block(address, self.engine.read(address, size))
        return block

    def _arm(self, block: Block) -> bool:
        """Hook the block's dynamic and guarded instructions; False if its code must be translated again for that."""
        fresh = False
        for address, function in self._guards(block).items():
            if address not in self._guarded:
                self._guarded.add(address)
                self.engine.hook_instruction(address, function)
                fresh = True
        for address, insn in zip(block.addresses, block.insns, strict=True):
            if insn.dynamic is not None and address not in self._armed:
                self._armed.add(address)
                self._hook_site(address, insn)
                fresh = True
        if fresh:
            self.engine.forget_code(block.address, len(block.code))
        return not fresh

    def _hook_site(self, address: int, insn: Insn) -> None:
        hook = self._next_hook
        self._next_hook += native.HOOK_WORDS
        if self._next_hook > native.HASHES:
            raise MemoryError("more dynamic instructions than the recorder has room for")
        words = self.words
        assert insn.dynamic is not None
        words[hook + native.K_BUFFER] = words[native.H_BUFFER]
        words[hook + native.K_KIND] = _OBSERVE[insn.dynamic]
        if insn.dynamic is not Dynamic.PREDICATED:
            words[hook + native.K_RN], words[hook + native.K_RM] = (REGISTERS[r] for r in insn.operand_registers)
            words[hook + native.K_SIGNED] = int(insn.mnemonic.startswith("s"))
        self.engine.hook_native(
            "code", native.on_site.address, int(words[native.H_BUFFER]) + 8 * hook, begin=address, end=address
        )

    def _node(self, block: Block, context: int) -> Node:
        key = (_key(block), context)
        node = self._node_at.get(key)
        if node is not None:
            return node
        number = len(self.nodes)
        if number + 2 >= native.NODE_CAPACITY:
            raise MemoryError("more code and calling contexts than the recorder has room for")
        offset = native.NODES + (number + 1) * native.NODE_WORDS
        node = Node(offset, block, context, number)
        self.nodes.append(node)
        self._node_at[key] = node
        self._node_by_offset[offset] = node
        self.words[offset + native.N_KEY] = _key(block)
        self.words[offset + native.N_CONTEXT] = context
        self.words[offset + native.N_SP_LOW] = stack_reach(block)[0]
        self.words[offset + native.N_SITES] = self._add_sites(node)
        return node

    def _add_sites(self, node: Node) -> int:
        """Write the node's site words; their first offset, 0 if it has none. A zero address ends the list."""
        first = self._next_site
        for index, (address, insn) in enumerate(zip(node.block.addresses, node.block.insns, strict=True)):
            if insn.dynamic is not None:
                if self._next_site + 2 * native.SITE_WORDS > native.FRAMES:
                    raise MemoryError("more dynamic instructions than the recorder has room for")
                site = self._next_site
                self.words[site + native.S_ADDRESS] = address
                for operands in range(native.OPERAND_CLASSES):
                    price = self.pricer.site(node.block, index, operands).nominal
                    self.words[site + native.S_PRICES + operands] = price
                self.sites.append((node.number, index, site))
                self._next_site += native.SITE_WORDS
        if self._next_site == first:
            return 0
        self._next_site += native.SITE_WORDS
        return first

    def _edge(self, current: int, source: Node | None, target: Node, leaving: Exit, arrival: Arrival) -> Edge:
        known = self._edge_at.get((current, target.offset))
        if known is not None:
            self._insert_hash(known)
            return known
        offset = native.EDGES + (len(self.edges) + 1) * native.EDGE_WORDS
        if len(self.edges) + 2 >= native.EDGE_CAPACITY:
            raise MemoryError("more transitions than the recorder has room for")
        flags = arrival.flags
        if stack_reach(target.block)[0] < 0 or (source is not None and stack_reach(source.block)[1]):
            flags |= native.READ_SP
        if self._needs_host(source, target, arrival):
            flags |= native.EVENT
        words = self.words
        words[offset + native.E_TARGET] = target.offset
        words[offset + native.E_SOURCE] = current
        words[offset + native.E_RETURN] = arrival.return_address
        words[offset + native.E_KEY] = _key(target.block)
        cycles = 0
        if source is not None:
            cycles = self.pricer.edge(source.block, leaving, target.block).nominal
            words[offset + native.E_INSTRUCTIONS] = len(source.block.insns)
        words[offset + native.E_FAST] = native.SPECIAL if flags else cycles
        words[offset + native.E_FLAGS] = flags | cycles << native.CYCLES_SHIFT
        number = source.number if source else -1
        edge = Edge(offset, number, target.number, leaving, arrival.call, arrival.unwinds)
        self.edges.append(edge)
        self._edge_at[(current, target.offset)] = edge
        self._edge_by_offset[offset] = edge
        self._insert_hash(edge)
        return edge

    def _needs_host(self, source: Node | None, target: Node, arrival: Arrival) -> bool:
        """Whether each passage of the transition is an event."""
        if arrival.unwinds or self.spans.starts_at(arrival.call) or self._is_main(arrival.call):
            return True
        if source is None:
            return False
        idles = source is target and all(i.kind in IDLE_KINDS for i in target.block.insns)
        return idles or self._leaves_main(source, target) or writes_stack_registers(source.block)

    def _is_main(self, function: int) -> bool:
        return self._watch is not None and function >= 0 and self.functions.names[function] == "main"

    def _leaves_main(self, source: Node, target: Node) -> bool:
        chain = self.tree.context_chain
        inside = self._is_main(self.tree.function(source.context))
        return inside and source.block.insns[-1].flow is Flow.RETURN and chain[source.context] != chain[target.context]

    def _insert_hash(self, edge: Edge) -> None:
        words, offset = self.words, edge.offset
        flags = int(words[offset + native.E_FLAGS])
        context = self.nodes[edge.target].context if flags & native.RETURN else -1
        slot = native.hash_slot_of(
            int(words[offset + native.E_SOURCE]), int(words[offset + native.E_KEY]), context
        )
        while words[native.HASHES + slot] not in (0, offset):
            slot = (slot + 1) & (native.HASH_CAPACITY - 1)
        words[native.HASHES + slot] = offset

    # Calls and returns.

    def _function_at(self, address: int) -> int | None:
        """The function that covers ``address`` by symbol, or that was found to begin there."""
        symbol = self.image.function_at(address)
        if symbol is not None:
            return self.functions.add(symbol.name, symbol.address, symbol.size_bytes)
        return self.functions.at_entry(address)

    def _called(self, address: int) -> int:
        """The function that a call to ``address`` enters; named by its address if no symbol covers it."""
        known = self._function_at(address)
        return known if known is not None else self.functions.add(f"sub_{address:08x}", address, 0)

    def _arrive(self, source: Node | None, address: int, leaving: Exit) -> Arrival:
        if source is None:
            function = self._called(address)
            return Arrival(self.tree.root(function), call=function)
        if leaving is Exit.FALLTHROUGH:
            return self._jump(source.context, address, 0)
        flow = source.block.insns[-1].flow
        if flow in (Flow.CALL, Flow.CALL_INDIRECT):
            return self._call(source, address)
        if flow in (Flow.RETURN, Flow.INDIRECT):
            return self._indirect(source, address)
        return self._jump(source.context, address, 0)

    def _call(self, source: Node, address: int) -> Arrival:
        function = self._called(address)
        entered = self.functions.addresses[function] == address
        context = source.context
        if entered or self.tree.function(context) != function:
            context = self.tree.enter(context, function)
        return Arrival(context, native.CALL, _end(source.block), function if entered else -1)

    def _jump(self, context: int, address: int, flags: int) -> Arrival:
        """A jump that isn't a return: inside the function, or a tail call into another."""
        function = self._function_at(address)
        if function is None or function == self.tree.function(context):
            return Arrival(context, flags)
        entered = self.functions.addresses[function] == address
        return Arrival(self.tree.enter(context, function), flags, call=function if entered else -1)

    def _indirect(self, source: Node, address: int) -> Arrival:
        frame = self._frame(0)
        if frame is not None and frame[0] == address:
            return Arrival(frame[1], native.RETURN, address)
        function = self._function_at(address)
        if function is not None and function == self.tree.function(source.context):
            if source.block.insns[-1].flow is Flow.INDIRECT:
                return Arrival(source.context, native.DYNAMIC)
        elif function is not None and self.functions.addresses[function] == address:
            return self._jump(source.context, address, native.DYNAMIC)
        context, popped = self._unwound(address)
        if popped == 1 and frame is not None:
            return Arrival(context, native.RETURN, frame[0])
        if popped:
            return Arrival(context, native.DYNAMIC, unwinds=True)
        return self._jump(source.context, address, native.DYNAMIC)

    def _frame(self, depth: int) -> tuple[int, int, int] | None:
        """(return address, caller's context, SP at the call) of the frame ``depth`` below the top."""
        index = int(self.words[native.H_FRAMES]) - 1 - depth
        if index < 0:
            return None
        top = native.FRAMES + index * native.FRAME_WORDS
        words = self.words
        return int(words[top + native.F_RETURN]), int(words[top + native.F_CONTEXT]), int(words[top + native.F_SP])

    def _unwound(self, address: int) -> tuple[int, int]:
        """The context after leaving frames (longjmp, computed returns) to reach ``address``, and how many; (-1, 0) if none.

        A frame is left when the stack pointer is at or above where it was when the frame was called, or when a deeper
        frame returns exactly to ``address``.
        """
        sp = self.engine.register(13)
        function = self._function_at(address)
        depth = 0
        while (frame := self._frame(depth)) is not None:
            depth += 1
            if frame[0] == address:
                return frame[1], depth
            above = self._frame(depth)
            settled = above is None or above[2] > sp
            if frame[2] <= sp and settled and (function is None or self.tree.function(frame[1]) == function):
                return frame[1], depth
            if frame[2] > sp:
                break
        return -1, 0

    # Events.

    def _event(self, edge: Edge, key: int, ending: bool) -> int:
        if ending:
            self.spans.end(edge.offset)
            return edge.offset
        if edge.unwinds:
            edge = self._unwind(edge, key)
        source, target = self.nodes[edge.source] if edge.source >= 0 else None, self.nodes[edge.target]
        if self._watch is not None:
            if self._is_main(edge.call):
                self._watch.entered()
            elif source is not None and self._leaves_main(source, target):
                self._watch.left()
        if source is not None and writes_stack_registers(source.block):
            self.stacks.switched()
        elif source is target:
            self.idle = True
            self.engine.stop()
            return 0
        if self.spans.starts_at(edge.call):
            pushes = bool(self.words[edge.offset + native.E_FLAGS] & native.CALL)
            self.spans.begin(edge.call, edge.offset, pushes=pushes)
        return edge.offset

    def _unwind(self, edge: Edge, key: int) -> Edge:
        """Leave the frames that this jump abandons; the edge into the context that it really reaches."""
        context, popped = self._unwound(key & 0xFFFFFFFF)
        for _ in range(popped):
            index = int(self.words[native.H_FRAMES]) - 1
            if self.words[native.FRAMES + index * native.FRAME_WORDS + native.F_SPAN]:
                self.spans.end(edge.offset)
            self.words[native.H_FRAMES] = index
        if popped == 0 or context == self.nodes[edge.target].context:
            return edge
        source = self.nodes[edge.source]
        target = self._node(self._block(key), context)
        return self._edge(source.offset, source, target, edge.exit, Arrival(context, native.DYNAMIC, unwinds=True))


def _exit_of(source: Block, target: Block) -> Exit:
    """Whether ``target`` was reached by falling through or by a taken branch."""
    last = source.insns[-1]
    falls = target.address == _end(source) and (
        last.predicated or last.flow in (Flow.NONE, Flow.CONDITIONAL, Flow.TRAP)
    )
    return Exit.FALLTHROUGH if falls else Exit.TAKEN


def _end(block: Block) -> int:
    return block.address + block.size


def _key(block: Block) -> int:
    """A block as one word: its address, with its size in the upper half."""
    return block.address | block.size << 32


@cache
def stack_reach(block: Block) -> tuple[int, bool]:
    """(lowest SP the block reaches relative to its start, whether it also sets SP in a way not statically known)."""
    lowest = offset = 0
    for insn in block.insns:
        lowest = min(lowest, offset + insn.sp_low)
        if insn.sp_delta is None:
            return lowest, True
        offset += insn.sp_delta
    return lowest, False


@cache
def writes_stack_registers(block: Block) -> bool:
    """Whether the block writes MSP, PSP or CONTROL."""
    return any(i.mnemonic == "msr" and any(name in i.text for name in ("msp", "psp", "control")) for i in block.insns)

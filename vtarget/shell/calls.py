"""Following calls: what a transition between blocks means for the call stack and the calling context.

Calls push a frame, returns pop one; a jump to another function is a tail call; a jump out of active frames (longjmp,
computed returns) unwinds them by the stack pointer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtarget.data.image import Image
from vtarget.data.insn import Flow
from vtarget.data.record import Frame
from vtarget.logic.calltree import CallTree, FunctionTable
from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.shell import layout
from vtarget.shell.engine import Engine

CASE_TABLE_BYTES = 1024

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass
class Node:
    """A block in a context, with the offset of its native words."""

    offset: int
    block: Block
    context: int
    number: int


@dataclass(frozen=True)
class Arrival:
    """Where a transition leads, in terms of calls: the new context and what it does to the frames."""

    context: int
    flags: int = 0
    return_address: int = 0
    call: int = -1
    unwinds: bool = False


class CallFollower:
    """Knows the functions and contexts met so far, and reads the native frames."""

    def __init__(self, engine: Engine, image: Image, words: NDArray[np.int64]) -> None:
        self.functions = FunctionTable()
        self.tree = CallTree()
        self._engine = engine
        self._image = image
        self._words = words

    def call_stack(self, node: Node | None, pc: int) -> tuple[Frame, ...]:
        """Active functions, innermost first, with the pc or the address each will return to."""
        if node is None:
            return (Frame("?", pc),)
        frames = [Frame(self.functions.names[self.tree.function(node.context)], pc)]
        for index in range(int(self._words[layout.H_FRAMES]) - 1, -1, -1):
            top = layout.FRAMES + index * layout.FRAME_WORDS
            function = self.tree.function(int(self._words[top + layout.F_CONTEXT]))
            frames.append(Frame(self.functions.names[function], int(self._words[top + layout.F_RETURN])))
        return tuple(frames)

    def function_at(self, address: int) -> int | None:
        """The function that covers ``address`` by symbol, or that was found to begin there."""
        symbol = self._image.function_at(address)
        if symbol is not None:
            return self.functions.add(symbol.name, symbol.address, symbol.size_bytes)
        return self.functions.at_entry(address)

    def _called(self, address: int) -> int:
        """The function that a call to ``address`` enters; named by its address if no symbol covers it."""
        known = self.function_at(address)
        return known if known is not None else self.functions.add(f"sub_{address:08x}", address, 0)

    def arrive(self, source: Node | None, address: int, leaving: Exit) -> Arrival:
        """What it means to get to ``address`` from ``source`` (None: the run begins there)."""
        if source is None:
            function = self._called(address)
            return Arrival(self.tree.root(function), call=function)
        if leaving is Exit.FALLTHROUGH or not source.block.insns:
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
        return Arrival(context, layout.CALL, block_end(source.block), function if entered else -1)

    def _jump(self, context: int, address: int, flags: int) -> Arrival:
        """A jump that isn't a return: inside the function, or a tail call into another."""
        function = self.function_at(address)
        if function is None or function == self.tree.function(context):
            return Arrival(context, flags)
        entered = self.functions.addresses[function] == address
        return Arrival(self.tree.enter(context, function), flags, call=function if entered else -1)

    def _indirect(self, source: Node, address: int) -> Arrival:
        frame = self.frame(0)
        if frame is not None and frame[0] == address:
            return Arrival(frame[1], layout.RETURN, address)
        function = self.function_at(address)
        if function is not None and function == self.tree.function(source.context):
            if source.block.insns[-1].flow is Flow.INDIRECT:
                return Arrival(source.context, layout.DYNAMIC)
        elif function is not None and self.functions.addresses[function] == address:
            return self._jump(source.context, address, layout.DYNAMIC)
        context, popped = self.unwound(address)
        if popped == 1 and frame is not None:
            return Arrival(context, layout.RETURN, frame[0])
        if popped:
            return Arrival(context, layout.DYNAMIC, unwinds=True)
        return self._jump(source.context, address, layout.DYNAMIC)

    def frame(self, depth: int) -> tuple[int, int, int] | None:
        """(return address, caller's context, SP at the call) of the frame ``depth`` below the top."""
        index = int(self._words[layout.H_FRAMES]) - 1 - depth
        if index < 0:
            return None
        top = layout.FRAMES + index * layout.FRAME_WORDS
        words = self._words
        return int(words[top + layout.F_RETURN]), int(words[top + layout.F_CONTEXT]), int(words[top + layout.F_SP])

    def unwound(self, address: int) -> tuple[int, int]:
        """The context after leaving frames (longjmp, computed returns) to reach ``address``, and how many; or (-1, 0).

        A frame is left when the stack pointer is at or above where it was when the frame was called and its caller is
        the function jumped to, or when a deeper frame returns exactly to ``address``.
        """
        sp = self._engine.register(13)
        function = self.function_at(address)
        depth = 0
        while (frame := self.frame(depth)) is not None:
            depth += 1
            if frame[0] == address:
                return frame[1], depth
            above = self.frame(depth)
            settled = above is None or above[2] > sp
            if frame[2] <= sp and settled and self._may_reach(frame, function, address, depth, sp):
                return frame[1], depth
            if frame[2] > sp:
                break
        return -1, 0

    def _may_reach(self, frame: tuple[int, int, int], function: int | None, address: int, depth: int, sp: int) -> bool:
        """Whether the caller of ``frame`` can be what is jumped to.

        Without a symbol to tell, a jump at the innermost frame's own stack pointer is a tail call, unless it lands
        shortly behind the return address, as the case helpers of Armv6-M compilers do.
        """
        if function is not None:
            return self.tree.function(frame[1]) == function
        return depth > 1 or frame[2] < sp or 0 < address - frame[0] <= CASE_TABLE_BYTES


def exit_of(source: Block, target: Block) -> Exit:
    """Whether ``target`` was reached by falling through or by a taken branch."""
    if not source.insns:
        return Exit.FALLTHROUGH
    last = source.insns[-1]
    falls = target.address == block_end(source) and (
        last.predicated or last.flow in (Flow.NONE, Flow.CONDITIONAL, Flow.TRAP)
    )
    return Exit.FALLTHROUGH if falls else Exit.TAKEN


def block_end(block: Block) -> int:
    """One past the block's last byte."""
    return block.address + block.size


def block_key(block: Block) -> int:
    """A block as one word: its address, with its size in the upper half."""
    return block.address | block.size << 32

"""What exceptions and context switches mean for the recorder: where execution leaves off and where it goes on.

A handler begins in a context of its own, from no node. What it interrupts is kept (node, frames, stack) by its
stacked frame and taken up again when that frame is popped, whoever pops it. So handlers, threads of an RTOS and what
they interrupt are counted apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vtarget.logic.cost import Exit
from vtarget.logic.decode import Block
from vtarget.shell import layout
from vtarget.shell.calls import Arrival, Node
from vtarget.shell.recorder import Edge, Recorder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Suspended:
    """An interrupted context. ``current`` is the node that is counted, if ``skip`` (as H_SKIP); otherwise the
    context goes on at ``pc`` behind the node that it left (``context`` < 0: it hadn't begun)."""

    current: int
    skip: int
    context: int
    pc: int
    frames: NDArray[np.int64]
    stack: str


class Interruption:
    """Suspends, enters and resumes contexts of one recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._words = recorder.words
        self._leaves: dict[tuple[int, Exit, int], Edge] = {}

    def suspend(self, pc: int, executed: int = -1) -> Suspended:
        """Interrupt what runs at ``pc``, after ``executed`` instructions of the current block (-1: all)."""
        words, recorder = self._words, self._recorder
        current, skip, context = int(words[layout.H_CURRENT]), int(words[layout.H_SKIP]), -1
        count = int(words[layout.H_FRAMES])
        frames = words[layout.FRAMES : layout.FRAMES + count * layout.FRAME_WORDS].copy()
        if skip:
            words[layout.H_CURRENT], words[layout.H_SKIP] = layout.NODES, 0
        elif (node := recorder.current) is not None:
            context = node.context
            self.leave(Exit.END, executed)
        words[layout.H_FRAMES] = 0
        return Suspended(current, skip, context, pc, frames, recorder.stacks.name)

    def known_edges(self, node: Node, resumed: Node | None) -> tuple[Edge | None, Edge | None]:
        """Those by which ``node`` is left whole when interrupted, and by which its context is resumed, if known."""
        back = None if resumed is None else self._recorder.known_edge(layout.NODES, resumed.offset)
        return self._leaves.get((node.offset, Exit.END, -1)), back

    def leave(self, leaving: Exit, executed: int = -1) -> None:
        """The current block is left for nothing that follows; execution is nowhere until it enters or resumes."""
        words, node = self._words, self._recorder.current
        if node is not None:
            edge = self._leaves.get((node.offset, leaving, executed))
            if edge is None:
                edge = self._recorder.leaving_edge(node, leaving, executed)
                self._leaves[(node.offset, leaving, executed)] = edge
            self._take(edge)
        words[layout.H_CURRENT] = layout.NODES
        words[layout.H_FRAMES] = words[layout.H_SKIP] = 0

    def enter(self, source: int, stack: str) -> None:
        """A handler (or, from ``layout.START``, a thread) begins with the next block, on that stack."""
        self._words[layout.H_CURRENT] = layout.NODES + source * layout.NODE_WORDS
        self._words[layout.H_FRAMES] = self._words[layout.H_SKIP] = 0
        self._recorder.stacks.use(stack)

    def resume(self, suspended: Suspended, pc: int) -> None:
        """Take up a context at ``pc``: where it was interrupted, or wherever its handler sent it."""
        words = self._words
        if suspended.skip and suspended.pc == pc:
            words[layout.H_CURRENT], words[layout.H_SKIP] = suspended.current, suspended.skip
        elif suspended.skip:
            node = self._recorder.node_at(suspended.current)
            self._recorder.unfinished.append(node.number)
            self._go_on(pc, node.context)
        elif suspended.context >= 0:
            self._go_on(pc, suspended.context)
        else:
            words[layout.H_CURRENT], words[layout.H_SKIP] = suspended.current, 0
        words[layout.FRAMES : layout.FRAMES + len(suspended.frames)] = suspended.frames
        words[layout.H_FRAMES] = len(suspended.frames) // layout.FRAME_WORDS
        self._recorder.stacks.use(suspended.stack)

    def forget(self, suspended: Suspended) -> None:
        """A context that will never go on."""
        if suspended.skip:
            self._recorder.unfinished.append(self._recorder.node_at(suspended.current).number)

    def _go_on(self, pc: int, context: int) -> None:
        node: Node = self._recorder.add_node(Block(pc, b""), context)
        self._take(self._recorder.add_edge(layout.NODES, None, node, Exit.TAKEN, Arrival(context)))
        self._words[layout.H_CURRENT], self._words[layout.H_SKIP] = node.offset, 0

    def _take(self, edge: Edge) -> None:
        words, offset = self._words, edge.offset
        words[offset + layout.E_COUNT] += 1
        words[layout.H_CYCLES] += words[offset + layout.E_FLAGS] >> layout.CYCLES_SHIFT
        words[layout.H_INSTRUCTIONS] += words[offset + layout.E_INSTRUCTIONS]
        words[layout.H_FAST_LIMIT] = 0

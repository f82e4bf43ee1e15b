"""Plans a model's arena: what is live when, what may share memory, and where everything goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vtarget.data.emission import Layer
from vtarget.data.graph import NO_TENSOR, Graph, Operator
from vtarget.data.plan import Allocation, Plan

ALIGNMENT_BYTES = 16


@dataclass
class _Block:
    """Memory to be placed: see Allocation."""

    size_bytes: int
    first: int
    last: int
    tensors: list[int] = field(default_factory=list)

    def meets(self, other: _Block) -> bool:
        """Whether both are live at some operator."""
        return self.first <= other.last and other.first <= self.last


_Order = Callable[[_Block], tuple[int, ...]]
# Placing the largest first is best nearly always; for some graphs another order saves a gap.
_ORDERS: tuple[_Order, ...] = (
    lambda block: (-block.size_bytes, block.first, -block.last),
    lambda block: (-block.size_bytes, -block.last, block.first),
    lambda block: (-block.size_bytes * (block.last - block.first + 1), block.first),
    lambda block: (block.first, -block.size_bytes),
)


def plan_memory(graph: Graph, layers: Sequence[Layer], *, alignment_bytes: int = ALIGNMENT_BYTES) -> Plan:
    """The arena of ``graph``, of which ``layers`` (found by their ``operator``) tell scratch and what works in place.

    The model's inputs are live from the start, outputs to the end, variables always, all else from the operator that
    writes it to the last that reads it, scratch during its operator. The only output of an operator takes the place of
    an input of ``Layer.in_place`` that nothing needs afterwards and that is no smaller. Blocks are placed greedily into
    the tightest gap, in several orders, with and without sharing; the smallest arena wins.
    """
    scratch = [
        _Block(layer.scratch_bytes, layer.operator, layer.operator) for layer in layers if layer.scratch_bytes > 0
    ]
    lifetimes = _lifetimes(graph)
    shared = _shared(graph, layers, lifetimes)
    plans = [
        _placed([*_blocks(graph, lifetimes, sharing), *scratch], order, alignment_bytes, sharing)
        for sharing in ([shared, {}] if shared else [{}])
        for order in _ORDERS
    ]
    return min(plans, key=lambda plan: plan.arena_bytes)


def _lifetimes(graph: Graph) -> dict[int, tuple[int, int]]:
    """Tensor of the arena -> (first, last) operator."""
    end = max(len(graph.operators) - 1, 0)
    live: dict[int, tuple[int, int]] = dict.fromkeys(graph.inputs, (0, 0))
    for place, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.outputs):
            if index == NO_TENSOR or graph.tensors[index].constant:
                continue
            live[index] = (0, end) if graph.tensors[index].variable else (live.get(index, (place, 0))[0], place)
    for index in graph.outputs:
        if index in live:
            live[index] = (live[index][0], end)
    return live


def _shared(graph: Graph, layers: Sequence[Layer], lifetimes: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """Output -> input whose memory it takes."""
    by_operator = {layer.operator: layer for layer in layers}
    shared: dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        layer = by_operator.get(place)
        if layer is None or len(operator.outputs) != 1:
            continue
        output = operator.outputs[0]
        for index in layer.in_place:
            if _may_share(graph, operator, index, output, lifetimes, place):
                shared[output] = index
                break
    return shared


def _may_share(
    graph: Graph, operator: Operator, index: int, output: int, lifetimes: Mapping[int, tuple[int, int]], place: int
) -> bool:
    if index not in operator.inputs or index not in lifetimes or index == output or graph.tensors[output].variable:
        return False
    dies = lifetimes[index][1] == place and index not in graph.outputs and not graph.tensors[index].variable
    return dies and graph.tensors[output].size_bytes <= graph.tensors[index].size_bytes


def _blocks(graph: Graph, lifetimes: Mapping[int, tuple[int, int]], shared: Mapping[int, int]) -> Iterator[_Block]:
    """Tensors as blocks, those that share memory as one."""
    blocks: dict[int, _Block] = {}
    for index in sorted(lifetimes, key=lambda tensor: lifetimes[tensor]):
        first, last = lifetimes[index]
        if index in shared:
            block = blocks[shared[index]]
            block.last = last
            block.tensors.append(index)
        else:
            block = _Block(graph.tensors[index].size_bytes, first, last, [index])
            yield block
        blocks[index] = block


def _placed(blocks: Sequence[_Block], order: _Order, alignment_bytes: int, shared: Mapping[int, int]) -> Plan:
    done: list[tuple[_Block, int]] = []
    for block in sorted(blocks, key=order):
        taken = [(offset, offset + other.size_bytes) for other, offset in done if block.meets(other)]
        done.append((block, _tightest_gap(sorted(taken), block.size_bytes, alignment_bytes)))
    allocations = [
        Allocation(offset, block.size_bytes, block.first, block.last, tuple(block.tensors)) for block, offset in done
    ]
    allocations.sort(key=lambda a: (a.offset_bytes, a.first))
    return Plan(
        arena_bytes=max((a.end_bytes for a in allocations), default=0),
        alignment_bytes=alignment_bytes,
        lower_bound_bytes=_most_live(blocks),
        allocations=tuple(allocations),
        offsets_bytes={tensor: a.offset_bytes for a in allocations for tensor in a.tensors},
        scratch_offsets_bytes={a.first: a.offset_bytes for a in allocations if a.scratch},
        in_place=dict(shared),
    )


def _tightest_gap(taken: Iterable[tuple[int, int]], size_bytes: int, alignment_bytes: int) -> int:
    """The aligned offset in the smallest gap between ``taken`` (start, end), ascending, that has room, else behind."""
    best: tuple[int, int] | None = None
    free = 0
    for start, end in taken:
        if start - free >= size_bytes and (best is None or start - free < best[0]):
            best = (start - free, free)
        free = max(free, -(-end // alignment_bytes) * alignment_bytes)
    return free if best is None else best[1]


def _most_live(blocks: Sequence[_Block]) -> int:
    """The most bytes live at one operator."""
    starts = {block.first for block in blocks}
    return max((sum(b.size_bytes for b in blocks if b.first <= at <= b.last) for at in starts), default=0)

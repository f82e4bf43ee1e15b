"""The call tree of a record, priced: what each function cost, told apart by who called it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vtarget.data.profile import Context
from vtarget.data.record import ExecutionRecord
from vtarget.logic.costs import Part, node_instructions

_Key = tuple[int, int]  # chain, function: a context of the record


def call_tree(record: ExecutionRecord, parts: Sequence[Part]) -> tuple[Context, ...]:
    """The contexts that ran, and those above them. Callers come before callees, and own cycles add up to the total."""
    nodes = record.node_context
    cycles, instructions, calls = (np.zeros(len(record.context_chain), dtype=np.int64) for _ in range(3))
    for part in parts:
        np.add.at(cycles, nodes, part.cycles[:, 1])
        np.add.at(instructions, nodes, node_instructions(part))
    calling = (record.edge_call >= 0) & (record.edge_target >= 0)
    np.add.at(calls, nodes[record.edge_target[calling]], record.edge_count[calling])
    return _rows(record, calls, instructions, cycles)


def _rows(
    record: ExecutionRecord, calls: NDArray[np.int64], instructions: NDArray[np.int64], cycles: NDArray[np.int64]
) -> tuple[Context, ...]:
    contexts = zip(record.context_chain.tolist(), record.context_function.tolist(), strict=True)
    own = {
        key: counts
        for key, *counts in zip(contexts, calls.tolist(), instructions.tolist(), cycles.tolist(), strict=True)
        if any(counts)
    }
    rows: list[Context] = []
    positions: dict[_Key, int] = {}
    for key in own:
        for above in _path(record, key):
            if above in positions:
                continue
            parent = _parent(record, above)
            function = record.functions[above[1]]
            positions[above] = len(rows)
            row = None if parent is None else positions[parent]
            rows.append(Context(row, function.name, function.address, *own.get(above, (0, 0, 0))))
    return tuple(rows)


def _path(record: ExecutionRecord, key: _Key) -> Iterable[_Key]:
    """The context and those above it, outermost first."""

    def upwards() -> Iterator[_Key]:
        at: _Key | None = key
        while at is not None:
            yield at
            at = _parent(record, at)

    return reversed(list(upwards()))


def _parent(record: ExecutionRecord, key: _Key) -> _Key | None:
    """Where an active function runs again, the newest of the chain has called it, directly or not."""
    chain, function = key
    newest = int(record.chain_function[chain])
    if function != newest:
        return chain, newest
    above = int(record.chain_parent[chain])
    return None if above < 0 else (above, int(record.chain_function[above]))

"""A priced record by instruction: for formats that lead from costs to source lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from vtarget.base.errors import RunError
from vtarget.data.linecosts import LineCosts
from vtarget.data.record import ExecutionRecord, SiteKind
from vtarget.logic.attribution import HEAD, Attribution
from vtarget.logic.costs import Part, price_parts, relocated_blocks
from vtarget.logic.decode import Block
from vtarget.logic.pricing import Pricer
from vtarget.logic.waterfall import edge_charges, final_charges

_Key = tuple[int, int]  # function, address


def line_costs(record: ExecutionRecord, pricer: Pricer, source_line: Callable[[int], str | None]) -> LineCosts:
    """Nominal cycles, uncalibrated, of every instruction that ran; RunError if they don't add up to the record's."""
    parts, blocks = price_parts(record, pricer, None), relocated_blocks(record, pricer.board)
    cycles: Counter[_Key] = Counter()
    executed: Counter[_Key] = Counter()
    calls: Counter[tuple[int, int, int]] = Counter()
    places = _Places(record, blocks)
    for part in parts:
        _charge(part, blocks, places, cycles)
        _execute(part, places, executed, calls)
    if sum(cycles.values()) != sum(int(part.cycles[:, 1].sum()) for part in parts):
        raise RunError("self-check: the cycles of the instructions do not add up to those of the run")
    own = {key: (cycles[key], executed[key]) for key in sorted(cycles.keys() | executed.keys())}
    lines = {address: line for _, address in own if (line := source_line(address)) is not None}
    return LineCosts(own, dict(sorted(calls.items())), lines)


class _Places:
    """The function and the addresses of every node."""

    def __init__(self, record: ExecutionRecord, blocks: Sequence[Block]) -> None:
        functions = [record.functions[at].address for at in record.context_function[record.node_context].tolist()]
        self._nodes = list(zip(functions, record.node_block.tolist(), strict=True))
        # Addresses are those of the image that ran, also where another placement is priced.
        self._addresses = [
            [start + at - block.addresses[0] for at in block.addresses] if block.addresses else [start]
            for start, block in zip(record.block_address.tolist(), blocks, strict=True)
        ]

    def at(self, node: int, index: int) -> _Key:
        """Of an instruction of a node; what belongs to none counts as its first."""
        function, block = self._nodes[node]
        addresses = self._addresses[block]
        return function, addresses[0 if index == HEAD else min(index, len(addresses) - 1)]

    def length(self, node: int) -> int:
        """How many instructions the node's block has at most."""
        return len(self._addresses[self._nodes[node][1]])


def _charge(part: Part, blocks: Sequence[Block], places: _Places, cycles: Counter[_Key]) -> None:
    record, attribution = part.record, Attribution(part.pricer.model, remarks=False)
    owners = np.where(record.edge_source >= 0, record.edge_source, record.edge_target).tolist()
    charged = edge_charges(part, blocks, attribution)
    for owner, times, charges in zip(owners, record.edge_count.tolist(), charged, strict=True):
        for charge in charges if times else ():
            cycles[places.at(owner, charge.index)] += charge.cycles * times
    for charge in final_charges(part, blocks, attribution):
        cycles[places.at(record.final_node, charge.index)] += charge.cycles
    of_sites = (part.sites[:, :, 1] * record.site_counts).sum(axis=1).tolist()
    for node, index, kind, sum_ in zip(record.site_node.tolist(), record.site_insn.tolist(),
                                       record.site_kind.tolist(), of_sites, strict=True):  # fmt: skip
        cycles[places.at(node, HEAD if kind == SiteKind.FETCH and index < 0 else index)] += sum_


def _execute(part: Part, places: _Places, executed: Counter[_Key], calls: Counter[tuple[int, int, int]]) -> None:
    record = part.record
    rows = zip(record.edge_source.tolist(), record.edge_executed.tolist(), record.edge_call.tolist(),
               record.edge_count.tolist(), strict=True)  # fmt: skip
    runs: Counter[tuple[int, int]] = Counter()
    for source, count, callee, times in rows:
        if source < 0 or not times:
            continue
        length = part.lengths[source] if count < 0 else count
        runs[source, int(length)] += times
        if callee >= 0 and length:
            function, address = places.at(source, int(length) - 1)
            calls[function, record.functions[callee].address, address] += times
    if record.final_node >= 0:
        runs[record.final_node, record.final_instructions] += 1
    for (node, length), times in runs.items():
        for index in range(min(length, places.length(node))):
            executed[places.at(node, index)] += times

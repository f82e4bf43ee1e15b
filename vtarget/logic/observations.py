"""What a measurement and the record of the same firmware say together: kernels by term, with what they really took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtarget.base.errors import InputError
from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Bound
from vtarget.data.record import ExecutionRecord
from vtarget.logic.calibration import Observation
from vtarget.logic.cost import EXITS, Exit
from vtarget.logic.costs import price_parts, relocated_blocks
from vtarget.logic.pricing import Pricer
from vtarget.logic.terms import inclusive, split_terms

_ENTRIES = [EXITS.index(leaving) for leaving in (Exit.ENTRY, Exit.ENTRY_FP, Exit.TAIL_CHAIN)]
MOST_SHOWN = 3  # names in a note


@dataclass(frozen=True)
class Observed:
    """Observations of one measurement; ``nominal`` cycles by Term and ``bounds`` of the whole run; remarks."""

    observations: tuple[Observation, ...]
    nominal: NDArray[np.float64]
    bounds: Bound
    notes: tuple[str, ...]


def observe(record: ExecutionRecord, pricer: Pricer, measurement: Measurement) -> Observed:
    """The measured kernels that the record has. InputError if the two aren't of the same firmware, board or clock."""
    _check_same(record, pricer, measurement)
    parts = price_parts(record, pricer, None)
    splits = split_terms(parts, relocated_blocks(record, pricer.board))
    by_function = inclusive(record, splits)
    calls = _calls(record)
    kin = _together(record)
    found: list[Observation] = []
    absent: list[str] = []
    other_calls: list[str] = []
    unfinished: list[str] = []
    last = -1 if record.final_node < 0 else record.context_function[record.node_context[record.final_node]]
    for timed in measurement.kernels:
        number = _function(record, timed)
        if number is None or not by_function[number].any():
            absent.append(timed.name)
        elif number == last:
            unfinished.append(timed.name)
        elif timed.calls != calls[number] or timed.total_cycles == 0:
            other_calls.append(timed.name)
        else:
            found.append(
                Observation(
                    firmware=measurement.firmware_sha256,
                    kernel=timed.name,
                    calls=timed.calls,
                    terms=by_function[number],
                    measured=float(timed.total_cycles),
                    spread=float(timed.spread),
                    kin=frozenset(record.functions[other].name for other in kin.get(number, ())),
                )
            )
    nodes = sum((split.nodes for split in splits), np.zeros_like(splits[0].nodes))
    notes = [
        *_note(absent, "the virtual run doesn't have"),
        *_note(other_calls, "the virtual run calls another number of times"),
        *_note(unfinished, "the run ended in"),
        *_disturbed(record),
    ]
    bounds = Bound(
        sum(part.total.low for part in parts),
        sum(part.total.nominal for part in parts),
        sum(part.total.high for part in parts),
    )
    return Observed(tuple(found), nodes.sum(axis=0).astype(float), bounds, tuple(notes))


def _check_same(record: ExecutionRecord, pricer: Pricer, measurement: Measurement) -> None:
    if measurement.board != pricer.board.name:
        raise InputError(f"the measurement is of board {measurement.board}, not of {pricer.board.name}")
    if record.image_sha256 != measurement.firmware_sha256:
        raise InputError(
            f"the measurement is of another image than {record.image_path}",
            hint=f"it names {measurement.firmware_path}, sha256 {measurement.firmware_sha256[:12]}…",
        )
    if record.board != measurement.board:
        raise InputError(f"the record of {record.image_path} was made on {record.board}, not on {measurement.board}")


def _function(record: ExecutionRecord, timed: Timed) -> int | None:
    named = [n for n, function in enumerate(record.functions) if function.name == timed.name]
    if timed.address is None:
        return named[0] if len(named) == 1 else None
    at = [n for n in named if record.functions[n].address & ~1 == timed.address & ~1]
    return at[0] if at else None


def _calls(record: ExecutionRecord) -> NDArray[np.int64]:
    """Calls of each function."""
    calls = np.zeros(len(record.functions), dtype=np.int64)
    calling = record.edge_call >= 0
    np.add.at(calls, record.edge_call[calling], record.edge_count[calling])
    return calls


def _together(record: ExecutionRecord) -> dict[int, set[int]]:
    """For each function, those that were active along with it."""
    chains: list[tuple[int, ...]] = []
    found: dict[int, set[int]] = {}
    for parent, function in zip(record.chain_parent.tolist(), record.chain_function.tolist(), strict=True):
        above = chains[parent] if parent >= 0 else ()
        chains.append((*above, function))
        found.setdefault(function, set()).update(above)
        for other in above:
            found[other].add(function)
    return found


def _disturbed(record: ExecutionRecord) -> list[str]:
    """Where measured cycles may hold what isn't the kernel's."""
    if np.isin(record.edge_exit, _ENTRIES).any():
        return ["interrupts came in the run: a kernel that they came in was measured with them, estimated without"]
    return []


def _note(names: Sequence[str], what: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return [f"not used: {', '.join(names[:MOST_SHOWN])}{more}, which {what}"]

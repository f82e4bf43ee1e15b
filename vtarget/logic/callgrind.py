"""Callgrind's profile format, which KCachegrind and callgrind_annotate open (Valgrind's manual, "Callgrind Format
Specification"): costs by function and source line, and calls with what they cost altogether."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from vtarget.base.errors import printable
from vtarget.data.linecosts import LineCosts
from vtarget.data.savedresult import SavedResult
from vtarget.logic.charts import inclusive_cycles

UNKNOWN = "???"
_Pair = tuple[int, int]  # cycles, instructions


def callgrind(result: SavedResult, costs: LineCosts | None) -> str:
    """One result; without ``costs`` every function is one line 0 of an unknown file."""
    own = _own(result, costs)
    calls = _calls(result, costs)
    names = _names(result)
    cycles, instructions = (sum(pair[i] for by_line in own.values() for pair in by_line.values()) for i in (0, 1))
    lines = [
        "# callgrind format",
        "version: 1",
        f"creator: vtarget {result.vtarget_version}",
        f"cmd: {printable(result.title)}",
        "positions: line",
        "events: Cycles Instructions",
        f"summary: {cycles} {instructions}",
        "",
        f"ob={printable(result.firmware.path)}",
    ]
    for function in sorted(own.keys() | {caller for caller, _ in calls}):
        lines += _function(function, own.get(function, {}), calls, names, own)
    lines += [f"totals: {cycles} {instructions}", ""]
    return "\n".join(lines)


def _function(
    function: int,
    own: Mapping[str, _Pair],
    calls: Mapping[tuple[int, int], Mapping[str, tuple[int, _Pair]]],
    names: Mapping[int, str],
    all_own: Mapping[int, Mapping[str, _Pair]],
) -> Iterator[str]:
    home = _home(own)
    yield f"fl={home}"
    yield f"fn={names[function]}"
    at = home
    for place, (cycles, instructions) in sorted(own.items(), key=lambda item: _split(item[0])):
        file, line = _split(place)
        if file != at:
            yield f"{'fe' if file == home else 'fi'}={file}"
            at = file
        yield f"{line} {cycles} {instructions}"
    for (caller, callee), sites in calls.items():
        if caller != function:
            continue
        their = _home(all_own.get(callee, {}))
        first = min((line for file, line in map(_split, all_own.get(callee, {})) if file == their), default=0)
        for place, (times, (cycles, instructions)) in sorted(sites.items(), key=lambda item: _split(item[0])):
            file, line = _split(place)
            if file != at:
                yield f"{'fe' if file == home else 'fi'}={file}"
                at = file
            yield f"cfi={their}"
            yield f"cfn={names[callee]}"
            yield f"calls={times} {first}"
            yield f"{line} {cycles} {instructions}"
    yield ""


def _own(result: SavedResult, costs: LineCosts | None) -> dict[int, dict[str, _Pair]]:
    """Own costs by function and ``file:line``."""
    found: defaultdict[int, dict[str, _Pair]] = defaultdict(dict)
    if costs is None:
        for row in result.contexts:
            _add(found[row.address], f"{UNKNOWN}:0", (row.cycles, row.instructions))
    else:
        for (function, address), pair in costs.own.items():
            _add(found[function], costs.lines.get(address, f"{UNKNOWN}:0"), pair)
    return dict(found)


def _calls(result: SavedResult, costs: LineCosts | None) -> dict[tuple[int, int], dict[str, tuple[int, _Pair]]]:
    """(calls, costs with callees) by caller and callee, and by ``file:line`` of the call."""
    sites: defaultdict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    if costs is not None:
        for (caller, callee, address), times in costs.calls.items():
            place = costs.lines.get(address, f"{UNKNOWN}:0")
            sites[caller, callee][place] = sites[caller, callee].get(place, 0) + times
    found: dict[tuple[int, int], dict[str, tuple[int, _Pair]]] = {}
    for (caller, callee), (calls, pair) in _edges(result).items():
        at = sites.get((caller, callee)) or {f"{UNKNOWN}:0": max(1, calls)}
        found[caller, callee] = _shared_out(at, pair)
    return found


def _edges(result: SavedResult) -> dict[tuple[int, int], tuple[int, _Pair]]:
    cycles = inclusive_cycles(result.contexts)
    instructions = inclusive_cycles([row.model_copy(update={"cycles": row.instructions}) for row in result.contexts])
    found: dict[tuple[int, int], tuple[int, _Pair]] = {}
    for at, row in enumerate(result.contexts):
        if row.parent is not None and cycles[at]:
            key = (result.contexts[row.parent].address, row.address)
            calls, pair = found.get(key, (0, (0, 0)))
            found[key] = (calls + row.calls, (pair[0] + cycles[at], pair[1] + instructions[at]))
    return found


def _shared_out(sites: Mapping[str, int], pair: _Pair) -> dict[str, tuple[int, _Pair]]:
    """The costs of all calls, shared out by how often each place called; sums are kept."""
    whole, seen, given = sum(sites.values()), 0, (0, 0)
    found: dict[str, tuple[int, _Pair]] = {}
    for place, times in sites.items():
        seen += times
        upto = (pair[0] * seen // whole, pair[1] * seen // whole)
        found[place] = (times, (upto[0] - given[0], upto[1] - given[1]))
        given = upto
    return found


def _names(result: SavedResult) -> dict[int, str]:
    """Names of functions; equal ones are told apart by their addresses."""
    names = {row.address: printable(row.function) for row in result.contexts}
    taken: defaultdict[str, list[int]] = defaultdict(list)
    for address, name in names.items():
        taken[name].append(address)
    return {a: name if len(taken[name]) == 1 else f"{name} (0x{a:08x})" for a, name in names.items()}


def _add(found: dict[str, _Pair], place: str, pair: _Pair) -> None:
    old = found.get(place, (0, 0))
    found[place] = (old[0] + pair[0], old[1] + pair[1])


def _split(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return printable(file), int(line)


def _home(own: Mapping[str, _Pair]) -> str:
    """The file with most of a function's cycles."""
    cycles: defaultdict[str, int] = defaultdict(int)
    for place, pair in own.items():
        cycles[_split(place)[0]] += pair[0]
    return max(cycles, key=lambda file: (file != UNKNOWN, cycles[file], file), default=UNKNOWN)

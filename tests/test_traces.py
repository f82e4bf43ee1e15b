"""Results for other viewers: each format by the rules of its own documentation."""

from __future__ import annotations

import csv
import io
import json
import re
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlib import CLOCK_HZ, HOSTILE, document, result

from vtarget.app.report_cmd import METRICS
from vtarget.base.errors import InputError
from vtarget.data.savedresult import SavedResult
from vtarget.logic import layerexports, traces
from vtarget.logic.pprof import pprof
from vtarget.shell.resultfile import saved_of

NAMES = st.text(min_size=1, max_size=12)


@st.composite
def trees(draw: st.DrawFn) -> SavedResult:
    """A result with any call tree."""
    size = draw(st.integers(1, 12))
    plain = document()
    plain["board"]["clock_hz"] = draw(st.sampled_from((32_768, 3 * 10**6, 120 * 10**6, 400 * 10**6, 480 * 10**6)))
    plain["contexts"] = [
        {
            "parent": draw(st.none() | st.integers(0, at - 1)) if at else None,
            "function": draw(NAMES),
            "address": 4 * draw(st.integers(0, 6)),
            "calls": draw(st.integers(0, 9)),
            "instructions": draw(st.integers(0, 10**6)),
            "cycles": draw(st.integers(0, 10**9)),
        }
        for at in range(size)
    ]
    return saved_of(plain)


# Chrome's trace events


def slices(trace: dict[str, Any], tid: int, pid: int = 1) -> list[dict[str, Any]]:
    return [e for e in trace["traceEvents"] if e["ph"] == "X" and (e["pid"], e["tid"]) == (pid, tid)]


def check_chrome(trace: dict[str, Any]) -> None:
    """Rules of the trace event format: phases with their fields, and slices of a thread that nest to the nanosecond,
    each number rounded by itself as Perfetto does."""
    text = json.dumps(trace, allow_nan=False, ensure_ascii=False)
    assert "\\" not in text.replace('\\"', "'") and text.encode()
    named = {(e["pid"], e["tid"]) for e in trace["traceEvents"] if e["ph"] == "M" and e["name"] == "thread_name"}
    for event in trace["traceEvents"]:
        assert event["ph"] in "MXC" and isinstance(event["pid"], int)
        if event["ph"] == "X":
            assert event["ts"] >= 0 and event["dur"] >= 0 and (event["pid"], event["tid"]) in named
        if event["ph"] == "C":
            assert all(isinstance(value, (int, float)) for value in event["args"].values())
    for pid, tid in named:
        open_until: list[float] = []
        for event in sorted(slices(trace, tid, pid), key=lambda e: (e["ts"], -e["dur"])):
            start, end = round(1e3 * event["ts"]), round(1e3 * event["ts"]) + round(1e3 * event["dur"])
            while open_until and open_until[-1] <= start:
                open_until.pop()
            assert not open_until or end <= open_until[-1]
            open_until.append(end)


def test_chrome_trace_has_layers_in_order_and_calls_over_each_other() -> None:
    trace = traces.chrome_trace([result(3), result(2)])
    check_chrome(trace)
    layers = slices(trace, traces.LAYERS)
    assert [e["name"] for e in layers] == ["0 CONV_2D", "1 DEPTHWISE_CONV_2D", "2 ADD"]
    assert [e["args"]["cycles"] for e in layers] == [1000, 1037, 1148]
    assert [round(e["ts"], 6) for e in layers] == [0, 10.0, 20.37]
    main, *callees = slices(trace, traces.CALLS)
    assert main["name"] == "main" and main["dur"] == pytest.approx(1e6 * 3185 / CLOCK_HZ)
    assert [e["ts"] for e in callees] == pytest.approx([0, 10.0, 20.37])
    assert [e["name"] for e in slices(trace, traces.TOTALS)] == ["interrupt f1 plain", "asleep (sleep)"]
    assert [e["args"]["in use"] for e in trace["traceEvents"] if e["ph"] == "C" and e["pid"] == 1] == [64, 128, 128]
    assert len(slices(trace, traces.LAYERS, pid=2)) == 2


@given(trees())
def test_chrome_traces_nest_whatever_the_tree(saved: SavedResult) -> None:
    check_chrome(traces.chrome_trace([saved]))


# speedscope


def check_speedscope(file: dict[str, Any]) -> None:
    """Rules of speedscope's file-format-spec.ts."""
    assert file["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = file["shared"]["frames"]
    assert all(isinstance(frame["name"], str) for frame in frames)
    assert 0 <= file["activeProfileIndex"] < len(file["profiles"]) and isinstance(file["name"], str)
    for profile in file["profiles"]:
        assert profile["unit"] in ("none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes")
        assert isinstance(profile["name"], str) and profile["endValue"] >= profile["startValue"]
        if profile["type"] == "sampled":
            assert len(profile["samples"]) == len(profile["weights"])
            assert all(0 <= frame < len(frames) for stack in profile["samples"] for frame in stack)
            assert sum(profile["weights"]) == profile["endValue"] - profile["startValue"]
            continue
        assert profile["type"] == "evented"
        opened: list[int] = []
        for event in profile["events"]:
            assert profile["startValue"] <= event["at"] <= profile["endValue"]
            if event["type"] == "O":
                assert 0 <= event["frame"] < len(frames)
                opened.append(event["frame"])
            else:
                assert event["type"] == "C" and opened.pop() == event["frame"]
        assert not opened
        assert all(a["at"] <= b["at"] for a, b in pairwise(profile["events"]))


def test_speedscope_has_a_profile_of_calls_and_one_of_layers() -> None:
    file = traces.speedscope([result(3)])
    check_speedscope(file)
    calls, layers = file["profiles"]
    names = [frame["name"] for frame in file["shared"]["frames"]]
    assert [[names[frame] for frame in stack] for stack in calls["samples"]] == [
        ["main", "f0 plain"], ["main", "f1 plain"], ["main", "f2 plain"],
    ]  # fmt: skip
    assert calls["weights"] == [1000, 1037, 1148] and layers["endValue"] == 3185


@given(trees())
def test_speedscope_holds_every_cycle(saved: SavedResult) -> None:
    file = traces.speedscope([saved, saved])
    check_speedscope(file)
    assert file["profiles"][0]["endValue"] == sum(row.cycles for row in saved.contexts)


# Collapsed stacks


def test_collapsed_stacks() -> None:
    assert traces.collapsed([result(2)]) == "main;f0 plain 1000\nmain;f1 plain 1037\n"
    both = traces.collapsed([result(1, title="a"), result(1, title="b")])
    assert both == "a on plain at 100 MHz, simd;main;f0 plain 1000\nb on plain at 100 MHz, simd;main;f0 plain 1000\n"


@given(trees())
def test_collapsed_lines_are_stacks_and_a_number_that_add_up(saved: SavedResult) -> None:
    lines = traces.collapsed([saved]).split("\n")[:-1]
    parsed = [re.fullmatch(r"(.+) (\d+)", line) for line in lines]
    assert all(parsed)
    assert sum(int(found[2]) for found in parsed if found) == sum(row.cycles for row in saved.contexts)


# pprof


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of a message of protocol buffers: varints and bytes."""

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    at = 0
    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2
            length = varint()
            yield key >> 3, data[at : at + length]
            at += length


def numbers(packed: object) -> list[int]:
    assert isinstance(packed, bytes)
    each = re.findall(rb"[\x80-\xff]*[\x00-\x7f]", packed)
    return [value for _, value in fields(b"".join(b"\x08" + part for part in each)) if isinstance(value, int)]


def read_pprof(data: bytes) -> tuple[list[str], dict[tuple[str, ...], list[int]]]:
    """(kinds of values, values by stack from the leaf on), with every reference of the message checked."""
    message = list(fields(zlib.decompress(data, 31)))
    texts = [value.decode() for number, value in message if number == 6 and isinstance(value, bytes)]
    assert texts[0] == ""
    functions = {int(f[1]): texts[int(f[2])] for f in (dict(fields(v)) for n, v in message if n == 5)}  # type: ignore[arg-type]
    locations = {}
    for location in (dict(fields(v)) for n, v in message if n == 4):  # type: ignore[arg-type]
        line = dict(fields(location[4]))  # type: ignore[arg-type]
        locations[location[1]] = functions[int(line[1])]
    kinds = [texts[int(dict(fields(v))[1])] for n, v in message if n == 1]  # type: ignore[arg-type]
    samples: dict[tuple[str, ...], list[int]] = {}
    for sample in (dict(fields(v)) for n, v in message if n == 2):  # type: ignore[arg-type]
        stack, values = tuple(locations[at] for at in numbers(sample[1])), numbers(sample[2])
        assert len(values) == len(kinds)
        samples[stack] = [a + b for a, b in zip(samples.get(stack, [0, 0]), values, strict=True)]
    return kinds, samples


def test_pprof_has_stacks_from_the_leaf_on() -> None:
    kinds, samples = read_pprof(pprof(result(2)))
    assert kinds == ["cycles", "instructions"]
    assert samples == {("f0 plain", "main"): [1000, 500], ("f1 plain", "main"): [1037, 518]}
    assert pprof(result(2)) == pprof(result(2))


@given(trees())
def test_pprof_holds_every_cycle(saved: SavedResult) -> None:
    _, samples = read_pprof(pprof(saved))
    assert sum(values[0] for values in samples.values()) == sum(row.cycles for row in saved.contexts)


# Layers


def test_model_explorer_node_data() -> None:
    data = {metric: layerexports.model_explorer(result(3), metric) for metric in layerexports.METRICS}
    assert list(data) == list(METRICS)
    for metric, graph in data.items():
        assert json.loads(json.dumps(graph, allow_nan=False)) == graph
        assert set(graph) == {"name", "results", "gradient"} and graph["name"] == f"{metric}, plain simd"
        assert all(set(node) == {"value"} and isinstance(node["value"], float) for node in graph["results"].values())
        assert [stop["stop"] for stop in graph["gradient"]] == [0, 1]
        assert all(re.fullmatch("#[0-9a-f]{6}", stop["bgColor"]) for stop in graph["gradient"])
    assert data["cycles"]["results"]["t1 plain"] == {"value": 1037.0}
    assert data["time-us"]["results"]["t1 plain"]["value"] == pytest.approx(10.37)
    assert set(data["cycles-per-mac"]["results"]) == {"t0 plain", "t1 plain"}  # ADD has no MACs


def test_nodes_of_a_name_that_is_not_theirs_alone_go_by_number() -> None:
    plain = document(4)
    for layer, name in zip(plain["layers"], ("same", "own", "same", ""), strict=True):
        layer["name"] = name
    assert set(layerexports.model_explorer(saved_of(plain))["results"]) == {"0", "own", "2", "3"}


def test_a_metric_that_no_layer_has_is_refused() -> None:
    plain = document(2)
    for layer in plain["layers"]:
        layer["energy_j"] = None
    with pytest.raises(InputError, match="no layer has a figure for --metric energy-uj"):
        layerexports.model_explorer(saved_of(plain), "energy-uj")


def read_csv(text: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def test_autodeploy_rows() -> None:
    rows = read_csv(layerexports.autodeploy_csv(result(3)))
    # neuralSPOT 308c4e6, neuralspot/ns-harness/src/ns_micro_profiler.cc, the header for Apollo3 and 4.
    assert ",".join(rows[0]) == (
        "Event,Tag,uSeconds,Est MACs,cycles,cpi,exc,sleep,lsu,fold,"
        "daccess,dtaglookup,dhitslookup,dhitsline,iaccess,itaglookup,ihitslookup,ihitsline"
    )
    assert [tuple(row.values())[:5] for row in rows] == [
        ("0", "CONV_2D", "10", "100", "1000"), ("1", "DEPTHWISE_CONV_2D", "10", "200", "1037"),
        ("2", "ADD", "11", "0", "1148"),
    ]  # fmt: skip
    assert all(row["ihitsline"] == "" for row in rows)


def test_hpx_rows() -> None:
    rows = read_csv(layerexports.hpx_csv(result(3)))
    # helia-profiler 01ae7b3, src/helia_profiler/report/csv_writer.py, with the one counter that is known here.
    assert tuple(rows[1].items()) == (
        ("id", "1"), ("op", "DEPTHWISE_CONV_2D"), ("ARM_PMU_CPU_CYCLES", "1037.0"), ("cycles", "1037.0"),
        ("cycles_pct", "32.6"), ("overflow", "False"), ("macs", "200"), ("ops", "400"), ("cycles_per_mac", "5.18"),
    )  # fmt: skip
    assert rows[2]["cycles_per_mac"] == ""


def test_a_measured_run_of_hpx_can_be_set_beside_an_emulated_one() -> None:
    # Two rows as hpx writes them (helia-profiler, Apollo4 Lite, keyword spotting).
    measured = (
        "id,op,ARM_PMU_CPU_CYCLES,cycles,cycles_pct,overflow,macs,ops,cycles_per_mac\n"
        "0,CONV_2D,1330087.0,1330087.0,15.3,False,320000,640000,4.16\n"
        "1,DEPTHWISE_CONV_2D,614770.0,614770.0,7.1,False,72000,144000,8.54\n"
    )
    emulated = read_csv(layerexports.hpx_csv(result(2)))
    pairs = list(zip(read_csv(measured), emulated, strict=True))
    assert all(list(a) == list(b) and (a["id"], a["op"]) == (b["id"], b["op"]) for a, b in pairs)


@pytest.mark.parametrize("export", [layerexports.autodeploy_csv, layerexports.hpx_csv])
def test_operators_with_odd_names_stay_one_cell_and_no_formula(export: Any) -> None:
    plain = document(len(HOSTILE))
    for layer, name in zip(plain["layers"], HOSTILE, strict=True):
        layer["op"] = name
    rows = read_csv(export(saved_of(plain)))
    assert len(rows) == len(HOSTILE)
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values())

"""Results for other viewers, each read by its own tool: Perfetto, speedscope, pprof, Model Explorer, heliaPROFILER.

callgrind_annotate has its tests in test_callgrind.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromiumlib import Page, chromium, needs_chromium
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from machinelib import PROGRAMS, vtarget
from reportlib import HOSTILE, result
from test_timelines import EXAMPLE, saved
from test_traces import trees
from viewerlib import (
    SPEEDSCOPE,
    Perfetto,
    Speedscope,
    model_explorer,
    needs_hpx,
    needs_model_explorer,
    needs_perfetto,
    needs_speedscope,
    perfetto,
    pprof,
)

from vtarget.data.savedresult import SavedResult
from vtarget.logic import layerexports, traces
from vtarget.logic.pprof import pprof as pprof_file
from vtarget.shell.resultfile import load_saved

MODEL = Path(__file__).resolve().parent.parent / "models" / "kws_dscnn.tflite"
RECURSIVE = PROGRAMS / "inclusive_recursion-m4f.elf"
BOARD = "nucleo-l4r5zi"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        opened.show()
        yield opened


@pytest.fixture(scope="module")
def recursive(tmp_path_factory: pytest.TempPathFactory) -> SavedResult:
    """A run in which functions call themselves and each other."""
    path = tmp_path_factory.mktemp("recursive") / "result.json"
    assert vtarget("run", RECURSIVE, "-b", BOARD, "--quiet", "--json", path).code == 0
    (saved,) = load_saved(str(path), "test")
    return saved


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SavedResult]:
    """A model's profile: its file, and what is in it."""
    path = tmp_path_factory.mktemp("profiled") / "kws.json"
    done = vtarget("profile", MODEL, "-b", BOARD, "--no-validate", "--quiet", "--json", path)
    assert done.code == 0, done.err
    (saved,) = load_saved(str(path), "test")
    return path, saved


def functions(saved: SavedResult) -> dict[str, tuple[int, int]]:
    """(cycles with callees, own cycles) of every function that ran, by the kernels' table: not from the call tree."""
    return {k.name: (k.total_cycles, k.cycles) for k in saved.kernels if k.total_cycles}


# Perfetto


@pytest.fixture(scope="module")
def viewer(page: Page) -> Iterator[Perfetto]:
    with perfetto(page) as opened:
        yield opened


def nested(trace: dict[str, Any]) -> list[tuple[int, int, str, int, int, int]]:
    """(process, thread, name, start, length in ns, depth) of a trace's slices, by its own nesting."""
    found = []
    ends: dict[tuple[int, int], list[int]] = {}
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    for event in sorted(slices, key=lambda e: e["ts"]):
        start, length = round(1e3 * event["ts"]), round(1e3 * event["dur"])
        above = ends.setdefault((event["pid"], event["tid"]), [])
        while above and above[-1] <= start:
            above.pop()
        found.append((event["pid"], event["tid"], event["name"], start, length, len(above)))
        above.append(start + length)
    return sorted(found)


def check_perfetto(viewer: Perfetto, results: list[SavedResult]) -> None:
    """Its trace processor drops nothing, and has every slice where and as deep as we put it."""
    trace = traces.chrome_trace(results)
    viewer.load(trace)
    assert viewer.complaints() == []
    rows = viewer.query(
        "select pid, tid, slice.name, slice.ts, slice.dur, depth from slice"
        " join thread_track on track_id = thread_track.id join thread using (utid) join process using (upid)"
    )
    assert sorted(map(tuple, rows)) == nested(trace)


@needs_chromium
@needs_perfetto
def test_perfetto_shows_a_timeline_with_interrupts_sleep_and_clocks(viewer: Perfetto) -> None:
    check_perfetto(viewer, [saved(EXAMPLE)])
    clocks = viewer.query(
        "select ts, value from counter join process_counter_track as track on track_id = track.id"
        " where track.name like 'clock MHz%' order by ts"
    )
    assert clocks == [[0, 1], [1_000_000, 4], [1_500_000, 1]]


@needs_chromium
@needs_perfetto
def test_perfetto_shows_layers_calls_and_the_arena(
    viewer: Perfetto, profiled: tuple[Path, SavedResult], recursive: SavedResult
) -> None:
    _, model = profiled
    check_perfetto(viewer, [model, recursive, result(200)])
    titles = [title for (title,) in viewer.query("select name from process where pid > 0 order by pid")]
    sums = [f"{model.title}: sums", f"{recursive.title}: sums", result(200).title]
    assert titles == [*sums, f"{model.title}: timeline", f"{recursive.title}: timeline"]
    layers = viewer.query(
        "select extract_arg(slice.arg_set_id, 'args.cycles'), extract_arg(slice.arg_set_id, 'args.kernel') from slice"
        " join thread_track on track_id = thread_track.id join thread using (utid) join process using (upid)"
        f" where pid = 1 and tid = {traces.LAYERS} order by slice.ts"
    )
    assert layers == [[layer.cycles, layer.kernel] for layer in model.layers]
    arena = viewer.query(
        "select value from counter join process_counter_track as track on track_id = track.id"
        " join process using (upid) where pid = 1 and track.name like 'arena bytes%' order by ts"
    )
    assert model.memory.arena and len(arena) == len(model.layers)
    assert max(value for (value,) in arena) <= model.memory.arena_bytes


@needs_chromium
@needs_perfetto
def test_perfetto_shows_names_as_they_are(viewer: Perfetto) -> None:
    names = (*(name for name in HOSTILE if name.isprintable() and "\\" not in name), 'operator""_kb', "größe", "C:\\")
    check_perfetto(viewer, [result(len(names), names)])


@needs_chromium
@needs_perfetto
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(several=st.lists(trees(), min_size=30, max_size=30))
def test_perfetto_drops_no_slice_whatever_the_tree(viewer: Perfetto, several: list[SavedResult]) -> None:
    check_perfetto(viewer, several)


# speedscope


@needs_speedscope
@settings(max_examples=30, deadline=None)
@given(trees())
def test_speedscope_files_follow_its_schema(saved: SavedResult) -> None:
    validate = pytest.importorskip("jsonschema", reason="jsonschema is not installed").validate
    schema = json.loads((SPEEDSCOPE / "file-format-schema.json").read_text())
    validate(traces.speedscope([saved]), schema)


@needs_chromium
@needs_speedscope
@pytest.mark.parametrize("form", ["speedscope", "collapsed", "pprof"])
def test_speedscope_shows_every_function_with_its_cycles(
    page: Page, recursive: SavedResult, form: str, tmp_path: Path
) -> None:
    if form == "pprof":
        content = pprof_file(recursive)
    else:
        text = json.dumps(traces.speedscope([recursive])) if form == "speedscope" else traces.collapsed([recursive])
        content = text.encode()
    shown = Speedscope(page, tmp_path, f"{form}-of-recursion", content)
    assert shown.functions == functions(recursive) and shown.complaints == []


@needs_chromium
@needs_speedscope
def test_speedscope_shows_calls_and_layers_whatever_they_are_called(page: Page, tmp_path: Path) -> None:
    saved = result(len(HOSTILE), HOSTILE)
    shown = Speedscope(page, tmp_path, "hostile", json.dumps(traces.speedscope([saved])).encode())
    cycles = sum(layer.cycles for layer in saved.layers)
    assert list(shown.profiles.values()) == [cycles, cycles]
    assert len(shown.functions) == len(HOSTILE) + 1 and shown.functions["main"] == (cycles, 0)
    assert shown.complaints == [] and page.run("window.hacked") is None


# pprof

ALL = ("-symbolize=none", "-nodefraction=0", "-edgefraction=0", "-nodecount=100000")


def test_pprof_adds_calls_up_as_the_profile_does(recursive: SavedResult, tmp_path: Path) -> None:
    path = tmp_path / "run.pb.gz"
    path.write_bytes(pprof_file(recursive))
    shown = pprof(path, "-top", *ALL)
    assert f"Total samples = {recursive.cycles} " in shown and "Type: cycles" in shown
    rows = re.findall(r"^ *(\d+) +\S+% +\S+% +(\d+) +\S+%  (.+)$", shown, re.MULTILINE)
    assert {name: (int(total), int(own)) for own, total, name in rows} == functions(recursive)
    instructions = pprof(path, "-sample_index=instructions", "-top", *ALL)
    assert f"Total samples = {recursive.instructions} " in instructions


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(saved=trees())
def test_pprof_reads_any_tree(saved: SavedResult, tmp_path: Path) -> None:
    path = tmp_path / "tree.pb.gz"
    path.write_bytes(pprof_file(saved))
    samples = pprof(path, "-raw", *ALL).partition("Samples:")[2].partition("Locations")[0]
    found = re.findall(r"^ +(\d+) +(\d+): [\d ]+$", samples, re.MULTILINE)
    assert sum(int(cycles) for cycles, _ in found) == sum(row.cycles for row in saved.contexts)
    assert sum(int(count) for _, count in found) == sum(row.instructions for row in saved.contexts)


# Model Explorer


@needs_model_explorer
def test_nodes_of_model_explorers_graph_are_ours(profiled: tuple[Path, SavedResult]) -> None:
    adapter = pytest.importorskip("ai_edge_model_explorer_adapter", reason="Model Explorer's adapter is not installed")
    from model_explorer import node_data_builder as builder

    _, saved = profiled
    (collection,) = json.loads(adapter.ConvertFlatbufferDirectlyToJson(adapter.VisualizeConfig(), str(MODEL)))
    (graph,) = collection["subgraphs"]
    operators = {
        attribute["value"]: (node["id"], node["label"])
        for node in graph["nodes"]
        for output in node["outputsMetadata"]
        for attribute in output["attrs"]
        if attribute["key"] == "tensor_name"
    }
    for metric in layerexports.METRICS:
        data = layerexports.model_explorer(saved, metric)
        # Its own classes refuse fields that they don't know.
        built = builder.GraphNodeData(
            name=data["name"],
            results={key: builder.NodeDataResult(**value) for key, value in data["results"].items()},
            gradient=[builder.GradientItem(**stop) for stop in data["gradient"]],
        )
        kept = json.loads(built.to_json_string())
        assert {key: kept[key] for key in data} == data
        named = {layer.name: (str(layer.index), layer.op.lower()) for layer in saved.layers}
        assert all(operators[key] == named[key] for key in data["results"])


@needs_chromium
@needs_model_explorer
def test_model_explorer_shows_cycles_beside_the_nodes(
    page: Page, profiled: tuple[Path, SavedResult], tmp_path: Path
) -> None:
    path, saved = profiled
    for metric in ("cycles", "cycles-per-mac"):
        file = tmp_path / f"{metric}.json"
        assert vtarget("report", path, "--format", "model-explorer", "--metric", metric, "-o", file).code == 0
    with model_explorer(MODEL, tmp_path / "cycles.json", tmp_path / "cycles-per-mac.json") as url:
        page.call("Page.navigate", url=url)
        page.wait(f"document.body.innerText.includes('{saved.layers[-1].cycles}')")
        rows = page.run("[...document.querySelectorAll('tr')].map(row => [...row.cells].map(c => c.innerText.trim()))")
    shown = [row[1:4] for row in rows if len(row) == 4 and row[0].isdigit()][-len(saved.layers) - 1 : -1]
    assert [(op, int(cycles)) for op, cycles, _ in shown] == [(row.op.lower(), row.cycles) for row in saved.layers]
    each = [None if row[2] == "-" else float(row[2]) for row in shown]
    assert each == [None if row.cycles_per_mac is None else pytest.approx(row.cycles_per_mac) for row in saved.layers]


# heliaPROFILER


@needs_hpx
def test_heliaprofiler_compares_an_emulated_run_with_a_measured_one(
    profiled: tuple[Path, SavedResult], tmp_path: Path
) -> None:
    from helia_profiler.evaluation import compare

    path, saved = profiled
    emulated, measured = tmp_path / "emulated", tmp_path / "measured"
    for folder in (emulated, measured):
        folder.mkdir()
    assert vtarget("report", path, "--format", "hpx-csv", "-o", emulated / "profile_results.csv").code == 0
    text = (emulated / "profile_results.csv").read_text()
    # A board that takes exactly twice as long, with one more counter.
    head, *rows = (line.split(",") for line in text.splitlines())
    doubled = [[*row[:2], *(str(2 * float(cycles)) for cycles in row[2:4]), *row[4:], "7"] for row in rows]
    (measured / "profile_results.csv").write_text("".join(",".join(row) + "\n" for row in ([*head, "extra"], *doubled)))
    runs = [
        compare.RunArtifacts(path=folder, summary={}, metadata={}, layers=compare._read_layer_csv(file))
        for folder in (measured, emulated)
        for file in (folder / "profile_results.csv",)
    ]
    pairs = compare._compare_layers(*runs)
    assert [(p.baseline_op, p.candidate_cycles, p.delta_pct, p.speedup) for p in pairs] == [
        (layer.op, layer.cycles, -50.0, 2.0) for layer in saved.layers
    ]
    assert all(set(pair.counters) == {"ARM_PMU_CPU_CYCLES"} for pair in pairs)

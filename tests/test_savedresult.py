"""Results read back: those that vtarget writes, and any that somebody has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from buildlib import needs_gcc
from hypothesis import given, settings
from hypothesis import strategies as st
from reportlib import HOSTILE, document
from test_report_cmd import ASSETS

import vtarget
from vtarget.logic import layerexports, traces
from vtarget.logic.callgrind import callgrind
from vtarget.logic.htmlreport import html_report
from vtarget.logic.modelresult import model_json
from vtarget.logic.pprof import pprof
from vtarget.shell.resultfile import load_saved, saved_of

ROOT = Path(__file__).resolve().parent.parent
ODD = st.sampled_from(
    [None, True, 0, -1, 1, 1 << 62, 1 << 70, 0.0, -0.5, 1e30, 1e308, "", "x", [], {}, [[]], *HOSTILE]
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a document."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*at, key))
    return found


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    """The document with another value at a path; that of a path that is gone stays as it is."""
    if not at:
        return new
    if isinstance(value, dict) and at[0] in value:
        return value | {at[0]: changed(value[at[0]], at[1:], new)}
    if isinstance(value, list) and isinstance(at[0], int) and at[0] < len(value):
        return [changed(item, at[1:], new) if i == at[0] else item for i, item in enumerate(value)]
    return value


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(places(document(3))), ODD), min_size=1, max_size=4))
def test_a_changed_result_is_refused_or_shown(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    plain: Any = document(3)
    for at, new in changes:
        plain = changed(plain, at, new)
    try:
        saved = saved_of(plain)
    except ValueError:
        return
    assert html_report([saved, saved], ASSETS).endswith("</html>\n")
    json.dumps([traces.chrome_trace([saved]), traces.speedscope([saved])], allow_nan=False)
    assert traces.collapsed([saved]).count("\n") <= len(saved.contexts)
    assert callgrind(saved, None) and pprof(saved)
    json.dumps(layerexports.model_explorer(saved), allow_nan=False)
    assert layerexports.hpx_csv(saved).count("\n") == layerexports.autodeploy_csv(saved).count("\n")


def test_results_of_older_versions_lack_what_is_new(tmp_path: Path) -> None:
    plain = document()
    del plain["contexts"], plain["memory"]["arena"], plain["sleep"], plain["waterfall"]
    for layer in plain["layers"]:
        del layer["weights_bytes"], layer["activation_bytes"], layer["waterfall"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(plain), encoding="utf-8")
    (saved,) = load_saved(str(path), "report")
    assert saved.contexts == () and saved.layers[0].weights_bytes == 0
    assert "Flame graph" not in html_report([saved], ASSETS)


def test_what_newer_versions_add_is_passed_over() -> None:
    assert saved_of(document() | {"news": [1, 2, 3]}) == saved_of(document())


@needs_gcc
def test_a_model_comes_back_with_its_arena_and_its_bytes() -> None:
    profile = vtarget.profile(ROOT / "models" / "kws_dscnn.tflite", "nucleo-l4r5zi", validate=False)
    saved = saved_of(json.loads(json.dumps(model_json(profile))))
    arena = saved.memory.arena
    assert arena is not None and arena.region == profile.arena_region
    assert max(a.offset_bytes + a.size_bytes for a in arena.allocations) == saved.memory.arena_bytes == 19_840
    assert arena.lower_bound_bytes <= 19_840
    assert {a.first_layer for a in arena.allocations} == set(range(12))
    # The last layer but one: 64 inputs, 12 outputs; 64x12 weights and 12 biases of 32 bits.
    dense = saved.layers[10]
    assert (dense.op, dense.weights_bytes, dense.activation_bytes) == ("FULLY_CONNECTED", 64 * 12 + 4 * 12, 64 + 12)
    assert sum(row.cycles for row in saved.contexts) == saved.cycles
    assert "The arena over time" in html_report([saved], ASSETS)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"[1]", b"\xff\xfe", b"[" * 5000, b'{"schema": NaN}', b"null"])
def test_files_that_are_no_results(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(text)
    with pytest.raises(vtarget.InputError, match="not a usable result"):
        load_saved(str(path), "report")

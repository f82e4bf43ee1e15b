"""Results as rows, and as a little HTML for notebooks."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from reportlib import HOSTILE
from test_modelreport import inference

import vtarget
from vtarget.base.errors import InputError
from vtarget.data.modelprofile import LayerProfile, ModelMemory, ModelProfile, Spread
from vtarget.data.plan import Plan
from vtarget.data.profile import Context, Kernel, Profile
from vtarget.data.waterfall import Waterfall


def profile(*names: str) -> Profile:
    kernels = tuple(Kernel(name, 16 * i, 1, 50, 100, 150, 1e-4, None, 0, Waterfall(issue=60, branch_refill=40))
                    for i, name in enumerate(names))  # fmt: skip
    contexts = (Context(None, names[0], 0, 1, 50, 100),)
    return replace(inference(100 * len(names)), kernels=kernels, contexts=contexts)


def model(*names: str) -> ModelProfile:
    spread = Spread(9, 7, 8, 9, 9)
    layers = tuple(
        LayerProfile(i, "CONV_2D", name, ((1, 4),), ((1, 2),), "int8", name, 10, 8, spread, 8e-6, 1e-9, 0.5, 0.8, 5.0,
                     0.6, (), None)
        for i, name in enumerate(names)
    )  # fmt: skip
    return ModelProfile(names[0], "0" * 64, "simd", "gcc", (), 1, profile(*names), spread, layers,
                        ModelMemory(1, 2, 3, 4), Plan(1, 16, 1, ()), None)  # fmt: skip


class Outline(HTMLParser):
    """The tags of a text, and what stands between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Any]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_kernels_are_the_rows_of_a_run() -> None:
    (row,) = vtarget.to_dicts(profile("f"))
    assert row["name"] == "f" and row["cycles"] == 100 and row["energy_j"] is None
    assert row["waterfall_issue"] == 60 and row["waterfall_branch_refill"] == 40
    assert vtarget.to_dicts(profile("f"), "contexts")[0]["parent"] is None


def test_layers_are_the_rows_of_a_model() -> None:
    rows = vtarget.to_dicts(model("a", "b"))
    assert [row["name"] for row in rows] == ["a", "b"]
    assert rows[0]["spread_median"] == 8 and rows[0]["output_shapes"] == [[1, 2]] and rows[0]["waterfall"] is None
    assert [row["name"] for row in vtarget.to_dicts(model("a", "b"), "kernels")] == ["a", "b"]


@pytest.mark.parametrize(("result", "table"), [(profile("f"), "layers"), (model("f"), "nonsense")])
def test_a_table_that_is_not_there_is_named(result: Any, table: str) -> None:
    with pytest.raises(InputError, match=f"no table '{table}'"):
        vtarget.to_dicts(result, table)


def test_data_frames_have_the_same_rows() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = vtarget.to_pandas(model("a", "b"))
    assert list(frame["name"]) == ["a", "b"] and list(frame["cycles"]) == [8, 8]


@pytest.mark.parametrize("result", [profile(*HOSTILE), model(*HOSTILE)], ids=["run", "model"])
def test_notebooks_show_names_as_text(result: Any) -> None:
    outline = Outline(result._repr_html_())
    assert {tag for tag, _ in outline.tags} == {
        "div",
        "strong",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert not any(attributes for _, attributes in outline.tags)
    assert HOSTILE[0] in outline.texts and "provenance: uncalibrated" in outline.texts


def test_notebooks_show_the_first_rows_and_how_many_are_left() -> None:
    outline = Outline(profile(*(f"f{i}" for i in range(20)))._repr_html_())
    assert sum(tag == "tr" for tag, _ in outline.tags) == 13 and "… and 8 more" in outline.texts

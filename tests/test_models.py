"""The committed models are what models/README.md says: contents, size, quality; nothing in them is dynamic."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MODELS = Path(__file__).resolve().parent.parent / "models"
FILES = sorted(path.name for path in MODELS.glob("*.tflite"))
MOST_BYTES = 2_000_000

# Samples of kws_samples.npz that each model gets right, class by class of ten.
KEYWORDS_RIGHT = {
    "kws_dscnn.tflite": [10, 10, 10, 10, 10, 9, 10, 10, 8, 7, 10, 9],
    "kws_dscnn_float.tflite": [10, 10, 10, 10, 10, 9, 10, 10, 8, 8, 10, 9],
}

needs_interpreter = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert not found"
)


@pytest.fixture(scope="module")
def facts() -> Any:
    """models/facts.py, which stands outside the package."""
    sys.path.insert(0, str(MODELS))
    try:
        return importlib.import_module("facts")
    finally:
        sys.path.remove(str(MODELS))


def table() -> dict[str, list[str]]:
    """The rows of the README's table by file name."""
    lines = (MODELS / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {cells[0].strip("`"): cells for cells in rows}


def test_the_readme_lists_every_model() -> None:
    assert sorted(table()) == FILES
    assert "kws_dscnn.tflite" in FILES


def test_models_stay_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.iterdir() if path.is_file()) < MOST_BYTES
    assert (MODELS / "kws_samples.npz").stat().st_size < 200_000


@needs_interpreter
@pytest.mark.parametrize("file", FILES)
def test_a_model_is_what_the_readme_says(file: str, facts: Any) -> None:
    (card,) = [card for card in facts.CARDS if card.file == file]
    assert list(facts.row(card)) == table()[file]
    assert (MODELS / card.script).is_file()


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_dynamic(file: str, facts: Any) -> None:
    shapes = facts.Description((MODELS / file).read_bytes()).shapes
    assert len(shapes) > 2
    assert [shape for shape in shapes if any(size < 0 for size in shape)] == []


@needs_interpreter
@pytest.mark.parametrize("file", sorted(KEYWORDS_RIGHT))
def test_the_keyword_samples_are_recognised(file: str, facts: Any) -> None:
    samples = np.load(MODELS / "kws_samples.npz")
    x, labels = samples["x"], samples["labels"]
    assert (x.shape, x.dtype, labels.tolist()) == ((120, 49, 10, 1), np.float32, list(range(12)) * 10)
    said = facts.Runner((MODELS / file).read_bytes())(x).argmax(axis=1)
    assert [int((said[labels == label] == label).sum()) for label in range(12)] == KEYWORDS_RIGHT[file]

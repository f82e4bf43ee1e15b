"""The notebook of the documentation runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from buildlib import needs_gcc

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def outputs(cell: Any) -> dict[str, str]:
    """What a cell shows, by kind."""
    found: dict[str, str] = {}
    for output in cell["outputs"]:
        found |= {"text/plain": output["text"]} if output["output_type"] == "stream" else output.get("data", {})
    return found


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 5 and not any(cell["outputs"] or cell["execution_count"] for cell in code)


@needs_gcc
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "Python",
            "language": "python"}  # fmt: skip
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    )
    client.execute()
    shown = [outputs(cell) for cell in notebook.cells if cell["cell_type"] == "code"]
    assert "fft_stages" in shown[0]["text/html"] and "provenance: uncalibrated" in shown[0]["text/html"]
    assert shown[1]["text/plain"].startswith("[('fft_stages', ")
    assert shown[3]["text/plain"].count(" MHz ") == 3
    assert "CONV_2D" in shown[4]["text/html"] and "'CONV_2D'" in shown[5]["text/plain"]

"""How long a browser works until the report's page is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromiumlib import chromium, needs_chromium
from reportlib import result
from test_report_page import report

pytest.importorskip("plotly", reason="plotly is not installed")
pytestmark = needs_chromium

MOST_SECONDS = 2.0


def test_200_layers_open_in_two_seconds(tmp_path: Path) -> None:
    """Measured as what the page's main thread works until all in sight is drawn, whatever else the machine does."""
    with chromium(tmp_path / "browser") as fresh:
        fresh.show()
        fresh.call("Performance.enable", timeDomain="threadTicks")
        fresh.call("Page.addScriptToEvaluateOnNewDocument", source="window.requestIdleCallback = () => {}")
        fresh.open(report(tmp_path, result(200)), "performance.getEntriesByName('ready').length")
        metrics = {m["name"]: m["value"] for m in fresh.call("Performance.getMetrics")["metrics"]}
        assert fresh.run("document.querySelectorAll('[data-drawn]').length") >= 1
    assert metrics["TaskDuration"] < MOST_SECONDS

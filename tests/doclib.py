"""Runs the commands that the documentation shows; ``python tests/doclib.py [PAGE ...]`` pastes what they print.

In a ``console`` block a line that begins with ``$ `` is a command and the lines below it are its output; a command with
no output below may print what it likes. Commands must succeed, and run in order in one temporary copy of the checkout
per page, with ``vtarget`` and ``python`` being those that run this file. A ``yaml`` block that begins with a comment
naming a file (``# my-board.yaml``) is written there first.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "firmware/README.md",
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
)
# Installs: what stands in front of && is done by the packaging test and by .ci/run.
INSTALL = re.compile(r"python -m pip install [^&]+ && ")
TESTS = "python -m pytest tests/bench && python -m pytest -n auto --dist loadfile --ignore tests/bench"

_BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w.-]+\.yaml)\b")


def commands(block: str) -> Iterator[tuple[str, str]]:
    """(command, output shown) of the body of a console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command += "\n" + more
        yield command, output


def blocks(text: str, kind: str) -> list[str]:
    """The bodies of the fenced blocks of one kind."""
    return [match[2] for match in _BLOCK.finditer(text) if match[1] == kind]


def refreshed(text: str, run: Callable[[str], str], write: Callable[[str, str], None]) -> str:
    """The page with every output that it shows replaced by what ``run(command)`` prints now."""

    def again(match: re.Match[str]) -> str:
        kind, body = match[1], match[2]
        if kind == "yaml":
            name = _FILE.match(body)
            if name is not None:
                write(name[1], body)
            return match[0]
        parts = []
        for command, shown in commands(body):
            printed = run(command)
            parts.append(f"$ {command}\n{printed if shown.strip() else shown}")
        return f"```{kind}\n{''.join(parts)}```"

    return _BLOCK.sub(again, text)


class Sandbox:
    """A copy of the checkout in ``folder``, and the commands that run in it."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "vtarget"
        ignored = shutil.ignore_patterns(".*", "*.pyc.*", "*.tmp*", "dist", "build", "*.egg-info")
        shutil.copytree(ROOT, self.checkout, ignore=ignored)
        tools = folder / "bin"
        tools.mkdir()
        for name, arguments in (("python", ""), ("vtarget", " -m vtarget")):
            tool = tools / name
            tool.write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n', encoding="utf-8")
            tool.chmod(0o755)
        path = os.pathsep.join((str(tools), os.environ.get("PATH", os.defpath)))
        self._environment = {**os.environ, "PATH": path, "PYTHONPATH": str(self.checkout), "LC_ALL": "C.UTF-8"}

    def run(self, command: str) -> str:
        """What the command prints, standard error included. RuntimeError if it fails."""
        command = INSTALL.sub("", command)
        if command == TESTS:
            return ""
        if re.search(r"\b(pip|pytest)\b", command):
            raise RuntimeError(f"$ {command}\na page must not change the environment or run the tests")
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.checkout,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"$ {command}\n{done.stdout}exit status {done.returncode}")
        return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())

    def write(self, name: str, text: str) -> None:
        """Write a file that the page shows."""
        (self.checkout / name).write_text(text, encoding="utf-8")


def main(pages: list[str]) -> None:
    """Paste the output of every command into its page."""
    for page in pages or PAGES:
        path = ROOT / page
        with tempfile.TemporaryDirectory() as folder:
            sandbox = Sandbox(Path(folder))
            path.write_text(refreshed(path.read_text(encoding="utf-8"), sandbox.run, sandbox.write), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

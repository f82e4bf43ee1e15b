"""Access to ``firmware/build.py`` from tests."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("firmware_build", FIRMWARE / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = _load()

needs_compiler = pytest.mark.skipif(shutil.which(build.COMPILER) is None, reason=f"{build.COMPILER} not found")

QEMU_TARGETS = [(core, board) for board, cores in build.QEMU_BOARDS.items() for core in cores]


def build_for_qemu(names: list[str], folder: Path, iterations: int | None = None) -> dict[tuple[str, str, str], Path]:
    """Builds the named examples for every board that QEMU has; keys are (name, core, board)."""
    keys = [(name, core, board) for name in names for core, board in QEMU_TARGETS]
    programs = [
        build.qemu_program(FIRMWARE / "examples" / f"{name}.c", core, board, iterations) for name, core, board in keys
    ]
    return dict(zip(keys, build.build(programs, folder), strict=True))

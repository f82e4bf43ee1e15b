"""``vtarget boards check``: firmware links for every board, starts from reset, and runs the keyword model."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from vtarget.app.boards_cmd import boards
from vtarget.base.errors import InputError
from vtarget.shell.boardcheck import check_facts, check_firmware, keyword_model
from vtarget.shell.boardlib import board_names, load_board
from vtarget.shell.engine import CPU_MODELS
from vtarget.shell.toolchain import find_toolchain

gcc = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc not found")
# Their largest RAM doesn't hold the keyword model's activations, or their flash not its weights.
TOO_SMALL = {"nucleo-l073rz", "nucleo-f103rb"}
EMULATED = [name for name in board_names() if load_board(name).core in CPU_MODELS]


@gcc
@pytest.mark.parametrize("name", EMULATED)
def test_firmware_runs_on_every_board(name: str) -> None:
    links, runs, model = check_firmware(check_facts(name), find_toolchain("gcc"), keyword_model())
    assert (links.name, links.passed) == ("links", True)
    assert runs.passed and re.fullmatch(r"[\d,]+ cycles", runs.what)
    assert model.passed
    assert ("doesn't fit" in model.what or "does not fit" in model.what) is (name in TOO_SMALL), model.what


@gcc
def test_what_fails_is_named_and_sets_the_exit_code(tmp_path: Path) -> None:
    board = tmp_path / "small.yaml"
    board.write_text(
        "name: small\ntitle: t\ncore: cortex-m4\nfpu: fpv4-sp\ndsp: true\n"
        "clock: {typical: 1 MHz, max: 1 MHz, source: s}\nboot: {region: F, source: s}\nregions:\n"
        "  - {name: F, kind: flash, base: 0x0, size: 256 B, source: s}\n"
        "  - {name: R, kind: sram, base: 0x20000000, size: 64 KiB, source: s}\n"
    )
    result = CliRunner().invoke(boards, ["check", str(board)])
    assert result.exit_code == 1
    assert result.output.startswith(f"error: {board}: links: ") and len(result.output.splitlines()) == 1


def test_without_a_compiler_the_facts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise InputError("no Arm compiler found", hint="install one")

    monkeypatch.setattr("vtarget.shell.toolchain.find_toolchain", none)
    result = CliRunner().invoke(boards, ["check", "rpi-pico"])
    assert result.exit_code == 0
    assert result.output == "rpi-pico: ok (facts only: no Arm compiler found (hint: install one))\n"

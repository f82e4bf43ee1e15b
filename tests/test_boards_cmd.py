"""``vtarget boards``: what it prints, its JSON and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vtarget.app.boards_cmd import boards
from vtarget.base.errors import InputError
from vtarget.shell.boardlib import board_names

BAD_BOARD = "name: bad\ntitle: Bad\ncore: cortex-m4\nclok: 1 MHz\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(boards, arguments)


def test_list_has_a_row_per_board() -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["name", "title", "core", "clock", "flash", "RAM"]
    assert [line[0] for line in lines[2:]] == board_names()
    pico = ["rpi-pico", "Raspberry", "Pi", "Pico", "cortex-m0plus", "125", "MHz", "2", "MiB", "264", "KiB"]
    assert lines[2 + board_names().index("rpi-pico")] == pico


def test_list_as_json_on_standard_output() -> None:
    document = json.loads(run("list", "--json", "-").stdout)
    assert (document["schema"], document["schema_version"]) == ("vtarget.boards", 1)
    by_name = {board["name"]: board for board in document["boards"]}
    assert by_name["nucleo-l4r5zi"] == {
        "name": "nucleo-l4r5zi",
        "title": "ST NUCLEO-L4R5ZI",
        "core": "cortex-m4",
        "fpu": "fpv4-sp",
        "clock_hz": 120_000_000,
        "max_clock_hz": 120_000_000,
        "flash_bytes": 2 << 20,
        "ram_bytes": 640 << 10,
    }
    assert by_name["nrf52840dk"]["flash_bytes"] == 1 << 20
    assert by_name["mps2-an386"]["flash_bytes"] == 0


def test_json_to_a_file_leaves_the_table(tmp_path: Path) -> None:
    target = tmp_path / "boards.json"
    result = run("list", "--json", str(target))
    assert result.stdout.startswith("name")
    assert len(json.loads(target.read_text())["boards"]) == len(board_names())


def test_json_to_a_place_that_is_not_there(tmp_path: Path) -> None:
    result = run("list", "--json", f"{tmp_path}/no/boards.json")
    assert isinstance(result.exception, InputError)
    assert result.exception.one_line() == (
        f"--json {tmp_path}/no/boards.json: can't be written: No such file or directory"
    )


@pytest.mark.parametrize("name", board_names())
def test_show_cuts_nothing_and_names_every_source(name: str) -> None:
    facts = json.loads(run("show", name, "--json", "-").stdout)["board"]
    result = run("show", name)
    assert result.exit_code == 0
    assert "…" not in result.stdout
    assert "\x1b" not in result.stdout
    expected = [facts["clock"]["source"], facts["boot"]["source"], *facts["unknown"]]
    expected += [region["source"] for region in facts["regions"]]
    expected += [point["source"] for state in facts["power"] for point in state["points"]]
    assert [text for text in expected if text not in result.stdout] == []


def test_show_draws_the_memory_map_by_address() -> None:
    lines = run("show", "nucleo-l4r5zi").stdout.splitlines()
    start = lines.index("Memory map")
    rows = [line.split()[:5] for line in lines[start + 3 : start + 8]]
    assert rows == [
        ["FLASH", "0x08000000..0x08200000", "2", "MiB", "flash"],
        ["SRAM2", "0x10000000..0x10010000", "64", "KiB", "sram"],
        ["SRAM1", "0x20000000..0x20030000", "192", "KiB", "sram"],
        ["SRAM2_ALIAS", "0x20030000..0x20040000", "64", "KiB", "sram"],
        ["SRAM3", "0x20040000..0x200a0000", "384", "KiB", "sram"],
    ]
    assert "alias of SRAM2" in lines[start + 6]
    assert lines[start + 3].endswith("5 wait states at 120 MHz, 64-bit fetch, prefetch (optional)")
    start = lines.index("Caches")
    assert [line.split() for line in lines[start + 3 : start + 5]] == [
        ["ART", "instructions", "FLASH", "instructions", "1", "KiB", "32", "B", "32"],
        ["ART", "data", "FLASH", "data", "256", "B", "32", "B", "8"],
    ]


def test_show_counts_wait_states_of_a_slower_bus() -> None:
    assert "2 wait states at 400 MHz, each 2 cycles, 64-bit fetch" in run("show", "nucleo-h743zi").stdout


def test_show_marks_what_is_unknown() -> None:
    text = run("show", "rpi-pico").stdout
    assert "Power: unknown" in text
    assert "  cost of an XIP cache miss" in text
    assert "wait states unknown" in run("show", "apollo4p-evb").stdout


def test_show_prints_power_with_bounds() -> None:
    words = [line.split() for line in run("show", "nucleo-l4r5zi").stdout.splitlines()]
    row = ["run", "1.8", "V,", "ldo", "120", "MHz", "41.7", "mW", "35", "mW", "55.2", "mW"]
    assert row in words


def test_show_of_an_unknown_board() -> None:
    result = run("show", "rpi-pica")
    assert isinstance(result.exception, InputError)
    assert result.exception.one_line() == (
        "no board 'rpi-pica' (hint: did you mean 'rpi-pico'? 'vtarget boards list' shows all)"
    )


def test_text_of_a_file_cannot_move_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text('extends: rpi-pico\nname: evil\ntitle: "\\e[2J[red]x"\n')
    assert run("show", str(path)).stdout.splitlines()[0] == "evil: \\x1b[2J[red]x"


def test_check_of_all_shipped_boards() -> None:
    result = run("check", "--facts-only")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{name}: ok" for name in board_names()]


def test_check_reports_every_file_and_exits_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text(BAD_BOARD)
    result = run("check", "--facts-only", "none.yaml", "rpi-pico", "bad.yaml")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "error: none.yaml: can't be read: No such file or directory",
        "rpi-pico: ok",
        "error: bad.yaml:1: 'clock' is missing (+3 more)",
    ]


def test_list_loads_nothing_heavy() -> None:
    code = (
        "import sys; from vtarget.app.boards_cmd import boards; boards(['list'], standalone_mode=False); "
        "print(sorted({'numpy', 'numba', 'unicorn', 'capstone'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

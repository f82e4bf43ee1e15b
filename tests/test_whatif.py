"""What-if: a record under other clocks, wait states, caches and places, alone and as a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from machinelib import EXAMPLES, run_elf

from vtarget.app.run_cmd import run
from vtarget.base.errors import InputError
from vtarget.data.record import ExecutionRecord, Section
from vtarget.logic.memory_cost import Moved
from vtarget.logic.whatif import Setting, Supposed, rows, settings, straddling, supposing
from vtarget.shell.recordfile import save_record
from vtarget.shell.running import price, pricer_for

BOARD = "nucleo-l4r5zi"


@pytest.fixture(scope="module")
def record() -> ExecutionRecord:
    return run_elf(EXAMPLES / "fir-m4f.elf", BOARD).record


@pytest.fixture(scope="module")
def stored(record: ExecutionRecord, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("whatif") / "fir.record")
    save_record(record, path)
    return path


def cycles(record: ExecutionRecord, setting: Setting) -> int:
    pricer = pricer_for(BOARD, clock_hz=setting.clock_hz)
    return int(price(record, supposing(record, pricer, setting)).cycles.nominal)


def test_settings_are_every_combination_and_the_board_as_it_is_comes_first() -> None:
    found = settings((80_000_000,), (2, 5), (False,), ((".text", "SRAM1"),))
    assert len(found) == 2 * 3 * 2 * 2
    assert found[0] == Setting() and found[0].label == "as it is"
    assert found[-1].label == "--clock 80MHz --wait-states 5 --cache off --place .text=SRAM1"
    assert settings((), (), (), ()) == (Setting(),)
    assert [s.is_what_if for s in settings((80_000_000,), (), (True,), ())] == [False, True, False, True]


def test_each_supposition_moves_the_cycles_its_way(record: ExecutionRecord) -> None:
    base = cycles(record, Setting())
    slow = cycles(record, Setting(caches_on=False))
    assert slow > 1.5 * base
    assert cycles(record, Setting(caches_on=False, wait_states=0)) <= base
    waits = [cycles(record, Setting(caches_on=False, wait_states=n)) for n in (0, 1, 2, 5)]
    assert waits == sorted(waits) and waits[3] == slow
    assert waits[2] - waits[1] == waits[1] - waits[0]
    moved = cycles(record, Setting(caches_on=False, places=((".text", "SRAM1"),)))
    assert moved < slow and base < slow
    assert cycles(record, Setting(clock_hz=20_000_000, caches_on=False)) == waits[0]


def test_a_section_a_function_and_a_region_can_be_moved(record: ExecutionRecord) -> None:
    text = next(s for s in record.sections if s.name == ".text")
    fir = next(f for f in record.functions if f.name == "fir_q15")
    pricer = pricer_for(BOARD)

    def placed(what: str) -> tuple[Moved, ...]:
        return supposing(record, pricer, Setting(places=((what, "SRAM1"),))).memory.placement

    assert placed(".text") == (Moved(text.address, text.address + text.size_bytes, "SRAM1"),)
    assert placed("fir_q15") == (Moved(fir.address, fir.address + fir.size_bytes, "SRAM1"),)
    assert placed("FLASH") == (Moved(0x08000000, 0x08200000, "SRAM1"),)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((".texd", "SRAM1"), "'.texd' is no section, function or region of this run"),
        ((".text", "SRAM9"), "board nucleo-l4r5zi has no region 'SRAM9'"),
    ],
)
def test_unknown_places_are_refused(record: ExecutionRecord, place: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        supposing(record, pricer_for(BOARD), Setting(places=(place,)))


def test_a_section_that_the_board_has_no_memory_for_cannot_be_moved(record: ExecutionRecord) -> None:
    with pytest.raises(InputError, match=r"\.text lies at 0x08000\w+, where board rpi-pico has no memory"):
        supposing(record, pricer_for("rpi-pico"), Setting(places=((".text", "SRAM"),)))


def test_accesses_that_reach_beyond_what_is_moved_are_counted(record: ExecutionRecord) -> None:
    low, high = np.array([0x100, 0x0F0, -1, 0x1F0, 0x300]), np.array([0x103, 0x10F, -1, 0x200, 0x303])
    made = replace(record, site_low=low, site_high=high, sections=(Section(".rodata", 0x100, 0x100),))
    assert straddling(made, (Moved(0x100, 0x200, "SRAM1"),)) == 2
    assert straddling(made, ()) == 0


@pytest.mark.parametrize(
    ("factor", "change"), [(1, "+0.0 %"), (0.9999, "+0.0 %"), (1.0001, "+0.0 %"), (0.9, "-10.0 %"), (1.024, "+2.4 %")]
)
def test_no_change_has_no_minus(record: ExecutionRecord, factor: float, change: str) -> None:
    profile = price(record, pricer_for(BOARD))
    other = replace(profile, cycles=replace(profile.cycles, nominal=factor * profile.cycles.nominal))
    table = rows((Supposed(Setting(), profile), Supposed(Setting(wait_states=0), other)))
    assert [row[3] for row in table] == ["+0.0 %", change]


def test_the_command_prices_one_setting_as_a_profile(stored: str) -> None:
    result = CliRunner().invoke(
        run, ["--from-record", stored, "-b", BOARD, "--clock", "80MHz", "--wait-states", "2", "--cache", "off"]
    )
    assert result.exit_code == 0, result.output
    assert "fir_q15" in result.output and "80 MHz" in result.output


def test_the_command_shows_several_as_a_table(stored: str, tmp_path: Path) -> None:
    target = tmp_path / "table.json"
    arguments = ["--from-record", stored, "-b", BOARD, "--clock", "80MHz", "--clock", "20MHz", "--cache", "off"]
    result = CliRunner().invoke(run, [*arguments, "--place", ".text=SRAM1", "--json", str(target)])
    assert result.exit_code == 0, result.output
    rows = json.loads(target.read_text())["rows"]
    assert len(rows) == 3 * 2 * 2
    assert rows[0]["options"] == "as it is" and rows[0]["clock_hz"] == 120_000_000
    assert [r["options"] for r in rows if r["options"].count("--") == 3] == [
        "--clock 80MHz --cache off --place .text=SRAM1",
        "--clock 20MHz --cache off --place .text=SRAM1",
    ]
    for row in rows:
        assert row["options"] in result.output
        assert row["cycles_low"] <= row["cycles"] <= row["cycles_high"]


def test_one_value_each_is_a_table_when_asked_for(stored: str) -> None:
    result = CliRunner().invoke(run, ["--from-record", stored, "-b", BOARD, "--cache", "off", "--table"])
    assert result.exit_code == 0
    assert "as it is" in result.output and "--cache off" in result.output


def test_a_table_of_nothing_is_refused(stored: str) -> None:
    result = CliRunner().invoke(run, ["--from-record", stored, "-b", BOARD, "--table"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("--table compares settings")

"""The board library: shipped boards, users' files, and boards that extend boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtarget.base.errors import InputError
from vtarget.data.board import Board, Region
from vtarget.shell import boardlib, datadir
from vtarget.shell.boardlib import board_names, board_path, core_names, load_board, load_core

SHIPPED = [
    "apollo3b-evb",
    "apollo4p-evb",
    "apollo510-evb",
    "disco-f407vg",
    "ek-ra6m4",
    "ek-ra8m1",
    "frdm-k64f",
    "frdm-mcxn947",
    "microbit-v2",
    "mimxrt1060-evk",
    "mps2-an385",
    "mps2-an386",
    "mps2-an500",
    "mps2-an505",
    "nrf52840dk",
    "nrf5340dk",
    "nucleo-f103rb",
    "nucleo-f446re",
    "nucleo-f746zg",
    "nucleo-g071rb",
    "nucleo-g0b1re",
    "nucleo-h743zi",
    "nucleo-h7a3zi-q",
    "nucleo-l073rz",
    "nucleo-l4r5zi",
    "nucleo-l552ze-q",
    "nucleo-u385rg-q",
    "nucleo-u575zi-q",
    "rpi-pico",
    "rpi-pico2",
    "xg24-dk2601b",
]

USER_BOARD = """\
name: mine
title: My board
core: cortex-m4
clock: {typical: 10 MHz, max: 10 MHz, source: me}
boot: {region: FLASH, source: me}
regions:
  - {name: FLASH, kind: flash, base: 0x0, size: 64 KiB, source: me}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs far from the checkout."""
    monkeypatch.chdir(tmp_path)


def one_line(name_or_path: str) -> str:
    with pytest.raises(InputError) as caught:
        load_board(name_or_path)
    return caught.value.one_line()


def test_the_shipped_boards() -> None:
    assert board_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_board_loads_with_its_sources(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.core in core_names()
    for source in sources(board):
        assert source.strip()
    assert board.power or any("power" in entry for entry in board.unknown)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_regions_of_a_shipped_board_overlap(name: str) -> None:
    regions = load_board(name).regions
    for region in regions:
        others = [r for r in regions if r is not region]
        assert not any(r.base < region.end and region.base < r.end for r in others)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_core_of_a_shipped_board_loads(name: str) -> None:
    board = load_board(name)
    assert load_core(board.core).name == board.core


@pytest.mark.parametrize("name", SHIPPED)
def test_wait_states_reach_up_to_the_highest_clock(name: str) -> None:
    board = load_board(name)
    states = [r.wait_states for r in board.regions if r.wait_states is not None and r.wait_states.table]
    assert all(s.table[-1].max_clock * s.clock_divider >= board.clock.max for s in states)
    waits = [[step.wait_states for step in s.table] for s in states]
    assert waits == [sorted(steps) for steps in waits]


def sources(board: Board) -> list[str]:
    found = [board.clock.source, board.boot.source]
    found += [s for region in board.regions for s in region_sources(region)]
    found += [s for unit in board.caches for s in (unit.source, unit.miss.source)]
    return found + [point.source for state in board.power for point in state.points]


def region_sources(region: Region) -> list[str]:
    parts = (region, region.wait_states, region.prefetch, region.data_access)
    return [part.source for part in parts if part is not None]


def test_facts_of_the_reference_board() -> None:
    board = load_board("nucleo-l4r5zi")
    assert (board.core, board.fpu, board.dsp, board.clock.max) == ("cortex-m4", "fpv4-sp", True, 120_000_000)
    extents = {r.name: (r.base, r.size) for r in board.regions}
    assert extents == {
        "FLASH": (0x08000000, 2 << 20),
        "SRAM1": (0x20000000, 192 << 10),
        "SRAM2": (0x10000000, 64 << 10),
        "SRAM2_ALIAS": (0x20030000, 64 << 10),
        "SRAM3": (0x20040000, 384 << 10),
    }
    flash = board.region("FLASH")
    assert flash.wait_states is not None
    steps = [(step.max_clock // 1_000_000, step.wait_states) for step in flash.wait_states.table]
    assert steps == [(20, 0), (40, 1), (60, 2), (80, 3), (100, 4), (120, 5)]
    run = board.power[0].points[0]
    assert (run.clock, run.nominal, run.low, run.high) == (120_000_000, 0.0417, 0.035, 0.0552)


def test_power_of_the_f407_is_the_datasheet_current_times_3v3() -> None:
    points = load_board("disco-f407vg").power[0].points
    milliamps = {16: 5, 30: 8, 60: 14, 90: 20, 120: 26, 144: 31, 168: 40}
    assert [p.clock // 1_000_000 for p in points] == list(milliamps)
    for point in points:
        assert point.nominal == pytest.approx(milliamps[point.clock // 1_000_000] * 3.3e-3, rel=0.005)
        assert point.low == pytest.approx(point.nominal * 0.65, rel=0.01)
        assert point.high == pytest.approx(point.nominal * 1.35, rel=0.01)


# Milliamperes by MHz: DS12110 Rev10 Table 30, DS5319 Rev19 Table 17.
DATASHEET_CURRENTS = [
    ("nucleo-h743zi", "run-itcm", {144: 25, 200: 33, 216: 37, 300: 50, 400: 71}),
    ("nucleo-f103rb", "run", {8: 4.6, 24: 10.1, 36: 14.8, 48: 18.6, 72: 27}),
]


@pytest.mark.parametrize(("name", "state", "milliamps"), DATASHEET_CURRENTS)
def test_power_of_other_datasheets(name: str, state: str, milliamps: dict[int, float]) -> None:
    (points,) = (found.points for found in load_board(name).power if found.name == state)
    assert [p.clock // 1_000_000 for p in points] == list(milliamps)
    for point in points:
        assert point.nominal == pytest.approx(milliamps[point.clock // 1_000_000] * 3.3e-3, rel=0.006)
        assert point.low == pytest.approx(point.nominal * 0.65, rel=0.01)
        assert point.high == pytest.approx(point.nominal * 1.35, rel=0.01)


# Milliwatts of ad, kws, ic and vww: MLPerf Tiny v1.2 and v0.7 at 3.0 V, v1.3 at 1.8 V.
MLPERF_MILLIWATTS = [
    ("nucleo-h7a3zi-q", 280, (135.63, 121.86, 125.15, 124.80)),
    ("nucleo-u385rg-q", 96, (5.90, 5.09, 5.30, 5.26)),
    ("ek-ra6m4", 200, (71.17, 74.74, 71.87, 73.94)),
]


@pytest.mark.parametrize(("name", "clock_mhz", "milliwatts"), MLPERF_MILLIWATTS)
def test_power_measured_on_models_is_their_mean_within_its_bounds(
    name: str, clock_mhz: int, milliwatts: tuple[float, ...]
) -> None:
    point = load_board(name).power[0].points[-1]
    assert point.clock == clock_mhz * 1_000_000
    assert point.nominal == pytest.approx(sum(milliwatts) / len(milliwatts) * 1e-3, rel=0.002)
    assert (point.low, point.high) == pytest.approx((point.nominal * 0.84, point.nominal * 1.4), rel=0.005)
    assert all(point.low < measured * 1e-3 < point.high for measured in milliwatts)


def test_figures_without_a_source_say_so_and_are_no_narrower_than_half() -> None:
    points = [point for name in SHIPPED for state in load_board(name).power for point in state.points]
    doubtful = [p for p in points if any(word in p.source for word in ("recalled", "unverified"))]
    assert doubtful
    for point in doubtful:
        assert point.low <= point.nominal * 0.505
        assert point.high >= point.nominal * 1.495


def test_flash_of_the_h743_waits_by_half_the_core_clock() -> None:
    waits = load_board("nucleo-h743zi").region("FLASH").wait_states
    assert waits is not None
    assert waits.clock_divider == 2
    assert [(step.max_clock // 1_000_000, step.wait_states) for step in waits.table] == [(70, 0), (140, 1), (240, 2)]


def test_tcms_and_ocram_of_the_rt1060_share_its_ram() -> None:
    board = load_board("mimxrt1060-evk")
    assert sum(board.region(name).size for name in ("ITCM", "DTCM", "OCRAM")) == 1 << 20  # OCRAM2 and the FlexRAM


def test_vector_tables_of_boards_with_boot_loaders() -> None:
    assert load_board("rpi-pico").vector_addresses() == (0x10000100, 0x10000000)
    assert load_board("apollo3b-evb").vector_addresses() == (0xC000, 0x0)
    assert load_board("apollo4p-evb").vector_addresses() == (0x18000, 0x0)
    assert load_board("nrf52840dk").vector_addresses() == (0x0, 0x1000, 0x26000, 0x27000)
    assert load_board("microbit-v2").vector_addresses() == (0x0, 0x1000, 0x1C000)
    assert load_board("mimxrt1060-evk").vector_addresses() == (0x60002000, 0x60000000)
    assert load_board("mps2-an505").vector_addresses() == (0x10000000,)


def test_boards_that_extend_an386() -> None:
    m4, m3, m7 = (load_board(f"mps2-an{n}") for n in (386, 385, 500))
    assert (m3.core, m3.fpu, m3.dsp) == ("cortex-m3", None, False)
    assert m3.regions == m4.regions
    assert m3.debug.console == m4.debug.console
    assert m7.region("PSRAM").base == 0x60000000
    assert [r.name for r in m7.regions].count("BRAM") == 0
    assert m7.clock == m4.clock


def test_an_unknown_name() -> None:
    assert one_line("nucleo_l4r5zi") == (
        "no board 'nucleo_l4r5zi' (hint: did you mean 'nucleo-l4r5zi'? 'vtarget boards list' shows all)"
    )
    assert one_line("zzz") == "no board 'zzz' (hint: 'vtarget boards list' shows all)"


def test_a_path_is_taken_as_it_is() -> None:
    assert board_path("some/where") == Path("some/where")
    assert board_path("mine.yml") == Path("mine.yml")
    assert board_path("rpi-pico").name == "rpi-pico.yaml"
    assert one_line("none.yaml") == "none.yaml: can't be read: No such file or directory"


def test_a_users_board_from_any_path() -> None:
    Path("deep").mkdir()
    Path("deep/mine.yaml").write_text(USER_BOARD)
    assert load_board("deep/mine.yaml").title == "My board"
    assert load_board(str(Path("deep/mine.yaml").resolve())).title == "My board"


def test_an_unknown_core() -> None:
    Path("b.yaml").write_text(USER_BOARD.replace("cortex-m4", "cortex-m44"))
    assert one_line("b.yaml") == "b.yaml:3: core: no core 'cortex-m44' (hint: did you mean 'cortex-m4'?)"
    with pytest.raises(InputError) as caught:
        load_core("cortex-m44")
    assert caught.value.one_line() == "no core 'cortex-m44' (hint: did you mean 'cortex-m4'?)"


def test_a_core_by_path_is_relative_to_the_board() -> None:
    Path("deep").mkdir()
    core_text = (datadir.boards_dir() / "cores" / "cortex-m4.yaml").read_text()
    Path("deep/own.yaml").write_text(core_text)
    Path("deep/b.yaml").write_text(USER_BOARD.replace("cortex-m4", "./own.yaml"))
    board = load_board("deep/b.yaml")
    assert Path(board.core) == Path("deep/own.yaml")
    assert load_core(board.core) == load_core("cortex-m4")
    Path("deep/own.yaml").unlink()
    assert one_line("deep/b.yaml") == (
        "deep/b.yaml:3: core: there is no file './own.yaml' (hint: it is taken relative to deep)"
    )


def test_extending_merges_mappings_and_replaces_lists() -> None:
    Path("a.yaml").write_text(USER_BOARD)
    Path("b.yaml").write_text(
        "extends: ./a.yaml\nname: b\ntitle: B\nclock: {typical: 5 MHz}\n"
        "regions:\n  - {name: FLASH, kind: rom, base: 0x0, size: 1 KiB, source: you}\n"
    )
    board = load_board("b.yaml")
    assert (board.clock.typical, board.clock.max, board.clock.source) == (5_000_000, 10_000_000, "me")
    assert [(r.kind.value, r.size) for r in board.regions] == [("rom", 1024)]


def test_a_users_board_extends_a_shipped_one() -> None:
    Path("b.yaml").write_text("extends: nucleo-l4r5zi\nname: b\ntitle: B\nclock: {typical: 80 MHz}\n")
    board = load_board("b.yaml")
    assert (board.name, board.clock.typical, board.clock.max) == ("b", 80_000_000, 120_000_000)
    assert board.regions == load_board("nucleo-l4r5zi").regions


EXTENDING = [
    ("extends: b.yaml\n", "b.yaml:1: extends: b.yaml extends this file in turn"),
    ("extends: c.yaml\n", "c.yaml:1: extends: b.yaml extends this file in turn"),
    ("name: b\nextends: [a.yaml]\n", "b.yaml:2: extends: give the name or the path of one board"),
    ("extends: rpi-pica\n", "b.yaml:1: extends: no board 'rpi-pica' (hint: did you mean 'rpi-pico'?)"),
    ("extends: ./no.yaml\n", "b.yaml:1: extends: there is no file './no.yaml' (hint: it is taken relative to .)"),
    ("extends: a.yaml\ntitle: B\n", "b.yaml:1: 'name' is missing"),
    (
        "extends: a.yaml\nname: b\ntitle: B\nclock:\n  typical: 99 MHz\n",
        "b.yaml:5: clock.typical: typical is above max",
    ),
    ("extends: a.yaml\nname: b\ntitle: B\nclock: {tipical: 1 MHz}\n",
     "b.yaml:4: clock: unknown key 'tipical' (hint: did you mean 'typical'?)"),
    ("extends: a.yaml\nname: b\ntitle: B\nboot: {region: RAM}\n",
     "b.yaml:4: boot.region: 'RAM' is no region of this board (hint: known: FLASH)"),
    ("extends: bad.yaml\nname: b\ntitle: B\n", "bad.yaml:7: regions.0.size: '64 MHz' is not a size in bytes"
     " (hint: MHz is the unit of a frequency; write it like '192 KiB')"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), EXTENDING)
def test_what_is_wrong_with_an_extension_names_file_and_line(text: str, expected: str) -> None:
    Path("a.yaml").write_text(USER_BOARD)
    Path("bad.yaml").write_text(USER_BOARD.replace("64 KiB", "64 MHz"))
    Path("c.yaml").write_text("extends: b.yaml\n")
    Path("b.yaml").write_text(text)
    assert one_line("b.yaml") == expected


def test_an_installed_package_has_its_data_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "vtarget"
    (package / "_data" / "boards").mkdir(parents=True)
    (package.parent / "boards").mkdir()
    monkeypatch.setattr(datadir, "_PACKAGE", package)
    assert datadir.boards_dir() == package / "_data" / "boards"
    assert boardlib.board_names() == []


def test_an_installation_without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datadir, "_PACKAGE", tmp_path / "site" / "vtarget")
    with pytest.raises(InputError) as caught:
        datadir.firmware_dir()
    assert caught.value.one_line() == (
        "the firmware directory is missing from this installation (hint: install vtarget again)"
    )

"""Recordings in each format: the same board gives the same energies, and what is malformed is refused by its line."""

from __future__ import annotations

import os
import re
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import powerlib as lib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtarget.app.power_cmd import FORMATS as OFFERED
from vtarget.base.errors import InputError, VtargetError
from vtarget.data.measurement import PowerWindow
from vtarget.shell.power import jls, table
from vtarget.shell.power.formats import AUTO, FORMATS, format_of
from vtarget.shell.powerimport import Imported, NamedSpan, PowerOptions, import_power

SOURCE = "JS220-000415"


def write(folder: Path, text: str | bytes, name: str = "x.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def near(row: PowerWindow, seconds: float, energy: float, spread: float | None = None) -> None:
    assert (row.seconds, row.energy_j) == pytest.approx((seconds, energy), rel=1e-6)
    assert spread is None or row.spread_j == pytest.approx(spread, rel=1e-5)


def is_the_board(found: Imported, spread: float | None = lib.SPREAD_J) -> None:
    (row,) = found.windows
    assert (row.name, row.count) == ("run", 3)
    near(row, lib.SECONDS, lib.ENERGY_J, spread)
    assert found.idle is not None and found.idle.count == 2
    near(found.idle, lib.SECONDS, lib.IDLE_ENERGY_J)


def test_every_format_is_offered() -> None:
    assert (AUTO, *FORMATS) == OFFERED


@pytest.mark.parametrize("power", [True, False])
def test_joulescope_waveforms(tmp_path: Path, power: bool) -> None:
    path = write(tmp_path, lib.joulescope_text(power=power))
    assert format_of(path) == "joulescope-csv"
    found = import_power(path, PowerOptions(channel="gpi0"))
    is_the_board(found)
    assert found.windows[0].source == "x.csv (joulescope-csv), gpi0 high"


def test_joulescope_by_pyjls_and_names_of_channels(tmp_path: Path) -> None:
    path = write(tmp_path, lib.pyjls_text())
    for channel in ("gpi0", "gpi[0]", "0"):
        is_the_board(import_power(path, PowerOptions(channel=channel)))


def test_joulescope_statistics_end_at_their_times(tmp_path: Path) -> None:
    path = write(tmp_path, lib.statistics_text())
    spans = (NamedSpan("run", 0.1, 0.2), NamedSpan("run", 0.3, 0.4), NamedSpan("sleep", 0.2, 0.3))
    run, sleep = import_power(path, PowerOptions(spans=spans)).windows
    near(run, 0.1, 6e-3)
    near(sleep, 0.1, 3e-3)
    assert (run.count, sleep.count, sleep.name) == (2, 1, "sleep")
    assert run.source == "x.csv (joulescope-csv), by time"


def test_a_thinned_out_export_keeps_the_edges_within_samples() -> None:
    (row,) = import_power(str(lib.SAMPLES / "joulescope-waveform.csv"), PowerOptions(channel="gpi0")).windows
    near(row, 0.1, 6e-3, 0.3e-3 + 2 * 630e-6)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("channel", ["D2", "2", "d2"])
def test_ppk2(tmp_path: Path, packed: bool, channel: str) -> None:
    path = write(tmp_path, lib.ppk2_text(packed=packed))
    assert format_of(path) == "ppk2-csv"
    is_the_board(import_power(path, PowerOptions(channel=channel, volts=3.0)))


@pytest.mark.parametrize("name", ["ppk2-columns.csv", "ppk2-packed.csv"])
def test_ppk2_samples(name: str) -> None:
    is_the_board(import_power(str(lib.SAMPLES / name), PowerOptions(channel="D2", volts=3.0)))


def test_ppk2_states_that_are_letters(tmp_path: Path) -> None:
    rows = ["0,1000,-", "1,1000,0", "2,1000,X", "3,1000,1", "4,1000,-", "5,1000,0", "6,1000,0"]
    path = write(tmp_path, "Timestamp(ms),Current(uA),D0\n" + "\n".join(rows) + "\n")
    (row,) = import_power(path, PowerOptions(channel="D0", volts=2.0)).windows
    near(row, 0.0025, 0.0025 * 2e-3)  # half of the sample at 2 ms, and on to 5 ms: '-' is as it was
    both = write(tmp_path, "Timestamp(ms),Current(uA),D0-D7\n0,1,-0000000\n1,1,1X000000\n2,1,00000000\n3,1,00000000\n")
    assert import_power(both, PowerOptions(channel="D0", volts=2.0)).windows[0].seconds == 0.001


@pytest.mark.parametrize("power", [False, True])
def test_otii_directories(tmp_path: Path, power: bool) -> None:
    folder = str(lib.write_otii(tmp_path / "rec", power=power, device="Ace"))
    assert format_of(folder) == "otii-csv"
    for channel in ("gpi1", "GPI1", "i1"):
        is_the_board(import_power(folder, PowerOptions(channel=channel)))


def test_otii_files(tmp_path: Path) -> None:
    is_the_board(import_power(str(lib.SAMPLES / "otii"), PowerOptions(channel="gpi1")))
    is_the_board(import_power(str(lib.SAMPLES / "otii-table.csv"), PowerOptions(channel="gpi1")))
    alone = str(lib.SAMPLES / "otii" / "Main current - Arc.csv")
    (row,) = import_power(alone, PowerOptions(spans=(NamedSpan("run", 0.1, 0.2),), volts=3.0)).windows
    near(row, 0.1, 6e-3)
    with pytest.raises(InputError, match="its name doesn't say what its values are of"):
        import_power(write(tmp_path, "Timestamp,Value\n0,1\n"), PowerOptions())


@pytest.mark.parametrize("slower", [1, 10])
def test_jls(tmp_path: Path, slower: int) -> None:
    pytest.importorskip("pyjls", reason="the package pyjls is not installed")
    path = str(lib.write_jls(tmp_path / "x.jls", gpi_slower=slower))
    assert format_of(path) == "jls"
    is_the_board(import_power(path, PowerOptions(channel="gpi0")), None)
    of_power = lib.write_jls(tmp_path / "p.jls", ("power", "gpi[0]"))
    is_the_board(import_power(str(of_power), PowerOptions(channel="gpi0")))


def test_jls_files_that_cant_be_used(tmp_path: Path) -> None:
    pytest.importorskip("pyjls", reason="the package pyjls is not installed")
    good = lib.write_jls(tmp_path / "x.jls").read_bytes()
    cut_off = tmp_path / "cut.jls"
    cut_off.write_bytes(good[:5000])
    with pytest.raises(InputError, match=r"cut\.jls: was not closed or is cut off: 5000 bytes, its header says"):
        import_power(str(cut_off), PowerOptions())
    assert cut_off.read_bytes() == good[:5000]  # the package would have repaired it in its place
    wrong = bytearray(good)
    wrong[200:300] = bytes(100)
    with pytest.raises(InputError, match=r"wrong\.jls"):
        import_power(write(tmp_path, bytes(wrong), "wrong.jls"), PowerOptions())
    with pytest.raises(InputError, match="is no JLS file"):
        import_power(write(tmp_path, lib.joulescope_text()), PowerOptions(kind="jls"))
    with pytest.raises(InputError, match=r"no digital channel gpi3 \(hint: it has gpi0\)|no digital channel gpi3"):
        import_power(str(tmp_path / "x.jls"), PowerOptions(channel="gpi3"))


def test_jls_files_need_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyjls", None)
    closed = jls.MAGIC + (32).to_bytes(8, "little") + bytes(8)
    with pytest.raises(InputError, match="read by the package pyjls, which is not installed"):
        import_power(write(tmp_path, closed, "x.jls"), PowerOptions())


def test_autodeploy() -> None:
    path = str(lib.SAMPLES / "autodeploy.csv")
    assert format_of(path) == "autodeploy-csv"
    with pytest.raises(InputError, match="its windows are of HP and LP: pick one by --only"):
        import_power(path, PowerOptions())
    (hp,) = import_power(path, PowerOptions(only=re.compile("HP"))).windows
    assert (hp.count, hp.seconds, hp.energy_j, hp.spread_j) == (2, 0.008, 226e-6, 4e-6)
    assert hp.source == "autodeploy.csv (autodeploy-csv), kws HP"
    (lp,) = import_power(path, PowerOptions(only=re.compile("LP"))).windows
    assert (lp.count, lp.seconds, lp.energy_j) == (2, 0.020, 160e-6)
    (vww,) = import_power(str(lib.SAMPLES / "autodeploy-hp-only.csv"), PowerOptions()).windows
    assert (vww.count, vww.energy_j) == (1, 1.4e-3)


def test_autodeploy_lines_that_contradict_themselves(tmp_path: Path) -> None:
    rows = lib.autodeploy_row("a", (8.0, 224.0, 28.0), (0, 0, 0)) + lib.autodeploy_row(
        "b", (10.249, 159.257, 9.346), (0, 0, 0)
    )
    path = write(tmp_path, lib.AUTODEPLOY_HEADER + rows)
    with pytest.raises(InputError, match=r"line 3: HP: 159\.257 uJ in 10\.249 ms is not 9\.346 mW"):
        import_power(path, PowerOptions())


def test_heliaprofiler(tmp_path: Path) -> None:
    found = import_power(str(lib.SAMPLES / "heliaprofiler.csv"), PowerOptions())
    assert [(w.seconds, w.energy_j, w.count) for w in found.windows] == [(6.0, 0.06, 1), (5.0, 0.05, 1)]
    assert found.windows[0].spread_j == pytest.approx(2 * 0.06 / 6000)  # a packet at either edge
    (whole,) = import_power(str(lib.SAMPLES / "heliaprofiler-on-device.csv"), PowerOptions()).windows
    assert (whole.seconds, whole.energy_j) == (11.0, 0.11)
    ungated = write(tmp_path, lib.helia_text(gated=False, scope="free_form_capture"))
    with pytest.raises(InputError, match="only the whole capture was measured"):
        import_power(ungated, PowerOptions())


BAD_TABLES = {
    "": "is empty",
    "\n": "line 1 is empty",
    "a,b,c\n1,2,3\n": "line 1: no known format has the columns 'a, b, c'",
    "time,current\n": "line 2: no samples before the end of the file",
    "time,current\n0,1\n1,2,3\n": "line 3: has 3 columns, not 2",
    "time,current\n0,1\n1\n": "line 3: has 1 column, not 2",
    "time,current\n0,1\n\n2,1\n": "line 3: is empty",
    "time,current\n0,1\n1,abc\n": "line 3: 'abc' in column current is not a number",
    "time,current\n0,1\n1,nan\n": "line 3: 'nan' in column current is not a number",
    "time,current\n0,1\n1,inf\n": "line 3: 'inf' in column current is not a number",
    "time,current\n0,1\n1,1_0\n": "line 3: '1_0' in column current is not a number",
    "time,current\n0,1\n1,1e999\n": "line 3: '1e999' in column current is too large",
    "time,current\n0,1\n1,1e16\n": "line 3: '1e16' in column current is too large",
    "time,current\n0,1\n1,\n": "line 3: '' in column current is not a number",
    "time,current\n0,1\n2,1\n1,1\n": "line 4: time goes back from 2 to 1",
    "time,current\n0,1\n1,1\n2": "line 4: has 1 column, not 2",
    "time,current\n0,1\n1,1\n2,1e": "line 4: '1e' in column current is not a number",
    "time,current\n0,1\n0,1\n0,1\n": "no time passes in it",
    "time,i,current\n0,1,1\n": "line 1: two columns of current: i and current",
    "time,voltage,power,p\n0,1,1,1\n": "line 1: two columns of power: power and p",
    "time," + "x," * 40_000 + "current\n": "line 1 is longer than 65536 bytes",
    "time,current\n0,1\n" + "1," * 2_000_000: "line 3: is longer than 65536 bytes",
    "time,current\n0,1\n" + "1," * 2_000_000 + "1\n": "line 3: ",
    "Current(uA),D0\n1,0\n": "line 1: no column Timestamp(ms)",
}


@pytest.mark.parametrize("text", BAD_TABLES, ids=[f"{n}" for n in range(len(BAD_TABLES))])
def test_what_is_malformed_is_refused_by_its_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        import_power(path, PowerOptions(volts=3.0))
    assert BAD_TABLES[text] in caught.value.message and path in caught.value.message
    assert len(caught.value.one_line()) < 400 and "\n" not in caught.value.one_line()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("time,current\n0,1\n".encode("utf-16"), "line 1: is UTF-16"),
        (b"t\xffme,current\n0,1\n", "line 1: byte 2 is not UTF-8"),
        (b"time,cur\0rent\n0,1\n", "line 1: is not text"),
        (b"time,current\n0,1\n1,\xff\n", "line 3: '\\xff' in column current is not a number"),
        (b"time,current\n0,1\n1,1\0\n", "line 3: "),
        (b"time,current\n" + b"\0" * 500_000, "line 2: is longer than"),
    ],
)
def test_other_encodings_are_refused(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        import_power(write(tmp_path, data), PowerOptions(volts=3.0))
    assert says in caught.value.message


BAD_STATES = {
    "Timestamp(ms),Current(uA),D0\n0,1,0\n1,1,7\n": "line 3: '7' in column D0 is no state of a channel",
    "Timestamp(ms),Current(uA),D0\n0,1,0\n1,1,Z\n": "line 3: 'Z' in column D0 is not a number",
    "Timestamp(ms),Current(uA),D0-D7\n0,1,00000000\n1,1,0X-2\n": "line 3: '0X-2' is not eight states of 0, 1, X or -",
    "Timestamp(ms),Current(uA),D0-D7\n0,1,00000000\n1,1,22222222\n": "line 3: '22222222' is not eight states",
    "Timestamp(ms),Current(uA)\n0,1\n1,1\n": "no digital channel D0",
    "Timestamp(ms),Current(uA),D0\n0,1,0\n1,1,0\n": "channel D0 is never high: no window",
    "Timestamp(ms),Current(uA),D0\n0,1,0\n1,1,1\n": "channel D0 is high at an end of the recording only: no window",
    "Timestamp(ms),Current(uA),D0\n0,1,0\n1,-9,1\n2,1,0\n3,1,0\n": "window run at 0.001 s: -2.7e-08 J is negative",
}


@pytest.mark.parametrize("text", BAD_STATES, ids=[f"{n}" for n in range(len(BAD_STATES))])
def test_channels_that_cut_nothing(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        import_power(write(tmp_path, text), PowerOptions(channel="D0", volts=3.0))
    assert BAD_STATES[text] in caught.value.message


BAD_RESULTS = {
    lib.AUTODEPLOY_HEADER + "a,b\n": "line 2: has 2 columns, not 29",
    lib.AUTODEPLOY_HEADER + lib.autodeploy_row("a", (1, 1, 1), (0, 0, 0)).replace(",1,1,1,", ",1,x,1,"): "line 2: 'x'",
    lib.AUTODEPLOY_HEADER: "nothing in it was measured",
    "scope,metric,value\ngated_window_0,energy_j,nan\n": "line 2: 'nan' in column value is not a figure of at least 0",
    "scope,metric,value\ngated_window_0,energy_j,-1\n": "line 2: '-1' in column value",
    "scope,metric,value\ngated_window_0,energy_j\n": "line 2: has 2 columns, not 3",
    "scope,metric,value\ngated_window_0,energy_j,1\n": "gated_window_0 has no duration_s",
    "scope,metric,value\ngated_window_0,energy_j,1\n"
    "gated_window_0,energy_j,1\n": "line 3: gated_window_0 energy_j is there twice",
    'scope,metric,value\ngated_window_0,"energy_j,1\n': "line 2: ",
    "scope,metric,value\n": "only the whole capture was measured",
}


@pytest.mark.parametrize("text", BAD_RESULTS, ids=[f"{n}" for n in range(len(BAD_RESULTS))])
def test_result_files_that_are_no_good(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        import_power(write(tmp_path, text), PowerOptions())
    assert BAD_RESULTS[text] in caught.value.message


def test_options_that_dont_fit_the_recording(tmp_path: Path) -> None:
    joulescope, ppk2 = write(tmp_path, lib.joulescope_text()), str(lib.SAMPLES / "ppk2-columns.csv")
    helia = str(lib.SAMPLES / "heliaprofiler.csv")
    for source, options, says in (
        (ppk2, PowerOptions(channel="D2"), "it has currents but no voltage: --voltage is missing"),
        (joulescope, PowerOptions(channel="gpi0", volts=3.0), "--voltage: .* has its own"),
        (joulescope, PowerOptions(channel="gpi5"), "no digital channel gpi5"),
        (joulescope, PowerOptions(kind="ppk2-csv"), "line 1: the columns are not those of ppk2-csv"),
        (joulescope, PowerOptions(kind="autodeploy-csv"), "line 1: no columns 'Model Filename'"),
        (joulescope, PowerOptions(only=re.compile("x")), "--only: joulescope-csv is cut here"),
        (helia, PowerOptions(channel="gpi0"), "has windows already"),
        (helia, PowerOptions(only=re.compile("nothing")), "nothing in it was measured that --only picks"),
        (str(tmp_path), PowerOptions(), "no file such as 'Main current - Arc.csv' in it"),
        (str(tmp_path / "none.csv"), PowerOptions(), "none.csv: No such file"),
    ):
        with pytest.raises(InputError, match=says):
            import_power(source, options)
    lib.write_otii(tmp_path)
    lib.write_otii(tmp_path, device="Ace")
    with pytest.raises(InputError, match=r"two files of gpi1: GPI1 - Ace\.csv and GPI1 - Arc\.csv"):
        import_power(str(tmp_path), PowerOptions())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for place, says in ((str(pipe), "is no regular file"), ("/dev/zero", "is no regular file"), ("a\0b", "null")):
        for kind in (AUTO, *FORMATS):
            with pytest.raises(InputError, match=says):
                import_power(place, PowerOptions(kind=kind))


def test_windows_in_which_no_time_passes_are_none(tmp_path: Path) -> None:
    rows = "0,1,0\n1,1,1\n1,1,0\n2,1,0\n3,1,1\n4,1,0\n5,1,0\n"
    (row,) = import_power(write(tmp_path, f"time,power,gpi[0]\n{rows}"), PowerOptions(channel="0")).windows
    assert (row.count, row.seconds, row.energy_j) == (1, 1.0, 1.0)


def test_a_last_line_without_end_is_not_used(tmp_path: Path) -> None:
    found = import_power(write(tmp_path, "time,power\n0,1\n1,1\n2,5e-0"), PowerOptions())
    assert found.windows[0].energy_j == 2.0
    assert "line 4 has no end and is not used" in found.notes


def test_other_line_ends_and_decimal_commas(tmp_path: Path) -> None:
    for text in (
        "\ufefftime,power\r\n0,1.5\r\n1,1.5\r\n",
        "time;power\n0;1,5\n1;1,5\n",
        "# time\tpower\n0\t1.5\n1\t1.5\n\n\n",
        "time,power,charge\n0,15e-1, \n1, 1.5 ,x\n",
    ):
        found = import_power(write(tmp_path, text), PowerOptions())
        assert [(w.seconds, w.energy_j) for w in found.windows] == [(2.0, 3.0)]
        assert found.notes == ("run: the whole recording is one window",)


def test_blocks_dont_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, lib.ppk2_text())
    options = PowerOptions(channel="D2", volts=3.0)
    expected = import_power(path, options)
    for size in (64, 100, 1000):
        monkeypatch.setattr(table, "BLOCK_BYTES", size)
        assert import_power(path, options) == expected
    lines = lib.ppk2_text().splitlines()
    lines[500] = lines[500].replace(",", ";", 1)
    with pytest.raises(InputError, match="line 501: has 9 columns, not 10"):
        import_power(write(tmp_path, "\n".join(lines) + "\n"), options)


def test_long_recordings_take_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BLOCK_BYTES", 1 << 16)
    path = tmp_path / "long.csv"
    rows = lib.ppk2_text().partition("\n")[2]
    with path.open("w", encoding="utf-8") as file:
        file.write(lib.ppk2_text().partition("\n")[0] + "\n")
        plain = [line.partition(",") for line in rows.splitlines()]
        for number in range(150):
            file.write("".join(f"{float(t) + number * 700:g},{rest}\n" for t, _, rest in plain))
    size = path.stat().st_size
    assert size > 3e6
    tracemalloc.start()
    found = import_power(str(path), PowerOptions(channel="D2", volts=3.0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.windows[0].count == 450
    near(found.windows[0], 0.1, 6e-3)
    assert peak < 1.5e6


@given(
    st.binary(max_size=300),
    st.sampled_from(
        ["time,current\n", "Timestamp(ms),Current(uA),D0-D7\n", "Timestamp,Value\n", "scope,metric,value\n", ""]
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_raises_anything_else(tmp_path: Path, data: bytes, header: str) -> None:
    path = write(tmp_path, header.encode() + data, "Main current - Arc.csv")
    for channel in (None, "0"):
        try:
            found = import_power(path, PowerOptions(channel=channel, volts=3.0))
        except VtargetError as error:
            assert "\n" not in error.one_line()
        else:
            assert all(window.energy_j >= 0 and window.seconds > 0 for window in found.windows)


@given(st.integers(0, 699), st.sampled_from(["", "x", "nan", "1,1", "-", "\n", "0"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_line_that_is_wrong_is_named(tmp_path: Path, row: int, instead: str) -> None:
    lines = lib.pyjls_text().splitlines()
    fields = lines[row + 1].split(",")
    fields[1] = instead
    lines[row + 1] = ",".join(fields)
    path = write(tmp_path, "\n".join(lines) + "\n")
    if instead == "0":
        assert import_power(path, PowerOptions(channel="gpi0")).windows[0].count == 3
        return
    with pytest.raises(InputError, match=f"line {row + 2}: "):
        import_power(path, PowerOptions(channel="gpi0"))


def test_a_window_of_one_file_is_that_of_another(tmp_path: Path) -> None:
    """All formats tell of one board: equal but for their names."""
    options = PowerOptions(channel="gpi0")
    one = import_power(write(tmp_path, lib.joulescope_text(power=False)), options).windows[0]
    two = import_power(write(tmp_path, lib.ppk2_text(channel=0)), replace(options, channel="D0", volts=3.0)).windows[0]
    assert np.allclose([one.energy_j, one.seconds, one.spread_j], [two.energy_j, two.seconds, two.spread_j])

"""Images that lie in RAM, on a board that boots from flash: the probe does what a reset would, from their vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakeboard import FLASH, RAM, At, FakeBoard
from fakeboard import served as answered
from firmwarelib import FIRMWARE, build, needs_compiler
from machinelib import EXAMPLES, vtarget
from test_boardrun import END, F, bench, call, pick
from test_twin import Served, served

from vtarget.data.calibration import AppliedCalibration
from vtarget.data.image import Image, Segment
from vtarget.shell.calibrationfile import load_calibration
from vtarget.shell.measurementfile import load_measurement
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.probes.starting import start_from, table_in_ram
from vtarget.shell.running import execute, load_firmware, price, pricer_for
from vtarget.shell.scb import VTOR

__all__ = ["served"]

L4 = "nucleo-l4r5zi"
SRAM2 = 0x10000000  # code memory, which the comparators of a Cortex-M4 reach


@pytest.fixture(scope="module")
def fir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``fir``, linked for a board that is said to boot from SRAM2."""
    folder = tmp_path_factory.mktemp("ram")
    text = (FIRMWARE.parent / "boards" / f"{L4}.yaml").read_text()
    assert text.count("  region: FLASH\n") == 1
    board = folder / "ram.yaml"
    board.write_text(text.replace("  region: FLASH\n", "  region: SRAM2\n"))
    source = FIRMWARE / "examples" / "fir.c"
    built: list[Path] = build.build([build.Program(source, "m4f", str(board), "fir-ram.elf")], folder)
    return built[0]


@needs_compiler
def test_an_image_in_ram_is_measured_although_the_board_boots_another(
    fir: Path, tmp_path: Path, served: list[Served]
) -> None:
    served.append(Served(L4, 4, tmp_path, 3))
    files = {}
    for firmware in (EXAMPLES / "fft-m4f.elf", fir, EXAMPLES / "fft-m4f.elf"):
        if files:
            served[0].waits()
        files[firmware] = tmp_path / f"{firmware.stem}.json"
        flash = ("--no-flash",) if firmware.stem in files else ()
        measure = ("measure", firmware, "-b", L4, "--probe", f"gdb:{served[0].place}", "--repeat", "1", *flash)
        ran = vtarget(*measure, "-o", files[firmware], "--quiet")
        assert ran.code == 0, ran.err
    truth = AppliedCalibration("truth", load_calibration(str(served[0].truth)))
    pricer = pricer_for(L4)
    for firmware, name in ((fir, "fir_q15"), (EXAMPLES / "fft-m4f.elf", "fft_stages")):
        found = load_measurement(str(files[firmware]))
        profile = price(execute(firmware, pricer).record, pricer, calibration=truth)
        (true,) = (kernel for kernel in profile.kernels if kernel.name == name)
        (timed,) = (kernel for kernel in found.kernels if kernel.name == name)
        assert (timed.calls, timed.total_cycles) == (true.calls, pytest.approx(true.total_cycles, rel=0.006))
        assert found.exit_code == 0 and found.console
        assert not any("VTOR" in note for note in found.notes)


@needs_compiler
def test_where_a_table_is_that_no_reset_finds(fir: Path) -> None:
    pricer = pricer_for(L4)
    assert table_in_ram(load_firmware(fir, pricer), pricer.board) == SRAM2
    assert table_in_ram(load_firmware(EXAMPLES / "fir-m4f.elf", pricer), pricer.board) is None
    an386 = pricer_for("mps2-an386")  # boots from RAM
    rtos = load_firmware(FIRMWARE / "rtos" / "rtos-m4f.elf", an386)
    assert table_in_ram(rtos, an386.board) is None
    behind = at(FLASH + 0x8000)  # a loader in front of it starts it
    assert table_in_ram(behind, pricer.board) is None
    assert table_in_ram(at(RAM), pricer.board) == RAM
    nothing = Image("data.bin", "bin", "0" * 64, (Segment(RAM, RAM, bytes(64), 64, True),), None)
    assert table_in_ram(nothing, pricer.board) is None


def at(place: int) -> Image:
    """A table whose reset vector leads behind it."""
    data = (RAM + 0x1000).to_bytes(4, "little") + (place + 9).to_bytes(4, "little") + b"\xfe\xe7"
    return Image("fw.bin", "bin", "0" * 64, (Segment(place, place, data, len(data), True),), None)


def test_stack_pointer_entry_and_table_are_set() -> None:
    board = FakeBoard([At(FLASH + 0x100)])
    with answered(board) as port:
        probe = GdbProbe("127.0.0.1", port)
        assert start_from(probe, at(RAM), RAM) is None
        assert (probe.read_register("sp"), probe.read_register("pc")) == (RAM + 0x1000, RAM + 8)
        assert board.words[VTOR] == RAM
        board.answers[b"Me000ed08"] = b"E01"
        board.words[VTOR] = 0
        note = start_from(probe, at(RAM), RAM)
        assert note is not None and note.startswith("the image's vector table at 0x20000000 is not in force")
        del board.answers[b"Me000ed08"]
        board.answers[b"me000ed08"] = b"00000000"  # reads as zero where there is no VTOR
        assert start_from(probe, at(RAM), RAM) == note
        probe.close()


def test_an_image_in_flash_starts_as_reset_leaves_it() -> None:
    with bench([*call(F, 100), END]) as b:
        assert b.lap(pick(F)).calls == {F: [100]}
        assert not [p for p in b.board.packets if p.startswith((b"Pd=", b"Pf=", b"Me000ed08"))]

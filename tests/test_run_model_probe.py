"""``vtarget run --model --probe``: firmware that was not built here, fed on a board as on the virtual one."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buildlib import needs_gcc
from machinelib import CommandResult, vtarget
from test_gdb_server import debugged
from test_measuring import plain
from test_run_model import BOARD, SYMBOLS, made, needs_interpreter
from test_twin import Served, served

from vtarget.data.limits import RunLimits
from vtarget.data.modelprofile import MeasuredModel
from vtarget.logic.pricing import Pricer
from vtarget.logic.runtimereport import measured_lines
from vtarget.shell.feeding import BufferFeeder
from vtarget.shell.measuring import MeasureOptions
from vtarget.shell.ownruntime import Feeding, RuntimeJob, profile_facts, run_firmware
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.running import load_firmware, pricer_for
from vtarget.shell.runtimeboard import measure_runtime
from vtarget.shell.samples import seeded_samples
from vtarget.shell.targets import BoardTarget
from vtarget.shell.tflitefile import read_model

__all__ = ["made", "served"]
pytestmark = needs_gcc
LEFT = RunLimits(wall_seconds=1.0)  # how long a board runs on that nobody measures any more


def on_board(made: Path, firmware: str, model: str, *arguments: str | Path) -> CommandResult:
    elf = made / f"{firmware}.elf"
    with debugged(elf, BOARD, LEFT) as session:
        probe = ("--probe", f"gdb:{session.port}", "--repeat", "1")
        return vtarget("run", elf, "-b", BOARD, "--model", made / f"{model}.tflite", *probe, *arguments)


def document(done: CommandResult) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


@needs_interpreter
def test_a_function_is_fed_on_the_board_sample_by_sample(made: Path) -> None:
    arguments = (*SYMBOLS, "--samples", "3", "--seed", "7", "--input-at", "infer")
    found = document(on_board(made, "endless", "relu", *arguments, "--json", "-"))
    measured = found["measured"]
    assert measured["validation"]["bit_exact"] and measured["virtual_validation"]["bit_exact"]
    assert measured["same_outputs"] and measured["unstable_tensors"] == []
    assert measured["validation"]["crc32"] == found["validation"]["crc32"]
    assert not any("overhead" in note for note in measured["notes"])  # it was measured while samples came
    inference, (layer,) = measured["inference"], measured["layers"]
    assert layer["index"] == 0
    for row in (inference, layer):
        assert abs(row["error_pct"]) < 5 and row["measured_cycles"] > 0


@needs_interpreter
def test_a_firmware_is_started_on_the_board_for_each_sample(made: Path) -> None:
    done = on_board(made, "once", "relu", *SYMBOLS, "--samples", "2", "--seed", "7")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    (heading,) = (line for line in lines if " on the board nucleo-l4r5zi through gdb:" in line)
    assert heading.endswith("DWT_CYCCNT, 1 run, cycles")
    said = {line.partition("  ")[0]: line for line in lines}
    assert "outputs bit-exact against " in said["virtual"] and "2 samples, CRC" in said["virtual"]
    assert said["board"].split()[1:] == said["virtual"].split()[1:]
    assert "board : virtual outputs bit-exact against the virtual run, 2 samples, CRC " in done.out
    rows = [line.split() for line in lines[lines.index(heading) :]]
    assert any(row[:2] == ["0", "RELU"] and row[-1] == "%" for row in rows)


def test_kernels_are_measured_without_samples_too(made: Path) -> None:
    found = document(on_board(made, "evals", "chain", "--json", "-"))
    measured = found["measured"]
    assert [row["index"] for row in measured["layers"]] == [0, 1, 2, 3]
    assert measured["validation"] is measured["virtual_validation"] is measured["same_outputs"] is None
    spread = measured["inference"]["measured_spread"]
    assert measured["inference"]["estimated_cycles"] == found["samples"]["cycles"]["median"]
    assert 0 < spread["minimum"] <= spread["maximum"]


@needs_interpreter
def test_a_twin_takes_its_own_time_and_computes_the_same(made: Path, tmp_path: Path, served: list[Served]) -> None:
    served.append(Served(BOARD, 3, tmp_path, 1))
    firmware = (made / "endless.elf", "-b", BOARD, "--model", made / "relu.tflite", *SYMBOLS, "--input-at", "infer")
    done = vtarget("run", *firmware, "--probe", f"gdb:{served[0].place}", "--repeat", "2", "--json", "-")
    measured = document(done)["measured"]
    assert measured["virtual_validation"]["bit_exact"]
    assert 3 < abs(measured["inference"]["error_pct"]) < 40
    served[0].process.terminate()


class Liar:
    """A probe whose memory holds something else where the outputs are, in every second reading."""

    def __init__(self, probe: GdbProbe, place: int, each: int) -> None:
        self._probe, self._place, self._each, self._reads = probe, place, each, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._probe, name)

    def read_memory(self, address: int, size_bytes: int) -> bytes:
        data = self._probe.read_memory(address, size_bytes)
        if address != self._place or size_bytes != 8:
            return data
        self._reads += 1
        return bytes(8) if self._reads % self._each == 0 else data


def lied_to(made: Path, each: int, repeats: int) -> tuple[MeasuredModel, list[tuple[str, str]]]:
    pricer: Pricer = pricer_for(plain(BOARD))
    image = load_firmware(made / "endless.elf", pricer)
    data = (made / "relu.tflite").read_bytes()
    graph = read_model(str(made / "relu.tflite"))
    places = tuple((image.objects[name][0],) for name in ("input_buffer", "output_buffer"))
    job = RuntimeJob(graph, data, image, Feeding(seeded_samples(graph, 1, 0), *places), function="infer")
    ran = profile_facts(run_firmware(job, pricer), pricer)
    with (
        debugged(made / "endless.elf", pricer.board, LEFT) as session,
        closing(GdbProbe("127.0.0.1", session.port)) as probe,
    ):
        liar: Any = Liar(probe, places[1][0], each)
        target = BoardTarget(liar, pricer, "test", MeasureOptions(repeats=repeats))
        measured = measure_runtime(job, ran, target)
    return measured, measured_lines(replace(ran.profile, measured=measured), measured)


@needs_interpreter
def test_other_outputs_and_unstable_ones_are_told(made: Path) -> None:
    wrong, lines = lied_to(made, 1, 1)
    assert not wrong.agrees and wrong.virtual is not None and not wrong.virtual.passed
    assert wrong.reference is not None and not wrong.reference.passed and wrong.same_outputs is False
    said = dict(lines)
    assert said["virtual"].startswith("outputs bit-exact") and said["board"].startswith("output 'y' differs from ")
    unstable, lines = lied_to(made, 2, 2)
    assert unstable.unstable == (1,) and not unstable.agrees
    assert dict(lines)["unstable"] == "differed from run to run on the board: 'y'"


@needs_interpreter
def test_outputs_need_an_end_to_be_read_at(made: Path) -> None:
    done = vtarget("run", made / "once.elf", "-b", BOARD, "--model", made / "relu.tflite", *SYMBOLS, "--probe", "gdb:1")
    assert done.code == 1 and done.err.startswith("error: no GDB server at port 1 of 127.0.0.1")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--repeat", "2"), "--repeat needs --probe"),
        (("--no-flash",), "--no-flash needs --probe"),
        (("--probe", "gdb:1", "--max-seconds", "1"), "--max-seconds is for the virtual board, not for --probe (hint"),
        (("--probe", "gdb:1", "--cache", "off"), "--cache off is for estimates: a real board is as it is (hint: w"),
    ],
)
def test_options_that_do_not_go_together(made: Path, options: tuple[str, ...], line: str) -> None:
    done = vtarget("run", made / "once.elf", "-b", BOARD, "--model", made / "relu.tflite", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {line}") and done.err.count("\n") == 1


class Ram:
    """Sixteen bytes."""

    def __init__(self) -> None:
        self.data = bytearray(16)

    def read(self, address: int, size_bytes: int) -> bytes:
        return bytes(self.data[address : address + size_bytes])

    def write(self, address: int, data: bytes) -> None:
        self.data[address : address + len(data)] = data


def test_a_feeder_feeds_each_sample_once_and_takes_what_it_fed(made: Path) -> None:
    graph = read_model(str(made / "relu.tflite"))
    samples = [[np.full((1, 8), n, np.int8)] for n in (1, 2)]
    feeder, ram = BufferFeeder(graph, (0,), (8,), samples, "infer"), Ram()
    for _ in range(2):
        feeder.begins()
        feeder.returned("infer", ram)  # nothing was fed yet
        assert not feeder.is_done
        for n in (1, 2, 2):
            feeder.entered("infer", ram)
            assert ram.read(0, 8) == bytes([n] * 8)
            ram.write(8, bytes([n + 5] * 8))
            feeder.returned("relu", ram)
            feeder.returned("infer", ram)
    assert feeder.is_done and feeder.unstable == set()
    assert [taken[1].tolist() for taken in feeder.outputs] == [[[6] * 8], [[7] * 8]]
    feeder.begins()
    feeder.entered("infer", ram)
    feeder.returned("infer", ram)
    assert feeder.unstable == {1}

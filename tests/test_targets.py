"""One interface to the virtual board, stored runs and boards; and a model's firmware on a board, compared."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from buildlib import conv_model, needs_gcc, own_cache
from machinelib import EXAMPLES, vtarget
from test_gdb_server import debugged
from test_measuring import plain
from test_twin import Served, served

from vtarget.base.errors import InputError, RunError
from vtarget.data.calibration import AppliedCalibration
from vtarget.data.image import Image
from vtarget.data.measurement import Measurement, Timed
from vtarget.data.profile import Kernel, Span
from vtarget.data.target import target_of
from vtarget.logic.modelreport import measured_lines, measured_rows
from vtarget.logic.modelresult import model_json
from vtarget.logic.pricing import Pricer
from vtarget.shell.calibrationfile import load_calibration
from vtarget.shell.feeding import ARENA, INVOKE, Feeder
from vtarget.shell.measurementfile import load_measurement, save_measurement, save_with_record
from vtarget.shell.measuring import MeasureOptions
from vtarget.shell.modelbuild import ModelOptions, build_firmware, generate
from vtarget.shell.onlooking import Memory, RunOrder
from vtarget.shell.probes.gdbprobe import GdbProbe
from vtarget.shell.probes.probe import Probe
from vtarget.shell.profiling import ModelJob, interpret, measure_model, profile_model, run_firmware
from vtarget.shell.recordfile import save_record
from vtarget.shell.replaying import ReplayTarget
from vtarget.shell.running import load_firmware, pricer_for
from vtarget.shell.samples import seeded_samples
from vtarget.shell.targets import ESTIMATED, MEASURED, BoardTarget, TargetResult, VirtualTarget
from vtarget.shell.tflitefile import read_model
from vtarget.shell.toolchain import find_toolchain

__all__ = ["own_cache", "served"]

FIR = EXAMPLES / "fir-m4f.elf"
MODEL = EXAMPLES.parent.parent / "models" / "ad_autoencoder.tflite"
BOARD = "mps2-an386"  # no caches, no wait states: what is measured on our own is exact
ONCE = MeasureOptions(repeats=1)
needs_interpreter = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert not found"
)


@contextmanager
def probed(firmware: Path, pricer: Pricer, options: MeasureOptions = ONCE) -> Iterator[BoardTarget]:
    """Our own board with this firmware in its memory, behind its GDB server."""
    with debugged(firmware, pricer.board) as session:
        probe = GdbProbe("127.0.0.1", session.port)
        try:
            yield BoardTarget(probe, pricer, "test", options)
        finally:
            probe.close()


# --- one interface ---------------------------------------------------------------------------------------------------


class Looker:
    """Writes down what it is told, and puts bytes to memory when a function is entered."""

    def __init__(self, address: int = 0, data: bytes = b"") -> None:
        self.runs = 0
        self.told: list[tuple[str, str]] = []
        self._put = address, data

    def begins(self) -> None:
        self.runs += 1
        self.told = []

    def entered(self, name: str, memory: Memory) -> None:
        self.told.append(("entered", name))
        address, data = self._put
        if data:
            memory.write(address, data)
            assert memory.read(address, len(data)) == data

    def returned(self, name: str, _memory: Memory) -> None:
        self.told.append(("returned", name))


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return pricer_for(plain("nucleo-l4r5zi"))


@pytest.fixture(scope="module")
def image(pricer: Pricer) -> Image:
    return load_firmware(FIR, pricer)


@pytest.fixture(scope="module")
def virtual(pricer: Pricer, image: Image) -> TargetResult:
    return VirtualTarget(pricer).run(image, RunOrder(spans=("fir_q15",), reads=(image.objects["iterations"],)))


def test_the_virtual_board_is_a_target(virtual: TargetResult) -> None:
    assert (virtual.provenance, virtual.exit_code, virtual.measurement) == (ESTIMATED, 0, None)
    assert virtual.profile.provenance == "uncalibrated" and virtual.profile.measured is None
    kernel = next(kernel for kernel in virtual.profile.kernels if kernel.name == "fir_q15")
    assert (len(virtual.spans["fir_q15"]), sum(virtual.spans["fir_q15"])) == (kernel.calls, kernel.total_cycles)
    assert len(virtual.reads) == 1 and int.from_bytes(virtual.reads[0], "little") == kernel.calls


def test_a_board_says_the_same_through_the_same_call(pricer: Pricer, image: Image, virtual: TargetResult) -> None:
    looker = Looker()
    order = RunOrder(
        spans=("fir_q15",), stops=("main",), reads=(image.objects["iterations"],), onlooker=looker, kernels=False
    )
    with probed(FIR, pricer) as target:
        found = target.run(image, order)
    assert (found.provenance, found.exit_code, found.reads) == (MEASURED, 0, virtual.reads)
    assert found.spans == virtual.spans
    profile, estimate = found.profile, virtual.profile
    assert (profile.console, profile.spans) == (estimate.console, tuple(_bare(span) for span in estimate.spans))
    assert profile.measured is not None and profile.provenance == "measured"
    assert [(k.name, k.error_pct, k.own) for k in profile.measured.kernels] == [("fir_q15", 0.0, True)]
    assert profile.cycles.nominal == estimate.cycles.nominal - 1  # all but the BKPT that ends the run
    assert looker.runs == 3  # for the overhead, the whole run, and one with the span
    assert looker.told == [("entered", "main"), *[("returned", "fir_q15")] * len(virtual.spans["fir_q15"])]


def _bare(span: Span) -> Span:
    return replace(span, waterfall=None)


@pytest.mark.parametrize("at", ["order", "onlooker"])
def test_writes_reach_either_target(at: str, pricer: Pricer, image: Image) -> None:
    address, size_bytes = image.objects["iterations"]
    three = (3).to_bytes(size_bytes, "little")
    results = []
    with probed(FIR, pricer) as board:
        for target in (VirtualTarget(pricer), board):
            order = RunOrder(spans=("fir_q15",), writes=((address, three),))
            if at == "onlooker":
                order = RunOrder(spans=("fir_q15",), stops=("main",), onlooker=Looker(address, three))
                order = replace(order, kernels=False, guide=None if not results else results[0].record)
            results.append(target.run(image, order))
    assert len(results[0].spans["fir_q15"]) == 3
    assert results[0].spans == results[1].spans


def test_a_stored_record_is_replayed(pricer: Pricer, image: Image, virtual: TargetResult, tmp_path: Path) -> None:
    path = str(tmp_path / "run.vtrec")
    save_record(virtual.record, path)
    found = ReplayTarget(path, pricer).run(image, RunOrder(spans=("fir_q15",)))
    assert (found.profile, found.spans, found.exit_code) == (virtual.profile, virtual.spans, 0)
    assert ReplayTarget(path, pricer).run(None, RunOrder()).profile == virtual.profile
    with pytest.raises(InputError, match="doesn't say what each call of main took"):
        ReplayTarget(path, pricer).run(image, RunOrder(spans=("main",)))


def timed(virtual: TargetResult, off: int = 0) -> tuple[Timed, ...]:
    return tuple(
        Timed(name=k.name, address=k.address, calls=k.calls, total_cycles=k.total_cycles + off, spread=0)
        for k in virtual.profile.kernels
    )


def stored(pricer: Pricer, image: Image, virtual: TargetResult, path: Path, **changes: Any) -> str:
    with_defaults = {
        "board": pricer.board.name, "core": pricer.core.name, "probe": "gdb:1", "clock_hz": pricer.clock_hz,
        "counter": "DWT_CYCCNT", "firmware_path": "fir.elf", "firmware_sha256": image.sha256, "vtarget_version": "1",
        "date": "2026-01-02", "runs": 3, "overhead_cycles": 0, "kernels": timed(virtual), "exit_code": 0,
    }  # fmt: skip
    save_measurement(Measurement(**(with_defaults | changes)), str(path))
    return str(path)


def test_a_stored_measurement_is_replayed(pricer: Pricer, image: Image, virtual: TargetResult, tmp_path: Path) -> None:
    main = next(one for one in timed(virtual) if one.name == "main")
    each = main.model_copy(update={"each": (main.total_cycles,)})
    path = stored(pricer, image, virtual, tmp_path / "m.json", spans=(each,))
    found = ReplayTarget(path, pricer).run(image, RunOrder())
    assert (found.provenance, found.spans) == (MEASURED, {"main": (main.total_cycles,)})
    assert (found.profile.provenance, found.profile.spans[0].cycles) == ("partly measured", main.total_cycles)
    assert ReplayTarget(path, pricer).run(image, RunOrder(guide=virtual.record)).record is virtual.record


def test_a_stored_measurement_finds_its_virtual_run(
    pricer: Pricer, image: Image, virtual: TargetResult, tmp_path: Path
) -> None:
    path = stored(pricer, image, virtual, tmp_path / "m.json")
    with pytest.raises(InputError, match=r"names the image fir\.elf, which isn't there"):
        ReplayTarget(path, pricer).run(None, RunOrder())
    save_with_record(load_measurement(path), virtual.record, path)
    assert ReplayTarget(path, pricer).run(None, RunOrder()).profile.kernels == _sorted(virtual)
    (tmp_path / "m.json.record").unlink()
    (tmp_path / "fir.elf").write_bytes(FIR.read_bytes())
    assert ReplayTarget(path, pricer).run(None, RunOrder()).profile.kernels == _sorted(virtual)
    (tmp_path / "fir.elf").write_bytes((EXAMPLES / "fft-m4f.elf").read_bytes())
    with pytest.raises(InputError, match="is of another firmware than"):
        ReplayTarget(path, pricer).run(None, RunOrder())


def _sorted(virtual: TargetResult) -> tuple[Kernel, ...]:
    return tuple(replace(kernel, waterfall=None) for kernel in virtual.profile.kernels)


def test_a_measurement_is_taken_at_its_clock(
    pricer: Pricer, image: Image, virtual: TargetResult, tmp_path: Path
) -> None:
    path = stored(pricer, image, virtual, tmp_path / "m.json")
    slow = load_measurement(path).model_copy(update={"clock_hz": 20_000_000})
    save_with_record(slow, virtual.record, path)
    assert ReplayTarget(path, pricer).run(image, RunOrder()).profile.clock_hz == 20_000_000
    asked = "was measured at 20 MHz, which doesn't tell what the board takes at "
    with pytest.raises(InputError, match=f"{asked}60 MHz") as raised:
        ReplayTarget(path, pricer_for(pricer.board, clock_hz=60_000_000)).run(image, RunOrder())
    assert raised.value.hint == f"estimates can be had: --from-record {path}.record"
    with pytest.raises(InputError, match=f"{asked}120 MHz") as raised:  # beside estimates of a model, say
        ReplayTarget(path, pricer).run(image, RunOrder(guide=virtual.record))
    assert raised.value.hint == "--clock '20 MHz'"
    (tmp_path / "m.json.record").unlink()
    with pytest.raises(InputError) as raised:
        ReplayTarget(path, pricer_for(pricer.board, clock_hz=60_000_000)).run(image, RunOrder())
    assert raised.value.hint == "without a board it is estimated"


def test_what_a_stored_run_refuses(pricer: Pricer, image: Image, virtual: TargetResult, tmp_path: Path) -> None:
    path = stored(pricer, image, virtual, tmp_path / "m.json")
    replay = ReplayTarget(path, pricer)
    for order in (RunOrder(reads=((0x20000000, 4),)), RunOrder(until=8)):
        with pytest.raises(InputError, match="a stored run has no memory"):
            replay.run(image, order)
    with pytest.raises(InputError, match="is of another firmware than"):
        replay.run(replace(image, sha256="1" * 64), RunOrder())
    other = stored(pricer, image, virtual, tmp_path / "other.json", board="rpi-pico")
    with pytest.raises(InputError, match="is of board rpi-pico, not of nucleo-l4r5zi"):
        ReplayTarget(other, pricer).run(image, RunOrder())
    with pytest.raises(InputError):
        ReplayTarget(str(tmp_path / "missing"), pricer).run(image, RunOrder())


def test_a_board_is_not_tried_if_the_virtual_run_fails() -> None:
    board = pricer_for("nucleo-l4r5zi")
    broken = load_firmware(EXAMPLES.parent / "tests" / "fault_write_flash-m4f.elf", board)

    class NoProbe:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} was asked of the probe")

    with pytest.raises(RunError, match="nothing is measured, for the emulated run failed"):
        BoardTarget(cast(Probe, NoProbe()), board, "test").run(broken, RunOrder())


# --- a model on a board ----------------------------------------------------------------------------------------------


def job_of(path: Path, samples: int) -> ModelJob:
    graph = read_model(str(path))
    return ModelJob(graph, path.read_bytes(), seeded_samples(graph, samples, 7), ModelOptions("simd"))


def built(job: ModelJob, pricer: Pricer, elf: Path) -> Path:
    """The firmware that profiling builds: the same bytes."""
    code = generate(job.graph, target_of(pricer.board), job.options.engine)
    build_firmware(code, pricer.board, find_toolchain("gcc"), elf, job.options)
    return elf


@needs_gcc
@needs_interpreter
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("name", ["conv", "ad_autoencoder"])
def test_interpreter_virtual_and_board_agree_and_cycles_are_exact(name: str, tmp_path: Path) -> None:
    path = MODEL
    if name == "conv":
        path = tmp_path / "conv.tflite"
        path.write_bytes(conv_model())
    pricer, job = pricer_for(BOARD), job_of(path, 2)
    elf = built(job, pricer, tmp_path / f"{name}.elf")
    with probed(elf, pricer, MeasureOptions(repeats=2)) as target, interpret(job) as work:
        profile, _ = profile_model(job, pricer, find_toolchain("gcc"), work, target)
    measured, virtual = profile.measured, profile.validation
    assert measured is not None and measured.reference is not None and virtual is not None
    assert (
        measured.virtual is not None
        and measured.virtual.bit_exact
        and measured.same_outputs
        and len(measured.virtual.layers) == len(profile.layers)
    )
    assert all(layer.outputs for layer in measured.virtual.layers)
    assert measured.reference == virtual  # not a bit of any layer is different
    assert virtual.passed and (name != "conv" or virtual.bit_exact)
    assert measured.layers == {layer.index: layer.spread for layer in profile.layers}
    assert measured.spread == profile.spread
    assert (measured.unstable, measured.measurement.runs, measured.measurement.counter) == ((), 2, "DWT_CYCCNT")
    assert [row[-1] for row in measured_rows(profile, measured)] == ["+0.00 %"] * (len(profile.layers) + 1)
    labels = [label for label, _ in measured_lines(profile, measured)]
    assert labels[:3] == ["virtual", "board", "board : virtual"]
    document = model_json(profile)["measured"]
    assert document["provenance"] == "measured" and document["virtual_validation"]["bit_exact"] is True
    assert [row["error_pct"] for row in document["layers"]] == [0.0] * len(profile.layers)
    assert "measured" not in model_json(replace(profile, measured=None))


class Wrong:
    """A board that computes something else: its arena reads differently, always or from run to run."""

    def __init__(self, inner: VirtualTarget, measurement: Measurement, *, always: bool) -> None:
        self._inner, self._measurement, self._always = inner, measurement, always

    @property
    def measures(self) -> bool:
        return True

    def run(self, image: Image, order: RunOrder) -> TargetResult:
        feeder, always, runs = order.onlooker, self._always, 0

        class Between:
            def begins(self) -> None:
                nonlocal runs
                runs += 1
                feeder.begins()

            def entered(self, name: str, memory: Memory) -> None:
                feeder.entered(name, memory)

            def returned(self, name: str, memory: Memory) -> None:
                feeder.returned(name, Off(memory))

        class Off:
            def __init__(self, memory: Memory) -> None:
                self._memory = memory

            def read(self, address: int, size_bytes: int) -> bytes:
                data = self._memory.read(address, size_bytes)
                return bytes((data[0] ^ 1, *data[1:])) if always or runs > 1 else data

            def write(self, address: int, data: bytes) -> None:
                self._memory.write(address, data)

        watched = replace(order, onlooker=Between())
        self._inner.run(image, watched)
        return replace(self._inner.run(image, watched), measurement=self._measurement)


@needs_gcc
@pytest.mark.usefixtures("own_cache")
def test_a_board_that_computes_something_else_is_found_out(tmp_path: Path) -> None:
    from vtarget.app.profile_probe import check_measured

    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    pricer, job = pricer_for(BOARD), job_of(path, 1)
    measurement = Measurement(
        board=BOARD, core="cortex-m4", probe="gdb:1", clock_hz=1, counter="DWT_CYCCNT", firmware_path="x",
        firmware_sha256="0" * 64, vtarget_version="1", date="2026-01-02", runs=2, overhead_cycles=0,
    )  # fmt: skip
    for always, said in (
        (True, "differs from the virtual run, 1 sample, first at layer 0"),
        (False, "tensors differed from run to run: "),
    ):
        target = Wrong(VirtualTarget(pricer), measurement, always=always)
        profile, _ = profile_model(job, pricer, find_toolchain("gcc"), None, target)
        assert profile.measured is not None
        assert profile.measured.reference is None
        assert bool(profile.measured.unstable) != always
        with pytest.raises(RunError, match=said):
            check_measured(profile)


@needs_gcc
@pytest.mark.usefixtures("own_cache")
def test_what_cant_be_measured(tmp_path: Path) -> None:
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    pricer, job = pricer_for(BOARD), job_of(path, 1)
    code = generate(job.graph, target_of(pricer.board), "simd")
    elf = built(job, pricer, tmp_path / "conv.elf")
    ran = run_firmware(code, elf, pricer, job)
    many = replace(job, samples=replace(job.samples, arrays=job.samples.arrays * 2001))
    with pytest.raises(InputError, match="2,001 samples are too many for a board"):
        measure_model(many, code, ran, VirtualTarget(pricer), None)
    with pytest.raises(InputError, match="on a board only"):
        measure_model(job, code, ran, VirtualTarget(pricer), None)


class Arena:
    """Memory that holds what is put into it."""

    def __init__(self) -> None:
        self.held: dict[int, bytes] = {}

    def read(self, address: int, size_bytes: int) -> bytes:
        return self.held.get(address, b"").ljust(size_bytes, b"\0")

    def write(self, address: int, data: bytes) -> None:
        self.held[address] = data


@needs_gcc
@pytest.mark.usefixtures("own_cache")
def test_a_feeder_feeds_every_run_alike_and_no_more_than_it_has(tmp_path: Path) -> None:
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    pricer, job = pricer_for(BOARD), job_of(path, 2)
    code = generate(job.graph, target_of(pricer.board), "simd")
    image = load_firmware(built(job, pricer, tmp_path / "conv.elf"), pricer)
    feeder, graph = Feeder(code, image, job.samples.arrays), code.graph
    at = image.objects[ARENA][0] + code.plan.offsets_bytes[graph.inputs[0]]
    feeder.returned(INVOKE, Arena())
    assert feeder.tensors == []
    for _ in range(2):
        feeder.begins()
        for number in range(3):
            arena = Arena()
            feeder.entered("vt_next_sample", arena)
            fed = {at: job.samples.arrays[number][0].tobytes()} if number < 2 else {}
            assert arena.held == fed
            feeder.returned(INVOKE, arena)
    assert len(feeder.tensors) == 2 and feeder.unstable == set()
    assert all(
        np.array_equal(taken[graph.outputs[0]], np.zeros_like(taken[graph.outputs[0]])) for taken in feeder.tensors
    )


# --- the command -----------------------------------------------------------------------------------------------------


@needs_gcc
@needs_interpreter
@pytest.mark.usefixtures("own_cache")
def test_the_command_measures_a_twin(tmp_path: Path, served: list[Served]) -> None:
    board = "nucleo-l4r5zi"
    served.append(Served(board, 3, tmp_path, 1))
    probe = ("--probe", f"gdb:{served[0].place}", "--repeat", "1", "-o", tmp_path / "m.json")
    ran = vtarget("profile", MODEL, "-b", board, *probe, "--json", tmp_path / "p.json")
    assert ran.code == 0, ran.err
    assert "through gdb:" in ran.out and "estimated" in ran.out
    document = json.loads((tmp_path / "p.json").read_text())
    found = document["measured"]
    assert found["validation"]["bit_exact"] and found["virtual_validation"]["bit_exact"]
    assert document["validation"]["crc32"] == found["validation"]["crc32"]
    assert found["layers"][0]["estimated_cycles"] == document["layers"][0]["cycles"]
    assert 4 < abs(found["inference"]["error_pct"]) < 30  # a twin is 5 to 25 % off
    truth = AppliedCalibration("truth", load_calibration(str(served[0].truth)))
    told = profile_model(job_of(MODEL, 1), replace(pricer_for(board), calibration=truth), find_toolchain("gcc"), None)[
        0
    ]
    assert found["layers"][0]["measured_cycles"] == pytest.approx(told.layers[0].cycles, rel=0.01)
    assert found["inference"]["measured_cycles"] == pytest.approx(told.spread.median, rel=0.01)
    assert "twin" not in json.dumps(document["board"])
    check_stored(MODEL, board, tmp_path, document)


def check_stored(model: Path, board: str, folder: Path, measured: dict[str, Any]) -> None:
    """What ``profile -o`` wrote is profiled again, run, and calibrated with."""
    stored = folder / "m.json"
    assert str(folder) not in stored.read_text() and load_measurement(str(stored)).firmware_path == "ad_autoencoder.elf"
    again = vtarget("profile", model, "-b", board, "--from-record", stored, "--json", folder / "again.json")
    assert again.code == 0, again.err
    assert "the same outputs when it was measured" in again.out
    found = json.loads((folder / "again.json").read_text())
    assert found["measured"]["layers"] == measured["measured"]["layers"]
    assert found["measured"]["inference"] == measured["measured"]["inference"]
    assert (found["measured"]["same_outputs"], found["measured"]["validation"]) == (True, None)
    assert {**found, "measured": 0} == {**measured, "measured": 0}
    record = vtarget("profile", model, "-b", board, "--from-record", f"{stored}.record", "--json", "-")
    alone = json.loads(record.out)
    assert (alone["layers"], alone["cycles"], alone["validation"]) == (measured["layers"], measured["cycles"], None)
    run = vtarget("run", "--from-record", stored, "-b", board, "--json", "-")
    layer = next(row for row in json.loads(run.out)["kernels"] if row["name"] == "layer_00_fully_connected")
    assert layer["total_cycles"] == measured["measured"]["layers"][0]["measured_cycles"]
    fitted = vtarget("calibrate", stored, "-b", board, "--json", "-")
    assert fitted.code == 0, fitted.err
    rows = {row["kernel"]: row for row in json.loads(fitted.out)["residuals"]}
    assert abs(rows["layer_00_fully_connected"]["after_pct"]) < abs(rows["layer_00_fully_connected"]["before_pct"])
    for options, code, said in (
        (("--seed", "5"), 1, "other outputs when it was measured"),
        (("--samples", "2"), 2, "the measurement is of 1 inference, and there are 2 samples (hint: --samples N)"),
    ):
        other = vtarget("profile", model, "-b", board, "--from-record", stored, "--no-validate", *options, "--quiet")
        assert other.code == code and said in other.err and other.err.count("\n") == 1, other


def test_misuse_of_the_command(tmp_path: Path) -> None:
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    for arguments, said in (
        (("-b", BOARD, "--repeat", "2"), "--repeat needs --probe"),
        (("-b", BOARD, "--no-flash"), "--no-flash needs --probe"),
        (("-b", BOARD, "-o", "m.json"), "-o needs --probe"),
        (("-b", BOARD, "--probe", "gdb:1", "-o", "/nowhere/m.json"), "-o /nowhere/m.json: no such directory"),
        (("-b", BOARD, "--probe", "gdb:1", "--from-record", "m.json"), "--probe and --from-record exclude each other"),
        (("-b", BOARD, "-b", "rpi-pico", "--from-record", "m.json"), "--from-record is one run"),
        (("-b", BOARD, "-e", "simd", "-e", "reference", "--from-record", "m.json"), "--from-record is one run"),
        (
            ("-b", BOARD, "-e", "simd", "-e", "reference", "--probe", "gdb:1", "-o", "m.json"),
            "-o takes one measurement",
        ),
        (("-b", BOARD, "--from-record", "missing.json"), "missing.json"),
        (("-b", BOARD, "-b", "rpi-pico", "--probe", "gdb:1"), "--probe reaches one board"),
        (("-b", BOARD, "--probe", "jtag"), "--probe 'jtag': no such kind of probe"),
        (("-b", BOARD, "--probe", "gdb:1"), "error: "),
    ):
        ran = vtarget("profile", path, *arguments, "--no-validate")
        assert ran.code in (1, 2) and said in ran.err and "Traceback" not in ran.err
        assert ran.code == 2 or "gdb:1" in arguments


def test_measuring_from_python() -> None:
    import vtarget as library

    board = plain("nucleo-l4r5zi")
    with debugged(FIR, board) as session:
        found = library.measure(FIR, board, f"gdb:{session.port}", repeats=1, kernels="fir", spans=["main"])
    estimates = {(k.name, k.calls, k.total_cycles) for k in library.run(FIR, board).kernels}
    assert {kernel.name for kernel in found.kernels} == {"fir_q15", "main"}
    assert {(k.name, k.calls, k.total_cycles) for k in found.kernels} <= estimates
    assert found.vtarget_version == library.__version__
    with pytest.raises(InputError, match="not a regular expression"):
        library.measure(FIR, board, "gdb:1", kernels="(")
    with pytest.raises(InputError, match="no such kind of probe"):
        library.measure(FIR, board, "usb")

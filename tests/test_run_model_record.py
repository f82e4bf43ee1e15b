"""Stored runs of ``vtarget run --model``: a record is priced as the run it is of, a measurement is shown again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from buildlib import needs_gcc
from machinelib import CommandResult, vtarget
from test_gdb_server import debugged
from test_run_model import BOARD, SYMBOLS, command, made, needs_interpreter

from vtarget.data.limits import RunLimits
from vtarget.logic.runtimereport import runtime_json
from vtarget.logic.whatif import Setting, supposing
from vtarget.shell.measurementfile import load_measurement, save_measurement
from vtarget.shell.ownruntime import RuntimeJob, profile_facts, run_firmware
from vtarget.shell.recordfile import load_record, load_records
from vtarget.shell.replaying import replay
from vtarget.shell.running import load_firmware, pricer_for
from vtarget.shell.tflitefile import read_model

__all__ = ["made"]
pytestmark = needs_gcc
OTHER = "disco-f407vg"
LEFT = RunLimits(wall_seconds=1.0)  # how long a board runs on that nobody measures any more
FED = ("validation", "samples")  # what a record can't tell: what went in and came out


def stored(model: Path, record: Path, *arguments: str | Path, board: str = BOARD) -> CommandResult:
    return vtarget("run", "--model", model, "--from-record", record, "-b", board, *arguments)


def document(done: CommandResult) -> dict[str, Any]:
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def job_of(made: Path, firmware: str, model: str) -> RuntimeJob:
    path = made / f"{model}.tflite"
    image = load_firmware(made / f"{firmware}.elf", pricer_for(BOARD))
    return RuntimeJob(read_model(str(path)), path.read_bytes(), image)


@pytest.fixture(scope="module")
def evals(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of three inferences, with what the run printed and its JSON beside."""
    folder = tmp_path_factory.mktemp("evals")
    done = command(made, "evals", "chain", "--record", folder / "r.vtr", "--json", folder / "run.json")
    assert (done.code, done.err) == (0, "")
    (folder / "run.txt").write_text(done.out, encoding="utf-8")
    return folder / "r.vtr"


@pytest.fixture(scope="module")
def measured(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The measurement of three inferences on a board, with what the run printed and its JSON beside."""
    folder = tmp_path_factory.mktemp("measured")
    elf = made / "evals.elf"
    with debugged(elf, BOARD, LEFT) as session:
        probe = ("--probe", f"gdb:{session.port}", "--repeat", "1", "--waterfall")
        done = command(made, "evals", "chain", *probe, "-o", folder / "m.json", "--json", folder / "run.json")
    assert (done.code, done.err) == (0, "")
    (folder / "run.txt").write_text(done.out, encoding="utf-8")
    return folder / "m.json"


# Records.


def test_a_record_is_priced_as_the_run_it_is_of(made: Path, evals: Path, tmp_path: Path) -> None:
    again = stored(made / "chain.tflite", evals, "--json", tmp_path / "again.json")
    assert (again.code, again.err) == (0, "")
    assert again.out == (evals.parent / "run.txt").read_text(encoding="utf-8")
    assert (tmp_path / "again.json").read_bytes() == (evals.parent / "run.json").read_bytes()


def test_for_another_board_it_is_what_the_run_costs_there(made: Path, evals: Path) -> None:
    found = document(stored(made / "chain.tflite", evals, "--json", "-", board=OTHER))
    assert found["board"]["name"] == OTHER
    facts = run_firmware(job_of(made, "evals", "chain"), pricer_for(BOARD))
    there = runtime_json(profile_facts(facts, pricer_for(OTHER)).profile)
    assert found == json.loads(json.dumps(there))
    # The sum of its layers and the calls between them is what the same function takes in the record without a model.
    plain = document(vtarget("run", "--from-record", evals, "-b", OTHER, "--json", "-"))
    spans = [span["cycles"] for span in plain["spans"] if span["name"] == "tflite::MicroInterpreter::Invoke()"]
    assert found["cycles"] in spans and len(spans) == 3
    assert found["cycles"] != json.loads((evals.parent / "run.json").read_text())["cycles"]


def test_short_o_writes_what_record_does(made: Path, evals: Path, tmp_path: Path) -> None:
    done = command(made, "evals", "chain", "-o", tmp_path / "o.vtr", "--quiet")
    assert done == CommandResult(0, "", "")
    assert (tmp_path / "o.vtr").read_bytes() == evals.read_bytes()
    assert load_record(str(evals)).board == BOARD


@needs_interpreter
def test_the_function_that_was_fed_is_known_again(made: Path, tmp_path: Path) -> None:
    record = tmp_path / "r.vtr"
    arguments = (*SYMBOLS, "--samples", "4", "--seed", "7", "--input-at", "infer")
    run = document(command(made, "endless", "relu", *arguments, "--record", record, "--json", "-"))
    for named in ((), ("--input-at", "infer")):
        again = document(stored(made / "relu.tflite", record, *named, "--json", "-"))
        assert again["inference_function"] == "infer" and again["validation"] is None
        assert again["samples"]["count"] == 0
        assert again["samples"] | {"count": 4} == run["samples"]
        assert {k: v for k, v in again.items() if k not in FED} == {k: v for k, v in run.items() if k not in FED}


@needs_interpreter
def test_all_starts_of_a_firmware_are_in_one_file(made: Path, tmp_path: Path) -> None:
    record = tmp_path / "r.vtr"
    run = document(command(made, "once", "relu", *SYMBOLS, "--samples", "3", "--record", record, "--json", "-"))
    again = document(stored(made / "relu.tflite", record, "--json", "-"))
    assert again["samples"] | {"count": 3} == run["samples"] and again["samples"]["runs"] == 3
    assert (again["layers"], again["cycles"]) == (run["layers"], run["cycles"])
    assert len(load_records(str(record))) == 3
    for refused in (
        vtarget("run", "--from-record", record, "-b", BOARD),
        vtarget("report", "--record", record, "-o", tmp_path / "page.html"),
    ):
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert "r.vtr: is of 3 starts of a firmware, one for each sample of its model (hint: 'vtarget run --model" in (
            refused.err
        )


@needs_interpreter
def test_outputs_that_differ_fail_and_the_facts_are_kept(made: Path, tmp_path: Path) -> None:
    done = command(made, "wrong", "relu", *SYMBOLS, "--quiet", "--record", tmp_path / "r.vtr")
    assert done.code == 1 and load_record(str(tmp_path / "r.vtr")).image_path == str(made / "wrong.elf")


# What if.


def test_a_supposition_prices_the_inference_and_its_layers(made: Path, evals: Path) -> None:
    found = document(stored(made / "chain.tflite", evals, "--cache", "off", "--wait-states", "3", "--json", "-"))
    record = load_record(str(evals))
    pricer = supposing(record, pricer_for(BOARD), Setting(wait_states=3, caches_on=False))
    facts = run_firmware(job_of(made, "evals", "chain"), pricer_for(BOARD))
    assert found == json.loads(json.dumps(runtime_json(profile_facts(facts, pricer).profile)))
    assert sum(layer["cycles"] for layer in found["layers"]) < found["cycles"]
    ran = document(command(made, "evals", "chain", "--cache", "off", "--wait-states", "3", "--json", "-"))
    assert ran == found


def test_suppositions_side_by_side_are_of_the_inference(made: Path, evals: Path) -> None:
    table = document(
        stored(made / "chain.tflite", evals, "--clock", "20MHz", "--cache", "off", "--table", "--json", "-")
    )
    assert table["schema"] == "vtarget.whatif"
    off, slow = ("--cache", "off"), ("--clock", "20MHz")
    each = (stored(made / "chain.tflite", evals, *chosen, "--json", "-") for chosen in ((), off, slow, (*slow, *off)))
    alone = [document(one)["cycles"] for one in each]
    assert [row["cycles"] for row in table["rows"]] == alone
    refused = stored(made / "chain.tflite", evals, "--cache", "off", "--table", "--waterfall")
    assert (refused.code, refused.err) == (2, "error: --waterfall does not go with a table of suppositions\n")


def test_the_code_of_an_inference_is_explained(made: Path, evals: Path) -> None:
    chosen = ("--explain", "arm_softmax_s8", "--explain", "arm_nn_mat_mult_nt_t_s8")
    found = document(stored(made / "chain.tflite", evals, *chosen, "--json", "-"))
    softmax, inner = found["explain"]
    kernels = {kernel["name"]: kernel["cycles"] for kernel in found["kernels"]}
    assert softmax["cycles"] == kernels["arm_softmax_s8"] == found["layers"][3]["cycles"]
    assert inner["cycles"] == kernels["arm_nn_mat_mult_nt_t_s8"] < found["layers"][0]["cycles"]
    assert [k["calls"] for k in found["kernels"] if k["name"] == "arm_softmax_s8"] == [1]  # not those of all three
    shown = stored(made / "chain.tflite", evals, *chosen[:2], "--cache", "off")
    assert (shown.code, shown.err) == (0, "")
    slow = document(stored(made / "chain.tflite", evals, *chosen[:2], "--cache", "off", "--json", "-"))["explain"]
    assert f"\narm_softmax_s8: {slow[0]['cycles']:,} cycles\n" in shown.out and slow[0]["cycles"] > softmax["cycles"]
    assert command(made, "evals", "chain", *chosen[:2], "--cache", "off").out == shown.out
    unknown = stored(made / "chain.tflite", evals, "--explain", "arm_softmax_s9")
    assert (unknown.code, unknown.out, unknown.err.count("\n")) == (2, "", 1)
    assert "--explain: no kernel 'arm_softmax_s9' ran (hint: did you mean 'arm_softmax_s8'?)" in unknown.err


# Measurements.


def test_a_measurement_of_a_model_is_stored_and_shown_again(made: Path, measured: Path, tmp_path: Path) -> None:
    again = stored(made / "chain.tflite", measured, "--waterfall", "--json", tmp_path / "again.json")
    assert (again.code, again.err) == (0, "")
    assert again.out == (measured.parent / "run.txt").read_text(encoding="utf-8")
    assert (tmp_path / "again.json").read_bytes() == (measured.parent / "run.json").read_bytes()
    found = json.loads((tmp_path / "again.json").read_text())["measured"]
    assert [row["index"] for row in found["layers"]] == [0, 1, 2, 3]
    kernels = {kernel.name: kernel.calls for kernel in load_measurement(str(measured)).kernels}
    assert kernels["arm_softmax_s8"] == kernels["tflite::MicroInterpreter::Invoke()"] == 3
    estimates = document(stored(made / "chain.tflite", Path(f"{measured}.record"), "--json", "-"))
    assert (
        "measured" not in estimates
        and estimates["samples"]["cycles"]["median"] == (found["inference"]["estimated_cycles"])
    )


def test_a_measurement_needs_its_virtual_run(made: Path, measured: Path, tmp_path: Path) -> None:
    alone = tmp_path / "m.json"
    alone.write_bytes(measured.read_bytes())
    done = stored(made / "chain.tflite", alone)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: {alone}: the virtual run that tells which kernels were called when isn't beside it "
        "(hint: 'vtarget run FIRMWARE --model MODEL.tflite --probe PROBE -o FILE' writes FILE and FILE.record)\n"
    )


@needs_interpreter
def test_a_measurement_is_of_one_start(made: Path, tmp_path: Path) -> None:
    elf = made / "once.elf"
    with debugged(elf, BOARD, LEFT) as session:
        probe = ("--probe", f"gdb:{session.port}", "--repeat", "1", "--record", tmp_path / "m.json")
        done = command(made, "once", "relu", *SYMBOLS, "--samples", "2", *probe)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: --record: a measurement is of one start of the firmware, and 2 samples take as many "
        "(hint: --samples 1, or --input-at for firmware that takes one after the other)\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_measurement_has_the_clock_that_it_was_made_at(made: Path, measured: Path, tmp_path: Path) -> None:
    slow = tmp_path / "slow.json"
    taken = load_measurement(str(measured)).model_copy(update={"clock_hz": 20_000_000, "record_path": "r"})
    save_measurement(taken, str(slow))
    (tmp_path / "r").write_bytes(Path(f"{measured}.record").read_bytes())
    found = document(stored(made / "chain.tflite", slow, "--json", "-"))
    assert found["board"]["clock_hz"] == replay(str(slow)).pricer.clock_hz == 20_000_000
    assert document(stored(made / "chain.tflite", slow, "--clock", "20MHz", "--json", "-"))["cycles"] == found["cycles"]
    other = vtarget("run", "--from-record", slow, "-b", BOARD, "--clock", "80MHz")
    assert (other.code, other.out) == (2, "")
    assert other.err == (
        f"error: {slow}: was measured at 20 MHz, which doesn't tell what the board takes at 80 MHz "
        f"(hint: estimates can be had: --from-record {tmp_path / 'r'})\n"
    )


# What doesn't go together: one line.


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (SYMBOLS, "--input-symbol needs a run, not --from-record (hint: stored runs have no tensors to compare)"),
        (("--until", "main"), "--until needs a run, not --from-record"),
        (("--probe", "gdb:1"), "--probe needs a run, not --from-record"),
        (("--uart", "x=stdio"), "--uart does not go with --model"),
        (("--input-at", "infer"), "{record}: --input-at: the record doesn't say what each call of infer took"),
        (("--place", ".txet=SRAM1"), "--place: '.txet' is no section, function or region of this run (hint: did you"),
    ],
)
def test_misuse_is_one_line(made: Path, evals: Path, options: tuple[str, ...], line: str) -> None:
    done = stored(made / "chain.tflite", evals, *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"error: {line.format(record=evals)}")


def test_a_record_of_a_run_without_the_model_is_refused(
    made: Path, evals: Path, measured: Path, tmp_path: Path
) -> None:
    record, model = tmp_path / "r.vtr", made / "chain.tflite"
    assert vtarget("run", made / "evals.elf", "-b", BOARD, "-o", record, "--quiet").code == 0
    done = stored(model, record)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"error: {record}: the record doesn't say what each call of a kernel took")
    both = vtarget("run", made / "evals.elf", "--model", model, "--from-record", evals, "-b", BOARD)
    assert (both.code, both.err) == (2, "error: FIRMWARE and --from-record exclude each other\n")
    other = vtarget("run", made / "once.elf", "--model", model, "--from-record", measured, "-b", BOARD)
    assert other.code == 2 and f"{measured}: is of another firmware than" in other.err
    none = vtarget("run", "--model", model, "-b", BOARD)
    assert none.code == 2 and "missing argument FIRMWARE (or --from-record FILE)" in none.err


def test_a_run_that_ends_in_its_first_inference_says_so(made: Path) -> None:
    done = command(made, "evals", "chain", "--until", "arm_softmax_s8", "--quiet")
    assert done.code == 1
    assert done.err == f"error: {made / 'evals.elf'}: the run ended inside tflite::MicroInterpreter::Invoke()\n"


def test_from_python_facts_are_priced_as_often_as_one_likes(made: Path) -> None:
    job = job_of(made, "named", "chain")
    facts = run_firmware(job, pricer_for(BOARD))
    again = run_firmware(job, pricer_for(BOARD))
    assert profile_facts(facts, pricer_for(BOARD)).profile == profile_facts(again, pricer_for(BOARD)).profile
    slow = profile_facts(facts, replace(pricer_for(BOARD, clock_hz=20_000_000))).profile
    assert slow.inference.clock_hz == 20_000_000

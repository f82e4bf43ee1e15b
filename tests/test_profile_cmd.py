"""``vtarget profile``: tables, JSON, samples, regions, and one line for each misuse and failure."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buildlib import HOSTILE, conv_model, needs_gcc, needs_zig, own_cache
from firmwarelib import FIRMWARE
from machinelib import CommandResult, vtarget
from modelwriter import OpSpec, TensorSpec, write_model

from vtarget.shell import interpreter
from vtarget.shell.interpreter import InterpreterResult

__all__ = ["own_cache"]

pytestmark = [
    needs_gcc,
    pytest.mark.skipif(importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert not found"),
    pytest.mark.usefixtures("own_cache"),
]

ROOT = FIRMWARE.parent
BOARD = "nucleo-l4r5zi"
RULE = re.compile("─+")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A convolution: 1x8x8x3 to 1x8x8x8, int8."""
    path = tmp_path / "conv.tflite"
    path.write_bytes(conv_model())
    return path


def profile(*arguments: str | Path | int, board: str = BOARD, code: int = 0) -> CommandResult:
    result = vtarget("profile", *(str(a) for a in arguments), "-b", board)
    assert result.code == code, result.err
    return result


def document(*arguments: str | Path | int, board: str = BOARD) -> Any:
    return json.loads(profile(*arguments, "--json", "-", board=board).out)


def refusal(*arguments: str | Path | int, code: int = 2, board: str = BOARD) -> str:
    result = profile(*arguments, board=board, code=code)
    assert result.err.startswith("error: ") and result.err.count("\n") == 1
    return result.err.removeprefix("error: ").rstrip("\n")


def tables(text: str) -> list[list[list[str]]]:
    """Every table printed: its header and rows, cells apart."""
    found, lines = [], text.splitlines()
    for number, line in enumerate(lines):
        if RULE.fullmatch(line):
            rows = [lines[number - 1], *_until_blank(lines[number + 1 :])]
            found.append([re.split(r"\s{2,}", row.strip()) for row in rows])
    return found


def _until_blank(lines: list[str]) -> list[str]:
    return lines[: lines.index("")] if "" in lines else lines


# The table.


def test_one_engine_has_every_column(model: Path) -> None:
    out = profile(model).out
    layers, regions = tables(out)
    assert layers[0] == ["#", "operator", "output", "kernel", "MACs", "cycles", "cycles/MAC", "time", "energy", "share"]
    assert layers[1][:5] == ["0", "CONV_2D", "1x8x8x8 int8", "conv_2d_s8_simd", "13,824"]
    assert layers[1][9] == "100.0 %" and len(layers) == 2
    assert regions[0] == ["region", "used", "of bytes", "share"]
    assert [row[0] for row in regions[1:]] == ["FLASH", "SRAM1"]
    heading = out.splitlines()[0]
    assert heading.startswith(f"{model} on {BOARD} (cortex-m4 at 120 MHz), engine simd, arm-none-eabi-gcc ")
    assert heading.endswith(", uncalibrated")
    assert re.search(r"^validation +bit-exact in its only layer against ai-edge-litert \S+, 1 sample, ", out, re.M)
    labels = ["MACs", "cycles", "time", "energy", "memory", "validation"]
    assert [label for label in labels if re.search(rf"^{label} ", out, re.M)] == labels


def test_engines_stand_side_by_side(model: Path) -> None:
    out = profile(model, "-e", "reference", "-e", "simd").out
    layers = tables(out)[0]
    assert layers[0] == [
        *("#", "operator", "output", "MACs", "reference cycles", "reference /MAC", "simd cycles", "simd /MAC"),
        "reference : simd",
    ]
    assert layers[1][:4] == ["0", "CONV_2D", "1x8x8x8 int8", "13,824"]
    assert layers[2][0] == "inference"
    reference, simd = (int(layers[2][i].replace(",", "")) for i in (2, 4))
    assert reference > 3 * simd and layers[2][6] == f"{reference / simd:.1f}"
    assert out.count("bit-exact in its only layer") == 2
    assert len(set(re.findall("CRC [0-9a-f]{8}", out))) == 1


def test_boards_follow_one_another_and_repeats_count_once(model: Path) -> None:
    out = profile(model, "-b", "mps2-an385", "-b", BOARD, "-e", "simd", "-e", "simd").out
    headings = [line for line in out.splitlines() if ", engine simd, " in line]
    assert [re.search(r" on (\S+)", line)[1] for line in headings] == ["mps2-an385", BOARD]  # type: ignore[index]


def test_quiet_prints_nothing(model: Path) -> None:
    assert profile(model, "--quiet").out == ""


def test_no_validate_leaves_the_interpreter_out(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "INTERPRETERS", {})
    assert "validation" not in profile(model, "--no-validate").out
    assert document(model, "--no-validate")["validation"] is None


# The JSON contract.

NUMBER, MAYBE = (int, float), (int, float, type(None))
SPREAD = dict.fromkeys(("cold", "minimum", "median", "p95", "maximum"), int)
COMPARISON = {
    "tensor": int,
    "name": str,
    "shape": [int],
    "type": str,
    "elements": int,
    "differing": int,
    "not_finite": int,
    **dict.fromkeys(("max_abs_diff", "mean_abs_diff", "rmse"), NUMBER),
    "cosine": MAYBE,
    "sqnr_db": MAYBE,
    "within": bool,
    "bit_exact": bool,
}
CONTRACT = {
    "schema": str,
    "schema_version": int,
    "vtarget_version": str,
    "board": {"name": str, "core": str, "clock_hz": int},
    "firmware": {"path": str, "sha256": str},
    "exit": {"reason": str, "code": int, "pc": int},
    **dict.fromkeys(("instructions", "cycles", "cycles_low", "cycles_high"), int),
    **dict.fromkeys(("latency_s", "energy_j", "energy_j_low", "energy_j_high"), NUMBER),
    "provenance": str,
    "model": {"path": str, "sha256": str, "macs": int},
    "engine": str,
    "compiler": {"name": str, "flags": [str]},
    "samples": {"count": int, "cycles": SPREAD},
    "kernels": [
        {"name": str, "address": int, "calls": int, "instructions": int, "cycles": int, "total_cycles": int}
        | {"latency_s": NUMBER, "energy_j": NUMBER}
    ],
    "layers": [
        {"index": int, "op": str, "name": str, "kernel": str, "type": str, "macs": int, "cycles": int, "notes": [str]}
        | {"input_shapes": [[int]], "output_shapes": [[int]], "cycles_spread": SPREAD, "share": NUMBER}
        | {"latency_s": NUMBER, "energy_j": NUMBER, "cycles_per_mac": MAYBE, "ideal_cycles": MAYBE, "efficiency": MAYBE}
        | {"reason": (str, type(None))}
    ],
    "memory": {
        **dict.fromkeys(("flash_bytes", "ram_bytes", "stack_peak_bytes", "arena_bytes"), int),
        **dict.fromkeys(("weights_bytes", "code_bytes"), int),
        "regions": [{"name": str, "used_bytes": int, "size_bytes": int}],
    },
    "validation": {
        "reference": str,
        "samples": int,
        "passed": bool,
        "bit_exact": bool,
        "max_abs_diff": NUMBER,
        "crc32": str,
        "first_diverging_layer": (int, type(None)),
        "outputs": [COMPARISON],
        "layers": [{"index": int, "op": str, "bit_exact": bool, "within": bool, "outputs": [COMPARISON]}],
    },
    "console": str,
    "not_modelled": [str],
}


def check_shape(value: Any, shape: Any, place: str = "") -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict) and set(shape) <= set(value), (place, set(shape) - set(value))
        for key, inner in shape.items():
            check_shape(value[key], inner, f"{place}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), place
        for index, item in enumerate(value):
            check_shape(item, shape[0], f"{place}[{index}]")
    else:
        assert isinstance(value, shape) and (shape is bool or not isinstance(value, bool)), f"{place}: {value!r}"


def test_json_has_every_field_of_the_contract(model: Path) -> None:
    got = document(model)
    check_shape(got, CONTRACT)
    assert (got["schema"], got["schema_version"], got["engine"]) == ("vtarget.profile", 1, "simd")
    assert (got["firmware"]["path"], got["model"]["macs"], got["samples"]["count"]) == ("conv.elf", 13_824, 1)
    (layer,) = got["layers"]
    assert (layer["input_shapes"][0], layer["output_shapes"]) == ([1, 8, 8, 3], [[1, 8, 8, 8]])
    assert layer["cycles"] == round(layer["cycles_per_mac"] * layer["macs"]) <= got["cycles"]
    assert layer["ideal_cycles"] == 13_824 / 2 and layer["efficiency"] == 6912 / layer["cycles"]
    assert got["memory"]["arena_bytes"] % 16 == 0 and got["memory"]["arena_bytes"] >= 192 + 512
    assert got["validation"]["outputs"] == got["validation"]["layers"][0]["outputs"]


def test_several_engines_or_boards_give_a_list(model: Path) -> None:
    both = document(model, "-e", "reference", "-e", "simd", "-b", "mps2-an385")
    found = [(one["board"]["name"], one["engine"]) for one in both]
    assert found == [(board, engine) for board in ("mps2-an385", BOARD) for engine in ("reference", "simd")]
    assert len({one["validation"]["crc32"] for one in both}) == 1
    assert [one["energy_j"] for one in both[:2]] == [None, None]


def test_the_same_command_gives_the_same_bytes_in_another_process(model: Path, tmp_path: Path) -> None:
    outputs = []
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.json"
        command = [sys.executable, "-m", "vtarget", "profile", str(model), "-b", BOARD, "--json", str(target)]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        outputs.append((done.stdout, target.read_bytes()))
    assert outputs[0] == outputs[1] and len(outputs[0][1]) > 2000


# Samples.


def test_the_seed_chooses_the_samples(model: Path) -> None:
    crcs = [document(model, "--seed", seed)["validation"]["crc32"] for seed in (0, 0, 1)]
    assert crcs[0] == crcs[1] != crcs[2]


@pytest.mark.parametrize("form", ["npy", "npz", "directory"])
def test_samples_come_from_files(form: str, model: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(3).integers(-128, 128, (4, 8, 8, 3)).astype(np.int8)
    if form == "directory":
        place = tmp_path / "samples"
        place.mkdir()
        np.save(place / "a.npy", x[:1])
        np.savez(place / "b.npz", x=x[1:])
    else:
        place = tmp_path / f"x.{form}"
        np.save(place, x) if form == "npy" else np.savez(place, input_0=x)
    got = document(model, "--input", place)
    spread = got["samples"]["cycles"]
    assert (got["samples"]["count"], got["validation"]["samples"]) == (4, 4)
    assert spread["minimum"] <= spread["median"] <= spread["p95"] <= spread["maximum"]
    assert got["cycles"] == spread["median"]
    whole = interpreter.interpret_in_process(model.read_bytes(), [[sample[np.newaxis]] for sample in x])
    from vtarget.logic.validation import output_crc32

    assert got["validation"]["crc32"] == output_crc32([result.outputs for result in whole.samples])


def test_cold_and_warm_inferences_stand_apart(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 8, 8, 3), np.int8))
    out = profile(model, "--input", tmp_path / "x.npy").out
    assert re.search(
        r"^5 samples +cold [\d,]+; warm: min [\d,]+, median [\d,]+, p95 [\d,]+, max [\d,]+$", out, re.MULTILINE
    )
    assert document(model, "--input", tmp_path / "x.npy", "--samples", 2)["samples"]["count"] == 2
    assert "samples" not in profile(model).out.replace("1 sample,", "")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 8, 8, 4), np.int8), "shape [3, 8, 8, 4] doesn't fit input 'x' [1, 8, 8, 3]"),
        (np.full((1, 8, 8, 3), 300), "values 300..300 don't fit input 'x' (int8)"),
        (np.zeros((1, 8, 8, 3), bool), "type bool doesn't fit input 'x' (int8)"),
        (np.array([{}], dtype=object), "no .npy or .npz file of plain numbers"),
        (np.zeros((0, 8, 8, 3), np.int8), "no samples in it"),
    ],
    ids=("shape", "range", "type", "pickle", "none"),
)
def test_samples_that_do_not_fit(array: Any, reason: str, model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    assert f"x.npy: {reason}" in refusal(model, "--input", tmp_path / "x.npy")


def test_fewer_labels_than_samples(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 8, 8, 3), np.int8), labels=np.array([1]))
    assert "labels must be 3 class numbers in one row" in refusal(model, "--input", tmp_path / "x.npz")


# Regions and toolchains.


def test_weights_and_arena_go_where_told(model: Path) -> None:
    usual, told = document(model), document(model, "--weights", "SRAM3", "--arena", "SRAM2")
    by_name = [{r["name"]: r["used_bytes"] for r in one["memory"]["regions"]} for one in (usual, told)]
    assert by_name[0]["SRAM2"] == 0 and by_name[1]["SRAM2"] == told["memory"]["arena_bytes"]
    assert by_name[1]["SRAM3"] >= told["memory"]["weights_bytes"]
    assert told["validation"]["crc32"] == usual["validation"]["crc32"]


def test_weights_in_another_region_take_its_bytes_and_its_time() -> None:
    kws = ROOT / "models" / "kws_dscnn.tflite"
    flash, ram = (document(kws, "--no-validate", "--weights", region) for region in ("FLASH", "SRAM3"))
    assert ram["instructions"] == flash["instructions"]
    assert ram["cycles"] < flash["cycles"] and ram["cycles_high"] < flash["cycles_high"]
    used = [next(r["used_bytes"] for r in one["memory"]["regions"] if r["name"] == "SRAM3") for one in (flash, ram)]
    assert used[1] - used[0] == ram["memory"]["weights_bytes"] > 20_000


def test_regions_that_cannot_be_used(model: Path) -> None:
    assert refusal(model, "--weights", "SRAM9") == (
        "board nucleo-l4r5zi has no region 'SRAM9' (hint: did you mean 'SRAM3'?)"
    )
    assert refusal(model, "--arena", "FLASH").startswith("region FLASH of board nucleo-l4r5zi is flash: no arena there")


def test_a_model_that_does_not_fit_is_one_line_with_every_region() -> None:
    line = refusal(ROOT / "models" / "kws_dscnn.tflite", "--arena", "SRAM2", board="disco-f407vg")
    pattern = (
        r"the model doesn't fit board disco-f407vg: SRAM2 needs (\d+) of 16384 bytes \(arena \1\), \d+ too many; "
        r"FLASH needs (\d+) of 1048576 bytes \(weights \2\); SRAM1 needs 4096 of 114688 bytes \(stack 4096\)"
    )
    assert re.fullmatch(pattern, line)


@needs_zig
def test_another_compiler_gives_the_same_outputs(model: Path) -> None:
    gcc, zig = (document(model, "--toolchain", kind) for kind in ("gcc", "zig"))
    assert gcc["validation"] == zig["validation"] and zig["validation"]["bit_exact"]
    assert gcc["compiler"]["name"].startswith("arm-none-eabi-gcc") and zig["compiler"]["name"].startswith("zig")


# Failures.


def _shifted(result: InterpreterResult) -> InterpreterResult:
    """The result with one element of every tensor one step away."""
    samples = []
    for sample in result.samples:
        tensors = {index: array.copy() for index, array in sample.tensors.items()}
        for array in tensors.values():
            array.reshape(-1)[0] ^= 1
        samples.append(replace(sample, tensors=tensors))
    return replace(result, samples=tuple(samples))


@pytest.fixture
def wrong_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = interpreter._unpack_result
    monkeypatch.setattr(interpreter, "_unpack_result", lambda path: _shifted(unpack(path)))


@pytest.mark.usefixtures("wrong_interpreter")
def test_a_mismatch_names_the_layer_after_the_table_and_exits_with_1(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "p.json"
    result = profile(model, "--json", target, code=1)
    assert re.fullmatch(
        rf"error: {re.escape(str(model))} on {BOARD}, engine simd: differs from ai-edge-litert \S+, 1 sample, "
        r"first at layer 0 CONV_2D by up to 1\n",
        result.err,
    )
    assert len(tables(result.out)) == 2
    validation = json.loads(target.read_text())["validation"]
    assert (validation["passed"], validation["bit_exact"], validation["first_diverging_layer"]) == (False, False, 0)
    assert validation["outputs"][0]["differing"] == 1


@pytest.mark.usefixtures("wrong_interpreter")
def test_a_tolerance_lets_it_pass(model: Path) -> None:
    assert "within tolerance in its only layer" in profile(model, "--tolerance", 1).out
    assert document(model, "--tolerance", 1)["validation"]["passed"] is True


def test_a_crash_of_the_interpreter_is_one_line(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_CHILD", "import os; os.abort()")
    assert refusal(model, code=1) == "the TensorFlow Lite interpreter crashed (SIGABRT)"


def test_every_unsupported_operator_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    tensors = [TensorSpec((2,), "float32", name=f"t{i}") for i in range(4)]
    ops = [OpSpec("COS", [0], [1]), OpSpec("RELU", [1], [2]), OpSpec("SIN", [2], [3])]
    path.write_bytes(write_model(tensors, ops, [0], [3]))
    assert refusal(path) == (
        f"{path}: operator 0 COS: this operator isn't supported; operator 2 SIN: this operator isn't supported"
    )


def test_hostile_names_reach_neither_terminal_nor_compiler(tmp_path: Path) -> None:
    path = tmp_path / "h.tflite"
    path.write_bytes(conv_model(HOSTILE + "\x1b[31m", HOSTILE + "\x1b]0;x\x07"))
    got = profile(path, "-e", "reference", "-e", "simd")
    assert got.err == "" and "bit-exact" in got.out
    np.save(tmp_path / "w.npy", np.zeros(5))
    line = refusal(path, "--input", tmp_path / "w.npy")
    for text in (got.out, line):
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert document(path)["layers"][0]["name"] == f"y{HOSTILE}\x1b]0;x\x07"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seed", "-1"), "Invalid value for '--seed': -1 is not in the range x>=0."),
        (("--samples", "0"), "Invalid value for '--samples'"),
        (("--engine", "fast"), "Invalid value for '-e' / '--engine'"),
        (("--cflags", "'"), "--cflags: No closing quotation"),
        (("--labels", "l.txt"), "--labels needs --float"),
        (("--json", "/nowhere/at/all.json"), "--json /nowhere/at/all.json: no such directory: /nowhere/at"),
        (("--input", "/nowhere.npy"), "/nowhere.npy: No such file or directory"),
        (("--power", "warp"), "no power state 'warp'"),
        (("--clock", "fast"), "fast"),
        (("--tolerance", "-1"), "Invalid value for '--tolerance'"),
    ],
)
def test_misuse_is_one_line(options: tuple[str, ...], message: str, model: Path) -> None:
    assert message in refusal(model, *options)


def test_models_that_are_none(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.tflite") == f"{tmp_path}/none.tflite: no such file"
    assert refusal(tmp_path) == f"{tmp_path}: is a directory, expected a .tflite model"
    (tmp_path / "x.tflite").write_bytes(b"no model at all")
    assert refusal(tmp_path / "x.tflite").startswith(f"{tmp_path}/x.tflite: ")


def test_compilers_and_limits_that_fail(model: Path) -> None:
    assert "unrecognized command-line option" in refusal(model, "--cflags", "-nonsense", code=1)
    line = refusal(model, "--timeout", "0.000001", code=1)
    assert line.startswith(f"{model}: limit reached: 1e-06 s of wall time (--timeout), at pc 0x")

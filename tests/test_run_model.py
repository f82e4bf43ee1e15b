"""``vtarget run --model``: firmware that was not built here is fed, checked, and mapped to the layers of its model."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from buildlib import conv_model, needs_gcc
from firmwarelib import build
from machinelib import CommandResult, vtarget
from modelwriter import OpSpec, TensorSpec, variable_init, write_model

from vtarget.data.target import target_of
from vtarget.shell.boardlib import load_board
from vtarget.shell.building import Project, build_project
from vtarget.shell.modelbuild import ModelOptions, generate, project_of
from vtarget.shell.tflitefile import read_model
from vtarget.shell.toolchain import find_toolchain

pytestmark = needs_gcc
needs_interpreter = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None and importlib.util.find_spec("tflite_runtime") is None,
    reason="no TensorFlow Lite interpreter found",
)

BOARD = "nucleo-l4r5zi"
SYMBOLS = ("--input-symbol", "input_buffer", "--output-symbol", "output_buffer")

# The kernels of CMSIS-NN by name; what they do is of no matter to who maps them.
KERNELS = """
#include <stdint.h>
#define KERNEL __attribute__((noinline))
int8_t input_buffer[192], output_buffer[4];
static volatile int8_t work[64];
KERNEL void arm_nn_mat_mult_nt_t_s8(int k) { for (int i = 0; i < 64; i++) work[i] = (int8_t)(work[i] * k); }
KERNEL int arm_convolve_s8(int k) { for (int i = 0; i < 4; i++) arm_nn_mat_mult_nt_t_s8(i + k); return k; }
KERNEL int arm_convolve_wrapper_s8(int k) { return arm_convolve_s8(k) + 1; }
KERNEL void arm_fully_connected_s8(int k) { for (int i = 0; i < 40; i++) work[i] = (int8_t)(work[i] + k); }
KERNEL void arm_elementwise_add_s8(int k) { work[k & 3]++; }
KERNEL void arm_softmax_s8(int k) { for (int i = 0; i < 4; i++) output_buffer[i] = (int8_t)(input_buffer[i] + k); }
"""
NAMED = """
KERNEL void network(int k)
{
    arm_convolve_wrapper_s8(k);
    arm_fully_connected_s8(k);
    arm_elementwise_add_s8(k);
    arm_softmax_s8(k);
}
int main(void) { network(1); return 0; }
"""
# TFLM's node functions by their mangled names: two are just Eval, one is tflite::MicroInterpreter::Invoke().
EVALS = """
#define EVAL _ZN6tflite12_GLOBAL__N_14EvalEP13TfLiteContextP10TfLiteNode
#define RESHAPE _ZN6tflite20EvalReshapeReferenceEP13TfLiteContextP10TfLiteNode
#define INVOKE _ZN6tflite16MicroInterpreter6InvokeEv
KERNEL void EVAL(int *which, int *k) { if (*which) arm_fully_connected_s8(*k); else arm_convolve_wrapper_s8(*k); }
KERNEL void RESHAPE(void) { work[0] = 1; }
KERNEL void INVOKE(int k) { int zero = 0, one = 1; EVAL(&zero, &k); RESHAPE(); EVAL(&one, &k); arm_softmax_s8(k); }
int main(void) { for (int i = 0; i < 3; i++) INVOKE(i); return 0; }
"""
# max(x, zero point), over and over; the buffer is spoilt after each.
ENDLESS = """
#include <stdint.h>
int8_t input_buffer[8], output_buffer[8];
__attribute__((noinline)) void arm_relu_s8(void)
{
    for (int i = 0; i < 8; i++) output_buffer[i] = input_buffer[i] > 5 ? input_buffer[i] : 5;
}
__attribute__((noinline)) void infer(void) { arm_relu_s8(); __asm volatile(""); }
int main(void)
{
    for (;;) {
        for (int i = 0; i < 8; i++) input_buffer[i] = output_buffer[i] = 0;
        infer();
    }
    return 0;
}
"""
ONCE = ENDLESS.replace("for (;;) {", "{").replace("input_buffer[i] = output", "output")
# Adds its inputs up: a model with state.
COUNTER = """
float input_buffer[2], output_buffer[2], count[2] = {10, 20};
__attribute__((noinline)) void infer(void)
{
    for (int i = 0; i < 2; i++) output_buffer[i] = count[i] = count[i] + input_buffer[i];
}
int main(void) { for (int i = 0; i < 2; i++) infer(); return 0; }
"""


def chain_model() -> bytes:
    rng = np.random.default_rng(1)
    tensors = [
        TensorSpec((1, 8, 8, 3), "int8", 0.05, 3, name="x"),
        TensorSpec((8, 3, 3, 3), "int8", 0.01, 0, 0, rng.integers(-127, 128, (8, 3, 3, 3))),
        TensorSpec((8,), "int32", 0.0005, 0, 0, rng.integers(-999, 999, (8,))),
        TensorSpec((1, 8, 8, 8), "int8", 0.1, -5),
        TensorSpec((1, 512), "int8", 0.1, -5),
        TensorSpec((2,), "int32", data=np.array([1, 512], np.int32)),
        TensorSpec((4, 512), "int8", 0.01, 0, 0, rng.integers(-127, 128, (4, 512))),
        TensorSpec((1, 4), "int8", 0.5, 0),
        TensorSpec((1, 4), "int8", 1 / 256, -128, name="y"),
    ]
    ops = [
        OpSpec("CONV_2D", [0, 1, 2], [3], {"padding": "SAME", "stride_w": 1, "stride_h": 1}),
        OpSpec("RESHAPE", [3, 5], [4]),
        OpSpec("FULLY_CONNECTED", [4, 6, -1], [7]),
        OpSpec("SOFTMAX", [7], [8], {"beta": 1.0}),
    ]
    return write_model(tensors, ops, [0], [8])


def relu_model() -> bytes:
    both = [TensorSpec((1, 8), "int8", 0.1, 5, name=name) for name in ("x", "y")]
    return write_model(both, [OpSpec("RELU", [0], [1])], [0], [1])


def counter_model() -> bytes:
    call, init = variable_init("count", TensorSpec([1, 2], "float32", data=np.array([[10, 20]], np.float32)), 1)
    value = TensorSpec([1, 2], "float32")
    ops = [
        call,
        OpSpec("VAR_HANDLE", [], [1], {"shared_name": "count"}),
        OpSpec("READ_VARIABLE", [1], [2]),
        OpSpec("ADD", [0, 2], [3]),
        OpSpec("ASSIGN_VARIABLE", [1, 3], []),
    ]
    return write_model([value, TensorSpec([], "resource"), value, value], ops, [0], [3], extra_subgraphs=[init])


SOURCES = {
    "named": KERNELS + NAMED,
    "evals": KERNELS + EVALS,
    "endless": ENDLESS,
    "once": ONCE,
    "wrong": ONCE.replace(": 5", ": 4"),
    "counter": COUNTER,
}
MODELS = {"chain": chain_model, "relu": relu_model, "counter": counter_model, "conv": conv_model}
OWN_MAIN = """
#include <stdint.h>
#include <string.h>
#include "model.h"
int8_t input_buffer[192], output_buffer[512];
int main(void)
{
    model_init();
    memcpy(model_input(0), input_buffer, sizeof input_buffer);
    model_invoke();
    memcpy(output_buffer, model_output(0), sizeof output_buffer);
    return 0;
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with firmware and models."""
    folder = tmp_path_factory.mktemp("runtimes")
    for name, text in SOURCES.items():
        (folder / f"{name}.c").write_text(text)
    build.build([build.Program(folder / f"{name}.c", "m4f", BOARD, f"{name}.elf") for name in SOURCES], folder)
    for name, model in MODELS.items():
        (folder / f"{name}.tflite").write_bytes(model())
    return folder


def command(made: Path, firmware: str, model: str, *arguments: str | Path) -> CommandResult:
    files = (made / f"{firmware}.elf", "-b", BOARD, "--model", made / f"{model}.tflite")
    return vtarget("run", *files, *arguments)


def result(made: Path, firmware: str, model: str, *arguments: str | Path) -> dict[str, Any]:
    done = command(made, firmware, model, *arguments, "--json", "-")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert isinstance(document, dict)
    return document


# Mapping.


def test_kernels_are_mapped_by_name_and_order(made: Path) -> None:
    document = result(made, "named", "chain")
    kernels = {k["name"]: k for k in document["kernels"]}
    layers = {layer["index"]: layer for layer in document["layers"]}
    assert {index: layer["kernel"] for index, layer in layers.items()} == {
        0: "arm_convolve_wrapper_s8",
        2: "arm_fully_connected_s8",
        3: "arm_softmax_s8",
    }
    assert [layers[i]["macs"] for i in (0, 2, 3)] == [64 * 8 * 27, 512 * 4, 0]
    for layer in layers.values():
        # Callees included: the inner kernels of a wrapper are its own affair.
        assert layer["cycles"] == kernels[layer["kernel"]]["total_cycles"]
        assert layer["energy_j"] > 0 and layer["latency_s"] == layer["cycles"] / 120e6
    added = {"name": "arm_elementwise_add_s8", "calls": 1}
    assert document["unmapped"] == {
        "layers": [1],
        "kernels": [{**added, "total_cycles": kernels["arm_elementwise_add_s8"]["total_cycles"]}],
    }
    assert (document["runtimes"], document["inference_function"]) == (["CMSIS-NN"], None)
    assert (document["validation"], document["samples"]["count"]) == (None, 0)


def test_a_named_function_bounds_the_inference(made: Path) -> None:
    whole, inside = result(made, "named", "chain"), result(made, "named", "chain", "--input-at", "network")
    network = next(k for k in whole["kernels"] if k["name"] == "network")
    assert (inside["cycles"], inside["inference_function"]) == (network["total_cycles"], "network")
    assert [layer["cycles"] for layer in inside["layers"]] == [layer["cycles"] for layer in whole["layers"]]


def test_functions_that_are_just_eval_are_mapped_too(made: Path) -> None:
    document = result(made, "evals", "chain")
    assert document["inference_function"] == "tflite::MicroInterpreter::Invoke()"
    assert document["samples"]["inferences"] == 3
    assert [(layer["op"], layer["kernel"]) for layer in document["layers"]] == [
        ("CONV_2D", "arm_convolve_wrapper_s8"),
        ("RESHAPE", "tflite::EvalReshapeReference(TfLiteContext*, TfLiteNode*)"),
        ("FULLY_CONNECTED", "arm_fully_connected_s8"),
        ("SOFTMAX", "arm_softmax_s8"),
    ]
    assert "called by tflite::Eval" in document["layers"][0]["notes"]
    assert document["unmapped"] == {"layers": [], "kernels": []}
    assert 0 < sum(layer["cycles"] for layer in document["layers"]) < document["cycles"]


def test_the_table_shows_every_operator_and_says_what_is_not_mapped(made: Path) -> None:
    lines = command(made, "named", "chain", "--input-at", "network").out.splitlines()
    rows = [line.split() for line in lines[3:7]]
    assert [row[:2] for row in rows] == [["0", "CONV_2D"], ["1", "RESHAPE"], ["2", "FULLY_CONNECTED"], ["3", "SOFTMAX"]]
    assert rows[1][2:] == ["-"] * 8
    assert rows[0][4] == "arm_convolve_wrapper_s8"
    text = "\n".join(lines)
    assert "no kernel for  1 RESHAPE (fused, left out, or under a name that isn't known)" in text
    assert "no layer for   arm_elementwise_add_s8 (1x, " in text
    assert "mapped         3 of 4 layers, " in text


# Feeding and checking.


@needs_interpreter
def test_a_firmware_is_started_once_per_sample(made: Path) -> None:
    document = result(made, "once", "relu", *SYMBOLS, "--samples", "3", "--seed", "7")
    assert document["samples"]["count"] == document["samples"]["runs"] == 3
    validation = document["validation"]
    assert validation["passed"] and validation["bit_exact"]
    assert validation["outputs"][0]["elements"] == 24
    assert [layer["index"] for layer in validation["layers"]] == [0]


@needs_interpreter
def test_a_function_of_endless_firmware_is_fed_sample_by_sample(made: Path) -> None:
    arguments = (*SYMBOLS, "--samples", "4", "--seed", "7", "--input-at", "infer")
    document = result(made, "endless", "relu", *arguments)
    samples = document["samples"]
    assert (samples["count"], samples["runs"], samples["inferences"]) == (4, 1, 4)
    assert document["validation"]["bit_exact"]
    assert document["inference_function"] == "infer"
    assert [layer["kernel"] for layer in document["layers"]] == ["arm_relu_s8"]
    once = result(made, "once", "relu", *SYMBOLS, "--samples", "4", "--seed", "7")
    assert once["validation"]["crc32"] == document["validation"]["crc32"]
    assert result(made, "endless", "relu", *arguments) == document


@needs_interpreter
def test_samples_come_from_a_file(made: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[-3, 4, 5, 6, 7, 100, 127, -128]], np.int8))
    document = result(made, "once", "relu", *SYMBOLS, "--input", tmp_path / "x.npy")
    assert document["validation"]["crc32"] == f"{crc32(bytes([5, 5, 5, 6, 7, 100, 127, 5])):08x}"


@needs_interpreter
def test_wrong_outputs_fail_unless_tolerated(made: Path) -> None:
    done = command(made, "wrong", "relu", *SYMBOLS, "--samples", "2")
    assert done.code == 1
    assert "validation     output 'y' differs from " in done.out
    assert done.err.startswith(f"error: {made / 'wrong.elf'} on {BOARD}: output 'y' differs from ")
    assert done.err.endswith(" elements by up to 1\n") and done.err.count("\n") == 1
    tolerated = command(made, "wrong", "relu", *SYMBOLS, "--samples", "2", "--tolerance", "1")
    assert (tolerated.code, tolerated.err) == (0, "")
    assert "validation     outputs within tolerance of " in tolerated.out


@needs_interpreter
def test_a_model_with_state_starts_afresh_with_each_run(made: Path) -> None:
    document = result(made, "counter", "counter", *SYMBOLS, "--samples", "3", "--input-at", "infer")
    samples = document["samples"]
    assert (samples["count"], samples["runs"]) == (3, 2)
    assert document["validation"]["bit_exact"]
    # Started for one sample each, it infers twice on the same one: not what the interpreter does.
    assert command(made, "counter", "counter", *SYMBOLS, "--quiet").code == 1


@needs_interpreter
def test_our_own_firmware_in_a_main_of_somebody_else(made: Path) -> None:
    board = load_board(BOARD)
    code = generate(read_model(str(made / "conv.tflite")), target_of(board), "simd")
    files = dict(project_of(code, board, ModelOptions())[0].files)
    (main,) = (name for name in files if name.endswith("main.c"))
    build_project(Project(files | {main: OWN_MAIN}), target_of(board), find_toolchain("gcc"), made / "own.elf")
    document = result(made, "own", "conv", *SYMBOLS, "--samples", "2")
    assert document["validation"]["bit_exact"]
    assert [layer["kernel"] for layer in document["layers"]] == ["layer_00_conv_2d"]
    assert (document["runtimes"], document["inference_function"]) == (["vtarget"], "model_invoke")
    at_offset = result(made, "own", "conv", "--input-symbol", "input_buffer+0x0", *SYMBOLS[2:], "--samples", "2")
    assert at_offset == document


# What can't be used: one line.


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--input-symbol", "inptu_buffer", *SYMBOLS[2:]], "no symbol 'inptu_buffer' in {elf} (hint: did you mean"),
        ([*SYMBOLS, "--input-at", "infre"], "--input-at: no symbol 'infre' in {elf} (hint: did you mean 'infer'?)"),
        ([*SYMBOLS[:2]], "--input-symbol needs --output-symbol (hint: without both, kernels are mapped"),
        ([*SYMBOLS[2:]], "--output-symbol needs --input-symbol (hint: "),
        (["--samples", "2"], "--samples needs --input-symbol and --output-symbol"),
        (["--tolerance", "2"], "--tolerance needs --input-symbol and --output-symbol"),
        ([*SYMBOLS, *SYMBOLS[:2]], "--input-symbol: given 2 times for 1 inputs of the model ('x')"),
        (["--input-symbol", "input_buffer+1", *SYMBOLS[2:]], "7 bytes behind the offset, but 'x' takes 8 bytes"),
        (["--input-symbol", "0x08000000", *SYMBOLS[2:]], "0x08000000 is not RAM of board nucleo-l4r5zi, and 'x'"),
        ([*SYMBOLS, "--input", "x.npy", "--seed", "1"], "--seed and --input exclude each other"),
        (["--span", "infer"], "--span and --model exclude each other"),
    ],
)
def test_unusable_options_get_one_line(made: Path, arguments: list[str], line: str) -> None:
    done = command(made, "once", "relu", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert line.format(elf=made / "once.elf") in done.err


def test_samples_need_main_or_a_function_to_go_in_at(made: Path) -> None:
    stripped = made / "nameless.elf"
    subprocess.run(["arm-none-eabi-objcopy", "--strip-symbol=main", made / "once.elf", stripped], check=True)
    done = command(made, "nameless", "relu", *SYMBOLS)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: {stripped} has no function main, at which samples are put once start-up code is through with memory "
        "(hint: --input-at names the function that is one inference)\n"
    )


def test_symbols_too_small_are_refused(made: Path) -> None:
    done = command(made, "once", "chain", *SYMBOLS)
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: --input-symbol input_buffer: 8 bytes, but 'x' takes 192 bytes (int8 [1, 8, 8, 3])\n")


@pytest.mark.parametrize(
    "option", ["--input-symbol", "--output-symbol", "--input-at", "--input", "--samples", "--seed"]
)
def test_options_of_models_need_one(made: Path, option: str) -> None:
    done = vtarget("run", made / "once.elf", "-b", BOARD, option, "1")
    assert (done.code, done.err) == (2, f"error: {option} needs --model\n")


@needs_interpreter
def test_firmware_that_fails_while_it_is_fed_fails(made: Path) -> None:
    never = command(made, "named", "chain", *SYMBOLS, "--input-at", "network", "--until", "network")
    assert never.code == 1
    assert never.err == f"error: {made / 'named.elf'}: never called network, where sample 0 was to be fed\n"
    left = command(made, "named", "chain", *SYMBOLS, "--input-at", "network", "--until", "arm_softmax_s8")
    assert left.err == f"error: {made / 'named.elf'}: never returned from network, where sample 0 was to be fed\n"
    endless = command(made, "endless", "relu", *SYMBOLS, "--max-instructions", "1000")
    assert endless.code == 1
    assert "limit reached: 1000 instructions (--max-instructions)" in endless.err
    assert "--input-at names the function to watch" in endless.err and endless.err.count("\n") == 1

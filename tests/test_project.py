"""The firmware of a model: compiles cleanly, computes what the interpreter does, lies where it is told to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buildlib import HOSTILE, KINDS, conv_model, needs_gcc, shared_cache
from machinelib import Ran, run_elf

from vtarget.base.errors import InputError, RunError
from vtarget.data.emission import Constant, Layer
from vtarget.data.graph import ElementType, Graph, Operator, Quantisation, Tensor
from vtarget.data.plan import Placement
from vtarget.data.record import Reason
from vtarget.data.target import Target, target_of
from vtarget.logic.codegen.project import generate_project, model_sources
from vtarget.logic.codegen.registry import emit
from vtarget.logic.linkerscript import data_region
from vtarget.logic.plan import plan_memory
from vtarget.shell.boardlib import load_board
from vtarget.shell.building import build_project, complete_project
from vtarget.shell.imagefile import load_image
from vtarget.shell.interpreter import run_interpreter
from vtarget.shell.tflitefile import parse_model
from vtarget.shell.toolchain import find_toolchain

BOARD = "nucleo-l4r5zi"
STRICT = ("-Werror", "-Wpedantic", "-Wshadow", "-Wstrict-prototypes", "-Wundef")


def build(
    folder: Path,
    graph: Graph,
    layers: Sequence[Layer],
    *,
    kind: str = "gcc",
    board: str = BOARD,
    weights: str | None = None,
    arena: str | None = None,
    spans: bool = False,
) -> Path:
    described = load_board(board)
    placement = Placement(weights or described.boot.region, arena or data_region(described).name, ())
    plan = plan_memory(graph, layers)
    generated = generate_project(graph, layers, plan, placement, described, spans=spans)
    project = complete_project(generated, layers)
    output = folder / f"{board}-{kind}.elf"
    build_project(project, target_of(described), find_toolchain(kind), output, cflags=STRICT, cache=shared_cache())
    return output


def run(path: Path, graph: Graph, layers: Sequence[Layer], data: bytes, board: str = BOARD, samples: int = 1) -> Ran:
    """Run with the bytes of input 0 in place; the bytes of output 0 are the first read."""
    offsets = plan_memory(graph, layers).offsets_bytes
    image = load_image(str(path))
    arena = image.objects["model_arena"][0]
    output = graph.tensors[graph.outputs[0]]
    writes = ((arena + offsets[graph.inputs[0]], data), (image.objects["vt_samples"][0], samples.to_bytes(4, "little")))
    ran = run_elf(path, board, writes=writes, reads=((arena + offsets[output.index], output.size_bytes),))
    assert (ran.record.exit.reason, ran.record.exit.code) == (Reason.SEMIHOSTING, 0)
    return ran


def emitted(graph: Graph, board: str = BOARD, engine: str = "reference") -> list[Layer]:
    return [emit(operator, graph, engine, target_of(load_board(board))) for operator in graph.operators]


# A convolution against the interpreter.

ON_BOARDS: list[Any] = [
    *(pytest.param("gcc", board, marks=needs_gcc) for board in (BOARD, "rpi-pico", "nucleo-f746zg", "nucleo-u575zi-q")),
    *(pytest.param(*param.values, BOARD, marks=param.marks) for param in KINDS[1:]),
]


@pytest.fixture(scope="module")
def expected() -> tuple[np.ndarray[Any, Any], bytes]:
    """Some input, and what the interpreter makes of it."""
    given = np.random.default_rng(7).integers(-128, 128, (1, 8, 8, 3)).astype(np.int8)
    return given, run_interpreter(conv_model(), [[given]]).samples[0].outputs[0].tobytes()


@pytest.mark.parametrize("engine", ["reference", "simd"])
@pytest.mark.parametrize(("kind", "board"), ON_BOARDS)
def test_a_convolution_equals_the_interpreter(
    kind: str, board: str, engine: str, expected: tuple[np.ndarray[Any, Any], bytes], tmp_path: Path
) -> None:
    graph = parse_model("conv.tflite", conv_model())
    layers = emitted(graph, board, engine)
    elf = build(tmp_path, graph, layers, kind=kind, board=board)
    assert run(elf, graph, layers, expected[0].tobytes(), board).reads[0] == expected[1]


PLACES = [("SRAM2", "SRAM1"), ("SRAM3", "SRAM3"), ("SRAM1", None), (None, "SRAM2")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("weights", "arena"), PLACES)
def test_weights_and_arena_lie_in_the_regions_named(
    weights: str | None, arena: str | None, kind: str, expected: tuple[np.ndarray[Any, Any], bytes], tmp_path: Path
) -> None:
    graph = parse_model("conv.tflite", conv_model())
    layers = emitted(graph)
    elf = build(tmp_path, graph, layers, kind=kind, weights=weights, arena=arena)
    board, image = load_board(BOARD), load_image(str(elf))
    held = board.region_at(*image.objects["layer_00_conv_2d_filter"])
    assert held is not None and held.name == (weights or "FLASH")
    held = board.region_at(*image.objects["model_arena"])
    assert held is not None and held.name == (arena or "SRAM3")
    assert run(elf, graph, layers, expected[0].tobytes()).reads[0] == expected[1]


@needs_gcc
def test_weights_may_lie_in_a_second_flash(
    expected: tuple[np.ndarray[Any, Any], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "extends: nucleo-l4r5zi\nname: two-flashes\ntitle: Two flashes\nregions:\n"
        "  - {name: FLASH, kind: flash, base: 0x08000000, size: 2 MiB, source: test}\n"
        "  - {name: OCTOSPI, kind: xip, base: 0x90000000, size: 8 MiB, source: test}\n"
        "  - {name: SRAM3, kind: sram, base: 0x20040000, size: 384 KiB, source: test}\n"
    )
    graph = parse_model("conv.tflite", conv_model())
    layers = emitted(graph)
    described = load_board(str(path))
    generated = generate_project(
        graph, layers, plan_memory(graph, layers), Placement("OCTOSPI", "SRAM3", ()), described, spans=False
    )
    assert "board/placement.c" not in generated
    elf = tmp_path / "firmware.elf"
    build_project(
        complete_project(generated, layers), target_of(described), find_toolchain("gcc"), elf, cache=shared_cache()
    )
    assert load_image(str(elf)).objects["layer_00_conv_2d_filter"][0] >= 0x90000000
    assert run(elf, graph, layers, expected[0].tobytes(), str(path)).reads[0] == expected[1]


# What models are called.


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_change_no_code(kind: str, tmp_path: Path) -> None:
    graph = parse_model(f"{HOSTILE}.tflite".replace("\0", ""), conv_model(HOSTILE, HOSTILE))
    plain = parse_model("x.tflite", conv_model())
    layers = emitted(graph)
    texts = model_sources(graph, layers, plan_memory(graph, layers), spans=True)
    for name, text in texts.items():
        assert text.isascii() and "??/" not in text and "\r" not in text, name
        assert _code(text) == _code(model_sources(plain, layers, plan_memory(plain, layers), spans=True)[name]), name
    elf = build(tmp_path, graph, layers, kind=kind)
    other = tmp_path / "plain"
    other.mkdir()
    assert elf.read_bytes() == build(other, plain, layers, kind=kind).read_bytes()


def _code(text: str) -> list[str]:
    """What a compiler sees, by its own rules for comments: they end at the first */."""
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).split()


def test_a_model_without_a_name_is_called_after_its_file() -> None:
    graph = parse_model("folder\\deep/wake word.tflite", conv_model(""))
    texts = model_sources(graph, emitted(graph), plan_memory(graph, emitted(graph)), spans=False)
    assert texts["model.h"].startswith("/* wake word: a neural network as plain C.")


# The interface.

INT8, FLOAT32 = ElementType.INT8, ElementType.FLOAT32


def toy(tensors: Sequence[Tensor], calls: Sequence[str], inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
    operators = tuple(
        Operator(
            i, "CUSTOM_COPY", tuple(map(int, re.findall(r"<(\d+)", call))), tuple(map(int, re.findall(r">(\d+)", call)))
        )
        for i, call in enumerate(calls)
    )
    return Graph("toy.tflite", "0" * 64, "toy", tuple(tensors), operators, tuple(inputs), tuple(outputs))


def copying(number: int, source: int, target: int, size: int = 4, **extra: Any) -> Layer:
    return Layer(number, "memcpy", f"memcpy({{tensor_{target}}}, {{tensor_{source}}}, {size});", **extra)


@needs_gcc
def test_variables_start_as_the_model_says_and_keep_their_values(tmp_path: Path) -> None:
    graph = toy(
        [
            Tensor(0, "in", (4,), INT8),
            Tensor(1, "state", (4,), INT8, data=b"\5\6\7\10", variable=True),
            Tensor(2, "zero", (4,), INT8, variable=True),
            Tensor(3, "out", (8,), INT8),
        ],
        ["<1 <2 <0 >3"],
        [0],
        [3],
    )
    call = "int8_t *out = {tensor_3}; int8_t *state = {tensor_1}; int8_t *zero = {tensor_2};\n"
    call += "for (int i = 0; i < 4; i++) {\n    out[i] = state[i]++;\n    out[4 + i] = zero[i];\n    zero[i] += 2;\n}"
    layers = [Layer(0, "none", call)]
    elf = build(tmp_path, graph, layers)
    assert run(elf, graph, layers, bytes(4)).reads[0] == bytes([5, 6, 7, 8, 0, 0, 0, 0])
    assert run(elf, graph, layers, bytes(4), samples=3).reads[0] == bytes([7, 8, 9, 10, 4, 4, 4, 4])


@needs_gcc
def test_the_header_tells_types_shapes_and_quantisation(tmp_path: Path) -> None:
    graph = toy(
        [
            Tensor(0, "in", (1, 4), INT8, Quantisation((0.5,), (-3,))),
            Tensor(1, "out", (), FLOAT32),
        ],
        ["<0 >1"],
        [0],
        [1],
    )
    layers = [copying(0, 0, 1)]
    header = model_sources(graph, layers, plan_memory(graph, layers), spans=False)["model.h"]
    for line in (
        "#define MODEL_INPUTS 1u",
        "#define MODEL_INPUT_0_TYPE int8_t",
        "#define MODEL_INPUT_0_ELEMENTS 4u",
        "#define MODEL_INPUT_0_BYTES 4u",
        "#define MODEL_INPUT_0_DIMS 2u",
        "#define MODEL_INPUT_0_SHAPE {1, 4}",
        "#define MODEL_INPUT_0_SCALE 0.5f",
        "#define MODEL_INPUT_0_ZERO_POINT (-3)",
        "#define MODEL_OUTPUT_0_TYPE float",
        "#define MODEL_OUTPUT_0_DIMS 0u",
    ):
        assert f"{line}\n" in header
    assert "MODEL_OUTPUT_0_SHAPE" not in header and "MODEL_OUTPUT_0_SCALE" not in header
    assert run(build(tmp_path, graph, layers), graph, layers, b"\1\2\3\4").reads[0] == b"\1\2\3\4"


@needs_gcc
def test_inputs_and_outputs_have_addresses_and_nothing_else_has(tmp_path: Path) -> None:
    graph = toy([Tensor(0, "in", (4,), INT8), Tensor(1, "out", (4,), INT8)], ["<0 >1"], [0], [1])
    layers = [copying(0, 0, 1)]
    plan = plan_memory(graph, layers)
    board = load_board(BOARD)
    generated = generate_project(graph, layers, plan, Placement("FLASH", "SRAM3", ()), board, spans=False)
    generated["board/main.c"] = (
        '#include "model.h"\n#include <string.h>\nint main(void)\n{\n'
        "    MODEL_INPUT_0_TYPE *input = model_input(0);\n    const MODEL_OUTPUT_0_TYPE *output = model_output(0);\n"
        '    model_init();\n    memcpy(input, "abc", MODEL_INPUT_0_BYTES);\n    model_invoke();\n'
        '    return memcmp(output, "abc", 4) != 0 || model_input(1) != NULL || model_output(1) != NULL;\n}\n'
    )
    elf = tmp_path / "firmware.elf"
    project = complete_project(generated, layers)
    build_project(project, target_of(board), find_toolchain("gcc"), elf, cflags=STRICT, cache=shared_cache())
    assert run_elf(elf, BOARD).record.exit.code == 0


@needs_gcc
def test_an_output_may_be_a_constant(tmp_path: Path) -> None:
    graph = toy(
        [Tensor(0, "in", (4,), INT8), Tensor(1, "out", (4,), INT8), Tensor(2, "fix", (2,), INT8, data=b"\11\12")],
        ["<0 >1"],
        [0],
        [1, 2],
    )
    layers = [copying(0, 0, 1)]
    texts = model_sources(graph, layers, plan_memory(graph, layers), spans=False)
    assert "    case 1:\n        return ((void *)(uintptr_t)tensor_2_data);\n" in texts["model.c"]
    assert "tensor_2_data[2] = {\n    9, 10,\n};\n" in texts["weights.c"]
    build(tmp_path, graph, layers)


@needs_gcc
def test_equal_constants_are_stored_once_and_scratch_is_in_the_arena(tmp_path: Path) -> None:
    graph = toy(
        [Tensor(0, "in", (4,), INT8), Tensor(1, "middle", (4,), INT8), Tensor(2, "out", (4,), INT8)],
        ["<0 >1", "<1 >2"],
        [0],
        [2],
    )
    add = "int8_t *to = {{tensor_{1}}}; const int8_t *from = {{tensor_{0}}};\n"
    add += "int8_t *scratch = {{scratch}};\nmemcpy(scratch, {{layer}}_table, 4);\n"
    add += "for (int i = 0; i < 4; i++) to[i] = (int8_t)(from[i] + scratch[i]);"
    table = Constant("{layer}_table", "int8_t", b"\1\2\3\4")
    layers = [Layer(i, "none", add.format(i, i + 1), (table,), scratch_bytes=4) for i in range(2)]
    elf = build(tmp_path, graph, layers)
    assert [name for name in load_image(str(elf)).objects if "table" in name] == ["layer_00_custom_copy_table"]
    assert run(elf, graph, layers, bytes(4)).reads[0] == b"\2\4\6\10"


@needs_gcc
def test_a_model_without_operators_is_a_firmware(tmp_path: Path) -> None:
    graph = toy([Tensor(0, "through", (4,), INT8)], [], [0], [0])
    assert run(build(tmp_path, graph, []), graph, [], b"\1\2\3\4").reads[0] == b"\1\2\3\4"


# What watches it.


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_functions_that_marks_surround(kind: str, tmp_path: Path) -> None:
    graph = parse_model("conv.tflite", conv_model())
    layers = emitted(graph)
    elf = build(tmp_path, graph, layers, kind=kind, spans=True)
    offsets = plan_memory(graph, layers).offsets_bytes
    image = load_image(str(elf))
    seen: list[str] = []
    names = ("vt_next_sample", "model_invoke", "vt_span_begin", "layer_00_conv_2d", "vt_conv_2d_s8", "vt_span_end")
    watched = {name: (lambda _engine, name=name: seen.append(name)) for name in names}
    run_elf(elf, BOARD, on_enter=watched, writes=((image.objects["vt_samples"][0], b"\2\0\0\0"),))
    assert seen == [*names, *names, "vt_next_sample"]
    assert offsets.keys() == {0, 3}


@needs_gcc
def test_without_marks_there_are_none(tmp_path: Path) -> None:
    graph = parse_model("conv.tflite", conv_model())
    functions = {f.name for f in load_image(str(build(tmp_path, graph, emitted(graph)))).functions}
    assert "layer_00_conv_2d" in functions and not any("span" in name for name in functions)


def test_the_library_does_not_depend_on_the_board() -> None:
    graph = parse_model("conv.tflite", conv_model())
    layers = emitted(graph)
    plan = plan_memory(graph, layers)
    made = [
        generate_project(graph, layers, plan, Placement("FLASH", arena, ()), load_board(board), spans=False)
        for board, arena in (("nucleo-l4r5zi", "SRAM1"), ("nrf52840dk", "RAM"))
    ]
    changed = {name for name in made[0] if made[0][name] != made[1][name]}
    assert changed == {"board/board.ld"}


@needs_gcc
def test_nothing_is_allocated_and_no_stdio_is_called(tmp_path: Path) -> None:
    graph = parse_model("conv.tflite", conv_model())
    layers = emitted(graph, engine="simd")
    plan = plan_memory(graph, layers)
    project = complete_project(
        generate_project(graph, layers, plan, Placement("FLASH", "SRAM3", ()), load_board(BOARD), spans=False), layers
    )
    library = "".join(text for name, text in project.files.items() if name.startswith(("model/", "kernels/")))
    included = set(re.findall(r"#include <([^>]+)>", library))
    assert included <= {"stddef.h", "stdint.h", "string.h", "float.h", "arm_acle.h"}


# What can't be built.


def test_a_missing_kernel_file_is_one_line() -> None:
    layer = Layer(0, "none", "none();", sources=("absent.c",))
    with pytest.raises(InputError, match=r"the kernel file kernels/absent\.c is missing from this installation"):
        complete_project({}, [layer])


@needs_gcc
def test_code_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    graph = parse_model("conv.tflite", conv_model())
    layers = [replace(layer, constants=(*layer.constants, _huge())) for layer in emitted(graph)]
    described = load_board(BOARD)
    generated = generate_project(
        graph, layers, plan_memory(graph, layers), Placement("FLASH", "SRAM3", ()), described, spans=False
    )
    generated["model/weights.c"] = re.sub(
        r"(_huge)\[\d+\] = \{[^}]*", r"\1[3000000] = {0", generated["model/weights.c"]
    )
    generated["model/weights.h"] = re.sub(r"(_huge)\[\d+\]", r"\1[3000000]", generated["model/weights.h"])
    generated["model/model.c"] += "\nconst void *use(void);\nconst void *use(void) { return layer_00_conv_2d_huge; }\n"
    with pytest.raises(RunError, match=r"^linking: .*FLASH.* overflowed"):
        build_project(
            complete_project(generated, layers),
            Target("cortex-m4", True, "fpv4-sp-d16"),
            find_toolchain("gcc"),
            tmp_path / "x.elf",
            cache=shared_cache(),
        )


def _huge() -> Constant:
    return Constant("{layer}_huge", "int8_t", b"\1")

"""The firmware of our own: committed ELFs match their sources, examples compute what they claim, QEMU agrees."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from firmwarelib import FIRMWARE, QEMU_TARGETS, build, build_for_qemu, needs_compiler
from qemu import needs_qemu, ram_ranges, run_qemu, symbol_address, symbol_range

EXAMPLES = ["biquad", "conv_int8", "fc_int8", "fft", "fir", "memcpy_bench", "quantise"]
FPU_CORES = {"m4f", "m7", "m33"}
CRC = {
    "conv_int8": 0xB7A1F4FE,
    "fc_int8": 0x2B1F53F4,
    "fir": 0xEDC0B4B9,
    "memcpy_bench": 0x3263B30C,
    "quantise": 0xE252F55C,
}
CRC_FPU = {"biquad": 0xFD26DE69, "fft": 0x9BB7E059}
CRC_INTEGER = {"biquad": 0x0C5AE8DC, "fft": 0xE1A3A183}


def expected_crc(name: str, core: str) -> int:
    return (CRC | (CRC_FPU if core in FPU_CORES else CRC_INTEGER))[name]


@pytest.fixture(scope="module")
def qemu_elfs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Path]:
    return build_for_qemu(EXAMPLES, tmp_path_factory.mktemp("qemu"))


def test_the_examples_are_the_ones_tested_here() -> None:
    assert list(build.examples()) == EXAMPLES


def test_every_committed_elf_has_a_program_and_every_program_its_elf() -> None:
    present = sorted(str(p.relative_to(FIRMWARE)) for p in FIRMWARE.rglob("*.elf"))
    assert present == sorted(p.output for p in build.committed_programs())


def test_no_committed_elf_tells_where_it_was_built() -> None:
    for program in build.committed_programs():
        content = (FIRMWARE / program.output).read_bytes()
        assert b"/home" not in content and b"/tmp" not in content, program.output
        assert str(FIRMWARE).encode() not in content, program.output


@needs_compiler
@pytest.mark.skipif(
    build.compiler_version() != build.COMPILER_FILE.read_text().strip(),
    reason="arm-none-eabi-gcc is another version than firmware/COMPILER names",
)
def test_committed_elfs_match_a_rebuild() -> None:
    assert build.differing(build.committed_programs()) == []


@needs_compiler
@needs_qemu
@pytest.mark.parametrize(("core", "board"), QEMU_TARGETS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_example_passes_its_self_check_in_qemu(
    name: str, core: str, board: str, qemu_elfs: dict[tuple[str, str, str], Path]
) -> None:
    elf = qemu_elfs[name, core, board]
    result = run_qemu(board, elf, dump=[symbol_range(elf, "output"), *ram_ranges(elf)])
    crc = expected_crc(name, core)
    assert result.console == f"{name} crc=0x{crc:08x} ok\n"
    assert result.exit_code == 0
    assert zlib.crc32(result.memory[0]) == crc
    assert len(result.memory[2]) == 4096


@needs_compiler
@needs_qemu
def test_the_iteration_count_does_not_change_the_output(tmp_path: Path) -> None:
    elfs = build_for_qemu(["fc_int8"], tmp_path, iterations=3)
    elf = elfs["fc_int8", "m4f", "mps2-an386"]
    result = run_qemu("mps2-an386", elf, dump=[(symbol_address(elf, "iterations"), 4)])
    assert result.memory[0] == b"\x03\0\0\0"
    assert (result.console, result.exit_code) == ("fc_int8 crc=0x2b1f53f4 ok\n", 0)


@needs_qemu
@pytest.mark.parametrize(
    ("core", "machine"), [("m3", "mps2-an385"), ("m4f", "mps2-an386"), ("m7", "mps2-an500"), ("m33", "mps2-an505")]
)
def test_microkernels_run_to_their_end_in_qemu(core: str, machine: str) -> None:
    result = run_qemu(machine, FIRMWARE / "tests" / f"microkernels-{core}.elf")
    assert (result.console, result.exit_code) == ("", 0)


@needs_compiler
@needs_qemu
@pytest.mark.parametrize("name", ["recursion", "tailcall", "fptr", "longjmp", "virtual"])
def test_inclusive_programs_run_to_their_end_in_qemu(name: str, tmp_path: Path) -> None:
    source = next((FIRMWARE / "tests").glob(f"inclusive_{name}.c*"))
    (elf,) = build.build([build.qemu_program(source, "m4f", "mps2-an386")], tmp_path)
    assert run_qemu("mps2-an386", elf).exit_code == 0


@needs_compiler
@needs_qemu
def test_a_program_that_never_ends_is_given_up(tmp_path: Path) -> None:
    program = build.qemu_program(FIRMWARE / "tests" / "forever.c", "m4f", "mps2-an386")
    (elf,) = build.build([program], tmp_path)
    with pytest.raises(TimeoutError, match=r"forever-m4f-mps2-an386\.elf on mps2-an386 did not exit in 0\.3 s"):
        run_qemu("mps2-an386", elf, timeout_s=0.3)


# What the examples compute, once more, in Python.


def random_words(seed: int) -> Iterator[int]:
    state = seed
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state


def words(seed: int, count: int) -> np.ndarray:
    return np.array(list(islice(random_words(seed), count)), np.uint32).astype(np.int32)


def random_bytes(seed: int, count: int) -> np.ndarray:
    return (words(seed, count).view(np.uint32) >> 24).astype(np.uint8)


def crc(*arrays: np.ndarray) -> int:
    return zlib.crc32(b"".join(a.tobytes() for a in arrays))


def requantised(sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray, offset: int) -> np.ndarray:
    scaled = (sums.astype(np.int64) * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(scaled + offset, -128, 127).astype(np.int8)


def test_fir_reference() -> None:
    samples = random_bytes(0x0F1E2D3C, 2 * 319).view(np.int16).astype(np.int32)
    ramp = 31 * np.arange(1, 33)
    taps = np.concatenate([ramp, ramp[::-1]])
    sums = np.array([(samples[n : n + 64] * taps).sum() for n in range(256)])
    assert crc(((sums + (1 << 14)) >> 15).astype(np.int16)) == CRC["fir"]


def test_fc_int8_reference() -> None:
    inputs = random_bytes(0x5EED0006, 256).view(np.int8).astype(np.int32)
    weights = random_bytes(0x5EED0007, 64 * 256).view(np.int8).astype(np.int32).reshape(64, 256)
    biases = words(0x5EED0008, 64) >> 18
    sums = weights @ (inputs + 128) + biases
    assert crc(requantised(sums, np.int64(1518500250), np.int64(42), -11)) == CRC["fc_int8"]


def test_conv_int8_reference() -> None:
    image = random_bytes(0x5EED0003, 12 * 12 * 8).view(np.int8).astype(np.int32).reshape(12, 12, 8)
    weights = random_bytes(0x5EED0004, 16 * 72).view(np.int8).astype(np.int32).reshape(16, 72)
    drawn = words(0x5EED0005, 32)
    biases, multipliers = drawn[0::2] >> 20, 0x40000000 | (drawn[1::2].view(np.uint32) >> 2).astype(np.int64)
    windows = np.array([[image[y : y + 3, x : x + 3].ravel() for x in range(10)] for y in range(10)])
    sums = (windows + 5) @ weights.T + biases
    shifts = 38 + (np.arange(16) & 3)
    assert crc(requantised(sums, multipliers, shifts, -3)) == CRC["conv_int8"]


def test_memcpy_bench_reference() -> None:
    source = random_bytes(0x5EED0009, 4096)
    output = np.full((4, 4096), 0x5A, np.uint8)
    output[0] = source
    output[1, :2048] = source[:2048]
    output[2, 1:4095] = source[:4094]
    output[3, :2048] = source[:2048]
    output[3, 1:2048] = output[3, :2047].copy()
    output[3, 2048:4095] = output[3, 2049:4096].copy()
    assert crc(output) == CRC["memcpy_bench"]


def test_quantise_reference() -> None:
    draw = random_words(0x5EED000A)
    scales = [1 + (next(draw) >> (20 + i // 2)) for i in range(16)]
    signed = np.array(list(islice(draw, 1024)), np.uint32).astype(np.int32)
    values = [int(v) >> (8 + i % 16) for i, v in enumerate(signed)]
    quantised = [int(np.sign(v)) * ((abs(v) + s // 2) // s) for v, s in zip(values, scales * 64, strict=True)]
    peaks = [max(1, *(abs(v) for v in values[c::16])) for c in range(16)]
    shares = [(abs(v) * 255 & 0xFFFFFFFF) // p for v, p in zip(values, peaks * 64, strict=True)]
    assert crc(np.clip(quantised, -128, 127).astype(np.int8), np.array(shares, np.uint8)) == CRC["quantise"]


def fft_input() -> np.ndarray:
    return words(0x5EED0002, 512).astype(np.int16).reshape(256, 2)


def twiddles_q15() -> np.ndarray:
    angles = 2 * np.pi * np.arange(128) / 256
    return np.clip(np.round(32768 * np.stack([np.cos(angles), -np.sin(angles)], 1)), -32767, 32767).astype(np.int32)


def bit_reversed(data: np.ndarray) -> np.ndarray:
    return data[[int(f"{i:08b}"[::-1], 2) for i in range(256)]]


def test_fft_reference_in_single_precision() -> None:
    scale = np.float32(1 / 32768)
    data = bit_reversed(fft_input()).astype(np.float32) * scale
    factors = twiddles_q15().astype(np.float32) * scale
    for half in (1 << k for k in range(8)):
        blocks = data.reshape(-1, 2, half, 2)
        (tr, ti), (lr, li) = (np.moveaxis(blocks[:, i], -1, 0) for i in (0, 1))
        wr, wi = factors[:: 128 // half].T
        re, im = wr * lr - wi * li, wr * li + wi * lr
        upper, lower = np.stack([tr + re, ti + im], -1), np.stack([tr - re, ti - im], -1)
        data = (np.stack([upper, lower], 1) * np.float32(0.5)).reshape(256, 2)
    exact = np.fft.fft(fft_input() @ np.array([1, 1j])) / 256 / 32768
    assert np.abs(data @ np.array([1, 1j]) - exact).max() < 2e-5
    assert crc(data) == CRC_FPU["fft"]


def test_fft_reference_in_q15() -> None:
    data = bit_reversed(fft_input()).astype(np.int32)
    for half in (1 << k for k in range(8)):
        blocks = data.reshape(-1, 2, half, 2)
        (tr, ti), (lr, li) = (np.moveaxis(blocks[:, i], -1, 0) for i in (0, 1))
        wr, wi = twiddles_q15()[:: 128 // half].T
        re, im = (wr * lr - wi * li + (1 << 14)) >> 15, (wr * li + wi * lr + (1 << 14)) >> 15
        upper, lower = np.stack([tr + re, ti + im], -1), np.stack([tr - re, ti - im], -1)
        data = (np.stack([upper, lower], 1) >> 1).reshape(256, 2)
    assert crc(data.astype(np.int16)) == CRC_INTEGER["fft"]


BIQUAD_SECTIONS = [
    (26843546, 53687091, 26843546, 644245094, -214748365),
    (53687091, 107374182, 53687091, 536870912, -214748364),
    (80530637, 107374182, 80530637, 429496730, -161061274),
    (107374182, 214748365, 107374182, 322122547, -214748364),
]


def biquad_q29() -> np.ndarray:
    samples = [int(v) >> 4 for v in words(0x5EED0001, 256)]
    for b0, b1, b2, a1, a2 in BIQUAD_SECTIONS:
        x = [0, 0, *samples]
        y = [0, 0]
        for n in range(2, 258):
            y.append((b0 * x[n] + b1 * x[n - 1] + b2 * x[n - 2] + a1 * y[n - 1] + a2 * y[n - 2]) >> 29)
        samples = y[2:]
    return np.array(samples, np.int32)


def test_biquad_reference() -> None:
    assert crc(biquad_q29()) == CRC_INTEGER["biquad"]


@needs_compiler
@needs_qemu
def test_biquad_in_single_precision_follows_the_fixed_point_one(qemu_elfs: dict[tuple[str, str, str], Path]) -> None:
    elf = qemu_elfs["biquad", "m4f", "mps2-an386"]
    (output,) = run_qemu("mps2-an386", elf, dump=[symbol_range(elf, "output")]).memory
    fixed, single = np.frombuffer(output[:1024], np.int32), np.frombuffer(output[1024:], np.float32)
    assert (fixed == biquad_q29()).all()
    assert np.abs(single - fixed / 2**29).max() < 1e-7
    assert np.abs(single).max() > 0.1

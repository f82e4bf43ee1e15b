"""The sentence on a slow layer, with literal numbers, and a model's report as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vtarget.data.emission import Layer
from vtarget.data.graph import ElementType, Graph, Operator, Tensor
from vtarget.data.image import RegionUse
from vtarget.data.modelprofile import LayerProfile, ModelMemory, ModelProfile, Spread
from vtarget.data.plan import Plan
from vtarget.data.profile import Bound, Memory, Profile, Span
from vtarget.data.record import Exit, Reason
from vtarget.data.validation import LayerComparison, TensorComparison, Validation
from vtarget.logic.duty import duty_of
from vtarget.logic.layers import LayerContext, layer_profiles
from vtarget.logic.modelreport import (
    LAYER_COLUMNS,
    compared_columns,
    compared_rows,
    difference,
    layer_rows,
    model_heading,
    model_lines,
    remarks,
    verdict,
)

CLOCK = 1_000_000
M4 = LayerContext("cortex-m4", "fpv4-sp", "simd", 5, "FLASH")


def inference(cycles: int, energy: float | None = None) -> Profile:
    bound = Bound(cycles * 0.9, cycles, cycles * 1.5)
    joules = None if energy is None else Bound(energy / 2, energy, energy * 2)
    return Profile(
        board="some-board",
        core="cortex-m4",
        clock_hz=CLOCK,
        firmware_path="m.elf",
        firmware_sha256="0" * 64,
        exit=Exit(Reason.SEMIHOSTING, 0, 0, "", ()),
        instructions=cycles,
        cycles=bound,
        latency_s=bound.scaled(1 / CLOCK),
        energy_j=joules,
        power_source="",
        provenance="uncalibrated",
        kernels=(),
        spans=(),
        memory=Memory(100, 50, 24, (RegionUse("FLASH", 100, 1000),), ()),
        console="",
        not_modelled=(),
        sleep=(),
        duty=duty_of(bound.scaled(1 / CLOCK), joules, ()),
    )


def conv(
    shape: tuple[int, ...] = (1, 8, 8, 4),
    out: tuple[int, ...] = (1, 8, 8, 8),
    size: tuple[int, int] = (1, 1),
    type_: str = "int8",
    *,
    op: str = "CONV_2D",
    weights: tuple[int, ...] | None = None,
    **options: Any,
) -> Graph:
    """A graph of one operator with weights; ``size`` is its window."""
    held = weights or (out[-1], *size, shape[-1])
    tensors = (
        Tensor(0, "x", shape, ElementType(type_)),
        Tensor(1, "w", held, ElementType(type_), data=b"\0"),
        Tensor(2, "y", out, ElementType(type_)),
    )
    defaults = {"padding": "VALID", "stride_h": 1, "stride_w": 1}
    return Graph("m", "", "", tensors, (Operator(0, op, (0, 1), (2,), {**defaults, **options}),), (0,), (2,))


def row(
    graph: Graph,
    macs: int,
    cycles: int,
    *,
    total: int | None = None,
    notes: tuple[str, ...] = (),
    context: LayerContext = M4,
    energy: float | None = None,
) -> LayerProfile:
    layer = Layer(0, "vt_kernel", "", macs=macs, notes=notes)
    spans = [[Span("layer", 0, cycles, cycles, cycles / CLOCK, None)]]
    (found,) = layer_profiles(graph, [layer], spans, inference(total or cycles, energy), context)
    return found


# Why a layer is slow.


def test_numbers_of_a_layer() -> None:
    found = row(conv(), 16_384, 16_384, total=65_536, energy=4e-6)
    assert (found.op, found.name, found.type, found.kernel) == ("CONV_2D", "y", "int8", "vt_kernel")
    assert (found.input_shapes, found.output_shapes) == (((1, 8, 8, 4), (8, 1, 1, 4)), ((1, 8, 8, 8),))
    assert (found.cycles_per_mac, found.ideal_cycles, found.efficiency) == (1.0, 8192.0, 0.5)
    assert (found.share, found.latency_s, found.energy_j) == (0.25, 0.016384, 1e-6)
    assert found.reason is None


def test_the_fallback_comes_first() -> None:
    note = "no fast kernel for int16 CONV_2D: reference kernel used"
    assert row(conv(), 16_384, 200_000, total=400_000, notes=(note,)).reason == f"50 % of the cycles: {note}"
    assert row(conv(), 16_384, 200_000, notes=("something else",)).reason != f"100 % of the cycles: {note}"


def test_layers_too_small_or_fast_enough_need_no_word() -> None:
    assert row(conv(), 16_384, 49_999, total=1_000_000).reason is None
    assert row(conv(), 16_384, 50_000, total=1_000_000).reason is not None
    assert row(conv(), 3500, 5000).reason is None
    assert row(conv(), 3499, 5000).reason is not None


def test_an_elementwise_hotspot() -> None:
    graph = conv(op="TANH")
    assert row(graph, 0, 120, total=1000).reason == (
        "12 % of the cycles without a multiply-accumulate: an elementwise hotspot"
    )


def test_the_reference_engine_is_what_it_is() -> None:
    found = row(conv(), 1000, 10_000, context=replace(M4, engine="reference"))
    assert found.reason == "100 % of the cycles at 5 % of the ideal: the reference engine's kernels are plain C"


@pytest.mark.parametrize(("waits", "left_out"), [(5, " (waits of FLASH not counted)"), (0, ""), (None, "")])
def test_weights_used_once(waits: int | None, left_out: str) -> None:
    graph = conv((1, 640), (1, 128), op="FULLY_CONNECTED", weights=(128, 640))
    found = row(graph, 81_920, 409_600, context=replace(M4, weight_waits=waits))
    assert found.reason == (
        "100 % of the cycles at 10 % of the ideal: each weight is used only once or twice, so loading outweighs "
        f"multiplying{left_out}"
    )


@pytest.mark.parametrize(
    ("shape", "out", "size", "stride", "percent"),
    [
        ((1, 8, 8, 4), (1, 8, 8, 8), (3, 3), 1, 44),  # 6 of 8 rows and columns are whole: 1 - 36/64
        ((1, 4, 4, 4), (1, 4, 4, 8), (3, 3), 1, 75),  # 2 of 4: 1 - 4/16
        ((1, 8, 8, 4), (1, 4, 4, 8), (3, 3), 2, 44),  # padded behind only: 3 of 4, 1 - 9/16
        ((1, 2, 2, 4), (1, 2, 2, 8), (5, 5), 1, 100),  # none is whole
        ((1, 1, 16, 4), (1, 1, 16, 8), (1, 5), 1, 25),  # 12 of 16 columns
    ],
)
def test_padding(shape: Any, out: Any, size: Any, stride: int, percent: int) -> None:
    graph = conv(shape, out, size, padding="SAME", stride_h=stride, stride_w=stride)
    assert row(graph, 100_000, 1_000_000).reason == (
        f"100 % of the cycles at 5 % of the ideal: {percent} % of its window positions reach into the padding"
    )


def test_padding_of_a_pool_is_of_its_window() -> None:
    tensors = (Tensor(0, "x", (1, 8, 8, 4), ElementType.INT8), Tensor(1, "y", (1, 8, 8, 4), ElementType.INT8))
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "filter_height": 3, "filter_width": 1}
    graph = Graph("m", "", "", tensors, (Operator(0, "AVERAGE_POOL_2D", (0,), (1,), options),), (0,), (1,))
    assert str(row(graph, 1000, 10_000).reason).endswith("25 % of its window positions reach into the padding")


def test_little_padding_is_not_to_blame() -> None:
    graph = conv((1, 40, 40, 4), (1, 40, 40, 8), (3, 3), padding="SAME")  # 1 - (38/40)^2 = 10 %
    assert str(row(graph, 100_000, 1_000_000).reason).endswith(
        "its loads and index arithmetic outweigh its multiplications"
    )


def test_channels_that_are_no_multiple_of_four() -> None:
    sentence = "3 channels are no multiple of 4, so words of four values don't come out even"
    assert str(row(conv((1, 8, 8, 3)), 10_000, 100_000).reason).endswith(f"5 % of the ideal: {sentence}")
    found = row(conv((1, 8, 8, 3), type_="float32"), 10_000, 300_000)
    assert found.reason == (
        "100 % of the cycles at 10 % of the ideal: its loads and index arithmetic outweigh its multiplications"
    )


# The report.


def comparison(difference: float = 0.0, within: bool = True) -> TensorComparison:
    return TensorComparison(
        2, "y", (1, 8), "int8", 8, int(difference > 0), 0, difference, 0.0, 0.0, 1.0, None, within
    )  # fmt: skip


def validation(
    *differences: float, within: bool = True, unjudged: tuple[int, ...] = (), samples: int = 1
) -> Validation:
    outputs = [comparison(d, within or d == 0) for d in differences]
    layers = tuple(LayerComparison(i, "CONV_2D", (output,)) for i, output in enumerate(outputs))
    return Validation("oracle 1.0", samples, (outputs[-1],), layers, "0123abcd", unjudged)


def model(*layers: LayerProfile, engine: str = "simd", samples: int = 1, checked: Validation | None = None) -> Any:
    cycles = sum(layer.cycles for layer in layers)
    return ModelProfile(
        model_path="m.tflite",
        model_sha256="0" * 64,
        engine=engine,
        compiler="cc 1",
        flags=(),
        samples=samples,
        inference=inference(cycles),
        spread=Spread(cycles + 500, cycles - 1, cycles, cycles + 1, cycles + 2),
        layers=layers,
        memory=ModelMemory(1024, 20_480, 3000, 256),
        plan=Plan(1024, 16, 1024, ()),
        validation=checked,
    )


SLOW, TINY = row(conv(), 1000, 10_000, total=10_010), replace(row(conv(op="RELU"), 0, 10, total=10_010), index=1)


def test_a_heading_and_rows() -> None:
    assert model_heading(model(SLOW)) == (
        "m.tflite on some-board (cortex-m4 at 1 MHz), engine simd, cc 1, uncalibrated"
    )
    assert [dict(zip(LAYER_COLUMNS, cells, strict=True)) for cells in layer_rows(model(SLOW, TINY))] == [
        {"#": "0", "operator": "CONV_2D", "output": "1x8x8x8 int8", "kernel": "kernel", "MACs": "1,000"}
        | {"cycles": "10,000", "cycles/MAC": "10.00", "time": "10.0 ms", "energy": "unknown", "share": "99.9 %"},
        {"#": "1", "operator": "RELU", "output": "1x8x8x8 int8", "kernel": "kernel", "MACs": "-"}
        | {"cycles": "10", "cycles/MAC": "-", "time": "10.0 µs", "energy": "unknown", "share": "0.1 %"},
    ]


def test_engines_compared() -> None:
    fast = replace(SLOW, cycles=2500)
    pair = [model(SLOW, TINY, engine="reference"), model(fast, replace(TINY, cycles=0))]
    assert compared_columns(pair)[4:] == [
        *("reference cycles", "reference /MAC", "simd cycles", "simd /MAC", "reference : simd"),
    ]
    assert compared_rows(pair) == [
        ("0", "CONV_2D", "1x8x8x8 int8", "1,000", "10,000", "10.00", "2,500", "2.50", "4.0"),
        ("1", "RELU", "1x8x8x8 int8", "-", "10", "-", "0", "-", "-"),
        ("", "inference", "", "1,000", "10,010", "10.01", "2,500", "2.50", "4.0"),
    ]


def test_a_slower_engine_has_a_ratio_below_one() -> None:
    pair = [model(replace(SLOW, cycles=631), engine="simd"), model(SLOW, engine="reference")]
    assert [row[-1] for row in compared_rows(pair)] == ["0.063", "0.063"]


def test_lines_of_an_inference() -> None:
    assert model_lines(model(SLOW, samples=3, checked=validation(0.0, samples=3))) == [
        ("MACs", "1,000"),
        ("cycles", "10,000 (9,000 .. 15,000), 10.00 per MAC"),
        ("time", "10.0 ms (9.00 ms .. 15.0 ms)"),
        ("energy", "unknown"),
        ("3 samples", "cold 10,500; warm: min 9,999, median 10,000, p95 10,001, max 10,002"),
        ("memory", "arena 1,024, weights 20,480, code 3,000, stack 256 bytes"),
        ("validation", "bit-exact in its only layer against oracle 1.0, 3 samples, output CRC 0123abcd"),
    ]
    assert "validation" not in dict(model_lines(model(SLOW)))


@pytest.mark.parametrize(
    ("checked", "text"),
    [
        (validation(0, 0), "bit-exact in all 2 layers against oracle 1.0, 1 sample, output CRC 0123abcd"),
        (
            validation(0, 2),
            "within tolerance in all 2 layers against oracle 1.0, 1 sample, largest output difference 2, "
            "output CRC 0123abcd",
        ),
        (validation(0, 3, 9, within=False), "differs from oracle 1.0, 1 sample, first at layer 1 CONV_2D by up to 3"),
        (
            validation(2, 0, unjudged=(1,)),
            "bit-exact against oracle 1.0, 1 sample, but for layer 0 CONV_2D, where this interpreter is known to "
            "differ from TFLM; 1 layer behind it not judged, output CRC 0123abcd",
        ),
    ],
)
def test_verdicts(checked: Validation, text: str) -> None:
    assert verdict(checked) == text


def test_a_difference_that_is_not_finite_is_no_number() -> None:
    output = validation(0, 3, 9, within=False).layers[1].outputs[0]
    assert difference(replace(output, not_finite=2, elements=8000)) == (
        "by up to 3, and 2 of 8,000 elements are infinite or NaN on one side"
    )
    assert difference(replace(output, not_finite=1, elements=9, max_abs_diff=0.0)) == (
        "where 1 of 9 elements are infinite or NaN on one side"
    )


def test_remarks_come_slowest_first() -> None:
    slower = replace(SLOW, index=3, cycles=20_000, reason="b")
    assert remarks(model(replace(SLOW, reason="a"), slower, TINY)) == ["layer 3 CONV_2D: b", "layer 0 CONV_2D: a"]

"""Models of one operator for comparing engines: fast kernels must give the reference kernels' bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hostkernels
import numpy as np
from modelwriter import Field, TensorSpec, one_op_model
from targetkernels import TargetRun, run_models

from vtarget.data.target import Target
from vtarget.logic.codegen.window import output_size

Array = np.ndarray[Any, Any]
M4 = Target("cortex-m4", dsp=True, fpu="fpv4-sp-d16")


@dataclass(frozen=True)
class SimdCase:
    """A model and what it is fed."""

    name: str
    model: bytes
    inputs: tuple[Array, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Window:
    """The options of an operator with a sliding window."""

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: str = "SAME"
    dilation: tuple[int, int] = (1, 1)

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Output height and width."""
        pairs = zip((height, width), self.size, self.stride, self.dilation, strict=True)
        rows, columns = (output_size(self.padding, size, *rest) for size, *rest in pairs)
        return rows, columns

    def options(self) -> dict[str, Field]:
        """As the operators' options have it."""
        return {
            "padding": self.padding,
            "stride_h": self.stride[0],
            "stride_w": self.stride[1],
            "dilation_h_factor": self.dilation[0],
            "dilation_w_factor": self.dilation[1],
        }


@dataclass(frozen=True)
class Numbers:
    """How a case is quantised. ``gain`` is the largest real multiplier of an accumulator."""

    activation: str = "NONE"
    input_zero: int = 3
    output_zero: int = -5
    gain: float = 0.004
    per_channel: bool = True
    bias: int | None = 1000
    type: str = "int8"
    bias_type: str = "int32"
    largest_weight: int = 127

    def fused(self) -> dict[str, Field]:
        """The activation as an option."""
        return {"fused_activation_function": self.activation}


def random_filter(rng: np.random.Generator, shape: Sequence[int], axis: int, numbers: Numbers) -> TensorSpec:
    """A random int8 filter; scales fall along ``axis`` if per channel, so that multipliers differ in their shift."""
    count = shape[axis] if numbers.per_channel else 1
    scales = [float(np.float32(max(0.01 * numbers.gain * 0.8 ** (i % 24), 1e-7))) for i in range(count)]
    data = rng.integers(-numbers.largest_weight, numbers.largest_weight + 1, shape, dtype=np.int64).astype(np.int8)
    return TensorSpec(shape, "int8", scales, [0] * count, axis=axis, data=data)


def random_bias(rng: np.random.Generator, weights: TensorSpec, channels: int, numbers: Numbers) -> TensorSpec | None:
    """A bias in the accumulator's scale."""
    if numbers.bias is None:
        return None
    data = rng.integers(-numbers.bias, numbers.bias + 1, channels).astype(numbers.bias_type)
    return TensorSpec([channels], numbers.bias_type, weights.scale, weights.zero_point, data=data)


def random_input(rng: np.random.Generator, shape: Sequence[int], type_: str = "int8") -> Array:
    """All values of the type, the extreme ones often."""
    limits = np.iinfo(type_)
    values = rng.integers(limits.min, limits.max, shape, endpoint=True)
    extreme = rng.integers(0, 8, shape)
    return np.where(extreme == 0, limits.min, np.where(extreme == 1, limits.max, values)).astype(type_)


def weighted_case(
    op: str,
    shapes: tuple[Sequence[int], Sequence[int], Sequence[int]],
    axis: int,
    options: Mapping[str, Field],
    numbers: Numbers,
    label: str,
) -> SimdCase:
    """An operator with input, filter and output of ``shapes`` on random numbers that its name seeds."""
    source, filter_shape, output = shapes
    rng = np.random.default_rng(hash_of(label))
    weights = random_filter(rng, filter_shape, axis, numbers)
    zeros = (numbers.input_zero, numbers.output_zero) if numbers.type == "int8" else (0, 0)
    specs = [
        TensorSpec(source, numbers.type, 1.0, zeros[0]),
        weights,
        random_bias(rng, weights, filter_shape[axis], numbers),
    ]
    model = one_op_model(op, specs, [TensorSpec(output, numbers.type, 0.01, zeros[1])], {**options, **numbers.fused()})
    return SimdCase(label, model, (random_input(rng, source, numbers.type),))


def hash_of(label: str) -> int:
    """The same number for the same label in every process."""
    return int.from_bytes(label.encode()[-7:], "little") + sum(label.encode())


def name_of(op: str, *parts: object) -> str:
    """A case's name."""
    return "-".join([op, *("x".join(map(str, p)) if isinstance(p, tuple) else str(p) for p in parts)])


def conv_case(
    source: tuple[int, int, int, int], out_c: int, window: Window = Window(), numbers: Numbers = Numbers()
) -> SimdCase:
    """A CONV_2D."""
    rows, columns = window.output(*source[1:3])
    shapes = (source, (out_c, *window.size, source[3]), (source[0], rows, columns, out_c))
    options = window.options()
    detail = (*window.stride, *window.dilation, window.padding, numbers.activation, numbers.output_zero, numbers.gain)
    label = name_of("conv", source, out_c, window.size, *detail, numbers.bias, numbers.type)
    return weighted_case("CONV_2D", shapes, 0, options, numbers, label)


def depthwise_case(
    source: tuple[int, int, int, int],
    window: Window = Window((3, 3)),
    numbers: Numbers = Numbers(gain=0.05),
    multiplier: int = 1,
) -> SimdCase:
    """A DEPTHWISE_CONV_2D."""
    rows, columns = window.output(*source[1:3])
    out_c = source[3] * multiplier
    shapes = (source, (1, *window.size, out_c), (source[0], rows, columns, out_c))
    options = {**window.options(), "depth_multiplier": multiplier}
    detail = (*window.stride, *window.dilation, window.padding, numbers.activation, numbers.output_zero, numbers.gain)
    label = name_of("depthwise", source, multiplier, window.size, *detail, numbers.bias, numbers.type)
    return weighted_case("DEPTHWISE_CONV_2D", shapes, 3, options, numbers, label)


def float_case(
    op: str,
    shapes: tuple[Sequence[int], Sequence[int], Sequence[int]],
    options: Mapping[str, Field],
    activation: str = "NONE",
    bias: bool = True,
) -> SimdCase:
    """A float32 operator with input, filter and output of ``shapes``; output channels first in the filter."""
    source, filter_shape, output = shapes
    label = name_of(op, tuple(source), tuple(filter_shape), tuple(output), activation, bias, "float32")
    rng = np.random.default_rng(hash_of(label))

    def numbers(shape: Sequence[int]) -> Array:
        return rng.normal(0.0, 1.0, shape).astype(np.float32)

    start = TensorSpec(filter_shape[:1], "float32", data=numbers(filter_shape[:1])) if bias else None
    specs = [TensorSpec(source, "float32"), TensorSpec(filter_shape, "float32", data=numbers(filter_shape)), start]
    chosen = {**options, "fused_activation_function": activation}
    model = one_op_model(op, specs, [TensorSpec(output, "float32")], chosen)
    return SimdCase(label, model, (numbers(source),))


def float_conv_case(
    source: tuple[int, int, int, int], out_c: int, window: Window = Window(), activation: str = "NONE"
) -> SimdCase:
    """A float32 CONV_2D."""
    rows, columns = window.output(*source[1:3])
    shapes = (source, (out_c, *window.size, source[3]), (source[0], rows, columns, out_c))
    return float_case("CONV_2D", shapes, window.options(), activation, bias=activation == "NONE")


def fully_connected_case(batches: int, depth: int, units: int, numbers: Numbers = Numbers()) -> SimdCase:
    """A FULLY_CONNECTED."""
    shapes = ((batches, depth), (units, depth), (batches, units))
    detail = (numbers.activation, numbers.output_zero, numbers.gain, numbers.per_channel, numbers.bias, numbers.type)
    label = name_of("fully_connected", *shapes[:2], *detail)
    return weighted_case("FULLY_CONNECTED", shapes, 0, {}, numbers, label)


def add_case(
    shape: Sequence[int],
    scales: tuple[float, float, float],
    zeros: tuple[int, int, int] = (0, 0, 0),
    activation: str = "NONE",
    type_: str = "int8",
) -> SimdCase:
    """An ADD of two inputs of one shape."""
    label = name_of("add", tuple(shape), scales, zeros, activation, type_)
    rng = np.random.default_rng(hash_of(label))
    specs = [TensorSpec(shape, type_, scale, zero) for scale, zero in zip(scales, zeros, strict=True)]
    model = one_op_model("ADD", specs[:2], specs[2:], {"fused_activation_function": activation})
    return SimdCase(label, model, (random_input(rng, shape, type_), random_input(rng, shape, type_)))


def leaky_relu_case(elements: int, scales: tuple[float, float], alpha: float) -> SimdCase:
    """An int16 LEAKY_RELU."""
    label = name_of("leaky_relu", elements, scales, alpha)
    specs = [TensorSpec([elements], "int16", scale) for scale in scales]
    model = one_op_model("LEAKY_RELU", specs[:1], specs[1:], {"alpha": alpha})
    return SimdCase(label, model, (random_input(np.random.default_rng(hash_of(label)), [elements], "int16"),))


def pool_case(op: str, source: tuple[int, int, int, int], window: Window, activation: str = "NONE") -> SimdCase:
    """An int8 AVERAGE_POOL_2D or MAX_POOL_2D."""
    label = name_of(op, source, window.size, window.stride, window.padding, activation)
    rng = np.random.default_rng(hash_of(label))
    rows, columns = window.output(*source[1:3])
    specs = [TensorSpec(shape, "int8", 0.05, -3) for shape in (source, (source[0], rows, columns, source[3]))]
    options = {**window.options(), "filter_height": window.size[0], "filter_width": window.size[1]}
    kept = {name: value for name, value in options.items() if not name.startswith("dilation")}
    model = one_op_model(op, specs[:1], specs[1:], {**kept, "fused_activation_function": activation})
    return SimdCase(label, model, (random_input(rng, source),))


def check_on_host(cases: Sequence[SimdCase], folder: Path, fast: bool = True, target: Target = M4) -> None:
    """Both engines' C, compiled for this machine, gives the same outputs; the fast one without notes if ``fast``."""
    models = [case.model for case in cases]
    built = []
    for engine in ("reference", "simd"):
        place = folder / engine
        place.mkdir(exist_ok=True)
        built.append(hostkernels.build(models, place, engine, target))
    for case, reference, simd in zip(cases, *built, strict=True):
        if fast:
            assert all(layer.notes == () and "simd/" in layer.sources[0] for layer in simd.layers), case
        expected, got = reference.run(case.inputs), simd.run(case.inputs)
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=str(case))


def check_on_target(
    cases: Sequence[SimdCase], folder: Path, board: str = "nucleo-l4r5zi", toolchain: str = "gcc"
) -> list[TargetRun]:
    """The fast engine on a virtual board gives what the reference engine gives on this machine."""
    models = [case.model for case in cases]
    reference = hostkernels.build(models, folder, "reference", M4, sanitise=False)
    runs = run_models(models, [case.inputs for case in cases], folder, board=board, toolchain=toolchain)
    for case, host, run in zip(cases, reference, runs, strict=True):
        for ours, theirs in zip(run.outputs, host.run(case.inputs), strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=str(case))
    return runs

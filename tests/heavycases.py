"""One-operator models of the operators that do most of the work: convolutions, products, pooling, sequences.

Weights are random, the same for the same arguments; scales make outputs use their range without all saturating.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from hostkernels import HostModel
from modelwriter import Field, TensorSpec, one_op_model
from opcases import OpCase

from vtarget.logic.codegen.window import output_size
from vtarget.shell.interpreter import interpret_in_process

Array = np.ndarray[Any, Any]
SAMPLES = 3
SEED = 7

INPUT_SCALE = {"int8": 0.05, "int16": 0.0005}
BIAS_TYPE = {"int8": "int32", "int16": "int64", "float32": "float32"}
# The standard deviation of uniformly random inputs, in steps.
DEVIATION = {"int8": 74.0, "int16": 18918.0}


@dataclass(frozen=True)
class SequenceCase(OpCase):
    """A case with state: its variable tensors aren't fed and keep their content from sample to sample."""

    intermediates: Sequence[TensorSpec] = ()

    def model(self) -> bytes:
        """The case as a model."""
        return one_op_model(self.op, self.inputs, self.outputs, self.options, intermediates=self.intermediates)

    def samples(self, count: int, seed: int) -> list[list[Array]]:
        """Random inputs, the same for the same seed."""
        rng = np.random.default_rng(seed)
        fed = [spec for spec in self.inputs if spec is not None and spec.data is None and not spec.variable]
        return [[self._random(spec, rng) for spec in fed] for _ in range(count)]


def our_outputs(case: OpCase, host: HostModel) -> list[Array]:
    """The output for each of SAMPLES samples, one after the other."""
    state: dict[int, Array] = {}
    return [host.run(sample, state)[0] for sample in case.samples(SAMPLES, SEED)]


def interpreters_outputs(case: OpCase) -> list[Array]:
    """The same of TensorFlow Lite's interpreter with reference kernels."""
    results = interpret_in_process(case.model(), case.samples(SAMPLES, SEED), tensors=[]).samples
    return [result.outputs[0] for result in results]


def largest_difference(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The largest absolute difference; for float32, relative to the largest magnitude of all expected values."""
    assert [a.shape for a in ours] == [a.shape for a in theirs] and ours[0].dtype == theirs[0].dtype
    wide = [(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(ours, theirs, strict=True)]
    largest = max(float(np.abs(a - b).max(initial=0.0)) for a, b in wide)
    scale = max(float(np.abs(b).max(initial=0.0)) for _, b in wide) if ours[0].dtype.kind == "f" else 1.0
    return largest / scale if scale else largest


def note_of(**arguments: object) -> str:
    """Arguments as part of a test's name."""
    parts = [f"{key}={value}".replace(" ", "") for key, value in arguments.items()]
    return ",".join(parts)


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(crc32(repr(key).encode()))


def zero_points(type_: str, rng: np.random.Generator) -> tuple[int, int]:
    """Random zero points of input and output; 0 for int16."""
    return (int(rng.integers(-128, 128)), int(rng.integers(-40, 40))) if type_ == "int8" else (0, 0)


def activation_spec(shape: Sequence[int], type_: str, scale: float, zero_point: int = 0) -> TensorSpec:
    """An activation tensor, quantised unless float32."""
    return TensorSpec(shape, type_) if type_ == "float32" else TensorSpec(shape, type_, scale, zero_point)


class Weights:
    """Filter, bias and output of a layer with weights. ``channel_axis`` is the filter's axis of output channels."""

    def __init__(
        self,
        type_: str,
        shape: Sequence[int],
        channel_axis: int,
        depth: int,
        *,
        per_channel: bool = True,
        bias: bool = True,
        bias_type: str = "",
        key: object = "",
    ) -> None:
        rng = _rng(type_, shape, channel_axis, per_channel, bias, bias_type, key)
        self.type = type_
        channels = shape[channel_axis]
        self.input_zero_point, self.output_zero_point = zero_points(type_, rng)
        self.input_scale = INPUT_SCALE.get(type_, 1.0)
        bias_type = bias_type or BIAS_TYPE[type_]
        if type_ == "float32":
            self.output_scale = 1.0
            self.filter = TensorSpec(shape, type_, data=rng.normal(0, 1, shape))
            self.bias = TensorSpec([channels], type_, data=rng.normal(0, 1, channels)) if bias else None
            return
        scales = rng.uniform(0.002, 0.01, channels if per_channel else 1)
        steps = DEVIATION[type_] * 73.0 * float(np.sqrt(depth))  # of an accumulator
        self.output_scale = self.input_scale * float(scales.mean()) * steps / DEVIATION[type_]
        self.filter = TensorSpec(shape, "int8", list(scales), 0, channel_axis, rng.integers(-127, 128, shape))
        values = rng.integers(-int(steps), int(steps), channels)
        bias_scales = list(self.input_scale * scales)
        self.bias = TensorSpec([channels], bias_type, bias_scales, data=values) if bias else None

    def source(self, shape: Sequence[int]) -> TensorSpec:
        """The input."""
        return activation_spec(shape, self.type, self.input_scale, self.input_zero_point)

    def output(self, shape: Sequence[int]) -> TensorSpec:
        """The output."""
        return activation_spec(shape, self.type, self.output_scale, self.output_zero_point)

    def inputs(self, shape: Sequence[int]) -> list[TensorSpec]:
        """Input, filter, and bias if there is one."""
        return [self.source(shape), self.filter, *([] if self.bias is None else [self.bias])]


def _window_options(
    padding: str, stride: tuple[int, int], dilation: tuple[int, int], activation: str
) -> dict[str, Field]:
    return {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": activation,
    }


def _window_shape(
    shape: Sequence[int],
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
    channels: int,
) -> list[int]:
    rows, columns = (output_size(padding, shape[1 + a], size[a], stride[a], dilation[a]) for a in (0, 1))
    return [shape[0], rows, columns, channels]


def conv_2d(
    type_: str,
    shape: tuple[int, ...] = (1, 7, 6, 4),
    channels: int = 6,
    size: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: str = "SAME",
    activation: str = "NONE",
    groups: int = 1,
    **weights: Any,
) -> OpCase:
    """A CONV_2D; ``weights`` are options of ``Weights``."""
    filter_shape = (channels, *size, shape[3] // groups)
    made = Weights(type_, filter_shape, 0, int(np.prod(filter_shape[1:])), key=(shape, stride), **weights)
    options = _window_options(padding, stride, dilation, activation)
    if made.bias is not None and made.bias.type == "int32" and type_ == "int16":
        options["quantized_bias_type"] = "INT32"
    output = made.output(_window_shape(shape, size, stride, dilation, padding, channels))
    note = note_of(c=channels, k=size, s=stride, d=dilation, p=padding, a=activation, g=groups, **weights)
    return OpCase("CONV_2D", made.inputs(shape), [output], options, note=note)


def depthwise_conv_2d(
    type_: str,
    shape: tuple[int, ...] = (1, 7, 6, 4),
    multiplier: int = 1,
    size: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: str = "SAME",
    activation: str = "NONE",
    **weights: Any,
) -> OpCase:
    """A DEPTHWISE_CONV_2D; ``weights`` are options of ``Weights``."""
    channels = shape[3] * multiplier
    made = Weights(type_, (1, *size, channels), 3, size[0] * size[1], key=(shape, stride), **weights)
    options = {**_window_options(padding, stride, dilation, activation), "depth_multiplier": multiplier}
    output = made.output(_window_shape(shape, size, stride, dilation, padding, channels))
    note = note_of(m=multiplier, k=size, s=stride, d=dilation, p=padding, a=activation, **weights)
    return OpCase("DEPTHWISE_CONV_2D", made.inputs(shape), [output], options, note=note)


def transpose_conv(
    type_: str,
    shape: tuple[int, ...] = (1, 4, 5, 3),
    channels: int = 4,
    size: tuple[int, int] = (3, 3),
    stride: tuple[int, int] = (2, 2),
    padding: str = "SAME",
    activation: str = "NONE",
    **weights: Any,
) -> OpCase:
    """A TRANSPOSE_CONV; ``weights`` are options of ``Weights``."""
    made = Weights(type_, (channels, *size, shape[3]), 0, int(np.prod(size)) * shape[3], key=(shape, stride), **weights)
    sides = [
        shape[1 + a] * stride[a] if padding == "SAME" else (shape[1 + a] - 1) * stride[a] + size[a] for a in (0, 1)
    ]
    output_shape = [shape[0], *sides, channels]
    asked = TensorSpec([4], "int32", data=np.array(output_shape))
    inputs = [asked, made.filter, made.source(shape), *([] if made.bias is None else [made.bias])]
    options: dict[str, Field] = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}
    options["fused_activation_function"] = activation
    note = note_of(c=channels, k=size, s=stride, p=padding, a=activation, **weights)
    return OpCase("TRANSPOSE_CONV", inputs, [made.output(output_shape)], options, note=note)


def fully_connected(
    type_: str,
    shape: tuple[int, ...] = (1, 16),
    units: int = 5,
    activation: str = "NONE",
    keep_dims: bool = False,
    per_channel: bool = False,
    **weights: Any,
) -> OpCase:
    """A FULLY_CONNECTED; ``weights`` are options of ``Weights``."""
    depth = shape[-1]
    made = Weights(type_, (units, depth), 0, depth, key=shape, per_channel=per_channel, **weights)
    options: dict[str, Field] = {"fused_activation_function": activation, "keep_num_dims": keep_dims}
    if weights.get("bias_type") == "int32" and type_ == "int16":
        options["quantized_bias_type"] = "INT32"
    output_shape = [*shape[:-1], units] if keep_dims else [int(np.prod(shape[:-1])), units]
    note = note_of(u=units, a=activation, keep=keep_dims, pc=per_channel, **weights)
    inputs: list[TensorSpec | None] = [*made.inputs(shape)]
    return OpCase(
        "FULLY_CONNECTED",
        inputs if len(inputs) == 3 else [*inputs, None],
        [made.output(output_shape)],
        options,
        note=note,
    )


def pool_2d(
    op: str,
    type_: str,
    shape: tuple[int, ...] = (1, 7, 6, 4),
    size: tuple[int, int] = (2, 2),
    stride: tuple[int, int] = (2, 2),
    padding: str = "VALID",
    activation: str = "NONE",
) -> OpCase:
    """An AVERAGE_POOL_2D or MAX_POOL_2D."""
    scale, zero_point = INPUT_SCALE.get(type_, 1.0), 3 if type_ == "int8" else 0
    options = {
        **_window_options(padding, stride, (1, 1), activation),
        "filter_height": size[0],
        "filter_width": size[1],
    }
    del options["dilation_h_factor"], options["dilation_w_factor"]
    output_shape = _window_shape(shape, size, stride, (1, 1), padding, shape[3])
    specs = [activation_spec(s, type_, scale, zero_point) for s in (shape, output_shape)]
    return OpCase(op, specs[:1], specs[1:], options, note=note_of(k=size, s=stride, p=padding, a=activation))


def batch_matmul(
    type_: str,
    left: tuple[int, ...],
    right: tuple[int, ...],
    adj_x: bool = False,
    adj_y: bool = False,
    constant: bool = False,
) -> OpCase:
    """A BATCH_MATMUL; ``constant``: its second input is."""
    rng = _rng(type_, left, right)
    rows, depth = (left[-1], left[-2]) if adj_x else (left[-2], left[-1])
    columns = right[-2] if adj_y else right[-1]
    output_shape = [*np.broadcast_shapes(left[:-2], right[:-2]), rows, columns]
    scale, zeros = INPUT_SCALE.get(type_, 1.0), (7, -11, 3) if type_ == "int8" else (0, 0, 0)
    output_scale = scale * scale * DEVIATION.get(type_, 1.0) * float(np.sqrt(depth))
    first, second = activation_spec(left, type_, scale, zeros[0]), activation_spec(right, type_, scale, zeros[1])
    if constant:
        data = rng.normal(0, 1, right) if type_ == "float32" else rng.integers(-128, 128, right)
        second = TensorSpec(right, type_, second.scale, second.zero_point, data=data)
    output = activation_spec(output_shape, type_, output_scale, zeros[2])
    note = note_of(right=right, x=adj_x, y=adj_y, const=constant)
    return OpCase("BATCH_MATMUL", [first, second], [output], {"adj_x": adj_x, "adj_y": adj_y}, note=note)


def svdf(
    type_: str,
    batches: int = 1,
    inputs: int = 6,
    units: int = 4,
    rank: int = 1,
    memory: int = 5,
    activation: str = "RELU",
    bias: bool = True,
) -> SequenceCase:
    """An SVDF: int8 with an int16 state, or float32."""
    rng, filters = _rng(type_, batches, inputs, units, rank, memory), units * rank
    shapes: Mapping[str, tuple[int, ...]] = {
        "features": (filters, inputs),
        "times": (filters, memory),
        "bias": (units,),
        "state": (batches, filters * memory),
    }
    options: dict[str, Field] = {"rank": rank, "fused_activation_function": activation}
    if type_ == "float32":
        made = {name: TensorSpec(shape, type_, data=rng.normal(0, 1, shape)) for name, shape in shapes.items()}
        made["state"] = TensorSpec(shapes["state"], type_, variable=True)
        source, output = TensorSpec((batches, inputs), type_), TensorSpec((batches, units), type_)
    else:
        feature_scale, time_scale = 0.01, 0.0001
        state_scale = 0.05 * feature_scale * 74 * 73 * float(np.sqrt(inputs)) / 8000
        output_scale = state_scale * time_scale * 8000 * 1700 * float(np.sqrt(memory * rank)) / 60
        source = TensorSpec((batches, inputs), "int8", 0.05, int(rng.integers(-100, 100)))
        output = TensorSpec((batches, units), "int8", output_scale, int(rng.integers(-128, 20)))
        features, times = rng.integers(-127, 128, shapes["features"]), rng.integers(-3000, 3000, shapes["times"])
        offsets = rng.integers(-30000, 30000, units)
        made = {
            "features": TensorSpec(shapes["features"], "int8", feature_scale, data=features),
            "times": TensorSpec(shapes["times"], "int16", time_scale, data=times),
            "bias": TensorSpec(shapes["bias"], "int32", state_scale * time_scale, data=offsets),
            "state": TensorSpec(shapes["state"], "int16", state_scale, variable=True),
        }
    given = [source, made["features"], made["times"], made["bias"] if bias else None, made["state"]]
    note = note_of(u=units, r=rank, m=memory, a=activation, b=bias)
    return SequenceCase("SVDF", given, [output], options, note=note)


def lstm(
    type_: str,
    batches: int = 1,
    steps: int = 4,
    inputs: int = 5,
    units: int = 6,
    time_major: bool = False,
    cell_clip: float = 0.0,
    cell_scale: float = 2.0**-11,
) -> SequenceCase:
    """A UNIDIRECTIONAL_SEQUENCE_LSTM with weights of its own for each of four gates."""
    rng = _rng(type_, batches, steps, inputs, units, time_major, cell_clip, cell_scale)
    ends = (steps, batches) if time_major else (batches, steps)
    input_scale, hidden_scale = {"int8": (0.02, 1 / 128), "int16": (2.0**-13, 2.0**-15)}.get(type_, (1.0, 1.0))
    input_zero, hidden_zero = (3, -7) if type_ == "int8" else (0, 0)

    def weights(shape: tuple[int, ...]) -> TensorSpec:
        if type_ == "float32":
            return TensorSpec(shape, type_, data=rng.normal(0, 0.5, shape))
        return TensorSpec(shape, "int8", float(rng.uniform(0.004, 0.012)), data=rng.integers(-127, 128, shape))

    def bias() -> TensorSpec:
        if type_ == "float32":
            return TensorSpec((units,), type_, data=rng.normal(0, 0.5, units))
        return TensorSpec((units,), BIAS_TYPE[type_], 0.0001, data=rng.integers(-2000, 2000, units))

    states = [
        TensorSpec((batches, units), type_, hidden_scale, hidden_zero, variable=True),
        TensorSpec((batches, units), "int16", cell_scale, variable=True),
    ]
    if type_ == "float32":
        states = [TensorSpec((batches, units), type_, variable=True)] * 2
    given = [
        activation_spec((*ends, inputs), type_, input_scale, input_zero),
        *(weights((units, inputs)) for _ in range(4)),
        *(weights((units, units)) for _ in range(4)),
        *([None] * 3),
        *(bias() for _ in range(4)),
        *([None] * 2),
        *states,
        *([None] * 4),
    ]
    middle = [TensorSpec((0,), "int16", 2.0**-12)] * 4 + [TensorSpec((0,), type_, hidden_scale, hidden_zero)]
    options: dict[str, Field] = {"fused_activation_function": "TANH", "cell_clip": cell_clip, "time_major": time_major}
    output = activation_spec((*ends, units), type_, hidden_scale, hidden_zero)
    note = note_of(u=units, tm=time_major, clip=cell_clip, cell=cell_scale)
    intermediates = () if type_ == "float32" else tuple(middle)
    return SequenceCase(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", given, [output], options, note=note, intermediates=intermediates
    )


def elementwise(
    op: str,
    type_: str,
    source: tuple[float, int] = (1.0, 0),
    output: tuple[float, int] = (1.0, 0),
    shape: tuple[int, ...] = (1, 5, 7, 9),
    **options: Field,
) -> OpCase:
    """An operator of one input; ``source`` and ``output`` are scale and zero point."""
    note = note_of(q=source, to=output, **options)
    given, made = activation_spec(shape, type_, *source), activation_spec(shape, type_, *output)
    return OpCase(op, [given], [made], options, note=note)


def softmax(from_type: str, to_type: str, shape: tuple[int, ...], scale: float, beta: float = 1.0) -> OpCase:
    """A SOFTMAX; ``scale`` is the input's."""
    quantisation = {"int8int8": (1 / 256, -128), "int8int16": (1 / 65536, -32768), "int16int16": (1 / 32768, 0)}
    output = activation_spec(shape, to_type, *quantisation.get(from_type + to_type, (1.0, 0)))
    note = note_of(to=to_type, scale=scale, beta=beta)
    return OpCase("SOFTMAX", [activation_spec(shape, from_type, scale, 0)], [output], {"beta": beta}, note=note)


def prelu(
    type_: str, shape: tuple[int, ...], alpha: tuple[int, ...], scales: tuple[float, float, float] = (0.05, 0.002, 0.05)
) -> OpCase:
    """A PRELU; ``scales`` are those of input, alpha and output."""
    rng = _rng(type_, shape, alpha)
    zeros = (7, 3, -9) if type_ == "int8" else (0, 0, 0)
    data = rng.normal(0, 0.3, alpha) if type_ == "float32" else rng.integers(-128, 128, alpha)
    shapes = (shape, alpha, shape)
    specs = [activation_spec(s, type_, *pair) for s, *pair in zip(shapes, scales, zeros, strict=True)]
    constant = TensorSpec(alpha, type_, specs[1].scale, specs[1].zero_point, data=data)
    return OpCase("PRELU", [specs[0], constant], [specs[2]], note=note_of(alpha=alpha, scales=scales))


def reduction(
    op: str,
    type_: str,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    keep_dims: bool = False,
    source: tuple[float, int] = (1.0, 0),
    output: tuple[float, int] = (1.0, 0),
) -> OpCase:
    """A MEAN or SUM; ``source`` and ``output`` are scale and zero point."""
    gone = {axis % len(shape) for axis in axes}
    output_shape = [1 if i in gone else size for i, size in enumerate(shape) if keep_dims or i not in gone]
    given = [activation_spec(shape, type_, *source), TensorSpec([len(axes)], "int32", data=np.array(axes))]
    note = note_of(axes=axes, keep=keep_dims, q=source, to=output)
    return OpCase(op, given, [activation_spec(output_shape, type_, *output)], {"keep_dims": keep_dims}, note=note)

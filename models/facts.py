"""What the models of this folder are: operators, types, multiply-accumulates, parameters, size, quality.

``python models/facts.py`` brings the table of README.md up to date. Needs the tflite and ai-edge-litert packages, not
TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import synthetic_keywords
import synthetic_motion
import synthetic_pictures
import synthetic_voice
import tflite

HERE = Path(__file__).resolve().parent
OPERATORS = {number: name for name, number in vars(tflite.BuiltinOperator).items() if not name.startswith("_")}
TYPES = {number: name.lower() for name, number in vars(tflite.TensorType).items() if not name.startswith("_")}
HEADINGS = (
    *("file", "task", "operators", "types", "MACs", "parameters", "bytes", "quality float", "quality quantised"),
    "made by",
)

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Card:
    """A model: what it does, the script that makes it, how its quality is measured and said.

    ``measure`` takes a Runner. ``float_quality`` is what the script found for the float model where that isn't in this
    folder as ``float_file``.
    """

    file: str
    task: str
    script: str
    measure: Callable[[Runner], str]
    float_file: str | None = None
    float_quality: str = ""

    @property
    def path(self) -> Path:
        """Where the model is."""
        return HERE / self.file

    def quality(self) -> str:
        """The model's quality under the interpreter's reference kernels."""
        return self.measure(Runner(self.path.read_bytes()))


class Runner:
    """A model in TensorFlow Lite's interpreter with reference kernels, real numbers in and out."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self.reset()

    def reset(self) -> None:
        """Start anew: state, if the model keeps any, as at the beginning."""
        interpreter, resolver = _interpreter()
        self._interpreter = interpreter(
            model_content=self._model, experimental_op_resolver_type=resolver.BUILTIN_REF, num_threads=1
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Outputs for samples [number, ...] without the batch dimension, one call of the model each, in order."""
        return np.stack([self.one(sample) for sample in samples])

    def one(self, sample: np.ndarray) -> np.ndarray:
        """Output for one sample. An LSTM starts it with empty memory, resource variables keep what they have."""
        self._interpreter.reset_all_variables()
        self._interpreter.set_tensor(self._input["index"], _quantised(sample[None], self._input))
        self._interpreter.invoke()
        return _real(self._interpreter.get_tensor(self._output["index"])[0], self._output)


def _interpreter() -> tuple[Any, Any]:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:  # where models are made
        from tensorflow.lite.python.interpreter import Interpreter, OpResolverType
    return Interpreter, OpResolverType


def _quantised(real: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    scale, zero_point = tensor["quantization"]
    if scale == 0:
        return real.astype(np.float32)
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(real / scale) + zero_point, limits.min, limits.max).astype(tensor["dtype"])


def _real(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    scale, zero_point = tensor["quantization"]
    return values if scale == 0 else (values.astype(np.float64) - zero_point) * scale


def accuracy(run: Run, samples: np.ndarray, labels: np.ndarray) -> str:
    """Share of samples whose largest output is their label's."""
    right = int((run(samples).argmax(axis=1) == labels).sum())
    return f"{100 * right / len(labels):.1f} % of {len(labels)}"


def keyword_quality(run: Runner) -> str:
    """Accuracy over 25 words of each class."""
    return accuracy(run, *synthetic_keywords.test_set(25))


def shape_quality(run: Runner) -> str:
    """Accuracy over 20 pictures of each shape."""
    return accuracy(run, *synthetic_pictures.shape_test_set(20))


def figure_quality(run: Runner) -> str:
    """Accuracy over 200 scenes."""
    return accuracy(run, *synthetic_pictures.figure_set(200))


def gesture_quality(run: Runner) -> str:
    """Accuracy over 300 gestures."""
    return accuracy(run, *synthetic_motion.gestures(300))


def machine_quality(run: Runner) -> str:
    """Area under the curve of hits over false alarms, the error of reproduction being the score."""
    sounds, broken = synthetic_motion.machine_sounds(400)
    errors = np.mean((run(sounds) - sounds) ** 2, axis=1)
    good, bad = errors[broken == 0], errors[broken == 1]
    return f"AUC {np.mean(bad[:, None] > good[None]):.3f} of {len(sounds)}"


def voice_quality(run: Runner) -> str:
    """Signal to error ratio over 50 voices."""
    features, wanted = synthetic_voice.voices(50)
    error = run(features) - wanted
    return f"SNR {10 * np.log10(np.sum(wanted**2) / np.sum(error**2)):.1f} dB of {len(features)}"


def wake_word_quality(run: Runner) -> str:
    """Accuracy over 200 clips, fed frame by frame; a clip counts as heard when any output in it is above a half."""
    clips, wanted = synthetic_keywords.wake_word_set(200)
    right = 0
    for clip, wake in zip(clips, wanted, strict=True):
        run.reset()
        outputs = run(clip.reshape(-1, 1, 1, synthetic_keywords.COEFFICIENTS))
        right += int((outputs.max() > 0.5) == wake)
    return f"{100 * right / len(clips):.1f} % of {len(clips)}"


CARDS = (
    Card(
        "kws_dscnn.tflite",
        "keyword spotting, DS-CNN",
        "make_kws_dscnn.py",
        keyword_quality,
        float_file="kws_dscnn_float.tflite",
    ),
    Card("kws_dscnn_float.tflite", "its float twin", "make_kws_dscnn.py", keyword_quality),
    Card(
        "vww_mobilenet.tflite",
        "visual wake words, MobileNetV1-0.25",
        "make_vww_mobilenet.py",
        figure_quality,
        float_quality="90.0 % of 200",
    ),
    Card(
        "ic_resnet8.tflite",
        "image classification, ResNet-8",
        "make_ic_resnet8.py",
        shape_quality,
        float_file="ic_resnet8_float.tflite",
    ),
    Card("ic_resnet8_float.tflite", "its float twin", "make_ic_resnet8.py", shape_quality),
    Card(
        "ad_autoencoder.tflite",
        "anomaly detection, autoencoder 640-128-8-128-640",
        "make_ad_autoencoder.py",
        machine_quality,
        float_quality="AUC 0.938 of 400",
    ),
    Card(
        "lstm_gesture.tflite",
        "gestures, LSTM of 24 units",
        "make_lstm_gesture.py",
        gesture_quality,
        float_quality="92.7 % of 300",
    ),
    Card(
        "speech_synth_int16.tflite",
        "speech synthesis, vocoder",
        "make_speech_synth.py",
        voice_quality,
        float_quality="SNR 17.4 dB of 50",
    ),
    Card(
        "streaming_wakeword.tflite",
        "wake word, a frame per call, with state",
        "make_streaming_wakeword.py",
        wake_word_quality,
        float_quality="99.5 % of 200",
    ),
)


class Description:
    """A model's flatbuffer, decoded as far as the table needs it."""

    def __init__(self, content: bytes) -> None:
        self.model = tflite.Model.GetRootAs(content, 0)

    @cached_property
    def operators(self) -> Counter[str]:
        """How often each operator stands in the main subgraph."""
        return Counter(name for name, _ in self._operators(0))

    @property
    def types(self) -> str:
        """float32, int8, or int16x8 (int16 activations, int8 weights)."""
        main = self.model.Subgraphs(0)
        kind = TYPES[main.Tensors(main.Outputs(0)).Type()]
        return "int16x8" if kind == "int16" else kind

    @property
    def shapes(self) -> list[list[int]]:
        """Shape of every tensor of the main subgraph; dynamic dimensions are -1."""
        main = self.model.Subgraphs(0)
        tensors = [main.Tensors(i) for i in range(main.TensorsLength())]
        return [_ints(t.ShapeSignature if t.ShapeSignatureLength() else t.Shape, t.ShapeLength()) for t in tensors]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call, those with padding included."""
        return sum(self._macs(name, tensors) for name, tensors in self._operators(0))

    @property
    def parameters(self) -> int:
        """Weights and biases, each tensor once."""
        seen = {
            id_: prod(shape)
            for name, tensors in self._operators(0)
            if name in _WEIGHED
            for id_, shape, constant in tensors[:-1]
            if constant and id_ >= 0 and not (name == "TRANSPOSE_CONV" and id_ == tensors[0][0])
        }
        return sum(seen.values())

    def _operators(self, subgraph: int) -> Iterator[tuple[str, list[tuple[int, list[int], bool]]]]:
        """(name, inputs and then the first output as (index, shape, constant)) of each operator."""
        graph = self.model.Subgraphs(subgraph)
        for i in range(graph.OperatorsLength()):
            operator = graph.Operators(i)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            name = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            indices = _ints(operator.Inputs, operator.InputsLength()) + _ints(operator.Outputs, 1)[:1]
            yield name, [self._tensor(graph, index) for index in indices if operator.OutputsLength()]

    def _tensor(self, graph: Any, index: int) -> tuple[int, list[int], bool]:
        if index < 0:
            return index, [], False
        tensor = graph.Tensors(index)
        constant = self.model.Buffers(tensor.Buffer()).DataLength() > 0
        return index, _ints(tensor.Shape, tensor.ShapeLength()), constant

    @staticmethod
    def _macs(name: str, tensors: list[tuple[int, list[int], bool]]) -> int:
        if name not in _WEIGHED:
            return 0
        shapes = [shape for _, shape, _ in tensors]
        first, weights, output = shapes[0], shapes[1], shapes[-1]
        if name == "CONV_2D":
            return prod(output) * prod(weights[1:])
        if name == "DEPTHWISE_CONV_2D":
            return prod(output) * prod(weights[1:3])
        if name == "TRANSPOSE_CONV":
            return prod(shapes[2][:3]) * prod(weights)
        if name == "FULLY_CONNECTED":
            return prod(output) * weights[1]
        steps = first[1]  # an LSTM's input is [batch, time, features]
        return first[0] * steps * sum(prod(shape) for shape in shapes[1:9])


_WEIGHED = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
)


def _ints(item: Callable[[int], int], length: int) -> list[int]:
    return [item(i) for i in range(length)]


def _operator_text(operators: Counter[str]) -> str:
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in operators.items())


def row(card: Card) -> tuple[str, ...]:
    """One model's row, as HEADINGS."""
    content = card.path.read_bytes()
    model = Description(content)
    quality = card.quality()
    floats = card.float_quality
    if card.float_file is not None:
        floats = Card(card.float_file, "", "", card.measure).quality()
    if model.types == "float32":
        floats, quality = quality, "–"
    facts = (_operator_text(model.operators), model.types, f"{model.macs:,}", f"{model.parameters:,}")
    return (f"`{card.file}`", card.task, *facts, f"{len(content):,}", floats, quality, f"`{card.script}`")


def table() -> str:
    """The table of README.md."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(row, CARDS)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main() -> None:
    """Bring the table of README.md up to date."""
    page = HERE / "README.md"
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    inside = [i for i, line in enumerate(lines) if line.startswith("|")]
    lines[inside[0] : inside[-1] + 1] = [table()]
    page.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

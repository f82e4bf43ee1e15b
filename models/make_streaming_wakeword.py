"""Makes streaming_wakeword.tflite: one frame in, the probability that the wake word was just spoken out.

Four convolutions over time, each with the frames it still needs in a resource variable: a call reads them, appends the
new frame, and writes them back without the oldest. Trained on whole clips, with zeros before their first frame, which
is what the variables begin with.
"""

from __future__ import annotations

from typing import Any

import making
import numpy as np
import synthetic_keywords as data
import tensorflow as tf

SHAPE = (1, 1, 1, data.COEFFICIENTS)
CHANNELS = 32
# Frames that each convolution sees: the first is a full one, the others are depthwise with a pointwise one behind.
FIRST, WIDTHS = 3, (5, 9, 15)


def network() -> tf.keras.Model:
    """The network over a whole clip, its largest probability as output; not trained."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((1, data.FRAMES, data.COEFFICIENTS))
    x = layers.ZeroPadding2D(((0, 0), (FIRST - 1, 0)))(inputs)
    x = layers.Conv2D(CHANNELS, (1, FIRST), activation="relu", name="first")(x)
    for number, width in enumerate(WIDTHS, start=1):
        x = layers.ZeroPadding2D(((0, 0), (width - 1, 0)))(x)
        x = layers.DepthwiseConv2D((1, width), name=f"depthwise{number}")(x)
        x = layers.Conv2D(CHANNELS, 1, activation="relu", name=f"pointwise{number}")(x)
    x = layers.Conv2D(1, 1, activation="sigmoid", name="heard")(x)
    return tf.keras.Model(inputs, layers.GlobalMaxPooling2D()(x))


class Streaming(tf.Module):
    """The same network for one frame per call, its state in variables."""

    def __init__(self, trained: tf.keras.Model) -> None:
        super().__init__()
        self._weights = {layer.name: layer.get_weights() for layer in trained.layers}
        widths, channels = (FIRST, *WIDTHS), (data.COEFFICIENTS, *(CHANNELS,) * len(WIDTHS))
        self._recent = [
            tf.Variable(np.zeros((1, 1, width - 1, number), np.float32), trainable=False, name=f"recent{stage}")
            for stage, (width, number) in enumerate(zip(widths, channels, strict=True))
        ]

    @tf.function(input_signature=[tf.TensorSpec(SHAPE, tf.float32, name="frame")])
    def __call__(self, frame: Any) -> Any:
        """The probability, float32 [1, 1], after one more frame."""
        kernel, bias = self._weights["first"]
        x = tf.nn.relu(tf.nn.conv2d(self._window(0, frame), kernel, 1, "VALID") + bias)
        for number in range(1, len(WIDTHS) + 1):
            kernel, bias = self._weights[f"depthwise{number}"]
            x = tf.nn.depthwise_conv2d(self._window(number, x), kernel, (1, 1, 1, 1), "VALID") + bias
            kernel, bias = self._weights[f"pointwise{number}"]
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID") + bias)
        kernel, bias = self._weights["heard"]
        return tf.sigmoid(tf.matmul(tf.reshape(x, (1, CHANNELS)), kernel[0, 0]) + bias)

    def _window(self, stage: int, frame: Any) -> Any:
        """The frames that a convolution sees now; they are kept but for the oldest."""
        window = tf.concat([self._recent[stage], frame], axis=2)
        self._recent[stage].assign(window[:, :, 1:])
        return window


def convert(streaming: Streaming, frames: np.ndarray | None) -> bytes:
    """The streaming network as a model, float or quantised over ``frames`` in their order."""
    function = streaming.__call__.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], streaming)
    converter.experimental_enable_resource_variables = True
    if frames is not None:
        converter._experimental_variable_quantization = True
        making.quantise(converter, frames)
    return bytes(converter.convert())


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, wanted = data.wake_word_set(6000, seed=71)
    model = network()
    making.train(model, x.transpose(0, 3, 1, 2), wanted, "binary_crossentropy", epochs=12)
    streaming = Streaming(model)
    frames = x[:60].reshape(-1, *SHAPE[1:])
    making.report("float", convert(streaming, None), making.facts.wake_word_quality)
    making.write(folder, "streaming_wakeword.tflite", convert(streaming, frames))


if __name__ == "__main__":
    main()

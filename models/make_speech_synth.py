"""Makes speech_synth_int16.tflite: 16 frames become 1024 samples of a voice, with int16 activations and int8 weights.

Built as neural vocoders are: an encoder at the rate of frames, two transpose convolutions that each raise the rate by
8, and residual blocks of depthwise-separable convolutions at every rate. Of its 61 operators the two transpose
convolutions do four fifths of the multiplications.
"""

from __future__ import annotations

from typing import Any

import making
import synthetic_voice as data
import tensorflow as tf

SHAPE = (1, 1, data.FRAMES, data.FEATURES)
RAISE, KERNEL = 8, 64
# (channels, residual blocks) at each rate.
STAGES = ((48, 10), (48, 2), (8, 1))
SLOPE = 0.2


def block(x: Any, channels: int, name: str) -> Any:
    """A residual block: leaky ReLU, 5-wide depthwise convolution, pointwise convolution."""
    layers = tf.keras.layers
    y = layers.LeakyReLU(negative_slope=SLOPE, name=f"{name}_leaky")(x)
    y = layers.DepthwiseConv2D((1, 5), padding="same", name=f"{name}_depthwise")(y)
    y = layers.Conv2D(channels, 1, name=f"{name}_pointwise")(y)
    return layers.Add(name=name)([x, y])


def network() -> tf.keras.Model:
    """The network, not trained."""
    layers = tf.keras.layers
    inputs = tf.keras.Input(SHAPE[1:])
    x = layers.Conv2D(STAGES[0][0], (1, 5), padding="same", name="first")(inputs)
    for stage, (channels, blocks) in enumerate(STAGES):
        if stage:
            x = layers.LeakyReLU(negative_slope=SLOPE, name=f"raise{stage}_leaky")(x)
            kernel, strides = (1, KERNEL), (1, RAISE)
            x = layers.Conv2DTranspose(channels, kernel, strides, padding="same", name=f"raise{stage}")(x)
        for number in range(1, blocks + 1):
            x = block(x, channels, f"stage{stage}_block{number}")
    x = layers.LeakyReLU(negative_slope=SLOPE, name="last_leaky")(x)
    x = layers.Conv2D(1, (1, 7), padding="same", activation="tanh", name="last")(x)
    return tf.keras.Model(inputs, layers.Reshape((data.SAMPLES,), name="samples")(x), name="speech")


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, y = data.voices(4000, seed=61)
    model = network()
    making.train(model, x, y, "mse", epochs=16, batch=32, rate=3e-3)
    making.report("float", making.convert(model, SHAPE, None), making.facts.voice_quality)
    content = making.convert(model, SHAPE, x[:200], making.INT16)
    making.write(folder, "speech_synth_int16.tflite", content)


if __name__ == "__main__":
    main()

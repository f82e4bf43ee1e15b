"""Makes vww_mobilenet.tflite: whether there is an upright figure in a 96x96 picture, by MobileNetV1 of width 0.25.

The topology is that of the MLPerf Tiny benchmark (visual wake words): a 3x3 convolution of 8 channels with stride 2,
then 13 pairs of a 3x3 depthwise and a 1x1 convolution, up to 256 channels, and two classes.
"""

from __future__ import annotations

import making
import numpy as np
import synthetic_pictures as data
import tensorflow as tf

SHAPE = (1, data.FIGURE_SIZE, data.FIGURE_SIZE, 3)
# (channels, stride) of each pair.
PAIRS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))


def network() -> tf.keras.Model:
    """The network, not trained."""
    layers = tf.keras.layers
    inputs = tf.keras.Input(SHAPE[1:])
    x = making.conv_bn_relu(inputs, 8, (3, 3), (2, 2), "first")
    for number, (channels, stride) in enumerate(PAIRS, start=1):
        x = making.depthwise_bn_relu(x, f"depthwise{number}", (stride, stride))
        x = making.conv_bn_relu(x, channels, (1, 1), (1, 1), f"pointwise{number}")
    x = layers.Flatten()(layers.AveragePooling2D((3, 3), name="pool")(x))
    outputs = layers.Dense(2, activation="softmax", name="classes")(x)
    return tf.keras.Model(inputs, outputs, name="vww")


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, labels = data.figure_set(8000, seed=31)
    model = network()
    mirrored = x[:, :, ::-1]
    making.train_classifier(model, np.concatenate([x, mirrored]), np.tile(labels, 2), epochs=6)
    making.report("float", making.convert(model, SHAPE, None), making.facts.figure_quality)
    making.write(folder, "vww_mobilenet.tflite", making.convert(model, SHAPE, x[:200]))


if __name__ == "__main__":
    main()

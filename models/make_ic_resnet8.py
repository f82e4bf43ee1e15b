"""Makes ic_resnet8.tflite and ic_resnet8_float.tflite: ten shapes told apart in 32x32 pictures by a residual network.

The topology is that of the MLPerf Tiny benchmark: a 3x3 convolution of 16 channels, then three residual stacks of 16,
32 and 64 channels, the last two halving the picture, with a 1x1 convolution on their short cut.
"""

from __future__ import annotations

from typing import Any

import making
import numpy as np
import synthetic_pictures as data
import tensorflow as tf

SHAPE = (1, data.SHAPE_SIZE, data.SHAPE_SIZE, 3)


def stack(x: Any, filters: int, stride: int, name: str) -> Any:
    """One residual stack of two 3x3 convolutions."""
    layers = tf.keras.layers
    y = making.conv_bn_relu(x, filters, (3, 3), (stride, stride), f"{name}a")
    y = making.conv_bn_relu(y, filters, (3, 3), (1, 1), f"{name}b", relu=False)
    if stride > 1:
        x = layers.Conv2D(filters, 1, stride, padding="same", kernel_initializer="he_normal", name=f"{name}_short")(x)
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_sum")([x, y]))


def network() -> tf.keras.Model:
    """The network, not trained."""
    layers = tf.keras.layers
    inputs = tf.keras.Input(SHAPE[1:])
    x = making.conv_bn_relu(inputs, 16, (3, 3), (1, 1), "first")
    for number, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
        x = stack(x, filters, stride, f"stack{number}")
    x = layers.Flatten()(layers.AveragePooling2D((8, 8), name="pool")(x))
    outputs = layers.Dense(len(data.SHAPES), activation="softmax", name="classes")(x)
    return tf.keras.Model(inputs, outputs, name="ic")


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, labels = data.shape_training_set(6000, seed=21)
    model = network()
    mirrored = x[:, :, ::-1]
    making.train_classifier(model, np.concatenate([x, mirrored]), np.tile(labels, 2), epochs=6)
    making.write(folder, "ic_resnet8_float.tflite", making.convert(model, SHAPE, None))
    making.write(folder, "ic_resnet8.tflite", making.convert(model, SHAPE, x[:300]))


if __name__ == "__main__":
    main()

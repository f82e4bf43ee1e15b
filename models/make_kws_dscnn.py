"""Makes kws_dscnn.tflite, kws_dscnn_float.tflite and kws_samples.npz: keyword spotting by a depthwise-separable CNN.

The topology is that of the MLPerf Tiny benchmark (DS-CNN of Zhang et al., "Hello Edge", 2017): 49 frames of ten
coefficients, a 10x4 convolution with stride 2, four depthwise-separable blocks of 64 channels, twelve classes.
"""

from __future__ import annotations

import making
import numpy as np
import synthetic_keywords as data
import tensorflow as tf

SHAPE = (1, data.FRAMES, data.COEFFICIENTS, 1)
CHANNELS, BLOCKS = 64, 4


def network() -> tf.keras.Model:
    """The network, not trained."""
    layers = tf.keras.layers
    inputs = tf.keras.Input(SHAPE[1:])
    x = making.conv_bn_relu(inputs, CHANNELS, (10, 4), (2, 2), "first")
    x = layers.Dropout(0.2)(x)
    for block in range(1, BLOCKS + 1):
        x = making.depthwise_bn_relu(x, f"depthwise{block}")
        x = making.conv_bn_relu(x, CHANNELS, (1, 1), (1, 1), f"pointwise{block}")
    x = layers.Dropout(0.4)(x)
    x = layers.AveragePooling2D((25, 5), name="pool")(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(len(data.CLASSES), activation="softmax", name="classes")(x)
    return tf.keras.Model(inputs, outputs, name="kws")


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, labels = data.training_set(4800, seed=11)
    model = network()
    making.train_classifier(model, x, labels, epochs=8)
    making.write(folder, "kws_dscnn_float.tflite", making.convert(model, SHAPE, None))
    making.write(folder, "kws_dscnn.tflite", making.convert(model, SHAPE, x[:400]))
    samples, classes = data.test_set(10)
    np.savez_compressed(folder / "kws_samples.npz", x=samples, labels=classes)


if __name__ == "__main__":
    main()

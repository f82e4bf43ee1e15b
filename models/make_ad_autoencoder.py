"""Makes ad_autoencoder.tflite: a fully connected autoencoder 640-128-8-128-640 for the sound of a machine.

It learns to reproduce five frames of 128 bands of a sound machine; what it reproduces badly is an anomaly, as in the
anomaly-detection model of the MLPerf Tiny benchmark, which has more layers.
"""

from __future__ import annotations

import making
import synthetic_motion as data
import tensorflow as tf

WIDTH = data.FRAMES * data.BANDS
HIDDEN = (128, 8, 128)


def network() -> tf.keras.Model:
    """The network, not trained."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((WIDTH,))
    x = inputs
    for number, width in enumerate(HIDDEN, start=1):
        x = layers.Dense(width, name=f"dense{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"hidden{number}")(x)
    return tf.keras.Model(inputs, layers.Dense(WIDTH, name="reproduced")(x), name="ad")


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, _ = data.machine_sounds(12000, seed=41, broken_share=0)
    model = network()
    making.train(model, x, x, "mse", epochs=30)
    making.report("float", making.convert(model, (1, WIDTH), None), making.facts.machine_quality)
    making.write(folder, "ad_autoencoder.tflite", making.convert(model, (1, WIDTH), x[:500]))


if __name__ == "__main__":
    main()

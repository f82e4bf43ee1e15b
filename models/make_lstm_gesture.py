"""Makes lstm_gesture.tflite: six gestures told apart from 64 accelerometer readings, by an LSTM of 24 units.

Trained with Keras 3 and converted with Keras 2 (the tf_keras package): the converter knows only the latter's LSTM layer
as UNIDIRECTIONAL_SEQUENCE_LSTM.
"""

from __future__ import annotations

from typing import Any

import making
import synthetic_motion as data
import tensorflow as tf
import tf_keras

SHAPE = (1, data.READINGS, data.AXES)
UNITS, HIDDEN = 24, 16


def network(keras: Any) -> Any:
    """The network, not trained, of either Keras."""
    layers = keras.layers
    inputs = keras.Input(batch_shape=(None, *SHAPE[1:]))
    x = layers.LSTM(UNITS, name="lstm")(inputs)
    x = layers.Dense(HIDDEN, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(len(data.GESTURES), activation="softmax", name="classes")(x))


def main() -> None:
    """Train, convert and write."""
    folder = making.destination(__doc__)
    making.prepare()
    x, labels = data.gestures(6000, seed=51)
    model, twin = network(tf.keras), network(tf_keras)
    making.train_classifier(model, x, labels, epochs=15, rate=5e-3)
    twin.set_weights(model.get_weights())
    making.report("float", making.convert(twin, SHAPE, None, freeze=False), making.facts.gesture_quality)
    making.write(folder, "lstm_gesture.tflite", making.convert(twin, SHAPE, x[:300], freeze=False))


if __name__ == "__main__":
    main()

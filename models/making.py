"""What the scripts that make models share: reproducible training, conversion, and a look at the result.

Needs TensorFlow (2.21 made the committed files); nothing else of the project does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import facts
import numpy as np
import tensorflow as tf

HERE = Path(__file__).resolve().parent
INT8, INT16 = "int8", "int16"


def destination(description: str | None) -> Path:
    """The folder that the command line names for the files made; this one by default."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="folder for the files made")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare(seed: int = 1) -> None:
    """Make what follows reproducible: seeds of every generator, deterministic kernels, two threads."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def conv_bn_relu(
    x: Any, filters: int, kernel: tuple[int, int], strides: tuple[int, int], name: str, *, relu: bool = True
) -> Any:
    """A convolution with SAME padding, batch normalisation and ReLU."""
    layers = tf.keras.layers
    start = "he_normal"
    x = layers.Conv2D(filters, kernel, strides, padding="same", kernel_initializer=start, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=name)(x) if relu else x


def depthwise_bn_relu(x: Any, name: str, strides: tuple[int, int] = (1, 1)) -> Any:
    """A 3x3 depthwise convolution with SAME padding, batch normalisation and ReLU."""
    layers = tf.keras.layers
    x = layers.DepthwiseConv2D((3, 3), strides, padding="same", name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=name)(x)


def train(
    model: tf.keras.Model, x: np.ndarray, y: np.ndarray, loss: Any, *, epochs: int, batch: int = 64, rate: float = 2e-3
) -> None:
    """Train with Adam and a cosine-shaped learning rate."""
    steps = epochs * -(-len(x) // batch)
    schedule = tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02)
    model.compile(tf.keras.optimizers.Adam(schedule), loss)
    model.fit(x, y, batch, epochs, verbose=2, shuffle=True)


def train_classifier(
    model: tf.keras.Model, x: np.ndarray, labels: np.ndarray, *, epochs: int, rate: float = 2e-3
) -> None:
    """Train a model whose outputs are probabilities of classes; labels are class numbers."""
    train(model, x, labels, "sparse_categorical_crossentropy", epochs=epochs, rate=rate)


def convert(
    model: Any, shape: Iterable[int], samples: np.ndarray | None, activations: str = INT8, *, freeze: bool = True
) -> bytes:
    """A Keras model of one input as a TensorFlow Lite model of static ``shape`` (with the batch of 1 in it).

    Without ``samples`` it is a float model; with them it is fully quantised over what they make flow through it, input
    and output too, weights being int8. ``freeze``: the converter doesn't get the model but a function whose weights it
    makes constants. It must for Keras 3, whose weights would stay variables; it must not for the LSTM of Keras 2.
    """

    def call(x: Any) -> Any:
        return model(x, training=False)

    spec = tf.TensorSpec(tuple(shape), tf.float32, name="input")
    function = tf.function(call, input_signature=[spec]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], call if freeze else model)
    if samples is not None:
        quantise(converter, samples, activations)
    return bytes(converter.convert())


def quantise(converter: Any, samples: np.ndarray, activations: str = INT8) -> None:
    """Set a converter to full quantisation with int8 weights and int8 or int16 activations.

    Dense layers get one scale per tensor, which older interpreters know too.
    """
    sets = {
        INT8: tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        INT16: tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
    }
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [sets[activations]]
    converter.inference_input_type = converter.inference_output_type = getattr(tf, activations)


def write(folder: Path, name: str, content: bytes) -> None:
    """Write a model and say its size."""
    (folder / name).write_bytes(content)
    print(f"{name}: {len(content):,} bytes")


def report(what: str, content: bytes, measure: Callable[[facts.Runner], str]) -> None:
    """Say the quality of a model that isn't kept."""
    print(f"{what}: {measure(facts.Runner(content))}")

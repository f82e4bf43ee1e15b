"""Synthetic spoken words: what the keyword models learn and are measured with. The same for a seed on every machine.

A word is a smooth path of ten cepstral coefficients over 49 frames of 20 ms. Each sample speaks it faster or slower,
earlier or later, louder or softer, with another voice (a constant offset) and noise. Words come in pairs that differ
little, as "go" and "no" do. Two classes aren't words: noise alone, and a word that no class has.
"""

from __future__ import annotations

import numpy as np

FRAMES, COEFFICIENTS = 49, 10
CLASSES = ("silence", "unknown", "yes", "yet", "up", "cup", "left", "laughed", "on", "gone", "go", "no")
WAKE_WORD = "left"
_WORDS = len(CLASSES) - 2
_WAVES = 4
_PAIR_DIFFERENCE = 0.42
_NOISE = 1.0
# Spread of each coefficient: the first ones carry most, as in speech.
_SPREAD = 3.0 / np.sqrt(1.0 + np.arange(COEFFICIENTS))
# How often each class is in the training data: recordings of the later words are rare.
TRAINING_SHARES = np.array([8, 8, 12, 12, 11, 11, 10, 10, 6, 6, 3, 3], np.float64) / 100


def _vocabulary() -> np.ndarray:
    """Amplitudes of the words' cosines, float64 [word, coefficient, wave]."""
    random = np.random.default_rng(20240901)
    stems = random.standard_normal((_WORDS // 2, COEFFICIENTS, _WAVES))
    differences = random.standard_normal((_WORDS // 2, COEFFICIENTS, _WAVES))
    pairs = np.stack([stems, stems + _PAIR_DIFFERENCE * differences], axis=1)
    return np.asarray(pairs.reshape(_WORDS, COEFFICIENTS, _WAVES))


_VOCABULARY = _vocabulary()


def _spoken(random: np.random.Generator, amplitudes: np.ndarray) -> np.ndarray:
    """One utterance of a word, float64 [frame, coefficient]."""
    duration = random.uniform(24.0, 38.0)
    start = random.uniform(2.0, FRAMES - duration - 2.0)
    position = (np.arange(FRAMES) - start) / duration
    inside = (position > 0) & (position < 1)
    envelope = np.where(inside, np.sin(np.pi * np.clip(position, 0, 1)) ** 0.5, 0.0)
    waves = np.cos(np.pi * np.outer(position, np.arange(1, _WAVES + 1)))
    path = waves @ amplitudes.T * random.uniform(0.6, 1.3)
    voice = 0.4 * random.standard_normal(COEFFICIENTS)
    return np.asarray(envelope[:, None] * (path + voice) * _SPREAD / np.sqrt(_WAVES / 2))


def sample(random: np.random.Generator, label: int) -> np.ndarray:
    """One sample of a class, float32 [49, 10, 1], its values rounded to half precision."""
    noise = random.uniform(0.4, 1.2) * _NOISE * random.standard_normal((FRAMES, COEFFICIENTS)) * _SPREAD
    word = np.zeros((FRAMES, COEFFICIENTS))
    if label == 1:
        word = _spoken(random, random.standard_normal((COEFFICIENTS, _WAVES)))
    elif label > 1:
        word = _spoken(random, _VOCABULARY[label - 2])
    return (word + noise).astype(np.float16).astype(np.float32)[:, :, None]


def labelled(labels: np.ndarray, seed: int) -> np.ndarray:
    """Samples of the classes in ``labels``, float32 [number, 49, 10, 1]."""
    random = np.random.default_rng(seed)
    return np.stack([sample(random, int(label)) for label in labels])


def training_set(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(samples, labels int32) with the classes as frequent as TRAINING_SHARES says."""
    labels = np.random.default_rng(seed).choice(len(CLASSES), count, p=TRAINING_SHARES).astype(np.int32)
    return labelled(labels, seed + 1), labels


def test_set(per_class: int, seed: int = 7001) -> tuple[np.ndarray, np.ndarray]:
    """(samples, labels int32) with every class equally frequent, one class after another in turn."""
    labels = np.tile(np.arange(len(CLASSES), dtype=np.int32), per_class)
    return labelled(labels, seed), labels


def wake_word_set(count: int, seed: int = 7007) -> tuple[np.ndarray, np.ndarray]:
    """(samples, whether each is the wake word int32): every other one is, the rest are all classes but it in turn."""
    others = [label for label in range(len(CLASSES)) if CLASSES[label] != WAKE_WORD]
    wake = CLASSES.index(WAKE_WORD)
    labels = np.array([wake if i % 2 else others[i // 2 % len(others)] for i in range(count)])
    return labelled(labels, seed), (labels == wake).astype(np.int32)

"""Synthetic voices: what the speech-synthesis model learns. The same for a seed on every machine.

A voice is a sum of harmonics of a gliding pitch, loud or soft as two moving formants let them through, at 8000 samples
a second. A frame of 64 samples is described by the harmonics' amplitudes with their phases, the pitch and the loudness.
"""

from __future__ import annotations

import numpy as np

RATE_HZ = 8000
FRAMES, FRAME_SAMPLES, HARMONICS = 16, 64, 8
SAMPLES = FRAMES * FRAME_SAMPLES
FEATURES = 2 * HARMONICS + 2


def _glide(random: np.random.Generator, low: float, high: float) -> np.ndarray:
    """A value for every sample that moves slowly within bounds."""
    ends = random.uniform(low, high, 3)
    return np.asarray(np.interp(np.linspace(0, 2, SAMPLES), [0, 1, 2], ends))


def voice(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(features float32 [1, 16, 18], samples float32 [1024])."""
    number = np.arange(1, HARMONICS + 1)[:, None]
    pitch = _glide(random, 110.0, 170.0)
    phase = number * (2 * np.pi * np.cumsum(pitch) / RATE_HZ + random.uniform(0, 2 * np.pi))
    formants = _glide(random, 200.0, 500.0), _glide(random, 600.0, 1200.0)
    loudness = _glide(random, 0.1, 1.0)
    passed = sum(np.exp(-(((number * pitch - formant) / 180.0) ** 2)) for formant in formants)
    amplitudes = loudness * (0.05 + np.asarray(passed)) / 3.0
    middles = np.arange(FRAMES) * FRAME_SAMPLES + FRAME_SAMPLES // 2
    described = amplitudes[:, middles] * np.stack([np.cos(phase[:, middles]), np.sin(phase[:, middles])])
    harmonics = 3.0 * described.reshape(2 * HARMONICS, FRAMES)
    features = np.concatenate([harmonics, (pitch[None, middles] - 140.0) / 30.0, loudness[None, middles]])
    samples = np.sum(amplitudes * np.cos(phase), axis=0)
    return features.T[None].astype(np.float32), np.clip(samples, -1, 1).astype(np.float32)


def voices(count: int, seed: int = 7006) -> tuple[np.ndarray, np.ndarray]:
    """(features float32 [count, 1, 16, 18], samples float32 [count, 1024])."""
    random = np.random.default_rng(seed)
    features, samples = zip(*(voice(random) for _ in range(count)), strict=True)
    return np.stack(features), np.stack(samples)

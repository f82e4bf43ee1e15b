"""Synthetic gestures of a hand with an accelerometer, and sounds of a machine. The same for a seed on every machine.

A gesture is a closed path in space, traced once within 64 readings; the sensor sees its acceleration, gravity (it is
held a little differently each time) and noise. A machine's sound is five frames of 128 bands: harmonics of a speed that
varies from recording to recording, over a noise floor; a broken machine has another line, lacks one, or hisses.
"""

from __future__ import annotations

import numpy as np

READINGS, AXES = 64, 3
GESTURES = ("rest", "circle", "eight", "shake", "square", "flick")
FRAMES, BANDS = 5, 128


def _path(kind: str, phase: np.ndarray) -> np.ndarray:
    """Acceleration along the path at each phase (0 to 2 pi), [phase, axis]."""
    zero = np.zeros_like(phase)
    if kind == "circle":
        return np.stack([np.cos(phase), np.sin(phase), zero], axis=1)
    if kind == "eight":
        return np.stack([np.cos(phase), np.sin(2 * phase), zero], axis=1)
    if kind == "shake":
        return np.stack([np.sin(4 * phase), zero, 0.3 * np.cos(4 * phase)], axis=1)
    if kind == "square":
        return np.stack([np.sign(np.cos(phase)), np.sign(np.sin(phase)), zero], axis=1) * 0.8
    if kind == "flick":
        bump = np.exp(-((phase - np.pi) ** 2) / 0.3)
        return np.stack([bump, -0.5 * bump, bump * (phase - np.pi)], axis=1) * 1.5
    return np.stack([zero, zero, zero], axis=1)


def gesture(random: np.random.Generator, label: int) -> np.ndarray:
    """One gesture in units of gravity, float32 [64, 3]."""
    duration, clockwise = random.uniform(36, 56), random.choice([-1, 1])
    start = random.uniform(1, READINGS - duration - 1)
    position = (np.arange(READINGS) - start) / duration
    inside = ((position > 0) & (position < 1))[:, None]
    phase = 2 * np.pi * np.clip(position, 0, 1)
    moved = _path(GESTURES[label], phase) * inside * random.uniform(0.4, 1.1)
    moved[:, 1] *= clockwise
    turn, tilt = random.uniform(-0.4, 0.4, 2)
    turned = moved @ np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    gravity = np.array([np.sin(tilt), 0.1 * random.standard_normal(), np.cos(tilt)])
    noise = random.uniform(0.05, 0.3) * random.standard_normal((READINGS, AXES))
    return np.asarray(turned + gravity + noise, np.float32)


def gestures(count: int, seed: int = 7004) -> tuple[np.ndarray, np.ndarray]:
    """(gestures float32 [count, 64, 3], labels int32), every class equally frequent."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % len(GESTURES)).astype(np.int32)
    return np.stack([gesture(random, int(label)) for label in labels]), labels


def _line(position: float, width: float) -> np.ndarray:
    return np.asarray(np.exp(-0.5 * ((np.arange(BANDS) - position) / width) ** 2))


def machine_sound(random: np.random.Generator, *, broken: bool) -> np.ndarray:
    """Five frames of a machine, float32 [640], loudness of a band in decades about the mean."""
    speed, load = random.uniform(11.0, 14.0), random.uniform(0.7, 1.3)
    strengths = load * np.array([2.0, 1.4, 1.7, 0.9, 1.1, 0.6])
    lines = speed * np.arange(1, len(strengths) + 1)
    floor, rattle = np.linspace(0.6, -0.6, BANDS), np.zeros(BANDS)
    if broken:
        fault = random.integers(0, 3)
        if fault == 0:
            rattle = random.uniform(0.6, 1.5) * _line(speed * random.uniform(1.35, 4.65), 1.5)
        elif fault == 1:
            strengths[random.integers(0, 4)] *= random.uniform(0.0, 0.5)
        else:
            floor = floor + random.uniform(0.2, 0.7) * np.linspace(0, 1, BANDS)
    steady = floor + rattle + sum(s * _line(line, 1.5) for s, line in zip(strengths, lines, strict=True))
    frames = [steady + 0.1 * random.standard_normal() + 0.3 * random.standard_normal(BANDS) for _ in range(FRAMES)]
    return np.asarray(np.concatenate(frames), np.float32)


def machine_sounds(count: int, seed: int = 7005, *, broken_share: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """(sounds float32 [count, 640], whether broken int32): every ``broken_share``-th is; none if that is 0."""
    random = np.random.default_rng(seed)
    broken = np.array([broken_share > 0 and i % broken_share == 1 for i in range(count)])
    return np.stack([machine_sound(random, broken=bool(b)) for b in broken]), broken.astype(np.int32)

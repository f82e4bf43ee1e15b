"""Synthetic pictures: shapes to tell apart and figures to detect. The same for a seed on every machine.

Pictures have 8 bits per channel and are given as float32 from 0 to 1. Shapes have soft edges, any colour, and stand
anywhere on a background with a colour gradient, clutter and noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SHAPES = ("disc", "ring", "square", "frame", "triangle", "cross", "star", "bar", "pair", "crescent")
SHAPE_SIZE, FIGURE_SIZE = 32, 96
# How often each shape is in the training data: the last ones are rare.
SHAPE_SHARES = np.array([14, 13, 13, 12, 12, 11, 10, 8, 4, 3], np.float64) / 100

Mask = np.ndarray
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _rectangle(x: np.ndarray, y: np.ndarray, width: float, height: float) -> np.ndarray:
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    return np.asarray(radius - (0.68 + 0.32 * np.cos(5 * angle)))


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    sides = [x * np.cos(a) + y * np.sin(a) for a in (np.pi / 2, np.pi * 7 / 6, np.pi * 11 / 6)]
    return np.asarray(np.max(sides, axis=0) - 0.55)


# Distance of a point from each shape of radius one, negative within it.
_DISTANCES: dict[str, Distance] = {
    "disc": lambda x, y: np.hypot(x, y) - 0.9,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.75) - 0.2,
    "square": lambda x, y: _rectangle(x, y, 0.75, 0.75),
    "frame": lambda x, y: np.abs(_rectangle(x, y, 0.65, 0.65)) - 0.17,
    "triangle": _triangle,
    "cross": lambda x, y: np.minimum(_rectangle(x, y, 0.95, 0.27), _rectangle(x, y, 0.27, 0.95)),
    "star": _star,
    "bar": lambda x, y: _rectangle(x, y, 1.0, 0.28),
    "pair": lambda x, y: np.hypot(np.abs(x) - 0.6, y) - 0.4,
    "crescent": lambda x, y: np.maximum(np.hypot(x, y) - 0.95, 0.8 - np.hypot(x - 0.45, y)),
}


def _mask(distance: Distance, size: int, centre: tuple[float, float], radius: float, turn: float) -> Mask:
    """How much of each pixel the shape covers, [size, size] from 0 to 1."""
    down, right = np.mgrid[0:size, 0:size].astype(np.float64)
    dy, dx = (down - centre[0]) / radius, (right - centre[1]) / radius
    x, y = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    return np.asarray(np.clip(0.5 - distance(x, y) * radius, 0, 1))


def _background(random: np.random.Generator, size: int) -> np.ndarray:
    """A colour gradient, [size, size, 3]."""
    down, right = np.mgrid[0:size, 0:size] / size
    ends = random.uniform(0.2, 0.8, 3) + random.uniform(-0.15, 0.15, (3, 3))
    return np.asarray(ends[0] + down[..., None] * (ends[1] - ends[0]) + right[..., None] * (ends[2] - ends[0]))


def _paint(picture: np.ndarray, mask: Mask, colour: np.ndarray) -> None:
    picture += mask[..., None] * (colour - picture)


def _finish(random: np.random.Generator, picture: np.ndarray, noise: float) -> np.ndarray:
    """Noise, exposure, and eight bits per channel."""
    exposed = picture * random.uniform(0.7, 1.15) + noise * random.standard_normal(picture.shape)
    return np.asarray(np.round(255 * np.clip(exposed, 0, 1)) / 255, np.float32)


def _colour(random: np.random.Generator, unlike: np.ndarray, contrast: float) -> np.ndarray:
    """A random colour that differs from another by at least ``contrast``."""
    while True:
        colour = random.uniform(0, 1, 3)
        if np.abs(colour - unlike).max() > contrast:
            return colour


def shape_picture(random: np.random.Generator, label: int) -> np.ndarray:
    """A picture of one of SHAPES, float32 [32, 32, 3]."""
    picture = _background(random, SHAPE_SIZE)
    radius = random.uniform(6.0, 12.0)
    centre = tuple(random.uniform(radius - 1, SHAPE_SIZE - radius, 2))
    mask = _mask(_DISTANCES[SHAPES[label]], SHAPE_SIZE, centre, radius, random.uniform(-0.35, 0.35))
    at = picture[int(centre[0]), int(centre[1])].copy()
    _paint(picture, mask, _colour(random, at, 0.3))
    for _ in range(random.integers(0, 3)):  # things in the way
        place = tuple(random.uniform(0, SHAPE_SIZE, 2))
        _paint(
            picture, _mask(_DISTANCES["disc"], SHAPE_SIZE, place, random.uniform(1, 2.5), 0), random.uniform(0, 1, 3)
        )
    return _finish(random, picture, random.uniform(0.01, 0.08))


def figure_picture(random: np.random.Generator, label: int) -> np.ndarray:
    """A cluttered scene with (label 1) or without (label 0) an upright figure: head above trunk. float32 [96, 96, 3].

    Every other scene without one has its parts, wrongly put together; the others have neither.
    """
    size = FIGURE_SIZE
    picture = _background(random, size)
    for _ in range(random.integers(0, 5)):
        kind = SHAPES[random.integers(0, len(SHAPES))]
        place, radius = tuple(random.uniform(0, size, 2)), random.uniform(4, 20)
        mask = _mask(_DISTANCES[kind], size, place, radius, random.uniform(0, 2 * np.pi))
        _paint(picture, mask, random.uniform(0, 1, 3))
    if label == 1 or random.random() < 0.5:
        _paint_figure(random, picture, upright=label == 1)
    return _finish(random, picture, random.uniform(0.01, 0.05))


def _paint_figure(random: np.random.Generator, picture: np.ndarray, *, upright: bool) -> None:
    """A head above a trunk, or else beside or below it."""
    size = FIGURE_SIZE
    scale = random.uniform(16, 24)
    middle = np.array([random.uniform(scale * 1.6, size - scale), random.uniform(scale * 0.7, size - scale * 0.7)])
    above, lean = np.array([-1.3 * scale, 0.0]), random.uniform(-0.1, 0.1)
    if not upright:
        wrong = random.uniform(0.4 * np.pi, 1.6 * np.pi)
        turned = np.array([[np.cos(wrong), -np.sin(wrong)], [np.sin(wrong), np.cos(wrong)]])
        above, lean = turned @ above, random.uniform(0, np.pi)
    slim = random.uniform(0.35, 0.5)
    ground = picture[int(middle[0]), int(middle[1])].copy()
    trunk = _mask(lambda x, y: _rectangle(x, y, slim, 0.95), size, tuple(middle), scale, lean)
    _paint(picture, trunk, _colour(random, ground, 0.35))
    skin = np.array([0.9, 0.65, 0.45]) * random.uniform(0.6, 1.1)
    _paint(picture, _mask(_DISTANCES["disc"], size, tuple(middle + above), scale * 0.42, 0), skin)


def shapes(labels: np.ndarray, seed: int) -> np.ndarray:
    """Pictures of the shapes in ``labels``, float32 [number, 32, 32, 3]."""
    random = np.random.default_rng(seed)
    return np.stack([shape_picture(random, int(label)) for label in labels])


def figures(labels: np.ndarray, seed: int) -> np.ndarray:
    """Scenes with (1) and without (0) a figure, float32 [number, 96, 96, 3]."""
    random = np.random.default_rng(seed)
    return np.stack([figure_picture(random, int(label)) for label in labels])


def shape_training_set(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(pictures, labels int32) with the shapes as frequent as SHAPE_SHARES says."""
    labels = np.random.default_rng(seed).choice(len(SHAPES), count, p=SHAPE_SHARES).astype(np.int32)
    return shapes(labels, seed + 1), labels


def shape_test_set(per_class: int, seed: int = 7002) -> tuple[np.ndarray, np.ndarray]:
    """(pictures, labels int32) with every shape equally frequent."""
    labels = np.tile(np.arange(len(SHAPES), dtype=np.int32), per_class)
    return shapes(labels, seed), labels


def figure_set(count: int, seed: int = 7003) -> tuple[np.ndarray, np.ndarray]:
    """(scenes, labels int32), half of them with a figure."""
    labels = (np.arange(count) % 2).astype(np.int32)
    return figures(labels, seed), labels

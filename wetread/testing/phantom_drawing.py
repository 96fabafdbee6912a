"""Curves, strokes and textures of which a phantom is drawn, on a square grid with coordinates from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Floats = NDArray[np.float32]
Curve = tuple[tuple[float, float], ...]

GRID = 512
_FINE = 2


def curve_through(points: Curve, *, closed: bool = True, steps: int = 8) -> Curve:
    """A smooth curve (Catmull-Rom) through all the points, as a polygon."""
    given = np.array(points)
    count = len(given)
    if closed:
        index = np.arange(count)
        before, here, after, beyond = (given[(index + shift) % count] for shift in (-1, 0, 1, 2))
    else:
        index = np.arange(count - 1)
        before, here = given[np.maximum(index - 1, 0)], given[index]
        after, beyond = given[index + 1], given[np.minimum(index + 2, count - 1)]
    t = (np.arange(steps) / steps)[None, :, None]
    before, here, after, beyond = (p[:, None, :] for p in (before, here, after, beyond))
    curve = 0.5 * (
        2 * here
        + (after - before) * t
        + (2 * before - 5 * here + 4 * after - beyond) * t**2
        + (3 * here - before - 3 * after + beyond) * t**3
    )
    flat = curve.reshape(-1, 2).tolist()
    if not closed:
        flat.append(list(points[-1]))
    return tuple((x, y) for x, y in flat)


def arc(start: tuple[float, float], end: tuple[float, float], height: float, steps: int = 16) -> Curve:
    """From start to end, bulging down by `height` at the middle (up where negative)."""
    return tuple(
        (
            start[0] + (end[0] - start[0]) * i / steps,
            start[1] + (end[1] - start[1]) * i / steps + height * math.sin(math.pi * i / steps),
        )
        for i in range(steps + 1)
    )


def filled(curve: Curve, grid: int) -> Floats:
    """The inside of a polygon as 0 to 1, its edge smooth."""
    picture = Image.new("L", (grid * _FINE, grid * _FINE))
    ImageDraw.Draw(picture).polygon([(x * grid * _FINE, y * grid * _FINE) for x, y in curve], fill=255)
    return _floats(picture.reduce(_FINE))


def stroked(curves: Sequence[Curve], width: float, grid: int) -> Floats:
    """Lines of one width (a fraction of the grid) as 0 to 1."""
    picture = Image.new("L", (grid, grid))
    draw = ImageDraw.Draw(picture)
    pen = max(1, round(width * grid))
    for curve in curves:
        draw.line([(x * grid, y * grid) for x, y in curve], fill=255, width=pen, joint="curve")
    return _floats(picture)


def blurred(array: NDArray[Any], radius: float) -> Floats:
    """An array of 0 to 1 blurred by a Gaussian of `radius` grid pixels."""
    picture = Image.fromarray((np.clip(array, 0, 1) * 255).astype(np.uint8))
    return _floats(picture.filter(ImageFilter.GaussianBlur(radius)))


def smooth_noise(rng: np.random.Generator, cells: int, grid: int) -> Floats:
    """Noise of 0 to 1 with that many cells across."""
    picture = Image.fromarray((rng.random((cells, cells)) * 255).astype(np.uint8))
    return _floats(picture.resize((grid, grid), Image.Resampling.BICUBIC))


def lung_markings(rng: np.random.Generator, hilum: tuple[float, float], side: int, grid: int) -> Floats:
    """Vessels that branch from a hilum to one side, thinner the farther they run."""
    picture = Image.new("L", (grid, grid))
    draw = ImageDraw.Draw(picture)

    def grow(x: float, y: float, angle: float, width: float, length: float, depth: int) -> None:
        points = [(x, y)]
        for _ in range(5):
            angle += rng.normal(0, 0.12)
            x, y = x + math.cos(angle) * length / 5, y + math.sin(angle) * length / 5
            points.append((x, y))
        draw.line(
            [(px * grid, py * grid) for px, py in points],
            fill=min(255, round(60 + 42 * width)),
            width=max(1, round(width)),
        )
        if depth > 0:
            for turn in (-0.35, 0.35):
                grow(x, y, angle + turn + rng.normal(0, 0.12), width * 0.62, length * rng.uniform(0.6, 0.9), depth - 1)

    for angle in np.linspace(-1.25, 1.3, 8):
        outward = float(angle) if side > 0 else math.pi - float(angle)
        grow(hilum[0], hilum[1], outward + rng.normal(0, 0.08), 5.0 * grid / 512, rng.uniform(0.08, 0.13), 3)
    return _floats(picture)


def enlarged(array: NDArray[Any], rows: int, columns: int) -> Floats:
    """A square array on the central square of a (rows, columns) picture, 0 around it."""
    side = min(rows, columns)
    picture = Image.fromarray(array.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    top, left = (rows - side) // 2, (columns - side) // 2
    whole = np.zeros((rows, columns), np.float32)
    whole[top : top + side, left : left + side] = np.asarray(picture)
    return whole


def _floats(picture: Image.Image) -> Floats:
    return np.asarray(picture, dtype=np.float32) * np.float32(1 / 255)

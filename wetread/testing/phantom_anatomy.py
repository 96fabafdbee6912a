"""The anatomy of a phantom: soft tissue, air, bones and vessels of a frontal and a lateral chest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wetread.testing.phantom_drawing import (
    GRID,
    Curve,
    Floats,
    blurred,
    curve_through,
    filled,
    lung_markings,
    smooth_noise,
    stroked,
)
from wetread.testing.phantom_findings import Finding, place

Film = tuple[Floats, dict[str, Floats], list[Floats]]
"""Attenuation, the structures' masks, and the findings' masks in the order asked for; all (GRID, GRID)."""

_RIGHT_LUNG: Curve = (
    (0.43, 0.17), (0.405, 0.118), (0.35, 0.1), (0.285, 0.125), (0.215, 0.205), (0.163, 0.32), (0.128, 0.46),
    (0.11, 0.6), (0.104, 0.7), (0.106, 0.79), (0.112, 0.795), (0.16, 0.735), (0.24, 0.695), (0.33, 0.7),
    (0.405, 0.735), (0.43, 0.74), (0.435, 0.66), (0.44, 0.5), (0.44, 0.35), (0.44, 0.25),
)  # fmt: skip


_UNIT_GRID = np.linspace(0, 1, GRID)
"""float64: single precision's exp and cos differ in their last bit from one processor to the next, and with them the
pixels, whose hash decides what simulated models say of them."""


def _jittered(curve: Curve, rng: np.random.Generator, by: float = 0.004) -> Curve:
    shifts = rng.normal(0, by, (len(curve), 2)).clip(-2 * by, 2 * by)
    return tuple((x + dx, y + dy) for (x, y), (dx, dy) in zip(curve, shifts.tolist(), strict=True))


def _mirrored(curve: Curve, down: float = 0.0) -> Curve:
    return tuple((1 - x, y + down * max(0.0, (y - 0.5) / 0.3)) for x, y in curve)


def _heart(chest: tuple[float, float], ratio: float, rng: np.random.Generator) -> Curve:
    """The heart's outline, a third of its width to the patient's right of the midline, exactly as wide as asked."""
    width = ratio * (chest[1] - chest[0])
    middle = (chest[0] + chest[1]) / 2
    shape = np.array(
        curve_through(
            _jittered(
                (
                    (-0.08, 0.385), (-0.2, 0.46), (-0.31, 0.54), (-0.335, 0.62), (-0.29, 0.7), (-0.1, 0.755),
                    (0.2, 0.77), (0.5, 0.765), (0.64, 0.735), (0.665, 0.69), (0.6, 0.61), (0.46, 0.51),
                    (0.31, 0.435), (0.17, 0.385),
                ),
                rng,
            )
        )
    )  # fmt: skip
    left, right = shape[:, 0].min(), shape[:, 0].max()
    shape[:, 0] = middle - width / 3 + (shape[:, 0] - left) / (right - left) * width
    return tuple((float(x), float(y)) for x, y in shape)


def frontal(
    rng: np.random.Generator, ratio: float, findings: Sequence[Finding]
) -> tuple[Floats, dict[str, Floats], list[Floats]]:
    right_curve = curve_through(_jittered(_RIGHT_LUNG, rng))
    left_curve = curve_through(_jittered(_mirrored(_RIGHT_LUNG, 0.02), rng))
    chest = min(x for x, _ in right_curve), max(x for x, _ in left_curve)
    heart = filled(_heart(chest, ratio, rng), GRID)
    right_full, left_full = filled(right_curve, GRID), filled(left_curve, GRID)
    right, left = right_full * (1 - heart), left_full * (1 - heart)
    lungs, full = np.maximum(right, left), np.maximum(right_full, left_full)
    middle = filled(curve_through(_jittered(_MEDIASTINUM, rng, 0.002)), GRID)
    soft = blurred(np.maximum(heart, middle), 3)
    torso, body = _torso()
    air = blurred(full, 2) * (1 - 0.85 * soft)

    film = np.asarray(torso - 0.34 * air - 0.13 * blurred(full, 16) * (1 - 0.6 * soft), np.float32)
    height, across = _UNIT_GRID[:, None], _UNIT_GRID[None, :]
    spine = np.exp(-(((across - 0.5) / 0.05) ** 4))
    film += 0.085 * spine * (1 + 0.22 * np.cos(height * 2 * math.pi * 15.5)) * body
    film += 0.09 * blurred(np.maximum(heart, middle) * full, 7) + 0.05 * np.clip((height - 0.72) * 6, 0, 1) * body
    film -= 0.1 * blurred(stroked([((0.502, 0.0), (0.502, 0.31))], 0.032, GRID), 2.5)
    film -= 0.05 * blurred(
        stroked([((0.5, 0.3), (0.45, 0.36), (0.42, 0.39)), ((0.5, 0.3), (0.56, 0.37))], 0.018, GRID), 3
    )
    film -= 0.14 * blurred(filled(curve_through(((0.62, 0.8), (0.7, 0.785), (0.77, 0.83), (0.68, 0.87))), GRID), 6)
    film += _bones(rng) * body * (1 - 0.5 * soft)
    vessels: Floats = np.zeros_like(film)
    for hilum, towards in (((0.43, 0.43), -1), ((0.575, 0.42), 1)):
        bulge = np.exp(-(((across - hilum[0]) / 0.035) ** 2) - ((height - hilum[1]) / 0.06) ** 2)
        vessels = np.maximum(vessels, lung_markings(rng, hilum, towards, GRID)) + np.float32(0.55) * bulge
    placed = []
    for finding in findings:
        lung, curve, outward = (right, right_curve, -1) if finding.side == "right" else (left, left_curve, 1)
        mask, change = place(finding, lung, curve, outward, rng)
        film += change
        placed.append(mask)
        if finding.kind == "pneumothorax":
            vessels = vessels * (1 - mask)
    film += 0.13 * blurred(vessels, 0.8) * full * (1 - 0.5 * soft)
    film += (0.03 * (smooth_noise(rng, 24, GRID) - 0.5) + 0.035 * (smooth_noise(rng, 120, GRID) - 0.5) * lungs) * body
    return film, {"right lung": right, "left lung": left, "heart": heart}, placed


_MEDIASTINUM: Curve = (
    (0.455, 0.0), (0.445, 0.16), (0.452, 0.27), (0.438, 0.36), (0.425, 0.45), (0.42, 0.6), (0.41, 0.8), (0.58, 0.8),
    (0.575, 0.6), (0.59, 0.48), (0.6, 0.42), (0.58, 0.385), (0.587, 0.345), (0.59, 0.31), (0.575, 0.28),
    (0.555, 0.26), (0.548, 0.16), (0.545, 0.0),
)  # fmt: skip


def _torso() -> tuple[Floats, Floats]:
    """Attenuation of the soft tissue, and its silhouette."""
    body = filled(
        curve_through(
            (
                (0.4, -0.1), (0.405, 0.03), (0.37, 0.075), (0.22, 0.1), (0.06, 0.15), (-0.08, 0.22), (-0.1, 0.42),
                (0.015, 0.47), (0.03, 0.6), (0.02, 0.8), (0.0, 1.1), (1.0, 1.1), (0.98, 0.8), (0.97, 0.6),
                (0.985, 0.47), (1.1, 0.42), (1.08, 0.22), (0.94, 0.15), (0.78, 0.1), (0.63, 0.075), (0.595, 0.03),
                (0.6, -0.1),
            )
        ),
        GRID,
    )  # fmt: skip
    across = np.abs(np.linspace(-1, 1, GRID))[None, :]
    thickness = 0.62 + 0.2 * np.sqrt(np.clip(1 - across**2.5, 0, 1))
    return (0.35 * blurred(body, 1.5) + 0.65 * blurred(body, 10) * body) * thickness.astype(np.float32), body


def _bones(rng: np.random.Generator) -> Floats:
    back, front = [], []
    for side in (-1, 1):
        for number in range(10):
            top = 0.085 + 0.069 * number + rng.normal(0, 0.002)
            reach = 0.41 * min(1.0, 0.5 + 0.13 * number)
            steps = np.linspace(0, 1, 24)
            xs = 0.5 + side * (0.04 + (reach - 0.04) * np.sin(steps * math.pi / 2))
            ys = top + 0.02 * np.cos(steps * math.pi) - 0.02 + 0.125 * steps**2.2
            back.append(tuple(zip(xs.tolist(), ys.tolist(), strict=True)))
            if 1 <= number <= 7:
                xs = 0.5 + side * (reach - (reach - 0.15) * (1 - np.cos(steps * math.pi / 2)))
                ys = top + 0.105 + 0.15 * np.sin(steps * math.pi / 2) ** 1.2
                front.append(tuple(zip(xs.tolist(), ys.tolist(), strict=True)))
    collar = [
        tuple((0.5 + side * (0.05 + 0.36 * t), 0.185 - 0.075 * t + 0.02 * math.sin(2 * math.pi * t)) for t in _UNIT)
        for side in (-1, 1)
    ]
    blade = [tuple((0.5 + side * (0.42 - 0.06 * t + 0.05 * t * t), 0.16 + 0.3 * t) for t in _UNIT) for side in (-1, 1)]
    wide = stroked(back, 0.022, GRID)
    narrow = stroked(back, 0.014, GRID)
    result: Floats = (
        0.075 * blurred(wide, 0.8)
        - 0.03 * blurred(narrow, 0.8)
        + 0.04 * blurred(stroked(front, 0.024, GRID), 1.6)
        + 0.1 * blurred(stroked(collar, 0.026, GRID), 1.6)
        - 0.03 * blurred(stroked(collar, 0.013, GRID), 1.6)
        + 0.05 * blurred(stroked(blade, 0.02, GRID), 3)
    )
    return result


_UNIT = tuple(i / 23 for i in range(24))


def lateral(rng: np.random.Generator, findings: Sequence[Finding]) -> tuple[Floats, dict[str, Floats], list[Floats]]:
    """Facing left: the breastbone on the left, the spine on the right."""
    body = filled(
        curve_through(
            (
                (0.42, -0.1), (0.4, 0.04), (0.27, 0.13), (0.16, 0.26), (0.09, 0.45), (0.08, 0.7), (0.12, 1.1),
                (0.88, 1.1), (0.93, 0.75), (0.94, 0.45), (0.88, 0.2), (0.74, 0.05), (0.68, -0.1),
            )
        ),
        GRID,
    )  # fmt: skip
    lung_curve = curve_through(
        _jittered(
            (
                (0.5, 0.1), (0.4, 0.15), (0.3, 0.24), (0.22, 0.36), (0.18, 0.5), (0.17, 0.64), (0.19, 0.7),
                (0.3, 0.655), (0.42, 0.655), (0.56, 0.7), (0.68, 0.78), (0.79, 0.865), (0.81, 0.86), (0.82, 0.72),
                (0.82, 0.5), (0.79, 0.3), (0.7, 0.14), (0.6, 0.09),
            ),
            rng,
        )
    )  # fmt: skip
    lungs_full = filled(lung_curve, GRID)
    heart = filled(
        curve_through(
            _jittered(
                ((0.36, 0.4), (0.27, 0.46), (0.215, 0.57), (0.22, 0.67), (0.33, 0.71), (0.47, 0.7), (0.545, 0.62),
                 (0.54, 0.51), (0.47, 0.42)),
                rng,
            )
        ),
        GRID,
    )  # fmt: skip
    lungs = lungs_full * (1 - heart)
    film: Floats = (0.35 * blurred(body, 1.5) + 0.65 * blurred(body, 12) * body) * np.float32(0.82)
    height, across = _UNIT_GRID[:, None], _UNIT_GRID[None, :]
    soft = blurred(heart, 3)
    film -= (0.3 * blurred(lungs_full, 2) + 0.1 * blurred(lungs_full, 18)) * (1 - 0.7 * soft)
    # Shoulders and arms darken the upper part of the lungs less than the lower.
    film += 0.1 * np.clip(1 - height / 0.35, 0, 1) * body
    middle = 0.755 + 0.06 * np.sin(height * math.pi * 0.9)
    column = np.exp(-(((across - middle) / 0.048) ** 4))
    film += 0.085 * column * (1 + 0.35 * np.tanh(4 * np.sin(height * 2 * math.pi * 12))) * body
    film += 0.07 * blurred(stroked([((0.245, 0.2), (0.155, 0.36), (0.125, 0.5))], 0.022, GRID), 2)
    film -= 0.1 * blurred(stroked([((0.545, 0.0), (0.53, 0.2), (0.515, 0.36))], 0.032, GRID), 2.5)
    arch = stroked([((0.44, 0.4), (0.46, 0.3), (0.54, 0.25), (0.63, 0.29), (0.69, 0.42), (0.72, 0.7))], 0.075, GRID)
    film += 0.07 * blurred(arch, 6)
    ribs = [
        tuple((0.86 - 0.66 * t, 0.1 + 0.072 * number + 0.26 * t - 0.1 * math.sin(math.pi * t)) for t in _UNIT)
        for number in range(10)
    ]
    film += (0.045 * blurred(stroked(ribs, 0.02, GRID), 1) - 0.02 * blurred(stroked(ribs, 0.011, GRID), 1)) * body
    bulge = np.exp(-(((across - 0.51) / 0.05) ** 2) - ((height - 0.4) / 0.05) ** 2)
    vessels = 0.6 * bulge
    for towards in (-1, 1):
        vessels = np.maximum(vessels, lung_markings(rng, (0.51, 0.4), towards, GRID))
    film += 0.1 * blurred(vessels, 0.8) * lungs_full * (1 - 0.5 * soft)
    placed = []
    for finding in findings:
        mask, change = place(finding, lungs, lung_curve, 1, rng)
        film += change
        placed.append(mask)
    film += (0.03 * (smooth_noise(rng, 24, GRID) - 0.5) + 0.03 * (smooth_noise(rng, 120, GRID) - 0.5) * lungs) * body
    return film, {"lungs": lungs, "heart": heart}, placed

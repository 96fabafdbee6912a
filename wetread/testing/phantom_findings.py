"""Findings of a phantom: what to place, and how it changes the film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wetread.testing.phantom_drawing import GRID, Curve, Floats, blurred, curve_through, filled, smooth_noise, stroked

FindingKind = Literal["effusion", "pneumothorax", "nodule", "mass", "consolidation", "catheter"]
PatientSide = Literal["right", "left"]

_SIZES: dict[FindingKind, float] = {
    "effusion": 0.25,
    "pneumothorax": 0.12,
    "nodule": 0.03,
    "mass": 0.1,
    "consolidation": 0.2,
    "catheter": 0.006,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What to place.

    Args:
        kind: What it is.
        side: The patient's side.
        across: Where in the lung's width: 0 at the mediastinum, 1 at the chest wall (lateral view: 0 front, 1 back).
        down: Where in the lung's height: 0 at the apex, 1 at the base.
        size: As a fraction of the picture's shorter side: diameter of a nodule, mass or consolidation; height of an
            effusion; depth of a pneumothorax; width of a catheter. A usual one where not given.

    `across` and `down` place nodules, masses and consolidations alone.
    """

    kind: FindingKind
    side: PatientSide = "right"
    across: float = 0.5
    down: float = 0.5
    size: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.across <= 1 or not 0 <= self.down <= 1:
            raise ValueError("across and down are fractions, 0 to 1")
        if self.size is not None and not 0 < self.size < 0.6:
            raise ValueError("size is a fraction of the picture, above 0 and below 0.6")

    @property
    def extent(self) -> float:
        """`size`, or the usual one."""
        return self.size if self.size is not None else _SIZES[self.kind]


def place(
    finding: Finding, lung: Floats, curve: Curve, outward: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """A finding's mask, and what it adds to the film.

    Args:
        lung, curve: The lung it lies in, as mask and as outline.
        outward: The picture's direction from the midline to the chest wall, 1 or -1.
    """
    xs, ys = [x for x, _ in curve], [y for _, y in curve]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    size = finding.extent
    across = finding.across if outward > 0 else 1 - finding.across
    centre = left + across * (right - left), top + finding.down * (bottom - top)
    grid = (np.arange(GRID) + 0.5) / GRID
    x, y = grid[None, :], grid[:, None]
    if finding.kind in ("nodule", "mass"):
        angle = np.arctan2(y - centre[1], x - centre[0])
        edge = (
            size / 2 * (1 + 0.05 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.03 * np.sin(5 * angle + rng.uniform(0, 6)))
        )
        distance = np.hypot(x - centre[0], y - centre[1])
        mask = (distance <= edge).astype(np.float32)
        depth = np.sqrt(np.clip(1 - (distance / np.maximum(edge, 1e-6)) ** 2, 0, 1)).astype(np.float32)
        return mask, (0.1 + 0.6 * min(size, 0.15)) * blurred(mask, 2) + 0.1 * blurred(depth, 2)
    if finding.kind == "consolidation":
        distance = np.hypot(x - centre[0], y - centre[1])
        ragged = size / 2 * (0.75 + 0.5 * smooth_noise(rng, 14, GRID))
        mask = ((distance <= ragged) * (lung > 0.5)).astype(np.float32)
        return mask, 0.26 * blurred(mask, 6) * (0.7 + 0.6 * smooth_noise(rng, 40, GRID))
    if finding.kind == "effusion":
        # A meniscus: the level rises towards the chest wall.
        wall = (x - left) / (right - left) if outward > 0 else (right - x) / (right - left)
        level = bottom - size * (0.45 + 0.75 * np.clip(wall, 0, 1) ** 3)
        mask = ((y >= level) * (lung > 0.5)).astype(np.float32)
        return mask, 0.33 * blurred(mask, 4) * np.clip(0.5 + 2.5 * (y - level) / max(size, 0.05), 0.5, 1)
    if finding.kind == "pneumothorax":
        # The lung shrinks towards where it meets the mediastinum at the base; air is left above and beside it.
        medial = right if outward < 0 else left
        kept = filled(
            tuple((medial + (px - medial) * (1 - size), bottom + (py - bottom) * (1 - size)) for px, py in curve), GRID
        )
        upper = y < top + 0.75 * (bottom - top)
        mask = ((kept < 0.5) * (lung > 0.5) * upper).astype(np.float32)
        rim = np.clip(blurred(kept, 1) - blurred(kept, 3), 0, 1) * (lung > 0.5) * upper
        return mask, -0.07 * blurred(mask, 1.5) + 0.5 * rim
    entry = (0.5 + outward * 0.3, 0.215)
    path = curve_through(
        (entry, (0.5 + outward * 0.2, 0.18), (0.5 + outward * 0.07, 0.21), (0.475, 0.29), (0.455, 0.37), (0.45, 0.45)),
        closed=False,
    )
    mask = (stroked([path], size, GRID) > 0.5).astype(np.float32)
    return mask, 0.16 * blurred(mask, 0.8)

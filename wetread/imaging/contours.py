"""Outlines of a mask as polygons with few points, for drawing over a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wetread.imaging.geometry import Mask, Point
from wetread.imaging.masks import block_sums, bounded

Polygon = tuple[Point, ...]
"""Corners in order, the last joined to the first; outer edges run clockwise on screen, holes the other way."""

_SMALLEST_SHARE = 0.01
_GRID = 384


def contours(mask: Mask, *, max_points: int = 300) -> tuple[Polygon, ...]:
    """The outlines of a mask's parts and holes, largest first, in the mask's own coordinates (pixel edges).

    Parts and holes of less than one hundredth of the largest are left out. A mask of more than 384 pixels across is
    traced on a coarser grid of that size. Outlines are simplified (Douglas and Peucker 1973) by the smallest tolerance,
    from one grid pixel on, that keeps to `max_points` in all; a polygon keeps three points at least.

    Args:
        mask: (rows, columns) uint8.
        max_points: Points in all polygons together.
    """
    present, (top, left) = bounded(mask)
    factor = max(1, -(-max(present.shape, default=0) // _GRID))
    rings = _rings(block_sums(present, factor) * 2 >= factor * factor if factor > 1 else present)
    if not rings and factor > 1:  # nothing but lines thinner than a grid pixel
        factor, rings = 1, _rings(present)
    if not rings:
        return ()
    areas = [abs(_area(ring)) for ring in rings]
    order = sorted(range(len(rings)), key=lambda i: (-areas[i], rings[i][0].tolist()))
    kept = [rings[i] for i in order if areas[i] >= _SMALLEST_SHARE * areas[order[0]]]
    kept = kept[: max(1, max_points // 3)]
    tolerance = 1.0
    simplified = [_simplify(ring, tolerance) for ring in kept]
    while sum(map(len, simplified)) > max_points and tolerance < max(mask.shape):
        tolerance *= 1.5
        simplified = [_simplify(ring, tolerance) for ring in kept]
    rows, columns = mask.shape
    return tuple(
        tuple((float(min(x * factor + left, columns)), float(min(y * factor + top, rows))) for x, y in ring.tolist())
        for ring in simplified
    )


def svg_path(polygons: Sequence[Polygon]) -> str:
    """The polygons as the data of one SVG path, to be filled by `fill-rule="evenodd"`."""
    return "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in polygon) + "Z" for polygon in polygons)


def _area(ring: NDArray[np.int64]) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _rings(present: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Closed walks along pixel edges, mask on the right, corners only. Pixels that touch by a corner stay apart."""
    padded = np.pad(present, 1).astype(np.int8)
    wide = padded.shape[1] + 1
    down, across = np.diff(padded, axis=0), np.diff(padded, axis=1)
    # Direction 0 right, 1 down, 2 left, 3 up; a corner is y * wide + x in `padded`, an edge 4 * corner + direction.
    steps = (1, wide, -1, -wide)
    edges: dict[int, None] = {}
    for direction, (changes, sign, shift) in enumerate(
        ((down, 1, (1, 0)), (across, -1, (0, 1)), (down, -1, (1, 1)), (across, 1, (1, 1)))
    ):
        ys, xs = np.nonzero(changes == sign)
        corners = (ys + shift[0]) * wide + xs + shift[1]
        edges.update(dict.fromkeys((corners * 4 + direction).tolist()))
    rings = []
    left_over = dict(edges)
    while left_over:
        first = edge = next(iter(left_over))
        turns: list[int] = []
        while True:
            del left_over[edge]
            corner, direction = divmod(edge, 4)
            corner += steps[direction]
            # A right turn where there is one: it stays with the same pixel where two touch by their corners.
            edge = next(
                corner * 4 + turn
                for turn in ((direction + 1) % 4, direction, (direction + 3) % 4)
                if corner * 4 + turn in edges
            )
            if edge % 4 != direction:
                turns.append(corner)
            if edge == first:
                break
        walked = np.array(turns, np.int64)
        rings.append(np.stack((walked % wide - 1, walked // wide - 1), axis=1))
    return rings


def _simplify(ring: NDArray[np.int64], tolerance: float) -> NDArray[np.int64]:
    """Douglas and Peucker on a ring, cut at its first point and the one farthest from it."""
    if len(ring) <= 4:
        return ring
    far = int(np.argmax(((ring - ring[0]) ** 2).sum(axis=1)))
    closed = np.concatenate((ring, ring[:1]))
    keep = np.zeros(len(closed), np.bool_)
    keep[[0, far, len(ring)]] = True
    open_parts = [(0, far), (far, len(ring))]
    farthest = (0.0, far)
    while open_parts:
        begin, end = open_parts.pop()
        if end - begin < 2:
            continue
        base = closed[end] - closed[begin]
        between = closed[begin + 1 : end] - closed[begin]
        length = math.hypot(float(base[0]), float(base[1]))
        if length == 0:
            distances = np.hypot(between[:, 0], between[:, 1])
        else:
            distances = np.abs(between[:, 0] * base[1] - between[:, 1] * base[0]) / length
        index = int(np.argmax(distances))
        if distances[index] > tolerance:
            middle = begin + 1 + index
            keep[middle] = True
            open_parts += [(begin, middle), (middle, end)]
        elif distances[index] > farthest[0]:
            farthest = (float(distances[index]), begin + 1 + index)
    if keep[:-1].sum() < 3:
        keep[farthest[1]] = True
    return ring[keep[:-1]]

"""The outline of a mask as an SVG path, light enough to stand in a page."""

from __future__ import annotations

from io import BytesIO
from typing import Any

MAX_SIDE = 640
"""Masks are traced at this size at most; a line on a screen needs no more."""

_MAX_EDGES = 40_000
_TOLERANCE = 0.7
_MIN_EDGES = 12

Point = tuple[float, float]


def outline_path(png: bytes, *, rows: int, columns: int) -> str:
    """The outline of the pixels at or above half of a mask.

    Args:
        png: An 8-bit gray PNG that covers the whole image.
        rows: Height of the image's pixel space.
        columns: Its width.

    Returns:
        SVG path data in pixels of the image (edges, origin top left); empty for an empty or unreadable mask. Holes run
        against the direction of what surrounds them.
    """
    import numpy as np
    from PIL import Image

    try:
        mask = Image.open(BytesIO(png), formats=("PNG",)).convert("L")
    except (OSError, ValueError):
        return ""
    side = MAX_SIDE
    while True:
        if max(mask.size) > side:
            mask.thumbnail((side, side), Image.Resampling.BOX)
        inside = np.asarray(mask) >= 128
        following, count = _edges(inside)
        if count <= _MAX_EDGES or side < 32:
            break
        side //= 2
    scale_x, scale_y = columns / mask.width, rows / mask.height
    parts = []
    for loop in _loops(following):
        if len(loop) < _MIN_EDGES:
            continue
        points = [f"{x * scale_x:.1f} {y * scale_y:.1f}" for x, y in _simplified(loop)]
        parts.append("M" + "L".join(points) + "Z")
    return "".join(parts)


def _edges(inside: Any) -> tuple[dict[tuple[int, int], list[tuple[int, int]]], int]:
    """Directed edges between pixels in and out, clockwise around what is in: from each corner to the next ones."""
    import numpy as np

    padded = np.pad(inside, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    count = 0
    for shift, start, end in (
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((0, -1), (0, 1), (0, 0)),
    ):
        # a pixel in, whose neighbour that way is out
        neighbour = np.roll(padded, (-shift[0], -shift[1]), axis=(0, 1))
        ys, xs = np.nonzero((padded & ~neighbour)[1:-1, 1:-1])
        count += len(xs)
        if count > 4 * _MAX_EDGES:
            return {}, count
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            following.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    return following, count


def _loops(following: dict[tuple[int, int], list[tuple[int, int]]]) -> list[list[Point]]:
    """Closed loops of the middles of edges, which smooths the stairs of pixels."""
    loops = []
    while following:
        first = corner = next(iter(following))
        loop: list[Point] = []
        while True:
            ends = following[corner]
            end = ends.pop()
            if not ends:
                del following[corner]
            loop.append(((corner[0] + end[0]) / 2, (corner[1] + end[1]) / 2))
            corner = end
            if corner == first:
                break
        loops.append(loop)
    return loops


def _simplified(loop: list[Point]) -> list[Point]:
    """Douglas and Peucker (1973), without recursion, on a loop opened at its first point and the farthest one."""
    farthest = max(range(len(loop)), key=lambda i: (loop[i][0] - loop[0][0]) ** 2 + (loop[i][1] - loop[0][1]) ** 2)
    closed = [*loop, loop[0]]
    kept = {0, farthest, len(loop)}
    open_ = [(0, farthest), (farthest, len(loop))]
    while open_:
        start, end = open_.pop()
        worst, place = 0.0, start
        (x1, y1), (x2, y2) = closed[start], closed[end]
        dx, dy = x2 - x1, y2 - y1
        length = (dx * dx + dy * dy) ** 0.5
        for i in range(start + 1, end):
            px, py = closed[i][0] - x1, closed[i][1] - y1
            distance = abs(px * dy - py * dx) / length if length else (px * px + py * py) ** 0.5
            if distance > worst:
                worst, place = distance, i
        if worst > _TOLERANCE:
            kept.add(place)
            open_ += [(start, place), (place, end)]
    return [closed[i] for i in sorted(kept - {len(loop)})]

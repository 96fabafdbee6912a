"""Masks as runs along their rows: what a mask is made of when it is brought into an image without being drawn there.

An outline has thousands of pixels where its mask has millions. A mask that a model sent is brought into the image's
own pixels by following its outline alone, exactly: in whole numbers, so that the same comes out on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wetread.evidence import Box
from wetread.imaging.geometry import Frame, Mask, Rectangle

PRESENT = 128
"""From this value of 255 a pixel belongs to a mask: probability 0.5."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """The pixels of a mask: run n covers the columns `starts[n]` to `ends[n] - 1` of the row `rows[n]`.

    Runs are in order, none is empty, and none overlaps another; two of one row may touch.

    Attributes:
        shape: Rows and columns of the picture that they lie in.
    """

    shape: tuple[int, int]
    rows: Integers
    starts: Integers
    ends: Integers

    @property
    def area(self) -> int:
        """Pixels in all runs."""
        return int((self.ends - self.starts).sum())

    @property
    def box(self) -> Box | None:
        """The bounding box (edges); None where there are no runs."""
        if self.rows.size == 0:
            return None
        return Box(
            x_min=int(self.starts.min()),
            y_min=int(self.rows[0]),
            x_max=int(self.ends.max()),
            y_max=int(self.rows[-1]) + 1,
        )

    @property
    def centroid(self) -> tuple[float, float] | None:
        """Mean of the pixel centres, x and y; None where there are no runs."""
        sizes = self.ends - self.starts
        area = int(sizes.sum())
        if area == 0:
            return None
        return float(sizes @ (self.starts + self.ends)) / (2 * area), float(sizes @ self.rows) / area + 0.5

    def drawn(self) -> NDArray[np.bool_]:
        """The mask as (rows, columns) booleans."""
        rows, columns = self.shape
        steps = np.zeros(rows * columns + 1, np.int8)
        np.add.at(steps, self.rows * columns + self.starts, np.int8(1))
        np.add.at(steps, self.rows * columns + self.ends, np.int8(-1))
        return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_).reshape(rows, columns)


def runs_of(present: NDArray[np.bool_]) -> Runs:
    """The runs of a (rows, columns) boolean array."""
    rows, columns = present.shape
    wide = edged(columns)
    flat = np.zeros(rows * wide, np.bool_)
    flat.reshape(rows, wide)[:, :columns] = present
    return runs_along(flat, rows, columns)


def edged(columns: int) -> int:
    """How wide a row is made: a pixel of nothing at least follows it, so that no run goes on into the next, and it ends
    with a word of eight."""
    return (columns // 8 + 1) * 8


def runs_along(flat: NDArray[np.bool_], rows: int, columns: int) -> Runs:
    """The runs of pixels that stand in a line, row by row, each as wide as `edged(columns)`; any words of nothing may
    follow."""
    if flat.size == 0:
        return Runs((rows, columns), *(np.zeros(0, np.int64) for _ in range(3)))
    wide = edged(columns)
    changed = np.empty(flat.size, np.bool_)
    changed[0] = flat[0]
    np.not_equal(flat[1:], flat[:-1], out=changed[1:])
    # Most words of eight hold no change, and are passed over as one.
    words = np.flatnonzero(changed.view(np.uint64) != 0)
    inner = np.flatnonzero(changed.reshape(-1, 8).take(words, axis=0))
    changes = words.take(inner >> 3) * 8 + (inner & 7)
    row, starts = np.divmod(changes[::2], wide)
    return Runs((rows, columns), row, starts, changes[1::2] - row * wide)


def coarsened(runs: Runs, factor: int) -> Runs:
    """The runs of the picture in which each block of `factor` x `factor` pixels is one, set where any of them is."""
    if factor == 1 or runs.rows.size == 0:
        return Runs((-(-runs.shape[0] // factor), -(-runs.shape[1] // factor)), runs.rows, runs.starts, runs.ends)
    rows, columns = -(-runs.shape[0] // factor), -(-runs.shape[1] // factor)
    line = runs.rows // factor * (columns + 1)  # a place after each row keeps the runs of two rows apart
    begins, ends = line + runs.starts // factor, line + (runs.ends - 1) // factor + 1
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    apart = np.flatnonzero(begins[1:] > ends[:-1])
    begins, ends = begins[np.concatenate(([0], apart + 1))], ends[np.concatenate((apart, [-1]))]
    row, start = np.divmod(begins, columns + 1)
    return Runs((rows, columns), row, start, ends - row * (columns + 1))


def outline_cells(runs: Runs) -> tuple[Integers, Integers]:
    """Row and column of each cell that an outline goes through, in order.

    Cells lie between the centres of four pixels, one row and one column fewer than there are pixels; the outline goes
    through those whose corners are not all alike. The first and the last column of the picture must be empty.
    """
    # A row of cells lies between two rows of pixels. From an edge of either to the next they differ, to the next they
    # are alike, and so on.
    line = runs.shape[1] + 1
    edges = np.empty((runs.rows.size, 2), np.int64)
    edges[:, 0] = edges[:, 1] = runs.rows * line
    edges[:, 0] += runs.starts
    edges[:, 1] += runs.ends
    inner = edges.ravel()
    first, last = np.searchsorted(inner, (line, (runs.shape[0] - 1) * line))
    places = np.concatenate((inner[:last], inner[first:] - line))
    places.sort(kind="stable")  # which merges the two halves, each in order
    first, last = places[::2] - 1, places[1::2] - 1
    first[1:] += places[2::2] == places[1:-1:2]  # where two such stretches meet, the cell between them counts once
    counts = last - first + 1
    stops = np.cumsum(counts)
    cells = np.arange(int(counts.sum())) + np.repeat(first - stops + counts, counts)
    row = cells // line
    return row, cells - row * line


def to_image(mask: Mask, frame: Frame, box: Box | None = None, inside: Runs | None = None) -> Runs:
    """A mask in the frame of a prepared picture, as runs in the image.

    An image pixel is in it where the mask, interpolated linearly between its pixel centres, is at least 128 at that
    pixel's centre; beyond the outermost centres the mask goes on as it ends. Where the image is not smaller than the
    content, this is `frame.to_image(mask) >= 128` without the rounding of the interpolation to eight bits.

    Args:
        mask: (rows, columns) uint8 in the prepared picture.
        frame: From that picture to the image.
        box: One in the prepared picture, edges between pixels, that holds all of the mask; looked for where not given.
        inside: The mask's runs in that box, where they are known already.

    Raises:
        ValueError: a mask of another shape or type.
    """
    if mask.shape != (frame.rows, frame.columns) or mask.dtype != np.uint8:
        raise ValueError(f"a mask here is uint8 {(frame.rows, frame.columns)}, not {mask.dtype} {mask.shape}")
    source, content = frame.source, frame.content
    part = mask[content.top : content.top + content.rows, content.left : content.left + content.columns]
    window, top, left = _window(part, content, box)
    high, wide = window.shape
    if inside is None or inside.shape != (high - 2, wide - 2):
        shown = runs_of(window >= PRESENT)
    else:
        shown = _framed(inside, above=top < 0, below=top + high > content.rows)
    cell_rows, cell_columns = outline_cells(shown)

    # Each image row between the window's first and last row of pixels meets the cells of the row of cells that it lies
    # in, so that what comes out is in order.
    n = source.rows
    cell, into, bounds = _rows_between(content.rows, n)
    begin, end = bounds[top + 1], bounds[top + high]
    line_of, below_of = cell[begin:end] - top, into[begin:end]
    stops_of = np.searchsorted(cell_rows, np.arange(high))
    counts = (stops_of[1:] - stops_of[:-1]).take(line_of)
    last = np.cumsum(counts)
    of = np.repeat(np.arange(counts.size), counts)
    met = np.arange(of.size) + np.repeat(stops_of.take(line_of) - last + counts, counts)
    corner = (cell_rows * wide + cell_columns).take(met)

    # The mask on that row, times 2n, at the left and at the right edge of the cell.
    below = np.repeat(below_of, counts)
    above = 2 * n - below
    flat = window.ravel()
    before = flat.take(corner) * above + flat.take(corner + wide) * below
    after = flat.take(corner + 1) * above + flat.take(corner + (wide + 1)) * below
    least = PRESENT * 2 * n
    crossed = np.flatnonzero((before >= least) != (after >= least))
    of, before, after = of.take(crossed), before.take(crossed), after.take(crossed)
    rows, x = of + begin, corner.take(crossed) - line_of.take(of) * wide + left

    # The first image column whose centre lies beyond the crossing, by the same formula along the row: the first whole
    # number of steps that comes to the threshold where the mask rises, and that leaves it where it falls.
    m, n = content.columns, source.columns
    need, step = np.abs(least - before) * (2 * n), after - before
    beyond = (need - (step > 0)) // np.abs(step) + 1
    columns = -(-(x * 2 * n + beyond + n - m) // (2 * m))
    columns[x < 0] = 0
    columns[x >= m - 1] = n
    rows, starts, ends = rows[::2], columns[::2], columns[1::2]
    some = ends > starts
    return Runs(
        (frame.image_rows, frame.image_columns),
        rows[some] + source.top,
        starts[some] + source.left,
        ends[some] + source.left,
    )


@lru_cache(maxsize=8)
def _rows_between(m: int, n: int) -> tuple[Integers, Integers, list[int]]:
    """Where n image rows lie between the centres of m content rows, the same for every mask of a picture.

    The centre of row t is at ((2t + 1) * m - n) / 2n between the centres: cell and remainder. Given are both, and the
    first image row of each cell from -1 to m.
    """
    cell, into = np.divmod((2 * np.arange(n) + 1) * m - n, 2 * n)
    cell.flags.writeable = into.flags.writeable = False
    return cell, into, np.searchsorted(cell, np.arange(-1, m + 2)).tolist()


def _framed(runs: Runs, *, above: bool, below: bool) -> Runs:
    """The runs with a pixel around them, of nothing, or above and below of what the row there has."""
    rows, columns = runs.shape
    first, last = runs.rows == 0, runs.rows == rows - 1
    take = np.arange(runs.rows.size)
    take = np.concatenate((take[first] if above else take[:0], take, take[last] if below else take[:0]))
    lines = runs.rows[take] + 1
    if above:
        lines[: np.count_nonzero(first)] = 0
    if below:
        lines[lines.size - np.count_nonzero(last) :] = rows + 1
    return Runs((rows + 2, columns + 2), lines, runs.starts[take] + 1, runs.ends[take] + 1)


def _window(part: Mask, content: Rectangle, box: Box | None) -> tuple[Mask, int, int]:
    """The bounding box of what is present with a pixel around it, and the row and column where it begins.

    Beyond the picture's edge there is nothing left and right, where runs end, and above and below the edge's own row.
    """
    if box is None:
        present = part >= PRESENT
        rows, columns = np.flatnonzero(present.any(axis=1)), np.flatnonzero(present.any(axis=0))
        if rows.size == 0:
            return np.zeros((2, 2), np.uint8), 0, 0
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    else:
        top, bottom = max(0, int(box.y_min) - content.top), min(content.rows, int(box.y_max) - content.top)
        left, right = max(0, int(box.x_min) - content.left), min(content.columns, int(box.x_max) - content.left)
        if bottom <= top or right <= left:
            return np.zeros((2, 2), np.uint8), 0, 0
    top, bottom, left, right = top - 1, bottom + 1, left - 1, right + 1
    window = np.empty((bottom - top, right - left), np.uint8)
    inner = part[max(0, top) : bottom, max(0, left) : right]
    y, x = max(0, -top), max(0, -left)
    window[:, :x] = 0
    window[:, x + inner.shape[1] :] = 0
    window[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    if top < 0:
        window[0] = window[1]
    if bottom > content.rows:
        window[-1] = window[-2]
    return window, top, left

"""Masks that a segmentation model sent: how good they look, their largest part, outline, extent, and PNG.

A mask is (rows, columns) uint8, probability times 255; a pixel is in it from 128 on (p >= 0.5). MedImageParse gives no
word on whether a structure is there at all, so what cannot be right is told from the mask itself.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wetread.evidence import Box
from wetread.imaging.geometry import Mask
from wetread.imaging.parts import in_one_column, parts
from wetread.imaging.png import encode_mask
from wetread.imaging.runs import PRESENT, Integers, Runs, coarsened, edged, runs_along, runs_of
from wetread.values import Value

_LABEL_SIDE = 256
_FOLD = 128
_HIGHEST, _EVEN = np.uint64(0x8080808080808080), np.uint64(0x00FF00FF00FF00FF)
_ONE_BIT_LEFT, _ONE_BYTE = np.uint64(7), np.uint64(8)

Problem = Literal["empty", "scattered", "faint", "too large"]


class MaskQuality(Value):
    """Figures of one mask, and what speaks against it.

    Attributes:
        area: Pixels in the mask.
        fraction: `area` over all pixels looked at, 0 to 1.
        components: Connected parts.
        largest: Share of the area in the largest part, 0 to 1.
        probability: Mean probability of the pixels in the mask, 0.5 to 1; 0 where there are none.
        box: Bounding box, in the mask's own pixels (edges).
        centroid: Mean of the pixel centres, x and y.
        problems: Empty where the mask can be used.
    """

    area: int
    fraction: float
    components: int
    largest: float
    probability: float
    box: Box | None
    centroid: tuple[float, float] | None
    problems: tuple[Problem, ...]

    @property
    def usable(self) -> bool:
        return not self.problems


def assess(
    mask: Mask,
    *,
    pixels: int | None = None,
    smallest: float = 0.0002,
    largest: float = 0.6,
    together: float = 0.6,
    certain: float = 0.65,
) -> MaskQuality:
    """Judge a mask.

    Args and what they mean: as `examine`.
    """
    return examine(mask, pixels=pixels, smallest=smallest, largest=largest, together=together, certain=certain)[0]


def examine(
    mask: Mask,
    *,
    pixels: int | None = None,
    smallest: float = 0.0002,
    largest: float = 0.6,
    together: float = 0.6,
    certain: float = 0.65,
) -> tuple[MaskQuality, Runs]:
    """Judge a mask; gives also its runs, in its bounding box.

    Args:
        mask: (rows, columns) uint8.
        pixels: How many pixels the image has in this frame (without padding); all of the mask's where not given.
        smallest: Below this fraction of `pixels` the mask is `empty`.
        largest: Above this fraction it is `too large`.
        together: With a smaller share of its area in the largest part it is `scattered`.
        certain: With a lower mean probability it is `faint`.
    """
    whole = pixels or mask.size
    rows, columns, top, left = _bounds(mask)
    inside = mask[top : top + rows, left : left + columns]
    runs, total = _summed(inside)
    area, centre = runs.area, runs.centroid
    if centre is None:
        nothing = MaskQuality(
            area=0,
            fraction=0,
            components=0,
            largest=0,
            probability=0,
            box=None,
            centroid=None,
            problems=("empty",),
        )
        return nothing, runs
    mean = total / area / 255
    _, sizes = _label(runs)
    share = float(sizes.max() / sizes.sum())
    fraction = area / whole
    problems: list[Problem] = []
    if fraction < smallest:
        problems.append("empty")
    if share < together:
        problems.append("scattered")
    if mean < certain:
        problems.append("faint")
    if fraction > largest:
        problems.append("too large")
    quality = MaskQuality(
        area=area,
        fraction=fraction,
        components=int(sizes.size),
        largest=share,
        probability=mean,
        box=Box(x_min=left, y_min=top, x_max=left + columns, y_max=top + rows),
        centroid=(left + centre[0], top + centre[1]),
        problems=tuple(problems),
    )
    return quality, runs


def largest_component(mask: Mask) -> Mask:
    """The mask with everything but its largest connected part set to 0."""
    present, (top, left) = bounded(mask)
    result = np.zeros_like(mask)
    if not present.any():
        return result
    runs = runs_of(present)
    labels, sizes = _label(runs)
    chosen = labels == int(np.argmax(sizes))
    rows, columns = present.shape
    kept = Runs(runs.shape, runs.rows[chosen], runs.starts[chosen], runs.ends[chosen])
    window = slice(top, top + rows), slice(left, left + columns)
    result[window] = np.where(kept.drawn(), mask[window], 0)
    return result


def horizontal_extent(mask: Mask) -> tuple[float, float] | None:
    """The outermost edges, x of the left and of the right one; None for an empty mask."""
    columns = np.flatnonzero((mask >= PRESENT).any(axis=0))
    return (float(columns[0]), float(columns[-1] + 1)) if columns.size else None


def widest_row(mask: Mask) -> tuple[float, float, float] | None:
    """The row in which the mask spans most, gaps included: y of its centre, x of its left and right edge; None if none.

    For both lungs in one mask this is the greatest inner width of the chest, below the line in a cardiothoracic ratio.
    """
    present = mask >= PRESENT
    rows = np.flatnonzero(present.any(axis=1))
    if rows.size == 0:
        return None
    present = present[rows]
    first = present.argmax(axis=1)
    last = present.shape[1] - present[:, ::-1].argmax(axis=1)
    widest = int(np.argmax(last - first))
    return float(rows[widest]) + 0.5, float(first[widest]), float(last[widest])


def mask_png(mask: Mask) -> bytes:
    """The mask's pixels (p >= 0.5) as a 1-bit PNG, the same bytes on every machine."""
    return encode_mask(mask >= PRESENT)


def read_mask_png(png: bytes) -> Mask:
    """A mask PNG back to (rows, columns) uint8, 0 and 255.

    Raises:
        ValueError: not a PNG.
    """
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            return np.array(picture.convert("L"))
    except (OSError, SyntaxError) as error:
        raise ValueError("not a PNG") from error


def bounded(mask: Mask) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The bounding box's pixels as booleans, and its top and left; no pixels for an empty mask."""
    rows, columns, top, left = _bounds(mask)
    return mask[top : top + rows, left : left + columns] >= PRESENT, (top, left)


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    """The bounding box: how many rows and columns, its top and left; all 0 for an empty mask."""
    rows = np.flatnonzero(mask.max(axis=1, initial=0) >= PRESENT)
    if rows.size == 0:
        return 0, 0, 0, 0
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].max(axis=0) >= PRESENT)
    left, right = int(columns[0]), int(columns[-1]) + 1
    return bottom - top, right - left, top, left


def _summed(part: Mask) -> tuple[Runs, int]:
    """The runs of a mask, and the sum of the values in them: eight pixels are taken as one word.

    What is present has its highest bit set (`PRESENT` is 128). Sums of two neighbours, of 128 words, fit into 16 bits.
    """
    rows, columns = part.shape
    wide = edged(columns)
    line = np.empty(-(-rows * wide // (8 * _FOLD)) * 8 * _FOLD, np.uint8)
    line[rows * wide :] = 0
    picture = line[: rows * wide].reshape(rows, wide)
    picture[:, :columns], picture[:, columns:] = part, 0
    words = line.view(np.uint64)
    highest = words & _HIGHEST
    present = highest >> _ONE_BIT_LEFT
    runs = runs_along(present.view(np.bool_), rows, columns)
    words &= highest | (highest - present)
    pairs = (words & _EVEN) + (words >> _ONE_BYTE & _EVEN)
    sums = np.add.reduce(pairs.reshape(_FOLD, -1), axis=0)
    return runs, int(sums.view(np.uint16).sum(dtype=np.int64))


def block_sums(present: NDArray[np.bool_], factor: int) -> NDArray[np.uint16]:
    """How many pixels are set in each block of `factor` x `factor`, the last blocks filled up with none."""
    rows, columns = present.shape
    high, wide = -(-rows // factor), -(-columns // factor)
    padded = np.zeros((high * factor, wide * factor), np.uint8)
    padded[:rows, :columns] = present
    if factor == 1:
        return padded.astype(np.uint16)
    lines = np.add.reduce(padded.reshape(high, factor, wide * factor), axis=1, dtype=np.uint16)
    return np.add.reduceat(lines, np.arange(0, wide * factor, factor), axis=1)


def _factor(rows: int, columns: int) -> int:
    return max(1, -(-max(rows, columns) // _LABEL_SIDE))


def _label(runs: Runs) -> tuple[Integers, Integers]:
    """The part of each run, and the area of each part in pixels.

    Parts are told on a grid of at most 256 x 256 (8 neighbours): a crack of a pixel in a large mask parts nothing.
    """
    if in_one_column(runs):
        return np.zeros(runs.rows.size, np.int64), np.array([runs.area])
    factor = _factor(*runs.shape)
    coarse = coarsened(runs, factor)
    labels = parts(coarse)
    width = coarse.shape[1]
    at = np.searchsorted(
        coarse.rows * width + coarse.starts, runs.rows // factor * width + runs.starts // factor, side="right"
    )
    of = labels[at - 1]
    return of, np.bincount(of, weights=runs.ends - runs.starts).astype(np.int64)

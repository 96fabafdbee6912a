"""Masks that a segmentation model sent: how good they look, their largest part, outline, extent, and PNG.

A mask is (rows, columns) uint8, probability times 255; a pixel is in it from 128 on (p >= 0.5). MedImageParse gives no
word on whether a structure is there at all, so what cannot be right is told from the mask itself.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wetread.evidence import Box
from wetread.imaging.png import encode_mask
from wetread.values import Value

Mask = NDArray[np.uint8]

PRESENT = 128
_LABEL_SIDE = 256

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

    Args:
        mask: (rows, columns) uint8.
        pixels: How many pixels the image has in this frame (without padding); all of the mask's where not given.
        smallest: Below this fraction of `pixels` the mask is `empty`.
        largest: Above this fraction it is `too large`.
        together: With a smaller share of its area in the largest part it is `scattered`.
        certain: With a lower mean probability it is `faint`.
    """
    whole = pixels or mask.size
    present, (top, left) = bounded(mask)
    area = int(np.count_nonzero(present))
    if area == 0:
        return MaskQuality(
            area=0,
            fraction=0,
            components=0,
            largest=0,
            probability=0,
            box=None,
            centroid=None,
            problems=("empty",),
        )
    rows, columns = present.shape
    inside = mask[top : top + rows, left : left + columns]
    mean = float(np.multiply(inside, present).sum(dtype=np.int64)) / area / 255
    by_row, by_column = present.sum(axis=1, dtype=np.int64), present.sum(axis=0, dtype=np.int64)
    _, sizes = _label(present)
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
    return MaskQuality(
        area=area,
        fraction=fraction,
        components=int(sizes.size),
        largest=share,
        probability=mean,
        box=Box(x_min=left, y_min=top, x_max=left + columns, y_max=top + rows),
        centroid=(
            left + float(by_column @ (np.arange(columns) + 0.5)) / area,
            top + float(by_row @ (np.arange(rows) + 0.5)) / area,
        ),
        problems=tuple(problems),
    )


def largest_component(mask: Mask) -> Mask:
    """The mask with everything but its largest connected part set to 0."""
    present, (top, left) = bounded(mask)
    result = np.zeros_like(mask)
    if not present.any():
        return result
    labels, sizes = _label(present)
    rows, columns = present.shape
    factor = _factor(rows, columns)
    chosen = np.kron(labels == int(np.argmax(sizes)) + 1, np.ones((factor, factor), np.bool_))[:rows, :columns]
    window = slice(top, top + rows), slice(left, left + columns)
    result[window] = np.where(chosen & present, mask[window], 0)
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
    present = mask >= PRESENT
    rows, columns = np.flatnonzero(present.any(axis=1)), np.flatnonzero(present.any(axis=0))
    if rows.size == 0:
        return present[:0, :0], (0, 0)
    top, left = int(rows[0]), int(columns[0])
    return present[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1], (top, left)


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


def _label(present: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Parts, labelled from 1 on a grid of at most 256 x 256 (8 neighbours), and the area of each in grid units."""
    from scipy import ndimage

    coarse = block_sums(present, _factor(*present.shape))
    labels, count = ndimage.label(coarse, structure=np.ones((3, 3), np.int8))
    sizes = np.bincount(labels.ravel(), weights=coarse.ravel(), minlength=count + 1)[1:]
    return labels, sizes.astype(np.float64)

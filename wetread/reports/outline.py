"""The outlines of a kept mask in the pixels of its image."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wetread.imaging.contours import Polygon


@lru_cache(maxsize=32)
def outlines(png: bytes, rows: int, columns: int) -> tuple[Polygon, ...]:
    """The outlines of a mask, largest first; none for an empty or unreadable one.

    Args:
        png: Gray PNG that covers the whole image; a pixel is in the mask from half of white on.
        rows: Height of the image.
        columns: Width of the image.
    """
    import numpy as np
    from PIL import Image

    from wetread.imaging.contours import contours

    try:
        with Image.open(BytesIO(png), formats=("PNG",)) as picture:
            mask = np.asarray(picture.convert("L"))
    except (OSError, ValueError):
        return ()
    across, down = columns / mask.shape[1], rows / mask.shape[0]
    return tuple(tuple((x * across, y * down) for x, y in polygon) for polygon in contours(mask))

"""What the simulated models look at: a picture's size, its hash, and small copies of it."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wetread.imaging.prepare import pixel_sha256

MAX_PIXELS = 80_000_000
SMALL = 256
"""Side of the small copy."""


class BadPicture(ValueError):
    """Bytes that are no picture, or too large a one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    `small` is float64 [256, 256], 0 to 1, squashed to a square. `content` is the part that is not black padding: left,
    top, right, bottom, in fractions of the picture. `sha256` is over the gray pixels and their shape.
    """

    rows: int
    columns: int
    sha256: str
    small: npt.NDArray[np.float64]
    content: tuple[float, float, float, float]


def look_at(data: bytes) -> Picture:
    """Decode a picture (PNG or JPEG).

    Raises:
        BadPicture: with a sentence about why.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise BadPicture("the picture has too many pixels")
                gray = file.convert("L")
                small = np.asarray(gray.resize((SMALL, SMALL), Image.Resampling.BOX), np.float64) / 255
                pixels = np.asarray(gray)
    except BadPicture:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BadPicture("the bytes are no PNG or JPEG picture") from error
    return Picture(gray.height, gray.width, pixel_sha256(pixels), small, _content(small))


def _content(small: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    lit = small > 0.02
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 1.0
    left, right = columns[0] / SMALL, (columns[-1] + 1) / SMALL
    return float(left), float(rows[0] / SMALL), float(right), float((rows[-1] + 1) / SMALL)

"""Pictures as terminals take them in PNG: the graphics protocol of Kitty, the inline images of iTerm2.

Kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/. iTerm2: https://iterm2.com/documentation-images.html.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 4096
"""Base64 digits in one escape sequence of Kitty's, at most."""

_ITERM_LARGEST = 750_000  # bytes: in base64 just below the one MiB that iTerm2 takes in one sequence


def kitty(pixels: NDArray[np.uint8], columns: int, rows: int) -> str:
    """A picture by Kitty's protocol, stretched over whole cells; the cursor stays where it is.

    It has no number, so that the terminal forgets it once it has scrolled away, and asks for no answer, which would
    arrive as if it had been typed.

    Args:
        pixels: (rows, columns), (rows, columns, 3) or (rows, columns, 4) uint8.
        columns: Cells across.
        rows: Cells down.
    """
    from pybase64 import b64encode

    data = b64encode(png(pixels)).decode("ascii")
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    parts = []
    for number, chunk in enumerate(chunks):
        more = f"m={int(number + 1 < len(chunks))}"
        keys = f"a=T,f=100,t=d,q=2,C=1,c={columns},r={rows},{more}" if number == 0 else f"q=2,{more}"
        parts.append(f"\x1b_G{keys};{chunk}\x1b\\")
    return "".join(parts)


def iterm(pixels: NDArray[np.uint8], columns: int, rows: int) -> str:
    """A picture by iTerm2's protocol, as large as fits into whole cells; the cursor is left where the terminal likes.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8.
        columns: Cells across.
        rows: Cells down.
    """
    from pybase64 import b64encode

    data = png(pixels)
    for quality in (88, 60, 30):
        if len(data) > _ITERM_LARGEST:
            data = _jpeg(pixels, quality)
    size = f"size={len(data)};width={columns};height={rows}"
    return f"\x1b]1337;File=inline=1;{size};preserveAspectRatio=1:{b64encode(data).decode('ascii')}\x07"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Gray, RGB or RGBA pixels as a PNG."""
    from wetread.imaging.png import encode_colour, encode_gray

    return encode_gray(pixels) if pixels.ndim == 2 else encode_colour(pixels)


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()

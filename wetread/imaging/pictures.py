"""PNG, JPEG and TIFF pictures by Pillow: size from the header first, pixels only when they fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wetread.errors import InputError
from wetread.imaging.display import stretch
from wetread.imaging.quiet import quiet

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 80_000_000
"""Pixels of one image, refused by its header alone. The largest detectors have about 30 million."""
MAX_FRAMES = 512
"""Frames or pages of one file. A chest series is a handful of images; a longer run needs a tool of its own."""
MIN_SIDE = 16
"""Fewer rows or columns than this show nothing to report."""

FORMATS = ("PNG", "JPEG", "TIFF")
_PHOTOMETRIC = 262  # TIFF 6.0 tag; 0 is WhiteIsZero
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class PictureSize:
    """Of a picture as displayed, and its number of pages."""

    rows: int
    columns: int
    frames: int


def check_size(rows: int, columns: int) -> None:
    """Refuse what is too small to show anything or too large to be a radiograph.

    Raises:
        InputError: `WET-INPUT-SMALL`, `WET-INPUT-LARGE`.
    """
    if min(rows, columns) < MIN_SIDE:
        raise InputError(
            "WET-INPUT-SMALL",
            f"The image has {columns} x {rows} pixels, which is too small to show anything.",
            f"Give an image of at least {MIN_SIDE} x {MIN_SIDE} pixels.",
        )
    if rows * columns > MAX_PIXELS:
        raise InputError(
            "WET-INPUT-LARGE",
            f"The image has {columns} x {rows} pixels; at most {MAX_PIXELS // 1_000_000} million are accepted.",
            "Give a smaller copy.",
        )


def check_frames(frames: int) -> None:
    """Refuse more frames or pages than a reading can take in.

    Raises:
        InputError: `WET-INPUT-FRAMES`.
    """
    if frames > MAX_FRAMES:
        raise InputError(
            "WET-INPUT-FRAMES",
            f"The file has {frames} frames or pages; at most {MAX_FRAMES} are accepted.",
            "Give those that matter.",
        )


def inspect(path: Path) -> PictureSize:
    """Size and pages of a picture, and proof that every page decodes.

    Raises:
        InputError: `WET-INPUT-PICTURE`, `WET-INPUT-SMALL`, `WET-INPUT-LARGE`, `WET-INPUT-FRAMES`.
    """
    with _open(path) as picture:
        check_size(*picture.size)
        frames = int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1
        check_frames(frames)
        for frame in reversed(range(frames)):
            picture.seek(frame)
            check_size(*picture.size)
            picture.load()
        rows, columns = _displayed_size(picture)
        return PictureSize(rows=rows, columns=columns, frames=frames)


def frame_size(path: Path, frame: int) -> tuple[int, int]:
    """Rows and columns of one page, as displayed.

    Raises:
        InputError: `WET-INPUT-PICTURE`.
    """
    with _open(path) as picture:
        picture.seek(frame)
        return _displayed_size(picture)


def read_picture(path: Path, frame: int) -> NDArray[np.uint8]:
    """One page of a picture as displayed: (rows, columns) uint8; more than 8 bits go through percentiles 0.5 to 99.5.

    Raises:
        InputError: `WET-INPUT-PICTURE`, `WET-INPUT-SMALL`, `WET-INPUT-LARGE`, `WET-INPUT-PIXELS`.
    """
    from PIL import ImageOps

    with _open(path) as picture:
        picture.seek(frame)
        check_size(*picture.size)
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I") or upright.mode == "F":
            array = stretch(_native(upright))
            # Pillow turns WhiteIsZero round for 8 bits and leaves deeper pictures alone.
            tags: Any = getattr(picture, "tag_v2", {})
            return np.subtract(255, array, dtype=np.uint8) if tags.get(_PHOTOMETRIC) == 0 else array
        return np.array(upright.convert("L"))


def _native(picture: Image.Image) -> NDArray[Any]:
    array = np.asarray(picture)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.int32 and array.size and array.min() >= 0 and array.max() <= 65535:
        return array.astype(np.uint16)
    return array


def _displayed_size(picture: Image.Image) -> tuple[int, int]:
    """Rows and columns after turning; the size must have been checked, since this decodes."""
    picture.load()  # a PNG's EXIF may stand behind its pixels, and a TIFF turns itself
    columns, rows = picture.size
    turned = picture.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    return (columns, rows) if turned else (rows, columns)


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    from PIL import Image, ImageFile

    # WeasyPrint turns this on for the whole process: a picture that is cut off would show as gray, without a word
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        # From a file object: given a path, Pillow maps uncompressed TIFFs into memory with width and height exchanged
        # where their orientation turns them, and shows scrambled pixels.
        with quiet("PIL"), path.open("rb") as file, Image.open(file, formats=FORMATS) as picture:
            yield picture
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            "WET-INPUT-LARGE",
            f"The image has more than the {MAX_PIXELS // 1_000_000} million pixels that are accepted.",
            "Give a smaller copy.",
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, ArithmeticError) as error:
        raise InputError(
            "WET-INPUT-PICTURE",
            "The picture is damaged and cannot be decoded.",
            "Export it again as PNG, JPEG or TIFF.",
        ) from error

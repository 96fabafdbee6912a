"""An image made ready for an endpoint: cut, resized, encoded once."""

from __future__ import annotations

import hashlib
import struct
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from wetread.imaging import geometry
from wetread.imaging.geometry import Frame
from wetread.imaging.payload import Payload
from wetread.imaging.png import encode_gray


class Preparation(StrEnum):
    """How an image is made ready."""

    FULL = "full"
    """As it is (CXRReportGen crops for itself)."""
    CENTRE_CROP = "centre_crop"
    """The central square: what CXRReportGen looks at, and the frame of its boxes."""
    PAD_1024 = "pad_1024"
    """Aspect ratio kept, centred on a black 1024 x 1024 square (MedImageParse)."""
    SQUARE_512 = "square_512"
    """Squashed to 512 x 512 (MedImageInsight)."""

    @property
    def recipe(self) -> str:
        """Name of everything done to the pixels. Stored beside embeddings: two recipes never share an index."""
        return f"wetread-1/{self.value}/gray8-bilinear"

    def frame(self, rows: int, columns: int) -> Frame:
        """Where the prepared picture of an image of that size lies in it."""
        match self:
            case Preparation.FULL:
                return geometry.full(rows, columns)
            case Preparation.CENTRE_CROP:
                return geometry.centre_crop(rows, columns)
            case Preparation.PAD_1024:
                return geometry.pad(rows, columns, 1024)
            case Preparation.SQUARE_512:
                return geometry.squash(rows, columns, 512)


def prepare(array: NDArray[np.uint8], preparation: Preparation) -> tuple[NDArray[np.uint8], Frame]:
    """Prepare an image's pixels.

    Args:
        array: (rows, columns) uint8, as displayed.
        preparation: What to make of it.

    Returns:
        The prepared (rows, columns) uint8 pixels and the frame that maps them to the image's own.

    Raises:
        ValueError: not a two-dimensional uint8 array.
    """
    rows, columns = array.shape
    frame = preparation.frame(rows, columns)
    return frame.from_image(array), frame


def pixel_sha256(array: NDArray[np.uint8]) -> str:
    """SHA-256 over shape (two big-endian 32-bit integers) and pixels: the same for any file and any encoder."""
    digest = hashlib.sha256(struct.pack(">II", *array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def encode(array: NDArray[np.uint8], frame: Frame) -> Payload:
    """Encode prepared pixels: 8-bit gray PNG and its base64 (standard alphabet, no line breaks)."""
    import pybase64

    png = encode_gray(array)
    return Payload(
        png=png,
        base64=pybase64.b64encode(png),
        pixel_sha256=pixel_sha256(array),
        rows=array.shape[0],
        columns=array.shape[1],
        frame=frame,
    )

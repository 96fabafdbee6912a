"""8-bit gray PNG, fast: every row filtered by Up, deflated by isal at level 1 (about 11 ms for 3.6 megapixels).

PNG specification, third edition, W3C 2025: sections 5 (datastream), 9 (filtering), 11 (chunks).
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def encode_gray(array: NDArray[np.uint8]) -> bytes:
    """A (rows, columns) uint8 array as an 8-bit grayscale PNG; decoding gives the same pixels back.

    Raises:
        ValueError: not a two-dimensional, non-empty uint8 array.
    """
    from isal import isal_zlib

    if array.ndim != 2 or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(f"a gray PNG is made of a uint8 (rows, columns) array, not {array.dtype} {array.shape}")
    rows, columns = array.shape
    filtered = np.empty((rows, columns + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = array[0]
    np.subtract(array[1:], array[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", isal_zlib.compress(filtered, 1)),
            _chunk(b"IEND", b""),
        )
    )

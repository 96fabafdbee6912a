"""PNG written here, for two reasons that no library meets: speed for images, the same bytes everywhere for masks.

PNG specification, third edition, W3C 2025: sections 5 (datastream), 9 (filtering), 11 (chunks); RFC 1950 and 1951.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

Codes = tuple[NDArray[np.int64], NDArray[np.int64]]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def encode_gray(array: NDArray[np.uint8]) -> bytes:
    """A (rows, columns) uint8 array as an 8-bit grayscale PNG; decoding gives the same pixels back.

    Rows are filtered by Up and deflated by isal at level 1. The bytes may differ between machines; the pixels do not.

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


def encode_mask(present: NDArray[np.bool_]) -> bytes:
    """A (rows, columns) boolean array as a 1-bit grayscale PNG, white where True.

    The bytes depend on the pixels alone, on no library's version and no processor: masks are kept and compared by the
    hash of their bytes. Runs are coded with the fixed Huffman code of RFC 1951 3.2.6, which suits masks well enough.

    Raises:
        ValueError: not a two-dimensional, non-empty boolean array.
    """
    if present.ndim != 2 or present.dtype != np.bool_ or present.size == 0:
        raise ValueError(f"a mask PNG is made of a bool (rows, columns) array, not {present.dtype} {present.shape}")
    rows, columns = present.shape
    packed = np.packbits(present, axis=1)
    filtered = np.empty((rows, packed.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = packed[0]
    np.subtract(packed[1:], packed[:-1], out=filtered[1:, 1:])
    data = filtered.ravel()
    stream = b"\x78\x01" + _deflate_runs(data) + struct.pack(">I", zlib.adler32(data.data))
    header = struct.pack(">IIBBBBB", columns, rows, 1, 0, 0, 0, 0)
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", stream), _chunk(b"IEND", b"")))


def _deflate_runs(data: NDArray[np.uint8]) -> bytes:
    """One final block of literals, and of matches at distance 1 for what repeats."""
    literals, matches = _literal_codes(), _match_codes()
    starts = np.concatenate(([0], np.flatnonzero(data[1:] != data[:-1]) + 1))
    repeats = np.diff(starts, append=data.size) - 1
    full, rest = np.divmod(repeats, 258)
    # Every run: its byte; full matches; then one shorter match, or one or two literals more.
    matched = rest >= 3
    counts = 1 + full + np.where(matched, 1, rest)
    run = np.repeat(np.arange(starts.size), counts)
    place = np.arange(run.size) - np.repeat(np.cumsum(counts) - counts, counts)
    value = data[starts].astype(np.int64)[run]
    is_full = (place >= 1) & (place <= full[run])
    is_rest = (place == full[run] + 1) & matched[run]
    length = np.where(is_full, 258, np.where(is_rest, rest[run], 0))
    codes = np.where(length > 0, matches[0][length], literals[0][value])
    sizes = np.where(length > 0, matches[1][length], literals[1][value])
    # Block header: final, fixed code (3 bits, 0b011); block end: seven zeros.
    ends = 3 + np.cumsum(sizes)
    bits = np.zeros(int(ends[-1]) + 7 if sizes.size else 10, np.uint8)
    bits[:2] = 1
    begins = ends - sizes
    for bit in range(int(sizes.max())):
        here = sizes > bit
        bits[begins[here] + bit] = (codes[here] >> bit) & 1
    return np.packbits(bits, bitorder="little").tobytes()


def _reversed(code: int, size: int) -> int:
    return int(f"{code:0{size}b}"[::-1], 2)


@cache
def _symbol(symbol: int) -> tuple[int, int]:
    """A literal or length symbol in the fixed code: first bit lowest, and how many."""
    if symbol < 144:
        return _reversed(0x30 + symbol, 8), 8
    if symbol < 256:
        return _reversed(0x190 + symbol - 144, 9), 9
    if symbol < 280:
        return _reversed(symbol - 256, 7), 7
    return _reversed(0xC0 + symbol - 280, 8), 8


@cache
def _literal_codes() -> Codes:
    pairs = np.array([_symbol(value) for value in range(256)], np.int64)
    return pairs[:, 0], pairs[:, 1]


@cache
def _match_codes() -> Codes:
    """By length, 0 to 258: the length's symbol, its extra bits, and five zeros for distance 1."""
    codes, sizes = np.zeros(259, np.int64), np.zeros(259, np.int64)
    symbol, length = 257, 3
    while length < 258:
        extra = max(0, (symbol - 261) // 4)
        code, size = _symbol(symbol)
        for offset in range(2**extra):
            if length + offset < 258:
                codes[length + offset] = code | offset << size
                sizes[length + offset] = size + extra + 5
        length += 2**extra
        symbol += 1
    code, size = _symbol(285)
    codes[258], sizes[258] = code, size + 5
    return codes, sizes

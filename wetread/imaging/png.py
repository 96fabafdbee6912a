"""PNG written here, for two reasons that no library meets: speed for images, the same bytes everywhere for masks.

PNG specification, third edition, W3C 2025: sections 5 (datastream), 9 (filtering), 11 (chunks); RFC 1950 and 1951.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wetread.imaging.runs import Integers, Runs, runs_of

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
    if array.ndim != 2 or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(f"a gray PNG is made of a uint8 (rows, columns) array, not {array.dtype} {array.shape}")
    return _encode_bytes(array, 0)


def encode_colour(array: NDArray[np.uint8]) -> bytes:
    """A (rows, columns, 3) or (rows, columns, 4) uint8 array as an 8-bit RGB or RGBA PNG; as `encode_gray`.

    Raises:
        ValueError: not such an array, or an empty one.
    """
    if array.ndim != 3 or array.shape[2] not in (3, 4) or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(
            f"a colour PNG is made of a uint8 (rows, columns, 3 or 4) array, not {array.dtype} {array.shape}"
        )
    return _encode_bytes(array, 2 if array.shape[2] == 3 else 6)


def _encode_bytes(array: NDArray[np.uint8], colour_type: int) -> bytes:
    from isal import isal_zlib

    rows, columns = array.shape[:2]
    lines = array.reshape(rows, -1)
    filtered = np.empty((rows, lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", columns, rows, 8, colour_type, 0, 0, 0)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", isal_zlib.compress(filtered, 1)),
            _chunk(b"IEND", b""),
        )
    )


def encode_mask(present: NDArray[np.bool_]) -> bytes:
    """A (rows, columns) boolean array as a 1-bit grayscale PNG, white where True; see `encode_runs`.

    Raises:
        ValueError: not a two-dimensional, non-empty boolean array.
    """
    if present.ndim != 2 or present.dtype != np.bool_ or present.size == 0:
        raise ValueError(f"a mask PNG is made of a bool (rows, columns) array, not {present.dtype} {present.shape}")
    return encode_runs(runs_of(present))


def encode_runs(runs: Runs) -> bytes:
    """A mask as a 1-bit grayscale PNG, white where it is; its picture is not drawn on the way.

    The bytes depend on the pixels alone, on no library's version and no processor: masks are kept and compared by the
    hash of their bytes. Rows are filtered by Up. Repeated bytes are coded with the fixed Huffman code of RFC 1951
    3.2.6, which suits masks well enough.

    Raises:
        ValueError: a picture without pixels.
    """
    rows, columns = runs.shape
    if rows < 1 or columns < 1:
        raise ValueError(f"a mask PNG is made of pixels, and {rows} x {columns} has none")
    starts, values = _filtered(runs)
    size = rows * _stride(columns)
    lengths = np.diff(starts, append=size)
    stream = b"\x78\x01" + _deflate_runs(values, lengths) + struct.pack(">I", _adler32(starts, lengths, values, size))
    header = struct.pack(">IIBBBBB", columns, rows, 1, 0, 0, 0, 0)
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", stream), _chunk(b"IEND", b"")))


def _stride(columns: int) -> int:
    """Bytes of a row of bits with its filter type before it."""
    return 1 + (columns + 7) // 8


def _filtered(runs: Runs) -> tuple[Integers, Integers]:
    """The filtered rows as runs of equal bytes: where each begins, and its byte.

    What is summed up is by how much each byte differs from the one before. Where a run of pixels starts, the byte gains
    the bits from there on, and the next one what is left to 255; where one ends, they lose as much. The filter, a
    difference, is one of these too. All is counted modulo 256.
    """
    rows, columns = runs.shape
    stride = _stride(columns)
    size = rows * stride
    pixels = np.concatenate((runs.starts, runs.ends))
    at = np.concatenate((runs.rows, runs.rows)) * stride + 1 + (pixels >> 3)
    gain = 255 >> (pixels & 7)
    gain[runs.starts.size :] *= -1
    rest = np.repeat((255, -255), runs.starts.size) - gain
    steps = np.zeros(size + 2, np.uint8)
    np.add.at(steps, np.concatenate((at, at + 1)), np.concatenate((gain, rest)).astype(np.uint8))
    filtered = steps[:size].copy()
    filtered[stride:] -= steps[: size - stride]
    filtered[::stride] += _UP
    filtered[1::stride] -= _UP
    starts = np.flatnonzero(filtered != 0)
    return starts, np.cumsum(filtered[starts], dtype=np.uint8).astype(np.int64)


def _adler32(starts: Integers, lengths: Integers, values: Integers, size: int) -> int:
    """RFC 1950 section 8.2, of runs of equal bytes."""
    base = 65521
    some = np.flatnonzero(values)  # most of a mask is nothing
    starts, lengths, values = starts[some], lengths[some], values[some]
    first = (1 + int((values * lengths % base).sum())) % base
    # A byte counts once for itself and once for each that follows it.
    weights = lengths * (size - starts) - lengths * (lengths - 1) // 2
    second = (size + int((weights % base * values).sum())) % base
    return second << 16 | first


def _deflate_runs(values: Integers, lengths: Integers) -> bytes:
    """One final block of literals, and of matches at distance 1 for what repeats."""
    literals, matches = _literal_codes(), _match_codes()
    full, rest = np.divmod(lengths - 1, 258)
    # Every run: its byte; full matches; then one shorter match, or one or two literals more.
    matched = rest >= 3
    counts = 1 + full + np.where(matched, 1, rest)
    last = np.cumsum(counts)
    codes, sizes = np.repeat(literals[0][values], counts), np.repeat(literals[1][values], counts)
    ends = last[matched] - 1
    codes[ends], sizes[ends] = matches[0][rest[matched]], matches[1][rest[matched]]
    long = np.flatnonzero(full)
    if long.size:
        repeats = full[long]
        places = np.arange(int(repeats.sum())) + np.repeat(
            (last - counts + 1)[long] - np.cumsum(repeats) + repeats, repeats
        )
        codes[places], sizes[places] = matches[0][258], matches[1][258]
    # Block header: final, fixed code (3 bits, 0b011); block end: seven zeros.
    stops = 3 + np.cumsum(sizes)
    begins = stops - sizes
    bits = int(stops[-1]) + 7
    words = np.zeros((bits + 63) // 64 + 1, np.uint64)
    words[0] = 3
    word, shift = begins >> 6, (begins & 63).astype(np.uint64)
    # No two codes share a bit, so that adding sets them. A code that does not fit goes on in the next word.
    unsigned = codes.astype(np.uint64)
    np.add.at(words, word, unsigned << shift)
    np.add.at(words, word + 1, unsigned >> np.uint64(1) >> (np.uint64(63) - shift))
    return words.astype("<u8").tobytes()[: (bits + 7) // 8]


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

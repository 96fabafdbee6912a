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

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2
_SIZE_BITS = 5
_SIZE = (1 << _SIZE_BITS) - 1
_MOST_BYTES = 1 << 27
"""Up to this many bytes their Adler-32 is summed up in 63 bits as it is: 255 * n * (n + 1) / 2 at most."""


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
    lengths = np.concatenate((starts[1:], (size,))) - starts
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
    # As it is without a pixel: each row's filter type, then zeros.
    starts, values = np.empty(2 * rows, np.int64), np.zeros(2 * rows, np.int64)
    starts[::2] = np.arange(0, rows * stride, stride)
    starts[1::2] = starts[::2] + 1
    values[::2] = _UP
    if runs.rows.size == 0:
        return starts, values
    # Nothing changes outside the mask's own rows and bytes but each row's filter type, and what the filter takes from
    # the row below them; two rows, since a run that ends with its row ends at the type of the next.
    top, bottom = int(runs.rows[0]), min(int(runs.rows[-1]) + 3, rows)
    left = max(1 + (int(runs.starts.min()) >> 3), 2)
    right = min(3 + (int(runs.ends.max()) >> 3), stride)
    wide = 2 + right - left  # a row's type and first byte, and the mask's bytes
    pixels = np.concatenate((runs.starts, runs.ends))
    byte = 1 + (pixels >> 3)
    at = (np.concatenate((runs.rows, runs.rows)) - top) * wide + np.where(byte < 2, byte, byte - left + 2)
    gain = (255 >> (pixels & 7)).astype(np.uint8)
    rest = 255 - gain
    gain[runs.starts.size :] = -gain[runs.starts.size :]
    rest[runs.starts.size :] = -rest[runs.starts.size :]
    size = (bottom - top) * wide
    # What ends with the last row of the picture goes on behind it.
    steps = np.zeros(size + 2, np.uint8)
    np.add.at(steps, np.concatenate((at, at + 1)), np.concatenate((gain, rest)))
    filtered = np.empty(size, np.uint8)
    filtered[:wide] = steps[:wide]
    np.subtract(steps[wide:size], steps[: size - wide], out=filtered[wide:])
    filtered[::wide] += _UP
    filtered[1::wide] -= _UP
    places = np.flatnonzero(filtered != 0)  # numpy looks for True five times as fast as for what is not 0
    row = places // wide
    inner = places + row * (stride - wide) + top * stride + (places - row * wide >= 2) * (left - 2)
    bytes_of = np.cumsum(filtered.take(places), dtype=np.uint8)
    return (
        np.concatenate((starts[: 2 * top], inner, starts[2 * bottom :])),
        np.concatenate((values[: 2 * top], bytes_of, values[2 * bottom :])),
    )


def _adler32(starts: Integers, lengths: Integers, values: Integers, size: int) -> int:
    """RFC 1950 section 8.2, of runs of equal bytes."""
    base = 65521
    first = (1 + int(values @ lengths)) % base
    # A byte counts once for itself and once for each that follows it.
    weights = lengths * (size - starts) - (lengths * (lengths - 1) >> 1)
    if size > _MOST_BYTES:
        weights %= base
    second = (size + int(values @ weights)) % base
    return second << 16 | first


def _deflate_runs(values: Integers, lengths: Integers) -> bytes:
    """One final block of literals, and of matches at distance 1 for what repeats."""
    rest = lengths - 1
    codes = _long_codes(values, rest) if int(rest.max()) > 258 else _codes(values, rest)
    codes, sizes = codes >> _SIZE_BITS, codes & _SIZE
    # Block header: final, fixed code (3 bits, 0b011); block end: seven zeros.
    stops = 3 + np.cumsum(sizes)
    begins = stops - sizes
    bits = int(stops[-1]) + 7
    words = np.zeros((bits + 63) // 64 + 1, np.uint64)
    words[0] = 3
    word, shift = begins >> 6, (begins & 63).astype(np.uint64)
    # No two codes share a bit, so that adding sets them. What is left of a word's last code goes on in the next.
    unsigned = codes.astype(np.uint64)
    np.add.at(words, word, unsigned << shift)
    ends = np.flatnonzero(np.concatenate((word[1:] != word[:-1], (True,))))
    np.add.at(words, word.take(ends) + 1, unsigned.take(ends) >> np.uint64(1) >> (np.uint64(63) - shift.take(ends)))
    return words.astype("<u8").tobytes()[: (bits + 7) // 8]


def _codes(values: Integers, rest: Integers) -> Integers:
    """A byte, and how often it comes again, up to 258 times, as one code: see `_run_codes`."""
    return _run_codes().take(values * 259 + rest)


def _long_codes(values: Integers, rest: Integers) -> Integers:
    """As `_codes`, for bytes that come again more often: first with a match of 258, then matches of 258 alone, then
    what is left of them."""
    full = rest // 258
    left = rest - full * 258
    codes = _codes(values, np.where(full > 0, 258, left))
    counts = 1 + full
    last = np.cumsum(counts)
    spread = np.full(int(last[-1]), _match_codes()[258])
    spread[last - counts] = codes
    long = np.flatnonzero(full)
    short = left.take(long)
    literals = _codes(values.take(long), np.clip(short - 1, 0, 1))
    tail = np.where(short < 3, literals, _match_codes().take(short))
    ends = last.take(long) - 1
    spread[ends] = tail
    return np.delete(spread, ends[short == 0])


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
def _literal_codes() -> Integers:
    """By byte: its code and, in the lowest bits, the code's size."""
    return np.array([code << _SIZE_BITS | size for code, size in map(_symbol, range(256))], np.int64)


@cache
def _run_codes() -> Integers:
    """By 259 times the byte and how often it comes again: a literal and a match, or up to three literals, as one code
    of at most 27 bits."""
    literals, matches = _literal_codes()[:, None], _match_codes()[None, :]
    sizes = literals & _SIZE
    # What follows goes above the literal's bits, and its size is added to the literal's size.
    codes: Integers = literals + (matches & _SIZE) + (matches >> _SIZE_BITS << sizes + _SIZE_BITS)
    for times in (1, 2):
        before = codes[:, [times - 1]]
        codes[:, [times]] = before + sizes + (literals >> _SIZE_BITS << (before & _SIZE) + _SIZE_BITS)
    return codes.ravel()


@cache
def _match_codes() -> Integers:
    """By length, 0 to 258, as `_literal_codes`: the length's symbol, its extra bits, and five zeros for distance 1.
    There is none for a length below 3."""
    codes = np.zeros(259, np.int64)
    symbol, length = 257, 3
    while length < 258:
        extra = max(0, (symbol - 261) // 4)
        code, size = _symbol(symbol)
        for offset in range(2**extra):
            if length + offset < 258:
                codes[length + offset] = (code | offset << size) << _SIZE_BITS | size + extra + 5
        length += 2**extra
        symbol += 1
    code, size = _symbol(285)
    codes[258] = code << _SIZE_BITS | size + 5
    return codes

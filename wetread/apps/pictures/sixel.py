"""Pictures as Sixel, for the terminals that follow DEC's VT340 in this.

A band of six rows is drawn in one pass for each colour in it; a character tells for one column which of the six are
set. DEC STD 070, chapter 9; VT330/VT340 Programmer Reference Manual, volume 2, chapter 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GRAYS = 64
"""Grays of a picture. Sixel's own scale has 101; so many more passes for what nobody sees would double the data."""
REGISTERS = 256
"""Colours that a terminal keeps, where it keeps the usual number."""

_GRAY_WITHIN = 6  # how far apart the channels of a gray pixel may be
_REPEATED = 4  # from so many on a repeat is shorter than the characters


def sixel(pixels: NDArray[np.uint8]) -> str:
    """A picture as one Sixel sequence; what it does not cover stays as it was.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8, less than 100,000 columns.
    """
    import numpy as np

    indices, colours = quantised(pixels)
    rows, columns = indices.shape
    used = np.flatnonzero(np.bincount(indices.ravel())).tolist()
    percents = ((colours.astype(np.int64) * 100 + 127) // 255).tolist()
    registers = "".join("#{};2;{};{};{}".format(index, *percents[index]) for index in used)
    # P1 = 0 and P2 = 1: shape by the raster attributes ("1;1;...), unset pixels left alone
    return f'\x1bP0;1q"1;1;{columns};{rows}{registers}{_bands(indices)}\x1b\\'


def quantised(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture in at most 256 colours: an index for each pixel, and the colours, (n, 3) uint8.

    Gray pixels keep to 64 grays; the colours of the others, if there are any, share what is left of the 256.
    """
    import numpy as np

    ramp = np.repeat((np.arange(GRAYS) * 255 / (GRAYS - 1)).round().astype(np.uint8)[:, None], 3, axis=1)
    level = ((np.arange(256) * (GRAYS - 1) + 127) // 255).astype(np.uint8)
    if pixels.ndim == 2:
        return level[pixels], ramp
    red, green, blue = (np.ascontiguousarray(pixels[:, :, channel]) for channel in range(3))
    high, low = (function(function(red, green), blue) for function in (np.maximum, np.minimum))
    indices = level[green]
    other = high - low > _GRAY_WITHIN
    if not other.any():
        return indices, ramp
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels[other][None]))
    reduced = picture.quantize(REGISTERS - GRAYS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    indices[other] = np.asarray(reduced)[0] + GRAYS
    colours = np.array(reduced.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return indices, np.concatenate((ramp, colours))


def _bands(indices: NDArray[np.uint8]) -> str:
    """All bands: for each its passes, `$` (back to the left) between them, `-` (to the next band) between bands.

    A pass is a row of characters, most of them `?` (nothing); it is taken apart into runs of equal ones. Each run gets
    fourteen places of a table: what comes before it, its length or the characters themselves. Empty places are NUL,
    and are left out at the end, all at once.
    """
    import numpy as np

    rows, columns = indices.shape
    table = np.zeros((int(indices.max()) + 1, columns), np.uint8)
    flat = table.reshape(-1)
    places = indices.astype(np.int64) * columns + np.arange(columns)
    found: list[tuple[NDArray[Any], ...]] = []
    for band in range(-(-rows // 6)):
        rows_of = places[band * 6 : band * 6 + 6]
        for row, place in enumerate(rows_of):
            flat[place] |= 1 << row  # no two of one row are the same place
        used = np.flatnonzero(np.bincount(indices[band * 6 : band * 6 + 6].ravel()))
        lines = table[used]
        flat[rows_of] = 0
        changes = np.empty(lines.shape, np.bool_)
        changes[:, 0] = True
        np.not_equal(lines[:, 1:], lines[:, :-1], out=changes[:, 1:])
        at = np.flatnonzero(changes)
        lengths = np.append(at[1:], lines.size) - at
        values = lines.reshape(-1)[at]
        # nothing at the end of a pass need not be said
        kept = np.flatnonzero((values != 0) | ((at + lengths) % columns != 0))
        at = at[kept]
        found.append((at % columns == 0, np.full(at.size, band), used[at // columns], lengths[kept], values[kept]))
    return _written(*(np.concatenate(one) for one in zip(*found, strict=True)))


def _written(
    first: NDArray[np.bool_],
    bands: NDArray[np.int64],
    passes: NDArray[np.int64],
    lengths: NDArray[np.int64],
    values: NDArray[np.uint8],
) -> str:
    """The runs as text: whether each is the first of its pass, its band, its colour, its length, its six rows."""
    import numpy as np

    table = np.zeros((first.size, 14), np.uint8)
    begin = np.flatnonzero(first)
    table[begin[1:], 0] = np.where(np.diff(bands[begin]) > 0, ord("-"), ord("$"))
    table[begin, 1:5] = _numbers("#", REGISTERS, 4)[passes[begin]]
    long = np.flatnonzero(lengths >= _REPEATED)
    table[long, 5:11] = _numbers("!", int(lengths.max()) + 1, 6)[lengths[long]]
    characters = values + np.uint8(ord("?"))
    table[:, 11] = characters
    for more in range(2, _REPEATED):
        some = (lengths >= more) & (lengths < _REPEATED)
        table[some, 10 + more] = characters[some]
    return table.tobytes().translate(None, b"\0").decode("ascii")


def _numbers(sign: str, stop: int, places: int) -> NDArray[np.uint8]:
    """The numbers below `stop` in ASCII behind a sign, filled up with NUL."""
    import numpy as np

    digits = b"".join(f"{sign}{number}".encode().ljust(places, b"\0") for number in range(stop))
    return np.frombuffer(digits, np.uint8).reshape(stop, places)

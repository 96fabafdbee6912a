"""Pictures of characters: half blocks in colour, two pixels to a cell, or letters of different weight without.

ECMA-48, select graphic rendition; 38;2 and 38;5 after ISO 8613-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Depth = Literal["truecolor", "256", "none"]
"""Colours: all, the 256 of xterm's palette, or none."""

Letters = Mapping[tuple[int, int], tuple[str, str]]
"""By column and row of a cell: a character that stands there instead of the picture, and its colour, `#RRGGBB`."""

RAMP = " .'-:~;=*coa8%#@"
"""From black to white: sixteen weights of letters on a dark screen."""
DRAWN = "+"
"""What is drawn in colour, where there are no colours: not in the ramp, hence not taken for a part of the image."""

_HALF = "▀"
_COLOURED = 48  # how far apart the channels of a pixel are that belongs to a mark


def half_blocks(pixels: NDArray[np.uint8], depth: Depth = "truecolor", letters: Letters | None = None) -> list[str]:
    """A picture as lines of half blocks, a pixel above and one below in each.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8.
        depth: `truecolor` or `256`.
        letters: What stands in cells instead; white on black where the colour is not given.

    Returns:
        One line for two rows of pixels; each ends with the colours reset.
    """
    import numpy as np

    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    codes = _true(rgb) if depth == "truecolor" else [[f"5;{index}" for index in row] for row in palette(rgb).tolist()]
    lines = []
    for row in range(0, len(codes), 2):
        upper = codes[row]
        lower = codes[row + 1] if row + 1 < len(codes) else [None] * len(upper)
        line, shown = [], ("", "")
        for column, (above, below) in enumerate(zip(upper, lower, strict=True)):
            character, front, back = _HALF, f"38;{above}", "49" if below is None else f"48;{below}"
            if letters and (column, row // 2) in letters:
                character, colour = letters[column, row // 2]
                front, back = f"38;{_code(colour, depth)}", f"48;{_code('#000000', depth)}"
            changed = [new for new, old in zip((front, back), shown, strict=True) if new != old]
            if changed:
                line.append(f"\x1b[{';'.join(changed)}m")
                shown = front, back
            line.append(character)
        lines.append("".join(line) + "\x1b[0m")
    return lines


def ramp(pixels: NDArray[np.uint8], letters: Letters | None = None) -> list[str]:
    """A picture as lines of ASCII letters, one for each pixel, without any escape sequence.

    Args:
        pixels: (rows, columns) or (rows, columns, 3) uint8; what is coloured is drawn as `+`.
        letters: What stands in cells instead; the colour is left out.
    """
    import numpy as np

    gray = pixels if pixels.ndim == 2 else (pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    characters = np.array(list(RAMP))[gray.astype(np.uint16) * len(RAMP) // 256]
    if pixels.ndim == 3:
        characters[coloured(pixels)] = DRAWN
    for (column, row), (character, _) in (letters or {}).items():
        if row < characters.shape[0] and column < characters.shape[1]:
            characters[row, column] = character
    return ["".join(row) for row in characters.tolist()]


def coloured(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels of (rows, columns, 3) are of a mark's line, and not of the image or a mark's faint filling."""
    import numpy as np

    apart: NDArray[np.bool_] = np.ptp(pixels, axis=2) > _COLOURED
    return apart


def palette(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The nearest of xterm's 240 fixed colours, 16 to 255: a cube of 6 x 6 x 6, and 24 grays from 8 in steps of 10."""
    import numpy as np

    values = rgb.astype(np.int32)
    # the cube's levels are 0, 95, 135, 175, 215, 255
    level = np.searchsorted((48, 115, 155, 195, 235), values, side="right")
    cube = np.array((0, 95, 135, 175, 215, 255))[level]
    step = np.clip((values.sum(axis=2) // 3 - 3) // 10, 0, 23)
    gray = (8 + 10 * step)[..., None]
    nearer = ((gray - values) ** 2).sum(axis=2) < ((cube - values) ** 2).sum(axis=2)
    index = np.where(nearer, 232 + step, 16 + level @ np.array((36, 6, 1)))
    return np.asarray(index, np.uint8)


def _true(rgb: NDArray[np.uint8]) -> list[list[str]]:
    return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in rgb.tolist()]


def _code(colour: str, depth: Depth) -> str:
    import numpy as np

    rgb = np.frombuffer(bytes.fromhex(colour.lstrip("#")), np.uint8).reshape(1, 1, 3)
    return _true(rgb)[0][0] if depth == "truecolor" else f"5;{palette(rgb)[0, 0]}"

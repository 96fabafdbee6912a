"""How large a picture is in a terminal's cells."""

from __future__ import annotations

import math
from typing import NamedTuple


class Cell(NamedTuple):
    """A character cell in pixels of the screen."""

    width: int
    height: int

    @property
    def likely(self) -> bool:
        """Whether it can be the size of a letter: terminals have answered nought, and the size of the window."""
        return 2 <= self.width <= 128 and 4 <= self.height <= 256


ASSUMED = Cell(8, 16)
"""Where a terminal does not tell."""


class Fit(NamedTuple):
    """A picture's place: whole cells, and the pixels in them that it fills, from their upper left corner on."""

    columns: int
    rows: int
    width: int
    height: int


def fit(shape: tuple[int, ...], columns: int, rows: int | None, cell: Cell) -> Fit:
    """The place of a picture that fills the given cells in one direction, its proportions kept.

    Args:
        shape: Rows and columns of the picture's pixels.
        columns: Cells across, at most.
        rows: Cells down, at most; as many as columns where not given.
        cell: Size of a cell, in pixels that are as high as wide.

    Raises:
        ValueError: a picture without pixels, or no cell to put it in.
    """
    rows = columns if rows is None else rows
    high, wide = shape[:2]
    width, height = within(wide, high, (columns * cell.width, rows * cell.height))
    return Fit(math.ceil(width / cell.width), math.ceil(height / cell.height), width, height)


def within(wide: int, high: int, room: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a picture that fills a room in one direction, its proportions kept; at least one pixel.

    Raises:
        ValueError: a picture without pixels, or no room.
    """
    if min(wide, high, *room) < 1:
        raise ValueError(f"a picture of {wide} x {high} pixels cannot be put into {room[0]} x {room[1]}")
    scale = min(room[0] / wide, room[1] / high)
    return min(room[0], max(1, round(wide * scale))), min(room[1], max(1, round(high * scale)))

"""From pixels to the text that shows them, for one terminal. Nothing is read or written here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from wetread.apps.pictures.fitting import ASSUMED, Cell, Fit, fit, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wetread.apps.pictures.blocks import Depth
    from wetread.imaging.overlay import Label

Way = Literal["kitty", "iterm", "sixel", "blocks", "off"]

LARGEST = {"kitty": 1280, "iterm": 1280, "sixel": 1000}
"""Pixels across and down: what goes through a remote connection at once, and what xterm takes as Sixel."""

_BAND = 6


class Painter(Protocol):
    """Paints pictures in one way. Immutable; may be used by many threads."""

    @property
    def name(self) -> Way:
        """In which way."""

    def resolution(self, columns: int, rows: int) -> tuple[int, int]:
        """Width and height, in square pixels, of what can be shown in so many cells; nought by nought for none."""

    def paint(
        self,
        pixels: NDArray[np.uint8] | None,
        *,
        columns: int,
        rows: int | None = None,
        labels: Sequence[Label] = (),
    ) -> str:
        """The text that shows a picture, to be written at the beginning of a line.

        It leaves the cursor at the beginning of the line below the picture. The picture fills the cells in one
        direction and keeps its proportions.

        Args:
            pixels: (rows, columns) or (rows, columns, 3) uint8; for None nothing is painted.
            columns: Cells across, at most.
            rows: Cells down, at most, and no more than the terminal has; as many as columns where not given.
            labels: To be written on it, at places in its own pixels.
        """


@dataclass(frozen=True, slots=True)
class Off:
    """Paints nothing."""

    name: Literal["off"] = "off"

    def resolution(self, columns: int, rows: int) -> tuple[int, int]:
        return 0, 0

    def paint(
        self, pixels: NDArray[np.uint8] | None, *, columns: int, rows: int | None = None, labels: Sequence[Label] = ()
    ) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Graphics:
    """Paints by a graphics protocol.

    Attributes:
        cell: Size of a cell; None where the terminal did not tell. Then twice the pixels of the assumed one are sent to
            terminals that fit pictures into cells themselves.
    """

    name: Literal["kitty", "iterm", "sixel"]
    cell: Cell | None = None

    @property
    def _cell(self) -> Cell:
        if self.cell is not None:
            return self.cell
        return ASSUMED if self.name == "sixel" else Cell(2 * ASSUMED.width, 2 * ASSUMED.height)

    def resolution(self, columns: int, rows: int) -> tuple[int, int]:
        largest, down = LARGEST[self.name], rows * self._cell.height
        if self.name == "sixel":  # a band that is drawn half is a whole one to some terminals
            down = max(_BAND, down // _BAND * _BAND)
        return min(columns * self._cell.width, largest), min(down, largest)

    def paint(
        self, pixels: NDArray[np.uint8] | None, *, columns: int, rows: int | None = None, labels: Sequence[Label] = ()
    ) -> str:
        if pixels is None:
            return ""
        from wetread.imaging.overlay import lettered

        place, share = self._place(pixels.shape, columns, columns if rows is None else rows)
        shown = _resized(pixels, place.width, place.height)
        if labels:
            shown = lettered(shown, _moved(labels, pixels, shown), 0.8 * share * self._cell.height)
        return _framed(self._sequence(shown, place, share), place.rows)

    def _place(self, shape: tuple[int, ...], columns: int, rows: int) -> tuple[Fit, float]:
        """Where a picture goes, the pixels that are sent, and what share of the screen's pixels across they are."""
        if self.name == "sixel":
            high, wide = shape[:2]
            width, height = within(wide, high, self.resolution(columns, rows))
            down = -(-height // _BAND) * _BAND
            across = math.ceil(width / self._cell.width)
            return Fit(across, max(1, math.ceil(down / self._cell.height)), width, height), 1.0
        place = fit(shape, columns, rows, self._cell)
        share = min(1.0, LARGEST[self.name] / max(place.width, place.height))
        width, height = max(1, round(place.width * share)), max(1, round(place.height * share))
        return place._replace(width=width, height=height), share

    def _sequence(self, shown: NDArray[np.uint8], place: Fit, share: float) -> str:
        from wetread.apps.pictures import graphics
        from wetread.apps.pictures.sixel import sixel

        if self.name == "sixel":
            return sixel(shown)
        if self.name == "iterm":
            return graphics.iterm(shown, place.columns, place.rows)
        # Kitty stretches a picture over whole cells: what is missing to them is transparent.
        across = round(place.columns * self._cell.width * share)
        down = round(place.rows * self._cell.height * share)
        return graphics.kitty(_filled_up(shown, across, down), place.columns, place.rows)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Paints with characters: half blocks in colour, or ASCII letters without. Labels are letters of the terminal.

    A cell is taken to be twice as high as wide, whatever it is.
    """

    depth: Depth = "truecolor"
    name: Literal["blocks"] = "blocks"

    def resolution(self, columns: int, rows: int) -> tuple[int, int]:
        return columns, 2 * rows

    def paint(
        self, pixels: NDArray[np.uint8] | None, *, columns: int, rows: int | None = None, labels: Sequence[Label] = ()
    ) -> str:
        if pixels is None:
            return ""
        from wetread.apps.pictures.blocks import half_blocks, ramp

        place = fit(pixels.shape, columns, rows, Cell(1, 2))
        shown = _resized(pixels, place.width, place.height)
        letters = _letters(_moved(labels, pixels, shown), place.width, place.rows)
        lines = half_blocks(shown, self.depth, letters) if self.depth != "none" else ramp(_halved(shown), letters)
        return "".join(f"{line}\n" for line in lines)


def _framed(sequence: str, rows: int) -> str:
    """A sequence that draws over the next rows, with room made for it first, and the cursor brought below it.

    Terminals differ in where they leave the cursor, and in what they do with a picture at the end of the screen.
    """
    room = "\n" * rows + f"\x1b[{rows}A"
    return f"\r{room}\x1b7{sequence}\x1b8\x1b[{rows}B\r"


def _resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    import numpy as np

    if pixels.shape[:2] == (height, width):
        return pixels
    from wetread.imaging.overlay import resized

    return np.asarray(resized(pixels, (width, height)))


def _filled_up(shown: NDArray[np.uint8], across: int, down: int) -> NDArray[np.uint8]:
    """A picture in the upper left corner of a transparent one."""
    import numpy as np

    high, wide = shown.shape[:2]
    if across <= wide and down <= high:
        return shown
    filled = np.zeros((max(down, high), max(across, wide), 4), np.uint8)
    filled[:high, :wide, :3] = shown if shown.ndim == 3 else shown[:, :, None]
    filled[:high, :wide, 3] = 255
    return filled


def _moved(labels: Sequence[Label], pixels: NDArray[np.uint8], shown: NDArray[np.uint8]) -> list[Label]:
    """Labels where they belong on the picture in another size."""
    from dataclasses import replace

    across, down = shown.shape[1] / pixels.shape[1], shown.shape[0] / pixels.shape[0]
    return [replace(label, x=label.x * across, y=label.y * down) for label in labels]


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two rows of pixels as one: a mark's pixel where either has one, else what is between the two."""
    import numpy as np

    from wetread.apps.pictures.blocks import coloured

    upper = pixels[::2]
    lower = np.concatenate((pixels[1::2], upper[-1:])) if len(pixels) % 2 else pixels[1::2]
    mean = ((upper.astype(np.uint16) + lower) // 2).astype(np.uint8)
    if pixels.ndim == 2:
        return mean
    mean[coloured(lower)] = lower[coloured(lower)]
    mean[coloured(upper)] = upper[coloured(upper)]
    return mean


def _letters(labels: Sequence[Label], columns: int, rows: int) -> dict[tuple[int, int], tuple[str, str]]:
    """The labels in cells: above what they name, and not over each other."""
    from wetread.imaging.overlay import placed

    # by whole cells, else two labels that share one would not be seen to
    corners = [(float(int(label.x)), float(int(label.y / 2))) for label in labels]
    places = placed(corners, [(len(label.text), 1) for label in labels], (columns, rows))
    letters = {}
    for label, (x, y) in zip(labels, places, strict=True):
        for offset, character in enumerate(label.text[:columns]):
            letters[int(x) + offset, int(y)] = character if character.isprintable() else " ", label.colour
    return letters

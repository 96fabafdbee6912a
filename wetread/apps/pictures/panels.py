"""One picture of several: images, or parts of them, with their marks, side by side or one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from wetread.apps.pictures.fitting import within
from wetread.evidence import Box
from wetread.imaging.overlay import Label, Mark, marked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wetread.imaging.contours import Polygon


@dataclass(frozen=True, slots=True)
class Panel:
    """An image, (rows, columns) uint8, with marks in its own coordinates, and the part of it that is shown: whole
    pixels inside it, all where not given."""

    pixels: NDArray[np.uint8]
    marks: tuple[Mark, ...] = ()
    part: Box | None = None


class Drawing(NamedTuple):
    """(rows, columns, 3) uint8, labels yet to be written, and how the panels stand."""

    pixels: NDArray[np.uint8]
    labels: tuple[Label, ...]
    stand: Literal["alone", "beside", "below"]


def composed(panels: Sequence[Panel], size: tuple[int, int]) -> Drawing:
    """One panel, or two, as large as they can be in a width and height; two in the way in which they are larger."""
    import numpy as np

    if len(panels) == 1:
        wide, high = _extent(panels[0])
        return Drawing(*_drawn(panels[0], within(wide, high, size)), "alone")
    one, other = panels
    # as if each were one high, then as if each were one wide
    ratios = [wide / high for wide, high in map(_extent, panels)]
    gap = max(1, min(size) // 60)
    tall = min(size[1], max(1, size[0] - gap) / sum(ratios))
    broad = min(size[0], max(1, size[1] - gap) / sum(1 / ratio for ratio in ratios))
    beside = tall * tall * sum(ratios) >= broad * broad * sum(1 / ratio for ratio in ratios)
    if beside:
        sizes = [(max(1, round(tall * ratio)), max(1, round(tall))) for ratio in ratios]
        shift = sizes[0][0] + gap, 0
        whole = sizes[0][0] + gap + sizes[1][0], sizes[0][1]
    else:
        sizes = [(max(1, round(broad)), max(1, round(broad / ratio))) for ratio in ratios]
        shift = 0, sizes[0][1] + gap
        whole = sizes[0][0], sizes[0][1] + gap + sizes[1][1]
    canvas = np.zeros((whole[1], whole[0], 3), np.uint8)
    first, labels = _drawn(one, sizes[0])
    second, more = _drawn(other, sizes[1])
    canvas[: sizes[0][1], : sizes[0][0]] = first
    canvas[shift[1] : shift[1] + sizes[1][1], shift[0] : shift[0] + sizes[1][0]] = second
    moved = tuple(replace(label, x=label.x + shift[0], y=label.y + shift[1]) for label in more)
    return Drawing(canvas, labels + moved, "beside" if beside else "below")


def _extent(panel: Panel) -> tuple[int, int]:
    """Width and height of what it shows, in the image's pixels."""
    if panel.part is None:
        return panel.pixels.shape[1], panel.pixels.shape[0]
    return int(panel.part.x_max - panel.part.x_min), int(panel.part.y_max - panel.part.y_min)


def _drawn(panel: Panel, size: tuple[int, int]) -> tuple[NDArray[np.uint8], tuple[Label, ...]]:
    if panel.part is None:
        return marked(panel.pixels, panel.marks, size)
    left, top = int(panel.part.x_min), int(panel.part.y_min)
    shown = panel.pixels[top : int(panel.part.y_max), left : int(panel.part.x_max)]
    return marked(shown, [_moved(mark, left, top) for mark in panel.marks], size)


def _moved(mark: Mark, left: int, top: int) -> Mark:
    """A mark of the image in the coordinates of a part that begins there."""
    box = mark.box and Box(
        x_min=mark.box.x_min - left, y_min=mark.box.y_min - top, x_max=mark.box.x_max - left, y_max=mark.box.y_max - top
    )
    outline: tuple[Polygon, ...] = tuple(tuple((x - left, y - top) for x, y in ring) for ring in mark.outline)
    return replace(mark, box=box, outline=outline)

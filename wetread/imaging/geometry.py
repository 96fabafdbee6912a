"""Where prepared pixels lie in the image: one affine map per axis, and its exact inverse.

Coordinates are continuous. Pixel `i` covers `[i, i + 1)`, its centre is `i + 0.5`; x runs along a row to the right, y
down, and (0, 0) is the outer corner of the first pixel, of the image and of the prepared picture alike. A `Box` holds
edges in these coordinates, so a box around the single pixel (0, 0) is `0, 0, 1, 1`.

A preparation cuts a rectangle of whole pixels out of the image (`source`), resizes it, and puts it into a rectangle
of whole pixels of the prepared picture (`content`); what is left of the picture is padding. Both rectangles are
integers, hence nothing is lost between the two ways.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from wetread.evidence import Box
from wetread.values import Value

Point = tuple[float, float]
"""x, y."""
Mask = NDArray[np.uint8]
"""(rows, columns) uint8: probability times 255, or 0 and 255."""


class Rectangle(Value):
    """Whole pixels: the first column and row, and how many of each."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    columns: int = Field(gt=0)
    rows: int = Field(gt=0)


class Frame(Value):
    """Maps between a prepared picture and the image it was made of.

    Args:
        image_rows, image_columns: Size of the image, in its own pixels.
        rows, columns: Size of the prepared picture.
        source: What was taken of the image.
        content: Where it lies in the prepared picture.
    """

    image_rows: int = Field(gt=0)
    image_columns: int = Field(gt=0)
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    source: Rectangle
    content: Rectangle

    @model_validator(mode="after")
    def _inside(self) -> Frame:
        for name, part, rows, columns in (
            ("source", self.source, self.image_rows, self.image_columns),
            ("content", self.content, self.rows, self.columns),
        ):
            if part.left + part.columns > columns or part.top + part.rows > rows:
                raise ValueError(f"{name} reaches beyond {columns} x {rows}")
        return self

    @property
    def lost(self) -> float:
        """Fraction of the image's area, 0 to 1, that the prepared picture does not show."""
        return 1.0 - (self.source.rows * self.source.columns) / (self.image_rows * self.image_columns)

    def shows(self, box: Box) -> float:
        """Fraction of an image box's area, 0 to 1, that the prepared picture shows; 0 for a box without area."""
        source = self.source
        width = min(box.x_max, source.left + source.columns) - max(box.x_min, source.left)
        height = min(box.y_max, source.top + source.rows) - max(box.y_min, source.top)
        area = (box.x_max - box.x_min) * (box.y_max - box.y_min)
        return max(width, 0.0) * max(height, 0.0) / area if area > 0 else 0.0

    def clip(self, box: Box) -> Box:
        """An image box cut off at the image's edges (a box wholly outside shrinks to the nearest edge)."""
        return Box(
            x_min=min(max(box.x_min, 0.0), self.image_columns),
            y_min=min(max(box.y_min, 0.0), self.image_rows),
            x_max=min(max(box.x_max, 0.0), self.image_columns),
            y_max=min(max(box.y_max, 0.0), self.image_rows),
        )

    def unit_to_image(self, box: Box) -> Box:
        """A box given in fractions (0 to 1) of the prepared picture's width and height, in image coordinates.

        For `CENTRE_CROP` this is CXRReportGen's `X = x * s + (W - s) // 2`, `s = min(W, H)`.
        """
        return self.to_image(
            Box(
                x_min=box.x_min * self.columns,
                y_min=box.y_min * self.rows,
                x_max=box.x_max * self.columns,
                y_max=box.y_max * self.rows,
            )
        )

    def image_to_unit(self, box: Box) -> Box:
        """The inverse of `unit_to_image`. Values leave 0 to 1 where the box leaves the prepared picture."""
        inner = self.from_image(box)
        return Box(
            x_min=inner.x_min / self.columns,
            y_min=inner.y_min / self.rows,
            x_max=inner.x_max / self.columns,
            y_max=inner.y_max / self.rows,
        )

    @overload
    def to_image(self, thing: Point) -> Point: ...
    @overload
    def to_image(self, thing: Box) -> Box: ...
    @overload
    def to_image(self, thing: Mask, *, smooth: bool = True) -> Mask: ...
    def to_image(self, thing: Point | Box | Mask, *, smooth: bool = True) -> Point | Box | Mask:
        """From the prepared picture to the image: a point, a box, or a mask.

        Points and boxes are not clipped. A mask must have the prepared picture's shape; the answer has the image's,
        with 0 where the prepared picture shows nothing. `smooth` interpolates linearly between pixel centres, so that
        the outline at 128 is smooth after enlargement; otherwise each image pixel takes the value of the prepared
        pixel that its centre lies in.

        Raises:
            ValueError: a mask of another shape or type.
        """
        return self._map(thing, self.content, self.source, (self.image_rows, self.image_columns), smooth)

    @overload
    def from_image(self, thing: Point) -> Point: ...
    @overload
    def from_image(self, thing: Box) -> Box: ...
    @overload
    def from_image(self, thing: Mask, *, smooth: bool = True) -> Mask: ...
    def from_image(self, thing: Point | Box | Mask, *, smooth: bool = True) -> Point | Box | Mask:
        """From the image to the prepared picture: the inverse of `to_image`, in the same forms.

        `smooth` averages over the image pixels that fall into a prepared one. Without it,
        `from_image(to_image(mask))` is the mask itself (within `content`) wherever the image is not smaller than the
        prepared picture.

        Raises:
            ValueError: a mask of another shape or type.
        """
        return self._map(thing, self.source, self.content, (self.rows, self.columns), smooth)

    def _map(
        self, thing: Point | Box | Mask, start: Rectangle, end: Rectangle, shape: tuple[int, int], smooth: bool
    ) -> Point | Box | Mask:
        if isinstance(thing, Box):
            x_min, y_min = _move((thing.x_min, thing.y_min), start, end)
            x_max, y_max = _move((thing.x_max, thing.y_max), start, end)
            return Box(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
        if isinstance(thing, np.ndarray):
            expected = (self.rows, self.columns) if start is self.content else (self.image_rows, self.image_columns)
            if thing.shape != expected or thing.dtype != np.uint8:
                raise ValueError(f"a mask here is uint8 {expected}, not {thing.dtype} {thing.shape}")
            return _move_mask(thing, start, end, shape, smooth)
        return _move(thing, start, end)


def _move(point: Point, start: Rectangle, end: Rectangle) -> Point:
    return (
        (point[0] - start.left) * end.columns / start.columns + end.left,
        (point[1] - start.top) * end.rows / start.rows + end.top,
    )


def _move_mask(mask: Mask, start: Rectangle, end: Rectangle, shape: tuple[int, int], smooth: bool) -> Mask:
    part = mask[start.top : start.top + start.rows, start.left : start.left + start.columns]
    if (start.rows, start.columns) == (end.rows, end.columns):
        if part.shape == shape:
            return np.ascontiguousarray(part)
        whole = np.zeros(shape, np.uint8)
        whole[end.top : end.top + end.rows, end.left : end.left + end.columns] = part
        return whole
    whole = np.zeros(shape, np.uint8)
    rows, columns = _reach(part, 1, end.rows), _reach(part, 0, end.columns)
    if rows is None or columns is None:
        return whole
    # Only where the mask has anything: a mask is mostly nothing, and what is far from it stays nothing.
    if smooth:
        moved = _resample(part, end, rows, columns)
    else:
        # Integer arithmetic: the centre (i + 1/2) * n / m lies in pixel ((2i + 1) * n) // 2m, without rounding errors.
        ys = (2 * np.arange(*rows) + 1) * start.rows // (2 * end.rows)
        xs = (2 * np.arange(*columns) + 1) * start.columns // (2 * end.columns)
        moved = part[ys[:, None], xs]
    whole[end.top + rows[0] : end.top + rows[1], end.left + columns[0] : end.left + columns[1]] = moved
    return whole


def _reach(part: Mask, axis: int, size: int) -> tuple[int, int] | None:
    """The target pixels, of `size`, that the occupied ones can reach; interpolation reaches one pixel on."""
    where = np.flatnonzero(part.any(axis=axis))
    if where.size == 0:
        return None
    first, last = int(where[0]) - 1, int(where[-1]) + 2
    return max(0, first * size // part.shape[1 - axis] - 1), min(size, -(-last * size // part.shape[1 - axis]) + 1)


def _resample(part: Mask, end: Rectangle, rows: tuple[int, int], columns: tuple[int, int]) -> Mask:
    from PIL import Image

    down, across = part.shape[0] / end.rows, part.shape[1] / end.columns
    picture = Image.fromarray(np.ascontiguousarray(part)).resize(
        (columns[1] - columns[0], rows[1] - rows[0]),
        Image.Resampling.BILINEAR,
        box=(columns[0] * across, rows[0] * down, columns[1] * across, rows[1] * down),
    )
    return np.asarray(picture)


def resize(array: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """A (rows, columns) uint8 array at another size: linear when enlarging, antialiased when reducing."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(array)).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def full(rows: int, columns: int) -> Frame:
    """The image as it is."""
    whole = Rectangle(left=0, top=0, columns=columns, rows=rows)
    return Frame(image_rows=rows, image_columns=columns, rows=rows, columns=columns, source=whole, content=whole)


def centre_crop(rows: int, columns: int) -> Frame:
    """The central square with side `min(rows, columns)`: what CXRReportGen sees of an image and gives its boxes in."""
    side = min(rows, columns)
    return Frame(
        image_rows=rows,
        image_columns=columns,
        rows=side,
        columns=side,
        source=Rectangle(left=(columns - side) // 2, top=(rows - side) // 2, columns=side, rows=side),
        content=Rectangle(left=0, top=0, columns=side, rows=side),
    )


def pad(rows: int, columns: int, side: int) -> Frame:
    """The whole image, its longer edge brought to `side` pixels, centred on a black square."""
    longer = max(rows, columns)
    inner_rows = max(1, (rows * side * 2 + longer) // (2 * longer))
    inner_columns = max(1, (columns * side * 2 + longer) // (2 * longer))
    return Frame(
        image_rows=rows,
        image_columns=columns,
        rows=side,
        columns=side,
        source=Rectangle(left=0, top=0, columns=columns, rows=rows),
        content=Rectangle(
            left=(side - inner_columns) // 2, top=(side - inner_rows) // 2, columns=inner_columns, rows=inner_rows
        ),
    )


def squash(rows: int, columns: int, side: int) -> Frame:
    """The whole image, resized to a square without keeping its aspect ratio."""
    return Frame(
        image_rows=rows,
        image_columns=columns,
        rows=side,
        columns=side,
        source=Rectangle(left=0, top=0, columns=columns, rows=rows),
        content=Rectangle(left=0, top=0, columns=side, rows=side),
    )

"""Pictures for people: a report's regions drawn over an image, and crops of them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wetread.evidence import Box
from wetread.imaging.contours import Polygon, contours
from wetread.imaging.geometry import Mask

if TYPE_CHECKING:
    from PIL import Image

COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
"""Told apart by people who see colours differently (Okabe and Ito 2008); in the order in which marks take them."""

_FINE = 2  # drawn at twice the size and reduced, for smooth lines
_FEW = 240  # pixels across or down, below which lines are drawn as they are


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing to draw, in the image's own coordinates: a box, an outline (or a mask to take it from), a label."""

    label: str = ""
    box: Box | None = None
    outline: tuple[Polygon, ...] = ()
    mask: Mask | None = None
    colour: str | None = None
    """As `#RRGGBB`; the next of `COLOURS` where not given."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is to be written beside a place of a picture, in the picture's own pixels.

    Attributes:
        x, y: The corner above which it goes.
        colour: As `#RRGGBB`.
    """

    x: float
    y: float
    text: str
    colour: str


def picture(
    pixels: NDArray[np.uint8], *, max_side: int = 1024, kind: Literal["PNG", "JPEG"] = "JPEG", quality: int = 85
) -> bytes:
    """The image alone, its longer side brought down to `max_side`: gray PNG or JPEG."""
    return _bytes(_reduced(pixels, max_side), kind, quality)


def overlay(
    pixels: NDArray[np.uint8],
    marks: Sequence[Mark],
    *,
    max_side: int = 1024,
    kind: Literal["PNG", "JPEG"] = "JPEG",
    quality: int = 90,
) -> bytes:
    """The image with marks over it, its longer side brought down to `max_side`.

    Args:
        pixels: (rows, columns) uint8.
        marks: Drawn in order; masks and outlines are faintly filled.
    """
    drawn, labels = _marked(_reduced(pixels, max_side), pixels.shape, marks)
    lettering = max(20, round(max(drawn.size) * _FINE / 55)) / _FINE
    return _bytes(_lettered(drawn, labels, lettering).convert("RGB"), kind, quality)


def marked(
    pixels: NDArray[np.uint8], marks: Sequence[Mark], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], tuple[Label, ...]]:
    """The image with marks over it in a given size, enlarged where it is smaller, and the labels still to be written.

    Args:
        pixels: (rows, columns) uint8.
        marks: Drawn in order; masks and outlines are faintly filled.
        size: Width and height of what is drawn, in pixels.

    Returns:
        (rows, columns, 3) uint8, and the labels at their places in it.
    """
    drawn, labels = _marked(resized(pixels, size), pixels.shape, marks, 300)
    return np.asarray(drawn.convert("RGB")), tuple(labels)


def lettered(pixels: NDArray[np.uint8], labels: Sequence[Label], lettering: float) -> NDArray[np.uint8]:
    """A picture with labels written over it, in letters of so many pixels in height: (rows, columns, 3) uint8."""
    from PIL import Image

    return np.asarray(_lettered(Image.fromarray(np.ascontiguousarray(pixels)), labels, lettering).convert("RGB"))


def resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """The whole picture in a width and height, whatever its own."""
    from PIL import Image

    whole = Image.fromarray(np.ascontiguousarray(pixels))
    return whole if whole.size == size else whole.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def placed(
    corners: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]], room: tuple[float, float]
) -> list[tuple[float, float]]:
    """Where labels go: above their corners, inside the room, and moved down, else up, while they would cover others.

    Args:
        corners: x and y of what each names.
        sizes: Width and height of each.
        room: Width and height of the picture.

    Returns:
        x and y of the upper left corner of each. One for which no place is free covers others.
    """
    taken: list[tuple[float, float, float, float]] = []
    for (left, top), (wide, high) in zip(corners, sizes, strict=True):
        x = min(max(left, 0.0), max(0.0, room[0] - wide))
        first = min(max(top - high, 0.0), max(0.0, room[1] - high))
        down = (first + step * high for step in range(int((room[1] - first) // high)))
        up = (first - step * high for step in range(1, int(first // high) + 1))
        free = (
            y
            for y in (*down, *up)
            if not any(x < r and x + wide > lx and y < b and y + high > t for lx, t, r, b in taken)
        )
        y = next(free, first)
        taken.append((x, y, x + wide, y + high))
    return [(x, y) for x, y, _, _ in taken]


def crop(
    pixels: NDArray[np.uint8],
    box: Box,
    *,
    margin: float = 0.25,
    max_side: int = 512,
    kind: Literal["PNG", "JPEG"] = "PNG",
    quality: int = 90,
) -> bytes:
    """What a box shows, with a margin of that share of its longer side, inside the image.

    Raises:
        ValueError: the box lies outside the image.
    """
    rows, columns = pixels.shape
    around = margin * max(box.x_max - box.x_min, box.y_max - box.y_min)
    left, top = max(0, int(box.x_min - around)), max(0, int(box.y_min - around))
    right, bottom = min(columns, round(box.x_max + around + 0.5)), min(rows, round(box.y_max + around + 0.5))
    if right <= left or bottom <= top:
        raise ValueError("the box lies outside the image")
    return _bytes(_reduced(pixels[top:bottom, left:right], max_side), kind, quality)


def _marked(
    base: Image.Image, shape: tuple[int, ...], marks: Sequence[Mark], lines: int = 500
) -> tuple[Image.Image, list[Label]]:
    """Marks of an image of that shape over its picture, their lines a share of its side, and labels in its pixels."""
    from PIL import Image, ImageDraw

    # in few pixels smooth lines are but pale ones
    fine = _FINE if max(base.size) >= _FEW else 1
    scale_x, scale_y = base.width / shape[1] * fine, base.height / shape[0] * fine
    size = base.width * fine, base.height * fine
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    thin = max(fine, round(max(size) / lines))
    labels = []
    for number, mark in enumerate(marks):
        colour = mark.colour or COLOURS[number % len(COLOURS)]
        outline = mark.outline or (contours(mark.mask) if mark.mask is not None else ())
        corner = None
        if outline:
            fill = Image.new("L", size, 0)
            pen = ImageDraw.Draw(fill)
            rings = [[(x * scale_x, y * scale_y) for x, y in ring] for ring in outline]
            for ring, original in zip(rings, outline, strict=True):
                pen.polygon(ring, fill=40 if _clockwise(original) else 0)
            layer.paste(Image.new("RGBA", size, colour), mask=fill)
            layer.putalpha(_lighter(layer.getchannel("A"), fill))
            draw = ImageDraw.Draw(layer)
            for ring in rings:
                draw.line([*ring, ring[0]], fill=colour, width=thin, joint="curve")
            corner = min(rings[0], key=lambda point: (point[1], point[0]))
        if mark.box is not None:
            edges = (
                mark.box.x_min * scale_x,
                mark.box.y_min * scale_y,
                mark.box.x_max * scale_x,
                mark.box.y_max * scale_y,
            )
            draw.rectangle(
                (min(edges[0], edges[2]), min(edges[1], edges[3]), max(edges[0], edges[2]), max(edges[1], edges[3])),
                outline=colour,
                width=thin,
            )
            corner = edges[0], edges[1]
        if mark.label and corner is not None:
            labels.append(Label(corner[0] / fine, corner[1] / fine, mark.label, colour))
    reduced = layer.resize(base.size, Image.Resampling.BOX)
    return Image.alpha_composite(base.convert("RGBA"), reduced), labels


def _reduced(pixels: NDArray[np.uint8], max_side: int) -> Image.Image:
    from PIL import Image

    whole = Image.fromarray(np.ascontiguousarray(pixels))
    longer = max(whole.size)
    if longer <= max_side:
        return whole
    size = max(1, round(whole.width * max_side / longer)), max(1, round(whole.height * max_side / longer))
    return whole.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _bytes(image: Image.Image, kind: Literal["PNG", "JPEG"], quality: int) -> bytes:
    out = io.BytesIO()
    if kind == "JPEG":
        # Without chroma subsampling: coloured lines stay sharp.
        image.save(out, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(out, "PNG", compress_level=6)
    return out.getvalue()


def _clockwise(ring: Polygon) -> bool:
    """Outer outlines run clockwise on screen, holes the other way."""
    return sum(x * ring[i - 1][1] - y * ring[i - 1][0] for i, (x, y) in enumerate(ring)) <= 0


def _lighter(one: Image.Image, other: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.lighter(one, other)


def _lettered(picture: Image.Image, labels: Sequence[Label], lettering: float) -> Image.Image:
    """Labels above their corners, each on a dark plate."""
    from PIL import Image, ImageDraw, ImageFont

    if not labels:
        return picture
    font = ImageFont.load_default(size=round(lettering * _FINE))
    space = 4 * _FINE
    written = picture.convert("RGBA")
    bounds = [ImageDraw.Draw(written).textbbox((0, 0), label.text, font=font) for label in labels]
    sizes = [
        (math.ceil((right - left + 2 * space) / _FINE), math.ceil((bottom - top + 2 * space) / _FINE))
        for left, top, right, bottom in bounds
    ]
    places = placed([(label.x, label.y) for label in labels], sizes, picture.size)
    for label, (x, y), (wide, high), (left, top, _, _) in zip(labels, places, sizes, bounds, strict=True):
        plate = Image.new("RGBA", (wide * _FINE, high * _FINE), (0, 0, 0, 200))
        ImageDraw.Draw(plate).text((space - left, space - top), label.text, font=font, fill=label.colour)
        # cut off by a picture that is smaller than it
        written.alpha_composite(plate.resize((wide, high), Image.Resampling.BOX), (round(x), round(y)))
    return written

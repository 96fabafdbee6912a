"""Pictures for people: a report's regions drawn over an image, and crops of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from wetread.evidence import Box
from wetread.imaging.contours import Polygon, contours
from wetread.imaging.geometry import Mask

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
"""Told apart by people who see colours differently (Okabe and Ito 2008); in the order in which marks take them."""

_FINE = 2  # drawn at twice the size and reduced, for smooth lines


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing to draw, in the image's own coordinates: a box, an outline (or a mask to take it from), a label."""

    label: str = ""
    box: Box | None = None
    outline: tuple[Polygon, ...] = ()
    mask: Mask | None = None
    colour: str | None = None
    """As `#RRGGBB`; the next of `COLOURS` where not given."""


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
    from PIL import Image, ImageDraw, ImageFont

    base = _reduced(pixels, max_side)
    scale_x, scale_y = base.width / pixels.shape[1] * _FINE, base.height / pixels.shape[0] * _FINE
    size = base.width * _FINE, base.height * _FINE
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    thin = max(2, round(max(size) / 500))
    font = ImageFont.load_default(size=max(20, round(max(size) / 55)))
    labels: list[tuple[tuple[float, float], str, str]] = []
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
            labels.append((corner, mark.label, colour))
    taken: list[tuple[float, float, float, float]] = []
    for corner, label, colour in labels:
        _label(draw, font, size, corner, label, colour, taken)
    reduced = layer.resize(base.size, Image.Resampling.BOX)
    return _bytes(Image.alpha_composite(base.convert("RGBA"), reduced).convert("RGB"), kind, quality)


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


def _label(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
    corner: tuple[float, float],
    label: str,
    colour: str,
    taken: list[tuple[float, float, float, float]],
) -> None:
    """A label above its corner, on a dark plate, moved down while it would cover another."""
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    wide, high, space = right - left, bottom - top, 8
    x = min(max(corner[0], 0), max(0.0, size[0] - wide - 2 * space))
    y = max(0.0, corner[1] - high - 2 * space)
    while any(x < r and x + wide + 2 * space > lx and y < b and y + high + 2 * space > t for lx, t, r, b in taken):
        y += high + 2 * space
    plate = (x, y, x + wide + 2 * space, y + high + 2 * space)
    taken.append(plate)
    draw.rectangle(plate, fill=(0, 0, 0, 200))
    draw.text((x + space - left, y + space - top), label, font=font, fill=colour)

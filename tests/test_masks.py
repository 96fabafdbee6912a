"""Masks: how good they look, their outline, extent and PNG; pictures drawn with them."""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wetread.evidence import Box
from wetread.imaging.contours import contours, svg_path
from wetread.imaging.masks import (
    assess,
    horizontal_extent,
    largest_component,
    mask_png,
    read_mask_png,
    widest_row,
)
from wetread.imaging.overlay import COLOURS, Mark, crop, overlay, picture
from wetread.imaging.png import encode_mask

bool_arrays = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=60))
quick = settings(deadline=None, max_examples=60)


def disc(size: int, x: float, y: float, radius: float, value: int = 255) -> NDArray[np.uint8]:
    ys, xs = np.mgrid[0:size, 0:size] + 0.5
    return np.where(np.hypot(xs - x, ys - y) <= radius, value, 0).astype(np.uint8)


def test_a_good_mask() -> None:
    quality = assess(disc(1024, 300, 400, 100, 250))
    assert quality.usable
    assert quality.components == 1
    assert quality.area == pytest.approx(np.pi * 100**2, rel=0.01)
    assert quality.centroid == pytest.approx((300, 400), abs=0.01)
    assert quality.box == Box(x_min=200, y_min=300, x_max=400, y_max=500)
    assert quality.probability == pytest.approx(250 / 255)
    assert quality.fraction == pytest.approx(quality.area / 1024**2)


def test_what_cannot_be_right() -> None:
    scattered = np.maximum.reduce([disc(1024, 200 * n + 100, 500, 40) for n in range(5)])
    assert assess(np.zeros((64, 64), np.uint8)).problems == ("empty",)
    assert assess(np.full((64, 64), 127, np.uint8)).problems == ("empty",)
    assert assess(disc(1024, 500, 500, 3)).problems == ("empty",)
    assert assess(scattered).problems == ("scattered",)
    assert assess(scattered).components == 5
    assert assess(disc(256, 128, 128, 60, 140)).problems == ("faint",)
    assert assess(np.full((64, 64), 255, np.uint8)).problems == ("too large",)


def test_padding_does_not_count_as_image() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[:, 40:60] = 255
    assert assess(mask).usable
    assert assess(mask, pixels=30 * 100).problems == ("too large",)


@given(bool_arrays, st.integers(128, 255))
@quick
def test_figures_of_any_mask(present: NDArray[np.bool_], value: int) -> None:
    mask = np.where(present, value, 0).astype(np.uint8)
    quality = assess(mask)
    assert quality.area == present.sum()
    if not quality.area:
        assert (quality.box, quality.centroid) == (None, None)
        return
    ys, xs = np.nonzero(present)
    assert quality.centroid == pytest.approx((xs.mean() + 0.5, ys.mean() + 0.5))
    assert quality.box == Box(x_min=xs.min(), y_min=ys.min(), x_max=xs.max() + 1, y_max=ys.max() + 1)
    assert quality.probability == pytest.approx(value / 255)
    assert horizontal_extent(mask) == (xs.min(), xs.max() + 1)
    kept = largest_component(mask)
    assert np.count_nonzero(kept) == pytest.approx(quality.largest * quality.area)
    assert set(np.unique(kept)) <= {0, value}
    assert not kept[~present].any()


def test_the_largest_component_stays() -> None:
    big, small = disc(1024, 300, 500, 150, 200), disc(1024, 800, 500, 50, 255)
    assert (largest_component(np.maximum(big, small)) == big).all()


@given(bool_arrays)
@quick
def test_the_widest_row(present: NDArray[np.bool_]) -> None:
    found = widest_row(present.astype(np.uint8) * 255)
    spans = {y: (np.flatnonzero(row)[0], np.flatnonzero(row)[-1] + 1) for y, row in enumerate(present) if row.any()}
    if not spans:
        assert found is None
        return
    assert found is not None
    y, left, right = found
    assert spans[int(y - 0.5)] == (left, right)
    assert right - left == max(b - a for a, b in spans.values())


def test_the_widest_row_spans_both_lungs() -> None:
    both = np.maximum(disc(200, 50, 100, 30), disc(200, 150, 100, 30))
    found = widest_row(both)
    assert found is not None
    assert found[1:] == (20, 180)
    assert found[0] == pytest.approx(100, abs=6)


@given(bool_arrays)
@quick
def test_mask_png_is_a_png_of_the_mask(present: NDArray[np.bool_]) -> None:
    mask = present.astype(np.uint8) * 200
    data = mask_png(mask)
    assert (read_mask_png(data) == present.astype(np.uint8) * 255).all()
    with Image.open(io.BytesIO(data)) as shown:
        assert shown.mode == "1"


@given(st.integers(1, 3000), st.integers(1, 40), st.booleans())
@quick
def test_long_runs_in_a_mask_png(columns: int, rows: int, value: bool) -> None:
    present = np.full((rows, columns), value)
    assert (read_mask_png(encode_mask(present)) == present * 255).all()


def test_mask_png_has_the_same_bytes_everywhere() -> None:
    """Masks are kept by the hash of these bytes: a report names them, and must come out the same on another machine."""
    data = mask_png(disc(64, 30, 33, 20))
    assert zlib.crc32(data) == 3915770603
    assert len(mask_png(disc(1024, 500, 500, 300))) < 8000


def test_what_is_no_png() -> None:
    with pytest.raises(ValueError, match="not a PNG"):
        read_mask_png(b"nothing of the kind")
    with pytest.raises(ValueError, match="bool"):
        encode_mask(np.zeros((3, 3), np.uint8))  # type: ignore[arg-type]


def filled(polygons: object, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside, by the even-odd rule, without help from the code under test."""
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    inside = np.zeros(shape, np.bool_)
    for ring in polygons:  # type: ignore[attr-defined]
        for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
            if y1 != y2:
                crosses = (ys >= min(y1, y2)) & (ys < max(y1, y2))
                inside ^= crosses & (xs < x1 + (ys - y1) / (y2 - y1) * (x2 - x1))
    return inside


@given(bool_arrays)
@quick
def test_outlines_with_enough_points_are_near_the_mask(present: NDArray[np.bool_]) -> None:
    mask = present.astype(np.uint8) * 255
    rings = contours(mask, max_points=100_000)
    assert bool(rings) == bool(present.any())
    assert all(len(ring) >= 3 for ring in rings)
    # Simplification moves an edge by one pixel at most: what lies deeper in or farther out is not touched.
    if rings and all(abs(area(ring)) >= 1 for ring in rings):
        padded = np.pad(present, 2)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
        shown = filled(rings, present.shape)
        assert shown[windows.all(axis=(2, 3))].all()
        assert not shown[~windows.any(axis=(2, 3))].any()


def area(ring: object) -> float:
    points = list(ring)  # type: ignore[call-overload]
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True)) / 2


def test_outline_of_a_box_is_its_corners() -> None:
    mask = np.zeros((50, 60), np.uint8)
    mask[10:30, 20:45] = 255
    (ring,) = contours(mask)
    assert sorted(ring) == [(20, 10), (20, 30), (45, 10), (45, 30)]
    assert area(ring) == 25 * 20  # clockwise on screen


def test_a_hole_runs_the_other_way() -> None:
    mask = disc(100, 50, 50, 40)
    mask[disc(100, 50, 50, 15) > 0] = 0
    outer, hole = contours(mask)
    assert area(outer) == pytest.approx(np.pi * 40**2, rel=0.03)
    assert area(hole) == pytest.approx(-np.pi * 15**2, rel=0.08)


def test_few_points_for_a_large_ragged_mask() -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((1955, 1841)) < 0.3
    mask = disc(1955, 900, 900, 600)[:, :1841]
    mask[noise & (np.roll(mask, 9, axis=1) == 0)] = 0
    rings = contours(mask, max_points=200)
    assert sum(map(len, rings)) <= 200
    shown = filled(rings, mask.shape)
    assert (shown & (mask > 0)).sum() / (shown | (mask > 0)).sum() > 0.97


def test_a_thin_line_in_a_large_picture_has_an_outline() -> None:
    mask = np.zeros((1500, 1500), np.uint8)
    mask[100:1400, 700] = 255
    rings = contours(mask)
    assert rings
    xs = [x for ring in rings for x, _ in ring]
    assert 690 <= min(xs) <= max(xs) <= 710


def test_svg_path() -> None:
    path = svg_path((((1.0, 2.0), (3.5, 2.0), (3.5, 4.0)), ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))))
    assert path == "M1 2L3.5 2L3.5 4ZM0 0L1 0L1 1Z"
    assert re.fullmatch(r"(M[\d. ]+(L[\d. ]+)+Z)+", path)


def decoded(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as shown:
        return np.array(shown)


def test_an_overlay_marks_its_places_and_nothing_else() -> None:
    pixels = np.full((500, 400), 90, np.uint8)
    marks = [
        Mark(box=Box(x_min=50, y_min=100, x_max=150, y_max=200)),
        Mark(mask=disc(500, 300, 300, 50)[:, :400]),
    ]
    drawn = decoded(overlay(pixels, marks, kind="PNG"))
    assert drawn.shape == (500, 400, 3)
    changed = (drawn != 90).any(axis=2)
    assert changed[150, 50]
    assert changed[300, 300]  # the faint filling
    assert changed[300, 250]
    assert not changed[150, 100]
    assert not changed[450:, :].any()
    near = [tuple(int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5))]
    assert np.abs(drawn[150, 49:52].astype(int) - near).sum(axis=1).min() < 30


def test_labels_do_not_cover_each_other() -> None:
    pixels = np.zeros((300, 300), np.uint8)
    box = Box(x_min=100, y_min=100, x_max=200, y_max=200)
    one = (decoded(overlay(pixels, [Mark("one", box)], kind="PNG")) > 0).any(axis=2)
    two = (decoded(overlay(pixels, [Mark("one", box), Mark("two", box)], kind="PNG")) > 0).any(axis=2)
    assert (two & ~one).sum() > 30


def test_pictures_are_brought_down_to_size() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1955, 1841), np.uint8)
    assert decoded(picture(pixels, max_side=512)).shape == (512, 482)
    assert decoded(picture(pixels[:100, :90], kind="PNG")).shape == (100, 90)
    assert decoded(overlay(pixels, [], max_side=300)).shape == (300, 283, 3)


def test_a_crop_shows_its_box_with_a_margin() -> None:
    pixels = np.zeros((200, 200), np.uint8)
    pixels[100:120, 140:180] = 255
    shown = decoded(crop(pixels, Box(x_min=140, y_min=100, x_max=180, y_max=120), margin=0.25, kind="PNG"))
    assert shown.shape in {(40, 60), (41, 61)}
    assert (shown == 255).sum() == 20 * 40
    edge = decoded(crop(pixels, Box(x_min=-5, y_min=190, x_max=10, y_max=260), kind="PNG"))
    assert edge.shape[0] <= 40
    with pytest.raises(ValueError, match="outside"):
        crop(pixels, Box(x_min=900, y_min=900, x_max=950, y_max=950))


def test_the_reference_filling_agrees_with_pillow() -> None:
    """The helper of these tests, checked against another implementation."""
    ring = ((10.0, 5.0), (50.0, 20.0), (30.0, 55.0))
    drawn = Image.new("1", (60, 60))
    ImageDraw.Draw(drawn).polygon(ring, fill=1)
    assert (filled([ring], (60, 60)) != np.asarray(drawn)).sum() < 150

"""Preparations and their inverses, on sizes that nothing divides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.evidence import Box
from wetread.imaging.geometry import Frame, Rectangle, pad, squash
from wetread.imaging.prepare import Preparation, prepare

sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
small_sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))
preparations = st.sampled_from(Preparation)
coordinates = st.floats(-500, 3500)


def small_frames(rows: int, columns: int) -> list[Frame]:
    """Frames of each kind, with squares small enough to enumerate."""
    return [
        Preparation.FULL.frame(rows, columns),
        Preparation.CENTRE_CROP.frame(rows, columns),
        pad(rows, columns, 31),
        squash(rows, columns, 17),
    ]


@given(sizes, preparations, coordinates, coordinates)
def test_points_come_back(size: tuple[int, int], preparation: Preparation, x: float, y: float) -> None:
    frame = preparation.frame(*size)
    assert frame.from_image(frame.to_image((x, y))) == pytest.approx((x, y), abs=1e-6)
    assert frame.to_image(frame.from_image((x, y))) == pytest.approx((x, y), abs=1e-6)


@given(sizes, preparations, coordinates, coordinates, st.floats(0, 900), st.floats(0, 900))
def test_boxes_come_back(
    size: tuple[int, int], preparation: Preparation, x: float, y: float, width: float, height: float
) -> None:
    box = Box(x_min=x, y_min=y, x_max=x + width, y_max=y + height)
    frame = preparation.frame(*size)
    for there_and_back in (
        frame.from_image(frame.to_image(box)),
        frame.to_image(frame.from_image(box)),
        frame.unit_to_image(frame.image_to_unit(box)),
    ):
        assert list(there_and_back.model_dump().values()) == pytest.approx(list(box.model_dump().values()), abs=1e-6)


@given(sizes, preparations)
def test_corners_of_the_content_are_corners_of_the_source(size: tuple[int, int], preparation: Preparation) -> None:
    frame = preparation.frame(*size)
    content, source = frame.content, frame.source
    assert frame.to_image((float(content.left), float(content.top))) == (source.left, source.top)
    assert frame.to_image((float(content.left + content.columns), float(content.top + content.rows))) == (
        source.left + source.columns,
        source.top + source.rows,
    )


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 99), st.integers(0, 99))
def test_a_crop_relative_box_follows_the_endpoints_formula(width: int, height: int, i: int, j: int) -> None:
    """CXRReportGen: X = x * s + (W - s) // 2, with s the shorter side and x in bins of one hundredth."""
    x, y = i * 0.01 + 0.005, j * 0.01 + 0.005
    side = min(width, height)
    box = Preparation.CENTRE_CROP.frame(height, width).unit_to_image(Box(x_min=x, y_min=y, x_max=x, y_max=y))
    assert box.x_min == pytest.approx(x * side + (width - side) // 2, abs=1e-6)
    assert box.y_max == pytest.approx(y * side + (height - side) // 2, abs=1e-6)


@given(sizes)
def test_padding_keeps_the_aspect_ratio_within_half_a_pixel(size: tuple[int, int]) -> None:
    rows, columns = size
    frame = Preparation.PAD_1024.frame(rows, columns)
    assert max(frame.content.rows, frame.content.columns) == 1024
    scale = 1024 / max(rows, columns)
    assert abs(frame.content.rows - max(1, rows * scale)) <= 0.5
    assert abs(frame.content.columns - max(1, columns * scale)) <= 0.5
    # Centred: the two margins differ by one pixel at most.
    assert 0 <= 1024 - frame.content.columns - 2 * frame.content.left <= 1
    assert 0 <= 1024 - frame.content.rows - 2 * frame.content.top <= 1
    assert frame.lost == 0


@given(small_sizes, st.integers(0, 2**32))
def test_masks_come_back_where_the_image_is_not_smaller(size: tuple[int, int], seed: int) -> None:
    for frame in small_frames(*size):
        inner, outer = frame.content, frame.source
        mask = np.zeros((frame.rows, frame.columns), np.uint8)
        part = slice(inner.top, inner.top + inner.rows), slice(inner.left, inner.left + inner.columns)
        mask[part] = np.random.default_rng(seed).integers(0, 256, (inner.rows, inner.columns), np.uint8)
        if outer.rows >= inner.rows and outer.columns >= inner.columns:
            assert (frame.from_image(frame.to_image(mask, smooth=False), smooth=False) == mask).all()


@given(small_sizes, st.integers(0, 2**32))
def test_masks_of_the_image_come_back_where_the_prepared_picture_is_not_smaller(
    size: tuple[int, int], seed: int
) -> None:
    mask = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    for frame in small_frames(*size):
        inner, outer = frame.content, frame.source
        if inner.rows >= outer.rows and inner.columns >= outer.columns:
            part = slice(outer.top, outer.top + outer.rows), slice(outer.left, outer.left + outer.columns)
            expected = np.zeros_like(mask)
            expected[part] = mask[part]
            assert (frame.to_image(frame.from_image(mask, smooth=False), smooth=False) == expected).all()


@given(small_sizes, st.data())
def test_a_mask_pixel_goes_where_its_point_goes(size: tuple[int, int], data: st.DataObject) -> None:
    for frame in small_frames(*size):
        x = data.draw(st.integers(0, frame.image_columns - 1))
        y = data.draw(st.integers(0, frame.image_rows - 1))
        mask = np.zeros((frame.rows, frame.columns), np.uint8)
        inside = frame.from_image((x + 0.5, y + 0.5))
        column, row = int(np.floor(inside[0])), int(np.floor(inside[1]))
        if 0 <= row < frame.rows and 0 <= column < frame.columns:
            mask[row, column] = 255
            assert frame.to_image(mask, smooth=False)[y, x] == 255


@given(st.integers(40, 400), st.integers(40, 400), st.integers(0, 99))
def test_smooth_masks_keep_area_and_place(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[0:rows, 0:columns] + 0.5
    radius = min(rows, columns) * rng.uniform(0.2, 0.35)
    centre = rng.uniform(0.4, 0.6, 2) * (columns, rows)
    disc = np.where(np.hypot(xs - centre[0], ys - centre[1]) <= radius, 255, 0).astype(np.uint8)
    frame = pad(rows, columns, 256)
    back = frame.to_image(frame.from_image(disc)) >= 128
    wrong = np.count_nonzero(back != (disc == 255))
    # At most about a pixel all along the rim, of the coarser of the two grids.
    assert wrong <= 2 * np.pi * radius * max(1.0, max(rows, columns) / 256)
    found = xs[back].mean(), ys[back].mean()
    assert found == pytest.approx(tuple(centre), abs=max(1.0, max(rows, columns) / 256))


@given(st.integers(3, 90), st.integers(3, 90), st.integers(0, 2**32))
def test_cropping_a_mask_before_resizing_changes_nothing(rows: int, columns: int, seed: int) -> None:
    """Sparse masks are moved by their occupied part alone; the answer is that of moving the whole."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 40), np.uint8)
    top, left = rng.integers(0, 39, 2)
    mask[top : top + rng.integers(1, 20), left : left + rng.integers(1, 20)] = rng.integers(1, 256)
    moved = squash(rows, columns, 40).to_image(mask)
    whole = np.asarray(Image.fromarray(mask).resize((columns, rows), Image.Resampling.BILINEAR))
    assert np.abs(moved.astype(int) - whole).max() <= 1


def test_what_a_crop_loses_is_told() -> None:
    frame = Preparation.CENTRE_CROP.frame(1955, 1841)
    assert frame.lost == pytest.approx(1 - 1841 / 1955)
    assert frame.shows(Box(x_min=0, y_min=0, x_max=10, y_max=114)) == pytest.approx(0.5)
    assert frame.shows(Box(x_min=0, y_min=0, x_max=10, y_max=50)) == 0
    assert frame.shows(Box(x_min=5, y_min=5, x_max=5, y_max=9)) == 0
    assert frame.clip(Box(x_min=-4, y_min=3, x_max=5000, y_max=1956)) == Box(x_min=0, y_min=3, x_max=1841, y_max=1955)


def test_a_frame_refuses_what_does_not_fit() -> None:
    inside = Rectangle(left=0, top=0, columns=4, rows=4)
    with pytest.raises(ValueError, match="reaches beyond"):
        Frame(
            image_rows=4,
            image_columns=4,
            rows=4,
            columns=4,
            source=inside,
            content=Rectangle(left=1, top=0, columns=4, rows=4),
        )
    with pytest.raises(ValueError, match="a mask here is uint8"):
        squash(9, 9, 5).to_image(np.zeros((9, 9), np.uint8))
    with pytest.raises(ValueError, match="a mask here is uint8"):
        squash(9, 9, 5).from_image(np.zeros((9, 9), np.float32))  # type: ignore[call-overload]


@given(small_sizes, preparations)
def test_prepared_pixels_have_the_frames_size(size: tuple[int, int], preparation: Preparation) -> None:
    array = np.full(size, 200, np.uint8)
    prepared, frame = prepare(array, preparation)
    assert prepared.shape == (frame.rows, frame.columns)
    assert (frame.image_rows, frame.image_columns) == size
    content = frame.content
    inside = prepared[content.top : content.top + content.rows, content.left : content.left + content.columns]
    assert (inside == 200).all()
    assert prepared.sum(dtype=np.int64) == inside.sum(dtype=np.int64)

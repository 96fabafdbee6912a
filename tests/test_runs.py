"""Masks as runs: the pixels they stand for, their parts, and masks brought into an image without being drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from wetread.evidence import Box
from wetread.imaging.geometry import Frame, Rectangle, full, pad
from wetread.imaging.parts import parts
from wetread.imaging.png import encode_runs
from wetread.imaging.runs import Runs, runs_of, to_image

quick = settings(deadline=None, max_examples=80)
bool_arrays = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
sizes = st.integers(1, 60)


def coarse(shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """A mask with pieces, holes and values on both sides of the threshold, some of them just there."""
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([0, 40, 127, 128, 200, 255], np.uint8), (-(-shape[0] // 3), -(-shape[1] // 3)))
    return np.kron(values, np.ones((3, 3), np.uint8))[: shape[0], : shape[1]].astype(np.uint8)


@given(bool_arrays)
@quick
def test_runs_are_the_pixels(present: NDArray[np.bool_]) -> None:
    runs = runs_of(present)
    assert (runs.drawn() == present).all()
    assert runs.area == present.sum()
    assert (runs.ends > runs.starts).all()
    ys, xs = np.nonzero(present)
    if not ys.size:
        assert (runs.box, runs.centroid) == (None, None)
        return
    assert runs.box == Box(x_min=xs.min(), y_min=ys.min(), x_max=xs.max() + 1, y_max=ys.max() + 1)
    assert runs.centroid == pytest.approx((xs.mean() + 0.5, ys.mean() + 0.5))


def flooded(present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Parts from 1 on by flooding each from its first pixel, without help from the code under test."""
    labels = np.zeros(present.shape, np.int64)
    count = 0
    for start in zip(*np.nonzero(present), strict=True):
        if labels[start]:
            continue
        count += 1
        waiting = [start]
        labels[start] = count
        while waiting:
            y, x = waiting.pop()
            for place in ((y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
                inside = 0 <= place[0] < present.shape[0] and 0 <= place[1] < present.shape[1]
                if inside and present[place] and not labels[place]:
                    labels[place] = count
                    waiting.append(place)
    return labels


@given(bool_arrays)
@quick
def test_parts_are_what_flooding_finds(present: NDArray[np.bool_]) -> None:
    runs = runs_of(present)
    labels = flooded(present)
    assert (parts(runs) + 1).tolist() == labels[runs.rows, runs.starts].tolist()


def test_a_spiral_is_one_part() -> None:
    spiral = np.zeros((41, 41), np.bool_)
    for ring in range(0, 20, 2):
        far = 40 - ring
        spiral[ring, ring : far + 1] = spiral[far, ring : far + 1] = spiral[ring : far + 1, far] = True
        spiral[ring + 2 : far + 1, ring] = spiral[ring + 2, ring : ring + 3] = True
    assert set(parts(runs_of(spiral)).tolist()) == {0}
    spiral[20] = False
    assert len(set(parts(runs_of(spiral)).tolist())) == flooded(spiral).max()


def test_touching_runs_are_one_part() -> None:
    runs = Runs((1, 9), np.array([0, 0, 0]), np.array([0, 3, 7]), np.array([3, 5, 9]))
    assert parts(runs).tolist() == [0, 0, 1]


def interpolated(mask: NDArray[np.uint8], frame: Frame) -> NDArray[np.bool_]:
    """Whether the mask is present at the centre of each image pixel, by the formula, in floating point."""
    source, content = frame.source, frame.content
    part = mask[content.top : content.top + content.rows, content.left : content.left + content.columns].astype(float)
    y = np.clip((np.arange(source.rows) + 0.5) * content.rows / source.rows - 0.5, 0, content.rows - 1)
    x = np.clip((np.arange(source.columns) + 0.5) * content.columns / source.columns - 0.5, 0, content.columns - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, content.rows - 1), np.minimum(left + 1, content.columns - 1)
    down, across = (y - top)[:, None], x - left
    upper = part[top][:, left] * (1 - across) + part[top][:, right] * across
    lower = part[below][:, left] * (1 - across) + part[below][:, right] * across
    whole = np.zeros((frame.image_rows, frame.image_columns))
    whole[source.top : source.top + source.rows, source.left : source.left + source.columns] = (
        upper * (1 - down) + lower * down
    )
    return whole >= 128 - 1e-9


@given(sizes, sizes, st.integers(1, 40), st.integers(0, 999))
@quick
def test_a_mask_comes_to_the_image_as_interpolated(rows: int, columns: int, side: int, seed: int) -> None:
    frame = pad(rows, columns, side)
    mask = coarse((side, side), seed)
    runs = to_image(mask, frame)
    assert (runs.drawn() == interpolated(mask, frame)).all()
    assert (runs.ends > runs.starts).all()


@given(st.data(), st.integers(0, 999))
@quick
def test_a_mask_comes_to_its_part_of_the_image(data: st.DataObject, seed: int) -> None:
    def part(rows: int, columns: int) -> Rectangle:
        high, wide = data.draw(st.integers(1, rows)), data.draw(st.integers(1, columns))
        top, left = data.draw(st.integers(0, rows - high)), data.draw(st.integers(0, columns - wide))
        return Rectangle(left=left, top=top, columns=wide, rows=high)

    frame = Frame(image_rows=50, image_columns=37, rows=20, columns=30, source=part(50, 37), content=part(20, 30))
    mask = coarse((20, 30), seed)
    assert (to_image(mask, frame).drawn() == interpolated(mask, frame)).all()


@given(sizes, sizes, st.integers(0, 999))
@quick
def test_a_box_that_holds_the_mask_changes_nothing(rows: int, columns: int, seed: int) -> None:
    frame = pad(rows, columns, 24)
    mask = coarse((24, 24), seed)
    mask[:7] = mask[:, 15:] = 0
    for box in (Box(x_min=0, y_min=7, x_max=15, y_max=24), Box(x_min=0, y_min=0, x_max=24, y_max=24)):
        assert to_image(mask, frame, box).drawn().tolist() == to_image(mask, frame).drawn().tolist()


def test_enlarging_agrees_with_pillow_but_for_its_rounding() -> None:
    ys, xs = np.mgrid[0:1024, 0:1024] + 0.5
    mask = np.clip(128 + (300 - np.hypot(xs - 500, ys - 480)) * 40, 0, 255).astype(np.uint8)
    frame = pad(1955, 1841, 1024)
    ours, theirs = to_image(mask, frame).drawn(), frame.to_image(mask) >= 128
    assert np.count_nonzero(ours != theirs) < 1e-3 * np.count_nonzero(theirs)


def test_an_image_of_the_same_size_keeps_the_mask() -> None:
    mask = coarse((33, 45), 7)
    assert (to_image(mask, full(33, 45)).drawn() == (mask >= 128)).all()


def test_a_mask_of_another_shape_or_type_is_refused() -> None:
    for mask in (np.zeros((5, 6), np.uint8), np.zeros((5, 5), np.bool_)):
        with pytest.raises(ValueError, match="a mask here is uint8"):
            to_image(mask, full(5, 5))


@given(bool_arrays)
@quick
def test_a_png_of_runs_shows_them(present: NDArray[np.bool_]) -> None:
    with Image.open(io.BytesIO(encode_runs(runs_of(present)))) as shown:
        assert shown.mode == "1"
        assert (np.asarray(shown) == present).all()


def test_runs_that_touch_or_end_at_the_edge_make_the_same_png() -> None:
    present = np.ones((3, 16), np.bool_)
    halves = Runs((3, 16), np.repeat(np.arange(3), 2), np.array([0, 5] * 3), np.array([5, 16] * 3))
    assert encode_runs(halves) == encode_runs(runs_of(present))
    with pytest.raises(ValueError, match="has none"):
        encode_runs(Runs((0, 16), np.array([], int), np.array([], int), np.array([], int)))

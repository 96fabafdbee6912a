"""Pictures in a terminal, decoded back by decoders that share nothing with the encoders, and seen on a real screen."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from wetread.apps.pictures.blocks import DRAWN, RAMP, half_blocks, palette, ramp
from wetread.apps.pictures.fitting import ASSUMED, Cell, fit
from wetread.apps.pictures.graphics import CHUNK, iterm, kitty
from wetread.apps.pictures.painters import LARGEST, Blocks, Graphics, Off
from wetread.apps.pictures.sixel import GRAYS, sixel
from wetread.imaging.overlay import Label

Pixels = NDArray[np.uint8]

CELL = Cell(10, 20)
PICTURES = st.one_of(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
)
SHAPES = [(1, 1), (1, 300), (300, 1), (7, 13), (64, 64), (33, 500), (2000, 1500)]


def gradient(rows: int, columns: int) -> Pixels:
    """Dark above on the left, bright below on the right."""
    y, x = np.mgrid[0:rows, 0:columns]
    return ((y / max(1, rows - 1) + x / max(1, columns - 1)) * 127).astype(np.uint8)


def as_rgb(pixels: Pixels) -> Pixels:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def from_sixel(text: str) -> tuple[Pixels, NDArray[np.bool_]]:
    """Pixels, and which of them were drawn: one character at a time, as DEC's manual has it."""
    head = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.S)
    assert head is not None
    columns, rows, body = int(head[1]), int(head[2]), head[3]
    bands = -(-rows // 6)
    pixels, drawn = np.zeros((bands * 6, columns, 3), np.uint8), np.zeros((bands * 6, columns), np.bool_)
    registers: dict[int, tuple[int, ...]] = {}
    colour, x, y = 0, 0, 0
    for token in re.finditer(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])", body):
        if token[1]:
            registers[int(token[1])] = tuple(round(int(part) * 255 / 100) for part in token.group(2, 3, 4))
            assert all(int(part) <= 100 for part in token.group(2, 3, 4))
        elif token[5]:
            colour = int(token[5])
        elif token[9]:
            x, y = 0, y + (6 if token[9] == "-" else 0)
        else:
            count, character = (int(token[6]), token[7]) if token[6] else (1, token[8])
            bits = ord(character) - 63
            for row in range(6):
                if bits >> row & 1:
                    assert not drawn[y + row, x : x + count].any(), "drawn twice"
                    pixels[y + row, x : x + count] = registers[colour]
                    drawn[y + row, x : x + count] = True
            x += count
            assert x <= columns
    assert "".join(match[0] for match in re.finditer(r"[#!?-~$;\d-]", body)) == body
    assert len(registers) <= 256
    assert not drawn[rows:].any()
    return pixels[:rows], drawn[:rows]


def from_kitty(text: str) -> tuple[Pixels, dict[str, str]]:
    parts = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == text
    keys = [dict(pair.split("=") for pair in part.split(",")) for part, _ in parts]
    assert all(len(data) <= CHUNK and len(data) % 4 == 0 for _, data in parts)
    assert [key["m"] for key in keys] == ["1"] * (len(parts) - 1) + ["0"]
    assert all(set(key) == {"m", "q"} for key in keys[1:])
    with Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in parts)))) as picture:
        assert picture.format == "PNG"
        return np.array(picture), keys[0]


def from_iterm(text: str) -> tuple[Pixels, dict[str, str]]:
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07", text)
    assert found is not None
    keys = dict(pair.split("=") for pair in found[1].split(";"))
    data = base64.b64decode(found[2])
    assert int(keys["size"]) == len(data)
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(picture), keys


def from_blocks(lines: list[str]) -> tuple[Pixels, NDArray[np.bool_], list[str]]:
    """Pixels, which of them have a colour, and the characters, of lines in truecolor."""
    rows, characters = [], []
    for line in lines:
        upper, lower, text = [], [], ""
        front: tuple[int, ...] | None = None
        back: tuple[int, ...] | None = None
        for token in re.finditer(r"\x1b\[([\d;]*)m|(.)", line):
            if token[2]:
                text += token[2]
                upper.append(front)
                lower.append(back)
                continue
            codes = [int(code) for code in token[1].split(";")]
            while codes:
                code = codes.pop(0)
                if code == 0:
                    front = back = None
                elif code == 49:
                    back = None
                else:
                    assert code in (38, 48) and codes.pop(0) == 2
                    value, codes = tuple(codes[:3]), codes[3:]
                    front, back = (value, back) if code == 38 else (front, value)
        assert (front, back) == (None, None), "colours are left on"
        rows += [upper, lower]
        characters.append(text)
    there = np.array([[value is not None for value in row] for row in rows])
    return np.array([[value or (0, 0, 0) for value in row] for row in rows], np.uint8), there, characters


@settings(max_examples=60, deadline=None)
@given(PICTURES)
def test_sixel_comes_back(pixels: Pixels) -> None:
    shown, drawn = from_sixel(sixel(pixels))
    assert drawn.all()
    assert shown.shape[:2] == pixels.shape[:2]
    # half a gray, and half a percent
    apart = np.abs(shown.astype(int) - as_rgb(pixels))
    limit = 255 / (GRAYS - 1) / 2 + 255 / 100 / 2 + 1
    gray = np.ptp(as_rgb(pixels), axis=2) == 0
    assert apart[gray].max(initial=0) <= limit
    # colours share registers: near on the whole, whatever the noise
    assert apart.mean() <= 24


def test_sixel_keeps_the_colours_of_marks() -> None:
    pixels = as_rgb(gradient(90, 120)).copy()
    pixels[10:20, 10:60] = (255, 181, 46)
    pixels[40:70, 30] = (86, 180, 233)
    shown, _ = from_sixel(sixel(pixels))
    assert np.abs(shown.astype(int) - pixels).max() <= 6


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_png_protocols_come_back(pixels: Pixels) -> None:
    shown, keys = from_kitty(kitty(pixels, 12, 7))
    assert np.array_equal(shown, pixels)
    assert keys == {"a": "T", "f": "100", "t": "d", "q": "2", "C": "1", "c": "12", "r": "7", "m": keys["m"]}
    shown, keys = from_iterm(iterm(pixels, 12, 7))
    assert np.array_equal(shown, pixels)
    assert (keys["inline"], keys["width"], keys["height"], keys["preserveAspectRatio"]) == ("1", "12", "7", "1")


def test_what_is_too_much_for_iterm_goes_as_jpeg() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (800, 800, 3), np.uint8)
    text = iterm(noise, 40, 20)
    shown, _ = from_iterm(text)
    assert shown.shape == noise.shape
    assert len(text) < 2**20


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_half_blocks_come_back(pixels: Pixels) -> None:
    shown, there, characters = from_blocks(half_blocks(pixels))
    assert np.array_equal(shown[: len(pixels)], as_rgb(pixels))
    assert there[: len(pixels)].all() and not there[len(pixels) :].any()
    assert set("".join(characters)) == {"▀"}


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_the_nearest_of_xterms_colours_is_taken(colour: tuple[int, int, int]) -> None:
    levels = (0, 95, 135, 175, 215, 255)
    table = [(r, g, b) for r in levels for g in levels for b in levels] + [(v, v, v) for v in range(8, 239, 10)]
    index = int(palette(np.array([[colour]], np.uint8))[0, 0])
    apart = [sum((a - b) ** 2 for a, b in zip(colour, entry, strict=True)) for entry in table]
    assert apart[index - 16] <= min(apart) * 1.05 + 3


def test_without_colours_there_is_but_ascii() -> None:
    pixels = np.repeat(np.linspace(0, 255, 16).astype(np.uint8)[None], 2, axis=0)
    assert ramp(pixels) == [RAMP, RAMP]
    marked = as_rgb(pixels).copy()
    marked[0, 3] = (255, 181, 46)
    assert ramp(marked, {(5, 1): ("S", "#ffb52e")}) == [
        RAMP[:3] + DRAWN + RAMP[4:],
        RAMP[:5] + "S" + RAMP[6:],
    ]
    assert DRAWN not in RAMP
    text = Blocks("none").paint(marked, columns=16, rows=4, labels=[Label(0, 0, "S2", "#ffb52e")])
    assert text.isascii() and "\x1b" not in text and text.startswith("S2")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("room", [(60, 30), (1, 1), (200, 5), (5, 50)])
def test_pictures_keep_to_their_cells_and_proportions(shape: tuple[int, int], room: tuple[int, int]) -> None:
    columns, rows = room
    place = fit(shape, columns, rows, CELL)
    assert 1 <= place.columns <= columns and 1 <= place.rows <= rows
    assert place.width <= place.columns * CELL.width < place.width + CELL.width
    assert place.height <= place.rows * CELL.height < place.height + CELL.height
    assert place.width == columns * CELL.width or place.height == rows * CELL.height
    # as near to the proportions as whole pixels are
    assert abs(place.width * shape[0] - place.height * shape[1]) <= max(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", [CELL, None, Cell(20, 41)])
def test_every_painter_paints_every_shape(shape: tuple[int, int], cell: Cell | None) -> None:
    pixels = gradient(*shape)
    for name in ("kitty", "iterm", "sixel"):
        painter = Graphics(name, cell)
        for source, labels in ((pixels, []), (as_rgb(pixels), [Label(0, 0, "S2", "#ffb52e")])):
            text = painter.paint(source, columns=60, rows=30, labels=labels)
            rows, sequence = unframed(text)
            assert 1 <= rows <= 30
            if name == "sixel":
                shown = from_sixel(sequence)[0]
                assert -(-len(shown) // 6) * 6 <= rows * (cell or ASSUMED).height
            elif name == "kitty":
                shown, keys = from_kitty(sequence)
                assert int(keys["r"]) == rows and int(keys["c"]) <= 60
            else:
                shown, keys = from_iterm(sequence)
                assert int(keys["height"]) == rows and int(keys["width"]) <= 60
            assert max(shown.shape[:2]) <= LARGEST[name] + 64  # what is filled up with
    for depth in ("truecolor", "256", "none"):
        lines = Blocks(depth).paint(pixels, columns=60, rows=30).splitlines()
        assert 1 <= len(lines) <= 30
        assert all(1 <= len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= 60 for line in lines)


def unframed(text: str) -> tuple[int, str]:
    """How many rows room is made for, and what is drawn there, the cursor kept."""
    found = re.fullmatch(r"\r(\n+)\x1b\[(\d+)A\x1b7(.*)\x1b8\x1b\[(\d+)B\r", text, re.S)
    assert found is not None
    assert len(found[1]) == int(found[2]) == int(found[4])
    return len(found[1]), found[3]


def test_kitty_does_not_stretch() -> None:
    """What is missing to whole cells is transparent, and the picture in it keeps its proportions."""
    pixels = np.full((100, 93), 200, np.uint8)
    _, sequence = unframed(Graphics("kitty", CELL).paint(pixels, columns=31, rows=30))
    shown, keys = from_kitty(sequence)
    assert shown.shape == (int(keys["r"]) * 20, int(keys["c"]) * 10, 4)
    solid = shown[:, :, 3] == 255
    assert solid.any(axis=1).sum() / solid.any(axis=0).sum() == pytest.approx(100 / 93, rel=0.01)
    assert (shown[solid][:, :3] == 200).all()


def test_text_goes_on_below_a_picture() -> None:
    """Also at the end of the screen, and where the terminal leaves the cursor at the picture's end."""
    pixels = gradient(100, 100)
    for painter in (Graphics("sixel", CELL), Blocks(), Blocks("none")):
        screen = pyte.HistoryScreen(40, 12, history=100)
        stream = pyte.Stream(screen)
        for line in range(10):
            stream.feed(f"before {line}\r\n")
        text = painter.paint(pixels, columns=10, rows=5)
        if isinstance(painter, Graphics):
            text = re.sub(r"\x1bP.*\x1b\\\\|\x1bP[^\x1b]*\x1b\\", "(the picture)\x1b[4;9H", text, flags=re.S)
        stream.feed(text.replace("\n", "\r\n"))
        stream.feed("after\r\n")
        lines = [line.rstrip() for line in screen.display]
        assert lines[10] == "after"
        assert lines[4] == "before 9"
        assert lines[5] != "" and not lines[5].startswith("before")


def test_letters_on_half_blocks_do_not_cover_each_other() -> None:
    labels = [Label(10, 20, text, "#56b4e9") for text in ("S1", "S2", "left lung")]
    text = Blocks().paint(np.zeros((60, 60), np.uint8), columns=60, rows=30, labels=labels)
    shown = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in text.splitlines()]
    assert all(any(label.text in line for line in shown) for label in labels)
    assert "38;2;86;180;233" in text
    assert "\x1b" not in re.sub(
        r"\x1b\[[\d;]*m",
        "",
        Blocks().paint(np.zeros((9, 9), np.uint8), columns=9, rows=9, labels=[Label(0, 9, "\x1b[2J", "#ffffff")]),
    )


def test_off_paints_nothing() -> None:
    assert Off().paint(gradient(9, 9), columns=9) == ""
    assert Off().resolution(80, 24) == (0, 0)
    for painter in (Blocks(), Graphics("kitty"), Graphics("sixel"), Graphics("iterm")):
        assert painter.paint(None, columns=9, rows=9) == ""
        assert min(painter.resolution(60, 30)) >= 60


def test_a_picture_drawn_to_measure_is_not_scaled_again() -> None:
    rng = np.random.default_rng(3)
    for painter in (Blocks(), Graphics("kitty", CELL), Graphics("sixel", CELL), Graphics("iterm", CELL)):
        width, height = painter.resolution(20, 9)
        pixels = rng.integers(0, 256, (height, width), np.uint8)
        text = painter.paint(pixels, columns=20, rows=9)
        if isinstance(painter, Blocks):
            assert np.array_equal(from_blocks(text.splitlines())[0], as_rgb(pixels))
        elif painter.name == "kitty":
            assert np.array_equal(from_kitty(unframed(text)[1])[0], pixels)
        elif painter.name == "sixel":
            assert np.abs(from_sixel(unframed(text)[1])[0].astype(int) - as_rgb(pixels)).max() <= 5

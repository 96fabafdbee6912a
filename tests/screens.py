"""What a terminal shows of the bytes that a program wrote: as text, with its scrollback, and as an SVG picture.

pyte does the emulation. It knows neither the strings that carry pictures (DCS, APC, OSC) nor the newer sequences, and
would draw them as text: they are taken out before, and kept for whoever asks.
"""

from __future__ import annotations

import codecs
import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import pyte
from pyte.screens import Char

BRACKETED_PASTE = 2004 << 5
APPLICATION_CURSOR = 1 << 5
ALTERNATE = (47, 1047, 1049)

_ESCAPE = re.compile(rb"\x1b(?:(?P<string>[P_\]^X])|\[(?P<csi>[0-?]*[ -/]*[@-~])|(?P<other>[ -/]*[0-OQ-WYZ\\`-~]))")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)?\Z")
_STRING_KINDS = {b"P": "DCS", b"_": "APC", b"]": "OSC", b"^": "PM", b"X": "SOS"}


class ControlString(NamedTuple):
    """A string that a program sent to the terminal itself, such as a picture."""

    kind: str
    """DCS (Sixel), APC (Kitty), OSC (iTerm2, titles), PM or SOS."""
    payload: bytes


class Screen(pyte.Screen):
    """A screen whose lines scroll up into `above`, which has an alternate screen, and which answers questions."""

    def __init__(self, columns: int, rows: int, answer: Callable[[bytes], None]) -> None:
        self.above: list[Any] = []
        self._answer = answer
        self._main: tuple[Any, Any] | None = None
        super().__init__(columns, rows)

    def index(self) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        if self.cursor.y == bottom and top == 0 and self._main is None:
            self.above.append(self.buffer[0])
        super().index()

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        if how == 3:
            self.above.clear()
        else:
            super().erase_in_display(how, *args, **kwargs)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """As terminals do: what is below the cursor goes first, then lines at the top scroll up; nothing reflows."""
        lines, columns = lines or self.lines, columns or self.columns
        for _ in range(self.cursor.y - (lines - 1)):
            if self._main is None:
                self.above.append(self.buffer[0])
            self.buffer.pop(0, None)
            for y in sorted(self.buffer):
                self.buffer[y - 1] = self.buffer.pop(y)
            self.cursor.y -= 1
        for y in [y for y in self.buffer if y >= lines]:
            del self.buffer[y]
        self.lines = lines  # the base class would take lines off the top
        super().resize(lines, columns)
        self.margins = None
        self.cursor.x = min(self.cursor.x, columns - 1)
        self.dirty.update(range(lines))

    def set_margins(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("private", None)
        super().set_margins(*args, **kwargs)

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        if kwargs.get("private") and set(modes) & set(ALTERNATE) and self._main is None:
            self._main = copy.deepcopy((self.buffer, self.cursor))
            super().erase_in_display(2)
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        if kwargs.get("private") and set(modes) & set(ALTERNATE) and self._main is not None:
            self.buffer, self.cursor = self._main
            self._main = None
            self.dirty.update(range(self.lines))
        super().reset_mode(*modes, **kwargs)

    def select_graphic_rendition(self, *attrs: int, **kwargs: Any) -> None:
        # pyte knows no faint text, which many use, and we no blinking, which nobody should: one stands for the other
        plain: list[int] = []
        rest = list(attrs)
        while rest:
            attr = rest.pop(0)
            if attr in (38, 48):
                colour = [attr, *rest[: 2 if rest[:1] == [5] else 4]]
                plain += colour
                rest = rest[len(colour) - 1 :]
            else:
                plain += {2: [5], 5: [], 22: [22, 25]}.get(attr, [attr])
        if plain or not attrs:
            super().select_graphic_rendition(*plain)

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Emulator:
    """A terminal without a window.

    Args:
        columns: Width in characters.
        rows: Height in characters.
        replies: What this terminal answers, by the whole sequence that asks (for a string without its end); sequences
            that are here are answered by these alone. Where the cursor is, and what kind of terminal this is, is
            answered as an xterm does by default.
        answer: Gets the bytes that the terminal sends to the program.
    """

    def __init__(
        self,
        columns: int = 100,
        rows: int = 30,
        *,
        replies: Mapping[bytes, bytes] | None = None,
        answer: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self.strings: list[ControlString] = []
        """All that came as DCS, APC, OSC, in order."""
        self._replies = replies or {}
        self._answer = answer
        self._screen = Screen(columns, rows, answer)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = b""
        self._string: tuple[bytes, bytearray] | None = None

    def feed(self, data: bytes) -> None:
        """Take what a program wrote, cut anywhere."""
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            if self._string is not None:
                at = self._in_string(data, at)
                continue
            start = data.find(b"\x1b", at)
            self._draw(data[at : len(data) if start < 0 else start])
            if start < 0:
                return
            found = _ESCAPE.match(data, start)
            if found is None:
                if _UNFINISHED.match(data, start):
                    self._rest = data[start:]
                    return
                at = start + 1  # no sequence at all
                continue
            at = found.end()
            if found["string"]:
                self._string = (found["string"], bytearray())
            else:
                self._sequence(found)

    def _in_string(self, data: bytes, at: int) -> int:
        assert self._string is not None
        kind, payload = self._string
        end = re.compile(rb"\x1b\\|\x07|\x1b\Z" if kind == b"]" else rb"\x1b\\|\x1b\Z").search(data, at)
        if end is None:
            payload += data[at:]
            return len(data)
        payload += data[at : end.start()]
        if end[0] == b"\x1b":
            self._rest = b"\x1b"
            return len(data)
        self._string = None
        self.strings.append(ControlString(_STRING_KINDS[kind], bytes(payload)))
        reply = self._replies.get(b"\x1b" + kind + bytes(payload))
        if reply is not None:
            self._answer(reply)
        return end.end()

    def _sequence(self, found: re.Match[bytes]) -> None:
        if found[0] in self._replies:
            self._answer(self._replies[found[0]])
            return
        csi = found["csi"]
        if csi is None:
            if len(found[0]) == 2 and found[0][1:] in b"cDEMH78":  # the rest are character sets and keypads
                self._stream.feed(found[0].decode())
            return
        parameters, final = csi[:-1], csi[-1:]
        if final == b"m" and b":" in parameters:
            parameters = _plain_colours(parameters)
        # pyte takes the newer sequences, told apart by these signs, for older ones: a key protocol for an underline
        newer = re.search(rb"[<=> -/]", parameters) or (parameters[:1] == b"?" and final not in b"hlJKn")
        if not newer:
            self._stream.feed(f"\x1b[{parameters.decode()}{final.decode()}")

    def _draw(self, data: bytes) -> None:
        if text := self._decoder.decode(data):
            self._stream.feed(text)

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._screen.columns, self._screen.lines

    @property
    def title(self) -> str:
        titles = [s.payload for s in self.strings if s.kind == "OSC" and s.payload[:2] in (b"0;", b"2;")]
        return titles[-1][2:].decode(errors="replace") if titles else ""

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""
        return self._screen.cursor.x, self._screen.cursor.y

    @property
    def cursor_shows(self) -> bool:
        return not self._screen.cursor.hidden

    @property
    def pastes_in_brackets(self) -> bool:
        """Whether the program asked for bracketed paste."""
        return BRACKETED_PASTE in self._screen.mode

    @property
    def application_cursor(self) -> bool:
        return APPLICATION_CURSOR in self._screen.mode

    def lines(self) -> list[str]:
        """The visible lines, without what is empty at their ends."""
        return [_text(self._screen.buffer[y], self._screen.columns) for y in range(self._screen.lines)]

    def scrollback(self) -> list[str]:
        """The lines that scrolled off the top, oldest first."""
        return [_text(line, max(line, default=-1) + 1) for line in self._screen.above]

    def text(self) -> str:
        """The visible screen, without empty lines at its end."""
        return "\n".join(self.lines()).rstrip()

    def everything(self) -> str:
        """Scrollback and screen."""
        return "\n".join((*self.scrollback(), *self.lines())).rstrip()

    def svg(self, *, scrollback: bool = False, title: str = "") -> str:
        """The screen as a picture, with colours; with all that scrolled off above it, if wanted."""
        above = self._screen.above if scrollback else []
        rows = [*above, *(self._screen.buffer[y] for y in range(self._screen.lines))]
        cursor = (self.cursor[0], self.cursor[1] + len(above)) if self.cursor_shows else None
        return to_svg(rows, self._screen.columns, cursor=cursor, title=title)


def _plain_colours(parameters: bytes) -> bytes:
    """`4:3` and `38:2::1:2:3` in the older form."""
    plain = []
    for part in parameters.split(b";"):
        head, *rest = [piece for piece in part.split(b":") if piece]
        if head in (b"38", b"48"):
            plain += [head, *rest]
        elif head != b"58":
            plain.append(b"24" if head == b"4" and rest == [b"0"] else head)
    return b";".join(plain)


def _text(line: Mapping[int, Char], columns: int) -> str:
    return "".join(line[x].data for x in range(columns)).rstrip()


# pictures

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 9.0, 20, 15
FOREGROUND, BACKGROUND = "d8dee9", "1b1f27"
NBSP = "\xa0"
FONTS = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"
PALETTE = {
    "black": "2e3440",
    "red": "e06c75",
    "green": "98c379",
    "brown": "e5c07b",
    "blue": "61afef",
    "magenta": "c678dd",
    "cyan": "56b6c2",
    "white": "d8dee9",
    "brightblack": "7f8897",
    "brightred": "ff7b86",
    "brightgreen": "b5e890",
    "brightbrown": "ffd58a",
    "brightyellow": "ffd58a",
    "brightblue": "82c4ff",
    "bfightmagenta": "e2a0f5",  # as pyte spells it
    "brightmagenta": "e2a0f5",
    "brightcyan": "7fd8e3",
    "brightwhite": "ffffff",
}


def to_svg(
    rows: list[Mapping[int, Char]], columns: int, *, cursor: tuple[int, int] | None = None, title: str = ""
) -> str:
    """Lines of a terminal as an SVG picture; each run of one style is as wide as its cells, whatever the font."""
    width, height = columns * CELL_WIDTH, len(rows) * CELL_HEIGHT
    body = []
    for y, line in enumerate(rows):
        for x, cells, char in _runs(line, columns):
            left, top = x * CELL_WIDTH, y * CELL_HEIGHT
            fore, back = _colours(char)
            if back != BACKGROUND:
                body.append(
                    f'<rect x="{left:g}" y="{top}" width="{cells * CELL_WIDTH:g}" height="{CELL_HEIGHT}" '
                    f'fill="#{back}"/>'
                )
            if text := char.data.strip():
                # viewers collapse spaces, whatever they are told: none at the ends, and no plain ones within
                left += (len(char.data) - len(char.data.lstrip())) * CELL_WIDTH
                inked = len(text) if len(char.data) == cells else cells
                style = "".join(
                    (
                        ' font-weight="bold"' if char.bold else "",
                        ' fill-opacity="0.6"' if char.blink else "",  # faint, see above
                        ' font-style="italic"' if char.italics else "",
                        ' text-decoration="underline"' if char.underscore else "",
                        ' text-decoration="line-through"' if char.strikethrough else "",
                    )
                )
                body.append(
                    f'<text x="{left:g}" y="{top + 15}" textLength="{inked * CELL_WIDTH:g}" '
                    f'lengthAdjust="spacingAndGlyphs" fill="#{fore}"{style}>{escape(text).replace(" ", NBSP)}</text>'
                )
    if cursor is not None:
        x, y = cursor
        body.append(
            f'<rect x="{x * CELL_WIDTH:g}" y="{y * CELL_HEIGHT}" width="{CELL_WIDTH:g}" height="{CELL_HEIGHT}" '
            f'fill="#{FOREGROUND}" fill-opacity="0.5"/>'
        )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height}" '
            f'viewBox="0 0 {width:g} {height}" font-family="{FONTS}" font-size="{FONT_SIZE}" style="white-space: pre">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" fill="#{BACKGROUND}"/>',
            *body,
            "</svg>\n",
        )
    )


def _runs(line: Mapping[int, Char], columns: int) -> Iterator[tuple[int, int, Char]]:
    """Column, width in cells, and text with style, of the pieces of a line that look the same.

    Drawing characters and half blocks stand alone, each stretched to its cell, and so do wide characters.
    """
    x = 0
    while x < columns:
        char = line[x]
        cells, data = 1, char.data
        wide = x + 1 < columns and line[x + 1].data == ""
        if wide:
            cells = 2
        elif data.isascii():
            while x + cells < columns:
                following = line[x + cells]
                two = x + cells + 1 < columns and line[x + cells + 1].data == ""
                if two or not following.data.isascii() or following._replace(data="") != char._replace(data=""):
                    break
                data += following.data
                cells += 1
        yield x, cells, char._replace(data=data)
        x += cells


def _colours(char: Char) -> tuple[str, str]:
    fore = FOREGROUND if char.fg == "default" else PALETTE.get(char.fg, char.fg)
    back = BACKGROUND if char.bg == "default" else PALETTE.get(char.bg, char.bg)
    return (back, fore) if char.reverse else (fore, back)


def play_cast(path: Path) -> tuple[dict[str, Any], Emulator]:
    """The header of an asciicast, and a terminal that has seen all of it."""
    header, *events = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    emulator = Emulator(header["width"], header["height"])
    for _, kind, data in events:
        if kind == "o":
            emulator.feed(data.encode())
    return header, emulator

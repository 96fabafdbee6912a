"""Asks a terminal what it can show: one question, a tenth of a second at most, nothing lost of what is typed meanwhile.

Asked are Kitty's graphics (a picture of one pixel that is not shown), the size of a cell (XTWINOPS 16) and, last,
the primary device attributes (DA1), of which 4 means Sixel and which every terminal answers: whoever has answered that
has answered all. A terminal that answers later than that is listened to by the `Strainer`, which takes its answers out
of what is read from then on.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import time
from collections.abc import Callable, Iterator

from wetread.apps.pictures.fitting import Cell

KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
CELL = "\x1b[16t"
ATTRIBUTES = "\x1b[c"

WITHIN = 0.1
"""Seconds that an answer is waited for, in all."""
LISTENED = 10.0
"""Seconds that late answers are taken out of what is typed."""

_ANSWER = re.compile(
    r"\x1b_G(?P<kitty>[^\x1b\x07]{0,200})\x1b\\"
    r"|\x1b\[6;(?P<height>\d{1,4});(?P<width>\d{1,4})t"
    r"|\x1b\[\?(?P<attributes>\d{1,4}(?:;\d{1,4}){0,40})c"
)
_STRAY = re.compile(
    r"\x1b[P\]_^X][^\x1b\x07]{0,4000}(?:\x1b\\|\x07)"
    r"|\x1b\[(?:[?>=][\d;:]{0,200}[ -/]{0,2}[@-~]|\d[\d;]{0,200}[cnt])"
)
"""What else terminals answer, and no key sends: strings, reports of state, position and version."""
_BEGUN = re.compile(r"\x1b(?:_(?:G[^\x1b\x07]{0,200}\x1b?)?|\[(?:\?[\d;]{0,200}|6(?:;[\d;]{0,10})?)?)?\Z")


class Strainer:
    """Takes a terminal's answers out of what is read from it, however they are cut into pieces.

    Call it with each text that was read; it gives the text without answers. It is transparent once the last answer has
    come, or ten seconds after it was made. A single ESC is given on at once, since it may be the key: should it
    turn out to be the beginning of an answer, the rest of that answer is not given on.

    Attributes:
        kitty, sixel: What the terminal has said so far.
        cell: Size of a cell, if it has said it.
        waiting: Whether there may be answers yet to come.
    """

    def __init__(self, *, waiting: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.kitty = False
        self.sixel = False
        self.cell: Cell | None = None
        self.waiting = waiting
        self._clock = clock
        self._until = clock() + LISTENED
        self._held = ""
        self._given = False  # what is held begins with an ESC that was given on already

    def __call__(self, text: str, *, patient: bool = False) -> str:
        """The text without answers. `patient` holds back a single ESC too."""
        text, given = self._held + text, self._given
        self._held, self._given = "", False
        if self.waiting and self._clock() > self._until:
            self.waiting = False
        if not self.waiting:
            return text[1:] if given else text
        if given and _ANSWER.match(text):
            given = False
        text = _STRAY.sub("", _ANSWER.sub(self._take, text))
        begun = _BEGUN.search(text) if self.waiting else None
        if begun is not None:
            self._held, text = begun[0], text[: begun.start()]
            if given and not text:
                self._given = True
                return ""
            if self._held == "\x1b" and not patient:
                text, self._given = text + "\x1b", True
        return text[1:] if given else text

    def _take(self, answer: re.Match[str]) -> str:
        if (said := answer["kitty"]) is not None:
            self.kitty = said.endswith(";OK")
        elif (said := answer["attributes"]) is not None:
            # the first is the class of the terminal
            self.sixel = "4" in said.split(";")[1:]
            self.waiting = False
        else:
            cell = Cell(int(answer["width"]), int(answer["height"]))
            self.cell = cell if cell.likely else None
        return ""


def ask(reader: int, writer: int, *, graphics: bool = True, within: float = WITHIN) -> tuple[Strainer, bytes]:
    """Ask the terminal, and wait for its answers for a limited time.

    The terminal's mode is as it was when this returns or raises. Answers that come too late are echoed if nobody has
    turned that off by then: ask from within the raw mode of whoever reads next, or just before it.

    Args:
        reader: File descriptor that is read from, of a terminal.
        writer: File descriptor that is written to, of the same.
        graphics: Whether to ask for Kitty's graphics too.
        within: Seconds.

    Returns:
        What it said, through which later input must go, and what else was read: what a person typed, as in raw mode.
    """
    until = time.monotonic() + within
    strainer, typed = Strainer(waiting=False), ""
    if not _in_front(reader):
        return strainer, b""
    with contextlib.suppress(OSError, ValueError), _unechoed(reader):
        # Not for ever even where the terminal has been stopped (Ctrl-S), or does not read.
        if not select.select([], [writer], [], within)[1]:
            return strainer, b""
        strainer.waiting = True
        question = (KITTY if graphics else "") + CELL + ATTRIBUTES
        os.write(writer, question.encode("ascii"))
        while strainer.waiting and (left := until - time.monotonic()) > 0:
            if not select.select([reader], [], [], left)[0]:
                break
            data = os.read(reader, 4096)
            if not data:  # it has hung up
                break
            typed += strainer(data.decode("latin-1"), patient=True)
    typed += strainer("")
    return strainer, typed.encode("latin-1")


def _in_front(reader: int) -> bool:
    """Whether the terminal may be set by this process: one in the background would be stopped for it."""
    try:
        return os.tcgetpgrp(reader) == os.getpgrp()
    except OSError:  # a terminal, but not this process's own
        return True


@contextlib.contextmanager
def _unechoed(reader: int) -> Iterator[None]:
    """What is typed can be read at once, is read as it is, and is not shown. Raises OSError where it is no terminal."""
    import termios

    try:
        before = termios.tcgetattr(reader)
        mode = [*before[:6], list(before[6])]
        mode[0] &= ~termios.ICRNL
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        # a read gives what is there, and never waits
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 0, 0
        # at once: to wait for what is to be written yet may take for ever, to drop what was typed is not ours
        termios.tcsetattr(reader, termios.TCSANOW, mode)
    except termios.error as error:
        raise OSError(*error.args) from None
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(reader, termios.TCSANOW, before)

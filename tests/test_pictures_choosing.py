"""Which way of showing pictures is chosen, and how terminals are asked: real pseudo-terminals with odd ones behind."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.apps.pictures import IMAGES, choose
from wetread.apps.pictures.asking import ATTRIBUTES, CELL, KITTY, LISTENED, Strainer, ask
from wetread.apps.pictures.choosing import colours, told_by
from wetread.apps.pictures.fitting import Cell
from wetread.errors import InputError

KITTY_YES = "\x1b_Gi=31;OK\x1b\\"
KITTY_NO = "\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\"
CELL_IS = "\x1b[6;21;9t"
PLAIN = "\x1b[?62;22c"
WITH_SIXEL = "\x1b[?62;4;22c"
XTERM = {"TERM": "xterm-256color"}
HANGS = 5.0  # seconds: what no question may take, on a machine however slow

Terminal = Callable[[int], None]


class Behind:
    """A pseudo-terminal: `reader` and `writer` for the program, a thread that plays the terminal at the other end."""

    def __init__(self, play: Terminal | None, *, size: tuple[int, int, int, int] = (24, 80, 0, 0)) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size))
        self.reader = os.fdopen(self.slave, "r", closefd=False)
        self.writer = os.fdopen(self.slave, "w", closefd=False, encoding="utf-8")
        self.before = termios.tcgetattr(self.slave)
        self._thread = threading.Thread(target=play, args=(self.master,)) if play is not None else None
        if self._thread is not None:
            self._thread.start()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join(HANGS)
            assert not self._thread.is_alive()
        for end in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(end)


@contextlib.contextmanager
def terminal(play: Terminal | None, size: tuple[int, int, int, int] = (24, 80, 0, 0)) -> Iterator[Behind]:
    behind = Behind(play, size=size)
    try:
        yield behind
    finally:
        behind.close()


def heard(master: int) -> str:
    """The question, read to its end."""
    text = ""
    while not text.endswith(ATTRIBUTES):
        assert select.select([master], [], [], HANGS)[0], text
        text += os.read(master, 1024).decode()
    return text


def answering(*pieces: str, pause: float = 0.0) -> Terminal:
    """A terminal that waits for the question, then answers piece by piece."""

    def play(master: int) -> None:
        heard(master)
        for piece in pieces:
            os.write(master, piece.encode("latin-1"))
            time.sleep(pause)

    return play


def hang_up(master: int) -> None:
    heard(master)
    os.close(master)


def test_the_question_is_what_terminals_understand() -> None:
    asked: list[str] = []
    with terminal(lambda master: asked.append(heard(master))) as behind:
        ask(behind.slave, behind.slave, within=0.3)
    assert asked == [KITTY + CELL + ATTRIBUTES]


@pytest.mark.parametrize(
    ("answers", "kitty", "sixel", "cell"),
    [
        ([KITTY_YES, CELL_IS, PLAIN], True, False, Cell(9, 21)),
        ([KITTY_NO, CELL_IS, WITH_SIXEL], False, True, Cell(9, 21)),
        ([WITH_SIXEL], False, True, None),
        (["\x1b[?4c"], False, False, None),
        (["\x1b[6;0;0t", "\x1b[?1;2c"], False, False, None),
        (["\x1b[6;9999;9999t", "\x1b[?1;2c"], False, False, None),
        ([PLAIN], False, False, None),
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_answers_are_understood(
    answers: list[str], kitty: bool, sixel: bool, cell: Cell | None, bytewise: bool
) -> None:
    pieces = list("".join(answers)) if bytewise else answers
    with terminal(answering(*pieces)) as behind:
        strainer, typed = ask(behind.slave, behind.slave, within=HANGS)
        assert termios.tcgetattr(behind.slave) == behind.before
    assert (strainer.kitty, strainer.sixel, strainer.cell, strainer.waiting) == (kitty, sixel, cell, False)
    assert typed == b""


@pytest.mark.parametrize(
    ("play", "typed"),
    [
        (lambda master: heard(master) and None, b""),
        (answering("garbage \x1b[99;99R \x1b]11;rgb:0/0/0\x07"), b"garbage \x1b[99;99R "),
        (answering("\xff\x00\x1b"), b"\xff\x00\x1b"),
        (answering("\x1b[?62;"), b""),
        (hang_up, b""),
        (os.close, b""),
    ],
    ids=["silent", "garbage", "binary", "half an answer", "hangs up when asked", "hangs up before"],
)
def test_odd_terminals_are_not_waited_for(play: Terminal, typed: bytes) -> None:
    with terminal(play) as behind:
        began = time.monotonic()
        strainer, said = ask(behind.slave, behind.slave)
        assert time.monotonic() - began < HANGS
        with contextlib.suppress(termios.error):  # of one that has hung up there is none
            assert termios.tcgetattr(behind.slave) == behind.before
    assert (strainer.kitty, strainer.sixel, strainer.cell) == (False, False, None)
    assert said == typed


def test_a_stopped_terminal_is_not_written_to() -> None:
    with terminal(None) as behind:
        termios.tcflow(behind.slave, termios.TCOOFF)
        began = time.monotonic()
        strainer, _ = ask(behind.slave, behind.slave)
        assert time.monotonic() - began < HANGS
        assert not strainer.waiting
        termios.tcflow(behind.slave, termios.TCOON)
        assert not select.select([behind.master], [], [], 0)[0]


def test_the_mode_comes_back_when_somebody_interrupts() -> None:
    with terminal(None) as behind:
        timer = threading.Timer(0.2, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ask(behind.slave, behind.slave, within=HANGS)
        assert termios.tcgetattr(behind.slave) == behind.before
        timer.join()


def test_what_is_typed_meanwhile_is_not_lost() -> None:
    def play(master: int) -> None:
        os.write(master, b"before\r")
        heard(master)
        os.write(master, b"Re" + KITTY_YES[:5].encode())
        os.write(master, KITTY_YES[5:].encode() + b"ad \xc3\xa4\x1b[A" + CELL_IS.encode() + b"th" + PLAIN.encode())
        os.write(master, b"is.\r")

    with terminal(play) as behind:
        strainer, typed = ask(behind.slave, behind.slave, within=HANGS)
        behind._thread.join()
        attributes = termios.tcgetattr(behind.slave)
        attributes[3] &= ~termios.ICANON
        termios.tcsetattr(behind.slave, termios.TCSANOW, attributes)
        rest = b""
        while select.select([behind.slave], [], [], 0.2)[0]:
            rest += os.read(behind.slave, 100)
    assert strainer.kitty
    # what came before the question was read by the line, with its CR made LF
    typed = typed.replace(b"\r", b"\n")
    assert typed + strainer(rest.decode()).encode().replace(b"\r", b"\n") == b"before\nRead \xc3\xa4\x1b[Athis.\n"


def test_late_answers_are_taken_out_of_what_is_read() -> None:
    with terminal(lambda master: heard(master) and None) as behind:
        strainer, typed = ask(behind.slave, behind.slave, within=0.05)
    assert strainer.waiting and typed == b""
    assert strainer("Re" + KITTY_YES + "ad") == "Read"
    assert strainer("Re\x1bP>|name(1)\x1b\\ad\x1b[0n\x1b[>65;1c \x1b]11;rgb:0/0/0\x07this") == "Read this"
    assert strainer("\x1b[") + strainer("?62;4") + strainer(";22c this") == " this"
    assert strainer.kitty and strainer.sixel and not strainer.waiting
    assert strainer(PLAIN) == PLAIN  # there is nothing more to come


@given(
    st.lists(
        st.sampled_from(["a", "Read this. ", "\x1b[A", "\x1b[6~", "\x1b", "\x1b\x1b", "\x1bb", "ä", KITTY_YES, CELL_IS])
    ),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_answers_are_taken_out_however_they_are_cut(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts) + PLAIN + "end"
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    strainer = Strainer()
    pieces = [strainer(text[start:stop]) for start, stop in pairwise(edges)]
    expected = "".join(part for part in parts if part not in (KITTY_YES, CELL_IS)) + "end"
    got = "".join(pieces)
    # the ESC of an answer that was cut behind it may have been given on, as the key that it might have been
    assert got.replace("\x1b", "") == expected.replace("\x1b", "")
    assert got.count("\x1b") - expected.count("\x1b") in range(len(edges))
    assert not strainer.waiting


def test_the_escape_key_is_given_on_at_once() -> None:
    strainer = Strainer()
    assert strainer("\x1b") == "\x1b"
    assert strainer("x") == "x"
    assert strainer("\x1b") == "\x1b"
    assert strainer("[?62;4c") == ""
    assert strainer.sixel


def test_nothing_is_taken_out_for_ever() -> None:
    now = 0.0
    strainer = Strainer(clock=lambda: now)
    assert strainer("a\x1b[?6") == "a"
    now = LISTENED + 1
    assert strainer("b" + PLAIN) == "\x1b[?6b" + PLAIN


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230801"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "211200"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM": "wezterm"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "linux"}, "blocks"),
        ({"TERM": "dumb"}, "blocks"),
        ({"TERM": "vt100"}, "blocks"),
        ({}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "blocks"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TERM": "screen", "LC_TERMINAL": "iTerm2"}, "blocks"),
        ({"TERM": "xterm-kitty", "ASCIINEMA_REC": "1"}, "blocks"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600", "KITTY_WINDOW_ID": "1"}, None),
    ],
)
def test_the_environment_tells(environ: dict[str, str], way: str | None) -> None:
    assert told_by(environ) == way


@pytest.mark.parametrize(
    ("environ", "encoding", "depth"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "utf-8", "truecolor"),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, "UTF-8", "truecolor"),
        ({"TERM": "xterm-256color"}, "utf-8", "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1", "COLORTERM": "truecolor"}, "utf-8", "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": "", "COLORTERM": "truecolor"}, "utf-8", "truecolor"),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, "utf-8", "none"),
        ({"TERM": "xterm"}, "ascii", "none"),
        ({"TERM": "xterm"}, None, "none"),
        ({"TERM": "xterm"}, "no such encoding", "none"),
    ],
)
def test_how_many_colours(environ: dict[str, str], encoding: str | None, depth: str) -> None:
    assert colours(environ, encoding) == depth


@pytest.mark.parametrize(
    ("answers", "name"),
    [
        ([KITTY_YES, CELL_IS, WITH_SIXEL], "kitty"),
        ([CELL_IS, WITH_SIXEL], "sixel"),
        ([PLAIN], "blocks"),
    ],
)
def test_an_unknown_terminal_is_asked(answers: list[str], name: str) -> None:
    with terminal(answering(*answers)) as behind:
        chosen = choose("auto", stdin=behind.reader, stdout=behind.writer, environ=XTERM, within=HANGS)
    assert chosen.painter.name == name
    if name != "blocks":
        assert chosen.painter.cell == Cell(9, 21)


def test_only_the_size_of_cells_is_asked_for_where_the_rest_is_known() -> None:
    asked: list[str] = []

    def play(master: int) -> None:
        asked.append(heard(master))
        os.write(master, (CELL_IS + PLAIN).encode())

    with terminal(play) as behind:
        chosen = choose("sixel", stdin=behind.reader, stdout=behind.writer, environ=XTERM, within=HANGS)
    assert chosen.painter.cell == Cell(9, 21)
    assert asked == [CELL + ATTRIBUTES]


@pytest.mark.parametrize(
    ("images", "environ", "size"),
    [
        ("auto", {"TERM": "xterm-kitty"}, (24, 80, 800, 480)),
        ("sixel", XTERM, (24, 80, 800, 480)),
        ("blocks", XTERM, (24, 80, 0, 0)),
        ("off", XTERM, (24, 80, 0, 0)),
        ("auto", {"TERM": "linux"}, (24, 80, 0, 0)),
        ("auto", {"TERM": "xterm-256color", "TMUX": "x"}, (24, 80, 0, 0)),
    ],
)
def test_what_is_known_is_not_asked(images: str, environ: dict[str, str], size: tuple[int, int, int, int]) -> None:
    with terminal(None, size) as behind:
        chosen = choose(images, stdin=behind.reader, stdout=behind.writer, environ=environ)
        assert not select.select([behind.master], [], [], 0)[0]
    assert chosen.typed == b"" and not chosen.strainer.waiting
    if chosen.painter.name in ("kitty", "sixel"):
        assert chosen.painter.cell == Cell(10, 20)


def test_without_time_to_answer_nobody_is_asked() -> None:
    with terminal(None) as behind:
        chosen = choose("auto", stdin=behind.reader, stdout=behind.writer, environ=XTERM, within=0)
        assert not select.select([behind.master], [], [], 0)[0]
    assert chosen.painter.name == "blocks" and not chosen.strainer.waiting


def test_where_there_is_no_terminal() -> None:
    for stream in (io.StringIO(), os.fdopen(os.open(os.devnull, os.O_RDWR))):
        with terminal(None) as behind:
            assert choose("auto", stdin=stream, stdout=behind.writer, environ=XTERM).painter.name == "blocks"
            assert not select.select([behind.master], [], [], 0)[0]
            assert choose("auto", stdin=behind.reader, stdout=stream, environ=XTERM).painter.name == "off"
            # whoever asks for it gets it: for a file, or a recording
            assert choose("kitty", stdin=behind.reader, stdout=stream, environ=XTERM).painter.name == "kitty"
            assert not select.select([behind.master], [], [], 0)[0]
        stream.close()
        assert choose("auto", stdin=stream, stdout=stream, environ=XTERM).painter.name == "off"


def test_an_unknown_way_is_told() -> None:
    with pytest.raises(InputError, match="auto, kitty, iterm, sixel, blocks, off") as caught:
        choose("sixels")  # type: ignore[arg-type]
    assert caught.value.code == "WET-INPUT-OPTION"
    assert IMAGES[0] == "auto"


def test_choosing_loads_no_heavy_library() -> None:
    code = (
        "import sys; from wetread.apps.pictures import choose; choose('auto'); "
        "print(sorted({'numpy', 'PIL', 'pydantic', 'rich'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"

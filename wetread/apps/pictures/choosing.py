"""Which way of showing pictures a terminal has: told by the environment, else asked once, with a limit."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO, get_args

from wetread.apps.pictures.asking import WITHIN, Strainer, ask
from wetread.apps.pictures.fitting import Cell
from wetread.apps.pictures.painters import Blocks, Graphics, Off, Painter, Way
from wetread.errors import InputError

if TYPE_CHECKING:
    from wetread.apps.pictures.blocks import Depth

Images = Literal["auto", "kitty", "iterm", "sixel", "blocks", "off"]
IMAGES: tuple[Images, ...] = get_args(Images)
"""What `--images` may be."""

Environment = Mapping[str, str]

_PROGRAMS: dict[str, Way] = {
    "ghostty": "kitty",
    "iTerm.app": "iterm",
    "WezTerm": "iterm",
    "mintty": "iterm",
    "rio": "iterm",
    "WarpTerminal": "iterm",
    "Apple_Terminal": "blocks",
}
"""By TERM_PROGRAM."""
_TERMS: dict[str, Way] = {
    "xterm-kitty": "kitty",
    "xterm-ghostty": "kitty",
    "wezterm": "iterm",
    "foot": "sixel",
    "foot-extra": "sixel",
    "mlterm": "sixel",
    "yaft-256color": "sixel",
    "contour": "sixel",
    "alacritty": "blocks",
    "linux": "blocks",
    "dumb": "blocks",
    "unknown": "blocks",
    "": "blocks",
}
"""By TERM, which comes along to another machine. Those that show what they do not understand are not to be asked."""
_LEFT_BEHIND: dict[str, Way] = {
    "KITTY_WINDOW_ID": "kitty",
    "GHOSTTY_RESOURCES_DIR": "kitty",
    "WEZTERM_PANE": "iterm",
    "ITERM_SESSION_ID": "iterm",
    "ALACRITTY_WINDOW_ID": "blocks",
    "INSIDE_EMACS": "blocks",
}
"""By a variable that is set. Weaker than the others: one terminal may have been started from within another."""

_MULTIPLEXERS = ("TMUX", "STY", "ZELLIJ")
_KONSOLE_WITH_KITTY = 220400


class Chosen(NamedTuple):
    """How pictures are painted, and what the question to the terminal left behind.

    Attributes:
        typed: What a person typed meanwhile, as it would have been read in raw mode.
        strainer: What is read from the terminal from now on has to go through it.
    """

    painter: Painter
    typed: bytes
    strainer: Strainer


def choose(
    images: str = "auto",
    *,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
    environ: Environment | None = None,
    within: float = WITHIN,
) -> Chosen:
    """Choose how pictures are shown.

    `auto` shows none where stdout is no terminal. The terminal is asked where the environment does not tell what it
    is, or where it is to show graphics and the system does not know the size of its cells; never unless stdin and
    stdout are terminals. Inside tmux, screen and zellij it is half blocks: what passes through them depends on their
    version, their settings, and on who else looks on.

    Args:
        images: One of `IMAGES`.
        stdin, stdout: The terminal; the process's own where not given.
        environ: The process's own where not given.
        within: Seconds that the terminal has to answer, in all; with none it is not asked.

    Raises:
        InputError: `WET-INPUT-OPTION`, there is no such way.
    """
    known = next((way for way in IMAGES if way == images), None)
    if known is None:
        raise InputError("WET-INPUT-OPTION", f"--images {images!r} is none.", f"There are: {', '.join(IMAGES)}.")
    stdin, stdout = stdin or sys.stdin, stdout or sys.stdout
    environ = os.environ if environ is None else environ
    reader, writer = _terminal(stdin), _terminal(stdout)
    way: Way | None = None if known == "auto" else known
    if known == "auto":
        way = "off" if writer is None else told_by(environ)
    strainer, typed = Strainer(waiting=False), b""
    cell = None
    if way not in ("blocks", "off"):
        cell = _cell(writer)
        if reader is not None and writer is not None and within > 0 and (way is None or cell is None):
            with contextlib.suppress(ImportError):  # no termios: not a POSIX system
                strainer, typed = ask(reader, writer, graphics=way is None, within=within)
        cell = strainer.cell or cell
    if way is None:
        way = "kitty" if strainer.kitty else "sixel" if strainer.sixel else "blocks"
    painter: Painter
    if way == "off":
        painter = Off()
    elif way == "blocks":
        painter = Blocks(colours(environ, getattr(stdout, "encoding", None)))
    else:
        painter = Graphics(way, cell)
    return Chosen(painter, typed, strainer)


def told_by(environ: Environment) -> Way | None:
    """What the environment tells of the terminal; None where it does not, so that it may be asked."""
    term = environ.get("TERM", "")
    if any(environ.get(name) for name in _MULTIPLEXERS) or term.startswith(("screen", "tmux")):
        return "blocks"
    if environ.get("ASCIINEMA_REC"):  # what is recorded is played where there are no graphics
        return "blocks"
    if term in _TERMS or re.fullmatch(r"vt\d\d\d?|ansi|cygwin|eterm.*", term):
        return _TERMS.get(term, "blocks")
    if environ.get("LC_TERMINAL") == "iTerm2":  # comes along to another machine
        return "iterm"
    if (program := environ.get("TERM_PROGRAM", "")) in _PROGRAMS:
        return _PROGRAMS[program]
    if (version := environ.get("KONSOLE_VERSION", "")).isdigit():
        return "kitty" if int(version) >= _KONSOLE_WITH_KITTY else "blocks"
    if program or environ.get("VTE_VERSION"):  # set by another terminal than those that the rest tells of
        return None
    return next((way for name, way in _LEFT_BEHIND.items() if environ.get(name)), None)


def colours(environ: Environment, encoding: str | None) -> Depth:
    """How many colours half blocks have: none where they are not wanted, or where there are no half blocks."""
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term in ("dumb", "unknown", "") or term.startswith("vt"):
        return "none"
    try:
        "▀".encode(encoding or "ascii")
    except (LookupError, UnicodeError):
        return "none"
    return "truecolor" if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") else "256"


def _terminal(stream: TextIO) -> int | None:
    """The file descriptor of a stream that is a terminal."""
    fileno: Callable[[], int] | None = getattr(stream, "fileno", None)
    with contextlib.suppress(OSError, ValueError):  # none, or closed
        if fileno is not None and os.isatty(fileno()):
            return fileno()
    return None


def _cell(writer: int | None) -> Cell | None:
    """The size of a cell as the system knows it (TIOCGWINSZ), which many terminals do not tell."""
    if writer is None:
        return None
    try:
        import fcntl
        import termios

        answer = fcntl.ioctl(writer, termios.TIOCGWINSZ, bytes(8))
    except (ImportError, OSError):
        return None
    rows, columns, width, height = struct.unpack("HHHH", answer)
    if not rows or not columns:
        return None
    cell = Cell(width // columns, height // rows)
    return cell if cell.likely else None

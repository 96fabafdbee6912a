"""Text as a report may hold it: one line, no control or formatting characters, bounded."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MAX_CHARACTERS = 4000
"""A longer text is cut, visibly."""

_BULLET = re.compile(r"^(?:\(?\d{1,2}[.)](?!\d)|[-*•–])\s*")
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co"})


def printable(text: str) -> str:
    """The text without control, format, surrogate or private characters; white space of any kind becomes blanks.

    Control characters could drive a terminal, format characters (among them those that turn the direction of writing)
    make a page show what its text does not say, and lone surrogates cannot be written as UTF-8.
    """
    if not text.isprintable():
        text = "".join(
            " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _DROPPED
        )
    return text


def shown(text: str) -> str:
    """`printable`, with every run of white space as one blank and none at the ends."""
    return " ".join(printable(text).split())


def plain(text: str) -> str:
    """`shown`, cut to `MAX_CHARACTERS`."""
    line = shown(text)
    return line if len(line) <= MAX_CHARACTERS else line[:MAX_CHARACTERS].rstrip() + " [cut]"


def sentence(text: str) -> str:
    """`plain`, without a leading bullet or number: renderings number on their own."""
    line = plain(text)
    bullet = _BULLET.match(line)
    return line[bullet.end() :] if bullet else line


def listed(names: Sequence[str], joint: str = "and") -> str:
    """`a, b and c`, each name once."""
    names = list(dict.fromkeys(names))
    return " ".join(filter(None, [", ".join(names[:-1]), joint if len(names) > 1 else "", *names[-1:]]))

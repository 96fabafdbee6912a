"""Text as a report may hold it: one line, no control or formatting characters, bounded."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 4000
"""A longer text is cut, visibly."""

_BULLET = re.compile(r"^(?:\(?\d{1,2}[.)](?!\d)|[-*•–])\s*")
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co"})


def plain(text: str) -> str:
    """One line of text without control, format, surrogate or private characters.

    Format characters (among them those that reverse the direction of writing) could make a report show what it does not
    say; lone surrogates cannot be written as UTF-8.
    """
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _DROPPED)
    line = " ".join(kept.split())
    return line if len(line) <= MAX_CHARACTERS else line[:MAX_CHARACTERS].rstrip() + " [cut]"


def sentence(text: str) -> str:
    """`plain`, without a leading bullet or number: renderings number on their own."""
    return _BULLET.sub("", plain(text))

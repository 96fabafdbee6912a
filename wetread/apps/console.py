"""The console that commands print on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def console(stream: TextIO | None = None) -> Console:
    """A console on a stream, stdout by default: colours in a terminal unless NO_COLOR is set, no wrapping in a pipe."""
    from rich.console import Console

    stream = sys.stdout if stream is None else stream
    width = None if stream.isatty() or "COLUMNS" in os.environ else 100
    # texts come from outside: square brackets and :words: in them are theirs, not ours
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)

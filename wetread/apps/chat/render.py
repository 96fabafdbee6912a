"""From what is to be shown to the characters that a terminal takes."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import RenderableType

MIN_WIDTH = 40
_BLANKS = re.compile(r" +$", re.MULTILINE)


def colours() -> Literal["truecolor", "256", "standard"] | None:
    """What colours the terminal has, as far as its environment tells; None for none."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return None
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if "256" in os.environ.get("TERM", "") else "standard"


def rendered(what: RenderableType, width: int) -> str:
    """A renderable as text with escape sequences, each line with its end."""
    from rich.console import Console

    found = colours()
    console = Console(
        file=io.StringIO(),
        width=max(width, MIN_WIDTH),
        force_terminal=True,
        color_system=found,
        no_color=found is None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(what)
    # blanks at the end would take a line of their own once the window is narrower
    return _BLANKS.sub("", capture.get())

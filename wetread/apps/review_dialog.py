"""The questions of `wetread review`, put at a terminal line by line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wetread.apps.output import show_report
from wetread.apps.review_walk import Answers, walk
from wetread.apps.terminal import console
from wetread.errors import ReviewError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from wetread.reports.model import Report


def ask(report: Report, by: str | None, attempt: Callable[[str, Answers], Report]) -> tuple[str, Answers]:
    """Go through a report with its reader; returns their name and what they said.

    Args:
        report: The report.
        by: The reader's name, where it is known.
        attempt: Makes the next version; what refuses it is shown, and asked about again.

    Raises:
        ReviewError: `WET-REVIEW-NOTHING`, the reader left without doing anything.
    """
    lines = _Lines(console(sys.stdout))
    show_report(report, as_json=False)
    name = by or lines.line("Your name: ")
    return name, asyncio.run(walk(report, lines, lambda answers: attempt(name, answers)))


class _Lines:
    """Asks on standard output and reads lines; the end of the input ends the review."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def show(self, what: RenderableType) -> None:
        self._out.print(what)

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        keys = f" ({', '.join(f'[{option[0]}]{option[1:]}' for option in options)})" if options else ""
        return self.line(f"{question}{keys}: ")

    def line(self, prompt: str) -> str:
        try:
            return self._out.input(prompt, markup=False, emoji=False).strip()
        except EOFError:
            raise ReviewError("WET-REVIEW-NOTHING", "The input ended. Nothing was changed.") from None

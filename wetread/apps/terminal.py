"""What a person sees while a reading runs: live lines in a terminal, plain lines in a pipe; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from wetread.apps.console import console as console
from wetread.events import (
    BudgetReached,
    CriticalResultFound,
    Event,
    ModelAnswered,
    ModelCalled,
    Notice,
    ReportReady,
    ToolFinished,
    ToolStarted,
)

if TYPE_CHECKING:
    from rich.console import OverflowMethod
    from rich.live import Live
    from rich.text import Text

_MARKS = {"ok": "green", "failed": "bold red", "abstained": "yellow", "refused": "yellow", "cancelled": "yellow"}


class Progress:
    """Tells the events of a reading. A context manager; give each event to it as it comes.

    Args:
        stream: Where to; stderr by default.
        clock: Seconds, for the elapsed time shown.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console(sys.stderr if stream is None else stream)
        self._clock = clock
        self._began = clock()
        self._running: dict[str, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            from rich.live import Live

            self._live = Live(
                console=self._console, get_renderable=self._now_running, refresh_per_second=8, transient=True
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, ModelCalled):
            self._running[f"model {event.agent}"] = f"{event.agent} asks {event.model}"
        elif isinstance(event, ModelAnswered):
            self._running.pop(f"model {event.agent}", None)
        elif isinstance(event, ToolStarted):
            self._running[event.call] = event.tool
        elif isinstance(event, ToolFinished):
            self._running.pop(event.call, None)
            self._tool(event)
        elif isinstance(event, BudgetReached):
            self._line("budget", "", event.message, "bold red")
        elif isinstance(event, Notice):
            self._line("notice", "", f"{event.message} ({event.code})", "yellow")
        elif isinstance(event, CriticalResultFound):
            said = "possible " if event.result.assertion == "uncertain" else ""
            self._line("CRITICAL", "", f"{said}{event.result.name}: somebody must be told", "bold red")
        elif isinstance(event, ReportReady):
            self._running.clear()
        if self._live is not None:
            self._live.refresh()

    def _tool(self, event: ToolFinished) -> None:
        evidence = event.evidence
        latency = evidence.latency_ms if evidence is not None else event.latency_ms
        took = f" ({latency / 1000:.1f} s)" if latency >= 50 else ""
        said = event.summary if event.status == "ok" else f"{event.status}: {event.summary}"
        self._line(event.tool, evidence.id if evidence else "", said + took, _MARKS[event.status])

    def _line(self, what: str, where: str, said: str, style: str) -> None:
        from rich.text import Text

        elapsed = self._clock() - self._began
        text = Text.assemble(
            (f"{elapsed:6.1f} s  ", "dim"), (f"{what:<17} ", style), (f"{where:<8} ", "cyan"), _printable(said)
        )
        # one event, one line: whoever reads a pipe counts on it
        overflow: OverflowMethod = "ellipsis" if self._console.is_terminal else "ignore"
        self._console.print(text, overflow=overflow, no_wrap=True, crop=False)

    def _now_running(self) -> Text:
        from rich.text import Text

        if not self._running:
            return Text("")
        elapsed = self._clock() - self._began
        return Text(f"{elapsed:6.1f} s  … {', '.join(self._running.values())}", style="dim", overflow="ellipsis")


def _printable(text: str) -> str:
    """Outside text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def note(text: str, style: str = "") -> None:
    """One line for a person, on stderr."""
    from rich.text import Text

    console(sys.stderr).print(Text(_printable(text), style=style), soft_wrap=True)

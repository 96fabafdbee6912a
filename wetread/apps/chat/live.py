"""What stands above the input while something runs: written by the dialogue's thread, read by the terminal's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wetread.events import ToolStarted
    from wetread.reports.model import Report


FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
"""What turns before that which runs."""


@dataclass(frozen=True, slots=True)
class Running:
    """A tool call in flight, and when it began (seconds of `time.monotonic`)."""

    event: ToolStarted
    since: float


@dataclass(frozen=True, slots=True)
class Footer:
    """What the footer says: what is read with, what it has cost, what must not be overlooked."""

    model: str = ""
    template: str = ""
    endpoints: str = ""
    cost: str = ""
    reader: str = ""
    modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that the next line answers."""

    question: str
    options: tuple[str, ...] = ()
    escape: str = "skip"
    """What Escape does, in a word: an agent goes on without an answer, a command is left."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it at one moment."""

    status: str = ""
    """What is being waited for, where no turn is: reading the study, opening the store."""
    work: bool = False
    """Whether something is being done that can be stopped: a turn, or a command."""
    busy: bool = False
    """Whether it is a turn."""
    since: float = 0.0
    thinking: tuple[str, ...] = ()
    """Agents whose model is asked just now."""
    running: tuple[Running, ...] = ()
    text: str = ""
    """The line of an agent's text that is not complete yet."""
    queued: tuple[str, ...] = ()
    asked: Asked | None = None
    report: Report | None = None
    footer: Footer = field(default_factory=Footer)
    stopping: bool = False


class Live:
    """The state, changed piece by piece; `changed` is called after each change, from the changing thread."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.changed = changed
        self._lock = threading.Lock()
        self._now = Snapshot()

    def now(self) -> Snapshot:
        """The state at this moment."""
        return self._now

    def set(self, **changes: object) -> None:
        """Change some of it."""
        with self._lock:
            self._now = replace(self._now, **changes)  # type: ignore[arg-type]
        self.changed()

    def began(self, event: ToolStarted) -> None:
        """A tool call began."""
        with self._lock:
            running = (*self._now.running, Running(event, time.monotonic()))
            self._now = replace(self._now, running=running)
        self.changed()

    def ended(self, call: str) -> ToolStarted | None:
        """A tool call ended; returns how it began."""
        with self._lock:
            found = next((one.event for one in self._now.running if one.event.call == call), None)
            running = tuple(one for one in self._now.running if one.event.call != call)
            self._now = replace(self._now, running=running)
        self.changed()
        return found

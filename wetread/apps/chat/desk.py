"""What the commands of the chat work with: the dialogue, its surroundings, and how to show and to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wetread.apps.pictures.views import View
    from wetread.config import Settings
    from wetread.dialogue.dialogue import Dialogue
    from wetread.store import Store


class Screen(Protocol):
    """Where things are shown and a person is asked, whatever it is: a terminal, a pipe, a test."""

    def show(self, what: RenderableType) -> None:
        """Show something for good: it scrolls up with what came before. From any thread."""
        ...

    async def picture(self, make: Callable[[tuple[int, int]], View]) -> None:
        """Show a picture with its caption. `make` draws it for a width and height in pixels, in another thread."""
        ...

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        """What the person answers to a question; None where they leave it (Escape, Ctrl-C, end of input).

        Args:
            question: One line.
            options: Answers to choose from; others are taken too.
            initial: What stands in the input line already, to be changed.
        """
        ...


@dataclass(slots=True)
class Desk:
    """All that a command may use. Commands run in the event loop of the dialogue, never in the terminal's thread.

    Attributes:
        screen: Where to show and to ask.
        settings, workspace: What is configured.
        store: Where sessions and reports are kept.
        dialogue: The conversation; None while no study is open.
        begin: Opens a conversation about other studies; closes the one there is.
        resume: Goes on with a kept one, by id or the last one for None.
        send: Says something to the agent, as if it were typed.
        leave: Ends the chat.
        watchers: Told after a command changed what footer and panel show.
    """

    screen: Screen
    settings: Settings
    workspace: Path
    store: Store
    begin: Callable[[Sequence[str]], Awaitable[None]]
    resume: Callable[[str | None], Awaitable[None]]
    send: Callable[[str], None]
    leave: Callable[[], None]
    dialogue: Dialogue | None = None
    simulated: bool = False
    watchers: list[Callable[[], None]] = field(default_factory=list)

    def changed(self) -> None:
        """Tell that footer and panel are to be drawn anew."""
        for watcher in self.watchers:
            watcher()

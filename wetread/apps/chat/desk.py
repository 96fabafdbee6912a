"""What the commands of the chat work with: the dialogue, its surroundings, and how to show and to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wetread.apps.pictures.views import View
    from wetread.config import Settings
    from wetread.dialogue.costs import Tally
    from wetread.dialogue.dialogue import Dialogue
    from wetread.events import Event
    from wetread.store import Store
    from wetread.study import Study


class Screen(Protocol):
    """Where things are shown and a person is asked, whatever it is: a terminal, a pipe, a test."""

    def show(self, what: RenderableType) -> None:
        """Show something for good: it scrolls up with what came before. From any thread."""
        ...

    async def picture(self, make: Callable[[tuple[int, int]], View]) -> None:
        """Show a picture with its caption; the caption alone where pictures are not shown.

        Args:
            make: Makes it for a width and height, nought by nought for the caption alone. Blocks: called in a thread.
        """
        ...

    def images(self, how: str | None = None) -> str:
        """How pictures are shown, after setting it where `how` is given.

        Raises:
            InputError: there is no such way.
        """
        ...

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        """What the person answers to a question; None where they leave it (Escape, Ctrl-C, end of input).

        Args:
            question: One line.
            options: Answers to choose from; others are taken too.
            initial: What stands in the input line already, to be changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """A study as a person named it, so that it can be read again."""

    paths: tuple[str, ...]
    view: str | None = None
    indication: str | None = None
    history: str | None = None
    prior: tuple[str, ...] = ()
    prior_report: str | None = None

    def read(self) -> Study:
        """Read it; blocks.

        Raises:
            InputError: something of it cannot be used.
        """
        from wetread.study_reading import read_study

        return read_study(
            self.paths,
            view=self.view,
            indication=self.indication,
            history=self.history,
            prior=self.prior,
            prior_report=self.prior_report,
        )

    def with_prior(self, *, images: Sequence[str] = (), report: str | None = None) -> StudyFiles:
        """The same with images of an earlier study, or its report, beside what there is."""
        return replace(self, prior=(*self.prior, *images), prior_report=report or self.prior_report)


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
        follow: Shows events as those of a turn, while they come and for good; may be cancelled as a turn.
        leave: Ends the chat.
        files: The study as it was named; None where nobody named one.
        reader: Who reads, for this and the next conversation.
        tally: What the conversation has cost; None where nobody counts, and then the journal is counted.
        watchers: Told after a command changed what footer and panel show.
    """

    screen: Screen
    settings: Settings
    workspace: Path
    store: Store
    begin: Callable[[Sequence[str]], Awaitable[None]]
    resume: Callable[[str | None], Awaitable[None]]
    send: Callable[[str], None]
    follow: Callable[[AsyncIterator[Event]], Awaitable[None]]
    leave: Callable[[], None]
    dialogue: Dialogue | None = None
    files: StudyFiles | None = None
    reader: str | None = None
    tally: Tally | None = None
    watchers: list[Callable[[], None]] = field(default_factory=list)

    def changed(self) -> None:
        """Tell that footer and panel are to be drawn anew."""
        for watcher in self.watchers:
            watcher()

"""A desk for the commands of the chat, with a real dialogue behind it, and what its screen was shown."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from wetread.agents.chat import ChatModel
from wetread.agents.models import chat_model
from wetread.apps.chat import commands
from wetread.apps.chat.desk import Desk, StudyFiles
from wetread.apps.chat.views import Story
from wetread.apps.pictures.views import View
from wetread.config import Settings
from wetread.dialogue.dialogue import Dialogue, Sources
from wetread.errors import InputError
from wetread.events import Event
from wetread.reports.model import Report
from wetread.store import Store
from wetread.testing import SimulatedEndpoints
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest

ADA = "Ada Example"
ROOT = Path(__file__).parents[1]
PNEUMOTHORAX = "There is a large left pneumothorax."


class Screen:
    """Remembers what is shown, and answers from a list; `None` leaves the question."""

    def __init__(self) -> None:
        self.answers: list[str | None] = []
        self.asked: list[tuple[str, tuple[str, ...], str]] = []
        self.views: list[View] = []
        self.how = "blocks"
        self._shown: list[RenderableType] = []

    def show(self, what: RenderableType) -> None:
        self._shown.append(what)

    async def picture(self, make: Callable[[tuple[int, int]], View]) -> None:
        self.views.append(await asyncio.to_thread(make, (64, 64)))

    def images(self, how: str | None = None) -> str:
        if how not in (None, "off", "blocks"):
            raise InputError("WET-INPUT-OPTION", "There is no such way.")
        self.how = how or self.how
        return self.how

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        self.asked.append((question, tuple(options), initial))
        assert self.answers, f"nobody expected the question {question!r}"
        return self.answers.pop(0)

    def text(self) -> str:
        """What was shown since it was asked last, in one line each."""
        out = io.StringIO()
        console = Console(file=out, width=400, highlight=False, markup=False, emoji=False)
        for what in self._shown:
            console.print(what)
        self._shown.clear()
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


class Endpoints(SimulatedEndpoints):
    """Simulated endpoints that never answer while they are `slow`."""

    slow = False

    async def score(self, request: EndpointRequest) -> EndpointReply:
        if self.slow:
            await asyncio.Event().wait()
        return await super().score(request)


class Chat:
    """A desk with all that is behind it."""

    def __init__(self, folder: Path, store: Store, files: StudyFiles | None) -> None:
        self.folder = folder
        self.screen = Screen()
        self.begun: list[Sequence[str]] = []
        self.resumed: list[str | None] = []
        self.left = 0
        self.redrawn = 0
        self.endpoints = Endpoints()
        self.desk = Desk(
            screen=self.screen,
            settings=Settings(),
            workspace=folder,
            store=store,
            begin=self._begin,
            resume=self._resume,
            send=lambda text: None,
            follow=self.follow,
            leave=self._leave,
            files=files,
            watchers=[self._redraw],
        )

    async def type(self, line: str, *answers: str | None) -> str:
        """Enter a line, give these answers; returns what was shown. All answers must have been asked for."""
        self.screen.answers = list(answers)
        assert commands.is_command(line), line
        await commands.run(self.desk, line)
        assert not self.screen.answers, f"nobody asked for {self.screen.answers}"
        return self.screen.text()

    async def follow(self, events: AsyncIterator[Event]) -> None:
        story = Story()
        async for event in events:
            for what in story(event):
                self.screen.show(what)

    @property
    def dialogue(self) -> Dialogue:
        assert self.desk.dialogue is not None
        return self.desk.dialogue

    @property
    def report(self) -> Report:
        assert self.dialogue.report is not None
        return self.dialogue.report

    async def read(self) -> None:
        async for _ in self.dialogue.send("Read this."):
            pass

    async def _begin(self, paths: Sequence[str]) -> None:
        self.begun.append(paths)

    async def _resume(self, id: str | None) -> None:
        self.resumed.append(id)

    def _leave(self) -> None:
        self.left += 1

    def _redraw(self) -> None:
        self.redrawn += 1


def sources(chat: Chat) -> Sources:
    def model(name: str) -> ChatModel:
        return chat_model(chat.desk.settings, name)

    return Sources(chat.endpoints, model, modes=("simulated",), workspace=chat.folder)


def files(pictures: Path) -> StudyFiles:
    return StudyFiles((str(pictures / "frontal.png"),), view="PA", indication="Fever.")


async def opened(chat: Chat, pictures: Path) -> Dialogue:
    chat.desk.files = files(pictures)
    store, folder = chat.desk.store, chat.folder / "sessions"
    return await Dialogue.begin(chat.desk.files.read(), sources(chat), store=store, folder=folder)


def ids(report: Report) -> list[str]:
    return [one.id for one in report.statements()]


def texts(report: Report) -> dict[str, str]:
    return {one.id: one.text for one in report.statements()}

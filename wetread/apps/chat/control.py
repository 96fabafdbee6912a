"""The chat between the terminal and the dialogue: what a typed line does, and what is shown of what happens.

All of it runs in the dialogue's event loop. The terminal hands lines and interrupts over, and shows what it is given.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wetread.agents.prices import load_prices
from wetread.apps.chat import commands, opening, views
from wetread.apps.chat.desk import Desk
from wetread.apps.chat.live import Asked, Footer, Live
from wetread.apps.chat.studies import (
    StudySource,
    is_path,
    remember,
    remembered,
    sessions_folder,
    studies_here,
    typed_paths,
)
from wetread.apps.chat.surroundings import surroundings
from wetread.apps.wiring import settings_for
from wetread.dialogue.costs import Tally
from wetread.dialogue.dialogue import Dialogue
from wetread.errors import InputError, WetreadError
from wetread.events import (
    Event,
    ModelAnswered,
    ModelCalled,
    QuestionAnswered,
    QuestionAsked,
    ReportReady,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEnded,
)
from wetread.session import warm
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wetread.apps.chat.options import ChatOptions
    from wetread.apps.pictures.views import View
    from wetread.session import Session
    from wetread.store import Store

ORCHESTRATOR = "orchestrator"


class Output(Protocol):
    """Where the chat is shown."""

    def write(self, what: RenderableType) -> None:
        """Show something for good, below what came before."""
        ...

    def draw(self, make: Callable[[tuple[int, int]], View]) -> None:
        """Show a picture with its caption. `make` gives it for a width and height in pixels; called in this thread."""
        ...

    async def enter(self, text: str, speed: float | None) -> bool:
        """Type a line and enter it, so many characters a second; False where there is nothing to type into."""
        ...

    async def press(self, key: str) -> None:
        """Press a key by its name."""
        ...

    def prefill(self, text: str) -> None:
        """Put a text into the input line, to be changed."""
        ...

    def images(self, how: str | None = None) -> str:
        """How pictures are shown, after setting it where `how` is given; see `desk.Screen`."""
        ...

    def close(self, error: Exception | None) -> None:
        """The chat is over."""
        ...


class Chat:
    """One chat, from the command line's options to its end.

    Args:
        options: What was asked for.
        output: Where it is shown.
        live: What stands above the input.
    """

    def __init__(self, options: ChatOptions, output: Output, live: Live) -> None:
        self.options = options
        self.output = output
        self.live = live
        self.tally = Tally(load_prices())
        self.desk: Desk | None = None
        """What commands work with; None until the store is open."""
        self._source: StudySource | None = None
        self._choices: list[str] = []
        """The studies that were offered, by number."""
        self._queue: deque[str] = deque()
        self._answer: asyncio.Future[str | None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._opened = False
        self._over = asyncio.Event()
        self._settled = asyncio.Event()
        self._stack = AsyncExitStack()
        self._dialogue_stack = AsyncExitStack()
        self._line = ""
        self._streamed = False
        self._story = views.Story()

    # what the terminal calls

    def typed(self, text: str) -> None:
        """A line was entered."""
        line = text.strip()
        if self.asks:
            # not before what follows from the answer is the next line taken
            self._settled.clear()
        if self._answer is not None:
            self._answered(self._chosen(line))
        elif self._asked is not None:
            self._talk().answer(self._chosen(line))
        elif line.startswith("/cancel"):
            self.interrupt(drop_queue=True)
        elif not line:
            return
        elif self._opened and self._work is not None and commands.is_command(line) and not is_path(line):
            self._start_beside(line)
        elif self._work is not None or not self._opened:
            self._queue.append(line)
            self.live.set(queued=tuple(self._queue))
        else:
            self._start(line)

    def skip(self) -> None:
        """The open question is left unanswered."""
        if self._answer is not None:
            self._answered(None)
        elif self._asked is not None:
            self._talk().answer(None)

    def interrupt(self, *, drop_queue: bool = False) -> bool:
        """Stop what runs; returns whether anything did. Messages that wait go back into the input line."""
        waiting = list(self._queue)
        self._queue.clear()
        self.live.set(queued=())
        if waiting and not drop_queue:
            self.output.prefill("\n".join(waiting))
        if self._answer is not None:
            self._answered(None)
            return True
        if self._work is None:
            return bool(waiting)
        self.live.set(stopping=True)
        dialogue = self.desk.dialogue if self.desk is not None else None
        if dialogue is not None and dialogue.busy:
            dialogue.cancel()
        else:
            self._work.cancel()
        return True

    def leave(self) -> None:
        """End the chat."""
        self._over.set()

    async def settled(self) -> None:
        """Wait until the next line would be taken at once: nothing runs, or a question is open."""
        await self._settled.wait()

    @property
    def asks(self) -> bool:
        """Whether a question is open."""
        return self._answer is not None or self._asked is not None

    async def run(self) -> None:
        """The whole chat: opens what was asked for, and stays until it is left."""
        error: Exception | None = None
        try:
            await self._open()
            self._opened = True
            self._next()
            if self.options.script is not None:
                self._beside.add(asyncio.create_task(self._play(self.options.script)))
            await self._over.wait()
        except Exception as raised:
            error = raised
        finally:
            work = [task for task in (self._work, *self._beside) if task is not None]
            for task in work:
                task.cancel()
            if work:
                await asyncio.wait(work)
            dialogue = self.desk.dialogue if self.desk is not None else None
            try:
                await self._close_dialogue()
                await self._stack.aclose()
            except Exception as raised:
                error = error or raised
            if dialogue is not None:
                self.output.write(opening.left(dialogue.id))
            self.output.close(error)

    # the screen that commands see

    def show(self, what: RenderableType) -> None:
        self.output.write(what)

    async def picture(self, make: Callable[[tuple[int, int]], View]) -> None:
        await asyncio.to_thread(self.output.draw, make)

    def images(self, how: str | None = None) -> str:
        return self.output.images(how)

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        """See `desk.Screen`."""
        self._answer = asyncio.get_running_loop().create_future()
        self.live.set(asked=Asked(question, tuple(options)))
        self._settle()
        if initial:
            self.output.prefill(initial)
        try:
            return await self._answer
        finally:
            self._answer = None
            self.live.set(asked=None)
            self._settle()

    # opening

    async def _open(self) -> None:
        options = self.options
        self.live.set(status="opening")
        workspace = options.workspace
        settings = await asyncio.to_thread(settings_for, workspace, options.model)
        store = await asyncio.to_thread(self._store, settings)
        self.desk = Desk(
            screen=self,
            settings=settings,
            workspace=workspace,
            store=store,
            begin=self._begin_typed,
            resume=self._resume,
            send=self.typed,
            follow=self._turn,
            leave=self.leave,
            reader=options.reader or settings.reader,
            simulated=options.simulated,
            watchers=[self._refresh],
        )
        if options.resume is not None:
            await self._resume(options.resume or None, options.source)
        elif options.source is not None:
            await self._begin(options.source)
        else:
            self.live.set(status="")
            self._offer()

    def _store(self, settings: Any) -> Store:
        from wetread.apps.stores import opened_store
        from wetread.config import STORE_FILE

        named = self.options.store or settings.store or str(self.options.workspace / STORE_FILE)
        store = self._stack.enter_context(opened_store(named, settings, self.options.workspace, create=True))
        assert store is not None
        return store

    def _offer(self) -> None:
        """No study yet: say what lies here and how to name one."""
        desk = self.desk
        assert desk is not None
        self._choices = [str(path) for path in studies_here(Path.cwd())]
        sessions = [one for one in desk.store.sessions.all() if one.turns][:5]
        self.output.write(opening.choose_study(self._choices, sessions))

    async def _begin_typed(self, words: Sequence[str]) -> None:
        """Another study: paths as typed, a number of the list, or none to choose one."""
        if not words:
            await self._close_dialogue()
            self._offer()
            return
        line = " ".join(words)
        if line.isdecimal() and 0 < int(line) <= len(self._choices):
            paths: tuple[str, ...] = (self._choices[int(line) - 1],)
        else:
            paths = typed_paths(line) if len(words) == 1 else tuple(words)
        base = self.options.source or StudySource()
        view = base.view or self.options.view
        await self._begin(StudySource(paths=paths, view=view, simulated=self.options.simulated))

    async def _begin(self, source: StudySource) -> None:
        self.live.set(status="reading the study")
        desk = self.desk
        assert desk is not None
        try:
            stack, study, sources = await surroundings(source, desk.settings, desk.workspace, self.options.budget)
            try:
                self.live.set(status="opening the session")
                dialogue = await Dialogue.begin(
                    study,
                    sources,
                    store=desk.store,
                    folder=sessions_folder(desk.workspace),
                    template=self.options.template,
                )
                stack.push_async_callback(dialogue.aclose)
                await asyncio.to_thread(remember, desk.workspace, dialogue.id, source)
            except BaseException:
                await stack.aclose()
                raise
        finally:
            self.live.set(status="")
        await self._take(dialogue, stack, source)
        self.tally = desk.tally = Tally(load_prices(desk.workspace))
        self._refresh()
        self.output.write(_welcome(dialogue))

    async def _resume(self, id: str | None, given: StudySource | None = None) -> None:
        self.live.set(status="reading the session")
        desk = self.desk
        assert desk is not None
        try:
            entries = await asyncio.to_thread(desk.store.sessions.all)
            entry = next((one for one in entries if (one.id.startswith(id) if id else one.turns)), None)
            if entry is None:
                raise InputError("WET-INPUT-SESSION", "There is no such session here.", "`/sessions` lists them.")
            source = given if given is not None else await asyncio.to_thread(remembered, desk.workspace, entry.id)
            if "simulated" in entry.modes and source.scenario is None:
                source = source.model_copy(update={"simulated": True})
            await self._close_dialogue()
            stack, study, sources = await surroundings(source, desk.settings, desk.workspace, self.options.budget)
            try:
                dialogue = await Dialogue.resume(
                    entry.id, study, sources, store=desk.store, folder=sessions_folder(desk.workspace)
                )
                stack.push_async_callback(dialogue.aclose)
                await asyncio.to_thread(remember, desk.workspace, dialogue.id, source)
            except BaseException:
                await stack.aclose()
                raise
        finally:
            self.live.set(status="")
        await self._take(dialogue, stack, source)
        kept = dialogue.kept
        assert kept is not None
        self.tally = desk.tally = Tally(load_prices(desk.workspace))
        for event in kept.events:
            self.tally.add(event)
        self._refresh()
        self.output.write(opening.resumed(kept, _welcome(dialogue)))

    async def _take(self, dialogue: Dialogue, stack: AsyncExitStack, source: StudySource) -> None:
        assert self.desk is not None
        await self._close_dialogue()
        self._dialogue_stack, self._source = stack, source
        desk = self.desk
        dialogue.reader = desk.reader
        desk.dialogue, desk.files = dialogue, source.files()
        self._warming = asyncio.create_task(warm())

    async def _close_dialogue(self) -> None:
        stack, self._dialogue_stack = self._dialogue_stack, AsyncExitStack()
        if self.desk is not None:
            self.desk.dialogue = None
        await stack.aclose()

    async def _play(self, path: Path) -> None:
        """Type what a script says, as a person would, and leave at its end."""
        from wetread.apps.chat.script import play, read_script

        try:
            await play(await asyncio.to_thread(read_script, path), self, self.output)
        finally:
            self.leave()

    # one line

    @property
    def _asked(self) -> QuestionAsked | None:
        dialogue = self.desk.dialogue if self.desk is not None else None
        return dialogue.question if dialogue is not None else None

    def _talk(self) -> Dialogue:
        assert self.desk is not None and self.desk.dialogue is not None
        return self.desk.dialogue

    def _chosen(self, line: str) -> str | None:
        """An answer as it was typed, or the option of that number."""
        asked = self.live.now().asked
        options = asked.options if asked is not None else ()
        if line.isdecimal() and 0 < int(line[:4]) <= len(options):
            return options[int(line[:4]) - 1]
        return line or None

    def _answered(self, text: str | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(text)

    def _settle(self) -> None:
        if (self._work is None and not self._queue) or self.asks:
            self._settled.set()
        else:
            self._settled.clear()

    def _start(self, line: str) -> None:
        self.live.set(work=True)
        self._work = asyncio.create_task(self._do(line))
        self._work.add_done_callback(self._done)
        self._settle()

    def _start_beside(self, line: str) -> None:
        task = asyncio.create_task(self._do(line))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work = None
        self.live.set(work=False, busy=False, stopping=False, thinking=(), running=(), text="")
        self._next()

    def _next(self) -> None:
        """Begin with the line that has waited longest, if one has."""
        if self._queue and not self._over.is_set():
            line = self._queue.popleft()
            self.live.set(queued=tuple(self._queue))
            self._start(line)
        self._settle()

    async def _do(self, line: str) -> None:
        self.output.write(views.said(line))
        try:
            if self.desk is None:
                raise InputError("WET-INPUT-BUSY", "The chat is still being opened.", "Try again in a moment.")
            if is_path(line):
                await self._dropped(line)
            elif commands.is_command(line):
                await commands.run(self.desk, line)
            elif self.desk.dialogue is None:
                await self._begin_typed([line])
            else:
                await self._turn(self.desk.dialogue.send(line))
        except asyncio.CancelledError:
            self.output.write(views.note("Stopped.", "yellow"))
        except WetreadError as error:
            self.output.write(views.failure(error))
        except Exception as error:
            # an unforeseen error's own text may hold what must not be shown
            self.output.write(opening.fault(error))
        finally:
            self._refresh()

    async def _dropped(self, line: str) -> None:
        """A path alone: the study, where there is none yet; else it is said what can be done with it."""
        assert self.desk is not None
        if self.desk.dialogue is None:
            await self._begin_typed([line])
        else:
            words = "A study is open. /prior PATH adds this one as its prior, /new PATH opens it instead."
            self.output.write(views.note(words, "yellow"))

    async def _turn(self, events: AsyncIterator[Event]) -> None:
        """Follow a turn, or a tool that the person has called, to its end."""
        self.live.set(busy=True, since=time.monotonic(), stopping=False)
        self._line, self._streamed = "", False
        self._story = views.Story()
        async for event in events:
            self.tally.add(event)
            self._tell(event)

    # events

    def _tell(self, event: Event) -> None:
        live = self.live
        match event:
            case TextDelta():
                self._stream(event)
                return
            case ModelCalled():
                live.set(thinking=(*live.now().thinking, event.agent))
            case ModelAnswered():
                thinking = list(live.now().thinking)
                if event.agent in thinking:
                    thinking.remove(event.agent)
                live.set(thinking=tuple(thinking))
            case ToolStarted():
                self._flush()
                live.began(event)
            case ToolFinished():
                live.ended(event.call)
            case QuestionAsked():
                live.set(asked=Asked(event.question, event.options))
                self._settle()
            case QuestionAnswered():
                live.set(asked=None)
                self._settle()
            case TurnEnded():
                self._flush()
                if self._streamed:
                    # it stands there already, line by line
                    event = event.model_copy(update={"text": ""})
                live.set(asked=None)
        for what in self._story(event):
            self._flush()
            self.output.write(what)
        if isinstance(event, ReportReady | TurnEnded | QuestionAnswered):
            self._refresh()

    def _stream(self, event: TextDelta) -> None:
        """Text as it comes: whole lines go up for good, the rest stands above the input."""
        if event.agent != ORCHESTRATOR:
            return
        self._streamed = True
        self._line += event.text
        whole, newline, rest = self._line.rpartition("\n")
        if newline:
            self.output.write(_agent(whole))
            self._line = rest
        self.live.set(text=self._line)

    def _flush(self) -> None:
        if self._line.strip():
            self.output.write(_agent(self._line))
        self._line = ""
        self.live.set(text="")

    def _refresh(self) -> None:
        """Footer and panel as things stand; a study that has got a prior is noted as it is now."""
        desk = self.desk
        if desk is None:
            return
        if desk.dialogue is not None and self._source is not None and desk.files not in (None, self._source.files()):
            assert desk.files is not None
            self._source = self._source.of(desk.files)
            remember(desk.workspace, desk.dialogue.id, self._source)
        dialogue = desk.dialogue
        if dialogue is None:
            self.live.set(report=None, footer=Footer())
            return
        session = dialogue.session
        source = self._source
        endpoints = "simulated endpoints" if source is not None and source.simulated else ""
        if source is not None and source.scenario is not None:
            endpoints = f"tape of {source.scenario}"
        self.live.set(
            report=dialogue.report,
            footer=Footer(
                model=session.reading.language_model,
                template=session.template.name,
                endpoints=endpoints or f"{len(desk.settings.endpoints)} endpoints",
                cost=self.tally.total.line if self.tally.total.models or self.tally.total.tools else "",
                reader=dialogue.reader or "",
                modes=_modes(session),
            ),
        )


def _modes(session: Session) -> tuple[str, ...]:
    """What must not be overlooked: how the session was opened, and where its evidence turned out to come from."""
    told = {"simulated": Origin.SIMULATED, "replay": Origin.RECORDED, "authored": Origin.AUTHORED}
    origins = {one.origin for one in session.ledger}
    return tuple(mode for mode, origin in told.items() if mode in session.reading.modes or origin in origins)


def _welcome(dialogue: Dialogue) -> RenderableType:
    """The study that is open, and what it is read with."""
    from wetread.apps.chat.views_tables import welcome

    session = dialogue.session
    reading = session.reading
    return welcome(
        session.study,
        template=session.template.name,
        model=reading.language_model,
        modes=reading.modes,
        session=dialogue.id,
    )


def _agent(text: str) -> RenderableType:
    """What an agent says."""
    from rich.padding import Padding

    return Padding(views.markdownish(text), (0, 0, 0, 2))

"""The chat between the terminal and the dialogue: what a typed line does, and what is shown of what happens.

All of it runs in the dialogue's event loop. The terminal hands lines and interrupts over, and shows what it is given.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wetread.apps.chat import commands, opening, views
from wetread.apps.chat.conversations import Conversations
from wetread.apps.chat.desk import Desk
from wetread.apps.chat.live import Asked, Live
from wetread.apps.chat.markdownish import Streamed
from wetread.apps.chat.studies import is_path
from wetread.apps.wiring import settings_for
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

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wetread.apps.chat.options import ChatOptions
    from wetread.apps.pictures.views import View
    from wetread.config import Settings
    from wetread.dialogue.dialogue import Dialogue
    from wetread.store import Store

ORCHESTRATOR = "orchestrator"


class Output(Protocol):
    """Where the chat is shown."""

    echoes: bool
    """Whether a line stands there as it was typed, once it is entered."""

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

    def give_back(self, lines: Sequence[str]) -> None:
        """Put lines that were entered back into the input, before what is being typed."""
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
        self.desk: Desk | None = None
        """What commands work with; None until the store is open."""
        self._conversations: Conversations | None = None
        self._queue: deque[str] = deque()
        self._answer: asyncio.Future[str | None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._beside: set[asyncio.Task[None]] = set()
        self._opened = False
        self._over = asyncio.Event()
        self._settled = asyncio.Event()
        self._stack = ExitStack()
        self._streamed = Streamed()
        self._told = False
        """Whether the turn's words stand there already, as they came."""
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
        elif line.lower() == "/cancel" and (self._work is not None or self._queue):
            self.interrupt(drop_queue=True)
        elif not line:
            return
        elif self._opened and self._work is not None and commands.is_command(line):
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
            self.output.give_back(waiting)
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
                if self._conversations is not None:
                    await self._conversations.close()
                self._stack.close()
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
        self.live.set(asked=Asked(question, tuple(options), escape="leave"))
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
        settings = await asyncio.to_thread(settings_for, options.workspace, options.model)
        store = await asyncio.to_thread(self._store, settings)
        self.desk = desk = Desk(
            screen=self,
            settings=settings,
            workspace=options.workspace,
            store=store,
            begin=self._begin,
            resume=self._resume,
            send=self.typed,
            follow=self._turn,
            leave=self.leave,
            reader=options.reader or settings.reader,
            watchers=[self._refresh],
        )
        self._conversations = Conversations(options, desk, self.live)
        await self._conversations.open()

    def _store(self, settings: Settings) -> Store:
        from wetread.apps.stores import opened_store
        from wetread.config import STORE_FILE

        named = self.options.store or settings.store or str(self.options.workspace / STORE_FILE)
        store = self._stack.enter_context(opened_store(named, settings, self.options.workspace, create=True))
        assert store is not None
        return store

    async def _begin(self, words: Sequence[str]) -> None:
        assert self._conversations is not None
        await self._conversations.begin(words)

    async def _resume(self, id: str | None) -> None:
        assert self._conversations is not None
        await self._conversations.resume(id)

    def _refresh(self) -> None:
        if self._conversations is not None:
            self._conversations.refresh()

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
        self._work.add_done_callback(lambda task: self._done(task, line))
        self._settle()

    def _start_beside(self, line: str) -> None:
        task = asyncio.create_task(self._do(line))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _done(self, task: asyncio.Task[None], line: str) -> None:
        if task.cancelled():  # before it had begun
            self.output.write(views.said(line))
            self.output.write(_stopped())
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
        if not self.output.echoes:
            self.output.write(views.said(line))
        try:
            if self.desk is None:
                raise InputError("WET-INPUT-BUSY", "The chat is still being opened.", "Try again in a moment.")
            if commands.is_command(line):
                await commands.run(self.desk, line)
            elif is_path(line):
                await self._dropped(line)
            elif self.desk.dialogue is None:
                await self._begin([line])
            else:
                await self._turn(self.desk.dialogue.send(line))
        except asyncio.CancelledError:
            self._flush()
            self.output.write(_stopped())
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
            await self._begin([line])
        else:
            words = "A study is open. /prior PATH adds this one as its prior, /new PATH opens it instead."
            self.output.write(views.note(words, "yellow"))

    async def _turn(self, events: AsyncIterator[Event]) -> None:
        """Follow a turn, or a tool that the person has called, to its end."""
        self.live.set(busy=True, since=time.monotonic(), stopping=False)
        assert self.desk is not None and self.desk.tally is not None
        tally = self.desk.tally

        def money() -> str:
            last = tally.last
            return last.money if last is not None and (last.usd or (last.tokens and not last.unpriced)) else ""

        self._streamed, self._told = Streamed(), False
        self._story = views.Story(money)
        async for event in events:
            tally.add(event)
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
                if self._told:
                    # it stands there already, line by line
                    event = event.model_copy(update={"text": ""})
                live.set(asked=None)
        for what in self._story(event):
            self._flush()
            self.output.write(what)
        if isinstance(event, ModelAnswered | ReportReady | TurnEnded | QuestionAnswered):
            self._refresh()

    def _stream(self, event: TextDelta) -> None:
        """Text as it comes: whole blocks go up for good, the rest stands above the input."""
        if event.agent != ORCHESTRATOR:
            return
        self._told = True
        self._write(self._streamed.add(event.text))

    def _flush(self) -> None:
        self._write(self._streamed.end())

    def _write(self, words: RenderableType | None) -> None:
        if words is not None:
            self.output.write(words)
        if self.live.now().text != self._streamed.rest:
            self.live.set(text=self._streamed.rest)


def _stopped() -> RenderableType:
    return views.note("Stopped.", "yellow")

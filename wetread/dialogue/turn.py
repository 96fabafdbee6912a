"""One turn of a session, as what goes into the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from wetread.events import Event
from wetread.messages import ChatMessage
from wetread.session import Session
from wetread.store.journal import JournalEntry, Said


class Turn:
    """Follows a session's turn, whether or not anybody takes what it tells. Can be cancelled before it begins.

    Args:
        heed: Is told each event as it comes.
    """

    def __init__(self, heed: Callable[[Event], None]) -> None:
        self._heed = heed
        self._entries: asyncio.Queue[JournalEntry | None] = asyncio.Queue()
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def begin(self, session: Session, work: Callable[[Session], AsyncIterator[Event]]) -> None:
        """Start work of a session, a turn or a call of a tool, and follow it."""
        self._session = session
        session.heard = lambda message: self.put(Said(message=message))
        self._task = asyncio.create_task(self._follow(work(session)))
        self._task.add_done_callback(lambda _: self._entries.put_nowait(None))

    def put(self, entry: JournalEntry) -> None:
        """Add what the session itself does not tell."""
        self._entries.put_nowait(entry)

    def cancel(self) -> None:
        """End it now; what it still tells comes to its end."""
        self._stopped = True
        if self._session is not None:
            self._session.cancel()

    async def next(self) -> tuple[list[JournalEntry], bool]:
        """What has come since, one entry or more, and whether that was all."""
        batch = [await self._entries.get(), *self._waiting()]
        return [one for one in batch if one is not None], None in batch

    def check(self) -> None:
        """Raise what ended the turn, if it was an error."""
        if self._task is not None and not self._task.cancelled():
            self._task.result()

    async def end(self) -> list[JournalEntry]:
        """Cancel it where it still runs, and wait for its end; returns what nobody has taken."""
        if self._task is None or self._session is None:
            return []
        if not self._task.done():
            self.cancel()
            await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.exception()  # looked at: whoever follows has it from `check`
        self._session.heard = _nobody
        left = [one for one in self._waiting() if one is not None]
        self._entries.put_nowait(None)  # whoever still waits for more
        return left

    async def _follow(self, events: AsyncIterator[Event]) -> None:
        if self._stopped and self._session is not None:
            # once the session has the work in hand, and before it has begun with it
            asyncio.get_running_loop().call_soon(self._session.cancel)
        async for event in events:
            self._heed(event)
            self._entries.put_nowait(event)

    def _waiting(self) -> list[JournalEntry | None]:
        waiting = []
        while not self._entries.empty():
            waiting.append(self._entries.get_nowait())
        return waiting


def _nobody(message: ChatMessage) -> None:
    """Nobody listens between turns."""

"""The dialogue's thread: a chat runs in an event loop of its own, so that the terminal never waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wetread.apps.chat.control import Chat, Output
    from wetread.apps.chat.desk import Desk
    from wetread.apps.chat.live import Live
    from wetread.apps.chat.options import ChatOptions

JOIN_S = 5.0
"""How long the end of the chat is waited for."""


class Engine:
    """A chat in its own thread. All methods may be called from any other.

    Args:
        options: What was asked for.
        output: Where it is shown; called from the chat's thread.
        live: What stands above the input.
    """

    def __init__(self, options: ChatOptions, output: Output, live: Live) -> None:
        self._options = options
        self._output = output
        self._live = live
        self._loop: asyncio.AbstractEventLoop | None = None
        self._chat: Chat | None = None
        self._early: list[Callable[[Chat], object]] = []
        self._handed = 0
        self._taken = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="wetread-chat", daemon=True)

    @property
    def desk(self) -> Desk | None:
        """What commands work with; None until the chat is open."""
        return self._chat.desk if self._chat is not None else None

    def start(self) -> None:
        """Begin; what is heavy is imported now."""
        self._thread.start()

    def typed(self, text: str) -> None:
        """Hand a line over."""
        self._handed += 1

        def take(chat: Chat) -> None:
            chat.typed(text)
            self._taken += 1

        self._tell(take)

    @property
    def handing(self) -> bool:
        """Whether a line was handed over that the chat has not taken yet."""
        return self._taken < self._handed

    def skip(self) -> None:
        """Leave the open question unanswered."""
        self._tell(lambda chat: chat.skip())

    def interrupt(self) -> None:
        """Stop what runs."""
        self._tell(lambda chat: chat.interrupt())

    def leave(self) -> None:
        """End the chat."""
        self._tell(lambda chat: chat.leave())

    def join(self) -> bool:
        """Wait for the end; False where it does not come."""
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        return not self._thread.is_alive()

    def _tell(self, what: Callable[[Chat], object]) -> None:
        with self._lock:
            chat, loop = self._chat, self._loop
            if chat is None or loop is None:
                self._early.append(what)
                return
        try:
            loop.call_soon_threadsafe(what, chat)
        except RuntimeError:
            return  # the chat has ended meanwhile

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._output.close(error)

    async def _serve(self) -> None:
        from wetread.apps.chat.control import Chat

        chat = Chat(self._options, self._output, self._live)
        loop = asyncio.get_running_loop()
        with self._lock:
            self._chat, self._loop = chat, loop
            early, self._early = self._early, []
        for what in early:
            loop.call_soon(what, chat)
        await chat.run()

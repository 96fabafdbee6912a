"""The chat through pipes: lines in, lines out; for scripts, tests, and terminals that can do nothing else."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

from wetread.apps.chat.control import Chat
from wetread.apps.chat.live import Live
from wetread.apps.console import console
from wetread.apps.pictures import Painter, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from wetread.apps.chat.options import ChatOptions
    from wetread.apps.pictures.views import View


class PipeChat:
    """The `Output` of a chat without a terminal. Each line is taken when the one before is done with.

    Args:
        options: What was asked for.
    """

    def __init__(self, options: ChatOptions) -> None:
        self._options = options
        self._console = console(sys.stdout)
        self._painter: Painter = choose(options.images).painter
        self._error: Exception | None = None
        self.echoes = sys.stdin.isatty() and options.script is None

    def run(self) -> Exception | None:
        """The chat, to the end of the input; returns the error that ended it."""
        asyncio.run(self._run())
        return self._error

    async def _run(self) -> None:
        chat = Chat(self._options, self, Live())
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        if self._options.script is None:
            _read_lines(lines)
            feeding = asyncio.create_task(_feed(chat, lines))
            try:
                await chat.run()
            finally:
                feeding.cancel()
        else:
            await chat.run()

    def write(self, what: RenderableType) -> None:
        """See `control.Output`."""
        self._console.print(what)
        self._console.file.flush()

    def draw(self, make: Callable[[tuple[int, int]], View]) -> None:
        """See `control.Output`."""
        columns, rows = min(self._console.width, 80), 30
        view = make(self._painter.resolution(columns, rows))
        painted = self._painter.paint(view.pixels, columns=columns, rows=rows, labels=view.labels)
        self._console.file.write(painted)
        self._console.print(view.caption, style="dim")

    def prefill(self, text: str) -> None:
        """See `control.Output`: nothing, where no line is edited."""

    def give_back(self, lines: Sequence[str]) -> None:
        """See `control.Output`: nothing, as with `prefill`."""

    def images(self, how: str | None = None) -> str:
        """See `control.Output`."""
        if how is None:
            return self._painter.name
        self._painter = choose(how).painter
        return self._painter.name

    async def enter(self, text: str, speed: float | None) -> bool:
        """See `control.Output`: there is no line to type it into."""
        return False

    async def press(self, key: str) -> None:
        """See `control.Output`: there are no keys."""

    def close(self, error: Exception | None) -> None:
        """See `control.Output`."""
        self._error = error


def _read_lines(lines: asyncio.Queue[str | None]) -> None:
    """Read standard input in a thread of its own: a line that does not come keeps nobody from leaving."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)
        except RuntimeError:
            return  # the chat has ended meanwhile

    threading.Thread(target=read, name="wetread-lines", daemon=True).start()


async def _feed(chat: Chat, lines: asyncio.Queue[Any]) -> None:
    while True:
        await chat.settled()
        line = await lines.get()
        if line is None:
            await chat.settled()
            chat.skip()
            await chat.settled()
            chat.leave()
            return
        chat.typed(line.rstrip("\n"))

"""The chat's terminal: what is done scrolls up, what runs stands above the input, a footer says with what.

Inline, without an alternate screen: the terminal's own scrollback has the whole conversation. Only what draws the first
prompt is imported here; all else comes with the dialogue, in its own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import ThreadedCompleter
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.widgets import SearchToolbar

from wetread.apps.chat.drawing import FRAME_S, STYLE, Drawing
from wetread.apps.chat.engine import Engine
from wetread.apps.chat.inline import InlineApplication, inline_output
from wetread.apps.chat.input import ChatCompleter, Pastes, PrivateHistory, open_history, strained
from wetread.apps.chat.keys import chat_keys
from wetread.apps.chat.live import Live
from wetread.apps.chat.render import colours, rendered
from wetread.apps.pictures import choose

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from rich.console import RenderableType

    from wetread.apps.chat.options import ChatOptions
    from wetread.apps.pictures.views import View

MIN_PICTURE = 14
"""Rows that a picture has at least."""
WIDEST = 100
"""Columns that a picture takes at most."""


class TerminalChat:
    """The chat at a terminal; the `Output` of the chat that runs in the engine.

    Args:
        options: What was asked for.
    """

    echoes = False

    def __init__(self, options: ChatOptions) -> None:
        self._options = options
        # asked before the first prompt: later, its answer would stand among what is typed
        chosen = choose(options.images)
        self._painter = chosen.painter
        self._outbox: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: Exception | None = None
        self._closing = False
        self._aside: str | None = None
        """What was being typed when a question came."""
        self.ended_by: int | None = None
        """The number of the signal that ended the chat."""
        self.interrupted = float("-inf")
        """When Ctrl-C was pressed last, since a line was entered (seconds of `time.monotonic`)."""
        self.live = Live(self._changed)
        self.engine = Engine(options, self, self.live)
        self.pastes = Pastes()
        self.search = SearchToolbar(ignore_case=True)
        self.buffer = Buffer(
            multiline=True,
            completer=ThreadedCompleter(ChatCompleter(lambda: self.engine.desk)),
            complete_while_typing=True,
            history=open_history(options.workspace),
            enable_history_search=False,
            accept_handler=self._accept,
        )
        output = inline_output()
        self.drawing = Drawing(self.live, output.get_size)
        self.app = InlineApplication(
            layout=self.drawing.layout(self.buffer, self.search),
            key_bindings=chat_keys(self),
            style=STYLE,
            editing_mode=EditingMode.EMACS,
            mouse_support=False,
            full_screen=False,
            erase_when_done=True,
            color_depth=None if colours() else _no_colours(),
            input=strained(chosen),
            output=output,
        )
        # a terminal that does not tell where its cursor is does without the menu's full height, and without a warning
        self.app.renderer.cpr_not_supported_callback = None
        self.app.ttimeoutlen = 0.05
        self.app.timeoutlen = 0.3

    async def run(self) -> Exception | None:
        """The chat, until it is left; returns the error that ended it."""
        loop = self._loop = asyncio.get_running_loop()
        self.app.heed_stop(loop)
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, self._ended, number)
        ticking = asyncio.create_task(self._tick())
        # the first prompt is on the screen before anything heavy begins
        self.app.after_render += self._start
        try:
            await self.app.run_async(handle_sigint=True)
        finally:
            ticking.cancel()
            with contextlib.suppress(OSError):  # a terminal that is gone
                sys.stdout.write("".join(self._outbox))
                sys.stdout.flush()
        return self._error

    def _ended(self, number: int) -> None:
        self.ended_by = number
        self.quit()

    def _start(self, app: Application[None]) -> None:
        app.after_render -= self._start
        # what was typed before there was a prompt
        app.key_processor.feed_multiple(app.input.read_keys())
        app.key_processor.process_keys()
        self.engine.start()

    # Output, called from the engine's thread

    def write(self, what: RenderableType) -> None:
        """See `control.Output`."""
        self._put(rendered(what, self._columns() - 1))

    def draw(self, make: Callable[[tuple[int, int]], View]) -> None:
        """See `control.Output`."""
        from rich.text import Text

        size = self.app.output.get_size()
        below = self.drawing.panel_rows
        columns, rows = min(size.columns - 2, WIDEST), max(size.rows - below - 7, MIN_PICTURE)
        painter = self._painter
        view = make(painter.resolution(columns, rows))
        painted = painter.paint(view.pixels, columns=columns, rows=rows, labels=view.labels)
        self._put(painted + rendered(Text(view.caption, style="dim"), size.columns - 1))

    def prefill(self, text: str) -> None:
        """See `control.Output`."""
        self._call(lambda: self._prefill(text))

    def give_back(self, lines: Sequence[str]) -> None:
        """See `control.Output`."""
        self._call(lambda: self._prefill("\n".join(filter(None, (*lines, self.buffer.text)))))

    def images(self, how: str | None = None) -> str:
        """See `control.Output`."""
        if how is None:
            return self._painter.name
        # the terminal is in use: within no time it is not asked again, the environment alone tells
        self._painter = choose(how, within=0).painter
        return self._painter.name

    async def enter(self, text: str, speed: float | None) -> bool:
        """See `control.Output`."""
        assert self._loop is not None
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._type(text, speed), self._loop))
        return True

    async def press(self, key: str) -> None:
        """See `control.Output`."""
        self._call(lambda: self._press(key))

    def close(self, error: Exception | None) -> None:
        """See `control.Output`."""
        self._error = error
        self._call(self._exit)

    # the terminal's own thread

    def submit(self) -> None:
        """What stands in the input line is entered."""
        self.buffer.validate_and_handle()

    def interrupt(self) -> bool:
        """Stop what runs; False where nothing does."""
        now = self.live.now()
        if not (now.work or now.queued or now.asked or self.engine.handing):
            return False
        self.engine.interrupt()
        return True

    def quit(self) -> None:
        """End the chat; a second time at once."""
        if self._closing:
            self._exit()
            return
        self._closing = True
        self.live.set(status="closing")
        self.engine.leave()

    def _accept(self, buffer: Buffer) -> bool:
        text = self.pastes.whole(buffer.text)
        desk = self.engine.desk
        if desk is not None and desk.dialogue is not None and isinstance(buffer.history, PrivateHistory):
            buffer.history.scrub = desk.dialogue.session.study.scrub
        if text.strip() in ("/quit", "/exit", "/q"):
            self.quit()
            return False
        self.drawing.panel_scroll, self.interrupted = 0, float("-inf")
        self.engine.typed(text)
        return False

    def _prefill(self, text: str) -> None:
        self.buffer.text = text
        self.buffer.cursor_position = len(text)
        self.app.invalidate()

    async def _type(self, text: str, speed: float | None) -> None:
        """Type a line, as fast as a person or at once, and enter it."""
        self.buffer.reset(append_to_history=False)
        if speed:
            for letter in text:
                self.buffer.insert_text(letter)
                await asyncio.sleep(1 / speed)
        else:
            self.buffer.insert_text(text)
        self.submit()

    def _press(self, key: str) -> None:
        from prompt_toolkit.key_binding import KeyPress
        from prompt_toolkit.keys import ALL_KEYS

        if key in ALL_KEYS:
            self.app.key_processor.feed(KeyPress(key))
            self.app.key_processor.process_keys()

    def _exit(self) -> None:
        if self.app.is_running and not self.app.is_done:
            self.app.exit()

    def _put(self, text: str) -> None:
        self._call(lambda: self._queue(text))

    def _queue(self, text: str) -> None:
        if not self._outbox and self._loop is not None:
            self._loop.call_soon(self._flush)
        self._outbox.append(text)

    def _flush(self) -> None:
        """Write what is to stand for good above the input, all that came meanwhile at once."""
        app = self.app
        if not app.is_running or app.is_done:
            return  # the prompt is being taken away: `run` writes what is left below
        text, self._outbox = "".join(self._outbox), []
        app.write_above(text)

    def _call(self, what: Callable[[], None]) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(what)
            except RuntimeError:
                return  # the terminal is gone already

    def _changed(self) -> None:
        """The state has changed, in the chat's thread."""
        if (self.live.now().asked is not None) != (self._aside is not None):
            self._call(self._make_way)
        self.app.invalidate()

    def _make_way(self) -> None:
        """What was being typed when a question came is no answer to it: it comes back afterwards."""
        asked = self.live.now().asked is not None
        if asked and self._aside is None:
            self._aside = self.buffer.text
            self.buffer.reset(append_to_history=False)
        elif not asked and self._aside is not None:
            self._prefill("\n".join(filter(None, (self._aside, self.buffer.text))))
            self._aside = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FRAME_S)
            if self.drawing.turns:
                self.app.invalidate()

    def _columns(self) -> int:
        return self.app.output.get_size().columns


def _no_colours() -> Any:
    from prompt_toolkit.output import ColorDepth

    return ColorDepth.DEPTH_1_BIT

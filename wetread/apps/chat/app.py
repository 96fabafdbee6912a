"""The chat's terminal: what is done scrolls up, what runs stands above the input, a footer says with what.

Inline, without an alternate screen: the terminal's own scrollback has the whole conversation. Only what draws the first
prompt is imported here; all else comes with the dialogue, in its own thread.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import ThreadedCompleter
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.layout import (
    ConditionalContainer,
    Dimension,
    Float,
    FloatContainer,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import BeforeInput, HighlightIncrementalSearchProcessor
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from wetread.apps.chat.engine import Engine
from wetread.apps.chat.input import ChatCompleter, Pastes, PrivateHistory, open_history, strained
from wetread.apps.chat.keys import chat_keys
from wetread.apps.chat.live import Live, Snapshot
from wetread.apps.chat.render import colours, rendered
from wetread.apps.pictures import choose

if TYPE_CHECKING:
    from rich.console import RenderableType

    from wetread.apps.chat.options import ChatOptions
    from wetread.apps.pictures.views import View

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAME_S = 0.1
MIN_PICTURE = 14
"""Rows that a picture has at least."""
WIDEST = 100
"""Columns that a picture takes at most."""
PANEL_SHARE = 0.4
"""Of the terminal's height, at most, for the panel of the report."""

STYLE = Style.from_dict(
    {
        "prompt": "bold ansicyan",
        "rule": "ansibrightblack",
        "dim": "ansibrightblack",
        "footer": "ansibrightblack noreverse",
        "mode": "bold ansiblack bg:ansiyellow",
        "queued": "ansibrightblack italic",
        "asked": "bold ansiyellow",
        "work": "ansicyan",
        "id": "bold ansicyan",
        "warn": "bold ansired",
    }
)


class TerminalChat:
    """The chat at a terminal; the `Output` of the chat that runs in the engine.

    Args:
        options: What was asked for.
    """

    def __init__(self, options: ChatOptions) -> None:
        self._options = options
        # asked before the first prompt: later, its answer would stand among what is typed
        chosen = choose(options.images)  # type: ignore[arg-type]
        self._painter = chosen.painter
        self._outbox: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: Exception | None = None
        self._closing = False
        self._panel: tuple[Any, StyleAndTextTuples] = (None, [])
        self.panel_shown = True
        self.panel_scroll = 0
        self.hint = ""
        self.interrupted = float("-inf")
        """When Ctrl-C was pressed last, since a line was entered (seconds of `time.monotonic`)."""
        self.live = Live(self._invalidate)
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
        self.app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=chat_keys(self),
            style=STYLE,
            editing_mode=EditingMode.EMACS,
            mouse_support=False,
            full_screen=False,
            erase_when_done=True,
            color_depth=None if colours() else _no_colours(),
            input=strained(chosen),
        )
        # a terminal that does not tell where its cursor is does without the menu's full height, and without a warning
        self.app.renderer.cpr_not_supported_callback = None
        self.app.ttimeoutlen = 0.05
        self.app.timeoutlen = 0.3

    async def run(self) -> Exception | None:
        """The chat, until it is left; returns the error that ended it."""
        self._loop = asyncio.get_running_loop()
        ticking = asyncio.create_task(self._tick())
        # the first prompt is on the screen before anything heavy begins
        self.app.after_render += self._start
        try:
            await self.app.run_async(handle_sigint=True)
        finally:
            ticking.cancel()
            sys.stdout.write("".join(self._outbox))
            sys.stdout.flush()
        return self._error

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
        below = int(size.rows * PANEL_SHARE) if self._panel_visible() else 0
        columns, rows = min(size.columns - 2, WIDEST), max(size.rows - below - 7, MIN_PICTURE)
        painter = self._painter
        view = make(painter.resolution(columns, rows))
        painted = painter.paint(view.pixels, columns=columns, rows=rows, labels=view.labels)
        self._put(painted + rendered(Text(view.caption, style="dim"), size.columns - 1))

    def prefill(self, text: str) -> None:
        """See `control.Output`."""
        self._call(lambda: self._prefill(text))

    def images(self, how: str | None = None) -> str:
        """See `control.Output`."""
        if how is None:
            return self._painter.name
        # the terminal is in use: within no time it is not asked again, the environment alone tells
        self._painter = choose(how, within=0).painter  # type: ignore[arg-type]
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
        if not (now.work or now.queued or now.asked):
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
        self.panel_scroll, self.interrupted = 0, float("-inf")
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
        """Write what is to stand for good above the input, all that came meanwhile at once.

        The terminal stays as it is, raw: what is typed meanwhile is neither echoed in between nor lost.
        """
        app = self.app
        if not app.is_running or app.is_done:
            return  # the prompt is being taken away: `run` writes what is left below
        text, self._outbox = "".join(self._outbox), []
        app.renderer.erase()
        app.output.write_raw(text.replace("\r\n", "\n").replace("\n", "\r\n"))
        app.output.flush()
        app.renderer.request_absolute_cursor_position()
        app.renderer.render(app, app.layout)

    def _call(self, what: Callable[[], None]) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(what)
            except RuntimeError:
                return  # the terminal is gone already

    def _invalidate(self) -> None:
        self.app.invalidate()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(FRAME_S)
            now = self.live.now()
            if now.busy or now.status:
                self.app.invalidate()

    def _columns(self) -> int:
        return self.app.output.get_size().columns

    # what is drawn

    def _layout(self) -> Layout:
        control = BufferControl(
            buffer=self.buffer,
            input_processors=[BeforeInput(self._prompt), HighlightIncrementalSearchProcessor()],
            search_buffer_control=self.search.control,
            focus_on_click=True,
        )
        rows = HSplit(
            [
                ConditionalContainer(
                    Window(FormattedTextControl(self._live_lines), dont_extend_height=True, wrap_lines=True),
                    filter=Condition(lambda: bool(self._live_lines())),
                ),
                ConditionalContainer(
                    Window(FormattedTextControl(self._panel_text), dont_extend_height=True),
                    filter=Condition(self._panel_visible),
                ),
                ConditionalContainer(
                    Window(FormattedTextControl(self._queued), dont_extend_height=True),
                    filter=Condition(lambda: bool(self.live.now().queued)),
                ),
                Window(FormattedTextControl(self._rule), height=1),
                Window(
                    control,
                    height=Dimension(min=1, max=10),
                    dont_extend_height=True,
                    wrap_lines=True,
                ),
                self.search,
                Window(FormattedTextControl(self._footer), height=1),
            ]
        )
        menu = Float(xcursor=True, ycursor=True, content=CompletionsMenu(max_height=8, scroll_offset=1))
        return Layout(FloatContainer(rows, [menu]), focused_element=control)

    def _prompt(self) -> StyleAndTextTuples:
        return [("class:asked", "? ")] if self.live.now().asked is not None else [("class:prompt", "› ")]

    def _rule(self) -> StyleAndTextTuples:
        now = self.live.now()
        columns = self._columns()
        if now.asked is not None:
            options = f"  [{' / '.join(now.asked.options)}]" if now.asked.options else ""
            text = f" {now.asked.question}{options} "
            return [("class:asked", _cut(text, columns - 8)), ("class:rule", " (Esc: skip) ")]
        return [("class:rule", "─" * columns)]

    def _live_lines(self) -> StyleAndTextTuples:
        now = self.live.now()
        lines: StyleAndTextTuples = []
        if now.text:
            lines += [("", now.text), ("", "\n")]
        frame = SPINNER[int(time.monotonic() / FRAME_S) % len(SPINNER)]
        for one in now.running:
            lines += _running(one, frame, self._columns())
        if now.status:
            lines += [("class:work", f"{frame} "), ("class:dim", f"{now.status} …"), ("", "\n")]
        elif now.busy and (now.stopping or (now.thinking and not now.text) or not now.running):
            lines += _working(now, frame)
        if lines and lines[-1] == ("", "\n"):
            lines.pop()
        return lines

    def _panel_visible(self) -> bool:
        return self.panel_shown and self.live.now().report is not None and self.app.output.get_size().rows >= 16

    def _panel_text(self) -> StyleAndTextTuples:
        """The report's panel; made anew when the report, the width or the place in it changed."""
        size = self.app.output.get_size()
        report = self.live.now().report
        assert report is not None
        height = max(4, int(size.rows * PANEL_SHARE))
        key = (report.sha256, size.columns, height, self.panel_scroll)
        if self._panel[0] != key:
            from wetread.apps.chat.views_report import report_panel

            panel = report_panel(report, size.columns - 1, height, self.panel_scroll)
            text = rendered(panel, size.columns - 1).rstrip("\n")
            # taken apart once: it is drawn again at each key
            self._panel = (key, _joined(to_formatted_text(ANSI(text))))
        return self._panel[1]

    def _queued(self) -> StyleAndTextTuples:
        lines = [
            f"  queued: {_cut(one.replace(chr(10), ' ⏎ '), self._columns() - 12)}" for one in self.live.now().queued
        ]
        return [("class:queued", "\n".join(lines))]

    def _footer(self) -> StyleAndTextTuples:
        now = self.live.now()
        if self.hint:
            return [("class:warn", f" {self.hint}")]
        footer = now.footer
        modes: StyleAndTextTuples = []
        for mode in footer.modes:
            modes += [("class:mode", f" {mode.upper()} "), ("", " ")]
        parts = [one for one in (footer.model, footer.template, footer.endpoints, footer.cost) if one]
        text = " · ".join(parts) if parts else "research use only · /help"
        return [*modes, ("class:footer", _cut(text, self._columns() - sum(len(one[1]) for one in modes) - 1))]


def _running(one: Any, frame: str, columns: int) -> StyleAndTextTuples:
    from wetread.apps.chat.views import what_for

    event = one.event
    said = what_for(event)
    elapsed = f"{time.monotonic() - one.since:.1f} s"
    evidence = f" [{event.evidence}]" if event.evidence else ""
    room = columns - len(event.tool) - len(evidence) - len(elapsed) - 8
    return [
        ("class:work", f"{frame} {event.tool}"),
        ("class:id", evidence),
        ("", f" {_cut(said, room)} "),
        ("class:dim", elapsed),
        ("", "\n"),
    ]


def _working(now: Snapshot, frame: str) -> StyleAndTextTuples:
    who = ", ".join(dict.fromkeys(now.thinking)) or "working"
    what = "stopping" if now.stopping else f"{who} thinks" if now.thinking else "working"
    elapsed = f"{time.monotonic() - now.since:.0f} s"
    return [("class:work", f"{frame} "), ("class:dim", f"{what} … {elapsed} · Ctrl-C stops"), ("", "\n")]


def _joined(fragments: StyleAndTextTuples) -> StyleAndTextTuples:
    """The same text in as few pieces as it has styles: ANSI gives a piece for each character."""
    joined: StyleAndTextTuples = []
    for style, text, *_ in fragments:
        if joined and joined[-1][0] == style:
            joined[-1] = (style, joined[-1][1] + text)
        else:
            joined.append((style, text))
    return joined


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"


def _no_colours() -> Any:
    from prompt_toolkit.output import ColorDepth

    return ColorDepth.DEPTH_1_BIT

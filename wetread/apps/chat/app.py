"""The chat's terminal: what is done scrolls up, what runs stands above the input, a footer says with what.

Inline, without an alternate screen: the terminal's own scrollback has the whole conversation. Only what draws the first
prompt is imported here; all else comes with the dialogue, in its own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import ThreadedCompleter
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition, has_completions, is_done
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.layout import (
    ConditionalContainer,
    Dimension,
    HSplit,
    Layout,
    ScrollOffsets,
    Window,
)
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.margins import ScrollbarMargin
from prompt_toolkit.layout.menus import CompletionsMenuControl
from prompt_toolkit.layout.processors import BeforeInput, HighlightIncrementalSearchProcessor
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from wetread.apps.chat.engine import Engine
from wetread.apps.chat.inline import InlineApplication, inline_output
from wetread.apps.chat.input import ChatCompleter, Pastes, PrivateHistory, open_history, strained
from wetread.apps.chat.keys import chat_keys
from wetread.apps.chat.live import FRAMES, Live, Snapshot
from wetread.apps.chat.render import colours, rendered
from wetread.apps.pictures import choose

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from rich.console import RenderableType

    from wetread.apps.chat.options import ChatOptions
    from wetread.apps.pictures.views import View

FRAME_S = 0.1
MIN_PICTURE = 14
"""Rows that a picture has at least."""
ASKING = ("ask_person", "propose_edit")
"""The tools that wait for the person."""
WIDEST = 100
"""Columns that a picture takes at most."""
MENU_ROWS = 8
PANEL_SHARE = 0.4
"""Of the terminal's height, at most, for the panel of the report."""
MIN_PANEL_ROWS = 16
"""Of a terminal that has room for the panel."""
LIVE_CHARACTERS = 4000
"""Of a line that is still being written, as many are looked at."""

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
        self._prose: tuple[Any, StyleAndTextTuples] = (None, [])
        self._calls: tuple[Any, StyleAndTextTuples] = (None, [])
        self._aside: str | None = None
        """What was being typed when a question came."""
        self.ended_by: int | None = None
        """The number of the signal that ended the chat."""
        self.panel_shown = True
        self.panel_scroll = 0
        self.hint = ""
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
        self.app = InlineApplication(
            layout=self._layout(),
            key_bindings=chat_keys(self),
            style=STYLE,
            editing_mode=EditingMode.EMACS,
            mouse_support=False,
            full_screen=False,
            erase_when_done=True,
            color_depth=None if colours() else _no_colours(),
            input=strained(chosen),
            output=inline_output(),
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
        below = int(size.rows * PANEL_SHARE) if self._panel_visible() else 0
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
                # not over what stands below: the footer says what nobody may overlook
                _menu(),
                self.search,
                Window(FormattedTextControl(self._footer), height=1),
            ]
        )
        return Layout(rows, focused_element=control)

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
            lines += [*self._prose_text(now), ("", "\n")]
        tick = int(time.monotonic() / FRAME_S)
        frame = FRAMES[tick % len(FRAMES)]
        if now.running and (calls := self._running_text(now, tick)):
            lines += [*calls, ("", "\n")]
        if now.status:
            lines += [("class:work", f"{frame} "), ("class:dim", f"{now.status} …"), ("", "\n")]
        elif now.busy and (now.stopping or (now.thinking and not now.text) or not now.running):
            lines += _working(now, frame)
        if lines and lines[-1] == ("", "\n"):
            lines.pop()
        return lines

    def _running_text(self, now: Snapshot, tick: int) -> StyleAndTextTuples:
        """The calls that run, as they will stand when they have ended."""
        columns = self._columns()
        key = (now.running, now.asked, columns, tick)
        if self._calls[0] != key:
            from rich.console import Group

            from wetread.apps.chat.views import running_line

            # what a call asks the person stands there already
            running = [one for one in now.running if now.asked is None or one.event.tool not in ASKING]
            calls = [running_line(one.event, time.monotonic() - one.since, tick) for one in running]
            self._calls = (key, _fragments(rendered(Group(*calls), columns - 1).rstrip("\n")) if calls else [])
        return self._calls[1]

    def _prose_text(self, now: Snapshot) -> StyleAndTextTuples:
        """What an agent is writing, as it will stand: its end, as far as there is room for it."""
        size = self.app.output.get_size()
        below = int(size.rows * PANEL_SHARE) if self._panel_visible() else 0
        room = max(1, size.rows - below - len(now.running) - len(now.queued) - 6)
        key = (now.text, size.columns, room)
        if self._prose[0] != key:
            from wetread.apps.chat.markdownish import prose

            text = rendered(prose(now.text[-LIVE_CHARACTERS:]), size.columns - 1).rstrip("\n")
            self._prose = (key, _fragments("\n".join(text.split("\n")[-room:])))
        return self._prose[1]

    def _panel_visible(self) -> bool:
        tall = self.app.output.get_size().rows >= MIN_PANEL_ROWS
        return self.panel_shown and tall and self.live.now().report is not None

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
            # taken apart once: it is drawn again at each key
            self._panel = (key, _fragments(rendered(panel, size.columns - 1).rstrip("\n")))
        return self._panel[1]

    def _queued(self) -> StyleAndTextTuples:
        from wetread.reports.plain import shown

        lines = [
            f"  queued: {_cut(shown(one.replace(chr(10), ' ⏎ ')), self._columns() - 12)}"
            for one in self.live.now().queued
        ]
        return [("class:queued", "\n".join(lines))]

    def _footer(self) -> StyleAndTextTuples:
        now = self.live.now()
        footer = now.footer
        modes: StyleAndTextTuples = []
        for mode in footer.modes:
            modes += [("class:mode", f" {mode.upper()} "), ("", " ")]
        if self.hint:
            return [*modes, ("class:warn", self.hint if modes else f" {self.hint}")]
        room = self._columns() - sum(len(text) for _, text, *_ in modes) - 1
        parts = [footer.model, footer.template, footer.endpoints, footer.cost]
        # where there is little room, what changes least goes first
        for less in (footer.template, footer.endpoints):
            if len(_dotted(parts)) > room:
                parts.remove(less)
        return [*modes, ("class:footer", _cut(_dotted(parts) or "research use only · /help", room))]


def _menu() -> ConditionalContainer:
    """prompt_toolkit's own menu takes all the height that it may have."""
    menu = Window(
        CompletionsMenuControl(),
        height=Dimension(min=1, max=MENU_ROWS),
        scroll_offsets=ScrollOffsets(top=1, bottom=1),
        right_margins=[ScrollbarMargin()],
        dont_extend_width=True,
        dont_extend_height=True,
        style="class:completion-menu",
    )
    return ConditionalContainer(menu, filter=has_completions & ~is_done)


def _working(now: Snapshot, frame: str) -> StyleAndTextTuples:
    who = ", ".join(dict.fromkeys(now.thinking)) or "working"
    what = "stopping" if now.stopping else f"{who} thinks" if now.thinking else "working"
    elapsed = f"{time.monotonic() - now.since:.0f} s"
    return [("class:work", f"{frame} "), ("class:dim", f"{what} … {elapsed} · Ctrl-C stops"), ("", "\n")]


def _fragments(ansi: str) -> StyleAndTextTuples:
    """A text with escape sequences in as few pieces as it has styles: ANSI gives a piece for each character."""
    joined: StyleAndTextTuples = []
    for style, text, *_ in to_formatted_text(ANSI(ansi)):
        if joined and joined[-1][0] == style:
            joined[-1] = (style, joined[-1][1] + text)
        else:
            joined.append((style, text))
    return joined


def _dotted(parts: Sequence[str]) -> str:
    return " · ".join(filter(None, parts))


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(room - 1, 0)]}…"


def _no_colours() -> Any:
    from prompt_toolkit.output import ColorDepth

    return ColorDepth.DEPTH_1_BIT

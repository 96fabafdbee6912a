"""What stands below all that has scrolled up: what runs, the report's panel, what waits, the input, the footer.

Only what draws the first prompt is imported here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
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
from prompt_toolkit.utils import get_cwidth
from prompt_toolkit.widgets import SearchToolbar

from wetread.apps.chat.live import FRAMES, Live, Running, Snapshot
from wetread.apps.chat.render import rendered

FRAME_S = 0.1
ASKING = ("ask_person", "propose_edit")
"""The tools that wait for the person."""
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


class Drawing:
    """Draws the state of the chat.

    Args:
        live: The state.
        size: Gives the terminal's size.

    Attributes:
        panel_shown: Whether the report's panel is wanted.
        panel_scroll: Lines of the report above the panel.
        hint: Stands in the footer for a moment; empty for none.
    """

    def __init__(self, live: Live, size: Callable[[], Size]) -> None:
        self.panel_shown = True
        self.panel_scroll = 0
        self.hint = ""
        self._live = live
        self._size = size
        self._panel: tuple[Any, StyleAndTextTuples] = (None, [])
        self._prose: tuple[Any, StyleAndTextTuples] = (None, [])
        self._calls: tuple[Any, StyleAndTextTuples] = (None, [])

    @property
    def turns(self) -> bool:
        """Whether something of it moves as time goes. What waits for the person alone stands still."""
        now = self._live.now()
        return bool(now.status or (now.busy and now.asked is None) or _turning(now))

    def layout(self, buffer: Buffer, search: SearchToolbar) -> Layout:
        """All of it, around an input.

        Args:
            buffer: What is typed.
            search: The reverse search in its history.
        """
        control = BufferControl(
            buffer=buffer,
            input_processors=[BeforeInput(self._prompt), HighlightIncrementalSearchProcessor()],
            search_buffer_control=search.control,
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
                    filter=Condition(lambda: self.panel_rows > 0),
                ),
                ConditionalContainer(
                    Window(FormattedTextControl(self._queued), dont_extend_height=True),
                    filter=Condition(lambda: bool(self._live.now().queued)),
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
                search,
                Window(FormattedTextControl(self._footer), height=1),
            ]
        )
        return Layout(rows, focused_element=control)

    def _prompt(self) -> StyleAndTextTuples:
        return [("class:asked", "? ")] if self._live.now().asked is not None else [("class:prompt", "› ")]

    def _rule(self) -> StyleAndTextTuples:
        from wetread.reports.plain import shown

        now = self._live.now()
        columns = self._size().columns
        if now.asked is not None:
            options = f"  [{' / '.join(now.asked.options)}]" if now.asked.options else ""
            text, escape = f" {shown(now.asked.question + options)} ", f" (Esc: {now.asked.escape}) "
            return [("class:asked", _cut(text, columns - len(escape))), ("class:rule", escape)]
        return [("class:rule", "─" * columns)]

    def _live_lines(self) -> StyleAndTextTuples:
        now = self._live.now()
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
        columns = self._size().columns
        key = (now.running, now.asked, columns, tick)
        if self._calls[0] != key:
            from rich.console import Group

            from wetread.apps.chat.views import running_line

            calls = [running_line(one.event, time.monotonic() - one.since, tick) for one in _turning(now)]
            self._calls = (key, _fragments(rendered(Group(*calls), columns - 1).rstrip("\n")) if calls else [])
        return self._calls[1]

    def _prose_text(self, now: Snapshot) -> StyleAndTextTuples:
        """What an agent is writing, as it will stand: its end, as far as there is room for it."""
        size = self._size()
        room = max(1, size.rows - self.panel_rows - len(now.running) - len(now.queued) - 6)
        key = (now.text, size.columns, room)
        if self._prose[0] != key:
            from wetread.apps.chat.markdownish import prose

            text = rendered(prose(now.text[-LIVE_CHARACTERS:]), size.columns - 1).rstrip("\n")
            self._prose = (key, _fragments("\n".join(text.split("\n")[-room:])))
        return self._prose[1]

    @property
    def panel_rows(self) -> int:
        """Rows that the panel takes at most; 0 where it is not there."""
        rows = self._size().rows
        visible = self.panel_shown and rows >= MIN_PANEL_ROWS and self._live.now().report is not None
        return int(rows * PANEL_SHARE) if visible else 0

    def _panel_text(self) -> StyleAndTextTuples:
        """The report's panel; made anew when the report, the width or the place in it changed."""
        size = self._size()
        report = self._live.now().report
        assert report is not None
        height = self.panel_rows
        key = (report.sha256, size.columns, height, self.panel_scroll)
        if self._panel[0] != key:
            from wetread.apps.chat.views_report import panel_scrolls, report_panel

            # no further than to its end: what was pressed too often would have to be pressed back
            self.panel_scroll = min(self.panel_scroll, panel_scrolls(report, size.columns - 1, height))
            key = (report.sha256, size.columns, height, self.panel_scroll)
            panel = report_panel(report, size.columns - 1, height, self.panel_scroll)
            # taken apart once: it is drawn again at each key
            self._panel = (key, _fragments(rendered(panel, size.columns - 1).rstrip("\n")))
        return self._panel[1]

    def _queued(self) -> StyleAndTextTuples:
        from wetread.reports.plain import shown

        lines = [
            f"  queued: {_cut(shown(one.replace(chr(10), ' ⏎ ')), self._size().columns - 12)}"
            for one in self._live.now().queued
        ]
        return [("class:queued", "\n".join(lines))]

    def _footer(self) -> StyleAndTextTuples:
        now = self._live.now()
        footer = now.footer
        modes: StyleAndTextTuples = []
        for mode in footer.modes:
            modes += [("class:mode", f" {mode.upper()} "), ("", " ")]
        if self.hint:
            return [*modes, ("class:warn", self.hint if modes else f" {self.hint}")]
        room = self._size().columns - sum(len(text) for _, text, *_ in modes) - 1
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


def _turning(now: Snapshot) -> list[Running]:
    """The calls that run, but for those whose question to the person stands there already."""
    return [one for one in now.running if now.asked is None or one.event.tool not in ASKING]


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
    """As much of a text as a number of columns has room for."""
    if get_cwidth(text) <= room:
        return text
    while text and get_cwidth(text) >= room:
        text = text[:-1]
    return f"{text}…"

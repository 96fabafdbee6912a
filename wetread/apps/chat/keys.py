"""The keys of the chat."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prompt_toolkit.filters import Condition, has_completions, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

if TYPE_CHECKING:
    from wetread.apps.chat.app import TerminalChat

TWICE_S = 2.0
"""Within this time a second Ctrl-C quits."""

QUIT_HINT = "Ctrl-C again quits"


def chat_keys(chat: TerminalChat) -> KeyBindings:
    """Enter sends; Alt-Enter and Ctrl-J begin a new line; Ctrl-C stops, twice quits; Ctrl-Z leaves for
    the shell; F2 shows and hides the panel."""
    keys = KeyBindings()

    @keys.add("enter", filter=~is_searching)
    def _(event: KeyPressEvent) -> None:
        buffer = chat.buffer
        if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
            buffer.complete_state = None
        elif buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor(1)
            buffer.insert_text("\n")
        else:
            chat.submit()

    @keys.add("escape", "enter")
    @keys.add("c-j")
    def _(event: KeyPressEvent) -> None:
        chat.buffer.insert_text("\n")

    @keys.add("c-c")
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        now = time.monotonic()
        twice, chat.interrupted = now - chat.interrupted < TWICE_S, now
        if twice:
            chat.quit()
            return
        if not chat.interrupt():
            chat.buffer.reset(append_to_history=False)
        chat.drawing.hint = QUIT_HINT
        event.app.create_background_task(_forget_hint(chat))

    @keys.add("c-z")
    def _(event: KeyPressEvent) -> None:
        chat.app.stop_for_shell()

    @keys.add("c-d", filter=Condition(lambda: not chat.buffer.text))
    def _(event: KeyPressEvent) -> None:
        chat.quit()

    @keys.add("escape", filter=Condition(lambda: chat.live.now().asked is not None) & ~has_completions)
    def _(event: KeyPressEvent) -> None:
        chat.engine.skip()

    @keys.add("f2")
    def _(event: KeyPressEvent) -> None:
        chat.drawing.panel_shown = not chat.drawing.panel_shown

    @keys.add("pageup")
    def _(event: KeyPressEvent) -> None:
        chat.drawing.panel_scroll = max(0, chat.drawing.panel_scroll - 4)

    @keys.add("pagedown")
    def _(event: KeyPressEvent) -> None:
        chat.drawing.panel_scroll += 4

    @keys.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        chat.buffer.insert_text(chat.pastes.short(event.data))

    return keys


async def _forget_hint(chat: TerminalChat) -> None:
    import asyncio

    await asyncio.sleep(TWICE_S)
    chat.drawing.hint = ""
    chat.app.invalidate()

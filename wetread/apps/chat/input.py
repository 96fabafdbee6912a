"""What is typed: completion, history without identifiers, and long pastes that stand as one word."""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input, create_input

from wetread.errors import WetreadError

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.apps.pictures import Chosen

LONG_PASTE = 800
"""Characters from which a paste stands as one word in the input line."""
LONG_PASTE_LINES = 8
MAX_HISTORY_LINE = 4000
MIN_PASTED_LINES = 4
"""Lines in one read of the terminal from which it is a paste."""
PIECES_S = 0.01
"""How long the pieces of a paste without marks may be apart."""
MOST_AT_ONCE = 1 << 16
_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_REPORT = re.compile(r"\x1b\[\d+;\d+R")
"""Where the cursor is: a terminal's answer to the prompt, which may come in the midst of what is typed."""
_CUT_SEQUENCE = re.compile(r"\x1b(?:\[\d*)?\Z")
_PASTED = re.compile(r"\[pasted text #(\d+), \d+ lines?\]")


class ChatCompleter(Completer):
    """Completes commands and what may follow them; silent until there is something to complete from.

    Args:
        desk: Gives what commands work with, or None.
    """

    def __init__(self, desk: Callable[[], Desk | None]) -> None:
        self._desk = desk

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text, desk = document.text_before_cursor, self._desk()
        if desk is None or not text.startswith("/") or "\n" in text:
            return
        from wetread.apps.chat.commands import completions

        # while somebody types, a store that is busy or a folder that is gone is nothing to speak of
        with contextlib.suppress(WetreadError, OSError):
            for found in completions(text, desk):
                yield Completion(found.text, start_position=-found.replaces, display_meta=found.meta)


class Pastes:
    """Long pasted texts, each shown as a word and put in its place when the line is entered."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def short(self, text: str) -> str:
        """What to put into the input line for a pasted text."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + 1
        if len(text) < LONG_PASTE and lines < LONG_PASTE_LINES:
            return text
        self._texts.append(text)
        return f"[pasted text #{len(self._texts)}, {lines} line{'s' if lines > 1 else ''}]"

    def whole(self, text: str) -> str:
        """A line with the pasted texts in it."""

        def put(match: re.Match[str]) -> str:
            number = int(match[1])
            return self._texts[number - 1] if 0 < number <= len(self._texts) else match[0]

        return _PASTED.sub(put, text)


class PrivateHistory(FileHistory):
    """A history that only its owner can read, without overlong lines and without what identifies the patient."""

    scrub: Callable[[str], str] = staticmethod(lambda text: text)

    def store_string(self, string: str) -> None:
        if len(string) > MAX_HISTORY_LINE:
            return
        try:
            super().store_string(self.scrub(string))
        except OSError:
            return  # a history that cannot be written is no reason to lose the line


def open_history(workspace: Path) -> History:
    """The history of a workspace's chats; in memory where its file cannot be made."""
    path = workspace / ".wetread" / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError:
        return InMemoryHistory()
    return PrivateHistory(str(path))


class UnmarkedPastes:
    """Puts the marks of a paste around lines that came at once: a terminal that knows no such marks sends each line as
    if it were entered. Text with marks, in one read or several, stays as it is."""

    def __init__(self) -> None:
        self._within = self._cut = False

    def __call__(self, keys: str) -> str:
        """What one read of the terminal gave, marked where it must be a paste."""
        goes_on = self._within or self._cut
        begun, ended = keys.rfind(_PASTE_BEGINS), keys.rfind(_PASTE_ENDS)
        if begun != ended:
            self._within = begun > ended
        self._cut = _CUT_SEQUENCE.search(keys) is not None
        reports, text = "".join(_REPORT.findall(keys)), _REPORT.sub("", keys)
        if goes_on or "\x1b" in text or text.count("\r") < MIN_PASTED_LINES:
            return keys
        return f"{reports}{_PASTE_BEGINS}{text}{_PASTE_ENDS}"


def _may_go_on(text: str) -> bool:
    """Whether more of a paste may be on its way: no hand types a line and enters it in one read."""
    text = _REPORT.sub("", text)
    return len(text) > 1 and ("\r" in text or "\n" in text) and "\x1b" not in text


def strained(chosen: Chosen) -> Input:
    """The terminal's input without late answers to what it was asked; what was typed before comes with the first read.

    Until the prompt is there the terminal makes a line feed of Enter, so that one is taken for the other in that read.
    """
    source = create_input()
    reader = getattr(source, "stdin_reader", None)
    if reader is None:
        return source
    read, ahead = reader.read, [chosen.typed.decode("utf-8", "replace")]
    mark = UnmarkedPastes()

    def at_once(count: int) -> str:
        text = str(read(count))
        while len(text) < MOST_AT_ONCE and _may_go_on(text):
            if not select.select([reader.stdin_fd], [], [], PIECES_S)[0] or not (more := str(read(count))):
                break
            text += more
        return text

    def strain(count: int = 1024) -> str:
        text = chosen.strainer(at_once(count))
        if ahead:
            text = (ahead.pop() + text).replace("\n", "\r")
        return mark(text)

    reader.read = strain
    return source

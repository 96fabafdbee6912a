"""What the chat shows when it is opened: a choice of studies, the study it is about, where a kept session stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wetread import DISCLAIMER, __version__
from wetread.apps.chat import views, views_tables
from wetread.reports.plain import shown
from wetread.store.journal import Said

if TYPE_CHECKING:
    from wetread.dialogue.dialogue import Dialogue
    from wetread.dialogue.kept import Kept
    from wetread.store.sessions import SessionEntry

LAST_LINES = 3
"""Of a session that goes on, how many of the last things said are shown again."""


def choose_study(here: Sequence[str], sessions: Sequence[SessionEntry]) -> RenderableType:
    """Which study? What lies in this folder, by number, and sessions that can go on."""
    parts: list[RenderableType] = [_title()]
    if here:
        grid = Table.grid(padding=(0, 2, 0, 0))
        for number, path in enumerate(here, start=1):
            grid.add_row(Text(f"{number:>3}", "bold cyan"), Text(shown(Path(path).name)))
        parts += [Text("Studies here", "dim"), grid, Text()]
    if sessions:
        grid = Table.grid(padding=(0, 2, 0, 0))
        for one in sessions:
            words = f"{one.turns} turn{'s' * (one.turns != 1)}, {one.status or 'no report'}"
            grid.add_row(Text(f"/resume {one.id[:6]}", "bold cyan"), Text(f"{one.created[:16]}  {words}", "dim"))
        parts += [Text("Sessions that can go on", "dim"), grid, Text()]
    how = (
        "Type a number, or a path; or drop a file or folder into this window."
        if here
        else ("Type the path of a study, or drop a file or folder into this window.")
    )
    parts.append(Text(how))
    return Group(*parts)


def opened(dialogue: Dialogue) -> RenderableType:
    """The study that is open, and what it is read with."""
    session = dialogue.session
    return views_tables.welcome(
        session.study,
        template=session.template.name,
        model=session.reading.language_model,
        modes=session.reading.modes,
        session=dialogue.id,
    )


def resumed(kept: Kept, welcome: RenderableType) -> RenderableType:
    """Where a kept session stands: the study, what was said last, the report, and whether a turn was cut off.

    Args:
        kept: The session.
        welcome: Its study, as `opened` shows it.
    """
    parts: list[RenderableType] = [welcome]
    said = [
        entry.message
        for entry in kept.entries
        if isinstance(entry, Said) and entry.message.role in ("user", "assistant") and entry.message.text.strip()
    ]
    for message in said[-LAST_LINES:]:
        text = message.text.partition("\n\n```json")[0]
        parts.append(views.said(text) if message.role == "user" else views.prose(text, apart=len(parts) == 1))
    if len(parts) == 1:
        parts.append(Text())
    if kept.versions:
        parts.append(views.report_line(kept.versions[-1]))
    turns = kept.state.turns
    words = f"The session goes on after {turns} turn{'s' * (turns != 1)}; {len(kept.state.evidence)} results stand."
    parts.append(views.note(words, "bold"))
    if kept.cut_off:
        parts.append(
            views.note("Its last turn was cut off. Say “go on”: nothing that was answered is asked again.", "yellow")
        )
    return Group(*parts)


def left(session: str) -> RenderableType:
    """The last line of a chat: how it goes on."""
    return Text.assemble(("The session is kept. It goes on with ", "dim"), (f"wetread chat --resume {session}", "bold"))


def fault(error: Exception) -> RenderableType:
    """An unforeseen error: its kind and place, never its text, which may hold what must not be shown."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "an unknown place"
    return views.note(
        f"WET-FAULT: a fault of wetread itself ({type(error).__name__} at {place}). Please report it.", "bold red"
    )


def _title() -> RenderableType:
    return Text.assemble(("wetread ", "bold"), (f"{__version__} · {DISCLAIMER}", "dim"))

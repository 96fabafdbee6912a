"""What the chat shows when it is opened: a choice of studies, the study it is about, where a kept session stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wetread import DISCLAIMER, __version__
from wetread.apps.chat import views
from wetread.reports.plain import shown
from wetread.store.journal import Said

if TYPE_CHECKING:
    from wetread.dialogue.kept import Kept
    from wetread.session import Session
    from wetread.store.sessions import SessionEntry
    from wetread.study import Study

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


def welcome(study: Study, session: Session) -> RenderableType:
    """The study that is open, and what to type first."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for image in study.images:
        facts = [image.modality, image.view.value]
        if image.role == "prior":
            ago = f"{image.days_before} days before" if image.days_before is not None else "date unknown"
            facts.append(f"prior, {ago}")
        facts.append(f"{image.columns} × {image.rows}")
        grid.add_row(Text(image.handle, "bold cyan"), Text(" · ".join(facts)))
    exam = shown(study.exam or "Study")
    lines: list[RenderableType] = [grid]
    if study.indication:
        lines.append(Text.assemble(("Indication  ", "dim"), shown(study.indication)))
    else:
        lines.append(Text("No indication given.", "yellow"))
    if study.prior_report is not None:
        lines.append(Text("A prior report is there.", "dim"))
    lines += [Text(shown(warning), "yellow") for warning in study.warnings]
    panel = Panel(
        Group(*lines), title=Text(f" {exam} ", "bold"), title_align="left", border_style="cyan", padding=(0, 1)
    )
    words = Text.assemble(
        ("Say ", "dim"), ("Read this.", "bold"), (" · ", "dim"), ("/help", "bold"), (" lists the commands · ", "dim"),
        ("/show image_1", "bold"), (" draws", "dim"),
    )  # fmt: skip
    return Group(_title(), views.band(session.reading.modes), panel, words)


def resumed(kept: Kept, study: Study, session: Session) -> RenderableType:
    """Where a kept session stands: the study, what was said last, the report, and whether a turn was cut off."""
    parts: list[RenderableType] = [welcome(study, session)]
    said = [
        entry.message
        for entry in kept.entries
        if isinstance(entry, Said) and entry.message.role in ("user", "assistant") and entry.message.text.strip()
    ]
    for message in said[-LAST_LINES:]:
        text = message.text.partition("\n\n```json")[0]
        parts.append(views.said(text) if message.role == "user" else Padding(views.markdownish(text), (0, 0, 0, 2)))
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

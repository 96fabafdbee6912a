"""Commands that change the report in the reader's name; each shows what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wetread.apps.chat.asking import conversation, named, one_id, report_of, wrong
from wetread.apps.chat.views import note
from wetread.apps.chat.views_report import changes

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.reports.model import Report
    from wetread.review import Action


async def do_edit(desk: Desk, words: str) -> None:
    """Other words for a statement; without any, the ones that stand are put into the input line."""
    from wetread.review import Edit

    report = report_of(desk)
    first, _, text = words.partition(" ")
    id = _statement(report, first)
    before = next(one.text for one in report.statements() if one.id == id)
    text = text.strip()
    if not text:
        answer = await desk.screen.ask(f"New text of {id}", initial=before)
        text = (answer or "").strip()
        if not text or text == before:
            desk.screen.show(note(f"[{id}] stands as it was.", "dim"))
            return
    await _do(desk, Edit(statement=id, text=text))


async def do_drop(desk: Desk, words: str) -> None:
    """Reject a statement; its words stay on record."""
    from wetread.review import Reject

    report = report_of(desk)
    first, _, reason = words.partition(" ")
    await _do(desk, Reject(statement=_statement(report, first), reason=reason.strip() or None))


async def do_add(desk: Desk, words: str) -> None:
    """A statement of the reader's own."""
    from wetread.review import Add

    report_of(desk)
    place, text = _pair(words, "/add", "PLACE: TEXT, such as bones: The bones are normal.")
    await _do(desk, Add(place=place, text=text))


async def do_fill(desk: Desk, words: str) -> None:
    """A value for a form field."""
    from wetread.review import Fill

    report_of(desk)
    names = [field.name for field in conversation(desk).session.template.fields]
    shape = f"FIELD: VALUE. Fields: {', '.join(names)}." if names else "nothing: this template has no fields."
    field, value = _pair(words, "/fill", shape)
    await _do(desk, Fill(field=field, value=value))


async def do_undo(desk: Desk, words: str) -> None:
    """Take back the last change."""
    before = report_of(desk)
    await named(desk)
    changed(desk, before, await conversation(desk).undo())


async def do_reader(desk: Desk, words: str) -> None:
    """Who reads: tell it, or set it."""
    from wetread.review.conclude import person

    dialogue = desk.dialogue
    if words:
        desk.reader = person(words, dialogue.report if dialogue is not None else None)
        if dialogue is not None:
            dialogue.reader = desk.reader
        desk.changed()
    name = (dialogue.reader if dialogue is not None else None) or desk.reader or desk.settings.reader
    desk.screen.show(note(f"Changes are by {name}." if name else "Nobody gave a name yet: /reader NAME."))


def changed(desk: Desk, before: Report, after: Report) -> None:
    """Show what a change changed."""
    desk.screen.show(changes(before, after))
    desk.changed()


async def _do(desk: Desk, action: Action) -> None:
    before = report_of(desk)
    await named(desk)
    changed(desk, before, await conversation(desk).correct([action]))


def _statement(report: Report, words: str) -> str:
    return one_id(words, [one.id for one in report.statements()], "statement")


def _pair(words: str, command: str, shape: str) -> tuple[str, str]:
    """The two sides of a colon, or of an equals sign where that comes first."""
    ends = [at for at in (words.find(":"), words.find("=")) if at >= 0]
    name, text = (words[: min(ends)].strip(), words[min(ends) + 1 :].strip()) if ends else ("", "")
    if not name or not text:
        raise wrong(f"{command} is not written as it should be.", f"Write {command} {shape}")
    return name, text

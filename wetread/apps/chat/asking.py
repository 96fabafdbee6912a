"""What handlers need before they can work: a conversation, a report, an id that is there, the reader's name."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.chat.ids import as_id
from wetread.errors import InputError, ReadingError, ReviewError

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.dialogue.dialogue import Dialogue
    from wetread.reports.model import Report

_NAMES_ASKED = 3


def wrong(message: str, hint: str = "") -> InputError:
    """What was typed after a command cannot be used."""
    return InputError("WET-INPUT-OPTION", message, hint)


def conversation(desk: Desk) -> Dialogue:
    """The conversation.

    Raises:
        InputError: `WET-INPUT-OPTION`, no study is open.
    """
    if desk.dialogue is None:
        raise wrong("No study is open.", "/new PATH opens one; /resume goes on with the last.")
    return desk.dialogue


def report_of(desk: Desk) -> Report:
    """The report in hand.

    Raises:
        InputError: no study is open.
        ReadingError: `WET-READING-NONE`, there is no report yet.
    """
    report = conversation(desk).report
    if report is None:
        raise ReadingError("WET-READING-NONE", "There is no report yet.", "“Read this.” drafts one.")
    return report


def one_id(words: str, there: Sequence[str], what: str) -> str:
    """The id that was typed.

    Args:
        words: What was typed.
        there: The ids there are.
        what: What has such an id, `statement`.

    Raises:
        InputError: `WET-INPUT-OPTION`: it is no id, or nothing has it; names what there is.
    """
    known = f"There are: {span(there)}." if there else f"There is no {what} yet."
    if not words.strip():
        raise wrong(f"Which {what}?", known)
    id = as_id(words)
    if id is None or id not in there:
        name = words.strip()[:40] if id is None else id
        raise wrong(f"There is no {name}." if name.startswith(what) else f"There is no {what} {name}.", known)
    return id


def span(ids: Sequence[str]) -> str:
    """`S1 to S9` for ids that follow one another, else all of them."""
    numbers = [int(id[1:]) for id in ids if id[1:].isdigit()]
    if len(ids) > 2 and len(numbers) == len(ids) and numbers == list(range(numbers[0], numbers[0] + len(ids))):
        return f"{ids[0]} to {ids[-1]}"
    return ", ".join(ids)


async def named(desk: Desk) -> str:
    """The reader's name, asked for where nobody gave it; corrections are by it.

    Raises:
        ReviewError: `WET-REVIEW-NAME`, none was given.
    """
    from wetread.apps.chat.views import failure
    from wetread.review.conclude import person

    dialogue = conversation(desk)
    name = dialogue.reader or desk.reader or desk.settings.reader
    for _ in range(_NAMES_ASKED):
        if name is None:
            name = await desk.screen.ask("Your name, for the record")
        if not (name or "").strip():
            break
        try:
            dialogue.reader = desk.reader = person(name or "", dialogue.report)
        except ReviewError as error:
            desk.screen.show(failure(error))
            name = None
            continue
        return dialogue.reader
    raise ReviewError("WET-REVIEW-NAME", "A change needs your name.", "/reader NAME gives it. Nothing was changed.")


def paths_of(words: str) -> list[str]:
    """The paths in what was typed: one with blanks as it stands, else several as a shell reads them.

    Raises:
        InputError: `WET-INPUT-OPTION`, a quotation mark has no other.
    """
    text = words.strip()
    if text and Path(os.path.expanduser(text)).exists():
        return [os.path.expanduser(text)]
    try:
        return [os.path.expanduser(part) for part in shlex.split(text)]
    except ValueError:
        raise wrong("A quotation mark is not closed.") from None

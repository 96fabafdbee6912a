"""What may follow a command: ids, names, places, paths. Reads what is there, from any thread, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from wetread.errors import WetreadError

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk

MOST = 200
"""Paths and sessions that are offered at once."""


class Word(NamedTuple):
    """A word that may stand for the last characters.

    Attributes:
        text: The word.
        replaces: For how many characters.
        meaning: A few words about it.
    """

    text: str
    replaces: int = 0
    meaning: str = ""


Completes = Callable[["Desk", str], Iterable[Word]]
"""From what follows a command's name so far to what its end may become."""


def nothing(desk: Desk, words: str) -> list[Word]:
    """For commands that nothing follows."""
    return []


def full(desk: Desk, words: str) -> list[Word]:
    return _first(words, [("full", "with each evidence in full")])


def preliminary(desk: Desk, words: str) -> list[Word]:
    return _first(words, [("preliminary", "read, not signed")])


def evidence(desk: Desk, words: str) -> list[Word]:
    return _first(words, _evidence(desk))


def explained(desk: Desk, words: str) -> list[Word]:
    return _first(words, [*_statements(desk), *_evidence(desk)])


def pictured(desk: Desk, words: str) -> list[Word]:
    return _first(words, [*_images(desk), *_statements(desk), *_evidence(desk)])


def statement(desk: Desk, words: str) -> list[Word]:
    return _first(words, _statements(desk))


def measured(desk: Desk, words: str) -> list[Word]:
    """Quantities, structures and images, several of them."""
    from wetread.apps.chat.measuring import WORDS

    last = words.rpartition(",")[2].lstrip()
    return _matching(last, [*WORDS.items(), *_images(desk)])


def places(desk: Desk, words: str) -> list[Word]:
    report = desk.dialogue.report if desk.dialogue is not None else None
    if report is None:
        return []
    systems = [(f"{system.system}:", system.title) for system in report.findings]
    return _first(
        words, [*systems, ("impression:", "a line of the impression"), ("recommendation:", "what to do next")]
    )


def fields(desk: Desk, words: str) -> list[Word]:
    if desk.dialogue is None:
        return []
    return _first(words, [(f"{field.name}:", field.title) for field in desk.dialogue.session.template.fields])


def templates(desk: Desk, words: str) -> list[Word]:
    from wetread.reports.template import load_template, template_names

    names = template_names(desk.workspace)
    try:
        return _first(words, [(name, load_template(name, desk.workspace).title) for name in names])
    except WetreadError:
        return _first(words, [(name, "") for name in names])


def models(desk: Desk, words: str) -> list[Word]:
    return _first(words, named_models(desk).items())


def sessions(desk: Desk, words: str) -> list[Word]:
    try:
        entries = desk.store.sessions.all()[:MOST]
    except WetreadError:
        return []
    return _first(
        words, [(one.id, f"{one.created[:16].replace('T', ' ')} {one.title or ''}".strip()) for one in entries]
    )


def exported(desk: Desk, words: str) -> list[Word]:
    """Formats with commas between them, then a folder."""
    from wetread.reports.export import FORMATS

    formats, blank, folder = words.partition(" ")
    if blank:
        return paths(desk, folder)
    given = formats.split(",")
    left = [(format.name, format.help) for format in FORMATS.values() if format.name not in given[:-1]]
    return _matching(given[-1], [*left, ("all", "every format that can be made")] if len(given) == 1 else left)


def ways(desk: Desk, words: str) -> list[Word]:
    from wetread.apps.pictures import IMAGES

    return _first(words, [(way, "") for way in IMAGES])


def commands(desk: Desk, words: str) -> list[Word]:
    from wetread.apps.chat.commands import COMMANDS

    return _first(words.removeprefix("/"), [(command.name, command.help) for command in COMMANDS.values()])


def paths(desk: Desk, words: str) -> list[Word]:
    """Files and folders; the last path is completed, blanks in it stand as they are."""
    typed = os.path.expanduser(words)
    folder, name = os.path.split(typed)
    try:
        with os.scandir(folder or ".") as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries if _fits(entry.name, name))[:MOST]
    except OSError:
        return []
    return [
        Word(f"{entry}{os.sep if is_folder else ''}", len(name), "folder" if is_folder else "")
        for entry, is_folder in found
    ]


def named_models(desk: Desk) -> dict[str, str]:
    """Chat models that are named somewhere, each with where."""
    from wetread.agents.spec import load_agents

    found = {"protocol": "rules, no language model"}
    if desk.settings.model != "protocol":
        found[desk.settings.model] = "the settings"
    if desk.dialogue is not None:
        found.setdefault(desk.dialogue.session.reading.language_model, "in use")
    try:
        agents = load_agents(desk.workspace)
    except WetreadError:
        return found
    for agent in agents.values():
        if agent.model is not None:
            found.setdefault(agent.model, f"agent {agent.name}")
    return found


def _fits(entry: str, typed: str) -> bool:
    return entry.startswith(typed) and (typed.startswith(".") or not entry.startswith("."))


def _first(words: str, candidates: Iterable[tuple[str, str]]) -> list[Word]:
    """Candidates for the first word; nothing once a blank stands behind it."""
    return [] if " " in words.strip() or (words.strip() and words.endswith(" ")) else _matching(words, candidates)


def _matching(typed: str, candidates: Iterable[tuple[str, str]]) -> list[Word]:
    start = typed.strip().lstrip("[").lower()
    return [Word(text, len(typed), meaning) for text, meaning in candidates if text.lower().startswith(start)]


def _statements(desk: Desk) -> list[tuple[str, str]]:
    report = desk.dialogue.report if desk.dialogue is not None else None
    return [] if report is None else [(one.id, one.text) for one in report.statements()]


def _evidence(desk: Desk) -> list[tuple[str, str]]:
    if desk.dialogue is None:
        return []
    return [(one.id, f"{one.tool}: {one.summary}") for one in desk.dialogue.session.ledger]


def _images(desk: Desk) -> list[tuple[str, str]]:
    if desk.dialogue is None:
        return []
    return [(one.handle, f"{one.modality} {one.view.value}, {one.role}") for one in desk.dialogue.session.study.images]

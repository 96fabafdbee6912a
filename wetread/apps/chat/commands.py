"""The slash commands of the chat, one row each: what is typed, what it does, what may follow, where it is done.

To add one, write `async def do_NAME(desk: Desk, words: str) -> None` and put a row into `COMMANDS`. Handlers run in the
event loop of the dialogue and are imported when they are asked for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast

from wetread.apps.chat import completing
from wetread.apps.chat.completing import Completes
from wetread.apps.chat.desk import Desk
from wetread.apps.chat.ids import bare
from wetread.errors import InputError, WetreadError

_COMMAND = re.compile(r"\s*/(?P<name>[A-Za-z?-]*)(?:\s+(?P<words>.*))?", re.DOTALL)

_ALIASES = {"": "help", "?": "help", "exit": "quit"}

Handler = Callable[[Desk, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: As typed, without the slash.
        arguments: What may follow, as help shows it.
        help: One line.
        module: The module of this package that has its handler, `do_<name>`.
        completes: What may follow what is typed so far.
        changes: Whether it changes what a turn works with, so that it has to wait for the turn's end.
        example: What one might type.
    """

    name: str
    arguments: str
    help: str
    module: str
    completes: Completes = completing.nothing
    changes: bool = False
    example: str = ""

    @property
    def shape(self) -> str:
        """`/evidence [E3]`."""
        return f"/{self.name} {self.arguments}".strip()

    async def run(self, desk: Desk, words: str) -> None:
        """Do it.

        Raises:
            WetreadError: it cannot be done.
        """
        module = import_module(f"{__package__}.{self.module}")
        await cast(Handler, getattr(module, f"do_{self.name}"))(desk, words)


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command("report", "[full]", "The report; full: with each evidence in full", "commands_report", completing.full),
        Command("issues", "", "What the checks say, the worst first", "commands_report"),
        Command(
            "evidence",
            "[E3]",
            "One evidence in full, or all of it",
            "commands_report",
            completing.evidence,
            example="/evidence E3, or E3 alone",
        ),
        Command(
            "why",
            "S2",
            "What a statement stands on, down to the images",
            "commands_report",
            completing.explained,
            example="/why S2, or S2 alone",
        ),
        Command(
            "show",
            "[image_1|E3|S2]",
            "An image, what an evidence found on it, what a statement points at",
            "commands_report",
            completing.pictured,
            example="/show S2; image_1 alone shows that image",
        ),
        Command(
            "measure",
            "[WHAT]",
            "Measure on masks: ctr, areas, diameters; of heart, lungs, opacity",
            "commands_reading",
            completing.measured,
            changes=True,
            example="/measure ctr; /measure areas of the left lung on image_1",
        ),
        Command(
            "prior",
            "PATH",
            "Add an earlier image, or an earlier report as text",
            "commands_reading",
            completing.paths,
            changes=True,
            example="/prior earlier/frontal.dcm; /prior earlier/report.txt",
        ),
        Command(
            "template",
            "[NAME]",
            "List the report templates, or take another",
            "commands_reading",
            completing.templates,
            changes=True,
            example="/template chest-xray-portable",
        ),
        Command(
            "model",
            "[NAME]",
            "List the chat models, or take another",
            "commands_reading",
            completing.models,
            changes=True,
            example="/model openai:gpt-4.1; /model protocol",
        ),
        Command("agents", "", "Who reasons, with which model and tools", "commands_reading"),
        Command("tools", "", "The tools and the cards of their models", "commands_reading"),
        Command(
            "edit",
            "S3 [TEXT]",
            "Change a statement; without text it is put into the input line",
            "commands_change",
            completing.statement,
            changes=True,
            example="/edit S3 The heart is normal in size.",
        ),
        Command(
            "drop",
            "S3 [REASON]",
            "Reject a statement",
            "commands_change",
            completing.statement,
            changes=True,
            example="/drop S3 Not seen on the lateral.",
        ),
        Command(
            "add",
            "PLACE: TEXT",
            "Add a statement of your own",
            "commands_change",
            completing.places,
            changes=True,
            example="/add bones: The bones are normal.",
        ),
        Command(
            "fill",
            "FIELD: VALUE",
            "Fill in a form field of the template",
            "commands_change",
            completing.fields,
            changes=True,
            example="/fill size: 8",
        ),
        Command("undo", "", "Take back the last change of the report", "commands_change", changes=True),
        Command("review", "", "Go through the report, statement by statement", "commands_sign", changes=True),
        Command(
            "sign",
            "[preliminary]",
            "Sign the report; preliminary: release it as read, not signed",
            "commands_sign",
            completing.preliminary,
            changes=True,
        ),
        Command("reader", "[NAME]", "Your name, for the record", "commands_change", example="/reader Ada Example"),
        Command(
            "export",
            "[FORMATS] [DIR]",
            "Write the report in other formats; alone it lists them",
            "commands_files",
            completing.exported,
            changes=True,
            example="/export fhir,pdf out",
        ),
        Command(
            "save",
            "[DIR]",
            "Write the report as page, Markdown and JSON, with its pictures",
            "commands_files",
            completing.paths,
            changes=True,
            example="/save out",
        ),
        Command("cost", "", "Tokens, calls and money: of the last turn and in all", "commands_session"),
        Command(
            "replay",
            "[SESSION]",
            "Show again what happened in this or a kept session",
            "commands_session",
            completing.sessions,
            changes=True,
        ),
        Command("cancel", "", "End what is running, now", "commands_session"),
        Command(
            "new",
            "[STUDY ...]",
            "Begin with another study",
            "commands_session",
            completing.paths,
            changes=True,
            example="/new study/frontal.dcm study/lateral.dcm",
        ),
        Command("sessions", "", "The kept sessions", "commands_session"),
        Command(
            "resume",
            "[SESSION]",
            "Go on with a kept session, or the last one",
            "commands_session",
            completing.sessions,
            changes=True,
        ),
        Command(
            "images",
            "[HOW]",
            "How pictures are shown: auto, kitty, iterm, sixel, blocks, off",
            "commands_session",
            completing.ways,
        ),
        Command("help", "[COMMAND]", "These commands, or one of them", "commands_session", completing.commands),
        Command("quit", "", "Leave; the session is kept", "commands_session"),
    )
}
"""Every command by name, in the order in which help shows them."""


class Completion(NamedTuple):
    """What may stand for the last characters of a line.

    Attributes:
        text: What to put there.
        replaces: For how many characters.
        meta: A few words about it.
    """

    text: str
    replaces: int = 0
    meta: str = ""


def is_command(line: str) -> bool:
    """Whether a line is a command or an id alone, rather than something to say or a path that was dropped in."""
    if bare(line) is not None:
        return True
    match = _COMMAND.fullmatch(line)
    if match is None:
        return False
    name = match["name"].lower()
    return name in COMMANDS or name in _ALIASES or not Path(line.strip()).exists()


def read(line: str) -> tuple[str, str]:
    """The name of a command, in small letters, and what follows it."""
    if (meant := bare(line)) is not None:
        return meant
    match = _COMMAND.fullmatch(line)
    if match is None:
        return "", line.strip()
    return match["name"].lower(), (match["words"] or "").strip()


def is_beside(line: str) -> bool:
    """Whether a line is a command that may be done while a turn runs."""
    if not is_command(line):
        return False
    command = COMMANDS.get(_meant(line)[0])
    return command is None or not command.changes


async def run(desk: Desk, line: str) -> None:
    """Do what a command line says. What goes wrong is shown in one line; nothing is raised but cancellation."""
    from wetread.apps.chat.views import failure, note

    name, words = _meant(line)
    command = COMMANDS.get(name)
    if command is None:
        desk.screen.show(failure(unknown(name)))
        return
    if command.changes and desk.dialogue is not None and desk.dialogue.busy:
        desk.screen.show(
            note(f"A turn is running: /{command.name} is for when it has ended. /cancel ends it.", "yellow")
        )
        return
    try:
        await command.run(desk, words)
    except WetreadError as error:
        desk.screen.show(failure(error))
    except Exception as error:
        from wetread.apps.chat.opening import fault

        desk.screen.show(fault(error))


def completions(line: str, desk: Desk | None) -> list[Completion]:
    """What may follow a line, as far as it is a command. From any thread; may read the store and folders.

    Args:
        line: What stands before the cursor.
        desk: Where ids and names come from; None while nothing is open, and then names of commands alone are known.
    """
    if not line.startswith("/"):
        return []
    name, blank, words = line[1:].partition(" ")
    if not blank:
        found = [command for command in COMMANDS.values() if command.name.startswith(name.lower())]
        return [Completion(f"/{command.name}", len(line), command.help) for command in found]
    command = COMMANDS.get(name.lower())
    if command is None or desk is None:
        return []
    return [Completion(*word) for word in command.completes(desk, words)]


def _meant(line: str) -> tuple[str, str]:
    """`read`, with the other names that some commands have."""
    name, words = read(line)
    return _ALIASES.get(name, name), words


def unknown(name: str) -> InputError:
    """That there is no such command, and the nearest one."""
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"Did you mean /{close[0]}?" if close else "/help lists them."
    return InputError("WET-INPUT-OPTION", f"There is no command /{name[:40]}.", hint)


def help_rows() -> list[tuple[str, str]]:
    """Each command as it is typed, and what it does."""
    return [(command.shape, command.help) for command in COMMANDS.values()]

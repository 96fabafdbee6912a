"""Commands about the conversation itself: what it cost, other ones, playing one again, how it is shown, help."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.text import Text

from wetread.apps.chat.asking import conversation, paths_of, wrong
from wetread.apps.chat.views import Story, band, note, said
from wetread.apps.chat.views_tables import cost_table, help_table, sessions_table
from wetread.yamlfile import nearest

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk


async def do_cost(desk: Desk, words: str) -> None:
    """What the conversation has cost."""
    tally = desk.tally
    if tally is None:
        from wetread.agents.prices import load_prices
        from wetread.dialogue.costs import Tally

        events = await asyncio.to_thread(desk.store.sessions.events, conversation(desk).id)
        tally = Tally(load_prices(desk.workspace)).add_all(events)
    desk.screen.show(cost_table(tally))


async def do_sessions(desk: Desk, words: str) -> None:
    """The kept sessions."""
    entries = await asyncio.to_thread(desk.store.sessions.all)
    desk.screen.show(sessions_table(entries, desk.dialogue.id if desk.dialogue is not None else ""))


async def do_resume(desk: Desk, words: str) -> None:
    """Go on with a kept session."""
    await desk.resume(await _session(desk, words) if words else None)


async def do_new(desk: Desk, words: str) -> None:
    """Begin with another study."""
    await desk.begin(paths_of(words))


async def do_replay(desk: Desk, words: str) -> None:
    """Show again what happened, marked as a replay; nothing is called."""
    from wetread.agents.facts import without_facts
    from wetread.store.journal import Indicated, Opened, ReportKept, Said, TakenBack

    id = await _session(desk, words) if words else conversation(desk).id
    entries = await asyncio.to_thread(desk.store.sessions.entries, id)
    story, show = Story(), desk.screen.show
    show(band(("replay",)))
    for entry in entries:
        match entry:
            case Said(message=message):
                if message.role == "user":
                    show(said(without_facts(message.text)))
            case ReportKept():
                show(note(f"Report: version {entry.version}, {entry.status}."))
            case Indicated() | Opened() | TakenBack():
                continue
            case _:
                for what in story(entry):
                    show(what)
    for what in story.flush():
        show(what)
    show(Text.assemble((" REPLAY ", "bold yellow reverse"), (f" The end of session {id}. Nothing was called.", "dim")))


async def do_cancel(desk: Desk, words: str) -> None:
    """End what is running."""
    if desk.dialogue is None or not desk.dialogue.busy:
        desk.screen.show(note("Nothing is running."))
        return
    desk.dialogue.cancel()


async def do_images(desk: Desk, words: str) -> None:
    """How pictures are shown."""
    how = desk.screen.images(words.lower() or None)
    desk.screen.show(note(f"Pictures are shown as {how}." if how != "off" else "Pictures are off: captions alone."))


async def do_help(desk: Desk, words: str) -> None:
    """All commands, or one of them."""
    from wetread.apps.chat.commands import COMMANDS, help_rows, unknown

    if not words:
        desk.screen.show(help_table(help_rows()))
        desk.screen.show(note("Anything else is said to the agent. E3, S2 or image_1 alone opens it.", "dim"))
        return
    name = words.removeprefix("/").lower()
    command = COMMANDS.get(name)
    if command is None:
        raise unknown(name)
    rows = [(command.shape, f"{command.help}.")]
    if command.example:
        rows.append(("", command.example))
    if command.changes:
        rows.append(("", "Not while a turn is running."))
    desk.screen.show(help_table(rows))


async def do_quit(desk: Desk, words: str) -> None:
    """Leave."""
    desk.leave()


async def _session(desk: Desk, words: str) -> str:
    """The one kept session whose id begins so."""
    ids = [entry.id for entry in await asyncio.to_thread(desk.store.sessions.all)]
    wanted = words.strip().strip("[]").lower()
    found = [id for id in ids if id == wanted] or [id for id in ids if id.startswith(wanted)]
    if len(found) != 1:
        what = "There is no session" if not found else f"{len(found)} sessions begin with"
        raise wrong(f"{what} {words.strip()[:40]}.", nearest(wanted, ids) or "/sessions lists them.")
    return found[0]

"""Which conversation a chat is about: begins one, goes on with a kept one, closes it; what the footer says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.agents.prices import load_prices
from wetread.apps.chat import opening
from wetread.apps.chat.live import Footer, Live
from wetread.apps.chat.studies import StudySource, remember, remembered, sessions_folder, studies_here, typed_paths
from wetread.apps.chat.surroundings import surroundings
from wetread.dialogue.costs import Tally
from wetread.dialogue.dialogue import Dialogue
from wetread.errors import InputError
from wetread.session import warm
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.apps.chat.options import ChatOptions
    from wetread.session import Session


class Conversations:
    """The one that is open, and how another is.

    Args:
        options: What was asked for.
        desk: What commands work with; is given the conversation.
        live: What stands above the input.
    """

    def __init__(self, options: ChatOptions, desk: Desk, live: Live) -> None:
        self._options = options
        self._desk = desk
        self._live = live
        self._source: StudySource | None = None
        self._choices: list[str] = []
        """The studies that were offered, by number."""
        self._stack = AsyncExitStack()
        self._warming: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """What the command line asks for: a kept one, a new one, or the choice of one."""
        options = self._options
        if options.resume is not None:
            await self.resume(options.resume or None, options.source)
        elif options.source is not None:
            await self._begin(options.source)
        else:
            self._live.set(status="")
            self._offer()

    async def begin(self, words: Sequence[str]) -> None:
        """Another study: paths as typed, a number of the list, or none to choose one."""
        if not words:
            await self.close()
            self._offer()
            return
        line = " ".join(words)
        if line.isdecimal() and 0 < int(line) <= len(self._choices):
            paths: tuple[str, ...] = (self._choices[int(line) - 1],)
        else:
            paths = typed_paths(line) if len(words) == 1 else tuple(words)
        options = self._options
        view = (options.source.view if options.source is not None else None) or options.view
        await self._begin(StudySource(paths=paths, view=view, simulated=options.simulated))

    async def resume(self, id: str | None, given: StudySource | None = None) -> None:
        """Go on with a kept one.

        Args:
            id: The beginning of its id; the last one by default.
            given: Where its study is now; where it was by default.
        """
        desk = self._desk
        self._live.set(status="reading the session")
        try:
            entries = await asyncio.to_thread(desk.store.sessions.all)
            entry = next((one for one in entries if (one.id.startswith(id) if id else one.turns)), None)
            if entry is None:
                raise InputError("WET-INPUT-SESSION", "There is no such session here.", "`/sessions` lists them.")
            source = given if given is not None else await asyncio.to_thread(remembered, desk.workspace, entry.id)
            if "simulated" in entry.modes and source.scenario is None:
                source = source.model_copy(update={"simulated": True})
            if desk.dialogue is not None and desk.dialogue.id == entry.id:
                await self.close()  # one process goes on with a session
            dialogue = await self._take(source, entry.id)
        finally:
            self._live.set(status="")
        kept = dialogue.kept
        assert kept is not None and desk.tally is not None
        desk.tally.add_all(kept.events)
        self.refresh()
        desk.screen.show(opening.resumed(kept, opening.opened(dialogue)))

    async def close(self) -> None:
        """Close the one that is open, if one is."""
        stack, self._stack = self._stack, AsyncExitStack()
        self._desk.dialogue = None
        await stack.aclose()

    def refresh(self) -> None:
        """Footer and panel as things stand; a study that has got a prior is noted as it is now."""
        desk, source = self._desk, self._source
        dialogue = desk.dialogue
        if dialogue is None or source is None:
            self._live.set(report=None, footer=Footer())
            return
        if desk.files is not None and desk.files != source.files():
            source = self._source = source.of(desk.files)
            remember(desk.workspace, dialogue.id, source)
        session, total = dialogue.session, desk.tally.total if desk.tally is not None else None
        count = len(desk.settings.endpoints)
        endpoints = f"{count} endpoint{'s' * (count != 1)}"
        if source.scenario is not None:
            endpoints = f"tape of {source.scenario}"
        elif source.simulated:
            endpoints = "simulated endpoints"
        self._live.set(
            report=dialogue.report,
            footer=Footer(
                model=session.reading.language_model,
                template=session.template.name,
                endpoints=endpoints,
                cost=total.short if total is not None else "",
                reader=dialogue.reader or "",
                modes=_modes(session),
            ),
        )

    def _offer(self) -> None:
        """No study yet: say what lies here and how to name one."""
        self._choices = [str(path) for path in studies_here(Path.cwd())]
        sessions = [one for one in self._desk.store.sessions.all() if one.turns][:5]
        self._desk.screen.show(opening.choose_study(self._choices, sessions))

    async def _begin(self, source: StudySource) -> None:
        self._live.set(status="reading the study")
        try:
            dialogue = await self._take(source, None)
        finally:
            self._live.set(status="")
        self.refresh()
        self._desk.screen.show(opening.opened(dialogue))

    async def _take(self, source: StudySource, id: str | None) -> Dialogue:
        """Open a conversation about a study, a new one or that of an id; the one before is closed once this one is
        open."""
        desk = self._desk
        folder = sessions_folder(desk.workspace)
        stack, study, sources = await surroundings(source, desk.settings, desk.workspace, self._options.budget)
        try:
            self._live.set(status="opening the session")
            if id is None:
                template = self._options.template
                dialogue = await Dialogue.begin(study, sources, store=desk.store, folder=folder, template=template)
            else:
                dialogue = await Dialogue.resume(id, study, sources, store=desk.store, folder=folder)
            stack.push_async_callback(dialogue.aclose)
            await asyncio.to_thread(remember, desk.workspace, dialogue.id, source)
        except BaseException:
            await stack.aclose()
            raise
        await self.close()
        self._stack, self._source = stack, source
        dialogue.reader = desk.reader
        desk.dialogue, desk.files, desk.tally = dialogue, source.files(), Tally(load_prices(desk.workspace))
        self._warming = asyncio.create_task(warm())
        return dialogue


def _modes(session: Session) -> tuple[str, ...]:
    """What must not be overlooked: how the session was opened, and where its evidence turned out to come from."""
    told = {"simulated": Origin.SIMULATED, "replay": Origin.RECORDED, "authored": Origin.AUTHORED}
    origins = {one.origin for one in session.ledger}
    return tuple(mode for mode, origin in told.items() if mode in session.reading.modes or origin in origins)

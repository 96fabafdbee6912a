"""The report of a dialogue, and what a person makes of it: versions in their name, which no draft undoes unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from wetread.dialogue.line import Line
from wetread.dialogue.log import SessionLog
from wetread.errors import ReadingError, ReviewError, StoreError
from wetread.events import Notice, ReportReady
from wetread.reports.model import Report
from wetread.review import Action, conclude, follow_on, take_back
from wetread.review.conclude import Outcome
from wetread.session import Session
from wetread.store.journal import JournalEntry, TakenBack


class HasSession(Protocol):
    """Who has the session at work: it changes with the model, the template and the priors."""

    session: Session


class Corrections:
    """Keeps the versions of one report. One change at a time: whoever makes one holds `changing`, as those here do.

    Args:
        owner: Who has the session.
        log: The session's journal.
        line: The versions that are kept.
    """

    def __init__(self, owner: HasSession, log: SessionLog, line: Line) -> None:
        self.reader: str | None = None
        """The name of the person, once they gave it: who corrections are by."""
        self.changing = asyncio.Lock()
        self._owner = owner
        self._log = log
        self._line = line
        self._noticed: set[str] = set()

    @property
    def latest(self) -> Report | None:
        """The version in hand; None before the first."""
        return self._line.latest

    async def keep(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries, and take up the versions among them.

        Raises:
            StoreError: they could not be written.
        """
        await self._log.keep(entries, self._owner.session.artifacts)
        for entry in entries:
            if isinstance(entry, ReportReady):
                self._line.push(entry.report)
                self._line.kept(entry.report)

    async def correct(self, actions: Sequence[Action], outcome: Outcome, override: str | None) -> Report:
        """See `Dialogue.correct`."""
        async with self.changing:
            await self._current()
            version = self.concluded(actions, outcome, override)
            await self.keep([ReportReady(report=version)])
            self._owner.session.adopt(version)
        return version

    async def undo(self) -> Report:
        """See `Dialogue.undo`."""
        async with self.changing:
            await self._current()
            latest, earlier = self._in_hand(), self._line.before
            if earlier is None:
                raise ReviewError("WET-REVIEW-NOTHING", "There is nothing to take back.")
            version = take_back(latest, earlier, by=self._named(), at=datetime.now(UTC))
            back = TakenBack(sha256=version.sha256, to=earlier.sha256)
            session = self._owner.session
            await self._log.keep([ReportReady(report=version), back], session.artifacts)
            self._line.take_back(version)
            session.adopt(version)
        return version

    def concluded(self, actions: Sequence[Action], outcome: Outcome = "keep", override: str | None = None) -> Report:
        """The next version, in the reader's name; it is neither kept nor in hand yet.

        Raises:
            ReadingError, ReviewError: see `Dialogue.correct`.
        """
        session = self._owner.session
        return conclude(
            self._in_hand(),
            by=self._named(),
            at=datetime.now(UTC),
            actions=actions,
            outcome=outcome,
            override=override,
            study=session.study,
            template=session.template,
            reader=session.ledger.reserve(),
        )

    def take_up(self, version: Report) -> None:
        """A version of a running turn: it is in hand, and kept with what the turn tells."""
        self._owner.session.adopt(version)
        self._line.push(version)

    def begin_turn(self) -> None:
        """What no draft of the last turn could undo is told again in the next."""
        self._noticed.clear()

    def end_turn(self) -> None:
        """The report in hand is the last that was kept."""
        self._line.drop_unkept()
        session = self._owner.session
        if not self._line.is_kept(session.report):
            session.fall_back(self.latest)

    async def catch_up(self) -> Report | None:
        """Keep what was left, and take up what others have made of the report; the newest version of those."""
        session, latest = self._owner.session, self.latest
        await self._log.keep([], session.artifacts)
        newer = [] if latest is None else await self._log.newer(latest)
        for version in newer:
            self._line.push(version)
            self._line.kept(version)
            session.adopt(version)
        return newer[-1] if newer else None

    def carry(self, draft: Report) -> Report:
        """What follows on the report in hand when an agent has drafted anew."""
        latest = self.latest
        if latest is None:
            return draft
        session = self._owner.session
        redraft = follow_on(
            draft,
            latest,
            template=session.template,
            reserve=session.ledger.reserve,
            earlier=self._line.versions[:-1],
        )
        for line in redraft.kept:
            if line not in self._noticed:
                self._noticed.add(line)
                session.reading.emit(Notice(code="WET-REVIEW-KEPT", message=line))
        return redraft.report

    async def _current(self) -> None:
        """Refuse a change of what the person has not seen."""
        if await self.catch_up() is not None:
            raise StoreError(
                "WET-STORE-CONFLICT",
                "The report was changed elsewhere meanwhile; that version is in hand now.",
                "Look at it, and repeat what is still to be done.",
            )

    def _in_hand(self) -> Report:
        if self.latest is None:
            raise ReadingError("WET-READING-NONE", "There is no report yet.", "Have one drafted first.")
        return self.latest

    def _named(self) -> str:
        if self.reader is None:
            raise ReviewError("WET-REVIEW-NAME", "A change needs your name.", "Give it first.")
        return self.reader

"""Sessions: what was read with, the journal of what happened, and the evidence.

A session is kept whole when its report is there (`insert`), or as it happens (`begin`, `append`): then what is told of
it is on the disk before.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from wetread.artifacts import Artifact
from wetread.errors import StoreError
from wetread.events import Event, ReportReady, TextDelta, ToolFinished, TurnStarted
from wetread.evidence import Evidence
from wetread.reports.model import Report
from wetread.store import reports as _reports
from wetread.store.artifacts import enter
from wetread.store.audit import Actor, AuditEvent, append
from wetread.store.journal import JOURNAL, NO_EVENTS, JournalEntry, ReportKept, joined
from wetread.store.tables import evidence, journal, reports, sessions
from wetread.values import Value, canonical_json, sha256_hex

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wetread.store.engine import Database


class SessionEntry(Value):
    """One session as lists show it."""

    id: str
    created: str
    template: str
    language_model: str
    modes: tuple[str, ...]
    turns: int = 0
    """How many turns its journal has."""
    report: str | None = None
    """The id of its report, if there is one."""
    status: str | None = None
    """The status of that report's latest version."""
    title: str | None = None
    """What exam that report is of."""


class Sessions:
    """The sessions of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[SessionEntry]:
        """Every session, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(sessions.select().order_by(sessions.c.created.desc())).all()
            turns = _turns(connection)
            drafted = _drafted(connection)
        return [
            SessionEntry.model_validate(
                {
                    **row._mapping,
                    "modes": orjson.loads(row.modes),
                    "turns": turns.get(row.id, 0),
                    **drafted.get(row.id, {}),
                }
            )
            for row in rows
        ]

    def begin(self, *, template: str, language_model: str, modes: Sequence[str]) -> str:
        """Make a session whose journal is written as it happens; returns its id."""
        with self._database.writing() as connection:
            return _begin(connection, template=template, language_model=language_model, modes=modes)

    def append(
        self, session: str, entries: Sequence[JournalEntry], *, number: int, artifacts: Sequence[Artifact] = ()
    ) -> int:
        """Write what happened next: journal, evidence, artifacts and reports, all of it or nothing.

        When this returns, it is on the disk. The artifacts' bytes must be there before.

        Args:
            session: Its id.
            entries: What happened, in order. The report of `ReportReady` is kept as a version and stands in the
                journal by its hash.
            number: The number of the first entry, from 1: the one after the last that is there.
            artifacts: What is known of the artifacts of the evidence.

        Returns:
            The number of the next entry.

        Raises:
            StoreError: `WET-STORE-CONFLICT`, somebody else has written to that session meanwhile; those of
                `Database.writing` and `Reports.put`.
        """
        with self._database.writing() as connection:
            if _next(connection, session) != number:
                raise StoreError(
                    "WET-STORE-CONFLICT", "The session goes on in another process.", "Leave one of the two."
                )
            for artifact in artifacts:
                enter(connection, artifact)
            made = [one.evidence for one in entries if isinstance(one, ToolFinished) and one.evidence is not None]
            _keep_evidence(connection, session, made)
            kept = [_kept(connection, session, entry) for entry in joined(entries)]
            _write(connection, session, kept, number)
            return number + len(kept)

    def entries(self, session: str) -> list[JournalEntry]:
        """All that the journal of a session has, in order.

        Raises:
            StoreError: `WET-STORE-UNKNOWN`, there is no such session.
        """
        with self._database.reading() as connection:
            if connection.execute(sessions.select().where(sessions.c.id == session)).first() is None:
                raise StoreError(
                    "WET-STORE-UNKNOWN", f"The store has no session {session[:40]}.", "`/sessions` lists them."
                )
            query = journal.select().where(journal.c.session == session).order_by(journal.c.number)
            return [JOURNAL.validate_json(row.content) for row in connection.execute(query)]

    def events(self, session: str) -> list[Event]:
        """What happened in a session, in order: all but the pieces of text and the reports, which are kept as such."""
        found = self.entries(session)
        return [entry for entry in found if not isinstance(entry, (*NO_EVENTS, TextDelta))]

    def evidence(self, session: str) -> list[Evidence]:
        """The evidence of a session, in the order of its ids.

        Raises:
            StoreError: `WET-STORE-DAMAGED`, one is not what was kept.
        """
        with self._database.reading() as connection:
            rows = connection.execute(evidence.select().where(evidence.c.session == session)).all()
        for row in rows:
            if sha256_hex(row.content.encode()) != row.sha256:
                raise StoreError("WET-STORE-DAMAGED", f"{row.id} of session {session} is not what was kept.")
        found = [Evidence.model_validate_json(row.content) for row in rows]
        return sorted(found, key=lambda one: int(one.id[1:]))


def insert(connection: Connection, report: Report, events: Iterable[Event]) -> str:
    """Keep the session that drafted a report, within a write transaction; returns its id."""
    id = _begin(connection, template=report.template, language_model=report.language_model, modes=report.modes)
    kept = [event for event in events if not isinstance(event, TextDelta | ReportReady)]
    _write(connection, id, kept, 1)
    _keep_evidence(connection, id, report.evidence)
    return id


def _begin(connection: Connection, *, template: str, language_model: str, modes: Sequence[str]) -> str:
    id = secrets.token_hex(8)
    connection.execute(
        sessions.insert().values(
            id=id,
            created=datetime.now(UTC).isoformat(timespec="microseconds"),
            template=template,
            language_model=language_model,
            modes=orjson.dumps(modes).decode(),
        )
    )
    return id


def _write(connection: Connection, session: str, entries: Sequence[JournalEntry], number: int) -> None:
    if entries:
        connection.execute(
            journal.insert(),
            [
                {"session": session, "number": at, "content": _json(entry)}
                for at, entry in enumerate(entries, start=number)
            ],
        )


def _json(entry: JournalEntry) -> str:
    from pydantic_core import PydanticSerializationError

    try:
        return JOURNAL.dump_json(entry).decode()
    except PydanticSerializationError:
        # halves of characters, as a model's text may have them, are no text that can be written
        whole = json.dumps(JOURNAL.dump_python(entry), ensure_ascii=False, default=str)
        return whole.encode("utf-8", "replace").decode()


def _next(connection: Connection, session: str) -> int:
    from sqlalchemy import func, select

    last = connection.execute(select(func.max(journal.c.number)).where(journal.c.session == session)).scalar()
    return int(last or 0) + 1


def _kept(connection: Connection, session: str, entry: JournalEntry) -> JournalEntry:
    """An entry as the journal has it; its report, if it has one, is kept on the way."""
    if not isinstance(entry, ReportReady):
        return entry
    _reports.insert(connection, entry.report, session)
    return ReportKept(sha256=entry.report.sha256, version=entry.report.version, status=entry.report.status)


def _keep_evidence(connection: Connection, session: str, found: Sequence[Evidence]) -> None:
    """Keep evidence, each once, and tell the audit log of it."""
    from sqlalchemy import select

    there = set(connection.execute(select(evidence.c.id).where(evidence.c.session == session)).scalars())
    rows = []
    told = []
    for one in found:
        if one.id in there:
            continue
        there.add(one.id)
        content = canonical_json(one.model_dump(mode="json"))
        sha256 = sha256_hex(content)
        rows.append(
            {
                "session": session,
                "id": one.id,
                "tool": one.tool,
                "status": one.status,
                "sha256": sha256,
                "content": content.decode(),
            }
        )
        told.append(
            AuditEvent(
                actor=Actor(kind="tool", name=one.tool[:120]),
                action=f"evidence.{one.status}",
                subject=f"{session}:{one.id}",
                version=sha256,
            )
        )
    if rows:
        connection.execute(evidence.insert(), rows)
        append(connection, told)


def _turns(connection: Connection) -> dict[str, int]:
    """How many turns each session has had."""
    from sqlalchemy import func, select

    begun = JOURNAL.dump_json(TurnStarted(turn=0)).decode().partition("0")[0]
    query = (
        select(journal.c.session, func.count())
        .where(journal.c.content.startswith(begun, autoescape=True))
        .group_by(journal.c.session)
    )
    return {str(session): int(count) for session, count in connection.execute(query)}


def _drafted(connection: Connection) -> dict[str, dict[str, str]]:
    """The report of each session that drafted one: its id, and the status of its latest version."""
    from sqlalchemy import select

    columns = (reports.c.id, reports.c.session, reports.c.status, reports.c.title)
    rows = connection.execute(select(*columns).order_by(reports.c.version)).all()
    session_of = {row.id: row.session for row in rows if row.session is not None}
    latest = {row.id: row for row in rows}
    return {
        session: {"report": id, "status": latest[id].status, "title": latest[id].title}
        for id, session in session_of.items()
    }

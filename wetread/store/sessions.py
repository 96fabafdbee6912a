"""Sessions: what was read with, the journal of what happened, and the evidence."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from wetread.errors import StoreError
from wetread.events import EVENTS, Event, ReportReady, TextDelta
from wetread.evidence import Evidence
from wetread.reports.model import Report
from wetread.store.audit import Actor, AuditEvent, append
from wetread.store.tables import evidence, journal, sessions
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


class Sessions:
    """The sessions of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[SessionEntry]:
        """Every session, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(sessions.select().order_by(sessions.c.created.desc())).all()
        return [SessionEntry.model_validate({**row._mapping, "modes": orjson.loads(row.modes)}) for row in rows]

    def events(self, session: str) -> list[Event]:
        """What happened in a session, in order: all but the pieces of text and the reports, which are kept as such."""
        with self._database.reading() as connection:
            query = journal.select().where(journal.c.session == session).order_by(journal.c.number)
            return [EVENTS.validate_json(row.content) for row in connection.execute(query)]

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
    id = secrets.token_hex(8)
    connection.execute(
        sessions.insert().values(
            id=id,
            created=datetime.now(UTC).isoformat(timespec="microseconds"),
            template=report.template,
            language_model=report.language_model,
            modes=orjson.dumps(report.modes).decode(),
        )
    )
    kept = [event for event in events if not isinstance(event, TextDelta | ReportReady)]
    if kept:
        connection.execute(
            journal.insert(),
            [
                {"session": id, "number": number, "content": EVENTS.dump_json(event).decode()}
                for number, event in enumerate(kept, start=1)
            ],
        )
    rows = []
    told = []
    for one in report.evidence:
        content = canonical_json(one.model_dump(mode="json"))
        sha256 = sha256_hex(content)
        rows.append(
            {
                "session": id,
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
                subject=f"{id}:{one.id}",
                version=sha256,
            )
        )
    if rows:
        connection.execute(evidence.insert(), rows)
    append(connection, told)
    return id

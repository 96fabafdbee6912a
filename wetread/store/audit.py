"""The audit log: append-only, each entry hashed over its content and the hash of the one before it.

What `verify` finds: an entry that was changed, removed from the middle, put in or moved; the end cut off; a report
that no entry speaks of, and one that an entry speaks of and is gone. What it cannot find alone: a log that somebody
who can write to the database cut or wrote anew together with its head. An anchor kept elsewhere (`wetread audit head`)
finds that too. No entry holds free text, so none can hold what identifies a patient.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import orjson
from pydantic import Field

from wetread.errors import InputError
from wetread.store.tables import audit, audit_head, reports
from wetread.values import Value, canonical_json, sha256_hex

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wetread.store.engine import Database

GENESIS = "0" * 64
"""What the first entry follows on."""

MAX_PROBLEMS = 100


class Actor(Value):
    """Who did it: a person or an agent by name, a tool, or wetread itself."""

    kind: Literal["person", "agent", "tool", "system"]
    name: str = Field(min_length=1, max_length=120)


class AuditEvent(Value):
    """What happened, before it is in the log. Codes, hashes and counts alone."""

    actor: Actor
    action: str = Field(pattern=r"^[a-z]+\.[a-z-]+$")
    """Such as `report.signed`."""
    subject: str = Field(pattern=r"^[A-Za-z0-9_.:@-]{1,80}$")
    """The id of what it was done to."""
    version: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the version of it."""
    counts: dict[str, int] = Field(default_factory=dict)


class AuditEntry(Value):
    """One entry. `sha256` is over the canonical JSON of the rest."""

    number: int
    at: str
    """ISO 8601, UTC."""
    event: AuditEvent
    previous: str
    sha256: str


class AuditCheck(Value):
    """What `verify` found. `head` is the anchor to keep elsewhere: entries and the last one's hash."""

    entries: int
    head: str
    problems: tuple[str, ...] = ()
    anchored: bool = False
    """Whether an anchor kept elsewhere was compared with."""

    @property
    def whole(self) -> bool:
        return not self.problems


class Audit:
    """The log of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, *events: AuditEvent) -> None:
        """Append entries, all or none.

        Raises:
            StoreError: see `Database.writing`.
        """
        with self._database.writing() as connection:
            append(connection, events)

    def entries(self, *, last: int | None = None) -> list[AuditEntry]:
        """The log, oldest first; only its last entries where a number is given."""
        query = audit.select().order_by(audit.c.number.desc())
        if last is not None:
            query = query.limit(last)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [_entry(row.content, row.sha256) for row in reversed(rows)]

    def head(self) -> str:
        """The anchor, `ENTRIES:SHA256`: keep it where nobody who can write to the store can write."""
        with self._database.reading() as connection:
            count, sha256 = _head(connection)
        return f"{count}:{sha256}"

    def verify(self, anchor: str | None = None) -> AuditCheck:
        """Follow the chain from the first entry to the head.

        Args:
            anchor: A `head` kept from earlier; the log must still hold it.

        Raises:
            InputError: `WET-INPUT-ANCHOR`, it is no anchor.
            StoreError: see `Database.reading`.
        """
        expected = _anchor(anchor)
        with self._database.reading() as connection:
            rows = [
                (r.number, r.content, r.sha256) for r in connection.execute(audit.select().order_by(audit.c.number))
            ]
            count, head = _head(connection)
            stored = {
                row.sha256: row.id
                for row in connection.execute(reports.select().with_only_columns(reports.c.sha256, reports.c.id))
            }
        problems = _broken(rows)
        last = rows[-1] if rows else (0, "", GENESIS)
        if last[0] != count:
            problems.append(f"The head counts {count} entries, and the last one is number {last[0]}.")
        elif last[2] != head:
            problems.append(f"The head is not the hash of entry {count}.")
        if expected is not None:
            number, sha256 = expected
            found = next((row[2] for row in rows if row[0] == number), GENESIS if number == 0 else None)
            if found != sha256:
                gone = "is gone" if found is None else "is another one"
                problems.append(f"Entry {number}, which the anchor names, {gone}.")
        problems += _reports_missing(rows, stored)
        return AuditCheck(
            entries=len(rows),
            head=f"{last[0]}:{last[2]}",
            problems=tuple(problems[:MAX_PROBLEMS]),
            anchored=expected is not None,
        )


def append(connection: Connection, events: Sequence[AuditEvent]) -> None:
    """Append entries within a write transaction of the store."""
    if not events:
        return
    number, previous = _head(connection)
    rows = []
    for event in events:
        number += 1
        content = canonical_json(
            {
                "number": number,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": event.model_dump(mode="json"),
                "previous": previous,
            }
        )
        previous = sha256_hex(content)
        rows.append({"number": number, "content": content.decode(), "sha256": previous, "version": event.version})
    connection.execute(audit.insert(), rows)
    connection.execute(audit_head.update().where(audit_head.c.id == 1).values(entries=number, sha256=previous))


def _head(connection: Connection) -> tuple[int, str]:
    row = connection.execute(audit_head.select().where(audit_head.c.id == 1)).first()
    return (row.entries, row.sha256) if row is not None else (0, GENESIS)


def _entry(content: str, sha256: str) -> AuditEntry:
    return AuditEntry.model_validate({**orjson.loads(content), "sha256": sha256})


def _broken(rows: Sequence[tuple[int, str, str]]) -> list[str]:
    problems: list[str] = []
    before, previous = 0, GENESIS
    for number, content, sha256 in rows:
        if number != before + 1:
            gone = f"Entry {before + 1} is" if number == before + 2 else f"Entries {before + 1} to {number - 1} are"
            problems.append(f"{gone} missing.")
        if sha256_hex(content.encode()) != sha256:
            problems.append(f"Entry {number} was changed.")
        try:
            found = orjson.loads(content)
            own, follows = found["number"], found["previous"]
        except (ValueError, TypeError, KeyError):
            problems.append(f"Entry {number} cannot be read.")
        else:
            if own != number:
                problems.append(f"Entry {number} was moved: it was written as number {own}.")
            if follows != previous and number == before + 1:
                problems.append(f"Entry {number} does not follow on entry {before}.")
        before, previous = number, sha256
    return problems


def _reports_missing(rows: Sequence[tuple[int, str, str]], stored: dict[str, str]) -> list[str]:
    spoken: dict[str, int] = {}
    for number, content, _ in rows:
        try:
            event = AuditEvent.model_validate(orjson.loads(content)["event"])
        except (ValueError, TypeError, KeyError):
            continue
        if event.version is not None and event.action.startswith("report."):
            spoken.setdefault(event.version, number)
    gone = [f"The report version of entry {spoken[sha]} is gone ({sha[:12]})." for sha in spoken if sha not in stored]
    unspoken = [
        f"No entry speaks of version {sha[:12]} of report {id}." for sha, id in stored.items() if sha not in spoken
    ]
    return [*gone, *unspoken]


def _anchor(anchor: str | None) -> tuple[int, str] | None:
    if anchor is None:
        return None
    match = re.fullmatch(r"([0-9]{1,12}):([0-9a-f]{64})", anchor.strip())
    if match is None:
        raise InputError(
            "WET-INPUT-ANCHOR", "The anchor is not ENTRIES:SHA256.", "Give what `wetread audit head` printed."
        )
    return int(match[1]), match[2]

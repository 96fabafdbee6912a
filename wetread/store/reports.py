"""Reports in all their versions. A version is written once; the next one names it; none is ever changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import orjson

from wetread.errors import InputError, ReviewError, StoreError
from wetread.reports.model import Report, ReportStatus
from wetread.reports.reading import parse_report
from wetread.reports.states import check_first, check_successor
from wetread.store.audit import Actor, AuditEvent, append
from wetread.store.tables import audit, reports
from wetread.values import Value, canonical_json

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Select

    from wetread.store.engine import Database

_ID = 12
"""Digits of a report's id: the first of its first version's hash."""

_NAMED = re.compile(r"(?P<digits>[0-9a-f]{4,64})(?:@(?P<version>[1-9][0-9]{0,5}))?")

_ACTIONS: dict[ReportStatus, str] = {
    "registered": "report.registered",
    "partial": "report.reviewed",
    "preliminary": "report.released",
    "final": "report.signed",
    "amended": "report.amended",
    "corrected": "report.corrected",
    "appended": "report.appended",
    "cancelled": "report.cancelled",
    "entered-in-error": "report.entered-in-error",
}


class Entry(Value):
    """One version as lists show it."""

    id: str
    """The report's, the same for all its versions."""
    version: int
    sha256: str
    replaces: str | None
    status: ReportStatus
    created: str
    title: str
    session: str | None


class Reports:
    """The reports of one store. A report is named by its id or hash, or the first four digits or more of either;
    `ID@2` is its second version, without a number its latest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, report: Report, *, source: bytes | None = None) -> Entry:
        """Keep a version: the first of a report, or the one after the latest. When this returns, it is on the disk.

        Putting in what is there already changes nothing, so that it is safe to repeat.

        Args:
            report: The version.
            source: The JSON that it was read from, where it was: what is kept is what was hashed.

        Raises:
            InputError: `WET-INPUT-HASH`, the report's hash is not that of its content.
            ReviewError: the version cannot follow on the one it names; see `states.check_successor`.
            StoreError: `WET-STORE-CONFLICT`, the version that it replaces has been replaced already;
                `WET-STORE-UNKNOWN`, that one is not in the store; those of `Database.writing`.
        """
        with self._database.writing() as connection:
            return insert(connection, report, source=source)

    def get(self, name: str) -> Report:
        """A version of a report, its hash checked.

        Raises:
            StoreError: `WET-STORE-UNKNOWN`, there is none of that name; `WET-STORE-AMBIGUOUS`;
                `WET-STORE-DAMAGED`, it is not what was kept.
        """
        with self._database.reading() as connection:
            row = _named(connection, name)
        return _opened(row.content, row.sha256)

    def entry(self, name: str) -> Entry:
        """What lists show of a version. Errors as of `get`."""
        with self._database.reading() as connection:
            row = _named(connection, name)
            return _entry(connection.execute(_shown().where(reports.c.sha256 == row.sha256)).one())

    def versions(self, name: str) -> list[Entry]:
        """All versions of a report, oldest first. Errors as of `get`."""
        with self._database.reading() as connection:
            row = _named(connection, name)
            query = _shown().where(reports.c.id == row.id).order_by(reports.c.version)
            return [_entry(one) for one in connection.execute(query)]

    def latest(self, *, limit: int | None = None, status: ReportStatus | None = None) -> list[Entry]:
        """The latest version of every report, newest first."""
        later = reports.alias()
        query = _shown().where(~later.select().where(later.c.replaces == reports.c.sha256).exists())
        if status is not None:
            query = query.where(reports.c.status == status)
        query = query.order_by(reports.c.created.desc(), reports.c.id)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            return [_entry(row) for row in connection.execute(query).all()]

    def verify(self, name: str) -> list[str]:
        """What is wrong with a report: each version's hash, link, move, signature and entry in the audit log.

        Returns:
            A sentence for each thing found; none where all is as it was kept.

        Raises:
            StoreError: there is none of that name; those of `Database.reading`.
        """
        with self._database.reading() as connection:
            row = _named(connection, name)
            rows = connection.execute(reports.select().where(reports.c.id == row.id).order_by(reports.c.version)).all()
            hashes = [one.sha256 for one in rows]
            logged = set(
                connection.execute(
                    audit.select().with_only_columns(audit.c.version).where(audit.c.version.in_(hashes))
                ).scalars()
            )
        return _problems(rows, logged)


def known(connection: Connection, sha256: str) -> Entry | None:
    """What lists show of the version of that hash, within a transaction; None where there is none."""
    row = connection.execute(_shown().where(reports.c.sha256 == sha256)).first()
    return None if row is None else _entry(row)


def insert(connection: Connection, report: Report, session: str | None = None, *, source: bytes | None = None) -> Entry:
    """Keep a version within a write transaction; see `Reports.put`."""
    content = canonical_json(orjson.loads(source) if source is not None else report.model_dump(mode="json"))
    if parse_report(content).sha256 != report.sha256:
        raise ValueError("the source is that of another report")
    there = known(connection, report.sha256)
    if there is not None:
        return there
    if report.replaces is None:
        check_first(report)
        id = report.sha256[:_ID]
        if connection.execute(_shown().where(reports.c.id == id)).first() is not None:
            raise StoreError("WET-STORE-CONFLICT", f"There is another report {id}.", "Draft it again.")
    else:
        id = _check_follows(connection, report)
    title = next((section.text for section in report.sections if section.name == "exam"), "Report")
    row = {
        "sha256": report.sha256,
        "id": id,
        "version": report.version,
        "replaces": report.replaces,
        "status": report.status,
        "created": report.created.astimezone(UTC).isoformat(timespec="microseconds"),
        "title": title,
        "session": session,
    }
    connection.execute(reports.insert().values(**row, content=content.decode()))
    append(connection, [_event(report, id)])
    return Entry.model_validate(row)


def _check_follows(connection: Connection, report: Report) -> str:
    before = connection.execute(reports.select().where(reports.c.sha256 == report.replaces)).first()
    if before is None:
        raise StoreError(
            "WET-STORE-UNKNOWN",
            f"The version that this one replaces ({(report.replaces or '')[:_ID]}) is not in the store.",
            "Put the earlier versions in first, oldest first.",
        )
    after = connection.execute(_shown().where(reports.c.replaces == report.replaces)).first()
    if after is not None:
        raise StoreError(
            "WET-STORE-CONFLICT",
            f"Version {before.version} of report {before.id} has been replaced by version {after.version} meanwhile.",
            "Look at that one, and repeat what is still to be done.",
        )
    check_successor(_opened(before.content, before.sha256), report)
    return str(before.id)


def _event(report: Report, id: str) -> AuditEvent:
    review = report.review
    if review is None or not review.by:
        actor, action = Actor(kind="agent", name=report.language_model[:120]), "report.drafted"
    else:
        actor, action = Actor(kind="person", name=review.by), _ACTIONS[report.status]
    counts = {"version": report.version, "statements": len(report.statements())}
    counts["errors"] = sum(issue.severity == "error" for issue in report.issues)
    if review is not None:
        counts["overrides"] = sum(one.at == report.created for one in review.overrides)
        for done in ("accepted", "edited", "rejected", "added"):
            counts[done] = sum(one.action == done and one.at == report.created for one in review.decisions)
    return AuditEvent(actor=actor, action=action, subject=id, version=report.sha256, counts=counts)


_SHOWN = tuple(reports.c[name] for name in Entry.model_fields)


def _shown() -> Select[Any]:
    """Every column that lists show, in the order of an entry's fields."""
    return reports.select().with_only_columns(*_SHOWN)


def _entry(row: Row[Any]) -> Entry:
    return Entry.model_validate(dict(zip(Entry.model_fields, row, strict=True)))


def _named(connection: Connection, name: str) -> Row[Any]:
    match = _NAMED.fullmatch(name.strip().lower())
    if match is None:
        raise StoreError(
            "WET-STORE-UNKNOWN",
            "That is no name of a report.",
            "Give four or more digits of its id, and @2 for a version.",
        )
    digits, version = match["digits"], match["version"]
    found = reports.select().where(reports.c.sha256.startswith(digits))
    if version is None and len(digits) > _ID:
        rows = connection.execute(found).all()
    else:
        ids = set(
            connection.execute(
                reports.select().with_only_columns(reports.c.id).where(reports.c.id.startswith(digits[:_ID]))
            ).scalars()
        )
        if not ids:
            rows = connection.execute(found).all()
        elif len(ids) > 1:
            raise StoreError(
                "WET-STORE-AMBIGUOUS", f"{len(ids)} reports begin with {digits}.", "Give more digits of the id."
            )
        else:
            query = reports.select().where(reports.c.id == ids.pop()).order_by(reports.c.version.desc()).limit(1)
            if version is not None:
                query = query.where(reports.c.version == int(version))
            rows = connection.execute(query).all()
    if not rows:
        raise StoreError("WET-STORE-UNKNOWN", f"The store has no report {name}.", "`wetread reports` lists them.")
    if len(rows) > 1:
        raise StoreError("WET-STORE-AMBIGUOUS", f"{len(rows)} versions begin with {digits}.", "Give more digits.")
    return rows[0]


def _opened(content: str, sha256: str) -> Report:
    try:
        report = parse_report(content.encode())
    except InputError as error:
        if error.code == "WET-INPUT-SCHEMA":
            raise
        raise _damaged(sha256) from None
    if report.sha256 != sha256:
        raise _damaged(sha256)
    return report


def _damaged(sha256: str) -> StoreError:
    return StoreError(
        "WET-STORE-DAMAGED", f"Version {sha256[:_ID]} is not what was kept: its hash differs.", "Restore a copy."
    )


def _problems(rows: Sequence[Row[Any]], logged: set[str]) -> list[str]:
    problems: list[str] = []
    before: Report | None = None
    for row in rows:
        what = f"Version {row.version}"
        try:
            report = _opened(row.content, row.sha256)
        except StoreError:
            problems.append(f"{what} was changed: its hash differs.")
            before = None
            continue
        if (report.version, report.replaces, report.status) != (row.version, row.replaces, row.status):
            problems.append(f"{what} is listed as what it is not.")
        if row.sha256 not in logged:
            problems.append(f"{what} has no entry in the audit log.")
        try:
            if before is not None:
                check_successor(before, report)
            elif row is rows[0]:
                check_first(report)
        except ReviewError as error:
            problems.append(f"{what}: {error.message}")
        before = report
    return problems

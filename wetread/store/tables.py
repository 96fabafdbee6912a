"""The tables, the same on SQLite and PostgreSQL. Times are ISO 8601 in UTC, contents canonical JSON.

`migrations/` makes them; `tests/test_store.py` holds that both say the same.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("language_model", Text, nullable=False),
    Column("modes", Text, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("session", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("session", Text, ForeignKey("sessions.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("tool", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content", Text, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    # a version is replaced once: what two people make of the same one cannot both be the next
    Column("replaces", Text, ForeignKey("reports.sha256"), unique=True),
    Column("status", Text, nullable=False),
    Column("created", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("session", Text, ForeignKey("sessions.id")),
    Column("content", Text, nullable=False),
    UniqueConstraint("id", "version"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("handle", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("summary", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    # of which report version it speaks, for look-up; the content, which is hashed, has it too
    Column("version", Text, index=True),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
)

WRITTEN_ONCE = ("sessions", "journal", "evidence", "reports", "artifacts", "audit")
"""Tables whose rows the database itself refuses to change or delete."""

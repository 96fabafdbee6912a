"""The first tables, and triggers that keep what is written once as it was written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_WRITTEN_ONCE = ("sessions", "journal", "evidence", "reports", "artifacts", "audit")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("language_model", sa.Text, nullable=False),
        sa.Column("modes", sa.Text, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("replaces", sa.Text, sa.ForeignKey("reports.sha256"), unique=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False, index=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("session", sa.Text, sa.ForeignKey("sessions.id")),
        sa.Column("content", sa.Text, nullable=False),
        sa.UniqueConstraint("id", "version"),
    )
    op.create_table(
        "artifacts",
        sa.Column("handle", sa.Text, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False, unique=True),
        sa.Column("version", sa.Text, index=True),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "entries": 0, "sha256": "0" * 64}])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION wetread_written_once() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'written once'; END $$"
        )
        for table in _WRITTEN_ONCE:
            op.execute(
                f"CREATE TRIGGER {table}_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION wetread_written_once()"
            )
        return
    for table in _WRITTEN_ONCE:
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'written once'); END"
            )

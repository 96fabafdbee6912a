"""The store, on SQLite and on PostgreSQL: nothing is changed, nothing acknowledged is lost, bad input is told."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from wetread.artifacts import ArtifactStore
from wetread.errors import InputError, ReviewError, StoreError, WetreadError
from wetread.events import BudgetReached, ReportReady, TextDelta, TurnStarted
from wetread.reports.model import Report
from wetread.reports.render import to_json
from wetread.review import Accept, append, conclude
from wetread.store import Store
from wetread.store.schema import MIGRATIONS, REVISIONS
from wetread.store.tables import WRITTEN_ONCE, metadata, reports

ADA = "Ada Example"
AT = datetime(2030, 5, 6, 9, 0, tzinfo=UTC)
Drafts = Callable[[int], tuple[Report, ArtifactStore]]


def refused(code: str, call: Callable[[], object]) -> str:
    with pytest.raises(WetreadError) as caught:
        call()
    assert caught.value.code == code
    assert "\n" not in caught.value.line()
    return caught.value.line()


def signed(report: Report, by: str = ADA) -> Report:
    return conclude(report, by=by, at=AT, outcome="sign")


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database."""
    with store._database.reading() as connection:
        return {t.name: [tuple(row) for row in connection.execute(t.select())] for t in metadata.sorted_tables}


# --- what is kept comes back


def test_a_draft_is_kept_with_its_session_evidence_and_artifacts(store: Store, drafts: Drafts) -> None:
    report, artifacts = drafts(0)
    events = [
        TurnStarted(turn=1),
        TextDelta(agent="a", text="..."),
        BudgetReached(limit="tokens", message="Enough."),
        ReportReady(report=report),
    ]
    entry = store.keep(report, events=events, artifacts=artifacts)
    assert (entry.id, entry.version, entry.status, entry.title) == (report.sha256[:12], 1, "partial", "XR Chest PA")
    assert store.reports.get(entry.id) == report
    (session,) = store.sessions.all()
    assert (session.id, session.language_model) == (entry.session, "some-chat-model")
    assert store.sessions.events(session.id) == [events[0], events[2]]
    assert tuple(store.sessions.evidence(session.id)) == report.evidence
    handle = report.evidence[2].artifacts[0]
    assert store.artifacts.get(handle) == artifacts.get(handle)
    assert store.artifacts.load(report).all() == artifacts.all()


def test_versions_are_kept_in_order_and_none_is_changed(store: Store, draft: Report) -> None:
    final = signed(draft)
    appended = append(final, "CT was done.", by="Bo Other", at=AT)
    for report in (draft, final, appended):
        entry = store.reports.put(report)
    assert [(one.version, one.status) for one in store.reports.versions(entry.id)] == [
        (1, "partial"),
        (2, "final"),
        (3, "appended"),
    ]
    assert store.reports.get(entry.id) == appended
    assert store.reports.get(f"{entry.id}@1") == draft
    assert store.reports.get(final.sha256) == final
    assert store.reports.get(entry.id[:4]) == appended
    assert [one.sha256 for one in store.reports.latest()] == [appended.sha256]
    assert store.reports.verify(entry.id) == []


def test_what_is_opened_again_is_as_it_was(place: str, tmp_path: Path, drafts: Drafts) -> None:
    with Store.open(place, artifacts=tmp_path / "artifacts") as store:
        for number in range(3):
            report, artifacts = drafts(number)
            store.keep(report, artifacts=artifacts)
        before = rows(store)
    with Store.open(place, create=False, artifacts=tmp_path / "artifacts") as store:
        assert rows(store) == before
        assert len(store.reports.latest()) == 3
        assert len(store.reports.latest(limit=2)) == 2
        assert store.reports.latest(status="final") == []
        assert store.audit.verify().whole


def test_keeping_the_same_again_changes_nothing(store: Store, drafts: Drafts) -> None:
    report, artifacts = drafts(0)
    first = store.keep(report, artifacts=artifacts)
    store.reports.put(signed(report))
    before = rows(store)
    assert store.keep(report, artifacts=artifacts) == first
    assert store.reports.put(report) == first
    store.reports.put(signed(report))
    assert rows(store) == before


def test_two_people_cannot_both_replace_a_version(store: Store, draft: Report) -> None:
    store.reports.put(draft)
    first, second = (conclude(draft, by=by, at=AT, actions=[Accept(statement="S1")]) for by in (ADA, "Bo Other"))
    store.reports.put(first)
    before = rows(store)
    assert "version 2" in refused("WET-STORE-CONFLICT", lambda: store.reports.put(second))
    assert rows(store) == before


def test_of_many_that_write_at_once_each_version_is_replaced_by_one(place: str, tmp_path: Path, draft: Report) -> None:
    def put(name: str) -> bool:
        version = conclude(draft, by=name, at=AT, actions=[Accept(statement="S1")])
        with Store.open(place, artifacts=tmp_path / "artifacts") as store:
            store.reports.put(draft)
            try:
                store.reports.put(version)
            except StoreError as error:
                assert error.code == "WET-STORE-CONFLICT"
                return False
            return True

    # the first of them makes the store, while the others open it
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(put, [f"Reader {letter}" for letter in "abcdef"])) == 1
    with Store.open(place, artifacts=tmp_path / "artifacts") as store:
        assert store.audit.verify().whole and store.audit.verify().entries == 2


# --- what cannot be kept


def test_what_does_not_follow_is_refused_and_leaves_nothing(store: Store, draft: Report) -> None:
    final = signed(draft)
    refused("WET-STORE-UNKNOWN", lambda: store.reports.put(final))
    store.reports.put(draft)
    before = rows(store)
    forged = draft.model_copy(update={"status": "final", "version": 2, "replaces": draft.sha256}).sealed()
    skipped = final.model_copy(update={"version": 3}).sealed()
    changed = final.model_copy(update={"disclosure": "Nobody looked."})
    refused("WET-REVIEW-UNSIGNED", lambda: store.reports.put(forged))
    refused("WET-REVIEW-VERSION", lambda: store.reports.put(skipped))
    refused("WET-INPUT-HASH", lambda: store.reports.put(changed))
    refused("WET-REVIEW-UNSIGNED", lambda: store.reports.put(draft.model_copy(update={"status": "final"}).sealed()))
    assert rows(store) == before


def test_a_name_that_is_none_or_fits_many_is_told(store: Store, drafts: Drafts) -> None:
    for name in ("zz", "abc", "ffffffffffff", "ffff@3", "", "' or 1=1 --"):
        refused("WET-STORE-UNKNOWN", lambda name=name: store.reports.get(name))  # type: ignore[misc]


def test_a_beginning_that_fits_many_is_told(store: Store, draft: Report) -> None:
    with store._database.writing() as connection:
        for digit in "12":
            row = {"id": f"abcd{digit}", "sha256": f"abcd{digit}", "version": 1, "status": "partial"}
            connection.execute(reports.insert().values(**row, created="", title="", content=""))
    refused("WET-STORE-AMBIGUOUS", lambda: store.reports.get("abcd"))


@pytest.mark.parametrize("table", WRITTEN_ONCE)
def test_the_database_itself_refuses_to_change_what_is_written_once(store: Store, drafts: Drafts, table: str) -> None:
    report, artifacts = drafts(0)
    store.keep(report, events=[TurnStarted(turn=1)], artifacts=artifacts)
    before = rows(store)
    column = list(metadata.tables[table].columns)[-1].name
    for change in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
        with pytest.raises(StoreError), store._database.writing() as connection:
            connection.execute(sa.text(change))
    assert rows(store) == before


# --- changed behind its back (SQLite alone: the file is at hand)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def tamper(file: Path, *statements: str) -> None:
    """Change a store as somebody would who has the file."""
    connection = sqlite3.connect(file)
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute("PRAGMA foreign_keys=OFF")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE reports SET content = replace(content, 'right', 'left') WHERE version = 1", "its hash differs"),
        ("UPDATE reports SET status = 'amended' WHERE version = 2", "listed as what it is not"),
        ("UPDATE reports SET replaces = NULL WHERE version = 2", "listed as what it is not"),
        ("DELETE FROM audit WHERE number = 1", "no entry in the audit log"),
        ("DELETE FROM reports WHERE version = 1", "does not follow"),
    ],
)
def test_a_changed_report_is_found(file: Path, draft: Report, statement: str, found: str) -> None:
    with Store.open(file) as store:
        store.reports.put(draft)
        store.reports.put(signed(draft))
        assert store.reports.verify(draft.sha256[:12]) == []
    tamper(file, statement)
    with Store.open(file) as store:
        problems = " ".join(store.reports.verify(draft.sha256[:12]))
        if found == "does not follow":
            assert "Version 2" in problems
        else:
            assert found in problems


def test_a_changed_report_is_not_opened(file: Path, draft: Report) -> None:
    with Store.open(file) as store:
        store.reports.put(draft)
    tamper(file, "UPDATE reports SET content = replace(content, 'right', 'left')")
    with Store.open(file) as store:
        refused("WET-STORE-DAMAGED", lambda: store.reports.get(draft.sha256))


def test_a_changed_artifact_is_found(file: Path, drafts: Drafts) -> None:
    report, artifacts = drafts(0)
    with Store.open(file) as store:
        store.keep(report, artifacts=artifacts)
        (path,) = [path for path in store.artifacts.folder.rglob("*") if path.is_file()]
        path.write_bytes(b"another")
        refused("WET-STORE-DAMAGED", lambda: store.artifacts.load(report))
        path.unlink()
        refused("WET-STORE-DAMAGED", lambda: store.artifacts.load(report))
        # keeping it again mends it
        store.artifacts.write(artifacts.get(report.evidence[2].artifacts[0]) or b"")
        assert store.artifacts.load(report).all() == artifacts.all()


# --- bad places


def test_no_store_is_made_unasked(place: str, tmp_path: Path) -> None:
    refused("WET-STORE-NONE", lambda: Store.open(place, create=False))
    assert not list(tmp_path.rglob("*"))


def test_a_store_of_a_newer_version_is_told_and_left_alone(place: str, tmp_path: Path, draft: Report) -> None:
    with Store.open(place, artifacts=tmp_path) as store:
        store.reports.put(draft)
        with store._database.writing() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for create in (True, False):
        refused("WET-STORE-NEWER", lambda create=create: Store.open(place, create=create))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://u:secret@host/name", "WET-STORE-URL"),
        ("postgresql://u:secret@127.0.0.1:1/name", "WET-STORE-OPEN"),
        ("://", "WET-STORE-URL"),
    ],
)
def test_a_bad_url_is_told_without_its_password(url: str, code: str) -> None:
    assert "secret" not in refused(code, lambda: Store.open(url))


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"This is no database, and longer than a header of one would be. " * 40)
    refused("WET-STORE-DAMAGED", lambda: Store.open(path))
    assert path.read_bytes().startswith(b"This is no database")
    refused("WET-STORE-OPEN", lambda: Store.open(tmp_path))
    refused("WET-STORE-OPEN", lambda: Store.open(path / "below" / "store.db"))


# --- no space, no rights


def test_a_full_database_is_told_and_nothing_is_half_written(file: Path, drafts: Drafts) -> None:
    report, artifacts = drafts(0)
    with Store.open(file) as store:
        store.keep(report, artifacts=artifacts)
        before = rows(store)
        with store._database.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        second, others = drafts(1)
        refused("WET-STORE-FULL", lambda: store.keep(second, artifacts=others))
        assert rows(store) == before and store.audit.verify().whole
    with Store.open(file) as store:
        store.keep(second, artifacts=others)
        assert store.reports.get(second.sha256) == second and store.audit.verify().whole


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "WET-STORE-FULL"), (errno.EROFS, "WET-STORE-READONLY"), (errno.EIO, "WET-STORE-IO")],
)
def test_artifacts_that_cannot_be_written_leave_no_report(
    file: Path, drafts: Drafts, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    report, artifacts = drafts(0)

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with Store.open(file) as store:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fail)
            refused(code, lambda: store.keep(report, artifacts=artifacts))
        assert store.reports.latest() == [] and store.audit.verify().entries == 0
        assert not [path for path in store.artifacts.folder.rglob("*") if path.is_file()]
        store.keep(report, artifacts=artifacts)
        assert store.artifacts.load(report).all() == artifacts.all()


READ_ONLY = """
import os, sys
from pathlib import Path
from wetread.errors import StoreError
from wetread.reports.reading import read_report
from wetread.store import Store

def use(place):
    with Store.open(place) as store:
        found = (len(store.reports.latest()), store.audit.verify().whole)
        try:
            store.reports.put(version)
        except StoreError as error:
            return (*found, error.code)

version = read_report(Path(sys.argv[2]))
# all is imported while it can be: whom no rights stop becomes another, who cannot read everything
use(sys.argv[3])
if os.getuid() == 0:
    os.setresuid(65534, 65534, 65534)
print(*use(sys.argv[1]))
"""


@pytest.mark.skipif(os.name != "posix", reason="rights are set as on POSIX")
def test_a_read_only_workspace_can_be_read_and_not_written(draft: Report, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="wetread-ro-") as name:
        folder = Path(name)
        with Store.open(folder / "store.db") as store:
            store.reports.put(draft)
        (tmp_path / "next.json").write_bytes(to_json(signed(draft)))
        (folder / "store.db").chmod(0o444)
        folder.chmod(0o555)
        arguments = [str(folder / "store.db"), str(tmp_path / "next.json"), str(tmp_path / "other.db")]
        try:
            done = subprocess.run(
                [sys.executable, "-c", READ_ONLY, *arguments], capture_output=True, text=True, cwd=folder
            )
        finally:
            folder.chmod(0o755)
    assert done.stdout.split() == ["1", "True", "WET-STORE-READONLY"], done.stderr


# --- migrations


def test_the_migrations_make_the_tables_that_the_code_uses(place: str, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with Store.open(place, artifacts=tmp_path) as store, store._database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_revision_is_known_and_shipped() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == REVISIONS
    assert shutil.which("alembic") is None or scripts.get_heads() == [REVISIONS[-1]]


def test_a_report_of_another_schema_is_told_from_a_damaged_one(file: Path, draft: Report) -> None:
    with Store.open(file) as store:
        store.reports.put(draft)
    tamper(file, """UPDATE reports SET content = replace(content, '"schema_version":"1"', '"schema_version":"7"')""")
    with Store.open(file) as store:
        with pytest.raises(InputError) as caught:
            store.reports.get(draft.sha256)
        assert caught.value.code == "WET-INPUT-SCHEMA"


def test_a_refused_review_is_an_error_of_the_review(store: Store, draft: Report) -> None:
    store.reports.put(draft)
    with pytest.raises(ReviewError):
        store.reports.put(draft.model_copy(update={"version": 5, "replaces": draft.sha256}).sealed())

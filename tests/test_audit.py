"""The audit log: what it holds, and that a change, a deletion, a reorder or a cut is found."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wetread.artifacts import ArtifactStore
from wetread.errors import InputError
from wetread.reports.model import Report
from wetread.review import append, conclude
from wetread.store import Store
from wetread.store.audit import GENESIS, Actor, AuditEvent
from wetread.values import sha256_hex

ADA = "Ada Example"
AT = datetime(2030, 5, 6, 9, 0, tzinfo=UTC)
Drafts = Callable[[int], tuple[Report, ArtifactStore]]
EVENT = AuditEvent(actor=Actor(kind="system", name="wetread"), action="report.exported", subject="abcdef")


@pytest.fixture
def file(tmp_path: Path, drafts: Drafts) -> Path:
    """A store in which two drafts were kept, one signed and appended to."""
    path = tmp_path / "store.db"
    with Store.open(path) as store:
        for number in range(2):
            report, artifacts = drafts(number)
            store.keep(report, artifacts=artifacts)
        final = conclude(report, by=ADA, at=AT, outcome="sign")
        store.reports.put(final)
        store.reports.put(append(final, "CT was done.", by="Bo Other", at=AT))
        assert store.audit.verify().whole
    return path


def tamper(file: Path, *statements: str) -> None:
    """Change a store as somebody would who has the file and takes its guards away."""
    with closing(sqlite3.connect(file)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def problems(file: Path, anchor: str | None = None) -> str:
    with Store.open(file) as store:
        return " ".join(store.audit.verify(anchor).problems)


def test_it_says_who_did_what_on_which_version(file: Path, drafts: Drafts) -> None:
    report, _ = drafts(1)
    with Store.open(file) as store:
        entries = store.audit.entries()
        versions = store.reports.versions(report.sha256)
    # three evidences and the draft, of each of two; then what people did
    assert [entry.event.action for entry in entries] == [
        *(["evidence.ok"] * 3 + ["report.drafted"]) * 2,
        "report.signed",
        "report.appended",
    ]
    assert [(e.event.actor.kind, e.event.actor.name) for e in entries[4:]] == [
        ("tool", "report_findings"),
        ("tool", "measure"),
        ("tool", "classify"),
        ("agent", "some-chat-model"),
        ("person", ADA),
        ("person", "Bo Other"),
    ]
    assert [entry.event.version for entry in entries[7:]] == [version.sha256 for version in versions]
    assert all(entry.event.subject == versions[0].id for entry in entries[7:])
    assert all(datetime.fromisoformat(entry.at).utcoffset() == datetime.now(UTC).utcoffset() for entry in entries)


def test_the_chain_can_be_followed_by_hand(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT number, content, sha256 FROM audit ORDER BY number").fetchall()
    previous = GENESIS
    for number, content, sha256 in rows:
        assert orjson.loads(content)["previous"] == previous and orjson.loads(content)["number"] == number
        previous = sha256_hex(content.encode())
        assert sha256 == previous


def test_no_words_of_a_report_are_in_it(file: Path, drafts: Drafts) -> None:
    report, _ = drafts(1)
    with closing(sqlite3.connect(file)) as connection:
        log = " ".join(content for (content,) in connection.execute("SELECT content FROM audit"))
    said = [one.text for one in report.statements()] + [section.text for section in report.sections] + ["CT was done."]
    assert not [text for text in said if text and text in log]


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "John Doe"},
        {"subject": ""},
        {"action": "Report signed"},
        {"version": "abc"},
        {"actor": {"kind": "person", "name": ""}},
        {"note": "free text"},
        {"counts": {"age": "61 years"}},
    ],
)
def test_an_entry_cannot_hold_free_text(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AuditEvent.model_validate({**EVENT.model_dump(), **fields})


def test_entries_are_appended_on_every_database(store: Store) -> None:
    assert store.audit.head() == f"0:{GENESIS}"
    store.audit.record(EVENT)
    anchor = store.audit.head()
    store.audit.record(EVENT, EVENT)
    store.audit.record()
    check = store.audit.verify(anchor)
    assert (check.entries, check.whole, check.anchored) == (3, True, True)
    assert [entry.number for entry in store.audit.entries(last=2)] == [2, 3]


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["UPDATE audit SET content = replace(content, 'Ada', 'Eve') WHERE number = 9"], "Entry 9 was changed"),
        (["UPDATE audit SET sha256 = '{}' WHERE number = 3".format("0" * 64)], "Entry 3 was changed"),
        (["DELETE FROM audit WHERE number = 4"], "Entry 4 is missing"),
        (["DELETE FROM audit WHERE number IN (4, 5)"], "Entries 4 to 5 are missing"),
        (["DELETE FROM audit WHERE number = 1"], "Entry 1 is missing"),
        (["DELETE FROM audit WHERE number = 10"], "The head counts 10"),
        (["DELETE FROM audit"], "The head counts 10"),
        (
            [
                "UPDATE audit SET number = 100 WHERE number = 3",
                "UPDATE audit SET number = 3 WHERE number = 4",
                "UPDATE audit SET number = 4 WHERE number = 100",
            ],
            "Entry 3 was moved",
        ),
        (["DELETE FROM audit WHERE number = 4", "UPDATE audit SET number = number - 1 WHERE number > 4"], "was moved"),
        (["UPDATE audit SET content = 'x' WHERE number = 2"], "Entry 2 cannot be read"),
        (["UPDATE audit_head SET sha256 = '{}'".format("1" * 64)], "The head is not the hash of entry 10"),
        (["DELETE FROM audit_head"], "The head counts 0"),
        (["DELETE FROM reports WHERE version = 3"], "The report version of entry 10 is gone"),
    ],
)
def test_what_was_done_to_it_is_found(file: Path, statements: list[str], found: str) -> None:
    tamper(file, *statements)
    assert found in problems(file)


def test_an_entry_put_in_is_found(file: Path) -> None:
    tamper(
        file,
        "INSERT INTO audit SELECT number + 1, content, sha256 || 'x', version FROM audit WHERE number = 10",
        "UPDATE audit_head SET entries = 11",
    )
    assert "Entry 11" in problems(file)


def test_a_report_put_in_behind_the_logs_back_is_found(file: Path) -> None:
    tamper(
        file,
        "INSERT INTO reports SELECT 'f' || substr(sha256, 2), 'x', 1, NULL, status, created, title, session, content"
        " FROM reports WHERE version = 1 LIMIT 1",
    )
    assert "No entry speaks of version" in problems(file)


def rewritten(file: Path, keep: int) -> None:
    """Cut the log to its first entries and mend head and reports, as somebody would who knows how it is made."""
    tamper(
        file,
        "PRAGMA foreign_keys=OFF",
        f"DELETE FROM reports WHERE sha256 IN (SELECT version FROM audit WHERE number > {keep})",
        f"DELETE FROM audit WHERE number > {keep}",
        f"UPDATE audit_head SET entries = {keep}, sha256 = (SELECT sha256 FROM audit WHERE number = {keep})",
    )


def test_a_cut_with_a_mended_head_is_found_by_an_anchor_alone(file: Path) -> None:
    with Store.open(file) as store:
        anchor = store.audit.head()
    rewritten(file, 9)
    assert problems(file) == ""
    assert "Entry 10, which the anchor names, is gone" in problems(file, anchor)


def test_an_anchor_of_earlier_holds_while_the_log_grows(file: Path) -> None:
    with Store.open(file) as store:
        anchor = store.audit.head()
        store.audit.record(EVENT)
        assert store.audit.verify(anchor).whole
        assert "is another one" in " ".join(store.audit.verify(f"10:{'1' * 64}").problems)


@pytest.mark.parametrize("anchor", ["", "10", "x:y", "10:abc", f"-1:{GENESIS}"])
def test_what_is_no_anchor_is_refused(file: Path, anchor: str) -> None:
    with Store.open(file) as store, pytest.raises(InputError) as caught:
        store.audit.verify(anchor)
    assert caught.value.code == "WET-INPUT-ANCHOR"


@pytest.mark.parametrize("seed", range(30))
def test_any_byte_changed_in_the_log_is_found(file: Path, seed: int) -> None:
    chance = random.Random(seed)
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT number, content FROM audit").fetchall()
    number, content = chance.choice(rows)
    at = chance.randrange(len(content))
    other = chance.choice([c for c in 'abc019:{}" ' if c != content[at]])
    changed = (content[:at] + other + content[at + 1 :]).replace("'", "''")
    tamper(file, f"UPDATE audit SET content = '{changed}' WHERE number = {number}")
    assert f"Entry {number} was changed" in problems(file)


@given(st.text(max_size=90), st.text(max_size=90))
def test_no_subject_and_no_action_has_white_space(subject: str, action: str) -> None:
    try:
        event = AuditEvent(actor=EVENT.actor, action=action, subject=subject)
    except ValidationError:
        return
    assert not any(c.isspace() for c in event.subject + event.action)

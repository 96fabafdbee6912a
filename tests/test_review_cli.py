"""`wetread review`, `diff`, `reports` and `audit`, and `wetread read` with a store."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wetread.apps.cli import main
from wetread.artifacts import ArtifactStore
from wetread.reports.model import Report
from wetread.reports.reading import read_report
from wetread.reports.render import to_json
from wetread.store import Store
from wetread.testing.phantom import chest_phantom

Drafts = Callable[[int], tuple[Report, ArtifactStore]]
ADA = "Ada Example"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and no settings."""
    for name in os.environ:
        if name.startswith(("WETREAD_", "OPENAI", "AZURE", "HLS_", "MI2_", "MIP_", "CXRREPORTGEN_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def folder(bare: Path, draft: Report) -> Path:
    """A folder with a draft's report.json in it."""
    path = bare / "out"
    path.mkdir()
    (path / "report.json").write_bytes(to_json(draft))
    return path


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.strip().split("\n")
    return line


def run(*arguments: str) -> int:
    return main([str(argument) for argument in arguments])


# --- files


def test_a_review_by_options_makes_the_next_version_beside_the_first(folder: Path, draft: Report) -> None:
    before = (folder / "report.json").read_bytes()
    options = ["--accept", "S1,S3", "--reject", "S2", "--edit", "S4=The heart is normal.", "--verdict", "E3=amend:Why"]
    assert run("review", str(folder), *options, "--add", "bones=The bones are normal.", "--sign", ADA) == 0
    assert (folder / "report.json").read_bytes() == before
    new = read_report(folder / "report-v2.json")
    assert (new.status, new.replaces) == ("final", draft.sha256)
    assert {one.id: one.text for one in new.statements()}["S4"] == "The heart is normal."
    assert new.review is not None and [one.action for one in new.review.decisions] == [
        *("accepted", "accepted", "rejected", "edited", "added")
    ]
    assert new.review.verdict("E3").note == "Why"  # type: ignore[union-attr]
    for suffix in ("md", "html"):
        assert f"signed by {ADA}" in (folder / f"report-v2.{suffix}").read_text(encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("report-v2.html", "report-v2.json", "report-v2.md", "report.json")
    ]


def test_a_folder_stands_for_its_latest_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("review", str(folder), "--accept", "all", "--by", ADA) == 0
    assert run("review", str(folder), "--sign", ADA, "--json") == 0
    assert run("review", str(folder), "--addendum", "CT was done.", "--by", "Bo Other") == 0
    assert read_report(folder / "report-v4.json").status == "appended"
    capsys.readouterr()
    assert run("review", str(folder / "report.json"), "--sign", ADA) == 2
    assert error_line(capsys).startswith("WET-REVIEW-REPLACED")


def test_who_reviews_may_stand_in_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WETREAD_READER", "Cy Third")
    assert run("review", str(folder), "--accept", "all") == 0
    assert "in review by Cy Third" in read_report(folder / "report-v2.json").disclosure
    assert run("review", str(folder), "--accept", "all", "--by", ADA) == 0
    assert f"in review by {ADA}" in read_report(folder / "report-v3.json").disclosure


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], "WET-INPUT-OPTION"),
        (["--accept", "S1"], "WET-REVIEW-NAME"),
        (["--accept", "S1", "--by", "protocol"], "WET-REVIEW-NAME"),
        (["--by", ADA, "--sign", "Bo Other"], "WET-REVIEW-NAME"),
        (["--by", ADA, "--edit", "S1"], "WET-INPUT-OPTION"),
        (["--by", ADA, "--accept", "one"], "WET-INPUT-OPTION"),
        (["--by", ADA, "--verdict", "E1=maybe"], "WET-INPUT-OPTION"),
        (["--by", ADA, "--told", "pneumothorax"], "WET-INPUT-OPTION"),
        (["--by", ADA, "--told", "pneumothorax; to=X; at=yesterday"], "WET-INPUT-OPTION"),
        (["--by", ADA, "--told", "pneumothorax; who=X"], "WET-INPUT-OPTION"),
        (["--by", ADA, "--accept", "S77"], "WET-REVIEW-STATEMENT"),
        (["--by", ADA, "--addendum", "More.", "--accept", "S1"], "WET-REVIEW-NOTHING"),
        (["--by", ADA, "--addendum", "More."], "WET-REVIEW-MOVE"),
        (["--sign", ADA, "--edit", "S1=A nodule in the left upper lung zone."], "WET-REVIEW-BLOCKED"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: str
) -> None:
    assert run("review", str(folder), *options) == 2
    assert error_line(capsys).startswith(f"{code}: ")
    assert [path.name for path in folder.iterdir()] == ["report.json"]


def test_a_critical_result_is_told_by_option(bare: Path, critical_draft: Report) -> None:
    path = bare / "report.json"
    path.write_bytes(to_json(critical_draft))
    record = "right pneumothorax; to=Dr. C; by=Ada Example; at=2030-05-06T09:00+02:00; how=telephone"
    assert run("review", str(path), "--told", record, "--by", ADA) == 0
    told = read_report(bare / "report-v2.json").critical[0].communication
    assert told.missing == () and told.at is not None and told.at.isoformat() == "2030-05-06T07:00:00+00:00"


def test_a_report_changed_by_hand_is_not_reviewed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "report.json"
    path.write_bytes(path.read_bytes().replace(b"right upper", b"left upper"))
    assert run("review", str(folder), "--sign", ADA) == 2
    assert error_line(capsys).startswith("WET-INPUT-HASH")


def test_a_folder_that_cannot_be_written_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert run("review", str(folder), "--sign", ADA) == 2
    assert error_line(capsys).startswith("WET-INPUT-OUT")
    assert [path.name for path in folder.iterdir()] == ["report.json"]
    monkeypatch.undo()
    monkeypatch.chdir(folder.parent)
    assert run("review", str(folder), "--sign", ADA) == 0


def test_a_difference_is_shown_and_given_as_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("review", str(folder), "--edit", "S3=The heart is mildly enlarged.", "--by", ADA) == 0
    capsys.readouterr()
    assert run("diff", str(folder / "report.json")) == 0
    assert "[-not-]{+mildly+}" in capsys.readouterr().out
    assert run("diff", str(folder / "report.json"), str(folder), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["where"] for one in found["differences"] if one["what"] == "statement"] == ["S3"]
    assert run("diff", str(folder)) == 2
    assert error_line(capsys).startswith("WET-INPUT-REPORT-FILE")


# --- the store


def test_the_store_of_a_workspace_takes_what_it_knows_alone(folder: Path, draft: Report, bare: Path) -> None:
    with Store.open(bare / ".wetread" / "store.db"):
        pass
    assert run("review", str(folder), "--sign", ADA) == 0
    with Store.open(bare / ".wetread" / "store.db") as store:
        assert store.reports.latest() == []
        store.reports.put(draft)
        store.reports.put(read_report(folder / "report-v2.json"))
    assert run("review", str(folder), "--addendum", "CT was done.", "--by", ADA) == 0
    with Store.open(bare / ".wetread" / "store.db") as store:
        assert store.reports.get(draft.sha256[:12]).version == 3


def test_a_reading_is_kept_where_a_store_is_named_then_where_there_is_one(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chest = bare / "chest.png"
    chest_phantom(256).write_png(chest)
    read = ["read", str(chest), "--view", "PA", "--simulated", "--json"]
    assert run(*read) == 0 and not (bare / ".wetread").exists()
    assert run(*read, "--store", ".wetread/store.db") == 0
    assert run(*read) == 0
    capsys.readouterr()
    assert run("reports", "--json") == 0
    entries = json.loads(capsys.readouterr().out)
    assert len(entries) == 2 and {entry["status"] for entry in entries} == {"partial"}
    with Store.open(bare / ".wetread" / "store.db", create=False) as store:
        report = store.reports.get(entries[0]["id"])
        assert store.artifacts.load(report).all()
        assert [event.type for event in store.sessions.events(entries[0]["session"])][-1] == "turn_ended"
    # a store that cannot be opened stops a reading before anything is called
    assert run(*read, "--store", str(chest)) == 2
    assert error_line(capsys).startswith("WET-STORE-DAMAGED")


def test_a_report_in_the_store_is_reviewed_by_its_id(
    bare: Path, drafts: Drafts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, artifacts = drafts(0)
    monkeypatch.setenv("WETREAD_STORE", str(bare / "reports.db"))
    with Store.open(bare / "reports.db") as store:
        id = store.keep(report, artifacts=artifacts).id
    assert run("review", id, "--accept", "all", "--sign", ADA) == 0
    assert f"{id}@2 in " in capsys.readouterr().err
    assert run("review", f"{id}@1", "--sign", ADA) == 2
    assert error_line(capsys).startswith("WET-REVIEW-REPLACED")
    assert run("review", "ffffffff", "--sign", ADA) == 2
    assert error_line(capsys).startswith("WET-STORE-UNKNOWN")
    assert run("diff", f"{id}@1") == 0 and "{+final+}" in capsys.readouterr().out
    assert run("reports") == 0 and re.search(rf"{id} +2 +final", capsys.readouterr().out)
    assert run("reports", id) == 0 and "signed by Ada Example" in capsys.readouterr().out
    assert run("reports", "--verify") == 0 and "0 not as they were kept" in capsys.readouterr().out
    assert run("audit", "log") == 0 and "report.signed" in capsys.readouterr().out
    assert run("audit", "head") == 0
    anchor = capsys.readouterr().out.strip()
    assert run("audit", "verify", "--anchor", anchor) == 0 and "whole" in capsys.readouterr().out
    assert sorted(path.name for path in bare.iterdir()) == ["artifacts", "reports.db"]


def test_a_file_reviewed_with_a_store_is_in_both(folder: Path, draft: Report, bare: Path) -> None:
    assert run("review", str(folder), "--sign", ADA, "--store", "s.db") == 0
    assert run("review", str(folder), "--addendum", "CT was done.", "--by", ADA, "--store", "s.db") == 0
    with Store.open(bare / "s.db", create=False) as store:
        latest = store.reports.get(draft.sha256[:12])
        assert latest == read_report(folder / "report-v3.json")


def test_a_broken_log_ends_with_one(bare: Path, draft: Report, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3
    from contextlib import closing

    with Store.open(bare / "s.db") as store:
        store.reports.put(draft)
    with closing(sqlite3.connect(bare / "s.db")) as connection:
        connection.execute("DROP TRIGGER audit_no_delete")
        connection.execute("DELETE FROM audit")
        connection.commit()
    assert run("audit", "verify", "--store", "s.db") == 1
    assert "The head counts 1 entries" in capsys.readouterr().err
    assert run("audit", "verify", "--store", "s.db", "--json") == 1
    assert json.loads(capsys.readouterr().out)["problems"]
    assert run("reports", "--verify", "--store", "s.db") == 1


@pytest.mark.parametrize("command", [["reports"], ["audit", "verify"], ["audit", "log"], ["audit", "head"]])
def test_where_there_is_no_store_it_says_so_and_makes_none(
    bare: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert run(*command) == 2
    assert error_line(capsys).startswith("WET-STORE-NONE")
    assert run(*command, "--store", "none.db") == 2
    assert error_line(capsys).startswith("WET-STORE-NONE")
    assert not list(bare.iterdir())


def test_a_store_takes_the_earlier_versions_from_their_files(folder: Path, draft: Report, bare: Path) -> None:
    assert run("review", str(folder), "--accept", "all", "--accept", "S1", "--by", ADA) == 0
    (bare / "wetread.toml").write_text('store = "s.db"\n')
    assert run("review", str(folder), "--sign", ADA) == 0
    assert run("review", str(folder), "--addendum", "CT was done.", "--by", ADA) == 0
    with Store.open(bare / "s.db", create=False) as store:
        entries = store.reports.versions(draft.sha256[:12])
    assert [entry.status for entry in entries] == ["partial", "partial", "final", "appended"]


# --- at a terminal


def typed(folder: Path, answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run the review at a terminal, each answer typed when its question has come: the exit code, and what was shown."""
    command = [sys.executable, "-c", "import sys; from wetread.apps.cli import main; sys.exit(main())", "review"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*command, str(folder)], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    shown, waiting = "", list(answers)
    seen = 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            if not more:
                break
            shown += more.decode(errors="replace")
        if waiting and waiting[0][0] in shown[seen:]:
            seen = len(shown)
            os.write(ours, f"{waiting.pop(0)[1]}\n".encode())
    if waiting:
        process.kill()
    code = process.wait(10)
    os.close(ours)
    assert not waiting, shown
    return code, shown


def test_a_reader_is_asked_about_each_statement_and_signs(folder: Path) -> None:
    keys = "[q]uit"
    code, shown = typed(
        folder,
        [
            ("Your name", ADA),
            (keys, "a"),
            (keys, "r"),
            (keys, "e"),
            ("New text", "{E9.nothing} heart."),
            ("New text", "The heart is normal in size."),
            (keys, "s"),
            (keys, "a"),
            ("Add a statement", "bones=The bones are normal."),
            ("Add a statement", "elbow=Normal."),
            ("Add a statement", ""),
            ("[k]eep", "s"),
        ],
    )
    assert code == 0, shown
    assert "WET-REVIEW-TEXT" in shown and "WET-REVIEW-PLACE" in shown
    new = read_report(folder / "report-v2.json")
    assert new.status == "final" and new.review is not None
    assert [(one.statement, one.action) for one in new.review.decisions] == [
        *(("S1", "accepted"), ("S2", "rejected"), ("S3", "edited"), ("S5", "accepted"), ("S6", "added"))
    ]


def test_a_reader_who_leaves_changes_nothing(folder: Path) -> None:
    code, _ = typed(folder, [("Your name", ADA), ("[q]uit", "q"), ("Add a statement", ""), ("[q]uit", "q")])
    assert code == 2
    assert [path.name for path in folder.iterdir()] == ["report.json"]


def test_what_blocks_is_shown_and_may_be_overridden(folder: Path) -> None:
    code, shown = typed(
        folder,
        [
            ("Your name", ADA),
            ("[q]uit", "e"),
            ("New text", "There is a nodule in the left upper lung zone."),
            ("[q]uit", "q"),
            ("Add a statement", ""),
            ("[k]eep", "s"),
            ("Reason to sign", "Seen on the lateral."),
        ],
    )
    assert code == 0 and "LAT-1" in shown
    new = read_report(folder / "report-v2.json")
    assert new.review is not None and new.review.overrides[0].reason == "Seen on the lateral."

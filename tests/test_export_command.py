"""`wetread export` with a store: reports by id, and the masks that only the store has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wetread.apps.cli import main
from wetread.errors import StoreError
from wetread.reports.reading import read_report
from wetread.store import Store
from wetread.store.audit import Audit, AuditEvent
from wetread.testing.phantom import chest_phantom


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The id of a drafted report in the store of the current folder."""
    for name in os.environ:
        if name.startswith(("WETREAD_", "OPENAI", "AZURE", "HLS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    chest_phantom(256).write_png(tmp_path / "chest.png")
    command = ["read", "chest.png", "--view", "PA", "--simulated", "--store", "kept.db", "--out", "drafted"]
    assert main(command) == 0
    capsys.readouterr()
    return read_report(tmp_path / "drafted").sha256[:12]


def test_a_report_of_the_store_is_exported_with_its_masks(kept: str) -> None:
    assert main(["export", kept, "--store", "kept.db", "--to", "html,json", "--out", "with"]) == 0
    assert main(["export", "drafted", "--to", "html,json", "--out", "without"]) == 0
    assert read_report(Path("with")) == read_report(Path("without")) == read_report(Path("drafted"))
    with_masks, without = (Path(folder, "report.html").read_text("utf-8") for folder in ("with", "without"))
    assert len(with_masks) > len(without)


def test_with_the_study_the_page_has_its_pictures(kept: str) -> None:
    assert main(["export", "drafted", "--to", "html", "--study", "chest.png", "--view", "PA", "--out", "pictures"]) == 0
    assert "data:image/" in Path("pictures/report.html").read_text("utf-8")


def test_the_picture_of_another_study_is_refused(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    chest_phantom(256, seed=99).write_png(Path("other.png"))
    command = ["export", "drafted", "--to", "html", "--study", "other.png", "--view", "PA", "--out", "pictures"]
    assert main(command) == 4
    assert capsys.readouterr().err.startswith("WET-EXPORT-STUDY")
    assert not Path("pictures").exists()


def test_without_out_files_go_beside_the_report(kept: str) -> None:
    assert main(["export", "drafted/report.json", "--to", "md"]) == 0
    assert Path("drafted/report.md").exists()
    assert main(["export", kept, "--store", "kept.db", "--to", "md"]) == 0
    assert Path("wetread-out/report.md").read_bytes() == Path("drafted/report.md").read_bytes()


def test_all_leaves_out_what_cannot_be_made_and_says_so(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "drafted", "--to", "all", "--out", "everything"]) == 0
    err = capsys.readouterr().err
    assert "Left out dicom-sr: WET-EXPORT-" in err
    assert {"report.json", "report.md", "report.html"} <= {path.name for path in Path("everything").iterdir()}


def test_asked_for_by_name_what_cannot_be_made_is_an_error_and_nothing_is_written(
    kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "drafted", "--to", "md,dicom-sr", "--out", "nothing"]) == 4
    assert capsys.readouterr().err.startswith("WET-EXPORT-")
    assert not Path("nothing").exists()


def test_a_report_that_is_nowhere_is_told(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "0123456789ab", "--store", "kept.db", "--to", "md"]) == 2
    assert capsys.readouterr().err.startswith("WET-")
    assert main(["export", "nowhere", "--to", "md"]) == 2
    assert capsys.readouterr().err.startswith("WET-INPUT-REPORT-FILE")


# --- the audit log


def entries(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    with Store.open("kept.db") as store:
        return [entry.event.model_dump() for entry in store.audit.entries()]


def test_an_export_of_a_kept_report_is_in_the_audit_log(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(entries(capsys))
    assert main(["export", kept, "--store", "kept.db", "--to", "md,fhir", "--out", "secret-place"]) == 0
    assert main(["export", "drafted", "--store", "kept.db", "--to", "json", "--by", "Ada  Example"]) == 0
    first, second = entries(capsys)[before:]
    report = read_report(Path("drafted"))
    assert first == {
        "actor": {"kind": "system", "name": "wetread export"},
        "action": "report.exported",
        "subject": kept,
        "version": report.sha256,
        "counts": {"md": 1, "fhir": 1},
    }
    assert second["actor"] == {"kind": "person", "name": "Ada Example"}
    assert "secret-place" not in Path("kept.db").read_bytes().decode("latin-1")
    assert main(["audit", "verify", "--store", "kept.db"]) == 0
    assert main(["reports", kept, "--verify", "--store", "kept.db"]) == 0


def test_what_failed_or_is_not_in_the_store_is_not_logged(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = entries(capsys)
    Path("full").write_text("no folder")
    assert main(["export", kept, "--store", "kept.db", "--to", "md", "--out", "full"]) == 4
    assert main(["export", kept, "--store", "kept.db", "--to", "dicom-sr", "--out", "out"]) == 4
    assert main(["read", "chest.png", "--view", "PA", "--simulated", "--history", "Other.", "--out", "other"]) == 0
    assert main(["export", "other", "--store", "kept.db", "--to", "md"]) == 0
    assert entries(capsys) == before


@pytest.mark.parametrize("name", ["", " ", "x" * 121])
def test_a_name_that_is_none_is_refused(kept: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", kept, "--store", "kept.db", "--to", "md", "--by", name]) == 2
    assert "--by" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_told(
    kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Audit, *events: AuditEvent) -> None:
        raise StoreError("WET-STORE-FULL", "No space is left where the store is.", "Make room and repeat.")

    monkeypatch.setattr(Audit, "record", full)
    assert main(["export", kept, "--store", "kept.db", "--to", "md", "--out", "there"]) == 2
    assert "is not in the audit log" in capsys.readouterr().err
    assert Path("there/report.md").exists()


# --- a store that cannot be written to


def test_a_reading_for_a_store_that_cannot_be_written_to_fails_before_it_begins(
    kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wetread.store.engine._is_read_only", lambda path: True)
    command = ["read", "chest.png", "--view", "PA", "--simulated", "--store", "kept.db", "--out", "again"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert err.startswith("WET-STORE-READONLY: ") and "report_findings" not in err
    assert not Path("again").exists()
    assert main(["export", kept, "--store", "kept.db", "--to", "md", "--out", "there"]) == 0
    assert "does not say that this report left it" in capsys.readouterr().err
    assert Path("there/report.md").exists()


def test_what_was_drafted_is_shown_though_the_store_is_full(
    kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any) -> str:
        raise StoreError("WET-STORE-FULL", "No space is left where the store is.", "Make room and repeat.")

    monkeypatch.setattr("wetread.apps.commands_read.keep_draft", full)
    command = ["read", "chest.png", "--view", "PA", "--simulated", "--store", "kept.db", "--out", "again"]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert "Impression" in out or "IMPRESSION" in out
    assert "Written to again: " in err and err.strip().splitlines()[-1].startswith("WET-STORE-FULL")
    assert read_report(Path("again"))

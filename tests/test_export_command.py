"""`wetread export` with a store: reports by id, and the masks that only the store has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wetread.apps.cli import main
from wetread.reports.reading import read_report
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

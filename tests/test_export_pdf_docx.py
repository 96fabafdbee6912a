"""PDF and Word exports: the report's words and pictures, its disclosure on every page; nothing fetched."""

from __future__ import annotations

import asyncio
import builtins
import io
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docx
import pytest

from wetread import DISCLAIMER
from wetread.artifacts import ArtifactStore
from wetread.errors import ExportError
from wetread.imaging.bank import ImageBank
from wetread.reports.export import FORMATS, export
from wetread.reports.model import Report
from wetread.reports.reviewed import Addendum, Decision, Review, Signature
from wetread.reports.view import image_title
from wetread.scenarios.runner import LiveSources, run_scenario
from wetread.scenarios.scenario import find_scenarios
from wetread.scenarios.tape import Mode
from wetread.study import Study
from wetread.study_reading import read_study

ROOT = Path(__file__).parents[1]
STUDIES = {"rg1-protocol": "rg1", "follow-up-comparison": "follow-up", "endpoint-down": "normal"}
HOSTILE = (
    "<script>alert(1)</script></style></head><img src=file:///etc/passwd> <svg onload=x> @import url(http://x.test/) "
    "{{ 7*7 }} \x1b[31mred\x07 \u202eltr & < > \" ' ]]> \ud800"
)
try:
    from wetread.reports.export import pdf

    PANGO = bool(pdf.VARIANT)
except ExportError:  # Pango is no Python package
    PANGO = False
needs_pango = pytest.mark.skipif(not PANGO, reason="needs Pango")
NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    report: Report
    study: Study
    bank: ImageBank
    artifacts: ArtifactStore
    kept: dict[str, bytes] = field(default_factory=dict, repr=False)

    def data(self, to: str, report: Report | None = None, **changed: Any) -> bytes:
        if report is None and not changed:
            if to not in self.kept:
                self.kept[to] = self.data(to, self.report)
            return self.kept[to]
        given: dict[str, Any] = {"study": self.study, "bank": self.bank, "artifacts": self.artifacts, **changed}
        (file,) = export(report or self.report, to, **given)
        assert file.name == f"report.{to}"
        return file.data

    def word(self, report: Report | None = None, **changed: Any) -> Any:
        return docx.Document(io.BytesIO(self.data("docx", report, **changed)))


@pytest.fixture(scope="module")
def cases() -> Callable[[str], Case]:
    made: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in made:
            (scenario,) = find_scenarios([name], ROOT)
            result = asyncio.run(run_scenario(scenario, Mode.REPLAY, workspace=ROOT, live=LiveSources()))
            assert result.report is not None and result.session is not None
            study = read_study([ROOT / "scenarios" / "studies" / STUDIES[name]])
            made[name] = Case(result.report, study, ImageBank(study), result.session.artifacts)
        return made[name]

    return case


@pytest.fixture(scope="module")
def rg1(cases: Callable[[str], Case]) -> Case:
    return cases("rg1-protocol")


def all_text(word: Any) -> str:
    """Every paragraph of the body, its tables, header and footer."""
    parts = [paragraph.text for paragraph in word.paragraphs]
    parts += [cell.text for table in word.tables for row in table.rows for cell in row.cells]
    parts += [paragraph.text for s in word.sections for part in (s.header, s.footer) for paragraph in part.paragraphs]
    return "\n".join(parts)


def with_words(report: Report, words: str) -> Report:
    """The report with outside text wherever it can stand."""
    sections = tuple(section.model_copy(update={"text": words}) for section in report.sections)
    impression = (report.impression[0].model_copy(update={"text": words}), *report.impression[1:])
    evidence = tuple(
        one.model_copy(update={"summary": words, "warnings": (words,), "inputs": {}}) for one in report.evidence
    )
    images = tuple(image.model_copy(update={"notes": (words,)}) for image in report.images)
    return report.model_copy(
        update={"sections": sections, "impression": impression, "evidence": evidence, "images": images}
    )


def reviewed(report: Report) -> Report:
    """The report as a person edited, signed and appended to it."""
    first = report.findings[0].statements[0].id
    review = Review(
        decisions=(Decision(statement=first, action="edited", by="Ada Lovelace", at=NOON, before="Old words."),),
        signatures=(Signature(by="Ada Lovelace", at=NOON, status="appended", version=2),),
        addenda=(Addendum(text="Seen again.", by="Ada Lovelace", at=NOON),),
    )
    return report.model_copy(update={"status": "appended", "version": 2, "review": review}).sealed()


# --- Word


@pytest.mark.parametrize("name", STUDIES)
def test_the_document_says_what_the_report_says(cases: Callable[[str], Case], name: str) -> None:
    case = cases(name)
    said = all_text(case.word())
    for one in case.report.statements():
        assert f"{one.text} [{one.id}: {', '.join(one.evidence) or 'no evidence'}]" in said
    for section in case.report.sections:
        assert section.text in said
    for system in case.report.findings:
        if system.status == "not_assessed":
            assert f"{system.title}: not assessed" in said
            assert str(system.reason) in said
    for issue in case.report.issues:
        if issue.severity != "info":
            assert f"{issue.code} {issue.severity}: {issue.message}" in said
    assert case.report.sha256 in said


def test_every_page_of_the_document_has_the_disclosure_and_the_marks(rg1: Case) -> None:
    (section,) = rg1.word().sections
    head, foot = (" ".join(p.text for p in part.paragraphs) for part in (section.header, section.footer))
    assert head == f"REPLAY. AUTHORED. Status: partial. {rg1.report.disclosure}"
    assert foot.startswith(f"{rg1.report.disclosure} {DISCLAIMER}")
    assert "PAGE" in section.footer._element.xml


def test_headings_are_headings_and_lists_are_lists(rg1: Case) -> None:
    word = rg1.word()
    styles = {paragraph.text: paragraph.style.name for paragraph in word.paragraphs if paragraph.text}
    assert styles["XR Chest PA"] == "Title"
    for title in ("Findings", "Impression", "Recommendation", "Evidence"):
        assert styles[title] == "Heading 1"
    for system in rg1.report.findings:
        assert any(text.startswith(f"{system.title}: ") and styles[text] == "Heading 2" for text in styles)
    for one in rg1.report.impression:
        assert styles[f"{one.text} [{one.id}: {', '.join(one.evidence)}]"] == "List Number"


def test_the_evidence_is_a_table_with_models_and_origins(rg1: Case) -> None:
    (table,) = rg1.word().tables
    head, *rows = [[cell.text for cell in row.cells] for row in table.rows]
    assert head == ["Id", "Tool", "Model", "Origin", "Status", "Outcome"]
    assert [row[:2] + row[3:5] for row in rows] == [[e.id, e.tool, e.origin, e.status] for e in rg1.report.evidence]
    assert "w:tblHeader" in table.rows[0]._tr.xml


@pytest.mark.parametrize("name", STUDIES)
def test_each_image_is_in_the_document_with_its_title(cases: Callable[[str], Case], name: str) -> None:
    case = cases(name)
    word = case.word()
    assert len(word.inline_shapes) == len(case.report.images)
    for image in case.report.images:
        assert image_title(image) in all_text(word)


def test_a_document_without_pictures_says_so(rg1: Case) -> None:
    word = rg1.word(study=None, bank=None, artifacts=None)
    assert len(word.inline_shapes) == 0
    assert "Not in this document: image_1." in all_text(word)


def test_hostile_words_stay_words_in_the_document(rg1: Case) -> None:
    word = rg1.word(with_words(rg1.report, HOSTILE))
    said = all_text(word)
    assert "<script>alert(1)</script>" in said
    assert "{{ 7*7 }}" in said
    assert not set(said) & set("\x1b\x07\u202e\ud800")
    targets = [r.target_ref for r in word.part.rels.values() if r.is_external]
    assert targets == []


def test_the_document_shows_what_people_did(rg1: Case) -> None:
    report = reviewed(rg1.report)
    said = all_text(rg1.word(report))
    assert "Signed by Ada Lovelace" in said
    assert "written by Ada Lovelace" in said
    assert "Before: Old words." in said
    assert "Addendum by Ada Lovelace" in said and "Seen again." in said


# --- PDF


def pdf_text(data: bytes, folder: Path) -> list[str]:
    """The words of each page, by poppler's pdftotext."""
    (folder / "x.pdf").write_bytes(data)
    done = subprocess.run(["pdftotext", "-layout", folder / "x.pdf", "-"], capture_output=True, text=True, check=True)
    return [" ".join(page.split()) for page in done.stdout.split("\f") if page.strip()]


poppler = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs poppler-utils")


@poppler
@needs_pango
def test_the_pdf_declares_itself_tagged_pdf_a(rg1: Case, tmp_path: Path) -> None:
    data = rg1.data("pdf")
    (tmp_path / "x.pdf").write_bytes(data)
    said = subprocess.run(["pdfinfo", "-meta", tmp_path / "x.pdf"], capture_output=True, text=True, check=True).stdout
    part = re.search(r"pdfaid:part(?:>|=\")(\d)", said)
    conformance = re.search(r"pdfaid:conformance(?:>|=\")(\w)", said)
    assert part is not None and conformance is not None
    assert (part[1], conformance[1]) == ("2", "A")
    assert b"/JavaScript" not in data and b"/Launch" not in data


@poppler
@pytest.mark.parametrize("name", STUDIES)
@needs_pango
def test_the_pdf_says_what_the_report_says(cases: Callable[[str], Case], name: str, tmp_path: Path) -> None:
    case = cases(name)
    pages = pdf_text(case.data("pdf"), tmp_path)
    # pdftotext sets columns beside each other: words are looked for, in their order, within one page
    for one in case.report.statements():
        words = [re.escape(word) for word in one.text.split()]
        assert any(re.search(r".{0,120}?".join(words), page) for page in pages), one.text
    for page in pages:
        assert case.report.disclosure in page
    assert case.report.sha256 in "".join(pages)
    for evidence in case.report.evidence:
        assert any(evidence.id in page and evidence.tool in page for page in pages)
    for mode in case.report.modes:
        assert mode.upper() in pages[0]


@poppler
@needs_pango
def test_the_fonts_are_embedded_and_the_pages_are_tagged(rg1: Case, tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(rg1.data("pdf"))
    fonts = subprocess.run(["pdffonts", tmp_path / "x.pdf"], capture_output=True, text=True, check=True).stdout
    rows = fonts.splitlines()[2:]
    assert rows and all(re.search(r"\byes yes yes\b", row) for row in rows)
    info = subprocess.run(["pdfinfo", tmp_path / "x.pdf"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged:\s+yes", info) and re.search(r"JavaScript:\s+no", info)


@poppler
@needs_pango
def test_hostile_words_stay_words_in_the_pdf(rg1: Case, tmp_path: Path) -> None:
    data = rg1.data("pdf", with_words(rg1.report, HOSTILE))
    said = " ".join(pdf_text(data, tmp_path))
    assert "<script>alert(1)</script>" in said
    assert "{{ 7*7 }}" in said and "root:" not in said


@needs_pango
def test_nothing_is_fetched(rg1: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    own = tmp_path / "prompts" / "reports" / "common"
    own.mkdir(parents=True)
    shipped = ROOT / "prompts" / "reports" / "common"
    for path in shipped.iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    page = own / "report.html.j2"
    traps = f'<img src="{secret.as_uri()}"><img src="http://wetread.invalid/x.png"><link rel="stylesheet" href="ftp://wetread.invalid/x.css">'
    page.write_text(page.read_text(encoding="utf-8").replace("<main", f"{traps}<main", 1), encoding="utf-8")
    opened: list[str] = []
    plain_open = builtins.open

    def watched(file: Any, *more: Any, **options: Any) -> Any:
        opened.append(str(file))
        return plain_open(file, *more, **options)

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("something was fetched")

    with_pictures = rg1.data("pdf", rg1.report, workspace=tmp_path)
    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request.FileHandler, "file_open", refuse)
    assert rg1.data("pdf", rg1.report, workspace=tmp_path) == with_pictures
    assert str(secret) not in opened


@pytest.mark.parametrize("to", ["pdf", "dicom-pdf"])
def test_without_pango_one_line_says_so(rg1: Case, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPango:
        def find_spec(self, name: str, *more: Any) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libgobject-2.0-0'")

    for name in list(sys.modules):
        if name.partition(".")[0] == "weasyprint" or name.startswith("wetread.reports.export."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoPango(), *sys.meta_path])
    with pytest.raises(ExportError) as caught:
        rg1.data(to, rg1.report)
    assert caught.value.code == "WET-EXPORT-PANGO"
    assert "libpango" in caught.value.line()


@pytest.mark.parametrize(("hidden", "said"), [("harfbuzz-subset", "imported"), ("pango", "WET-EXPORT-PANGO")])
def test_a_missing_library_of_the_system_is_no_warning(hidden: str, said: str) -> None:
    """Where the subsetter is missing fontTools does its work; where Pango is, one line says so."""
    code = f"""
import cffi
from wetread.errors import ExportError
plain = cffi.FFI.dlopen
def dlopen(self, name, *flags):
    if "{hidden}" in str(name):
        raise OSError("cannot load library")
    return plain(self, name, *flags)
cffi.FFI.dlopen = dlopen
try:
    import wetread.reports.export.pdf
    print("imported")
except ExportError as error:
    print(error.code)
"""
    if hidden != "pango" and not PANGO:
        pytest.skip("needs Pango")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{said}\n", "")


# --- both


@pytest.mark.parametrize("to", ["docx", pytest.param("pdf", marks=needs_pango)])
def test_the_same_report_gives_the_same_bytes(rg1: Case, to: str) -> None:
    assert rg1.data(to) == rg1.data(to, rg1.report)


@pytest.mark.parametrize("to", ["docx", "pdf", "dicom-pdf", "dicom-sr", "dicom-seg", "dicom-gsps"])
def test_a_missing_library_is_one_line_that_names_the_extra(
    rg1: Case, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = {"docx": "docx", "pdf": "weasyprint"}.get(FORMATS[to].extra or "", "highdicom")
    for name in list(sys.modules):
        if name.partition(".")[0] == library or name.startswith("wetread.reports.export."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExportError) as caught:
        rg1.data(to, rg1.report)
    assert caught.value.code == "WET-EXPORT-EXTRA"
    assert f"wetread[{FORMATS[to].extra}]" in caught.value.line()
    assert "\n" not in caught.value.line()

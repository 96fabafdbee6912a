"""The report as a Word document (Office Open XML): headings, statements with their evidence, pictures with the regions,
the disclosure at the head and the foot of every page."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from wetread import DISCLAIMER, __version__
from wetread.errors import InputError
from wetread.reports.export import ExportedFile, Source
from wetread.reports.model import Issue, Report, Statement, SystemFindings
from wetread.reports.outline import outlines
from wetread.reports.plain import shown
from wetread.reports.view import (
    MODE_WORDS,
    TINTS,
    Mark,
    counted,
    grounding_line,
    image_title,
    issues_at,
    issues_elsewhere,
    layer_tints,
    marks,
    model_name,
    outcome,
    status_word,
)

if TYPE_CHECKING:
    from docx.document import Document as Word

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FONT = "Arial"
_SOFT = RGBColor(0x55, 0x5B, 0x61)
_ALARM = RGBColor(0xA3, 0x16, 0x0C)
_SEVERITY = {"error": _ALARM, "warning": RGBColor(0x7A, 0x52, 0x00), "info": _SOFT}


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.docx`."""
    return (ExportedFile(name="report.docx", media_type=MEDIA_TYPE, data=to_docx(report, source)),)


def to_docx(report: Report, source: Source) -> bytes:
    """The report as a .docx, the same bytes for the same report and pictures.

    Args:
        report: The report.
        source: Its pictures and masks; a picture that is not at hand is left out, and the document says so.
    """
    word = Document()
    _styles(word)
    _page(word, report)
    title = next((section.text for section in report.sections if section.name == "exam"), "Report")
    _properties(word, report, title)
    for mode in report.modes:
        name, meaning = MODE_WORDS[mode]
        _line(word, f"{name}. ", meaning, colour=_ALARM)
    word.add_heading(shown(title), 0)
    _line(word, "", _facts(report), colour=_SOFT)
    _line(word, f"Status: {report.status}. ", f"{report.disclosure} {DISCLAIMER}")
    if report.incomplete:
        _line(word, "Incomplete. ", report.incomplete, colour=_ALARM)
    _critical(word, report)
    _pictures(word, report, source)
    for section in report.sections:
        if section.name != "exam":
            word.add_heading(shown(section.title), 2)
            _line(word, "", section.text or "Not given.")
            _issues(word, issues_at(report, section.name))
    word.add_heading("Findings", 1)
    _issues(word, issues_at(report, "findings"))
    for system in report.findings:
        _system(word, report, system)
    _fields(word, report)
    word.add_heading("Impression", 1)
    _issues(word, issues_at(report, "impression"))
    _statements(word, report, report.impression, "List Number")
    if not report.impression:
        _line(word, "", "None was drafted.", colour=_SOFT)
    if report.recommendations:
        word.add_heading("Recommendation", 1)
        _issues(word, issues_at(report, "recommendation"))
        _statements(word, report, report.recommendations, "List Bullet")
    _review(word, report)
    if report.issues:
        word.add_heading(f"Issues: {counted(report.issues)}", 1)
        _line(word, "", "Found by checks in code. Those about one place stand there.", colour=_SOFT)
        _issues(word, issues_elsewhere(report))
    _evidence(word, report)
    _line(
        word,
        "",
        f"Template {report.template} {report.template_version}, report version {report.version}, "
        f"wetread {__version__}, SHA-256 {report.sha256}",
        colour=_SOFT,
    )
    kept = io.BytesIO()
    word.save(kept)
    return _steady(kept.getvalue())


def _styles(word: Word) -> None:
    for name, size in (("Normal", 10), ("Title", 18), ("Heading 1", 13), ("Heading 2", 11)):
        style: Any = word.styles[name]
        style.font.name = FONT
        style.font.size = Pt(size)
        # headings name a theme font, which would prevail over the name
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for script in ("ascii", "hAnsi", "cs", "eastAsia"):
            fonts.set(qn(f"w:{script}"), FONT)
            fonts.attrib.pop(qn(f"w:{script}Theme"), None)
        if name != "Normal":
            style.font.color.rgb = RGBColor(0, 0, 0)
            style.paragraph_format.keep_with_next = True
    for name, before, after in (("Normal", 0, 4), ("Title", 4, 4), ("Heading 1", 12, 4), ("Heading 2", 8, 2)):
        spaced: Any = word.styles[name]
        spaced.paragraph_format.space_before, spaced.paragraph_format.space_after = Pt(before), Pt(after)
    title: Any = word.styles["Title"]
    for border in title.element.pPr.findall(qn("w:pBdr")):
        title.element.pPr.remove(border)
    caption: Any = word.styles["Caption"]
    caption.font.bold, caption.font.color.rgb, caption.font.size = False, _SOFT, Pt(8.5)


def _page(word: Word, report: Report) -> None:
    section = word.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(18)
    section.top_margin = section.bottom_margin = Mm(18)
    marked = [MODE_WORDS[mode][0] for mode in report.modes]
    _run(
        section.header.paragraphs[0],
        shown(". ".join([*marked, f"Status: {report.status}", report.disclosure])),
        bold=True,
    )
    section.header.paragraphs[0].paragraph_format.space_after = Pt(8)
    foot = section.footer.paragraphs[0]
    _run(foot, shown(f"{report.disclosure} {DISCLAIMER} Page") + " ", size=7.5)
    _page_number(foot)


def _page_number(paragraph: Any) -> None:
    run = paragraph.add_run("1")
    run.font.size = Pt(7.5)
    page = OxmlElement("w:fldSimple")
    page.set(qn("w:instr"), "PAGE")
    page.append(run._r)
    paragraph._p.append(page)


def _properties(word: Word, report: Report, title: str) -> None:
    properties = word.core_properties
    properties.title = shown(f"{title}: {report.status}")[:255]
    properties.author = "wetread"
    properties.last_modified_by = "wetread"
    properties.comments = shown(f"{report.disclosure} {DISCLAIMER}")[:255]
    properties.created = properties.modified = report.created.replace(tzinfo=None)
    properties.language = "en"


def _run(paragraph: Any, text: str, *, bold: bool = False, size: float | None = None, colour: Any = None) -> None:
    run = paragraph.add_run(text)
    run.bold = bold
    if size is not None:
        run.font.size = Pt(size)
    if colour is not None:
        run.font.color.rgb = colour


def _line(word: Word, strong: str, text: str, *, style: str | None = None, colour: Any = None) -> Any:
    paragraph = word.add_paragraph(style=style)
    if strong:
        _run(paragraph, f"{shown(strong)} ", bold=True, colour=colour)
    _run(paragraph, shown(text), colour=colour if not strong else None)
    return paragraph


def _facts(report: Report) -> str:
    sex = {"F": "female", "M": "male", "O": "other sex"}.get(report.sex or "")
    age = f"{report.age_years} years" if report.age_years is not None else None
    made = f"{report.created.isoformat(timespec='minutes')}, drafted by {report.language_model}"
    return ", ".join(filter(None, [age, sex, made, grounding_line(report)]))


def _critical(word: Word, report: Report) -> None:
    for one in report.critical:
        told = one.communication
        record = "Communication not recorded."
        if not told.missing and told.at is not None:
            record = f"Told to {told.to} by {told.by}, {told.how}, {told.at.isoformat()}."
        said = f"{one.name}, {one.assertion} ({', '.join(one.statements)}). {record}"
        _line(word, "Critical result:", said, colour=_ALARM)


def _pictures(word: Word, report: Report, source: Source) -> None:
    drawn = marks(report)
    missing = []
    for image in report.images:
        data = None
        if source.bank is not None:
            with contextlib.suppress(InputError):
                shapes = _shapes([one for one in drawn if one.image == image.handle], report, source)
                data = _overlay(source.bank.pixels_now(image.handle), shapes)
        if data is None:
            missing.append(image.handle)
            continue
        wide = image.columns >= image.rows
        word.add_picture(io.BytesIO(data), width=Mm(85) if wide else None, height=None if wide else Mm(85))
        word.paragraphs[-1].paragraph_format.keep_with_next = True
        _line(word, "", ". ".join([image_title(image), *image.notes]), style="Caption")
    if missing:
        _line(word, "", f"Not in this document: {', '.join(missing)}.", colour=_SOFT)


def _overlay(pixels: Any, shapes: Sequence[Any]) -> bytes:
    from wetread.imaging import overlay

    return overlay.overlay(pixels, shapes) if shapes else overlay.picture(pixels, max_side=1200, quality=88)


def _shapes(drawn: Iterable[Mark], report: Report, source: Source) -> list[Any]:
    from wetread.imaging import overlay

    drawn = list(drawn)
    tints = layer_tints(drawn)
    images = {image.handle: image for image in report.images}
    found = []
    for one in drawn:
        colour = TINTS[tints[one.layer]]
        png = source.artifacts.get(one.mask) if source.artifacts is not None and one.mask is not None else None
        if png is not None:
            image = images[one.image]
            found.append(overlay.Mark(label=one.label, outline=outlines(png, image.rows, image.columns), colour=colour))
        elif one.box is not None:
            found.append(overlay.Mark(label=" ".join(one.statements), box=one.box, colour=colour))
    return found


def _system(word: Word, report: Report, system: SystemFindings) -> None:
    word.add_heading(f"{shown(system.title)}: {status_word(system).lower()}", 2)
    _statements(word, report, system.statements, "List Bullet")
    if system.reason:
        _line(word, "", system.reason, colour=_SOFT)
    _issues(word, [one for one in issues_at(report, system.system) if one.severity != "info"])


def _statements(word: Word, report: Report, statements: Iterable[Statement], style: str) -> None:
    for one in statements:
        paragraph = word.add_paragraph(style=style)
        _run(paragraph, shown(one.text))
        cited = ", ".join(one.evidence) or "no evidence"
        author = report.review.author(one.id) if report.review is not None else None
        written = f"; written by {author}" if author else ""
        _run(paragraph, " " + shown(f"[{one.id}: {cited}{written}]"), size=8, colour=_SOFT)
        _issues(word, issues_at(report, one.id))


def _fields(word: Word, report: Report) -> None:
    if not report.fields:
        return
    word.add_heading("Fields", 1)
    rows = []
    for field in report.fields:
        refused = f"refused: {field.refused} ({field.reason})" if field.refused else ""
        rows.append([field.title, field.shown or "not filled", ", ".join(field.evidence) or refused])
    _table(word, ["Field", "Value", "From"], rows)


def _issues(word: Word, issues: Iterable[Issue]) -> None:
    for issue in issues:
        colour = _SEVERITY[issue.severity]
        paragraph = word.add_paragraph()
        paragraph.paragraph_format.left_indent = Mm(8)
        _run(paragraph, f"{issue.code} {issue.severity}: ", bold=True, size=8.5, colour=colour)
        _run(paragraph, shown(issue.message), size=8.5, colour=colour)


def _review(word: Word, report: Report) -> None:
    if report.review is None:
        return
    word.add_heading("Review", 1)
    for signed in report.review.signatures:
        _line(word, "Signed", f"by {signed.by}, {signed.at.isoformat()}, as {signed.status}, version {signed.version}.")
    for one in report.review.decisions:
        before = f" Before: {one.before}" if one.before else ""
        _line(word, "", f"{one.statement} {one.action} by {one.by}, {one.at.isoformat()}.{before}")
    for override in report.review.overrides:
        _line(word, "", f"{override.code} signed over by {override.by}: {override.reason}", colour=_ALARM)
    if report.review.withdrawn is not None:
        gone = report.review.withdrawn
        _line(word, "Withdrawn", f"by {gone.by}, {gone.at.isoformat()}: {gone.reason}", colour=_ALARM)
    for addendum in report.review.addenda:
        _line(word, "Addendum", f"by {addendum.by}, {addendum.at.isoformat()}: {addendum.text}")


def _evidence(word: Word, report: Report) -> None:
    word.add_heading("Evidence", 1)
    if not report.evidence:
        _line(word, "", "No tool was run.", colour=_SOFT)
        return
    rows = []
    for one in report.evidence:
        why = f"{one.reason.code}: {one.reason.message}" if one.reason is not None else ""
        said = "; ".join(filter(None, [outcome(one), why, *one.warnings]))
        rows.append([one.id, one.tool, model_name(one), one.origin.value, one.status, said])
    _table(word, ["Id", "Tool", "Model", "Origin", "Status", "Outcome"], rows, widths=(10, 28, 34, 20, 18, 64))


def _table(word: Word, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int] = ()) -> None:
    table = word.add_table(rows=1, cols=len(head), style="Table Grid")
    table.autofit = not widths
    table.alignment = WD_TABLE_ALIGNMENT.LEFT
    for row, values in [(table.rows[0], head), *((table.add_row(), values) for values in rows)]:
        for place, (cell, value) in enumerate(zip(row.cells, values, strict=True)):
            cell.paragraphs[0].paragraph_format.space_after = Pt(0)
            _run(cell.paragraphs[0], shown(value), bold=values is head, size=8)
            if widths:
                cell.width = Mm(widths[place])
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    for column, width in zip(table.columns, widths, strict=False):
        column.width = Mm(width)
    # the first row is a heading that each page repeats (also what a screen reader reads as one)
    heading = OxmlElement("w:tblHeader")
    heading.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(heading)
    word.add_paragraph()


def _steady(data: bytes) -> bytes:
    """The same archive with one fixed time in it, so that the same report gives the same bytes."""
    import zipfile

    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return kept.getvalue()

"""IHE MRRT: a report as an HTML5 instance of its template, its sections and form elements filled.

The same form as `wetread.reports.mrrt` gives a template: a `section` with `data-section-name` for each section and each
system, its text in a `textarea`, form elements for the fields. What is not assessed says so where its text would stand.
Made of the report alone: the template may have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple

from wetread import DISCLAIMER, __version__
from wetread.errors import ExportError, InputError
from wetread.reports import critical
from wetread.reports.export import ExportedFile, Source
from wetread.reports.model import Report, ReportField, Statement, SystemFindings
from wetread.reports.mrrt import ACTIONS, FIELD_TYPES, SCHEMES, code_element, section_id
from wetread.reports.plain import shown
from wetread.reports.view import MODE_WORDS, field_note, form, grounding_line, model_name
from wetread.reports.view_review import ADDENDA, REVIEW, addenda, review_lines, written_by

MEDIA_TYPE = "text/html"

_FINDINGS, _IMPRESSION, _RECOMMENDATION = "59776-5", "19005-8", "18783-1"


class _Part(NamedTuple):
    """A section: its name in ids, title, LOINC code, lines."""

    name: str
    title: str
    loinc: str | None
    lines: tuple[str, ...]
    required: bool = False


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.mrrt.html`, which the importer of templates reads.

    Raises:
        ExportError: `WET-EXPORT-MRRT`, the report has more than an MRRT document can have.
    """
    from wetread.reports.mrrt_import import from_mrrt

    text = to_instance(report)
    try:
        from_mrrt(text)
    except InputError as error:
        raise ExportError("WET-EXPORT-MRRT", f"The report cannot be said in MRRT: {error.message}") from None
    return (ExportedFile(name="report.mrrt.html", media_type=MEDIA_TYPE, data=text.encode()),)


def to_instance(report: Report) -> str:
    """A report as an MRRT document. The same report gives the same text."""
    lines = [*_head(report), "<body>", *_banner(report)]
    for part in _parts(report):
        inner = list(_textarea(f"text-{part.name}", part.title, part.lines, part.required, "    "))
        if part.name == "findings":
            for system in report.findings:
                inner += _system(report, system)
            known = {system.system for system in report.findings}
            for field in form(report):
                if field.system not in known:
                    inner += _field(field, "    ")
        lines += _section(section_id(part.name), part.title, 1, inner)
    lines += [*_foot(report), "</body>", "</html>"]
    return "\n".join(lines) + "\n"


def _parts(report: Report) -> Iterator[_Part]:
    for section in report.sections:
        if section.name != critical.SECTION:
            yield _Part(section.name, section.title, section.loinc, (section.text,), section.required)
    yield _Part("findings", "Findings", _FINDINGS, ())
    impression = tuple(_said(report, statement) for statement in report.impression)
    yield _Part("impression", "Impression", _IMPRESSION, impression or ("None was drafted.",), required=True)
    if report.recommendations:
        said = tuple(_said(report, statement) for statement in report.recommendations)
        yield _Part("recommendation", "Recommendation", _RECOMMENDATION, said)
    if report.critical:
        yield _Part("critical", critical.TITLE, None, tuple(map(critical.line, report.critical)))
    for name, title, lines in (("addenda", ADDENDA, addenda(report)), ("review", REVIEW, review_lines(report))):
        if lines:
            yield _Part(name, title, None, lines)


def _head(report: Report) -> Iterator[str]:
    exam = next((section.text for section in report.sections if section.name == "exam"), "Report")
    yield from ("<!DOCTYPE html>", '<html lang="en">', "<head>")
    yield f"  <title>{_text(exam)}</title>"
    yield '  <meta charset="UTF-8">'
    for name, content in (
        ("title", exam),
        ("identifier", f"urn:sha256:{report.sha256}"),
        ("type", "IMAGE_REPORT"),
        ("language", "en"),
        ("date", report.created.date().isoformat()),
        ("creator", f"wetread {__version__}, {report.language_model}"),
        ("description", report.disclosure),
        ("isVersionOf", f"{report.template} {report.template_version}"),
    ):
        yield f'  <meta name="dcterms.{name}" content="{_text(content)}">'
    yield '  <script type="text/xml">'
    yield "    <template_attributes>"
    yield f"      <template-version>{_text(report.template_version)}</template-version>"
    yield f"      <status>{_text(report.status)}</status>"
    yield "      <coded_content>"
    yield "        <coding_schemes>"
    for name, designator in SCHEMES.items():
        yield f'          <coding_scheme name="{name}" designator="{designator}"></coding_scheme>'
    yield "        </coding_schemes>"
    for id, meaning, value, scheme in _codes(report):
        coded = code_element(shown(meaning), value, scheme)
        yield f'        <entry ORIGTXT="{escape(id)}"><term>{coded}</term></entry>'
    yield from ("      </coded_content>", "    </template_attributes>", "  </script>", "</head>")


def _codes(report: Report) -> Iterator[tuple[str, str, str, str]]:
    for part in _parts(report):
        if part.loinc:
            yield section_id(part.name), part.title, part.loinc, "LOINC"
    for field in form(report):
        if field.loinc is not None:
            yield field.name, field.title, field.loinc, "LOINC"
        if field.radlex is not None:
            yield field.name, field.title, field.radlex, "RADLEX"


def _banner(report: Report) -> Iterator[str]:
    """What a reader must not overlook, before anything else."""
    for mode in report.modes:
        word, meaning = MODE_WORDS[mode]
        yield f"  <p><strong>{_text(word)}.</strong> {_text(meaning)}</p>"
    yield f"  <p><strong>{_text(report.disclosure)}</strong> {_text(DISCLAIMER)}</p>"
    if report.incomplete:
        yield f"  <p><strong>Incomplete.</strong> {_text(report.incomplete)}</p>"
    yield f"  <p>Status {_text(report.status)}. {_text(grounding_line(report))}.</p>"


def _foot(report: Report) -> Iterator[str]:
    """Which models and versions answered."""
    yield "  <footer>"
    for evidence in report.evidence:
        said = f"{evidence.id} {evidence.tool}: {model_name(evidence)}, {evidence.origin.value}, {evidence.status}"
        yield f"    <p>{_text(said)}</p>"
    yield f"    <p>Drafted by {_text(report.language_model)} with wetread {_text(__version__)}.</p>"
    yield "  </footer>"


def _section(id: str, title: str, level: int, inner: Iterable[str]) -> Iterator[str]:
    indent = "  " * level
    yield f'{indent}<section id="{escape(id)}" class="level{level}" data-section-name="{_text(title)}">'
    yield f'{indent}  <header class="level{level}">{_text(title)}</header>'
    yield from inner
    yield f"{indent}</section>"


def _system(report: Report, system: SystemFindings) -> Iterator[str]:
    lines = [_said(report, statement) for statement in system.statements]
    if system.status == "not_assessed":
        lines.append(f"Not assessed: {system.reason or 'nothing was said of it.'}")
    elif system.reason and not lines:
        lines.append(system.reason)
    inner = list(_textarea(f"text-{system.system}", system.title, lines, system.required, "      "))
    for field in form(report):
        if field.system == system.system:
            inner += _field(field, "      ")
    yield from _section(f"system-{system.system}", system.title, 2, inner)


def _said(report: Report, statement: Statement) -> str:
    cited = f" [{', '.join(statement.evidence)}]" if statement.evidence else ""
    by = written_by(report, statement.id)
    return f"{statement.text}{cited}{f' ({by})' if by else ''}"


def _textarea(id: str, title: str, lines: Iterable[str], required: bool, indent: str) -> Iterator[str]:
    action = ACTIONS["prohibit" if required else "silent"]
    text = "\n".join(map(_text, lines))
    yield (
        f'{indent}<p><textarea id="{escape(id)}" name="{_text(title)}" data-field-type="TEXTAREA"'
        f' data-wetread-text="true" data-field-completion-action="{action}">{text}</textarea></p>'
    )


def _field(field: ReportField, indent: str) -> Iterator[str]:
    given = (
        f'id="{field.name}" name="{_text(field.title)}" data-field-type="{FIELD_TYPES[field.type]}"'
        f' data-field-completion-action="{ACTIONS[field.unfilled]}"'
    )
    given += " required" if field.required else ""
    given += f' data-wetread-unit="{_text(field.unit)}"' if field.unit else ""
    given += f' data-wetread-source="{field.source}"' if field.source else ""
    given += f' title="{_text(field_note(field))}"' if field_note(field) else ""
    label = f'<label for="{field.name}">{_text(field.title)}</label>'
    if field.type == "menu":
        yield f"{indent}<p>{label} <select {given}>"
        yield f'{indent}  <option value=""{"" if field.value else " selected"}></option>'
        for choice in field.choices:
            chosen = " selected" if choice == field.value else ""
            yield f'{indent}  <option value="{_text(choice)}"{chosen}>{_text(choice)}</option>'
        yield f"{indent}</select></p>"
        return
    kind = {"number": 'type="number" step="any"', "date": 'type="date"'}.get(field.type, 'type="text"')
    value = f' value="{_text(field.value)}"' if field.value is not None else ""
    yield f"{indent}<p>{label} <input {kind} {given}{value}>{f' {_text(field.unit)}' if field.unit else ''}</p>"


def _text(text: str) -> str:
    return escape(shown(text))

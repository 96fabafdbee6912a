"""Templates as IHE MRRT: HTML5 with a `section` for each section and a form element for each field.

IHE Radiology, Management of Radiology Report Templates (MRRT). Sections carry `data-section-name`, form elements
`data-field-type` and `data-field-completion-action` (NONE, ALERT, PROHIBIT: what signing does about an empty one);
codes stand in the XML of `template_attributes`. What MRRT has no word for stands in `data-wetread-*` attributes; the
reading protocol stays behind: a template names no tools.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from html import escape

from wetread.reports.form import FieldSpec
from wetread.reports.model import Unfilled
from wetread.reports.template import ReportTemplate, SectionSpec, SystemSpec

ACTIONS: dict[Unfilled, str] = {"prohibit": "PROHIBIT", "alert": "ALERT", "silent": "NONE"}
FIELD_TYPES = {"text": "TEXT", "number": "NUMBER", "date": "DATE", "menu": "SELECTION_LIST"}
SCHEMES = {
    "LOINC": "2.16.840.1.113883.6.1",
    "RADLEX": "2.16.840.1.113883.6.256",
    "DCM": "1.2.840.10008.2.16.4",
}
"""Coding schemes with their OIDs."""


def to_mrrt(template: ReportTemplate, *, today: date) -> str:
    """A template as an MRRT document.

    Args:
        template: The template.
        today: What stands in it as its date.
    """
    lines = [*_head(template, today), "<body>"]
    for section in template.sections:
        lines += _section(template, section)
    lines += ["</body>", "</html>"]
    return "\n".join(lines) + "\n"


def _head(template: ReportTemplate, today: date) -> Iterator[str]:
    yield from ("<!DOCTYPE html>", '<html lang="en">', "<head>")
    yield f"  <title>{escape(template.title)}</title>"
    yield '  <meta charset="UTF-8">'
    for name, content in (
        ("title", template.title),
        ("identifier", template.name),
        ("type", "IMAGE_REPORT_TEMPLATE"),
        ("language", "en"),
        ("publisher", "not stated"),
        ("rights", "not stated"),
        ("date", today.isoformat()),
        ("creator", "wetread"),
    ):
        yield f'  <meta name="dcterms.{name}" content="{escape(content)}">'
    yield '  <script type="text/xml">'
    yield "    <template_attributes>"
    yield f"      <template-version>{escape(template.version)}</template-version>"
    yield "      <top-level-flag>true</top-level-flag>"
    yield "      <status>ACTIVE</status>"
    meaning = "Diagnostic imaging study" if template.loinc == "18748-4" else template.title
    yield f"      <term>{code_element(meaning, template.loinc, 'LOINC')}</term>"
    for modality in template.modalities:
        yield f"      <term>{code_element(modality, modality, 'DCM')}</term>"
    yield "      <coded_content>"
    yield "        <coding_schemes>"
    for name, designator in SCHEMES.items():
        yield f'          <coding_scheme name="{name}" designator="{designator}"></coding_scheme>'
    yield "        </coding_schemes>"
    for id, meaning, value, scheme in _codes(template):
        yield f'        <entry ORIGTXT="{escape(id)}"><term>{code_element(meaning, value, scheme)}</term></entry>'
    yield from ("      </coded_content>", "    </template_attributes>", "  </script>", "</head>")


def code_element(meaning: str, value: str, scheme: str) -> str:
    """The `code` element of a term."""
    return f'<code meaning="{escape(meaning)}" value="{escape(value)}" scheme="{scheme}"></code>'


def _codes(template: ReportTemplate) -> Iterator[tuple[str, str, str, str]]:
    for section in template.sections:
        if section.loinc is not None:
            yield section_id(section.name), section.title, section.loinc, "LOINC"
    for number, exam in enumerate(template.exams, 1):
        yield f"exam_{number}", exam.title, exam.loinc, "LOINC"
    for field in template.fields:
        if field.loinc is not None:
            yield field.name, field.title, field.loinc, "LOINC"
        if field.radlex is not None:
            yield field.name, field.title, field.radlex, "RADLEX"


def section_id(name: str) -> str:
    """The id of a section's element; fields have names of their own, so theirs cannot clash."""
    return f"section-{name}"


def _section(template: ReportTemplate, section: SectionSpec) -> Iterator[str]:
    yield f'  <section id="{section_id(section.name)}" class="level1" data-section-name="{escape(section.title)}">'
    yield f'    <header class="level1">{escape(section.title)}</header>'
    if section.name == "exam":
        yield from _exams(template, section)
    else:
        yield _textarea(f"text-{section.name}", section.title, section.required)
    if section.name == "findings":
        for system in template.systems:
            yield from _system(template, system)
        for field in template.fields:
            if field.system is None:
                yield from _field(field, "    ")
    yield "  </section>"


def _exams(template: ReportTemplate, section: SectionSpec) -> Iterator[str]:
    action = ACTIONS["prohibit" if section.required else "silent"]
    yield (
        f'    <p><label for="exam">{escape(section.title)}</label> <select id="exam" name="{escape(section.title)}"'
        f' data-field-type="SELECTION_LIST" data-field-completion-action="{action}">'
    )
    for number, exam in enumerate(template.exams, 1):
        views = f' data-wetread-views="{" ".join(exam.views)}"' if exam.views else ""
        yield f'      <option id="exam_{number}" value="{escape(exam.title)}"{views}>{escape(exam.title)}</option>'
    yield "    </select></p>"


def _system(template: ReportTemplate, system: SystemSpec) -> Iterator[str]:
    yield f'    <section id="system-{system.key}" class="level2" data-section-name="{escape(system.title)}">'
    yield f'      <header class="level2">{escape(system.title)}</header>'
    yield "  " + _textarea(f"text-{system.key}", system.title, system.required)
    for field in template.fields:
        if field.system == system.key:
            yield from _field(field, "      ")
    yield "    </section>"


def _textarea(id: str, title: str, required: bool) -> str:
    return (
        f'    <p><textarea id="{id}" name="{escape(title)}" data-field-type="TEXTAREA" data-wetread-text="true"'
        f' data-field-completion-action="{ACTIONS["prohibit" if required else "silent"]}"></textarea></p>'
    )


def _field(field: FieldSpec, indent: str) -> Iterator[str]:
    given = (
        f'id="{field.name}" name="{escape(field.title)}" data-field-type="{FIELD_TYPES[field.type]}"'
        f' data-field-completion-action="{ACTIONS[field.unfilled]}"'
    )
    given += " required" if field.required else ""
    given += f' data-wetread-unit="{escape(field.unit)}"' if field.unit else ""
    given += f' data-wetread-computed="{field.computed}" readonly' if field.computed else ""
    label = f'<label for="{field.name}">{escape(field.title)}</label>'
    if field.type == "menu":
        yield f"{indent}<p>{label} <select {given}>"
        for choice in field.choices:
            yield f'{indent}  <option value="{escape(choice)}">{escape(choice)}</option>'
        yield f"{indent}</select></p>"
        return
    kind = {"number": 'type="number" step="any"', "date": 'type="date"'}.get(field.type, 'type="text"')
    after = f" {escape(field.unit)}" if field.unit else ""
    yield f"{indent}<p>{label} <input {kind} {given}>{after}</p>"

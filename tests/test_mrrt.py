"""Templates from and to IHE MRRT: nothing lost on the way, foreign and hostile documents read safely."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread import DISCLAIMER
from wetread.apps.cli import main
from wetread.errors import InputError
from wetread.reports.export import export
from wetread.reports.export.mrrt import to_instance
from wetread.reports.form import FieldSpec
from wetread.reports.model import Report, ReportField
from wetread.reports.mrrt import to_mrrt
from wetread.reports.mrrt_form import MAX_CHOICES, MAX_ELEMENTS, Element, Part, read_document
from wetread.reports.mrrt_import import from_mrrt, read_mrrt, template_yaml
from wetread.reports.reading import read_report
from wetread.reports.reviewed import Review, Signature
from wetread.reports.template import ReportTemplate, load_template, template_names
from wetread.scenarios.scenario import BUILT_IN
from wetread.yamlfile import parse_yaml

TODAY = date(2026, 1, 2)

# in the manner of the documents that template libraries give out: ids in capitals, codes in the head, values set
FOREIGN = (Path(__file__).parent / "data" / "mrrt-foreign.html").read_text(encoding="utf-8")

words = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=30
).filter(lambda text: bool(text.strip(": ")) and " ".join(text.split()).strip(": ") == text)
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@st.composite
def field_specs(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["text", "number", "menu", "date"]))
    made: dict[str, Any] = {"title": draw(words), "type": kind, "required": draw(st.booleans())}
    if made["required"]:
        made["unfilled"] = draw(st.sampled_from(["prohibit", "alert", "silent"]))
    if kind == "menu":
        made["choices"] = draw(st.lists(words, min_size=1, max_size=5, unique_by=str.casefold))
    if kind == "number" and draw(st.booleans()):
        made["unit"] = draw(st.sampled_from(["mm", "cm", "mL", "[HU]"]))
    if draw(st.booleans()):
        made["radlex"] = draw(st.from_regex(r"RID[0-9]{1,6}", fullmatch=True))
    return made


@st.composite
def templates(draw: st.DrawFn) -> ReportTemplate:
    titles = draw(st.lists(words, min_size=1, max_size=4, unique_by=str.casefold))
    systems = [
        {"key": f"system_{n}", "title": title, "required": draw(st.booleans())} for n, title in enumerate(titles)
    ]
    fields = []
    for name in draw(st.lists(names, max_size=5, unique=True)):
        made = {**draw(field_specs()), "name": name}
        system = draw(st.sampled_from([None, *systems]))
        fields.append({**made, "system": system["key"]} if system is not None else made)
    return ReportTemplate.model_validate(
        {
            "name": draw(st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)),
            "version": "2",
            "title": draw(words),
            "modalities": draw(st.lists(st.sampled_from(["CR", "DX", "CT", "MR", "US"]), unique=True)),
            "exams": [{"title": draw(words), "loinc": "18748-4"}],
            "sections": [
                {"name": "exam", "title": "Exam", "required": True},
                {"name": "indication", "title": "Indication", "loinc": "18785-6", "required": draw(st.booleans())},
                {"name": "findings", "title": "Findings", "loinc": "59776-5"},
                {"name": "impression", "title": "Impression", "loinc": "19005-8", "required": draw(st.booleans())},
            ],
            "systems": systems,
            "fields": fields,
        }
    )


def by_name(template: ReportTemplate) -> dict[str, FieldSpec]:
    return {field.name: field for field in template.fields}


@pytest.mark.parametrize("name", template_names())
def test_a_built_in_template_survives_the_round_trip(name: str) -> None:
    template = load_template(name)
    made = from_mrrt(to_mrrt(template, today=TODAY), like=template)
    assert made.template == template
    assert made.notes == ()


@given(template=templates())
@settings(max_examples=60, deadline=None)
def test_any_template_survives_the_round_trip(template: ReportTemplate) -> None:
    back = from_mrrt(to_mrrt(template, today=TODAY)).template
    assert by_name(back) == by_name(template)
    # a document has fields where their systems are: their order may change, nothing else
    assert back.model_copy(update={"fields": ()}) == template.model_copy(update={"fields": ()})


@given(template=templates())
@settings(max_examples=30, deadline=None)
def test_the_file_written_reads_as_the_template(template: ReportTemplate) -> None:
    assert parse_yaml(template_yaml(template, "x\n- y: z.html"), "t").parse(ReportTemplate) == template


def test_a_foreign_document_becomes_a_template() -> None:
    made = from_mrrt(FOREIGN)
    template = made.template
    assert (template.name, template.title, template.version) == (
        "ct-abdomen-appendicitis",
        "CT Abdomen: appendicitis",
        "3",
    )
    assert template.modalities == ("CT",)
    assert {s.name: (s.title, s.loinc, s.required) for s in template.sections} == {
        "technique": ("Procedure Information", "55111-9", True),
        "indication": ("Clinical Information", "55752-0", False),
        "findings": ("Findings", "59776-5", False),
        "impression": ("Impression", "19005-8", False),
    }
    assert [(system.key, system.title) for system in template.systems] == [("appendix", "Appendix")]
    fields = by_name(template)
    assert set(fields) == {"pain_since", "diameter", "wall", "fat", "abscess", "course", "seen_on"}
    assert (fields["diameter"].type, fields["diameter"].required, fields["diameter"].unfilled) == (
        "number",
        True,
        "prohibit",
    )
    assert (fields["diameter"].radlex, fields["diameter"].system) == ("RID13432", "appendix")
    assert (fields["wall"].choices, fields["wall"].unfilled) == (("thin", "thick"), "alert")
    assert fields["fat"].choices == ("clear", "stranded")
    assert (fields["abscess"].title, fields["abscess"].choices) == ("Abscess", ("yes", "no"))
    assert fields["course"].choices == ("retrocaecal", "pelvic")
    assert fields["seen_on"].type == "date"
    assert (fields["pain_since"].system, fields["pain_since"].required) == (None, False)
    assert made.notes == ("1 default value(s) left out: what nobody looked at is not filled in.",)


def test_what_a_hostile_document_brings_is_text_or_nothing() -> None:
    evil = FOREIGN.replace(
        "<body>",
        "<body onload='x()'><script>alert(1)</script><style>@import 'http://example.org'</style>"
        "<img src='http://example.org/x.png' onerror='x()'><iframe src='file:///etc/passwd'></iframe>"
        "<section data-section-name='&lt;script&gt;alert(2)&lt;/script&gt;'>"
        "<input id='../../x' name='{{ 7*7 }} {% raw %} \u202e\x00'></section>",
    ).replace("<template_attributes>", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><template_attributes>&b;')
    made = from_mrrt(evil)
    assert "1 script(s) left out." in made.notes
    text = template_yaml(made.template, "evil\nname: other")
    assert parse_yaml(text, "t").parse(ReportTemplate) == made.template
    assert "example.org" not in text and "onload" not in text and "\u202e" not in text and "\x00" not in text
    assert [s.title for s in made.template.systems if "script" in s.title] == ["<script>alert(2)</script>"]
    assert all(field.name.isidentifier() for field in made.template.fields)
    again = to_mrrt(made.template, today=TODAY)
    assert "<script>alert" not in again
    assert by_name(from_mrrt(again).template) == by_name(made.template)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no section"),
        ("<p>Not a template.</p>", "no section"),
        ("<section data-section-name='A'>" * (MAX_ELEMENTS + 1), "sections and form elements"),
        ("<section data-section-name='A'><select>" + "<option>x" * (MAX_CHOICES + 2), "choices"),
        ("<script type='text/xml'>" + "<code value='CT' scheme='DCM'/>" * (MAX_ELEMENTS + 1) + "</script>", "codes"),
    ],
)
def test_what_is_no_template_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        from_mrrt(text)
    assert caught.value.code == "WET-INPUT-MRRT"


@given(st.text(max_size=300) | st.text("<>/='\" sectionpuLabel&;!-", max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_template_or_refused(text: str) -> None:
    for whole in (text, f"<section data-section-name='Findings'>{text}", f"<script type='text/xml'>{text}"):
        try:
            template = from_mrrt(whole).template
        except InputError as error:
            assert error.code == "WET-INPUT-MRRT"
        else:
            assert template.systems and template.section("findings") is not None


@pytest.mark.parametrize("data", [None, b"\xff\xfe\x00", b"x" * 2_000_001], ids=["missing", "binary", "large"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "t.html"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_mrrt(path)
    assert caught.value.code == "WET-INPUT-MRRT"
    assert str(tmp_path) not in caught.value.line()


def test_commands_export_import_and_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["template", "export", "mr-brain-lesion", "--out", "brain.html"]) == 0
    assert main(["template", "import", "brain.html", "--name", "mine"]) == 0
    mine = load_template("mine", tmp_path)
    assert mine.fields == load_template("mr-brain-lesion").fields
    capsys.readouterr()
    assert main(["template", "import", "brain.html", "--name", "mine"]) == 2
    assert "WET-INPUT-OUT" in capsys.readouterr().err
    assert main(["template", "import", "brain.html", "--name", "mine", "--replace"]) == 0
    assert main(["template", "list"]) == 0
    listed = capsys.readouterr().out
    assert "mine" in listed and "workspace" in listed
    assert main(["template", "export", "mine"]) == 0
    assert capsys.readouterr().out == to_mrrt(mine, today=_date_in(capsys, tmp_path))


def _date_in(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> date:
    """The date that an export of the same day has."""
    main(["template", "export", "mine", "--out", "again.html"])
    text = (tmp_path / "again.html").read_text(encoding="utf-8")
    return date.fromisoformat(text.split('dcterms.date" content="')[1][:10])


# --- a report as a filled instance

REPORTS = sorted(path.parent.parent.name for path in BUILT_IN.glob("*/expected/report.json"))


def part_of(text: str, name: str) -> Part:
    def below(part: Part) -> Iterator[Part]:
        yield part
        for one in part.content:
            if isinstance(one, Part):
                yield from below(one)

    return next(part for part in below(read_document(text).body) if part.attributes.get("id") == name)


@pytest.mark.parametrize("scenario", REPORTS)
def test_a_report_is_an_instance_that_the_importer_reads(scenario: str) -> None:
    report = read_report(BUILT_IN / scenario / "expected")
    (file,) = export(report, "mrrt")
    assert export(report, "mrrt") == (file,)
    text = file.data.decode()
    made = from_mrrt(text).template
    before = load_template(report.template)
    assert [s.title for s in made.systems][: len(report.findings)] == [s.title for s in report.findings]
    assert {f.name for f in made.fields} == {f.name for f in before.fields}
    by_name = {section.name: section for section in made.sections}
    for section in report.sections:
        if section.name in by_name and section.name != "exam":
            assert by_name[section.name].loinc == section.loinc
    plain = html.unescape(text)
    for statement in report.statements():
        assert statement.text in plain
    for system in report.findings:
        part = part_of(text, f"system-{system.system}")
        assert part.attributes["data-section-name"] == system.title
        if system.status == "not_assessed":
            assert f"Not assessed: {system.reason}" in plain
    assert report.disclosure in plain and DISCLAIMER in plain
    for evidence in report.evidence:
        assert f"{evidence.id} {evidence.tool}: " in plain


def test_fields_have_their_values(draft: Report) -> None:
    fields = (
        ReportField(name="size", title="Size", type="number", unit="mm", value="7.5", source="agent"),
        ReportField(name="side", title="Side", type="menu", choices=("left", "right"), value="right"),
        ReportField(name="seen", title="Seen <on>", type="date", required=True, unfilled="alert"),
        ReportField(name="note", title="Note", value='"quoted" & <b>bold</b>', system="lungs"),
        ReportField(name="stray", title="Stray", value="x", known=False),
    )
    text = to_instance(draft.model_copy(update={"fields": fields}))
    elements = {one.get("id"): one for one in part_of(text, "section-findings").content if isinstance(one, Element)}
    assert elements["size"].get("value") == "7.5" and elements["size"].get("data-wetread-unit") == "mm"
    chosen = [words for given, words in elements["side"].options if "selected" in given]
    assert chosen == ["right"]
    assert elements["seen"].get("value") == "" and elements["seen"].get("data-field-completion-action") == "ALERT"
    note = next(o for o in part_of(text, "system-lungs").content if isinstance(o, Element) and o.get("id") == "note")
    assert note.get("value") == '"quoted" & <b>bold</b>'
    assert "<b>" not in text and "stray" not in text


def test_hostile_text_stays_text(draft: Report) -> None:
    hostile = "</textarea><script>alert(1)</script>\x1b[31m \u202e \ud800"
    sections = tuple(s.model_copy(update={"text": hostile}) for s in draft.sections)
    text = to_instance(draft.model_copy(update={"sections": sections}))
    assert "<script>alert" not in text and "\x1b" not in text
    assert read_document(text).scripts == 0
    text.encode()


def test_a_signed_report_says_who_signed(draft: Report) -> None:
    signed = draft.model_copy(
        update={
            "status": "final",
            "review": Review(signatures=(Signature(by="Ada Example", at=draft.created, status="final", version=1),)),
        }
    )
    assert "Signed as final by Ada Example" in to_instance(signed)


def test_mrrt_is_a_target_of_export(tmp_path: Path) -> None:
    command = ["export", str(BUILT_IN / "rg1-protocol" / "expected"), "--to", "mrrt", "--out", str(tmp_path)]
    assert main(command) == 0
    assert read_mrrt(tmp_path / "report.mrrt.html").template.sections

"""Reports cut into sections by their headings, in many spellings, and what each section's statements assert."""

from __future__ import annotations

import pytest

from wetread.reports.language import BODY, parse_report
from wetread.vocabulary import Assertion


def cut(text: str) -> list[tuple[str, str]]:
    return [(section.name, text[section.start : section.end].strip()) for section in parse_report(text).sections]


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("FINDINGS:", "findings"),
        ("Findings -", "findings"),
        ("Findings –", "findings"),
        ("findings :", "findings"),
        ("**Findings:**", "findings"),
        ("## Findings", "findings"),
        ("REPORT:", "findings"),
        ("CHEST RADIOGRAPH:", "findings"),
        ("IMPRESSION:", "impression"),
        ("Conclusion:", "impression"),
        ("OPINION", "impression"),
        ("Comments:", "impression"),
        ("Summary:", "impression"),
        ("INDICATION:", "indication"),
        ("Reason for exam:", "indication"),
        ("Clinical details:", "indication"),
        ("REASON FOR THE EXAMINATION:", "indication"),
        ("Clinical History:", "history"),
        ("TECHNIQUE:", "technique"),
        ("Comparison:", "comparison"),
        ("COMPARISON STUDY:", "comparison"),
        ("Recommendation(s):", "recommendation"),
        ("Follow-up:", "recommendation"),
        ("CRITICAL RESULTS:", "communication"),
        ("Addendum:", "addendum"),
        ("EXAMINATION:", "exam"),
    ],
)
@pytest.mark.parametrize("gap", [" ", "\n", "\n\n"])
def test_headings(heading: str, name: str, gap: str) -> None:
    if not heading.endswith((":", "-", "–", "*")) and gap == " ":
        gap = "\n"
    text = f"{heading}{gap}No pneumothorax."
    assert cut(text) == [(name, "No pneumothorax.")]


def test_headings_inside_a_line() -> None:
    text = "INDICATION: Cough. FINDINGS: The heart is normal. No effusion. IMPRESSION: Normal."
    assert cut(text) == [
        ("indication", "Cough."),
        ("findings", "The heart is normal. No effusion."),
        ("impression", "Normal."),
    ]


def test_headings_in_capitals_without_a_colon() -> None:
    assert cut("FINDINGS The heart is large. IMPRESSION Cardiomegaly.") == [
        ("findings", "The heart is large."),
        ("impression", "Cardiomegaly."),
    ]


def test_text_before_the_first_heading_and_empty_sections() -> None:
    text = "Portable film\nFINDINGS:\n\nIMPRESSION:\nNormal."
    assert cut(text) == [(BODY, "Portable film"), ("findings", ""), ("impression", "Normal.")]


@pytest.mark.parametrize(
    "text",
    [
        "The chest is normal.",
        "No findings of pneumonia.",
        "Comparison is made to the prior study.",
        "Lungs: clear. Heart: normal.",
        "Clinical correlation is advised.",
        "My impression is that of edema.",
    ],
)
def test_words_that_are_no_heading(text: str) -> None:
    assert [section.name for section in parse_report(text).sections] == [BODY]


def test_sections_may_be_given() -> None:
    report = parse_report({"indication": "Cough, pneumonia?", "findings": "Left effusion.", "odd": "Right nodule."})
    assert [(s.section, s.source, s.start) for s in report.statements] == [
        ("indication", "indication", 0),
        ("findings", "findings", 0),
        ("odd", "odd", 0),
    ]
    assert [claim.finding for statement in report.of("findings", "odd") for claim in statement.claims] == [
        "pleural_effusion",
        "nodule",
    ]


def test_what_a_section_asserts() -> None:
    report = parse_report(
        "INDICATION: Pneumonia.\nHISTORY: Lung cancer.\nTECHNIQUE: Chest, no effusion protocol.\n"
        "COMPARISON: CT with nodule.\nFINDINGS: Left pneumothorax."
    )
    said = {(s.section, claim.finding): claim.assertion for s in report.statements for claim in s.claims}
    assert said == {
        ("indication", "pneumonia"): Assertion.UNCERTAIN,
        ("history", "malignancy"): Assertion.HISTORICAL,
        ("findings", "pneumothorax"): Assertion.PRESENT,
    }


def test_statements_of_a_numbered_list() -> None:
    text = "IMPRESSION:\n1. Right lower lobe\npneumonia.\n2) No effusion.\n(3) Nodule, 5 mm."
    statements = parse_report(text).statements
    assert [statement.text for statement in statements] == [
        "Right lower lobe\npneumonia.",
        "No effusion.",
        "Nodule, 5 mm.",
    ]
    assert all(text[s.start : s.end] == s.text for s in statements)
    assert statements[2].measurements[0].values == (5.0,)


def test_placeholders_are_kept_out_of_headings() -> None:
    text = "COMPARISON: ___.\nFINDINGS: XXXX opacity in the right XXXX."
    assert cut(text) == [("comparison", "___."), ("findings", "XXXX opacity in the right XXXX.")]


@pytest.mark.parametrize("text", ["", " \n\t ", "\x00\x01\x02", "....", "____"])
def test_nothing_to_read(text: str) -> None:
    assert parse_report(text).statements == ()


def test_another_language_asserts_nothing() -> None:
    report = parse_report("Der Herzschatten ist unauffällig. Keine Ergüsse. 双肺清晰。心影正常。")
    assert len(report.statements) >= 2
    assert [claim for statement in report.statements for claim in statement.claims] == []

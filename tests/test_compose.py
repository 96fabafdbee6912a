"""From a draft to a report: slots, statuses, what statements point at, sections, determinism."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.artifacts import ArtifactStore
from wetread.evidence import (
    Box,
    Evidence,
    Ledger,
    Measurement,
    ModelVersion,
    Observation,
    Reason,
    Region,
)
from wetread.reports.compose import compose, with_issues
from wetread.reports.language import claims
from wetread.reports.model import Draft, DraftImpression, DraftStatement, Issue, Report, Statement, SystemFindings
from wetread.reports.plain import plain, sentence
from wetread.reports.pointing import regions_of
from wetread.reports.sections import NONE_AVAILABLE
from wetread.reports.slots import NOT_MEASURED, fill
from wetread.reports.systems import NO_EVIDENCE, NO_TOOL, NOTHING_SAID
from wetread.reports.template import load_template
from wetread.study import ImageSource, PriorReport, Spacing, Study, StudyImage
from wetread.vocabulary import Assertion, Origin, Side, View

NOW = datetime(2030, 5, 6, 7, 8, tzinfo=UTC)
TEMPLATE = load_template("chest-xray")


def image(number: int = 1, **fields: Any) -> StudyImage:
    given = {"modality": "DX", "view": View.PA, "patient_right_on": "left", "rows": 100, "columns": 80, **fields}
    source = ImageSource(path=Path("x.dcm"), kind="dicom")
    return StudyImage.model_validate({"handle": f"image_{number}", "source": source, **given})


def add(ledger: Ledger, tool: str = "report_findings", status: str = "ok", **fields: Any) -> Evidence:
    fields.setdefault("origin", Origin.ENDPOINT)
    model = ModelVersion(name="Some model", version="1")
    return ledger.open(tool, {}).close(model=model, status=status, latency_ms=1.0, **fields)  # type: ignore[arg-type]


def saw(text: str, finding: str, system: str, assertion: Assertion = Assertion.PRESENT, **fields: Any) -> Observation:
    return Observation(text=text, finding=finding, system=system, assertion=assertion, **fields)


def box(x: float, side: Side | None = None) -> Region:
    return Region(image="image_1", box=Box(x_min=x, y_min=1, x_max=x + 9, y_max=9), side=side)


def made(
    *findings: tuple[str, str, tuple[str, ...]],
    ledger: Ledger | None = None,
    study: Study | None = None,
    artifacts: ArtifactStore | None = None,
    impression: tuple[str, ...] = (),
    **fields: Any,
) -> Report:
    draft = Draft(
        findings=tuple(DraftStatement(system=s, text=t, evidence=e) for s, t, e in findings),
        impression=tuple(DraftImpression(text=text) for text in impression),
        recommendations=fields.pop("recommendations", ()),
        not_assessed=fields.pop("not_assessed", {}),
    )
    return compose(
        draft,
        study=study or Study(images=(image(),)),
        template=TEMPLATE,
        ledger=ledger or Ledger(),
        artifacts=artifacts or ArtifactStore(),
        now=NOW,
        language_model="protocol",
        **fields,
    )


def system(report: Report, key: str) -> SystemFindings:
    return next(system for system in report.findings if system.system == key)


def section(report: Report, name: str) -> str:
    return next(section.text for section in report.sections if section.name == name)


# Slots


def test_slots_are_filled_with_unit_and_rounding() -> None:
    ledger = Ledger()
    add(
        ledger,
        "measure",
        measurements=(
            Measurement(name="ratio", value=0.5449, unit="1", digits=2),
            Measurement(name="area", value=12.345, unit="cm2", digits=1),
        ),
    )
    filled = fill("Ratio {E1.ratio}, area { E1.area } cm², again {E1.ratio}.", ledger.get)
    assert filled.text == "Ratio 0.54, area 12.3 cm², again 0.54."
    assert [m.name for m in filled.measurements] == ["ratio", "area"]
    assert filled.evidence == ("E1",)


@pytest.mark.parametrize("slot", ["{E1.nothing}", "{E7.ratio}", "{E2.ratio}"])
def test_a_slot_without_a_measurement_stays_visible(slot: str) -> None:
    ledger = Ledger()
    add(ledger, "measure", measurements=(Measurement(name="ratio", value=0.5, unit="1"),))
    failed = {"reason": Reason(code="WET-ENDPOINT-X", message="no")}
    add(ledger, "measure", "failed", measurements=(Measurement(name="ratio", value=0.5, unit="1"),), **failed)
    filled = fill(f"Ratio {slot}.", ledger.get)
    assert (filled.text, filled.measurements, filled.evidence) == (f"Ratio {NOT_MEASURED}.", (), ())


def test_a_filled_slot_cites_its_evidence() -> None:
    ledger = Ledger()
    add(ledger)
    add(ledger, "measure", measurements=(Measurement(name="ratio", value=0.5, unit="1"),))
    report = made(("heart", "The cardiothoracic ratio is {E2.ratio}.", ("E1",)), ledger=ledger)
    statement = system(report, "heart").statements[0]
    assert statement.text == "The cardiothoracic ratio is 0.5."
    assert statement.evidence == ("E1", "E2")
    assert statement.measurements[0].name == "ratio"


@given(st.text())
def test_text_without_slots_is_left_alone(text: str) -> None:
    if "{" not in text:
        assert fill(text, lambda id: None).text == text


# Text


@given(st.text())
def test_plain_text_is_one_printable_line(text: str) -> None:
    line = plain(text)
    assert line == plain(line)
    assert line.encode("utf-8").decode("utf-8") == line
    assert not any(c in line for c in "\n\r\t\x00\x1b\u202e\u200b\ud800")


@pytest.mark.parametrize(
    ("drafted", "kept"),
    [
        ("1. The heart is normal.", "The heart is normal."),
        ("(2) Mass.", "Mass."),
        ("- Mass.", "Mass."),
        ("• Mass.", "Mass."),
        ("1.5 cm nodule.", "1.5 cm nodule."),
        ("Right\nupper\t lobe\u202e.", "Right upper lobe."),
    ],
)
def test_bullets_and_control_characters_go(drafted: str, kept: str) -> None:
    assert sentence(drafted) == kept


def test_a_long_text_is_cut_visibly() -> None:
    assert plain("a" * 9000).endswith("a [cut]")


# Statements


def test_statements_are_numbered_in_reading_order() -> None:
    report = made(
        ("heart", "The heart is normal.", ()),
        ("Lungs", "There is a mass.", ()),
        ("lungs", "  ", ()),
        impression=("1. Mass.", ""),
        recommendations=("CT.",),
    )
    assert [(s.id, s.text) for s in report.statements()] == [
        ("S1", "There is a mass."),
        ("S2", "The heart is normal."),
        ("S3", "Mass."),
        ("S4", "CT."),
    ]
    assert [s.section for s in report.statements()] == ["findings", "findings", "impression", "recommendation"]


def test_statements_are_parsed() -> None:
    statement = system(made(("pleura", "No left pleural effusion.", ())), "pleura").statements[0]
    assert statement.claims == claims("No left pleural effusion.")
    assert statement.claims[0].finding == "pleural_effusion"


def test_ids_are_taken_as_agents_write_them() -> None:
    report = made(("lungs", "A mass.", ("[E1]", "e1", " E2 ", "nonsense")))
    assert system(report, "lungs").statements[0].evidence == ("E1", "E2", "Nonsense")


def test_what_belongs_to_no_system_of_the_template_is_kept() -> None:
    report = made(("Spleen & co", "It is large.", ("E1",)), not_assessed={"kidneys": "never seen"})
    assert [s.system for s in report.findings][-2:] == ["spleen_co", "kidneys"]
    assert system(report, "spleen_co").statements[0].text == "It is large."
    assert not system(report, "spleen_co").required


# Status of a system


def test_status_is_derived_from_claims_and_evidence() -> None:
    ledger = Ledger()
    add(ledger)
    report = made(
        ("lungs", "There is a mass in the right upper lobe.", ("E1",)),
        ("pleura", "No pneumothorax or pleural effusion.", ("E1",)),
        ("lines_and_tubes", "A left subclavian central venous catheter.", ("E1",)),
        ("mediastinum_and_hila", "No mediastinal widening.", ("E9",)),
        ledger=ledger,
    )
    assert system(report, "lungs").status == "abnormal"
    assert system(report, "pleura").status == "normal"
    assert system(report, "lines_and_tubes").status == "abnormal"
    mediastinum = system(report, "mediastinum_and_hila")
    assert (mediastinum.status, mediastinum.reason) == ("not_assessed", NO_EVIDENCE)


def test_one_side_is_not_the_whole() -> None:
    ledger = Ledger()
    add(ledger)
    report = made(("lungs", "The right lung is clear.", ("E1",)), ledger=ledger)
    lungs = system(report, "lungs")
    assert (lungs.status, lungs.reason) == ("not_assessed", "Only the right side is spoken of.")
    both = (("pleura", "No left pleural effusion.", ("E1",)), ("pleura", "No right pneumothorax.", ("E1",)))
    assert system(made(*both, ledger=ledger), "pleura").status == "normal"


def test_nothing_is_normal_on_failed_evidence() -> None:
    ledger = Ledger()
    add(ledger, "classify", "failed", reason=Reason(code="WET-ENDPOINT-X", message="It did not answer."))
    report = made(("pleura", "No pleural effusion.", ("E1",)), ledger=ledger)
    assert system(report, "pleura").status == "not_assessed"


def test_what_may_be_there_is_no_normal() -> None:
    ledger = Ledger()
    add(ledger)
    report = made(("pleura", "A small pleural effusion cannot be excluded.", ("E1",)), ledger=ledger)
    assert system(report, "pleura").status == "abnormal"


def test_a_statement_under_one_system_may_speak_of_another() -> None:
    ledger = Ledger()
    add(ledger)
    report = made(("lungs", "No consolidation, pleural effusion or pneumothorax.", ("E1",)), ledger=ledger)
    assert system(report, "lungs").status == "normal"
    pleura = system(report, "pleura")
    assert (pleura.status, pleura.reason, pleura.statements) == ("normal", "See S1.", ())


def test_why_nothing_is_said() -> None:
    ledger = Ledger()
    assert system(made(ledger=ledger), "heart").reason == NO_TOOL
    add(ledger, "measure", "abstained", reason=Reason(code="WET-TOOL-X", message="No mask."))
    heart = system(made(ledger=ledger), "heart")
    assert (heart.status, heart.reason, heart.reason_from) == (
        "not_assessed",
        "measure abstained (E1): No mask.",
        "evidence",
    )
    add(ledger)
    heart = system(made(ledger=ledger), "heart")
    assert (heart.reason, heart.reason_from) == (NOTHING_SAID, "code")
    heart = system(made(ledger=ledger, not_assessed={"Heart": "Cut  off.\n"}), "heart")
    assert (heart.reason, heart.reason_from) == ("Cut off.", "draft")


def test_a_reason_does_not_hide_an_abnormality() -> None:
    ledger = Ledger()
    add(ledger)
    report = made(("lungs", "There is a mass.", ("E1",)), ledger=ledger, not_assessed={"lungs": "not looked at"})
    assert system(report, "lungs").status == "abnormal"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([s.key for s in TEMPLATE.systems]),
            st.sampled_from(["The lungs are clear.", "No effusion.", "A mass.", "Words.", "The heart is normal."]),
            st.sampled_from([(), ("E1",), ("E2",), ("E3",)]),
        ),
        max_size=5,
    )
)
def test_normal_always_stands_on_evidence(findings: list[tuple[str, str, tuple[str, ...]]]) -> None:
    ledger = Ledger()
    add(ledger)
    add(ledger, "classify", "failed", reason=Reason(code="WET-ENDPOINT-X", message="no"))
    report = made(*findings, ledger=ledger)
    answered = {"E1"}
    for one in report.findings:
        assert (one.reason is not None) or one.status != "not_assessed"
        if one.status == "normal":
            elsewhere = (one.reason or "").removeprefix("See ").rstrip(".").split(", ")
            behind = [s for s in report.statements() if s in one.statements or s.id in elsewhere]
            assert any(answered & set(statement.evidence) for statement in behind)


# What statements point at


def test_a_statement_points_at_what_its_evidence_saw() -> None:
    ledger = Ledger()
    add(
        ledger,
        observations=(
            saw("Masses.", "mass", "lungs", regions=(box(10, Side.RIGHT), box(60, Side.LEFT)), side=Side.BILATERAL),
            saw("Catheter.", "central_venous_catheter", "lines_and_tubes", regions=(box(30),)),
            saw("No effusion.", "pleural_effusion", "pleura", Assertion.ABSENT, regions=(box(50),)),
        ),
    )
    report = made(
        ("lungs", "There are masses.", ("E1",)),
        ("lungs", "There is a left mass.", ("E1",)),
        ("pleura", "No pleural effusion.", ("E1",)),
        ("lungs", "There is a mass.", ()),
        ledger=ledger,
    )
    left = [region.box.x_min for s in system(report, "lungs").statements for region in s.regions if region.box]
    assert left == [10, 60, 60]
    assert system(report, "pleura").statements[0].regions == ()


def test_the_same_words_point_at_the_same_regions() -> None:
    evidence = add(
        Ledger(),
        observations=(
            saw("Mass behind the heart.", "mass", "lungs", regions=(box(10),)),
            saw("Mass at the base.", "mass", "lungs", regions=(box(20),)),
        ),
    )
    found = regions_of("Mass at the base", claims("Mass at the base"), "lungs", [evidence])
    assert [region.box.x_min for region in found if region.box] == [20]


def test_a_measurement_points_at_what_it_was_taken_on() -> None:
    ledger, artifacts = Ledger(), ArtifactStore()
    mask = artifacts.put("mask", b"png", "image/png", "heart").handle
    lung = artifacts.put("mask", b"other", "image/png", "left lung").handle
    structures = (
        Region(image="image_1", mask=mask, label="heart"),
        Region(image="image_1", mask=lung, label="left lung"),
    )
    add(ledger, "segment", regions=structures)
    add(ledger, "measure", uses=("E1",), measurements=(Measurement(name="ratio", value=0.4, unit="1"),))
    report = made(("heart", "Ratio {E2.ratio}.", ()), ledger=ledger, artifacts=artifacts)
    assert [region.mask for region in system(report, "heart").statements[0].regions] == [mask]
    without = made(("heart", "Ratio {E2.ratio}.", ()), ledger=ledger)
    assert system(without, "heart").statements[0].regions == ()


# Grounding


def test_grounding_is_counted() -> None:
    ledger = Ledger()
    add(
        ledger,
        observations=(
            saw("Mass.", "mass", "lungs"),
            saw("No effusion.", "pleural_effusion", "pleura", Assertion.ABSENT),
        ),
    )
    report = made(
        ("lungs", "There is a mass.", ("E1",)),
        ("lungs", "There is a rib fracture.", ("E1",)),
        ("pleura", "There is a left pleural effusion.", ("E1",)),
        ledger=ledger,
        impression=("Mass.",),
    )
    grounding = report.grounding
    assert (grounding.statements, grounding.grounded, grounding.contradicted) == (4, 1, 1)
    assert grounding.not_assessed == sum(s.status == "not_assessed" for s in report.findings)


# Sections


def test_sections_say_what_is_known() -> None:
    study = Study(
        images=(
            image(1, acquired=date(2030, 5, 1)),
            image(2, view=View.LATERAL, patient_right_on="unknown"),
            image(3, role="prior", acquired=date(2029, 1, 2), days_before=484),
        ),
        indication="Cough.\x07 <b>",
        technique="Erect",
        prior_report=PriorReport(text="secret words", acquired=date(2029, 1, 2)),
        warnings=("Two series.",),
    )
    report = made(study=study)
    assert [s.name for s in report.sections] == ["exam", "indication", "technique", "comparison"]
    assert section(report, "exam") == "Chest radiograph, 2 views"
    assert section(report, "indication") == "Cough. <b>"
    technique = section(report, "technique")
    assert technique.startswith("Radiograph, PA and lateral. Erect. Limitations: ")
    assert "lengths are not measurable" in technique
    assert "Two series." in technique
    assert section(report, "comparison") == "Radiograph, PA, 2029-01-02 (484 days before); report, 2029-01-02."
    assert "secret" not in report.model_dump_json()


def test_what_is_unknown_is_said_to_be() -> None:
    report = made(study=Study(images=(image(view=View.FRONTAL, patient_right_on="unknown", notes=("Odd header",)),)))
    assert section(report, "indication") == "Not given."
    assert section(report, "comparison") == NONE_AVAILABLE == "None available."
    technique = section(report, "technique")
    assert "projection not known" in technique
    assert "The side of the patient's right is not known" in technique
    assert "image_1: Odd header." in technique


def test_a_calibrated_spacing_is_no_limitation() -> None:
    spacing = Spacing(row_mm=0.1, column_mm=0.1, kind="calibrated")
    assert section(made(study=Study(images=(image(spacing=spacing),))), "technique") == "Radiograph, PA."
    detector = Spacing(row_mm=0.1, column_mm=0.1, kind="detector")
    assert "not measurable" in section(made(study=Study(images=(image(spacing=detector),))), "technique")


def test_the_order_names_the_exam() -> None:
    assert section(made(study=Study(images=(image(),), exam="XR CHEST PORTABLE")), "exam") == "XR CHEST PORTABLE"


# The whole


def test_a_report_is_sealed_and_the_same_every_time() -> None:
    def once() -> Report:
        ledger = Ledger()
        add(ledger, observations=(saw("Mass.", "mass", "lungs", regions=(box(10),)),))
        return made(("lungs", "A mass of {E1.size}.", ("E1",)), ledger=ledger, impression=("Mass.",))

    one, other = with_issues(once(), ()), with_issues(once(), ())
    assert one == other
    assert one.sha256 == one.content_hash() != ""
    assert one.status == "partial"
    assert Report.model_validate_json(one.model_dump_json()) == one
    issue = Issue(code="GRD-1", severity="error", message="x", where="S1")
    marked = with_issues(one, [issue])
    assert marked.issues == (issue,)
    assert marked.sha256 == marked.content_hash() != one.sha256


def test_modes_come_from_what_was_given_and_from_evidence() -> None:
    ledger = Ledger()
    add(ledger, origin=Origin.AUTHORED)
    add(ledger, origin=Origin.SIMULATED)
    assert made(ledger=ledger).modes == ("simulated", "authored")
    assert made(modes=("replay",)).modes == ("replay",)
    recorded = Ledger()
    add(recorded, origin=Origin.RECORDED)
    assert made(ledger=recorded).modes == ("replay",)


def test_an_empty_draft_assesses_nothing() -> None:
    report = made(incomplete="The time was up.")
    assert {system.status for system in report.findings} == {"not_assessed"}
    assert report.incomplete == "The time was up."
    assert report.impression == ()


@given(st.text(max_size=40), st.text(max_size=40), st.lists(st.text(max_size=8), max_size=3))
def test_any_draft_gives_a_report(where: str, text: str, ids: list[str]) -> None:
    report = made((where, text, tuple(ids)), impression=(text,), not_assessed={text: where})
    assert Report.model_validate_json(report.model_dump_json()) == report
    for statement in report.statements():
        assert isinstance(statement, Statement)
        assert all(0 <= claim.start <= claim.end <= len(statement.text) for claim in statement.claims)

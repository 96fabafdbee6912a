"""The first checks: GRD, SEC, NUM, PRI. Each finds its error and leaves clean reports alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread.artifacts import ArtifactStore
from wetread.evidence import Ledger, Measurement, ModelVersion, Observation, Reason
from wetread.reports.checks import CHECKS, check_report, left_out
from wetread.reports.compose import compose
from wetread.reports.model import Draft, DraftImpression, DraftStatement, Issue, Report
from wetread.reports.template import load_template
from wetread.study import ImageSource, PriorReport, Study, StudyImage
from wetread.vocabulary import Assertion, Origin, Side, View

SOURCE = ImageSource(path=Path("x.dcm"), kind="dicom")
IMAGE = StudyImage(handle="image_1", modality="DX", view=View.PA, rows=9, columns=9, source=SOURCE)
STUDY = Study(images=(IMAGE,))
FOLLOW_UP = Study(images=(IMAGE,), prior_report=PriorReport(text="Earlier.", acquired=date(2029, 1, 1)))
TEMPLATE = load_template("chest-xray")
HERE = {"GRD-1", "GRD-2", "SEC-1", "SEC-3", "NUM-1", "PRI-1"}
OTHERS = {"not_assessed": {system.key: "Not looked at." for system in TEMPLATE.systems}}


def ledger() -> Ledger:
    """E1 findings, E2 a failed classifier, E3 measurements."""
    kept = Ledger()

    def add(tool: str, status: str = "ok", **fields: Any) -> None:
        kept.open(tool, {}).close(
            model=ModelVersion(name="m"),
            origin=Origin.ENDPOINT,
            status=status,
            latency_ms=1,
            **fields,  # type: ignore[arg-type]
        )

    add(
        "report_findings",
        observations=(
            Observation(text="Mass.", finding="mass", system="lungs", side=Side.RIGHT),
            Observation(text="Effusion of 12 mm.", finding="pleural_effusion", system="pleura", side=Side.LEFT),
            Observation(text="No pneumothorax.", finding="pneumothorax", system="pleura", assertion=Assertion.ABSENT),
        ),
    )
    add("classify", "failed", reason=Reason(code="WET-ENDPOINT-X", message="It did not answer."))
    add(
        "measure",
        measurements=(
            Measurement(name="ratio", value=0.5449, unit="1", digits=2),
            Measurement(name="diameter", value=34.6, unit="mm", digits=0),
        ),
    )
    return kept


def drafted(
    *findings: tuple[str, str, tuple[str, ...]],
    impression: tuple[tuple[str, tuple[str, ...]], ...] = (("Mass.", ("E1",)),),
    study: Study = STUDY,
    evidence: Ledger | None = None,
    **fields: Any,
) -> Report:
    draft = Draft(
        findings=tuple(DraftStatement(system=s, text=t, evidence=e) for s, t, e in findings),
        impression=tuple(DraftImpression(text=t, evidence=e) for t, e in impression),
        **{**OTHERS, **fields},
    )
    return compose(
        draft,
        study=study,
        template=TEMPLATE,
        ledger=evidence if evidence is not None else ledger(),
        artifacts=ArtifactStore(),
        now=datetime(2030, 1, 1, tzinfo=UTC),
        language_model="protocol",
    )


def issues(*findings: tuple[str, str, tuple[str, ...]], study: Study = STUDY, **fields: Any) -> list[Issue]:
    """Issues of the checks tested here, but those that only tell what is not assessed."""
    found = check_report(drafted(*findings, study=study, **fields), study)
    return [issue for issue in found if issue.severity != "info" and issue.code in HERE]


def codes(text: str, *ids: str, system: str = "lungs", study: Study = STUDY) -> list[str]:
    return [issue.code for issue in issues((system, text, ids or ("E1",)), study=study)]


def test_a_clean_report_has_no_issue() -> None:
    assert not issues(
        ("lungs", "There is a mass in the right lung.", ("E1",)),
        ("pleura", "There is a left pleural effusion of 12 mm.", ("E1",)),
        ("pleura", "No pneumothorax.", ("E1",)),
        ("heart", "The cardiothoracic ratio is {E3.ratio}.", ("E3",)),
    )


def without(*keys: str) -> dict[str, str]:
    return {key: reason for key, reason in OTHERS["not_assessed"].items() if key not in keys}


# GRD


@pytest.mark.parametrize(
    ("ids", "said"), [((), "No evidence is cited"), (("E1", "E9"), "no evidence E9"), (("E2",), "failed or abstained")]
)
def test_grd_1_evidence_missing_unknown_or_failed(ids: tuple[str, ...], said: str) -> None:
    found = issues(("lungs", "There is a mass.", ids))
    assert [(issue.code, issue.where, issue.severity) for issue in found] == [("GRD-1", "S1", "error")]
    assert said in found[0].message
    assert (found[0].start, found[0].end) == (0, len("There is a mass."))


def test_grd_1_holds_for_the_impression_and_not_for_recommendations() -> None:
    found = issues(impression=(("Mass.", ()),), recommendations=("CT of the chest.",))
    assert [(issue.code, issue.where) for issue in found] == [("GRD-1", "S1")]


@pytest.mark.parametrize(
    ("system", "text", "opposed"),
    [
        ("lungs", "There is no mass.", "mass"),
        ("lungs", "There is no mass in the right lung.", "mass"),
        ("pleura", "There is a small right pneumothorax.", "pneumothorax"),
        ("pleura", "No left pleural effusion.", "pleural effusion"),
    ],
)
def test_grd_2_evidence_says_the_opposite(system: str, text: str, opposed: str) -> None:
    found = issues((system, text, ("E1",)))
    assert [issue.code for issue in found] == ["GRD-2"]
    assert found[0].message.startswith(opposed)
    assert found[0].evidence == ("E1",)
    assert found[0].start is not None and opposed.split()[-1] in text[found[0].start : found[0].end].lower()


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("lungs", "There is no mass in the left lung."),
        ("pleura", "No right pleural effusion."),
        ("lungs", "A mass cannot be excluded."),
        ("lungs", "No rib fracture."),
    ],
)
def test_grd_2_leaves_what_may_both_be_true(system: str, text: str) -> None:
    assert issues((system, text, ("E1",))) == []


# SEC


def test_sec_1_an_empty_impression() -> None:
    found = issues(impression=())
    assert [(issue.code, issue.where, issue.severity) for issue in found] == [("SEC-1", "impression", "error")]


def test_sec_1_a_system_left_out_though_tools_looked() -> None:
    found = issues(not_assessed=without("bones", "soft_tissues"))
    assert [(issue.code, issue.where, issue.severity) for issue in found] == [("SEC-1", "bones", "error")]


def test_sec_1_a_system_that_no_tool_looked_at_is_a_warning() -> None:
    found = issues(impression=(("Mass.", ()),), not_assessed={}, evidence=Ledger())
    found = [issue for issue in found if issue.code == "SEC-1"]
    required = [system.key for system in TEMPLATE.systems if system.required]
    assert [(issue.where, issue.severity) for issue in found] == [(key, "warning") for key in required]


def test_sec_1_statements_that_do_not_cover_a_system_are_a_warning() -> None:
    found = issues(("lungs", "The left lung is clear.", ("E1",)), not_assessed=without("lungs"))
    assert [(issue.code, issue.where, issue.severity) for issue in found] == [("SEC-1", "lungs", "warning")]


def test_sec_1_what_is_not_assessed_is_told_with_its_reason() -> None:
    found = [i for i in check_report(drafted(), STUDY) if i.severity == "info"]
    assert [issue.where for issue in found] == [system.key for system in TEMPLATE.systems]
    assert found[0].message == "Lines and tubes: not assessed. Not looked at."


def test_sec_1_an_empty_required_section_and_normal_without_evidence() -> None:
    report = drafted(("lungs", "The lungs are clear.", ()))
    sections = tuple(
        section.model_copy(update={"text": " "}) if section.name == "technique" else section
        for section in report.sections
    )
    systems = tuple(
        system.model_copy(update={"status": "normal", "reason": None}) if system.system == "lungs" else system
        for system in report.findings
    )
    found = check_report(report.model_copy(update={"sections": sections, "findings": systems}), STUDY)
    assert {(issue.where, issue.severity) for issue in found if issue.code == "SEC-1" and issue.severity != "info"} == {
        ("technique", "error"),
        ("lungs", "error"),
    }


@pytest.mark.parametrize(
    "placeholder", ["[ ]", "[]", "___", "XXXX", "[side]", "{E9.size}", "{size}", "<insert>", "TBD", "[not measured]"]
)
def test_sec_3_placeholders(placeholder: str) -> None:
    text = f"There is a mass of {placeholder} in the right lung."
    found = [issue for issue in issues(("lungs", text, ("E1",))) if issue.code == "SEC-3"]
    assert len(found) == 1
    report = drafted(("lungs", text, ("E1",)))
    shown = report.findings[1].statements[0].text[found[0].start : found[0].end]
    assert shown == ("[not measured]" if placeholder == "{E9.size}" else placeholder)


@pytest.mark.parametrize("text", ["A mass [removed].", "A mass (right).", "A mass; ratio < 1.", "A mass_like mass."])
def test_sec_3_leaves_ordinary_text(text: str) -> None:
    assert "SEC-3" not in codes(text)


# NUM


@pytest.mark.parametrize(
    ("text", "severity", "span"),
    [
        ("There is a mass of 6.3 cm.", "error", "6.3 cm"),
        ("There is a mass of 13 mm.", "error", "13 mm"),
        ("There is a mass of 12 cm.", "error", "12 cm"),
        ("There are 4 masses.", "warning", "4"),
        ("The ratio is 0.55, a mass.", "error", "0.55"),
        ("A mass covers 30% of the lung.", "error", "30%"),
    ],
)
def test_num_1_a_number_from_nowhere(text: str, severity: str, span: str) -> None:
    found = issues(("lungs", text, ("E1", "E3")))
    assert [(issue.code, issue.severity) for issue in found] == [("NUM-1", severity)]
    assert text[found[0].start : found[0].end] == span


@pytest.mark.parametrize(
    "text",
    [
        "There is a mass of {E3.diameter}.",
        "There is a mass of 35 mm.",
        "There is a mass of 3.5 cm.",
        "There is a mass, and an effusion of 12 mm.",
        "There is a mass, cardiothoracic ratio 0.54.",
        "There is a mass, cardiothoracic ratio 54 %.",
        "There is a mass over the 5th rib.",
        "There is a mass over ribs 5 and 6.",
        "There is a mass at the level of T8.",
        "There is a mass behind L1-2.",
        "There is a mass on 2 views.",
    ],
)
def test_num_1_leaves_numbers_of_the_evidence_and_places(text: str) -> None:
    assert issues(("lungs", text, ("E1", "E3"))) == []


def test_num_1_counts_only_the_evidence_cited() -> None:
    assert codes("There is a mass of 35 mm.", "E1") == ["NUM-1"]


def test_num_1_a_product_shares_its_unit() -> None:
    found = issues(("lungs", "A mass of 3.5 x 9.9 cm.", ("E1", "E3")))
    assert [(issue.start, issue.end) for issue in found] == [(16, 22)]


# PRI


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("There is a new mass.", "new"),
        ("The mass is unchanged.", "unchanged"),
        ("Stable mass.", "Stable"),
        ("Interval growth of the mass.", "Interval"),
        ("The mass is again seen.", "again seen"),
        ("The mass has increased in size.", "has increased"),
        ("A mass compared with the radiograph of last year.", "compared with"),
        ("A mass as on the prior study.", "prior study"),
    ],
)
def test_pri_1_change_without_a_prior(text: str, span: str) -> None:
    found = [issue for issue in issues(("lungs", text, ("E1",))) if issue.code == "PRI-1"]
    assert found and found[0].severity == "error"
    assert text[found[0].start : found[0].end] == span
    assert "PRI-1" not in codes(text, study=FOLLOW_UP)


@pytest.mark.parametrize(
    "text",
    [
        "There is a mass; no prior study is available for comparison.",
        "There is a mass after prior sternotomy.",
        "There is a mass in the newborn.",
        "There is a mass posterior to the heart.",
    ],
)
def test_pri_1_leaves_what_compares_nothing(text: str) -> None:
    assert "PRI-1" not in codes(text)


def test_pri_1_goes_by_the_report_where_there_is_no_study() -> None:
    text = ("lungs", "The mass is unchanged.", ("E1",))
    assert "PRI-1" in [issue.code for issue in check_report(drafted(text))]
    assert "PRI-1" not in [issue.code for issue in check_report(drafted(text, study=FOLLOW_UP))]


# All


def test_issues_come_in_reading_order() -> None:
    found = issues(
        ("pleura", "There is a new effusion of 9 cm.", ("E9",)),
        ("lungs", "There is a mass of ___.", ("E1",)),
        impression=(("Mass.", ()),),
    )
    # lungs stand before pleura in the template, and the impression last; at one place, by where the span begins
    assert [(issue.where, issue.code) for issue in found] == [
        ("S1", "SEC-3"),
        ("S2", "GRD-1"),
        ("S2", "PRI-1"),
        ("S2", "NUM-1"),
        ("S3", "GRD-1"),
    ]


def test_text_that_never_had_evidence_is_not_asked_for_it() -> None:
    report = drafted(("lungs", "There is a mass of 9 cm.", ()))
    found = {issue.code for issue in check_report(report, ledger=False)}
    assert found.isdisjoint({"GRD-1", "GRD-2", "NUM-1"})
    assert {"GRD-1", "GRD-2", "NUM-1"} <= set(left_out(ledger=False))
    assert left_out(STUDY) == ()


def test_codes_are_the_checks_own() -> None:
    listed = [check.code for check in CHECKS]
    assert len(listed) == len(set(listed))
    assert set(listed) >= HERE


@given(st.text(max_size=80), st.lists(st.sampled_from(["E1", "E2", "E3", "E9"]), max_size=3))
def test_any_text_is_checked_with_spans_inside_it(text: str, ids: list[str]) -> None:
    report = drafted(("lungs", text, tuple(ids)), impression=((text, tuple(ids)),))
    texts = {statement.id: statement.text for statement in report.statements()}
    listed = {check.code for check in CHECKS}
    for issue in check_report(report, STUDY):
        assert issue.code in listed
        if issue.start is not None and issue.end is not None:
            assert 0 <= issue.start < issue.end <= len(texts[issue.where or ""])


@settings(deadline=None)
@given(st.sampled_from(["1", "1.", "[", "{", "_", "X", "9 ", "rib 1 ", "T1-", "0.", "<a", "no ", "new "]))
def test_checks_take_linear_time(piece: str) -> None:
    # a backtracking pattern would not come back from this
    report = drafted(("lungs", "mass " + piece * 2000, ("E1",)))
    assert isinstance(check_report(report, STUDY), tuple)

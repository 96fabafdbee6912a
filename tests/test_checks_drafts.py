"""The checks that need a draft's evidence: places, what was left out, certainty, disclosure, tools that disagree."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetread.artifacts import ArtifactStore
from wetread.evidence import Box, Ledger, Measurement, ModelVersion, Observation, Region
from wetread.reports import check
from wetread.reports.checks import check_report
from wetread.reports.checks.cod import mod10_holds, verhoeff_holds
from wetread.reports.checks.grd import covered
from wetread.reports.compose import compose
from wetread.reports.model import Draft, DraftImpression, DraftStatement, Issue, Report
from wetread.reports.template import load_template
from wetread.study import ImageSource, Study, StudyImage
from wetread.vocabulary import Assertion, Origin, Side, View

SOURCE = ImageSource(path=Path("x.dcm"), kind="dicom")
IMAGE = StudyImage(handle="image_1", modality="DX", view=View.PA, rows=100, columns=100, source=SOURCE)
STUDY = Study(images=(IMAGE,))
TEMPLATE = load_template("chest-xray")
RIGHT = Region(image="image_1", box=Box(x_min=10, y_min=10, x_max=30, y_max=30), side=Side.RIGHT)
LEFT = Region(image="image_1", box=Box(x_min=70, y_min=10, x_max=90, y_max=30), side=Side.LEFT)
RIGHT_LUNG = Region(
    image="image_1", box=Box(x_min=5, y_min=5, x_max=45, y_max=95), mask="mask:0", label="right lung", side=Side.RIGHT
)
LEFT_LUNG = Region(
    image="image_1", box=Box(x_min=55, y_min=5, x_max=95, y_max=95), mask="mask:1", label="left lung", side=Side.LEFT
)


def seen(finding: str, system: str = "lungs", **fields: Any) -> Observation:
    return Observation(text=finding, finding=finding, system=system, **fields)


def ledger(*evidence: tuple[str, dict[str, Any]]) -> Ledger:
    kept = Ledger()
    for tool, fields in evidence:
        kept.open(tool, fields.pop("arguments", {})).close(
            model=ModelVersion(name="m"), origin=Origin.ENDPOINT, status="ok", latency_ms=1, **fields
        )
    return kept


def drafted(evidence: Ledger, *findings: tuple[str, str, tuple[str, ...]], impression: str = "") -> Report:
    reasons = {system.key: "Not looked at." for system in TEMPLATE.systems}
    lines = (DraftImpression(text=impression, evidence=("E1",)),) if impression else ()
    draft = Draft(
        findings=tuple(DraftStatement(system=s, text=t, evidence=e) for s, t, e in findings),
        impression=lines or tuple(DraftImpression(text=t, evidence=e) for _, t, e in findings),
        not_assessed=reasons,
    )
    return compose(
        draft,
        study=STUDY,
        template=TEMPLATE,
        ledger=evidence,
        artifacts=ArtifactStore(),
        now=datetime(2030, 1, 1, tzinfo=UTC),
        language_model="protocol",
    )


def only(code: str, report: Report) -> list[Issue]:
    return [issue for issue in check_report(report, STUDY) if issue.code == code]


def test_lat_3_the_words_say_left_and_the_box_lies_on_the_right() -> None:
    evidence = ledger(("report_findings", {"observations": (seen("mass", regions=(RIGHT,)),)}))
    wrong = only("LAT-3", drafted(evidence, ("lungs", "There is a mass in the left lung.", ("E1",))))
    assert [(issue.severity, issue.where, issue.evidence) for issue in wrong] == [
        ("error", "S1", ("E1",)),
        ("error", "S2", ("E1",)),
    ]
    assert only("LAT-3", drafted(evidence, ("lungs", "There is a mass in the right lung.", ("E1",)))) == []


def test_lat_3_leaves_devices_alone() -> None:
    evidence = ledger(
        ("report_findings", {"observations": (seen("central_venous_catheter", "lines_and_tubes", regions=(RIGHT,)),)})
    )
    text = "A left subclavian central venous catheter is in place."
    assert only("LAT-3", drafted(evidence, ("lines_and_tubes", text, ("E1",)))) == []


def test_grd_3_what_a_tool_found_is_left_out() -> None:
    evidence = ledger(("report_findings", {"observations": (seen("mass"), seen("granuloma"))}))
    issues = only("GRD-3", drafted(evidence, ("heart", "The heart is normal.", ("E1",))))
    assert [(issue.severity, issue.evidence) for issue in issues] == [("error", ("E1",)), ("warning", ("E1",))]
    assert only("GRD-3", drafted(evidence, ("lungs", "There is a mass and a granuloma.", ("E1",)))) == []


@pytest.mark.parametrize("tool", ["find_similar", "study_context", "consult_historian"])
def test_grd_3_asks_only_tools_that_looked_at_this_study(tool: str) -> None:
    evidence = ledger((tool, {"observations": (seen("mass"),)}))
    assert only("GRD-3", drafted(evidence, ("heart", "The heart is normal.", ("E1",)))) == []


def test_grd_4_a_place_without_a_region() -> None:
    evidence = ledger(
        ("classify", {"observations": (seen("mass", probability=0.9),)}),
        ("report_findings", {"observations": (seen("mass", regions=(RIGHT,)),)}),
    )
    text = "There is a mass in the right lung."
    assert [i.severity for i in only("GRD-4", drafted(evidence, ("lungs", text, ("E1",))))] == ["warning", "warning"]
    assert only("GRD-4", drafted(evidence, ("lungs", text, ("E1", "E2")))) == []


@pytest.mark.parametrize(("shift", "supported"), [(0, True), (9, True), (10, False), (40, False)])
def test_grd_4_a_region_beside_its_evidence(shift: int, supported: bool) -> None:
    evidence = ledger(("report_findings", {"observations": (seen("mass", regions=(RIGHT,)),)}))
    report = drafted(evidence, ("lungs", "There is a mass.", ("E1",)), impression="Mass.")
    moved = RIGHT.model_copy(update={"box": Box(x_min=10 + shift, y_min=10, x_max=30 + shift, y_max=30)})
    system = next(one for one in report.findings if one.statements)
    statement = system.statements[0].model_copy(update={"regions": (moved,)})
    systems = tuple(
        one.model_copy(update={"statements": (statement,)}) if one is system else one for one in report.findings
    )
    issues = only("GRD-4", report.model_copy(update={"findings": systems}))
    assert [issue.severity for issue in issues] == ([] if supported else ["error"])


EDGES = st.integers(0, 12)


@given(st.lists(st.tuples(EDGES, EDGES, EDGES, EDGES), max_size=5), st.tuples(EDGES, EDGES, EDGES, EDGES))
def test_covered_counts_the_pixels(others: list[tuple[int, int, int, int]], one: tuple[int, int, int, int]) -> None:
    def box(edges: tuple[int, int, int, int]) -> Box:
        a, b, c, d = edges
        return Box(x_min=min(a, b), x_max=max(a, b), y_min=min(c, d), y_max=max(c, d))

    def pixels(of: Box) -> set[tuple[int, int]]:
        return {(x, y) for x in range(int(of.x_min), int(of.x_max)) for y in range(int(of.y_min), int(of.y_max))}

    inside = pixels(box(one))
    if inside:
        held = set().union(*(pixels(box(other)) for other in others)) & inside
        assert covered(box(one), [box(other) for other in others]) == pytest.approx(len(held) / len(inside))


def test_unc_2_wording_and_confidence() -> None:
    evidence = ledger(
        ("classify", {"observations": (seen("mass", probability=0.3), seen("nodule", probability=0.97))}),
    )
    issues = only(
        "UNC-2", drafted(evidence, ("lungs", "There is a mass. Possible nodule.", ("E1",)), impression="Mass.")
    )
    assert [(issue.severity, issue.where) for issue in issues] == [("warning", "S1"), ("info", "S1"), ("warning", "S2")]


def test_aid_1_a_draft_without_its_disclosure() -> None:
    report = drafted(ledger(("report_findings", {})), ("heart", "The heart is normal.", ("E1",)))
    assert only("AID-1", report) == []
    issues = only("AID-1", report.model_copy(update={"disclosure": "Radiology report."}))
    assert [issue.severity for issue in issues] == ["error"]


def test_dis_1_shows_both_sides_with_their_evidence() -> None:
    evidence = ledger(
        ("report_findings", {"observations": (seen("pleural_effusion", "pleura", assertion=Assertion.ABSENT),)}),
        ("classify", {"observations": (seen("pleural_effusion", "pleura", probability=0.93),)}),
    )
    plain = only("DIS-1", drafted(evidence, ("pleura", "No pleural effusion.", ("E1",))))
    assert [(issue.severity, issue.where) for issue in plain] == [("warning", "S1")]
    assert set(plain[0].evidence) == {"E1", "E2"} and "0.93" in plain[0].message and "absent" in plain[0].message
    hedged = only("DIS-1", drafted(evidence, ("pleura", "Possible pleural effusion.", ("E1", "E2"))))
    assert [issue.severity for issue in hedged] == ["info"]


def test_dis_1_two_places_are_no_disagreement() -> None:
    evidence = ledger(
        (
            "report_findings",
            {"observations": (seen("mass", side=Side.LEFT), seen("mass", side=Side.RIGHT, assertion=Assertion.ABSENT))},
        ),
        ("classify", {"observations": (seen("mass", probability=0.93),)}),
    )
    assert only("DIS-1", drafted(evidence, ("lungs", "There is a left mass.", ("E1",)))) == []


def test_dis_2_a_box_in_the_other_lung() -> None:
    told = RIGHT.model_copy(update={"side": None})
    masks = ("segment", {"regions": (LEFT_LUNG, RIGHT_LUNG)})
    wrong = ledger(("report_findings", {"observations": (seen("mass", side=Side.LEFT, regions=(told,)),)}), masks)
    issues = only("DIS-2", drafted(wrong, ("lungs", "There is a left mass.", ("E1",))))
    assert [(issue.severity, issue.evidence) for issue in issues] == [("warning", ("E1", "E2"))]
    right = ledger(("report_findings", {"observations": (seen("mass", side=Side.LEFT, regions=(LEFT,)),)}), masks)
    assert only("DIS-2", drafted(right, ("lungs", "There is a left mass.", ("E1",)))) == []


@pytest.mark.parametrize(("ratio", "issues"), [(0.62, 1), (0.5, 0), (0.4, 0)])
def test_dis_3_a_large_ratio_and_a_normal_heart(ratio: float, issues: int) -> None:
    evidence = ledger(
        ("report_findings", {"observations": (seen("cardiomegaly", "heart", assertion=Assertion.ABSENT),)}),
        (
            "measure",
            {"measurements": (Measurement(name="cardiothoracic_ratio", value=ratio, unit="1", image="image_1"),)},
        ),
    )
    assert len(only("DIS-3", drafted(evidence, ("heart", "The heart is not enlarged.", ("E1",))))) == issues


def test_pri_3_a_later_earlier_image() -> None:
    report = drafted(ledger(("report_findings", {})), ("heart", "The heart is normal.", ("E1",)))
    images = (
        report.images[0].model_copy(update={"acquired": date(2029, 5, 1)}),
        report.images[0].model_copy(update={"handle": "image_2", "role": "prior", "acquired": date(2029, 6, 1)}),
    )
    issues = [i for i in check(report.model_copy(update={"images": images})) if i.code == "PRI-3"]
    assert [issue.severity for issue in issues] == ["error"]


@given(st.integers(10_000, 10**14), st.integers(1, 9))
def test_verhoeff_catches_every_wrong_digit(number: int, off: int) -> None:
    right = [f"{number}{digit}" for digit in range(10) if verhoeff_holds(f"{number}{digit}")]
    assert len(right) == 1
    wrong = right[0][:2] + str((int(right[0][2]) + off) % 10) + right[0][3:]
    assert not verhoeff_holds(wrong)


@pytest.mark.parametrize("code", ["18748-4", "36643-5", "59776-5", "19005-8", "11329-0", "55107-7"])
def test_mod_10_of_loinc(code: str) -> None:
    assert mod10_holds(code)
    assert not mod10_holds(code[:-1] + str((int(code[-1]) + 1) % 10))

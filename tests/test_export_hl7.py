"""HL7 v2 exports: segments, statuses, codes, identifiers and escapes, read back by an independent parser."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread import DISCLAIMER
from wetread.errors import ExportError
from wetread.reports.export import Identity, export
from wetread.reports.export.hl7v2 import LOCAL, RESULT_STATUS, STUDY
from wetread.reports.language.codes import loinc_valid
from wetread.reports.model import Report, ReportStatus
from wetread.reports.plain import shown
from wetread.reports.reviewed import Review, Signature
from wetread.scenarios.scenario import BUILT_IN

hl7apy = pytest.importorskip("hl7apy", reason="the extra hl7 is not installed")

SCENARIOS = sorted(path.parent.parent.name for path in BUILT_IN.glob("*/expected/report.json"))
NOW = datetime(2026, 1, 16, 8, 30, tzinfo=UTC)
ESCAPES = {"\\E\\": "\\", "\\F\\": "|", "\\S\\": "^", "\\T\\": "&", "\\R\\": "~"}


@cache
def drafted(name: str = "rg1-protocol") -> Report:
    return Report.model_validate_json((BUILT_IN / name / "expected" / "report.json").read_bytes()).sealed()


@cache
def drafted_message(name: str) -> str:
    return message(drafted(name))


def message(report: Report, **identity: str) -> str:
    (file,) = export(report, "hl7v2", identity=Identity(**identity))
    return file.data.decode()


def segments(text: str, name: str) -> list[list[str]]:
    """Fields of each segment of a name, as HL7 counts them (MSH-1 is the separator itself)."""
    found = []
    for line in text.removesuffix("\r").split("\r"):
        fields = line.split("|")
        if fields[0] == name:
            found.append([fields[0], "|", *fields[1:]] if name == "MSH" else fields)
    return found


def unescaped(text: str) -> str:
    """A value as its reader has it."""
    found, rest = "", text
    while rest:
        escape = rest[:3]
        if escape in ESCAPES:
            found, rest = found + ESCAPES[escape], rest[3:]
        else:
            found, rest = found + rest[0], rest[1:]
    return found


def observations(text: str, code: str) -> list[str]:
    """Values of the OBX segments of a code, in their order, the repetitions of each joined."""
    return [joined(obx[5]) for obx in segments(text, "OBX") if obx[3].split("^")[0] == code]


def joined(value: str) -> str:
    return " ".join(unescaped(repetition) for repetition in value.split("~"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_becomes_a_message_that_a_strict_parser_takes(name: str) -> None:
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.parser import parse_message

    text = drafted_message(name)
    assert text.endswith("\r")
    assert "\n" not in text
    parsed: Any = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    assert parsed.validate()
    assert parsed.msh.msh_9.value == "ORU^R01^ORU_R01"
    order = parsed.oru_r01_patient_result.oru_r01_order_observation
    assert len(order.oru_r01_observation) == len(segments(text, "OBX"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_the_report_says_stands_in_sections_by_loinc(name: str) -> None:
    report = drafted(name)
    text = drafted_message(name)
    for section in report.sections:
        assert shown(section.text) in observations(text, section.loinc)
    findings = observations(text, "59776-5")
    for system in report.findings:
        for statement in system.statements:
            assert any(f"{system.title}: {statement.text}" in one for one in findings)
        if system.status == "not_assessed":
            assert f"{system.title}: not assessed: {system.reason}" in findings
    assert len(observations(text, "19005-8")) == max(1, len(report.impression))
    assert len(observations(text, "18783-1")) == len(report.recommendations)
    assert len(observations(text, "EVIDENCE")) == len(report.evidence) + 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_lines_are_counted_and_codes_hold(name: str) -> None:
    counts: dict[str, int] = {}
    for number, obx in enumerate(segments(drafted_message(name), "OBX"), start=1):
        assert obx[1] == str(number)
        code, _, scheme = obx[3].split("^")
        counts[code] = counts.get(code, 0) + 1
        assert obx[4] == str(counts[code])
        assert scheme in ("LN", LOCAL)
        if scheme == "LN":
            assert loinc_valid(code)


def test_disclosure_and_provenance_come_first() -> None:
    report = drafted()
    text = message(report)
    notices = observations(text, "DISCLOSURE")
    assert notices[0] == report.disclosure
    assert any(DISCLAIMER in one for one in notices)
    assert any(report.sha256 in one for one in notices)
    assert segments(text, "OBX")[0][3].startswith("DISCLOSURE^")
    assert DISCLAIMER in segments(text, "SFT")[0][5]
    for evidence in report.evidence:
        assert any(one.startswith(f"{evidence.id}: {evidence.tool}, ") for one in observations(text, "EVIDENCE"))


def test_a_measurement_is_a_number_with_its_unit() -> None:
    (ratio,) = [obx for obx in segments(message(drafted()), "OBX") if obx[2] == "NM"]
    assert ratio[3] == f"cardiothoracic_ratio^Cardiothoracic ratio^{LOCAL}"
    assert ratio[5:7] == ["0.47", "1"]


# --- status


def test_every_status_has_its_codes() -> None:
    assert set(RESULT_STATUS) == set(get_args(ReportStatus))


@pytest.mark.parametrize(
    ("status", "order", "result"),
    [("partial", "R", "R"), ("preliminary", "P", "P"), ("final", "F", "F"), ("corrected", "C", "C")],
)
def test_status_of_the_order_and_of_each_result(status: ReportStatus, order: str, result: str) -> None:
    text = message(drafted().model_copy(update={"status": status}).sealed())
    assert segments(text, "OBR")[0][25] == order
    assert {obx[11] for obx in segments(text, "OBX")} == {result}


def test_only_real_answers_go_to_production() -> None:
    assert segments(message(drafted()), "MSH")[0][11] == "T"
    assert segments(message(drafted().model_copy(update={"modes": ()}).sealed()), "MSH")[0][11] == "P"


def test_who_signed_is_said() -> None:
    signature = Signature(by="Dr. Ada Reader", at=NOW, status="final", version=2)
    update = {"status": "final", "version": 2, "review": Review(signatures=(signature,))}
    text = message(drafted().model_copy(update=update).sealed())
    assert any(one.startswith("Signed as final by Dr. Ada Reader") for one in observations(text, "DISCLOSURE"))


# --- identifiers


def test_no_identifier_is_invented() -> None:
    text = message(drafted())
    (pid,) = segments(text, "PID")
    assert pid[3] == "UNKNOWN^^^WETREAD^U"
    assert pid[5] == "^^^^^^U"
    assert pid[7] == "", "no date of birth"
    (obr,) = segments(text, "OBR")
    assert obr[3] == ""
    assert not observations(text, STUDY[0])


def test_given_identifiers_stand_where_they_belong() -> None:
    text = message(
        drafted(), patient_id="12&3^HOSPITAL", patient_name="O'BRIEN^ANN", accession="A|77", study_uid="1.2.840.5"
    )
    (pid,) = segments(text, "PID")
    assert pid[3] == "12\\T\\3^^^HOSPITAL"
    assert pid[5] == "O'BRIEN^ANN"
    assert pid[8] == "F"
    assert segments(text, "OBR")[0][3] == "A\\F\\77"
    (study,) = [obx for obx in segments(text, "OBX") if obx[2] == "HD"]
    assert study[3] == "^".join(STUDY)
    assert study[5] == "^1.2.840.5^ISO"


def test_the_code_of_the_study_is_dicoms() -> None:
    from pydicom.sr._concepts_dict import concepts

    assert STUDY[1] in {
        row[0] for entries in concepts["DCM"].values() for code, row in entries.items() if code == STUDY[0]
    }


def test_date_of_the_exam_is_that_of_the_images() -> None:
    images = tuple(image.model_copy(update={"acquired": date(2026, 1, 14)}) for image in drafted().images)
    (obr,) = segments(message(drafted().model_copy(update={"images": images}).sealed()), "OBR")
    assert obr[7] == "20260114"


def test_the_same_message_has_the_same_id_and_another_patients_another() -> None:
    one, again, other = (segments(message(drafted(), patient_id=id), "MSH")[0][10] for id in ("1", "1", "2"))
    assert one == again != other
    assert len(one) == 20


def test_what_cannot_be_said_is_an_error_without_the_value() -> None:
    with pytest.raises(ExportError) as error:
        message(drafted(), patient_id="7" * 240)
    assert error.value.code == "WET-EXPORT-HL7"
    assert "777" not in str(error.value)


# --- any text


@cache
def short() -> Report:
    """A report with little in it beside its impression."""
    draft = drafted()
    update = {"findings": (), "sections": (), "issues": (), "evidence": (), "impression": draft.impression[:1]}
    return draft.model_copy(update=update)


def impressed(said: str) -> str:
    statement = short().impression[0].model_copy(update={"text": said})
    return message(short().model_copy(update={"impression": (statement,)}).sealed())


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    said=st.one_of(
        st.text(min_size=1, max_size=300), st.text(alphabet="|^~&\\.br EFSTR\r\n", min_size=1, max_size=300)
    ).filter(lambda text: bool(shown(text)))
)
def test_any_text_comes_back_as_it_was(said: str) -> None:
    text = impressed(said)
    (value,) = observations(text, "19005-8")
    # only where a word is longer than a line is there a break that the text does not have
    assert value.replace(" ", "") == shown(f"1. {said}").replace(" ", "")
    assert len(segments(text, "OBR")) == len(segments(text, "PID")) == 1
    for obx in segments(text, "OBX"):
        assert all(0 < len(repetition) <= 199 for repetition in obx[5].split("~"))


def test_a_long_text_is_kept_whole() -> None:
    long = "opacity & more " * 260
    assert observations(impressed(long), "19005-8") == [shown(f"1. {long}")]


def test_a_title_too_long_for_a_code_is_cut() -> None:
    exam = drafted().sections[0].model_copy(update={"text": "chest & " * 100})
    text = message(short().model_copy(update={"sections": (exam,)}).sealed())
    (obr,) = segments(text, "OBR")
    assert unescaped(obr[4].split("^")[1]).startswith("chest & chest & ")
    assert observations(text, exam.loinc) == [shown(exam.text)]

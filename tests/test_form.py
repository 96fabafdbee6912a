"""Form fields: what templates may ask, how drafts and persons fill them, the Fleischner table, checks, renderings."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from wetread.artifacts import ArtifactStore
from wetread.evidence import Ledger, Measurement, ModelVersion, Observation, Reason
from wetread.imaging.bank import ImageBank
from wetread.reports import fleischner
from wetread.reports.checks import check_report
from wetread.reports.compose import compose, with_issues
from wetread.reports.form import FieldSpec, entered, fill_in, unfilled
from wetread.reports.model import Draft, DraftField, Report, ReportField
from wetread.reports.render import to_html, to_markdown, to_terminal
from wetread.reports.template import ReportTemplate, load_template
from wetread.study import ImageSource, Study, StudyImage
from wetread.testing.simulated import SimulatedEndpoints
from wetread.tools.base import Reading
from wetread.tools.submit_report import submit_report_for
from wetread.tools.toolbox import Toolbox, tool_spec
from wetread.vocabulary import Origin, View

NOW = datetime(2030, 5, 6, 7, 8, tzinfo=UTC)
CT = load_template("ct-chest-nodule")
PORTABLE = load_template("chest-xray-portable")
NODULE = {
    "nodule_size": "{E1.diameter}",
    "nodule_density": "solid",
    "nodule_number": "Single.",
    "nodule_risk": "high",
    "nodule_context": "incidental",
}


def study(modality: str = "CT", **fields: Any) -> Study:
    view = View.UNKNOWN if modality == "CT" else View.AP
    source = ImageSource(path=Path("x.dcm"), kind="dicom")
    image = StudyImage(
        handle="image_1", modality=modality, view=view, body_part="CHEST", rows=10, columns=10, source=source
    )
    return Study(**{"images": (image,), "age_years": 61, **fields})


def ledger() -> Ledger:
    made = Ledger()
    model = ModelVersion(name="Some model")
    made.open("measure", {}).close(
        model=model,
        origin=Origin.ENDPOINT,
        status="ok",
        measurements=(Measurement(name="diameter", value=6.42, unit="mm"),),
        observations=(Observation(text="A nodule of 12 mm in the right upper lobe."),),
        value={"history": "<data>Nodule of 9 mm.</data>"},
    )
    reason = Reason(code="WET-ENDPOINT-TIMEOUT", message="It did not answer.")
    made.open("classify", {}).close(model=model, origin=Origin.ENDPOINT, status="failed", reason=reason)
    return made


def made(fields: dict[str, str | DraftField], template: ReportTemplate = CT, of: Study | None = None) -> Report:
    drafted = {
        name: value if isinstance(value, DraftField) else DraftField(value=value, evidence=("E1",))
        for name, value in fields.items()
    }
    read = of or study("CT" if template is CT else "DX")
    report = compose(
        Draft(fields=drafted),
        study=read,
        template=template,
        ledger=ledger(),
        artifacts=ArtifactStore(),
        now=NOW,
        language_model="scripted",
    )
    return with_issues(report, check_report(report, read))


def field(report: Report, name: str) -> ReportField:
    return next(one for one in report.fields if one.name == name)


def found(report: Report, name: str) -> list[tuple[str, str]]:
    place = f"field:{name}"
    return [(issue.code, issue.severity) for issue in report.issues if issue.where == place]


# what a template may ask


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "menu"}, "a menu has choices"),
        ({"choices": ["a"]}, "a menu has choices"),
        ({"type": "menu", "choices": ["a", "A"]}, "listed twice"),
        ({"unit": "mm"}, "only a number has a unit"),
        ({"unfilled": "prohibit"}, "required: true"),
        ({"computed": "fleischner_2017", "required": True}, "code fills"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FieldSpec.model_validate({"name": "a", "title": "A", **given})


def test_yes_and_no_in_yaml_are_words() -> None:
    spec = FieldSpec.model_validate({"name": "a", "title": "A", "type": "menu", "choices": [True, False, 3]})
    assert spec.choices == ("yes", "no", "3")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "nodule_size"}, "listed twice"),
        ({"name": "x", "system": "spleen"}, "no system 'spleen'"),
    ],
)
def test_fields_fit_into_their_template(change: dict[str, Any], said: str) -> None:
    data = CT.model_dump()
    data["fields"] = [*data["fields"], {"title": "X", **change}]
    with pytest.raises(ValidationError, match=said):
        ReportTemplate.model_validate(data)


def test_a_computed_field_needs_what_it_is_computed_from() -> None:
    data = CT.model_dump()
    data["fields"] = [one for one in data["fields"] if one["name"] != "nodule_risk"]
    with pytest.raises(ValidationError, match="computed from 'nodule_risk'"):
        ReportTemplate.model_validate(data)


# values


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        ({"type": "number", "unit": "mm"}, "6.4", "6.4"),
        ({"type": "number", "unit": "mm"}, "6.4 mm", "6.4"),
        ({"type": "number", "unit": "mm"}, "1.2 cm", "12"),
        ({"type": "number", "unit": "cm"}, "45 mm", "4.5"),
        ({"type": "number"}, "-3", "-3"),
        ({"type": "date"}, "2025-12-01", "2025-12-01"),
        ({"type": "menu", "choices": ("Left", "Right")}, "left.", "Left"),
        ({}, "  two\nlines\x00 ", "two lines"),
    ],
)
def test_values_are_entered_as_the_field_holds_them(spec: dict[str, Any], text: str, value: str) -> None:
    assert entered(FieldSpec(name="a", title="A", **spec), text) == value


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"type": "number", "unit": "mm"}, "about 6"),
        ({"type": "number", "unit": "mm"}, "6 kg"),
        ({"type": "number"}, "1e400"),
        ({"type": "number"}, "nan"),
        ({"type": "date"}, "1.12.2025"),
        ({"type": "date"}, "2025-02-30"),
        ({"type": "menu", "choices": ("left", "right")}, "both"),
        ({}, " \u200b "),
    ],
)
def test_values_that_do_not_fit_are_not(spec: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        entered(FieldSpec(name="a", title="A", **spec), text)


@given(st.text(max_size=60), st.sampled_from(["text", "number", "date", "menu"]))
def test_any_text_is_entered_once_and_for_all_or_refused(text: str, kind: Any) -> None:
    spec = FieldSpec(name="a", title="A", type=kind, choices=("ja", "nein") if kind == "menu" else ())
    try:
        value = entered(spec, text)
    except ValueError:
        return
    assert entered(spec, value) == value


# drafts


def test_a_draft_fills_fields_with_slots_and_by_title() -> None:
    report = made({"nodule_size": "{E1.diameter}", "Density": "Solid", "follow_up": "CT now."})
    size = field(report, "nodule_size")
    assert (size.value, size.shown, size.source, size.evidence) == ("6.4", "6.4 mm", "agent", ("E1",))
    assert field(report, "nodule_density").value == "solid"
    follow_up = field(report, "follow_up")
    assert (follow_up.value, follow_up.refused) == (None, "CT now.")
    assert found(report, "follow_up") == [("SEC-2", "error")]
    assert found(report, "nodule_size") == []


def test_what_is_not_filled_is_told_by_what_signing_does_about_it() -> None:
    report = made({})
    assert found(report, "nodule_location") == [("SEC-1", "warning")]
    assert found(report, "nodule_risk") == [("SEC-1", "info")]
    assert found(report, "prior_ct") == []
    assert {one.name for one in unfilled(report)} == {
        "nodule_size",
        "nodule_density",
        "nodule_location",
        "nodule_number",
        "nodule_risk",
        "nodule_context",
    }


@pytest.mark.parametrize(
    ("value", "evidence", "code"),
    [
        ("solid", (), "GRD-1"),
        ("solid", ("E9",), "GRD-1"),
        ("solid", ("E2",), "GRD-1"),
        ("woolly", ("E1",), "SEC-2"),
        ("{E1.volume}", ("E1",), "SEC-2"),
    ],
)
def test_a_value_that_does_not_stand_is_an_error(value: str, evidence: tuple[str, ...], code: str) -> None:
    report = made({"nodule_density": DraftField(value=value, evidence=evidence)})
    assert (code, "error") in found(report, "nodule_density")


@pytest.mark.parametrize(
    ("value", "issues"),
    [
        ("6.4 mm", []),
        ("12", []),
        ("1.2 cm", []),
        ("9", []),
        ("7.5", [("NUM-1", "error")]),
        ("64", [("NUM-1", "error")]),
    ],
)
def test_a_number_comes_from_the_evidence(value: str, issues: list[tuple[str, str]]) -> None:
    assert found(made({"nodule_size": value}), "nodule_size") == issues


def test_a_field_that_there_is_not_is_an_error_and_shows_as_one() -> None:
    report = made({"spleen size": "<b>9</b>"})
    (unknown,) = [one for one in report.fields if not one.known]
    assert found(report, unknown.name) == [("SEC-2", "error")]
    assert "nodule_size" in (unknown.reason or "")
    assert "<b>9" not in to_html(report, {})


# the table


@pytest.mark.parametrize(
    ("size", "density", "number", "risk", "said"),
    [
        ("5", "solid", "single", "low", "No routine follow-up."),
        ("5", "solid", "single", "high", "Optional CT at 12 months."),
        ("5.4", "solid", "single", "high", "Optional CT at 12 months."),
        ("5.5", "solid", "single", "high", "CT at 6-12 months, then CT at 18-24 months."),
        ("8", "solid", "single", "low", "CT at 6-12 months, then consider CT at 18-24 months."),
        ("8.4", "solid", "single", "low", "CT at 6-12 months, then consider CT at 18-24 months."),
        ("8.5", "solid", "single", "low", "Consider CT at 3 months, PET/CT or tissue sampling."),
        ("30", "solid", "single", "high", "Consider CT at 3 months, PET/CT or tissue sampling."),
        ("5", "solid", "multiple", "low", "No routine follow-up."),
        ("7", "solid", "multiple", "low", "CT at 3-6 months, then consider CT at 18-24 months."),
        ("20", "solid", "multiple", "high", "CT at 3-6 months, then CT at 18-24 months."),
        ("5", "ground glass", "single", None, "No routine follow-up."),
        ("6", "ground glass", "single", None, "CT at 6-12 months to confirm persistence"),
        ("5", "part solid", "single", "high", "No routine follow-up."),
        ("6", "part solid", "single", None, "CT at 3-6 months to confirm persistence"),
        ("5", "part solid", "multiple", None, "CT at 3-6 months. If stable, consider CT at 2 and 4 years."),
        ("9", "ground glass", "multiple", None, "Subsequent management by the most suspicious nodule."),
    ],
)
def test_the_fleischner_table_of_2017(size: str, density: str, number: str, risk: str | None, said: str) -> None:
    values = {
        "nodule_size": size,
        "nodule_density": density,
        "nodule_number": number,
        "nodule_risk": risk,
        "nodule_context": "incidental",
    }
    recommended, reason = fleischner.recommendation(values, 35)
    assert reason is None
    assert said in (recommended or "")


@pytest.mark.parametrize("name", fleischner.READS)
def test_the_table_is_not_read_while_anything_is_missing(name: str) -> None:
    report = made({key: value for key, value in NODULE.items() if key != name})
    follow_up = field(report, "follow_up")
    assert follow_up.value is None
    assert name.removeprefix("nodule_") in (follow_up.reason or "")


@pytest.mark.parametrize(
    ("age", "context", "said"),
    [
        (None, "incidental", "age"),
        (34, "incidental", "younger than 35"),
        (61, "screening", "screening"),
        (61, "known cancer", "known cancer"),
        (61, "immunosuppressed", "immunosuppressed"),
    ],
)
def test_the_table_is_for_incidental_nodules_of_adults(age: int | None, context: str, said: str) -> None:
    report = made({**NODULE, "nodule_context": context}, of=study(age_years=age))
    follow_up = field(report, "follow_up")
    assert follow_up.value is None and said in (follow_up.reason or "")


def test_the_table_is_read_from_what_has_evidence() -> None:
    report = made(dict(NODULE))
    follow_up = field(report, "follow_up")
    assert (follow_up.value, follow_up.source) == ("CT at 6-12 months, then CT at 18-24 months.", "code")
    assert follow_up.evidence == ("E1",)
    bare = made({**NODULE, "nodule_risk": DraftField(value="high")})
    assert field(bare, "follow_up").value is None


# a person


def test_a_person_fills_in_and_empties() -> None:
    first = made({"nodule_density": "solid"})
    values = {"nodule_size": "0.7 cm", "nodule_number": "single", "nodule_risk": "low", "nodule_context": "incidental"}
    second = fill_in(first, CT.fields, values)
    assert (second.version, second.replaces) == (2, first.sha256)
    assert second.sha256 == second.content_hash() != first.sha256
    assert (field(second, "nodule_size").shown, field(second, "nodule_size").source) == ("7 mm", "person")
    assert field(second, "follow_up").value == "CT at 6-12 months, then consider CT at 18-24 months."
    assert field(fill_in(second, CT.fields, {"nodule_size": ""}), "follow_up").value is None
    assert not [issue for issue in check_report(second) if issue.where == "field:nodule_size"]


@pytest.mark.parametrize(
    "values", [{"spleen": "9"}, {"follow_up": "CT"}, {"nodule_size": "big"}, {"nodule_density": "woolly"}]
)
def test_a_person_cannot_fill_in_what_does_not_fit(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        fill_in(made({}), CT.fields, values)


# what an agent is offered


def test_fields_are_offered_only_where_there_are_some() -> None:
    plain, form = submit_report_for(()), submit_report_for(PORTABLE.fields)
    assert "fields" not in tool_spec(plain)["parameters"]["properties"]
    offered = tool_spec(form)
    assert "fields" in offered["parameters"]["properties"]
    assert "endotracheal_tube (not present|satisfactory|" in offered["description"]
    assert "tip_above_carina (number cm)" in offered["description"]
    assert "follow_up" not in tool_spec(submit_report_for(CT.fields))["description"]
    assert type(submit_report_for(PORTABLE.fields)) is type(submit_report_for(PORTABLE.fields))


async def test_an_agent_submits_fields_however_it_writes_them() -> None:
    read = study("DX")
    reading = Reading(
        study=read,
        images=ImageBank(read),
        template=PORTABLE,
        endpoints=SimulatedEndpoints(),
        ledger=ledger(),
        now=lambda: NOW,
    )
    box = Toolbox([submit_report_for(PORTABLE.fields)], reading)
    draft = {
        "fields": {
            "enteric_tube": {"value": "satisfactory", "evidence": "E1", "sure": True},
            "chest_tube": "right",
            "tip_above_carina": {"value": 12, "evidence": ["E1"]},
            "other_devices": None,
        }
    }
    answer = await box.call("submit_report", json.dumps(draft), agent="a", call_id="c")
    said = json.loads(answer.text)
    assert reading.report is not None
    assert field(reading.report, "enteric_tube").evidence == ("E1",)
    assert field(reading.report, "chest_tube").value == "right"
    assert said["accepted"] is False
    assert {"GRD-1", "NUM-1"} <= {issue["code"] for issue in said["issues"] if str(issue["where"]).startswith("field:")}


# renderings


def rendered(report: Report) -> dict[str, str]:
    stream = io.StringIO()
    Console(file=stream, width=200).print(to_terminal(report))
    return {"html": to_html(report, {}), "md": to_markdown(report), "terminal": stream.getvalue()}


@pytest.mark.parametrize("kind", ["html", "md", "terminal"])
def test_fields_show_in_every_rendering(kind: str) -> None:
    text = rendered(made({**NODULE, "nodule_location": "moon"}))[kind]
    for said in ("6.4 mm", "Location", "Needed before anybody signs.", "by table", "then CT at 18", "SEC-2", "moon"):
        assert said in text, said


@pytest.mark.parametrize("kind", ["html", "md", "terminal"])
def test_a_template_without_fields_shows_none(kind: str) -> None:
    report = made({}, template=load_template("generic"), of=study())
    assert "Fields" not in rendered(report)[kind] and "FIELDS" not in rendered(report)[kind]


def test_a_filled_report_survives_json() -> None:
    report = made(dict(NODULE))
    assert Report.model_validate_json(report.model_dump_json()) == report

"""Critical results: which findings they are, banner, event and record, and that only a person fills the record."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from wetread.artifacts import ArtifactStore
from wetread.errors import ConfigError
from wetread.events import EVENTS, CriticalResultFound, ReportReady
from wetread.evidence import Ledger, ModelVersion
from wetread.reports.checks import check_report
from wetread.reports.compose import compose, with_issues
from wetread.reports.critical import SECTION, CriticalList, built_in, communicated, critical_list
from wetread.reports.language import lexicon
from wetread.reports.model import Communication, CriticalResult, Draft, DraftImpression, DraftStatement, Report
from wetread.reports.render import to_html, to_markdown, to_terminal
from wetread.reports.template import load_template
from wetread.session import Session
from wetread.study import ImageSource, Study, StudyImage
from wetread.study_reading import read_study
from wetread.testing.phantom import chest_phantom
from wetread.testing.scripted import ScriptedModel, calls
from wetread.testing.simulated import SimulatedEndpoints
from wetread.tools.submit_report import SubmitFormArguments, SubmitReportArguments
from wetread.vocabulary import Origin, View

NOW = datetime(2030, 5, 6, 7, 8, tzinfo=UTC)
TOLD = Communication(
    to="Dr. A <b>", by="Dr. B", at=datetime(2030, 5, 6, 7, 30, tzinfo=UTC), how="by telephone, read back"
)


def made(*texts: str, impression: tuple[str, ...] = (), workspace: Path | None = None) -> Report:
    ledger = Ledger()
    ledger.open("report_findings", {}).close(model=ModelVersion(name="M"), origin=Origin.ENDPOINT, status="ok")
    source = ImageSource(path=Path("x.dcm"), kind="dicom")
    study = Study(
        images=(StudyImage(handle="image_1", modality="DX", view=View.PA, rows=10, columns=10, source=source),)
    )
    report = compose(
        Draft(
            findings=tuple(DraftStatement(system="pleura", text=text, evidence=("E1",)) for text in texts),
            impression=tuple(DraftImpression(text=text, evidence=("E1",)) for text in impression),
            recommendations=("Tell the clinician of the pneumothorax.",),
        ),
        study=study,
        template=load_template("chest-xray", workspace),
        ledger=ledger,
        artifacts=ArtifactStore(),
        now=NOW,
        language_model="scripted",
    )
    return with_issues(report, check_report(report, study))


def named(report: Report) -> list[str]:
    return [result.name for result in report.critical]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("There is a small right pneumothorax.", "right pneumothorax"),
        ("Left tension pneumothorax.", "left tension pneumothorax"),
        ("Pneumothorax cannot be excluded.", "pneumothorax"),
        ("Free air under the diaphragm.", "pneumoperitoneum"),
        ("Pneumomediastinum.", "pneumomediastinum"),
        ("The mediastinum is widened.", "mediastinal widening"),
        ("Massive left pleural effusion.", "massive left pleural effusion"),
        ("The endotracheal tube tip is in the right main bronchus.", "misplaced endotracheal tube"),
        ("Feeding tube with its tip in the airway.", "misplaced enteric tube"),
    ],
)
def test_critical_findings_are_found(text: str, name: str) -> None:
    assert name in named(made(text))


@pytest.mark.parametrize(
    "text",
    [
        "No pneumothorax.",
        "The pneumothorax has resolved.",
        "History of pneumothorax.",
        "Small left pleural effusion.",
        "No massive effusion.",
        "The endotracheal tube tip is 4 cm above the carina.",
        "The endotracheal tube tip projects 5 cm above the right main bronchus.",
        "Widened mediastinum, unchanged.",
        "Small pleural effusion with massive cardiomegaly.",
        "Massive cardiomegaly and a small pleural effusion.",
        "Consolidation in the left lower lobe.",
    ],
)
def test_what_is_not_critical_is_not(text: str) -> None:
    report = made(text)
    assert report.critical == ()
    assert SECTION not in {section.name for section in report.sections}


def test_the_same_result_is_told_once_with_all_its_statements() -> None:
    report = made("Possible left pneumothorax.", "No rib fracture.", impression=("Left pneumothorax.", "Pneumothorax."))
    (result,) = report.critical
    assert (result.name, result.assertion, result.statements) == ("left pneumothorax", "present", ("S1", "S3", "S4"))
    assert result.found == NOW and result.communication.missing == ("to", "by", "at", "how")


def test_the_most_urgent_comes_first_and_sides_stay_apart() -> None:
    report = made("The mediastinum is widened.", "Right pneumothorax. Left pneumothorax.", "Left tension pneumothorax.")
    assert named(report) == [
        "left tension pneumothorax",
        "right pneumothorax",
        "left pneumothorax",
        "mediastinal widening",
    ]


def test_the_list_names_findings_of_the_lexicon() -> None:
    assert {rule.finding for rule in built_in().add} <= set(lexicon().findings)
    assert {"pneumothorax", "pneumoperitoneum", "pneumomediastinum", "malpositioned_tube"} <= {
        rule.finding for rule in built_in().add if not rule.words
    }


def test_a_workspace_changes_the_list(tmp_path: Path) -> None:
    folder = tmp_path / "prompts" / "reports"
    folder.mkdir(parents=True)
    path = folder / "critical.yaml"
    path.write_text("remove: [pneumothorax]\nadd:\n  - {finding: cardiomegaly}\n", encoding="utf-8")
    report = made("Left pneumothorax.", "Cardiomegaly.", workspace=tmp_path)
    assert named(report) == ["cardiomegaly"]
    assert named(made("Left pneumothorax.", "Cardiomegaly.")) == ["left pneumothorax"]
    path.write_text("add: [{finding: pneumotorax}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Did you mean 'pneumothorax'") as caught:
        critical_list(tmp_path)
    assert caught.value.code == "WET-CONFIG-YAML" and "critical.yaml, line 1" in caught.value.line()


def test_a_template_changes_the_list_for_itself(tmp_path: Path) -> None:
    source = load_template("generic").model_dump(mode="json", exclude_defaults=True, exclude={"critical"})
    folder = tmp_path / "prompts" / "reports" / "mine"
    folder.mkdir(parents=True)
    data = {**source, "name": "mine", "critical": {"add": [{"finding": "fracture"}], "remove": ["pneumothorax"]}}
    (folder / "template.yaml").write_text(json.dumps(data), encoding="utf-8")
    found = {rule.finding for rule in load_template("mine", tmp_path).critical.add}
    assert "fracture" in found and "pneumothorax" not in found and "pneumomediastinum" in found
    assert load_template("generic", tmp_path).critical == built_in()


def test_removals_come_before_additions() -> None:
    other = CriticalList.model_validate({"remove": ["pneumothorax"], "add": [{"finding": "nodule"}]})
    rules = built_in().changed(other)
    again = rules.changed(CriticalList.model_validate({"add": [{"finding": "pneumothorax"}], "remove": ["nodule"]}))
    assert {rule.finding for rule in again.add} == {rule.finding for rule in built_in().add}


# the record


def test_there_is_a_section_and_an_open_record() -> None:
    report = made("Left pneumothorax.")
    section = next(section for section in report.sections if section.name == SECTION)
    assert section.loinc == "73568-8"
    assert section.text == "Left pneumothorax (S1), found 2030-05-06 07:08. No communication is recorded."
    assert [issue.severity for issue in report.issues if issue.code == "CRT-1"] == ["warning"]
    final = report.model_copy(update={"status": "final"})
    assert [issue.severity for issue in check_report(final) if issue.code == "CRT-1"] == ["error"]


def test_a_person_fills_the_record_step_by_step() -> None:
    first = made("Left pneumothorax.")
    second = communicated(first, "pneumothorax", Communication(to="Dr. A"))
    assert (second.version, second.replaces) == (2, first.sha256)
    assert [issue.code for issue in check_report(second) if issue.code.startswith("CRT")] == ["CRT-2"]
    third = communicated(second, "pneumothorax", TOLD)
    assert third.critical[0].communication == TOLD
    assert third.sha256 == third.content_hash()
    assert not [issue for issue in check_report(third) if issue.code.startswith("CRT")]
    section = next(section for section in third.sections if section.name == SECTION)
    assert "to Dr. A <b> by Dr. B at 2030-05-06 07:30, by telephone, read back." in section.text
    with pytest.raises(ValueError, match="no critical result"):
        communicated(third, "nodule", TOLD)


def test_an_agent_has_no_way_to_fill_the_record() -> None:
    draft = {"communication": {"to": "Dr. A"}, "critical": [{"finding": "pneumothorax"}]}
    for arguments in (SubmitReportArguments, SubmitFormArguments):
        assert not {"communication", "critical"} & set(arguments.model_fields)
        with pytest.raises(ValueError, match="Extra inputs"):
            arguments.model_validate(draft)
    assert not {"communication", "critical"} & set(Draft.model_fields)
    report = made("Left pneumothorax, communicated to Dr. A by Dr. B at 10:00 by telephone.")
    assert report.critical[0].communication == Communication()
    assert "CRT-1" in {issue.code for issue in report.issues}


@pytest.mark.parametrize("kind", ["html", "md", "terminal"])
def test_the_banner_is_on_every_rendering(kind: str) -> None:
    def rendered(report: Report) -> str:
        if kind == "html":
            return to_html(report, {})
        if kind == "md":
            return to_markdown(report)
        stream = io.StringIO()
        Console(file=stream, width=200).print(to_terminal(report))
        return stream.getvalue()

    text = rendered(made("Possible left pneumothorax."))
    assert "critical result" in text.lower() and "Possible left pneumothorax" in text
    assert "No communication is recorded." in text
    told = rendered(communicated(made("Left pneumothorax."), "pneumothorax", TOLD))
    assert "Dr. B" in told and "No communication is recorded." not in told and "<b>" not in told.replace("A <b>", "A")
    # the banner comes before the findings
    assert text.lower().index("critical result") < text.lower().index("findings</h2>" if kind == "html" else "findings")
    assert "critical result" not in rendered(made("No pneumothorax.")).lower()


async def test_the_stream_tells_it_before_the_report(tmp_path: Path) -> None:
    chest_phantom(seed=3).write_png(tmp_path / "frontal.png")
    study = read_study([tmp_path / "frontal.png"], view="PA")
    draft = {
        "findings": [{"system": "pleura", "text": "Left pneumothorax.", "evidence": ["E1"]}],
        "impression": [{"text": "Left pneumothorax.", "evidence": ["E1"]}],
    }
    model = ScriptedModel([calls(("report_findings", {})), *[calls(("submit_report", draft))] * 3])
    async with Session(study, endpoints=SimulatedEndpoints(), model=model, specialists=(), now=lambda: NOW) as session:
        events = [event async for event in session.send("Read this.")]
    kinds = [event.type for event in events if isinstance(event, CriticalResultFound | ReportReady)]
    assert kinds == ["critical_result", "report_ready"]
    event = next(event for event in events if isinstance(event, CriticalResultFound))
    assert EVENTS.validate_json(EVENTS.dump_json(event)) == event
    assert event.result == session.result().critical[0]


def test_a_result_survives_json() -> None:
    result: Any = communicated(made("Left pneumothorax."), "pneumothorax", TOLD).critical[0]
    assert CriticalResult.model_validate_json(result.model_dump_json()) == result

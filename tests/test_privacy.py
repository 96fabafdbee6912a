"""No identifier of a header or an order gets anywhere: prompts, tapes, reports, pictures, logs, error texts."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from wetread.apps.cli import main
from wetread.session import Session
from wetread.study_reading import read_study
from wetread.testing import SimulatedEndpoints
from wetread.testing.scripted import ScriptedModel

IDENTIFIERS = {
    "PatientName": "Quibblewick^Zebedee",
    "PatientID": "ZX-4471-QQ",
    "PatientBirthDate": "19470221",
    "OtherPatientNames": "Wobblethorpe^Zebedee",
    "PatientAddress": "14 Nettlebed Crescent",
    "PatientTelephoneNumbers": "01632 960111",
    "AccessionNumber": "ACC90210Z",
    "StudyID": "STU7733",
    "InstitutionName": "Saint Obscura Infirmary",
    "InstitutionAddress": "Vellichor Lane 3",
    "ReferringPhysicianName": "Grimthorpe^Aurelia",
    "PerformingPhysicianName": "Sneddleworth^Ottoline",
    "OperatorsName": "Pockthorpe^Ignatius",
    "StationName": "OBSCURA-CR-07",
    "DeviceSerialNumber": "SN88123X",
}
FREE_TEXT = (
    "Prior report for Zebedee Quibblewick (ZX-4471-QQ), born 1947-02-21, seen by Dr Grimthorpe at Saint Obscura"
    " Infirmary. There was a small left pleural effusion."
)
TRACES = (
    "quibblewick",
    "zebedee",
    "wobblethorpe",
    "zx-4471",
    "19470221",
    "1947-02-21",
    "nettlebed",
    "960111",
    "acc90210z",
    "stu7733",
    "obscura",
    "vellichor",
    "grimthorpe",
    "aurelia",
    "sneddleworth",
    "pockthorpe",
    "sn88123x",
    "1.2.826.0.1.3680043.8.498.",
)
"""What must be found nowhere, in lower case; the last is the root of every UID in the file."""

AUTHORED = """
chat:
  orchestrator:
    - calls:
        - study_context: {}
        - report_findings: {}
        - segment: {structures: [heart]}
        - measure: {}
        - classify: {}
        - find_similar: {}
        - consult_historian: {question: What is known from before?}
    - calls:
        - submit_report:
            findings: [{system: pleura, text: No pneumothorax., evidence: [E2]}]
            impression: [{text: No pneumothorax., evidence: [E2]}]
    - calls:
        - submit_report:
            findings: [{system: pleura, text: No pneumothorax., evidence: [E2]}]
            impression: [{text: No pneumothorax., evidence: [E2]}]
    - calls:
        - submit_report:
            findings: [{system: pleura, text: No pneumothorax., evidence: [E2]}]
            impression: [{text: No pneumothorax., evidence: [E2]}]
  historian:
    - calls: [{study_context: {}}]
    - answer:
        findings:
          - {finding: pleural effusion, status: present, source: prior_report, quote: small left pleural effusion}
  reviewer:
    - answer: {objections: []}
"""


def write_dicom(path: Path, *, pixels: bool = True) -> Path:
    """A chest radiograph whose header is full of identifiers, its free text too."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID = generate_uid()
    data.SeriesInstanceUID = generate_uid()
    for keyword, value in IDENTIFIERS.items():
        setattr(data, keyword, value)
    data.PatientSex = "M"
    data.Modality = "DX"
    data.BodyPartExamined = "CHEST"
    data.ViewPosition = "PA"
    data.PatientOrientation = ["L", "F"]
    data.StudyDate = "20260110"
    data.StudyDescription = "Chest PA for Zebedee Quibblewick"
    data.RequestedProcedureDescription = "Chest ZX-4471-QQ"
    data.ReasonForStudy = "Mr Quibblewick has cough. Accession ACC90210Z."
    data.ReasonForTheRequestedProcedure = "Mr Quibblewick has cough. Accession ACC90210Z."
    data.AdditionalPatientHistory = "Known to Dr Aurelia Grimthorpe. Smoker."
    data.PatientComments = "Zebedee, 14 Nettlebed Crescent"
    data.ImageComments = "Quibblewick"
    if pixels:
        y, x = np.mgrid[:256, :224]
        data.Rows, data.Columns = 256, 224
        data.SamplesPerPixel = 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelRepresentation = 0
        data.PixelData = (np.hypot(x - 112, y - 128) * 200).astype("<u2").tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


def traces_in(data: bytes) -> list[str]:
    lowered = data.decode("utf-8", "replace").lower()
    return [trace for trace in TRACES if trace in lowered]


def traces_below(folder: Path) -> dict[str, list[str]]:
    """For every file in a folder what it gives away."""
    found = {str(path): traces_in(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    return {path: traces for path, traces in found.items() if traces}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scenarios" / "private" / "study"
    folder.mkdir(parents=True)
    write_dicom(folder / "image.dcm")
    (folder.parent / "prior.txt").write_text(FREE_TEXT)
    return folder


def test_the_search_itself_finds_them(study: Path) -> None:
    header = (study / "image.dcm").read_bytes() + FREE_TEXT.encode()
    assert sorted(traces_in(header)) == sorted(TRACES)


@pytest.mark.parametrize("model", ["protocol", "tape"])
def test_prompts_tapes_reports_and_logs_are_clean(
    study: Path, model: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    scenario = study.parent
    (scenario / "scenario.yaml").write_text(
        f"title: Private\nmodel: {model}\nendpoints: simulated\nnow: 2026-01-15T09:00:00+00:00\n"
        "study: {paths: [study], prior_report: prior.txt}\n"
    )
    if model == "tape":
        (scenario / "authored.yaml").write_text(AUTHORED)
    recorded = main(["run", "private", "--record", "--out", "out", "--show"])
    shown = "".join(capfd.readouterr())
    assert recorded == 0, shown
    assert "effusion" in (scenario / "tape.json").read_text()
    assert traces_in(shown.encode()) == []
    assert traces_in(caplog.text.encode()) == []
    assert traces_in((scenario / "tape.json").read_bytes()) == []
    assert traces_below(scenario / "expected") == {}
    assert traces_below(study.parents[2] / "out") == {}


def test_a_reading_leaves_no_trace(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["read", str(study), "--simulated", "--prior-report", str(study.parent / "prior.txt"), "--out", "out", "--json"]
    )
    shown = "".join(capfd.readouterr())
    assert code == 0, shown
    assert traces_in(shown.encode()) == []
    assert traces_below(study.parents[2] / "out") == {}


@pytest.mark.parametrize("spoil", ["truncated", "no pixels", "two patients", "wrong length", "not UTF-8 report"])
def test_errors_are_clean(study: Path, spoil: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = study / "image.dcm"
    arguments = ["read", str(study), "--simulated"]
    if spoil == "truncated":
        path.write_bytes(path.read_bytes()[:-60_000])
    elif spoil == "no pixels":
        write_dicom(path, pixels=False)
    elif spoil == "two patients":
        other = pydicom.dcmread(write_dicom(study / "other.dcm"))
        other.PatientName, other.PatientID = "Sneddleworth^Zebedee", "ZX-4471-RR"
        other.save_as(study / "other.dcm")
    elif spoil == "wrong length":
        broken = pydicom.dcmread(path)
        broken.Rows = 4000
        broken.save_as(path)
    else:
        prior = study.parent / "prior.txt"
        prior.write_bytes(FREE_TEXT.encode() + b"\xff\xfe")
        arguments += ["--prior-report", str(prior)]
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.strip().split("\n")[-1].startswith("WET-INPUT-")
    assert traces_in(err.encode()) == []


async def test_what_a_person_types_is_cleaned_before_a_model_sees_it(study: Path) -> None:
    model = ScriptedModel(lambda request: "Noted.")
    read = read_study(study, indication="Zebedee Quibblewick coughs.", prior_report=study.parent / "prior.txt")
    async with Session(read, endpoints=SimulatedEndpoints(), model=model) as session:
        async for _ in session.send("Is Mr Quibblewick (ZX-4471-QQ, born 21 Feb 1947) seen by Grimthorpe worse?"):
            pass
        said = session.transcript
    assert "Is Mr [removed]" in said[0].text and "worse?" in said[0].text
    assert model.requests
    seen = "".join(message.text for request in model.requests for message in request.messages)
    assert traces_in(seen.encode()) == []
    assert traces_in("".join(message.text for message in said).encode()) == []
    assert traces_in((repr(read) + read.model_dump_json() + repr(session.study)).encode()) == []


def test_a_label_of_the_case_library_is_cleaned(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    more = ["--library", "cases.db", "--simulated"]
    arguments = ["--id", "case-1", "--label", "mass of Quibblewick", "--snippet", "Dr Grimthorpe saw a mass."]
    assert main(["index", "add", str(study), *arguments, *more]) == 0
    assert traces_below(study.parents[2] / "out") == {}
    found = Path("cases.db").read_bytes()
    assert traces_in(found) == []
    assert b"saw a mass" in found


def test_a_copy_of_a_study_still_cleans_and_two_readings_are_equal(study: Path) -> None:
    first, second = read_study(study), read_study(study)
    assert first == second
    assert first.model_copy(update={"exam": None}).scrub("for Quibblewick") == "for [removed]"

"""Identifiers of headers reach no text of a study, no error and no log."""

from __future__ import annotations

import json
import logging
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset

from wetread.deidentify import REMOVED, Identifiers
from wetread.errors import InputError
from wetread.imaging.bank import ImageBank
from wetread.study_reading import read_study
from wetread.testing.phantom import chest_phantom

HEADER: dict[str, Any] = {
    "PatientName": "Quibblewick^Zebedee^Ó",
    "PatientID": "ZX-4471-QQ",
    "OtherPatientIDs": ["88123", "PP77"],
    "PatientBirthDate": "19401207",
    "PatientAddress": "14 Nettlebed Crescent, Oxhey",
    "PatientTelephoneNumbers": "01632 960123",
    "AccessionNumber": "ACC90210Z",
    "InstitutionName": "St Swithin's Infirmary",
    "ReferringPhysicianName": "Grimthorpe^Aurelia",
    "OperatorsName": "ward",
    "StationName": "THORAX7",
    "DeviceSerialNumber": "92.00.003",
    "StudyID": "exam Number",
    "StudyInstanceUID": "1.2.3.4567.89",
}
TRACES = ("quibblewick", "zebedee", "4471", "88123", "pp77", "nettlebed", "960123", "90210", "swithin", "grimthorpe",
          "aurelia", "thorax7", "92.00.003", "4567.89", "1940")  # fmt: skip


def identifiers() -> Identifiers:
    dataset = Dataset()
    for keyword, value in HEADER.items():
        setattr(dataset, keyword, value)
    nested = Dataset()
    nested.PatientID = "NEST-5521"
    nested.PersonName = "Inner^Person"
    dataset.OtherPatientIDsSequence = [nested]
    found = Identifiers()
    found.add_header(dataset)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "Quibblewick",
        "QUIBBLEWICK, Zebedee",
        "zebedee quibblewick",
        "Zebedee Ó. Quibblewick",
        "ZX-4471-QQ",
        "zx4471qq",
        "ZX 4471 QQ",
        "88123",
        "pp77",
        "19401207",
        "1940-12-07",
        "07.12.1940",
        "7/12/1940",
        "12/7/40",
        "07-DEC-1940",
        "7 December 1940",
        "7th of December, 1940",
        "December 7, 1940",
        "Dec. 7th 1940",
        "14 Nettlebed Crescent, Oxhey",
        "01632-960123",
        "St. Swithin's Infirmary",
        "ST SWITHIN’S INFIRMARY",
        "Grimthorpe",
        "acc90210z",
        "92.00.003",
        "1.2.3.4567.89",
        "Exam  number",
        "NEST-5521",
        "Person",
    ],
)
def test_spellings_that_are_found(text: str) -> None:
    cleaned = identifiers().scrub(f"Seen: {text}; cough.")
    assert REMOVED in cleaned
    assert "".join(filter(str.isalnum, cleaned.replace(REMOVED, ""))) == "Seencough"


@pytest.mark.parametrize(
    "text",
    [
        "Patient from the ward, 2nd exam of the day.",
        "Nodule of 12 mm, seen on 7 December 2024.",
        "Zebedeeism is no word; Quibblewicks neither.",
        "The number 8812 and 881234.",
        "St elevation; infirmary.",
        "No pneumothorax at 14 cm.",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert identifiers().scrub(text) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Müller^Jörg", "Mueller Jorg Muller MÜLLER"),
        ("Łukasiewicz^Żaneta", "Lukasiewicz Żaneta Zaneta"),
        ("O'Brien^Siân", "O'Brien OBrien O’Brien Sian"),
        ("Smith-Jones^Al", "Smith-Jones Smith Jones, Al"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田太郎 Yamada たろう"),
    ],
)
def test_names_of_the_world(name: str, text: str) -> None:
    found = Identifiers()
    found.add_name(name)
    assert found.scrub(text).replace(REMOVED, "").strip(" ,-") == ""


def test_short_and_common_words_are_taken_as_names_only_together() -> None:
    found = Identifiers()
    found.add_name("Left^Ann^Bo")
    assert found.scrub("left lung of Ann Left, bo") == f"left lung of {REMOVED}, bo"
    assert found.scrub("Bo Left is here") == f"{REMOVED} is here"


def test_nothing_known_nothing_done() -> None:
    assert Identifiers().scrub("No effusion.") == "No effusion."
    assert "4" not in repr(identifiers()) or "ZX" not in repr(identifiers())


@given(st.text(max_size=300))
@settings(deadline=None, max_examples=100)
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    known = identifiers()
    once = known.scrub(text)
    assert known.scrub(once) == once
    assert not known.found_in(once)


def test_long_hostile_text_is_scrubbed_to_its_end() -> None:
    """Patterns that backtracked would not come back from this."""
    text = "zebede " * 20_000 + "1-9-4-0-" * 20_000 + "ZX 4471 " * 20_000 + "zebedee"
    cleaned = identifiers().scrub(text)
    assert cleaned.endswith(REMOVED)
    assert "zebedee" not in cleaned


def test_no_identifier_reaches_a_study(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts = {
        "StudyDescription": "Chest for Zebedee Quibblewick",
        "BodyPartExamined": "QUIBBLEWICK",
        "ReasonForStudy": "Mr Quibblewick, ZX-4471-QQ, born 7.12.1940: cough. ACC90210Z",
        "AdditionalPatientHistory": "Of Dr Aurelia Grimthorpe, St Swithin's Infirmary.",
        "ImageComments": "Quibblewick",
    }
    report = tmp_path / "prior.txt"
    report.write_text(
        "88123 Quibblewick: clear. Tel. 01632 960123, 1.2.3.4567.89, THORAX7, S/N 92.00.003, PP77. "
        "Lives at 14 Nettlebed Crescent, Oxhey."
    )
    path = chest_phantom(64).write_dicom(tmp_path / "Quibblewick.dcm", elements={**HEADER, **texts})
    study = read_study([path], prior_report=report, indication="Zebedee coughs", technique="on THORAX7")
    ImageBank(study).pixels_now("image_1")
    shown = (study.model_dump_json() + repr(study) + str(study) + caplog.text).lower()
    assert [trace for trace in TRACES if trace in shown] == []
    assert study.indication == f"{REMOVED} coughs"
    assert study.age_years == 85
    assert json.loads(study.model_dump_json())["images"][0].keys().isdisjoint({"source"})


def test_identifiers_of_a_prior_are_scrubbed_too(tmp_path: Path) -> None:
    now = chest_phantom(64).write_dicom(tmp_path / "a.dcm")
    prior = chest_phantom(64, seed=1).write_dicom(
        tmp_path / "b.dcm", study_date=date(2025, 1, 1), elements={"PatientName": "Quibblewick^Zebedee"}
    )
    assert read_study([now], prior=[prior], indication="Zebedee coughs").indication == f"{REMOVED} coughs"


def test_libraries_do_not_warn_or_log_of_headers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Both quote values; both are silent while a study is read, and speak as before afterwards."""
    caplog.set_level(logging.DEBUG)
    path = chest_phantom(64).write_dicom(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(path)
    with pydicom.config.disable_value_validation():
        dataset.PatientBirthDate = "Quibblewick"
        dataset.StudyTime = "Quibblewick"
        dataset.SeriesInstanceUID = "Quibblewick"
        dataset.save_as(path)
    picture = tmp_path / "b.tiff"
    Image.new("L", (64, 64)).save(picture, tiffinfo={270: "Quibblewick", 315: "Zebedee"})
    caplog.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImageBank(read_study([path])).pixels_now("image_1")
        ImageBank(read_study([picture])).pixels_now("image_1")
    assert "uibblewick" not in caplog.text
    logging.getLogger("pydicom").warning("heard again")
    assert "heard again" in caplog.text


def test_errors_do_not_name_files_found_in_folders(tmp_path: Path) -> None:
    chest_phantom(64).write_dicom(tmp_path / "Quibblewick^Zebedee.dcm", elements=HEADER)
    data = (tmp_path / "Quibblewick^Zebedee.dcm").read_bytes()
    (tmp_path / "Quibblewick^Zebedee.dcm").write_bytes(data[:-200])
    with pytest.raises(InputError) as caught:
        read_study([tmp_path])
    assert not any(trace in caught.value.line().lower() for trace in TRACES)

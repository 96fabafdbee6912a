"""Files to a study: order, views, sides, spacings, ages, dates, texts."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wetread.imaging.bank import ImageBank
from wetread.study import Spacing
from wetread.study_reading import MAX_REPORT, read_study
from wetread.testing.dicom import write_dicom
from wetread.testing.phantom import Phantom, chest_phantom
from wetread.vocabulary import View


@pytest.fixture(scope="module")
def frontal() -> Phantom:
    return chest_phantom(96)


@pytest.fixture(scope="module")
def lateral() -> Phantom:
    return chest_phantom(96, 80, view="lateral")


def gray(path: Path, **options: Any) -> Path:
    return write_dicom(path, np.arange(32 * 32, dtype=np.uint16).reshape(32, 32), **options)


def test_a_folder_is_ordered_by_view_and_time(frontal: Phantom, lateral: Phantom, tmp_path: Path) -> None:
    folder, prior = tmp_path / "study", tmp_path / "prior"
    (folder / "deep").mkdir(parents=True)
    prior.mkdir()
    lateral.write_dicom(folder / "a.dcm")
    frontal.write_dicom(folder / "deep" / "b", view="AP", modality="CR")
    chest_phantom(96, seed=1).write_dicom(folder / "z.dcm", view="PA")
    gray(folder / "0.dcm", view="RAO", modality="DX")
    frontal.write_dicom(prior / "older.dcm", study_date=date(2020, 1, 1))
    frontal.write_dicom(prior / "newer.dcm", study_date=date(2025, 3, 2))
    study = read_study([folder], prior=[prior])
    assert [(image.handle, image.role, image.view) for image in study.images] == [
        ("image_1", "current", View.PA),
        ("image_2", "current", View.AP),
        ("image_3", "current", View.LATERAL),
        ("image_4", "current", View.OTHER),
        ("image_5", "prior", View.PA),
        ("image_6", "prior", View.PA),
    ]
    assert [image.days_before for image in study.images] == [None] * 4 + [365, 2252]
    assert study.acquired == date(2026, 3, 2)
    assert study.frontal() == study.images[0]
    assert study.lateral() == study.images[2]


def test_order_does_not_depend_on_how_the_files_are_given(frontal: Phantom, lateral: Phantom, tmp_path: Path) -> None:
    files = [lateral.write_dicom(tmp_path / "1.dcm"), frontal.write_dicom(tmp_path / "2.dcm")]
    assert read_study(files).model_dump() == read_study(files[::-1]).model_dump()


def test_slices_are_ordered_by_series_and_instance(tmp_path: Path) -> None:
    for name, series, instance in (("a", 2, 1), ("b", 1, 10), ("c", 1, 9)):
        gray(
            tmp_path / f"{name}.dcm",
            modality="CT",
            elements={"SeriesNumber": series, "InstanceNumber": instance, "StudyInstanceUID": "2.25.1"},
        )
    assert [image.source.path.name for image in read_study([tmp_path]).images] == ["c.dcm", "b.dcm", "a.dcm"]


@pytest.mark.parametrize("preamble", [b"II*\0" + bytes(124), b"\x89PNG\r\n\x1a\n" + bytes(120), bytes(128), b""])
@pytest.mark.parametrize("compression", ["none", "implicit"])
def test_dicom_is_known_by_its_content(frontal: Phantom, tmp_path: Path, preamble: bytes, compression: Any) -> None:
    path = frontal.write_dicom(
        tmp_path / "picture.png", preamble=preamble, compression=compression, photometric="MONOCHROME1"
    )
    study = read_study([path])
    assert study.images[0].modality == "DX"
    assert (ImageBank(study).pixels_now("image_1") == frontal.pixels).all()


def test_a_bare_data_set_is_found_in_a_folder(frontal: Phantom, tmp_path: Path) -> None:
    frontal.write_dicom(tmp_path / "IM0001", preamble=b"")
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / ".hidden").write_bytes(b"\0")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 200)
    study = read_study([tmp_path])
    assert len(study.images) == 1
    assert study.warnings == ("1 file that is no image left out.",)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("PA", View.PA),
        ("AP", View.AP),
        ("LL", View.LATERAL),
        ("RL", View.LATERAL),
        ("LLD", View.OTHER),
        ("", View.UNKNOWN),
    ],
)
def test_view_position(tmp_path: Path, position: str, expected: View) -> None:
    assert read_study([gray(tmp_path / "x.dcm", view=position)]).images[0].view is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("272479007", View.PA),
        ("399348003", View.AP),
        ("399033003", View.FRONTAL),
        ("R-10236", View.LATERAL),
        ("1", View.OTHER),
    ],
)
def test_view_code(tmp_path: Path, code: str, expected: View) -> None:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", "a view"
    assert read_study([gray(tmp_path / "x.dcm", elements={"ViewCodeSequence": [item]})]).images[0].view is expected


def test_a_ct_has_no_radiographic_view(tmp_path: Path) -> None:
    image = read_study([gray(tmp_path / "x.dcm", modality="CT", view="PA")]).images[0]
    assert (image.view, image.is_radiograph) == (View.UNKNOWN, False)


@pytest.mark.parametrize(
    ("elements", "view", "expected"),
    [
        ({"PatientOrientation": ["L", "F"]}, "PA", "left"),
        ({"PatientOrientation": ["R", "F"]}, "PA", "right"),
        ({"PatientOrientation": ["LA", "F"]}, "AP", "left"),
        ({"PatientOrientation": ["A", "F"]}, "PA", "unknown"),
        ({"PatientOrientation": ["L", "F"]}, "LL", "unknown"),
        ({"PatientOrientation": ""}, "PA", "unknown"),
        ({}, "PA", "unknown"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, None, "left"),
        ({"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}, None, "right"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, None, "unknown"),
    ],
)
def test_side_of_the_patients_right(tmp_path: Path, elements: dict[str, Any], view: str | None, expected: str) -> None:
    assert read_study([gray(tmp_path / "x.dcm", view=view, elements=elements)]).images[0].patient_right_on == expected


@pytest.mark.parametrize(
    ("modality", "elements", "expected"),
    [
        ("CT", {"PixelSpacing": [0.5, 0.6]}, (0.5, 0.6, "calibrated")),
        ("DX", {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.1, 0.1, "calibrated")),
        ("DX", {"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2, "detector")),
        ("DX", {"PixelSpacing": [0.1, 0.1]}, (0.1, 0.1, "detector")),
        ("CR", {"ImagerPixelSpacing": [0.143, 0.143]}, (0.143, 0.143, "detector")),
        ("CR", {"PixelSpacing": [0.0, 0.0]}, None),
        ("CT", {"PixelSpacing": [-1.0, 1.0]}, None),
        ("CT", {"PixelSpacing": [float("nan"), 1.0]}, None),
        ("CT", {"PixelSpacing": 1.0}, None),
        ("US", {"PixelSpacing": [0.1, 0.1]}, None),
        ("DX", {}, None),
    ],
)
def test_spacing(
    tmp_path: Path, modality: str, elements: dict[str, Any], expected: tuple[float, float, Any] | None
) -> None:
    found = read_study([gray(tmp_path / "x.dcm", modality=modality, elements=elements)]).images[0].spacing
    assert found == (
        Spacing(row_mm=expected[0], column_mm=expected[1], kind=expected[2]) if expected is not None else None
    )


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"PatientAge": "061Y"}, 61),
        ({"PatientAge": "018M"}, 1),
        ({"PatientAge": "052W"}, 0),
        ({"PatientAge": "009D"}, 0),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": "097Y"}, 90),
        ({"PatientBirthDate": "19650303"}, 60),
        ({"PatientBirthDate": "19650302"}, 61),
        ({"PatientBirthDate": "19200101"}, 90),
        ({"PatientBirthDate": "20300101"}, None),
        ({"PatientAge": "old", "PatientBirthDate": "nonsense"}, None),
        ({}, None),
    ],
)
def test_age(tmp_path: Path, elements: dict[str, Any], expected: int | None) -> None:
    import pydicom
    from pydicom import config

    path = gray(tmp_path / "x.dcm")
    dataset = pydicom.dcmread(path)
    with config.disable_value_validation():
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
    assert read_study([path]).age_years == expected


@pytest.mark.parametrize(("sex", "expected"), [("F", "F"), ("M", "M"), ("O", "O"), ("", None), ("X", None)])
def test_sex(tmp_path: Path, sex: str, expected: str | None) -> None:
    assert read_study([gray(tmp_path / "x.dcm", elements={"PatientSex": sex})]).sex == expected


def test_texts_of_the_order_come_from_options_before_the_header(tmp_path: Path) -> None:
    path = gray(
        tmp_path / "x.dcm",
        elements={
            "StudyDescription": "CHEST 1V",
            "ReasonForStudy": "Husten für 2 Wochen",
            "AdditionalPatientHistory": "Smoker",
        },
    )
    study = read_study([path])
    assert (study.exam, study.indication, study.history) == ("CHEST 1V", "Husten für 2 Wochen", "Smoker")
    assert read_study([path], indication="Fever").indication == "Fever"


def test_texts_lose_what_cannot_be_seen_and_are_cut(tmp_path: Path) -> None:
    report = tmp_path / "prior.txt"
    report.write_text("\ufeffNo\u200b effusion.\x1b[31m\r\nCafe\u0301.\u202e" + "x" * 30_000, encoding="utf-8")
    study = read_study([gray(tmp_path / "x.dcm")], prior_report=report)
    assert study.prior_report is not None
    assert study.prior_report.text.startswith("No effusion.[31m\nCafé.xxx")
    assert len(study.prior_report.text) == MAX_REPORT
    assert study.warnings == (f"The prior report was cut after {MAX_REPORT} characters.",)


def test_an_option_gives_the_one_unknown_view(frontal: Phantom, lateral: Phantom, tmp_path: Path) -> None:
    lateral.write_dicom(tmp_path / "a.dcm")
    frontal.write_png(tmp_path / "b.png")
    study = read_study([tmp_path], view="pa")
    assert [(image.view, image.modality) for image in study.images] == [(View.PA, "RG"), (View.LATERAL, "DX")]
    assert study.images[0].is_radiograph
    assert study.images[0].patient_right_on == "unknown"


def test_an_option_that_contradicts_the_header_is_noted(frontal: Phantom, tmp_path: Path) -> None:
    image = read_study([frontal.write_dicom(tmp_path / "a.dcm", view="PA")], view="AP").images[0]
    assert image.view is View.AP
    assert image.notes == ("The header says view PA, --view AP; the latter was taken.",)


def test_a_picture_without_a_view_stays_unknown(frontal: Phantom, tmp_path: Path) -> None:
    image = read_study([frontal.write_png(tmp_path / "a.png")]).images[0]
    assert (image.view, image.modality, image.is_radiograph) == (View.UNKNOWN, "unknown", False)


def test_notes_on_compression_and_burned_in_text(frontal: Phantom, tmp_path: Path) -> None:
    path = frontal.write_dicom(
        tmp_path / "a.dcm",
        compression="jpeg 2000 lossy",
        elements={"BurnedInAnnotation": "YES"},
    )
    notes = read_study([path]).images[0].notes
    assert notes[0].startswith("Lossy compression, about ")
    assert "burned into" in notes[1]


def test_copies_of_one_image_count_once(frontal: Phantom, tmp_path: Path) -> None:
    path = frontal.write_dicom(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes(path.read_bytes())
    study = read_study([tmp_path, path])
    assert len(study.images) == 1
    assert study.warnings == ("1 further copy of the same image left out.",)


def test_objects_without_pixels_are_passed_over_in_a_folder(frontal: Phantom, tmp_path: Path) -> None:
    import pydicom

    frontal.write_dicom(tmp_path / "a.dcm")
    other = pydicom.dcmread(tmp_path / "a.dcm")
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"  # Basic Text SR
    other.SOPInstanceUID = "2.25.9"
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(other, keyword)
    other.save_as(tmp_path / "report.dcm")
    study = read_study([tmp_path])
    assert len(study.images) == 1
    assert study.warnings == ("1 file that is no image left out.",)


def test_a_prior_dated_later_is_noted(frontal: Phantom, tmp_path: Path) -> None:
    now = frontal.write_dicom(tmp_path / "a.dcm")
    later = frontal.write_dicom(tmp_path / "b.dcm", study_date=date(2027, 1, 1))
    prior = read_study([now], prior=[later]).priors[0]
    assert prior.days_before is None
    assert prior.notes == ("Dated after the current study.",)


SHEET = """\
exam: Chest, two views
indication: Cough
history: null
age: 95
sex: F
date: 2026-03-02
patient: 4711
images:
  - lateral.png
  - {file: sub/frontal.png, view: PA, patient_right_on: left}
  - {file: old.png, role: prior, view: ap, date: 2025-03-02, modality: cr}
prior_report: {file: old.txt, date: 2025-03-02}
"""


@pytest.fixture
def folder(frontal: Phantom, lateral: Phantom, tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    frontal.write_png(tmp_path / "sub" / "frontal.png")
    frontal.write_png(tmp_path / "old.png")
    lateral.write_png(tmp_path / "lateral.png")
    (tmp_path / "old.txt").write_text("Patient 4711: clear lungs.")
    (tmp_path / "study.yaml").write_text(SHEET.replace("  - lateral.png", "  - {file: lateral.png, view: lateral}"))
    return tmp_path


def test_a_study_yaml(folder: Path) -> None:
    study = read_study([folder])
    assert [(image.role, image.view, image.modality, image.patient_right_on) for image in study.images] == [
        ("current", View.PA, "RG", "left"),
        ("current", View.LATERAL, "RG", "unknown"),
        ("prior", View.AP, "CR", "unknown"),
    ]
    assert (study.exam, study.indication, study.history, study.age_years, study.sex) == (
        "Chest, two views",
        "Cough",
        None,
        90,
        "F",
    )
    assert study.prior_report is not None
    assert study.prior_report.text == "Patient [removed]: clear lungs."
    assert (study.prior_report.days_before, study.images[2].days_before) == (365, 365)
    assert read_study([folder / "study.yaml"]).model_dump() == study.model_dump()


def test_options_stand_before_study_yaml(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("Another report.")
    study = read_study([folder], indication="Fever", prior_report=tmp_path / "other.txt")
    assert study.indication == "Fever"
    assert study.prior_report is not None
    assert study.prior_report.text == "Another report."
    assert study.prior_report.acquired is None


def test_a_study_yaml_without_images_takes_the_folder(frontal: Phantom, tmp_path: Path) -> None:
    frontal.write_dicom(tmp_path / "a.dcm", elements={"PatientSex": "M"})
    (tmp_path / "old.txt").write_text("Clear lungs.")
    (tmp_path / "study.yaml").write_text("sex: F\nprior_report: {file: old.txt}\n")
    study = read_study([tmp_path])
    assert study.sex == "F"
    assert study.warnings == ("The sex in study.yaml differs from the image header; study.yaml was taken.",)


def test_study_yaml_and_header_contradict_each_other(frontal: Phantom, tmp_path: Path) -> None:
    frontal.write_dicom(tmp_path / "a.dcm")
    (tmp_path / "study.yaml").write_text(
        "images: [{file: a.dcm, view: AP, patient_right_on: right, modality: CR, date: 2024-01-01}]"
    )
    image = read_study([tmp_path]).images[0]
    assert (image.view, image.patient_right_on, image.modality) == (View.AP, "right", "DX")
    assert image.acquired == date(2024, 1, 1)
    assert len(image.notes) == 3


def test_a_study_can_be_decoded_from_another_folder(
    frontal: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(frontal.write_dicom(tmp_path / "a.dcm").parent)
    study = read_study([Path("a.dcm")])
    monkeypatch.chdir("/")
    assert (ImageBank(study).pixels_now("image_1") == frontal.pixels).all()


def test_the_key_of_a_patient_is_the_same_in_every_study(frontal: Phantom, tmp_path: Path) -> None:
    one = read_study([frontal.write_dicom(tmp_path / "a.dcm", elements={"PatientID": "4711", "PatientName": "A^B"})])
    two = read_study([frontal.write_dicom(tmp_path / "b.dcm", elements={"PatientID": " 4711 "}, bits=10)])
    other = read_study([frontal.write_dicom(tmp_path / "c.dcm", elements={"PatientID": "4712"})])
    none = read_study([frontal.write_dicom(tmp_path / "d.dcm")])
    assert one.patient_key == two.patient_key != other.patient_key
    assert none.patient_key is None
    assert one.patient_key is not None
    assert "4711" not in one.patient_key
    assert "patient_key" not in one.model_dump()

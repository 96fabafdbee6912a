"""DICOM exports: clean under dciodvfy, true to the report, bound to its study; nothing invented, nothing leaked."""

from __future__ import annotations

import io
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset

from wetread import DISCLAIMER
from wetread.artifacts import ArtifactStore
from wetread.errors import ExportError
from wetread.evidence import Box, Evidence, ModelVersion, Region
from wetread.imaging.bank import ImageBank
from wetread.reports.export import dicom_codes as codes
from wetread.reports.export import export
from wetread.reports.export.dicom_object import person_name, uid
from wetread.reports.language import lexicon
from wetread.reports.language.codes import code_of
from wetread.reports.model import Claim, Grounding, Report, ReportImage, Statement, SystemFindings
from wetread.reports.reviewed import Addendum, Review, Signature
from wetread.reports.view import marks
from wetread.scenarios.runner import LiveSources, run_scenario
from wetread.scenarios.scenario import find_scenarios
from wetread.scenarios.tape import Mode
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.testing.dicom import write_dicom
from wetread.vocabulary import Assertion, Change, Origin, Side

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "scenarios" / "studies"
DCIODVFY = Path(sysconfig.get_path("scripts")) / "dciodvfy"
try:
    from wetread.reports.export import pdf

    PANGO = bool(pdf.VARIANT)
except ExportError:  # Pango is no Python package
    PANGO = False
FORMATS = ("dicom-sr", "dicom-seg", "dicom-gsps", *(("dicom-pdf",) if PANGO else ()))
CASES = {
    "rg1-protocol": STUDIES / "rg1",
    "follow-up-comparison": STUDIES / "follow-up",
    "portable-empty-masks": STUDIES / "portable",
}
NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A drafted report with its study and masks."""

    report: Report
    study: Study
    bank: ImageBank
    artifacts: ArtifactStore
    kept: dict[str, dict[str, bytes]] = field(default_factory=dict, repr=False)

    def out(self, to: str, report: Report | None = None, **changed: Any) -> list[Dataset]:
        return [pydicom.dcmread(io.BytesIO(data)) for data in self.files(to, report, **changed).values()]

    def files(self, to: str, report: Report | None = None, **changed: Any) -> dict[str, bytes]:
        if report is None and not changed:
            if to not in self.kept:
                self.kept[to] = self.files(to, self.report)
            return self.kept[to]
        given: dict[str, Any] = {"study": self.study, "bank": self.bank, "artifacts": self.artifacts, **changed}
        return {file.name: file.data for file in export(report or self.report, to, **given)}


@pytest.fixture(scope="module")
def cases() -> Callable[[str], Case]:
    import asyncio

    made: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in made:
            (scenario,) = find_scenarios([name], ROOT)
            result = asyncio.run(run_scenario(scenario, Mode.REPLAY, workspace=ROOT, live=LiveSources()))
            assert result.report is not None and result.session is not None
            study = read_study([CASES[name]])
            made[name] = Case(result.report, study, ImageBank(study), result.session.artifacts)
        return made[name]

    return case


@pytest.fixture(scope="module")
def rg1(cases: Callable[[str], Case]) -> Case:
    return cases("rg1-protocol")


def verify(path: Path) -> str:
    """What dciodvfy says of a file that it finds no error in."""
    found = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
    said = found.stdout + found.stderr
    assert found.returncode == 0, said
    assert "Error" not in said
    return said


def items(dataset: Dataset, meaning: str) -> list[Dataset]:
    """Content items of a name, anywhere in the tree."""
    found = []
    for item in dataset.get("ContentSequence") or ():
        if item.ConceptNameCodeSequence[0].CodeMeaning == meaning:
            found.append(item)
        found += items(item, meaning)
    return found


def evaluations(group: Any) -> dict[str, str]:
    """What a measurement group says of presence and side, by the names of these."""
    found = {one.name.meaning: one.value.meaning for one in group.get_qualitative_evaluations()}
    return {name: value for name, value in found.items() if name in ("Presence of property", "Laterality")}


def texts(dataset: Dataset) -> str:
    return "\n".join(
        str(e.value) for e in dataset.iterall() if e.VR in ("UT", "LT", "ST", "LO", "SH", "UC", "CS", "PN")
    )


# --- all of them


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("to", FORMATS)
def test_dciodvfy_finds_no_error(cases: Callable[[str], Case], name: str, to: str, tmp_path: Path) -> None:
    for file, data in cases(name).files(to).items():
        (tmp_path / file).write_bytes(data)
        said = verify(tmp_path / file)
        assert "Unrecognized defined term" not in said.replace("<99WETREAD>", "").replace(
            "Unrecognized defined term  for value 1 of attribute <Coding Scheme Designator>", ""
        )


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_report_gives_the_same_bytes(rg1: Case, to: str) -> None:
    assert rg1.files(to) == rg1.files(to, rg1.report)


@pytest.mark.parametrize("to", FORMATS)
def test_each_names_the_study_and_says_what_it_is(rg1: Case, to: str) -> None:
    original = pydicom.dcmread(STUDIES / "rg1" / "rg1.dcm", stop_before_pixels=True)
    for made in rg1.out(to):
        assert made.StudyInstanceUID == original.StudyInstanceUID
        assert made.SeriesInstanceUID != original.SeriesInstanceUID
        assert made.PatientSex == "F"
        assert made.SeriesDescription.startswith("AI draft, not reviewed; REPLAY, AUTHORED; ")
        assert made.Manufacturer == "wetread"
        referred = {e.value for e in made.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
        assert referred == {original.SOPInstanceUID}


def test_no_two_exports_share_a_uid(cases: Callable[[str], Case]) -> None:
    made = [one for name in CASES for to in FORMATS for one in cases(name).out(to)]
    assert len({one.SOPInstanceUID for one in made}) == len(made)
    assert all(pydicom.uid.UID(one.SOPInstanceUID).is_valid for one in made)


@pytest.mark.parametrize("name", ["Bär^Özgür", "山田^太郎", "Doe^Jane^^Dr"])
def test_the_patient_comes_from_the_study_and_goes_nowhere_else(
    cases: Callable[[str], Case], tmp_path: Path, name: str
) -> None:
    header = pydicom.dcmread(STUDIES / "portable" / "frontal.dcm")
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName, header.PatientID = name, "MRN-4711"
    header.PatientBirthDate, header.AccessionNumber, header.StudyDate = "19700203", "ACC-0815", "20260113"
    (tmp_path / "one").mkdir()
    header.save_as(tmp_path / "one" / "x.dcm")
    study = read_study([tmp_path / "one"])
    for to in FORMATS:
        for file, data in cases("portable-empty-masks").files(to, study=study, bank=ImageBank(study)).items():
            made = pydicom.dcmread(io.BytesIO(data))
            assert made.PatientName == name
            assert (made.PatientID, made.AccessionNumber) == ("MRN-4711", "ACC-0815")
            assert made.PatientBirthDate == "19700203"
            (tmp_path / file).write_bytes(data)
            verify(tmp_path / file)


def test_what_an_odd_header_holds_is_not_in_the_error(rg1: Case, tmp_path: Path, caplog: Any) -> None:
    header = pydicom.dcmread(STUDIES / "rg1" / "rg1.dcm")
    header.PatientName, header.PatientID = "Doe^Jane", "MRN-4711"
    del header.SeriesInstanceUID
    header.save_as(tmp_path / "x.dcm")
    study = read_study([tmp_path / "x.dcm"], view="PA")
    with pytest.raises(ExportError) as caught:
        rg1.files("dicom-sr", study=study, bank=None)
    assert caught.value.code == "WET-EXPORT-HEADER"
    assert "SeriesInstanceUID" in caught.value.line()
    for word in ("Doe", "MRN-4711", str(tmp_path)):
        assert word not in caught.value.line() + caplog.text


# --- the study must be the one


def refusal(case: Case, to: str, **changed: Any) -> ExportError:
    with pytest.raises(ExportError) as caught:
        case.files(to, **changed)
    return caught.value


@pytest.mark.parametrize("to", FORMATS)
def test_without_the_study_there_is_nothing_to_refer_to(rg1: Case, to: str) -> None:
    assert refusal(rg1, to, study=None, bank=None).code == "WET-EXPORT-NOSTUDY"


def test_another_study_is_refused(rg1: Case, cases: Callable[[str], Case]) -> None:
    other = cases("portable-empty-masks").study
    assert refusal(rg1, "dicom-sr", study=other, bank=None).code == "WET-EXPORT-STUDY"


def test_another_picture_of_the_same_size_is_refused(rg1: Case, tmp_path: Path) -> None:
    header = pydicom.dcmread(STUDIES / "rg1" / "rg1.dcm")
    header.decompress()
    header.PixelData = bytes(header["PixelData"].value[::-1])
    header.save_as(tmp_path / "x.dcm")
    study = read_study([tmp_path / "x.dcm"], view="PA")
    assert [(i.rows, i.columns) for i in study.images] == [(i.rows, i.columns) for i in rg1.study.images]
    assert refusal(rg1, "dicom-gsps", study=study, bank=None).code == "WET-EXPORT-STUDY"


def test_a_picture_has_no_study_to_store_results_in(rg1: Case, tmp_path: Path) -> None:
    Image.fromarray(rg1.bank.pixels_now("image_1")).save(tmp_path / "x.png")
    study = read_study([tmp_path / "x.png"], view="PA")
    image = rg1.report.images[0].model_copy(update={"modality": study.images[0].modality})
    report = rg1.report.model_copy(update={"images": (image,)}).sealed()
    with pytest.raises(ExportError) as caught:
        export(report, "dicom-sr", study=study)
    assert caught.value.code == "WET-EXPORT-NOTDICOM"


# --- structured reports


def test_findings_regions_and_presence_are_those_of_the_statements(rg1: Case) -> None:
    findings, _ = rg1.out("dicom-sr")
    assert findings.SOPClassUID == pydicom.uid.Comprehensive3DSRStorage
    assert findings.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    tree = highdicom.sr.Comprehensive3DSR.from_dataset(findings)
    regions = tree.content.get_planar_roi_measurement_groups()
    plain = tree.content.get_image_measurement_groups()
    statements = [one for system in rg1.report.findings for one in system.statements]
    boxes = sorted(
        tuple(np.float32([r.box.x_min, r.box.y_min, r.box.x_max, r.box.y_max]))
        for one in statements
        for claim in one.claims
        if claim.assertion is not Assertion.ABSENT
        for r in one.regions
        if r.box is not None and (claim.side not in ("left", "right") or r.side in (claim.side, None))
    )
    drawn = sorted(
        (*group.roi.GraphicData[:2], *group.roi.GraphicData[4:6])
        for group in regions
        if len(group.roi.GraphicData) == 10
    )
    assert len(drawn) == len(regions) == len(boxes)
    np.testing.assert_allclose(drawn, boxes)
    said = {group.tracking_identifier: group for group in (*regions, *plain)}
    absent = {group.finding_type.meaning for group in plain if "Absent" in evaluations(group).values()}
    assert {"Pneumothorax", "Pleural effusion", "Pulmonary edema", "cardiomegaly", "consolidation"} <= absent
    catheter = said["S1.1.1"]
    assert catheter.finding_type == codes.finding_code("central_venous_catheter").code()
    assert evaluations(catheter) == {"Presence of property": "Present", "Laterality": "Left"}
    cavity = next(g for g in said.values() if g.finding_type is not None and g.finding_type.value == "cavity")
    assert evaluations(cavity) == {"Presence of property": "Undetermined"}
    assert cavity.finding_type.scheme_designator == "99WETREAD"


def test_measurements_stand_with_unit_and_method(rg1: Case) -> None:
    findings, _ = rg1.out("dicom-sr")
    content = highdicom.sr.Comprehensive3DSR.from_dataset(findings).content
    (numbered,) = [one for one in rg1.report.statements() if one.measurements]
    groups = content.get_image_measurement_groups()
    (group,) = [one for one in groups if one.tracking_identifier == f"{numbered.id}.m"]
    (measurement,) = group.get_measurements()
    assert (measurement.value, measurement.unit.value) == (0.47, "1")
    assert any("greatest horizontal width" in item.TextValue for item in items(findings, "Comment"))


def test_each_group_cites_its_evidence_and_names_the_model(rg1: Case) -> None:
    findings, _ = rg1.out("dicom-sr")
    said = "\n".join(item.TextValue for item in items(findings, "Comment"))
    for system in rg1.report.findings:
        for one in system.statements:
            assert f"{one.id}: {one.text} [{', '.join(one.evidence)}]" in said
    assert {item.TextValue for item in items(findings, "Algorithm Name")} >= {"report_findings: authored"}
    assert {item.TextValue for item in items(findings, "Algorithm Version")} >= {"by hand (authored)"}


def test_the_narrative_has_the_sections_and_every_word(rg1: Case) -> None:
    _, narrative = rg1.out("dicom-sr")
    assert narrative.SOPClassUID == pydicom.uid.ComprehensiveSRStorage
    assert narrative.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    headings = [i.ConceptNameCodeSequence[0].CodeValue for i in narrative.ContentSequence if i.ValueType == "CONTAINER"]
    assert headings == ["18785-6", "11329-0", "55111-9", "18834-2", "59776-5", "19005-8", "18783-1"]
    said = texts(narrative)
    for one in rg1.report.statements():
        assert one.text in said
    for system in rg1.report.findings:
        if system.status == "not_assessed":
            assert f"{system.title}: Not assessed. {system.reason}" in said


@pytest.mark.parametrize("place", [0, 1])
def test_a_draft_says_that_it_is_one(rg1: Case, place: int) -> None:
    made = rg1.out("dicom-sr")[place]
    assert (made.CompletionFlag, made.VerificationFlag, made.PreliminaryFlag) == (
        "PARTIAL",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    assert "VerifyingObserverSequence" not in made
    said = texts(made)
    for words in (rg1.report.disclosure, DISCLAIMER, "REPLAY: ", "AUTHORED: ", "Status: partial", rg1.report.sha256):
        assert words in said
    for evidence in rg1.report.evidence:
        assert f"{evidence.id}: {evidence.tool} by {evidence.model.name}" in said


def signed(report: Report, status: Any = "final", **review: Any) -> Report:
    signature = Signature(by="Ada Mary Lovelace", at=NOON, status=status, version=2)
    return report.model_copy(
        update={
            "version": 2,
            "replaces": report.sha256,
            "status": status,
            "disclosure": "AI-assisted, signed.",
            "review": Review(signatures=(signature,), **review),
        }
    ).sealed()


@pytest.mark.parametrize("place", [0, 1])
def test_a_signed_report_names_who_signed_and_what_it_replaces(rg1: Case, tmp_path: Path, place: int) -> None:
    draft = rg1.out("dicom-sr")[place]
    final = rg1.out("dicom-sr", signed(rg1.report))[place]
    assert (final.CompletionFlag, final.VerificationFlag, final.PreliminaryFlag) == ("COMPLETE", "VERIFIED", "FINAL")
    (observer,) = final.VerifyingObserverSequence
    assert observer.VerifyingObserverName == "Lovelace^Ada Mary"
    assert observer.VerificationDateTime == "20260116120000+0000"
    assert [item.PersonName for item in items(final, "Person Observer Name")] == ["Lovelace^Ada Mary"]
    (study,) = final.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (earlier,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == draft.StudyInstanceUID
    assert series.SeriesInstanceUID == draft.SeriesInstanceUID
    assert earlier.ReferencedSOPInstanceUID == draft.SOPInstanceUID
    assert earlier.ReferencedSOPClassUID == draft.SOPClassUID
    assert final.SOPInstanceUID != draft.SOPInstanceUID
    final.save_as(tmp_path / "x.dcm")
    verify(tmp_path / "x.dcm")


@pytest.mark.parametrize("review", [None, Review()])
def test_nobody_verified_means_no_verified_report(rg1: Case, review: Review | None) -> None:
    unsigned = signed(rg1.report).model_copy(update={"review": review}).sealed()
    with pytest.raises(ExportError) as caught:
        rg1.files("dicom-sr", unsigned)
    assert caught.value.code == "WET-EXPORT-OBSERVER"


def test_an_addendum_has_its_heading(rg1: Case) -> None:
    report = signed(rg1.report, "appended", addenda=(Addendum(text="Seen again.", by="Ada Lovelace", at=NOON),))
    _, narrative = rg1.out("dicom-sr", report)
    (addendum,) = items(narrative, "Addendum")
    assert "Seen again." in texts(addendum)


# --- segmentation


@pytest.mark.parametrize("name", CASES)
def test_segments_are_the_masks(cases: Callable[[str], Case], name: str) -> None:
    case = cases(name)
    (made,) = case.out("dicom-seg")
    masks = [one for one in marks(case.report) if one.mask is not None]
    assert made.SegmentationType == "BINARY"
    assert [item.SegmentLabel for item in made.SegmentSequence] == [one.label for one in masks]
    pixels = np.atleast_3d(made.pixel_array.T).T
    segment = [
        f.SegmentIdentificationSequence[0].ReferencedSegmentNumber for f in made.PerFrameFunctionalGroupsSequence
    ]
    for number, one in enumerate(masks, start=1):
        data = case.artifacts.get(one.mask or "")
        assert data is not None
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("L")) >= 128
        np.testing.assert_array_equal(pixels[segment.index(number)] > 0, expected)


def test_segments_name_structure_side_and_model(rg1: Case) -> None:
    (made,) = rg1.out("dicom-seg")
    by = {item.SegmentLabel: item for item in made.SegmentSequence}
    assert set(by) == {"heart", "left lung", "right lung"}
    for item in by.values():
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        (algorithm,) = item.SegmentationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("segment: authored", "by hand (authored)")
        assert item.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Anatomical Structure"
    for side in ("left", "right"):
        kind = by[f"{side} lung"].SegmentedPropertyTypeCodeSequence[0]
        assert kind.CodeValue == "39607008"
        assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning.lower() == side
    assert "SegmentedPropertyTypeModifierCodeSequence" not in by["heart"].SegmentedPropertyTypeCodeSequence[0]


def test_a_mask_that_is_not_at_hand_is_an_error(rg1: Case) -> None:
    assert refusal(rg1, "dicom-seg", artifacts=None).code == "WET-EXPORT-MASK"
    assert refusal(rg1, "dicom-seg", artifacts=ArtifactStore()).code == "WET-EXPORT-MASK"


def without_regions(report: Report) -> Report:
    def bare(statement: Any) -> Any:
        return statement.model_copy(update={"regions": ()})

    return report.model_copy(
        update={
            "findings": tuple(
                system.model_copy(update={"statements": tuple(map(bare, system.statements))})
                for system in report.findings
            ),
            "impression": tuple(map(bare, report.impression)),
            "evidence": tuple(
                one.model_copy(
                    update={
                        "regions": (),
                        "observations": tuple(o.model_copy(update={"regions": ()}) for o in one.observations),
                    }
                )
                for one in report.evidence
            ),
        }
    ).sealed()


@pytest.mark.parametrize("to", ["dicom-seg", "dicom-gsps"])
def test_a_report_without_regions_has_nothing_to_draw(rg1: Case, to: str) -> None:
    with pytest.raises(ExportError) as caught:
        rg1.files(to, without_regions(rg1.report))
    assert caught.value.code == "WET-EXPORT-NOTHING"


def test_a_report_without_regions_still_has_its_findings(rg1: Case) -> None:
    findings, _ = rg1.out("dicom-sr", without_regions(rg1.report))
    content = highdicom.sr.Comprehensive3DSR.from_dataset(findings).content
    assert content.get_planar_roi_measurement_groups() == []
    assert any(
        group.finding_type == codes.finding_code("mass").code() for group in content.get_image_measurement_groups()
    )


# --- presentation state


def test_boxes_stand_where_the_report_has_them(rg1: Case) -> None:
    (made,) = rg1.out("dicom-gsps")
    drawn, told = made.GraphicAnnotationSequence
    boxes = [one for one in marks(rg1.report) if one.box is not None]
    assert len(drawn.GraphicObjectSequence) == len(boxes) > 5
    for graphic, one in zip(drawn.GraphicObjectSequence, boxes, strict=True):
        assert (graphic.GraphicAnnotationUnits, graphic.GraphicType) == ("PIXEL", "POLYLINE")
        assert one.box is not None
        corners = np.reshape(graphic.GraphicData, (-1, 2))
        np.testing.assert_allclose(corners.min(axis=0), [one.box.x_min, one.box.y_min], rtol=1e-6)
        np.testing.assert_allclose(corners.max(axis=0), [one.box.x_max, one.box.y_max], rtol=1e-6)
        np.testing.assert_array_equal(corners[0], corners[-1])
    said = [text.UnformattedTextValue for text in drawn.TextObjectSequence]
    assert said[0] == "S1: A left subclavian central venous catheter is in place. [E2]"
    assert told.TextObjectSequence[0].UnformattedTextValue == f"REPLAY, AUTHORED {rg1.report.disclosure}"


def test_a_presentation_shows_the_image_as_it_is_meant(rg1: Case, cases: Callable[[str], Case]) -> None:
    (inverted,) = rg1.out("dicom-gsps")
    (upright,) = cases("portable-empty-masks").out("dicom-gsps")
    assert (inverted.PresentationLUTShape, upright.PresentationLUTShape) == ("INVERSE", "IDENTITY")


# --- encapsulated PDF


@pytest.mark.skipif(not PANGO, reason="needs Pango")
def test_the_pdf_is_whole_and_of_even_length(rg1: Case) -> None:
    (made,) = rg1.out("dicom-pdf")
    pdf = rg1.files("pdf")["report.pdf"]
    assert made.EncapsulatedDocumentLength == len(pdf)
    assert len(made.EncapsulatedDocument) % 2 == 0
    assert made.EncapsulatedDocument[: len(pdf)] == pdf
    assert made.ConceptNameCodeSequence[0].CodeValue == "18748-4"
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert made.DocumentTitle.startswith("REPLAY, AUTHORED: ")


# --- headers of every kind


def report_of(study: Study, store: ArtifactStore) -> Report:
    """A report with a box that goes beyond each image, and a mask on each."""
    masks, boxes = [], []
    for image in study.images:
        mask = np.zeros((image.rows, image.columns), dtype=np.uint8)
        mask[2 : image.rows // 2, 3 : image.columns // 2 + image.frame] = 255
        kept = io.BytesIO()
        Image.fromarray(mask).save(kept, "PNG")
        handle = store.put("mask", kept.getvalue(), "image/png", "opacity").handle
        masks.append(Region(image=image.handle, mask=handle, label="lung opacity"))
        boxes.append(Region(image=image.handle, box=Box(x_min=-3, y_min=2, x_max=image.columns + 5.5, y_max=20)))
    statement = Statement(
        id="S1",
        section="findings",
        system="lungs",
        text="There is an opacity.",
        evidence=("E1",),
        claims=(Claim(finding="opacity", anatomy="lung", side=Side.LEFT, change=Change.NEW),),
        regions=tuple(boxes),
    )
    evidence = Evidence(
        id="E1",
        tool="segment",
        model=ModelVersion(name="parse", version="1"),
        origin=Origin.SIMULATED,
        status="ok",
        regions=tuple(masks),
    )
    return Report(
        template="generic",
        template_version="1",
        created=NOON,
        language_model="protocol",
        modes=("simulated",),
        disclosure="AI-assisted draft, not reviewed by a physician.",
        images=tuple(
            ReportImage(
                handle=image.handle,
                role=image.role,
                modality=image.modality,
                view=image.view,
                rows=image.rows,
                columns=image.columns,
            )
            for image in study.images
        ),
        sections=(),
        findings=(SystemFindings(system="lungs", title="Lungs", status="abnormal", statements=(statement,)),),
        impression=(),
        grounding=Grounding(statements=1, grounded=1, contradicted=0, not_assessed=0),
        evidence=(evidence,),
    ).sealed()


def slice_at(place: int) -> dict[str, Any]:
    return {
        "FrameOfReferenceUID": "2.25.4711",
        "StudyInstanceUID": "2.25.4712",
        "SeriesInstanceUID": "2.25.4713",
        "InstanceNumber": place,
        "ImagePositionPatient": [0, 0, place],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PositionReferenceIndicator": "",
        "PixelSpacing": [0.7, 0.7],
        "SliceThickness": 1,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
        "WindowCenter": 40,
        "WindowWidth": 400,
    }


def nested(keyword: str, **elements: Any) -> Dataset:
    """A functional group: a sequence of one item."""
    item, group = Dataset(), Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    setattr(group, keyword, [item])
    return group


def enhanced(frames: int) -> dict[str, Any]:
    """Functional groups of a multi-frame CT (PS3.3 C.7.6.16)."""
    shared = nested("PixelMeasuresSequence", PixelSpacing=[0.7, 0.7], SliceThickness=1)
    shared.update(nested("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0]))
    shared.update(nested("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU"))
    each = [nested("PlanePositionSequence", ImagePositionPatient=[0, 0, place]) for place in range(frames)]
    return {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1",
        "FrameOfReferenceUID": "2.25.4711",
        "PositionReferenceIndicator": "",
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": each,
    }


MULTI_FRAME = {"modality": "US", "bits": 8, "elements": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", "FrameTime": 40}}
KINDS: dict[str, tuple[tuple[int, ...], list[dict[str, Any]], set[str]]] = {
    "two slices of a CT": ((64, 48), [{"modality": "CT", "elements": slice_at(n)} for n in (1, 2)], set()),
    "a CT without frame of reference": ((64, 48), [{"modality": "CT"}], {"dicom-seg"}),
    "an ultrasound loop": ((3, 64, 48), [MULTI_FRAME], {"dicom-seg", "dicom-gsps"}),
    "an enhanced CT": ((3, 64, 48), [{"modality": "CT", "elements": enhanced(3)}], set()),
    "a picture in colour": ((64, 48, 3), [{"modality": "US", "photometric": "RGB", "bits": 8}], {"dicom-gsps"}),
    "an inverted radiograph": ((64, 48), [{"modality": "CR", "photometric": "MONOCHROME1"}], set()),
    "a useless window": ((64, 48), [{"elements": {"WindowCenter": 9, "WindowWidth": 0}}], set()),
    "two windows": ((64, 48), [{"elements": {"WindowCenter": [9, 8], "WindowWidth": [7, 6]}}], set()),
    "malformed values": ((64, 48), [{"elements": {"PatientSex": "X", "PatientAge": "old"}}], set()),
    "no names at all": ((64, 48), [{"study_date": None, "elements": {"PixelSpacing": [0, 0]}}], set()),
    "spacing at the detector": ((64, 48), [{"elements": {"ImagerPixelSpacing": [0.1, 0.1]}}], set()),
}


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("kind", KINDS)
def test_any_header_gives_clean_objects_or_a_refusal(kind: str, tmp_path: Path) -> None:
    shape, instances, refused = KINDS[kind]
    (tmp_path / "study").mkdir()
    for number, given_ in enumerate(instances):
        pixels = np.random.default_rng(number).integers(0, 200, shape)
        dtype = np.uint8 if given_.get("bits") == 8 else np.uint16
        write_dicom(tmp_path / "study" / f"{number}.dcm", pixels.astype(dtype), **given_)
    study, store = read_study([tmp_path / "study"]), ArtifactStore()
    report = report_of(study, store)
    for to in ("dicom-sr", "dicom-seg", "dicom-gsps"):
        if to in refused:
            with pytest.raises(ExportError) as caught:
                export(report, to, study=study, artifacts=store)
            assert caught.value.code == "WET-EXPORT-HEADER"
            continue
        for file in export(report, to, study=study, artifacts=store):
            (tmp_path / file.name).write_bytes(file.data)
            verify(tmp_path / file.name)


def test_each_frame_has_its_own_mask(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (3, 64, 48)).astype(np.uint8)
    write_dicom(tmp_path / "x.dcm", pixels, modality="CT", bits=8, elements=enhanced(3))
    study, store = read_study([tmp_path / "x.dcm"]), ArtifactStore()
    (file,) = export(report_of(study, store), "dicom-seg", study=study, artifacts=store)
    made = pydicom.dcmread(io.BytesIO(file.data))
    assert [int(plane.sum()) for plane in made.pixel_array] == [30 * (21 + frame) for frame in range(3)]
    referred = [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert referred == [1, 2, 3]


# --- codes


ALL_CODES = [
    *(codes.finding_code(key) for key in lexicon().findings if code_of("findings", key)),
    *filter(None, map(codes.site_code, lexicon().anatomies)),
    *filter(None, map(codes.side_code, Side)),
    *(codes.presence_code(one) for one in Assertion if one is not Assertion.HISTORICAL),
    *codes.ELEMENTS.values(),
    *(concept for label in codes.SEGMENTS for concept in codes.segment_codes(label, None)[:2]),
    *map(codes.heading, ("indication", "technique", "findings", "impression", "communication", "addendum")),
    codes.PRESENCE,
    codes.LATERALITY,
    codes.AI,
    codes.MEASUREMENT_REPORT,
    codes.COMMENT,
    codes.REPORT,
]


@pytest.mark.parametrize("concept", dict.fromkeys(ALL_CODES), ids=str)
def test_every_code_means_what_the_dictionary_says(concept: codes.Concept) -> None:
    from pydicom.sr._concepts_dict import concepts

    meanings = {
        m.lower() for names in concepts[concept.scheme].values() for v, (m, _) in names.items() if v == concept.value
    }
    assert concept.meaning.lower() in meanings


def test_private_codes_are_short_and_apart() -> None:
    made = [codes.finding_code(key) for key in lexicon().findings]
    assert len({(one.scheme, one.value) for one in made}) == len(made)
    assert all(len(one.value) <= codes.MAX_VALUE and len(one.meaning) <= 64 for one in made)
    assert len({codes.change_code(change).value for change in Change}) == len(Change)


@given(st.text(), st.text())
def test_a_uid_is_valid_and_follows_from_what_it_names(kind: str, sha256: str) -> None:
    made = uid(kind, sha256)
    assert pydicom.uid.UID(made).is_valid
    assert made == uid(kind, sha256)
    assert made != uid(kind, sha256 + "0")


@given(st.text(max_size=80))
def test_a_name_is_one_that_dicom_can_hold(name: str) -> None:
    made = person_name(name)
    assert len(made) <= 65
    assert not set(made) & set("\\=\n\r\t\x1b")

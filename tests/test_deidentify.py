"""`wetread deidentify`: nothing that the header names is left anywhere, and what is left can be read."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sysconfig
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from wetread.apps.cli import main
from wetread.deidentification import Options, Pseudonyms, deidentify
from wetread.deidentification.profile import Action, action_for, table
from wetread.deidentification.pseudonyms import shifted
from wetread.errors import DeidentifyError, InputError
from wetread.study_reading import read_study
from wetread.testing.dicom import Compression
from wetread.testing.phantom import chest_phantom

DCIODVFY = Path(sysconfig.get_path("scripts")) / "dciodvfy"
PHANTOM = chest_phantom(64)
SECRETS = (
    "Featherstonehaugh", "Zebedee", "MRN-774411", "ACC-998877", "Saint Swithin", "Quillfeather", "19410203", "Ümläut",
    "1.2.3.4.5.777", "Grimsditch", "SN-55-66-77", "plates@swithin.example", "Nightingale",
)  # fmt: skip


def identified() -> dict[str, Any]:
    """Header elements that name a person in every place there is."""
    nested = Dataset()
    nested.PatientID = "MRN-774411"
    nested.ScheduledProcedureStepDescription = "Chest of Zebedee Featherstonehaugh"
    deeper = Dataset()
    deeper.CodeValue, deeper.CodingSchemeDesignator, deeper.CodeMeaning = "X", "99LOCAL", "As Featherstonehaugh asked"
    nested.RequestedProcedureCodeSequence = Sequence([deeper])
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    reference.ReferencedSOPInstanceUID = "1.2.3.4.5.777.9"
    return {
        "PatientName": "Featherstonehaugh^Zebedee^^Dr=フェザー^ゼベディー",
        "PatientID": "MRN-774411",
        "OtherPatientIDs": ["MRN-774411", "MRN-000001"],
        "PatientBirthDate": "19410203",
        "PatientSex": "F",
        "PatientAge": "093Y",
        "PatientWeight": "61",
        "AccessionNumber": "ACC-998877",
        "StudyID": "ACC-998877",
        "InstitutionName": "Saint Swithin",
        "InstitutionAddress": "plates@swithin.example",
        "OperatorsName": ["Quillfeather^Ada", "Grimsditch^Bo"],
        "ReferringPhysicianName": "Ümläut^Zoë",
        "StudyDescription": "Chest PA for Featherstonehaugh, born 3 Feb 1941",
        "SeriesDescription": "PA upright",
        "ImageComments": "Taken by QUILLFEATHER on 2026-03-02 (acc-998877)",
        "DerivationDescription": "Cropped",
        "Manufacturer": "Lightworks for Saint Swithin",
        "StudyInstanceUID": "1.2.3.4.5.777.1",
        "SeriesInstanceUID": "1.2.3.4.5.777.2",
        "SOPInstanceUID": "1.2.3.4.5.777.3",
        "FrameOfReferenceUID": "1.2.3.4.5.777.4",
        "DeviceSerialNumber": "SN-55-66-77",
        "StudyTime": "101112",
        "SeriesDate": "20260302",
        "AcquisitionDateTime": "20260302101112.5+0100",
        "ContentDate": "20260302",
        "RequestAttributesSequence": Sequence([nested]),
        "SourceImageSequence": Sequence([reference]),
        "PatientInsurancePlanCodeSequence": Sequence([deeper]),
    }


def dirty(path: Path, **options: Any) -> Path:
    """A radiograph whose header names a person wherever it can, private and unknown elements and overlays included."""
    elements = {**identified(), **options.pop("elements", {})}
    PHANTOM.write_dicom(path, elements=elements, preamble=options.pop("preamble", b"II*\0Featherstonehaugh".ljust(128)))
    dataset = pydicom.dcmread(path)
    block = dataset.private_block(0x0011, "SAINT SWITHIN", create=True)
    block.add_new(0x01, "LO", "Featherstonehaugh")
    item = Dataset()
    item.PatientName = "Nightingale^Florence"
    block.add_new(0x02, "SQ", Sequence([item]))
    dataset.add(DataElement(0x60003000, "OW", bytes(512)))
    dataset.add(DataElement(0x60000022, "LO", "Featherstonehaugh"))
    dataset.add(DataElement(0x60001500, "LO", "Zebedee"))
    dataset.add(DataElement(0x50000030, "SH", "Zebedee"))
    dataset.add(DataElement(0x00189999, "UN", b"Featherstonehaugh Zebedee "))
    dataset.file_meta.SourceApplicationEntityTitle = "SWITHIN"
    dataset.save_as(path, enforce_file_format=True)
    return path


def written(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def only(folder: Path) -> pydicom.FileDataset:
    (path,) = written(folder)
    return pydicom.dcmread(path)


def assert_silent(data: bytes, *more: str) -> None:
    for secret in (*SECRETS, *more):
        for encoding in ("utf-8", "latin-1", "utf-16-le", "shift_jis"):
            try:
                encoded = secret.encode(encoding)
            except UnicodeEncodeError:
                continue
            assert encoded.lower() not in data.lower(), f"{secret} in {encoding}"


def run(*arguments: object) -> int:
    return main(["deidentify", *map(str, arguments)])


# --- the table


def test_the_table_is_that_of_the_standard() -> None:
    actions = table()
    assert len(actions) > 600
    known = [tag for tag in actions if dictionary_has_tag(tag)]
    assert len(known) > 600
    by_keyword = {keyword_for_tag(tag): actions[tag] for tag in known}
    assert all(tag_for_keyword(keyword) in actions for keyword in by_keyword)
    # as printed in PS3.15 Table E.1-1
    assert by_keyword["PatientName"] == "Z"
    assert by_keyword["PatientID"] == "Z/D"
    assert by_keyword["AccessionNumber"] == "Z"
    assert by_keyword["StudyDescription"] == "X"
    assert by_keyword["DeviceSerialNumber"] == "X/Z/D"
    assert by_keyword["SourceImageSequence"] == "X/Z/U*"
    assert by_keyword["SOPInstanceUID"] == "U"
    assert by_keyword["ContentDate"] == "Z/D"
    assert set(by_keyword.values()) == {"X", "Z", "D", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}


def test_no_element_that_may_identify_stays_as_it_is() -> None:
    """Of all that DICOM knows: names, instance UIDs, addresses, dates and texts, named by the table or not."""
    class_uids = re.compile("Class|TransferSyntax|CodingScheme|Context|MappingResource|Implementation|Private")
    seen = 0
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        found = vr.split(" ")[0]
        if found not in ("PN", "UI", "AE", "UR", "DA", "DT", "LO", "LT", "SH", "ST", "UT", "UC") or not keyword:
            continue
        seen += 1
        for enhanced in (False, True):
            action = action_for(tag, found, Options(), enhanced=enhanced)
            if found == "UI" and class_uids.search(keyword):
                continue
            assert action not in (Action.KEEP, Action.SHIFT), keyword
            if found in ("PN", "AE", "UR", "DA", "DT"):
                assert action in (Action.REMOVE, Action.EMPTY, Action.DUMMY), keyword
    assert seen > 1000


@pytest.mark.parametrize("keyword", ["StudyDescription", "ImageComments", "SeriesDescription", "ReasonForStudy"])
def test_options_have_their_say_over_the_basic_action(keyword: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    assert action_for(tag, vr, Options(), enhanced=False) is Action.CLEAN
    assert action_for(tag, vr, Options(descriptors=False), enhanced=False) is Action.REMOVE


# --- one object


def test_nothing_that_the_header_names_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = dirty(tmp_path / "Featherstonehaugh.dcm")
    assert run(source, "--out", tmp_path / "out") == 0
    said = capsys.readouterr()
    (path,) = written(tmp_path / "out")
    assert_silent(path.read_bytes(), "Featherstonehaugh", "SWITHIN", "フェザー", "20260302")
    assert_silent(said.out.encode() + str(path.relative_to(tmp_path)).encode())
    made = pydicom.dcmread(path)
    assert made.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113100", "113105"]
    assert {item.CodingSchemeDesignator for item in made.DeidentificationMethodCodeSequence} == {"DCM"}
    assert made.LongitudinalTemporalInformationModified == "REMOVED"
    assert re.fullmatch(r"WR-[A-Z2-7]{12}", made.PatientID)
    assert str(made.PatientName) == made.PatientID
    assert made.PatientSex == "" and made.AccessionNumber == "" and made.StudyDate == ""
    for gone in ("PatientAge", "InstitutionName", "DeviceSerialNumber", "SourceImageSequence", "AcquisitionDateTime"):
        assert gone not in made
    assert made.StudyDescription.startswith("Chest PA for [removed], born [removed]")
    assert made.SeriesDescription == "PA upright"
    assert made.Manufacturer == "Lightworks for [removed]"
    assert made.RequestAttributesSequence[0].ScheduledProcedureStepDescription == "Chest of [removed]"
    assert not any(element.tag.is_private or element.tag.group >> 8 in (0x50, 0x60) for element in made.iterall())
    assert made.preamble == bytes(128)
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert "SourceApplicationEntityTitle" not in made.file_meta


@pytest.mark.parametrize(
    "compression", ["none", "implicit", "big endian", "deflated", "rle", "jpeg lossless", "jpeg 2000", "htj2k"]
)
def test_pixels_stay_byte_for_byte(tmp_path: Path, compression: Compression) -> None:
    source = PHANTOM.write_dicom(tmp_path / "a.dcm", compression=compression, elements=identified())
    assert run(source, "--out", tmp_path / "out") == 0
    before, after = pydicom.dcmread(source), only(tmp_path / "out")
    assert after.PixelData == before.PixelData
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    if compression != "deflated":
        assert_silent(written(tmp_path / "out")[0].read_bytes())


@pytest.mark.parametrize("options", [(), ("--shift-dates", "--keep-characteristics"), ("--drop-descriptors",)])
def test_the_object_conforms_as_it_did(tmp_path: Path, options: tuple[str, ...]) -> None:
    if not DCIODVFY.exists():
        pytest.skip("dciodvfy is not installed (dicom3tools)")

    def errors(path: Path) -> set[str]:
        done = subprocess.run([DCIODVFY, path], capture_output=True, text=True, errors="replace")
        return {re.sub("<.*", "", line) for line in done.stderr.splitlines() if line.startswith("Error")}

    source = dirty(tmp_path / "a.dcm")
    assert run(source, "--out", tmp_path / "out", *options) == 0
    assert errors(written(tmp_path / "out")[0]) <= errors(source)


def test_what_an_enhanced_object_requires_is_a_dummy(tmp_path: Path) -> None:
    groups = Sequence([Dataset()])
    source = dirty(tmp_path / "a.dcm", elements={"SharedFunctionalGroupsSequence": groups})
    assert run(source, "--out", tmp_path / "out") == 0
    made = only(tmp_path / "out")
    assert made.DeviceSerialNumber == "REMOVED"
    assert made.ContentDate == "19000101"
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID.startswith("2.25.")
    assert_silent(written(tmp_path / "out")[0].read_bytes())


NAMES = st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x17F), min_size=4, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(family=NAMES, given_name=NAMES, number=st.from_regex(r"[A-Z]{2}[0-9]{7}", fullmatch=True), place=st.data())
def test_a_name_is_found_wherever_it_stands(
    tmp_path: Path, family: str, given_name: str, number: str, place: st.DataObject
) -> None:
    texts = ["StudyDescription", "ImageComments", "ProtocolName", "Manufacturer", "SoftwareVersions", "PatientComments"]
    keyword = place.draw(st.sampled_from(texts))
    order = place.draw(st.permutations([family, given_name, number]))
    elements = {"PatientName": f"{family}^{given_name}", "PatientID": number, keyword: f"x {' '.join(order)} y"}
    folder = tmp_path / "one"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    PHANTOM.write_dicom(folder / "a.dcm", elements=elements)
    deidentify([folder / "a.dcm"], folder / "out")
    text = str(only(folder / "out").get(keyword)).casefold()
    assert number.casefold() not in text
    from wetread.deidentify import Identifiers

    identifiers = Identifiers()
    identifiers.add_name(f"{family}^{given_name}")
    assert not identifiers.found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "Mu\u0308ller",  # decomposed
        "MÜL-\nLER",
        "J. Roe",
        "Roe, J.",
        "H. P. Müller-Lüdenscheidt",
        "H.-P. Müller",
        "Mueller-\nLuedenscheidt",
        "Luden-\r\n  scheidt",
        "Ja\u00adne",
        "Ja\u200bne",
        "\uff32\uff2f\uff25",  # full width
        "2. Januar 1960",
        "2 de enero de 1960",
        "Jan 2, '60",
        "02.01.\n1960",
        "1960\u201301\u201302",
    ],
)
def test_an_identifier_is_found_however_it_is_spelled(text: str) -> None:
    from wetread.deidentify import Identifiers

    identifiers = Identifiers()
    identifiers.add_name("Mu\u0308ller-Lüdenscheidt^Hans Peter")
    identifiers.add_name("Roe^Jane")
    identifiers.add_name("Hand^Laura")
    identifiers.add_date(date(1960, 1, 2))
    assert identifiers.scrub(f"Cough, {text}, fever") == "Cough, [removed], fever"
    for harmless in ("Mul-\nlet", "January 2019", "roebuck", "Lung-\nbase", "2 cm, 1960 ml", "L. hand"):
        assert identifiers.scrub(harmless) == harmless


# --- pseudonyms


def test_uids_map_alike_in_a_run_and_differ_between_runs(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    dirty(source / "a.dcm")
    dirty(source / "b.dcm", elements={"SOPInstanceUID": "1.2.3.4.5.777.5"})
    for out in ("one", "two"):
        assert run(source, "--out", tmp_path / out) == 0
    one, two = ([pydicom.dcmread(path) for path in written(tmp_path / out)] for out in ("one", "two"))
    assert len({made.StudyInstanceUID for made in one}) == len({made.PatientID for made in one}) == 1
    assert len({made.SOPInstanceUID for made in one}) == 2
    assert {made.SOPInstanceUID for made in one}.isdisjoint(made.SOPInstanceUID for made in two)
    for made, path in zip(one, written(tmp_path / "one"), strict=True):
        inside = path.relative_to(tmp_path / "one")
        assert inside.parts == (made.StudyInstanceUID, made.SeriesInstanceUID, f"{made.SOPInstanceUID}.dcm")


def test_a_key_gives_the_same_bytes_again(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a secret of more than sixteen bytes\n")
    source = dirty(tmp_path / "a.dcm")
    for out in ("one", "two"):
        assert run(source, "--out", tmp_path / out, "--key-file", key, "--shift-dates") == 0
    first, second = written(tmp_path / "one")[0], written(tmp_path / "two")[0]
    assert first.read_bytes() == second.read_bytes()
    assert first.name == second.name


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_a_bad_key_is_refused(tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    assert run(dirty(tmp_path / "a.dcm"), "--out", tmp_path / "out", "--key-file", key) == 2
    assert "WET-DEID-KEY" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_dates_move_alike_and_ages_are_capped(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    dirty(source / "a.dcm")
    dirty(source / "b.dcm", elements={"SOPInstanceUID": "1.2.3.4.5.777.5", "StudyDate": "20260401"})
    assert run(source, "--out", tmp_path / "out", "--shift-dates", "--keep-characteristics") == 0
    made = [pydicom.dcmread(path) for path in written(tmp_path / "out")]
    days = sorted(date.fromisoformat(one.StudyDate) for one in made)
    assert days[1] - days[0] == date(2026, 4, 1) - date(2026, 3, 2)
    assert days[0] < date(2026, 3, 2)
    for one in made:
        assert one.LongitudinalTemporalInformationModified == "MODIFIED"
        assert [item.CodeValue for item in one.DeidentificationMethodCodeSequence] == [
            "113100", "113105", "113107", "113108",
        ]  # fmt: skip
        assert one.PatientAge == "090Y" and one.PatientSex == "F" and one.PatientWeight == 61
        assert one.PatientBirthDate == ""
        assert one.SeriesDate == one.ContentDate == one.AcquisitionDateTime[:8] != "20260302"
        assert one.AcquisitionDateTime[8:] == "101112.5+0100"
        assert one.StudyTime == "101112"


@pytest.mark.parametrize(
    ("text", "moved"),
    [("20240301", "20240229"), ("2024.03.01", "20240229"), ("20240301120000.1-0500", "20240229120000.1-0500")],
)
def test_a_date_is_moved_by_days(text: str, moved: str) -> None:
    from datetime import timedelta

    assert shifted(text, timedelta(days=-1)) == moved


@pytest.mark.parametrize("text", ["", "2024", "202403", "00000000", "20241301", "gestern"])
def test_what_is_no_date_goes(text: str) -> None:
    from datetime import timedelta

    assert shifted(text, timedelta(days=-1)) == ""


def test_uids_can_be_kept(tmp_path: Path) -> None:
    source = dirty(tmp_path / "a.dcm")
    assert run(source, "--out", tmp_path / "out", "--keep-uids") == 0
    made = only(tmp_path / "out")
    assert made.SOPInstanceUID == made.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4.5.777.3"
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5.777.9"
    assert made.DeidentificationMethodCodeSequence[-1].CodeValue == "113110"
    kept = written(tmp_path / "out")[0].read_bytes()
    assert_silent(kept.replace(b"1.2.3.4.5.777", b""))


def test_a_mapping_is_written_only_when_asked_for_and_for_its_owner(tmp_path: Path) -> None:
    source = dirty(tmp_path / "a.dcm")
    mapping = tmp_path / "mapping.json"
    assert run(source, "--out", tmp_path / "one") == 0
    assert not mapping.exists()
    assert run(source, "--out", tmp_path / "two", "--mapping", mapping) == 0
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    found = json.loads(mapping.read_text())
    assert found["uids"]["1.2.3.4.5.777.3"] == only(tmp_path / "two").SOPInstanceUID
    assert list(found["patients"].values()) == [only(tmp_path / "two").PatientID]
    assert run(source, "--out", tmp_path / "three", "--mapping", mapping) == 2
    assert run(source, "--out", tmp_path / "three", "--mapping", tmp_path / "three" / "m.json") == 2
    assert not (tmp_path / "three").exists()


def test_pseudonyms_are_never_printed() -> None:
    made = Pseudonyms(b"a secret of sixteen bytes")
    made.patient("Featherstonehaugh")
    assert "secret" not in repr(made) and "Feather" not in repr(made)


# --- what cannot be cleaned


def report_object(path: Path) -> Path:
    dataset = pydicom.dcmread(PHANTOM.write_dicom(path, elements=identified()))
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_reports_and_documents_are_left_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "Featherstonehaugh"
    source.mkdir()
    dirty(source / "a.dcm")
    report_object(source / "Zebedee.dcm")
    (source / "notes.txt").write_text("Featherstonehaugh")
    assert run("--json", source, "--out", tmp_path / "out") == 0
    said = capsys.readouterr()
    outcome = json.loads(said.out)
    assert len(outcome["written"]) == len(written(tmp_path / "out")) == 1
    assert [one["why"] for one in outcome["left_out"]] == [
        "is no image (Basic Text SR): its text cannot be cleaned",
        "is no DICOM file, PNG or JPEG picture",
    ]
    assert "Left out" in said.err and "Zebedee" not in said.out + said.err


def test_only_what_cannot_be_cleaned_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(report_object(tmp_path / "a.dcm"), "--out", tmp_path / "out") == 2
    assert "WET-DEID-NOTHING" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("elements", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "header says"),
        ({"ConversionType": "DF"}, "digitized film"),
        ({"Modality": "US"}, "ultrasound"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "BurnedInAnnotation": "NO"}, "secondary capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen capture"),
    ],
)
def test_images_of_risk_are_told_and_refused_when_strict(
    tmp_path: Path, elements: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = dirty(tmp_path / "a.dcm", elements=elements)
    assert run(source, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "LOOK AT THE PIXELS" in said and why in said
    assert run(source, "--out", tmp_path / "strict", "--strict") == 2
    assert "WET-DEID-BURNED" in capsys.readouterr().err
    assert not (tmp_path / "strict").exists()


def test_it_never_claims_that_no_text_is_burned_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(dirty(tmp_path / "a.dcm"), "--out", tmp_path / "out", "--strict") == 0
    assert "no header rules it out" in capsys.readouterr().err
    assert "BurnedInAnnotation" not in only(tmp_path / "out")


# --- what the last search finds


def test_a_name_in_a_comment_of_the_compressed_pixels_stops_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pydicom.encaps import encapsulate, generate_frames

    source = PHANTOM.write_dicom(tmp_path / "a.dcm", compression="jpeg 2000", elements={"PatientName": "Quill^Ada"})
    dataset = pydicom.dcmread(source)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    comment = b"\0\1Taken of Quill"
    length = int.from_bytes(frame[4:6], "big")
    at = 4 + length
    changed = frame[:at] + b"\xff\x64" + (len(comment) + 2).to_bytes(2, "big") + comment + frame[at:]
    dataset.PixelData = encapsulate([changed])
    dataset.save_as(source)
    assert run(source, "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "WET-DEID-REMAINS" in said and "comment" in said and "Quill" not in said
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_a_name_in_the_pixels_own_bytes_stops_it(tmp_path: Path) -> None:
    source = dirty(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(source)
    dataset.PixelData = dataset.PixelData[:100] + b" Featherstonehaugh " + dataset.PixelData[119:]
    dataset.save_as(source)
    with pytest.raises(DeidentifyError) as caught:
        deidentify([source], tmp_path / "out")
    assert caught.value.code == "WET-DEID-REMAINS"
    assert "pixel data" in caught.value.message


@pytest.mark.parametrize("held", [b"made for Featherstonehaugh ", b"for MRN-774411 ", b"of 1.2.3.4.5.777.3 "])
def test_what_stands_in_an_element_that_holds_bytes_stops_it(tmp_path: Path, held: bytes) -> None:
    source = dirty(tmp_path / "a.dcm", elements={"ICCProfile": held})
    with pytest.raises(DeidentifyError) as caught:
        deidentify([source], tmp_path / "out")
    assert "bytes of the header" in caught.value.message


# --- files


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    dirty(source / "a.dcm")
    cut = dirty(source / "b.dcm", elements={"SOPInstanceUID": "1.2.3.4.5.777.5"})
    cut.write_bytes(cut.read_bytes()[:-2000])
    assert run(source, "--out", tmp_path / "out") == 2
    assert "WET-INPUT-TRUNCATED" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = dirty(tmp_path / "a.dcm")
    (tmp_path / "out").mkdir()
    assert run(source, "--out", tmp_path / "out") == 0
    before = written(tmp_path / "out")
    assert run(source, "--out", tmp_path / "out") == 2
    assert "WET-INPUT-OUT" in capsys.readouterr().err
    assert written(tmp_path / "out") == before


def test_the_result_does_not_lie_in_its_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dirty(tmp_path / "a.dcm")
    assert run(tmp_path, "--out", tmp_path / "out") == 2
    assert "WET-INPUT-OUT" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_the_same_object_twice_is_written_once(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    dirty(source / "a.dcm")
    shutil.copy(source / "a.dcm", source / "b.dcm")
    assert run(source, "--out", tmp_path / "out") == 0
    assert len(written(tmp_path / "out")) == 1


def test_two_objects_of_one_uid_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    dirty(source / "a.dcm")
    dirty(source / "b.dcm", elements={"SeriesDescription": "AP"})
    with pytest.raises(InputError) as caught:
        deidentify([source], tmp_path / "out")
    assert caught.value.code == "WET-INPUT-UID"


def test_the_result_can_be_read(tmp_path: Path) -> None:
    source = dirty(tmp_path / "a.dcm")
    assert run(source, "--out", tmp_path / "out", "--shift-dates") == 0
    before, after = read_study(source), read_study(tmp_path / "out")
    assert after.images[0].view is before.images[0].view
    assert (after.images[0].rows, after.images[0].modality) == (before.images[0].rows, before.images[0].modality)
    assert after.acquired is not None and before.acquired is not None and after.acquired < before.acquired
    assert run(source, "--out", tmp_path / "plain") == 0
    assert read_study(tmp_path / "plain").acquired is None


def png(path: Path, *, turned: int = 1) -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Featherstonehaugh")
    info.add_itxt("Comment", "Zebedee")
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "MRN-774411", turned
    Image.fromarray(PHANTOM.pixels[:60]).save(path, pnginfo=info, exif=exif)
    path.write_bytes(path.read_bytes() + b"Featherstonehaugh")
    return path


def jpg(path: Path, *, turned: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "MRN-774411", turned
    Image.fromarray(PHANTOM.pixels[:60]).save(path, exif=exif, comment=b"Featherstonehaugh", progressive=True)
    path.write_bytes(path.read_bytes() + b"Featherstonehaugh")
    return path


@pytest.mark.parametrize("turned", [1, 6])
@pytest.mark.parametrize("make", [png, jpg])
def test_pictures_keep_their_pixels_alone(tmp_path: Path, make: Callable[..., Path], turned: int) -> None:
    source = make(tmp_path / f"Featherstonehaugh.{make.__name__}", turned=turned)
    assert run(source, "--out", tmp_path / "out") == 0
    (path,) = written(tmp_path / "out")
    data = path.read_bytes()
    assert_silent(data)
    before, after = Image.open(source), Image.open(BytesIO(data))
    assert np.array_equal(np.asarray(before), np.asarray(after))
    assert after.getexif().get(0x0112, 1) == turned
    assert set(after.getexif()) <= {0x0112}
    assert read_study(path, view="PA").images[0].rows == read_study(source, view="PA").images[0].rows


def test_a_sheet_goes_along_with_its_texts_cleaned(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    dirty(source / "Featherstonehaugh.dcm")
    png(source / "Zebedee.png")
    (source / "old.txt").write_text("FINDINGS: Mrs Featherstonehaugh has clear lungs. Signed Dr Quillfeather.")
    sheet = {
        "exam": "Chest",
        "indication": "Cough. Zebedee Featherstonehaugh (MRN-774411) was seen on 2 March 2026.",
        "age": 93,
        "sex": "F",
        "date": date(2026, 3, 2),
        "patient": "Nightingale 7",
        "images": [
            {"file": "Featherstonehaugh.dcm", "view": "PA"},
            {"file": "Zebedee.png", "role": "prior", "view": "PA", "date": date(2025, 1, 1)},
        ],
        "prior_report": {"file": "old.txt", "date": date(2025, 1, 1)},
    }
    (source / "study.yaml").write_text(yaml.safe_dump(sheet))
    for out, options in (("plain", ()), ("more", ("--shift-dates", "--keep-characteristics"))):
        assert run(source, "--out", tmp_path / out, *options) == 0
        for path in written(tmp_path / out):
            assert_silent(path.read_bytes() + str(path.relative_to(tmp_path)).encode(), "2 March", "2026-03-02")
        study = read_study(tmp_path / out)
        assert [image.role for image in study.images] == ["current", "prior"]
        assert study.indication == "Cough. [removed] ([removed]) was seen on [removed]."
        assert study.prior_report is not None and "clear lungs" in study.prior_report.text
    assert study.age_years == 90 and study.sex == "F"
    assert study.images[1].days_before == (date(2026, 3, 2) - date(2025, 1, 1)).days
    plain = yaml.safe_load((tmp_path / "plain" / "study.yaml").read_text())
    assert not {"age", "sex", "date"} & set(plain)


def test_a_tiff_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(PHANTOM.pixels).save(tmp_path / "a.tiff")
    assert run(tmp_path / "a.tiff", "--out", tmp_path / "out") == 2
    assert "PNG" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\x10JFIF", b"\xff\xd8\xff\xda\0\2\xff"])
def test_a_damaged_picture_is_one_line(tmp_path: Path, damage: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(damage)
    assert run(tmp_path / "a.png", "--out", tmp_path / "out") == 2
    assert "WET-INPUT-PICTURE" in capsys.readouterr().err

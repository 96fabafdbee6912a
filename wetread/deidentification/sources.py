"""Looks through what is to be de-identified, before any of it is: which files, of which patient, what they name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.deidentification.objects import instance_uids
from wetread.deidentify import Identifiers, parse_date
from wetread.errors import InputError
from wetread.imaging.pixels import read_header
from wetread.imaging.quiet import quiet
from wetread.study_files import YAML_NAMES, StudyFile, StudyFolder, find_files, read_sheet, shown_path

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset


@dataclass
class Patient:
    """One patient of a run: the key for the pseudonym, None where nothing tells who it is, and all that headers name.

    `group` keys the days by which dates are moved: the patient, or else the study.
    """

    key: str | None
    group: str
    identifiers: Identifiers = field(default_factory=Identifiers)
    uids: set[str] = field(default_factory=set)
    encodings: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Source:
    """One file. `place` is where a `study.yaml` lists it."""

    file: StudyFile
    patient: Patient
    place: int | None = None

    @property
    def is_dicom(self) -> bool:
        return self.file.kind != "picture"


@dataclass(frozen=True, slots=True)
class Sources:
    """What was found.

    Attributes:
        images: To be de-identified.
        left_out: Files that cannot be, as (how it may be called, why).
        sheets: Folders with a `study.yaml`.
    """

    images: tuple[Source, ...]
    left_out: tuple[tuple[str, str], ...]
    sheet: StudyFolder | None
    patient: Patient | None
    """Of the sheet."""


def look_through(paths: list[Path]) -> Sources:
    """Find the images under some paths and collect what their headers name.

    Raises:
        InputError: `WET-INPUT-*`, a file cannot be read; `WET-INPUT-YAML`, a `study.yaml` is given with other paths.
    """
    sheet = _sheet(paths)
    if sheet is not None and sheet.files:
        listed: list[tuple[StudyFile, int | None]] = [(file, place) for place, file in enumerate(sheet.files)]
    else:
        report = sheet.prior_report_file if sheet is not None else None
        found = find_files([sheet.folder] if sheet is not None else paths)
        listed = [(file, None) for file in found if file.path.resolve() != report]
    patients: dict[str, Patient] = {}
    of_sheet = _of_sheet(sheet) if sheet is not None else None
    images: list[Source] = []
    left_out: list[tuple[str, str]] = []
    named: set[str | None] = set()
    for file, place in listed:
        if file.kind == "picture":
            images.append(Source(file, of_sheet or patients.setdefault("", Patient(None, "")), place))
            continue
        header = None if file.kind == "other" else _header(file)
        why = "is no DICOM file, PNG or JPEG picture" if header is None else _no_image(header)
        if header is None or why is not None:
            left_out.append((file.shown, why or ""))
            continue
        key = _patient_key(header)
        group = key or f"study {header.get('StudyInstanceUID')}"
        patient = of_sheet or patients.setdefault(group, Patient(key, group))
        if of_sheet is not None:
            named.add(key)
            patient.key = patient.key or key
        _take_in(header, patient)
        images.append(Source(file, patient, place))
    if len(named - {None}) > 1:
        raise InputError(
            "WET-INPUT-PATIENTS",
            f"The images of the study.yaml belong to {len(named - {None})} patients by their headers.",
            "Give the images of one patient.",
        )
    return Sources(tuple(images), tuple(left_out), sheet, of_sheet)


def _sheet(paths: list[Path]) -> StudyFolder | None:
    for path in paths:
        names = [path / name for name in YAML_NAMES if (path / name).is_file()] if path.is_dir() else []
        if path.name in YAML_NAMES and path.is_file():
            names = [path]
        if names:
            if len(paths) > 1:
                raise InputError(
                    "WET-INPUT-YAML",
                    f"{shown_path(names[0])} describes a whole study, and other paths are given beside it.",
                    "Give that folder alone.",
                )
            return read_sheet(names[0])
    return None


def _of_sheet(found: StudyFolder) -> Patient:
    patient = Patient(None, f"folder {found.folder.name}")
    if found.sheet.patient:
        patient.key = patient.group = f"sheet {found.sheet.patient}"
        patient.identifiers.add_value(found.sheet.patient)
    return patient


def _header(file: StudyFile) -> FileDataset | None:
    """A file's header; None for what only might have been DICOM."""
    from pydicom.uid import MediaStorageDirectoryStorage

    try:
        with quiet("pydicom"):
            header = read_header(file.path)
            named = _class_of(header), header.get("SOPInstanceUID") or _class_of(header) == MediaStorageDirectoryStorage
    except Exception as error:  # pydicom raises what it likes on damaged files
        if file.kind != "dicom":
            return None
        raise _damaged(file) from error
    if all(named):
        return header
    if file.kind != "dicom":
        return None
    raise _damaged(file)


def _class_of(header: Dataset) -> str:
    meta = getattr(header, "file_meta", None)
    return str(header.get("SOPClassUID") or (meta.get("MediaStorageSOPClassUID") if meta is not None else None) or "")


def _damaged(file: StudyFile) -> InputError:
    return InputError(
        "WET-INPUT-DICOM", f"{file.shown} is damaged, or is no DICOM file.", "Export it again, or leave it out."
    )


def _no_image(header: Dataset) -> str | None:
    """Why an object is left out; None for an image."""
    from pydicom.uid import UID

    name = UID(_class_of(header)).name
    if header.get("Rows") is not None and header.get("Columns") is not None and "ContentSequence" not in header:
        return None
    kind = name.removesuffix(" Storage") if not name.startswith(("1.", "2.")) else "an object of an unknown class"
    return f"is no image ({kind}): its text cannot be cleaned"


def _patient_key(header: Dataset) -> str | None:
    """Patient ID, else name and birth date, as they tell patients apart."""

    def text(keyword: str) -> str:
        try:
            return " ".join(str(header.get(keyword) or "").split()).casefold()
        except Exception:  # as above
            return ""

    if text("PatientID"):
        return f"id {text('PatientID')}"
    name = text("PatientName")
    return f"name {name} {text('PatientBirthDate')}" if name.strip("^= ") else None


def _take_in(header: Dataset, patient: Patient) -> None:
    from pydicom.charset import convert_encodings

    with quiet("pydicom"):
        patient.identifiers.add_header(header)
        patient.uids.update(instance_uids(header))
        for element in header.iterall():
            try:
                if element.VR in ("DA", "DT"):
                    for day in map(parse_date, str(element.value or "").strip("[]' ").split("\\")):
                        if day is not None:
                            patient.identifiers.add_date(day)
            except Exception:  # as above
                continue
        try:
            patient.encodings.update(convert_encodings(header.get("SpecificCharacterSet")))
        except Exception:  # as above: an unknown character set
            return

"""One DICOM file's header as facts: what a reading needs of it, and the identifiers that must not go further."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wetread.deidentify import Identifiers
from wetread.errors import InputError
from wetread.imaging.display import modality_lut, usable_window
from wetread.imaging.pictures import check_frames, check_size
from wetread.imaging.pixels import read_header, transfer_syntax
from wetread.imaging.quiet import quiet
from wetread.study import Spacing
from wetread.vocabulary import RADIOGRAPH, View

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

RightOn = Literal["left", "right", "unknown"]
Sex = Literal["F", "M", "O"]

_AT_PATIENT = frozenset({"CT", "MR", "PT", "NM"})
"""Modalities whose Pixel Spacing is at the patient."""

_VIEWS = {
    "PA": View.PA,
    "AP": View.AP,
    "LL": View.LATERAL,
    "RL": View.LATERAL,
    "LAT": View.LATERAL,
    "LATERAL": View.LATERAL,
    "LLAT": View.LATERAL,
    "RLAT": View.LATERAL,
}
# DICOM CID 4010 "DX View", SNOMED CT and the older SNOMED-RT codes that pydicom's tables map to them.
_VIEW_CODES = {
    "272479007": View.PA,
    "R-40888": View.PA,
    "399348003": View.AP,
    "R-10206": View.AP,
    "399033003": View.FRONTAL,
    "R-10202": View.FRONTAL,
    "399067008": View.LATERAL,
    "R-102CD": View.LATERAL,
    "399173006": View.LATERAL,
    "R-10236": View.LATERAL,
    "399198007": View.LATERAL,
    "R-10232": View.LATERAL,
}


_DERIVED = {
    "1.2.840.10008.5.1.4.1.1.66.4": "segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "segmentation",
    "1.2.840.10008.5.1.4.1.1.30": "parametric map",
    "1.2.840.10008.5.1.4.1.1.481.2": "radiotherapy dose",
}
"""SOP classes (PS3.4 B.5) that have rows and columns and are no picture of a patient, but of what was made of one."""


@dataclass(frozen=True, slots=True)
class DicomFacts:
    """What one file's header says, without identifiers: of those, only one-way keys."""

    modality: str
    body_part: str | None
    view: View
    patient_right_on: RightOn
    rows: int
    columns: int
    frames: int
    spacing: Spacing | None
    acquired: date | None
    age_years: int | None
    sex: Sex | None
    exam: str | None
    indication: str | None
    history: str | None
    notes: tuple[str, ...]
    order: tuple[int, int]
    """Series and instance number."""
    patient: str | None
    """One-way keys of Patient ID, name and birth date: two patients may share one of them."""
    name: str | None
    birth: str | None
    study: str | None
    instance: str | None


def read_dicom(path: Path, shown: str, identifiers: Identifiers, *, required: bool) -> DicomFacts | None:
    """Read and check one file's header; its identifiers go into `identifiers`.

    Args:
        shown: How the file may be named in an error.
        required: Whether it must be an image. An object without pixels (a report, a presentation state) is else left
        out.

    Returns:
        The facts, or None for an object that is no image.

    Raises:
        InputError: `WET-INPUT-DICOM`, `WET-INPUT-NOPIXELS`, `WET-INPUT-TRUNCATED`, `WET-INPUT-FRAMES`,
        `WET-INPUT-SYNTAX`,
            `WET-INPUT-SMALL`, `WET-INPUT-LARGE`, `WET-INPUT-RESCALE`.
    """
    try:
        with quiet("pydicom"):
            return _read(path, shown, identifiers, required)
    except InputError as error:
        if error.message.startswith(shown):
            raise
        raise InputError(error.code, f"{shown}: {error.message}", error.hint) from error
    except Exception as error:  # pydicom raises what it likes on damaged files
        raise InputError(
            "WET-INPUT-DICOM", f"{shown} is damaged, or is no DICOM file.", "Export it again from its source."
        ) from error


def one_way(kind: str, text: str) -> str:
    """A key that tells same from different, and not what it was made of."""
    return hashlib.sha256(f"wetread {kind}\0{' '.join(text.split()).casefold()}".encode()).hexdigest()


def _read(path: Path, shown: str, identifiers: Identifiers, required: bool) -> DicomFacts | None:
    dataset = read_header(path)
    sop_class = str(
        dataset.get("SOPClassUID") or getattr(dataset, "file_meta", {}).get("MediaStorageSOPClassUID") or ""
    )
    if not sop_class or len(dataset) == 0:
        if not required and not sop_class:
            return None
        raise InputError(
            "WET-INPUT-DICOM", f"{shown} is damaged, or is no DICOM file.", "Export it again from its source."
        )
    identifiers.add_header(dataset)
    if sop_class in _DERIVED:
        if required:
            raise InputError(
                "WET-INPUT-NOTIMAGE", f"{shown} is a {_DERIVED[sop_class]}, not an image.", "Give the image itself."
            )
        return None
    if dataset.get("Rows") is None or dataset.get("Columns") is None:
        if required or _is_image_class(sop_class):
            raise _no_pixels(shown)
        return None
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    check_size(rows, columns)
    frames = max(1, int(dataset.get("NumberOfFrames") or 1))
    check_frames(frames)
    _check_pixels(path, shown, dataset, rows, columns, frames)
    modality_lut(dataset, 0)
    modality = _term(dataset, "Modality") or "unknown"
    view = _view(dataset) if modality in RADIOGRAPH else View.UNKNOWN
    acquired = next(
        (d for key in ("StudyDate", "AcquisitionDate", "SeriesDate", "ContentDate") if (d := _date(dataset, key))), None
    )
    if dataset.get("LongitudinalTemporalInformationModified") == "REMOVED":
        acquired = None  # what dates there are stand for nothing: PS3.15 E.2
    return DicomFacts(
        modality=modality,
        body_part=_term(dataset, "BodyPartExamined"),
        view=view,
        patient_right_on="unknown" if view is View.LATERAL else _right_on(dataset),
        rows=rows,
        columns=columns,
        frames=frames,
        spacing=_spacing(dataset, modality),
        acquired=acquired,
        age_years=_age(dataset, acquired),
        sex=_sex(dataset),
        exam=_text(dataset, "StudyDescription") or _text(dataset, "RequestedProcedureDescription"),
        indication=_text(dataset, "ReasonForTheRequestedProcedure") or _text(dataset, "ReasonForStudy"),
        history=_text(dataset, "AdditionalPatientHistory"),
        notes=tuple(_notes(dataset)),
        order=(_whole(dataset, "SeriesNumber"), _whole(dataset, "InstanceNumber")),
        patient=_key(dataset, "patient", "PatientID"),
        name=_key(dataset, "name", "PatientName"),
        birth=_key(dataset, "birth", "PatientBirthDate"),
        study=_key(dataset, "study", "StudyInstanceUID"),
        instance=_key(dataset, "instance", "SOPInstanceUID"),
    )


def _key(dataset: Dataset, kind: str, keyword: str) -> str | None:
    text = _text(dataset, keyword)
    return one_way(kind, text) if text else None


def _is_image_class(sop_class: str) -> bool:
    from pydicom.uid import UID

    return "Image Storage" in UID(sop_class).name


def _no_pixels(shown: str) -> InputError:
    return InputError("WET-INPUT-NOPIXELS", f"{shown} holds no pixel data.", "Give the image itself.")


def _truncated(shown: str) -> InputError:
    return InputError(
        "WET-INPUT-TRUNCATED", f"{shown} is cut off: its pixel data are not complete.", "Copy or export it again."
    )


def _check_pixels(path: Path, shown: str, dataset: FileDataset, rows: int, columns: int, frames: int) -> None:
    """Pixel data are there, complete and of a kind that can be decoded; nothing is decoded."""
    from pydicom import dcmread, uid
    from pydicom.pixels.decoders.base import get_decoder

    syntax = transfer_syntax(dataset)
    try:
        get_decoder(syntax)
    except NotImplementedError as error:
        raise InputError(
            "WET-INPUT-SYNTAX",
            f"{shown} is compressed in a way that cannot be decoded ({syntax.name}).",
            "Export it uncompressed.",
        ) from error
    bits = int(dataset.get("BitsAllocated") or 0) * int(dataset.get("SamplesPerPixel") or 1)
    expected = math.ceil(rows * columns * bits * frames / 8)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        expected = expected * 2 // 3
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        whole = dcmread(path, force=True)
        if "PixelData" not in whole:
            raise _no_pixels(shown)
        if len(whole.PixelData) < expected:
            raise _truncated(shown)
        return
    with path.open("rb") as file:
        dcmread(file, stop_before_pixels=True, force=True)
        start = file.tell()
        size = path.stat().st_size
        order = "<" if syntax.is_little_endian else ">"
        head = file.read(12)
        if len(head) < 8:
            raise _no_pixels(shown)
        group, element = struct.unpack(f"{order}HH", head[:4])
        if group != 0x7FE0 or element not in (0x0008, 0x0009, 0x0010):
            raise _no_pixels(shown)
        if syntax.is_implicit_VR:
            (length,) = struct.unpack(f"{order}I", head[4:8])
            start += 8
        else:
            if len(head) < 12:
                raise _truncated(shown)
            (length,) = struct.unpack(f"{order}I", head[8:12])
            start += 12
        if length == 0:
            raise _no_pixels(shown)
        if length != 0xFFFFFFFF:
            if start + length > size or length < expected:
                raise _truncated(shown)
            return
        if not syntax.is_encapsulated:
            raise _truncated(shown)
        _check_items(file, start, size, frames, shown)


def _check_items(file: Any, start: int, size: int, frames: int, shown: str) -> None:
    """Encapsulated pixel data (PS3.5 A.4): an offset table, at least one fragment a frame, a delimiter."""
    items = 0
    while True:
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            raise _truncated(shown)
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        start += 8 + length
        if (group, element) != (0xFFFE, 0xE000) or start > size:
            raise _truncated(shown)
        items += 1
    if items - 1 < frames:
        raise _truncated(shown)


def _text(dataset: Dataset, keyword: str) -> str | None:
    """An element as text, decoded by the header's character set; None where it is absent, empty or does not parse."""
    try:
        value = dataset.get(keyword)
    except Exception:  # as above
        return None
    if value is None:
        return None
    if not isinstance(value, str) and hasattr(value, "__iter__") and not hasattr(value, "components"):
        value = ", ".join(str(one) for one in value)
    return str(value).strip() or None


def _term(dataset: Dataset, keyword: str) -> str | None:
    """A code string (VR CS): capitals, digits, space and underscore, at most 16. Anything else is not taken for one."""
    text = (_text(dataset, keyword) or "").upper()
    fits = 0 < len(text) <= 16 and all(c.isascii() and (c.isalnum() or c in " _") for c in text)
    return text if fits else None


def _whole(dataset: Dataset, keyword: str) -> int:
    try:
        return int(dataset.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0


def _date(dataset: Dataset, keyword: str) -> date | None:
    digits = (_text(dataset, keyword) or "").replace(".", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if len(digits) == 8 else None
    except ValueError:
        return None


def _age(dataset: Dataset, acquired: date | None) -> int | None:
    """Whole years, from Patient's Age or the birth date. Over 89 it is 90, as HIPAA's Safe Harbor asks (45 CFR
    164.514(b)).

    `000Y` is a filler: infants have days, weeks or months.
    """
    text = _text(dataset, "PatientAge") or ""
    years: int | None = None
    if len(text) == 4 and text[:3].isdecimal() and text[3] in "DWMY" and text != "000Y":
        years = math.floor(int(text[:3]) * {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1}[text[3]] + 1e-9)
    else:
        born = _date(dataset, "PatientBirthDate")
        if born is not None and acquired is not None and born <= acquired:
            years = acquired.year - born.year - ((acquired.month, acquired.day) < (born.month, born.day))
    if years is None or years > 130:
        return None
    return min(years, 90)


def _sex(dataset: Dataset) -> Sex | None:
    sexes: dict[str, Sex] = {"F": "F", "M": "M", "O": "O"}
    return sexes.get(_text(dataset, "PatientSex") or "")


def _view(dataset: Dataset) -> View:
    """View Position (0018,5101), else the View Code Sequence (0054,0220). Never a guess from descriptions or pixels."""
    text = (_term(dataset, "ViewPosition") or "").replace(" ", "")
    if text:
        return _VIEWS.get(text, View.OTHER)
    for item in dataset.get("ViewCodeSequence") or ():
        code = _text(item, "CodeValue")
        if code:
            return _VIEW_CODES.get(code, View.OTHER)
    return View.UNKNOWN


def _right_on(dataset: Dataset) -> RightOn:
    """From where rows run: Patient Orientation, else Image Orientation (Patient); PS3.3 C.7.6.1.1.1, C.7.6.2.1.1."""
    try:
        rows_run = str((dataset.get("PatientOrientation") or [""])[0])[:1].upper()
        cosines = [float(v) for v in dataset.get("ImageOrientationPatient") or ()]
    except (TypeError, ValueError, IndexError):
        return "unknown"
    if not rows_run and len(cosines) == 6 and abs(cosines[0]) > 0.7:
        rows_run = "L" if cosines[0] > 0 else "R"
    # Rows that run towards the patient's left have the patient's right where they begin.
    sides: dict[str, RightOn] = {"L": "left", "R": "right"}
    return sides.get(rows_run, "unknown")


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    try:
        row, column = (float(v) for v in dataset.get(keyword) or ())
    except (TypeError, ValueError):
        return None
    # Below a micrometre or above 5 cm a pixel is no pixel; this leaves out 0, negative values and NaN as well.
    return (row, column) if 0.001 <= row <= 50 and 0.001 <= column <= 50 else None


def _spacing(dataset: Dataset, modality: str) -> Spacing | None:
    """PS3.3 10.7.1.3: Pixel Spacing of a projection counts as calibrated only with Pixel Spacing Calibration Type."""
    measures = dataset
    for groups in (dataset.get("SharedFunctionalGroupsSequence"), dataset.get("PerFrameFunctionalGroupsSequence")):
        if groups and groups[0].get("PixelMeasuresSequence"):
            measures = groups[0].PixelMeasuresSequence[0]
            break
    pixel, imager = _pair(measures, "PixelSpacing"), _pair(dataset, "ImagerPixelSpacing")
    calibrated = modality in _AT_PATIENT or _term(dataset, "PixelSpacingCalibrationType") in ("GEOMETRY", "FIDUCIAL")
    if pixel is not None and calibrated:
        return Spacing(row_mm=pixel[0], column_mm=pixel[1], kind="calibrated")
    if modality in RADIOGRAPH and (imager or pixel) is not None:
        row, column = imager or pixel or (0.0, 0.0)
        return Spacing(row_mm=row, column_mm=column, kind="detector")
    return None


def _notes(dataset: Dataset) -> list[str]:
    notes = []
    if dataset.get("LossyImageCompression") == "01":
        ratios = (_text(dataset, "LossyImageCompressionRatio") or "").split(", ")
        try:
            notes.append(f"Lossy compression, about {float(ratios[-1]):.0f}:1.")
        except ValueError:
            notes.append("Lossy compression.")
    if dataset.get("BurnedInAnnotation") == "YES":
        notes.append("The header says that text is burned into the picture.")
    if (dataset.get("WindowCenter") is not None or dataset.get("WindowWidth") is not None) and (
        usable_window(dataset) is None
    ):
        notes.append("The header's window cannot be used; shown between percentiles 0.5 and 99.5.")
    return notes

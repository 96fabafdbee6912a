"""The DICOM instances that a report is about: what an export takes from their headers.

A report holds no identifiers, so an export into DICOM needs the study again. The names and numbers of the patient and
the study are kept apart from the rest of the header: they go from the source into the export as they are, and never
into an error or a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wetread.errors import ExportError
from wetread.imaging.bank import ImageBank
from wetread.imaging.pixels import read_header
from wetread.imaging.prepare import Preparation, pixel_sha256, prepare
from wetread.imaging.quiet import quiet
from wetread.reports.export import Source
from wetread.reports.model import Report
from wetread.study import Study, StudyImage

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_IDENTITY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "ReferringPhysicianName",
)
"""Patient and General Study attributes (PS3.3 C.7.1.1, C.7.2.1) that an export repeats."""

_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_FORMS = {
    "PatientSex": re.compile("[MFO]"),
    "PatientAge": re.compile("[0-9]{3}[DWMY]"),
    "PatientBirthDate": re.compile("[0-9]{8}"),
    "StudyDate": re.compile("[0-9]{8}"),
    "StudyTime": re.compile(r"([0-9]{2}){1,3}(\.[0-9]{1,6})?"),
}
"""Forms (PS3.5 6.2) of what may be left out: a malformed value would make the export invalid too."""
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image of the report with the header of its instance.

    Attributes:
        handle: The image's handle.
        role: `current` or `prior`.
        header: The instance's header without pixel data; patient and study names and numbers are blank in it.
        identity: These, as they are in the file.
        frame: Number of its frame from 1; None in a single-frame instance.
    """

    handle: str
    role: str
    header: Dataset
    identity: Dataset
    frame: int | None

    @property
    def study_uid(self) -> str:
        return str(self.header.StudyInstanceUID)

    @property
    def series_uid(self) -> str:
        return str(self.header.SeriesInstanceUID)

    @property
    def instance_uid(self) -> str:
        return str(self.header.SOPInstanceUID)


@dataclass(frozen=True, slots=True)
class Sources:
    """The instances of a report's images, by handle, in the order of the report."""

    images: Mapping[str, SourceImage]

    @property
    def current(self) -> list[SourceImage]:
        return [image for image in self.images.values() if image.role == "current"]

    @property
    def subject(self) -> SourceImage:
        """The image whose study and patient an export belongs to: the first current one."""
        return self.current[0]

    def instances(self, among: Iterable[SourceImage] | None = None) -> list[Dataset]:
        """Headers, each instance once."""
        once = {image.instance_uid: image.header for image in (self.images.values() if among is None else among)}
        return list(once.values())


def sources_of(report: Report, source: Source) -> Sources:
    """The instances of a report, read once for all formats of one export. Errors as of `read_sources`."""
    return source.once("dicom sources", report, lambda: read_sources(report, source.study, bank=source.bank))


def read_sources(report: Report, study: Study | None, *, bank: ImageBank | None = None) -> Sources:
    """Read the headers of the instances that a report is about, and make sure that they are those.

    Args:
        report: The report.
        study: The study it was drafted from, read again.
        bank: Its pixels, where they have been read already.

    Returns:
        One source for each image of the report.

    Raises:
        ExportError: `WET-EXPORT-NOSTUDY` none is given; `WET-EXPORT-STUDY` it is another one; `WET-EXPORT-NOTDICOM`
            its images are pictures; `WET-EXPORT-HEADER` an instance lacks what every export must name.
    """
    if study is None:
        raise ExportError(
            "WET-EXPORT-NOSTUDY",
            "A DICOM export needs the study: a report holds no identifiers.",
            "Name the study's files or folder with --study.",
        )
    check_same_study(report, study, bank if bank is not None else ImageBank(study))
    with quiet("pydicom"):
        images = {image.handle: _source(study_image(study, image.handle)) for image in report.images}
    return Sources(images)


def check_same_study(report: Report, study: Study, bank: ImageBank) -> None:
    """Refuse a study that the report is not about: images by size, role and, where a model saw them, by their pixels.

    Raises:
        ExportError: `WET-EXPORT-STUDY`.
    """
    for image in report.images:
        found = study.image(image.handle)
        same = found is not None and (found.rows, found.columns, found.role, found.modality) == (
            image.rows,
            image.columns,
            image.role,
            image.modality,
        )
        if not same or not _seen(report, image.handle, bank):
            raise _other_study(image.handle)
    if len(study.images) != len(report.images):
        raise ExportError(
            "WET-EXPORT-STUDY",
            f"The study has {len(study.images)} images, the report {len(report.images)}.",
            "Give the files that the report was drafted from.",
        )


def study_image(study: Study, handle: str) -> StudyImage:
    """The image of a handle.

    Raises:
        ExportError: `WET-EXPORT-STUDY`, there is none.
    """
    image = study.image(handle)
    if image is None:
        raise _other_study(handle)
    return image


def _other_study(handle: str) -> ExportError:
    return ExportError(
        "WET-EXPORT-STUDY",
        f"{handle} of this study is not the image that the report was drafted from.",
        "Give the study's files or folder as they were read, in the same way (study.yaml, --prior).",
    )


def _seen(report: Report, handle: str, bank: ImageBank) -> bool:
    """Whether a picture that a model was sent can be made of this image; true where no model saw it."""
    sent = {evidence.inputs[handle] for evidence in report.evidence if handle in evidence.inputs}
    return not sent or any(
        pixel_sha256(prepare(bank.pixels_now(handle), preparation)[0]) in sent
        for preparation in (Preparation.CENTRE_CROP, Preparation.PAD_1024, Preparation.SQUARE_512)
    )


def _source(image: StudyImage) -> SourceImage:
    if image.source.kind != "dicom":
        raise ExportError(
            "WET-EXPORT-NOTDICOM",
            f"{image.handle} is a picture, not DICOM: there is no study in which its results could be stored.",
            "Export to pdf, docx, fhir or hl7v2 instead.",
        )
    try:
        header = read_header(image.source.path)
        header.decode()
    except Exception as error:  # pydicom raises what it likes on damaged files
        raise ExportError(
            "WET-EXPORT-HEADER", f"The header of {image.handle} cannot be read.", "Export it again from its source."
        ) from error
    missing = [keyword for keyword in _UIDS if not _is_uid(header.get(keyword))]
    if missing:
        raise ExportError(
            "WET-EXPORT-HEADER",
            f"The header of {image.handle} has no valid {', '.join(missing)}.",
            "Without them no DICOM object can refer to it.",
        )
    identity = _taken_out(header)
    for keyword in _SPACINGS:
        if keyword in header and not _positive(header.get(keyword)):
            delattr(header, keyword)
    return SourceImage(
        handle=image.handle,
        role=image.role,
        header=header,
        identity=identity,
        frame=image.frame + 1 if image.frames > 1 else None,
    )


def _taken_out(header: Dataset) -> Dataset:
    from pydicom.dataset import Dataset

    identity = Dataset()
    for keyword in _IDENTITY:
        if keyword in header:
            identity[keyword] = header[keyword]
            delattr(header, keyword)
    for keyword, form in _FORMS.items():
        if keyword in identity and not form.fullmatch(str(identity.get(keyword) or "")):
            delattr(identity, keyword)
    for keyword in _TYPE_2:
        setattr(header, keyword, "")
        if identity.get(keyword) is None:
            setattr(identity, keyword, "")
    return identity


def _is_uid(value: object) -> bool:
    from pydicom.uid import UID

    return value is not None and UID(str(value)).is_valid


def _positive(value: Any) -> bool:
    try:
        numbers = [float(number) for number in value]
    except (TypeError, ValueError):
        return False
    return len(numbers) == 2 and all(number > 0 for number in numbers)

"""What all DICOM exports share: identifiers made from the report, equipment, times, names, disclosure, files.

An export is a function of the report and the study: the same report gives the same object under the same UID, so that
storing it twice changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wetread import DISCLAIMER, __version__
from wetread.errors import ExportError
from wetread.evidence import Evidence
from wetread.imaging.quiet import quiet
from wetread.reports.export import ExportedFile
from wetread.reports.export.dicom_codes import PRIVATE
from wetread.reports.export.dicom_source import SourceImage
from wetread.reports.model import Report
from wetread.reports.plain import shown
from wetread.reports.reviewed import Signature
from wetread.reports.states import SIGNED
from wetread.reports.view import MODE_WORDS, model_name
from wetread.values import sha256_hex

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MANUFACTURER = "wetread"
SERIES = {"sr": 9701, "sr-narrative": 9702, "seg": 9703, "gsps": 9704, "pdf": 9705}
"""Series numbers, beyond those that modalities use."""


def signature(report: Report) -> Signature | None:
    """Who signed this version; None for a draft.

    Raises:
        ExportError: `WET-EXPORT-OBSERVER`, it has a signed status and nobody's name.
    """
    if not is_final(report):
        return None
    signed = report.review.signature if report.review is not None else None
    if signed is None or not shown(signed.by):
        raise ExportError(
            "WET-EXPORT-OBSERVER",
            f"The report is {report.status}, and nobody's signature stands on it.",
            "A verified DICOM report names who verified it: sign the report with wetread review.",
        )
    return signed


def person_name(name: str) -> str:
    """A name as VR PN has it, family^given (PS3.5 6.2.1): its last word is the family name unless it has a `^`."""
    name = shown(name).replace("\\", " ").replace("=", " ")[:64]
    if "^" in name or " " not in name.strip():
        return name.strip()
    given, family = name.strip().rsplit(" ", 1)
    return f"{family}^{given}"


def uid(kind: str, report_sha256: str, *parts: str) -> str:
    """A UID below the root for UUIDs (PS3.5 B.2), the same for the same report, kind and parts."""
    digest = sha256_hex("\0".join(["wetread", kind, report_sha256, *parts]).encode())
    return f"2.25.{int(digest[:32], 16)}"


def series_uid(kind: str, report_sha256: str, source: SourceImage) -> str:
    """The series of one kind of export of one report version."""
    return uid(f"{kind} series", report_sha256, source.study_uid)


def instance_uid(kind: str, report_sha256: str, source: SourceImage, *parts: str) -> str:
    """The instance of one kind of export of one report version."""
    return uid(f"{kind} instance", report_sha256, source.study_uid, *parts)


def is_final(report: Report) -> bool:
    """Whether a person has signed it."""
    return report.status in SIGNED


def mark(report: Report) -> str:
    """The words that nobody may overlook, or an empty text: `SIMULATED, REPLAY`."""
    return ", ".join(MODE_WORDS[mode][0] for mode in report.modes)


def series_description(report: Report, what: str) -> str:
    """At most 64 characters (VR LO): first what it is not, then the marks, then what it is."""
    standing = "Signed" if is_final(report) else "AI draft, not reviewed"
    return "; ".join(filter(None, [standing, mark(report), what]))[:64]


def disclosure_lines(report: Report) -> list[str]:
    """What every export says of itself: disclosure, status, marks, models, hash."""
    lines = [report.disclosure, DISCLAIMER, f"Status: {report.status}. Report version {report.version}."]
    lines += [f"{word}: {meaning}" for word, meaning in (MODE_WORDS[mode] for mode in report.modes)]
    if report.incomplete:
        lines.append(f"Incomplete: {report.incomplete}")
    if report.review is not None:
        lines += [f"Signed by {one.by}, {one.at.isoformat()}: {one.status}." for one in report.review.signatures]
        if report.review.withdrawn is not None:
            lines.append(f"Withdrawn by {report.review.withdrawn.by}: {report.review.withdrawn.reason}")
    lines.append(f"Drafted by {report.language_model}, wetread {__version__}.")
    lines += [provenance_line(evidence) for evidence in report.evidence]
    lines.append(f"SHA-256 of the report: {report.sha256}")
    return [shown(line) for line in lines]


def provenance_line(evidence: Evidence) -> str:
    """`E2: report_findings by CXRReportGen 1, origin recorded, ok`."""
    return f"{evidence.id}: {evidence.tool} by {model_name(evidence)}, origin {evidence.origin}, {evidence.status}"


def content_label(report: Report) -> str:
    """A Content Label (VR CS): `AI_DRAFT`, `AI_SIGNED` or, before all else, the first mark."""
    marked = MODE_WORDS[report.modes[0]][0] if report.modes else "AI"
    return f"{marked}_{'SIGNED' if is_final(report) else 'DRAFT'}"[:16]


def content_description(report: Report) -> str:
    """A Content Description: at most 64 characters (VR LO)."""
    return shown(": ".join(filter(None, [mark(report), report.disclosure])))[:64]


@contextmanager
def building(what: str, handles: Iterable[str]) -> Iterator[None]:
    """Within the block an object is built from headers: what these do not allow becomes one error without their values.

    Raises:
        ExportError: `WET-EXPORT-HEADER`.
    """
    try:
        with quiet("pydicom"):
            yield
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        named = ", ".join(unique(handles))
        raise ExportError(
            "WET-EXPORT-HEADER",
            f"{what} cannot be made for {named}: the header lacks what it needs, or is of a kind that cannot be had.",
            "Leave this format out; --debug shows what was missing.",
        ) from error


def equipment() -> dict[str, Any]:
    """Enhanced General Equipment (PS3.3 C.7.5.2). Software has no serial number; the module asks for one."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": "wetread",
        "software_versions": __version__,
        "device_serial_number": f"wetread-{__version__}",
    }


def finish(dataset: Dataset, report: Report, source: SourceImage) -> Dataset:
    """Give an object the patient and study of its source, times of the report, and a character set that holds both.

    Args:
        dataset: As a constructor left it; changed in place.
        report: The report it is made of.
        source: An image of the same study.
    """
    for element in source.identity:
        dataset[element.tag] = element
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.InstanceCreationDate = report.created.strftime("%Y%m%d")
    dataset.InstanceCreationTime = report.created.strftime("%H%M%S")
    for part in ("Content", "PresentationCreation"):
        if f"{part}Date" in dataset:
            setattr(dataset, f"{part}Date", dataset.InstanceCreationDate)
            setattr(dataset, f"{part}Time", dataset.InstanceCreationTime)
    for item in dataset.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in item:
            item.ContributionDateTime = dataset.InstanceCreationDate + dataset.InstanceCreationTime
    if _uses_private_codes(dataset):
        from pydicom.dataset import Dataset as Item

        scheme = Item()
        scheme.CodingSchemeDesignator = PRIVATE
        scheme.CodingSchemeName = "wetread's lexicon"
        scheme.CodingSchemeResponsibleOrganization = "wetread"
        dataset.CodingSchemeIdentificationSequence = [scheme]
    return dataset


def _uses_private_codes(dataset: Dataset) -> bool:
    return any(
        element.keyword == "CodingSchemeDesignator" and element.value == PRIVATE for element in dataset.iterall()
    )


def unique(lines: Iterable[str]) -> list[str]:
    """Each line once, in order."""
    return list(dict.fromkeys(lines))


def dicom_file(name: str, dataset: Dataset) -> ExportedFile:
    """An object as a DICOM file (PS3.10), byte for byte the same for the same object."""
    kept = io.BytesIO()
    dataset.save_as(kept, enforce_file_format=True)
    return ExportedFile(name=f"{name}.dcm", media_type="application/dicom", data=kept.getvalue())


def numbered(name: str, datasets: Sequence[Dataset]) -> tuple[ExportedFile, ...]:
    """`name.dcm`, or `name-1.dcm`, `name-2.dcm` for more than one."""
    if len(datasets) == 1:
        return (dicom_file(name, datasets[0]),)
    return tuple(dicom_file(f"{name}-{number}", dataset) for number, dataset in enumerate(datasets, start=1))

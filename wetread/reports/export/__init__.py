"""Exports: one report object, many formats.

Each format is one row of `FORMATS`: its name, the module that writes it (imported when it is asked for, not before) and
the extra that brings the libraries it needs. To add one, write a module with

    def export(report: Report, source: Source) -> tuple[ExportedFile, ...]

and put a row here. An export changes nothing, writes nothing and fetches nothing; it gives bytes. Each carries the
report's disclosure and says which models and versions it comes from.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import Field

from wetread.artifacts import ArtifactStore
from wetread.errors import ExportError
from wetread.reports.model import Report
from wetread.study import Study
from wetread.values import Value

if TYPE_CHECKING:
    from wetread.imaging.bank import ImageBank


T = TypeVar("T")


class ExportedFile(Value):
    """One file of an export, not yet written anywhere."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")
    """File name without a folder."""
    media_type: str
    data: bytes = Field(repr=False)


class Identity(Value):
    """What the receiving system calls the patient and the exam. Reports hold no identifiers: these are the caller's."""

    patient: str | None = Field(
        default=None, pattern=r"^(https?://[^\s|]{1,200}/)?Patient/[A-Za-z0-9.-]{1,64}$", repr=False
    )
    """FHIR reference to the patient on the receiving server, `Patient/123`."""
    patient_id: str | None = Field(default=None, min_length=1, max_length=250, repr=False)
    """Patient identifier of HL7 v2 (PID-3.1), a `^` and its assigning authority (PID-3.4) after it where it has one."""
    patient_name: str | None = Field(default=None, min_length=1, max_length=250, repr=False)
    """Patient name of HL7 v2 (PID-5), `FAMILY^GIVEN`."""
    accession: str | None = Field(default=None, min_length=1, max_length=64, repr=False)
    """Accession number of the exam."""
    study_uid: str | None = Field(default=None, pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, repr=False)
    """Study Instance UID of the exam's images."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an export may draw on beside the report.

    Attributes:
        study: The study as read again; None where it is not at hand.
        bank: Its pixels; None where they are not at hand.
        artifacts: Masks and other bytes that the report's evidence names; None where they are not at hand.
        folder: The folder of the original study's files.
        workspace: Folder whose templates take precedence.
        identity: What the receiving system calls the patient and the exam.
        made: What formats made of one report and share; see `once`.
    """

    study: Study | None = None
    bank: ImageBank | None = None
    artifacts: ArtifactStore | None = None
    folder: Path | None = None
    workspace: Path | None = None
    identity: Identity = field(default_factory=Identity)
    made: dict[str, tuple[Report, Any]] = field(default_factory=dict, repr=False, compare=False)

    def once(self, what: str, report: Report, make: Callable[[], T]) -> T:
        """What several formats need of the same report, made by the first that asks."""
        kept = self.made.get(what)
        if kept is None or kept[0] is not report:
            kept = self.made[what] = (report, make())
        found: T = kept[1]
        return found


Exporter = Callable[[Report, Source], "tuple[ExportedFile, ...]"]
"""What writes a format: bytes from a report and what is at hand beside it."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name, its module below this package, a line for a person, the extra that it needs, and the name
    of its exporter in the module."""

    name: str
    module: str
    help: str
    extra: str | None = None
    function: str = "export"


FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        Format("json", "plain_files", "the report object itself", function="to_json"),
        Format("md", "plain_files", "Markdown", function="to_md"),
        Format("html", "plain_files", "one self-contained page", function="to_html"),
        Format("mrrt", "mrrt", "IHE MRRT: HTML5 instance of the template, filled"),
        Format("fhir", "fhir", "FHIR R4B transaction Bundle", extra="fhir"),
        Format("hl7v2", "hl7v2", "HL7 v2.5.1 ORU^R01 message", extra="hl7"),
        Format("dicom-sr", "dicom_sr", "DICOM structured reports: findings (TID 1500) and narrative", extra="dicom"),
        Format("dicom-seg", "dicom_seg", "DICOM segmentation: the masks", extra="dicom"),
        Format("dicom-gsps", "dicom_gsps", "DICOM presentation state: the boxes", extra="dicom"),
        Format("dicom-pdf", "dicom_pdf", "DICOM encapsulated PDF", extra="pdf"),
        Format("pdf", "pdf", "PDF/A, tagged, self-contained", extra="pdf"),
        Format("docx", "docx", "Word document", extra="docx"),
    )
}
"""Every format by name."""


def export(
    report: Report,
    to: str,
    *,
    study: Study | None = None,
    bank: ImageBank | None = None,
    artifacts: ArtifactStore | None = None,
    folder: Path | None = None,
    workspace: Path | None = None,
    identity: Identity | None = None,
) -> tuple[ExportedFile, ...]:
    """A report in one format.

    Args:
        report: The report.
        to: Name of the format, a key of `FORMATS`.
        study: The study as read again, for formats that need it.
        bank: Its pixels.
        artifacts: Where the masks are.
        folder: Folder of the original study's files.
        workspace: Folder whose templates take precedence.
        identity: What the receiving system calls the patient and the exam.

    Returns:
        The files, the main one first.

    Raises:
        ExportError: `WET-EXPORT-FORMAT`, no such format; `WET-EXPORT-EXTRA`, a library that it needs is not installed;
            others of the format.
    """
    return export_from(Source(study, bank, artifacts, folder, workspace, identity or Identity()), report, to)


def export_from(source: Source, report: Report, to: str) -> tuple[ExportedFile, ...]:
    """`export` for several formats from one source: what they share is made once.

    Args:
        source: What is at hand beside the report.
        report: The report.
        to: Name of the format.

    Returns and raises as `export`.
    """
    found = FORMATS.get(to)
    if found is None:
        raise ExportError("WET-EXPORT-FORMAT", f"There is no format {to!r}.", f"There are: {', '.join(FORMATS)}.")
    try:
        exporter = cast(Exporter, getattr(import_module(f"{__name__}.{found.module}"), found.function))
        return exporter(report, source)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if found.extra is None or not missing or missing == "wetread":
            raise
        raise ExportError(
            "WET-EXPORT-EXTRA",
            f"The format {to} needs {missing}, which is not installed.",
            f"Install it: pip install 'wetread[{found.extra}]'.",
        ) from None


def write_files(files: Iterable[ExportedFile], folder: Path) -> list[Path]:
    """Write files into a folder, which is made if it is not there. All are written before any takes its name, so that a
    full disk or a kill leaves whole files only; files of the same names are replaced.

    Raises:
        ExportError: `WET-EXPORT-OUT`, the folder cannot be written.
    """
    token = secrets.token_hex(6)
    ready = [(folder / f".{file.name}.{token}.part", folder / file.name, file.data) for file in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for part, _, data in ready:
                with part.open("xb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
            for part, path, _ in ready:
                os.replace(part, path)
        finally:
            for part, _, _ in ready:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            "WET-EXPORT-OUT", f"{folder} cannot be written ({error.strerror}).", "Name another folder."
        ) from None
    return [path for _, path, _ in ready]

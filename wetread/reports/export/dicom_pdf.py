"""DICOM Encapsulated PDF (PS3.3 A.45.1): the report as a page that every PACS can show."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from wetread import __version__
from wetread.reports.export import ExportedFile, Source
from wetread.reports.export import dicom_codes as codes
from wetread.reports.export.dicom_object import (
    MANUFACTURER,
    SERIES,
    dicom_file,
    finish,
    instance_uid,
    is_final,
    mark,
    series_description,
    series_uid,
)
from wetread.reports.export.dicom_source import Sources, sources_of
from wetread.reports.export.pdf import to_pdf
from wetread.reports.model import Report


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report-pdf.dcm`."""
    pdf = source.once("pdf", report, lambda: to_pdf(report, source))
    return (dicom_file("report-pdf", encapsulated(report, sources_of(report, source), pdf)),)


def encapsulated(report: Report, sources: Sources, pdf: bytes) -> Dataset:
    """A PDF of the report as a DICOM object of its study.

    Args:
        report: The report.
        sources: Headers of its images.
        pdf: The document; a zero byte follows where its length is odd, and the true length is kept beside it.
    """
    source = sources.subject
    made = Dataset()
    made.SOPClassUID = EncapsulatedPDFStorage
    made.SOPInstanceUID = instance_uid("pdf", report.sha256, source)
    made.StudyInstanceUID = source.study_uid
    made.SeriesInstanceUID = series_uid("pdf", report.sha256, source)
    made.Modality = "DOC"
    made.SeriesNumber = SERIES["pdf"]
    made.InstanceNumber = report.version
    made.SeriesDescription = series_description(report, "Report")
    made.ConversionType = "WSD"
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = "wetread"
    made.SoftwareVersions = __version__
    made.AcquisitionDateTime = ""
    made.ContentDate = made.ContentTime = ""
    made.BurnedInAnnotation = "NO"  # no names or numbers of the patient are in a report
    made.DocumentTitle = ": ".join(filter(None, [mark(report), "Radiology report", report.disclosure]))[:1024]
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = codes.REPORT
    made.ConceptNameCodeSequence = [name]
    made.VerificationFlag = "VERIFIED" if is_final(report) else "UNVERIFIED"
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    made.SourceInstanceSequence = [_reference(header) for header in sources.instances(sources.current)]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return finish(made, report, source)


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item

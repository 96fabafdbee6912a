"""FHIR R4B: a report as one transaction Bundle that may be sent any number of times.

DiagnosticReport (a draft that nobody read is `partial`), Composition, an Observation for each finding, ImagingStudy,
Patient, a Device for wetread and each model, Provenance. All are conditional creates on identifiers made from the
report's hash. Needs the extra `fhir`.
"""

from __future__ import annotations

from typing import Any

import orjson

from wetread.errors import ExportError
from wetread.reports.export import ExportedFile, Identity, Source
from wetread.reports.export.fhir_check import validate
from wetread.reports.export.fhir_findings import add_observations
from wetread.reports.export.fhir_parts import Parts, instant
from wetread.reports.export.fhir_report import add_composition, add_diagnostic_report
from wetread.reports.export.fhir_sources import add_imaging_study, add_patient, add_provenance, add_software
from wetread.reports.export.plain_files import to_html
from wetread.reports.model import Report

MEDIA_TYPE = "application/fhir+json"


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.fhir.json`, valid as far as `fhir_check` can tell.

    Raises:
        ExportError: `WET-EXPORT-FHIR`, the report cannot be said in valid FHIR.
    """
    # what is at hand of pictures stays out of the page: the Bundle goes into databases, the images are in the archive
    page = to_html(report, Source(workspace=source.workspace))[0].data
    bundle = to_bundle(report, page, source.identity)
    mistakes = validate(bundle)
    if mistakes:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        raise ExportError(
            "WET-EXPORT-FHIR",
            f"The report cannot be said in valid FHIR: {mistakes[0]}{more}.",
            "Please report it with the message; the report itself is unharmed.",
        )
    data = orjson.dumps(bundle, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return (ExportedFile(name="report.fhir.json", media_type=MEDIA_TYPE, data=data),)


def to_bundle(report: Report, page: bytes, identity: Identity | None = None) -> dict[str, Any]:
    """The transaction Bundle as plain data: a pure function of its arguments.

    Args:
        report: The report.
        page: The report as an HTML page, the DiagnosticReport's presented form.
        identity: What the receiving system calls the patient and the exam.
    """
    parts = Parts(report, identity or Identity())
    subject = add_patient(parts)
    study = add_imaging_study(parts, subject)
    software = add_software(parts)
    made = add_observations(parts, subject, study)
    whole = [
        add_diagnostic_report(parts, subject, study, made, page),
        add_composition(parts, subject, software, made),
        *made.all,
    ]
    add_provenance(parts, whole=whole, by_evidence=made.by_evidence, study=study, software=software)
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": instant(report.created),
        "entry": parts.entries,
    }

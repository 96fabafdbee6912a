"""The template's form fields, as the families SEC, GRD and NUM see them.

What an agent wrote into a field is held to what a statement is held to; what code looked up or a person wrote is not.
"""

from __future__ import annotations

from collections.abc import Iterator

from wetread.reports.checks.document import Document
from wetread.reports.form import unfilled
from wetread.reports.model import Issue, Report, ReportField, Severity


def required_empty(report: Report) -> Iterator[Issue]:
    """SEC-1: a required field is empty. A warning where nobody can sign before it is filled, else for information."""
    for field in unfilled(report):
        if field.unfilled == "silent" or field.refused is not None:
            continue
        severity: Severity = "warning" if field.unfilled == "prohibit" else "info"
        end = " Nobody can sign before it is filled." if field.unfilled == "prohibit" else ""
        yield _issue("SEC-1", severity, field, f"{field.title} is required and not filled.{end}")


def not_entered(doc: Document) -> Iterator[Issue]:
    """SEC-2: a draft fills a field that the template does not have, or writes what the field does not take."""
    if doc.report is None:
        return
    for field in doc.report.fields:
        if field.refused is not None:
            yield _issue("SEC-2", "error", field, f"{field.title}: '{field.refused}' was not entered. {field.reason}")


def without_evidence(doc: Document) -> Iterator[Issue]:
    """GRD-1: a field's value cites no evidence, unknown evidence, or only evidence that came to nothing."""
    for field in drafted(doc):
        unknown = [id for id in field.evidence if id not in doc.ledger]
        if unknown:
            message = f"{field.title}: there is no evidence {', '.join(unknown)}. Cite ids that tools gave."
        elif not field.evidence:
            message = f"{field.title}: no evidence is cited. Cite what says so, or leave the field empty."
        elif all(doc.ledger[id].status != "ok" for id in field.evidence):
            message = f"{field.title}: only evidence that failed or abstained is cited. Leave the field empty."
        else:
            continue
        yield _issue("GRD-1", "error", field, message)


def drafted(doc: Document) -> Iterator[ReportField]:
    """The fields that an agent filled."""
    if doc.report is not None:
        yield from (field for field in doc.report.fields if field.source == "agent")


def _issue(code: str, severity: Severity, field: ReportField, message: str) -> Issue:
    return Issue(code=code, severity=severity, message=message, where=field.place, evidence=field.evidence)

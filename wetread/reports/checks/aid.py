"""AID: what a reader must be told of how the report was made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document
from wetread.reports.model import Issue

_SAYS_AI = re.compile(r"\b(?:AI|artificial intelligence|AI-assisted|machine learning)\b", re.IGNORECASE)
_SAYS_UNREAD = re.compile(r"\bnot (?:yet )?(?:reviewed|verified|signed|read)\b", re.IGNORECASE)
_OPEN = frozenset({"registered", "partial"})


def disclosure_missing(doc: Document) -> Iterator[Issue]:
    """AID-1: a drafted report does not say that AI had a part in it, or, while nobody has signed it, that no physician
    has reviewed it (HL7 AI Transparency on FHIR; code AIAST)."""
    report = doc.report
    if report is None:
        return
    missing = []
    if not _SAYS_AI.search(report.disclosure):
        missing.append("that AI had a part in it")
    if report.status in _OPEN and not _SAYS_UNREAD.search(report.disclosure):
        missing.append("that no physician has reviewed it")
    if missing:
        message = f"The report does not say {' or '.join(missing)}. Every page of it must."
        yield Issue(code="AID-1", severity="error", message=message, where="disclosure")


CHECKS = (Check("AID-1", "AI disclosure missing", disclosure_missing, frozenset({"evidence"})),)

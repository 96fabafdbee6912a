"""SEC: sections and systems that a report must have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check
from wetread.reports.model import Issue, Report, Severity
from wetread.reports.slots import NOT_MEASURED
from wetread.reports.systems import NOTHING_SAID
from wetread.study import Study

_PLACEHOLDER = re.compile(
    re.escape(NOT_MEASURED) + r"|\[[ _.?]*\]|\[[A-Za-z][A-Za-z /]{0,40}\]|<[a-z][a-z _]{0,40}>|_{3,}|\bX{3,}\b"
    r"|\{[^{}]{0,80}\}|\b(?:TBD|TODO)\b"
)
_LEGITIMATE = frozenset({"[removed]", "[cut]"})


def required_missing(report: Report, study: Study | None) -> Iterator[Issue]:
    """SEC-1: a required section or system is missing or empty, or a system is not assessed.

    An error where nothing is said of what was looked at, and where a system shows as normal without any evidence; a
    warning where no tool looked or the statements do not cover it; for information where a reason is given.
    """
    for section in report.sections:
        if section.required and not section.text.strip():
            yield _issue("error", f"The section {section.title} is empty.", section.name)
    if not report.impression:
        yield _issue("error", "The impression is empty.", "impression")
    answered = {evidence.id for evidence in report.evidence if evidence.status == "ok"}
    by_id = {statement.id: statement for statement in report.statements()}
    for system in report.findings:
        if system.status == "not_assessed":
            if system.reason_from != "code":
                why = system.reason or "no reason is given"
                severity: Severity = "info" if system.reason else "error"
                yield _issue(severity, f"{system.title}: not assessed. {why}", system.system)
            elif system.required:
                left_out = system.reason == NOTHING_SAID
                severity = "error" if left_out else "warning"
                do = " State what the evidence says, or give a reason in not_assessed." if left_out else ""
                yield _issue(severity, f"{system.title}: not assessed. {system.reason}{do}", system.system)
        elif system.status == "normal":
            behind = [
                *system.statements,
                *(by_id[id] for id in re.findall(r"S\d+", system.reason or "") if id in by_id),
            ]
            if not any(id in answered for statement in behind for id in statement.evidence):
                yield _issue("error", f"{system.title} shows as normal, and no evidence assessed it.", system.system)


def placeholder_left(report: Report, study: Study | None) -> Iterator[Issue]:
    """SEC-3: a placeholder was left in the text: an unfilled slot, `[ ]`, `___`, XXXX."""
    for statement in report.statements():
        for match in _PLACEHOLDER.finditer(statement.text):
            if match[0] in _LEGITIMATE:
                continue
            yield Issue(
                code="SEC-3",
                severity="error",
                message=(
                    "A slot names no measurement of the ledger. Use one that a tool gave, or leave the number out."
                    if match[0] == NOT_MEASURED
                    else "A placeholder is left in the text. Fill it or leave it out."
                ),
                where=statement.id,
                start=match.start(),
                end=match.end(),
            )


def _issue(severity: Severity, message: str, where: str) -> Issue:
    return Issue(code="SEC-1", severity=severity, message=message, where=where)


CHECKS = (
    Check("SEC-1", "Required section or system missing", required_missing),
    Check("SEC-3", "Placeholder left", placeholder_left),
)

"""SEC: sections and systems that a report must have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import BOTH, Document, Hints, Line
from wetread.reports.model import Issue, Report, Severity
from wetread.reports.slots import NOT_MEASURED

_MASKED = re.compile(r"_{3,}|\bX{3,}\b|\*{3,}")
"""Blanks that de-identified texts use too."""

_PLACEHOLDER = re.compile(
    re.escape(NOT_MEASURED)
    + r"|\[[ _.?]*\]|\[[A-Za-z][A-Za-z /]{0,40}\]|<[a-z][a-z _]{0,40}>|"
    + _MASKED.pattern
    + r"|"
    r"\{[^{}]{0,80}\}|\b(?:TBD|TODO)\b"
)
_HINTS = Hints(parts=("[", "<", "{", "___", "xxx", "***", "tbd", "todo"))
_RULE = 5
_LEGITIMATE = frozenset({"[removed]", "[cut]", "[date]", "[name]", "[deidentified]", "[redacted]", "<data>"})
_NAMING = re.compile(
    r"(?:\b(?:dr|doctor|mr|mrs|ms|prof)\.?|\b(?:on|at|dated|from|of|since|with|to|study|by))[ \n]{1,3}$", re.I
)


def required_missing(doc: Document) -> Iterator[Issue]:
    """SEC-1: a required section or system is missing or empty, or a system is not assessed.

    In a draft: an error where nothing is said of what was looked at, and where a system shows as normal without any
    evidence; a warning where no tool looked or the statements do not cover it; for information where a reason is
    given. In a clinical text: a warning where findings or impression is missing, an error where both are; nothing where
    the text has no headings at all, for then nobody can tell.
    """
    if doc.report is not None:
        yield from _of_draft(doc.report)
        return
    if not doc.headings:
        return
    there = {
        "findings": any(line.claims or line.section == "findings" for line in doc.findings),
        "impression": bool(doc.impression) or BOTH in doc.headings,
    }
    severity: Severity = "warning" if any(there.values()) else "error"
    for name, found in there.items():
        if not found:
            how = "empty" if name in doc.headings else "missing"
            yield _issue(severity, f"The section {name} is {how}.", name)


def _of_draft(report: Report) -> Iterator[Issue]:
    # a clinical text has no use for what these bring along
    from wetread.reports.checks.form import required_empty
    from wetread.reports.systems import NOTHING_SAID

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
    yield from required_empty(report)


def unknown_field(doc: Document) -> Iterator[Issue]:
    """SEC-2: a section that no template knows; a form field that there is not, or a value that it does not take."""
    if doc.report is not None:
        from wetread.reports.checks.form import not_entered

        yield from not_entered(doc)
    for name, length in doc.unknown.items():
        yield Issue(
            code="SEC-2",
            severity="warning",
            message=f"No template knows a section {name[:40]!r}; it was not checked as any other.",
            where=name[:80],
            start=0 if length else None,
            end=length or None,
        )


def placeholder_left(doc: Document) -> Iterator[Issue]:
    """SEC-3: a placeholder was left in the text: an unfilled slot, `[ ]`, `___`, XXXX.

    In a clinical text, blanks that de-identified texts use (`___`, XXXX) are warnings in findings and impression, and
    for a reader's information where a date or a name may have stood.
    """
    told: set[str] = set()
    for line in doc.passages:
        if (doc.drafted and line.statement is None) or not line.may_hold(_HINTS):
            continue
        for match in _PLACEHOLDER.finditer(line.text):
            if match[0].lower() in _LEGITIMATE or _is_rule(line.text, match):
                continue
            severity = _severity(doc, line, match)
            # a de-identified text has many; one of a section tells enough
            if severity == "info" and line.where in told:
                continue
            if severity == "info":
                told.add(line.where)
            yield line.issue("SEC-3", severity, _words(match[0]), match.start(), match.end())


def _is_rule(text: str, match: re.Match[str]) -> bool:
    """Whether a row of signs has a line to itself: it parts the text."""
    before, after = text[: match.start()].rsplit("\n", 1)[-1], text[match.end() :].split("\n", 1)[0]
    return len(match[0]) >= _RULE and not before.strip() and not after.strip()


def _severity(doc: Document, line: Line, match: re.Match[str]) -> Severity:
    if doc.drafted or not _MASKED.fullmatch(match[0]):
        return "error"
    spoken = line.section in ("findings", "impression", "body", "recommendation")
    before = line.text[max(0, match.start() - 12) : match.start()]
    return "warning" if spoken and not _NAMING.search(before) else "info"


def _words(mark: str) -> str:
    if mark == NOT_MEASURED:
        return "A slot names no measurement of the ledger. Use one that a tool gave, or leave the number out."
    return "A placeholder is left in the text. Fill it or leave it out."


def _issue(severity: Severity, message: str, where: str) -> Issue:
    return Issue(code="SEC-1", severity=severity, message=message, where=where)


CHECKS = (
    Check("SEC-1", "Required section or system missing", required_missing),
    Check("SEC-2", "Unknown section", unknown_field),
    Check("SEC-3", "Placeholder left", placeholder_left),
)

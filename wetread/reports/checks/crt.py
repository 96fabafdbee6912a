"""CRT: critical findings, and whether it is told who was told of them.

A drafted report has its critical results with their records, made by the list of its template and workspace. In a
clinical text they are found by the built-in list, `prompts/reports/critical.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from wetread.reports.checks.base import Check, capital, named
from wetread.reports.checks.document import Document, Line, pairs
from wetread.reports.checks.kin import kinds_of
from wetread.reports.model import Claim, CriticalResult, Issue, Report, Severity
from wetread.vocabulary import Assertion, Change

if TYPE_CHECKING:
    from wetread.reports.critical import CriticalRule

_TOLD = re.compile(
    r"\b(?:communicat\w+|discuss\w+|telephon\w+|phoned|by phone|via (?:tele)?phone|notif\w+|informed|relayed|conveyed"
    r"|paged?|bleeped?|alerted|(?<!so-)(?<!so )called|rang|rung|spoke\w*|told|verbal(?:ly)?"
    r"|acknowledged|handed over|hand(?:ed)?-?over|read[- ]?back|contacted|made aware|reported (?:to|directly)"
    r"|aware of)\b",
    re.IGNORECASE,
)
_WHOM = re.compile(
    r"\b(?:dr|doctor|prof\w*|physician|clinician|surgeon|nurse|sister|matron|registrar|consultant|resident|intern"
    r"|fellow"
    r"|team|gp|practitioner|provider|house officer|officer|anaesthetist|anesthesiologist|intensivist|medic|referr\w+"
    r"|attending|specialist|department|ward|unit|staff|er|ed|icu|itu|emergency|paediatrician|pediatrician|oncologist"
    r"|pulmonologist|hospitalist|cardiologist|sho|fy[12]|rn|np|pa-c|md|trainee|oncall|on-call|midwife|charge|assistant"
    r"|anaesthetic|caller|he|she|requester|m\.d)\b|_{3,}|\bX{3,}\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b\d{1,2}[:.]\d{2}\b|\b\d{4} ?h(?:ou)?rs?\b|\b\d{3,4}h\b|\b\d{1,2} ?(?:am|pm|a\.m\.|p\.m\.)|___|\bmidnight\b"
    r"|\bnoon\b|\bminutes?\b|\bat the time of\b"
    r"|\bimmediately\b|\bat (?:the )?(?:dictation|interpretation)\b",
    re.IGNORECASE,
)
_KNOWN = frozenset({Change.UNCHANGED, Change.DECREASED, Change.RESOLVED})
_ASKED = {"to": "to whom", "by": "by whom", "at": "when", "how": "how"}
_OPEN = frozenset({"registered", "partial", "preliminary"})


def critical_claims(lines: Sequence[Line], rules: Sequence[CriticalRule] | None = None) -> Iterator[tuple[Line, Claim]]:
    """The claims of critical findings that are said to be present or uncertain, each with its line."""
    found = [(line, claim) for line, claim in pairs(lines) if rules is not None or _listed(claim.finding or "")]
    if not found:
        return
    if rules is None:
        from wetread.reports.critical import built_in

        rules = built_in().add
    by_finding: dict[str, list[re.Pattern[str] | None]] = {}
    for rule in rules:
        by_finding.setdefault(rule.finding, []).append(_pattern(rule.words))
    for line, claim in found:
        patterns = [pattern for kind in kinds_of(claim.finding or "") for pattern in by_finding.get(kind, ())]
        if any(pattern is None or _says(pattern, line.text) for pattern in patterns):
            yield line, claim


def _listed(finding: str) -> bool:
    """Whether the built-in list can be about a finding, before anything is imported to read it: most reports name
    nothing of it."""
    return any(kind in _list_as_text() for kind in kinds_of(finding))


@cache
def _list_as_text() -> str:
    return (files("wetread.prompts") / "reports" / "critical.yaml").read_text("utf-8")


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE) if words else None


_AWAY = re.compile(
    r"\b(?:no|not|without|above|from|proximal to|cm|mm|normal|satisfactory|appropriate\w*|standard"
    r"|oesophageal tube|past)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def _says(pattern: re.Pattern[str], text: str) -> bool:
    """Whether one of the words stands in the text without being denied or only measured from."""
    return any(not _AWAY.search(text[max(0, match.start() - 24) : match.start()]) for match in pattern.finditer(text))


def not_communicated(doc: Document) -> Iterator[Issue]:
    """CRT-1: a critical finding is present or uncertain, and the report does not tell who was told.

    A warning while the report is open, an error once it is final; for a reader's information where the finding is
    uncertain, or known and not worse.
    """
    if doc.report is not None:
        for result in doc.report.critical:
            if len(result.communication.missing) == 4:
                yield _about(doc, result, "CRT-1", _severity(doc.report, result), _untold(result.name))
        return
    if _records(doc):
        return
    told: set[str] = set()
    for line, claim in critical_claims(doc.spoken):
        if claim.finding is None or claim.finding in told:
            continue
        told.add(claim.finding)
        known = claim.change in _KNOWN or claim.assertion is Assertion.UNCERTAIN
        yield line.about("CRT-1", "info" if known else "warning", _untold(named(claim.finding)), claim)


def record_incomplete(doc: Document) -> Iterator[Issue]:
    """CRT-2: a communication of a critical finding does not say to whom or when."""
    if doc.report is not None:
        for result in doc.report.critical:
            missing = result.communication.missing
            if 0 < len(missing) < 4:
                message = (
                    f"The record of who was told of {result.name} does not say "
                    f"{' and '.join(_ASKED[name] for name in missing)}."
                )
                yield _about(doc, result, "CRT-2", _severity(doc.report, result), message)
        return
    records = _records(doc)
    if not records or next(critical_claims(doc.spoken), None) is None:
        return
    said = " ".join(line.text for line in records)
    left = [what for what, words in (("whom", _WHOM), ("when", _WHEN)) if not words.search(said)]
    if left:
        line = records[0]
        message = f"The communication of a critical finding does not say {' and '.join(left)}."
        yield line.issue("CRT-2", "warning", message)


def _severity(report: Report, result: CriticalResult) -> Severity:
    if report.status not in _OPEN:
        return "error"
    return "warning" if result.assertion is Assertion.PRESENT else "info"


def _untold(name: str) -> str:
    return f"{capital(name)} is a critical finding. Say before signing who was told, by whom, when and how."


def _about(doc: Document, result: CriticalResult, code: str, severity: Severity, message: str) -> Issue:
    """An issue at the first statement of a critical result."""
    line = next((line for line in doc.lines if line.where in result.statements), None)
    if line is None:
        from wetread.reports.critical import SECTION

        return Issue(code=code, severity=severity, message=message, where=SECTION)
    claim = next((claim for claim in line.claims if claim.finding == result.finding), None)
    evidence = line.statement.evidence if line.statement else ()
    if claim is None:
        return line.issue(code, severity, message, evidence=evidence)
    return line.about(code, severity, message, claim, evidence)


def _records(doc: Document) -> list[Line]:
    places = ("findings", "impression", "recommendation", "communication", "body", "addendum")
    return [line for line in doc.section(*places) if line.section == "communication" or _TOLD.search(line.text)]


CHECKS = (
    Check("CRT-1", "Critical finding without a communication record", not_communicated),
    Check("CRT-2", "Communication record incomplete", record_incomplete),
)

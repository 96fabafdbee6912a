"""CRT: critical findings, and whether it is told who was told of them.

The list is `critical.json`: findings of the lexicon, some only with certain words in their sentence. It follows the
ACR practice parameter for communication of diagnostic imaging findings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any

from wetread.reports.checks.base import Check, capital, named
from wetread.reports.checks.document import Document, Line, pairs
from wetread.reports.checks.kin import kinds_of
from wetread.reports.model import Claim, Issue, Severity
from wetread.values import Value
from wetread.vocabulary import Assertion, Change

_TOLD = re.compile(
    r"\b(?:communicat\w+|discuss\w+|telephon\w+|phoned|by phone|via (?:tele)?phone|notif\w+|informed|relayed|conveyed"
    r"|paged?|bleeped?|alerted|called (?:to|through)|(?:was|were|been) called|rang|rung|spoke\w*|told|verbal(?:ly)?"
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
    r"|anaesthetic|caller|he|she|requester)\b",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b\d{1,2}[:.]\d{2}\b|\b\d{4} ?h(?:ou)?rs?\b|\b\d{3,4}h\b|\b\d{1,2} ?(?:am|pm|a\.m\.|p\.m\.)|___|\bmidnight\b"
    r"|\bnoon\b|\bminutes?\b|\bat the time of\b"
    r"|\bimmediately\b|\bat (?:the )?(?:dictation|interpretation)\b",
    re.IGNORECASE,
)
_KNOWN = frozenset({Change.UNCHANGED, Change.DECREASED, Change.RESOLVED})
_OPEN = frozenset({"registered", "partial", "preliminary"})


class Critical(Value):
    """One entry of the list.

    Attributes:
        finding: Key of the lexicon; kinds of it count too.
        words: If any are given, one of them must stand in the sentence.
    """

    finding: str
    words: tuple[str, ...] = ()


@cache
def critical_findings() -> tuple[Critical, ...]:
    """The default list."""
    rows: list[dict[str, Any]] = json.loads(resources.files(__package__).joinpath("critical.json").read_text("utf-8"))
    return tuple(Critical(**row) for row in rows)


def critical_claims(lines: Sequence[Line], entries: Sequence[Critical] | None = None) -> Iterator[tuple[Line, Claim]]:
    """The claims of critical findings that are said to be present or uncertain, each with its line."""
    by_finding: dict[str, list[re.Pattern[str] | None]] = {}
    for entry in critical_findings() if entries is None else entries:
        by_finding.setdefault(entry.finding, []).append(_pattern(entry.words))
    for line, claim in pairs(lines):
        patterns = [pattern for kind in kinds_of(claim.finding or "") for pattern in by_finding.get(kind, ())]
        if any(pattern is None or _says(pattern, line.text) for pattern in patterns):
            yield line, claim


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b", re.IGNORECASE) if words else None


_AWAY = re.compile(
    r"\b(?:no|not|without|above|from|proximal to|cm|mm|normal|satisfactory|appropriate\w*|standard"
    r"|oesophageal tube|past)\b",
    re.IGNORECASE,
)


def _says(pattern: re.Pattern[str], text: str) -> bool:
    """Whether one of the words stands in the text without being denied or only measured from."""
    return any(not _AWAY.search(text[max(0, match.start() - 24) : match.start()]) for match in pattern.finditer(text))


def not_communicated(doc: Document) -> Iterator[Issue]:
    """CRT-1: a critical finding is present or uncertain, and the report does not tell who was told.

    A warning while the report is open, an error once it is final; for a reader's information where the finding is
    uncertain, or known and not worse.
    """
    if _records(doc):
        return
    told: set[str] = set()
    for line, claim in critical_claims(doc.spoken):
        if claim.finding is None or claim.finding in told:
            continue
        told.add(claim.finding)
        final = doc.report is not None and doc.report.status not in _OPEN
        known = claim.change in _KNOWN or claim.assertion is Assertion.UNCERTAIN
        severity: Severity = "error" if final else "info" if known else "warning"
        message = (
            f"{capital(named(claim.finding))} is a critical finding. "
            "Say before signing who was told, by whom, when and how."
        )
        yield line.about("CRT-1", severity, message, claim, line.statement.evidence if line.statement else ())


def record_incomplete(doc: Document) -> Iterator[Issue]:
    """CRT-2: a communication of a critical finding does not say to whom or when."""
    records = _records(doc)
    if not records or next(critical_claims(doc.spoken), None) is None:
        return
    said = " ".join(line.text for line in records)
    missing = [what for what, words in (("whom", _WHOM), ("when", _WHEN)) if not words.search(said)]
    if missing:
        line = records[0]
        message = f"The communication of a critical finding does not say {' and '.join(missing)}."
        yield line.issue("CRT-2", "warning", message)


def _records(doc: Document) -> list[Line]:
    places = ("findings", "impression", "recommendation", "communication", "body", "addendum")
    return [line for line in doc.section(*places) if line.section == "communication" or _TOLD.search(line.text)]


CHECKS = (
    Check("CRT-1", "Critical finding without a communication record", not_communicated),
    Check("CRT-2", "Communication record incomplete", record_incomplete),
)

"""COD: codes of SNOMED CT and LOINC that a text quotes, or a report's sections carry."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document, Hints
from wetread.reports.model import Issue

_SNOMED = re.compile(
    r"\b(?:SNOMED(?:[ -]?CT)?|SCT|SCTID)(?: (?:codes?|id|concept))?(?: is)? ?[:#=|]? ?(?P<code>\d{6,18})\b",
    re.IGNORECASE,
)
_LOINC = re.compile(r"\bLOINC(?: (?:codes?|number))?(?: is)? ?[:#=|]? ?(?P<code>\d{1,7}-\d)\b", re.IGNORECASE)
_RADLEX = re.compile(r"\bRadLex(?: (?:codes?|id))? ?[:#=|]? ?(?P<code>(?:RID)?\w{2,10})\b", re.IGNORECASE)
_LOINC_CODE = re.compile(r"\d{1,7}-\d")
_HINTS = Hints(parts=("snomed", "sct", "loinc", "radlex"))
_RID = re.compile(r"RID\d{1,6}", re.IGNORECASE)

_MULTIPLY = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTE = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def verhoeff_holds(code: str) -> bool:
    """Whether a number's last digit is its Verhoeff check digit, as SNOMED CT's is (SNOMED CT Release File
    Specifications, 5.5 check digit)."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = int(_MULTIPLY[check][int(_PERMUTE[place % 8][int(digit)])])
    return check == 0


def mod10_holds(code: str) -> bool:
    """Whether the digit behind the hyphen is the mod 10 check digit of what stands before it, as LOINC's is (LOINC
    Users' Guide, appendix on the check digit)."""
    number, _, last = code.partition("-")
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(last)


def wrong_code(doc: Document) -> Iterator[Issue]:
    """COD-1: a code with a wrong check digit, or one that its system cannot have."""
    for line in doc.passages:
        if not line.may_hold(_HINTS):
            continue
        for form, holds, system in ((_SNOMED, verhoeff_holds, "SNOMED CT"), (_LOINC, mod10_holds, "LOINC")):
            for match in form.finditer(line.text):
                if not holds(match["code"]):
                    message = f"{match['code']} is no code of {system}: its check digit is wrong."
                    yield line.issue("COD-1", "error", message, match.start("code"), match.end("code"))
        for match in _RADLEX.finditer(line.text):
            if any(c.isdigit() for c in match["code"]) and not _RID.fullmatch(match["code"]):
                message = f"{match['code']} is no code of RadLex: those are RID and a number."
                yield line.issue("COD-1", "error", message, match.start("code"), match.end("code"))
    if doc.report is not None:
        for section in doc.report.sections:
            if not _LOINC_CODE.fullmatch(section.loinc) or not mod10_holds(section.loinc):
                message = f"The section {section.title} carries {section.loinc[:12]}, which is no code of LOINC."
                yield Issue(code="COD-1", severity="error", message=message, where=section.name)


CHECKS = (Check("COD-1", "Unknown code or wrong check digit", wrong_code),)

"""PHI: identifiers of a person in free text.

By their labels and forms alone; that a text raises nothing does not make it de-identified (DICOM PS3.15 Annex E lists
what identifies).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document, Hints
from wetread.reports.model import Issue, Severity

_BLANK = r"(?!_{2,}|X{3,}|\[)"
_NAME = r"[A-Z][a-z'’-]+|[A-Z]{2,}(?:['’-][A-Z]+)?"
_SIGNS = {
    "digit": re.compile(r"\d"),
    "at": re.compile("@"),
    "named": re.compile("name", re.IGNORECASE),
    "titled": re.compile("M[RrSsIi]"),
}
_HINTS = Hints(frozenset({"mr", "mrs", "ms", "miss"}), (*"0123456789", "@", "name"))
# what it is, how grave, what must be there at all (most sentences have it not, and are spared the form), the form
_FORMS: tuple[tuple[str, Severity, str, re.Pattern[str]], ...] = (
    (
        "a patient's name",
        "error",
        "named",
        re.compile(
            rf"\b(?i:patient(?:['’]s)? name|name of (?:the )?patient|pt name"
            rf"|name) ?[:=] ?{_BLANK}(?:{_NAME})(?:[, ]{{1,2}}(?:{_NAME}))?"
        ),
    ),
    (
        "a person's name",
        "error",
        "titled",
        re.compile(
            r"\b(?:Mr|Mrs|Ms|Miss)\.? (?!Brain|Chest|Spine|Imaging)[A-Z][a-z'’-]+(?: [A-Z][a-z'’-]+)?"
            r"|\b(?:MRS|MISS)\.? (?!_)[A-Z'’-]{2,}(?: [A-Z'’-]{2,}(?= (?:WAS|IS|HAS|ATTENDED|PRESENTED)\b))?"
            r"|\bMR\.? (?!_)[A-Z'’-]{2,}(?: [A-Z'’-]{2,})?(?= (?:WAS EXAMINED|ATTENDED|PRESENTED|PRESENTS"
            r"|COMPLAINS|HAS HAD)\b)"
        ),
    ),
    (
        "a record number",
        "error",
        "digit",
        re.compile(
            r"\b(?:MRN|medical record(?: number| no\.?)?|hospital (?:number|no\.?)|patient (?:id|number|no\.?)"
            r"|record number|case number"
            r"|accession(?: number| no\.?)?|unit number|CHI(?: number)?|URN?(?: number)?|health card(?: number)?)"
            rf"\b ?[:#=]? ?#? ?{_BLANK}[A-Z]{{0,3}}\d[\dA-Z-]{{3,14}}\b",
            re.IGNORECASE,
        ),
    ),
    (
        "an NHS number",
        "error",
        "digit",
        re.compile(r"\bNHS(?: (?:number|no\.?))? ?[:#]? ?\d{3}[ -]?\d{3}[ -]?\d{4}\b", re.IGNORECASE),
    ),
    (
        "a social security number",
        "error",
        "digit",
        re.compile(
            r"\b(?:SSN|social security(?: number)?) ?[:#]? ?\d{3}-?\d{2}-?\d{4}\b|\b\d{3}-\d{2}-\d{4}\b", re.IGNORECASE
        ),
    ),
    (
        "a date of birth",
        "error",
        "digit",
        re.compile(
            rf"\b(?:DOB|D\.O\.B\.?|date of birth|birth ?date"
            rf"|born(?: on)?) ?[:=]? ?{_BLANK}\d{{1,4}}[ /.-][\dA-Za-z]{{1,9}}[ /.,-]{{1,2}}\d{{2,4}}\b",
            re.IGNORECASE,
        ),
    ),
    ("an e-mail address", "error", "at", re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b")),
    (
        "a telephone number",
        "warning",
        "digit",
        re.compile(
            r"\b(?:phone|tel|telephone|mobile|contact|call(?: back)?|fax)(?: number| no\.?)?\.? ?[:#]? ?(?:at )?"
            r"\+?\(?\d{2,4}\)?[ .-]?\d{3,4}[ .-]?\d{3,4}\b|(?<![\d.-])\(?\d{3}\)?[ -]\d{3}-\d{4}\b",
            re.IGNORECASE,
        ),
    ),
    (
        "an address",
        "warning",
        "digit",
        re.compile(
            r"\b(?i:address|lives at|resides at) ?:? ?\d{1,5} [A-Z][a-z]+"
            r"|\b\d{1,5} [A-Z][a-z]+(?: [A-Z][a-z]+)? (?:Street|Road|Avenue|Lane|Drive|Close|Crescent|Boulevard)\b"
        ),
    ),
)


def identifier(doc: Document) -> Iterator[Issue]:
    """PHI-1: what reads like an identifier of a person. The message does not repeat it."""
    for line in doc.passages:
        if not line.may_hold(_HINTS):
            continue
        signs = {name for name, sign in _SIGNS.items() if sign.search(line.text)}
        taken: set[int] = set()
        for what, severity, sign, form in _FORMS:
            if sign not in signs:
                continue
            for match in form.finditer(line.text):
                if not taken.isdisjoint(range(*match.span())):
                    continue
                taken.update(range(*match.span()))
                message = f"This reads like {what}. Take it out: identifiers belong in the header, not in the text."
                yield line.issue("PHI-1", severity, message, match.start(), match.end())


CHECKS = (Check("PHI-1", "Identifier in free text", identifier),)

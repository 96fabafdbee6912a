"""DEM: the person whom the report speaks of is the one whom the order names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from wetread.reports.checks.base import Check, says
from wetread.reports.checks.document import Document, Hints, Line
from wetread.reports.model import Issue, Severity

_AGE = re.compile(
    r"\b(?:(?P<a>\d{1,3})(?:[- ]?years?[- ]?olds?|[ -]?y[/.]?o\b|[ -]?yr[- ]?old)"
    r"|aged? (?P<b>\d{1,3})\b(?! *(?:days|weeks|months))"
    r"|(?P<c>\d{1,3}) years? of age|(?P<d>\d{2,3}) ?(?P<letter>[MF])(?= (?:with|s/p|who|presenting|,)|,))",
    re.IGNORECASE,
)
_NOT_OF_PERSON = re.compile(
    r"[ -]*(?:fractures?|stud(?:y|ies)|films?|radiographs?|x-?rays?|images?|exam\w*|ct|injur\w+|scars?|implants?"
    r"|device|pacemaker"
    r"|prosthes\w+|history|report|lesions?|nodules?|change)\b",
    re.IGNORECASE,
)
_WOMAN = re.compile(
    r"\b(?:wom[ae]n|female|lady|girl|she|hers|mrs|pregnan(?:t|cy)|gravid|postpartum|post-?partum|breast-?feeding"
    r"|endometri\w+"
    r"|hysterectomy|ovarian (?:cancer|carcinoma|cyst|mass)|uterine|cervical (?:cancer|carcinoma)|menopaus\w+)\b",
    re.IGNORECASE,
)
_MAN = re.compile(
    r"\b(?:m[ae]n|male|gentleman|boy|he|(?<!bundle of )his|prostat\w+|testic\w+|orchi(?:d)?ectomy|vasectomy)\b",
    re.IGNORECASE,
)
_WORDS_WOMAN, _WORDS_MAN = "woman women female lady girl she hers mrs gravid", "man men male gentleman boy he his"
_HINTS_WOMAN = Hints(
    frozenset(_WORDS_WOMAN.split()),
    ("pregnan", "partum", "breast", "endometri", "hysterectomy", "ovarian", "uterine", "cervical", "menopaus"),
)
_HINTS_MAN = Hints(frozenset(_WORDS_MAN.split()), ("prostat", "testic", "orchi", "vasectomy"))
_OTHERS = re.compile(
    r"\b(?:mother|father|wife|husband|son|daughter|sister|brother|partner|family|parent|carer|dr)\b", re.IGNORECASE
)
_SHE, _HE = re.compile(r"\bshe\b", re.IGNORECASE), re.compile(r"\bhe\b", re.IGNORECASE)
_TOLD = re.compile(
    r"\b(?:communicat|discuss|telephon|phone|notif|inform|relay|convey|acknowledg|read)\w*", re.IGNORECASE
)
_DIGIT = re.compile(r"\d")
_YEARS = 1

Sex = Literal["F", "M"]


class _Said(NamedTuple):
    line: Line
    start: int
    end: int
    sex: Sex


def other_person(doc: Document) -> Iterator[Issue]:
    """DEM-1: the text speaks of a person of another sex or age than the order and the header name.

    An error where those are known; where they are not, a text at odds with itself is a warning. Ages may differ by one
    year, for a birthday may lie between.
    """
    yield from _ages(doc)
    yield from _sexes(doc)


def _ages(doc: Document) -> Iterator[Issue]:
    found = [
        (line, match, int(match["a"] or match["b"] or match["c"] or match["d"]))
        for line in doc.lines
        if _DIGIT.search(line.text)
        for match in _AGE.finditer(line.text)
        if not _NOT_OF_PERSON.match(line.text, match.end())
        # "67 M" needs its large letter, or it is a length in metres
        and (match["letter"] is None or match["letter"].isupper())
        and not says(_OTHERS, line.text)
    ]
    if not found:
        return
    known = doc.order.age
    severity: Severity = "error" if known is not None else "warning"
    expected = known if known is not None else found[0][2]
    whose = "the order's" if known is not None else "what was said before:"
    for line, match, age in found:
        if abs(age - expected) > _YEARS and age <= 130:
            message = f"'{match[0]}' is not {whose} {expected} years. Check that the report is of this patient."
            yield line.issue("DEM-1", severity, message, match.start(), match.end())


def _sexes(doc: Document) -> Iterator[Issue]:
    said = [one for line in doc.lines for one in _said(line)]
    if not said:
        return
    known = doc.order.sex
    if known == "O":
        return
    severity: Severity = "error" if known is not None else "warning"
    expected = known or said[0].sex
    told: set[str] = set()
    for one in said:
        words = one.line.text[one.start : one.end]
        if one.sex != expected and words.lower() not in told:
            told.add(words.lower())
            where = "the order" if known is not None else "the words before"
            message = (
                f"'{words}' does not fit the sex that {where} give{'s' if known else ''}. "
                "Check that the report is of this patient."
            )
            yield one.line.issue("DEM-1", severity, message, one.start, one.end)


def _said(line: Line) -> Iterator[_Said]:
    found: list[_Said] = []
    for sex, words, pronoun, hints in (("F", _WOMAN, _SHE, _HINTS_WOMAN), ("M", _MAN, _HE, _HINTS_MAN)):
        if not line.may_hold(hints):
            continue
        for match in words.finditer(line.text):
            # in a sentence on a communication "he" may be the doctor
            if pronoun.fullmatch(match[0]) and says(_TOLD, line.text):
                continue
            if match[0] == "HIS" and line.text[match.start() - 10 : match.start()].upper().endswith("BUNDLE OF "):
                continue
            found.append(_Said(line, match.start(), match.end(), sex))  # type: ignore[arg-type]
    if found and not _OTHERS.search(line.text):
        yield from sorted(found, key=lambda one: one.start)


CHECKS = (Check("DEM-1", "Sex or age of another person", other_person),)

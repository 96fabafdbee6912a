"""NUM: numbers in statements. In a draft they come from the ledger, by slots; one that stands nowhere in it was made
up. In a clinical text the impression quotes the findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import islice

from wetread.evidence import Evidence
from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document, Line
from wetread.reports.checks.kin import related
from wetread.reports.grounding import cited
from wetread.reports.model import Issue, Severity, Statement

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(
    r"(?<![\w.,])(?<![A-Za-z]-)(?<![A-Za-z]\d-)(?<![A-Za-z]\d\d-)(?P<number>\d{1,9}(?:\.\d{1,6})?)(?P<unit>\s?-?\s?(?i:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?|ml|cc|cm²|cm2|mm²|mm2|cm³|cm3|%|percent)(?!\w))?"
    r"(?![\w]|[.,]\d)"
)
# vertebrae, ribs, interspaces, lobar segments and dates name places and days, they measure nothing
_LEVEL = re.compile(
    r"\b(?:ribs?|level|segments?|zone|interspaces?|vertebra[el]?|series|image|type|grade"
    r"|stage)\s+(?:\d{1,3}(?:\s*(?:,|-|–|and|to|through)\s*)?)+"
    r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b|\b(?:19|20)\d{2}\b"
    r"|\b\d{1,3}[ -]year[ -]olds?\b|\b\d{1,2}\s*(?:views?|projections?)\b",
    re.IGNORECASE,
)
# in "1.5 x 2 cm" both are centimetres
_JOINED = re.compile(r"\s{0,2}(?:x|×|by|to|and|-|–)\s{0,2}")
_MILLIMETRES = {"mm": Decimal(1), "cm": Decimal(10)}
_SPELT = re.compile(r"(?:milli|centi)met(?:er|re)s?")
_EARLIER = re.compile(
    r"\b(?:previous(?:ly)?|prior|formerly|earlier|was|were|from|compared (?:to|with)|versus|vs\.?)\b[^.;,\d]{0,24}$",
    re.IGNORECASE,
)
_TO_MOVE = re.compile(
    r"\b(?:by|withdraw\w*|retract\w*|advanc\w*|pull\w*|less than|greater than|larger than|under"
    r"|within)\b[^.;\d]{0,24}$",
    re.IGNORECASE,
)
_RATIO = re.compile(
    r"\b(?:cardio-?thoracic(?: ratio| index)?"
    r"|CTR)\b[^.;\d]{0,40}(?P<number>\d{1,3}(?:\.\d{1,4})?)(?: ?(?P<percent>%|percent|per cent))?(?![\d/])",
    re.IGNORECASE,
)
_LONGEST_MM = 600
_MOST = 200
"""No report gives more lengths; beyond that a text is none, and is not to take for ever."""
_FEW, _LEAST_RATIO = 10, Decimal("0.2")


@dataclass(frozen=True, slots=True)
class _Found:
    number: Decimal
    unit: str
    start: int
    end: int


def number_unknown(doc: Document) -> Iterator[Issue]:
    """NUM-1: a number that comes from nowhere.

    In a draft: neither among the measurements of the cited evidence nor in what it says; an error with a unit or
    decimals, a warning for a bare whole number, which may be a count. In a clinical text: a length of the impression
    that the findings do not give; an error where they give another one for the same finding, else a warning. Compared
    as rounded in the text; mm and cm are converted.
    """
    if doc.drafted:
        if doc.has_ledger:
            yield from _not_in_ledger(doc)
            yield from _field_not_in_ledger(doc)
        return
    if not any(line.claims for line in doc.findings):
        return
    given = _distinct(_lengths(doc.findings, earlier=True))
    sizes = _sizes(doc)
    # the size at an earlier study may be known from elsewhere, unless the findings give it too
    any_earlier = len(given) > len(_distinct(_lengths(doc.findings)))
    for line in doc.impression:
        for found in _distinct(_lengths((line,), earlier=any_earlier)):
            if _TO_MOVE.search(line.text[max(0, found.start - 40) : found.start]):
                continue
            if _among(found, given) or _swapped(found, given):
                continue
            severity: Severity = "error" if _measured_otherwise(sizes, line, found) else "warning"
            shown = line.text[found.start : found.end]
            message = f"{shown} stands in the impression, and the findings do not give it."
            yield line.issue("NUM-1", severity, message, found.start, found.end)


def _not_in_ledger(doc: Document) -> Iterator[Issue]:
    for line in doc.spoken:
        statement = line.statement
        if statement is None:
            continue
        numbers = _numbers(line.text)
        if not numbers:
            continue
        spans = [(match.start(), match.end()) for match in _LEVEL.finditer(line.text)]
        known = _known(cited(statement, doc.ledger))
        for found in numbers:
            if any(start <= found.start < end for start, end in spans) or _among(found, known):
                continue
            shown = line.text[found.start : found.end]
            message = (
                f"{shown} is not among the numbers of the evidence cited. "
                "Write a measured number as a slot, {E<n>.<name>}, or leave it out."
            )
            whole = not found.unit and found.number == found.number.to_integral_value()
            yield line.issue(
                "NUM-1", "warning" if whole else "error", message, found.start, found.end, statement.evidence
            )


def _field_not_in_ledger(doc: Document) -> Iterator[Issue]:
    """Numbers that an agent wrote into a form field: where it cites the order's texts, it may take them from there."""
    from wetread.reports.checks.form import drafted

    for field in drafted(doc):
        if field.type not in ("number", "text"):
            continue
        behind = [doc.ledger[id] for id in field.evidence if id in doc.ledger and doc.ledger[id].status == "ok"]
        known = _known(behind)
        texts = [text for one in behind for text in one.value.values() if isinstance(text, str)]
        known += [number for text in texts for number in _numbers(text)]
        for found in _numbers(field.shown):
            if not _among(found, known):
                yield Issue(
                    code="NUM-1",
                    severity="error",
                    message=(
                        f"{field.title}: {field.shown} is not among the numbers of the evidence cited. "
                        "Write a measured number as a slot, {E<n>.<name>}, or leave the field empty."
                    ),
                    where=field.place,
                    evidence=field.evidence,
                )
                break


def _sizes(doc: Document) -> list[str]:
    """The findings that are measured now, once for each length given."""
    found = (
        claim.finding
        for line in doc.findings
        for claim in line.claims
        for measurement in claim.measurements
        if claim.finding and not measurement.earlier and measurement.unit in _MILLIMETRES
    )
    return list(islice(found, _MOST))


def _measured_otherwise(sizes: Sequence[str], line: Line, found: _Found) -> bool:
    """Whether the findings give the very finding that a length is said of another length, and one only."""
    about = [
        claim.finding
        for claim in line.claims
        if claim.finding and any(m.start <= found.start < m.end for m in claim.measurements)
    ]
    return sum(any(related(one, finding) for finding in about) for one in sizes) == 1


def _distinct(found: Iterable[_Found]) -> list[_Found]:
    """Each length once."""
    first: dict[tuple[Decimal, str], _Found] = {}
    for one in found:
        first.setdefault((one.number, one.unit), one)
    return list(islice(first.values(), _MOST))


def unit_differs(doc: Document) -> Iterator[Issue]:
    """NUM-2: the very number of the findings, or of the evidence, with another unit: 12 cm for 12 mm."""
    given = _distinct(_lengths(doc.findings, earlier=True))
    cites: Statement | None = None
    for line in doc.spoken if doc.drafted else doc.impression:
        cites = line.statement or cites
        lengths = _lengths((line,), earlier=True)
        if lengths and cites is not None:
            given = _known(cited(cites, doc.ledger))
        for found in lengths:
            if not _among(found, given) and (other := _swapped(found, given)) is not None:
                whose = "the evidence gives" if doc.drafted else "the findings give"
                message = f"{line.text[found.start : found.end]}, and {whose} {found.number} {other.unit}."
                yield line.issue("NUM-2", "error", message, found.start, found.end)


def number_impossible(doc: Document) -> Iterator[Issue]:
    """NUM-3: a measure that no chest can have: a cardiothoracic ratio of one or more, a length beyond 60 cm."""
    for line in doc.spoken:
        if _DIGIT.search(line.text) is None:
            continue
        for match in _RATIO.finditer(line.text):
            value = Decimal(match["number"])
            if match["percent"]:
                value /= 100
            if (value >= 1 and (match["percent"] or value < _FEW)) or value < _LEAST_RATIO:
                message = (
                    f"A cardiothoracic ratio of {' '.join(match['number'].split())}{match['percent'] or ''} cannot be."
                )
                yield line.issue("NUM-3", "error", message, match.start("number"), match.end())
        for found in _lengths((line,), earlier=True):
            if found.number * _MILLIMETRES[found.unit] > _LONGEST_MM:
                message = f"{line.text[found.start : found.end]} is longer than any chest."
                yield line.issue("NUM-3", "error", message, found.start, found.end)


def uncalibrated(doc: Document) -> Iterator[Issue]:
    """NUM-4: a length from radiographs without calibrated pixel spacing: at the detector all is magnified by an unknown
    factor (DICOM PS3.3 10.7.1.3)."""
    study = doc.study
    if study is None or not study.current or not all(image.is_radiograph for image in study.current):
        return
    if any(image.spacing is not None and image.spacing.kind == "calibrated" for image in study.current):
        return
    for line in doc.spoken:
        for found in _lengths((line,)):
            message = (
                f"{line.text[found.start : found.end]}: no image has a calibrated pixel spacing, so no length is sure."
            )
            evidence = line.statement.evidence if line.statement is not None else ()
            yield line.issue("NUM-4", "warning" if doc.drafted else "info", message, found.start, found.end, evidence)


def _lengths(lines: Iterable[Line], *, earlier: bool = False) -> list[_Found]:
    """The lengths that lines give; those of an earlier study ("previously 8 mm") only where asked for."""
    return [
        found
        for line in lines
        for found in _numbers(line.text)
        if found.unit in _MILLIMETRES
        and (earlier or not _EARLIER.search(line.text[max(0, found.start - 40) : found.start]))
    ]


def _swapped(found: _Found, given: Iterable[_Found]) -> _Found | None:
    """The one among the given that has the same number with the other unit of length."""
    return next(
        (one for one in given if one.number == found.number and one.unit != found.unit and one.unit in _MILLIMETRES),
        None,
    )


@lru_cache(maxsize=2048)
def _numbers(text: str) -> tuple[_Found, ...]:
    """The numbers of a text, read once: each check asks for those of every line and of all the evidence behind it."""
    if _DIGIT.search(text) is None:
        return ()
    found: list[_Found] = []
    for match in reversed(list(_NUMBER.finditer(text))):
        unit = (match["unit"] or "").strip(" -").lower().replace("²", "2").replace("³", "3").replace("percent", "%")
        unit = _SPELT.sub(lambda spelt: spelt[0][0] + "m", unit)
        if not unit and found and _JOINED.fullmatch(text, match.end(), found[-1].start):
            unit = found[-1].unit
        found.append(_Found(Decimal(match["number"]), unit, match.start(), match.end()))
    return tuple(found[::-1])


def _known(behind: Iterable[Evidence]) -> list[_Found]:
    known: list[_Found] = []
    for evidence in behind:
        if evidence.status != "ok":
            continue
        for measurement in evidence.measurements:
            unit = "" if measurement.unit == "1" else measurement.unit
            known.append(_Found(Decimal(repr(measurement.value)), unit, 0, 0))
            if not unit:
                known.append(_Found(Decimal(repr(measurement.value)) * 100, "%", 0, 0))
        for observation in evidence.observations:
            known += _numbers(observation.text)
    return known


def _among(found: _Found, known: Iterable[_Found]) -> bool:
    return any(_equal(found, one) for one in known)


def _equal(found: _Found, one: _Found) -> bool:
    value = one.number
    if found.unit != one.unit:
        if found.unit not in _MILLIMETRES or one.unit not in _MILLIMETRES:
            return False
        value = value * _MILLIMETRES[one.unit] / _MILLIMETRES[found.unit]
    # half a unit of the last digit written: however it was rounded
    exponent = found.number.as_tuple().exponent
    step = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    return abs(value - found.number) * 2 <= step


CHECKS = (
    Check("NUM-1", "Number from nowhere", number_unknown, partly=frozenset({"evidence"})),
    Check("NUM-2", "Unit differs", unit_differs),
    Check("NUM-3", "Impossible measure", number_impossible),
    Check("NUM-4", "Length without calibration", uncalibrated, frozenset({"study"})),
)

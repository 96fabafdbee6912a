"""NUM: numbers in statements. They come from the ledger, by slots; one that stands nowhere in it was made up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from wetread.evidence import Evidence
from wetread.reports.checks.base import Check, assertions, ledger_of
from wetread.reports.grounding import cited
from wetread.reports.model import Issue, Report
from wetread.study import Study

_NUMBER = re.compile(
    r"(?<![\w.,])(?<![A-Za-z]-)(?<![A-Za-z]\d-)(?<![A-Za-z]\d\d-)(?P<number>\d{1,9}(?:\.\d{1,6})?)(?P<unit>\s?-?\s?(?:mm|cm|ml|cc|cm²|cm2|mm²|mm2|cm³|cm3|%|percent)(?!\w))?"
    r"(?![\w]|[.,]\d)"
)
# vertebrae, ribs, interspaces, lobar segments and dates name places and days, they measure nothing
_LEVEL = re.compile(
    r"\b(?:ribs?|level|segments?|zone|interspaces?|vertebra[el]?|series|image|type|grade|stage)\s+(?:\d{1,3}(?:\s*(?:,|-|–|and|to|through)\s*)?)+"
    r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b|\b(?:19|20)\d{2}\b"
    r"|\b\d{1,3}[ -]year[ -]olds?\b|\b\d{1,2}\s*(?:views?|projections?)\b",
    re.IGNORECASE,
)
# in "1.5 x 2 cm" both are centimetres
_JOINED = re.compile(r"\s{0,2}(?:x|×|by|to|and|-|–)\s{0,2}")
_MILLIMETRES = {"mm": Decimal(1), "cm": Decimal(10)}


@dataclass(frozen=True, slots=True)
class _Found:
    number: Decimal
    unit: str
    start: int
    end: int


def number_unknown(report: Report, study: Study | None) -> Iterator[Issue]:
    """NUM-1: a number that is neither among the measurements of the cited evidence nor in what it says.

    Compared as rounded in the text; mm and cm are converted. An error with a unit or decimals, a warning for a bare
    whole number, which may be a count.
    """
    ledger = ledger_of(report)
    for statement in assertions(report):
        spans = [(match.start(), match.end()) for match in _LEVEL.finditer(statement.text)]
        known = _known(cited(statement, ledger))
        for found in _numbers(statement.text):
            if any(start <= found.start < end for start, end in spans) or _among(found, known):
                continue
            shown = statement.text[found.start : found.end]
            yield Issue(
                code="NUM-1",
                severity="error" if found.unit or found.number != found.number.to_integral_value() else "warning",
                message=(
                    f"{shown} is not among the numbers of the evidence cited. "
                    "Write a measured number as a slot, {E<n>.<name>}, or leave it out."
                ),
                where=statement.id,
                start=found.start,
                end=found.end,
                evidence=statement.evidence,
            )


def _numbers(text: str) -> list[_Found]:
    found: list[_Found] = []
    for match in reversed(list(_NUMBER.finditer(text))):
        unit = (match["unit"] or "").strip(" -").lower().replace("²", "2").replace("³", "3").replace("percent", "%")
        if not unit and found and _JOINED.fullmatch(text, match.end(), found[-1].start):
            unit = found[-1].unit
        found.append(_Found(Decimal(match["number"]), unit, match.start(), match.end()))
    return found[::-1]


def _known(behind: Iterable[Evidence]) -> list[_Found]:
    known = []
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


CHECKS = (Check("NUM-1", "Number not in the evidence", number_unknown, frozenset({"evidence"})),)

"""Measurements in a text: numbers with a unit, also "2 x 3 cm" and "1 to 2 mm". Units are given in UCUM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wetread.reports.language.words import Token, tokens
from wetread.reports.model import TextMeasurement

_UNITS = {
    "mm": "mm",
    "millimeter": "mm",
    "millimetre": "mm",
    "cm": "cm",
    "centimeter": "cm",
    "centimetre": "cm",
    "%": "%",
    "percent": "%",
    "ml": "mL",
    "cc": "mL",
    "degree": "deg",
    "°": "deg",
    "hu": "[hnsf'U]",
}
_TIMES = frozenset(("x", "×", "by"))
_RANGE = frozenset(("-", "–", "to"))
_EARLIER = frozenset(("previously", "prior", "previous", "was", "formerly", "earlier"))
_MOST = 3
_DIGITS = frozenset("0123456789")


class Measured(NamedTuple):
    """A measurement and its first and last-plus-one token."""

    measurement: TextMeasurement
    first: int
    last: int


def measurements(text: str) -> tuple[TextMeasurement, ...]:
    """Every measurement of a text, in order, with offsets into it."""
    return tuple(one.measurement for one in measured(tokens(text)))


def measured(words: Sequence[Token]) -> list[Measured]:
    """Every measurement among tokens."""
    found = []
    index = 0
    while index < len(words):
        taken = _one(words, index) if words[index].word[0] in _DIGITS else None
        if taken is None:
            index += 1
        else:
            found.append(Measured(taken[0], index, taken[1]))
            index = taken[1]
    return found


def _one(words: Sequence[Token], first: int) -> tuple[TextMeasurement, int] | None:
    values: list[float] = []
    unit: str | None = None
    ranged = False
    at = first
    while at < len(words):
        value = _number(words[at].word)
        if value is None:
            break
        values.append(value)
        at += 1
        if at < len(words) and words[at].word in _UNITS:
            unit = _UNITS[words[at].word]
            at += 1
        joint = words[at].word if at + 1 < len(words) else ""
        joins = joint in _TIMES or (joint in _RANGE and unit is None and len(values) == 1)
        if not joins or len(values) == _MOST or _number(words[at + 1].word) is None:
            break
        ranged = ranged or joint in _RANGE
        at += 1
    if unit is None:
        return None
    before = {word.word for word in words[max(0, first - 3) : first]}
    measurement = TextMeasurement(
        values=tuple(values),
        unit=unit,
        ranged=ranged,
        earlier=bool(before & _EARLIER),
        start=words[first].start,
        end=words[at - 1].end,
    )
    return measurement, at


def _number(word: str) -> float | None:
    if word[0] not in _DIGITS or len(word) > 12:
        return None
    try:
        return float(word.replace(",", "."))
    except ValueError:
        return None

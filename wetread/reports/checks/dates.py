"""Calendar dates in a text, with every day that a spelling can mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

_DIGIT = re.compile(r"\d")
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    r"(?<![\d/.-])(?:"
    r"(?P<iso>(?:19|20)\d{2}-\d{1,2}-\d{1,2})"
    r"|(?P<one>\d{1,2})(?P<gap>[/.-])(?P<two>\d{1,2})(?P=gap)(?P<year>(?:19|20)\d{2}|\d{2})"
    rf"|(?P<day_a>\d{{1,2}})(?:st|nd|rd|th)?[ -](?:of )?{_MONTH.format('month_a')}\.?,?[ -](?P<year_a>(?:19|20)\d{{2}})"
    rf"|{_MONTH.format('month_b')}\.? (?P<day_b>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year_b>(?:19|20)\d{{2}})"
    rf"|{_MONTH.format('month_c')}\.?,? (?:of )?(?P<year_c>(?:19|20)\d{{2}})"
    r")(?![\d/]|[.-]\d)",
    re.IGNORECASE,
)


class Written(NamedTuple):
    """A date as a text has it.

    Attributes:
        start, end: Where it stands.
        days: Every day that it can mean: "03/04/2019" two, "March 2019" all of that month.
    """

    start: int
    end: int
    days: tuple[date, ...]


def dates(text: str) -> Iterator[Written]:
    """All dates of a text; what is no day of the calendar is left out."""
    if _DIGIT.search(text) is None:
        return
    for match in _DATE.finditer(text):
        days = tuple(_days(match))
        if days:
            yield Written(match.start(), match.end(), days)


def _days(match: re.Match[str]) -> Iterator[date]:
    if match["iso"]:
        year, month, day = match["iso"].split("-")
        yield from _day(int(year), int(month), int(day))
    elif match["one"]:
        one, two, year = int(match["one"]), int(match["two"]), int(match["year"])
        year += 0 if year > 99 else 2000 if year < 70 else 1900
        yield from _day(year, one, two)
        if one != two:
            yield from _day(year, two, one)
    elif match["day_a"]:
        yield from _day(int(match["year_a"]), _month(match["month_a"]), int(match["day_a"]))
    elif match["day_b"]:
        yield from _day(int(match["year_b"]), _month(match["month_b"]), int(match["day_b"]))
    else:
        for day in range(1, 32):
            yield from _day(int(match["year_c"]), _month(match["month_c"]), day)


def _month(name: str) -> int:
    return _NAMES.index(name[:3].lower()) + 1


def _day(year: int, month: int, day: int) -> Iterator[date]:
    try:
        yield date(year, month, day)
    except ValueError:
        return

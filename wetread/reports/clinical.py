"""A plain clinical text, whole or in sections, turned into the document that checks see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from wetread.errors import InputError
from wetread.reports.checks.document import Document, Line, Order
from wetread.reports.headings import BOTH, cut, section_of
from wetread.reports.language import sentences
from wetread.study import Study
from wetread.vocabulary import Side

UNKNOWN = Order()
"""Nothing is known beside the text."""

MOST_CHARACTERS = 200_000
"""What stands behind that is not checked, and the answer says so; a long report has 10,000."""

_SEXES = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M", "o": "O", "other": "O"}
_DIGITS = re.compile(r"\s*0*(\d{1,3})(?:\.0+)?\s*(?:y(?:ears?)?(?: old)?)?\s*", re.IGNORECASE)


def from_text(
    text: str,
    *,
    order: Order = UNKNOWN,
    has_prior: bool | None = None,
    today: date | None = None,
    study: Study | None = None,
) -> Document:
    """A whole text. Offsets of issues are into `text`."""
    passages, headings = cut(text[:MOST_CHARACTERS])
    lines = [
        line
        for passage in passages
        for line in _lines("findings" if passage.section == BOTH else passage.section, text, passage.start, passage.end)
    ]
    return _document(lines, headings, {}, order, has_prior, today, study)


def from_sections(
    sections: Mapping[str, str],
    *,
    order: Order = UNKNOWN,
    has_prior: bool | None = None,
    today: date | None = None,
    study: Study | None = None,
) -> Document:
    """Named sections. Offsets of issues are into the section that they name."""
    lines: list[Line] = []
    headings: set[str] = set()
    unknown: dict[str, int] = {}
    left = MOST_CHARACTERS
    for name, text in sections.items():
        section = section_of(name)
        if section is None:
            unknown[name] = len(text)
        elif text.strip() or section in ("findings", "impression"):
            headings.add(section)
        kept = "findings" if section == BOTH else section or "other"
        lines += [Line(kept, name, line.start, line.text) for line in _lines(kept, text, 0, min(len(text), left))]
        left = max(0, left - len(text))
    return _document(lines, frozenset(headings), unknown, order, has_prior, today, study)


def read_order(data: Mapping[str, Any]) -> Order:
    """An order as the JSONL form has it.

    Raises:
        InputError: `WET-INPUT-ORDER`, naming the field that is wrong.
    """
    age, sex, side = data.get("age"), data.get("sex"), data.get("side")
    priors = data.get("prior_dates")
    if priors is not None and not isinstance(priors, list | tuple):
        raise _wrong("prior_dates", "a list of dates")
    return Order(
        age=None if age in (None, "") else _age(age),
        sex=None if sex in (None, "") else _choice("sex", sex, _SEXES),
        side=None if side in (None, "") else _choice("side", side, {one.value: one for one in Side}),
        exam=_text("exam", data.get("exam")),
        indication=_text("indication", data.get("indication")),
        study_date=_day("study_date", data.get("study_date")),
        prior_dates=None if priors is None else tuple(day for one in priors if (day := _day("prior_dates", one))),
    )


def order_of(study: Study) -> Order:
    """What a study says beside a text."""
    dates = [image.acquired for image in study.priors]
    dates += [study.prior_report.acquired] if study.prior_report is not None else []
    known = tuple(day for day in dates if day is not None)
    return Order(
        age=study.age_years,
        sex=study.sex,
        exam=study.exam,
        indication=study.indication,
        study_date=study.acquired,
        prior_dates=known if len(known) == len(dates) else known or None,
    )


def _lines(section: str, text: str, start: int, end: int) -> Iterator[Line]:
    for begin, _, words in sentences(text[start:end]):
        yield Line(section, section, start + begin, words)


def _document(
    lines: list[Line],
    headings: frozenset[str],
    unknown: Mapping[str, int],
    order: Order,
    has_prior: bool | None,
    today: date | None,
    study: Study | None,
) -> Document:
    return Document(
        lines=tuple(lines),
        headings=headings,
        unknown=unknown,
        order=order,
        told_prior=study.has_comparison if study is not None and has_prior is None else has_prior,
        today=today or date.today(),
        study=study,
    )


def _age(value: Any) -> int:
    match = _DIGITS.fullmatch(str(value))
    if match is None or isinstance(value, bool) or int(match[1]) > 130:
        raise _wrong("age", "a number of years")
    return int(match[1])


def _choice(field: str, value: Any, choices: Mapping[str, Any]) -> Any:
    found = choices.get(str(value).strip().lower())
    if found is None:
        raise _wrong(field, f"one of {', '.join(dict.fromkeys(map(str, choices.values())))}")
    return found


def _text(field: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _wrong(field, "a text")
    return value or None


def _day(field: str, value: Any) -> date | None:
    if value is None or value == "" or isinstance(value, date):
        return value or None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise _wrong(field, "a date, as 2024-03-01") from None


def _wrong(field: str, wanted: str) -> InputError:
    return InputError("WET-INPUT-ORDER", f"The order's {field} is not {wanted}.", "Mend it or leave it out.")

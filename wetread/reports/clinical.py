"""A plain clinical text, whole or in sections, turned into the document that checks see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from wetread.errors import InputError
from wetread.reports.checks.document import BOTH, Document, Line, Order
from wetread.reports.language import BODY, sentences
from wetread.reports.language.lexicon import read_data
from wetread.reports.language.report import ParsedSection, split_sections
from wetread.vocabulary import Side

if TYPE_CHECKING:
    from wetread.study import Study

UNKNOWN = Order()
"""Nothing is known beside the text."""

MOST_CHARACTERS = 200_000
"""What stands behind that is not checked, and the answer says so; a long report has 10,000."""

_SHORT = frozenset({"exam", "indication", "history", "technique", "comparison"})
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_BOTH = re.compile(
    r"\b(?:findings?|observations?)\W{1,3}(?:and )?(?:impressions?|conclusions?|opinion)\b", re.IGNORECASE
)
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
    found = split_sections(text[:MOST_CHARACTERS])
    headings = {section.name for section in found if section.heading}
    if any(_BOTH.search(section.heading) for section in found):
        headings.add(BOTH)
    unheaded = headings.isdisjoint({"findings"})
    runs = [run for section in found for run in _runs(section, text, split=unheaded and section.name in _SHORT)]
    passages = [Line(name, name, start, text[start:end]) for name, start, end in runs]
    lines = [line for one in passages for line in _lines(one)]
    return _document(lines, passages, frozenset(headings), {}, order, has_prior, today, study)


def from_sections(
    sections: Mapping[str, str],
    *,
    order: Order = UNKNOWN,
    has_prior: bool | None = None,
    today: date | None = None,
    study: Study | None = None,
) -> Document:
    """Named sections. Offsets of issues are into the section that they name."""
    passages: list[Line] = []
    headings: set[str] = set()
    unknown: dict[str, int] = {}
    left = MOST_CHARACTERS
    for name, text in sections.items():
        section = section_of(name)
        if section is None:
            unknown[name] = len(text)
        elif text.strip() or section in ("findings", "impression"):
            headings |= {section, BOTH} if _BOTH.search(name) else {section}
        passages.append(Line(section or "other", name, 0, text[:left]))
        left = max(0, left - len(text))
    lines = [line for one in passages for line in _lines(one)]
    return _document(lines, passages, frozenset(headings), unknown, order, has_prior, today, study)


def section_of(name: str) -> str | None:
    """The section that a heading or a field's name means; None for one that is not known."""
    return _sections().get(" ".join(name.replace("_", " ").lower().split()))


@cache
def _sections() -> dict[str, str]:
    return {spelling: section for section, spellings in read_data("sections.json").items() for spelling in spellings}


def _runs(section: ParsedSection, text: str, *, split: bool) -> list[tuple[str, int, int]]:
    """A section's text as (section, start, end).

    Where no heading says findings, a paragraph after the short sections (indication, comparison, ...) is `body`: many
    houses give the findings no heading.
    """
    first = section.start
    while first < section.end and text[first].isspace():
        first += 1
    gap = _PARAGRAPH.search(text, first, section.end) if split else None
    if gap is None:
        return [(section.name, section.start, section.end)]
    return [(section.name, section.start, gap.start()), (BODY, gap.end(), section.end)]


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


def _lines(passage: Line) -> Iterator[Line]:
    for begin, _, words in sentences(passage.text):
        yield Line(passage.section, passage.where, passage.start + begin, words)


def _document(
    lines: Sequence[Line],
    passages: Sequence[Line],
    headings: frozenset[str],
    unknown: Mapping[str, int],
    order: Order,
    has_prior: bool | None,
    today: date | None,
    study: Study | None,
) -> Document:
    return Document(
        lines=tuple(lines),
        passages=tuple(passages),
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

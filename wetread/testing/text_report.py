"""A report as plain text or as named sections, cut into passages and sentences by means of its own.

The mutation proof must not lean on the parser that it measures: the cutting here knows headings, lists and wrapped
lines and nothing of radiology. It is made for real reports of many houses, so it prefers to find fewer sentences over
wrong ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, Self

import orjson
from pydantic import ValidationError, model_validator

from wetread.errors import InputError
from wetread.values import Value

SECTIONS = ("indication", "history", "technique", "comparison", "findings", "impression", "recommendation")
"""Section names of the JSONL form that `wetread check --jsonl` reads."""

BODY = "body"
"""The passage of a text without headings, and whatever stands before the first heading."""

_HEADINGS = {
    "exam": r"exam(?:ination)?|study|procedure|type of exam(?:ination)?|exam type|exam description",
    "indication": r"(?:clinical )?indications?(?: for (?:exam(?:ination)?|study))?"
    r"|reason for (?:the )?(?:exam(?:ination)?|study|request|referral)"
    r"|clinical (?:information|details|data|question|context|notes)|request(?: details)?|referral|indic",
    "history": r"(?:clinical |medical |past medical |relevant )?history|hx",
    "technique": r"technique|views?|projections?|technical(?: details| factors)?|method",
    "comparison": r"comparisons?(?: (?:studies|study|films?|imaging))?|compared (?:with|to)"
    r"|(?:prior|previous)(?: stud(?:y|ies)| imaging| films?)?",
    "findings": r"(?:chest |cxr |radiographic |imaging )?(?:findings?|observations?)"
    r"(?: ?(?:/|and|&) ?impressions?)?|(?:cxr |chest x-?ray )?report|description|cxr|chest x-?ray",
    "impression": r"impressions?|(?:final )?(?:conclusions?|opinion|impression)|summary|interpretation"
    r"|comments?|assessment|dx|imp",
    "recommendation": r"recommendations?|advice|follow[- ]?up|suggestions?|suggested action|plan|management",
    "communication": r"(?:critical |urgent )?(?:results? )?(?:communication|notification)s?"
    r"(?: of (?:critical )?results?)?|critical (?:results?|findings?)|urgent findings?|alert",
}
_HEADING = re.compile(
    r"(?:^|(?<=[.!?] )|(?<=[.!?]  ))(?P<lead>[ \t]*(?:#+ |\*\*)?)(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in _HEADINGS.items())
    + r")(?P<tail>(?:\*\*)?[ \t]*(?::|-(?=[ \t]|$)|–)(?:\*\*)?|[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_ENUMERATOR = re.compile(r"[ \t]*(?:\(?\d{1,2}[.)](?=\s)|[-*•–](?=\s)|[a-h]\))[ \t]*")
_BREAK = re.compile(r"(?<=[.!?;])[ \t]+|[ \t]*\n\s*")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|approx|vs|cf|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|ca|resp|[A-Z])\.$")


class Order(Value):
    """What the order and the study say beside the text."""

    exam: str | None = None
    indication: str | None = None
    age: int | None = None
    sex: Literal["F", "M", "O"] | None = None
    side: Literal["left", "right", "bilateral"] | None = None
    """The side that the order names, for an exam or a question of one side."""
    study_date: date | None = None
    prior_dates: tuple[date, ...] | None = None
    """Dates of the earlier studies at hand; None where nobody says."""


class Passage(NamedTuple):
    """A run of text under one heading. Offsets are into `field`: `text`, or a section's name."""

    section: str
    field: str
    start: int
    end: int
    text: str


class Sentence(NamedTuple):
    """One sentence or list line, without its number or bullet."""

    section: str
    field: str
    start: int
    end: int
    text: str


class Edit(NamedTuple):
    """Replace `[start, end)` of a field by `new`."""

    field: str
    start: int
    end: int
    new: str


class TextReport(Value):
    """One report as a person wrote it: a whole text or named sections, with its order where that is known."""

    id: str
    style: str = ""
    order: Order = Order()
    has_prior: bool | None = None
    """Whether an earlier study was among the inputs; None where nobody says."""
    text: str | None = None
    sections: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.text is None) == (self.sections is None):
            raise ValueError("give either text or sections")
        return self

    def fields(self) -> dict[str, str]:
        """The texts by field name: `{"text": ...}` or the sections."""
        return dict(self.sections) if self.sections is not None else {"text": self.text or ""}

    def passages(self) -> tuple[Passage, ...]:
        """All runs of text with the section each belongs to, headings left out, in reading order."""
        if self.sections is not None:
            return tuple(Passage(name, name, 0, len(text), text) for name, text in self.sections.items())
        return tuple(_cut_by_headings(self.text or ""))

    def sentences(self, *sections: str) -> list[Sentence]:
        """All sentences of the named sections, or of all of them."""
        return [
            sentence
            for passage in self.passages()
            if not sections or passage.section in sections
            for sentence in sentences(passage)
        ]

    def passage(self, section: str) -> Passage | None:
        """The first passage of a section, or None."""
        return next((passage for passage in self.passages() if passage.section == section), None)

    def edited(self, edits: Iterable[Edit]) -> TextReport:
        """This report with the edits made. They must not overlap within a field."""
        fields = self.fields()
        for edit in sorted(edits, key=lambda edit: (edit.field, -edit.start)):
            fields[edit.field] = fields[edit.field][: edit.start] + edit.new + fields[edit.field][edit.end :]
        update = {"text": fields["text"]} if self.sections is None else {"sections": fields}
        return self.model_copy(update=update)

    def as_json(self) -> dict[str, object]:
        """The report as one object of the JSONL form."""
        return self.model_dump(mode="json", exclude_none=True)


def _cut_by_headings(text: str) -> Iterator[Passage]:
    section, start = BODY, 0
    for match in _HEADING.finditer(text):
        # Within a line only a capitalised word with a colon is a heading: "the history: ..." is prose.
        if not text[match.end("lead") : match.end("lead") + 1].isupper():
            continue
        yield from _passage(text, section, start, match.start())
        section, start = next(name for name in _HEADINGS if match.group(name) is not None), match.end()
    yield from _passage(text, section, start, len(text))


def _passage(text: str, section: str, start: int, end: int) -> Iterator[Passage]:
    part = text[start:end]
    inner = part.strip()
    if inner:
        start += len(part) - len(part.lstrip())
        yield Passage(section, "text", start, start + len(inner), inner)


def sentences(passage: Passage) -> list[Sentence]:
    """Cut a passage into sentences: at stops, at semicolons and at the lines of a list; a wrapped line is no end."""
    text = passage.text
    found: list[Sentence] = []
    start = 0
    for match in _BREAK.finditer(text):
        if match.start() < start:
            continue
        if "\n" in match.group():
            if not _line_ends(text, match.start(), match.end()):
                continue
        elif _ABBREVIATION.search(text, max(0, match.start() - 8), match.start()) or _is_enumerator(text, start, match):
            continue
        _append(found, passage, start, match.start())
        start = match.end()
    _append(found, passage, start, len(text))
    return found


def _is_enumerator(text: str, start: int, match: re.Match[str]) -> bool:
    return _ENUMERATOR.fullmatch(text, start, match.end()) is not None


def _line_ends(text: str, end: int, following: int) -> bool:
    if following >= len(text) or (end and text[end - 1] in ".!?;:"):
        return True
    if _ENUMERATOR.match(text, following):
        return True
    line = end - (text.rfind("\n", 0, end) + 1)
    return not text[following].islower() and line < 60


def _append(found: list[Sentence], passage: Passage, start: int, end: int) -> None:
    number = _ENUMERATOR.match(passage.text, start, end)
    if number:
        start = number.end()
    part = passage.text[start:end]
    inner = part.strip()
    if inner:
        start += passage.start + len(part) - len(part.lstrip())
        found.append(Sentence(passage.section, passage.field, start, start + len(inner), inner))


def read_reports(path: Path) -> Iterator[TextReport]:
    """The reports of a JSONL file, one object a line.

    Raises:
        InputError: `WET-INPUT-REPORTS`, naming the line, when the file or a line of it is not that.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(
            "WET-INPUT-REPORTS", f"{path.name} cannot be read: {error.strerror}.", "Name a JSONL file of reports."
        ) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield TextReport.model_validate(orjson.loads(line))
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise InputError(
                "WET-INPUT-REPORTS",
                f"Line {number} of {path.name} is not a report.",
                'Each line is an object with "id" and either "text" or "sections".',
            ) from error

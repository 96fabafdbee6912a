"""A report as text, cut into sections and statements with their claims.

Section names are those of a report's JSONL form; `body` is text under no heading. Offsets always lead back into the
text as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from wetread.reports.language.claims import read
from wetread.reports.language.lexicon import read_data
from wetread.reports.model import Claim, TextMeasurement
from wetread.vocabulary import Assertion

BODY = "body"
"""The section of a text without headings, and of what stands before the first heading."""

_LONGEST_HEADING = 60
_LINE = re.compile(r"[^\n]*")
_INNER = re.compile(r"(?:(?<=[.!?;)\]])|(?<=\d\.)) {1,3}(?=[A-Z])")
_TAIL = re.compile(r"[ \t]*(?:\*\*|__(?!_))?[ \t]*(?::|[-–—](?=[ \t\n]|$))[ \t]*(?:\*\*|__(?!_))?")
_LEAD = re.compile(r"[ \t]*(?:#{1,6}[ \t]+|\*\*|__)?[ \t]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z/()\-]*(?: [A-Za-z/()\-]+){0,5}")
_ASSERTS_NOTHING = frozenset(("exam", "technique", "comparison"))


class ParsedSection(NamedTuple):
    """A run of text under one heading.

    Attributes:
        name: Section name; `body` without a heading.
        heading: The heading as written; empty where there is none.
        source: The text that the offsets lead into: `text`, or the key of the section given.
        start: Offset of its text, behind the heading.
        end: Offset of its end.
    """

    name: str
    heading: str
    source: str
    start: int
    end: int


class ParsedStatement(NamedTuple):
    """One sentence or list line of a report.

    Attributes:
        section: Name of its section.
        source: The text that `start` and `end` lead into.
        text: The sentence, without its number or bullet.
        claims: What it asserts; their offsets are into the sentence. What an indication names is uncertain, what a
            history names is historical; exam, technique and comparison assert nothing.
        measurements: All of its measurements.
    """

    section: str
    source: str
    start: int
    end: int
    text: str
    claims: tuple[Claim, ...]
    measurements: tuple[TextMeasurement, ...]


class ParsedReport(NamedTuple):
    """A report's sections and statements in reading order."""

    sections: tuple[ParsedSection, ...]
    statements: tuple[ParsedStatement, ...]

    def of(self, *names: str) -> tuple[ParsedStatement, ...]:
        """The statements of the named sections."""
        return tuple(statement for statement in self.statements if statement.section in names)


def parse_report(report: str | Mapping[str, str]) -> ParsedReport:
    """Parse a whole text, headings found by their many spellings, or sections given by name.

    Args:
        report: The text, or texts by section name; a name that is no section's is kept as it is.

    Returns:
        Sections and statements. An empty text gives none; any text is read in linear time.
    """
    if isinstance(report, str):
        found = [(section, report) for section in split_sections(report)]
    else:
        found = [(ParsedSection(name, "", name, 0, len(text)), text) for name, text in report.items()]
    statements = tuple(statement for section, text in found for statement in _statements(section, text))
    return ParsedReport(tuple(section for section, _ in found), statements)


def split_sections(text: str) -> list[ParsedSection]:
    """The sections of a text in order, empty ones included; what stands before the first heading is `body`."""
    heads = list(_headings(text))
    found = []
    first = heads[0][1] if heads else len(text)
    if text[:first].strip():
        found.append(ParsedSection(BODY, "", "text", 0, first))
    for index, (name, start, end) in enumerate(heads):
        stop = heads[index + 1][1] if index + 1 < len(heads) else len(text)
        found.append(ParsedSection(name, text[start:end].strip(), "text", end, stop))
    return found


def _statements(section: ParsedSection, text: str) -> Iterator[ParsedStatement]:
    for sentence in read(text[section.start : section.end]):
        yield ParsedStatement(
            section.name,
            section.source,
            section.start + sentence.start,
            section.start + sentence.end,
            sentence.text,
            _asserted(section.name, sentence.claims),
            sentence.measurements,
        )


def _asserted(section: str, found: tuple[Claim, ...]) -> tuple[Claim, ...]:
    if section in _ASSERTS_NOTHING:
        return ()
    asserted = {"indication": Assertion.UNCERTAIN, "history": Assertion.HISTORICAL}.get(section)
    if asserted is None:
        return found
    return tuple(
        claim.model_copy(update={"assertion": asserted}) if claim.assertion is Assertion.PRESENT else claim
        for claim in found
    )


@cache
def _names() -> dict[str, str]:
    return {spelling: name for name, spellings in read_data("sections.json").items() for spelling in spellings}


@cache
def _first_words() -> frozenset[str]:
    return frozenset(name.split(" ")[0] for name in _names())


def _headings(text: str) -> Iterator[tuple[str, int, int]]:
    """Headings as (section, start, end of heading and its colon): at a line's start, or inside after a sentence."""
    for line in _LINE.finditer(text):
        if line.end() == line.start():
            continue
        start = line.start()
        if (found := _heading_at(text, start, line.end(), inside=False)) is not None:
            yield found
            start = found[2]
        for gap in _INNER.finditer(text, start, line.end()):
            if gap.end() >= start and (found := _heading_at(text, gap.end(), line.end(), inside=True)) is not None:
                yield found
                start = found[2]


def _heading_at(text: str, start: int, end: int, *, inside: bool) -> tuple[str, int, int] | None:
    lead = _LEAD.match(text, start, end)
    begin = lead.end() if lead else start
    match = _NAME.match(text, begin, min(end, begin + _LONGEST_HEADING))
    if match is None:
        return None
    words = match.group().split(" ")
    if words[0].lower() not in _first_words():
        return None
    for count in range(len(words), 0, -1):
        written = " ".join(words[:count])
        name = _names().get(written.lower())
        if name is None:
            continue
        after = begin + len(written)
        if tail := _TAIL.match(text, after, end):
            return name, start, tail.end()
        alone = not text[after:end].strip(" \t\r*_")
        if alone and not inside:
            return name, start, end
        shouted = written.isupper() and len(written) > 3 and name in ("findings", "impression", "conclusion")
        if shouted and _goes_on_lower(text, after, end) and written != "CHEST":
            return name, start, after
    return None


def _goes_on_lower(text: str, after: int, end: int) -> bool:
    """Whether an all-capitals word is followed by ordinary text: a heading without a colon."""
    rest = text[after : min(end, after + 40)]
    return rest[:1] == " " and any(character.islower() for character in rest)

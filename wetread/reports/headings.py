"""Section headings in their many spellings, and a plain text cut by them."""

from __future__ import annotations

import re
from typing import NamedTuple

from wetread.reports.checks.document import BODY

BOTH = "findings and impression"
"""A heading over findings and impression in one."""

_SPELLINGS = {
    BOTH: r"(?:findings?|observations?)(?: ?(?:/|and|&|,) ?)(?:impressions?|conclusions?|opinion)",
    "exam": r"(?:type of |name of )?(?:exam(?:ination)?|stud(?:y|ies)|procedure)(?: "
    "(?:type|description|performed|name|date))?|modality",
    "indication": r"(?:clinical )?indications?(?: for (?:the )?(?:exam(?:ination)?|study|procedure))?|indic"
    r"|reasons? for (?:the |this )?(?:exam(?:ination)?|study|request|referral|visit|procedure|imaging)"
    r"|clinical (?:information|details?|data|question|context|notes?|summary|indications?|statement|problem|reason)"
    r"|request(?: details)?|referral(?: details)?|reason|cc|chief complaint|presenting complaint",
    "history": r"(?:brief |short |clinical |medical |past medical |relevant |patient )?history(?: of present illness)?"
    r"|clinical history|hx|pmh|background|admitting diagnosis|diagnosis on admission",
    "technique": r"techniques?|views?|projections?|technical (?:details|factors|quality)|methods?|protocol"
    r"|image quality|number of views|views obtained|radiation dose",
    "comparison": r"comparisons?(?: (?:studies|study|films?|imaging|exams?|examinations?|made|date))?|compared "
    "(?:with|to)"
    r"|(?:prior|previous|earlier|relevant prior|last)(?: (?:stud(?:y|ies)|imaging|films?|exams?|examinations?"
    r"|radiographs?))",
    "findings": r"(?:chest |cxr |radiographic |radiological |radiology |imaging |relevant )?(?:findings?|observations?)"
    r"|(?:cxr |chest x-?ray |radiology )?report|description|discussion|interpretation of findings|result",
    "impression": r"(?:final |overall |radiological |radiologic )?(?:impressions?|conclusions?|opinion|diagnosis)"
    r"|summary(?: of findings)?|interpretation|comments?|assessment|dx|imp|(?:impressions?|conclusions?) ?(?:/|and|&) ?"
    r"(?:recommendations?|plan)|key findings|conclusion and advice|bottom line",
    "recommendation": r"recommendations?|advice|follow[- ]?up(?: recommendations?)?|suggestions?|suggested action|plan"
    r"|management|recommended (?:action|follow[- ]?up)|next steps?",
    "communication": r"(?:critical |urgent )?(?:results? )?(?:communications?|notifications?)(?: of (?:critical "
    "|urgent )?(?:results?|findings?))?"
    r"|critical (?:results?|findings?)|urgent findings?|alert|verbal report|phone call",
    "addendum": r"addend(?:um|a)(?: #?\d)?",
    "other": r"wet read|signed(?: by)?|electronically signed(?: by)?|dictated(?: by)?|transcribed(?: by)?|attending"
    r"|radiologist|reported by|reporting (?:doctor|radiologist)|provider|ordering physician|final report"
    r"|verified(?: by)?|cc to",
}
_HEADING = re.compile(
    r"(?:^|(?<=[.!?;] )|(?<=[.!?;]  ))(?P<lead>[ \t]*(?:#{1,4} |\*\*|__?)?)(?P<words>[A-Za-z][A-Za-z ,/&#-]{1,48}?)"
    r"(?P<tail>(?:\*\*|__?)?[ \t]*(?::|-(?=[ \t]|$)|–)(?:\*\*|__?)?|[ \t]*(?:\*\*)?[ \t]*$)",
    re.MULTILINE,
)
_KNOWN = re.compile("|".join(f"(?P<s{n}>{words})" for n, words in enumerate(_SPELLINGS.values())), re.IGNORECASE)
_NAMES = tuple(_SPELLINGS)
_TITLE = re.compile(
    r"^[ \t]*(?=[^\n:]{0,80}\b(?:CHEST|RADIOGRAPHS?|VIEWS?|X-?RAYS?|CXR|FILM|THORAX"
    r"|RIBS)\b)[A-Z0-9][A-Z0-9 ,./()&-]{2,80}:",
    re.MULTILINE,
)
_SHORT = frozenset({"exam", "indication", "history", "technique", "comparison"})
_PARAGRAPH = re.compile(r"\n[ \t]*\n")


class Passage(NamedTuple):
    """A run of text under one heading. Offsets are into the whole text."""

    section: str
    start: int
    end: int


def section_of(name: str) -> str | None:
    """The section that a heading or a field's name means; None for one that is not known."""
    match = _KNOWN.fullmatch(" ".join(name.replace("_", " ").split()))
    return _NAMES[int((match.lastgroup or "s0")[1:])] if match else None


def cut(text: str) -> tuple[list[Passage], frozenset[str]]:
    """A text cut by its headings, and the sections that have one, empty ones included.

    What stands before the first heading is `body`, and so is what follows a heading that only names the film ("PORTABLE
    CHEST:"). Where no heading says findings, a paragraph after the short sections (indication, comparison, ...) is
    `body` too: many houses give the findings no heading.
    """
    marks: list[tuple[int, int, str]] = []
    for match in _HEADING.finditer(text):
        words = match["words"]
        inline = match.start() > 0 and text[match.start() - 1] != "\n"
        if not words[0].isupper() or (inline and ":" not in match["tail"]):
            continue
        name = section_of(words)
        if name is not None and not (inline and name in ("exam", "other")):
            marks.append((match.start(), match.end(), name))
    taken = {start for start, _, _ in marks}
    for match in _TITLE.finditer(text):
        if match.start() not in taken and not any(start <= match.start() < end for start, end, _ in marks):
            marks.append((match.start(), match.end(), BODY))
    marks.sort()
    passages: list[Passage] = []
    headings = frozenset(name for _, _, name in marks if name not in (BODY, "other"))
    unheaded = headings.isdisjoint({"findings", BOTH})
    section, start = BODY, 0
    for begin, end, name in [*marks, (len(text), len(text), BODY)]:
        if begin < start:
            continue
        passages += _passages(text, section, start, begin, split=unheaded and section in _SHORT)
        section, start = name, end
    return passages, headings


def _passages(text: str, section: str, start: int, end: int, *, split: bool) -> list[Passage]:
    gap = _PARAGRAPH.search(text, _first(text, start, end), end) if split else None
    if gap is None:
        return [Passage(section, start, end)]
    return [Passage(section, start, gap.start()), Passage(BODY, gap.end(), end)]


def _first(text: str, start: int, end: int) -> int:
    """Where the first character that is no blank stands."""
    while start < end and text[start].isspace():
        start += 1
    return start

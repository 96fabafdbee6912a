"""REP: the same said twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document, Line
from wetread.reports.model import Issue

_FRAME_WORDS = "there is are was were be a an the of seen noted identified evident visible present and or"
_FRAME = frozenset(_FRAME_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_LEAST = 2


def repeated(doc: Document) -> Iterator[Issue]:
    """REP-1: a sentence of the findings or of the impression is said a second time.

    Compared by their words, whatever their order and whatever frames them ("There is ... seen"); a sentence of one word
    is left alone, and so is one that returns in the other section.
    """
    for lines in (doc.findings, doc.impression):
        yield from _within(lines)


def _within(lines: Sequence[Line]) -> Iterator[Issue]:
    seen: set[tuple[str, ...]] = set()
    for line in lines:
        said = False
        keys = set()
        # what a semicolon parts is a statement of its own
        for part in dict.fromkeys((line.text, *line.text.split(";"))):
            key = tuple(sorted(word for word in _WORD.findall(part.lower()) if word not in _FRAME))
            if len(key) >= _LEAST and not part.rstrip().endswith(":"):
                said = said or key in seen
                keys.add(key)
        if said:
            yield line.issue("REP-1", "warning", "This is said before, in the same section. Say it once.")
        seen |= keys


CHECKS = (Check("REP-1", "The same statement twice", repeated),)

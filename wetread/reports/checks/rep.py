"""REP: the same said twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document, Line
from wetread.reports.language.words import tokens
from wetread.reports.model import Issue

_FRAME_WORDS = "there is are was were be a an the of seen noted identified evident visible present and or , . ; -"
_FRAME = frozenset(_FRAME_WORDS.split())
_LEAST = 2


def repeated(doc: Document) -> Iterator[Issue]:
    """REP-1: a sentence of the findings or of the impression is said a second time.

    Compared by their words, whatever their order and whatever frames them ("There is ... seen"); a sentence of one word
    is left alone, and so is one that returns in the other section.
    """
    for lines in (doc.findings, doc.impression):
        yield from _within(lines)


def _within(lines: Sequence[Line]) -> Iterator[Issue]:
    seen: dict[tuple[str, ...], Line] = {}
    for line in lines:
        words = tokens(line.text)
        key = tuple(sorted(word.word for word in words if word.word not in _FRAME))
        if len(key) < _LEAST or ":" in line.text[-2:]:
            continue
        if key in seen:
            yield line.issue("REP-1", "warning", "This is said before, in the same section. Say it once.")
        else:
            seen[key] = line


CHECKS = (Check("REP-1", "The same statement twice", repeated),)

"""What a check is: a pure function over a document that yields issues."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from wetread.reports.checks.document import Document
from wetread.reports.model import Issue

Needs = Literal["evidence", "study"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        code: Its stable code, such as `GRD-1`; the first three letters are its family.
        title: What it finds, in a few words.
        run: The function.
        needs: What it cannot work without; it is left out where that is missing.
        partly: What a part of it cannot work without; the rest of it runs.
    """

    code: str
    title: str
    run: Callable[[Document], Iterable[Issue]]
    needs: frozenset[Needs] = frozenset()
    partly: frozenset[Needs] = frozenset()

    @property
    def family(self) -> str:
        return self.code[:3]


_DOUBT = re.compile(
    r"\b(?:no|not|non|without|negative|absent|absence|free (?:of|from)|clear\w*|resol\w+|exclu\w+|rule[sd]?|cannot"
    r"|can't"
    r"|neither|nor|never|normal|unremarkable|rather|unlikely|possib\w+|may|might|could|would|should|likely|probab\w+"
    r"|suspect\w*|suspicio\w+|question\w*|equivocal|versus|vs|or|if|differential|suggest\w*|potential\w*|concern\w*"
    r"|perhaps|query|uncertain|indeterminate|apparent\w*|presum\w*|histor\w+|previous\w*|prior|known|remov\w*|former\w*"
    r"|status post|s/p|old|healed|recommend\w*|follow\w*|evaluat\w+|except|apart|but|other|otherwise|consider\w*)\b|\?",
    re.IGNORECASE,
)
SIDE_WORD = re.compile(r"\b(?P<side>left|right|lt|rt|l|r|lul|lll|rul|rml|rll|lingula\w*)\b(?!['’])", re.IGNORECASE)


@lru_cache(maxsize=1024)
def says(pattern: re.Pattern[str], text: str) -> bool:
    """Whether a pattern stands in a line. Remembered, for a check asks it of a line for each of its claims."""
    return pattern.search(text) is not None


def is_plain(text: str) -> bool:
    """Whether nothing in a sentence could make a reader take an assertion otherwise.

    A check that would call an error what a parser might have got wrong asks this first.
    """
    return not says(_DOUBT, text)


@lru_cache(maxsize=1024)
def side_words(text: str) -> frozenset[str]:
    """The sides that a sentence names in so many words: `left`, `right`, both or none."""
    return frozenset("left" if match["side"][0].lower() == "l" else "right" for match in SIDE_WORD.finditer(text))


def named(finding: str | None) -> str:
    """A finding as it is named in a message."""
    from wetread.reports.language import lexicon

    entry = lexicon().findings.get(finding or "")
    return entry.name if entry is not None else (finding or "").replace("_", " ")


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]

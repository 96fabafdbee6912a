"""A person's message as the protocol reads it: small letters, slips of the keyboard mended, quoted words masked.

Only the reading of what is wanted uses it. What a person wants written is taken from their own text, to the letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from wetread.reports.language import lexicon
from wetread.reports.language.lexicon import expand

MAX_MENDED = 200
"""Words of a message that are looked at for slips."""

_SHORT = {"teh": "the", "hte": "the", "adn": "and", "nad": "and", "taht": "that", "si": "is", "ti": "it", "fo": "of"}
_ENDINGS = ("s", "d", "r", "es", "ed", "er", "ing", "ping", "ped", "ly")

MASK = "\x01"
"""Stands for each character between quotation marks."""

_WORD = re.compile(r"[^\W\d_]{2,24}")
QUOTED = re.compile(
    r"\"([^\"\n]{1,2000})\"|“([^”\n]{1,2000})”|«([^»\n]{1,2000})»|(?<=[\s:])'([^'\n]{3,2000})'(?=[\s.,;!?]|$)"
)

_KEYWORD_LINES = (
    "add afresh again analyse analyze anew answer append area areas assess based because begin better "
    "bigger calculate cancel cardiothoracic catheter change changed changes chest classification classify "
    "clear comparable compare compared comparison conclusion continue correct could delete describe "
    "description diameter diameters draft drop edit enlarged erase evidence exclude explain export "
    "findings first from grown heart help impression improved include increased interpret interval issues "
    "justify large larger last left likely line lines lung lungs mass masses measure measured measurement "
    "mention model modify outline patient please pleura pleural preliminary previous print prior "
    "probability problems progressed ratio read recommendation recommendations redraft reject remove "
    "rephrase replace report resolved restart reword rewrite right segment segmentation sentence "
    "sentences show sign signed similar since size smaller stable start statement statements structure "
    "structures study summarise summarize summary support supports template there unchanged undo widest "
    "worse would write wrong "
)
_COMMON_LINES = (
    "about above after against also always another around asked back been before being below between both "
    "bring came cannot chance come comes could different does doing done down during each either else "
    "even ever every everything find form forms found further gave give given gives going gone good great "
    "have having hear heard here high hope image images into just keep kept know known later least less "
    "light like likes list listen little long look looks made make makes many maybe mean means might more "
    "most much must name need needs never next nice night noted nothing once only open opposite other "
    "others ought over people picture pictures place please point possible quite really reason said same "
    "seem seems seen sent shall should side sides signs simply sing small some something sort still sure "
    "take taken takes talk tell than thank thanks that their them then these they thing things think this "
    "those though through till time times today together told tonight twice under until upon upper used "
    "using usual very view views want wanted wants watch well were what when where whether which while "
    "whole whose wish with without word words work works write writes wrote year years yesterday your "
)
_KEYWORDS = frozenset(_KEYWORD_LINES.split())
_COMMON = frozenset(_COMMON_LINES.split())
"""Words that are no slips of a keyword, however near."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """A text in the form that rules read, with the way back to what was written."""

    written: str
    text: str
    places: tuple[int, ...]
    """Where in `written` each character of `text` comes from, and one past the end."""

    def original(self, start: int, end: int) -> str:
        """What was written where `text` has these characters."""
        return self.written[self.places[start] : self.places[end]]


def spelled(written: str) -> Spelled:
    """A message as rules read it. Linear in its length."""
    masked = QUOTED.sub(_masked, written)
    pieces: list[str] = []
    places: list[int] = []
    at = mended = 0
    for match in _WORD.finditer(masked):
        word = _small(match[0])
        if word in _COMMON or word in _KEYWORDS or (len(word) < 4 and word not in _SHORT) or mended >= MAX_MENDED:
            continue
        mended += 1
        right = _mended(word)
        if right == word:
            continue
        pieces.append(_small(masked[at : match.start()]))
        places += range(at, match.start())
        pieces.append(right)
        # all of a mended word comes from where it began
        places += [match.start()] * len(right)
        at = match.end()
    pieces.append(_small(masked[at:]))
    places += range(at, len(written) + 1)
    return Spelled(written, "".join(pieces), tuple(places))


def _masked(match: re.Match[str]) -> str:
    return match[0][0] + MASK * (len(match[0]) - 2) + match[0][-1]


def _small(text: str) -> str:
    """In small letters, character by character, so that places stay."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


@lru_cache(maxsize=4096)
def _mended(word: str) -> str:
    if word in _SHORT:
        return _SHORT[word]
    terms = _terms()
    stems = [word, *(word.removesuffix(ending) for ending in _ENDINGS)]
    if any(stem in terms or stem in _KEYWORDS or stem in _COMMON for stem in stems):
        return word
    close = [known for known in (*_keywords(), *terms) if known[0] == word[0] and _close(word, known)]
    return close[0] if close else word


@cache
def _keywords() -> tuple[str, ...]:
    return tuple(sorted(_KEYWORDS))


@cache
def _terms() -> dict[str, None]:
    """The single words of the lexicon's names and terms, in order."""
    words: dict[str, None] = {}
    for finding in lexicon().findings.values():
        texts = [finding.name.lower().split(), *(list(one) for term in finding.terms for one, _ in expand(term))]
        words.update(dict.fromkeys(word for text in texts for word in text if len(word) > 4 and word.isalpha()))
    return words


def _close(word: str, known: str) -> bool:
    """Whether one slip of the keyboard lies between them: two letters exchanged; in words of five and more letters also
    one left out, put in or mistaken; two such in words of nine and more."""
    if abs(len(word) - len(known)) > 1 or word == known:
        return word == known
    start = 0
    while start < min(len(word), len(known)) and word[start] == known[start]:
        start += 1
    rest, other = word[start:], known[start:]
    if len(rest) == len(other) >= 2 and rest[:2] == other[1::-1] and rest[2:] == other[2:]:
        return True
    if rest == other[1:] and len(known) >= 5:
        return True
    if min(len(word), len(known)) < 5:
        return False
    if rest[1:] == other[1:] or rest[1:] == other or rest == other[1:]:
        return True
    return min(len(word), len(known)) >= 9 and _distance(word, known) <= 2


def _distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, against in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != against))
    return row[-1]

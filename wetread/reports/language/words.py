"""Text cut once into tokens and sentences; words brought to one spelling and number.

All of it is linear in the length of the text: one pass of a regular expression without nested repeats.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(r"\d{1,12}(?:[.,]\d{1,12}){0,3}|(?<=\d)[xX](?=\d)|[^\W\d_]{1,40}(?:['’][^\W\d_]{1,9}|\d{1,4})?|\S")
_SPELLING = (
    ("oedema", "edema"),
    ("haem", "hem"),
    ("oesoph", "esoph"),
    ("aem", "em"),
    ("tumour", "tumor"),
    ("favour", "favor"),
    ("centre", "center"),
    ("fibre", "fiber"),
    ("catheteris", "catheteriz"),
    ("isation", "ization"),
    ("ising", "izing"),
    ("ised", "ized"),
    ("calibre", "caliber"),
    ("grey", "gray"),
)
_WORDS = {
    "apices": "apex",
    "apexes": "apex",
    "bronchi": "bronchus",
    "hila": "hilum",
    "hili": "hilum",
    "hilar": "hilar",
    "foci": "focus",
    "radii": "radius",
    "humeri": "humerus",
    "pneumothoraces": "pneumothorax",
    "hemothoraces": "hemothorax",
    "viscera": "viscera",
    "media": "media",
    "advised": "advised",
    "raised": "raised",
    "revised": "revised",
    "supervised": "supervised",
    "compromised": "compromised",
    "rising": "rising",
    "arising": "arising",
    "raising": "raising",
    "bases": "base",
    "cases": "case",
    "increases": "increase",
    "decreases": "decrease",
    "diseases": "disease",
    "pulses": "pulse",
    "leads": "lead",
    "indices": "index",
    "metastases": "metastasis",
    "cannot": "cannot",
}
_KEEP = frozenset(
    ("has", "was", "does", "this", "its", "is", "as", "us", "gas", "yes", "always", "perhaps", "towards", "lens",
     "series", "pus", "plus", "versus", "vs")
)  # fmt: skip
_LONGEST_NUMBER = 12


class Token(NamedTuple):
    """A word, number or sign: its normal form and where it stands in the text."""

    word: str
    start: int
    end: int


@lru_cache(maxsize=20_000)
def normal_form(word: str) -> str:
    """A lower-case word in American spelling and the singular: `Effusions` -> `effusion`, `oedema` -> `edema`."""
    word = word.lower().replace("’", "'")
    if word.endswith("'s"):
        word = word[:-2]
    if word in _WORDS:
        return _WORDS[word]
    for british, american in _SPELLING:
        if british in word:
            word = word.replace(british, american)
    return _WORDS.get(word) or _singular(word)


def _singular(word: str) -> str:
    if len(word) < 4 or word in _KEEP:
        return word
    if word.endswith("ae"):
        return word[:-1]
    if not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("oses", "ases", "eses", "tases")) and len(word) > 6:
        return word[:-2] + "is"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]


def tokens(text: str) -> list[Token]:
    """The tokens of a text with their offsets."""
    make = tuple.__new__  # half the cost of Token(...), and a report has hundreds
    return [make(Token, (normal_form(m[0]), m.start(), m.end())) for m in _TOKEN.finditer(text)]


_ABBREVIATIONS = frozenset(
    ("dr", "mr", "mrs", "ms", "no", "vs", "approx", "e.g", "i.e", "fig", "resp", "st", "ca", "cf", "incl", "excl")
)  # fmt: skip
# the sign first, and then what must stand before and behind it: the other way round each letter would be looked at
_BREAK = re.compile(r"[.!?\n](?:(?<=\n)|(?<=\S[.!?])(?=[\s\"')\]]|$)|(?<=[A-Za-z]\.)(?=[A-Z][a-z]))")
_LEAD = re.compile(r"[ \t\r\n]*(?:(?:[-*•]+|\(?\d{1,2}[.)])[ \t]+)?[ \t\r\n]*")
_ITEM = re.compile(r"(?:[-*•]|\(?\d{1,2}[.)])\s")
_NARROWEST, _WIDEST = 55, 140
_NOT_SPACE = re.compile(r"\S")
_WORD_BEFORE = re.compile(r"[\w.]*$")


def sentences(text: str) -> list[tuple[int, int, str]]:
    """The sentences of a text as (start, end, text); list numbers and bullets are left out.

    A line break ends a sentence where a blank line, a list item or a line that starts anew follows; a line that was
    only wrapped goes on: the next line begins in lower case, or its first word had no room left on this one.
    """
    found: list[tuple[int, int, str]] = []
    begin = 0
    width = _width(text)
    for match in _BREAK.finditer(text):
        at, sign = match.start(), match.group()[:1]
        if sign == "\n" and _wrapped(text, begin, match.end(), width):
            continue
        if sign == "." and _abbreviation(text, begin, at):
            continue
        _add(found, text, begin, at if sign == "\n" else match.end())
        begin = match.end()
    if begin < len(text):
        _add(found, text, begin, len(text))
    return found


def _add(found: list[tuple[int, int, str]], text: str, start: int, end: int) -> None:
    lead = _LEAD.match(text, start, end)
    start = lead.end() if lead else start
    while end > start and text[end - 1].isspace():
        end -= 1
    sentence = text[start:end]
    if sentence[:1].isalnum() or any(character.isalnum() for character in sentence):
        found.append((start, end, sentence))


def _width(text: str) -> int:
    """The width that a text was wrapped to, in characters; 0 where it does not look wrapped."""
    if text.count("\n") < 2:
        return 0
    lengths = [len(line) for line in text.split("\n")]
    width = max(lengths)
    full = sum(length > 0.8 * width for length in lengths)
    return width if _NARROWEST <= width <= _WIDEST and full >= 2 else 0


def _wrapped(text: str, begin: int, after: int, width: int) -> bool:
    """Whether the line break before `after` only wraps a line."""
    if _NOT_SPACE.search(text, begin, after - 1) is None:
        return False
    rest = text[after : after + _WIDEST].lstrip(" \t")
    if rest[:1].islower():
        return True
    if rest[:1] in ("", "\n", "\r"):
        return False
    word = next(iter(rest.split(None, 1)), "")
    if not width or not word or _ITEM.match(rest) or word.endswith(":") or text[after - 2 : after - 1] in ".:;!?":
        return False
    line = after - 1 - (text.rfind("\n", max(0, after - 1 - _WIDEST), after - 1) + 1)
    return line + 1 + len(word) > width


def _abbreviation(text: str, begin: int, at: int) -> bool:
    before = _WORD_BEFORE.search(text, max(begin, at - 20), at)
    word = before.group().lower() if before else ""
    if word.isdigit() and at - begin < _LONGEST_NUMBER and not text[begin:at].strip("( \t\r\n0123456789"):
        return True
    if word == "no":
        return text[at + 1 : at + 3].strip().isdigit()
    return word in _ABBREVIATIONS and text[at + 1 : at + 2] != "\n"

"""What the words of a sentence are: findings, sites, sides, cues, changes and states, as marks in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from wetread.reports.language.lexicon import expand, lexicon, read_data
from wetread.reports.language.scan import Phrases
from wetread.reports.language.words import Token
from wetread.vocabulary import Side

FINDING, ANATOMY, SIDE, CUE, CHANGE, STATE, SIGN = "finding", "anatomy", "side", "cue", "change", "state", "sign"

_SIDES = {
    Side.LEFT: ("left (sided)", "lt", "l"),
    Side.RIGHT: ("right (sided)", "rt", "r"),
    Side.BILATERAL: (
        "bilateral", "bilaterally", "both", "right and left", "left and right", "left greater than right",
        "right greater than left", "left more than right", "right more than left", "left > right", "right > left",
        "l > r", "r > l", "left worse than right", "right worse than left", "either", "both side",
    ),
}


class Meaning(NamedTuple):
    """What a phrase can be: its kind and value, a side it carries, and for a cue that is also a change, that change."""

    kind: str
    value: str
    side: Side | None = None
    change: str | None = None


class Mark(NamedTuple):
    """A meaning at a place: first and last-plus-one token of the sentence."""

    kind: str
    value: str
    side: Side | None
    change: str | None
    first: int
    last: int


class Rules(NamedTuple):
    """The compiled data: all phrases, and what a state makes of a site."""

    phrases: Phrases[Meaning]
    state_findings: dict[str, dict[str, str]]


@cache
def rules() -> Rules:
    """The lexicon and cues, compiled once."""
    cues = read_data("cues.json")
    return Rules(Phrases(_meanings(cues)), cues["state_findings"])


def marks(tokens: list[Token]) -> list[Mark]:
    """All marks of a sentence's tokens, in order, without overlaps."""
    return [Mark(*hit.label, hit.first, hit.last) for hit in rules().phrases.find(tokens)]


def _meanings(cues: dict) -> Iterator[tuple[tuple[str, ...], Meaning]]:  # type: ignore[type-arg]
    changes = {
        words: change for change, terms in cues["changes"].items() for term in terms for words, _ in expand(term)
    }
    for kind in ("pseudo", "uncertain_after", "denies_after", "negates_after", "uncertain_any", "uncertain_before"):
        yield from ((words, Meaning(CUE, kind, None, changes.get(words))) for words in _all(cues[kind]))
    for kind in ("negates_before", "history_before", "turns"):
        yield from ((words, Meaning(CUE, kind, None, changes.get(words))) for words in _all(cues[kind]))
    for finding in lexicon().findings.values():
        yield from ((words, Meaning(FINDING, finding.key, side)) for t in finding.terms for words, side in expand(t))
    for site in lexicon().anatomies.values():
        yield from (
            (words, Meaning(ANATOMY, site.key, side or site.side)) for t in site.terms for words, side in expand(t)
        )
    for side, terms in _SIDES.items():
        yield from ((words, Meaning(SIDE, side.value, side)) for words in _all(terms))
    yield from ((words, Meaning(CHANGE, change, None, change)) for words, change in changes.items())
    for state, terms in cues["states"].items():
        yield from ((words, Meaning(STATE, state)) for words in _all(terms))
    yield from ((words, Meaning(CUE, "stops")) for words in _all(cues["stops"]))
    yield from (((sign,), Meaning(SIGN, sign)) for sign in (",", ";", ":", "and", "or", "/", "(", ")", ".", "+", "&"))


def _all(terms: list[str] | tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words for term in terms for words, _ in expand(term))

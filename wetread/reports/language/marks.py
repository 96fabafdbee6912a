"""What the words of a sentence are: findings, sites, sides, cues, changes and states, as marks in reading order.

The phrases stand in `findings.json`, `anatomy.json`, `cues.json`, `changes.json` and `states.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from wetread.reports.language.lexicon import expand, lexicon, read_data
from wetread.reports.language.scan import Phrases
from wetread.reports.language.words import Token
from wetread.vocabulary import Side

FINDING, ANATOMY, SIDE, CUE, CHANGE, STATE = "finding", "anatomy", "side", "cue", "change", "state"
SIGN, VERB, PREPOSITION, TIP, STUDY = "sign", "verb", "preposition", "tip", "study"
EXTENT, LIMIT, ARTICLE = "extent", "limit", "article"

_CUES = (
    "ignored", "ended_before", "uncertain_after", "negates_after", "history_after", "negates_before",
    "negates_before_narrow", "suggests", "uncertain_either", "uncertain_before", "history_before", "turns", "affirms",
)  # fmt: skip
_BOTH_SIDES = (
    "bilateral", "bilaterally", "both", "right and left", "left and right", "left greater than right",
    "right greater than left", "left more than right", "right more than left", "left > right", "right > left",
    "l > r", "r > l", "lt > rt", "rt > lt", "left worse than right", "right worse than left", "either", "each",
    "both side", "right or left", "left or right", "left larger than right", "right larger than left",
    "on either side", "l = r", "left / right", "bi", "left = right",
)  # fmt: skip
_SIDES = {
    Side.LEFT: ("left (sided/side)", "lt", "l", "leftward", "left hand"),
    Side.RIGHT: ("right (sided/side)", "rt", "r", "rightward", "right hand"),
    Side.BILATERAL: _BOTH_SIDES,
}
_PAIRED = frozenset(("bilateral", "bihilar", "biapical", "bibasilar", "bibasal"))
_OWN_SITES = {
    "basilar": "lung_base",
    "basal": "lung_base",
    "bibasilar": "lung_base",
    "apical": "lung_apex",
    "biapical": "lung_apex",
    "hilar": "hilum",
    "bihilar": "hilum",
    "mediastinal": "mediastinum",
    "paratracheal": "paratracheal_stripe",
    "perihilar": "perihilar",
    "axillary": "axilla",
    "bony": "bones",
    "osseous": "bones",
    "skeletal": "bones",
}
_ACUTE = frozenset(("acute", "active", "significant"))
_ORGANS = frozenset(
    ("cardiac", "cardiopulmonary", "pulmonary", "lung", "pleural", "thoracic", "intrathoracic", "cardiothoracic",
     "chest", "mediastinal", "parenchymal", "cardiovascular", "respiratory", "radiographic", "airspace",
     "traumatic", "preoperative", "tuberculous", "hilar", "heart", "vascular", "visible")
)  # fmt: skip
_JOINTS = frozenset(("or", "and", "and/or", ",", "/", "-"))
_PROCESSES = frozenset(
    ("disease", "process", "abnormality", "finding", "pathology", "disorder", "condition", "injury", "illness")
)
_SIGNS = (",", ";", ":", "and", "&", "or", "nor", "/", "(", ")", ".", "+", "?", "-", "–", "—")


class Meaning(NamedTuple):
    """What a phrase can be.

    Attributes:
        kind: What it is first of all.
        value: Key of the finding, site, cue, change or state; the sign itself.
        side: The side that it carries.
        change: The change that it also says, whatever its kind.
        state: The state that it also says of a site, such as `low` for "decreased" (lung volumes).
        verb: Whether it holds the verb of its clause.
        site: For a finding, the site that its own words name: `lung_base` for "basilar atelectasis".
    """

    kind: str
    value: str
    side: Side | None = None
    change: str | None = None
    state: str | None = None
    verb: bool = False
    site: str | None = None


class Mark(NamedTuple):
    """A meaning at a place: first and last-plus-one token of the sentence."""

    kind: str
    value: str
    side: Side | None
    change: str | None
    state: str | None
    verb: bool
    site: str | None
    first: int
    last: int

    def is_sign(self, *signs: str) -> bool:
        """Whether this is one of these signs or joining words."""
        return self.kind == SIGN and self.value in signs

    def is_cue(self, *cues: str) -> bool:
        """Whether this is one of these kinds of cue."""
        return self.kind == CUE and self.value in cues


class Rules(NamedTuple):
    """The compiled data: all phrases; what a state makes of a site or of a finding; what a site makes of a finding."""

    phrases: Phrases[Meaning]
    state_findings: dict[str, dict[str, str]]
    adjectives: dict[str, dict[str, str]]
    refined: dict[str, dict[str, str]]


@cache
def rules() -> Rules:
    """The lexicon and cues, compiled once."""
    states = read_data("states.json")
    meanings = _meanings(read_data("cues.json"), read_data("changes.json"), states["words"])
    return Rules(Phrases(meanings.items()), states["findings"], states["adjectives"], states["refined"])


def marks(tokens: list[Token]) -> list[Mark]:
    """All marks of a sentence's tokens, in order, without overlaps."""
    make = tuple.__new__
    words = [token.word for token in tokens]
    found = [make(Mark, (*label, first, last)) for label, first, last in rules().phrases.find(words)]
    for first, last in () if _ACUTE.isdisjoint(words) else _processes(words):
        span = Mark(FINDING, "acute_process", None, None, None, False, None, first, last)
        before = [mark for mark in found if mark.last <= first]
        found = [*before, span, *(mark for mark in found if mark.first >= last)]
    return found


def _processes(words: list[str]) -> list[tuple[int, int]]:
    """Where a list of organs stands before one head: "acute or active cardiac, pulmonary or pleural disease".

    Bones are told apart ("acute cardiopulmonary or osseous abnormality" has two findings), so they end such a list.
    """
    spans: list[tuple[int, int]] = []
    at = 0
    while at < len(words):
        if words[at] not in _ACUTE:
            at += 1
            continue
        end, organs = at + 1, 0
        while end < len(words) and (words[end] in _ORGANS or words[end] in _ACUTE or words[end] in _JOINTS):
            organs += words[end] in _ORGANS
            end += 1
        if organs and end < len(words) and words[end] in _PROCESSES:
            spans.append((at, end + 1))
        at = end
    return spans


def _meanings(cues: dict[str, Any], changes: dict[str, Any], states: dict[str, Any]) -> dict[tuple[str, ...], Meaning]:
    change_of = {words: change for change, terms in changes.items() for words in _all(terms)}
    state_of = {words: state for state, terms in states.items() for words in _all(terms)}
    verbs = {words[0] for words in _all(cues["verbs"])}
    found: dict[tuple[str, ...], Meaning] = {}
    for words, kind, value, side in _sources(cues, change_of, state_of):
        if words not in found:
            verb = kind == VERB or (kind in (CUE, CHANGE, STATE) and words[0] in verbs)
            site = next((_OWN_SITES[word] for word in words if word in _OWN_SITES), None) if kind == FINDING else None
            found[words] = Meaning(kind, value, side, change_of.get(words), state_of.get(words), verb, site)
    return found


def _sources(
    cues: dict[str, Any], change_of: dict[tuple[str, ...], str], state_of: dict[tuple[str, ...], str]
) -> Iterator[tuple[tuple[str, ...], str, str, Side | None]]:
    """Every phrase with its meanings, the one that goes first where a phrase has several."""
    for cue in _CUES:
        yield from ((words, CUE, cue, None) for words in _all(cues[cue]))
    yield (("neither",), CUE, "negates_before", Side.BILATERAL)
    for finding in lexicon().findings.values():
        for term in finding.terms:
            yield from ((words, FINDING, finding.key, side or _paired(words)) for words, side in expand(term))
    for site in lexicon().anatomies.values():
        for term in site.terms:
            yield from ((words, ANATOMY, site.key, side or site.side or _paired(words)) for words, side in expand(term))
    for side, terms in _SIDES.items():
        yield from ((words, SIDE, side.value, side) for words in _all(terms))
    yield from ((words, CHANGE, change, None) for words, change in change_of.items())
    for kind, name in (
        (EXTENT, "extents"),
        (LIMIT, "limits"),
        (STUDY, "studies"),
        (TIP, "tips"),
        (ARTICLE, "articles"),
    ):
        if kind == LIMIT:
            yield from ((words, STATE, state, None) for words, state in state_of.items())
        yield from ((words, kind, " ".join(words), None) for words in _all(cues[name]))
    yield from ((words, CUE, "stops", None) for words in _all(cues["stops"]))
    yield from ((words, CUE, "besides", None) for words in _all(cues["besides"]))
    for kind, name in ((VERB, "verbs"), (PREPOSITION, "prepositions")):
        yield from ((words, kind, " ".join(words), None) for words in _all(cues[name]))
    yield from (((sign,), SIGN, sign, None) for sign in _SIGNS)


def _paired(words: tuple[str, ...]) -> Side | None:
    return Side.BILATERAL if _PAIRED.intersection(words) else None


def _all(terms: Iterable[str]) -> Iterator[tuple[str, ...]]:
    return (words for term in terms for words, _ in expand(term))

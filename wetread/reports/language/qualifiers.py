"""Words that narrow a claim: extent, acuteness, certainty of a denial, and what "otherwise normal" leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from wetread.reports.language.clauses import LISTING, Target
from wetread.reports.language.lexicon import NORMAL
from wetread.reports.language.marks import (
    ANATOMY,
    ARTICLE,
    CHANGE,
    EXTENT,
    LIMIT,
    PREPOSITION,
    SIDE,
    SIGN,
    VERB,
    Mark,
)  # fmt: skip
from wetread.vocabulary import Assertion

OTHERWISE = "otherwise"
"""The qualifier of a claim of normality that holds only for what is not mentioned elsewhere."""

_REST = frozenset(("otherwise", "remaining", "remainder", "rest", "elsewhere", "else", "except", "apart", "aside"))
_ROUGHLY = frozenset(("grossly", "essentially", "relatively", "predominantly", "largely", "mostly"))
_IN_NAMES = frozenset(("focal", "lobar", "acute", "displaced", "confluent", "large", "small", "patchy", "loculated"))


def qualify(clause: Sequence[Mark], found: Sequence[Target], words: Sequence[str]) -> None:
    """Fill the qualifiers of a clause's targets: adjectives before a finding, or said of it ("is small")."""
    by_start = {target.begin: target for target in found}
    for target in found:
        if target.finding == NORMAL:
            if not _REST.isdisjoint(words):
                target.qualifiers.append(OTHERWISE)
            if not _ROUGHLY.isdisjoint(words):
                target.qualifiers.append("grossly")
            continue
        target.qualifiers += _before(clause, target)
        target.qualifiers += [word for word in words[target.first : target.last] if word in _IN_NAMES]
        target.qualifiers += _predicate(clause, target)
    for one in found:
        if one.assertion is Assertion.ABSENT and "large" in one.qualifiers and one.at + 2 < len(clause):
            _spread(clause, one, by_start)


def _before(clause: Sequence[Mark], target: Target) -> list[str]:
    taken: list[str] = []
    for index in range(target.begin - 1, -1, -1):
        mark = clause[index]
        if mark.kind in (EXTENT, LIMIT):
            taken.append(mark.value)
        elif mark.kind == CHANGE and not mark.verb and mark.change == "new":
            taken.append("new")
        elif mark.kind not in (SIDE, ANATOMY, ARTICLE, CHANGE) and mark.value != "of":
            break
    taken.reverse()
    return taken


def _predicate(clause: Sequence[Mark], target: Target) -> list[str]:
    after = clause[target.at + 1 : target.at + 4]
    for index, mark in enumerate(after):
        if mark.kind == EXTENT:
            follow = clause[target.at + index + 2 : target.at + index + 3]
            said_of_it = index and (after[index - 1].kind == VERB or not follow or follow[0].kind in (SIGN, CHANGE))
            return [mark.value] if said_of_it else []
        if mark.kind not in (VERB, SIDE, PREPOSITION, ANATOMY) and not (mark.is_sign(",")):
            break
    return []


def _spread(clause: Sequence[Mark], one: Target, by_start: dict[int, Target]) -> None:
    """ "No large effusion or pneumothorax": the adjective may be meant for the next item too."""
    joint, follow = clause[one.at + 1], by_start.get(one.at + 2)
    if joint.is_sign(*LISTING) and follow is not None:
        follow.qualifiers.append("large")

"""New, increased, decreased, unchanged, resolved: which word of change speaks of which target."""

from __future__ import annotations

from collections.abc import Sequence

from wetread.reports.language.clauses import Target
from wetread.reports.language.lexicon import NORMAL
from wetread.reports.language.marks import (
    ANATOMY,
    ARTICLE,
    CUE,
    EXTENT,
    FINDING,
    LIMIT,
    PREPOSITION,
    SIDE,
    STATE,
    VERB,
    Mark,
)  # fmt: skip
from wetread.vocabulary import Change

_DESCRIBING = (EXTENT, LIMIT, SIDE, ANATOMY, ARTICLE, PREPOSITION, STATE)


_COMPARATIVE = frozenset(("worse", "greater", "more", "less", "larger", "smaller", "better", "denser"))
_DENSITIES = frozenset(("opacity", "lucency", "interstitial_changes"))
"""Findings of which "increased" says how they look and not that they changed: "increased density"."""
_BEFORE = frozenset(("before", "prior", "previous", "previously", "earlier", "last"))


def compare(
    clause: Sequence[Mark], found: Sequence[Target], words: Sequence[str], earlier: Sequence[Target]
) -> list[Mark]:
    """Fill the change of a clause's targets.

    Args:
        clause: The marks.
        found: Its targets, in order.
        words: The sentence's words.
        earlier: Targets of the clause before, to which a clause without targets speaks.

    Returns:
        The marks of change that speak of no target, only of a site ("the cardiac silhouette is unchanged").
    """
    if not any(mark.change for mark in clause):
        return []
    states = {target.at for target in found if target.site_at is not None}
    loose = []
    for index, mark in enumerate(clause):
        if not mark.change or index in states or mark.kind == FINDING or (mark.kind == CUE and mark.value != "ignored"):
            continue
        if _between_places(clause, index, words):
            continue
        reached = _reached(clause, index, found) or [target for target in found if target.begin < index < target.at]
        if not reached and not found and not any(m.kind == ANATOMY for m in clause):
            reached = list(earlier)
        for target in reached:
            if target.finding in _DENSITIES and words[mark.first : mark.last] == ["increased"] and target.at > index:
                continue
            if target.change in (None, Change.UNCHANGED) and target.finding != NORMAL:
                target.change = Change(mark.change)
        if not reached:
            loose.append(mark)
    return loose


def _between_places(clause: Sequence[Mark], index: int, words: Sequence[str]) -> bool:
    """Whether a comparative compares two places and not two times: "worse on the right", "greater at the base"."""
    mark = clause[index]
    if not _COMPARATIVE.intersection(words[mark.first : mark.last]):
        return False
    if words[mark.last : mark.last + 1] == ["than"]:
        return not _BEFORE.intersection(words[mark.last + 1 : mark.last + 4])
    after = clause[index + 1 : index + 3]
    return (
        len(after) == 2
        and after[0].kind == PREPOSITION
        and after[0].first == mark.last
        and after[1].kind in (SIDE, ANATOMY)
    )


def _reached(clause: Sequence[Mark], index: int, found: Sequence[Target]) -> list[Target]:
    ahead = _ahead(clause, index, found)
    behind = _behind(clause, index, found)
    if behind and (not ahead or _predicates(clause, index)):
        return behind
    return ahead


def _predicates(clause: Sequence[Mark], index: int) -> bool:
    """Whether a word of change is said of what stands before it: it has the verb, or nothing of its list follows."""
    mark = clause[index]
    if mark.verb:
        return True
    before = clause[index - 1] if index else None
    if before is not None and before.verb and before.last >= mark.first - 2:
        return True
    after = clause[index + 1] if index + 1 < len(clause) else None
    if after is None or (after.is_sign(",", "and", ")", "&", "/")):
        return True
    return (after.kind == PREPOSITION and after.first == mark.last and after.value not in ("of", "in")) or (
        after.is_cue("stops", "negates_before", "turns") and after.first == mark.last
    )


def _ahead(clause: Sequence[Mark], index: int, found: Sequence[Target]) -> list[Target]:
    """The targets that an adjective of change stands before: the next, and what is joined to it undescribed; the whole
    list after "no change in"."""
    reached: list[Target] = []
    whole_list = described = False
    for at in range(index + 1, len(clause)):
        mark = clause[at]
        here = [target for target in found if target.begin == at]
        if here:
            if reached and described and not whole_list:
                break
            reached += here
            described = False
        elif mark.is_sign("and", "or", ",", "/", "&", "-"):
            if mark.value == "," and not (reached and whole_list):
                break
        elif (
            mark.change
            or (mark.kind == CUE and (reached or not mark.is_cue("ignored", "suggests", "uncertain_before")))
            or (mark.kind == VERB and reached)
        ):
            break
        elif mark.kind == PREPOSITION and mark.value in ("of", "in") and not reached:
            whole_list = True
        elif reached and mark.kind in _DESCRIBING:
            described = True
    return reached


def _behind(clause: Sequence[Mark], index: int, found: Sequence[Target]) -> list[Target]:
    reached: list[Target] = []
    linked = False
    for at in range(index - 1, -1, -1):
        mark = clause[at]
        here = [target for target in found if target.at == at]
        reached += here
        if mark.is_sign("and", "or", "&", "/", "nor"):
            linked = True
        elif (
            (mark.is_sign(",") and reached and not linked)
            or (not here and mark.change and reached)
            or (mark.verb and reached and not here)
            or (mark.is_cue("stops", "negates_after", "uncertain_after") and reached)
        ):
            break
    reached.reverse()
    return reached

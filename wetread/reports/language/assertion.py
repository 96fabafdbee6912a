"""Present, absent, uncertain or historical: which cue reaches which target of a clause.

After ConText (Harkema et al. 2009): cues that work forward or backward until something ends their reach. Added to it:
lists, in which a denial goes on ("no effusion, edema or pneumothorax") or stops ("no pneumothorax, small effusion").
Certainty: "unlikely" is uncertain, "very unlikely" (under 5 % on the Brigham and Women's scale) is absent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from wetread.reports.language.clauses import Target
from wetread.reports.language.lexicon import NORMAL
from wetread.reports.language.marks import (
    ANATOMY,
    ARTICLE,
    CHANGE,
    CUE,
    EXTENT,
    FINDING,
    LIMIT,
    PREPOSITION,
    SIDE,
    SIGN,
    STUDY,
    TIP,
    VERB,
    Mark,
)  # fmt: skip
from wetread.vocabulary import Assertion, Change

_FORWARD = {
    "negates_before": Assertion.ABSENT,
    "negates_before_narrow": Assertion.ABSENT,
    "ended_before": Assertion.ABSENT,
    "uncertain_before": Assertion.UNCERTAIN,
    "suggests": Assertion.UNCERTAIN,
    "history_before": Assertion.HISTORICAL,
}
_BACKWARD = {
    "negates_after": Assertion.ABSENT,
    "uncertain_after": Assertion.UNCERTAIN,
    "history_after": Assertion.HISTORICAL,
}
_STUDY = frozenset(
    ("study", "exam", "examination", "radiograph", "film", "imaging", "ct", "chest", "cxr", "report", "image", "scan",
     "xray", "comparison", "x", "tomography", "mri", "pet", "date", "day", "month", "week", "year", "today")
)  # fmt: skip
_SAID_AFTER = frozenset(
    ("possible", "probable", "suspected", "suspect", "questioned", "questionable", "queried", "equivocal", "unlikely",
     "doubtful", "difficult", "hard", "impossible")
)  # fmt: skip
"""Doubts that stand behind their finding too: "effusion possible", "a nodule difficult to exclude"."""
_MODALS = frozenset(("may", "might", "could", "can", "would"))
"""What these leave open is what they explain, not what stands before them: "the opacity may be an artifact"."""
_SINCE = frozenset(("to", "from", "since", "than", "versus"))


def assess(clause: Sequence[Mark], found: Sequence[Target], words: Sequence[str], earlier: Sequence[Target]) -> None:
    """Fill the assertion of a clause's targets.

    Args:
        clause: The marks.
        found: Its targets, in order.
        words: The sentence's words.
        earlier: Targets of the clause before, to which a clause without targets speaks ("..., which has resolved").
    """
    cues = [(index, mark) for index, mark in enumerate(clause) if mark.kind == CUE]
    if cues:
        _forward(clause, found, words)
    for index, mark in cues:
        if mark.value in _BACKWARD:
            reached = _reached_back(clause, index, found)
            if not reached and not any(target.begin < index for target in found):
                ahead = [target for target in found if target.begin > index]
                reached = ahead[:1] if ahead else list(earlier)
            if not _about_tip(clause, index):
                _set(reached, _BACKWARD[mark.value], mark)
        elif mark.is_cue("uncertain_either") and not _works_forward(clause, index, found):
            if not _skips(clause, index) and words[mark.first] not in _MODALS:
                _set(_reached_back(clause, index, found), Assertion.UNCERTAIN, mark)
        elif mark.is_cue("uncertain_before"):
            if words[mark.first] in ("versus", "vs", "v") or words[mark.first : mark.last] == ["and", "/", "or"]:
                _set(_reached_back(clause, index, found)[-1:], Assertion.UNCERTAIN, mark)
            elif words[mark.first] in _SAID_AFTER and not _works_forward(clause, index, found):
                _set(_reached_back(clause, index, found), Assertion.UNCERTAIN, mark)
            elif words[mark.first] == "?" and not any(target.begin > index for target in found):
                _set([t for t in found if t.assertion is None], Assertion.UNCERTAIN, mark)
    _disjunctions(clause, found)
    for target in found:
        if target.assertion is None:
            target.assertion = Assertion.PRESENT


def _forward(clause: Sequence[Mark], found: Sequence[Target], words: Sequence[str]) -> None:
    by_mark: dict[int, list[Target]] = {}
    for target in found:
        by_mark.setdefault(target.begin, []).append(target)
    states = [target for target in found if target.site_at is not None]
    inner = {index for target in states for index in range(target.begin + 1, target.at + 1)}
    active: Mark | None = None
    lapsed: Mark | None = None
    count = 0
    for index, mark in enumerate(clause):
        for target in by_mark.get(index, ()):
            if active is not None and (target.finding != NORMAL or active.value == "negates_before_narrow"):
                if target.assertion is None:
                    _set([target], _assertion(active), active)
                count += 1
                if words[active.first] == "borderline":
                    active = None
            elif target.site_at is not None and target.begin < target.at:
                _inside(clause, target)
        if mark.kind == CUE and index not in inner:
            value = mark.value
            if value in ("suggests", "affirms"):
                denial = active if _denied(active) else lapsed
                if denial is not None:
                    active = denial
                elif value == "suggests":
                    active, count = mark, 0
                elif active is not None and words[active.first] == "whether":
                    _given(found, index)
                elif active is not None and _assertion(active) is Assertion.HISTORICAL:
                    active = None
            elif value == "uncertain_either":
                if _works_forward(clause, index, found):
                    active, lapsed, count = mark, None, 0
            elif value in _FORWARD:
                if value == "history_before" and (_of_a_study(mark, words) or _denied(active)):
                    continue
                if value == "negates_before_narrow" and active is not None and active.value != "negates_before_narrow":
                    continue
                active, lapsed, count = mark, None, 0
            elif value in ("stops", "besides") and count:
                active, lapsed = None, lapsed
            elif value in _BACKWARD:
                active = None
        if mark.verb and active is not None and count and mark.first >= active.last:
            lapsed = active if _assertion(active) is Assertion.ABSENT else None
            active = None
        elif active is not None and mark.kind == SIGN and _ends(clause, index, active, count):
            active = None


def _assertion(mark: Mark) -> Assertion:
    return _FORWARD.get(mark.value, Assertion.UNCERTAIN)


def _denied(active: Mark | None) -> bool:
    return active is not None and _assertion(active) is Assertion.ABSENT


def _given(found: Sequence[Target], index: int) -> None:
    """ "Whether the opacity represents pneumonia": what is to be explained is there."""
    for target in found:
        if target.at < index and target.assertion is Assertion.UNCERTAIN:
            target.assertion = Assertion.PRESENT


def _set(reached: Sequence[Target], assertion: Assertion, mark: Mark) -> None:
    for target in reached:
        if target.finding == NORMAL and mark.value != "negates_before_narrow":
            continue
        target.assertion = assertion
        if mark.change and target.change is None:
            target.change = Change(mark.change)


def _inside(clause: Sequence[Mark], target: Target) -> None:
    """A denial or doubt between a site and its state: "the heart is not enlarged", "is possibly widened"."""
    for mark in clause[target.begin + 1 : target.at]:
        if mark.is_cue("negates_before", "negates_before_narrow", "uncertain_before"):
            target.assertion = _FORWARD[mark.value]
        elif mark.is_cue("uncertain_either"):
            target.assertion = Assertion.UNCERTAIN


def _ends(clause: Sequence[Mark], index: int, active: Mark, count: int) -> bool:
    """Whether a comma or "and" ends the reach of a cue that spoke of `count` targets so far."""
    mark = clause[index]
    if mark.is_sign(",") and active.value == "negates_before_narrow":
        return True
    return bool(count) and mark.is_sign(",", "and", "&", "–", "—", "-") and not _goes_on(clause, index, active)


def _goes_on(clause: Sequence[Mark], joint: int, active: Mark) -> bool:
    """Whether a list under a cue goes on after a comma or "and".

    It stops before an item that is introduced anew ("small", "stable", "a"), unless a later "or" shows one list.
    """
    comma = clause[joint].value != "and" and clause[joint].value != "&"
    nearest = clause[joint + 1 : joint + 2]
    if nearest and nearest[0].kind == SIGN:
        nearest = clause[joint + 2 : joint + 3]
    anew = bool(nearest) and (
        nearest[0].kind in (EXTENT, ARTICLE)
        or (nearest[0].kind == CHANGE and nearest[0].value not in ("new", "increased"))
        or (comma and nearest[0].kind == CUE and not nearest[0].is_cue("negates_before", "ignored", "suggests"))
    )
    if not anew:
        return True
    targets_after = False
    for mark in clause[joint + 1 :]:
        if mark.kind == FINDING:
            targets_after = True
        elif mark.is_sign("or", "nor", "/"):
            return True
        elif (mark.kind == CUE and not mark.is_cue("ignored")) or (mark.verb and targets_after):
            return False
    return active.value == "uncertain_before" and not comma


def _of_a_study(mark: Mark, words: Sequence[str]) -> bool:
    """Whether "prior" or "previous" speaks of an earlier study, not of the patient's past."""
    if words[mark.last - 1] not in ("prior", "previous", "past", "recent"):
        return False
    ahead = words[mark.last : mark.last + 4]
    if any(word in _STUDY or word[:1].isdigit() for word in ahead):
        return True
    before = words[max(0, mark.first - 3) : mark.first]
    return bool(before) and (before[-1] in _SINCE or any(word.startswith("compar") for word in before))


def _works_forward(clause: Sequence[Mark], index: int, found: Sequence[Target]) -> bool:
    """Whether a cue such as "may" or "likely" speaks of what follows: a target ahead before the clause turns."""
    if clause[index].value == "uncertain_either" and _skips(clause, index):
        return False
    for at in range(index + 1, len(clause)):
        mark = clause[at]
        if any(target.begin == at for target in found):
            return True
        if mark.is_sign(","):
            return False
        if mark.is_cue("negates_before", "negates_after", "uncertain_after"):
            return False
        if mark.is_cue("stops", "besides") and at > index + 1:
            return False
    return False


def _skips(clause: Sequence[Mark], index: int) -> bool:
    """Whether "likely" only grades a change or an extent: "likely unchanged", "likely small"."""
    follow = clause[index + 1 : index + 2]
    return (
        bool(follow) and follow[0].kind == CHANGE and follow[0].first == clause[index].last and len(clause) == index + 2
    )


def _reached_back(clause: Sequence[Mark], index: int, found: Sequence[Target]) -> list[Target]:
    """The targets that a cue behind them speaks of: the subject before it, and what is joined to that by "and"."""
    reached: list[Target] = []
    linked = False
    for at in range(index - 1, -1, -1):
        mark = clause[at]
        here = [target for target in found if target.at == at]
        if here and reached and not linked and mark.kind == FINDING:
            break
        reached += here
        if mark.is_sign("and", "or", "&", "/", "nor"):
            linked = True
        elif (
            (mark.is_sign(",") and reached and not linked)
            or (mark.is_sign("–", "—", "-") and reached)
            or (mark.verb and reached and mark.kind in (VERB, CUE))
            or (mark.is_cue("stops", "affirms", "negates_after", "uncertain_after") and reached)
            or (mark.is_cue("negates_before") and reached)
            or (mark.kind == STUDY and not reached)
        ):
            break
    reached.reverse()
    return reached


def _about_tip(clause: Sequence[Mark], index: int) -> bool:
    """Whether a cue speaks of the tip or course of a device and not of the device."""
    for mark in reversed(clause[:index]):
        if mark.kind == TIP:
            return True
        if mark.is_sign(",", "and"):
            return False
    return False


def _disjunctions(clause: Sequence[Mark], found: Sequence[Target]) -> None:
    """ "Atelectasis or pneumonia": what nobody denied and only an "or" joins is not sure."""
    for one, other in itertools.pairwise(found):
        between = clause[one.at + 1 : other.begin]
        joint = [mark for mark in between if mark.kind == SIGN]
        plain = all(mark.kind in (SIGN, EXTENT, LIMIT, SIDE, ANATOMY, ARTICLE, PREPOSITION, CHANGE) for mark in between)
        same = one.finding == NORMAL and one.anatomy == other.anatomy and other.assertion is None
        if same and any(mark.is_sign("or") for mark in between):
            other.assertion = Assertion.UNCERTAIN
        open_both = one.assertion is None and other.assertion is None and NORMAL not in (one.finding, other.finding)
        if plain and open_both and any(mark.value == "or" for mark in joint):
            one.assertion = other.assertion = Assertion.UNCERTAIN

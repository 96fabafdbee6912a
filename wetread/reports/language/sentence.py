"""One sentence read: its claims and measurements, from marks over clauses, assertion, change and place."""

from __future__ import annotations

from collections.abc import Sequence

from wetread.reports.language.assertion import assess
from wetread.reports.language.change import compare
from wetread.reports.language.clauses import Target, clauses, targets
from wetread.reports.language.lexicon import NORMAL
from wetread.reports.language.marks import (
    ANATOMY,
    CUE,
    FINDING,
    PREPOSITION,
    SIDE,
    SIGN,
    STATE,
    TIP,
    Mark,
    marks,
    rules,
)
from wetread.reports.language.measures import Measured, measured
from wetread.reports.language.place import place, side_of
from wetread.reports.language.qualifiers import qualify
from wetread.reports.language.words import Token
from wetread.reports.model import Claim
from wetread.vocabulary import Assertion, Change

_LONGEST_SENTENCE = 300
_NAMING = frozenset((ANATOMY, FINDING, SIDE, STATE, TIP))
_PRONOUNS = frozenset(("it", "this", "these", "they"))
_ALSO = {"cardiomediastinal_silhouette": "mediastinum"}


def read_sentence(words: list[Token]) -> tuple[list[Claim], list[Measured]]:
    """The claims and measurements of one sentence, given its tokens; offsets are those of the tokens.

    No sentence has more than a few hundred words; a longer run is read in pieces, so that the time stays linear.
    """
    if len(words) > _LONGEST_SENTENCE:
        pieces = [read_sentence(words[at : at + _LONGEST_SENTENCE]) for at in range(0, len(words), _LONGEST_SENTENCE)]
        return [claim for claims, _ in pieces for claim in claims], [one for _, sizes in pieces for one in sizes]
    sizes = measured(words)
    seen = marks(words)
    if not seen:
        return [], sizes
    plain = [word.word for word in words]
    carried: list[Mark] = []
    earlier: list[Target] = []
    parts: list[tuple[list[Target], list[Mark], list[Mark]]] = []
    for clause in clauses(seen, plain):
        found = targets(clause)
        assess(clause, found, plain, earlier)
        loose = compare(clause, found, plain, earlier)
        qualify(clause, found, plain)
        left = place(clause, found, carried)
        carried = [] if found else left
        parts.append((found, loose, [mark for mark in clause if mark.kind == ANATOMY]))
        earlier = found or earlier
    _attach(sizes, [target for found, _, _ in parts for target in found], seen)
    result: list[Claim] = []
    for found, loose, sites in parts:
        result += [claim for target in found for claim in _claims(target, words)]
        if loose and not found:
            result += [_change_of_site(site, loose[0], words) for site in sites]
    return result, sizes


def of_the_same(words: list[Token], before: Sequence[Claim]) -> Claim | None:
    """What a sentence such as "It is unchanged" says of the finding of the sentence before.

    Only where that is safe: the sentence names nothing itself, the one before asserts one finding alone, and that is
    not gone.

    Args:
        words: The tokens of a sentence without claims.
        before: The claims of the sentence before.

    Returns:
        That finding's claim with the change, its offsets those of the tokens; None where nothing is sure.
    """
    if not words or words[0].word not in _PRONOUNS:
        return None
    subjects = [claim for claim in before if claim.assertion is Assertion.PRESENT and claim.finding != NORMAL]
    seen = marks(words)
    if len(subjects) != 1 or subjects[0].finding is None or any(mark.kind in _NAMING for mark in seen):
        return None
    said = [mark for mark in seen if mark.change]
    if len(said) != 1:
        return None
    change = Change(said[0].change or "")
    if change is Change.RESOLVED:
        return None
    return subjects[0].model_copy(
        update={
            "change": change,
            "qualifiers": (),
            "measurements": (),
            "start": words[0].start,
            "end": words[said[0].last - 1].end,
        }
    )


def _attach(sizes: Sequence[Measured], found: Sequence[Target], seen: Sequence[Mark]) -> None:
    """Give each measurement to the finding whose phrase it opens ("6 mm nodule"), else to the last one before it."""
    for measurement, first, last in sizes:
        ahead = next((target for target in found if target.first >= last), None)
        behind = next((target for target in reversed(found) if target.last <= first), None)
        opens = ahead is not None and not any(
            last <= mark.first < ahead.first and (mark.verb or mark.kind in (PREPOSITION, SIGN, CUE)) for mark in seen
        )
        target = ahead if ahead is not None and (opens or behind is None) else behind
        if target is not None:
            target.measurements.append(measurement)


def _claims(target: Target, words: Sequence[Token]) -> list[Claim]:
    if target.finding == NORMAL and target.assertion is not Assertion.PRESENT:
        return []
    finer = rules().refined.get(target.finding, {})
    kinds = {finer[site]: (site, side) for site, side in target.sites if site in finer}
    claim = Claim(
        finding=finer.get(target.anatomy or "", target.finding),
        anatomy=target.anatomy or target.own_site,
        side=side_of(target.sides),
        assertion=target.assertion or Assertion.PRESENT,
        change=target.change,
        qualifiers=tuple(dict.fromkeys(target.qualifiers)),
        measurements=tuple(target.measurements),
        start=words[target.first].start,
        end=words[target.last - 1].end,
    )
    if target.finding == NORMAL and target.anatomy in _ALSO:
        return [claim, claim.model_copy(update={"anatomy": _ALSO[target.anatomy]})]
    if len(kinds) > 1:
        return [
            claim.model_copy(update={"finding": finding, "anatomy": site, "side": side or claim.side})
            for finding, (site, side) in kinds.items()
        ]
    return [claim]


def _change_of_site(site: Mark, change: Mark, words: Sequence[Token]) -> Claim:
    first, last = min(site.first, change.first), max(site.last, change.last)
    return Claim(
        anatomy=site.value,
        side=site.side,
        change=Change(change.change or ""),
        start=words[first].start,
        end=words[last - 1].end,
    )

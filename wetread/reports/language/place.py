"""Where each target of a clause lies: its site and side, from the words before it, after it, and around its list."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache

from wetread.reports.language.clauses import LISTING, Target, joined
from wetread.reports.language.lexicon import lexicon
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
    STATE,
    TIP,
    Mark,
)  # fmt: skip
from wetread.vocabulary import Assertion, Side

_PLACING = (ANATOMY, SIDE, CUE)
_LOCAL = frozenset(
    ("surgical_clips", "sternal_wires", "loop_recorder", "bullet_fragment", "orthopedic_hardware", "breast_implant",
     "external_leads", "stent", "cabg", "chest_tube", "mediastinal_drain")
)  # fmt: skip
"""Devices that lie where the text says; of other lines and tubes it may say where the tip is."""
_ENDS_AT = frozenset(("terminate", "project", "end", "course", "extend", "lie", "reside", "sit"))


def place(clause: Sequence[Mark], found: Sequence[Target], carried: Sequence[Mark]) -> list[Mark]:
    """Fill site and sides of a clause's targets.

    Args:
        clause: The marks.
        found: Its targets, in order.
        carried: Places named before this clause that no target took ("At the left base, there is ...").

    Returns:
        The places that nothing in this clause took, to be carried on where it has no target.
    """
    owned: set[int] = set()
    heads = {target.at for target in found} | {target.site_at for target in found if target.site_at is not None}
    for target in found:
        if target.site_at is not None:
            owned.add(target.site_at)
            _side_of_site(clause, target, owned)
    before = {id(target): _before(clause, target, owned) for target in found if target.site_at is None}
    for target in found:
        if target.site_at is None:
            _take(clause, target, before[id(target)])
            owned.update(before[id(target)])
    after = {}
    for target in found:
        taken = _after(clause, target, owned, heads)
        after[id(target)] = taken
        _take(clause, target, taken)
        owned.update(taken)
    if len(found) > 1:
        _share(clause, found, before, after)
    loose = [i for i, mark in enumerate(clause) if mark.kind in _PLACING and i not in owned and _is_place(clause, i)]
    for target in found:
        if target.site_at is not None or target.anatomy or target.sides or _is_device(target):
            continue
        fronted = [clause[i] for i in loose if i < target.begin] or list(carried)
        for mark in fronted:
            _add(target, mark)
    return [clause[i] for i in loose] or list(carried)


def side_of(sides: Sequence[Side]) -> Side | None:
    """One side for all that was said: right and left make bilateral."""
    several = set(sides)
    if not several:
        return None
    if Side.BILATERAL in several or {Side.LEFT, Side.RIGHT} <= several:
        return Side.BILATERAL
    return sides[0]


def _side_of_site(clause: Sequence[Mark], target: Target, owned: set[int]) -> None:
    at = target.site_at
    assert at is not None
    if clause[at].side:
        target.sides.append(clause[at].side)  # type: ignore[arg-type]
    for index in range(at - 1, -1, -1):
        mark = clause[index]
        if mark.kind == SIDE:
            target.sides.append(mark.side)  # type: ignore[arg-type]
            owned.add(index)
        elif (mark.is_sign(*LISTING) and index and clause[index - 1].kind in (SIDE, ANATOMY)) or (
            mark.kind == ANATOMY and index in owned
        ):
            continue
        elif mark.kind not in (EXTENT, LIMIT, CHANGE, STATE, ARTICLE):
            break


def _before(clause: Sequence[Mark], target: Target, owned: set[int]) -> list[int]:
    taken: list[int] = []
    for index in range(target.begin - 1, -1, -1):
        mark = clause[index]
        if mark.kind in (SIDE, ANATOMY) and index not in owned:
            taken.append(index)
        elif (
            mark.kind in (EXTENT, LIMIT, ARTICLE)
            or (mark.kind in (CHANGE, STATE) and not mark.verb)
            or (
                mark.kind == SIGN
                and mark.value in ("and", "or", "/", "&", "-")
                and taken
                and _bare_place(clause, index)
            )
            or (mark.is_sign("-"))
        ):
            continue
        else:
            break
    taken.reverse()
    return taken


def _bare_place(clause: Sequence[Mark], index: int) -> bool:
    """Whether only places stand before the joint at `index`, not in a phrase that belongs to an earlier finding."""
    for mark in reversed(clause[:index]):
        if mark.kind in (SIDE, ANATOMY, EXTENT, LIMIT, ARTICLE) or (mark.kind == CHANGE and not mark.verb):
            continue
        return mark.kind not in (PREPOSITION, FINDING)
    return True


def _after(clause: Sequence[Mark], target: Target, owned: set[int], heads: set[int]) -> list[int]:
    taken: list[int] = []
    device = _is_device(target)
    beside = False
    start = max(target.at, target.site_at or 0) + 1
    for index in range(start, len(clause)):
        mark = clause[index]
        if index in heads or mark.kind == FINDING:
            break
        if mark.is_cue("stops", "negates_before", "history_before"):
            break
        if mark.is_cue("uncertain_before") and any(head > index for head in heads):
            break
        if device and mark.is_sign(",") and any(clause[at].side for at in taken):
            break
        if mark.kind == SIGN and mark.value in (":", "("):
            break
        if device and target.finding not in _LOCAL and (mark.kind == TIP or mark.value in _ENDS_AT):
            break
        if target.site_at is not None and mark.kind == ANATOMY:
            break
        if mark.kind in (SIDE, ANATOMY):
            if index in owned:
                break
            if not (beside and mark.kind == ANATOMY and mark.side is None):
                taken.append(index)
        beside = mark.is_cue("besides") or (beside and mark.kind != PREPOSITION)
    return taken


def _share(
    clause: Sequence[Mark], found: Sequence[Target], before: dict[int, list[int]], after: dict[int, list[int]]
) -> None:
    """Places said once for a list: "effusion and atelectasis at the left base", "left effusion and atelectasis"."""
    for index in range(len(found) - 2, -1, -1):
        one, other = found[index], found[index + 1]
        if one.placed or one.sides or one.anatomy or other.site_at is not None or not joined(clause, one, other):
            continue
        if after.get(id(other)) and not before.get(id(other)):
            _take(clause, one, after[id(other)])
            after[id(one)] = after[id(other)]
    for one, other in itertools.pairwise(found):
        if other.sides or other.anatomy or other.site_at is not None or one.assertion is Assertion.ABSENT:
            continue
        joint = clause[one.at + 1 : other.begin]
        together = len(joint) == 1 and joint[0].is_sign("and", "/", "&") and clause[other.at].first == joint[0].last
        if together and not _is_device(other):
            other.sides += one.sides


def _is_place(clause: Sequence[Mark], index: int) -> bool:
    """Whether a mark names a place; "neither" does before a site ("neither lung")."""
    mark = clause[index]
    if mark.kind == CUE and mark.side is not None:
        return index + 1 < len(clause) and clause[index + 1].kind == ANATOMY
    return mark.kind in (ANATOMY, SIDE)


def _take(clause: Sequence[Mark], target: Target, taken: Sequence[int]) -> None:
    for index in taken:
        _add(target, clause[index])


def _add(target: Target, mark: Mark) -> None:
    if mark.kind == ANATOMY:
        target.anatomy = target.anatomy or mark.value
        target.sites.append((mark.value, mark.side or target.lead))
    if mark.side:
        target.sides.append(mark.side)
    target.lead = mark.side if mark.kind == SIDE else None


@cache
def _devices() -> frozenset[str]:
    return frozenset(key for key, finding in lexicon().findings.items() if finding.kind == "device")


def _is_device(target: Target) -> bool:
    return target.finding in _devices()

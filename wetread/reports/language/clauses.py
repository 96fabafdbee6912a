"""Sentences cut into clauses, and the targets that a clause speaks of: findings, and states of sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    STATE,
    STUDY,
    VERB,
    Mark,
    rules,
)  # fmt: skip
from wetread.reports.model import TextMeasurement
from wetread.vocabulary import Assertion, Change, Side

LISTING = ("and", "or", "nor", ",", "/", "&", "+")
_FORWARD = ("negates_before", "negates_before_narrow", "uncertain_before", "history_before", "ended_before")
_DENYING = ("negates_before", "negates_before_narrow")
_NOUNS = ("calcification",)
_ENDING, _JOINTS = frozenset(";."), frozenset((",", "and", "&", "–", "—"))
_BUT = ("but", "yet", "though", "although")
_HOLDING = ("of", "in", "within", "along", "at")
_NOT, _BORDERLINE = "not_", "borderline"
_EXISTENTIAL = ("seen", "identified", "present", "noted", "visualized", "evident", "demonstrated", "detected")


@dataclass(slots=True)
class Target:
    """Something that a clause asserts or denies; filled in step by step.

    Attributes:
        finding: Its key.
        at: Index of its mark in the clause; for a state of a site, that of the state.
        begin: Index of the first mark that belongs to it: for a state of a site, that of the earlier one.
        site_at: For a state, index of its site's mark.
        sides: All sides said of it.
        sites: All sites said of it, each with the side said right before it.
    """

    finding: str
    at: int
    begin: int
    first: int
    last: int
    anatomy: str | None = None
    site_at: int | None = None
    sides: list[Side] = field(default_factory=list)
    sites: list[tuple[str, Side | None]] = field(default_factory=list)
    lead: Side | None = None
    own_site: str | None = None
    placed: bool = False
    assertion: Assertion | None = None
    change: Change | None = None
    qualifiers: list[str] = field(default_factory=list)
    measurements: list[TextMeasurement] = field(default_factory=list)


def clauses(found: Sequence[Mark], words: Sequence[str]) -> list[list[Mark]]:
    """The marks of a sentence, cut at semicolons, at words that turn ("but", "there is"), and where a comma or "and"
    joins two predications ("the heart is enlarged and the lungs are clear")."""
    parts: list[list[Mark]] = [[]]
    for index, mark in enumerate(found):
        current = parts[-1]
        if mark.kind == SIGN:
            cut = mark.value in _ENDING or (mark.value in _JOINTS and _new_predication(current, found, index, words))
        elif mark.kind == CUE and mark.value == "turns":
            if words[mark.first] in _BUT and _between_states(found, index):
                continue
            cut = not _in_predicate(current, mark, words)
        else:
            cut = False
        if cut:
            parts.append([])
        else:
            current.append(mark)
    return [part for part in parts if part]


def _between_states(found: Sequence[Mark], index: int) -> bool:
    """Whether a "but" only joins two states of one predicate: "hyperinflated but clear"."""
    return 0 < index < len(found) - 1 and bool(found[index - 1].state and found[index + 1].state)


def _in_predicate(left: Sequence[Mark], mark: Mark, words: Sequence[str]) -> bool:
    """Whether "otherwise" stands inside a predicate: "the lungs are otherwise clear", "lungs otherwise clear"."""
    if words[mark.first] != "otherwise" or not left or left[-1].last != mark.first:
        return False
    return left[-1].verb or left[-1].kind == ANATOMY


def _new_predication(left: Sequence[Mark], found: Sequence[Mark], index: int, words: Sequence[str]) -> bool:
    """Whether what follows the joint at `index` has its own subject and verb, and what stands before it has one too."""
    predicate = any(mark.verb for mark in left)
    denying = any(mark.kind == CUE and mark.value in _DENYING for mark in left)
    if not predicate and not denying:
        return False
    subject = alternatives = False
    for mark in found[index + 1 :]:
        if mark.is_sign(";", ",", "."):
            return False
        if mark.is_cue("turns", *_FORWARD):
            return False
        if mark.is_sign("or", "nor"):
            alternatives = True
        elif mark.verb:
            if not subject or (alternatives and not predicate):
                return False
            plain = mark.kind == VERB and mark.last < len(words) and words[mark.last] in _EXISTENTIAL
            return predicate or not plain
        elif mark.kind in (FINDING, ANATOMY, STUDY) or (
            mark.kind == SIDE and words[mark.last : mark.last + 1] == ["one"]
        ):
            subject = True
    return False


def targets(clause: Sequence[Mark]) -> list[Target]:
    """What a clause speaks of, in order."""
    found: list[Target] = []
    taken: set[int] = set()
    for index, mark in enumerate(clause):
        if mark.kind == FINDING:
            found.append(Target(_described(clause, index), index, index, mark.first, mark.last))
            found[-1].own_site = mark.site
            if mark.side:
                found[-1].sides.append(mark.side)
            if mark.change:
                found[-1].change = Change(mark.change)
                if found[-1].change is Change.RESOLVED:
                    found[-1].assertion = Assertion.ABSENT
        elif mark.state and not _grades(clause, index):
            found += _states(clause, index, taken)
    found.sort(key=lambda target: (target.at, target.begin))
    return found


def _described(clause: Sequence[Mark], index: int) -> str:
    """The finding at `index`, finer where a state describes it: "calcified right lower lobe nodule"."""
    finding = clause[index].value
    kinds = rules().adjectives.get(finding)
    if kinds is None:
        return finding
    for mark in reversed(clause[:index]):
        if mark.state:
            return kinds.get(mark.state, finding)
        if mark.kind not in (SIDE, ANATOMY, EXTENT, LIMIT):
            break
    return finding


def _grades(clause: Sequence[Mark], index: int) -> bool:
    """Whether "borderline" only grades the state or finding that follows: "borderline enlarged"."""
    follow = clause[index + 1] if index + 1 < len(clause) else None
    return clause[index].state == _BORDERLINE and follow is not None and bool(follow.state or follow.kind == FINDING)


def _states(clause: Sequence[Mark], index: int, taken: set[int]) -> list[Target]:
    mark = clause[index]
    state = mark.state or ""
    denied = state.startswith(_NOT)
    made = rules().state_findings.get(state.removeprefix(_NOT), {})
    found = []
    for at in _sites(clause, index, taken):
        site = clause[at]
        finding = NORMAL if mark.state == NORMAL else made.get(site.value)
        if finding is None:
            continue
        taken.add(at)
        first, last = min(site.first, mark.first), max(site.last, mark.last)
        target = Target(finding, index, min(at, index), first, last, anatomy=site.value, site_at=at)
        target.placed = True
        if denied:
            target.assertion = Assertion.ABSENT
        elif state == _BORDERLINE:
            target.assertion = Assertion.UNCERTAIN
        found.append(target)
    return found


def _sites(clause: Sequence[Mark], index: int, taken: set[int]) -> list[int]:
    """The sites that a state is said of: those right after it, else the subject before it."""
    state = clause[index]
    after = _following(clause, index, taken)
    preceded = index > 0 and (clause[index - 1].verb or clause[index - 1].kind == ANATOMY)
    if after and _belongs_to_finding(clause, after):
        after = after[:-1]
        if not after:
            return []
    if after and not (preceded and clause[index - 1].kind == ANATOMY and clause[index - 1].last == state.first):
        return after
    before: list[int] = []
    for at in range(index - 1, -1, -1):
        mark = clause[at]
        if (mark.kind == ANATOMY and at not in taken) or (mark.kind == ANATOMY and _shared_subject(clause, at, index)):
            before.append(at)
        elif (
            mark.kind == FINDING
            or mark.kind == ANATOMY
            or (mark.state and any(a in taken for a in range(at)) and not _chained(clause, at, index))
            or (mark.is_sign(",") and before and (state.state in _NOUNS or _prepositional(clause, at)))
            or (mark.is_sign(":") and before)
        ):
            break
        elif mark.kind == PREPOSITION and before and mark.value not in ("of", "in", "on"):
            before.clear()
    before.reverse()
    return before


def _belongs_to_finding(clause: Sequence[Mark], after: Sequence[int]) -> bool:
    """Whether the site behind a state is only the adjective of a finding: "calcified hilar granuloma"."""
    last = clause[after[-1]]
    follow = clause[after[-1] + 1 : after[-1] + 2]
    return bool(follow) and follow[0].kind == FINDING and follow[0].first == last.last


def _shared_subject(clause: Sequence[Mark], at: int, index: int) -> bool:
    """Whether only states and joints stand between a site and a state: "the aorta is tortuous and calcified"."""
    return _chained(clause, at, index)


def _chained(clause: Sequence[Mark], at: int, index: int) -> bool:
    return all(
        mark.state or mark.verb or mark.kind in (EXTENT, LIMIT) or (mark.is_sign(*LISTING))
        for mark in clause[at + 1 : index]
    )


def _following(clause: Sequence[Mark], index: int, taken: set[int]) -> list[int]:
    state = clause[index]
    found: list[int] = []
    last = state.last
    opens = not any(mark.kind in (ANATOMY, FINDING) or mark.verb for mark in clause[:index])
    for at in range(index + 1, len(clause)):
        mark = clause[at]
        if mark.kind == ANATOMY and (at not in taken or mark.first == state.last) and mark.first - last <= 2:
            found.append(at)
            last = mark.last
        elif mark.kind in (SIDE, ARTICLE, EXTENT) or mark.state:
            if mark.kind == STATE and found:
                break
            last = mark.last
        elif (
            (opens and at == index + 1 and mark.kind == VERB)
            or (mark.kind == PREPOSITION and mark.value in _HOLDING and not found)
            or (
                mark.is_sign("and", ",", "or", "&")
                and (found or _state_next(clause, at, normal=state.state == NORMAL) or _site_next(clause, at))
            )
        ):
            last = mark.last
        else:
            if found and mark.verb and len(found) > 1:
                found.pop()
            elif found and (mark.verb or mark.kind == STATE) and state.state != NORMAL:
                pass
            break
    return found


def _site_next(clause: Sequence[Mark], at: int) -> bool:
    """Whether a joint only joins adjectives before a site: "blunting of the lateral and posterior angles"."""
    before, follow = clause[at - 1], clause[at + 1 : at + 2]
    return before.kind == PREPOSITION and bool(follow) and follow[0].kind == ANATOMY


def _state_next(clause: Sequence[Mark], at: int, *, normal: bool) -> bool:
    follow = next((mark for mark in clause[at + 1 :] if mark.kind != EXTENT), None)
    return follow is not None and bool(follow.state) and (normal == (follow.state == NORMAL))


def _prepositional(clause: Sequence[Mark], at: int) -> bool:
    """Whether the site before the joint at `at` stands in a phrase such as "in the left base"."""
    for mark in reversed(clause[:at]):
        if mark.kind == PREPOSITION:
            return True
        if mark.kind not in (ANATOMY, SIDE, LIMIT, EXTENT):
            return False
    return False


def joined(clause: Sequence[Mark], one: Target, other: Target) -> bool:
    """Whether two targets stand in one list: nothing between them but joints, and words that describe the second."""
    between = clause[one.at + 1 : other.begin]
    return any(mark.is_sign(*LISTING) or mark.is_cue("uncertain_before") for mark in between) and all(
        mark.is_sign(*LISTING)
        or mark.is_cue("uncertain_before", "uncertain_either")
        or mark.kind in (EXTENT, LIMIT, SIDE, ANATOMY, ARTICLE, PREPOSITION, STATE)
        or (mark.kind == CHANGE and not mark.verb)
        for mark in between
    )

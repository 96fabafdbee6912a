"""From a text to its claims."""

from __future__ import annotations

from collections.abc import Sequence

from wetread.reports.language.lexicon import NORMAL, lexicon
from wetread.reports.language.marks import ANATOMY, CHANGE, CUE, FINDING, SIDE, SIGN, STATE, Mark, marks, rules
from wetread.reports.language.words import Token, sentences, tokens
from wetread.reports.model import Claim
from wetread.vocabulary import Assertion, Change, Side


def claims(text: str) -> tuple[Claim, ...]:
    """What a text asserts, finding by finding, in reading order. Offsets are into `text`.

    A statement of normality is a claim with the finding `normal`, present, and the anatomy it is said of. Where an
    adjective denies or asserts a finding of a site ("the heart is enlarged"), the claim has that finding.
    """
    found: list[Claim] = []
    for start, end, _ in sentences(text):
        words = tokens(text, start, end)
        for clause in clauses(marks(words)):
            found += clause_claims(clause, words)
    return tuple(found)


def clauses(found: Sequence[Mark]) -> list[list[Mark]]:
    """The marks of a sentence, cut where a cue cannot reach across."""
    parts: list[list[Mark]] = [[]]
    for mark in found:
        if mark.kind == CUE and mark.value == "turns":
            parts.append([])
        elif mark.kind == SIGN and mark.value in (";", "."):
            parts.append([])
        else:
            parts[-1].append(mark)
    return [part for part in parts if part]


def clause_claims(clause: Sequence[Mark], words: Sequence[Token]) -> list[Claim]:
    """The claims of one clause."""
    found: list[Claim] = []
    for index, mark in enumerate(clause):
        subjects: list[tuple[str, str | None, Side | None]] = []
        if mark.kind == FINDING:
            site, side = _place(clause, index)
            subjects = [(mark.value, site, mark.side or side)]
        elif mark.kind == STATE:
            subjects = _state(clause, index)
        for finding, anatomy, side in subjects:
            assertion = _assertion(clause, index)
            if finding == NORMAL and assertion is not Assertion.PRESENT:
                continue
            change = _change(clause, index)
            start, end = words[mark.first].start, words[mark.last - 1].end
            found.append(
                Claim(
                    finding=finding, anatomy=anatomy, side=side, assertion=assertion, change=change, start=start, end=end
                )
            )
    return found


def _state(clause: Sequence[Mark], index: int) -> list[tuple[str, str | None, Side | None]]:
    state = clause[index].value
    before = [m for m in clause[:index] if m.kind == ANATOMY]
    after = [m for m in clause[index + 1 : index + 2] if m.kind == ANATOMY]
    sites = after if after and clause[index].last == after[0].first else before or after
    found = []
    for site in sites:
        finding = NORMAL if state == "normal" else rules().state_findings[state].get(site.value)
        if finding:
            found.append((finding, site.value, site.side))
    return found


def _place(clause: Sequence[Mark], index: int) -> tuple[str | None, Side | None]:
    site: str | None = None
    side: Side | None = None
    for mark in reversed(clause[:index]):
        if mark.kind in (FINDING, CUE, SIGN):
            break
        if mark.kind == ANATOMY and site is None:
            site, side = mark.value, side or mark.side
        elif mark.kind == SIDE:
            side = side or mark.side
    for mark in clause[index + 1 :]:
        if mark.kind == FINDING or mark.kind == CUE:
            break
        if mark.kind == ANATOMY and site is None:
            site, side = mark.value, side or mark.side
        elif mark.kind == SIDE:
            side = side or mark.side
    return site, side


def _assertion(clause: Sequence[Mark], index: int) -> Assertion:
    result = Assertion.PRESENT
    for mark in clause[:index]:
        if mark.kind != CUE:
            continue
        if mark.value == "negates_before":
            result = Assertion.ABSENT
        elif mark.value in ("uncertain_before", "uncertain_any"):
            result = Assertion.UNCERTAIN
        elif mark.value == "history_before":
            result = Assertion.HISTORICAL
    later = any(mark.kind == FINDING for mark in clause[index + 1 :])
    for mark in clause[index + 1 :]:
        if mark.kind != CUE:
            continue
        if mark.value in ("negates_after", "denies_after"):
            result = Assertion.ABSENT
        elif mark.value == "uncertain_after" or (mark.value == "uncertain_any" and not later):
            result = Assertion.UNCERTAIN
    return result


def _change(clause: Sequence[Mark], index: int) -> Change | None:
    for mark in (*reversed(clause[:index]), *clause[index + 1 :]):
        if mark.kind in (CHANGE, CUE) and mark.change:
            return Change(mark.change)
    return None


def system_of(of: Claim | str | None) -> str | None:
    """The report system of a claim, or of a finding's key; None where neither finding nor anatomy says it.

    A finding that can lie anywhere follows its claim's anatomy; `normal` always does.
    """
    known = lexicon()
    if of is None or isinstance(of, str):
        finding = known.findings.get(of or "")
        return finding.system if finding else None
    finding = known.findings.get(of.finding or "")
    if finding is not None and finding.system is not None:
        return finding.system
    anatomy = known.anatomies.get(of.anatomy or "")
    return anatomy.system if anatomy else None

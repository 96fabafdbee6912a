"""From a text to its claims."""

from __future__ import annotations

from collections.abc import Sequence

from wetread.reports.language.assertion import assess
from wetread.reports.language.change import compare
from wetread.reports.language.clauses import Target, clauses, targets
from wetread.reports.language.lexicon import NORMAL, lexicon
from wetread.reports.language.marks import ANATOMY, Mark, marks, rules
from wetread.reports.language.place import place, side_of
from wetread.reports.language.words import Token, sentences, tokens
from wetread.reports.model import Claim
from wetread.vocabulary import Assertion, Change

_ANSWERS = {"no": Assertion.ABSENT, "none": Assertion.ABSENT, "negative": Assertion.ABSENT, "yes": Assertion.PRESENT}
_ALSO = {"cardiomediastinal_silhouette": "mediastinum"}


def claims(text: str) -> tuple[Claim, ...]:
    """What a text asserts, finding by finding, in reading order. Offsets are into `text`.

    A statement of normality is a claim with the finding `normal`, present, and the anatomy it is said of; the
    cardiomediastinal silhouette counts for the mediastinum too. Where an adjective asserts or denies a finding of a
    site ("the heart is not enlarged"), the claim has that finding. A change of a site without a finding ("the cardiac
    silhouette is unchanged") is a claim with no finding.
    """
    found: list[Claim] = []
    asked = 0
    for start, end, sentence in sentences(text):
        words = tokens(text, start, end)
        answer = _ANSWERS.get(words[0].word) if asked and len(words) <= 2 else None
        if answer is not None:
            found[-asked:] = [claim.model_copy(update={"assertion": answer}) for claim in found[-asked:]]
        said = sentence_claims(words)
        found += said
        asked = len(said) if sentence.endswith("?") else 0
    return tuple(found)


def sentence_claims(words: Sequence[Token]) -> list[Claim]:
    """The claims of one sentence, given its tokens."""
    seen = marks(list(words))
    plain = [word.word for word in words]
    carried: list[Mark] = []
    earlier: list[Target] = []
    parts: list[tuple[list[Target], list[Mark], list[Mark]]] = []
    for clause in clauses(seen, plain):
        found = targets(clause)
        assess(clause, found, plain, earlier)
        loose = compare(clause, found, plain, earlier)
        left = place(clause, found, carried)
        carried = [] if found else left
        parts.append((found, loose, [mark for mark in clause if mark.kind == ANATOMY]))
        earlier = found or earlier
    result: list[Claim] = []
    for found, loose, sites in parts:
        result += [claim for target in found for claim in _claims(target, words)]
        if loose and not found:
            result += [_change_of_site(site, loose[0], words) for site in sites]
    return result


def _claims(target: Target, words: Sequence[Token]) -> list[Claim]:
    if target.finding == NORMAL and target.assertion is not Assertion.PRESENT:
        return []
    finer = rules().refined.get(target.finding, {})
    kinds = {finer[site]: (site, side) for site, side in target.sites if site in finer}
    claim = Claim(
        finding=finer.get(target.anatomy or "", target.finding),
        anatomy=target.anatomy,
        side=side_of(target.sides),
        assertion=target.assertion or Assertion.PRESENT,
        change=target.change,
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

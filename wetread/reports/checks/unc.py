"""UNC: how certain a report says it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check, capital, named
from wetread.reports.checks.document import Document, Hints, pairs
from wetread.reports.checks.kin import related
from wetread.reports.model import Issue
from wetread.vocabulary import Assertion

_HEDGE = re.compile(
    r"\b(?:(?:can|could|may)(?: ?not|n['’]t)|cannot|unable to|difficult to|impossible to|hard to|not possible to)"
    r"(?: be)?(?: (?:entirely|completely|definite\w*|confidently|fully|reliably|absolutely|totally|safely|wholly))?"
    r"(?: be)?(?: (?:entirely|completely|definite\w*|confidently|fully|reliably|absolutely|totally|safely|wholly))?"
    r" (?:excluded?|ruled? out)\b"
    r"|\b(?:is|are|was|were)(?: not|n['’]t)(?: (?:entirely|completely|definite\w*|fully))? (?:excluded|ruled out)\b"
    r"|\bnot (?:entirely |completely |definitely |fully )?excluded\b",
    re.IGNORECASE,
)
_HEDGE_HINTS = Hints(parts=("exclude", "rule"))
_VAGUE = re.compile(
    r"\bclinical correlation (?:is |would be )?(?:recommended|advised|suggested|required|needed)\b"
    r"|\bcorrelate clinically\b"
    r"|\b(?:possibly|perhaps|probably) (?:may|might|could)\b|\b(?:may|might|could) (?:possibly|perhaps|potentially)\b",
    re.IGNORECASE,
)
_VAGUE_HINTS = Hints(parts=("correlat", "possibly", "perhaps", "probably", "potentially"))
_LIKELY, _POSSIBLE = 0.5, 0.25
"""Under the first a plain "there is" is too strong; from the second on a plain "there is no" is. Steps of the Brigham
and Women's scale are 5, 25, 75 and 90 %; a classifier's own middle is 50 %."""
_SURE = 0.9


def hedge(doc: Document) -> Iterator[Issue]:
    """UNC-1: "cannot be excluded" and its kin, the worst rated wording in surveys of those who read reports: it says
    nothing of how likely the thing is."""
    for line in (*doc.spoken, *doc.section("recommendation")):
        for match in _HEDGE.finditer(line.text) if line.may_hold(_HEDGE_HINTS) else ():
            message = (
                f"'{' '.join(match[0].split())}' does not say how likely it is. "
                "Say possible, unlikely or likely, or leave it out."
            )
            yield line.issue("UNC-1", "warning", message, match.start(), match.end())
        for match in _VAGUE.finditer(line.text) if line.may_hold(_VAGUE_HINTS) else ():
            message = f"'{' '.join(match[0].split())}' tells the reader nothing to do. Say what would settle it."
            yield line.issue("UNC-1", "info", message, match.start(), match.end())


def certainty_differs(doc: Document) -> Iterator[Issue]:
    """UNC-2: a statement is surer, or less sure, than the tool that it cites."""
    weighed: dict[str, list[tuple[str, float]]] = {}
    for line, claim in pairs(doc.spoken, Assertion.PRESENT, Assertion.ABSENT, Assertion.UNCERTAIN):
        if line.statement is None or claim.finding is None:
            continue
        for id in line.statement.evidence:
            evidence = doc.ledger.get(id)
            if evidence is None or evidence.status != "ok":
                continue
            given = weighed.get(id)
            if given is None:
                given = weighed[id] = [
                    (one.finding, one.probability)
                    for one in evidence.observations
                    if one.finding is not None and one.probability is not None
                ]
            found = [probability for finding, probability in given if related(finding, claim.finding)]
            exact = [probability for finding, probability in given if finding == claim.finding]
            likely = max(exact or found, default=None)
            if likely is None:
                continue
            sides = " on one side" if claim.side is not None else ""
            if claim.assertion is Assertion.PRESENT and likely < _LIKELY:
                said, severity = "said to be there", "warning"
            elif claim.assertion is Assertion.ABSENT and likely >= _POSSIBLE and not sides:
                said, severity = "said not to be there", "warning" if likely >= _LIKELY else "info"
            elif claim.assertion is Assertion.UNCERTAIN and likely >= _SURE:
                said, severity = "called uncertain", "info"
            else:
                continue
            message = f"{capital(named(claim.finding))} is {said}, and {id} gives it {likely:.2f}."
            yield line.about("UNC-2", severity, message, claim, (id,))  # type: ignore[arg-type]
            break


CHECKS = (
    Check("UNC-1", "Discouraged hedge", hedge),
    Check("UNC-2", "Wording and the tool's confidence differ", certainty_differs, frozenset({"evidence"})),
)

"""PRI: words that need an earlier study."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check, assertions, has_comparison
from wetread.reports.model import Issue, Report
from wetread.study import Study

# "increased" and "decreased" are left to the parsed claims: "increased density" compares with nothing earlier
_CUES = re.compile(
    r"\b(?:interval(?:ly)?|unchanged|stable|stably|redemonstrat\w*"
    r"|again (?:seen|noted|demonstrated|identified|visuali[sz]ed)"
    r"|(?:has|have|had) (?:resolved|improved|worsened|progressed|regressed|increased|decreased|enlarged|developed)"
    r"|(?:compared|in comparison) (?:to|with)|since (?:the )?(?:prior|previous|last|earlier)"
    r"|(?:prior|previous|earlier) (?:chest |cxr |frontal )?"
    r"(?:stud(?:y|ies)|exams?|examinations?|radiographs?|films?|images?|x-?rays?|reports?|cxr)"
    r"|new(?:ly)?|worsening|improving|improved|worsened)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:no|without|none|not)\b[^.;]{0,40}\b(?:available|comparison|prior|previous|earlier)\b", re.IGNORECASE
)


def change_without_prior(report: Report, study: Study | None) -> Iterator[Issue]:
    """PRI-1: a word of change or comparison, and no earlier study is among the inputs."""
    if has_comparison(report, study):
        return
    for statement in assertions(report):
        changed = [(claim.start, claim.end) for claim in statement.claims if claim.change is not None]
        spans = [(match.start(), match.end()) for match in _CUES.finditer(statement.text)]
        if spans and not changed and _DENIED.search(statement.text):
            continue
        for start, end in spans or changed:
            yield Issue(
                code="PRI-1",
                severity="error",
                message=(
                    f"'{statement.text[start:end]}' compares with an earlier study, and none is among the inputs. "
                    "Say what is seen now, without the comparison."
                ),
                where=statement.id,
                start=start,
                end=end,
                evidence=statement.evidence,
            )


CHECKS = (Check("PRI-1", "Change word without a prior", change_without_prior),)

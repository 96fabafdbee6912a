"""GRD: statements and the evidence they stand on."""

from __future__ import annotations

from collections.abc import Iterator

from wetread.reports.checks.base import Check, assertions, ledger_of
from wetread.reports.grounding import cited, opposing
from wetread.reports.model import Issue, Report
from wetread.study import Study


def evidence_missing(report: Report, study: Study | None) -> Iterator[Issue]:
    """GRD-1: a statement cites no evidence, unknown evidence, or only evidence that came to nothing."""
    ledger = ledger_of(report)
    for statement in assertions(report):
        unknown = [id for id in statement.evidence if id not in ledger]
        if unknown:
            message = f"There is no evidence {', '.join(unknown)}. Cite ids that tools gave."
        elif not statement.evidence:
            message = "No evidence is cited. Cite what says so, or leave the statement out."
        elif all(ledger[id].status != "ok" for id in statement.evidence):
            message = "Only evidence that failed or abstained is cited. Say that it is not assessed."
        else:
            continue
        yield Issue(
            code="GRD-1",
            severity="error",
            message=message,
            where=statement.id,
            start=0,
            end=len(statement.text),
            evidence=tuple(id for id in statement.evidence if id in ledger),
        )


def evidence_opposes(report: Report, study: Study | None) -> Iterator[Issue]:
    """GRD-2: an evidence that a statement cites says the opposite."""
    ledger = ledger_of(report)
    for statement in assertions(report):
        for claim in statement.claims:
            for evidence in cited(statement, ledger):
                observation = opposing(claim, evidence)
                if observation is None:
                    continue
                named = (claim.finding or "").replace("_", " ")
                yield Issue(
                    code="GRD-2",
                    severity="error",
                    message=f"{named}: said to be {claim.assertion}, and {evidence.id} says {observation.assertion}.",
                    where=statement.id,
                    start=claim.start,
                    end=claim.end,
                    evidence=(evidence.id,),
                )


CHECKS = (
    Check("GRD-1", "Evidence missing or unknown", evidence_missing, frozenset({"evidence"})),
    Check("GRD-2", "Evidence says the opposite", evidence_opposes, frozenset({"evidence"})),
)

"""Whether evidence says what a statement says. Used for the report's own figures and by the GRD checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from wetread.evidence import Evidence, Observation
from wetread.reports.model import Claim, Grounding, Statement, SystemFindings
from wetread.reports.pointing import sides_meet
from wetread.vocabulary import Assertion, Side

Support = Literal["grounded", "contradicted", "ungrounded"]


def cited(statement: Statement, ledger: Mapping[str, Evidence]) -> list[Evidence]:
    """The evidence that a statement cites and the ledger has, in the order cited."""
    return [ledger[id] for id in dict.fromkeys(statement.evidence) if id in ledger]


def opposing(claim: Claim, evidence: Evidence) -> Observation | None:
    """The observation of an evidence that says the opposite of a claim, where none of it agrees.

    Opposite are present and absent of the same finding where both cannot be true: an absence without a side denies
    every place, an absence on one side that side alone. "Uncertain" opposes nothing.
    """
    if evidence.status != "ok" or claim.finding is None:
        return None
    about = [observation for observation in evidence.observations if observation.finding == claim.finding]
    if any(o.assertion is claim.assertion and sides_meet(o.side, claim.side) for o in about):
        return None
    for observation in about:
        if claim.assertion is Assertion.ABSENT and observation.assertion is Assertion.PRESENT:
            opposed = _denies(claim.side, observation.side)
        elif claim.assertion is Assertion.PRESENT and observation.assertion is Assertion.ABSENT:
            opposed = _denies(observation.side, claim.side)
        else:
            opposed = False
        if opposed:
            return observation
    return None


def support(statement: Statement, ledger: Mapping[str, Evidence]) -> Support:
    """How a statement stands to the evidence that it cites.

    `contradicted`: an evidence it cites says the opposite of one of its claims. `grounded`: evidence that came to an
    outcome is cited, and speaks of every finding that the statement names, or gave a number in it. Else `ungrounded`.
    """
    behind = [evidence for evidence in cited(statement, ledger) if evidence.status == "ok"]
    if any(opposing(claim, evidence) for claim in statement.claims for evidence in behind):
        return "contradicted"
    if not behind:
        return "ungrounded"
    if statement.measurements or all(_spoken_of(claim, behind) for claim in statement.claims):
        return "grounded"
    return "ungrounded"


def figures(
    systems: Sequence[SystemFindings], impression: Sequence[Statement], evidence: Iterable[Evidence]
) -> Grounding:
    """The report's grounding figures over findings and impression; recommendations assert nothing."""
    ledger = {one.id: one for one in evidence}
    statements = [*(statement for system in systems for statement in system.statements), *impression]
    found = [support(statement, ledger) for statement in statements]
    return Grounding(
        statements=len(found),
        grounded=found.count("grounded"),
        contradicted=found.count("contradicted"),
        not_assessed=sum(system.status == "not_assessed" for system in systems),
    )


def _denies(absent: Side | None, present: Side | None) -> bool:
    return absent in (None, Side.BILATERAL) or (present is not None and sides_meet(absent, present))


def _spoken_of(claim: Claim, behind: Sequence[Evidence]) -> bool:
    if claim.finding is None or claim.assertion is Assertion.HISTORICAL:
        return True
    return any(
        observation.finding == claim.finding and sides_meet(claim.side, observation.side)
        for evidence in behind
        for observation in evidence.observations
    )

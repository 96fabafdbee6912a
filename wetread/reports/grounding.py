"""Whether evidence says what a statement says. Used for the report's own figures and by the GRD checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Literal

from wetread.evidence import Evidence, Observation
from wetread.reports.language import lexicon, system_of
from wetread.reports.model import Claim, Grounding, Statement, SystemFindings
from wetread.reports.pointing import sides_meet
from wetread.vocabulary import Assertion, Side

Support = Literal["grounded", "contradicted", "ungrounded"]

_OPPOSABLE = (Assertion.PRESENT, Assertion.ABSENT)
_NORMAL_KINDS = frozenset({"normal", "normal_variant"})


def cited(statement: Statement, ledger: Mapping[str, Evidence]) -> list[Evidence]:
    """The evidence that a statement cites and the ledger has, in the order cited."""
    return [ledger[id] for id in dict.fromkeys(statement.evidence) if id in ledger]


def opposing(claim: Claim, evidence: Evidence) -> Observation | None:
    """The observation of an evidence that says the opposite of a claim, where none of it agrees.

    Opposite are present and absent of a finding where both cannot be true: the absence of a finding denies all that
    are a kind of it, at every place if it names no side, else on that side alone. "Normal" is opposed by something
    abnormal that is present in the same system. "Uncertain" opposes nothing.
    """
    assertion, finding = claim.assertion, claim.finding
    if finding is None or assertion not in _OPPOSABLE or evidence.status != "ok":
        return None
    normal = is_normal(finding)
    against: Observation | None = None
    for observation in evidence.observations:
        said = observation.assertion
        if said is assertion:
            if _agrees(claim, observation):
                return None
            # of the same assertion only "normal" and an abnormality oppose each other
            other = observation.finding
            if other is None or normal is is_normal(other):
                continue
        if against is None and _opposes(claim, observation):
            against = observation
    return against


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


def is_normal(finding: str) -> bool:
    """Whether a finding's presence is nothing abnormal: normal, or a normal variant."""
    return finding in _normal_findings()


@cache
def _normal_findings() -> frozenset[str]:
    return frozenset(key for key, entry in lexicon().findings.items() if entry.kind in _NORMAL_KINDS)


def _agrees(claim: Claim, observation: Observation) -> bool:
    if claim.finding is None or observation.finding is None or observation.assertion is not claim.assertion:
        return False
    if is_normal(claim.finding):
        return observation.finding == claim.finding and _same_system(claim, observation)
    return _named_alike(claim, observation) and sides_meet(observation.side, claim.side)


def _opposes(claim: Claim, observation: Observation) -> bool:
    if claim.finding is None or observation.finding is None:
        return False
    if is_normal(claim.finding) or is_normal(observation.finding):
        one, other = claim.finding, observation.finding
        return (
            claim.assertion is observation.assertion is Assertion.PRESENT
            and is_normal(one) != is_normal(other)
            and _is_abnormality(other if is_normal(one) else one)
            and _same_system(claim, observation)
        )
    if claim.assertion is Assertion.ABSENT and observation.assertion is Assertion.PRESENT:
        return _denies(claim.finding, claim.side, observation.finding, observation.side)
    if claim.assertion is Assertion.PRESENT and observation.assertion is Assertion.ABSENT:
        return _denies(observation.finding, observation.side, claim.finding, claim.side)
    return False


def _denies(absent: str, absent_side: Side | None, present: str, present_side: Side | None) -> bool:
    if absent not in lexicon().broader(present):
        return False
    return absent_side in (None, Side.BILATERAL) or (present_side is not None and sides_meet(absent_side, present_side))


def _is_abnormality(finding: str) -> bool:
    entry = lexicon().findings.get(finding)
    return entry is not None and entry.kind == "abnormality"


def _same_system(claim: Claim, observation: Observation) -> bool:
    system = system_of(claim)
    return system is not None and observation.system == system and sides_meet(claim.side, observation.side)


def _named_alike(claim: Claim, observation: Observation) -> bool:
    assert claim.finding is not None and observation.finding is not None
    if claim.assertion is Assertion.ABSENT:
        return observation.finding in lexicon().broader(claim.finding)
    return lexicon().related(observation.finding, claim.finding)


def _spoken_of(claim: Claim, behind: Sequence[Evidence]) -> bool:
    if claim.finding is None or claim.assertion is Assertion.HISTORICAL:
        return True
    observations = [observation for evidence in behind for observation in evidence.observations]
    if is_normal(claim.finding):
        # what a tool found absent in a system speaks for its being normal
        return any(
            _agrees(claim, o) or (_same_system(claim, o) and o.assertion is Assertion.ABSENT) for o in observations
        )
    return any(
        o.finding is not None and lexicon().related(o.finding, claim.finding) and sides_meet(claim.side, o.side)
        for o in observations
    )

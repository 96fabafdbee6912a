"""Why a statement stands: the evidence behind it, what that says of it, and what that was computed from in turn.

One value for whoever shows it: the agent's tool `explain`, and the commands with which a person asks why. It names no
person: words that a reader wrote are the reader's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wetread.evidence import Evidence, Measurement, Observation, Reason, Status
from wetread.reports.grounding import Support, is_normal, support
from wetread.reports.language import lexicon, system_of
from wetread.reports.model import Claim, Report, Statement
from wetread.values import Value
from wetread.vocabulary import Origin

READER = "the reader"
"""How a person is called wherever a language model may read it."""


class Link(Value):
    """One evidence of a chain."""

    id: str
    tool: str
    model: str
    version: str
    origin: Origin
    status: Status
    summary: str
    reason: Reason | None = None
    observations: tuple[Observation, ...] = ()
    """What it observed that bears on the statement; all of it, where the chain is that of an evidence."""
    measurements: tuple[Measurement, ...] = ()
    """What it measured; where the statement was filled from some of them, these."""
    warnings: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    """Names of what was sent: image handles, `indication`, ..."""
    uses: tuple[str, ...] = ()
    """Ids of the evidence that it was computed from."""
    depth: int = 0
    """0 for what the statement cites or the evidence asked for, 1 for what that was computed from, ..."""


class Chain(Value):
    """The evidence chain of a statement or of one evidence."""

    id: str
    statement: Statement | None = None
    by_reader: bool = False
    """Whether a person wrote the statement's words."""
    before: str | None = None
    """The drafted words, where a person changed them."""
    support: Support | None = None
    """How the statement stands to its evidence."""
    links: tuple[Link, ...] = ()
    """Each evidence once, what it was computed from behind it."""
    missing: tuple[str, ...] = ()
    """Ids that are cited or used, and that nobody knows."""


def evidence_chain(report: Report | None, evidence: Iterable[Evidence], id: str) -> Chain | None:
    """The chain of a statement (`S3`) or an evidence (`E3`); None where there is no such.

    Args:
        report: The report in hand, with what people made of it.
        evidence: The ledger. What the report holds itself comes before it: a reader's own words are there alone.
        id: In either case, with or without brackets.
    """
    wanted = id.strip().strip("[]").upper()
    known = {one.id: one for one in evidence}
    known |= {one.id: one for one in report.evidence} if report is not None else {}
    statement = next((one for one in report.statements() if one.id == wanted), None) if report is not None else None
    if statement is None:
        if wanted not in known:
            return None
        links, missing = _links((wanted,), known, None)
        return Chain(id=wanted, links=links, missing=missing)
    links, missing = _links(statement.evidence, known, statement)
    review = report.review if report is not None else None
    decisions = [one for one in review.decisions if one.statement == wanted] if review is not None else []
    return Chain(
        id=wanted,
        statement=statement,
        by_reader=review is not None and review.author(wanted) is not None,
        before=next((one.before for one in decisions if one.action == "edited"), None),
        support=support(statement, known),
        links=links,
        missing=missing,
    )


def bears_on(observation: Observation, claims: Sequence[Claim]) -> bool:
    """Whether an observation speaks of what one of the claims is about, for it or against it.

    The same finding or a kind of it, on whichever side; of "normal", whatever is said of that system.
    """
    return any(_bears(observation, claim) for claim in claims)


def _bears(observation: Observation, claim: Claim) -> bool:
    if observation.finding is None:
        return False
    if claim.finding is None or is_normal(claim.finding) or is_normal(observation.finding):
        system = system_of(claim)
        return system is not None and observation.system == system
    return lexicon().related(observation.finding, claim.finding)


def _links(
    ids: Sequence[str], known: Mapping[str, Evidence], statement: Statement | None
) -> tuple[tuple[Link, ...], tuple[str, ...]]:
    links: dict[str, Link] = {}
    missing: dict[str, None] = {}
    # depth first, and each once: evidence may be used by several
    open_ = [(id, 0) for id in reversed(ids)]
    while open_:
        id, depth = open_.pop()
        if id in links:
            continue
        evidence = known.get(id)
        if evidence is None:
            missing[id] = None
            continue
        links[id] = _link(evidence, statement, depth)
        open_ += [(used, depth + 1) for used in reversed(evidence.uses)]
    return tuple(links.values()), tuple(missing)


def _link(evidence: Evidence, statement: Statement | None, depth: int) -> Link:
    observations, measurements = evidence.observations, evidence.measurements
    if statement is not None:
        own = tuple(one for one in observations if one.text == statement.text)
        observations = own or tuple(one for one in observations if bears_on(one, statement.claims))
        measurements = tuple(one for one in measurements if one in statement.measurements) or measurements
    summary = evidence.summary
    if evidence.origin is Origin.PERSON:
        # its summary names the person
        summary = f"written by {READER}"
    return Link(
        id=evidence.id,
        tool=evidence.tool,
        model=evidence.model.name,
        version=evidence.model.version,
        origin=evidence.origin,
        status=evidence.status,
        summary=summary,
        reason=evidence.reason,
        observations=observations,
        measurements=measurements,
        warnings=evidence.warnings,
        inputs=tuple(evidence.inputs),
        uses=evidence.uses,
        depth=depth,
    )

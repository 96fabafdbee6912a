"""What a statement points at on the images: regions taken from the evidence that it cites, never from its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from wetread.evidence import Evidence, Observation, Region
from wetread.reports.language import lexicon
from wetread.reports.model import Claim
from wetread.vocabulary import Assertion, Side

MAX_REGIONS = 40
"""Regions a statement points at, at most."""

_SHOWN = frozenset({Assertion.PRESENT, Assertion.UNCERTAIN})


def sides_meet(one: Side | None, other: Side | None) -> bool:
    """Whether two sides can mean the same place: equal, one of them unknown or one of them bilateral."""
    return one is None or other is None or one is other or Side.BILATERAL in (one, other)


def regions_of(
    text: str, claims: Sequence[Claim], system: str | None, cited: Iterable[Evidence], structures: Sequence[str] = ()
) -> tuple[Region, ...]:
    """The regions of one statement.

    From each cited evidence: those of the observation with the same text; if there is none, those of the observations
    that the statement's claims are about (the same finding, else a related one, at a side that can be the same); if
    there are none, those of what the evidence found in the statement's system; else the structures of the system that
    it measured or segmented. What a statement says is absent is not pointed at.

    Args:
        text: The statement's text.
        claims: Its claims.
        system: Key of its system, None in the impression.
        cited: The evidence it cites.
        structures: Names of the segmented structures of its system.
    """
    found: list[Region] = []
    for evidence in cited:
        if evidence.status == "ok":
            found += _from(evidence, text, claims, system, structures)
    return tuple(dict.fromkeys(found))[:MAX_REGIONS]


def _from(
    evidence: Evidence, text: str, claims: Sequence[Claim], system: str | None, structures: Sequence[str]
) -> list[Region]:
    shown = [claim for claim in claims if claim.assertion in _SHOWN]
    seen = [observation for observation in evidence.observations if observation.assertion in _SHOWN]
    said = _folded(text)
    found = [region for observation in seen if _folded(observation.text) == said for region in observation.regions]
    if not found:
        for claim in shown:
            about = [observation for observation in seen if _is_about(observation, claim)]
            named_so = [observation for observation in about if observation.finding == claim.finding]
            for observation in named_so or about:
                found += [region for region in observation.regions if sides_meet(region.side, claim.side)]
    if not found and (shown or not claims):
        found = [
            region
            for observation in seen
            if observation.system is not None and observation.system == system
            for region in observation.regions
            if all(sides_meet(region.side, claim.side) for claim in shown)
        ]
    return found or [region for region in evidence.regions if region.label.lower() in structures]


def _is_about(observation: Observation, claim: Claim) -> bool:
    return (
        claim.finding is not None
        and observation.finding is not None
        and lexicon().related(observation.finding, claim.finding)
        and sides_meet(observation.side, claim.side)
    )


@lru_cache(maxsize=1024)
def _folded(text: str) -> str:
    # each statement is compared with every sentence of the evidence behind it
    return " ".join(text.lower().rstrip(". ").split())

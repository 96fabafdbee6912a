"""Sentences of tools brought into the words of a report: comparisons taken out, leads cut off, doubts added."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from wetread.reports.language import claims, lexicon
from wetread.reports.model import Claim
from wetread.reports.plain import listed
from wetread.vocabulary import Assertion, Side

_CUE = re.compile(
    r"\b(?:interval(?:ly)?|unchanged|(?<!in )stable|stably|redemonstrat\w*|persist\w*"
    r"|again (?:seen|noted|demonstrated|identified|visuali[sz]ed)"
    r"|(?:has|have|had) (?:resolved|improved|worsened|progressed|regressed|increased|decreased|enlarged|developed)"
    r"|(?:compared|in comparison) (?:to|with)|compar(?:ison|ed)|since (?:the )?(?:prior|previous|last|earlier)"
    r"|(?:prior|previous|earlier|last) (?:chest |cxr |frontal )?"
    r"(?:stud(?:y|ies)|exam\w*|radiographs?|films?|images?|x-?rays?|reports?|cxr|ct)"
    r"|new(?:ly)?|worsening|improving|improved|worsened|resolv(?:ed|ing))\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r",?\s*\b(?:(?:as |when )?(?:compared|in comparison) (?:to|with)|since|from|relative to|than on)"
    r" (?:the |a |that of the )?(?:most recent |immediate |last )?(?:prior|previous|earlier|last)\b[^,.;]*",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\bagain (?=(?:seen|noted|demonstrated|identified|visuali[sz]ed)\b)"
    r"|\b(?:unchanged|stable|stably|new|newly|persistent|redemonstrated|worsening|improving|improved|worsened)\s+(?=[a-z])"
    r"|,?\s*(?:which is |that is |is |are )?(?:largely |essentially |grossly |overall )?(?:unchanged|stable)"
    r"(?=\s*[.,;]|$)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:there (?:is|are|may be|has been)|(?:again )?(?:seen|noted|demonstrated) (?:is|are)|(?:we|i) (?:see|note))\s+"
    r"(?:an?\s+|the\s+)?(?:evidence of\s+(?:an?\s+)?)?",
    re.IGNORECASE,
)
_TECHNIQUE = re.compile(
    r"\b(?:views?|radiographs?|images?|projections?|examination|study|films?)\b.{0,60}"
    r"\b(?:obtained|performed|provided|acquired|submitted|available|reviewed|limited)\b"
    r"|^(?:comparison|technique|indication|history)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def compares(text: str) -> bool:
    """Whether a text has words of change or comparison. More than one rule asks it of the same few sentences."""
    return bool(_CUE.search(text)) or any(claim.change is not None for claim in claims(text))


def is_technique(text: str) -> bool:
    """Whether a sentence is about how the images were made, not about what they show."""
    return bool(_TECHNIQUE.search(text))


def without_comparison(text: str) -> str | None:
    """A sentence without its words of change and comparison, saying otherwise the same; None where that cannot be."""
    bare = _AGAIN.sub("", _REFERENCE.sub("", text))
    bare = _tidy(bare)
    if not bare or compares(bare):
        return None
    before = {(claim.finding, claim.assertion, claim.side) for claim in claims(text)}
    after = {(claim.finding, claim.assertion, claim.side) for claim in claims(bare)}
    return bare if after and before == after else None


def brief(text: str) -> str:
    """A finding's sentence as a line of the impression: without its lead."""
    bare = _tidy(_LEAD.sub("", text))
    if bare == text or [_said(claim) for claim in claims(bare)] == [_said(claim) for claim in claims(text)]:
        return bare
    return text


def name_of(finding: str, side: Side | None = None) -> str:
    """A finding in a report's words, `left pleural effusion`."""
    entry = lexicon().findings.get(finding)
    name = entry.name if entry is not None else finding.replace("_", " ")
    if name[:1].isupper() and not name[:2].isupper():
        name = name[:1].lower() + name[1:]
    return f"{side.value} {name}" if side in (Side.LEFT, Side.RIGHT, Side.BILATERAL) else name


def present(finding: str, side: Side | None, *, uncertain: bool = False) -> str:
    """`Left pleural effusion.`, or `Possible left pleural effusion.`"""
    name = name_of(finding, side)
    return capital(f"possible {name}." if uncertain else f"{name}.")


def absent(findings: Iterable[tuple[str, Side | None]], by: str = "") -> str:
    """`No pneumothorax or pleural effusion.`; `by` names who says so."""
    names = list(dict.fromkeys(name_of(finding, side) for finding, side in findings))
    return f"No {listed(names, 'or')}{f' {by}' if by else ''}."


_VERB = re.compile(r"\b(?:is|are|was|were|has|have|lies?|shows?|appears?|remains?|seems?)\b", re.IGNORECASE)
"""Before a sentence with one of these "possible" cannot stand."""


def doubted(text: str, finding: str, side: Side | None, by: str) -> str:
    """A sentence about one finding turned into a possibility; `by` says what speaks against it."""
    bare = brief(text).rstrip(". ")
    if _VERB.search(bare):
        return present(finding, side, uncertain=True).rstrip(".") + f", {by}."
    hedged = capital(f"possible {lower(bare)}, {by}.")
    about = [claim for claim in claims(hedged) if claim.finding == finding]
    if about and all(claim.assertion is Assertion.UNCERTAIN for claim in about):
        return hedged
    return present(finding, side, uncertain=True).rstrip(".") + f", {by}."


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower(text: str) -> str:
    """The first letter small, unless its word is an abbreviation."""
    return text if text[1:2].isupper() or not text[1:2].isalpha() else text[:1].lower() + text[1:]


def _said(claim: Claim) -> tuple[object, ...]:
    return claim.finding, claim.assertion, claim.side


def _tidy(text: str) -> str:
    text = re.sub(r"\s+([.,;])", r"\1", " ".join(text.split())).strip(" ,;")
    if text and text[-1] not in ".!?":
        text += "."
    return capital(text) if len(text) > 1 else ""

"""The status of each system, derived by code: normal, abnormal or not assessed, which never shows as normal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from wetread.evidence import Evidence
from wetread.reports.language import lexicon, system_of
from wetread.reports.model import Claim, Statement, SystemFindings
from wetread.reports.plain import listed, plain
from wetread.reports.template import SystemSpec
from wetread.vocabulary import Assertion, Side

NO_TOOL = "No tool that was run looks at this."
NOTHING_SAID = "No statement was made about it."
NO_EVIDENCE = "No evidence stands behind what is said here."
ONE_SIDE = "Only the {} side is spoken of."
IN_PART = "Only {} was looked for."
NEITHER = "The statements say neither normal nor abnormal."


def system_findings(
    spec: SystemSpec,
    own: Sequence[Statement],
    others: Sequence[Statement],
    given_reason: str | None,
    ledger: Mapping[str, Evidence],
) -> SystemFindings:
    """The findings of one system.

    Args:
        spec: The template's system.
        own: The statements filed under it.
        others: The statements filed under other systems; one of them may speak of this system too.
        given_reason: The draft's reason for not assessing it.
        ledger: All evidence by id.

    A claim that something abnormal, or a device, is or may be there makes a system abnormal, with or without evidence.
    One that says normal, or that something abnormal is absent, makes it normal only if the statement cites evidence
    that came to an outcome, the claims are not limited to one side, and all that the system rules out is absent.
    """
    said = [(statement, _claims_for(statement, spec.key, own_system=True)) for statement in own]
    said += [
        (statement, claims) for statement in others if (claims := _claims_for(statement, spec.key, own_system=False))
    ]
    fields: dict[str, Any] = {
        "system": spec.key,
        "title": spec.title,
        "required": spec.required,
        "statements": tuple(own),
    }
    abnormal_ones = [
        statement
        for statement, claims in said
        if any(abnormal(claim) for claim in claims) or (not claims and _observed_abnormal(statement, spec.key, ledger))
    ]
    if abnormal_ones:
        return SystemFindings(status="abnormal", reason=_see(abnormal_ones, own), **fields)
    reassuring = [statement for statement, claims in said if any(_reassuring(claim) for claim in claims)]
    standing = [statement for statement in reassuring if _has_outcome(statement, ledger)]
    counted = [claim for statement, claims in said if statement in standing for claim in claims if _reassuring(claim)]
    side = _only_side(counted)
    whole = _is_whole(counted, spec.rules_out)
    if standing and side is None and whole and not given_reason:
        return SystemFindings(status="normal", reason=_see(standing, own), **fields)
    if given_reason:
        return SystemFindings(status="not_assessed", reason=plain(given_reason), reason_from="draft", **fields)
    if side is not None:
        return SystemFindings(status="not_assessed", reason=ONE_SIDE.format(side), reason_from="code", **fields)
    if standing and not whole:
        return SystemFindings(status="not_assessed", reason=_in_part(counted), reason_from="code", **fields)
    if reassuring:
        return SystemFindings(status="not_assessed", reason=NO_EVIDENCE, reason_from="code", **fields)
    if own:
        return SystemFindings(status="not_assessed", reason=NEITHER, reason_from="code", **fields)
    reason, reason_from = _why_nothing(spec, ledger)
    return SystemFindings(status="not_assessed", reason=reason, reason_from=reason_from, **fields)


def _see(deciding: Sequence[Statement], own: Sequence[Statement]) -> str | None:
    """Where to read what decided, if that is not under the system itself."""
    ids = {statement.id for statement in own}
    if any(statement.id in ids for statement in deciding):
        return None
    return f"See {', '.join(statement.id for statement in deciding)}."


def abnormal(claim: Claim) -> bool:
    """Whether a claim says that something abnormal, or a device, is or may be there."""
    if claim.assertion not in (Assertion.PRESENT, Assertion.UNCERTAIN) or claim.finding is None:
        return False
    finding = lexicon().findings.get(claim.finding)
    return finding is not None and finding.kind in ("abnormality", "device")


def _reassuring(claim: Claim) -> bool:
    if claim.finding is None:
        return False
    finding = lexicon().findings.get(claim.finding)
    if finding is None:
        return False
    if finding.kind in ("normal", "normal_variant"):
        return claim.assertion is Assertion.PRESENT
    return claim.assertion is Assertion.ABSENT


def _is_whole(claims: Sequence[Claim], rules_out: Sequence[str]) -> bool:
    """Whether reassuring claims amount to a normal system: one says so, or all that it rules out is absent.

    The absence of a kind is that of what belongs to it: "no opacity" rules out consolidation.
    """
    if not rules_out or any(claim.assertion is Assertion.PRESENT for claim in claims):
        return True
    absent = {claim.finding for claim in claims}
    return all(absent & {finding, *lexicon().broader(finding)} for finding in rules_out)


def _in_part(claims: Sequence[Claim]) -> str:
    names = [lexicon().findings[claim.finding].name for claim in claims if claim.finding in lexicon().findings]
    return IN_PART.format(listed(names))


def _only_side(claims: Iterable[Claim]) -> Side | None:
    """The one side that reassuring claims are limited to; None where they speak of the whole or of both sides."""
    sides = {claim.side for claim in claims}
    return next(iter(sides)) if len(sides) == 1 and sides <= {Side.RIGHT, Side.LEFT} else None


def _claims_for(statement: Statement, system: str, *, own_system: bool) -> list[Claim]:
    """Claims of a statement about a system; one that belongs to no system counts where the statement is filed."""
    return [c for c in statement.claims if (system_of(c) or (system if own_system else None)) == system]


def _has_outcome(statement: Statement, ledger: Mapping[str, Evidence]) -> bool:
    return any(id in ledger and ledger[id].status == "ok" for id in statement.evidence)


def _observed_abnormal(statement: Statement, system: str, ledger: Mapping[str, Evidence]) -> bool:
    """Whether cited evidence says, in these words, that something is there which the lexicon cannot name."""
    text = statement.text.lower().rstrip(". ")
    return any(
        observation.system == system
        and observation.assertion in (Assertion.PRESENT, Assertion.UNCERTAIN)
        and bool(observation.regions)
        and observation.text.lower().rstrip(". ") == text
        for id in statement.evidence
        if id in ledger
        for observation in ledger[id].observations
    )


def _why_nothing(spec: SystemSpec, ledger: Mapping[str, Evidence]) -> tuple[str, Literal["evidence", "code"]]:
    looked = [evidence for evidence in ledger.values() if evidence.tool in spec.tools]
    if not looked:
        return NO_TOOL, "code"
    if any(evidence.status == "ok" for evidence in looked):
        return NOTHING_SAID, "code"
    reasons = []
    for evidence in looked:
        why = f": {plain(evidence.reason.message)}" if evidence.reason is not None else "."
        reasons.append(f"{evidence.tool} {evidence.status} ({evidence.id}){why}")
    return " ".join(dict.fromkeys(reasons)), "evidence"

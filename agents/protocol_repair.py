"""A draft mended by rule: what each issue of a check asks for, and nothing else changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wetread.agents import protocol_wording as words
from wetread.agents.protocol_answers import text_of
from wetread.agents.protocol_impression import abnormal_claims, impression_lines, recommendations
from wetread.agents.protocol_phrasing import Line, in_order
from wetread.reports.language import claims, system_of
from wetread.reports.template import ReportTemplate
from wetread.vocabulary import Assertion

UNCONFIRMED = "What tools said of it could not be confirmed."

_REWORDED = frozenset({"PRI-1"})
_OPPOSED = frozenset({"GRD-2"})
_ADDED = frozenset({"CON-4"})
_SYSTEM = frozenset({"SEC-1"})


@dataclass(frozen=True, slots=True)
class Plan:
    """A draft in parts."""

    findings: tuple[Line, ...]
    impression: tuple[Line, ...]
    recommendations: tuple[str, ...]
    not_assessed: Mapping[str, str]


def read_plan(arguments: Mapping[str, Any], template: ReportTemplate) -> Plan:
    """A draft as it was submitted."""
    return Plan(
        findings=tuple(in_order(_lines(arguments.get("findings")), template)),
        impression=tuple(_lines(arguments.get("impression"))),
        recommendations=tuple(text for text in arguments.get("recommendations") or () if isinstance(text, str)),
        not_assessed=dict(arguments.get("not_assessed") or {}),
    )


def repaired_plan(plan: Plan, issues: Sequence[Mapping[str, Any]], template: ReportTemplate) -> Plan:
    """The draft without what its issues of severity error are about.

    A comparison is taken out of its sentence; evidence that says the opposite is not cited for it; a finding that the
    impression lost comes back to it; a normal or negative statement that an error is about is dropped. What a tool saw
    is never dropped: said as plainly as can be, it stays, with the issue if that helps nothing. The impression then
    follows the findings that are left; a system that lost all its statements is not assessed.
    """
    places = _places(plan)
    findings: dict[int, Line | None] = {}
    dropped: set[int] = set()
    impression_changed = False
    reasons = dict(plan.not_assessed)
    for issue in issues:
        if issue.get("severity") != "error":
            continue
        code, where = text_of(issue.get("code")), text_of(issue.get("where"))
        section, place = places.get(where, ("", -1))
        impression_changed = impression_changed or code in _ADDED
        if section == "findings":
            line = findings.get(place, plan.findings[place])
            findings[place] = _mended(line, code, issue)
        elif section == "impression":
            impression_changed = True
            if code not in _ADDED:
                dropped.add(place)
        elif code in _SYSTEM and template.system(where) is not None:
            reasons.setdefault(where, UNCONFIRMED)
    kept = tuple(line for place, one in enumerate(plan.findings) if (line := findings.get(place, one)) is not None)
    changed = any(line != plan.findings[place] for place, line in findings.items())
    impression = tuple(line for place, line in enumerate(plan.impression) if place not in dropped)
    if changed or impression_changed or not impression:
        banned = {plan.impression[place] for place in dropped if not abnormal_claims(plan.impression[place].text)}
        impression = tuple(line for line in impression_lines(kept, template) if replace(line, system="") not in banned)
    for line in plan.findings:
        if not _spoken(line.system, kept):
            reasons.setdefault(line.system, UNCONFIRMED)
    wanted = tuple(recommendations(kept)) if changed else plan.recommendations
    return Plan(kept, impression, wanted, reasons)


def _places(plan: Plan) -> dict[str, tuple[str, int]]:
    """Statement ids as a report gives them: findings in order, then impression, then recommendations."""
    counted = [("findings", place) for place in range(len(plan.findings))]
    counted += [("impression", place) for place in range(len(plan.impression))]
    return {f"S{number}": where for number, where in enumerate(counted, 1)}


def _mended(line: Line | None, code: str, issue: Mapping[str, Any]) -> Line | None:
    if line is None or code in _ADDED:
        return line
    if code in _REWORDED and (bare := words.without_comparison(line.text)) is not None:
        return replace(line, text=bare)
    if code in _OPPOSED and (left := tuple(id for id in line.evidence if id not in (issue.get("evidence") or ()))):
        return replace(line, evidence=left)
    return _plain(line)


def _plain(line: Line) -> Line | None:
    """Only what it says is abnormal, in the plainest words; nothing where it says nothing of the kind."""
    there = abnormal_claims(line.text)
    said = [
        words.present(claim.finding, claim.side, uncertain=claim.assertion is Assertion.UNCERTAIN)
        for claim in there
        if claim.finding
    ]
    return replace(line, text=" ".join(dict.fromkeys(said))) if said else None


def _spoken(system: str, lines: Iterable[Line]) -> bool:
    return any(line.system == system or system in {system_of(claim) for claim in claims(line.text)} for line in lines)


def _lines(rows: Any) -> list[Line]:
    return [
        Line(text_of(row.get("system")), text_of(row.get("text")), tuple(row.get("evidence") or ()))
        for row in rows or ()
        if isinstance(row, dict)
    ]

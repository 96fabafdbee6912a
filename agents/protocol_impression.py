"""Impression and recommendations by rules: abnormal findings by urgency, nothing that is not in the findings."""

from __future__ import annotations

from collections.abc import Sequence

from wetread.agents import protocol_wording as words
from wetread.agents.protocol_phrasing import Line
from wetread.reports.language import claims, lexicon, system_of
from wetread.reports.model import Claim
from wetread.reports.plain import listed
from wetread.reports.template import ReportTemplate
from wetread.vocabulary import Assertion, Side

NORMAL = "No acute cardiopulmonary abnormality."
SO_FAR = "No {acute}abnormality in what was assessed."
MISSING = "Not assessed: {missing}."
NOTHING = "Nothing was assessed: no tool gave findings."
CT = "Chest CT is recommended to characterise the {findings}."
TELL = "Prompt communication with the referring clinician is advised: {findings}."

CHRONIC = 10
"""Up to this urgency of the lexicon a finding is old or harmless: where nothing else is, nothing is acute."""

_NEEDS_CT = frozenset({"nodule", "mass", "lung_nodule", "lung_mass"})


def impression_lines(lines: Sequence[Line], template: ReportTemplate) -> list[Line]:
    """The impression: every abnormal finding once, most urgent first, what is certain before what is possible.

    Where nothing is abnormal, or nothing acute, it says so first, with the required systems that were not assessed.
    """
    abnormal = [(line, said) for line in lines if (said := abnormal_claims(line.text))]
    abnormal.sort(key=lambda pair: _rank(pair[1]))
    told: set[tuple[str | None, Side | None]] = set()
    made: list[Line] = []
    for line, said in abnormal:
        new = {(claim.finding, claim.side) for claim in said}
        if not new <= told:
            told |= new
            made.append(Line(line.system, words.brief(line.text), line.evidence))
    if all(_rank(said)[0] >= -CHRONIC for _, said in abnormal):
        made.insert(0, _nothing_acute(lines, template, acute=bool(made)))
    return made


def recommendations(lines: Sequence[Line]) -> list[str]:
    """What follows from findings by rule. From a radiograph CT is recommended without an interval."""
    found = [claim for line in lines for claim in abnormal_claims(line.text)]
    made = []
    for_ct = _names_together([claim for claim in found if claim.finding in _NEEDS_CT])
    if for_ct:
        made.append(CT.format(findings=listed(for_ct)))
    critical = _names([claim for claim in found if claim.finding and _critical(claim.finding)])
    if critical:
        made.append(TELL.format(findings=listed(critical)))
    return made


def abnormal_claims(text: str) -> list[Claim]:
    """What a sentence says is, or may be, abnormal."""
    return [
        claim
        for claim in claims(text)
        if claim.assertion in (Assertion.PRESENT, Assertion.UNCERTAIN)
        and (entry := lexicon().findings.get(claim.finding or "")) is not None
        and entry.kind == "abnormality"
    ]


def _nothing_acute(lines: Sequence[Line], template: ReportTemplate, *, acute: bool) -> Line:
    """That nothing is abnormal, or acute, as far as it was assessed."""
    evidence = tuple(dict.fromkeys(id for line in lines for id in line.evidence))
    spoken = {line.system for line in lines}
    spoken |= {system for line in lines for claim in claims(line.text) if (system := system_of(claim))}
    missing = [system.title.lower() for system in template.systems if system.required and system.key not in spoken]
    if not lines:
        return Line("", NOTHING, ())
    if not missing:
        return Line("", NORMAL, evidence)
    text = SO_FAR.format(acute="acute " if acute else "")
    named = f"{text} {MISSING.format(missing='; '.join(missing))}"
    # named only where the names alone claim nothing: a report's reader parses them too
    return Line("", named if len(claims(named)) == len(claims(text)) else text, evidence)


def _rank(said: Sequence[Claim]) -> tuple[int, bool]:
    urgency = max(lexicon().findings[claim.finding].urgency for claim in said if claim.finding)
    return -urgency, all(claim.assertion is Assertion.UNCERTAIN for claim in said)


def _critical(finding: str) -> bool:
    entry = lexicon().findings.get(finding)
    return entry is not None and entry.critical


def _names(found: Sequence[Claim]) -> list[str]:
    """The findings in words, each once; one that is certain is not named as possible too."""
    named: dict[str, bool] = {}
    for claim in found:
        if claim.finding:
            name = words.name_of(claim.finding, claim.side)
            named[name] = named.get(name, True) and claim.assertion is Assertion.UNCERTAIN
    return [f"possible {name}" if uncertain else name for name, uncertain in named.items()]


def _names_together(found: Sequence[Claim]) -> list[str]:
    """The findings in words, those of one kind in several places under one name: "lung masses"."""
    places: dict[str, set[Side | None]] = {}
    for claim in found:
        places.setdefault(claim.finding or "", set()).add(claim.side)
    named = []
    for finding, sides in places.items():
        together = [claim for claim in found if claim.finding == finding]
        if len(sides) == 1 and Side.BILATERAL not in sides:
            named += _names(together)
            continue
        name = words.name_of(finding, None)
        plural = f"{name}es" if name.endswith("s") else f"{name}s"
        possible = all(claim.assertion is Assertion.UNCERTAIN for claim in together)
        named.append(f"possible {plural}" if possible else plural)
    return named

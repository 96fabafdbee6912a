"""Findings from the tools' answers: one line per statement, each with the evidence that says so.

The findings model's own sentences are the ground; the classifier can cast doubt on them or add a possibility, and its
absences fill in what the findings model does not speak of; measurements come as slots. Nothing is said of what no tool
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wetread.agents import protocol_wording as words
from wetread.agents.protocol_answers import Asked, Reading, text_of
from wetread.reports.language import NORMAL, claims, lexicon, system_of
from wetread.reports.template import ReportTemplate
from wetread.vocabulary import Assertion, Side

UPPER_CARDIOTHORACIC_RATIO = 0.5
"""Above it the heart counts as enlarged on an upright PA view (Danzer 1919)."""

MAX_CHARACTERS = 1_500
"""A longer sentence of a tool is cut, visibly: drafts take no longer ones."""

_BY_CLASSIFIER = "by image classification"
_DISAGREE = "the findings model and image classification disagree"
_ALONE = "by image classification alone"

_ASSERTIONS: dict[str, Assertion] = {one.value: one for one in Assertion}
_SIDES: dict[str, Side] = {one.value: one for one in Side}

_BOX_DIAMETER = re.compile(r"_\d+_diameter$")

# beside the lexicon's own kinds: what a radiograph, and so two tools, often cannot tell apart
_ALIKE = {"consolidation": ("pneumonia",), "pneumonia": ("consolidation",), "nodule": ("mass",), "mass": ("nodule",)}


@dataclass(frozen=True, slots=True)
class Line:
    """One statement to be."""

    system: str
    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What one tool says of one finding."""

    finding: str | None
    system: str | None
    assertion: Assertion
    side: Side | None

    @property
    def key(self) -> str:
        """The finding; that something is normal is said of a system."""
        return f"{NORMAL}:{self.system}" if self.finding == NORMAL else self.finding or ""

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Said:
        assertion, side = text_of(row.get("assertion")), text_of(row.get("side"))
        return cls(
            finding=text_of(row.get("finding")) or None,
            system=text_of(row.get("system")) or None,
            assertion=_ASSERTIONS.get(assertion, Assertion.PRESENT),
            side=_SIDES.get(side),
        )


@dataclass(frozen=True, slots=True)
class Vote:
    """What the classifier says of one finding, and in which evidence."""

    says: Assertion
    evidence: str


def finding_lines(reading: Reading, template: ReportTemplate) -> list[Line]:
    """Every statement of the findings, in the template's order of systems."""
    votes = _votes(reading)
    lines: list[Line] = []
    spoken: dict[str, Assertion] = {}
    for answer in reading.by_tool("report_findings"):
        lines += _from_findings(answer, reading, template, votes, spoken)
    lines += _from_classifier(votes, spoken)
    lines += _from_measurements(reading, spoken)
    return in_order(lines, template)


def in_order(lines: Iterable[Line], template: ReportTemplate) -> list[Line]:
    """The lines in the order in which a report numbers them: by system; the same line once."""
    order = [system.key for system in template.systems]
    unique = dict.fromkeys(lines)
    return sorted(unique, key=lambda line: order.index(line.system) if line.system in order else len(order))


def not_assessed(reading: Reading, template: ReportTemplate, lines: Sequence[Line]) -> dict[str, str]:
    """Why nothing is said of a system, where a tool looked at it and said nothing: no other reason needs words."""
    spoken = {line.system for line in lines}
    spoken |= {system for line in lines for claim in claims(line.text) if (system := system_of(claim))}
    answered = {one.tool for one in reading.asked if one.ok}
    compared = any(_dropped(row, reading) for one in reading.by_tool("report_findings") for row in one.rows("findings"))
    why = "The findings model says nothing of it."
    if compared:
        why = "The findings model says nothing of it without comparing with a study that it was not given."
    return {
        system.key: why
        for system in template.systems
        if system.key not in spoken and "report_findings" in system.tools and "report_findings" in answered
    }


def same(finding: str, other: str) -> bool:
    """Whether what one tool says of a finding, another need not say again of the other."""
    return lexicon().related(finding, other) or other in _ALIKE.get(finding, ())


def _votes(reading: Reading) -> dict[str, Vote]:
    votes: dict[str, Vote] = {}
    for answer in reading.by_tool("classify"):
        for row in answer.rows("findings"):
            finding, says = text_of(row.get("finding")), text_of(row.get("says"))
            if finding and says in _ASSERTIONS:
                votes[finding] = Vote(_ASSERTIONS[says], answer.evidence)
    return votes


def _from_findings(
    answer: Asked,
    reading: Reading,
    template: ReportTemplate,
    votes: Mapping[str, Vote],
    spoken: dict[str, Assertion],
) -> list[Line]:
    lines: list[Line] = []
    known = [system.key for system in template.systems]
    near = "lungs" if "lungs" in known else known[0]
    found = _found(answer)
    for row in answer.rows("findings"):
        text = words.capital(text_of(row.get("text")).strip())
        text = text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS].rstrip()} [cut]"
        said = [Said.read(row), *(Said.read(one) for one in row.get("also") or () if isinstance(one, dict))]
        named = [one for one in said if one.finding]
        if not text or (not named and words.is_technique(text)):
            continue
        # what belongs to a system that the template does not have is kept under its own
        near = next((one.system for one in said if one.system), near)
        line = Line(near, text, (answer.evidence,))
        if not reading.compares and words.compares(text):
            line = replace(line, text=_without_comparison(text, named))
            if not line.text:
                continue
        named = _denials(named, votes, found)
        for one in named:
            if spoken.get(one.key) is not Assertion.PRESENT:
                spoken[one.key] = one.assertion
        lines += _weighed(line, named, votes, found)
    return lines


def _found(answer: Asked) -> frozenset[str]:
    """What the findings model says is or may be there, on any side."""
    rows = (row for row in answer.rows("findings"))
    said = (Said.read(one) for row in rows for one in (row, *(row.get("also") or ())) if isinstance(one, dict))
    there = (Assertion.PRESENT, Assertion.UNCERTAIN)
    return frozenset(one.finding for one in said if one.finding and one.assertion in there)


def _without_comparison(text: str, named: Sequence[Said]) -> str:
    """The sentence for today alone; empty where nothing of it can be said without the earlier study.

    "No new opacity" and "has resolved" deny nothing for today: only what is or may be there is kept.
    """
    there = [
        one for one in named if one.assertion in (Assertion.PRESENT, Assertion.UNCERTAIN) and one.finding != NORMAL
    ]
    if not there:
        return ""
    bare = words.without_comparison(text) if len(there) == len(named) else None
    return bare or " ".join(_plainly(one) for one in there)


def _dropped(row: Mapping[str, Any], reading: Reading) -> bool:
    text = text_of(row.get("text"))
    if reading.compares or not words.compares(text):
        return False
    said = [Said.read(row), *(Said.read(one) for one in row.get("also") or () if isinstance(one, dict))]
    return not _without_comparison(text, [one for one in said if one.finding])


def _plainly(said: Said) -> str:
    assert said.finding is not None
    return words.present(said.finding, said.side, uncertain=said.assertion is Assertion.UNCERTAIN)


def _weighed(line: Line, named: Sequence[Said], votes: Mapping[str, Vote], found: frozenset[str]) -> list[Line]:
    """A sentence against what the classifier says of its findings; where they disagree, both sides are told."""
    against = [one for one in named if _disagrees(one, votes, found)]
    if not against:
        return [line]
    lines = []
    rest = [one for one in named if one not in against]
    if rest:
        # that the rest is normal is no sentence of its own any more: left unsaid
        there = [one for one in rest if one.assertion is not Assertion.ABSENT and one.finding != NORMAL]
        missing = [(one.finding, one.side) for one in rest if one.assertion is Assertion.ABSENT and one.finding]
        lines += [replace(line, text=_plainly(one)) for one in there]
        lines += [replace(line, text=words.absent(missing))] if missing else []
    for one in against:
        assert one.finding is not None
        both = (*line.evidence, votes[one.finding].evidence)
        system = one.system or line.system
        if one.assertion is Assertion.ABSENT:
            text = words.present(one.finding, one.side, uncertain=True).rstrip(".") + f", {_DISAGREE}."
        elif len(named) == 1:
            text = words.doubted(line.text, one.finding, one.side, _DISAGREE)
        else:
            text = words.present(one.finding, one.side, uncertain=True).rstrip(".") + f", {_DISAGREE}."
        lines.append(Line(system, text, both))
    return lines


def _denials(named: Sequence[Said], votes: Mapping[str, Vote], found: frozenset[str]) -> list[Said]:
    """What a sentence says, where "normal" said of a system counts as absence of what the classifier sees there."""
    read: list[Said] = []
    for one in named:
        seen = [
            finding
            for finding, vote in votes.items()
            if one.finding == NORMAL
            and vote.says is Assertion.PRESENT
            and finding not in found
            and (entry := lexicon().findings.get(finding)) is not None
            and entry.system == one.system
        ]
        read += [Said(finding, one.system, Assertion.ABSENT, None) for finding in seen] or [one]
    return read


def _disagrees(said: Said, votes: Mapping[str, Vote], found: frozenset[str]) -> bool:
    vote = votes.get(said.finding or "")
    if vote is None:
        return False
    if said.assertion is Assertion.ABSENT and said.finding in found:
        return False  # absent here and found elsewhere: the classifier, which knows no place, sees the other one
    opposite = {Assertion.PRESENT: Assertion.ABSENT, Assertion.ABSENT: Assertion.PRESENT}
    return opposite.get(said.assertion) is vote.says


def _from_classifier(votes: Mapping[str, Vote], spoken: Mapping[str, Assertion]) -> list[Line]:
    """Findings of which the findings model does not speak."""
    lines: list[Line] = []
    missing: dict[tuple[str, str], list[tuple[str, Side | None]]] = {}
    for finding, vote in votes.items():
        entry = lexicon().findings.get(finding)
        if entry is None or not entry.system or any(same(finding, one) for one in spoken):
            continue
        if vote.says is Assertion.ABSENT and f"{NORMAL}:{entry.system}" in spoken:
            continue
        if vote.says is Assertion.PRESENT:
            text = words.present(finding, None, uncertain=True).rstrip(".") + f", {_ALONE}."
            lines.append(Line(entry.system, text, (vote.evidence,)))
        elif vote.says is Assertion.ABSENT:
            missing.setdefault((entry.system, vote.evidence), []).append((finding, None))
    for (system, evidence), findings in missing.items():
        lines.append(Line(system, words.absent(findings, _BY_CLASSIFIER), (evidence,)))
    return lines


def _from_measurements(reading: Reading, spoken: Mapping[str, Assertion]) -> list[Line]:
    lines = []
    for answer in reading.by_tool("measure"):
        for row in answer.rows("measurements"):
            slot, name = text_of(row.get("slot")), text_of(row.get("name"))
            if name == "cardiothoracic_ratio" and slot:
                lines.append(Line("heart", _ratio(slot, row, reading, answer, spoken), (answer.evidence,)))
            elif slot and (entry := lexicon().findings.get(_BOX_DIAMETER.sub("", name))) is not None and entry.system:
                text = f"The box around the {entry.name} measures {slot} along its larger edge."
                lines.append(Line(entry.system, text, (answer.evidence,)))
    return lines


def _ratio(slot: str, row: Mapping[str, Any], reading: Reading, answer: Asked, spoken: Mapping[str, Assertion]) -> str:
    """The cardiothoracic ratio, and what it means where it means something: on a PA view."""
    note = text_of(row.get("note")).strip(" .")
    aside = f" ({words.lower(note)})" if note and not re.search(r"\d", note) else ""
    handle = answer.arguments.get("image")
    image = next((one for one in reading.images if one.get("handle") == handle), reading.image("frontal"))
    try:
        ratio = float(text_of(row.get("text")).split()[0])
    except (ValueError, IndexError):
        return f"The cardiothoracic ratio is {slot}{aside}."
    if image is None or image.get("view") != "PA":
        return f"The cardiothoracic ratio is {slot}{aside}."
    large = ratio > UPPER_CARDIOTHORACIC_RATIO
    said = spoken.get("cardiomegaly") or (Assertion.ABSENT if f"{NORMAL}:heart" in spoken else None)
    if said is None and large:
        return f"Cardiomegaly, with a cardiothoracic ratio of {slot}{aside}."
    if (said is Assertion.ABSENT and large) or (said is Assertion.PRESENT and not large):
        where = "above" if large else "within"
        against = f"against the description of the heart{aside}"
        return f"The cardiothoracic ratio of {slot} is {where} the usual limit, {against}."
    return f"The cardiothoracic ratio is {slot}{aside}."

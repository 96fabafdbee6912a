"""What renderings share: words for statuses, issues at their places, text cut at issues' spans, marks on images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from wetread.evidence import Box, Evidence, Region
from wetread.reports import critical
from wetread.reports.model import (
    CriticalResult,
    Issue,
    Report,
    ReportField,
    ReportImage,
    Section,
    Severity,
    Statement,
    SystemFindings,
)
from wetread.study import StudyImage
from wetread.vocabulary import Assertion, Side

STATUS_WORDS = {"normal": "Normal", "abnormal": "Finding", "not_assessed": "Not assessed"}

MODE_WORDS = {
    "simulated": ("SIMULATED", "Answers of a simulator. They mean nothing about a patient."),
    "replay": ("REPLAY", "Recorded answers, replayed. No model was called for this report."),
    "authored": ("AUTHORED", "Answers written by hand, not by a model."),
}
"""For each mode the word that nobody may overlook, and what it means."""

FINDINGS = "findings"
"""The layer of all boxes."""

TINTS = ("#ffb52e", "#56b4e9", "#e391c4", "#3cc8a0", "#f0e442", "#ff8a4c")
"""Colours of layers, findings first; told apart by people who see colours differently (after Okabe and Ito 2008).

`report.css` has the same.
"""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a statement's text, and the worst severity and codes of the issues about just this run."""

    text: str
    severity: Severity | None = None
    codes: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """One region on an image, drawn once however many statements point at it."""

    id: str
    image: str
    label: str
    side: Side | None
    box: Box | None
    mask: str | None
    layer: str
    statements: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(slots=True)
class _Collected:
    region: Region
    layer: str
    statements: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)


def issues_at(report: Report, where: str | None) -> list[Issue]:
    """The report's issues at a place, the worst first."""
    return sorted((i for i in report.issues if i.where == where), key=lambda i: SEVERITIES.index(i.severity))


def issues_elsewhere(report: Report) -> list[Issue]:
    """Issues at no place that a rendering shows."""
    shown = {section.name for section in report.sections} | {"findings", "impression", "recommendation"}
    shown |= {system.system for system in report.findings} | {statement.id for statement in report.statements()}
    shown |= {field.place for field in form(report)}
    return [issue for issue in report.issues if issue.where not in shown]


def order_sections(report: Report) -> list[Section]:
    """The sections that stand before the findings."""
    return [section for section in report.sections if section.name not in ("exam", critical.SECTION)]


def form(report: Report) -> list[ReportField]:
    """The template's form fields; what was submitted for fields that there are not shows as an issue alone."""
    return [field for field in report.fields if field.known]


def field_note(field: ReportField) -> str:
    """What a reader should know of a field beside its value; of an empty one, that and why it is empty."""
    if field.value is not None:
        return {"code": "by table", "person": "by a person"}.get(field.source or "", "")
    if field.reason is not None and field.refused is None:
        return field.reason
    signing = {
        "prohibit": " Needed before anybody signs.",
        "alert": " Asked for when somebody signs.",
        "silent": "",
    }
    return "Not filled." + (signing[field.unfilled] if field.required else "")


def field_issues(report: Report, field: ReportField) -> list[Issue]:
    """The issues about a field; that it is empty its note says already."""
    return [issue for issue in issues_at(report, field.place) if issue.code != "SEC-1"]


def critical_word(result: CriticalResult) -> str:
    """`Left pneumothorax`, `Possible left pneumothorax`."""
    name = result.name if result.assertion is Assertion.PRESENT else f"possible {result.name}"
    return name[:1].upper() + name[1:]


def told(result: CriticalResult) -> str:
    """Who was told of a critical result, or that nobody is recorded."""
    return critical.communication_line(result.communication)


def counted(issues: Sequence[Issue]) -> str:
    """`2 errors, 1 warning`; empty for none."""
    parts = []
    for severity in SEVERITIES:
        count = sum(issue.severity == severity for issue in issues)
        if count:
            noun = "note" if severity == "info" else severity
            parts.append(f"{count} {noun}{'s' if count > 1 else ''}")
    return ", ".join(parts)


def pieces(statement: Statement, issues: Iterable[Issue]) -> list[Piece]:
    """A statement's text, cut where issues about a part of it begin and end; those about all of it cut nothing."""
    length = len(statement.text)
    spans = [
        (max(0, issue.start), min(length, issue.end), issue)
        for issue in issues
        if issue.start is not None and issue.end is not None and issue.start < issue.end
    ]
    spans = [(start, end, issue) for start, end, issue in spans if end - start < length and start < length]
    cuts = sorted({0, length, *(start for start, _, _ in spans), *(end for _, end, _ in spans)})
    cut = []
    for start, end in pairwise(cuts):
        here = [issue for first, last, issue in spans if first <= start and end <= last]
        worst = min((issue.severity for issue in here), key=SEVERITIES.index, default=None)
        codes = ", ".join(dict.fromkeys(issue.code for issue in here))
        cut.append(Piece(statement.text[start:end], worst, codes))
    return cut


def marks(report: Report) -> list[Mark]:
    """Every region that a statement points at, then segmented structures that no statement points at."""
    owners: dict[Region, list[str]] = {}
    structures: dict[Region, None] = {}
    for evidence in report.evidence:
        for region in evidence.regions:
            structures[region] = None
            owners.setdefault(region, []).append(evidence.id)
        for observation in evidence.observations:
            for region in observation.regions:
                owners.setdefault(region, []).append(evidence.id)
    found: dict[tuple[object, ...], _Collected] = {}
    pointed = [(region, statement.id) for statement in report.statements() for region in statement.regions]
    for region, id in [*pointed, *((region, "") for region in structures)]:
        key = (region.image, region.box, region.mask)
        kept = found.setdefault(key, _Collected(region, region.label if region.mask else FINDINGS))
        if id and id not in kept.statements:
            kept.statements.append(id)
        kept.evidence += [owner for owner in owners.get(region, ()) if owner not in kept.evidence]
    return [
        Mark(
            id=f"m{number}",
            image=one.region.image,
            label=one.region.label,
            side=one.region.side,
            box=one.region.box if one.region.mask is None else None,
            mask=one.region.mask,
            layer=one.layer or "structure",
            statements=tuple(one.statements),
            evidence=tuple(one.evidence),
        )
        for number, one in enumerate(found.values(), start=1)
    ]


def layer_tints(drawn: Iterable[Mark]) -> dict[str, int]:
    """The place in `TINTS` of each layer of one image: findings first, structures in the order of their names."""
    layers = sorted({mark.layer for mark in drawn} - {FINDINGS})
    return {FINDINGS: 0} | {layer: 1 + place % (len(TINTS) - 1) for place, layer in enumerate(layers)}


def image_title(image: ReportImage | StudyImage) -> str:
    """`image_1 · PA · current`, as a person reads it."""
    view = "view not known" if image.view == "unknown" else image.view
    when = "prior" if image.role == "prior" else "current"
    if image.role == "prior" and image.acquired is not None:
        when += f", {image.acquired.isoformat()}"
    return f"{image.handle} · {image.modality} {view} · {when}"


def status_word(system: SystemFindings) -> str:
    return STATUS_WORDS[system.status]


def outcome(evidence: Evidence) -> str:
    """The evidence's summary, unless its reason says the same."""
    said = evidence.reason is not None and evidence.summary.strip(". ") in evidence.reason.message
    return "" if said else evidence.summary


def model_name(evidence: Evidence) -> str:
    """Model and version, the version only where it is known."""
    version = evidence.model.version
    return evidence.model.name if version in ("", "unknown") else f"{evidence.model.name} {version}"


def grounding_line(report: Report) -> str:
    """The grounding figures as one line."""
    g = report.grounding
    parts = [f"{g.grounded} of {g.statements} statements grounded"]
    if g.contradicted:
        parts.append(f"{g.contradicted} contradicted")
    if g.not_assessed:
        parts.append(f"{g.not_assessed} system{'s' if g.not_assessed > 1 else ''} not assessed")
    return ", ".join(parts)

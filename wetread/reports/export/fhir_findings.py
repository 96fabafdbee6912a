"""FHIR Observations: one for each finding that a statement speaks of, each measurement, each filled form field, and
each system that was not assessed (with the reason as absent data: it never reads as normal).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wetread.evidence import Evidence, Measurement, Region
from wetread.reports.export.fhir_parts import (
    CERTAINTY,
    LATERALITY,
    Parts,
    Resource,
    concept,
    hl7_concept,
    identifier,
    instant,
    line,
    loinc_concept,
    paragraph,
    quantity,
)
from wetread.reports.export.fhir_sources import add_model
from wetread.reports.language.codes import code_of
from wetread.reports.language.lexicon import lexicon
from wetread.reports.model import Claim, ReportField, Statement, SystemFindings
from wetread.reports.view import model_name
from wetread.vocabulary import Assertion, Origin

_REAL = {Assertion.PRESENT, Assertion.UNCERTAIN}


@dataclass(slots=True)
class Observations:
    """URNs of the Observations made: all of them, those of each system, and those that rest on each evidence."""

    all: list[str] = field(default_factory=list)
    by_system: dict[str, list[str]] = field(default_factory=dict)
    by_evidence: dict[str, list[str]] = field(default_factory=dict)

    def note(self, urn: str, system: str | None, evidence: Iterable[str]) -> None:
        """Remember one that was made."""
        if urn not in self.all:
            self.all.append(urn)
            self.by_system.setdefault(system or "", []).append(urn)
            for id in evidence:
                self.by_evidence.setdefault(id, []).append(urn)


class _Maker:
    def __init__(self, parts: Parts, subject: Resource, study: str) -> None:
        self.parts = parts
        self.subject = subject
        self.study = study
        self.evidence = {evidence.id: evidence for evidence in parts.report.evidence}
        self.made = Observations()

    def statement(self, statement: Statement, system: str) -> None:
        """Observations of a statement: its measurements first, then each finding, resting on them."""
        measured = [self._measurement(statement, measurement, system) for measurement in statement.measurements]
        for number, claim in enumerate(statement.claims, start=1):
            self._claim(statement, claim, number, measured, system)
        if not statement.claims and not measured:
            value: Resource = {"valueString": line(statement.text)}
            self._add(f"{statement.id}/text", concept(self._title(system)), value, statement, system)

    def not_assessed(self, system: SystemFindings) -> None:
        """That nothing is said of a system, and why."""
        why = system.reason or "no reason given"
        absent: Resource = {
            "dataAbsentReason": {**hl7_concept("data-absent-reason", "not-performed"), "text": line(why)}
        }
        note = f"{system.title}: not assessed: {why}"
        self._add(f"system/{system.system}", concept(system.title), absent, None, system.system, note=note)

    def form_field(self, filled: ReportField) -> None:
        """A filled field of the template's form."""
        value: Resource = {"valueString": line(filled.shown)}
        if filled.type == "number" and filled.value is not None:
            digits = len(filled.value.partition(".")[2])
            value = {"valueQuantity": quantity(float(filled.value), filled.unit or "1", digits)}
        elif filled.type == "date" and filled.value is not None:
            value = {"valueDateTime": filled.value}
        code = loinc_concept(filled.title, filled.loinc)
        note = f"{filled.title}: {filled.shown}"
        asserted = filled.source != "person"
        self._add(
            f"field/{filled.name}",
            code,
            value,
            None,
            filled.system,
            note=note,
            cited=filled.evidence,
            asserted=asserted,
        )

    def _claim(self, statement: Statement, claim: Claim, number: int, measured: list[str], system: str) -> None:
        finding = lexicon().findings.get(claim.finding or "")
        name = finding.name if finding else self._title(system)
        code = concept(name[:1].upper() + name[1:], code_of("findings", claim.finding or ""))
        body: Resource = {
            "valueCodeableConcept": concept(claim.assertion.value, code_of("assertions", claim.assertion.value))
        }
        anatomy = lexicon().anatomies.get(claim.anatomy or "")
        if anatomy:
            place = f"{claim.side.value} {anatomy.name}" if claim.side else anatomy.name
            body["bodySite"] = concept(place, code_of("anatomies", anatomy.key))
        components = list(self._components(statement, claim))
        if components:
            body["component"] = components
        self._add(f"{statement.id}/{number}", code, body, statement, system, measured=measured)

    def _components(self, statement: Statement, claim: Claim) -> Iterator[Resource]:
        if claim.side:
            side = concept(claim.side.value, code_of("sides", claim.side.value))
            yield {"code": concept("Laterality", LATERALITY), "valueCodeableConcept": side}
        if claim.change:
            code = concept("Change against the comparison study")
            yield {"code": code, "valueCodeableConcept": concept(claim.change.value)}
        if claim.qualifiers:
            yield {"code": concept("Qualifiers"), "valueString": line(", ".join(claim.qualifiers))}
        for evidence in self._cited(statement.evidence):
            for seen in evidence.observations:
                same = seen.finding is not None and seen.finding == claim.finding
                if same and seen.probability is not None and seen.side in (None, claim.side):
                    # DCM 111012 is the certainty of a finding that is there: a denied one's is not that
                    known = CERTAINTY if claim.assertion in _REAL else None
                    text = f"Probability that the finding is present, by {evidence.tool} ({evidence.id})"
                    yield {"code": concept(text, known), "valueQuantity": quantity(seen.probability * 100, "%", 1)}

    def _measurement(self, statement: Statement, measurement: Measurement, system: str) -> str:
        name = measurement.name.replace("_", " ")
        body: Resource = {"valueQuantity": quantity(measurement.value, measurement.unit, measurement.digits)}
        if measurement.method:
            body["method"] = concept(measurement.method)
        cited = [e.id for e in self._cited(statement.evidence) if measurement in e.measurements] or statement.evidence
        place = measurement.image or "image"
        return self._add(
            f"measurement/{'+'.join(cited)}/{place}/{measurement.name}",
            concept(name[:1].upper() + name[1:]),
            body,
            statement,
            system,
            cited=tuple(cited),
            note=f"{name[:1].upper() + name[1:]} {measurement.text}, on {place}.",
            asserted=True,
        )

    def _add(
        self,
        key: str,
        code: Resource,
        body: Resource,
        statement: Statement | None,
        system: str | None,
        *,
        cited: tuple[str, ...] | None = None,
        note: str | None = None,
        measured: Iterable[str] = (),
        asserted: bool | None = None,
    ) -> str:
        report = self.parts.report
        cited = cited if cited is not None else statement.evidence if statement else ()
        said = note or (statement.text if statement else "")
        if asserted is None:
            asserted = not self._by_person(statement)
        notes = [said, *(f"Evidence {_shown(evidence)}" for evidence in self._cited(cited))]
        notes += [_place(region) for region in (statement.regions if statement else ()) if region.box]
        urn = self.parts.id(f"observation/{key}")
        observation: Resource = {
            "resourceType": "Observation",
            **self.parts.meta(asserted=asserted),
            **self.parts.text(paragraph(said, title=statement.id if statement else None)),
            "identifier": [identifier(urn)],
            "status": self.parts.observation_status,
            "category": [hl7_concept("observation-category", "imaging")],
            "code": code,
            "subject": self.subject,
            "issued": instant(report.created),
            **body,
            "note": [{"text": line(text)} for text in notes],
        }
        when = effective(self.parts)
        if when:
            observation["effectiveDateTime"] = when
        devices = [add_model(self.parts, one) for one in self._cited(cited) if one.origin is not Origin.PERSON]
        if devices:
            # R4B has room for one device; the Provenance of each evidence names the others
            observation["device"] = self.parts.reference(devices[0])
        derived = [self.study, *measured]
        observation["derivedFrom"] = [self.parts.reference(one) for one in dict.fromkeys(derived)]
        self.parts.add(observation, urn)
        self.made.note(urn, system, cited)
        return urn

    def _cited(self, ids: Iterable[str]) -> list[Evidence]:
        return [self.evidence[id] for id in ids if id in self.evidence]

    def _by_person(self, statement: Statement | None) -> bool:
        """Whether a reader added the statement: then no AI asserted it."""
        decision = self.parts.report.review.decision(statement.id) if self.parts.report.review and statement else None
        return decision is not None and decision.action == "added"

    def _title(self, system: str | None) -> str:
        return next((one.title for one in self.parts.report.findings if one.system == system), "Finding")


def add_observations(parts: Parts, subject: Resource, study: str) -> Observations:
    """Add the Observations of a report's findings.

    Args:
        parts: The export.
        subject: Reference to the patient.
        study: URN of the imaging study that they derive from.
    """
    maker = _Maker(parts, subject, study)
    for system in parts.report.findings:
        for statement in system.statements:
            maker.statement(statement, system.system)
        if system.status == "not_assessed":
            maker.not_assessed(system)
    for filled in parts.report.fields:
        if filled.value is not None and filled.known:
            maker.form_field(filled)
    return maker.made


def effective(parts: Parts) -> str | None:
    """When the images were made, as a FHIR date; None where no header says it."""
    dates = sorted(i.acquired for i in parts.report.images if i.role == "current" and i.acquired is not None)
    return dates[0].isoformat() if dates else None


def _shown(evidence: Evidence) -> str:
    return f"{evidence.id}: {evidence.tool}, {model_name(evidence)}, origin {evidence.origin.value}"


def _place(region: Region) -> str:
    box = region.box
    assert box is not None
    corners = f"x {box.x_min:.0f} to {box.x_max:.0f}, y {box.y_min:.0f} to {box.y_max:.0f}"
    side = f", patient's {region.side.value} side" if region.side else ""
    return f"On {region.image}, in pixels of the stored image: {corners}{side}."

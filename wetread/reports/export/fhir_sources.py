"""FHIR resources for what a report stands on: the patient, the images, the devices, and who made what from what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wetread import DISCLAIMER, __version__
from wetread.evidence import Evidence
from wetread.reports.export.fhir_parts import (
    DICOM_UID,
    Parts,
    Resource,
    hl7_concept,
    identifier,
    instant,
    line,
    listing,
    narrative,
    paragraph,
)
from wetread.reports.model import Report
from wetread.reports.plain import listed
from wetread.reports.view import image_title, model_name
from wetread.vocabulary import Origin

_GENDERS = {"F": "female", "M": "male", "O": "other", None: "unknown"}
_MODALITIES = frozenset({"CR", "DX", "RG", "XA", "RF", "CT", "MR", "US", "NM", "PT", "MG"})
_DCM = "http://dicom.nema.org/resources/ontology/DCM"


def add_patient(parts: Parts) -> Resource:
    """The reference to the patient: the caller's, or a Patient without any identifier of a person."""
    if parts.identity.patient:
        return {"reference": parts.identity.patient, "type": "Patient"}
    report = parts.report
    urn = parts.id("patient", parts.images_scope)
    age = f" Age {report.age_years} years." if report.age_years is not None else ""
    patient: Resource = {
        "resourceType": "Patient",
        "text": narrative(paragraph(f"Anonymous: the report holds no identifier of a person.{age} {DISCLAIMER}")),
        "identifier": [identifier(urn)],
        "gender": _GENDERS[report.sex],
    }
    return parts.reference(parts.add(patient, urn))


def add_imaging_study(parts: Parts, subject: Resource) -> str:
    """The study whose images were read; by its own UID where the caller gives it. Returns its URN."""
    report, identity = parts.report, parts.identity
    current = [image for image in report.images if image.role == "current"]
    urn = parts.id("imaging-study", parts.images_scope)
    found_by = None
    ids = [identifier(urn)]
    if identity.study_uid:
        # the archive's own record of the study, where there is one, is found by this and used
        ids.insert(0, {"use": "official", "system": DICOM_UID, "value": f"urn:oid:{identity.study_uid}"})
        found_by = f"identifier={DICOM_UID}|urn:oid:{identity.study_uid}"
    if identity.accession:
        ids.append({"type": hl7_concept("v2-0203", "ACSN"), "value": identity.accession})
    modalities = sorted({image.modality for image in current} & _MODALITIES)
    dates = sorted(image.acquired for image in current if image.acquired)
    exam = next((section.text for section in report.sections if section.name == "exam"), None)
    titles = [". ".join([image_title(image), *image.notes]) for image in report.images]
    study: Resource = {
        "resourceType": "ImagingStudy",
        "text": narrative(paragraph(exam or "Study", title="Images read"), listing(titles), paragraph(DISCLAIMER)),
        "identifier": ids,
        "status": "available",
        "subject": subject,
    }
    if modalities:
        study["modality"] = [{"system": _DCM, "code": code} for code in modalities]
    if dates:
        study["started"] = dates[0].isoformat()
    if exam:
        study["description"] = line(exam)
    return parts.add(study, urn, found_by=found_by)


def add_software(parts: Parts) -> str:
    """wetread itself, as the Device that assembled the report. Returns its URN."""
    return _device(parts, "wetread", __version__, "Assembles drafts of structured reports and checks them.")


def add_language_model(parts: Parts) -> str:
    """What planned the reading and wrote the draft: a language model, or the rules of the protocol."""
    name = parts.report.language_model
    said = "Rules that plan a reading; no language model." if name == "protocol" else "Language model that drafted."
    return _device(parts, name, None, said)


def add_model(parts: Parts, evidence: Evidence) -> str:
    """The model or algorithm behind an evidence, as a Device; one for each name, version and origin."""
    version = None if evidence.model.version in ("", "unknown") else evidence.model.version
    origin = evidence.origin.value
    return _device(parts, evidence.model.name, version, f"Answers a tool of wetread. Origin: {origin}.", origin)


def _device(parts: Parts, name: str, version: str | None, said: str, origin: str = "") -> str:
    urn = parts.id(f"device/{line(name)}/{version or ''}/{origin}", scope="wetread")
    shown = f"{name} {version}" if version else name
    device: Resource = {
        "resourceType": "Device",
        "text": narrative(paragraph(said, title=shown), paragraph(DISCLAIMER)),
        "identifier": [identifier(urn)],
        "status": "active",
        "deviceName": [{"name": line(name), "type": "model-name"}],
        "type": {"text": "Not software: answers written by hand" if origin == Origin.AUTHORED else "Software"},
        "note": [{"text": line(said)}, {"text": DISCLAIMER}],
    }
    if version:
        device["version"] = [{"value": line(version)}]
    return parts.add(device, urn)


def add_provenance(
    parts: Parts, *, whole: Sequence[str], by_evidence: Mapping[str, Sequence[str]], study: str, software: str
) -> None:
    """Who made what from what: one Provenance for the report, one for each evidence that an Observation rests on.

    Args:
        parts: The export.
        whole: URNs of all that the report consists of.
        by_evidence: URNs of the Observations that rest on an evidence, by its id.
        study: URN of the imaging study.
        software: URN of wetread's own Device.
    """
    report = parts.report
    entities: list[Resource] = [_source(parts, study)]
    if report.replaces:
        entities.append({"role": "revision", "what": {"display": f"Report version with SHA-256 {report.replaces}"}})
    agents = [_agent(parts, "assembler", software), _agent(parts, "author", add_language_model(parts))]
    agents += [
        {"type": hl7_concept("provenance-participant-type", "legal"), "who": {"display": line(signature.by)}}
        for signature in (report.review.signatures if report.review else ())
    ]
    _provenance(parts, "report", whole, agents, entities, _report_lines(report))
    for evidence in report.evidence:
        targets = by_evidence.get(evidence.id)
        if targets:
            agents = [_author(parts, evidence), _agent(parts, "assembler", software)]
            lines = _evidence_lines(evidence, report)
            _provenance(parts, f"evidence/{evidence.id}", targets, agents, [_source(parts, study)], lines)


def _provenance(
    parts: Parts,
    key: str,
    targets: Sequence[str],
    agents: list[Resource],
    entities: list[Resource],
    lines: Sequence[str],
) -> None:
    urn = parts.id(f"provenance/{key}")
    resource: Resource = {
        "resourceType": "Provenance",
        **parts.meta(tag=urn),
        **parts.text(listing(lines)),
        "target": [parts.reference(target) for target in dict.fromkeys(targets)],
        "recorded": instant(parts.report.created),
        "agent": agents,
        "entity": entities,
    }
    # R4B's Provenance has no identifier to search for: its tag is
    parts.add(resource, urn, found_by=f"_tag=urn:ietf:rfc:3986|{urn}")


def _agent(parts: Parts, role: str, device: str) -> Resource:
    return {"type": hl7_concept("provenance-participant-type", role), "who": parts.reference(device)}


def _author(parts: Parts, evidence: Evidence) -> Resource:
    """Who an evidence is from: a model's Device; or the person whose words it is, known by name alone."""
    if evidence.origin is not Origin.PERSON:
        return _agent(parts, "author", add_model(parts, evidence))
    decisions = parts.report.review.decisions if parts.report.review else ()
    names = listed([line(one.by) for one in decisions if one.action in ("added", "edited")])
    return {"type": hl7_concept("provenance-participant-type", "author"), "who": {"display": names or "A reader"}}


def _source(parts: Parts, study: str) -> Resource:
    return {"role": "source", "what": parts.reference(study)}


def _report_lines(report: Report) -> list[str]:
    lines = [
        f"Report version {report.version}, status {report.status}, SHA-256 {report.sha256 or report.content_hash()}.",
        f"Template {report.template} {report.template_version}; drafted by {report.language_model}.",
    ]
    if report.review:
        lines += [f"Signed as {one.status} (version {one.version}) by {one.by}." for one in report.review.signatures]
        lines += [f"{one.statement}: {one.action} by {one.by}." for one in report.review.decisions]
        lines += [f"Signed over {one.code}: {one.reason}" for one in report.review.overrides]
    return lines


def _evidence_lines(evidence: Evidence, report: Report) -> list[str]:
    """What a person needs to judge an evidence: tool, model, origin, outcome, inputs by hash, warnings, verdict."""
    lines = [
        f"{evidence.id}: {evidence.tool}, {model_name(evidence)}, origin {evidence.origin.value}, {evidence.status}.",
        *([evidence.summary] if evidence.summary else []),
        *(f"Input {name}: SHA-256 {value}" for name, value in sorted(evidence.inputs.items())),
        *(f"Computed from {used}." for used in evidence.uses),
        *(f"Warning: {warning}" for warning in evidence.warnings),
    ]
    verdict = report.review.verdict(evidence.id) if report.review else None
    return [*lines, f"Reader's verdict: {verdict.verdict}, {verdict.by}."] if verdict else lines

"""DICOM structured reports: measurements, regions and findings as TID 1500, the narrative under CID 7001 headings.

`measurements` is a Comprehensive 3D SR with TID 1500 "Measurement Report", which IHE AI Results asks for. A radiograph
has no frame of reference, so its regions are SCOORD on the image, which that class takes as well as SCOORD3D.
`narrative` is a Comprehensive SR with TID 2000 "Basic Diagnostic Imaging Report".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from highdicom import sr

from wetread import __version__
from wetread.evidence import Evidence, Measurement, Region
from wetread.reports.export import ExportedFile, Source
from wetread.reports.export import dicom_codes as codes
from wetread.reports.export.dicom_object import (
    MANUFACTURER,
    SERIES,
    building,
    dicom_file,
    disclosure_lines,
    equipment,
    finish,
    instance_uid,
    is_final,
    person_name,
    series_description,
    series_uid,
    signature,
    uid,
    unique,
)
from wetread.reports.export.dicom_source import SourceImage, Sources, sources_of
from wetread.reports.model import Claim, CriticalResult, Report, Statement, SystemFindings
from wetread.reports.plain import shown
from wetread.reports.view import status_word
from wetread.vocabulary import Assertion, Origin, Side

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

ORGANIZATION = "Not stated"
"""Verifying Organization (PS3.3 C.17.2) must have a value, and a report does not know the signer's."""

COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.33"
COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`findings-sr.dcm` and `narrative-sr.dcm`."""
    sources = sources_of(report, source)
    with building("dicom-sr", sources.images):
        return (
            dicom_file("findings-sr", measurements(report, sources)),
            dicom_file("narrative-sr", narrative(report, sources)),
        )


def measurements(report: Report, sources: Sources) -> Dataset:
    """The report's findings, regions and measurements as TID 1500.

    One measurement group for each finding that a statement under Findings claims, and for each region of it: finding,
    place and side, presence, change, the statement's words and evidence as a comment. What is only history is left to
    the narrative.

    Args:
        report: The report.
        sources: Headers of its images.

    Raises:
        ExportError: `WET-EXPORT-OBSERVER`, a signed report without a signature.
    """
    subject = sources.subject
    groups = [
        group
        for system in report.findings
        for statement in system.statements
        for group in _groups(report, statement, sources)
    ]
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(**_observers(report)),
        procedure_reported=codes.private("imaging", "Imaging procedure").code(),
        imaging_measurements=groups or None,
        title=codes.MEASUREMENT_REPORT.code(),
    )
    root = content[0]
    root.ContentSequence.extend(_text(codes.COMMENT, line) for line in disclosure_lines(report))
    return _document(sr.Comprehensive3DSR, "sr", "Findings", root, report, sources, subject)


def narrative(report: Report, sources: Sources) -> Dataset:
    """The report's text as TID 2000: a container with a CID 7001 heading for each section.

    Args and errors as of `measurements`.
    """
    root = sr.ContainerContentItem(name=codes.REPORT.code(), template_id="2000")
    contains = sr.RelationshipTypeValues.HAS_CONCEPT_MOD
    items: list[Any] = [
        sr.CodeContentItem(
            name=codes.Concept("121049", "DCM", "Language of Content Item and Descendants").code(),
            value=codes.Concept("en", "RFC5646", "English").code(),
            relationship_type=contains,
        )
    ]
    context = sr.ObservationContext(**_observers(report))
    items += list(context)
    for name, lines in _narrative_sections(report):
        section = sr.ContainerContentItem(
            name=codes.heading(name).code(), relationship_type=sr.RelationshipTypeValues.CONTAINS
        )
        element = codes.ELEMENTS.get(name, codes.COMMENT)
        section.ContentSequence = sr.ContentSequence([_text(element, line) for line in lines])
        items.append(section)
    root.ContentSequence = sr.ContentSequence(items)
    return _document(sr.ComprehensiveSR, "sr-narrative", "Report", root, report, sources, sources.subject)


def _document(
    kind_of: Any,
    kind: str,
    what: str,
    root: Any,
    report: Report,
    sources: Sources,
    subject: SourceImage,
) -> Dataset:
    signed = signature(report)
    evidence = sources.instances([subject, *sources.images.values()])
    verified: dict[str, Any] = {}
    if signed is not None:
        verified = {
            "is_verified": True,
            "verifying_observer_name": person_name(signed.by),
            "verifying_organization": ORGANIZATION,
        }
    document = kind_of(
        evidence=evidence,
        content=root,
        series_instance_uid=series_uid(kind, report.sha256, subject),
        series_number=SERIES[kind],
        sop_instance_uid=instance_uid(kind, report.sha256, subject),
        instance_number=report.version,
        is_complete=report.status != "partial" and report.incomplete is None,
        is_final=is_final(report),
        previous_versions=_predecessors(kind, report, subject),
        series_description=series_description(report, what),
        specific_character_set="ISO_IR 192",
        **equipment(),
        **verified,
    )
    if signed is not None:
        document.VerifyingObserverSequence[0].VerificationDateTime = signed.at.strftime("%Y%m%d%H%M%S%z")
    if kind == "sr-narrative":
        template = document.ContentTemplateSequence[0]
        template.MappingResource, template.TemplateIdentifier = "DCMR", "2000"
    finish(document, report, subject)
    return document  # type: ignore[no-any-return]


def _predecessors(kind: str, report: Report, subject: SourceImage) -> list[Dataset] | None:
    """The same export of the version that this one replaces; its UIDs follow from its hash."""
    if report.replaces is None:
        return None
    from pydicom.dataset import Dataset

    earlier = Dataset()
    earlier.SOPClassUID = COMPREHENSIVE if kind == "sr-narrative" else COMPREHENSIVE_3D
    earlier.SOPInstanceUID = instance_uid(kind, report.replaces, subject)
    earlier.SeriesInstanceUID = series_uid(kind, report.replaces, subject)
    earlier.StudyInstanceUID = subject.study_uid
    return [earlier]


def _observers(report: Report) -> dict[str, Any]:
    """TID 1001: the software as device observer, and the person who verified as person observer."""
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=uid("device", __version__),
        name="wetread",
        manufacturer_name=MANUFACTURER,
        model_name=f"wetread {__version__}",
    )
    found: dict[str, Any] = {
        "observer_device_context": sr.ObserverContext(
            observer_type=sr.CodedConcept("121007", "DCM", "Device"), observer_identifying_attributes=device
        )
    }
    signed = signature(report)
    if signed is not None:
        found["observer_person_context"] = sr.ObserverContext(
            observer_type=sr.CodedConcept("121006", "DCM", "Person"),
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name=person_name(signed.by)),
        )
    return found


def _text(name: codes.Concept, text: str) -> Any:
    return sr.TextContentItem(
        name=name.code(), value=shown(text) or "-", relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _groups(report: Report, statement: Statement, sources: Sources) -> Iterable[Any]:
    """TID 1410 for each region of a claim, TID 1501 for a claim without one, TID 1501 for the statement's numbers."""
    comment = f"{statement.id}: {statement.text} [{', '.join(statement.evidence) or 'no evidence'}]"
    found = [one for one in report.evidence if one.id in statement.evidence]
    number = 0
    for claim in statement.claims:
        if claim.finding is None or claim.assertion is Assertion.HISTORICAL:
            continue
        number += 1
        shared = _shared(report, f"{statement.id}.{number}", found)
        regions = [region for region in _of_claim(statement, claim) if _drawable(region, sources)]
        if not regions:
            images = _images_of((), found, sources)
            yield _commented(
                sr.MeasurementsAndQualitativeEvaluations(
                    source_images=images, **shared, **_finding(claim, claim.finding, claim.side)
                ),
                comment,
            )
        for place, region in enumerate(regions, start=1):
            shared = _shared(report, f"{statement.id}.{number}.{place}", found)
            yield _commented(
                sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                    referenced_region=_region(region, sources.images[region.image]),
                    **shared,
                    **_finding(claim, claim.finding, region.side or claim.side),
                ),
                comment,
            )
    if statement.measurements:
        methods = unique(one.method for one in statement.measurements if one.method)
        yield _commented(
            sr.MeasurementsAndQualitativeEvaluations(
                source_images=_images_of(statement.measurements, found, sources),
                measurements=[_measurement(one) for one in statement.measurements],
                **_shared(report, f"{statement.id}.m", found),
            ),
            ". ".join([comment, *methods]),
        )


def _of_claim(statement: Statement, claim: Claim) -> list[Region]:
    """The regions of a statement that one of its claims is about: those on its side, where it names one."""
    if claim.assertion is Assertion.ABSENT:
        return []
    if claim.side in (Side.LEFT, Side.RIGHT):
        return [region for region in statement.regions if region.side in (claim.side, None)]
    return list(statement.regions)


def _drawable(region: Region, sources: Sources) -> bool:
    return region.box is not None and region.image in sources.images


def _shared(report: Report, identifier: str, evidence: Sequence[Evidence]) -> dict[str, Any]:
    """What every group has: its identifier and the algorithms behind it, with versions and origins."""
    shared: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=uid("tracking", report.sha256, identifier), identifier=identifier
        )
    }
    if evidence:
        shared["algorithm_id"] = sr.AlgorithmIdentification(
            name="; ".join(f"{one.tool}: {one.model.name}" for one in evidence),
            version="; ".join(f"{one.model.version} ({one.origin})" for one in evidence),
            family=None if any(one.origin is Origin.CODE for one in evidence) else codes.AI.code(),
        )
    return shared


def _finding(claim: Claim, finding: str, side: Side | None) -> dict[str, Any]:
    return {
        "finding_type": codes.finding_code(finding).code(),
        "finding_sites": _sites(claim, side),
        "qualitative_evaluations": _evaluations(claim),
    }


def _commented(group: Any, comment: str) -> Any:
    group[0].ContentSequence.append(_text(codes.COMMENT, comment))
    return group


def _sites(claim: Claim, side: Side | None) -> list[Any] | None:
    site = codes.site_code(claim.anatomy)
    if site is None:
        return None
    laterality = codes.side_code(side)
    return [sr.FindingSite(anatomic_location=site.code(), laterality=laterality.code() if laterality else None)]


def _evaluations(claim: Claim) -> list[Any]:
    found = [sr.QualitativeEvaluation(name=codes.PRESENCE.code(), value=codes.presence_code(claim.assertion).code())]
    side = codes.side_code(claim.side)
    if side is not None and codes.site_code(claim.anatomy) is None:
        found.append(sr.QualitativeEvaluation(name=codes.LATERALITY.code(), value=side.code()))
    if claim.change is not None:
        found.append(sr.QualitativeEvaluation(name=codes.CHANGE.code(), value=codes.change_code(claim.change).code()))
    return found


def _measurement(measurement: Measurement) -> Any:
    return sr.Measurement(
        name=codes.measurement_code(measurement.name).code(),
        value=round(measurement.value, measurement.digits),
        unit=codes.unit_code(measurement.unit).code(),
    )


def _region(region: Region, image: SourceImage) -> Any:
    """A closed rectangle, in pixels from the top left corner of the top left pixel (PS3.3 C.18.6.1.1)."""
    assert region.box is not None
    rows, columns = int(image.header.Rows), int(image.header.Columns)
    left, right = (min(max(0.0, x), float(columns)) for x in (region.box.x_min, region.box.x_max))
    top, bottom = (min(max(0.0, y), float(rows)) for y in (region.box.y_min, region.box.y_max))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array(corners, dtype=np.float64),
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=str(image.header.SOPClassUID),
            referenced_sop_instance_uid=image.instance_uid,
            referenced_frame_numbers=[image.frame] if image.frame is not None else None,
        ),
    )


def _images_of(taken: Sequence[Measurement], evidence: Sequence[Evidence], sources: Sources) -> list[Any]:
    """References to the images that measurements, else the evidence, are of; else to all current ones."""
    measured = {one.image for one in taken}
    seen = {name for one in evidence for name in one.inputs}
    of = [image for handle, image in sources.images.items() if handle in (measured & set(sources.images) or seen)]
    return [
        sr.SourceImageForMeasurementGroup(
            referenced_sop_class_uid=str(image.header.SOPClassUID),
            referenced_sop_instance_uid=image.instance_uid,
            referenced_frame_numbers=[image.frame] if image.frame is not None else None,
        )
        for image in of or sources.current
    ]


def _narrative_sections(report: Report) -> Iterable[tuple[str, list[str]]]:
    """Sections in the order of CID 7001 as a reader expects them, each with its lines; empty ones are left out.

    What every export says of itself comes first, under Current Procedure Descriptions.
    """
    texts = {section.name: section.text for section in report.sections}
    for name in ("indication", "history"):
        if texts.get(name):
            yield name, [texts[name]]
    technique = [*disclosure_lines(report), *filter(None, [texts.get("exam"), texts.get("technique")])]
    yield "technique", technique
    if texts.get("comparison"):
        yield "comparison", [texts["comparison"]]
    findings = [line for system in report.findings for line in _system_lines(system)]
    findings += [f"{field.title}: {field.shown or 'not filled'}" for field in report.fields]
    yield "findings", findings or ["None was drafted."]
    impression = [f"{number}. {one.text}" for number, one in enumerate(report.impression, start=1)]
    yield "impression", impression or ["None was drafted."]
    if report.recommendations:
        yield "recommendation", [one.text for one in report.recommendations]
    if report.critical:
        yield "communication", [_critical_line(one) for one in report.critical]
    if report.review is not None and report.review.addenda:
        yield "addendum", [f"{one.text} ({one.by}, {one.at.isoformat()})" for one in report.review.addenda]


def _system_lines(system: SystemFindings) -> list[str]:
    said = [f"{system.title}: {one.text} [{', '.join(one.evidence) or one.id}]" for one in system.statements]
    if system.status == "not_assessed" or not said:
        said.append(f"{system.title}: {status_word(system)}. {system.reason or ''}")
    return said


def _critical_line(one: CriticalResult) -> str:
    told = one.communication
    if told.missing or told.at is None:
        record = f"communication not recorded ({', '.join(told.missing)} missing)"
    else:
        record = f"told to {told.to} by {told.by}, {told.how}, {told.at.isoformat()}"
    return f"{one.name} ({one.assertion}): {record}"

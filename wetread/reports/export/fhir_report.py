"""The FHIR DiagnosticReport and Composition of a report.

DiagnosticReport after IHE RAD Imaging Diagnostic Report (IDR): narrative, subject, issued, study, results, conclusion
and the page as presented form. Nobody is named as performer or interpreter before a person signed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from wetread.reports.export.fhir_findings import Observations, effective
from wetread.reports.export.fhir_parts import (
    Parts,
    Resource,
    concept,
    heading,
    hl7_concept,
    identifier,
    instant,
    line,
    listing,
    loinc_concept,
    narrative,
    numbered,
    paragraph,
)
from wetread.reports.language.codes import code_of
from wetread.reports.language.lexicon import lexicon
from wetread.reports.model import Report, SystemFindings
from wetread.reports.view import MODE_WORDS, grounding_line
from wetread.vocabulary import Assertion


def add_diagnostic_report(parts: Parts, subject: Resource, study: str, made: Observations, page: bytes) -> str:
    """Add the DiagnosticReport. Returns its URN.

    Args:
        parts: The export.
        subject: Reference to the patient.
        study: URN of the imaging study.
        made: The Observations.
        page: The report as an HTML page.
    """
    report = parts.report
    urn = parts.id("diagnostic-report")
    exam = next((section for section in report.sections if section.name == "exam"), None)
    resource: Resource = {
        "resourceType": "DiagnosticReport",
        **parts.meta(),
        **parts.text(*_blocks(report)),
        "identifier": [identifier(urn)],
        "status": report.status,
        "category": [hl7_concept("v2-0074", "RAD")],
        "code": loinc_concept(
            exam.text if exam else "Diagnostic imaging study", exam.loinc if exam else None, _document()
        ),
        "subject": subject,
        "issued": instant(report.created),
        "result": [parts.reference(one) for one in made.all],
        "imagingStudy": [parts.reference(study)],
        "conclusion": _conclusion(parts),
        "presentedForm": [_attachment(page)],
    }
    when = effective(parts)
    if when:
        resource["effectiveDateTime"] = when
    signature = report.review.signature if report.review else None
    if signature:
        resource["resultsInterpreter"] = [{"display": line(signature.by)}]
    codes = _conclusion_codes(report)
    if codes:
        resource["conclusionCode"] = codes
    return parts.add(resource, urn)


def add_composition(parts: Parts, subject: Resource, software: str, made: Observations) -> str:
    """Add the Composition with the report's sections. Returns its URN."""
    report = parts.report
    urn = parts.id("composition")
    exam = next((section.text for section in report.sections if section.name == "exam"), "Imaging report")
    resource: Resource = {
        "resourceType": "Composition",
        **parts.meta(),
        **parts.text(*_blocks(report)),
        "identifier": identifier(urn),
        "status": parts.composition_status,
        "type": loinc_concept("Diagnostic imaging study", _document()),
        "subject": subject,
        "date": instant(report.created),
        "author": [parts.reference(software)],
        "title": line(exam),
        "section": list(_sections(parts, made)),
    }
    signature = report.review.signature if report.review else None
    if signature:
        resource["attester"] = [
            {"mode": "legal", "time": instant(signature.at), "party": {"display": line(signature.by)}}
        ]
    if report.replaces:
        # the earlier version's Composition, by the URN that it was exported under
        earlier = parts.id("composition", f"{report.replaces}/{parts.scope.partition('/')[2]}")
        code = "appends" if report.status == "appended" else "replaces"
        resource["relatesTo"] = [{"code": code, "targetIdentifier": identifier(earlier)}]
    return parts.add(resource, urn)


def _sections(parts: Parts, made: Observations) -> list[Resource]:
    report = parts.report
    notices = listing(parts.notices())
    found = [_section("Disclosure", "Disclosure", None, notices)]
    found += [_section(s.title, s.title, s.loinc, paragraph(s.text)) for s in report.sections]
    systems = [_system(parts, system, made) for system in report.findings]
    if systems:
        found.append({"title": "Findings", "code": loinc_concept("Findings", _loinc("findings")), "section": systems})
    loose = [urn for system, urns in made.by_system.items() if system not in _systems(report) for urn in urns]
    if loose:
        form = listing(f"{one.title}: {one.shown}" for one in report.fields if one.value is not None and one.known)
        found.append({**_section("Form", "Form fields", None, form), "entry": [parts.reference(one) for one in loose]})
    impression = listing((s.text for s in report.impression), ordered=True) or paragraph("None.")
    found.append(_section("Impression", "Impression", _loinc("impression"), impression))
    if report.recommendations:
        advice = listing(s.text for s in report.recommendations)
        found.append(_section("Recommendation", "Recommendation", _loinc("recommendation"), advice))
    if _told_apart(report):
        told = listing(_critical(report))
        found.append(_section("Critical results", "Critical results", _loinc("communication"), told))
    for addendum in report.review.addenda if report.review else ():
        text = paragraph(f"{addendum.text} ({addendum.by}, {instant(addendum.at)})")
        found.append(_section("Addendum", "Addendum", _loinc("addendum"), text))
    if report.issues:
        issues = listing(
            f"{i.code} {i.severity}{f' at {i.where}' if i.where else ''}: {i.message}" for i in report.issues
        )
        found.append(_section("Open issues", "Open issues of the checks", None, issues))
    found.append(_section("Grounding", "Grounding", None, paragraph(grounding_line(report))))
    return found


def _system(parts: Parts, system: SystemFindings, made: Observations) -> Resource:
    entries = made.by_system.get(system.system, [])
    section = _section(system.title, system.title, None, _system_text(system))
    return {**section, "entry": [parts.reference(urn) for urn in entries]} if entries else section


def _section(title: str, text: str, loinc: str | None, block: str) -> Resource:
    return {"title": title, "code": loinc_concept(text, loinc), "text": narrative(block)}


def _blocks(report: Report) -> list[str]:
    """The whole report as blocks of XHTML."""
    blocks = [paragraph(_heading(report))]
    blocks += [paragraph(section.text, title=f"{section.title}:") for section in report.sections]
    for system in report.findings:
        blocks += [heading(f"{system.title}:") if system.statements else "", _system_text(system)]
    impression = listing((s.text for s in report.impression), ordered=True)
    blocks += [heading("Impression:"), impression or paragraph("None.")]
    if report.recommendations:
        blocks += [heading("Recommendation:"), listing(s.text for s in report.recommendations)]
    if _told_apart(report):
        blocks += [heading("Critical results:"), listing(_critical(report))]
    for addendum in report.review.addenda if report.review else ():
        blocks.append(paragraph(f"{addendum.text} ({addendum.by})", title="Addendum:"))
    return blocks


def _system_text(system: SystemFindings) -> str:
    block = listing(f"{s.text} [{', '.join(s.evidence) or 'no evidence'}]" for s in system.statements)
    if system.status == "not_assessed":
        block += paragraph(f"{system.title}: not assessed: {system.reason or 'no reason given'}")
    elif not system.statements:
        block += paragraph(f"{system.title}: {system.reason or system.status}")
    return block


def _heading(report: Report) -> str:
    modes = " ".join(f"{MODE_WORDS[mode][0]}." for mode in report.modes)
    return f"Report, version {report.version}, status {report.status}. {report.disclosure} {modes}"


def _told_apart(report: Report) -> bool:
    """Whether critical results need a section of their own: newer templates write it among the others."""
    loinc = _loinc("communication")
    return bool(report.critical) and all(section.loinc != loinc for section in report.sections)


def _critical(report: Report) -> list[str]:
    lines = []
    for one in report.critical:
        told = one.communication
        missing = f"not recorded: {', '.join(told.missing)}" if told.missing else ""
        record = ", ".join(
            part
            for part in (
                f"told to {told.to}" if told.to else "",
                f"by {told.by}" if told.by else "",
                f"at {instant(told.at)}" if told.at else "",
                told.how or "",
                missing,
            )
            if part
        )
        lines.append(f"{one.name} ({one.assertion.value}), found {instant(one.found)}; communication: {record}")
    return lines


def _conclusion(parts: Parts) -> str:
    """Disclosure first: systems show a conclusion without the rest."""
    return "\n".join([*parts.notices(), numbered(parts.report.impression) or "No impression."])


def _conclusion_codes(report: Report) -> list[Resource]:
    """Concepts of what the impression says is present, each once; only those with a verified code."""
    keys: Mapping[str, None] = dict.fromkeys(
        claim.finding
        for statement in report.impression
        for claim in statement.claims
        if claim.finding and claim.assertion is Assertion.PRESENT
    )
    coded = ((key, code_of("findings", key)) for key in keys)
    names = lexicon().findings
    return [concept(names[key].name, code) for key, code in coded if code is not None and key in names]


def _attachment(page: bytes) -> Resource:
    return {
        "contentType": "text/html",
        "language": "en",
        "data": base64.b64encode(page).decode(),
        "size": len(page),
        # FHIR R4B Attachment.hash is SHA-1 by definition
        "hash": base64.b64encode(hashlib.sha1(page, usedforsecurity=False).digest()).decode(),
        "title": "Report as a page",
    }


def _systems(report: Report) -> Sequence[str]:
    return [system.system for system in report.findings]


def _document() -> str | None:
    return _loinc("document")


def _loinc(section: str) -> str | None:
    code = code_of("sections", section)
    return code.value if code else None

"""What all FHIR resources of an export share: identifiers, references, codings, narrative, labels.

FHIR R4B. Resources are plain dictionaries here; `fhir_check` judges the whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from wetread import DISCLAIMER, __version__
from wetread.reports.export import Identity
from wetread.reports.language.codes import Code, loinc_valid
from wetread.reports.model import Report, ReportStatus, Statement
from wetread.reports.plain import printable
from wetread.reports.view import MODE_WORDS
from wetread.values import canonical_json, sha256_hex

Resource = dict[str, Any]
"""A resource, or a part of one, as it stands in JSON."""

URI = "urn:ietf:rfc:3986"
"""Both the identifier system and the code system of URIs."""
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
DICOM_UID = "urn:dicom:uid"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"

LATERALITY = Code(scheme="SCT", value="272741003", meaning="Laterality")
CERTAINTY = Code(scheme="DCM", value="111012", meaning="Certainty of Finding")

AI_ASSERTED = {
    "system": f"{_TERMINOLOGY}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""The label of what an AI asserted (HL7 AI Transparency on FHIR)."""
TEST_DATA = {"system": f"{_TERMINOLOGY}/v3-ActReason", "code": "HTEST", "display": "test health data"}
"""The label of what is no patient's data: answers of a simulator, or written by hand."""

_NAMESPACE = uuid.UUID("6f0c9d6e-2b0a-5c53-9c0e-6d1b6f8f3a51")
"""Of this project's own name-based UUIDs; it never changes, or a second push would not find the first."""

_OBSERVATION_STATUS: dict[ReportStatus, str] = {
    "registered": "registered",
    "partial": "preliminary",
    "preliminary": "preliminary",
    "final": "final",
    "amended": "amended",
    "corrected": "corrected",
    "appended": "amended",
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
}
_COMPOSITION_STATUS: dict[ReportStatus, str] = {
    "registered": "preliminary",
    "partial": "preliminary",
    "preliminary": "preliminary",
    "final": "final",
    "amended": "amended",
    "corrected": "amended",
    "appended": "amended",
    "cancelled": "entered-in-error",
    "entered-in-error": "entered-in-error",
}


@dataclass(slots=True)
class Parts:
    """The resources of one export while it is made, and what they refer to each other by.

    Every resource has a name-based UUID, made from the report's hash and the caller's identifiers: the same report sent
    again has the same, and conditional creates (`ifNoneExist`) then make nothing twice.
    """

    report: Report
    identity: Identity
    entries: list[Resource] = field(default_factory=list)
    _types: dict[str, str] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """What ids of this report are made from. Another patient or exam gives others: nothing is filed twice over."""
        return f"{self.report.sha256 or self.report.content_hash()}/{_hash(self.identity.model_dump())}"

    @property
    def images_scope(self) -> str:
        """As `scope`, of the images alone: every version of a report shares it."""
        handles = {image.handle for image in self.report.images}
        sent = {(name, value) for e in self.report.evidence for name, value in e.inputs.items() if name in handles}
        images = [image.model_dump(mode="json") for image in self.report.images]
        return f"images/{_hash([images, sorted(sent), self.identity.model_dump()])}"

    def id(self, key: str, scope: str | None = None) -> str:
        """The URN of a resource by its key within a scope, the report's by default."""
        name = f"{self.scope if scope is None else scope}/{key}"
        return f"urn:uuid:{uuid.uuid5(_NAMESPACE, name)}"

    def add(self, resource: Resource, urn: str, *, found_by: str | None = None) -> str:
        """Add a resource as a conditional create, once; returns its URN.

        Args:
            resource: The resource.
            urn: Its URN, from `id`.
            found_by: The search that finds it again; by its identifier, the URN, unless given.
        """
        kind = resource["resourceType"]
        if urn not in self._types:
            self._types[urn] = kind
            request = {"method": "POST", "url": kind, "ifNoneExist": found_by or f"identifier={URI}|{urn}"}
            self.entries.append({"fullUrl": urn, "resource": resource, "request": request})
        return urn

    def reference(self, urn: str) -> Resource:
        """A reference to a resource of this export."""
        return {"reference": urn, "type": self._types[urn]}

    @property
    def observation_status(self) -> str:
        """`partial` becomes `preliminary`, for an Observation "initial or interim: may be incomplete or unverified"."""
        return _OBSERVATION_STATUS[self.report.status]

    @property
    def composition_status(self) -> str:
        return _COMPOSITION_STATUS[self.report.status]

    def meta(self, *, asserted: bool = True, tag: str | None = None) -> Resource:
        """Labels: what an AI asserted, what is no patient's data; and a tag by which a resource is found again.

        Args:
            asserted: Whether an AI asserted the content.
            tag: The URN of a resource type that has no identifier to search for.
        """
        labels = [AI_ASSERTED] if asserted else []
        if {"simulated", "authored"} & set(self.report.modes):
            labels.append(TEST_DATA)
        meta: Resource = {}
        if labels:
            meta["security"] = labels
        if tag:
            meta["tag"] = [{"system": URI, "code": tag}]
        return {"meta": meta} if meta else {}

    def notices(self) -> list[str]:
        """What stands on every text: disclosure, modes, what is not whole, research use, version."""
        found = [self.report.disclosure]
        found += [f"{word}: {meaning}" for word, meaning in (MODE_WORDS[mode] for mode in self.report.modes)]
        if self.report.incomplete:
            found.append(f"Incomplete: {self.report.incomplete}")
        return [*found, DISCLAIMER, f"wetread {__version__}"]

    def text(self, *blocks: str) -> Resource:
        """A resource's narrative: blocks of XHTML, then the notices in a small line."""
        return {"text": narrative(*blocks, paragraph(" ".join(self.notices())))}


def identifier(urn: str) -> Resource:
    """A URN as a business identifier."""
    return {"system": URI, "value": urn}


def coding(code: Code) -> Resource:
    """A code as FHIR has it. LOINC's own display names differ from DICOM's meanings: they are left out."""
    found = {"system": code.system, "code": code.value}
    return found if code.scheme == "LN" else {**found, "display": code.meaning}


def concept(text: str, *codes: Code | None) -> Resource:
    """A concept with a text, and codes where there are verified ones."""
    found: Resource = {"text": line(text)}
    if any(codes):
        found["coding"] = [coding(code) for code in codes if code is not None]
    return found


def loinc_concept(text: str, *values: str | None) -> Resource:
    """A concept with a text, and those of the LOINC codes whose check digit is right."""
    valid = list(dict.fromkeys(value for value in values if value and loinc_valid(value)))
    found: Resource = {"text": line(text)}
    if valid:
        found["coding"] = [{"system": LOINC, "code": value} for value in valid]
    return found


def hl7_concept(system: str, code: str) -> Resource:
    """A code of one of HL7's own code systems."""
    return {"coding": [{"system": f"{_TERMINOLOGY}/{system}", "code": code}]}


def quantity(value: float, unit: str, digits: int) -> Resource:
    """A number with its UCUM unit, rounded as it is shown."""
    rounded = round(value, digits)
    return {
        "value": int(rounded) if digits == 0 else rounded,
        **({} if unit == "1" else {"unit": unit}),
        "system": UCUM,
        "code": unit,
    }


def instant(when: datetime) -> str:
    """A FHIR instant in UTC; a time without a zone is taken as UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def narrative(*blocks: str) -> Resource:
    """A generated narrative from blocks of XHTML."""
    div = f'<div xmlns="http://www.w3.org/1999/xhtml" lang="en">{"".join(blocks)}</div>'
    return {"status": "generated", "div": div}


def paragraph(text: str, *, title: str | None = None) -> str:
    """A paragraph of XHTML; the text is plain."""
    head = f"<b>{_xml(title)}</b> " if title else ""
    return f"<p>{head}{_xml(text)}</p>"


def heading(title: str) -> str:
    """A title of XHTML on a line of its own; the text is plain."""
    return f"<p><b>{_xml(title)}</b></p>"


def listing(texts: Iterable[str], *, ordered: bool = False) -> str:
    """A list of XHTML; the texts are plain. Empty for none."""
    kind = "ol" if ordered else "ul"
    items = "".join(f"<li>{_xml(text)}</li>" for text in texts)
    return f"<{kind}>{items}</{kind}>" if items else ""


def numbered(statements: Sequence[Statement]) -> str:
    """Statements as numbered lines of plain text."""
    return "\n".join(f"{number}. {line(s.text)}" for number, s in enumerate(statements, start=1))


def line(text: str) -> str:
    """A text as FHIR strings allow it: never empty, no control characters."""
    return " ".join(printable(text).split()) or "-"


def _xml(text: str) -> str:
    return escape(line(text))


def _hash(data: Any) -> str:
    return sha256_hex(canonical_json(data))

"""Whether a Bundle is what FHIR R4B and this project allow.

fhir.resources (8.x) refuses wrong structure, and lets required codes (`status`) and types of references pass: both
stand in each field's metadata, and are walked here. On top come references that must resolve within the Bundle,
narrative that must be plain XHTML, check digits of codes, and requests that make a second push safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from wetread.reports.language.codes import loinc_valid, snomed_valid

if TYPE_CHECKING:
    from pydantic import BaseModel

MORE = "+"
"""Stands in a field's values where its metadata leaves some out."""

FULL_VALUES: Mapping[tuple[str, str], frozenset[str]] = {
    ("DiagnosticReport", "status"): frozenset(
        {
            "registered",
            "partial",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "appended",
            "cancelled",
            "entered-in-error",
            "unknown",
        }
    ),
    ("Observation", "status"): frozenset(
        {
            "registered",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "cancelled",
            "entered-in-error",
            "unknown",
        }
    ),
}
"""The whole value set where the metadata ends in `+` (http://hl7.org/fhir/R4B/valueset-diagnostic-report-status.html,
valueset-observation-status.html)."""

_ABSOLUTE = re.compile(r"https?://\S+/([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?")
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}")
_XHTML = "{http://www.w3.org/1999/xhtml}"
_ELEMENTS = frozenset({"div", "p", "b", "i", "br", "span", "ul", "ol", "li", "table", "tbody", "tr", "td", "th"})
_ATTRIBUTES = frozenset({"lang", "class", "title", "id", "dir"})


def validate(bundle: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a transaction Bundle; empty for a valid one.

    Args:
        bundle: The Bundle as plain data.

    Returns:
        One line for each mistake: where, and what. Values from the Bundle are not repeated in them.
    """
    from fhir.resources.R4B.bundle import Bundle
    from pydantic import ValidationError

    try:
        model = Bundle.model_validate(dict(bundle))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return tuple(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)
    types = {
        entry.fullUrl: entry.resource.__resource_type__
        for entry in model.entry or ()
        if entry.fullUrl and entry.resource is not None
    }
    return (*_requests(model), *_walk(model, "Bundle", types))


def _requests(bundle: Any) -> Iterator[str]:
    """Each entry must be a conditional create under a URL of its own."""
    if bundle.type != "transaction":
        yield "Bundle.type: not a transaction"
    seen: set[str] = set()
    for place, entry in enumerate(bundle.entry or ()):
        at = f"Bundle.entry[{place}]"
        if entry.resource is None or entry.request is None or not entry.fullUrl:
            yield f"{at}: needs fullUrl, resource and request"
            continue
        if entry.fullUrl in seen:
            yield f"{at}.fullUrl: the same as of another entry"
        seen.add(entry.fullUrl)
        if (entry.request.method, entry.request.url) != ("POST", entry.resource.__resource_type__):
            yield f"{at}.request: not the creation of its resource"
        if not entry.request.ifNoneExist:
            yield f"{at}.request.ifNoneExist: missing: a second push would make a second resource"


def _walk(value: Any, path: str, types: Mapping[str, str]) -> Iterator[str]:
    """Mistakes in a part of the Bundle and all below it, depth first."""
    name = type(value).__resource_type__ if hasattr(type(value), "__resource_type__") else ""
    if name == "Coding":
        yield from _coding(value, path)
    elif name == "Narrative":
        yield from _narrative(value.div, path)
    for field, about in type(value).model_fields.items():
        found = getattr(value, field, None)
        if found is None or not (about.json_schema_extra or {}).get("element_property", False):
            continue
        extra: Mapping[str, Any] = about.json_schema_extra
        for place, one in enumerate(found) if isinstance(found, list) else ((None, found),):
            at = f"{path}.{field}" if place is None else f"{path}.{field}[{place}]"
            yield from _value(name, field, one, extra, at)
            if "enum_reference_types" in extra:
                yield from _reference(one, extra["enum_reference_types"], types, at)
            if hasattr(one, "__resource_type__"):
                yield from _walk(one, at, types)


def _value(resource: str, field: str, value: Any, extra: Mapping[str, Any], path: str) -> Iterator[str]:
    listed = extra.get("enum_values")
    if not listed:
        return
    allowed = FULL_VALUES.get((resource, field)) if MORE in listed else frozenset(listed)
    if allowed is None:
        yield f"{path}: the values allowed here are not known"
    elif value not in allowed:
        yield f"{path}: not one of {', '.join(sorted(allowed))}"


def _reference(reference: BaseModel, allowed: list[str], types: Mapping[str, str], path: str) -> Iterator[str]:
    """A reference must lead somewhere, to a type that is allowed there, and say that type if it says any."""
    target = getattr(reference, "reference", None)
    said = getattr(reference, "type", None)
    kind: str | None = said
    if target is None:
        if not getattr(reference, "display", None) and not getattr(reference, "identifier", None):
            yield f"{path}: refers to nothing"
    elif target.startswith("urn:"):
        kind = types.get(target)
        if kind is None:
            yield f"{path}: refers to what is not in the Bundle"
    else:
        match = _ABSOLUTE.fullmatch(target) or _RELATIVE.fullmatch(target)
        if match is None:
            yield f"{path}: not a reference to a resource"
            return
        kind = match[1]
    if kind and said and kind != said:
        yield f"{path}: says {said} and refers to {kind}"
    if kind and "Resource" not in allowed and kind not in allowed:
        yield f"{path}: refers to {kind}, allowed are {', '.join(allowed)}"


def _coding(coding: Any, path: str) -> Iterator[str]:
    if not coding.system or not coding.code:
        yield f"{path}: a code without its system, or a system without a code"
    elif coding.system == "http://snomed.info/sct" and not snomed_valid(coding.code):
        yield f"{path}: the check digit of the SNOMED CT code is wrong"
    elif coding.system == "http://loinc.org" and not loinc_valid(coding.code):
        yield f"{path}: the check digit of the LOINC code is wrong"


def _narrative(div: str, path: str) -> Iterator[str]:
    """Only plain XHTML: elements without scripts, links or anything that is fetched (FHIR R4B, txt-1)."""
    try:
        root = ElementTree.fromstring(div)
    except ElementTree.ParseError:
        yield f"{path}.div: not well-formed"
        return
    if root.tag != f"{_XHTML}div" or not "".join(root.itertext()).strip():
        yield f"{path}.div: not an XHTML div with some text"
    for element in root.iter():
        if element.tag.removeprefix(_XHTML) not in _ELEMENTS or not set(element.attrib) <= _ATTRIBUTES:
            yield f"{path}.div: an element or attribute that is not plain text"

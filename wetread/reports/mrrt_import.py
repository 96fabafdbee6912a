"""A template from an IHE MRRT document: sections, systems, fields, codes. What MRRT cannot say, another template can.

Sections are known by their LOINC code or name; every other section becomes a system under the findings. Form elements
become fields, but for the one that holds a section's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from wetread.errors import InputError
from wetread.reports.model import FieldType, Unfilled
from wetread.reports.mrrt import ACTIONS
from wetread.reports.mrrt_form import Code, Document, Element, Part, TooLarge, cut, read_codes, read_document
from wetread.reports.template import ReportTemplate

MAX_BYTES = 2_000_000

_TITLES = {
    "exam": ("Exam", None),
    "indication": ("Indication", "18785-6"),
    "history": ("Clinical history", "11329-0"),
    "technique": ("Technique", "55111-9"),
    "comparison": ("Comparison", "18834-2"),
    "findings": ("Findings", "59776-5"),
    "impression": ("Impression", "19005-8"),
    "recommendation": ("Recommendation", "18783-1"),
}
"""The sections that a report can have, with title and LOINC code (DICOM CID 7001)."""

_SPELLINGS = {
    "exam": r"exam(ination)?s?|study|procedure|order",
    "indication": r"indications?|clinical (information|indications?|question)|reason for (the )?(exam\w*|study)",
    "history": r"(clinical |patient )?history",
    "technique": r"techniques?|procedure (information|description|technique)|imaging technique|protocol",
    "comparison": r"comparisons?( stud(y|ies))?|prior (stud(y|ies)|imaging)",
    "findings": r"(procedure |imaging )?(findings?|observations?)",
    "impression": r"impressions?|conclusions?|summary|opinion",
    "recommendation": r"recommendations?|suggestions?",
}
_BY_LOINC = {loinc: name for name, (_, loinc) in _TITLES.items() if loinc is not None} | {"55752-0": "indication"}
_LOINC = re.compile(r"[0-9]{1,5}-[0-9]")
_RADLEX = re.compile(r"RID[0-9]{1,6}")
_MODALITY = re.compile(r"[A-Z]{2,16}")
_OWN_TEXT = re.compile(r"text|description|free text|findings?|comments?|", re.IGNORECASE)
_UNFILLED: Mapping[str, Unfilled] = {action: word for word, action in ACTIONS.items()}


@dataclass(frozen=True, slots=True)
class Imported:
    """A template made of a document, and what of the document it does not have."""

    template: ReportTemplate
    notes: tuple[str, ...]


def read_mrrt(path: Path, *, name: str | None = None, like: ReportTemplate | None = None) -> Imported:
    """A template from a file; see `from_mrrt`.

    Raises:
        InputError: WET-INPUT-MRRT.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(f"{path.name} cannot be read ({error.strerror}).") from None
    if len(raw) > MAX_BYTES:
        raise _refused(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        return from_mrrt(raw.decode("utf-8-sig"), name=name, like=like)
    except UnicodeDecodeError:
        raise _refused(f"{path.name} is not UTF-8.") from None


def from_mrrt(text: str, *, name: str | None = None, like: ReportTemplate | None = None) -> Imported:
    """A template from the text of an MRRT document. No script is run and nothing is fetched.

    Args:
        text: HTML.
        name: The template's name; made of its identifier or title by default.
        like: A template for the same kind of study: its reading protocol, body parts, views and the tools of systems
            of the same names are taken over.

    Raises:
        InputError: WET-INPUT-MRRT: no sections and no form fields, or what no template can have.
    """
    try:
        document = read_document(text)
        found = [read_codes(xml) for xml in document.xml]
    except TooLarge as error:
        raise _refused(f"The document cannot be a template: {error}.") from None
    codes = [code for listed, _ in found for code in listed]
    reader = _Reader(document, codes)
    reader.read()
    if not reader.sections and not reader.systems and not reader.fields:
        raise _refused("The document has no section (section[data-section-name]) and no form field.")
    title = cut(document.meta.get("dcterms.title", "")) or document.title or "Imported template"
    data: dict[str, Any] = {
        "name": name or _template_name(document.meta.get("dcterms.identifier", ""), title),
        "version": next((version for _, version in found if version), "1"),
        "title": title,
        "loinc": next(
            (c.value for c in codes if not c.entry and c.scheme == "LOINC" and _is_loinc(c.value)), "18748-4"
        ),
        "modalities": list(
            dict.fromkeys(c.value for c in codes if not c.entry and c.scheme == "DCM" and _MODALITY.fullmatch(c.value))
        ),
        **reader.data(title),
    }
    if like is not None:
        _borrow(data, like)
    try:
        return Imported(ReportTemplate.model_validate(data), tuple(reader.notes()))
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise _refused(f"The document cannot be a template: {mistake}.") from None


def template_yaml(template: ReportTemplate, source: str) -> str:
    """A template as the text of its `template.yaml`; what has its default is left out."""
    data = template.model_dump(mode="json", exclude_defaults=True, exclude={"critical"})
    for made, spec in zip(data.get("fields", ()), template.fields, strict=True):
        if spec.required:
            # where nothing is said a required field is asked for
            made["unfilled"] = spec.unfilled
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return f"# imported from {cut(source)} (IHE MRRT)\n{text}"


@dataclass(slots=True)
class _Reader:
    document: Document
    codes: Sequence[Code]
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    exams: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    """Name of the field of each group of radio buttons."""
    changed: int = 0
    defaults: int = 0

    def read(self) -> None:
        self._part(self.document.body, None, None)

    def data(self, title: str) -> dict[str, Any]:
        for name in ("findings", "impression"):
            if name not in self.sections:
                self.sections[name] = _known(name)
        return {
            "exams": self.exams or [{"title": title, "loinc": "18748-4"}],
            "sections": list(self.sections.values()),
            "systems": list(self.systems.values()) or [{"key": "study", "title": "Study"}],
            "fields": list(self.fields.values()),
        }

    def notes(self) -> Iterator[str]:
        if self.document.scripts:
            yield f"{self.document.scripts} script(s) left out."
        if self.defaults:
            yield f"{self.defaults} default value(s) left out: what nobody looked at is not filled in."
        if self.changed:
            yield f"{self.changed} form element(s) of other kinds read as text."

    def _part(self, part: Part, section: str | None, system: str | None) -> None:
        own_text = False
        for item in part.content:
            if isinstance(item, Part):
                self._section(item, section)
            elif section == "exam" and item.kind == "select" and not self.exams:
                self._exams(item)
            elif self._is_own_text(item, part, own_text):
                own_text = True
                if item.get("data-field-completion-action").upper() in ("ALERT", "PROHIBIT"):
                    self._require(section, system)
                elif system is not None:
                    self.systems[system]["required"] = False
                self._count_default(item)
            else:
                self._field(item, system)

    def _section(self, part: Part, within: str | None) -> None:
        title = part.title
        known = self._known_section(part, title) if within is None else None
        if known is not None:
            if known not in self.sections:
                self.sections[known] = _known(known, title, self._code(part.attributes.get("id", "")))
            self._part(part, known, None)
            return
        if not title:
            self._part(part, within, None)
            return
        key = self._free(
            _key(title)[:50] or "section", self.systems, part.attributes.get("id", "").removeprefix("system-")
        )
        self.systems[key] = {"key": key, "title": title}
        self._part(part, within or "findings", key)

    def _known_section(self, part: Part, title: str) -> str | None:
        by_code = _BY_LOINC.get(self._code(part.attributes.get("id", "")) or "")
        words = " ".join(title.lower().split())
        by_name = next((n for n, spelling in _SPELLINGS.items() if re.fullmatch(spelling, words)), None)
        return by_name or by_code

    def _require(self, section: str | None, system: str | None) -> None:
        if system is None and section is not None:
            self.sections[section]["required"] = True

    def _is_own_text(self, item: Element, part: Part, taken: bool) -> bool:
        if taken or part is self.document.body or item.kind != "textarea":
            return False
        if item.get("data-wetread-text"):
            return True
        title = self._title(item).rstrip(": ")
        return title.casefold() == part.title.casefold() or _OWN_TEXT.fullmatch(title) is not None

    def _exams(self, item: Element) -> None:
        if item.get("data-field-completion-action").upper() in ("ALERT", "PROHIBIT"):
            self.sections["exam"]["required"] = True
        for given, text in item.options:
            title = text or cut(given.get("value", ""))
            if not title:
                continue
            views = [view for view in given.get("data-wetread-views", "").split() if view in ("frontal", "lateral")]
            code = self._code(given.get("id", "")) or "18748-4"
            self.exams.append({"title": title, "loinc": code, **({"views": views} if views else {})})

    def _field(self, item: Element, system: str | None) -> None:
        title = self._title(item)
        kind = item.get("type").lower()
        choices = self._choices(item)
        if kind == "radio":
            group = f"{system}/{item.get('name')}"
            if item.get("name") and group in self.groups:
                self._add_choice(group, self._said_by(item))
                return
            choices = [self._said_by(item)]
            title = cut(item.before).rstrip(": ") or cut(item.get("name")) or title
        elif kind == "checkbox":
            choices = ["yes", "no"]
        type_, known = _type_of(item, choices)
        self.changed += not known
        self._count_default(item)
        action = _UNFILLED.get(item.get("data-field-completion-action").upper(), "silent")
        required = "required" in item.attributes or action != "silent"
        name = self._free(_key(title)[:50] or "field", self.fields, item.get("id"))
        made: dict[str, Any] = {"name": name, "title": title or name, "type": type_}
        if type_ == "menu":
            made["choices"] = _distinct(choices)
        if type_ == "number" and (unit := cut(item.get("data-wetread-unit"))[:20]):
            made["unit"] = unit
        if system is not None:
            made["system"] = system
        if required:
            made |= {"required": True, "unfilled": action}
        for code in self.codes:
            if code.entry and code.entry == item.get("id"):
                if code.scheme == "LOINC" and _is_loinc(code.value):
                    made.setdefault("loinc", code.value)
                elif code.scheme == "RADLEX" and _RADLEX.fullmatch(code.value):
                    made.setdefault("radlex", code.value)
        if item.get("data-wetread-computed") == "fleischner_2017" and type_ == "text":
            made["computed"] = "fleischner_2017"
        if kind == "radio":
            self.groups[f"{system}/{item.get('name')}"] = name
        self.fields[name] = made

    def _add_choice(self, group: str, choice: str) -> None:
        made = self.fields[self.groups[group]]
        made["choices"] = _distinct([*made["choices"], choice])

    def _title(self, item: Element) -> str:
        given = self.document.labels.get(item.get("id"), "") or item.label or item.get("name") or item.get("title")
        return cut(given).rstrip(": ") or cut(item.before).rstrip(": ")

    def _said_by(self, item: Element) -> str:
        return cut(item.get("value")) or self._title(item) or cut(item.after)

    def _choices(self, item: Element) -> list[str]:
        options = item.options or self.document.lists.get(item.get("list"), []) if item.kind != "textarea" else []
        return [text or cut(given.get("value", "")) for given, text in options]

    def _count_default(self, item: Element) -> None:
        self.defaults += item.kind == "input" and bool(item.get("value")) and item.get("type").lower() in ("", "text")

    def _code(self, id: str) -> str | None:
        wanted = (c.value for c in self.codes if id and c.entry == id and c.scheme == "LOINC" and _is_loinc(c.value))
        return next(wanted, None)

    def _free(self, key: str, taken: Mapping[str, Any], id: str) -> str:
        """A key that nobody has: the element's own id where it can be one, else made of the title."""
        key = id if re.fullmatch(r"[a-z][a-z0-9_]{0,49}", id) else key
        key = key if key[0].isalpha() else f"f_{key}"
        number, made = 2, key
        while made in taken:
            made, number = f"{key}_{number}", number + 1
        return made


def _known(name: str, title: str = "", loinc: str | None = None) -> dict[str, Any]:
    default, code = _TITLES[name]
    made: dict[str, Any] = {"name": name, "title": title or default}
    if name != "exam":
        made["loinc"] = loinc or code
    return made


def _type_of(item: Element, choices: Sequence[str]) -> tuple[FieldType, bool]:
    """The kind of field, and whether it is one that templates have."""
    said = item.get("data-field-type").upper()
    kind = item.get("type").lower()
    if any(choices):
        return "menu", True
    if said in ("NUMBER", "NUM") or kind in ("number", "range"):
        return "number", True
    if said == "DATE" or kind == "date":
        return "date", True
    return "text", item.kind == "textarea" or (said in ("", "TEXT", "TEXTAREA") and kind in ("", "text", "textarea"))


def _borrow(data: dict[str, Any], like: ReportTemplate) -> None:
    """What MRRT cannot say, from a template for the same kind of study."""
    given = like.model_dump(mode="json", exclude_defaults=True)
    for key in ("body_parts", "views", "needs", "classify", "protocol"):
        if key in given:
            data[key] = given[key]
    data["modalities"] = data["modalities"] or list(like.modalities)
    for system in data["systems"]:
        known = like.system(system["key"])
        if known is not None:
            system |= known.model_dump(mode="json", exclude={"key", "title", "required"})


def _distinct(choices: Sequence[str]) -> list[str]:
    return list({choice.casefold(): choice for choice in reversed(choices) if choice}.values())[::-1]


def _template_name(identifier: str, title: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]{0,59}", identifier):
        return identifier
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60].strip("-") or "imported"


def _is_loinc(value: str) -> bool:
    return _LOINC.fullmatch(value) is not None


def _key(text: str) -> str:
    key = "_".join("".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split())
    return key if not key or key[0].isalpha() else f"f_{key}"


def _refused(message: str) -> InputError:
    return InputError("WET-INPUT-MRRT", message, "Give an HTML5 template as IHE MRRT describes it.")

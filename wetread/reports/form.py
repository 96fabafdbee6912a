"""A template's form fields: what they take, how a draft's or a person's values are entered, what code fills itself.

Kinds of fields and what signing does about an empty one follow IHE Management of Radiology Report Templates (MRRT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from wetread.evidence import Ledger
from wetread.reports import fleischner
from wetread.reports.model import DraftField, FieldType, Report, ReportField, Unfilled
from wetread.reports.plain import plain
from wetread.reports.slots import NOT_MEASURED, fill
from wetread.values import Value

MAX_UNKNOWN = 20
"""Submitted fields that the template does not have, of which the report tells."""

_NUMBER = re.compile(r"(?P<number>-?\d{1,9}(?:\.\d{1,6})?)\s*(?P<unit>\S.{0,20})?")
_MILLIMETRES = {"mm": Decimal(1), "cm": Decimal(10)}


class FieldSpec(Value):
    """A form field of a template.

    Attributes:
        name: Its name in drafts and in report.json.
        title: What stands beside it.
        type: text, number, menu or date.
        unit: UCUM; of a number.
        choices: Of a menu.
        system: Key of the system that it belongs to.
        required: Whether signing looks at it.
        unfilled: What signing does where it is required and empty: prohibit, alert (where nothing is said) or silent.
        loinc: LOINC code of what it asks.
        radlex: RadLex id of what it asks.
        computed: The rule by which code fills it; nobody else does.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    title: str = Field(min_length=1, max_length=200)
    type: FieldType = "text"
    unit: str | None = Field(default=None, max_length=20)
    choices: tuple[str, ...] = ()
    system: str | None = None
    required: bool = False
    unfilled: Unfilled = "silent"
    loinc: str | None = Field(default=None, pattern=r"^[0-9]{1,5}-[0-9]$")
    radlex: str | None = Field(default=None, pattern=r"^RID[0-9]{1,6}$")
    computed: Literal["fleischner_2017"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _asked_for(cls, data: Any) -> Any:
        return {"unfilled": "alert", **data} if isinstance(data, dict) and data.get("required") is True else data

    @field_validator("choices", mode="before")
    @classmethod
    def _as_written(cls, choices: Any) -> Any:
        # YAML reads yes, no and 3 as something else than words
        if not isinstance(choices, list):
            return choices
        return [
            {True: "yes", False: "no"}[c] if isinstance(c, bool) else str(c) if isinstance(c, int) else c
            for c in choices
        ]

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if (self.type == "menu") != bool(self.choices):
            raise ValueError(f"field '{self.name}': a menu has choices, and nothing else has")
        if len({choice.casefold() for choice in self.choices}) != len(self.choices):
            raise ValueError(f"field '{self.name}': a choice is listed twice")
        if self.unit is not None and self.type != "number":
            raise ValueError(f"field '{self.name}': only a number has a unit")
        if self.unfilled != "silent" and not self.required:
            raise ValueError(f"field '{self.name}': signing asks for required fields only; add required: true")
        if self.computed is not None and (self.type != "text" or self.required):
            raise ValueError(f"field '{self.name}': what code fills is a text, and not required")
        return self


def check_fields(fields: Sequence[FieldSpec], systems: Sequence[str]) -> None:
    """Whether fields fit together and into their template.

    Raises:
        ValueError: a name twice, a system that is not there, or what a computed field reads missing or different.
    """
    by_name = {field.name: field for field in fields}
    if len(by_name) != len(fields):
        names = [field.name for field in fields]
        raise ValueError(f"field '{next(n for n in names if names.count(n) > 1)}' is listed twice")
    for field in fields:
        if field.system is not None and field.system not in systems:
            raise ValueError(f"field '{field.name}': there is no system '{field.system}'")
        if field.computed is None:
            continue
        for name, choices in fleischner.READS.items():
            read = by_name.get(name)
            if read is None or read.choices != choices or (not choices and (read.type, read.unit) != ("number", "mm")):
                wanted = f"a menu of {', '.join(choices)}" if choices else "a number in mm"
                raise ValueError(f"field '{field.name}' is computed from '{name}', which must be {wanted}")


def entered(spec: FieldSpec, text: str) -> str:
    """A value as the report holds it.

    Raises:
        ValueError: it does not fit; says what would.
    """
    text = plain(text)
    if not text:
        raise ValueError("The value is empty.")
    match spec.type:
        case "number":
            return _number(spec, text)
        case "menu":
            chosen = next((c for c in spec.choices if c.casefold() == text.rstrip(".").casefold()), None)
            if chosen is None:
                raise ValueError(f"Choose one of: {'; '.join(spec.choices)}.")
            return chosen
        case "date":
            try:
                return date.fromisoformat(text).isoformat()
            except ValueError:
                raise ValueError("Write the date as YYYY-MM-DD.") from None
        case _:
            return text


def compose_fields(
    specs: Sequence[FieldSpec], drafted: Mapping[str, DraftField], ledger: Ledger, age_years: int | None
) -> tuple[ReportField, ...]:
    """The report's fields, in the template's order, then what was submitted for fields that there are not.

    Args:
        specs: The template's fields.
        drafted: Submitted values, by a field's name or title.
        ledger: For slots.
        age_years: For fields that code fills.
    """
    by_key = {key: spec for spec in specs for key in (_key(spec.title), _key(spec.name))}
    given: dict[str, DraftField] = {}
    unknown: list[ReportField] = []
    for name, value in drafted.items():
        spec = by_key.get(_key(name))
        if spec is not None:
            given[spec.name] = value
        else:
            unknown.append(_unknown(name, value, specs))
    fields = [_drafted(spec, given.get(spec.name), ledger) for spec in specs]
    return (*_computed(specs, fields, age_years), *unknown[:MAX_UNKNOWN])


def fill_in(report: Report, specs: Sequence[FieldSpec], values: Mapping[str, str]) -> Report:
    """The next version of a report with fields filled by a person; an empty text empties a field.

    Args:
        report: The report.
        specs: Its template's fields.
        values: Values by a field's name.

    Raises:
        ValueError: there is no such field, code fills it, or the value does not fit.
    """
    by_name = {spec.name: spec for spec in specs}
    fields = {field.name: field for field in report.fields if field.known}
    for name, text in values.items():
        spec = by_name.get(name)
        if spec is None or name not in fields:
            raise ValueError(f"There is no field '{name}'.")
        if spec.computed is not None:
            raise ValueError(f"Code fills '{name}'.")
        fields[name] = _empty(spec)
        if text.strip():
            try:
                fields[name] = fields[name].model_copy(update={"value": entered(spec, text), "source": "person"})
            except ValueError as error:
                raise ValueError(f"{spec.title}: {error}") from None
    filled = _computed(specs, [fields[spec.name] for spec in specs if spec.name in fields], report.age_years)
    update = {"fields": filled, "version": report.version + 1, "replaces": report.sha256}
    return report.model_copy(update=update).sealed()


def unfilled(report: Report) -> tuple[ReportField, ...]:
    """The required fields that are empty."""
    return tuple(field for field in report.fields if field.required and field.value is None)


def _drafted(spec: FieldSpec, drafted: DraftField | None, ledger: Ledger) -> ReportField:
    empty = _empty(spec)
    if drafted is None:
        return empty
    if spec.computed is not None:
        return _refused(empty, drafted.value, "Code fills this field. Leave it out.")
    filled = fill(plain(drafted.value), ledger.get)
    if NOT_MEASURED in filled.text:
        return _refused(empty, drafted.value, "The slot names no measurement of the ledger.")
    try:
        value = entered(spec, filled.text)
    except ValueError as error:
        return _refused(empty, filled.text, str(error))
    cited = tuple(dict.fromkeys([*(_id(id) for id in drafted.evidence), *filled.evidence]))
    return empty.model_copy(update={"value": value, "source": "agent", "evidence": cited})


def _computed(
    specs: Sequence[FieldSpec], fields: Sequence[ReportField], age_years: int | None
) -> tuple[ReportField, ...]:
    by_name = {field.name: field for field in fields}
    rules = {spec.name for spec in specs if spec.computed is not None}
    made = []
    for field in fields:
        if field.name in rules and field.refused is None:
            read = [by_name[name] for name in fleischner.READS]
            # what an agent wrote without any evidence is nothing to compute from
            stands = {one.name: one.value if one.source == "person" or one.evidence else None for one in read}
            value, reason = fleischner.recommendation(stands, age_years)
            evidence = tuple(dict.fromkeys(id for one in read for id in one.evidence)) if value else ()
            source = "code" if value else None
            field = field.model_copy(update={"value": value, "reason": reason, "evidence": evidence, "source": source})
        made.append(field)
    return tuple(made)


def _empty(spec: FieldSpec) -> ReportField:
    return ReportField(
        name=spec.name,
        title=spec.title,
        type=spec.type,
        unit=spec.unit,
        choices=spec.choices,
        system=spec.system,
        loinc=spec.loinc,
        radlex=spec.radlex,
        required=spec.required,
        unfilled=spec.unfilled,
    )


def _refused(field: ReportField, text: str, reason: str) -> ReportField:
    return field.model_copy(update={"refused": plain(text)[:200], "reason": reason})


def _unknown(name: str, drafted: DraftField, specs: Sequence[FieldSpec]) -> ReportField:
    there = ", ".join(spec.name for spec in specs if spec.computed is None)
    return ReportField(
        name=plain(name)[:60] or "unnamed",
        title=plain(name)[:60] or "unnamed",
        known=False,
        refused=plain(drafted.value)[:200],
        reason=f"There is no such field. There are: {there}." if there else "The template has no fields.",
    )


def _number(spec: FieldSpec, text: str) -> str:
    match = _NUMBER.fullmatch(text.rstrip(". ") if text.endswith(".") else text)
    unit = spec.unit if spec.unit != "1" else None
    wanted = f"a number in {unit}" if unit else "a number"
    if match is None:
        raise ValueError(f"Write {wanted}.")
    number, given = Decimal(match["number"]), (match["unit"] or "").strip()
    if given and given != unit:
        if given not in _MILLIMETRES or unit not in _MILLIMETRES:
            raise ValueError(f"Write {wanted}.")
        number = (number * _MILLIMETRES[given] / _MILLIMETRES[unit]).normalize()
    return f"{number:f}"


def _id(text: str) -> str:
    word = plain(text).strip("[](){} ")
    return word[:1].upper() + word[1:]


def _key(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())

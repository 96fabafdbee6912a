"""The report as an object: what an agent submits (`Draft`) and what code makes of it (`Report`).

Section words and LOINC codes: DICOM CID 7001. Status words: FHIR R4B DiagnosticReport.status.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from wetread.evidence import Evidence, Measurement, Region
from wetread.reports.reviewed import Review
from wetread.values import Value, canonical_json, sha256_hex
from wetread.vocabulary import Assertion, Change, Side

SCHEMA_VERSION = "1"

Severity = Literal["error", "warning", "info"]
SystemStatus = Literal["normal", "abnormal", "not_assessed"]
ReportStatus = Literal[
    "registered",
    "partial",
    "preliminary",
    "final",
    "amended",
    "corrected",
    "appended",
    "cancelled",
    "entered-in-error",
]
FieldType = Literal["text", "number", "menu", "date"]
"""Kinds of a template's form fields (IHE MRRT: text, number, selection list, date)."""
Unfilled = Literal["prohibit", "alert", "silent"]
"""What signing does about a field that is not filled (IHE MRRT, data-field-completion-action)."""


class DraftStatement(Value):
    """One sentence as an agent submits it. Numbers are slots, `{E4.cardiothoracic_ratio}`, filled by code."""

    system: str
    text: str
    evidence: tuple[str, ...] = ()


class DraftImpression(Value):
    """One numbered line of the impression, most important first."""

    text: str
    evidence: tuple[str, ...] = ()


class DraftField(Value):
    """The value of one of the template's fields as an agent submits it. A number is a slot."""

    value: str
    evidence: tuple[str, ...] = ()


class Draft(Value):
    """What an agent submits. `not_assessed` maps a system to the reason why nothing is said about it; `fields` are
    values of the template's fields by name. There is no place for a communication record: only a person makes one."""

    findings: tuple[DraftStatement, ...] = ()
    impression: tuple[DraftImpression, ...] = ()
    recommendations: tuple[str, ...] = ()
    not_assessed: dict[str, str] = Field(default_factory=dict)
    fields: dict[str, DraftField] = Field(default_factory=dict)


class TextMeasurement(Value):
    """A number with a unit as a text has it: one value, the sides of "2 x 3 cm", or the ends of a range."""

    values: tuple[float, ...]
    unit: str
    """In UCUM, such as `cm`."""
    ranged: bool = False
    earlier: bool = False
    """Whether it is the value of an earlier study ("previously 8 mm")."""
    start: int = 0
    end: int = 0


class Claim(Value):
    """What one statement asserts about one finding, parsed from its text by code. Offsets are into that text."""

    finding: str | None = None
    anatomy: str | None = None
    side: Side | None = None
    assertion: Assertion = Assertion.PRESENT
    change: Change | None = None
    qualifiers: tuple[str, ...] = ()
    """Words that narrow it, such as `large` or `acute`: "no large effusion" does not deny a small one. On a claim of
    normality, `otherwise` where it holds only for what is not mentioned."""
    measurements: tuple[TextMeasurement, ...] = ()
    start: int = 0
    end: int = 0


class Statement(Value):
    """One sentence of the report, its slots filled, with the evidence behind it."""

    id: str
    """`S1`, `S2`, ... in reading order: findings first, then impression and recommendations."""
    section: Literal["findings", "impression", "recommendation"]
    system: str | None = None
    text: str
    evidence: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    """The measurements that slots of this statement were filled from."""
    regions: tuple[Region, ...] = ()
    """What this statement points at on the images, taken from its evidence."""


class SystemFindings(Value):
    """The findings of one system. Not assessed is never shown as normal, and says why."""

    system: str
    title: str
    status: SystemStatus
    reason: str | None = None
    """Why it is not assessed; or, where statements under another system speak of it, which ones."""
    reason_from: Literal["draft", "evidence", "code", "person"] | None = None
    """Who gave the reason: the draft, failed or abstained evidence, code because nothing was said, or a reader."""
    required: bool = True
    """Whether the template asks for this system."""
    statements: tuple[Statement, ...] = ()


class Section(Value):
    """A section that code writes from the order, the header or the study: exam, indication, technique, ..."""

    name: str
    title: str
    loinc: str
    text: str
    source: Literal["order", "header", "study", "code", "agent"] = "code"
    required: bool = False
    """Whether the template asks for this section."""


class ReportField(Value):
    """A form field of the template with its value. An empty one is never shown as normal."""

    name: str
    title: str
    type: FieldType = "text"
    unit: str | None = None
    """UCUM; of a number."""
    choices: tuple[str, ...] = ()
    system: str | None = None
    """The system that it belongs to."""
    loinc: str | None = None
    radlex: str | None = None
    required: bool = False
    unfilled: Unfilled = "silent"
    value: str | None = None
    """As text: a number with a decimal point and no unit, a date as ISO 8601, one of a menu's choices."""
    source: Literal["agent", "code", "person"] | None = None
    """Who gave the value; None while there is none."""
    evidence: tuple[str, ...] = ()
    refused: str | None = None
    """What was submitted and could not be entered."""
    reason: str | None = None
    """Why it was refused; or, of a field that code fills, why there is no value."""
    known: bool = True
    """False for a submitted field that the template does not have."""

    @property
    def place(self) -> str:
        """The `where` of issues about it."""
        return f"field:{self.name}"

    @property
    def shown(self) -> str:
        """The value with its unit; empty where there is none."""
        return "" if self.value is None else f"{self.value} {self.unit or ''}".strip()


class Communication(Value):
    """Who was told of a critical result, by whom, when and how. Empty until a person fills it."""

    to: str | None = None
    by: str | None = None
    at: datetime | None = None
    how: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is not filled in."""
        return tuple(name for name in ("to", "by", "at", "how") if not getattr(self, name))


class CriticalResult(Value):
    """A finding of the list of critical findings that the report says is, or may be, there."""

    finding: str
    """Key of the lexicon."""
    name: str
    """As a person reads it, with its side."""
    side: Side | None = None
    assertion: Assertion
    """Present where any of the statements says so, else uncertain."""
    statements: tuple[str, ...]
    """Ids of the statements that say so, in reading order."""
    found: datetime
    communication: Communication = Communication()


class Issue(Value):
    """One outcome of a check. `where` is a statement id, a system or a section name; offsets are into that text."""

    code: str = Field(pattern=r"^[A-Z]{3}-[1-9]$")
    severity: Severity
    message: str
    where: str | None = None
    start: int | None = None
    end: int | None = None
    evidence: tuple[str, ...] = ()


class ReportImage(Value):
    """What a rendering needs to know of one image."""

    handle: str
    role: Literal["current", "prior"]
    modality: str
    view: str
    rows: int
    columns: int
    patient_right_on: Literal["left", "right", "unknown"] = "unknown"
    acquired: date | None = None
    notes: tuple[str, ...] = ()


class Grounding(Value):
    """How many statements stand on evidence."""

    statements: int
    grounded: int
    contradicted: int
    not_assessed: int


class Report(Value):
    """One immutable version of a report. `sha256` is over the canonical JSON of everything else in it."""

    schema_version: str = SCHEMA_VERSION
    version: int = 1
    replaces: str | None = None
    """`sha256` of the version that this one replaces."""
    status: ReportStatus = "partial"
    template: str
    template_version: str
    created: datetime
    age_years: int | None = None
    sex: Literal["F", "M", "O"] | None = None
    language_model: str
    """Name of the chat model that drafted it; `protocol` where rules did."""
    modes: tuple[Literal["simulated", "replay", "authored"], ...] = ()
    """What a reader must not overlook: simulated answers, a replay, answers written by hand."""
    disclosure: str
    incomplete: str | None = None
    """Why the draft is not whole (a budget reached, no draft submitted); None for a whole one."""
    images: tuple[ReportImage, ...]
    sections: tuple[Section, ...]
    """Code-written sections in the template's order, without findings, impression and recommendation."""
    findings: tuple[SystemFindings, ...]
    impression: tuple[Statement, ...]
    recommendations: tuple[Statement, ...] = ()
    fields: tuple[ReportField, ...] = ()
    """The template's form fields, in its order, filled or not; then what was submitted for fields it does not have."""
    critical: tuple[CriticalResult, ...] = ()
    """What must be communicated at once, most urgent first."""
    grounding: Grounding
    issues: tuple[Issue, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    review: Review | None = None
    """What people did with it; None for a draft that nobody has read."""
    sha256: str = ""

    def content_hash(self) -> str:
        """SHA-256 over the canonical JSON of the report without its own hash."""
        return sha256_hex(canonical_json(self.model_dump(mode="json", exclude={"sha256"})))

    def sealed(self) -> Report:
        """This report with its hash filled in."""
        return self.model_copy(update={"sha256": self.content_hash()})

    def statements(self) -> list[Statement]:
        """Every statement in reading order."""
        found = [statement for system in self.findings for statement in system.statements]
        return [*found, *self.impression, *self.recommendations]

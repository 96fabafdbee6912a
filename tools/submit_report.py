"""`submit_report`: the draft goes in, a composed and checked report comes out, and its issues go back to the agent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue

from wetread.errors import ToolError
from wetread.events import DraftSubmitted
from wetread.evidence import ModelVersion
from wetread.reports.checks import check_report
from wetread.reports.compose import compose, with_issues
from wetread.reports.form import FieldSpec
from wetread.reports.model import Draft, DraftField, DraftImpression, DraftStatement, Issue, Report
from wetread.tools.arguments import Words
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.vocabulary import Origin

MAX_ROUNDS = 3
"""The draft of this round is accepted as it is; what is left to repair stays on the report."""

MAX_STATEMENTS = 100
MAX_ISSUES_SHOWN = 20
_MAX_SHOWN = 80


def _as_lines(value: Any) -> Any:
    """Lines of the impression, of which some models write the text alone."""
    if isinstance(value, str):
        value = [value]
    return [{"text": line} if isinstance(line, str) else line for line in value] if isinstance(value, list) else value


def _as_texts(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_fields(value: Any) -> Any:
    """Values of fields, of which some models write the value alone."""
    if not isinstance(value, dict):
        return value
    entries = {name: entry if isinstance(entry, dict) else {"value": entry} for name, entry in value.items()}
    return {
        name: {**entry, "value": _as_text(entry["value"])}
        for name, entry in entries.items()
        if entry.get("value") is not None
    }


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | float) else value


class DraftedStatement(Arguments):
    """One sentence of the findings. What else a model adds to it is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    system: str = Field(max_length=60)
    text: str = Field(max_length=2000)
    evidence: Words = ()


class DraftedLine(Arguments):
    """One line of the impression."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    text: str = Field(max_length=2000)
    evidence: Words = ()


class DraftedField(Arguments):
    """The value of one field of the template."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    value: str = Field(max_length=2000)
    evidence: Words = ()


class SubmitReportArguments(Arguments):
    """The draft."""

    findings: tuple[DraftedStatement, ...] = Field(default=(), max_length=MAX_STATEMENTS)
    impression: Annotated[tuple[DraftedLine, ...], BeforeValidator(_as_lines)] = Field(
        default=(), max_length=MAX_STATEMENTS
    )
    recommendations: Annotated[tuple[str, ...], BeforeValidator(_as_texts)] = Field(
        default=(), max_length=MAX_STATEMENTS
    )
    not_assessed: dict[str, str] = Field(default_factory=dict, max_length=MAX_STATEMENTS)

    def draft(self) -> Draft:
        """The draft as a value of the report."""
        return self._draft({})

    def _draft(self, fields: dict[str, DraftField]) -> Draft:
        return Draft(
            findings=tuple(
                DraftStatement(system=one.system, text=one.text, evidence=one.evidence) for one in self.findings
            ),
            impression=tuple(DraftImpression(text=one.text, evidence=one.evidence) for one in self.impression),
            recommendations=self.recommendations,
            not_assessed=self.not_assessed,
            fields=fields,
        )


class SubmitFormArguments(SubmitReportArguments):
    """The draft of a report whose template has form fields."""

    fields: Annotated[dict[str, DraftedField], BeforeValidator(_as_fields)] = Field(
        default_factory=dict, max_length=MAX_STATEMENTS
    )

    def draft(self) -> Draft:
        return self._draft(
            {name: DraftField(value=one.value, evidence=one.evidence) for name, one in self.fields.items()}
        )


class SubmitReport(Tool[SubmitReportArguments]):
    """Composes and checks a draft; leaves the report on the reading. Makes no evidence: a report proves nothing."""

    name = "submit_report"
    card = (
        "Submit the whole draft once all other tools answered. evidence: ids; numbers only as {E4.name}; not_assessed: "
        "system to reason. Issues come back: repair those of severity error and submit the whole draft again."
    )
    arguments = SubmitReportArguments
    deadline_s = 60.0
    makes_evidence = False

    async def run(self, arguments: SubmitReportArguments, reading: Reading) -> Outcome:
        report = compose(
            arguments.draft(),
            study=reading.study,
            template=reading.template,
            ledger=reading.ledger,
            artifacts=reading.artifacts,
            now=reading.now(),
            language_model=reading.language_model,
            modes=reading.modes,
        )
        try:
            report = reading.carry(report)
        except ToolError as error:
            # told once, so that the agent can do something else; nobody is to be told without end
            reading.rounds += 1
            reading.barred = str(error) if reading.rounds > 1 else None
            raise
        issues = tuple(check_report(report, reading.study))
        report = with_issues(report, issues)
        reading.rounds += 1
        errors = sum(issue.severity == "error" for issue in issues)
        reading.report = report
        reading.accepted = not errors or reading.rounds >= MAX_ROUNDS
        reading.emit(DraftSubmitted(round=reading.rounds, issues=issues))
        said: dict[str, JsonValue] = {"accepted": reading.accepted, "issues": _shown(report, issues)}
        if not reading.accepted:
            said["rounds_left"] = MAX_ROUNDS - reading.rounds
        verdict = "accepted" if reading.accepted else "sent back"
        return Outcome(
            for_model=said,
            summary=f"draft {reading.rounds} {verdict}, {len(issues)} issue{'' if len(issues) == 1 else 's'}",
            model=ModelVersion(name="wetread reports", version="1"),
            origin=Origin.CODE,
        )


def submit_report_for(fields: Sequence[FieldSpec]) -> SubmitReport:
    """The tool for a template with these fields; without any, the one that offers none."""
    asked = tuple(field for field in fields if field.computed is None)
    return _with_fields(asked)() if asked else SubmitReport()


@lru_cache(maxsize=64)
def _with_fields(fields: tuple[FieldSpec, ...]) -> type[SubmitReport]:
    # a class for each form: toolbox and reviewer keep what they make of a tool by its class
    card = f"{SubmitReport.card} fields: name to value and evidence, only what evidence says: {_asked(fields)}."
    made: type[SubmitReport] = type("SubmitForm", (SubmitReport,), {"card": card, "arguments": SubmitFormArguments})
    return made


def _asked(fields: Sequence[FieldSpec]) -> str:
    return "; ".join(f"{field.name} ({_takes(field)})" for field in fields)


def _takes(field: FieldSpec) -> str:
    if field.choices:
        return "|".join(field.choices)
    return f"{field.type} {field.unit}" if field.unit else field.type


def _shown(report: Report, issues: tuple[Issue, ...]) -> list[JsonValue]:
    """The issues as an agent can act on them: errors first, each with the words that it is about."""
    texts = {statement.id: statement.text for statement in report.statements()}
    ranks = {"error": 0, "warning": 1, "info": 2}
    shown: list[JsonValue] = []
    for issue in sorted(issues, key=lambda issue: ranks[issue.severity])[:MAX_ISSUES_SHOWN]:
        entry: dict[str, JsonValue] = {
            "code": issue.code,
            "severity": issue.severity,
            "where": issue.where,
            "message": issue.message,
        }
        if issue.where in texts:
            entry["text"] = texts[issue.where][:_MAX_SHOWN]
        if issue.evidence:
            entry["evidence"] = list(issue.evidence)
        shown.append(entry)
    return shown

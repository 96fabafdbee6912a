"""`current_report`: the report in hand as an agent may know it, with what the reader changed, without their name."""

from __future__ import annotations

from pydantic import JsonValue

from wetread.evidence import ModelVersion
from wetread.reports.model import Report, Statement
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.person import report_in_hand, without_names
from wetread.vocabulary import Origin


class CurrentReportArguments(Arguments):
    """None."""


class CurrentReport(Tool[CurrentReportArguments]):
    """The statements with their ids, who wrote them, and what checks object to."""

    name = "current_report"
    card = "The report in hand: statements with ids and evidence, which of them the reader wrote, open issues."
    arguments = CurrentReportArguments
    deadline_s = 10.0
    makes_evidence = False

    def precheck(self, arguments: CurrentReportArguments, reading: Reading) -> None:
        report_in_hand(reading.report)

    async def run(self, arguments: CurrentReportArguments, reading: Reading) -> Outcome:
        report = report_in_hand(reading.report)
        review = report.review
        statements: list[JsonValue] = [_statement(one, report) for one in report.statements()]
        said: dict[str, JsonValue] = {"version": report.version, "status": report.status, "statements": statements}
        missing: dict[str, JsonValue] = {
            one.system: without_names(one.reason or "", report)
            for one in report.findings
            if one.status == "not_assessed"
        }
        if missing:
            said["not_assessed"] = missing
        removed: list[JsonValue] = [
            without_names(one.before or "", report)
            for one in (review.decisions if review else ())
            if one.action == "rejected"
        ]
        if removed:
            said["removed_by_reader"] = removed
        if report.incomplete:
            said["incomplete"] = report.incomplete
        said["issues"] = [
            {
                "code": issue.code,
                "severity": issue.severity,
                "where": issue.where,
                "message": without_names(issue.message, report),
            }
            for issue in report.issues
            if review is None or not review.overridden(issue.code, issue.where, issue.message)
        ]
        count = len(report.issues)
        return Outcome(
            for_model=said,
            summary=f"version {report.version}, {len(statements)} statements, {count} issue{'' if count == 1 else 's'}",
            model=ModelVersion(name="wetread reports", version="1"),
            origin=Origin.CODE,
        )


def _statement(statement: Statement, report: Report) -> JsonValue:
    row: dict[str, JsonValue] = {
        "id": statement.id,
        "in": statement.system or statement.section,
        "text": without_names(statement.text, report),
        "evidence": list(statement.evidence),
    }
    if report.review is not None and report.review.author(statement.id) is not None:
        row["by"] = "reader"
    return row

"""Checks that need no model: pure functions over a report, its evidence and its study that give issues.

One module per family, each with its `CHECKS`; to add a family, write its module and name it here, and give it a page in
docs/checks. Codes never change their meaning.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from wetread.reports.checks import aid, cod, con, crt, dem, dis, grd, inj, lat, num, phi, pri, rep, sec, unc
from wetread.reports.checks.base import Check, Needs
from wetread.reports.checks.document import Document, from_report
from wetread.reports.model import Issue, Report

if TYPE_CHECKING:
    from wetread.study import Study

__all__ = ["CHECKS", "Check", "check_document", "check_report", "left_out"]

CHECKS: tuple[Check, ...] = tuple(
    check
    for family in (grd, dis, sec, lat, con, num, pri, crt, unc, rep, dem, phi, inj, aid, cod)
    for check in family.CHECKS
)
"""Every check, in the order in which issues at one place are listed."""

_ORDER = {check.code: place for place, check in enumerate(CHECKS)}


def check_report(
    report: Report, study: Study | None = None, *, ledger: bool = True, today: date | None = None
) -> tuple[Issue, ...]:
    """All issues of a drafted report, in reading order.

    Args:
        report: The report, checked or not; its own `issues` are not looked at.
        study: The study it is about; None where there is the report alone.
        ledger: False where the report never had evidence.
        today: The day that is not the future; the day the report was made by default.
    """
    return check_document(from_report(report, study, ledger=ledger, today=today))


def check_document(doc: Document) -> tuple[Issue, ...]:
    """All issues of a document, in reading order."""
    there = _there(doc.study, doc.has_ledger)
    found = {issue: None for check in CHECKS if check.needs <= there for issue in check.run(doc)}
    rank = {where: place for place, where in enumerate(_places(doc))}
    last = len(rank)
    return tuple(
        sorted(found, key=lambda i: (rank.get(i.where or "", last), i.start or 0, _ORDER.get(i.code, len(_ORDER))))
    )


def left_out(study: Study | None = None, *, ledger: bool = True) -> tuple[str, ...]:
    """Codes of the checks that are left out, wholly or in part, for want of a study or a ledger."""
    there = _there(study, ledger)
    return tuple(check.code for check in CHECKS if not (check.needs | check.partly) <= there)


def _there(study: Study | None, ledger: bool) -> set[Needs]:
    there: set[Needs] = set()
    if ledger:
        there.add("evidence")
    if study is not None:
        there.add("study")
    return there


def _places(doc: Document) -> list[str]:
    if doc.report is None:
        return list(dict.fromkeys(line.where for line in doc.lines))
    places = [section.name for section in doc.report.sections]
    for system in doc.report.findings:
        places += [system.system, *(statement.id for statement in system.statements)]
    places += [field.place for field in doc.report.fields]
    return [*places, "impression", *(line.where for line in doc.lines if line.statement is not None)]

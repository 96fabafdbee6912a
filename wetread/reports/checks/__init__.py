"""Checks that need no model: pure functions over report, evidence and study that give issues.

One module per family, each with its `CHECKS`; to add a family, write its module and name it here. Codes never change
their meaning.
"""

from __future__ import annotations

from wetread.reports.checks import grd, num, pri, sec
from wetread.reports.checks.base import Check, Needs
from wetread.reports.model import Issue, Report
from wetread.study import Study

__all__ = ["CHECKS", "Check", "check_report", "left_out"]

CHECKS: tuple[Check, ...] = (*grd.CHECKS, *sec.CHECKS, *num.CHECKS, *pri.CHECKS)
"""Every check, in the order in which issues at one place are listed."""


def check_report(report: Report, study: Study | None = None, *, ledger: bool = True) -> tuple[Issue, ...]:
    """All issues of a report, in reading order.

    Args:
        report: The report, checked or not; its own `issues` are not looked at.
        study: The study it is about; None where there is the report alone.
        ledger: False where the report is clinical text that never had evidence.
    """
    rank = {where: place for place, where in enumerate(_places(report))}
    order = {check.code: place for place, check in enumerate(CHECKS)}
    found = {issue: None for check in CHECKS if _can_run(check, study, ledger) for issue in check.run(report, study)}
    return tuple(
        sorted(found, key=lambda i: (rank.get(i.where or "", len(rank)), i.start or 0, order.get(i.code, len(order))))
    )


def left_out(study: Study | None = None, *, ledger: bool = True) -> tuple[str, ...]:
    """Codes of the checks that `check_report` leaves out for want of a study or a ledger."""
    return tuple(check.code for check in CHECKS if not _can_run(check, study, ledger))


def _can_run(check: Check, study: Study | None, ledger: bool) -> bool:
    there: set[Needs] = set()
    if ledger:
        there.add("evidence")
    if study is not None:
        there.add("study")
    return check.needs <= there


def _places(report: Report) -> list[str]:
    places = [section.name for section in report.sections]
    for system in report.findings:
        places += [system.system, *(statement.id for statement in system.statements)]
    return [*places, "impression", *(s.id for s in report.impression), *(s.id for s in report.recommendations)]

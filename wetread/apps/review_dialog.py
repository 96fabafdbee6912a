"""The questions that `wetread review` asks at a terminal. Answers are put into the options, as if they were given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from wetread.apps.output import show_report
from wetread.apps.terminal import console
from wetread.errors import InputError, ReviewError

if TYPE_CHECKING:
    from rich.console import Console

    from wetread.reports.model import Report, Statement

_KEYS = {"a": "accept", "e": "edit", "r": "reject", "s": "leave as it is", "q": "no more statements"}


def ask(report: Report, options: argparse.Namespace, attempt: Callable[[], Report]) -> None:
    """Go through a report with its reader, and set the options to what they said.

    Args:
        report: The report.
        options: Are changed.
        attempt: Makes the next version from the options; what refuses it is shown, and asked about again.

    Raises:
        ReviewError: `WET-REVIEW-NOTHING`, the reader left without doing anything.
    """
    from wetread.reports.states import SIGNED

    out = console(sys.stdout)
    show_report(report, as_json=False)
    if not options.by:
        options.by = _line(out, "Your name")
    for statement in report.statements():
        if not _statement(out, report, statement, options, attempt):
            break
    while text := _line(out, "Add a statement (PLACE=TEXT, empty for none)"):
        _taken(out, options.add, text, attempt)
    for result in report.critical:
        if result.communication.missing:
            finding = f"{result.side.value} {result.finding}" if result.side else result.finding
            while (record := _told(out, finding)) and not _taken(out, options.told, record, attempt):
                continue
    signed = report.status in SIGNED
    ends = (
        "[s]ign the change, [c]orrect an error, [q]uit" if signed else "[s]ign, [p]reliminary, [k]eep in review, [q]uit"
    )
    while True:
        end = _line(out, ends).lower()[:1]
        options.preliminary, options.sign, options.correct = False, None, None
        if end == "q":
            raise ReviewError("WET-REVIEW-NOTHING", "You left. Nothing was changed.")
        if end == "s":
            options.sign = options.by
        elif end == "c" and signed:
            options.correct = options.by
        elif end == "p" and not signed:
            options.preliminary = True
        elif end != "k" or signed:
            continue
        try:
            attempt()
        except ReviewError as error:
            out.print(error.line(), style="bold red")
            if error.code == "WET-REVIEW-BLOCKED" and (why := _line(out, "Reason to sign all the same (empty: no)")):
                options.override = why
                return
            if error.code == "WET-REVIEW-BLOCKED":
                continue
            raise
        return


def _statement(
    out: Console, report: Report, statement: Statement, options: argparse.Namespace, attempt: Callable[[], Report]
) -> bool:
    """Ask about one statement; False where the reader wants no more."""
    from rich.text import Text

    from wetread.reports.plain import shown
    from wetread.reports.view import issues_at

    place = statement.system or statement.section
    out.print()
    out.print(Text.assemble((f"{statement.id} ", "bold"), (f"{place}  ", "dim"), shown(statement.text)))
    for evidence in report.evidence:
        if evidence.id in statement.evidence:
            said = f": {shown(evidence.summary)}" if evidence.summary else ""
            out.print(Text(f"   {evidence.id} {evidence.tool}{said}", "dim"))
    for issue in issues_at(report, statement.id):
        out.print(Text(f"   {issue.code} {issue.severity}: {shown(issue.message)}", "yellow"))
    keys = ", ".join(f"[{key}] {word}" for key, word in _KEYS.items())
    while (key := _line(out, keys).lower()[:1]) not in _KEYS:
        continue
    match key:
        case "a":
            options.accept.append(statement.id)
        case "r":
            options.reject.append(statement.id)
        case "e":
            while text := _line(out, "New text (empty: as it is)"):
                if _taken(out, options.edit, f"{statement.id}={text}", attempt):
                    break
    return key != "q"


def _taken(out: Console, answers: list[str], answer: str, attempt: Callable[[], Report]) -> bool:
    """Put an answer to the others, unless it cannot be done; then say why."""
    answers.append(answer)
    try:
        attempt()
    except (ReviewError, InputError) as error:
        # what stands against signing is for the end
        if error.code not in ("WET-REVIEW-SIGNED", "WET-REVIEW-BLOCKED"):
            out.print(error.line(), style="bold red")
            answers.pop()
            return False
    return True


def _told(out: Console, finding: str) -> str:
    out.print(f"\nCritical result: {finding.replace('_', ' ')}. Who was told?", style="bold")
    given = {name: _line(out, name) for name in ("to", "by", "at", "how")}
    record = "; ".join(f"{name}={value}" for name, value in given.items() if value)
    return f"{finding.replace('_', ' ')}; {record}" if record else ""


def _line(out: Console, prompt: str) -> str:
    """One answer; the end of the input ends the review."""
    try:
        return out.input(f"{prompt}: ", markup=False, emoji=False).strip()
    except EOFError:
        raise ReviewError("WET-REVIEW-NOTHING", "The input ended. Nothing was changed.") from None

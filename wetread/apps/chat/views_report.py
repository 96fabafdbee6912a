"""The report in the chat: the panel that updates, its issues, and what a change changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wetread.apps.chat.markdownish import CITED
from wetread.apps.chat.views import SEVERITY_STYLES, issues_style
from wetread.reports.model import Issue, Report, Statement, SystemFindings
from wetread.reports.plain import shown
from wetread.reports.view import MODE_WORDS, SEVERITIES, counted, critical_word, issues_at, told
from wetread.review.diff import Difference, Run, diff_reports, marked

SYSTEM_SIGNS = {"normal": ("●", "green"), "abnormal": ("■", "yellow"), "not_assessed": ("○", "dim")}

NO_REPORT = "No report yet. “Read this.” drafts one."

_TITLES = 18
_TOLD = ("statement", "field", "addendum", "signature")
"""Kinds of differences that are told word by word; others follow from these."""
_SHARED = 0.5
"""Share of a text that must stay for its change to be told by words."""


def report_panel(report: Report | None, width: int, height: int, scroll: int = 0) -> RenderableType:
    """The report in few lines: each system, the impression, what is critical, what the checks say.

    Args:
        report: The version in hand; None before the first.
        width: Columns.
        height: Lines, two of them the frame; never more than these are taken.
        scroll: Lines that are scrolled past.
    """
    inner, rows = max(width - 4, 20), max(height - 2, 1)
    lines = _lines(report, inner) if report is not None else [Text(NO_REPORT, "dim")]
    scroll = max(0, min(scroll, len(lines) - rows))
    shown_lines = lines[scroll : scroll + rows]
    for line in shown_lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    above, below = scroll, len(lines) - scroll - len(shown_lines)
    more = [f"{sign} {count}" for sign, count in (("↑", above), ("↓", below)) if count]
    return Panel(
        Group(*shown_lines),
        title=_title(report, width - 6),
        title_align="left",
        subtitle=Text(f"{' '.join(more)} more", "dim") if more else None,
        subtitle_align="right",
        box=ROUNDED,
        border_style="red" if report is not None and report.critical else "dim",
        padding=(0, 1),
        width=width,
    )


def panel_scrolls(report: Report, width: int, height: int) -> int:
    """How many lines of a report its panel can be scrolled past; for the arguments see `report_panel`."""
    return max(0, len(_lines(report, max(width - 4, 20))) - max(height - 2, 1))


def issues_list(report: Report) -> RenderableType:
    """All issues, the worst first: code, place, what is said, and the words that it is about."""
    if not report.issues:
        return Text("The checks found nothing.", "green")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, max_width=16, overflow="ellipsis")
    grid.add_column(ratio=1)
    for issue in sorted(report.issues, key=lambda one: SEVERITIES.index(one.severity)):
        grid.add_row(Text(issue.code, SEVERITY_STYLES[issue.severity]), _where(issue), _said(report, issue))
    return Group(Text(counted(report.issues), "bold"), grid)


def changes(before: Report, after: Report) -> RenderableType:
    """What a change did: its statements word by word, then the new version and status in a line."""
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True, max_width=16)
    grid.add_column(ratio=1)
    for one in diff_reports(before, after).differences:
        if one.what in _TOLD:
            grid.add_row(_of(one), marked(_readable(one.runs)))
    parts: list[RenderableType] = [grid] if grid.row_count else []
    known = {(one.finding, one.side) for one in before.critical}
    for result in after.critical:
        if (result.finding, result.side) not in known:
            named = f"{critical_word(result)} ({', '.join(result.statements)}). Somebody must be told."
            parts.append(Text.assemble((" CRITICAL RESULT ", "bold white on red"), (f" {named}", "bold red")))
    return Group(*parts, version_line(before, after))


def version_line(before: Report, after: Report) -> Text:
    """`Version 3, preliminary. 1 warning.`, with what became of the status and of the issues."""
    line = Text.assemble(("✓ ", "green"), (f"Version {after.version}, {after.status}", "bold"))
    if after.status != before.status:
        line.append(f" (was {before.status})", "dim")
    line.append(f" · {counted(after.issues) or 'no issues'}", issues_style(after.issues))
    new = [one for one in after.issues if one not in before.issues and one.severity != "info"]
    if new:
        line.append(f" · new: {', '.join(dict.fromkeys(one.code for one in new))}", "bold yellow")
    return line


def statement_lines(report: Report, statement: Statement) -> RenderableType:
    """One statement as it is asked about: its text, the evidence that it stands on, what the checks say of it."""
    place = statement.system or statement.section
    head = Text.assemble((f"[{statement.id}] ", CITED), (f"{shown(place)}  ", "dim"), shown(statement.text))
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for evidence in report.evidence:
        if evidence.id in statement.evidence:
            said = f": {shown(evidence.summary)}" if evidence.summary else ""
            grid.add_row(Text(f"   [{evidence.id}]", CITED), Text(f"{shown(evidence.tool)}{said}", "dim"))
    for issue in issues_at(report, statement.id):
        style = SEVERITY_STYLES[issue.severity]
        grid.add_row(Text(f"   {issue.code}", style), Text(shown(issue.message), style))
    return Group(Text(), head, grid)


def mode_marks(modes: Iterable[str]) -> Text:
    """The words that nobody may overlook, such as ` SIMULATED `."""
    text = Text()
    for mode in modes:
        text.append(f" {MODE_WORDS[mode][0] if mode in MODE_WORDS else mode.upper()} ", "bold yellow reverse not dim")
        text.append(" ")
    return text


def _title(report: Report | None, width: int) -> Text:
    if report is None:
        return Text("Report", "not dim")
    exam = next((section.text for section in report.sections if section.name == "exam"), "Report")
    marks = mode_marks(report.modes)
    tail = f" · v{report.version} {report.status}"
    name = Text(shown(exam), "bold default not dim")
    name.truncate(max(width - len(tail) - marks.cell_len - 2, 8), overflow="ellipsis")
    return Text.assemble(marks, name, (tail, "bold green not dim" if _final(report) else "default dim"))


def _final(report: Report) -> bool:
    return report.review is not None and report.review.signature is not None


def _lines(report: Report, width: int) -> list[Text]:
    lines = []
    for result in report.critical:
        named = f"{critical_word(result)} ({', '.join(result.statements)})"
        lines.append(
            Text.assemble((" CRITICAL ", "bold white on red"), (f" {named} ", "bold red"), (told(result), "red"))
        )
    if report.incomplete:
        lines.append(Text.assemble(("Incomplete. ", "bold yellow"), (shown(report.incomplete), "yellow")))
    titles = max((len(shown(one.title)) for one in report.findings), default=0)
    titles = min(titles, _TITLES, max(width // 3, 8))
    lines += [_system(report, one, titles) for one in report.findings]
    for number, one in enumerate(report.impression, start=1):
        head = "Impression" if number == 1 else ""
        lines.append(_statement(report, Text(f"  {head:<{titles}} {number}. ", "bold"), one))
    for one in report.recommendations:
        lines.append(_statement(report, Text("  → ", "bold"), one))
    if report.issues:
        lines.append(_issues(report.issues))
    return lines


def _system(report: Report, system: SystemFindings, titles: int) -> Text:
    sign, style = SYSTEM_SIGNS[system.status]
    title = Text(shown(system.title), "dim" if system.status == "not_assessed" else "")
    title.truncate(titles, overflow="ellipsis", pad=True)
    line = Text.assemble((f"{sign} ", style), title, " ")
    for number, one in enumerate(system.statements):
        line = _statement(report, line if number == 0 else line.append(" "), one)
    if not system.statements:
        why = shown(system.reason or "")
        line.append(
            f"not assessed{': ' + why if why else ''}" if system.status == "not_assessed" else why, "dim italic"
        )
    return line


def _statement(report: Report, line: Text, statement: Statement) -> Text:
    worst = next(iter(issues_at(report, statement.id)), None)
    line.append(f"[{statement.id}]", CITED)
    if worst is not None and worst.severity != "info":
        line.append(f" {worst.code}", SEVERITY_STYLES[worst.severity])
    return line.append(f" {shown(statement.text)}")


def _issues(issues: Iterable[Issue]) -> Text:
    issues = sorted(issues, key=lambda one: SEVERITIES.index(one.severity))
    line = Text(f"! {counted(issues)} ", SEVERITY_STYLES[issues[0].severity])
    codes: dict[str, Issue] = {}
    for one in issues:
        codes.setdefault(one.code, one)
    for code, one in codes.items():
        line.append(f" {code}", SEVERITY_STYLES[one.severity])
    return line


def _where(issue: Issue) -> Text:
    if issue.where is None:
        return Text()
    at_statement = issue.where[:1] == "S" and issue.where[1:].isdigit()
    return Text(f"[{issue.where}]", CITED) if at_statement else Text(shown(issue.where), "dim")


def _said(report: Report, issue: Issue) -> Text:
    text = Text(shown(issue.message))
    about = next((one.text for one in report.statements() if one.id == issue.where), "")
    if issue.start is not None and issue.end is not None and about[issue.start : issue.end].strip():
        text.append(f" “{shown(about[issue.start : issue.end])}”", "dim")
    for id in issue.evidence:
        text.append(f" [{shown(id)}]", CITED)
    return text


def _readable(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The runs; of a text that became another one, the old and the new as wholes."""
    old = "".join(run.text for run in runs if run.op != "insert")
    new = "".join(run.text for run in runs if run.op != "delete")
    kept = sum(len(run.text.strip()) for run in runs if run.op == "equal")
    if not old or not new or kept >= _SHARED * max(len(old), len(new)):
        return tuple(runs)
    return Run(op="delete", text=old), Run(op="equal", text=" "), Run(op="insert", text=new)


def _of(one: Difference) -> Text:
    if one.what == "statement":
        return Text(f"[{shown(one.where)}]", CITED)
    return Text(shown(f"{one.what} {one.where}").replace("_", " "), "bold")

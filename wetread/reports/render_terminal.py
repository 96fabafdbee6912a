"""The report for a terminal, as one rich renderable. Reads well from 60 columns on, with and without colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from wetread import DISCLAIMER
from wetread.reports.critical import SECTION, TITLE, line
from wetread.reports.model import Issue, Report, Statement
from wetread.reports.plain import printable, shown
from wetread.reports.view import (
    MODE_WORDS,
    counted,
    critical_word,
    field_issues,
    field_note,
    form,
    grounding_line,
    issues_at,
    issues_elsewhere,
    model_name,
    order_sections,
    outcome,
    pieces,
    status_word,
    told,
)
from wetread.reports.view_review import ADDENDA, REVIEW, addenda, review_lines, written_by

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_STATES = {"normal": ("●", "green"), "abnormal": ("■", "yellow"), "not_assessed": ("○", "dim")}
_SEVERITIES = {"error": "red", "warning": "yellow", "info": "dim"}
_OUTCOMES = {"ok": "green", "failed": "red", "abstained": "yellow"}


def to_terminal(report: Report) -> RenderableType:
    """The report as a rich renderable; print it with a `rich.console.Console`.

    Outside text is stripped of control characters, so that it cannot drive the terminal.
    """
    from rich.console import Group
    from rich.padding import Padding

    return Padding(Group(*_parts(report)), (1, 2))


def _parts(report: Report) -> Iterable[RenderableType]:
    from rich.text import Text

    exam = next((section.text for section in report.sections if section.name == "exam"), "Report")
    for mode in report.modes:
        word, meaning = MODE_WORDS[mode]
        yield Text.assemble((f" {word} ", "bold black on yellow"), (f" {meaning}", "yellow"))
    if report.modes:
        yield Text()
    yield Text(shown(exam), style="bold")
    yield Text(f"{report.status} · {report.created:%Y-%m-%d %H:%M} · drafted by {shown(report.language_model)}", "dim")
    yield Text(f"{grounding_line(report)}" + (f" · {counted(report.issues)}" if report.issues else ""), "dim")
    yield Text.assemble((shown(report.disclosure), "bold"), " ", (DISCLAIMER, "dim"))
    if report.incomplete:
        yield Text.assemble(("Incomplete. ", "bold yellow"), (shown(report.incomplete), "yellow"))
    for result in report.critical:
        named = f"{critical_word(result)} ({', '.join(result.statements)})."
        banner = (" CRITICAL RESULT ", "bold white on red")
        yield Text.assemble(banner, (f" {shown(named)} ", "bold red"), (shown(told(result)), "red"))
    yield Text()
    order = _grid()
    for section in order_sections(report):
        order.add_row(Text(section.title, "dim"), _stack([Text(shown(section.text)), *_issues(report, section.name)]))
    yield order
    yield _heading("Findings")
    yield from _issues(report, "findings")
    yield _findings(report)
    if form(report):
        yield _heading("Fields")
        yield _fields(report)
    yield _heading("Impression")
    yield from _issues(report, "impression")
    yield _lines(report, report.impression, numbered=True)
    if report.recommendations:
        yield _heading("Recommendation")
        yield from _issues(report, "recommendation")
        yield _lines(report, report.recommendations, numbered=False)
    if report.critical:
        yield _heading(TITLE)
        yield from _issues(report, SECTION)
        yield _stack([_hanging("·", "dim", Text(shown(line(result))), width=2) for result in report.critical])
    for title, lines in ((ADDENDA, addenda(report)), (REVIEW, review_lines(report))):
        if lines:
            yield _heading(title)
            yield _stack([_hanging("·", "dim", Text(shown(line)), width=2) for line in lines])
    other = issues_elsewhere(report)
    if other:
        yield _heading("Other issues")
        yield from (_issue(issue) for issue in other)
    yield _heading("Evidence")
    yield _evidence(report)


def _grid() -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=18)
    grid.add_column(ratio=1)
    return grid


def _heading(title: str) -> RenderableType:
    from rich.console import Group
    from rich.rule import Rule
    from rich.text import Text

    return Group(Text(), Rule(Text(title.upper(), "bold"), align="left", style="dim", characters="─"))


def _findings(report: Report) -> RenderableType:
    from rich.text import Text

    grid = _grid()
    for system in report.findings:
        sign, style = _STATES[system.status]
        head = Text(shown(system.title), "dim" if system.status == "not_assessed" else "")
        body: list[RenderableType] = [_line(report, one, one.id) for one in system.statements]
        if system.status == "not_assessed":
            body.append(Text.assemble("Not assessed. ", (shown(system.reason or ""), "italic dim")))
            body += [_issue(issue) for issue in issues_at(report, system.system) if issue.severity != "info"]
        else:
            head.append(f"\n{status_word(system)}", style)
            body += [Text(shown(system.reason), "italic dim")] if system.reason else []
            body += _issues(report, system.system)
        grid.add_row(_hanging(sign, style, head), _stack(body))
    return grid


def _fields(report: Report) -> RenderableType:
    from rich.text import Text

    grid = _grid()
    for field in form(report):
        text = Text.assemble(
            (shown(field.shown), ""), (" " if field.value else "", ""), (shown(field_note(field)), "italic dim")
        )
        for id in field.evidence:
            text.append(f" [{shown(id)}]", "bold cyan")
        grid.add_row(Text(shown(field.title), "dim"), _stack([text, *map(_issue, field_issues(report, field))]))
    return grid


def _lines(report: Report, statements: Iterable[Statement], *, numbered: bool) -> RenderableType:
    from rich.text import Text

    lines = [_line(report, one, f"{number}." if numbered else "·") for number, one in enumerate(statements, start=1)]
    return _stack(lines or [Text("None was drafted.", "italic dim")])


def _line(report: Report, statement: Statement, sign: str) -> Table:
    return _hanging(sign, "dim", _stack([_statement(report, statement), *_issues(report, statement.id)]), width=2)


def _hanging(sign: str, style: str, body: RenderableType, width: int = 1) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=max(width, len(sign)), style=style)
    grid.add_column(ratio=1)
    grid.add_row(sign, body)
    return grid


def _statement(report: Report, statement: Statement) -> Text:
    from rich.text import Text

    known = {evidence.id for evidence in report.evidence}
    text = Text()
    for piece in pieces(statement, issues_at(report, statement.id)):
        text.append(printable(piece.text), f"underline {_SEVERITIES[piece.severity]}" if piece.severity else "")
    for id in statement.evidence:
        text.append("\u00a0" if id != statement.evidence[0] else " ")
        text.append(f"[{shown(id)}]" if id in known else f"[{shown(id)}?]", "bold cyan" if id in known else "red")
    if by := written_by(report, statement.id):
        text.append(f" ({shown(by)})", "italic green")
    return text


def _issues(report: Report, where: str) -> list[Table]:
    return [_issue(issue) for issue in issues_at(report, where)]


def _issue(issue: Issue) -> Table:
    from rich.text import Text

    style = _SEVERITIES[issue.severity]
    text = Text.assemble((f"{issue.code} {issue.severity} ", f"bold {style}"), (shown(issue.message), "dim"))
    return _hanging(" ▸", style, text)


def _stack(texts: Iterable[RenderableType]) -> RenderableType:
    from rich.console import Group

    return Group(*texts)


def _evidence(report: Report) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    if not report.evidence:
        return Text("No tool was run.", "italic dim")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=max(len(evidence.id) for evidence in report.evidence), style="cyan")
    grid.add_column(ratio=1)
    for evidence in report.evidence:
        origin = evidence.origin.value
        line = Text.assemble(
            (shown(evidence.tool), "bold"),
            f" · {shown(model_name(evidence))} · ",
            (origin, "yellow" if origin in ("simulated", "authored", "recorded") else ""),
            " · ",
            (evidence.status, _OUTCOMES[evidence.status]),
            f" · {evidence.latency_ms:,.0f} ms",
        )
        below = [Text(shown(summary), "dim")] if (summary := outcome(evidence)) else []
        if evidence.reason is not None:
            below.append(Text(f"{evidence.reason.code}: {shown(evidence.reason.message)}", _OUTCOMES[evidence.status]))
        below += [Text(shown(warning), "yellow") for warning in evidence.warnings]
        grid.add_row(evidence.id, _stack([line, *below]))
    return grid

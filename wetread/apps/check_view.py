"""The result of `wetread check` in a terminal: the text with its spans underlined, codes at the side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table
from rich.text import Text

from wetread.reports.checking import CheckResult
from wetread.reports.model import Issue, Report

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_RANKS = {"error": 0, "warning": 1, "info": 2}
MOST_SHOWN = 20_000
"""Of a longer text only the lines with an issue are shown."""


class _Block(NamedTuple):
    """A text with the issues in it, offsets as they are in the issues."""

    title: str
    text: str
    issues: tuple[Issue, ...]


def show(console: Console, name: str, report: str | Report | Mapping[str, Any], result: CheckResult) -> None:
    """Print a report with what the checks say of it."""
    console.print(Text(name, style="bold"))
    blocks = list(_blocks(report, result.issues))
    whole = sum(len(block.text) for block in blocks) <= MOST_SHOWN
    for block in blocks:
        if block.title and (whole or block.issues):
            console.print(Text(block.title, style="bold dim"))
        grid = _grid(block, whole)
        if grid.row_count:
            console.print(grid)
    if result.issues:
        console.print()
    console.print(_listed(result.issues))
    for sentence in result.not_assessed:
        console.print(Text(sentence, style="italic"))
    if result.left_out:
        console.print(Text(f"Left out for want of evidence or a study: {', '.join(result.left_out)}", style="dim"))
    console.print(Text(_sum(result.issues), style="bold"))


def _blocks(report: str | Report | Mapping[str, Any], issues: Sequence[Issue]) -> Iterator[_Block]:
    if isinstance(report, Mapping):
        inner = report.get("text", report.get("sections"))
        report = inner if isinstance(inner, str | Mapping) else ""
    if isinstance(report, str):
        yield _Block("", report, tuple(issue for issue in issues if issue.start is not None))
        return
    if isinstance(report, Report):
        texts = [(section.name, section.title, section.text) for section in report.sections]
        texts += [(one.id, one.id, one.text) for one in report.statements()]
    else:
        texts = [(key, key, text or "") for key, text in report.items()]
    for where, title, text in texts:
        yield _Block(title, text, tuple(i for i in issues if i.where == where and i.start is not None))


def _grid(block: _Block, whole: bool) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    start = 0
    for line in block.text.split("\n"):
        end = start + len(line)
        here = [issue for issue in block.issues if (issue.start or 0) < end + 1 and (issue.end or 0) > start]
        if whole or here:
            shown = Text("".join(c if c.isprintable() else " " for c in line))
            for issue in sorted(here, key=lambda issue: -_RANKS[issue.severity]):
                style = f"underline {STYLES[issue.severity]}"
                shown.stylize(style, max(0, (issue.start or 0) - start), max(0, (issue.end or 0) - start))
            begun = [issue for issue in here if (issue.start or 0) >= start]
            grid.add_row(shown, _codes(begun))
        start = end + 1
    return grid


def _codes(issues: Sequence[Issue]) -> Text:
    codes = dict.fromkeys((issue.code, issue.severity) for issue in issues)
    return Text(" ").join(Text(code, style=STYLES[severity]) for code, severity in codes)


def _listed(issues: Sequence[Issue]) -> Table:
    table = Table.grid(padding=(0, 2))
    for width in (None, None, None):
        table.add_column(width=width, overflow="fold")
    for issue in sorted(issues, key=lambda issue: _RANKS[issue.severity]):
        style = STYLES[issue.severity]
        message = Text("".join(c if c.isprintable() else " " for c in issue.message))
        table.add_row(Text(issue.code, style=style), Text(issue.severity, style=style), message)
    return table


def _sum(issues: Sequence[Issue]) -> str:
    if not issues:
        return "No issues."
    counted = {severity: sum(issue.severity == severity for issue in issues) for severity in _RANKS}
    names = {"error": ("error", "errors"), "warning": ("warning", "warnings"), "info": ("remark", "remarks")}
    told = [f"{count} {names[severity][count != 1]}" for severity, count in counted.items() if count]
    return ", ".join(told) + "."

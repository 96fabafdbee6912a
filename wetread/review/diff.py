"""What differs between two versions of a report, word by word, as data and for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal

from wetread.reports.model import Report, Statement
from wetread.reports.plain import shown
from wetread.reports.reviewed import Review
from wetread.values import Value

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Operation = Literal["equal", "delete", "insert"]

_WORD = re.compile(r"\s+|\w+(?:[.\-/']\w+)*|[^\w\s]")


class Run(Value):
    """A run of text that both have, the first alone (`delete`) or the second alone (`insert`)."""

    op: Operation
    text: str


class Difference(Value):
    """One thing that differs. Without the inserted `runs` are the first text, without the deleted the second."""

    what: Literal["statement", "section", "system", "field", "critical", "status", "addendum", "issue", "signature"]
    where: str
    """A statement's id, a section's, system's or field's name, a check's code."""
    place: str = ""
    """The system or section that a statement stands in."""
    change: Literal["edited", "added", "removed"]
    runs: tuple[Run, ...] = ()
    by: str | None = None
    """Who made the change, where the report says so."""


class ReportDiff(Value):
    """All that differs, in reading order."""

    first: str
    """SHA-256 of the one, and of the other."""
    second: str
    differences: tuple[Difference, ...] = ()


def words(first: str, second: str) -> tuple[Run, ...]:
    """Two texts as runs of what both, the first or the second alone have, cut at words."""
    one, other = _WORD.findall(first), _WORD.findall(second)
    runs: list[Run] = []
    for op, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if op == "equal":
            runs.append(Run(op="equal", text="".join(one[a:b])))
            continue
        if b > a:
            runs.append(Run(op="delete", text="".join(one[a:b])))
        if d > c:
            runs.append(Run(op="insert", text="".join(other[c:d])))
    return tuple(runs)


def diff_reports(first: Report, second: Report) -> ReportDiff:
    """What differs between two reports. Statements are compared by id, which versions of one report keep."""
    review = second.review or Review()
    differences = [
        *_texts("status", {"status": first.status}, {"status": second.status}),
        *_texts("section", _sections(first), _sections(second)),
        *_statements(first, second, review),
        *_texts("system", _systems(first), _systems(second)),
        *_texts("field", _fields(first), _fields(second)),
        *_texts("critical", _critical(first), _critical(second)),
        *_texts("addendum", _addenda(first), _addenda(second)),
        *_texts("issue", _issues(first), _issues(second)),
        *_texts("signature", _signatures(first), _signatures(second)),
    ]
    return ReportDiff(first=first.sha256, second=second.sha256, differences=tuple(differences))


def to_terminal(diff: ReportDiff) -> RenderableType:
    """A difference as a rich renderable: what went in red with `[-...-]`, what came in green with `{+...+}`."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if not diff.differences:
        return Text("They do not differ.")
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for one in diff.differences:
        label = (
            one.where
            if one.what == "statement"
            else f"{one.what} {one.where}".replace(f"{one.what} {one.what}", one.what)
        )
        head = Text.assemble((shown(label), "bold"), (f"\n{shown(one.place)}" if one.place else "", "dim"))
        body = marked(one.runs)
        who = f" by {one.by}" if one.by else ""
        body.append(f"\n{one.change}{shown(who) and ' ' + shown(who)}", "dim")
        grid.add_row(head, body)
    return Group(grid)


def marked(runs: Sequence[Run]) -> Text:
    """Runs as one text: what went in red with `[-...-]`, what came in green with `{+...+}`."""
    from rich.text import Text

    text = Text()
    for run in runs:
        said = " ".join(run.text.split("\n")) if run.text.isprintable() else shown(run.text)
        match run.op:
            case "equal":
                text.append(said)
            case "delete":
                text.append(f"[-{said}-]", "red strike")
            case "insert":
                text.append(f"{{+{said}+}}", "green")
    return text


def _statements(first: Report, second: Report, review: Review) -> list[Difference]:
    one = {statement.id: statement for statement in first.statements()}
    other = {statement.id: statement for statement in second.statements()}
    found = []
    for id in dict.fromkeys([*one, *other]):
        before, after = one.get(id), other.get(id)
        difference = _difference("statement", id, before.text if before else None, after.text if after else None)
        if difference is not None:
            stands = after or before
            assert stands is not None
            decision = review.decision(id)
            by = decision.by if decision is not None and decision.action != "accepted" else None
            found.append(difference.model_copy(update={"place": _place(stands), "by": by}))
    return found


def _place(statement: Statement) -> str:
    return statement.system if statement.system and statement.section == "findings" else statement.section


def _texts(what: str, first: dict[str, str], second: dict[str, str]) -> list[Difference]:
    found = (_difference(what, key, first.get(key), second.get(key)) for key in dict.fromkeys([*first, *second]))
    return [one for one in found if one is not None]


def _difference(what: str, where: str, before: str | None, after: str | None) -> Difference | None:
    if before == after:
        return None
    change = "added" if before is None else "removed" if after is None else "edited"
    runs = words(before or "", after or "")
    return Difference.model_validate({"what": what, "where": where, "change": change, "runs": runs})


def _sections(report: Report) -> dict[str, str]:
    return {section.name: section.text for section in report.sections}


def _systems(report: Report) -> dict[str, str]:
    return {
        one.system: one.status.replace("_", " ") + (f": {one.reason}" if one.reason else "") for one in report.findings
    }


def _fields(report: Report) -> dict[str, str]:
    return {field.name: field.shown for field in report.fields if field.value is not None}


def _critical(report: Report) -> dict[str, str]:
    return {f"{one.side.value + ' ' if one.side else ''}{one.finding}": one.name for one in report.critical}


def _addenda(report: Report) -> dict[str, str]:
    return {str(n): one.text for n, one in enumerate((report.review or Review()).addenda, start=1)}


def _issues(report: Report) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    # notes say what the systems' own lines say already
    for issue in (issue for issue in report.issues if issue.severity != "info"):
        found.setdefault(f"{issue.code}{' at ' + issue.where if issue.where else ''}", []).append(issue.message)
    return {key: " ".join(messages) for key, messages in found.items()}


def _signatures(report: Report) -> dict[str, str]:
    return {f"version {one.version}": f"{one.by}, {one.status}" for one in (report.review or Review()).signatures}

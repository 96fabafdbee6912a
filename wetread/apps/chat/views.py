"""What the chat shows of a conversation, as rich renderables: pure functions of values, from 60 columns on.

All text from outside is made printable: nothing that a model, a tool or a header says drives the terminal. Colour says
nothing that signs and words do not say too. `[E3]` looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wetread.apps.chat.live import FRAMES
from wetread.apps.chat.markdownish import CITED, cited, markdownish, prose
from wetread.errors import WetreadError
from wetread.events import (
    BudgetReached,
    CriticalResultFound,
    Event,
    Notice,
    QuestionAnswered,
    QuestionAsked,
    ReportReady,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
)
from wetread.reports.model import Issue, Report, Severity
from wetread.reports.plain import listed, shown
from wetread.reports.view import MODE_WORDS, SEVERITIES, counted, critical_word

__all__ = [
    "CITED",
    "SEVERITY_STYLES",
    "CallLine",
    "Story",
    "band",
    "cited",
    "critical",
    "failure",
    "issues_style",
    "markdownish",
    "note",
    "notice",
    "prose",
    "question",
    "report_line",
    "running_line",
    "said",
    "tool_line",
    "turn_end",
    "what_for",
]

ORCHESTRATOR, READER = "orchestrator", "reader"

_SIGNS = {
    "ok": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "abstained": ("–", "yellow"),
    "refused": ("✗", "yellow"),
    "cancelled": ("–", "yellow"),
}
_OUTCOMES = {
    "answered": ("", "dim"),
    "reported": ("", "dim"),
    "budget": ("Ended by a limit · ", "yellow"),
    "cancelled": ("Cancelled · ", "yellow"),
    "failed": ("Failed · ", "red"),
}
SEVERITY_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "info": "dim"}
_CUT = 120
_LEAST = 0.6
"""Share of what a call is for below which it is not worth showing."""


def said(text: str) -> RenderableType:
    """What the person typed, line for line, set off from what agents say."""
    lines = [shown(line) for line in text.splitlines()] or [""]
    return Padding(_row(Text("›", "bold green"), Text("\n".join(lines), "bold")), (1, 0, 0, 0))


def tool_line(event: ToolFinished, what_for: str = "") -> RenderableType:
    """A call that ended: sign, tool, what for, what came of it, `[E3]`, time. What came to nothing says why in full.

    Args:
        event: The end of the call.
        what_for: `what_for` of its beginning.
    """
    sign, style = _SIGNS[event.status]
    evidence = event.evidence
    latency = evidence.latency_ms if evidence is not None else event.latency_ms
    said = event.summary if event.status in ("ok", "cancelled") else f"{event.status}: {event.summary}"
    return CallLine(
        sign=Text(sign, style),
        agent=event.agent,
        tool=event.tool,
        what_for=what_for,
        said=cited(shown(said), "" if event.status == "ok" else style),
        evidence=evidence.id if evidence is not None else None,
        seconds=latency / 1000,
        whole=event.status != "ok",
    )


def running_line(event: ToolStarted, elapsed: float, frame: int = 0) -> RenderableType:
    """A call that runs: a turning sign, tool, what for, the `[E3]` it will have, seconds since it began.

    Args:
        event: The beginning of the call.
        elapsed: Seconds.
        frame: Counts up as time goes.
    """
    return CallLine(
        sign=Text(FRAMES[frame % len(FRAMES)], "cyan"),
        agent=event.agent,
        tool=event.tool,
        what_for=what_for(event),
        evidence=event.evidence,
        seconds=elapsed,
    )


def what_for(event: ToolStarted) -> str:
    """What a call is for, in words taken from its arguments; empty where they say nothing."""
    given: Mapping[str, Any] = event.arguments
    match event.tool:
        case "segment" | "measure" | "classify" | "find_similar" | "report_findings":
            words = [*_words(given.get("quantities")), *_words(given.get("structures")), *_words(given.get("findings"))]
            if isinstance(k := given.get("k"), int):
                words.append(f"the {k} nearest")
            where = [str(given[name]) for name in ("image", "prior") if given.get(name)]
            parts = [listed(words) if len(words) < 5 else f"{len(words)} findings", " against ".join(where)]
            return shown(" on ".join(filter(None, parts)))[:_CUT]
        case "submit_report":
            findings, impression = given.get("findings"), given.get("impression")
            count = sum(len(part) for part in (findings, impression) if isinstance(part, Sequence))
            return f"{count} statement{'s' * (count != 1)}" if count else ""
        case "study_context":
            return "order and prior report"
        case "current_report":
            return "the report in hand"
        case "propose_edit":
            return shown(" ".join(str(given.get(name) or "") for name in ("do", "statement", "place")))
        case "explain":
            return shown(str(given.get("id", "")))[:_CUT]
    said = [value for value in given.values() if isinstance(value, str) and value.strip()]
    said += [listed(_words(value)) for value in given.values() if isinstance(value, (list, tuple))]
    return shown("; ".join(said))[:_CUT]


def turn_end(event: TurnEnded, cost: str = "") -> RenderableType:
    """What a turn took, in one dim line.

    Args:
        event: The end of the turn.
        cost: What it cost, as words; empty where that is not known.
    """
    word, style = _OUTCOMES[event.outcome]
    parts = [f"{event.wall_ms / 1000:.1f} s"]
    if event.tool_calls:
        parts.append(f"{event.tool_calls} tool call{'s' * (event.tool_calls != 1)}")
    if event.prompt_tokens or event.completion_tokens:
        parts.append(f"{event.model_calls} model call{'s' * (event.model_calls != 1)}")
        parts.append(f"{event.prompt_tokens:,} + {event.completion_tokens:,} tokens")
    if cost:
        parts.append(shown(cost))
    return Text.assemble(("  ", ""), (word, style), (" · ".join(parts), "dim"))


def notice(event: Notice | BudgetReached) -> RenderableType:
    """Something that a person should know, with its code."""
    if isinstance(event, BudgetReached):
        return _row(Text("!", "bold red"), Text(shown(event.message), "red"))
    text = cited(shown(event.message))
    text.append(f" {shown(event.code)}", "dim")
    return _row(Text("!", "bold yellow"), text)


def failure(error: WetreadError) -> RenderableType:
    """An error as one line: code, what and where, what to do."""
    text = Text.assemble((error.code, "bold red"), ": ", shown(error.message))
    if error.hint:
        text.append(f" {shown(error.hint)}", "dim")
    return _row(Text("✗", "bold red"), text)


def note(text: str, style: str = "") -> RenderableType:
    """A line of the chat's own."""
    line = cited(shown(text))
    line.stylize_before(style)
    return _row(Text("·", "dim"), line)


def critical(event: CriticalResultFound) -> RenderableType:
    """A critical result: somebody must be told now."""
    words = f"{critical_word(event.result)} ({', '.join(event.result.statements)}). Somebody must be told."
    return Text.assemble((" CRITICAL RESULT ", "bold white on red"), (f" {shown(words)}", "bold red"))


def question(event: QuestionAsked) -> RenderableType:
    """What an agent asks the person, with the answers to choose from."""
    body: list[RenderableType] = [cited(shown(event.question))]
    if event.options:
        grid = Table.grid(padding=(0, 1, 0, 0))
        for number, option in enumerate(event.options, start=1):
            grid.add_row(Text(f"{number}", "bold yellow"), Text(shown(option)))
        body.append(grid)
    title = Text(f"{shown(event.agent)} asks", "bold yellow")
    return Panel(Group(*body), title=title, title_align="left", border_style="yellow", padding=(0, 1))


def report_line(report: Report) -> RenderableType:
    """That there is a version of the report: what it is, and what stands against it, in one line."""
    text = Text.assemble(("Report ", "bold"), f"version {report.version}, {report.status}")
    text.append(f" · {len(report.statements())} statements", "dim")
    if report.issues:
        text.append(f" · {counted(report.issues)}", issues_style(report.issues))
    return _row(Text("■", "bold cyan"), text)


def issues_style(issues: Iterable[Issue]) -> str:
    """How the number of issues looks: as the worst of them."""
    worst = min((one.severity for one in issues), key=SEVERITIES.index, default=None)
    return SEVERITY_STYLES[worst] if worst is not None else "dim"


def band(modes: Sequence[str]) -> RenderableType:
    """What nobody may overlook of how this is read, a full line each; nothing where there is no such thing."""
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    for mode in modes:
        word, meaning = MODE_WORDS.get(mode, (mode.upper(), ""))
        # reversed, so that it stands out without colour; signs, so that it does without any style
        grid.add_row(Text(f"▓▓ {word} ▓▓ {meaning}"), style="bold yellow reverse")
    return grid


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call in one line, id and time at the right. What it is for makes room for what came of it.

    Attributes:
        whole: Whether what came of it is shown in full, over several lines if need be.
    """

    sign: Text
    agent: str
    tool: str
    what_for: str = ""
    said: Text = field(default_factory=Text)
    evidence: str | None = None
    seconds: float = 0.0
    whole: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        id = f"[{self.evidence}]" if self.evidence else ""
        right = Text.assemble(" " * (5 - len(id)), (id, CITED), (f" {_time(self.seconds):>6}", "dim"))
        room = options.max_width - 2 - right.cell_len - 1
        text = Text()
        if self.agent not in (ORCHESTRATOR, READER):
            text.append(f"{shown(self.agent)} › ", "dim")
        text.append(shown(self.tool), "bold")
        if self.what_for:
            wanted = self.said.cell_len + 3 if self.said.plain else 0
            purpose = Text(f" {shown(self.what_for)}", "dim")
            left = room - text.cell_len - wanted
            if left >= _LEAST * purpose.cell_len:
                purpose.truncate(left, overflow="ellipsis")
                text.append_text(purpose)
        if self.said.plain:
            text.append(" · ", "dim")
            text.append_text(self.said)
        grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
        grid.add_column(width=1)
        grid.add_column(ratio=1, no_wrap=not self.whole, overflow="fold" if self.whole else "ellipsis")
        grid.add_column(no_wrap=True, width=right.cell_len)
        grid.add_row(self.sign, text, right)
        yield grid


class Story:
    """What of a conversation stays on the screen for good, event by event: live, and when it is played again.

    Pieces of text are gathered until something else comes; `flush` gives what is left. What specialists write is for
    who asked them.

    Args:
        cost: What a turn that has just ended cost, as words; empty where that is not known.
    """

    def __init__(self, cost: Callable[[], str] = lambda: "") -> None:
        self._cost = cost
        self._started: dict[str, ToolStarted] = {}
        self._text = ""
        self._told = False

    def __call__(self, event: Event) -> list[RenderableType]:
        """What to show of an event, in order."""
        if isinstance(event, TextDelta):
            if event.agent == ORCHESTRATOR:
                self._text += event.text
            return []
        if isinstance(event, ToolStarted):
            self._started[event.call] = event
            return []
        found = self.flush()
        match event:
            case ToolFinished():
                started = self._started.pop(event.call, None)
                found.append(tool_line(event, what_for(started) if started is not None else ""))
            case Notice() | BudgetReached():
                found.append(notice(event))
            case CriticalResultFound():
                found.append(critical(event))
            case QuestionAsked():
                found.append(question(event))
            case QuestionAnswered():
                found.append(said(event.answer) if event.answer is not None else note("Skipped.", "dim"))
            case ReportReady():
                found.append(report_line(event.report))
            case TurnStarted():
                self._told = False
            case TurnEnded():
                if event.text.strip() and not self._told:
                    found.append(prose(event.text))
                found.append(turn_end(event, self._cost()))
        return found

    def flush(self) -> list[RenderableType]:
        """The text that was gathered, if there is any."""
        text, self._text = self._text, ""
        if not text.strip():
            return []
        self._told = True
        return [prose(text)]


def _time(seconds: float) -> str:
    """`0.6 s`, `2:05`; empty for what took no time."""
    if seconds < 0.05:
        return ""
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f}:{seconds % 60:02.0f}"


def _row(sign: Text, body: RenderableType) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_row(sign, body)
    return grid


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [value.replace("_", " ")]
    return [str(one).replace("_", " ") for one in value] if isinstance(value, (list, tuple)) else []

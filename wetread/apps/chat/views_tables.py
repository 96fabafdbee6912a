"""Lists in the chat: what there is to read with, what was kept, what it cost, and the welcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wetread import DISCLAIMER
from wetread.apps.chat.markdownish import CITED
from wetread.apps.chat.views import band
from wetread.reports.plain import shown
from wetread.study import Study, StudyImage

if TYPE_CHECKING:
    from wetread.agents.spec import AgentSpec
    from wetread.dialogue.costs import Cost, Tally
    from wetread.reports.template import ReportTemplate
    from wetread.store.sessions import SessionEntry
    from wetread.tools.base import Tool

HERE = ("▸", "bold green")
"""What is in use."""

_FIRST = (
    ("Read this.", "drafts the report"),
    ("Measure the heart.", "asks for one thing"),
    ("Why is S2 there?", "or /why S2: the evidence behind it"),
    ("/help", "all commands; Tab completes"),
)


def welcome(
    study: Study,
    *,
    template: str,
    model: str,
    modes: Sequence[str] = (),
    session: str = "",
    first: Iterable[tuple[str, str]] = _FIRST,
) -> RenderableType:
    """What is on the table: modes that nobody may overlook, the study, what it is read with, what to type first.

    Args:
        study: The study.
        template: Name of the report template.
        model: Name of the chat model.
        modes: What a reader must not overlook.
        session: The session's id.
        first: What to type, and what it does.
    """
    parts: list[RenderableType] = []
    if modes:
        parts += [band(modes), Text()]
    head = Text("wetread", "bold")
    if study.exam:
        head.append(f" · {shown(study.exam)}")
    parts += [head, Text(DISCLAIMER, "dim"), Text()]
    grid = _grid(2)
    for image in study.images:
        grid.add_row(Text(f"[{image.handle}]", f"{CITED} not dim"), image_line(image))
    person = [f"{study.age_years} years" if study.age_years is not None else "", study.sex or ""]
    if any(person):
        grid.add_row("patient", Text(", ".join(filter(None, person))))
    if study.indication:
        grid.add_row("indication", Text(shown(study.indication)))
    else:
        grid.add_row("indication", Text("none given: you may be asked", "yellow"))
    if study.history:
        grid.add_row("history", Text(shown(study.history)))
    if study.prior_report is not None:
        grid.add_row("prior report", Text(_before(study.prior_report.days_before)))
    if not study.has_comparison:
        grid.add_row("prior", Text("none: /prior PATH adds one", "dim"))
    rules = " (rules, no language model)" if model == "protocol" else ""
    grid.add_row("read with", Text(f"{shown(model)}{rules} · template {shown(template)}"))
    if session:
        grid.add_row("session", Text(shown(session), "dim"))
    parts.append(grid)
    parts += [Text(f"! {shown(warning)}", "yellow") for warning in study.warnings]
    if rows := list(first):
        todo = Table.grid(padding=(0, 2, 0, 0), expand=True)
        todo.add_column(no_wrap=True, style="bold")
        todo.add_column(ratio=1, style="dim")
        for typed, does in rows:
            todo.add_row(typed, does)
        parts += [Text(), todo]
    return Group(*parts)


def help_table(rows: Iterable[tuple[str, str]]) -> RenderableType:
    """Commands with their arguments, and what each does."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(max_width=30, overflow="fold")
    grid.add_column(ratio=1)
    for shape, help in rows:
        name, _, arguments = shape.partition(" ")
        grid.add_row(Text.assemble((name, "bold"), " ", (arguments, "dim")), Text(help))
    return grid


def sessions_table(entries: Sequence[SessionEntry], here: str = "") -> RenderableType:
    """Kept sessions, newest first; `here` is the one that is open."""
    if not entries:
        return Text("No session is kept yet.", "dim")
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for entry in entries:
        text = Text(shown(entry.title or entry.template))
        turns = f"{entry.turns} turn{'s' * (entry.turns != 1)}"
        text.append(f"\n{turns} · {shown(entry.language_model)}", "dim")
        text.append(f" · {entry.status}" if entry.status else " · no report", "dim")
        for mode in entry.modes:
            text.append(f" {mode.upper()}", "bold yellow")
        when = entry.created[:16].replace("T", " ")
        grid.add_row(Text(*HERE) if entry.id == here else Text(), Text(entry.id, CITED), Text(when, "dim"), text)
    return grid


def agents_table(agents: Mapping[str, AgentSpec], fitting: Iterable[str], model: str) -> RenderableType:
    """Who reasons: which model, which tools, and who is not asked about this study."""
    fits = set(fitting)
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for name, spec in agents.items():
        text = Text(shown(spec.description))
        text.append(f"\n{shown(spec.model or model)}", "dim")
        named = [*spec.tools, *(agents[one].tool_name for one in spec.consults if one in agents)]
        if named:
            text.append(f" · calls {', '.join(map(shown, named))}", "dim")
        if name not in fits:
            text.append(f"\nnot asked: the study has no {shown(', '.join(spec.needs)).replace('|', ' or ')}", "yellow")
        grid.add_row(Text(name, "bold" if name in fits else "dim"), text)
    return grid


def tools_table(tools: Iterable[Tool[Any]], configured: Iterable[str]) -> RenderableType:
    """The tools with their model cards; an endpoint that is not configured is said."""
    there = set(configured)
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for tool in tools:
        text = Text(shown(tool.card))
        if tool.endpoint is not None and tool.endpoint not in there:
            text.append(f"\nno answer: {tool.endpoint} is not configured", "yellow")
        grid.add_row(Text(shown(tool.name), "bold"), text)
    return grid


def templates_table(templates: Iterable[tuple[ReportTemplate, str]], here: str = "") -> RenderableType:
    """Report templates, each with why it is not for this study, empty where it is."""
    grid = _grid(3)
    for template, why in templates:
        text = Text(shown(template.title))
        if why:
            text.append(f"\n{shown(why)}", "dim")
        sign = Text(*HERE) if template.name == here else Text()
        grid.add_row(sign, Text(shown(template.name), "bold" if not why else "dim"), text)
    return grid


def models_table(models: Mapping[str, str], here: str = "") -> RenderableType:
    """Chat models that are named somewhere, with where; `here` is the one in use."""
    grid = _grid(3)
    for name, where in models.items():
        grid.add_row(Text(*HERE) if name == here else Text(), Text(shown(name), "bold"), Text(shown(where), "dim"))
    return grid


def cost_table(tally: Tally) -> RenderableType:
    """What the conversation has cost: the last turn and all of them, by agent and model, and by tool."""
    turns = tally.turns
    if not turns:
        return Text("Nothing was called yet.", "dim")
    parts: list[RenderableType] = []
    if len(turns) > 1:
        parts += [_cost(f"Turn {turns[-1].turn}", turns[-1]), Text()]
    parts.append(_cost("In total" if len(turns) > 1 else f"Turn {turns[-1].turn}", tally.total))
    return Group(*parts)


def _cost(title: str, cost: Cost) -> RenderableType:
    from wetread.dialogue.costs import dollars

    models, tools = _figures(), _figures()
    for model in cost.models:
        price = "price unknown" if model.usd is None else dollars(model.usd)
        tokens = f"{model.prompt_tokens:,} + {model.completion_tokens:,} tokens"
        if not model.prompt_tokens and not model.completion_tokens:
            tokens = ""
        who = Text.assemble(shown(model.agent), (f" {shown(model.model)}", "dim"))
        style = "yellow" if model.usd is None else "bold"
        models.add_row(who, Text(_calls(model.calls), "dim"), Text(tokens), Text(price, style))
    for tool in cost.tools:
        not_ok = Text(f"{tool.not_ok} not ok" if tool.not_ok else "", "yellow")
        who = Text.assemble(shown(tool.tool), (" endpoint" if tool.endpoint else "", "dim"))
        tools.add_row(who, Text(_calls(tool.calls), "dim"), not_ok, Text(f"{tool.wait_s:.1f} s", "dim"))
    head = Text.assemble((title, "bold"), f"  {cost.line}", (f" · {cost.wall_s:.1f} s", "dim"))
    return Group(head, *(grid for grid in (models, tools) if grid.row_count))


def _figures() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(ratio=1)
    for _ in range(3):
        grid.add_column(no_wrap=True, justify="right")
    return grid


def _calls(count: int) -> str:
    return f"{count} call{'s' * (count != 1)}"


def image_line(image: StudyImage) -> Text:
    """An image in a few words: modality, view, size, how long before, and what a reader should know of it."""
    view = "view not known" if image.view.value == "unknown" else image.view.value
    modality = "" if image.modality == "unknown" else f"{shown(image.modality)} "
    text = Text(f"{modality}{view}")
    text.append(f" · {image.columns} x {image.rows}", "dim")
    if image.role == "prior":
        text.append(f" · prior{_before(image.days_before, ', ')}", "yellow")
    if image.spacing is None:
        text.append(" · no spacing", "dim")
    for told in image.notes:
        text.append(f"\n{shown(told)}", "yellow")
    return text


def _before(days: int | None, joint: str = "") -> str:
    return f"{joint}{days} days before" if days is not None else f"{joint}date not known"


def _grid(columns: int) -> Table:
    grid = Table.grid(padding=(0, 2 if columns == 2 else 1, 0, 0), expand=True)
    for _ in range(columns - 1):
        grid.add_column(no_wrap=True, style="dim" if columns == 2 else "")
    grid.add_column(ratio=1)
    return grid

"""Evidence in the chat: one in full, all in a table, and the chain behind a statement."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from wetread.apps.chat.markdownish import CITED
from wetread.evidence import Evidence, Measurement, Observation
from wetread.reports.chain import Chain, Link
from wetread.reports.grounding import is_normal
from wetread.reports.model import Report
from wetread.reports.plain import shown
from wetread.reports.view import model_name, outcome
from wetread.vocabulary import Assertion, Origin

STATUS_STYLES = {"ok": "green", "failed": "bold red", "abstained": "yellow"}
_NOT_REAL = (Origin.SIMULATED, Origin.AUTHORED, Origin.RECORDED)
_ASSERTED = {
    Assertion.PRESENT: ("+", "yellow"),
    Assertion.ABSENT: ("−", "green"),
    Assertion.UNCERTAIN: ("?", "yellow"),
}
_SUPPORT = {
    "grounded": ("supported by its evidence", "green"),
    "contradicted": ("contradicted by its evidence", "bold red"),
    "ungrounded": ("not supported by its evidence", "yellow"),
}


def evidence_card(evidence: Evidence, report: Report | None = None) -> RenderableType:
    """One evidence in full: who said it, what it saw and measured, from what, and which statements cite it.

    Args:
        evidence: The evidence.
        report: The report in hand, whose statements may cite it.
    """
    body: list[RenderableType] = [_head(evidence)]
    if summary := _summary(outcome(evidence), evidence.measurements):
        body.append(Text(summary))
    if evidence.reason is not None:
        style = STATUS_STYLES[evidence.status]
        body.append(Text.assemble((evidence.reason.code, style), ": ", shown(evidence.reason.message)))
    body += [Text(shown(warning), "yellow") for warning in evidence.warnings]
    if evidence.observations:
        body.append(_observations(evidence.observations))
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(ratio=1)
    for measurement in evidence.measurements:
        grid.add_row(shown(measurement.name.replace("_", " ")), _measured(measurement))
    if regions := [shown(region.label) for region in evidence.regions if region.label]:
        grid.add_row("regions", Text(", ".join(dict.fromkeys(regions))))
    if evidence.inputs:
        grid.add_row("inputs", Text(", ".join(map(shown, evidence.inputs))))
    if evidence.uses:
        grid.add_row("made from", _ids(evidence.uses))
    if report is not None and (cites := [one.id for one in report.statements() if evidence.id in one.evidence]):
        grid.add_row("cited by", _ids(cites))
    if grid.row_count:
        body.append(grid)
    title = Text.assemble((f"[{evidence.id}]", f"{CITED} not dim"), (f" {shown(evidence.tool)}", "bold not dim"))
    return Panel(Group(*body), title=title, title_align="left", border_style="dim", padding=(0, 1))


def evidence_table(evidence: Iterable[Evidence], report: Report | None = None) -> RenderableType:
    """All evidence, a line or two each."""
    cited: dict[str, list[str]] = {}
    for statement in report.statements() if report is not None else ():
        for id in statement.evidence:
            cited.setdefault(id, []).append(statement.id)
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    for one in evidence:
        text = Text.assemble((shown(one.tool), "bold"), " ", *_who(one))
        if summary := outcome(one):
            text.append(f"\n{shown(summary)}")
        if one.reason is not None:
            text.append(f"\n{one.reason.code}: {shown(one.reason.message)}", STATUS_STYLES[one.status])
        if one.id in cited:
            text.append("  cited by ", "dim")
            text.append_text(_ids(cited[one.id]))
        grid.add_row(Text(f"[{one.id}]", CITED), text)
    return grid if grid.row_count else Text("There is no evidence yet.", "dim")


def chain_tree(chain: Chain) -> RenderableType:
    """Why a statement stands, as a tree: the statement, its evidence, what that was computed from."""
    tree = Tree(_root(chain), guide_style="dim")
    branches = {-1: tree}
    for link in chain.links:
        above = branches.get(link.depth - 1, tree)
        branches[link.depth] = above.add(_link(link))
    for id in chain.missing:
        tree.add(Text.assemble((f"[{shown(id)}]", "bold red"), (" is cited, and there is no such evidence", "red")))
    if not chain.links and not chain.missing:
        tree.add(Text("It cites no evidence.", "yellow"))
    return tree


def _root(chain: Chain) -> Text:
    statement = chain.statement
    if statement is None:
        return Text.assemble("What ", (f"[{shown(chain.id)}]", CITED), " was made of")
    place = statement.system if statement.section == "findings" and statement.system else statement.section
    text = Text.assemble(
        (f"[{shown(chain.id)}]", CITED), (f" {shown(place)}  ", "dim"), (shown(statement.text), "bold")
    )
    if chain.support is not None and str(chain.support) in _SUPPORT:
        words, style = _SUPPORT[str(chain.support)]
        text.append(f"\n{words}", style)
    if chain.by_reader:
        text.append(
            "\nwritten by the reader" + (f"; drafted as “{shown(chain.before)}”" if chain.before else ""), "green"
        )
    return text


def _link(link: Link) -> RenderableType:
    version = "" if link.version in ("", "unknown") else f" {link.version}"
    text = Text.assemble((f"[{shown(link.id)}]", CITED), " ", (shown(link.tool), "bold"))
    if link.origin is not Origin.PERSON:
        text.append(f" · {shown(link.model)}{shown(version) and ' ' + shown(version)} · ", "dim")
        text.append(link.origin.value, "yellow" if link.origin in _NOT_REAL else "dim")
    if link.status != "ok":
        text.append(f" · {link.status}", STATUS_STYLES[link.status])
    lines = [text]
    if (summary := _summary(link.summary, link.measurements)) and link.reason is None:
        lines.append(Text(summary))
    if link.reason is not None:
        lines.append(Text(f"{link.reason.code}: {shown(link.reason.message)}", STATUS_STYLES[link.status]))
    lines += [Text(shown(warning), "yellow") for warning in link.warnings]
    said = {shown(link.summary)}
    parts: list[RenderableType] = list(lines)
    if seen := [one for one in link.observations if shown(one.text) not in said]:
        parts.append(_observations(seen))
    parts += [
        Text.assemble((shown(one.name.replace("_", " ")), "dim"), " ", _measured(one)) for one in link.measurements
    ]
    if link.inputs:
        parts.append(Text(f"from {', '.join(map(shown, link.inputs))}", "dim"))
    return Group(*parts)


def _summary(summary: str, measurements: Iterable[Measurement]) -> str:
    """The summary, unless it says no more than the measurements that stand below it."""
    measured = list(measurements)
    return "" if measured and all(one.text in summary for one in measured) else shown(summary)


def _head(evidence: Evidence) -> Text:
    return Text.assemble(*_who(evidence))


def _who(evidence: Evidence) -> list[tuple[str, str]]:
    origin = evidence.origin
    parts = [
        (f"{shown(model_name(evidence))} · ", "dim"),
        (origin.value, "bold yellow" if origin in _NOT_REAL else "dim"),
        (" · ", "dim"),
        (evidence.status, STATUS_STYLES[evidence.status]),
    ]
    if evidence.latency_ms >= 50:
        parts.append((f" · {evidence.latency_ms / 1000:.1f} s", "dim"))
    return parts


def _observations(observations: Iterable[Observation]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    # a sentence about several findings is an observation for each
    for one in {(shown(one.text), one.assertion): one for one in observations}.values():
        sign, style = _ASSERTED.get(one.assertion, ("·", "dim"))
        if one.finding is not None and is_normal(one.finding):
            sign, style = "●", "green"
        text = Text(shown(one.text))
        if one.probability is not None:
            text.append(f"  {one.probability:.2f}", "bold")
        if where := [name for region in one.regions if (name := _region(region.image, region.box is not None))]:
            text.append(f"  {', '.join(dict.fromkeys(where))}", "dim")
        grid.add_row(Text(sign, style), text)
    return grid


def _region(image: str, box: bool) -> str:
    return f"{'box' if box else 'mask'} on {shown(image)}"


def _measured(measurement: Measurement) -> Text:
    said = " · ".join(filter(None, (measurement.method, measurement.image or "")))
    return Text.assemble((shown(measurement.text), "bold"), (f"  {shown(said)}" if said else "", "dim"))


def _ids(ids: Iterable[str]) -> Text:
    return Text(" ").join(Text(f"[{shown(id)}]", CITED) for id in ids)

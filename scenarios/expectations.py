"""Whether what came out of a scenario is what it expects. Pure: events and report in, differences out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from wetread.events import Event, Notice, ToolFinished, ToolStarted, TurnEnded
from wetread.evidence import Evidence
from wetread.reports.model import Report, Statement
from wetread.scenarios.scenario import (
    Expectations,
    ExpectedEvidence,
    ExpectedIssues,
    ExpectedStatement,
    ExpectedTool,
)
from wetread.values import Value


class Difference(Value):
    """One thing that is not as expected. `diff` is a unified diff where there is something to compare line by line."""

    what: str
    diff: str = ""


def check_expectations(
    expect: Expectations, events: Sequence[Event], evidence: Sequence[Evidence], report: Report | None
) -> list[Difference]:
    """Everything in which a run differs from what is expected of it; empty where nothing does."""
    found = [*_outcome(expect, events), *_tools(expect, events), *_evidence(expect, evidence)]
    found += _notices(expect, events)
    if report is not None:
        found += _statements(expect, report, {item.id: item.tool for item in evidence})
        found += _sections(expect, report)
        found += _issues(expect.issues, report)
    return [Difference(what=what) for what in found]


def _outcome(expect: Expectations, events: Sequence[Event]) -> Iterator[str]:
    ended = [event for event in events if isinstance(event, TurnEnded)]
    outcome = ended[-1].outcome if ended else "no turn ended"
    if outcome != expect.outcome:
        yield f"the last turn should have ended '{expect.outcome}' and ended '{outcome}'"


def _tools(expect: Expectations, events: Sequence[Event]) -> Iterator[str]:
    started = [event for event in events if isinstance(event, ToolStarted)]
    statuses = {event.call: event.status for event in events if isinstance(event, ToolFinished)}
    for wanted in expect.tools:
        calls = [call for call in started if _is_call(wanted, call, statuses.get(call.call))]
        if wanted.count is None and not calls:
            others = [call.arguments for call in started if call.tool == wanted.tool]
            yield f"{_told(wanted)} was not called" + (f"; it was called with {others}" if others else "")
        elif wanted.count is not None and len(calls) != wanted.count:
            yield f"{_told(wanted)} was called {len(calls)} times, not {wanted.count}"
    yield from _order(expect.order, [call.tool for call in started])


def _order(order: Sequence[str], called: list[str]) -> Iterator[str]:
    places = [(tool, called.index(tool)) for tool in order if tool in called]
    for tool in order:
        if tool not in called:
            yield f"{tool} was not called"
    for (earlier, first), (later, second) in pairwise(places):
        if second < first:
            yield f"{earlier} should be called before {later}; the calls were {', '.join(called)}"


def _is_call(wanted: ExpectedTool, call: ToolStarted, status: str | None) -> bool:
    return (
        call.tool == wanted.tool
        and wanted.agent in (None, call.agent)
        and wanted.status in (None, status)
        and _holds(call.arguments, wanted.arguments)
    )


def _holds(whole: Any, part: Any) -> bool:
    """Whether `part` is a subset of `whole`: mappings by key, all else by equality."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _holds(whole[key], part[key]) for key in part)
    if isinstance(part, list | tuple):
        return (
            isinstance(whole, list | tuple)
            and len(whole) == len(part)
            and all(_holds(one, other) for one, other in zip(whole, part, strict=True))
        )
    return bool(whole == part)


def _evidence(expect: Expectations, evidence: Sequence[Evidence]) -> Iterator[str]:
    for wanted in expect.evidence:
        found = [item for item in evidence if _is_evidence(wanted, item)]
        if wanted.count is None and not found:
            there = ", ".join(f"{item.id} {item.status}" for item in evidence if item.tool == wanted.tool) or "none"
            yield f"no evidence like {_told(wanted)}; of {wanted.tool} there is: {there}"
        elif wanted.count is not None and len(found) != wanted.count:
            yield f"{len(found)} pieces of evidence like {_told(wanted)}, not {wanted.count}"


def _is_evidence(wanted: ExpectedEvidence, item: Evidence) -> bool:
    code = item.reason.code if item.reason else None
    return item.tool == wanted.tool and item.status == wanted.status and wanted.code in (None, code)


def _notices(expect: Expectations, events: Sequence[Event]) -> Iterator[str]:
    given = [event.code for event in events if isinstance(event, Notice)]
    for code in expect.notices:
        if code not in given:
            yield f"the notice {code} was not given; given were: {', '.join(given) or 'none'}"


def _statements(expect: Expectations, report: Report, tools: dict[str, str]) -> Iterator[str]:
    for wanted in expect.statements:
        if not any(_is_statement(wanted, statement, tools) for statement in report.statements()):
            yield f"no statement is like {_told(wanted)}"
    for unwanted in expect.absent:
        for statement in report.statements():
            if _is_statement(unwanted, statement, tools):
                yield f"{statement.id} should not be there, being like {_told(unwanted)}: {statement.text!r}"
    shown = {system.system for system in report.findings if system.status == "not_assessed"}
    for system in expect.not_assessed:
        if system not in shown:
            yield f"{system} should be shown as not assessed; those shown so: {', '.join(sorted(shown)) or 'none'}"


def _is_statement(wanted: ExpectedStatement, statement: Statement, tools: dict[str, str]) -> bool:
    return (
        (wanted.contains is None or wanted.contains.lower() in statement.text.lower())
        and (wanted.matches is None or re.search(wanted.matches, statement.text) is not None)
        and wanted.section in (None, statement.section)
        and wanted.system in (None, statement.system)
        and (wanted.side is None or any(claim.side == wanted.side for claim in statement.claims))
        and (wanted.evidence is None or any(tools.get(id) == wanted.evidence for id in statement.evidence))
        and wanted.located in (None, bool(statement.regions))
    )


def _sections(expect: Expectations, report: Report) -> Iterator[str]:
    texts = {section.name: section.text for section in report.sections}
    for name, part in expect.sections.items():
        if name not in texts:
            yield f"the section '{name}' is not in the report"
        elif part not in texts[name]:
            yield f"the section '{name}' should contain {part!r} and is {texts[name]!r}"


def _issues(expect: ExpectedIssues, report: Report) -> Iterator[str]:
    codes = Counter(issue.code for issue in report.issues)
    shown = ", ".join(sorted(codes.elements())) or "none"
    if expect.exactly is not None and codes != Counter(expect.exactly):
        yield f"the issues should be {', '.join(sorted(expect.exactly)) or 'none'} and are {shown}"
    for code in expect.include:
        if code not in codes:
            yield f"the issue {code} is missing; there are: {shown}"
    for code in expect.exclude:
        if code in codes:
            yield f"the issue {code} should not be there"


def _told(wanted: Value) -> str:
    """An expectation in the words of its file, without what it leaves open."""
    return str(wanted.model_dump(mode="json", exclude_defaults=True))

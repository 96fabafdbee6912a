"""Requests about the report: why it says something, and what is to change. Changes are proposed; a person does them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from wetread.agents import protocol_talk as talk
from wetread.agents.protocol_answers import Asked
from wetread.agents.protocol_phrasing import same
from wetread.agents.protocol_requests import Request
from wetread.agents.protocol_turn import Turn
from wetread.reports.language import claims, system_of

MAX_EXPLAINED = 4
"""Chains that are told at once."""

_MEASURED = re.compile(r"\b(?:ratio|ctr|areas?|diameters?|measure\w*|number|percent\w*)\b")
_MISSING = re.compile(r"\bnot (?:assessed|measured|mentioned|there)\b|\bmissing\b")
_OFFERED = re.compile(r"about|line|sentence|statement|that|this|with|which|from|mention|regarding")


def explained(turn: Turn, request: Request) -> str:
    """The evidence chain of what is named, measured, spoken of, or was mentioned last."""
    ids = list(request.ids)
    if not ids and _MISSING.search(request.words):
        report = turn.need("current_report", {})
        return "" if report is None else talk.not_assessed(report, turn.places_in(request.words))
    if not ids and _MEASURED.search(request.words):
        ids = [one.evidence for one in turn.reading.by_tool("measure")][-1:]
        if not ids:
            return 'Nothing was measured yet. Say "measure the heart".'
    if not ids and claims(request.words):
        report = turn.need("current_report", {})
        if report is None:
            return ""
        if "statements" not in report.answer:
            return talk.NO_REPORT
        ids = [str(row.get("id")) for row in _about(report.rows("statements"), request.words)][:2]
        if not ids:
            return "The report has no statement about that. /report shows what it has."
    ids = ids or turn.last_mentioned()
    if not ids:
        return talk.WHICH_TO_EXPLAIN
    chains = [turn.need("explain", {"id": id}) for id in ids[:MAX_EXPLAINED]]
    return "\n".join(talk.explained(chain) for chain in chains if chain is not None)


def shown(turn: Turn, request: Request) -> str:
    """How large the report is, or its issues, and the command that shows it."""
    report = turn.need("current_report", {})
    return "" if report is None else talk.shown(report, issues=request.kind == "issues")


def told(turn: Turn, request: Request) -> str:
    """A person says what they see, or that a statement is wrong: how to have the report say so."""
    if request.statements:
        id = request.statements[0]
        return f'To change {id}, say: change {id} to "...", or: remove {id}.'
    system = next((system for claim in claims(request.words) if (system := system_of(claim))), None)
    place = system if system and turn.template.system(system) else "impression"
    return f'If the report is to say so: add to {place.replace("_", " ")}: "...". You confirm it, and it is yours.'


def changed(turn: Turn, request: Request) -> str:
    """An edit, a rejection, or a side put right."""
    if request.kind == "edit" and request.new is None:
        id = request.statements[0] if request.statements else "S2"
        return f'To what? Say: change {id} to "...".'
    ids: Sequence[str] = request.statements
    texts: dict[str, str] = {}
    if not ids or request.old is not None:
        report = turn.need("current_report", {})
        if report is None:
            return ""
        if "statements" not in report.answer:
            return talk.NO_REPORT
        rows = _meant(turn, request, report)
        if not rows:
            what = f'with "{request.old}" in it ' if request.old else ""
            return f"I find no such statement {what}in the report. {talk.WHICH_TO_CHANGE}"
        # a side that is wrong is wrong wherever it stands
        if len(rows) > request.count and request.kind != "side":
            return talk.which_of(rows)
        texts = {str(row.get("id")): str(row.get("text")) for row in rows}
        ids = list(texts)
    said = []
    for id in dict.fromkeys(ids):
        arguments: dict[str, Any] = {"do": "reject" if request.kind == "reject" else "edit", "statement": id}
        if request.kind != "reject":
            arguments["text"] = _new_text(request, texts.get(id, ""))
        said.append(turn.need("propose_edit", arguments))
    return "\n".join(talk.decided(one) for one in said if one is not None)


def added(turn: Turn, request: Request) -> str:
    """A statement of the person's own, where they say, else in the one system that it speaks of."""
    if request.new is None:
        return talk.WHERE_TO_ADD
    place = turn.places.get(request.place or "")
    if place is None:
        systems = {system for claim in claims(request.new) if (system := system_of(claim))}
        place = systems.pop() if len(systems) == 1 else None
        if place is None or turn.template.system(place) is None:
            return talk.WHERE_TO_ADD
    answer = turn.need("propose_edit", {"do": "add", "place": place, "text": request.new})
    return "" if answer is None else talk.decided(answer)


def _meant(turn: Turn, request: Request, report: Asked) -> list[Mapping[str, Any]]:
    """The statements that a request means."""
    rows: list[Mapping[str, Any]] = report.rows("statements")
    if request.statements:
        rows = [row for row in rows if row.get("id") in request.statements]
    if request.place is not None:
        place = turn.places.get(request.place, request.place)
        rows = [row for row in rows if row.get("in") == place]
    if request.ordinal is not None:
        first = request.ordinal if request.ordinal >= 0 else len(rows) - request.count
        return rows[max(first, 0) : max(first, 0) + request.count]
    if not request.statements and (request.place is None or request.about is not None):
        last = turn.last_mentioned()
        mentioned = [row for row in rows if row.get("id") in last]
        about = _about(rows, request.about) if request.about is not None else []
        # "it is on the left": what was spoken of last
        rows = about or (mentioned if request.about is None or request.kind == "side" else [])
    if request.old is not None:
        old = _word(request.old)
        rows = [row for row in rows if old.search(str(row.get("text")))]
    return rows


def _new_text(request: Request, text: str) -> str:
    new = request.new or ""
    if request.old is None:
        return new
    return _word(request.old).sub(lambda found: new.capitalize() if found[0][:1].isupper() else new, text)


def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)


def _about(rows: Sequence[Mapping[str, Any]], words: str) -> list[Mapping[str, Any]]:
    """The statements that speak of what words name: the same findings, else the same words."""
    if exact := [row for row in rows if len(words) > 3 and words in str(row.get("text")).lower()]:
        return exact
    wanted = {claim.finding for claim in claims(words) if claim.finding}
    found = [
        row
        for row in rows
        if any(same(one.finding, name) for one in claims(str(row.get("text"))) if one.finding for name in wanted)
    ]
    if found:
        return found
    content = [word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", words) if not _OFFERED.match(word)]
    return [row for row in rows if content and all(word in str(row.get("text")).lower() for word in content)]

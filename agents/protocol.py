"""A chat model that needs no language model: it plans by the template's reading protocol and phrases by rules.

It sees what a language model would see, the request's messages and tools, and answers as one would: with tool calls
round by round, then with the draft, then with a mended draft while issues come back. Where a person is there to be
talked with it answers plain requests too (`protocol_dialogue`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from wetread.agents.chat import ChatMessage, ChatReply, ChatRequest, OnText, ToolUse
from wetread.agents.protocol_answers import SUBMIT, Reading, read_conversation, text_of
from wetread.agents.protocol_impression import impression_lines, recommendations
from wetread.agents.protocol_phrasing import Line, finding_lines, not_assessed
from wetread.agents.protocol_planning import next_round
from wetread.agents.protocol_repair import Plan, read_plan, repaired_plan
from wetread.errors import ModelError, WetreadError
from wetread.reports.model import Draft, DraftImpression, DraftStatement
from wetread.reports.template import ReportTemplate, load_template
from wetread.tools.registry import PERSON_TOOLS
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    from wetread.agents.protocol_dialogue import Step

PROTOCOL = "protocol"

NO_STUDY = (
    "I plan readings by rules and need a study: the first message carries its facts. I cannot talk about anything else."
)
DONE = (
    "The report is drafted. I plan readings by rules and cannot talk about it; a session with a language model can. "
    "The report itself names the evidence behind each statement."
)


class Protocol:
    """The reading protocol as a chat model.

    Args:
        workspace: Folder that may hold templates of a user's own.
    """

    origin = Origin.CODE

    def __init__(self, workspace: Path | None = None) -> None:
        self._workspace = workspace
        self._templates: dict[str, ReportTemplate] = {}

    @property
    def name(self) -> str:
        return PROTOCOL

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        """The next step of the reading that the messages show.

        Raises:
            ModelError: `WET-MODEL-PROTOCOL`: the template that the facts name cannot be used.
        """
        if request.json_schema is not None:
            # asked as a specialist: rules have no opinion on a text
            return _says(orjson.dumps(_nothing(request.json_schema)).decode(), on_text)
        reading = read_conversation(request.messages)
        if reading is None:
            return _says(NO_STUDY, on_text)
        tools = {tool.name for tool in request.tools}
        talks = not PERSON_TOOLS.isdisjoint(tools)
        if reading.accepted and not talks:
            return _says(DONE, on_text)
        template = self._template(text_of(reading.facts.get("template")))
        step = _next_step(request, reading, template) if talks else None
        planned = list(step.calls) if step else next_round(reading, template, tools)
        if not planned and step is not None and step.draft is None:
            return _says(step.text, on_text)
        if not planned:
            draft = _next_draft(step.draft if step and step.draft else reading, template)
            if SUBMIT not in tools:
                return _says(orjson.dumps(draft).decode(), on_text)
            planned = [(SUBMIT, draft)]
        text = step.text if step else ""
        if text and on_text is not None:
            on_text(text)
        first = 1 + sum(len(message.tool_uses) for message in request.messages)
        uses = tuple(
            ToolUse(id=f"call_{number}", name=tool, arguments=orjson.dumps(arguments).decode())
            for number, (tool, arguments) in enumerate(planned, first)
        )
        return ChatReply(text=text, tool_uses=uses, model=PROTOCOL, finish="tool_calls")

    async def aclose(self) -> None:
        """Nothing to close."""

    def _template(self, name: str) -> ReportTemplate:
        template = self._templates.get(name)
        if template is None:
            try:
                template = self._templates[name] = load_template(name, self._workspace)
            except WetreadError as error:
                raise ModelError("WET-MODEL-PROTOCOL", error.message, error.hint) from None
        return template


def _next_step(request: ChatRequest, reading: Reading, template: ReportTemplate) -> Step:
    # a reading that nobody talks with is not kept waiting for patterns of what people say
    from wetread.agents.protocol_dialogue import next_step

    return next_step(request.messages, reading, template, request.tools)


def draft_from(messages: Sequence[ChatMessage], template: ReportTemplate) -> Draft:
    """What rules make of the tools' answers in a conversation, whoever asked them; for a reading that was cut short."""
    reading = read_conversation(messages)
    if reading is None:
        return Draft()
    plan = _plan(reading, template)
    return Draft(
        findings=tuple(DraftStatement(system=x.system, text=x.text, evidence=x.evidence) for x in plan.findings),
        impression=tuple(DraftImpression(text=x.text, evidence=x.evidence) for x in plan.impression),
        recommendations=plan.recommendations,
        not_assessed=dict(plan.not_assessed),
    )


def _plan(reading: Reading, template: ReportTemplate) -> Plan:
    lines = finding_lines(reading, template)
    return Plan(
        findings=tuple(lines),
        impression=tuple(impression_lines(lines, template)),
        recommendations=tuple(recommendations(lines)),
        not_assessed=not_assessed(reading, template, lines),
    )


def _next_draft(reading: Reading, template: ReportTemplate) -> dict[str, Any]:
    """The first draft, or the last one mended by the issues that came back."""
    if not reading.drafts:
        return _arguments(_plan(reading, template))
    last = reading.drafts[-1]
    return _arguments(repaired_plan(read_plan(last.arguments, template), last.rows("issues"), template))


def _arguments(plan: Plan) -> dict[str, Any]:
    return {
        "findings": [{"system": line.system, **_cited(line)} for line in plan.findings],
        "impression": [_cited(line) for line in plan.impression],
        "recommendations": list(plan.recommendations),
        "not_assessed": dict(plan.not_assessed),
    }


def _cited(line: Line) -> dict[str, Any]:
    return {"text": line.text, "evidence": list(line.evidence)}


def _says(text: str, on_text: OnText | None) -> ChatReply:
    if on_text is not None:
        on_text(text)
    return ChatReply(text=text, model=PROTOCOL)


_EMPTY: dict[str, Any] = {"array": [], "string": "", "boolean": False, "integer": 0, "number": 0, "object": {}}


def _nothing(schema: dict[str, Any]) -> dict[str, Any]:
    """The emptiest answer of a schema: no objections, no findings."""
    properties = schema.get("properties", {})
    return {name: _EMPTY.get(str(properties.get(name, {}).get("type"))) for name in schema.get("required", ())}

"""Specialists: agents that other agents call as typed tools, a fresh one for each call.

What one answers is validated against the `result` of its YAML, with one try to mend it. By convention a result's list
`findings` becomes observations in the evidence: `finding`, and `side`, `status`, `quote` where there are any. A quote
is kept only if it really stands in the text it names: what a specialist makes up about the past goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue

from wetread.agents.budget import Meter
from wetread.agents.chat import ChatMessage, ChatModel, ToolSpec
from wetread.agents.fields import model_of, schema_of
from wetread.agents.restricted import Restricted, ToolCaller
from wetread.agents.spec import AgentSpec
from wetread.agents.structured import Unusable, parse_answer
from wetread.errors import BudgetError, ModelError, ToolError
from wetread.evidence import Evidence, ModelVersion, Observation
from wetread.prompts.loader import agent_prompt
from wetread.reports.language import claims
from wetread.study import Study
from wetread.tools.base import Arguments, Outcome, Reading, Tool, current_call
from wetread.vocabulary import Assertion, Origin, Side

MIN_QUOTE = 4
"""Characters that a quote must have to say anything."""


class Answer(BaseModel):
    """Base of specialists' results: what is not asked for is left out, not refused."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@dataclass(slots=True)
class Desk:
    """What a session lends to all agents of it."""

    model: Callable[[AgentSpec], ChatModel]
    """The chat model that answers for an agent."""
    meter: Callable[[], Meter]
    """The budget of the turn that is running."""
    toolbox: Callable[[], ToolCaller]
    """Answers tool calls, those of specialists included."""
    names: Callable[[AgentSpec], tuple[str, ...]]
    """The tools that an agent may call, those of the agents that it may ask included."""
    specs: Callable[[Sequence[str]], tuple[ToolSpec, ...]]
    """Tools by name, as a model sees them."""
    origin: Callable[[AgentSpec], Origin]
    """Where what that agent answers comes from."""


class Specialist(Tool[Arguments]):
    """An agent as a tool. Made by `specialist_tool`."""

    spec: AgentSpec
    desk: Desk
    result: type[Answer]
    workspace: Path | None = None

    async def run(self, arguments: Arguments, reading: Reading) -> Outcome:
        given = arguments.model_dump(mode="json", exclude_none=True)
        answer, model = await self.ask(self.task(given, reading), reading)
        return self.outcome(answer, model, reading)

    def task(self, given: Mapping[str, JsonValue], reading: Reading) -> str:
        """The message it gets: what it was asked with, as JSON."""
        return orjson.dumps(given or {"task": self.spec.description}).decode()

    async def ask(self, task: str, reading: Reading) -> tuple[Answer, str]:
        """Its validated answer, and the name of the model that gave it.

        Raises:
            ToolError: the model failed, or its answer is of no use after one try to mend it.
        """
        from wetread.agents._autogen import run_agent

        spec, desk = self.spec, self.desk
        model = desk.model(spec)
        names = desk.names(spec)
        schema = schema_of(spec.result)
        history: tuple[ChatMessage, ...] = ()
        problem = ""
        for message in (task, _REPAIR):
            try:
                run = await run_agent(
                    message.replace("{problem}", problem) if history else message,
                    agent=spec.name,
                    model=model,
                    system=agent_prompt(spec.prompt, {}, self.workspace),
                    meter=desk.meter(),
                    history=history,
                    toolbox=Restricted(desk.toolbox(), names),
                    specs=() if history else desk.specs(names),
                    max_iterations=spec.max_iterations,
                    json_schema=schema,
                    emit=reading.emit,
                )
            except (ModelError, BudgetError) as error:
                raise ToolError("WET-TOOL-AGENT", f"{spec.name} has no answer: {error.message}") from None
            history = (*history, *run.messages)
            try:
                return parse_answer(run.text, self.result), model.name
            except Unusable as unusable:
                problem = str(unusable)
        raise ToolError("WET-TOOL-ANSWER", f"{spec.name} gave no usable answer: {problem}.")

    def outcome(self, answer: Answer, model: str, reading: Reading) -> Outcome:
        """The result as evidence: as data, and its findings as observations."""
        value: dict[str, JsonValue] = answer.model_dump(mode="json", exclude_none=True)
        warnings: list[str] = []
        observations: list[Observation] = []
        entries = value.get("findings")
        if isinstance(entries, list):
            kept = [entry for entry in entries if isinstance(entry, dict) and _stands(entry, reading.study)]
            if len(kept) < len(entries):
                lost = len(entries) - len(kept)
                warnings.append(f"{lost} entries left out: their quotes stand in no text of the study.")
            value["findings"] = list(kept)
            observations = [_observation(entry) for entry in kept]
        agent = current_call().agent
        return Outcome(
            for_model=value,
            summary=f"{self.spec.name}, asked by {agent}: {_count(value)}",
            model=ModelVersion(name=model),
            origin=self.desk.origin(self.spec),
            warnings=tuple(warnings),
            observations=tuple(observations),
            value=value,
        )


class Reviewer(Specialist):
    """The agent that reads a draft against the ledger. Its objections are no evidence."""

    makes_evidence = False

    def task(self, given: Mapping[str, JsonValue], reading: Reading) -> str:
        return review_task(given, list(reading.ledger))


class ReviewedSubmission(Tool[Arguments]):
    """`submit_report` with a reviewer before it: the first draft of a turn goes back if there are objections to it."""

    submit: Tool[Any]
    reviewer: Reviewer
    desk: Desk
    turn: Meter | None = None
    """The turn whose first draft was read, known by its meter."""

    async def run(self, arguments: Arguments, reading: Reading) -> Outcome:
        if self.turn is not self.desk.meter():
            self.turn = self.desk.meter()
            objections = await self._objections(arguments)
            if objections:
                issues: list[JsonValue] = [_issue(objection) for objection in objections]
                return Outcome(
                    for_model={"accepted": False, "issues": issues},
                    summary=f"{len(issues)} objections of the {self.reviewer.spec.name}",
                    model=ModelVersion(name=self.reviewer.spec.name),
                    origin=self.desk.origin(self.reviewer.spec),
                )
        return await self.submit.run(arguments, reading)

    async def _objections(self, arguments: Arguments) -> list[dict[str, JsonValue]]:
        call = current_call()
        draft = arguments.model_dump_json(exclude_none=True)
        answer = await self.desk.toolbox().call(
            self.reviewer.name, draft, agent=call.agent, call_id=f"{call.id}-review"
        )
        said = orjson.loads(answer.text).get("objections")
        # a review that failed is told by its own event, and holds nothing up
        return [entry for entry in said if isinstance(entry, dict)] if isinstance(said, list) else []


_REPAIR = "That answer cannot be used: {problem}. Answer again with the JSON object alone."

# one class for each agent: the toolbox makes a class's schema once in a process
_CLASSES: dict[str, type[Specialist]] = {}
_GATES: dict[type[Tool[Any]], type[ReviewedSubmission]] = {}


def specialist_tool(
    spec: AgentSpec, desk: Desk, workspace: Path | None = None, arguments: type[Arguments] | None = None
) -> Specialist:
    """The tool by which an agent is called.

    Args:
        spec: The agent; it has a `result`.
        desk: What the session lends it.
        workspace: Where prompts of a user's own are.
        arguments: The argument model of the drafts that a reviewer reads; None for any other agent.
    """
    key = f"{spec.model_dump_json()}{arguments!r}"
    made = _CLASSES.get(key)
    if made is None:
        base = Reviewer if arguments is not None else Specialist
        made = type(
            f"Specialist_{spec.name}",
            (base,),
            {
                "name": spec.tool_name,
                "card": spec.description,
                "arguments": arguments or model_of(f"{spec.name}_arguments", spec.arguments, Arguments),
                "result": model_of(f"{spec.name}_result", spec.result, Answer),
                "spec": spec,
            },
        )
        _CLASSES[key] = made
    tool = made()
    tool.desk = desk
    tool.workspace = workspace
    return tool


def reviewed(
    submit: Tool[Any], reviewer: AgentSpec, desk: Desk, workspace: Path | None = None
) -> tuple[Tool[Any], Specialist]:
    """`submit_report` with a reviewer before it, and the reviewer's own tool."""
    review = specialist_tool(reviewer, desk, workspace, arguments=submit.arguments)
    assert isinstance(review, Reviewer)
    made = _GATES.get(type(submit))
    if made is None:
        shown = {name: getattr(submit, name) for name in ("name", "card", "arguments", "deadline_s", "makes_evidence")}
        made = _GATES[type(submit)] = type("ReviewedSubmission", (ReviewedSubmission,), shown)
    gate = made()
    gate.submit, gate.reviewer, gate.desk = submit, review, desk
    return gate, review


def review_task(draft: Mapping[str, JsonValue], ledger: Sequence[Evidence]) -> str:
    """A draft with its statements numbered, and the evidence, as JSON for the reviewer."""
    numbered = {
        "findings": _numbered("F", draft.get("findings")),
        "impression": _numbered("I", draft.get("impression")),
        "recommendations": draft.get("recommendations") or [],
        "not_assessed": draft.get("not_assessed") or {},
    }
    return orjson.dumps({"draft": numbered, "evidence": [_digest(evidence) for evidence in ledger]}).decode()


def _numbered(letter: str, lines: JsonValue) -> list[JsonValue]:
    rows = lines if isinstance(lines, list) else []
    return [{"statement": f"{letter}{n}", **row} for n, row in enumerate(rows, 1) if isinstance(row, dict)]


def _digest(evidence: Evidence) -> dict[str, JsonValue]:
    digest: dict[str, JsonValue] = {"id": evidence.id, "tool": evidence.tool, "status": evidence.status}
    if evidence.reason is not None:
        digest["reason"] = evidence.reason.message
    if evidence.observations:
        digest["says"] = [
            {
                "text": said.text,
                "finding": said.finding,
                "assertion": said.assertion.value,
                "side": said.side.value if said.side else None,
                "probability": said.probability,
            }
            for said in evidence.observations
        ]
    if evidence.measurements:
        digest["measured"] = {f"{{{evidence.id}.{m.name}}}": m.text for m in evidence.measurements}
    if evidence.warnings:
        digest["warnings"] = list(evidence.warnings)
    return digest


def _issue(objection: Mapping[str, JsonValue]) -> JsonValue:
    return {
        "code": "reviewer",
        "severity": "error",
        "where": objection.get("statement"),
        "message": objection.get("problem"),
        "evidence": objection.get("evidence") or [],
    }


def _stands(entry: Mapping[str, JsonValue], study: Study) -> bool:
    """Whether an entry's quote stands in the text it names; entries without one stand for themselves."""
    quote = entry.get("quote")
    if not isinstance(quote, str):
        return True
    texts = {
        "prior_report": study.prior_report.text if study.prior_report else "",
        "history": study.history or "",
        "indication": study.indication or "",
    }
    source = entry.get("source")
    where = [texts[source]] if isinstance(source, str) and source in texts else list(texts.values())
    wanted = _squeezed(quote)
    return len(wanted) >= MIN_QUOTE and any(wanted in _squeezed(text) for text in where)


def _squeezed(text: str) -> str:
    return " ".join(text.split()).strip(" .\"'").casefold()


def _observation(entry: Mapping[str, JsonValue]) -> Observation:
    """What an earlier text says of a finding is history, whatever it says: it proves nothing about the images."""
    quote = str(entry.get("quote") or entry.get("finding") or "")
    named = claims(str(entry.get("finding") or quote))
    side = entry.get("side")
    return Observation(
        text=quote,
        finding=next((claim.finding for claim in named if claim.finding), None),
        assertion=Assertion.HISTORICAL,
        side=Side(side) if isinstance(side, str) and side in set(Side) else None,
    )


def _count(value: Mapping[str, JsonValue]) -> str:
    counted = [f"{len(item)} {key}" for key, item in value.items() if isinstance(item, list)]
    return ", ".join(counted) or "answered"

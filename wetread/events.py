"""What is told about a turn while it runs: one union, the same for terminal, HTTP, journal and tests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from wetread.evidence import Evidence
from wetread.reports.model import CriticalResult, Issue, Report
from wetread.values import Value


class TurnStarted(Value):
    type: Literal["turn_started"] = "turn_started"
    turn: int


class ModelCalled(Value):
    """A chat model was asked. `agent` is the role that asked it."""

    type: Literal["model_called"] = "model_called"
    agent: str
    model: str


class ModelAnswered(Value):
    type: Literal["model_answered"] = "model_answered"
    agent: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    latency_ms: float


class TextDelta(Value):
    """A piece of an agent's text as it comes."""

    type: Literal["text_delta"] = "text_delta"
    agent: str
    text: str


class ToolStarted(Value):
    """A tool call began. `evidence` is the id its outcome will have; None for a call that makes no evidence."""

    type: Literal["tool_started"] = "tool_started"
    agent: str
    call: str
    tool: str
    arguments: dict[str, Any]
    evidence: str | None = None


class ToolFinished(Value):
    """A tool call ended. `evidence` is its outcome; `error` where the call was refused before it became evidence."""

    type: Literal["tool_finished"] = "tool_finished"
    agent: str
    call: str
    tool: str
    status: Literal["ok", "failed", "abstained", "refused", "cancelled"]
    summary: str
    latency_ms: float
    evidence: Evidence | None = None
    answer: str = ""
    """What the agent was told, as JSON; empty for a call that was cut short."""


class QuestionAsked(Value):
    """An agent asks the person, who has all the time: the turn's clock stands still until the answer.

    About a `proposal`, the answer is whether a change to the report is to be made.
    """

    type: Literal["question_asked"] = "question_asked"
    agent: str
    question: str
    options: tuple[str, ...] = ()
    about: Literal["indication", "prior", "proposal", "other"] = "other"


class QuestionAnswered(Value):
    """The person answered; `answer` is None where they skipped the question."""

    type: Literal["question_answered"] = "question_answered"
    question: str
    answer: str | None = None


class DraftSubmitted(Value):
    """A draft was composed and checked. `round` counts from 1."""

    type: Literal["draft_submitted"] = "draft_submitted"
    round: int
    issues: tuple[Issue, ...]


class CriticalResultFound(Value):
    """The report says that a critical finding is, or may be, there: somebody must be told now."""

    type: Literal["critical_result"] = "critical_result"
    result: CriticalResult


class ReportReady(Value):
    type: Literal["report_ready"] = "report_ready"
    report: Report


class BudgetReached(Value):
    """A limit ended the turn; what was done until then is kept."""

    type: Literal["budget_reached"] = "budget_reached"
    limit: Literal["wall_time", "model_calls", "tool_calls", "tokens", "iterations", "money"]
    message: str


class Notice(Value):
    """Something a person should know: a fault that was survived, a fallback that was taken."""

    type: Literal["notice"] = "notice"
    code: str
    message: str


class TurnEnded(Value):
    type: Literal["turn_ended"] = "turn_ended"
    turn: int
    outcome: Literal["answered", "reported", "budget", "cancelled", "failed"]
    text: str = ""
    model_calls: int
    tool_calls: int
    prompt_tokens: int
    completion_tokens: int
    wall_ms: float


Event = Annotated[
    TurnStarted
    | ModelCalled
    | ModelAnswered
    | TextDelta
    | ToolStarted
    | ToolFinished
    | QuestionAsked
    | QuestionAnswered
    | DraftSubmitted
    | CriticalResultFound
    | ReportReady
    | BudgetReached
    | Notice
    | TurnEnded,
    Field(discriminator="type"),
]

EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes any event as JSON."""

"""One run of one agent: a bare AssistantAgent built from our transcript, and its outcome in our words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autogen_agentchat import EVENT_LOGGER_NAME as AGENT_EVENTS
from autogen_agentchat import TRACE_LOGGER_NAME as AGENT_TRACE
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TaskResult
from autogen_agentchat.messages import TextMessage, ToolCallSummaryMessage
from autogen_core import EVENT_LOGGER_NAME as CORE_EVENTS
from autogen_core import TRACE_LOGGER_NAME as CORE_TRACE
from autogen_core import CancellationToken
from autogen_core.model_context import UnboundedChatCompletionContext

from wetread.agents._autogen.client import PortModelClient
from wetread.agents._autogen.messages import to_autogen
from wetread.agents._autogen.workbench import ToolboxWorkbench
from wetread.agents.budget import Meter
from wetread.agents.chat import ChatMessage, ChatModel, ToolSpec
from wetread.agents.restricted import ToolCaller
from wetread.agents.transcript import repaired
from wetread.events import Event


def _deaf(record: logging.LogRecord) -> bool:
    return False


for _name in (AGENT_EVENTS, AGENT_TRACE, CORE_EVENTS, CORE_TRACE):
    # a filter outlives a logging configuration that resets levels; these loggers write what was said of a patient
    logging.getLogger(_name).addFilter(_deaf)


@dataclass(frozen=True, slots=True)
class AgentRun:
    """How a run ended.

    Attributes:
        ended: `text` with an answer, `finished` by the caller's own rule, `iterations` where its rounds ran out.
        text: The final answer; empty where there is none.
        messages: What the run added to the conversation, the task first, each tool use with its result.
    """

    ended: Literal["text", "finished", "iterations"]
    text: str
    messages: tuple[ChatMessage, ...]


async def run_agent(
    task: str,
    *,
    agent: str,
    model: ChatModel,
    system: str,
    meter: Meter,
    history: Sequence[ChatMessage] = (),
    toolbox: ToolCaller | None = None,
    specs: tuple[ToolSpec, ...] = (),
    max_iterations: int = 8,
    finished: Callable[[], bool] = lambda: False,
    json_schema: dict[str, Any] | None = None,
    emit: Callable[[Event], None] = lambda event: None,
    record: list[ChatMessage] | None = None,
) -> AgentRun:
    """Let one agent work on a task until it answers, is finished, or its rounds run out.

    Args:
        task: The user message.
        agent: The role's name, as events and requests carry it.
        model: Who answers for it.
        system: Its system prompt.
        meter: The turn's budget.
        history: The conversation so far, without the system prompt.
        toolbox: Answers its tool calls; None for an agent without tools.
        specs: The tools it sees.
        max_iterations: Rounds of tool calls it may make.
        finished: Asked before each model call; True ends the run without one.
        json_schema: Where its final text must be JSON of this schema.
        emit: Is told what happens while it runs.
        record: Gets what the run adds to the conversation, as it happens: what there is when the run is cut short.

    Raises:
        BudgetError: a limit was reached at a model call.
        ModelError: the model failed.
    """
    record = record if record is not None else []
    record.append(ChatMessage(role="user", text=task))
    start = len(record) - 1
    uses = {use.id: use for message in history for use in message.tool_uses}
    names = frozenset(spec.name for spec in specs)
    token = CancellationToken()
    client = PortModelClient(
        model,
        agent=agent,
        specs=specs,
        meter=meter,
        emit=emit,
        record=record,
        uses=uses,
        finished=finished,
        json_schema=json_schema,
    )
    workbench = (
        ToolboxWorkbench(toolbox, specs, agent=agent, meter=meter, record=record, uses=uses)
        if toolbox is not None and specs
        else None
    )
    assistant = AssistantAgent(
        agent,
        client,
        workbench=[workbench] if workbench else [],
        model_context=UnboundedChatCompletionContext(to_autogen(history, agent, names)),
        system_message=system,
        max_tool_iterations=max_iterations,
    )
    result: TaskResult | None = None
    try:
        async for event in assistant.run_stream(task=task, cancellation_token=token):
            if isinstance(event, TaskResult):
                result = event
    finally:
        token.cancel()
        if workbench is not None:
            await workbench.drain()
    last = result.messages[-1] if result else None
    ended: Literal["text", "finished", "iterations"] = "text"
    if finished():
        ended = "finished"
    elif isinstance(last, ToolCallSummaryMessage):
        ended = "iterations"
    text = last.content if isinstance(last, TextMessage) and ended == "text" else ""
    return AgentRun(ended, text, repaired(record[start:]))

"""A chat model of ours as the model client of an AutoGen agent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Literal

from autogen_core import CancellationToken
from autogen_core.models import (
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    ModelCapabilities,
    ModelInfo,
    RequestUsage,
)
from autogen_core.tools import Tool, ToolSchema
from pydantic import BaseModel

from wetread.agents._autogen.messages import from_autogen, function_calls
from wetread.agents.budget import Meter
from wetread.agents.chat import ChatMessage, ChatModel, ChatReply, ChatRequest, ToolSpec, ToolUse
from wetread.events import Event, ModelAnswered, ModelCalled, TextDelta

Emit = Callable[[Event], None]

_INFO: ModelInfo = {
    "vision": False,
    "function_calling": True,
    "json_output": True,
    "structured_output": True,
    "family": "unknown",
    "multiple_system_messages": True,
}


class PortModelClient(ChatCompletionClient):
    """Calls a `ChatModel` for one run of one agent.

    Args:
        model: Who answers.
        agent: The role that asks.
        specs: Its tools.
        meter: Counts and limits the turn's cost.
        emit: Is told of calls, answers and pieces of text as they come.
        record: Gets each answer as it comes; what a cancelled run leaves behind.
        uses: Gets each tool use by id, as the model wrote it; starts with those of the conversation so far.
        finished: Whether the run has reached its end; then no model is called any more.
        json_schema: Where the final text must be JSON of this schema.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        agent: str,
        specs: tuple[ToolSpec, ...],
        meter: Meter,
        emit: Emit,
        record: list[ChatMessage],
        uses: dict[str, ToolUse],
        finished: Callable[[], bool],
        json_schema: dict[str, Any] | None,
    ) -> None:
        self._model = model
        self._agent = agent
        self._specs = specs
        self._names = frozenset(spec.name for spec in specs)
        self._meter = meter
        self._emit = emit
        self._record = record
        self._uses = uses
        self._finished = finished
        self._json_schema = json_schema
        self._usage = RequestUsage(0, 0)

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,
    ) -> CreateResult:
        # a model that answers without ever waiting would keep the loop to itself, and every frame of the run with it
        await asyncio.sleep(0)
        if self._finished():
            return CreateResult(finish_reason="stop", content="", usage=RequestUsage(0, 0), cached=False)
        self._meter.model_call()
        self._warn()  # of tool calls too: they come between two model calls
        request = ChatRequest(
            agent=self._agent,
            messages=from_autogen(messages, self._uses),
            tools=self._specs if tools else (),
            json_schema=self._json_schema,
        )
        return self._taken(await self._answer(request))

    async def _answer(self, request: ChatRequest) -> ChatReply:
        self._emit(ModelCalled(agent=self._agent, model=self._model.name))
        began = time.perf_counter()
        reply = await self._model.complete(request, self._tell)
        self._meter.tokens(reply.usage, reply.model)
        self._emit(
            ModelAnswered(
                agent=self._agent,
                model=reply.model,
                prompt_tokens=reply.usage.prompt_tokens,
                completion_tokens=reply.usage.completion_tokens,
                latency_ms=round((time.perf_counter() - began) * 1000, 1),
            )
        )
        self._warn()
        return reply

    def _warn(self) -> None:
        for notice in self._meter.notices():
            self._emit(notice)

    def _tell(self, text: str) -> None:
        if text:
            self._emit(TextDelta(agent=self._agent, text=text))

    def _taken(self, reply: ChatReply) -> CreateResult:
        """The reply on our record and as AutoGen's result; ids of tool uses are made unique in the conversation."""
        uses = tuple(self._unique(use) for use in reply.tool_uses)
        self._record.append(ChatMessage(role="assistant", text=reply.text, tool_uses=uses))
        usage = RequestUsage(reply.usage.prompt_tokens, reply.usage.completion_tokens)
        self._usage = RequestUsage(
            self._usage.prompt_tokens + usage.prompt_tokens, self._usage.completion_tokens + usage.completion_tokens
        )
        if not uses:
            return CreateResult(finish_reason="stop", content=reply.text, usage=usage, cached=False)
        return CreateResult(
            finish_reason="function_calls",
            content=function_calls(uses, self._names),
            thought=reply.text or None,
            usage=usage,
            cached=False,
        )

    def _unique(self, use: ToolUse) -> ToolUse:
        base = use.id or "call"
        id, number = base, 1
        while id in self._uses:
            number += 1
            id = f"{base}-{number}"
        unique = use if id == use.id else use.model_copy(update={"id": id})
        self._uses[id] = unique
        return unique

    async def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] = {},
        cancellation_token: CancellationToken | None = None,
    ) -> AsyncGenerator[str | CreateResult, None]:
        """The whole answer as one piece: pieces of text go to `emit` as they come, past AutoGen."""
        yield await self.create(messages, tools=tools, cancellation_token=cancellation_token)

    async def close(self) -> None:
        """Nothing: the model belongs to the session."""

    def actual_usage(self) -> RequestUsage:
        return self._usage

    def total_usage(self) -> RequestUsage:
        return self._usage

    def count_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()) -> int:
        return sum(len(str(message.content)) for message in messages) // 4

    def remaining_tokens(self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()) -> int:
        return self._meter.budget.tokens - self._meter.prompt_tokens - self._meter.completion_tokens

    @property
    def capabilities(self) -> ModelCapabilities:
        return self.model_info

    @property
    def model_info(self) -> ModelInfo:
        return _INFO

"""Messages between the two worlds, without loss: ours (`wetread.agents.chat`) and AutoGen's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import orjson
from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)

from wetread.agents.chat import ChatMessage, ToolUse

UNKNOWN_TOOL = "unknown_tool"
"""AutoGen answers a call of an unlisted tool by itself; such calls go by this listed name and are told apart by id."""


def carried(text: str) -> str:
    """A model's argument text as AutoGen can carry it: JSON as it is, anything else as one JSON string.

    AutoGen parses arguments before the workbench sees them, answers malformed ones itself, and its parser recurses.
    """
    try:
        whole = isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        whole = False
    return text if whole else json.dumps(text)


def written(carried_text: str) -> str:
    """The inverse of `carried`."""
    if not carried_text.startswith('"'):
        return carried_text
    text: str = json.loads(carried_text)
    return text


def to_autogen(messages: Iterable[ChatMessage], agent: str, names: frozenset[str]) -> list[LLMMessage]:
    """Our messages as AutoGen's; the results of one round become one message."""
    converted: list[LLMMessage] = []
    tool_of: dict[str, str] = {}
    for message in messages:
        if message.role == "system":
            converted.append(SystemMessage(content=message.text))
        elif message.role == "user":
            converted.append(UserMessage(content=message.text, source="user"))
        elif message.role == "assistant":
            tool_of.update((use.id, use.name) for use in message.tool_uses)
            converted.append(assistant(message.text, message.tool_uses, agent, names))
        else:
            result = FunctionExecutionResult(
                content=message.text,
                name=tool_of.get(message.tool_use_id or "", UNKNOWN_TOOL),
                call_id=message.tool_use_id or "",
                is_error=message.failed,
            )
            last = converted[-1] if converted else None
            if isinstance(last, FunctionExecutionResultMessage):
                last.content.append(result)
            else:
                converted.append(FunctionExecutionResultMessage(content=[result]))
    return converted


def assistant(text: str, uses: Sequence[ToolUse], agent: str, names: frozenset[str]) -> AssistantMessage:
    """One assistant message; text beside tool uses is AutoGen's thought."""
    if not uses:
        return AssistantMessage(content=text, source=agent)
    return AssistantMessage(content=function_calls(uses, names), thought=text or None, source=agent)


def function_calls(uses: Sequence[ToolUse], names: frozenset[str]) -> list[FunctionCall]:
    return [
        FunctionCall(id=use.id, name=use.name if use.name in names else UNKNOWN_TOOL, arguments=carried(use.arguments))
        for use in uses
    ]


def from_autogen(messages: Iterable[LLMMessage], uses: dict[str, ToolUse]) -> tuple[ChatMessage, ...]:
    """AutoGen's messages as ours; `uses` gives back the tool uses as the model wrote them, by id."""
    converted: list[ChatMessage] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            converted.append(ChatMessage(role="system", text=message.content))
        elif isinstance(message, UserMessage):
            text = message.content if isinstance(message.content, str) else "".join(map(str, message.content))
            converted.append(ChatMessage(role="user", text=text))
        elif isinstance(message, FunctionExecutionResultMessage):
            converted.extend(
                ChatMessage(role="tool", text=result.content, tool_use_id=result.call_id, failed=bool(result.is_error))
                for result in message.content
            )
        elif isinstance(message.content, str):
            converted.append(ChatMessage(role="assistant", text=message.content))
        else:
            made = tuple(
                uses.get(call.id) or ToolUse(id=call.id, name=call.name, arguments=written(call.arguments))
                for call in message.content
            )
            converted.append(ChatMessage(role="assistant", text=message.thought or "", tool_uses=made))
    return tuple(converted)

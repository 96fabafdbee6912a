"""The chat-model port: the one seam through which language models are called, recorded, replayed and stood in for.

Plain values in both directions, free of any vendor's or framework's types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from pydantic import Field

from wetread.messages import ChatMessage, ToolUse
from wetread.values import Value

__all__ = [
    "ChatMessage",
    "ChatModel",
    "ChatReply",
    "ChatRequest",
    "OnText",
    "ToolSpec",
    "ToolUse",
    "Usage",
]


class ToolSpec(Value):
    """A tool as a model sees it: name, model card, JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


class Usage(Value):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class ChatRequest(Value):
    """One call of a chat model by one agent."""

    agent: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "required", "none"] = "auto"
    json_schema: dict[str, Any] | None = None
    """Where the answer's text must be JSON of this schema."""


class ChatReply(Value):
    """A chat model's answer: text, tool uses, or both."""

    text: str = ""
    tool_uses: tuple[ToolUse, ...] = ()
    usage: Usage = Usage()
    model: str
    finish: Literal["stop", "tool_calls", "length", "content_filter"] = "stop"


OnText = Callable[[str], None]


class ChatModel(Protocol):
    """Whatever answers chat requests: a vendor's API, the protocol, a script, the tape."""

    @property
    def name(self) -> str:
        """How the model is called in reports and events, such as `openai:gpt-4.1` or `protocol`."""
        ...

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        """Answer one request; `on_text` gets the pieces of the text as they come.

        Raises:
            ModelError: with the code of the fault; never anything else but cancellation.
        """
        ...

    async def aclose(self) -> None: ...

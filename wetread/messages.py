"""The messages of a conversation: what a person, an agent and the tools said, free of any vendor's types."""

from __future__ import annotations

from typing import Literal

from wetread.values import Value


class ToolUse(Value):
    """A model's wish to call a tool. `arguments` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


class ChatMessage(Value):
    """One message. `tool` messages answer the tool use `tool_use_id`."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    tool_uses: tuple[ToolUse, ...] = ()
    tool_use_id: str | None = None
    failed: bool = False
    """For a tool message: the call failed, was refused or was cancelled."""

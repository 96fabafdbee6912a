"""Chat requests in the form of OpenAI's chat completions, and streams of its chunks back; pure.

Written for servers as they are: tool calls whole in one chunk or in pieces, without ids or indices, arguments as an
object, content null, usage or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from wetread.agents.chat import ChatMessage, ChatReply, ChatRequest, ToolUse, Usage

CHARS_PER_TOKEN = 4
"""For servers that do not count tokens."""

Finish = Literal["stop", "tool_calls", "length", "content_filter"]
_FINISH: dict[str, Finish] = {
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}


def wire_request(request: ChatRequest, model: str, *, schema_beside_tools: bool) -> dict[str, Any]:
    """The body of a call.

    Args:
        request: What is asked.
        model: The model's name on the server.
        schema_beside_tools: Whether the server lets a model call tools where an answer's schema is set; the schema is
            left out beside tools where it does not.
    """
    body: dict[str, Any] = {"model": model, "messages": [_message(message) for message in request.messages]}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in request.tools
        ]
        if request.tool_choice != "auto":
            body["tool_choice"] = request.tool_choice
    if request.json_schema is not None and (schema_beside_tools or not request.tools):
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": request.agent,
                "schema": request.json_schema,
                "strict": is_strict(request.json_schema),
            },
        }
    return body


def is_strict(schema: Any) -> bool:
    """Whether a schema is one that strict mode takes: every property of every object required, no others allowed."""
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(schema.get("properties", ())):
            return False
    return all(is_strict(value) for value in schema.values())


def _message(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_use_id or "", "content": message.text}
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_uses:
        wire["tool_calls"] = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": _name(use.name), "arguments": _sendable(use.arguments)},
            }
            for use in message.tool_uses
        ]
    return wire


def _name(name: str) -> str:
    """A tool's name as servers take it; a model may have made it up."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "_"


def _sendable(arguments: str) -> str:
    """Arguments as a server can read them back: some parse the whole history, and fail at a model's bad JSON."""
    try:
        return arguments if isinstance(orjson.loads(arguments), dict) else "{}"
    except orjson.JSONDecodeError:
        return "{}"


@dataclass
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class ReplyBuilder:
    """Puts a reply together from chunks, or from one whole message. Attributes are read as they come: none is sure."""

    text: str = ""
    finish: str | None = None
    usage: Usage | None = None
    chunks: int = 0
    served: str = ""
    """The model that the server says it is."""
    _calls: list[_Call] = field(default_factory=list)
    _by_index: dict[int, _Call] = field(default_factory=dict)

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take one chunk of a stream, or a whole completion; returns the text that it adds."""
        self.chunks += 1
        self._take_usage(chunk.get("usage"))
        if not self.served and isinstance(model := chunk.get("model"), str):
            self.served = model if re.fullmatch(r"[\w.:-]{1,100}", model) else ""
        added = ""
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or choice.get("message") or {}
            piece = delta.get("content") or delta.get("refusal") or ""
            added += _text(piece) if isinstance(piece, str) else _joined(piece)
            for call in delta.get("tool_calls") or ():
                self._take_call(call)
            if choice.get("finish_reason"):
                self.finish = str(choice["finish_reason"])
        self.text += added
        return added

    @property
    def whole(self) -> bool:
        """Whether the reply came to its end, as far as one can tell."""
        if self.finish is not None:
            return True
        return bool(self.text or self._calls) and all(_is_json(call.arguments) for call in self._calls)

    def reply(self, request: ChatRequest, model: str) -> ChatReply:
        uses = tuple(
            ToolUse(id=call.id or f"call_{number}", name=call.name, arguments=call.arguments)
            for number, call in enumerate(self._calls, 1)
        )
        finish = _FINISH.get(self.finish or "", "stop")
        if uses and finish == "stop":
            finish = "tool_calls"
        return ChatReply(
            text=self.text, tool_uses=uses, usage=self.usage or self._estimate(request), model=model, finish=finish
        )

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, Mapping):
            prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
            if isinstance(prompt, int) and isinstance(completion, int) and prompt + completion > 0:
                self.usage = Usage(prompt_tokens=max(prompt, 0), completion_tokens=max(completion, 0))

    def _take_call(self, wire: Mapping[str, Any]) -> None:
        function = wire.get("function") or {}
        id, index = wire.get("id") or "", wire.get("index")
        call = self._by_index.get(index) if isinstance(index, int) else (None if id else self._last())
        if call is not None and id and call.id and id != call.id:
            # some servers give every parallel call the index 0
            call = None
        if call is None and not isinstance(index, int) and id:
            call = next((one for one in self._calls if one.id == id), None)
        if call is None:
            call = _Call()
            self._calls.append(call)
            if isinstance(index, int):
                self._by_index[index] = call
        call.id = call.id or _text(str(id))
        call.name = call.name or _text(str(function.get("name") or ""))
        arguments = function.get("arguments")
        if arguments is not None:
            call.arguments += _text(arguments) if isinstance(arguments, str) else json.dumps(arguments)

    def _last(self) -> _Call | None:
        return self._calls[-1] if self._calls and not _is_json(self._calls[-1].arguments) else None

    def _estimate(self, request: ChatRequest) -> Usage:
        sent = sum(len(m.text) + sum(len(use.arguments) for use in m.tool_uses) for m in request.messages)
        sent += sum(len(tool.description) + len(orjson.dumps(tool.parameters)) for tool in request.tools)
        got = len(self.text) + sum(len(call.arguments) for call in self._calls)
        return Usage(prompt_tokens=sent // CHARS_PER_TOKEN, completion_tokens=got // CHARS_PER_TOKEN)


def _joined(parts: Any) -> str:
    """The text of content that came as a list of parts; anything else has none."""
    if not isinstance(parts, list):
        return ""
    return "".join(_text(str(part.get("text") or "")) for part in parts if isinstance(part, Mapping))


def _text(text: str) -> str:
    """Text as UTF-8 can carry it: JSON may escape halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True

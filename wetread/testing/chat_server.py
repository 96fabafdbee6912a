"""A chat model behind the wire form of OpenAI chat completions: with tools, streamed or whole, usage included.

For developing against: the model is any `ChatModel`, such as the protocol or a script.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from wetread.agents.chat import ChatMessage, ChatModel, ChatReply, ChatRequest, ToolSpec, ToolUse
from wetread.errors import ModelError
from wetread.testing.simulated_request import is_allowed, read_body
from wetread.tools.endpoints.statuses import ORIGIN

MAX_BODY_BYTES = 10_000_000
AGENT_HEADER = "x-wetread-agent"
"""Which agent asks; a client that does not say so is the orchestrator."""


class _Unusable(ValueError):
    """A body that is no chat request; the message says why."""


def chat_routes(model: ChatModel, *, key: str | None = None) -> list[BaseRoute]:
    """Routes `/v1/chat/completions` and `/v1/models`.

    Args:
        model: Who answers. Whatever model name a client asks for, it is this one.
        key: Asked for as `Authorization: Bearer <key>`; None asks for nothing.
    """
    started = int(time.time())

    async def models(request: Request) -> Response:
        if not is_allowed(request, key):
            return _error(401, "The key is missing or wrong.", "invalid_api_key")
        entry = {"id": model.name, "object": "model", "created": started, "owned_by": "wetread"}
        return JSONResponse({"object": "list", "data": [entry]}, headers={ORIGIN: "simulated"})

    async def completions(request: Request) -> Response:
        if not is_allowed(request, key):
            return _error(401, "The key is missing or wrong.", "invalid_api_key")
        body = await read_body(request, MAX_BODY_BYTES)
        if body is None:
            return _error(413, "The request is too large.", "request_too_large")
        try:
            data = orjson.loads(body)
            chat = parse_chat(data, agent=request.headers.get(AGENT_HEADER))
        except (_Unusable, ValueError) as error:
            text = str(error) if isinstance(error, _Unusable) else "The body is no chat request."
            return _error(400, text, "invalid_request_error")
        answer = _Answer(model.name)
        if data.get("stream"):
            options = data.get("stream_options")
            usage = bool(isinstance(options, dict) and options.get("include_usage"))
            return StreamingResponse(
                _stream(model, chat, answer, usage), media_type="text/event-stream", headers={ORIGIN: "simulated"}
            )
        try:
            reply = await model.complete(chat)
        except ModelError as error:
            return _error(500, error.message, error.code)
        return JSONResponse(answer.whole(reply), headers={ORIGIN: "simulated"})

    return [
        Route("/v1/chat/completions", completions, methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
    ]


def parse_chat(data: Any, *, agent: str | None = None) -> ChatRequest:
    """The body of a chat completion as a `ChatRequest`.

    Raises:
        ValueError: for a body that is none.
    """
    if not isinstance(data, dict) or not isinstance(data.get("messages"), list) or not data["messages"]:
        raise _Unusable("messages must be a list with at least one message.")
    try:
        tools = [_tool(item) for item in data.get("tools") or []]
        choice = data.get("tool_choice") or "auto"
        if isinstance(choice, dict):
            named = choice["function"]["name"]
            tools, choice = [tool for tool in tools if tool.name == named], "required"
        return ChatRequest(
            agent=agent or "orchestrator",
            messages=tuple(_message(item) for item in data["messages"]),
            tools=tuple(tools),
            tool_choice=choice,
            json_schema=_schema(data.get("response_format")),
        )
    except (KeyError, TypeError, AttributeError):
        raise _Unusable("A message or a tool has not the fields that it needs.") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise _Unusable(f"The request has something that cannot be at {where}.") from None


def _message(item: dict[str, Any]) -> ChatMessage:
    role = {"developer": "system", "function": "tool"}.get(item["role"], item["role"])
    uses = tuple(
        ToolUse(id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in item.get("tool_calls") or []
    )
    return ChatMessage(role=role, text=_text(item.get("content")), tool_uses=uses, tool_use_id=item.get("tool_call_id"))


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part["text"] for part in content if part["type"] in ("text", "output_text"))


def _tool(item: dict[str, Any]) -> ToolSpec:
    function = item["function"]
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters") or {"type": "object", "properties": {}},
    )


def _schema(form: Any) -> dict[str, Any] | None:
    if not isinstance(form, dict) or form.get("type") in (None, "text"):
        return None
    schema = form["json_schema"].get("schema") if form["type"] == "json_schema" else None
    return schema or {"type": "object"}


class _Answer:
    """The forms of one answer."""

    def __init__(self, model: str) -> None:
        self._id = f"chatcmpl-{time.time_ns():x}"
        self._created = int(time.time())
        self._model = model

    def whole(self, reply: ChatReply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
        if reply.tool_uses:
            message["tool_calls"] = _calls(reply)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
        return self._body("chat.completion", [choice]) | {"usage": _usage(reply)}

    def piece(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(self._body("chat.completion.chunk", [choice]))

    def usage(self, reply: ChatReply) -> bytes:
        return _event(self._body("chat.completion.chunk", []) | {"usage": _usage(reply)})

    def _body(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model, "choices": choices}


async def _stream(model: ChatModel, chat: ChatRequest, answer: _Answer, usage: bool) -> AsyncIterator[bytes]:
    """Server-sent events. The model is cancelled when the client goes away."""
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    task = asyncio.create_task(model.complete(chat, pieces.put_nowait))
    task.add_done_callback(lambda _: pieces.put_nowait(None))
    told = ""
    try:
        yield answer.piece({"role": "assistant", "content": ""})
        while (piece := await pieces.get()) is not None:
            told += piece
            yield answer.piece({"content": piece})
        try:
            reply = await task
        except ModelError as error:
            yield _event({"error": _error_body(error.message, error.code)})
            return
        if reply.text.startswith(told) and len(reply.text) > len(told):
            yield answer.piece({"content": reply.text[len(told) :]})
        for number, call in enumerate(_calls(reply)):
            yield answer.piece({"tool_calls": [{"index": number, **call}]})
        yield answer.piece({}, reply.finish)
        if usage:
            yield answer.usage(reply)
        yield b"data: [DONE]\n\n"
    finally:
        task.cancel()


def _calls(reply: ChatReply) -> list[dict[str, Any]]:
    return [
        {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": use.arguments}}
        for use in reply.tool_uses
    ]


def _usage(reply: ChatReply) -> dict[str, int]:
    prompt, completion = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _error_body(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "type": code, "param": None, "code": code}


def _error(status: int, message: str, code: str) -> Response:
    return JSONResponse({"error": _error_body(message, code)}, status, headers={ORIGIN: "simulated"})

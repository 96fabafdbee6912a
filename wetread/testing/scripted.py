"""A chat model that answers from a script: for tests of agents, tools and sessions without a language model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from wetread.agents.chat import ChatReply, ChatRequest, OnText, ToolUse
from wetread.errors import ModelError
from wetread.vocabulary import Origin

Scripted = ChatReply | str | Exception
"""One answer: a reply, a reply's text alone, or the error to raise."""


def calls(*uses: tuple[str, dict[str, Any]], text: str = "", model: str = "scripted") -> ChatReply:
    """A reply that calls tools: pairs of tool name and arguments. Ids are `call_1`, `call_2`, ..."""
    made = tuple(
        ToolUse(id=f"call_{n}", name=name, arguments=orjson.dumps(arguments).decode())
        for n, (name, arguments) in enumerate(uses, 1)
    )
    return ChatReply(text=text, tool_uses=made, model=model, finish="tool_calls")


class ScriptedModel:
    """Answers each request with the next reply, or with what a callable makes of it.

        ScriptedModel([calls(("report_findings", {})), "That is all."])

    Args:
        replies: Replies in order, or a callable that gets the request and returns one. Asked of an agent by name, where
            it is a mapping from agent to either.
        name: How the model is called in reports and events.

    Attributes:
        requests: Every request, as it came.
    """

    origin = Origin.AUTHORED

    def __init__(
        self,
        replies: Iterable[Scripted]
        | Callable[[ChatRequest], Scripted]
        | dict[str, Iterable[Scripted] | Callable[[ChatRequest], Scripted]],
        *,
        name: str = "scripted",
    ) -> None:
        self._name = name
        self._by_agent: dict[str | None, Iterator[Scripted] | Callable[[ChatRequest], Scripted]] = {}
        scripts = replies if isinstance(replies, dict) else {None: replies}
        for agent, script in scripts.items():
            self._by_agent[agent] = script if callable(script) else iter(script)
        self.requests: list[ChatRequest] = []
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        """The next reply of the script.

        Raises:
            ModelError: `WET-MODEL-SCRIPT`: the script is at its end; or the error that stands in the script.
        """
        self.requests.append(request)
        script = self._by_agent.get(request.agent, self._by_agent.get(None))
        reply = script(request) if callable(script) else next(script, None) if script is not None else None
        if reply is None:
            raise ModelError("WET-MODEL-SCRIPT", f"The script has no answer for {request.agent} any more.")
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, str):
            reply = ChatReply(text=reply, model=self._name)
        if on_text is not None and reply.text:
            on_text(reply.text)
        return reply

    async def aclose(self) -> None:
        self.closed = True

"""What a language model is sent before it knows any finding, and how often it is asked.

Tokens are characters/4 of all that is sent, tool schemas included.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.readings import TimedModel, phantom_study, read
from benchmarks.table import Row
from wetread.agents.chat import ChatRequest
from wetread.session import Session
from wetread.testing.simulated import SimulatedEndpoints
from wetread.tools.base import Tool
from wetread.tools.registry import person_tools


def tokens(request: ChatRequest) -> float:
    """Characters/4 of all that is sent: messages, and tools as an OpenAI-compatible server gets them."""
    messages = sum(
        len(message.text) + sum(len(use.name) + len(use.arguments) for use in message.tool_uses)
        for message in request.messages
    )
    tools = [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in request.tools
    ]
    return (messages + len(json.dumps(tools, separators=(",", ":")))) / 4


async def ask(specialists: tuple[str, ...], tools: tuple[Tool[Any], ...] = ()) -> list[ChatRequest]:
    model = TimedModel()
    with TemporaryDirectory() as folder:
        async with Session(
            phantom_study(Path(folder)),
            endpoints=SimulatedEndpoints(),
            model=model,
            specialists=specialists,
            tools=tools,
        ) as session:
            await read(session)
    return model.requests


def measure() -> list[Row]:
    alone = asyncio.run(ask(()))
    talking = asyncio.run(ask((), person_tools()))
    reviewed = asyncio.run(ask(("reviewer",)))
    base64 = sum(
        bool(re.search(r"[A-Za-z0-9+/]{200}", message.text)) for request in alone for message in request.messages
    )
    return [
        Row("prompt before findings", tokens(alone[0]), "tokens", 1700),
        Row("prompt before findings, in a dialogue", tokens(talking[0]), "tokens", 1700),
        Row("chat calls of a reading", len(alone), "calls", 2),
        Row("chat calls of a reading with the reviewer", len(reviewed), "calls", 3),
        Row("messages that hold an image", base64, "messages", 0),
    ]

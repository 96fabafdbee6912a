"""Which tools an agent may call: what it was not shown it cannot call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import orjson

from wetread.tools.base import ToolAnswer


class ToolCaller(Protocol):
    """What answers tool calls: the toolbox, or a part of it."""

    async def call(self, name: str, arguments_json: str, *, agent: str, call_id: str) -> ToolAnswer: ...


class Restricted:
    """A toolbox of which some tools may be called only; calls of others are refused, and make no evidence."""

    def __init__(self, toolbox: ToolCaller, names: Iterable[str]) -> None:
        self._toolbox = toolbox
        self._names = frozenset(names)

    async def call(self, name: str, arguments_json: str, *, agent: str, call_id: str) -> ToolAnswer:
        if name.strip() not in self._names:
            message = f"You have no such tool. You have: {', '.join(sorted(self._names)) or 'none'}."
            refusal = {"status": "refused", "code": "WET-TOOL-UNKNOWN", "message": message}
            return ToolAnswer(text=orjson.dumps(refusal).decode(), failed=True)
        return await self._toolbox.call(name, arguments_json, agent=agent, call_id=call_id)

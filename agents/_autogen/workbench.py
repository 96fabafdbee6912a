"""A toolbox of ours as the workbench of an AutoGen agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import orjson
from autogen_core import CancellationToken
from autogen_core.tools import TextResultContent, ToolResult, ToolSchema, Workbench

from wetread.agents._autogen.messages import UNKNOWN_TOOL
from wetread.agents.budget import Meter
from wetread.agents.chat import ChatMessage, ToolSpec, ToolUse
from wetread.agents.restricted import ToolCaller
from wetread.agents.transcript import CUT_SHORT
from wetread.errors import BudgetError

log = logging.getLogger(__name__)

DRAIN_S = 2.0
"""How long a cancelled run waits for tools that do not end at once."""


class ToolboxWorkbench(Workbench):
    """Lists fixed tools and hands each call to the toolbox. A call always has a result, whatever happens to it.

    AutoGen waits for ever for a call that raises or is cancelled.
    """

    component_type = "workbench"

    def __init__(
        self,
        toolbox: ToolCaller,
        specs: tuple[ToolSpec, ...],
        *,
        agent: str,
        meter: Meter,
        record: list[ChatMessage],
        uses: Mapping[str, ToolUse],
    ) -> None:
        self._toolbox = toolbox
        self._agent = agent
        self._meter = meter
        self._record = record
        self._uses = uses
        self._running: set[asyncio.Task[Any]] = set()
        # the client sends our own specs; AutoGen needs the names only, at each model call and at each tool call
        self._schemas = [ToolSchema(name=name) for name in (*(spec.name for spec in specs), UNKNOWN_TOOL)]

    async def list_tools(self) -> list[ToolSchema]:
        return self._schemas

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        id = call_id or ""
        use = self._uses.get(id)
        if use is None:
            use = ToolUse(id=id, name=name, arguments=orjson.dumps(arguments).decode())
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
            if cancellation_token is not None:
                cancellation_token.link_future(task)
        try:
            text, failed = await self._call(use)
        finally:
            if task is not None:
                self._running.discard(task)
        self._record.append(ChatMessage(role="tool", text=text, tool_use_id=id, failed=failed))
        return ToolResult(name=name, result=[TextResultContent(content=text)], is_error=failed)

    async def _call(self, use: ToolUse) -> tuple[str, bool]:
        try:
            self._meter.tool_call()
            answer = await self._toolbox.call(use.name, use.arguments, agent=self._agent, call_id=use.id)
        except BudgetError as error:
            return _refusal(error.code, error.message), True
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError:
            return CUT_SHORT, True
        except BaseException as error:
            # the type alone: messages of exceptions hold paths and values of headers
            log.error("the toolbox failed: %s", type(error).__name__)
            return _refusal("WET-TOOL-FAULT", "The tool failed unexpectedly; it has no result."), True
        return answer.text, answer.failed

    async def drain(self) -> None:
        """Wait until the cancelled calls have ended, so that none outlives its run."""
        if self._running:
            await asyncio.wait(self._running, timeout=DRAIN_S)
            # AutoGen's own task behind them ends two steps later
            for _ in range(4):
                await asyncio.sleep(0)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def reset(self) -> None: ...

    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None: ...


def _refusal(code: str, message: str) -> str:
    return orjson.dumps({"status": "refused", "code": code, "message": message}).decode()

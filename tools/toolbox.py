"""The toolbox: the tools one agent may call, and what happens around each call.

A call always gets an answer. What a model wrote wrongly is refused in one sentence that says what would be right; what
fails becomes failed evidence with a stable code; what is a fault of ours goes to the log, and the model learns the code
alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import orjson
from pydantic import JsonValue

from wetread.errors import EndpointError, ToolError, WetreadError
from wetread.events import ToolFinished, ToolStarted
from wetread.evidence import Evidence, ModelVersion, PendingEvidence, Reason
from wetread.tools.arguments import lean_schema, nearest, parse_arguments, shown, validate_arguments
from wetread.tools.base import _CALL, Arguments, Call, Outcome, Reading, Tool, ToolAnswer
from wetread.tools.endpoints.envelope import MODEL_NAMES
from wetread.tools.endpoints.port import EndpointName
from wetread.tools.shared import Shared
from wetread.values import canonical_json
from wetread.vocabulary import Origin

_LOG = logging.getLogger("wetread.tools")

FinishedStatus = Literal["ok", "failed", "abstained", "refused", "cancelled"]


class Toolbox:
    """The tools that one agent may call on one reading.

    Args:
        tools: Tools with distinct names. They keep no state, so that one tool may be in many toolboxes.
        reading: What is read, shared by all toolboxes of a session.
    """

    def __init__(self, tools: Sequence[Tool[Any]], reading: Reading) -> None:
        self._tools = {tool.name: tool for tool in tools}
        if len(self._tools) != len(tools):
            raise ValueError("two tools share a name")
        self.reading = reading
        self._specs: list[dict[str, Any]] | None = None

    @property
    def tools(self) -> Mapping[str, Tool[Any]]:
        """The tools by name."""
        return self._tools

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tools)

    def specs(self) -> list[dict[str, Any]]:
        """The tools as a model sees them: `name`, `description`, `parameters` (JSON Schema). Made once."""
        if self._specs is None:
            self._specs = [tool_spec(tool) for tool in self._tools.values()]
        return self._specs

    async def call(self, name: str, arguments_json: str, *, agent: str, call_id: str) -> ToolAnswer:
        """Answer one call of an agent. Raises nothing but cancellation.

        Args:
            name: The tool's name as the model wrote it.
            arguments_json: The arguments as the model wrote them.
            agent: Who calls, for the events.
            call_id: The model's id of the call, for the events.
        """
        tool = self._tools.get(name.strip())
        if tool is None:
            hint = nearest(name, list(self._tools)) or f"There are: {', '.join(self._tools)}."
            error = ToolError("WET-TOOL-UNKNOWN", f"There is no tool {shown(name)}.", hint)
            return _refuse(self.reading, name, {}, error, agent=agent, call_id=call_id)
        try:
            arguments = validate_arguments(tool.arguments, parse_arguments(arguments_json))
        except ToolError as error:
            return _refuse(self.reading, tool.name, {}, error, agent=agent, call_id=call_id)
        return await perform(tool, arguments, self.reading, agent=agent, call_id=call_id)


def tool_spec(tool: Tool[Any]) -> dict[str, Any]:
    """A tool as a model sees it. Made once a process: JSON Schemas cost more than all else in a turn."""
    model: type[Arguments] = tool.arguments
    return {"name": tool.name, "description": tool.card, "parameters": _schema(model)}


@lru_cache(maxsize=256)
def _schema(model: type[Arguments]) -> dict[str, Any]:
    return lean_schema(model)


async def perform(tool: Tool[Any], arguments: Arguments, reading: Reading, *, agent: str, call_id: str) -> ToolAnswer:
    """Carry out one call with its evidence and its events. Raises nothing but cancellation.

    The evidence's id is issued before anything is awaited: calls that begin in order have ids in order. A call that was
    already answered `ok`, or is being answered, is not made again: its evidence is the answer.
    """
    try:
        arguments = tool.resolve(arguments, reading)
    except ToolError as error:
        return _refuse(reading, tool.name, _plain(arguments), error, agent=agent, call_id=call_id)
    except Exception as error:
        return _refuse(reading, tool.name, {}, _fault(tool.name, error), agent=agent, call_id=call_id)
    plain = _plain(arguments)
    if not tool.makes_evidence:
        return await _begin(tool, arguments, plain, reading, agent, call_id)
    key = _key(tool, plain)
    earlier: Shared[ToolAnswer] | None = reading.shared.get(key)
    if earlier is not None and not earlier.spoiled:
        answer = await _repeat(earlier, tool, plain, reading, agent, call_id)
        if answer is not None:
            return answer
    call = Shared(_begin(tool, arguments, plain, reading, agent, call_id))
    reading.shared[key] = call
    return await call.result()


async def answered(reading: Reading, tool: Tool[Any], arguments: Arguments) -> ToolAnswer | None:
    """The answer of the last call with at least these arguments that was made before or is being made, None where
    there is none; makes no call itself.

    Args:
        arguments: As `Tool.resolve` gives them.
    """
    wanted = _plain(arguments).items()
    found: Shared[ToolAnswer] | None = None
    for key, call in reading.shared.items():
        if key[:2] == ("call", tool.name) and not call.spoiled and wanted <= orjson.loads(key[2]).items():
            found = call
    return None if found is None else await found.result()


def recall(reading: Reading, tools: Mapping[str, Tool[Any]], answer: ToolAnswer) -> None:
    """Put an answer that an earlier process got back to where calls look for it, so that it is not asked for again.

    What a tool of that name cannot read any more is left out: it will be asked again.
    """
    evidence = answer.evidence
    tool = tools.get(evidence.tool) if evidence is not None else None
    if evidence is None or tool is None or evidence.status != "ok":
        return
    try:
        arguments = validate_arguments(tool.arguments, dict(evidence.arguments))
    except ToolError:
        return
    if tool.recall(evidence, reading):
        reading.shared[_key(tool, _plain(arguments))] = Shared.of(answer)


def _key(tool: Tool[Any], plain: dict[str, Any]) -> tuple[str, str, str]:
    # Decoded, since the encoder's bytes hold on to 4 KiB each.
    return ("call", tool.name, canonical_json(plain).decode())


def _begin(
    tool: Tool[Any], arguments: Arguments, plain: dict[str, Any], reading: Reading, agent: str, call_id: str
) -> Coroutine[Any, Any, ToolAnswer]:
    """Precheck, issue the id and announce the call, at once; the coroutine that is returned does the rest."""
    problem: ToolError | None = None
    try:
        tool.precheck(arguments, reading)
        if tool.endpoint is not None and not reading.endpoints.configured(tool.endpoint):
            raise ToolError("WET-TOOL-ENDPOINT", f"The endpoint {tool.endpoint} is not configured.", abstained=True)
    except ToolError as error:
        problem = error
    except Exception as error:
        problem = _fault(tool.name, error)
    if problem is not None and not (problem.abstained and tool.makes_evidence):
        return _answered(_refuse(reading, tool.name, plain, problem, agent=agent, call_id=call_id))
    pending = reading.ledger.open(tool.name, plain) if tool.makes_evidence else None
    call = Call(tool=tool.name, agent=agent, id=call_id, evidence=pending.id if pending else None)
    reading.emit(ToolStarted(agent=agent, call=call_id, tool=tool.name, arguments=plain, evidence=call.evidence))
    return _run(tool, arguments, reading, call, pending, problem)


async def _answered(answer: ToolAnswer) -> ToolAnswer:
    return answer


async def _run(
    tool: Tool[Any],
    arguments: Arguments,
    reading: Reading,
    call: Call,
    pending: PendingEvidence | None,
    problem: ToolError | None,
) -> ToolAnswer:
    began, now = time.perf_counter(), reading.now()
    outcome: Outcome | None = None
    reason: Reason | None = None
    failed: Literal["failed", "abstained"] = "failed"
    deadline = asyncio.timeout(tool.deadline_s)
    token = _CALL.set(call)
    try:
        if problem is not None:
            raise problem
        async with deadline:
            outcome = await tool.run(arguments, reading)
    except ToolError as error:
        reason, failed = Reason(code=error.code, message=str(error)), "abstained" if error.abstained else "failed"
    except EndpointError as error:
        reason = Reason(code=error.code, message=error.message)
    except asyncio.CancelledError:
        reading.emit(_finished(call, "cancelled", "cancelled", began))
        raise
    except WetreadError as error:
        _log_fault(tool.name, error)
        reason = Reason(code=error.code, message="The tool cannot answer this here.")
    except Exception as error:
        if isinstance(error, TimeoutError) and deadline.expired():
            reason = Reason(code="WET-TOOL-DEADLINE", message=f"No answer within {tool.deadline_s} s.")
        else:
            fault = _fault(tool.name, error)
            reason = Reason(code=fault.code, message=fault.message)
    finally:
        _CALL.reset(token)
    if outcome is None:
        assert reason is not None
        return _close_failed(call, reading, pending, failed, reason, began, now, tool.endpoint)
    return _close(call, reading, pending, outcome, began, now)


def _close(
    call: Call, reading: Reading, pending: PendingEvidence | None, outcome: Outcome, began: float, now: datetime
) -> ToolAnswer:
    evidence = None
    if pending is not None:
        latency = _elapsed_ms(reading, now) if outcome.latency_ms is None else outcome.latency_ms
        evidence = pending.close(
            model=outcome.model,
            origin=outcome.origin,
            status=outcome.status,
            reason=outcome.reason,
            inputs=outcome.inputs,
            uses=outcome.uses,
            latency_ms=latency,
            warnings=outcome.warnings,
            summary=outcome.summary,
            observations=outcome.observations,
            measurements=outcome.measurements,
            regions=outcome.regions,
            value=outcome.value,
            artifacts=outcome.artifacts,
        )
    answer = _answer(outcome, evidence)
    reading.emit(_finished(call, outcome.status, outcome.summary, began, evidence, answer.text))
    return answer


def _close_failed(
    call: Call,
    reading: Reading,
    pending: PendingEvidence | None,
    status: Literal["failed", "abstained"],
    reason: Reason,
    began: float,
    now: datetime,
    endpoint: EndpointName | None,
) -> ToolAnswer:
    evidence = None
    if pending is not None:
        evidence = pending.close(
            model=ModelVersion(name=MODEL_NAMES[endpoint] if endpoint else call.tool),
            origin=Origin.CODE,
            status=status,
            reason=reason,
            latency_ms=_elapsed_ms(reading, now),
            summary=reason.message,
        )
    head: dict[str, JsonValue] = {"evidence": evidence.id} if evidence else {}
    text = _json({**head, "status": status, "code": reason.code, "message": reason.message})
    reading.emit(_finished(call, status, reason.message, began, evidence, text))
    return ToolAnswer(text=text, failed=status == "failed", evidence=evidence)


async def _repeat(
    earlier: Shared[ToolAnswer], tool: Tool[Any], plain: dict[str, Any], reading: Reading, agent: str, call_id: str
) -> ToolAnswer | None:
    """The answer of an earlier call with the same arguments; None where that one did not succeed."""
    began = time.perf_counter()
    try:
        answer = await earlier.result()
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return None
    evidence = answer.evidence
    if answer.failed or evidence is None or evidence.status != "ok":
        return None
    reading.emit(ToolStarted(agent=agent, call=call_id, tool=tool.name, arguments=plain, evidence=evidence.id))
    call = Call(tool=tool.name, agent=agent, id=call_id, evidence=evidence.id)
    said = orjson.loads(answer.text)
    said["note"] = f"You asked this before: {evidence.id} stands, nothing was called again."
    text = _json(said)
    reading.emit(_finished(call, "ok", f"answered before as {evidence.id}", began, evidence, text))
    return ToolAnswer(text=text, failed=False, evidence=evidence)


def _refuse(
    reading: Reading, name: str, arguments: dict[str, Any], error: ToolError, *, agent: str, call_id: str
) -> ToolAnswer:
    # The name is the model's own text when there is no such tool: cut it before it goes into events.
    tool = shown(name) if error.code == "WET-TOOL-UNKNOWN" else name
    reading.emit(ToolStarted(agent=agent, call=call_id, tool=tool, arguments=arguments))
    call = Call(tool=tool, agent=agent, id=call_id, evidence=None)
    text = _json({"status": "refused", "code": error.code, "message": str(error)})
    reading.emit(_finished(call, "refused", str(error), time.perf_counter(), answer=text))
    return ToolAnswer(text=text, failed=True, evidence=None)


def _answer(outcome: Outcome, evidence: Evidence | None) -> ToolAnswer:
    said: dict[str, JsonValue] = {}
    if evidence is not None:
        said = {"evidence": evidence.id, "status": outcome.status}
    if outcome.reason is not None:
        said |= {"code": outcome.reason.code, "message": outcome.reason.message}
    said |= outcome.for_model
    if outcome.warnings and evidence is not None:
        said["warnings"] = list(outcome.warnings)
    return ToolAnswer(text=_json(said), failed=outcome.status == "failed", evidence=evidence)


def _finished(
    call: Call,
    status: FinishedStatus,
    summary: str,
    began: float,
    evidence: Evidence | None = None,
    answer: str = "",
) -> ToolFinished:
    return ToolFinished(
        agent=call.agent,
        call=call.id,
        tool=call.tool,
        status=status,
        summary=summary,
        latency_ms=round((time.perf_counter() - began) * 1000, 1),
        evidence=evidence,
        answer=answer,
    )


def _elapsed_ms(reading: Reading, began: datetime) -> float:
    # By the reading's own clock, which a replay holds still: a replayed report is the same byte for byte.
    return max(0.0, round((reading.now() - began).total_seconds() * 1000, 1))


def _plain(arguments: Arguments) -> dict[str, Any]:
    return arguments.model_dump(mode="json", exclude_none=True)


def _fault(tool: str, error: Exception) -> ToolError:
    """What a model may know of a fault of ours; the log gets where it happened, without the exception's own text."""
    _log_fault(tool, error)
    return ToolError("WET-TOOL-FAULT", "The tool failed for a reason of its own.")


def _log_fault(tool: str, error: BaseException) -> None:
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}.{code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    # Messages of exceptions hold paths and values from headers; the type and the place tell enough.
    _LOG.error("tool %s failed: %s at %s", tool, type(error).__name__, place or "an unknown place")


def _json(data: dict[str, Any]) -> str:
    return orjson.dumps(data).decode()

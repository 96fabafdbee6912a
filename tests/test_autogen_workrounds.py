"""Each fault of AutoGen that touches us, kept out by a work-round without which its test fails."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from wetread.agents._autogen import AgentRun, run_agent
from wetread.agents.budget import Budget, Meter
from wetread.agents.chat import ChatMessage, ChatReply, ChatRequest, ToolSpec, ToolUse, Usage
from wetread.agents.transcript import CUT_SHORT, repaired
from wetread.errors import BudgetError, ModelError
from wetread.events import Event, ModelAnswered, ModelCalled, TextDelta
from wetread.testing.scripted import ScriptedModel, calls
from wetread.tools.base import ToolAnswer

WAIT = 5.0
"""Guards a test against the deadlocks that it is about."""

Handler = Callable[[str, str], Awaitable[str]]


class Box:
    """A toolbox of which one function answers every call."""

    def __init__(self, answer: Handler) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str]] = []

    async def call(self, name: str, arguments_json: str, *, agent: str, call_id: str) -> ToolAnswer:
        self.asked.append((name, arguments_json, call_id))
        return ToolAnswer(text=await self.answer(name, arguments_json), failed=False)


async def plain(name: str, arguments: str) -> str:
    return f"{name} answered"


def specs(*names: str) -> tuple[ToolSpec, ...]:
    return tuple(ToolSpec(name=n, description=n, parameters={"type": "object", "properties": {}}) for n in names)


async def run(model: ScriptedModel, box: Box, **options: Any) -> AgentRun:
    options.setdefault("specs", specs("look", "measure"))
    options.setdefault("meter", Meter(Budget()))
    return await asyncio.wait_for(
        run_agent("Read.", agent="reader", model=model, system="You read.", toolbox=box, **options), WAIT
    )


def others() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


def tool_texts(request: ChatRequest) -> list[str]:
    return [message.text for message in request.messages if message.role == "tool"]


async def test_calls_of_one_answer_run_at_once_and_keep_their_order() -> None:
    together = asyncio.Barrier(2)

    async def both(name: str, arguments: str) -> str:
        await together.wait()
        return name

    model = ScriptedModel([calls(("look", {}), ("measure", {"of": "heart"})), "Done."])
    box = Box(both)
    done = await run(model, box)
    assert (done.ended, done.text) == ("text", "Done.")
    assert [name for name, _, _ in box.asked] == ["look", "measure"]
    assert tool_texts(model.requests[1]) == ["look", "measure"]


@pytest.mark.parametrize(
    "error",
    [RuntimeError("secret path"), asyncio.CancelledError(), SystemExit(1), BaseExceptionGroup("g", [SystemExit(1)])],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_leaves_a_tool_the_run_goes_on(error: BaseException) -> None:
    async def fail(name: str, arguments: str) -> str:
        raise error

    model = ScriptedModel([calls(("look", {})), "Done."])
    done = await run(model, Box(fail))
    assert done.text == "Done."
    (answer,) = tool_texts(model.requests[1])
    assert orjson.loads(answer)["code"].startswith("WET-TOOL-")
    assert "secret" not in answer


async def test_cancelling_ends_at_once_and_leaves_nothing_running() -> None:
    begun, ended = asyncio.Event(), []

    async def slow(name: str, arguments: str) -> str:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)
        return ""

    record: list[ChatMessage] = []
    model = ScriptedModel([calls(("look", {}), ("measure", {}))])
    turn = asyncio.create_task(run(model, Box(slow), record=record))
    await begun.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert sorted(ended) == ["look", "measure"]
    assert not others()
    tools = [message for message in repaired(record) if message.role == "tool"]
    assert [message.text for message in tools] == [CUT_SHORT, CUT_SHORT]


async def test_cancelling_reaches_an_agent_inside_a_tool() -> None:
    begun, ended = asyncio.Event(), []

    async def slow(name: str, arguments: str) -> str:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)
        return ""

    async def nested(name: str, arguments: str) -> str:
        inner = ScriptedModel([calls(("measure", {}))])
        return (await run(inner, Box(slow))).text

    turn = asyncio.create_task(run(ScriptedModel([calls(("look", {}))]), Box(nested)))
    await begun.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert ended == ["measure"]
    assert not others()


async def test_cancelling_reaches_a_model_that_is_thinking() -> None:
    thinking = asyncio.Event()

    class Slow(ScriptedModel):
        async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
            thinking.set()
            await asyncio.sleep(60)
            raise AssertionError

    turn = asyncio.create_task(run(Slow([]), Box(plain)))
    await thinking.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert not others()


async def test_a_failing_model_beside_no_tools_is_its_own_error() -> None:
    with pytest.raises(ModelError) as caught:
        await run(ScriptedModel([ModelError("WET-MODEL-BUSY", "Full.")]), Box(plain))
    assert caught.value.code == "WET-MODEL-BUSY"
    assert not others()


async def test_running_out_of_rounds_is_told_apart_from_an_answer() -> None:
    done = await run(ScriptedModel(lambda request: calls(("look", {}))), Box(plain), max_iterations=3)
    assert (done.ended, done.text) == ("iterations", "")
    assert sum(message.role == "tool" for message in done.messages) == 3


async def test_a_finished_run_makes_no_further_model_call() -> None:
    finished: list[str] = []

    async def finish(name: str, arguments: str) -> str:
        finished.append(name)
        return "accepted"

    model = ScriptedModel([calls(("look", {}))])
    meter = Meter(Budget())
    done = await run(model, Box(finish), finished=lambda: bool(finished), meter=meter)
    assert done.ended == "finished"
    assert (len(model.requests), meter.model_calls) == (1, 1)
    assert [message.role for message in done.messages] == ["user", "assistant", "tool"]


@pytest.mark.parametrize(
    "arguments",
    ["", "{", "null", "[1, 2]", '"{\\"a\\": 1}"', "{'a': 1}", '{"a": NaN}', "[" * 5000, '{"b": "\\u00e4"}', '{"a": 1}'],
)
async def test_arguments_reach_the_toolbox_as_the_model_wrote_them(arguments: str) -> None:
    use = ToolUse(id="a", name="look", arguments=arguments)
    model = ScriptedModel([ChatReply(tool_uses=(use,), model="m"), "Done."])
    box = Box(plain)
    done = await run(model, box)
    assert box.asked == [("look", arguments, "a")]
    assert model.requests[1].messages[-2].tool_uses == (use,)
    assert done.text == "Done."


async def test_an_unknown_tool_is_the_toolbox_s_to_answer() -> None:
    model = ScriptedModel([calls(("lok", {"x": 1})), "Done."])
    box = Box(plain)
    await run(model, box)
    assert [name for name, _, _ in box.asked] == ["lok"]
    assert model.requests[1].messages[-2].tool_uses[0].name == "lok"
    assert tool_texts(model.requests[1]) == ["lok answered"]


async def test_repeated_call_ids_do_not_mix_up_results() -> None:
    twice = ChatReply(
        tool_uses=(ToolUse(id="x", name="look", arguments="{}"), ToolUse(id="x", name="measure", arguments="{}")),
        model="m",
    )
    nameless = ChatReply(tool_uses=(ToolUse(id="", name="look", arguments="{}"),), model="m")
    model = ScriptedModel([twice, twice, nameless, "Done."])
    done = await run(model, Box(plain))
    ids = [use.id for message in done.messages for use in message.tool_uses]
    assert len(set(ids)) == 5
    assert "" not in ids
    assert tool_texts(model.requests[3]) == ["look answered", "measure answered"] * 2 + ["look answered"]


async def test_ids_stay_unique_over_the_turns_of_a_conversation() -> None:
    first = await run(ScriptedModel([calls(("look", {})), "One."]), Box(plain))
    second = await run(ScriptedModel([calls(("look", {})), "Two."]), Box(plain), history=first.messages)
    ids = [use.id for message in (*first.messages, *second.messages) for use in message.tool_uses]
    assert len(set(ids)) == len(ids) == 2


async def test_a_conversation_survives_the_way_through_autogen_unchanged() -> None:
    history = (
        ChatMessage(role="user", text="First."),
        ChatMessage(
            role="assistant",
            text="Let me see.",
            tool_uses=(
                ToolUse(id="1", name="gone", arguments="{oops"),
                ToolUse(id="2", name="look", arguments='{"a":1}'),
            ),
        ),
        ChatMessage(role="tool", text="refused", tool_use_id="1", failed=True),
        ChatMessage(role="tool", text="Grüße", tool_use_id="2"),
        ChatMessage(role="assistant", text="Seen."),
    )
    model = ScriptedModel(["Done."])
    await run(model, Box(plain), history=history)
    assert model.requests[0].messages == (
        ChatMessage(role="system", text="You read."),
        *history,
        ChatMessage(role="user", text="Read."),
    )


async def test_tool_schemas_are_sent_as_given_and_not_rebuilt() -> None:
    model = ScriptedModel([calls(("look", {})), "Done."])
    shown = specs("look", "measure")
    await run(model, Box(plain), specs=shown)
    assert all(request.tools == shown for request in model.requests)
    # the very same objects: nobody copied or rebuilt a schema on the way
    assert all(a is b for request in model.requests for a, b in zip(request.tools, shown, strict=True))


async def test_text_comes_while_the_model_speaks_and_usage_is_counted() -> None:
    class Speaking(ScriptedModel):
        async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
            on_text("No ")
            on_text("")
            on_text("effusion.")
            return ChatReply(text="No effusion.", usage={"prompt_tokens": 7, "completion_tokens": 2}, model="m")

    events: list[Event] = []
    meter = Meter(Budget())
    done = await run(Speaking([]), Box(plain), emit=events.append, meter=meter)
    assert [type(event) for event in events] == [ModelCalled, TextDelta, TextDelta, ModelAnswered]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["No ", "effusion."]
    assert (meter.prompt_tokens, meter.completion_tokens, done.text) == (7, 2, "No effusion.")


async def test_budgets_stop_calls_before_they_are_made() -> None:
    model = ScriptedModel(lambda request: calls(("look", {})))
    meter = Meter(Budget(model_calls=2))
    record: list[ChatMessage] = []
    with pytest.raises(BudgetError) as caught:
        await run(model, Box(plain), meter=meter, record=record)
    assert (caught.value.code, len(model.requests), meter.reached) == ("WET-BUDGET-MODEL-CALLS", 2, "model_calls")
    assert repaired(record) == tuple(record)

    box = Box(plain)
    meter = Meter(Budget(tool_calls=2))
    with pytest.raises(BudgetError) as caught:
        await run(ScriptedModel(lambda r: calls(("look", {}), ("look", {}), ("look", {}))), box, meter=meter)
    assert (caught.value.code, len(box.asked)) == ("WET-BUDGET-TOOL-CALLS", 2)

    meter = Meter(Budget(tokens=10))
    used = Usage(prompt_tokens=9, completion_tokens=1)
    greedy = ScriptedModel(lambda request: calls(("look", {})).model_copy(update={"usage": used}))
    with pytest.raises(BudgetError) as caught:
        await run(greedy, Box(plain), meter=meter)
    assert (caught.value.code, len(greedy.requests)) == ("WET-BUDGET-TOKENS", 1)


async def test_nothing_of_a_run_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def telling(name: str, arguments: str) -> str:
        return "PATIENT-SAID"

    with caplog.at_level(logging.DEBUG):
        for name in ("autogen_agentchat", "autogen_agentchat.events", "autogen_core", "autogen_core.events"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        await run(ScriptedModel([calls(("look", {"of": "PATIENT-ASKED"})), "PATIENT-TOLD"]), Box(telling))
    assert "PATIENT" not in caplog.text


async def test_runs_that_never_wait_leave_nothing_behind() -> None:
    async def once() -> None:
        await run(ScriptedModel([calls(("look", {})), "Done."]), Box(plain))

    for _ in range(3):
        await once()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        await once()
    gc.collect()
    assert len(gc.get_objects()) - before < 400
    assert not others()


async def test_a_model_that_never_waits_lets_others_run() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    for _ in range(5):
        await run_agent("Say.", agent="reader", model=ScriptedModel(["Done."]), system="", meter=Meter(Budget()))
    ticking.cancel()
    assert ticks >= 5

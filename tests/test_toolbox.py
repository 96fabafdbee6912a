"""The toolbox: every call gets an answer, its evidence and its events, whatever the model wrote and the tool did."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from wetread.errors import EndpointError, InputError, TapeError, ToolError
from wetread.events import Event, ToolFinished, ToolStarted
from wetread.evidence import ModelVersion
from wetread.study import ImageSource, Study, StudyImage
from wetread.tools.arguments import Words, lean_schema, parse_arguments
from wetread.tools.base import Arguments, Outcome, Reading, Tool, ToolAnswer, current_call
from wetread.tools.endpoints.port import EndpointName, EndpointReply, EndpointRequest
from wetread.tools.shared import Shared, both, once
from wetread.tools.toolbox import Toolbox, perform
from wetread.vocabulary import Origin


class NoEndpoints:
    """Answers nothing; says that `names` are configured."""

    def __init__(self, names: tuple[EndpointName, ...] = ()) -> None:
        self.names = names

    async def score(self, request: EndpointRequest) -> EndpointReply:
        raise AssertionError("no endpoint was to be called")

    def configured(self, endpoint: EndpointName) -> bool:
        return endpoint in self.names

    async def aclose(self) -> None:
        return None


class EchoArguments(Arguments):
    """What the echo echoes."""

    word: str = "hello"
    mode: Literal["loud", "soft"] | None = None
    words: Words = ()
    count: int = Field(default=1, ge=1, le=3)


Behaviour = Callable[[EchoArguments], Awaitable[None]]


class Echo(Tool[EchoArguments]):
    """Says what it was told, after doing whatever a test wants."""

    name = "echo"
    card = "Echo."
    arguments = EchoArguments

    def __init__(self, behaviour: Behaviour | None = None, precheck: ToolError | Exception | None = None) -> None:
        self.behaviour = behaviour
        self.problem = precheck
        self.runs = 0

    def precheck(self, arguments: EchoArguments, reading: Reading) -> None:
        if self.problem is not None:
            raise self.problem

    async def run(self, arguments: EchoArguments, reading: Reading) -> Outcome:
        self.runs += 1
        if self.behaviour is not None:
            await self.behaviour(arguments)
        return Outcome(
            for_model={"said": arguments.word, "own": current_call().evidence},
            summary=f"said {arguments.word}",
            model=ModelVersion(name="echo", version="1"),
            origin=Origin.CODE,
            warnings=("a warning",) if arguments.word == "warn" else (),
        )


def make_study() -> Study:
    source = ImageSource(path=Path("nowhere.png"), kind="picture")
    return Study(images=(StudyImage(handle="image_1", rows=10, columns=10, source=source),))


def make_reading(events: list[Event] | None = None, **fields: Any) -> Reading:
    return Reading(
        study=make_study(),
        images=cast(Any, None),
        template=cast(Any, None),
        endpoints=fields.pop("endpoints", NoEndpoints()),
        now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        emit=events.append if events is not None else lambda event: None,
        **fields,
    )


async def settled() -> None:
    """Let all go on that can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def ask(
    box: Toolbox, arguments: str = "", name: str = "echo", id: str = "c1"
) -> tuple[ToolAnswer, dict[str, Any]]:
    answer = await box.call(name, arguments, agent="orchestrator", call_id=id)
    return answer, json.loads(answer.text)


async def test_answer_begins_with_the_evidence_and_is_in_the_ledger() -> None:
    events: list[Event] = []
    reading = make_reading(events)
    answer, said = await ask(Toolbox([Echo()], reading), '{"word": "Grüezi"}')
    assert answer.text.startswith('{"evidence":"E1","status":"ok",')
    assert said["said"] == "Grüezi" and "Grüezi" in answer.text and said["own"] == "E1"
    assert not answer.failed
    assert reading.ledger.get("E1") == answer.evidence
    assert answer.evidence is not None and answer.evidence.arguments == {"word": "Grüezi", "words": [], "count": 1}
    started, finished = events
    assert isinstance(started, ToolStarted) and started.evidence == "E1" and started.agent == "orchestrator"
    assert isinstance(finished, ToolFinished) and finished.status == "ok" and finished.evidence == answer.evidence


async def test_warnings_reach_the_model() -> None:
    _, said = await ask(Toolbox([Echo()], make_reading()), '{"word": "warn"}')
    assert said["warnings"] == ["a warning"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("  \n", id="blank"),
        pytest.param("{}", id="object"),
        pytest.param("null", id="null"),
        pytest.param('"{}"', id="encoded twice"),
        pytest.param('"\\"{}\\""', id="encoded three times"),
        pytest.param("```json\n{}\n```", id="fenced"),
        pytest.param('{"word": null, "mode": null}', id="optional as null"),
    ],
)
async def test_arguments_are_read_leniently(text: str) -> None:
    _, said = await ask(Toolbox([Echo()], make_reading()), text)
    assert said["status"] == "ok" and said["said"] == "hello"


@pytest.mark.parametrize("text", ['{"words": "a, b"}', '{"words": ["a", "b"]}', '{"words": "[\\"a\\", \\"b\\"]"}'])
async def test_lists_are_read_leniently(text: str) -> None:
    answer, _ = await ask(Toolbox([Echo()], make_reading()), text)
    assert answer.evidence is not None and answer.evidence.arguments["words"] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{", "not valid JSON", id="broken"),
        pytest.param("[1]", "not a JSON object", id="list"),
        pytest.param("3", "not a JSON object", id="number"),
        pytest.param('{"wrd": "x"}', "it takes word, mode, words, count", id="unknown field"),
        pytest.param('{"mode": "shout"}', "'loud' or 'soft'", id="not allowed"),
        pytest.param('{"count": 7}', "'count'", id="out of range"),
        pytest.param('{"word": "' + "x" * 200_001 + '"}', "longer than", id="too long"),
    ],
)
async def test_bad_arguments_are_refused_with_help(text: str, expected: str) -> None:
    events: list[Event] = []
    reading = make_reading(events)
    answer, said = await ask(Toolbox([Echo()], reading), text)
    assert answer.failed and answer.evidence is None and len(reading.ledger) == 0
    assert said["status"] == "refused" and said["code"] == "WET-TOOL-ARGUMENTS" and expected in said["message"]
    assert [getattr(event, "status", None) for event in events] == [None, "refused"]


async def test_what_the_model_wrote_is_not_repeated_to_it() -> None:
    _, said = await ask(Toolbox([Echo()], make_reading()), '{"mode": "Jane Roe 1931"}')
    assert "Roe" not in json.dumps(said)


async def test_unknown_tool_names_the_nearest() -> None:
    events: list[Event] = []
    _, said = await ask(Toolbox([Echo()], make_reading(events)), name="ecko")
    assert said["code"] == "WET-TOOL-UNKNOWN" and "'echo'" in said["message"]
    _, said = await ask(Toolbox([Echo()], make_reading(events)), name="x" * 5000)
    assert len(json.dumps(said)) < 400 and "There are: echo." in said["message"]
    assert all(len(event.tool) < 100 for event in events if isinstance(event, ToolStarted | ToolFinished))


@given(st.text(max_size=200))
def test_any_argument_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse_arguments(text)
    except ToolError as error:
        assert error.code == "WET-TOOL-ARGUMENTS"
    else:
        assert isinstance(value, dict) and None not in value.values()


@given(st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=5)), max_size=4))
def test_objects_survive_double_encoding(value: dict[str, Any]) -> None:
    expected = {key: item for key, item in value.items() if item is not None}
    assert parse_arguments(json.dumps(value)) == expected
    assert parse_arguments(json.dumps(json.dumps(value))) == expected


@pytest.mark.parametrize(
    ("error", "status", "code", "says"),
    [
        (ToolError("WET-TOOL-X", "No mask.", "Try so.", abstained=True), "abstained", "WET-TOOL-X", "No mask. Try so."),
        (ToolError("WET-TOOL-Y", "It broke."), "failed", "WET-TOOL-Y", "It broke."),
        (
            EndpointError("WET-ENDPOINT-DOWN", "It is down.", "Hint for people."),
            "failed",
            "WET-ENDPOINT-DOWN",
            "It is down.",
        ),
        (TapeError("WET-TAPE-MISS", "secret diff"), "failed", "WET-TAPE-MISS", "The tool cannot answer this here."),
        (InputError("WET-INPUT-X", "/home/roe/x.dcm"), "failed", "WET-INPUT-X", "The tool cannot answer this here."),
        (KeyError("Roe^Jane"), "failed", "WET-TOOL-FAULT", "The tool failed for a reason of its own."),
        (TimeoutError("inner"), "failed", "WET-TOOL-FAULT", "The tool failed for a reason of its own."),
    ],
)
async def test_errors_become_evidence(
    error: Exception, status: str, code: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: EchoArguments) -> None:
        raise error

    events: list[Event] = []
    reading = make_reading(events)
    with caplog.at_level(logging.DEBUG):
        answer, said = await ask(Toolbox([Echo(fail)], reading))
    assert said == {"evidence": "E1", "status": status, "code": code, "message": says}
    evidence = reading.ledger.get("E1")
    assert evidence is not None and evidence.status == status
    assert evidence.reason is not None and evidence.reason.code == code and evidence.reason.message == says
    assert answer.failed == (status == "failed")
    finished = events[-1]
    assert isinstance(finished, ToolFinished) and finished.status == status
    assert "Roe" not in caplog.text and "roe" not in caplog.text and "secret" not in caplog.text


async def test_a_fault_leaves_type_and_place_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: EchoArguments) -> None:
        raise KeyError("private")

    await ask(Toolbox([Echo(fail)], make_reading()))
    assert "KeyError" in caplog.text and "test_toolbox" in caplog.text and "private" not in caplog.text


async def test_precheck_abstains_as_evidence_and_refuses_without() -> None:
    abstaining = Echo(precheck=ToolError("WET-TOOL-VIEW", "Not for this view.", abstained=True))
    reading = make_reading()
    _, said = await ask(Toolbox([abstaining], reading))
    assert said == {"evidence": "E1", "status": "abstained", "code": "WET-TOOL-VIEW", "message": "Not for this view."}
    assert abstaining.runs == 0 and len(reading.ledger) == 1

    refusing = Echo(precheck=ToolError("WET-TOOL-HANDLE", "No such image."))
    reading = make_reading()
    _, said = await ask(Toolbox([refusing], reading))
    assert said["status"] == "refused" and refusing.runs == 0 and len(reading.ledger) == 0

    broken = Echo(precheck=RuntimeError("private"))
    _, said = await ask(Toolbox([broken], make_reading()))
    assert said["code"] == "WET-TOOL-FAULT" and "private" not in json.dumps(said)


async def test_endpoint_that_is_not_configured_abstains() -> None:
    class Needy(Echo):
        endpoint = "medimageparse"

    tool = Needy()
    _, said = await ask(Toolbox([tool], make_reading()))
    assert said["status"] == "abstained" and said["code"] == "WET-TOOL-ENDPOINT" and tool.runs == 0
    _, said = await ask(Toolbox([tool], make_reading(endpoints=NoEndpoints(("medimageparse",)))))
    assert said["status"] == "ok"


async def test_ids_follow_the_order_of_calls_not_of_answers() -> None:
    async def later_first(arguments: EchoArguments) -> None:
        for _ in range(10 - int(arguments.word)):
            await asyncio.sleep(0)

    reading = make_reading()
    box = Toolbox([Echo(later_first)], reading)
    answers = await asyncio.gather(*(ask(box, json.dumps({"word": str(number)})) for number in range(5)))
    assert [said["evidence"] for _, said in answers] == [f"E{number + 1}" for number in range(5)]
    assert [said["own"] for _, said in answers] == [f"E{number + 1}" for number in range(5)]
    assert [evidence.id for evidence in reading.ledger] == [f"E{number + 1}" for number in range(5)]


async def test_the_same_call_is_not_made_twice() -> None:
    events: list[Event] = []
    reading = make_reading(events)
    tool = Echo()
    box = Toolbox([tool], reading)
    await ask(box, "{}")
    again, said = await ask(box, '{"word": "hello"}', id="c2")
    other, _ = await ask(box, '{"word": "bye"}', id="c3")
    assert tool.runs == 2 and said["evidence"] == "E1" and "E1" in said["note"]
    assert other.evidence is not None and other.evidence.id == "E2"
    assert [event.call for event in events if isinstance(event, ToolFinished)] == ["c1", "c2", "c3"]
    assert again.evidence == reading.ledger.get("E1")


async def test_the_same_call_in_flight_is_shared() -> None:
    gate = asyncio.Event()

    async def wait(_: EchoArguments) -> None:
        await gate.wait()

    tool = Echo(wait)
    box = Toolbox([tool], make_reading())
    calls = [asyncio.create_task(ask(box, id=f"c{number}")) for number in range(3)]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*calls)
    assert tool.runs == 1 and {said["evidence"] for _, said in answers} == {"E1"}


async def test_a_failed_call_is_tried_again() -> None:
    async def fail_once(_: EchoArguments) -> None:
        if tool.runs == 1:
            raise EndpointError("WET-ENDPOINT-DOWN", "It is down.")

    tool = Echo(fail_once)
    box = Toolbox([tool], make_reading())
    _, first = await ask(box)
    _, second = await ask(box)
    assert (first["status"], first["evidence"]) == ("failed", "E1")
    assert (second["status"], second["evidence"]) == ("ok", "E2")


async def test_cancelling_ends_the_tool_and_leaves_no_evidence() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: EchoArguments) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    events: list[Event] = []
    reading = make_reading(events)
    call = asyncio.create_task(ask(Toolbox([Echo(hang)], reading)))
    await began.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set() and len(reading.ledger) == 0
    finished = events[-1]
    assert isinstance(finished, ToolFinished) and finished.status == "cancelled"
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_one_of_two_callers_may_leave() -> None:
    gate = asyncio.Event()

    async def wait(_: EchoArguments) -> None:
        await gate.wait()

    tool = Echo(wait)
    box = Toolbox([tool], make_reading())
    first, second = (asyncio.create_task(ask(box, id=id)) for id in ("c1", "c2"))
    await settled()
    first.cancel()
    await settled()
    gate.set()
    _, said = await second
    assert said["status"] == "ok" and tool.runs == 1


async def test_the_deadline_ends_a_call() -> None:
    class Slow(Echo):
        deadline_s = 0.01

    async def hang(_: EchoArguments) -> None:
        await asyncio.Event().wait()

    _, said = await ask(Toolbox([Slow(hang)], make_reading()))
    assert said["status"] == "failed" and said["code"] == "WET-TOOL-DEADLINE" and "0.01 s" in said["message"]


async def test_a_tool_may_call_another_in_its_own_name() -> None:
    inner = Echo()

    class Outer(Echo):
        name = "outer"

        async def run(self, arguments: EchoArguments, reading: Reading) -> Outcome:
            call = current_call()
            answer = await perform(inner, EchoArguments(), reading, agent=call.agent, call_id=f"{call.id}.1")
            assert current_call() == call
            outcome = await super().run(arguments, reading)
            assert answer.evidence is not None
            return Outcome(
                outcome.for_model, outcome.summary, outcome.model, outcome.origin, uses=(answer.evidence.id,)
            )

    events: list[Event] = []
    reading = make_reading(events)
    answer, said = await ask(Toolbox([Outer()], reading), name="outer")
    assert said["own"] == "E1" and answer.evidence is not None and answer.evidence.uses == ("E2",)
    assert [evidence.tool for evidence in reading.ledger] == ["outer", "echo"]
    assert [event.call for event in events if isinstance(event, ToolStarted)] == ["c1", "c1.1"]


async def test_a_tool_without_evidence_runs_each_time() -> None:
    class Silent(Echo):
        makes_evidence = False

    tool = Silent()
    reading = make_reading()
    box = Toolbox([tool], reading)
    for _ in range(2):
        answer, said = await ask(box)
        assert "evidence" not in said and "status" not in said and said["said"] == "hello"
        assert answer.evidence is None and not answer.failed
    assert tool.runs == 2 and len(reading.ledger) == 0


def test_no_call_is_answered_outside_of_one() -> None:
    with pytest.raises(LookupError):
        current_call()


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        Toolbox([Echo(), Echo()], make_reading())


def test_specs_are_lean_and_made_once() -> None:
    box = Toolbox([Echo()], make_reading())
    (spec,) = box.specs()
    assert box.specs()[0] is spec
    assert spec == {
        "name": "echo",
        "description": "Echo.",
        "parameters": {
            "type": "object",
            "properties": {
                "word": {"type": "string"},
                "mode": {"type": "string", "enum": ["loud", "soft"]},
                "words": {"type": "array", "items": {"type": "string"}},
                "count": {"type": "integer", "minimum": 1, "maximum": 3},
            },
        },
    }


def test_lean_schema_keeps_fields_that_are_named_as_its_own_words() -> None:
    class Inner(Arguments):
        """Left out."""

        title: str
        default: int = 3

    class Outer(Arguments):
        inner: tuple[Inner, ...]
        maybe: Inner | None = None

    assert lean_schema(Outer) == {
        "type": "object",
        "properties": {
            "inner": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"title": {"type": "string"}, "default": {"type": "integer"}},
                    "required": ["title"],
                },
            },
            "maybe": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "default": {"type": "integer"}},
                "required": ["title"],
            },
        },
        "required": ["inner"],
    }


async def test_shared_work_is_cancelled_when_the_last_caller_leaves() -> None:
    ended = asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 1

    shared = Shared(work())
    callers = [asyncio.create_task(shared.result()) for _ in range(2)]
    await settled()
    callers[0].cancel()
    await settled()
    assert not ended.is_set()
    callers[1].cancel()
    await settled()
    assert ended.is_set() and shared.spoiled


async def test_once_tries_again_after_a_failure() -> None:
    store: dict[Any, Any] = {}
    runs = 0

    async def work() -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ValueError("first")
        return runs

    with pytest.raises(ValueError, match="first"):
        await once(store, "key", work)
    assert await once(store, "key", work) == 2
    assert await once(store, "key", work) == 2


async def test_both_raises_the_error_bare_and_ends_the_other() -> None:
    ended = asyncio.Event()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise EndpointError("WET-ENDPOINT-DOWN", "It is down.")

    async def hang() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 1

    with pytest.raises(EndpointError):
        await both(hang(), fail())
    assert ended.is_set()

    async def number(value: int) -> int:
        return value

    assert await both(number(1), number(2)) == (1, 2)

"""A session from outside: messages in, events out, a report in the end, whatever is in the way."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from wetread.agents.budget import Budget
from wetread.agents.chat import ChatMessage, ChatReply, ChatRequest
from wetread.agents.protocol import Protocol
from wetread.agents.transcript import CUT_SHORT, repaired
from wetread.errors import InputError, ModelError, ReadingError, TapeError
from wetread.events import (
    EVENTS,
    BudgetReached,
    DraftSubmitted,
    Event,
    Notice,
    ReportReady,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
)
from wetread.imaging.bank import ImageBank
from wetread.imaging.payload import Payload
from wetread.imaging.prepare import Preparation
from wetread.session import NUDGE, Session
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.testing.faults import Fault, FaultPlan
from wetread.testing.phantom import chest_phantom
from wetread.testing.scripted import ScriptedModel, calls
from wetread.testing.simulated import Latency, SimulatedEndpoints
from wetread.tools.endpoints.port import EndpointRequest

SENTENCES = [
    ["There is a small left pleural effusion.", None],
    ["The heart size is normal.", None],
    ["The lungs are clear.", None],
]
UNSEEN = ("lines_and_tubes", "lungs", "heart", "mediastinum_and_hila", "bones", "soft_tissues", "upper_abdomen")
DRAFT = {
    "findings": [{"system": "pleura", "text": "There is a small left pleural effusion.", "evidence": ["E1"]}],
    "impression": [{"text": "Small left pleural effusion.", "evidence": ["E1"]}],
    "not_assessed": dict.fromkeys(UNSEEN, "No tool looked at it."),
}
LOOK = calls(("report_findings", {}))
SUBMIT = calls(("submit_report", DRAFT))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    path = tmp_path_factory.mktemp("study") / "chest.png"
    Image.fromarray(chest_phantom(256).pixels).save(path)
    return read_study([path], view="PA", indication="Cough for two weeks.")


def answers(request: EndpointRequest) -> list[Any] | None:
    """Findings that a draft can be written for beforehand; the simulator answers the rest."""
    return [{"output": orjson.dumps(SENTENCES).decode()}] if request.endpoint == "cxrreportgen" else None


def endpoints(**options: Any) -> SimulatedEndpoints:
    options.setdefault("only", ("cxrreportgen", "medimageparse"))
    return SimulatedEndpoints(answers=answers, **options)


def session(study: Study, model: Any, **options: Any) -> Session:
    options.setdefault("endpoints", endpoints())
    options.setdefault("specialists", ())
    options.setdefault("now", lambda: datetime(2026, 1, 2, tzinfo=UTC))
    return Session(study, model=model, **options)


async def follow(session: Session, text: str = "Read this study.") -> list[Event]:
    events = [event async for event in session.send(text)]
    assert isinstance(events[0], TurnStarted)
    assert isinstance(events[-1], TurnEnded)
    assert not others()
    return events


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def ended(events: list[Event]) -> TurnEnded:
    (end,) = of(events, TurnEnded)
    assert isinstance(end, TurnEnded)
    return end


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def whole(messages: tuple[ChatMessage, ...]) -> bool:
    return repaired(messages) == messages


async def test_a_reading_by_protocol_ends_in_a_checked_report(study: Study) -> None:
    reading = session(study, Protocol())
    events = await follow(reading)
    report = reading.result()
    assert ended(events).outcome == "reported"
    assert (ended(events).model_calls, report.language_model, report.status) == (2, "protocol", "partial")
    assert report.incomplete is None
    assert not [issue for issue in report.issues if issue.severity == "error"]
    assert "simulated" in report.modes
    assert "left pleural effusion" in " ".join(statement.text for statement in report.impression).lower()
    assert of(events, ReportReady)[0].report == report
    assert [EVENTS.validate_json(EVENTS.dump_json(event)) for event in events] == events


async def test_the_same_reading_twice_is_the_same_report(study: Study) -> None:
    reports = []
    for _ in range(2):
        async with session(study, Protocol()) as reading:
            await follow(reading)
            reports.append(reading.result())
    assert reports[0].content_hash() == reports[1].content_hash()


async def test_a_language_model_needs_two_calls(study: Study) -> None:
    model = ScriptedModel([LOOK, SUBMIT])
    reading = session(study, model)
    events = await follow(reading)
    assert ended(events).outcome == "reported"
    assert len(model.requests) == ended(events).model_calls == 2
    assert reading.result().findings[2].statements[0].evidence == ("E1",)
    assert whole(reading.transcript)


async def test_the_first_prompt_is_short_and_says_no_more_than_it_may(study: Study) -> None:
    model = ScriptedModel([LOOK, SUBMIT])
    await follow(session(study, model, endpoints=endpoints()))
    request = model.requests[0]
    size = sum(len(message.text) for message in request.messages)
    size += sum(len(orjson.dumps(tool.model_dump())) for tool in request.tools)
    assert size <= 6_800
    said = " ".join(message.text for message in request.messages)
    assert "Cough" not in said
    assert str(study.images[0].source.path) not in said
    assert {tool.name for tool in request.tools} >= {"report_findings", "measure", "submit_report", "study_context"}


async def test_issues_come_back_to_the_model(study: Study) -> None:
    wrong = orjson.loads(orjson.dumps(DRAFT))
    wrong["findings"][0]["evidence"] = ["E9"]
    model = ScriptedModel([LOOK, calls(("submit_report", wrong)), SUBMIT])
    reading = session(study, model)
    events = await follow(reading)
    assert [event.round for event in events if event.type == "draft_submitted"] == [1, 2]
    assert "GRD-1" in model.requests[2].messages[-1].text
    assert not [issue for issue in reading.result().issues if issue.severity == "error"]


async def test_an_answer_without_a_report_is_asked_for_once(study: Study) -> None:
    model = ScriptedModel([LOOK, "FINDINGS: effusion.", SUBMIT])
    reading = session(study, model)
    assert ended(await follow(reading)).outcome == "reported"
    assert model.requests[2].messages[-1].text == NUDGE
    assert whole(reading.transcript)


async def test_what_was_found_is_kept_where_the_model_ends_in_text_all_the_same(study: Study) -> None:
    reading = session(study, ScriptedModel([LOOK, "FINDINGS: effusion.", "I said so: effusion."]))
    assert ended(await follow(reading)).outcome == "failed"
    report = reading.result()
    assert report.incomplete and "The model answered without a report." in report.incomplete
    assert "small left pleural effusion" in report.findings[2].statements[0].text.lower()


async def test_a_draft_that_was_sent_back_is_kept_where_the_model_gives_up(study: Study) -> None:
    wrong = orjson.loads(orjson.dumps(DRAFT))
    wrong["findings"][0]["evidence"] = ["E9"]
    reading = session(study, ScriptedModel([LOOK, calls(("submit_report", wrong)), "Done.", "Done."]))
    assert ended(await follow(reading)).outcome == "failed"
    report = reading.result()
    assert report.incomplete and "the last draft that was submitted" in report.incomplete
    assert "GRD-1" in {issue.code for issue in report.issues}


async def test_an_image_that_no_tool_looked_at_is_named(tmp_path: Path) -> None:
    frames = [Image.fromarray(chest_phantom(128, seed=seed).pixels) for seed in (1, 2)]
    frames[0].save(tmp_path / "two.tif", save_all=True, append_images=frames[1:])
    reading = session(read_study([tmp_path / "two.tif"], view="PA"), Protocol())
    assert ended(await follow(reading)).outcome == "reported"
    (technique,) = (one.text for one in reading.result().sections if one.name == "technique")
    assert technique.endswith("No tool looked at image_2.") and "image_1" not in technique


async def test_a_question_is_answered_without_a_report(study: Study) -> None:
    reading = session(study, ScriptedModel(["What should I look for?"]))
    events = await follow(reading)
    assert (ended(events).outcome, ended(events).text) == ("answered", "What should I look for?")
    assert [event.text for event in of(events, TextDelta)] == ["What should I look for?"]
    with pytest.raises(ReadingError) as caught:
        reading.result()
    assert caught.value.code == "WET-READING-NONE"


async def test_empty_answers_end_the_turn(study: Study) -> None:
    model = ScriptedModel(lambda request: "")
    reading = session(study, model)
    events = await follow(reading)
    assert ended(events).outcome == "failed"
    assert [event.code for event in of(events, Notice)] == ["WET-MODEL-EMPTY"]
    assert len(model.requests) == 2


async def test_half_characters_in_a_message_are_survived(study: Study) -> None:
    model = ScriptedModel(["What?"])
    assert ended(await follow(session(study, model), "Read \udce4.")).outcome == "answered"
    assert model.requests[0].model_dump_json()


async def test_a_second_turn_knows_the_first(study: Study) -> None:
    model = ScriptedModel([LOOK, SUBMIT, "As I said."])
    reading = session(study, model)
    await follow(reading)
    first = reading.report
    assert ended(await follow(reading, "Are you sure?")).outcome == "answered"
    said = model.requests[2].messages
    assert [message.role for message in said] == [
        "system", "user", "assistant", "tool", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip
    assert said[-1].text == "Are you sure?"
    assert reading.report is first


async def test_a_later_turn_can_make_another_report(study: Study) -> None:
    other = orjson.loads(orjson.dumps(DRAFT))
    other["recommendations"] = ["Follow-up as clinically indicated."]
    reading = session(study, ScriptedModel([LOOK, SUBMIT, calls(("submit_report", other))]))
    await follow(reading)
    first = reading.result()
    assert ended(await follow(reading, "Recommend a follow-up.")).outcome == "reported"
    assert reading.result().recommendations != first.recommendations


async def test_the_protocol_says_what_it_cannot(study: Study) -> None:
    reading = session(study, Protocol())
    await follow(reading)
    events = await follow(reading, "Why is the heart normal?")
    assert ended(events).outcome == "answered"
    assert "cannot talk" in ended(events).text
    assert not of(events, ToolStarted)


@pytest.mark.parametrize(
    ("limit", "budget"),
    [
        ("model_calls", Budget(model_calls=1)),
        ("tool_calls", Budget(tool_calls=6)),
        ("tokens", Budget(tokens=50)),
        ("money", Budget(usd=0.0001)),
        ("wall_time", Budget(wall_s=4)),
    ],
)
async def test_a_budget_ends_the_turn_with_what_there_is(study: Study, limit: str, budget: Budget) -> None:
    class Slow(ScriptedModel):
        async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
            if self.requests:
                self.requests.append(request)
                await asyncio.sleep(60)
            return await super().complete(request, on_text)

    def act(request: ChatRequest) -> ChatReply:
        return LOOK if len(request.messages) == 2 else calls(*[("study_context", {})] * 3)

    used = ScriptedModel(act)
    if limit == "wall_time":
        used = Slow([LOOK])
    if limit in ("tokens", "money"):
        used = _thirsty([LOOK, SUBMIT])
    reading = session(study, used, budget=budget)
    events = await follow(reading)
    assert ended(events).outcome == "budget"
    assert [event.limit for event in of(events, BudgetReached)] == [limit]
    report = reading.result()
    assert report.incomplete
    assert report.status == "partial"
    assert "small left pleural effusion" in report.findings[2].statements[0].text.lower()
    assert whole(reading.transcript)


def _thirsty(replies: list[Any]) -> ScriptedModel:
    class Thirsty(ScriptedModel):
        async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
            reply = await super().complete(request, on_text)
            used = {"usage": {"prompt_tokens": 100, "completion_tokens": 1}, "model": "openai:gpt-4.1"}
            return ChatReply(**{**dict(reply), **used})

    return Thirsty(replies)


async def test_a_draft_that_was_sent_back_is_kept_when_the_budget_ends(study: Study) -> None:
    wrong = orjson.loads(orjson.dumps(DRAFT))
    wrong["findings"][0]["evidence"] = ["E9"]
    reading = session(study, ScriptedModel([LOOK, calls(("submit_report", wrong))]), budget=Budget(model_calls=2))
    assert ended(await follow(reading)).outcome == "budget"
    report = reading.result()
    assert report.incomplete
    assert report.sha256 == report.content_hash()
    assert "GRD-1" in {issue.code for issue in report.issues}


async def test_rounds_without_end_are_ended(study: Study) -> None:
    model = ScriptedModel(lambda request: calls(("study_context", {})))
    reading = session(study, model)
    events = await follow(reading)
    assert [event.limit for event in of(events, BudgetReached)] == ["iterations"]
    assert ended(events).outcome == "budget"


async def test_a_failing_model_leaves_a_partial_report(study: Study) -> None:
    reading = session(study, ScriptedModel([LOOK, ModelError("WET-MODEL-BUSY", "It takes no more requests.")]))
    events = await follow(reading)
    assert ended(events).outcome == "failed"
    assert [event.code for event in of(events, Notice)] == ["WET-MODEL-BUSY"]
    assert "WET-MODEL-BUSY" in (reading.result().incomplete or "")


async def test_a_model_that_fails_at_once_leaves_no_report(study: Study) -> None:
    reading = session(study, ScriptedModel([ModelError("WET-MODEL-AUTH", "No access.", "Check the key.")]))
    assert ended(await follow(reading)).outcome == "failed"
    with pytest.raises(ReadingError, match="Check the key"):
        reading.result()


@pytest.mark.parametrize("error", [TapeError("WET-TAPE-MISS", "Not on the tape."), RuntimeError("a fault")])
async def test_what_no_rule_covers_is_raised_after_the_end(study: Study, error: Exception) -> None:
    reading = session(study, ScriptedModel([LOOK, error]))
    events: list[Event] = []
    with pytest.raises(type(error)):
        async for event in reading.send("Read."):
            events.append(event)  # noqa: PERF401 - what came before the error counts
    assert ended(events).outcome == "failed"
    assert "a fault" not in str([event for event in events if isinstance(event, Notice)])
    assert not others()
    assert whole(reading.transcript)


async def test_an_endpoint_that_is_down_is_not_assessed(study: Study) -> None:
    down = endpoints(faults=FaultPlan([Fault(kind="status", status=503, endpoint="cxrreportgen", times=None)]))
    reading = session(study, Protocol(), endpoints=down)
    assert ended(await follow(reading)).outcome == "reported"
    systems = {system.system: system for system in reading.result().findings}
    assert systems["mediastinum_and_hila"].status == "not_assessed"
    assert "report_findings failed" in (systems["mediastinum_and_hila"].reason or "")
    impression = " ".join(statement.text for statement in reading.result().impression)
    assert "No acute cardiopulmonary abnormality" not in impression


async def test_nothing_to_see_with_is_a_report_that_assesses_nothing(study: Study) -> None:
    reading = session(study, Protocol(), endpoints=SimulatedEndpoints(only=()))
    assert ended(await follow(reading)).outcome == "reported"
    report = reading.result()
    assert {system.status for system in report.findings} == {"not_assessed"}
    assert "normal" not in " ".join(statement.text for statement in report.statements()).lower()


def slow() -> SimulatedEndpoints:
    return endpoints(latency=Latency(seconds={"cxrreportgen": 60.0, "medimageparse": 60.0, "medimageinsight": 60.0}))


async def test_cancelling_ends_at_once_and_tells_it(study: Study) -> None:
    reading = session(study, Protocol(), endpoints=slow())
    events: list[Event] = []
    async for event in reading.send("Read."):
        events.append(event)
        if isinstance(event, ToolStarted) and event.tool == "find_similar":
            reading.cancel()
    assert ended(events).outcome == "cancelled"
    assert not others()
    assert whole(reading.transcript)
    assert CUT_SHORT in {message.text for message in reading.transcript}
    assert {event.status for event in of(events, ToolFinished)} >= {"cancelled"}
    with pytest.raises(ReadingError, match="cancelled"):
        reading.result()


async def test_a_cancelled_reading_can_be_taken_up_again(study: Study) -> None:
    stall = slow()
    reading = session(study, Protocol(), endpoints=stall)
    async for event in reading.send("Read."):
        if isinstance(event, ToolStarted) and event.tool == "find_similar":
            reading.cancel()
    reading.reading.endpoints = endpoints()
    assert ended(await follow(reading, "Go on.")).outcome == "reported"
    assert not [issue for issue in reading.result().issues if issue.severity == "error"]


@pytest.mark.parametrize("way", ["break", "aclose", "task"])
async def test_leaving_early_leaves_nothing_running(study: Study, way: str) -> None:
    reading = session(study, Protocol(), endpoints=slow())
    begun = asyncio.Event()

    async def listen() -> None:
        async for event in reading.send("Read."):
            if isinstance(event, ToolStarted) and event.tool == "find_similar":
                begun.set()
                if way == "break":
                    break

    if way == "task":
        task = asyncio.create_task(listen())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif way == "aclose":
        turn = reading.send("Read.")
        async for event in turn:
            if isinstance(event, ToolStarted):
                break
        await turn.aclose()  # type: ignore[attr-defined]
    else:
        await listen()
        gc.collect()
        async with asyncio.timeout(10):
            while others():  # noqa: ASYNC110 - the loop closes a generator that nobody holds in a task of its own
                await asyncio.sleep(0.005)
    assert not others()
    assert whole(reading.transcript)
    reading.reading.endpoints = endpoints()
    assert ended(await follow(reading, "Again.")).outcome == "reported"


async def test_one_turn_at_a_time(study: Study) -> None:
    reading = session(study, Protocol())
    async for _ in reading.send("Read."):
        with pytest.raises(ReadingError) as caught:
            async for _ in reading.send("Me too."):
                raise AssertionError
        assert caught.value.code == "WET-READING-BUSY"
    reading.result()


async def test_a_closed_session_stays_closed(study: Study) -> None:
    reading = session(study, Protocol(), endpoints=slow())
    events: list[Event] = []
    async for event in reading.send("Read."):
        events.append(event)
        if isinstance(event, ToolStarted):
            await reading.aclose()
    assert ended(events).outcome == "cancelled"
    assert not others()
    with pytest.raises(ReadingError) as caught:
        await follow(reading)
    assert caught.value.code == "WET-READING-CLOSED"


async def test_sessions_side_by_side_keep_apart(study: Study) -> None:
    shared, model = endpoints(), Protocol()
    readings = [session(study, model, endpoints=shared) for _ in range(5)]
    ends = await asyncio.gather(*(_last(reading) for reading in readings))
    assert {end.outcome for end in ends} == {"reported"}
    assert len({reading.result().content_hash() for reading in readings}) == 1
    assert len({id(reading.ledger) for reading in readings}) == 5


async def _last(reading: Session) -> TurnEnded:
    events = [event async for event in reading.send("Read.")]
    assert isinstance(events[-1], TurnEnded)
    return events[-1]


async def test_pixels_are_prepared_while_the_model_thinks(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Preparation] = []
    all_asked = asyncio.Event()
    payload = ImageBank.payload

    async def watched(self: ImageBank, handle: str, preparation: Preparation) -> Payload:
        asked.append(preparation)
        if len(asked) == 3:
            all_asked.set()
        return await payload(self, handle, preparation)

    class Thinking(ScriptedModel):
        async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
            await asyncio.wait_for(all_asked.wait(), 10)
            return await super().complete(request, on_text)

    monkeypatch.setattr(ImageBank, "payload", watched)
    await follow(session(study, Thinking(["Nothing asked."]), endpoints=SimulatedEndpoints()))
    assert set(asked) == {Preparation.FULL, Preparation.PAD_1024, Preparation.SQUARE_512}


async def test_a_ct_is_refused(study: Study) -> None:
    ct = study.model_copy(update={"images": tuple(i.model_copy(update={"modality": "CT"}) for i in study.images)})
    with pytest.raises(InputError, match="modality CT"):
        session(ct, Protocol(), template="chest-xray")


async def test_a_ct_unasked_is_wholly_not_assessed(study: Study) -> None:
    ct = study.model_copy(update={"images": tuple(i.model_copy(update={"modality": "CT"}) for i in study.images)})
    events = await follow(session(ct, Protocol()))
    report = next(event.report for event in events if isinstance(event, ReportReady))
    assert report.template == "generic"
    assert {system.status for system in report.findings} == {"not_assessed"}
    assert {evidence.tool for evidence in report.evidence} == {"study_context"}
    assert not [issue for issue in report.issues if issue.severity == "error"]
    assert [event.round for event in of(events, DraftSubmitted)] == [1]


def test_events_of_a_turn_hold_no_paths(study: Study) -> None:
    async def go() -> str:
        return "".join(EVENTS.dump_json(event).decode() for event in await follow(session(study, Protocol())))

    said = asyncio.run(go())
    assert Path(study.images[0].source.path).name not in said


async def test_a_session_at_rest_is_small(study: Study) -> None:
    """At most 256 KiB without its images: those are the bank's pixels and payloads, and the masks."""
    shared, model = endpoints(), Protocol()

    async def rested() -> Session:
        reading = session(study, model, endpoints=shared)
        await follow(reading)
        reading.images = reading.reading.images = ImageBank(study)
        return reading

    await rested()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        readings = [await rested() for _ in range(5)]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(readings) < 256 * 1024

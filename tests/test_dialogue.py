"""A dialogue that is interrupted, asks, and is changed while it lasts."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from dialogues import (
    EFFUSION,
    LOOK,
    READER,
    SUBMIT,
    Counted,
    begin,
    draft,
    ended,
    make_study,
    of,
    others,
    resume,
    say,
    script,
    sources,
    submit,
    well_formed,
    words,
)

from wetread.agents.budget import Budget
from wetread.agents.chat import ChatReply, ChatRequest
from wetread.dialogue import answers
from wetread.dialogue.dialogue import Dialogue
from wetread.errors import ReadingError, StoreError
from wetread.events import (
    Event,
    ModelCalled,
    Notice,
    QuestionAnswered,
    QuestionAsked,
    ReportReady,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
)
from wetread.store import Store
from wetread.store.journal import Said
from wetread.study import Study
from wetread.testing.scripted import ScriptedModel, calls

SOON_S = 10.0
"""What a cancelled turn may take on a machine that does much else; benchmarks/interrupt.py measures it."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def kept(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "store.db") as store:
        yield store


class Hanging(ScriptedModel):
    """Answers from a script, and hangs where it says `hang`."""

    async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
        reply = await super().complete(request, on_text)
        if reply.text == "hang":
            await asyncio.sleep(3600)
        return reply


async def interrupt(dialogue: Dialogue, when: Any) -> list[Event]:
    """Say something, and cancel at the first event of which `when` is true."""
    events: list[Event] = []
    async with asyncio.timeout(30) as limit:
        async for event in dialogue.send("Read this."):
            events.append(event)
            if not dialogue.question and when(event):
                limit.reschedule(asyncio.get_running_loop().time() + SOON_S)
                dialogue.cancel()
                dialogue.cancel()  # impatient people do
    assert not others()
    assert ended(events).outcome == "cancelled"
    assert events[-1] == ended(events)
    assert isinstance(events[0], TurnStarted)
    well_formed(dialogue.session.transcript)
    return events


def called(event: Event) -> bool:
    return isinstance(event, ModelCalled)


async def test_a_model_that_hangs_is_cancelled(study: Study, kept: Store, tmp_path: Path) -> None:
    model = Hanging(script(["hang", LOOK, SUBMIT]))
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        await interrupt(dialogue, lambda event: isinstance(event, TextDelta))
        assert ended(await say(dialogue, "Go on.")).outcome == "reported"


async def test_a_tool_in_flight_is_cancelled_and_what_was_answered_stands(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    endpoints = Counted()
    endpoints.hang = {"medimageinsight"}
    both = calls(("report_findings", {}), ("classify", {"findings": ["pleural effusion"]}))
    model = ScriptedModel(script([both, both, SUBMIT]))
    async with await begin(study, sources(model, endpoints), kept, tmp_path) as dialogue:
        events = await interrupt(
            dialogue, lambda event: isinstance(event, ToolFinished) and event.tool == "report_findings"
        )
        assert {(one.tool, one.status) for one in of(events, ToolFinished)} == {
            ("report_findings", "ok"),
            ("classify", "cancelled"),
        }
        endpoints.hang = set()
        events = await say(dialogue, "Go on.")
        assert ended(events).outcome == "reported"
        assert "answered before as E1" in of(events, ToolFinished)[0].summary
        assert set(endpoints.answered.values()) == {1}
        assert [one.id for one in dialogue.session.ledger] == ["E1", "E3"]


async def test_an_answer_that_came_before_the_cancelling_is_not_asked_for_again(
    study: Study, kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint has answered, and the turn is cancelled before the tool has made evidence of it."""
    endpoints = Counted()
    async with await begin(
        study, sources(ScriptedModel(script([LOOK, LOOK, submit(evidence="E2")])), endpoints), kept, tmp_path
    ) as dialogue:
        go_on = threading.Event()
        write = answers._write

        def slowly(*args: Any) -> bool:
            loop.call_soon_threadsafe(dialogue.cancel)
            return go_on.wait(10) and write(*args)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(answers, "_write", slowly)
        assert ended(await say(dialogue)).outcome == "cancelled"
        assert not len(dialogue.session.ledger)
        go_on.set()
        assert ended(await say(dialogue, "Go on.")).outcome == "reported"
    assert list(endpoints.asked.values()) == [1]


ANSWER = "result:\n  answer: {about: one word}\n"
AGENTS = {
    "orchestrator": "description: Reads.\nprovides: [report]\nprompt: orchestrator.md.j2\n"
    "tools: [report_findings, submit_report]\nconsults: [outer]\n",
    "outer": f"description: Asks on.\nprompt: plain.md.j2\ntools: []\nconsults: [inner]\n{ANSWER}",
    "inner": f"description: Answers.\nprompt: plain.md.j2\ntools: []\n{ANSWER}",
}


def nested_agents(workspace: Path) -> Path:
    """A workspace in which the orchestrator asks an agent that asks another."""
    (workspace / "agents").mkdir(parents=True)
    (workspace / "prompts" / "agents").mkdir(parents=True)
    (workspace / "prompts" / "agents" / "plain.md.j2").write_text("Answer.", "utf-8")
    for name, text in AGENTS.items():
        (workspace / "agents" / f"{name}.yaml").write_text(f"name: {name}\n{text}", "utf-8")
    return workspace


async def test_a_specialist_in_a_specialist_is_cancelled(study: Study, kept: Store, tmp_path: Path) -> None:
    model = Hanging(
        {
            "orchestrator": [calls(("consult_outer", {})), "Then not."],
            "outer": [calls(("consult_inner", {}))],
            "inner": ["hang"],
        }
    )
    used = sources(model, workspace=nested_agents(tmp_path / "workspace"))
    async with await begin(study, used, kept, tmp_path) as dialogue:
        events = await interrupt(dialogue, lambda event: isinstance(event, TextDelta) and event.agent == "inner")
        assert {(one.agent, one.status) for one in of(events, ToolFinished)} == {
            ("orchestrator", "cancelled"),
            ("outer", "cancelled"),
        }
        assert ended(await say(dialogue, "Go on.")).text == "Then not."


async def test_a_question_that_is_open_is_cancelled(study: Study, kept: Store, tmp_path: Path) -> None:
    ask = calls(("ask_person", {"question": "What for?", "about": "indication"}))
    async with await begin(study, sources(ScriptedModel(script([ask, "Then not."]))), kept, tmp_path) as dialogue:
        events: list[Event] = []
        async for event in dialogue.send("Read."):
            events.append(event)
            if isinstance(event, QuestionAsked):
                assert dialogue.question == event
                dialogue.cancel()
        assert ended(events).outcome == "cancelled"
        assert dialogue.question is None
        assert not others()
        dialogue.answer("Cough.")  # too late: nobody asks any more
        assert dialogue.session.study.indication is None
        assert ended(await say(dialogue, "Go on.")).text == "Then not."


@pytest.mark.parametrize("steps", range(6))
async def test_a_turn_is_cancelled_before_it_has_begun(study: Study, kept: Store, tmp_path: Path, steps: int) -> None:
    """However few steps of the loop it has had, its end is told and the next one works."""
    model = Hanging(lambda request: "hang" if request.messages[-1].text.startswith("Read.") else "Yes.")
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        events: list[Event] = []

        async def listen() -> None:
            events.extend([event async for event in dialogue.send("Read.")])

        listener = asyncio.create_task(listen())
        for _ in range(steps + 1):
            await asyncio.sleep(0)
        dialogue.cancel()
        await asyncio.wait_for(listener, 10)
        assert [one.outcome for one in of(events, TurnEnded)] == ["cancelled"]
        assert not others()
        assert ended(await say(dialogue, "Again.")).outcome == "answered"


async def test_cancelling_while_the_store_is_written(
    study: Study, kept: Store, tmp_path: Path, monkeypatch: Any
) -> None:
    """The writing comes to its end, and what was told is there."""
    writing = asyncio.Event()
    loop = asyncio.get_running_loop()
    append = kept.sessions.append

    def slowly(*args: Any, **options: Any) -> int:
        loop.call_soon_threadsafe(writing.set)
        return append(*args, **options)

    model = Hanging(script([LOOK, "hang", "Yes."]))
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        monkeypatch.setattr(kept.sessions, "append", slowly)
        events: list[Event] = []

        async def listen() -> None:
            events.extend([event async for event in dialogue.send("Read.")])

        listener = asyncio.create_task(listen())
        await writing.wait()
        dialogue.cancel()
        await asyncio.wait_for(listener, 10)
        assert ended(events).outcome == "cancelled"
        assert kept.sessions.events(dialogue.id)[-1] == ended(events)


@pytest.mark.parametrize("way", ["break", "task", "aclose"])
async def test_what_a_turn_told_nobody_is_kept_all_the_same(
    study: Study, kept: Store, tmp_path: Path, way: str
) -> None:
    endpoints = Counted()
    endpoints.hang = {"medimageinsight"}
    both = calls(("report_findings", {}), ("classify", {"findings": ["pleural effusion"]}))
    dialogue = await begin(study, sources(ScriptedModel(script([both])), endpoints), kept, tmp_path)

    async def listen() -> None:
        turn = dialogue.send("Read.")
        async for event in turn:
            if isinstance(event, ToolStarted) and event.tool == "classify":
                if way == "break":
                    await turn.aclose()  # type: ignore[attr-defined]
                    return
                if way == "aclose":
                    await dialogue.aclose()
                else:
                    begun.set()

    begun = asyncio.Event()
    listener = asyncio.create_task(listen())
    if way == "task":
        await begun.wait()
        await endpoints.reached.wait()
        listener.cancel()
    await asyncio.wait({listener})
    assert not others()
    events = kept.sessions.events(dialogue.id)
    assert ended(events).outcome == "cancelled"
    assert not dialogue.busy
    await dialogue.aclose()
    endpoints.hang = set()
    async with await resume(
        dialogue, study, sources(ScriptedModel(script([both, "So."])), endpoints), kept, tmp_path
    ) as again:
        well_formed(again.session.transcript)
        assert ended(await say(again, "Go on.")).text == "So."
    assert set(endpoints.answered.values()) == {1}


async def test_one_thing_at_a_time(study: Study, kept: Store, tmp_path: Path) -> None:
    async with await begin(study, sources(ScriptedModel(script([LOOK, SUBMIT]))), kept, tmp_path) as dialogue:
        async for _ in dialogue.send("Read."):
            for attempt in (dialogue.correct([]), dialogue.undo(), dialogue.use(template="chest-xray")):
                with pytest.raises(ReadingError) as caught:
                    await attempt
                assert caught.value.code == "WET-READING-BUSY"
            with pytest.raises(ReadingError, match="running"):
                await anext(dialogue.send("Me too."))
    with pytest.raises(ReadingError) as caught:
        await say(dialogue)
    assert caught.value.code == "WET-READING-CLOSED"


async def test_a_tool_that_a_person_called_is_cancelled(study: Study, kept: Store, tmp_path: Path) -> None:
    endpoints = Counted()
    endpoints.hang = {"medimageinsight"}
    look = {"findings": ["nodule"]}
    async with await begin(study, sources(ScriptedModel(script(["Yes."])), endpoints), kept, tmp_path) as dialogue:

        async def ask() -> list[Event]:
            return [event async for event in dialogue.call("classify", look, said="Any nodule?")]

        for steps in (0, 1, 2, 50):
            listener = asyncio.create_task(ask())
            for _ in range(steps + 1):
                await asyncio.sleep(0)
            if steps == 50:
                await asyncio.wait_for(endpoints.reached.wait(), 10)
            dialogue.cancel()
            events = await asyncio.wait_for(listener, 10)
            assert not others()
            well_formed(dialogue.session.transcript)
        assert [one.status for one in of(events, ToolFinished)] == ["cancelled"]
        endpoints.hang = set()
        assert [one.status for one in of(await ask(), ToolFinished)] == ["ok"]
        assert ended(await say(dialogue, "So?")).text == "Yes."
        transcript = dialogue.session.transcript
    async with await resume(dialogue, study, sources(), kept, tmp_path) as again:
        assert again.session.transcript == transcript


async def test_a_draft_that_was_accepted_is_kept_when_the_rest_is_cancelled(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    endpoints = Counted()
    endpoints.hang = {"medimageinsight"}
    both = calls(("submit_report", draft()), ("classify", {"findings": ["nodule"]}))
    model = ScriptedModel(script([LOOK, both, "Yes."]))
    async with await begin(study, sources(model, endpoints), kept, tmp_path) as dialogue:
        await interrupt(dialogue, lambda event: isinstance(event, ToolFinished) and event.tool == "submit_report")
        assert EFFUSION in words(dialogue).values()
        assert ended(await say(dialogue, "Is it drafted?")).text == "Yes."


# asked


async def test_a_wait_for_the_person_costs_no_time(study: Study, kept: Store, tmp_path: Path) -> None:
    ask = calls(("ask_person", {"question": "What for?", "about": "indication"}))
    model = ScriptedModel(script([ask, LOOK, SUBMIT]))
    used = sources(model, budget=Budget(wall_s=20.0))
    async with await begin(study, used, kept, tmp_path) as dialogue:
        async for event in dialogue.send("Read."):
            if isinstance(event, QuestionAsked):
                assert dialogue.session._deadline is not None
                assert dialogue.session._deadline.when() is None
                dialogue.answer("Cough for two weeks.")
        assert "Cough" in model.requests[1].messages[-1].text
        assert dialogue.session.study.indication == "Cough for two weeks."
        assert dialogue.report is not None
        assert "Cough for two weeks." in [one.text for one in dialogue.report.sections]


async def test_two_questions_are_put_one_after_the_other(study: Study, kept: Store, tmp_path: Path) -> None:
    ask = calls(("ask_person", {"question": "One?"}), ("ask_person", {"question": "Two?"}))
    model = ScriptedModel(script([ask, "Thank you."]))
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        events: list[Event] = []
        async for event in dialogue.send("Read."):
            events.append(event)
            if isinstance(event, QuestionAsked):
                assert dialogue.question == event
                dialogue.answer("1" if event.question == "One?" else None)
        asked = [event for event in events if isinstance(event, QuestionAsked | QuestionAnswered)]
        assert [one.question for one in asked] == ["One?", "One?", "Two?", "Two?"]
        assert [one.answer for one in of(events, QuestionAnswered)] == ["1", None]
        assert '"skipped":true' in model.requests[1].messages[-1].text


async def test_an_accepted_proposal_is_the_persons_edit_and_names_nobody(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    propose = calls(("propose_edit", {"do": "edit", "statement": "S1", "text": "No pleural effusion."}))
    model = ScriptedModel(script([LOOK, SUBMIT, propose, "Done.", calls(("current_report", {})), "So."]))
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        dialogue.reader = None
        await say(dialogue)
        replies = {"proposal": "yes", "other": READER}
        async for event in dialogue.send("There is none."):
            if isinstance(event, QuestionAsked):
                dialogue.answer(replies[event.about])
        assert words(dialogue)["S1"] == "No pleural effusion."
        assert dialogue.report is not None and dialogue.report.review is not None
        assert (dialogue.report.version, dialogue.report.review.author("S1")) == (2, READER)
        await say(dialogue, "What is on it?")
        said = "".join(request.model_dump_json() for request in model.requests)
        assert READER not in said
        assert '\\"by\\":\\"reader\\"' in said
        assert READER not in "".join(one.model_dump_json() for one in kept.sessions.evidence(dialogue.id))


async def test_two_proposals_at_once_are_decided_in_turn_and_ask_for_the_name_once(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    both = calls(
        ("propose_edit", {"do": "edit", "statement": "S1", "text": "No pleural effusion."}),
        ("propose_edit", {"do": "add", "place": "bones", "text": "The bones are intact."}),
    )
    model = ScriptedModel(script([LOOK, SUBMIT, both, "Done."]))
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        dialogue.reader = None
        await say(dialogue)
        asked = []
        async for event in dialogue.send("There is none, and the bones are intact."):
            if isinstance(event, QuestionAsked):
                asked.append(event.about)
                dialogue.answer({"proposal": "yes", "other": READER}[event.about])
        assert asked == ["proposal", "other", "proposal"]
        assert {"No pleural effusion.", "The bones are intact."} <= set(words(dialogue).values())
        assert dialogue.report is not None and dialogue.report.version == 3


async def test_a_proposal_beside_a_draft_does_not_lose_the_edit(study: Study, kept: Store, tmp_path: Path) -> None:
    """Both in one round: the draft was of the version before, and is asked for again."""
    stubborn = draft(recommendations=["Follow-up as clinically indicated."])
    both = calls(
        ("submit_report", stubborn),
        ("propose_edit", {"do": "edit", "statement": "S1", "text": "There is a small left effusion."}),
    )
    model = ScriptedModel(script([LOOK, SUBMIT, both, calls(("submit_report", stubborn))]))
    async with await begin(study, sources(model), kept, tmp_path) as dialogue:
        await say(dialogue)
        events: list[Event] = []
        async for event in dialogue.send("There is none; and recommend something."):
            events.append(event)
            if isinstance(event, QuestionAsked):
                dialogue.answer("yes")
        assert ended(events).outcome == "reported"
        assert [one.report.version for one in of(events, ReportReady)] == [2, 3]
        assert words(dialogue)["S1"] == "There is a small left effusion."
        assert "Follow-up as clinically indicated." in words(dialogue).values()
        assert "WET-REVIEW-KEPT" in {one.code for one in of(events, Notice)}


async def test_what_a_person_types_is_scrubbed(study: Study, kept: Store, tmp_path: Path) -> None:
    ask = calls(("ask_person", {"question": "What for?", "about": "indication"}))
    model = ScriptedModel(script([ask, "Thank you."]))
    used = sources(model, scrub=lambda text: text.replace("Doe", "[removed]"))
    async with await begin(study, used, kept, tmp_path) as dialogue:
        async for event in dialogue.send("Read the study of Doe."):
            if isinstance(event, QuestionAsked):
                dialogue.answer("Doe coughs.")
        assert dialogue.session.study.indication == "[removed] coughs."
        id = dialogue.id
    everything = "".join(one.model_dump_json() for one in kept.sessions.entries(id))
    assert "Doe" not in everything and everything.count("[removed]") >= 4
    assert "Doe" not in "".join(request.model_dump_json() for request in model.requests)


async def test_a_half_character_of_a_model_is_kept_as_text(study: Study, kept: Store, tmp_path: Path) -> None:
    async with await begin(study, sources(ScriptedModel(script(["Half \ud83d."]))), kept, tmp_path) as dialogue:
        assert ended(await say(dialogue)).outcome == "answered"
    said = [one.message.text for one in kept.sessions.entries(dialogue.id) if isinstance(one, Said)]
    assert said[-1] == "Half ?."


# used otherwise


async def test_another_model_and_template_go_on_from_what_there_is(study: Study, kept: Store, tmp_path: Path) -> None:
    endpoints = Counted()
    made: list[ScriptedModel] = []

    def models(name: str) -> ScriptedModel:
        made.append(ScriptedModel(script([LOOK, submit("There is a small left effusion.")]), name=name))
        return made[-1]

    used = sources(ScriptedModel(script([LOOK, SUBMIT])), endpoints, models=models)
    async with await begin(study, used, kept, tmp_path) as dialogue:
        await say(dialogue)
        await dialogue.use(model="other")
        await say(dialogue, "Again.")
        assert dialogue.report is not None and dialogue.report.language_model == "other"
        await dialogue.use(template="generic")
        assert [made[0].closed, dialogue.session.template.name] == [False, "generic"]
        with pytest.raises(Exception, match="nothing"):
            await dialogue.use(template="nothing")
        await dialogue.use(model="third")
        assert [one.closed for one in made] == [True, False]
    assert all(one.closed for one in made)
    assert set(endpoints.asked.values()) == {1}


async def test_no_room_in_the_store_ends_the_turn_and_loses_nothing_told(
    study: Study, kept: Store, tmp_path: Path, monkeypatch: Any
) -> None:
    endpoints = Counted()
    append = kept.sessions.append
    full: bool | None = None

    def write(session: str, entries: Any, **options: Any) -> int:
        nonlocal full
        if full is None and any(isinstance(one, ToolFinished) for one in entries):
            full = True
        if full:
            raise StoreError("WET-STORE-FULL", "No space is left.")
        return append(session, entries, **options)

    monkeypatch.setattr(kept.sessions, "append", write)
    model = ScriptedModel(script(lambda request: LOOK if request.messages[-1].role == "user" else SUBMIT))
    async with await begin(study, sources(model, endpoints), kept, tmp_path) as dialogue:
        told: list[Event] = []
        with pytest.raises(StoreError, match="No space"):
            async for event in dialogue.send("Read."):
                told.append(event)  # noqa: PERF401 - what came before the error counts
        assert not others() and not dialogue.busy
        assert dialogue.report is None and dialogue.session.report is None
        assert kept.sessions.events(dialogue.id) == [one for one in told if not isinstance(one, TextDelta)]
        with pytest.raises(StoreError, match="No space"):
            await say(dialogue, "Again.")
        full = False
        assert ended(await say(dialogue, "Again.")).outcome == "reported"
        assert EFFUSION in words(dialogue).values()
        id, transcript = dialogue.id, dialogue.session.transcript
    assert list(endpoints.asked.values()) == [1]
    async with await resume(id, study, sources(), kept, tmp_path) as again:
        assert again.session.transcript == transcript
        assert {one.id for one in kept.sessions.evidence(id)} == {one.id for one in again.session.ledger}

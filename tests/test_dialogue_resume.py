"""A dialogue that goes on in another process: after its end, after a cut, beside another, on either database."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
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
    by_turn,
    ended,
    make_study,
    of,
    resume,
    say,
    script,
    sources,
    submit,
    well_formed,
    words,
)

from wetread.agents.transcript import CUT_SHORT
from wetread.dialogue.answers import KEPT_DAYS, RememberedEndpoints
from wetread.dialogue.dialogue import Dialogue
from wetread.dialogue.kept import read_kept
from wetread.errors import EndpointError, InputError, ReadingError, StoreError
from wetread.events import QuestionAsked, TextDelta, ToolFinished, TurnStarted
from wetread.messages import ChatMessage, ToolUse
from wetread.review import Edit, Reject, conclude
from wetread.store import Store
from wetread.store.journal import JournalEntry, Said
from wetread.study import Study
from wetread.testing.scripted import ScriptedModel, calls
from wetread.tools.endpoints.port import EndpointRequest

ALL = calls(
    ("report_findings", {}),
    ("measure", {"measurements": ["cardiothoracic_ratio"]}),
    ("classify", {"findings": ["nodule", "pleural effusion"]}),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as store:
        yield store


async def test_it_goes_on_on_either_database(study: Study, store: Store, tmp_path: Path) -> None:
    """What was said, found and drafted is there, and nothing is asked for again: not even a mask."""
    endpoints = Counted()
    first = await begin(study, sources(ScriptedModel(script([ALL, SUBMIT])), endpoints), store, tmp_path)
    await say(first)
    await first.correct([Edit(statement="S1", text="There is a left effusion.")])
    await first.aclose()
    segment = calls(*ALL_AGAIN)
    again = await resume(first, study, sources(ScriptedModel(script([segment, SUBMIT])), endpoints), store, tmp_path)
    assert again.session.transcript == first.session.transcript
    assert list(again.session.ledger) == list(first.session.ledger)
    assert again.report == first.report
    assert again.kept is not None and not again.kept.cut_off
    events = await say(again, "All of it again.")
    assert ended(events).outcome == "reported"
    assert "There is a left effusion." in words(again).values()
    assert set(endpoints.asked.values()) == {1}
    assert ended(events).turn == 2
    assert store.audit.verify().problems == ()
    await again.aclose()


ALL_AGAIN = [(use.name, {}) for use in ALL.tool_uses[:1]] + [
    ("measure", {"measurements": ["cardiothoracic_ratio"]}),
    ("classify", {"findings": ["nodule", "pleural effusion"]}),
    ("segment", {"structures": ["heart"]}),
]


async def test_after_a_cancelled_turn(study: Study, kept: Store, tmp_path: Path) -> None:
    endpoints = Counted()
    endpoints.hang = {"medimageinsight"}
    first = await begin(study, sources(ScriptedModel(script([ALL])), endpoints), kept, tmp_path)
    done = set()
    async for event in first.send("Read this."):
        if isinstance(event, ToolFinished):
            done.add(event.tool)
        if done == {"report_findings", "measure"}:
            first.cancel()
    await first.aclose()
    endpoints.hang = set()
    again = await resume(first, study, sources(ScriptedModel(script([ALL, SUBMIT])), endpoints), kept, tmp_path)
    well_formed(again.session.transcript)
    assert again.session.transcript == first.session.transcript
    assert CUT_SHORT in {one.text for one in again.session.transcript}
    assert ended(await say(again, "Go on.")).outcome == "reported"
    assert set(endpoints.answered.values()) == {1}
    await again.aclose()


async def test_while_a_question_was_open(study: Study, kept: Store, tmp_path: Path) -> None:
    """As after a kill: the turn has no end, and the question no answer."""
    ask = calls(("ask_person", {"question": "What for?", "about": "indication"}))
    first = await begin(study, sources(ScriptedModel(script([ask]))), kept, tmp_path)
    turn = first.send("Read this.")
    async for event in turn:
        if isinstance(event, QuestionAsked):
            break
    model = ScriptedModel(script([ask, "Thank you."]))
    again = await resume(first, study, sources(model), kept, tmp_path)
    assert again.kept is not None and again.kept.cut_off
    well_formed(again.session.transcript)
    async for event in again.send("Go on."):
        if isinstance(event, QuestionAsked):
            again.answer("Cough.")
    await again.aclose()
    with pytest.raises(StoreError) as caught:  # the one that was not killed after all comes too late
        first.answer("Fever.")
        async for _ in turn:
            pass
    assert caught.value.code == "WET-STORE-CONFLICT"
    await first.aclose()
    third = await resume(first, study, sources(ScriptedModel(script(["So."]))), kept, tmp_path)
    assert third.session.study.indication == "Cough."
    await third.use(study=study)
    assert third.session.study.indication == "Cough."
    await third.aclose()


async def test_after_another_model_template_and_prior(study: Study, kept: Store, tmp_path: Path) -> None:
    prior = make_study(tmp_path, seed=7).images[0]
    other = prior.model_copy(update={"handle": "image_2", "role": "prior", "days_before": 90})
    both = study.model_copy(update={"images": (*study.images, other)})
    used = sources(ScriptedModel(script([LOOK, SUBMIT])), models=lambda name: ScriptedModel(script(["So."]), name=name))
    first = await begin(study, used, kept, tmp_path)
    await say(first)
    await first.use(model="other", template="generic", study=both)
    await say(first, "So?")
    with pytest.raises(InputError) as caught:
        await first.use(study=make_study(tmp_path, seed=3))
    assert caught.value.code == "WET-INPUT-STUDY"
    assert first.session.study is both
    await first.aclose()
    with pytest.raises(InputError) as caught:
        await resume(first, study, sources(), kept, tmp_path)
    assert caught.value.code == "WET-INPUT-STUDY"
    again = await resume(first, both, sources(), kept, tmp_path)
    assert again.kept is not None and again.kept.opened is not None
    assert (again.session.template.name, again.kept.opened.model) == ("generic", "other")
    await again.aclose()


async def test_a_prior_that_tools_have_looked_at_is_not_exchanged(study: Study, kept: Store, tmp_path: Path) -> None:
    def with_prior(seed: int) -> Study:
        image = make_study(tmp_path, seed=seed).images[0]
        prior = image.model_copy(update={"handle": "image_2", "role": "prior", "days_before": 90})
        return study.model_copy(update={"images": (*study.images, prior)})

    model = ScriptedModel(script([calls(("segment", {"image": "image_2", "structures": ["heart"]})), "So."]))
    async with await begin(with_prior(7), sources(model), kept, tmp_path) as dialogue:
        await dialogue.use(study=with_prior(8))
        await say(dialogue, "Look at the prior.")
        with pytest.raises(InputError) as caught:
            await dialogue.use(study=with_prior(9))
        assert caught.value.code == "WET-INPUT-STUDY"


async def test_after_a_review_outside(study: Study, kept: Store, tmp_path: Path) -> None:
    first = await begin(study, sources(ScriptedModel(by_turn(SUBMIT))), kept, tmp_path)
    await say(first)
    await first.aclose()
    assert first.report is not None
    kept.reports.put(
        conclude(first.report, by="Bob Example", at=first.report.created, actions=[Reject(statement="S1")])
    )
    again = await resume(first, study, sources(ScriptedModel(by_turn(SUBMIT, SUBMIT))), kept, tmp_path)
    assert again.report is not None and again.report.version == 2
    await say(again, "Draft it again.")
    assert EFFUSION not in words(again).values()
    await again.undo()
    await again.undo()
    assert EFFUSION in words(again).values()
    assert kept.reports.verify(again.report.sha256) == []
    await again.aclose()


async def test_a_study_that_is_another_one_and_a_session_that_cannot_go_on(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    first = await begin(study, sources(), kept, tmp_path)
    await first.aclose()
    with pytest.raises(InputError) as caught:
        await resume(first, make_study(tmp_path, seed=9), sources(), kept, tmp_path)
    assert caught.value.code == "WET-INPUT-STUDY"
    whole = kept.sessions.begin(template="chest-xray", language_model="protocol", modes=())
    with pytest.raises(ReadingError) as not_begun:
        await resume(whole, study, sources(), kept, tmp_path)
    assert not_begun.value.code == "WET-READING-SESSION"
    with pytest.raises(StoreError) as unknown:
        await resume("0" * 16, study, sources(), kept, tmp_path)
    assert unknown.value.code == "WET-STORE-UNKNOWN"


async def test_two_processes_on_one_session_destroy_nothing(study: Study, store: Store, tmp_path: Path) -> None:
    first = await begin(study, sources(ScriptedModel(script([LOOK, SUBMIT, "So.", "So."]))), store, tmp_path)
    await say(first)
    second = await resume(first, study, sources(ScriptedModel(script(["Here."]))), store, tmp_path)
    told = []
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            async for event in first.send("And now?"):
                told.append(event)  # noqa: PERF401 - what came before the error counts
        assert caught.value.code == "WET-STORE-CONFLICT"
    with pytest.raises(StoreError):
        await first.correct([Reject(statement="S1")])
    assert told == []
    assert ended(await say(second, "Where?")).text == "Here."
    await second.correct([Reject(statement="S1")])
    await first.aclose()
    await second.aclose()
    third = await resume(first, study, sources(), store, tmp_path)
    assert third.report == second.report
    assert third.session.transcript == second.session.transcript
    assert store.audit.verify().problems == ()
    await third.aclose()


# what the journal says


def finished(call: str, agent: str = "orchestrator", answer: str = "{}") -> ToolFinished:
    return ToolFinished(agent=agent, call=call, tool="segment", status="ok", summary="", latency_ms=1, answer=answer)


def test_a_result_that_has_no_message_yet_stands_behind_its_use(kept: Store) -> None:
    """Killed between the tool's end and the message; a turn later another such. Specialists have the same call ids."""
    id = kept.sessions.begin(template="t", language_model="m", modes=())
    uses = tuple(ToolUse(id=name, name="segment", arguments="{}") for name in ("a", "b", "c"))
    entries: list[JournalEntry] = [
        TurnStarted(turn=1),
        Said(message=ChatMessage(role="user", text="Read.")),
        Said(message=ChatMessage(role="assistant", tool_uses=uses)),
        finished("a", agent="historian", answer='"not this"'),
        finished("b", answer='"b"'),
        finished("c", answer='"c"'),
        Said(message=ChatMessage(role="tool", text='"c"', tool_use_id="c")),
        TurnStarted(turn=2),
        Said(message=ChatMessage(role="user", text="Go on.")),
        Said(message=ChatMessage(role="assistant", tool_uses=(ToolUse(id="d", name="segment", arguments="{}"),))),
        finished("d", answer='"d"'),
        Said(message=ChatMessage(role="user", text="Measure.")),
        Said(message=ChatMessage(role="assistant", tool_uses=(ToolUse(id="reader_8", name="m", arguments="{}"),))),
        finished("reader_8", agent="reader", answer='"r"'),
    ]
    kept.sessions.append(id, entries, number=1)
    transcript = read_kept(kept, id).state.transcript
    well_formed(transcript)
    said = [(one.role, one.tool_use_id, one.text) for one in transcript]
    assert said == [
        ("user", None, "Read."),
        ("assistant", None, ""),
        ("tool", "a", CUT_SHORT),
        ("tool", "b", '"b"'),
        ("tool", "c", '"c"'),
        ("user", None, "Go on."),
        ("assistant", None, ""),
        ("tool", "d", '"d"'),
        ("user", None, "Measure."),
        ("assistant", None, ""),
        ("tool", "reader_8", '"r"'),
    ]


def test_any_beginning_of_a_journal_is_a_session(study: Study, kept: Store, tmp_path: Path) -> None:
    """Whatever was kept last, the transcript is well-formed and the evidence whole."""

    async def whole() -> list[JournalEntry]:
        model = ScriptedModel(script([ALL, SUBMIT, LOOK, "So."]))
        async with await begin(study, sources(model), kept, tmp_path) as dialogue:
            await say(dialogue)
            await say(dialogue, "Again.")
            return kept.sessions.entries(dialogue.id)

    async def go_on(id: str, store: Store) -> None:
        async with await resume(id, study, sources(ScriptedModel(by_turn("Yes."))), store, tmp_path) as again:
            well_formed(again.session.transcript)
            assert ended(await say(again, "Are you there?")).outcome == "answered"
            well_formed(again.session.transcript)

    entries = [one for one in asyncio.run(whole()) if one.type != "report_kept"]
    with Store.open(tmp_path / "cut.db") as store:
        for length in range(1, len(entries) + 1, 3):
            id = store.sessions.begin(template="chest-xray", language_model="m", modes=())
            store.sessions.append(id, entries[:length], number=1)
            asyncio.run(go_on(id, store))


def test_a_draft_whose_report_was_not_kept_any_more_is_submitted_again(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    """Killed between the answer "accepted" and the report."""

    async def read() -> list[JournalEntry]:
        async with await begin(study, sources(), kept, tmp_path) as dialogue:
            await say(dialogue)
            return kept.sessions.entries(dialogue.id)

    async def go_on(id: str, store: Store) -> None:
        async with await resume(id, study, sources(), store, tmp_path) as again:
            assert ended(await say(again, "Read this.")).outcome == "reported"
            assert again.report is not None

    entries = asyncio.run(read())
    accepted = next(n for n, one in enumerate(entries) if isinstance(one, ToolFinished) and one.tool == "submit_report")
    with Store.open(tmp_path / "cut.db") as store:
        id = store.sessions.begin(template="chest-xray", language_model="protocol", modes=())
        store.sessions.append(id, entries[: accepted + 2], number=1)
        asyncio.run(go_on(id, store))


async def test_pieces_of_text_are_kept_joined(study: Study, kept: Store, tmp_path: Path) -> None:
    class Pieces(ScriptedModel):
        async def complete(self, request: Any, on_text: Any = None) -> Any:
            for piece in ("One ", "two ", "three."):
                on_text(piece)
            return await super().complete(request, None)

    async with await begin(study, sources(Pieces(["One two three."])), kept, tmp_path) as dialogue:
        events = await say(dialogue)
        assert "".join(one.text for one in of(events, TextDelta)) == "One two three."
        pieces = [one for one in kept.sessions.entries(dialogue.id) if isinstance(one, TextDelta)]
        assert "".join(one.text for one in pieces) == "One two three."
        assert len(pieces) == 1


# answers on the disk


async def test_answers_that_cannot_be_read_or_written_cost_a_call_not_the_reading(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    endpoints = Counted()
    (tmp_path / "chat").write_text("a file where a folder should be")
    async with await begin(
        study, sources(ScriptedModel(script([ALL, SUBMIT])), endpoints), kept, tmp_path / "chat"
    ) as dialogue:
        assert ended(await say(dialogue)).outcome == "reported"


async def test_an_answer_that_was_cut_off_is_asked_for_again(study: Study, kept: Store, tmp_path: Path) -> None:
    endpoints = Counted()
    remembered = RememberedEndpoints(endpoints, tmp_path / "answers")
    request = EndpointRequest("cxrreportgen", ("question",), (("What is it?",),), {})
    await remembered.score(request)
    assert (await remembered.score(request)).rows == (await remembered.score(request)).rows
    again = RememberedEndpoints(endpoints, tmp_path / "answers")
    await again.score(request)
    assert list(endpoints.asked.values()) == [1]
    (file,) = (tmp_path / "answers").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    third = RememberedEndpoints(endpoints, tmp_path / "answers")
    await third.score(request)
    assert list(endpoints.asked.values()) == [2]


async def test_an_answer_of_no_use_is_not_in_the_way(study: Study, kept: Store, tmp_path: Path) -> None:
    """An endpoint that answered nonsense is asked again by the next call."""

    class Nonsense(Counted):
        async def score(self, request: EndpointRequest) -> Any:
            reply = await super().score(request)
            if sum(self.asked.values()) == 1:
                reply = type(reply)(rows=[{"nonsense": 1}], origin=reply.origin, model_name=reply.model_name)
            return reply

    endpoints = Nonsense()
    model = ScriptedModel(script([LOOK, LOOK, submit(evidence="E2")]))
    async with await begin(study, sources(model, endpoints), kept, tmp_path) as dialogue:
        events = await say(dialogue)
        assert [one.status for one in of(events, ToolFinished) if one.tool == "report_findings"] == ["failed", "ok"]
        assert list(endpoints.asked.values()) == [2]
        assert ended(events).outcome == "reported"


async def test_a_failing_endpoint_is_no_answer(tmp_path: Path) -> None:
    class Down(Counted):
        async def score(self, request: EndpointRequest) -> Any:
            raise EndpointError("WET-ENDPOINT-SERVER", "Down.")

    remembered = RememberedEndpoints(Down(), tmp_path / "answers")
    request = EndpointRequest("cxrreportgen", ("question",), (("What?",),), {})
    for _ in range(2):
        with pytest.raises(EndpointError):
            await remembered.score(request)
    assert not (tmp_path / "answers").exists()


async def test_answers_nobody_went_on_with_are_let_go_of(study: Study, kept: Store, tmp_path: Path) -> None:
    folder = tmp_path / "chat"
    old, young, foreign = folder / ("a" * 16), folder / ("b" * 16), folder / "notes"
    for one in (old, young, foreign):
        (one / "answers").mkdir(parents=True)
    long_ago = time.time() - (KEPT_DAYS * 24 + 1) * 3600
    for one in (old, foreign):
        os.utime(one / "answers", (long_ago, long_ago))
        os.utime(one, (long_ago, long_ago))
    first = await begin(study, sources(ScriptedModel(script([LOOK, SUBMIT]))), kept, folder)
    assert [one.exists() for one in (old, young, foreign)] == [False, True, True]
    await say(first)
    await first.aclose()
    mine = folder / first.id
    os.utime(mine / "answers", (long_ago, long_ago))
    again = await resume(first, study, sources(), kept, folder)
    assert list((mine / "answers").iterdir())  # the session that is opened keeps its own
    # signed, it needs them no more
    await again.correct([], outcome="sign")
    await again.aclose()
    assert not mine.exists()


def test_a_list_of_sessions_counts_turns(study: Study, kept: Store, tmp_path: Path) -> None:
    async def go() -> Dialogue:
        async with await begin(study, sources(ScriptedModel(by_turn(SUBMIT, "So."))), kept, tmp_path) as dialogue:
            await say(dialogue)
            await say(dialogue, "So?")
            return dialogue

    dialogue = asyncio.run(go())
    (entry,) = kept.sessions.all()
    assert (entry.id, entry.turns, entry.status) == (dialogue.id, 2, "partial")
    assert READER not in "".join(one.model_dump_json() for one in kept.sessions.entries(dialogue.id))

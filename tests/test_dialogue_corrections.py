"""A person's corrections, through drafts that agents make anew: they stand, with author and time, until taken back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dialogues import (
    EFFUSION,
    LOOK,
    READER,
    SUBMIT,
    UNSEEN,
    begin,
    by_turn,
    draft,
    ended,
    make_study,
    of,
    resume,
    say,
    script,
    sources,
    submit,
    words,
)

from wetread.agents.budget import Budget
from wetread.dialogue.dialogue import Dialogue
from wetread.errors import ReviewError, StoreError
from wetread.events import Event, Notice, ReportReady, ToolFinished
from wetread.reports.model import Communication
from wetread.reports.states import check_successor
from wetread.review import Accept, Action, Add, Edit, Judge, Reject, Tell, conclude
from wetread.store import Store
from wetread.study import Study
from wetread.testing.scripted import ScriptedModel, calls
from wetread.vocabulary import Origin

NONE = "No pleural effusion."
OTHER = "Bob Example"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store.db") as store:
        yield store


def notices(events: list[Event]) -> list[str]:
    return [one.message for one in of(events, Notice) if one.code == "WET-REVIEW-KEPT"]


def whole(dialogue: Dialogue, store: Store) -> None:
    """What holds of every chain of versions, however it came about."""
    assert dialogue.report is not None
    versions = [store.reports.get(one.sha256) for one in store.reports.versions(dialogue.report.sha256)]
    assert versions[-1] == dialogue.report == dialogue.session.report
    assert store.reports.verify(dialogue.report.sha256) == []
    for before, after in pairwise(versions):
        check_successor(before, after)
    for report in versions:
        ids = [one.id for one in report.statements()]
        assert len(ids) == len(set(ids))
        evidence = {one.id: one for one in report.evidence}
        assert len(evidence) == len(report.evidence)
        assert {id for one in report.statements() for id in one.evidence} <= set(evidence)
        for decision in report.review.decisions if report.review else ():
            assert (decision.statement in ids) is (report.review.decision(decision.statement).action != "rejected")  # type: ignore[union-attr]
        for statement in report.statements():
            if report.review and report.review.author(statement.id):
                assert any(evidence[id].origin is Origin.PERSON for id in statement.evidence)
    # an id means one thing in all versions
    meant: dict[str, str] = {}
    for report in versions:
        for one in report.evidence:
            assert meant.setdefault(one.id, one.model_dump_json()) == one.model_dump_json()


async def drafted(study: Study, store: Store, folder: Path, *later: Any, **options: Any) -> Dialogue:
    """A dialogue with a first draft, and what the model says then."""
    model = ScriptedModel(by_turn(SUBMIT, *later))
    dialogue = await begin(study, sources(model, **options), store, folder)
    await say(dialogue)
    return dialogue


EDIT = Edit(statement="S1", text=NONE)


@pytest.mark.parametrize(
    ("again", "notice"),
    [
        (submit(impression="As above."), "reads as Ada Example wrote it"),
        (submit("There is a small right pleural effusion.", "As above."), "not as drafted anew"),
        (submit("There is a moderate left pleural effusion.", "As above."), "not as drafted anew"),
        (submit(NONE, "No effusion."), None),
        (submit("The costophrenic angles are sharp.", "As above."), "Kept, as Ada Example wrote it"),
    ],
    ids=["stubborn", "other side", "other words", "adopted", "left out"],
)
async def test_an_edit_stands_whatever_is_drafted_anew(
    study: Study, kept: Store, tmp_path: Path, again: Any, notice: str | None
) -> None:
    dialogue = await drafted(study, kept, tmp_path, again)
    first = await dialogue.correct([EDIT])
    assert first.review is not None
    decision = first.review.decisions[-1]
    for _ in range(3):
        events = await say(dialogue, "Draft it again.")
        report = dialogue.report
        assert report is not None and report.review is not None
        (mine,) = [one for one in report.statements() if one.text == NONE]
        assert EFFUSION not in words(dialogue).values()
        assert report.review.author(mine.id) == READER
        assert [one.model_copy(update={"statement": "S1"}) for one in report.review.decisions] == [decision]
        said = notices(events)
        assert bool(said) is (notice is not None), said
        assert notice is None or notice in said[0]
        assert any(one.origin is Origin.PERSON for one in report.evidence if one.id in mine.evidence)
        assert sum(one.origin is Origin.PERSON for one in report.evidence) == 1
        whole(dialogue, kept)
    await dialogue.aclose()


async def test_the_protocol_does_not_undo_an_edit(study: Study, kept: Store, tmp_path: Path) -> None:
    dialogue = await begin(study, sources(), kept, tmp_path)
    assert ended(await say(dialogue, "Read this.")).outcome == "reported"
    id = next(id for id, text in words(dialogue).items() if "effusion" in text.lower())
    await dialogue.correct([Edit(statement=id, text=NONE)])
    await dialogue.use(template="generic")
    await say(dialogue, "Read this.")
    assert NONE in words(dialogue).values()
    assert dialogue.report is not None and dialogue.report.template == "generic"
    whole(dialogue, kept)
    await dialogue.aclose()


async def test_what_was_taken_out_stays_out_and_the_opposite_may_come(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    quiet, opposite = submit("The lungs are clear.", "As above."), submit(NONE, "No effusion.")
    dialogue = await drafted(study, kept, tmp_path, quiet, SUBMIT, opposite)
    await dialogue.correct([Reject(statement="S1", reason="It is a fold.")])
    await say(dialogue, "Again.")
    events = await say(dialogue, "Again.")  # two drafts later it is said again
    assert notices(events) == [f"Left out again, as {READER} decided: {EFFUSION}"]
    assert EFFUSION not in words(dialogue).values()
    assert "Small left pleural effusion." in words(dialogue).values()  # the impression was not taken out
    assert dialogue.report is not None
    # ... and is objected to until a person or a draft mends it
    assert [one.where for one in dialogue.report.issues if one.code == "CON-2"] == list(words(dialogue))
    pleura = next(one for one in dialogue.report.findings if one.system == "pleura")
    assert (pleura.status, pleura.reason) == ("not_assessed", "It is a fold.")
    await say(dialogue, "Again.")
    assert NONE in words(dialogue).values()
    assert dialogue.report.review is not None
    assert [(one.action, one.by, one.before) for one in dialogue.report.review.decisions] == [
        ("rejected", READER, EFFUSION)
    ]
    whole(dialogue, kept)
    await dialogue.aclose()


async def test_a_sentence_that_says_more_than_what_was_taken_out_is_told(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    more = submit("There is a small left pleural effusion and a small left pneumothorax.", "As above.")
    dialogue = await drafted(study, kept, tmp_path, more)
    await dialogue.correct([Reject(statement="S1")])
    events = await say(dialogue, "Again.")
    assert "says again, among other things" in notices(events)[0]
    assert "pneumothorax" in words(dialogue)["S1"]
    await dialogue.aclose()


async def test_two_persons_words_and_an_acceptance_go_on(study: Study, kept: Store, tmp_path: Path) -> None:
    dialogue = await drafted(study, kept, tmp_path, SUBMIT)
    await dialogue.correct([Edit(statement="S1", text="There is a left effusion."), Accept(statement="S2")])
    dialogue.reader = OTHER
    await dialogue.correct(
        [Edit(statement="S1", text="There is a tiny left effusion."), Add(place="lungs", text="The lungs are clear.")]
    )
    before = dialogue.report
    assert before is not None and before.review is not None
    for _ in range(2):
        await say(dialogue, "Again.")
    report = dialogue.report
    assert report is not None and report.review is not None
    told = [(one.action, one.by, one.at, one.before) for one in report.review.decisions]
    assert told == [(one.action, one.by, one.at, one.before) for one in before.review.decisions]
    assert [by for action, by, *_ in told if action == "edited"] == [READER, OTHER]
    assert set(words(dialogue).values()) == {
        "There is a tiny left effusion.", "The lungs are clear.", "Small left pleural effusion.",
    }  # fmt: skip
    whole(dialogue, kept)
    await dialogue.aclose()


async def test_an_acceptance_of_words_that_are_gone_is_told(study: Study, kept: Store, tmp_path: Path) -> None:
    dialogue = await drafted(study, kept, tmp_path, submit("There is a left effusion."))
    await dialogue.correct([Accept(statement="S1")])
    events = await say(dialogue, "Again.")
    assert notices(events) == [f"No longer as {READER} accepted it: {EFFUSION}"]
    whole(dialogue, kept)
    await dialogue.aclose()


async def test_a_record_of_communication_and_a_verdict_go_on(study: Study, kept: Store, tmp_path: Path) -> None:
    large = submit("There is a large left pneumothorax with mediastinal shift.", "Large left pneumothorax.")
    dialogue = await begin(study, sources(ScriptedModel(by_turn(large))), kept, tmp_path)
    await say(dialogue)
    assert dialogue.report is not None
    (result,) = dialogue.report.critical[:1]
    told = Communication(to="Dr. Who", by=READER, at=dialogue.report.created, how="phone")
    await dialogue.correct(
        [Tell(finding=result.finding, side=result.side, record=told), Judge(evidence="E1", verdict="reject")]
    )
    await say(dialogue, "Again.")
    assert dialogue.report.version == 3
    assert dialogue.report.critical[0].communication == told
    assert dialogue.report.critical[0].found == result.found
    assert dialogue.report.review is not None
    verdict = dialogue.report.review.verdict("E1")
    assert verdict is not None and (verdict.verdict, verdict.stated) == ("reject", True)
    whole(dialogue, kept)
    await dialogue.aclose()


@pytest.mark.parametrize("outcome", ["preliminary", "sign"])
async def test_no_draft_replaces_what_a_person_answers_for(
    study: Study, kept: Store, tmp_path: Path, outcome: Any
) -> None:
    """The turn ends with a clear message, after the agent had one chance to do something else."""
    dialogue = await drafted(study, kept, tmp_path, SUBMIT, "It is released.", SUBMIT)
    released = await dialogue.correct([], outcome=outcome)
    events = await say(dialogue, "Draft it again.")
    assert [one.status for one in of(events, ToolFinished) if one.tool == "submit_report"] == ["failed", "failed"]
    assert ended(events).outcome == "answered"
    assert f"The report is {released.status}" in ended(events).text
    assert ended(await say(dialogue, "And now?")).text == "It is released."
    # a turn that ends early leaves it alone as well
    dialogue.session.budget = Budget(tool_calls=1)
    events = await say(dialogue, "Look again.")
    assert ended(events).outcome == "budget"
    assert not of(events, ReportReady)
    assert dialogue.report == released == kept.reports.get(released.sha256[:12])
    await dialogue.aclose()


async def test_a_turn_that_ends_early_leaves_a_whole_report_alone(study: Study, kept: Store, tmp_path: Path) -> None:
    dialogue = await drafted(study, kept, tmp_path, calls(("study_context", {})))
    await dialogue.correct([EDIT])
    dialogue.session.budget = Budget(model_calls=1)
    events = await say(dialogue, "Why?")
    assert (ended(events).outcome, of(events, ReportReady)) == ("budget", [])
    assert "The report stands as it was." in ended(events).text
    assert words(dialogue)["S1"] == NONE
    await dialogue.aclose()


async def test_evidence_of_persons_and_tools_never_share_an_id(study: Study, kept: Store, tmp_path: Path) -> None:
    both = calls(("classify", {"findings": ["pneumothorax"]}), ("measure", {"measurements": ["cardiothoracic_ratio"]}))
    propose = calls(
        ("propose_edit", {"do": "edit", "statement": "S1", "text": NONE}),
        ("classify", {"findings": ["nodule"]}),
        ("study_context", {}),
    )
    model = ScriptedModel(script([LOOK, SUBMIT, both, "So.", propose, "So.", *[SUBMIT] * 3]))
    dialogue = await begin(study, sources(model), kept, tmp_path)
    await say(dialogue)
    await dialogue.correct([Edit(statement="S2", text="Small effusion.")])
    await say(dialogue, "Measure.")
    async for event in dialogue.send("Change it."):
        if event.type == "question_asked":
            dialogue.answer("yes")
    await say(dialogue, "Draft it.")
    whole(dialogue, kept)
    id = dialogue.id
    await dialogue.aclose()
    again = await resume(id, study, sources(ScriptedModel(script([both, SUBMIT, SUBMIT, SUBMIT]))), kept, tmp_path)
    await again.correct([Edit(statement="S1", text="No effusion.")])
    await say(again, "Draft it.")
    whole(again, kept)
    assert {"No effusion.", "Small effusion."} <= set(words(again).values())
    await again.aclose()


async def test_undo_takes_back_one_after_the_other_and_after_resuming(
    study: Study, kept: Store, tmp_path: Path
) -> None:
    dialogue = await drafted(study, kept, tmp_path, submit("There is a left effusion."))
    said = [words(dialogue)]
    await dialogue.correct([EDIT])
    said.append(words(dialogue))
    await dialogue.correct([Accept(statement="S2")])
    await dialogue.correct([Accept(statement="S1")])
    await say(dialogue, "Again.")
    said.append(words(dialogue))
    assert (await dialogue.undo()).version == 6
    assert words(dialogue) == said[1]
    await dialogue.undo()
    await dialogue.aclose()
    again = await resume(dialogue, study, sources(), kept, tmp_path)
    assert words(again) == said[1]
    await again.undo()
    assert words(again) == said[1]
    await again.undo()
    assert words(again) == said[0]
    with pytest.raises(ReviewError) as caught:
        await again.undo()
    assert caught.value.code == "WET-REVIEW-NOTHING"
    assert again.report is not None and again.report.version == 9
    await again.correct([EDIT])
    await again.undo()
    assert words(again) == said[0]
    await again.correct([], outcome="sign")
    with pytest.raises(ReviewError) as caught:
        await again.undo()
    assert caught.value.code == "WET-REVIEW-SIGNED"
    whole(again, kept)
    await again.aclose()


async def test_what_was_taken_back_speaks_no_more(study: Study, kept: Store, tmp_path: Path) -> None:
    """An edit that was undone neither holds against a new draft, nor does what the person saw."""
    dialogue = await drafted(study, kept, tmp_path, SUBMIT)
    await dialogue.correct([EDIT])
    await dialogue.undo()
    assert notices(await say(dialogue, "Again.")) == []
    assert dialogue.report is not None
    assert EFFUSION in words(dialogue).values()
    assert not [one for one in dialogue.report.evidence if one.origin is Origin.PERSON]
    whole(dialogue, kept)
    await dialogue.aclose()


async def test_a_review_outside_of_the_session_is_taken_up(study: Study, kept: Store, tmp_path: Path) -> None:
    more = calls(("classify", {"findings": ["nodule"]}), ("study_context", {}))
    model = ScriptedModel(script([LOOK, SUBMIT, more, "So.", *[SUBMIT] * 3]))
    dialogue = await begin(study, sources(model), kept, tmp_path)
    await say(dialogue)
    await say(dialogue, "What else?")  # issues E2 and E3, which the report does not have
    assert dialogue.report is not None
    outside = conclude(dialogue.report, by=OTHER, at=dialogue.report.created, actions=[EDIT])
    kept.reports.put(outside)
    with pytest.raises(StoreError) as caught:
        await dialogue.correct([Reject(statement="S1")])
    assert caught.value.code == "WET-STORE-CONFLICT"
    assert dialogue.report == outside
    await dialogue.correct([Accept(statement="S1")])
    kept.reports.put(conclude(dialogue.report, by=OTHER, at=outside.created, actions=[Accept(statement="S2")]))
    events = await say(dialogue, "Draft it again.")
    assert [one.report.version for one in of(events, ReportReady)] == [4, 5]
    assert NONE in words(dialogue).values()
    # its evidence had an id that the session had issued to a tool: from the draft on it means one thing again
    (mine,) = [one for one in dialogue.report.statements() if one.text == NONE]
    by_id = {one.id: one for one in dialogue.report.evidence}
    assert [by_id[id].origin for id in mine.evidence if by_id[id].origin is Origin.PERSON]
    assert by_id["E2"].origin is not Origin.PERSON
    assert kept.reports.verify(dialogue.report.sha256) == []
    await dialogue.aclose()


@pytest.mark.parametrize("seed", range(12))
async def test_any_course_of_corrections_and_drafts_keeps_what_holds(
    study: Study, kept: Store, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    texts = [EFFUSION, NONE, "There is a right pleural effusion.", "The lungs are clear.", "The heart is enlarged.",
             "Comparison is limited by rotation.", "There is a small left effusion and a nodule."]  # fmt: skip
    systems = ("pleura", "lungs", "heart")

    def any_draft(request: Any) -> Any:
        if len(request.messages) <= 3:
            return LOOK
        rows = [
            {"system": chance.choice(systems), "text": chance.choice(texts), "evidence": ["E1"]}
            for _ in range(chance.randint(1, 4))
        ]
        rest = dict.fromkeys((*UNSEEN, "pleura"), "No tool looked at it.")
        lines = [{"text": chance.choice(texts), "evidence": ["E1"]}]
        return calls(("submit_report", draft(findings=rows, impression=lines) | {"not_assessed": rest}))

    dialogue = await begin(study, sources(ScriptedModel(script(any_draft))), kept, tmp_path)
    await say(dialogue)
    mine: set[tuple[str, str]] = set()
    stack = [set(mine)]
    for step in range(10):
        ids = list(words(dialogue))
        what = chance.choice(["edit", "reject", "add", "draft", "draft", "undo", "resume"])
        action: Action | None = None
        if what == "edit" and ids:
            action = Edit(statement=chance.choice(ids), text=f"{chance.choice(texts)[:-1]} {step}.")
        elif what == "reject" and ids:
            action = Reject(statement=chance.choice(ids))
        elif what == "add":
            action = Add(place=chance.choice([*systems, "impression"]), text=f"{chance.choice(texts)[:-1]} {step}.")
        if action is not None:
            dialogue.reader = chance.choice([READER, OTHER])
            await dialogue.correct([action])
            mine = _persons(dialogue)
            stack.append(set(mine))
        elif what == "draft":
            await say(dialogue, "Draft it again.")
            stack.append(set(mine))
        elif what == "undo" and len(stack) > 1:
            await dialogue.undo()
            stack.pop()
            mine = set(stack[-1])
        elif what == "resume":
            model = dialogue._model
            await dialogue.aclose()
            dialogue = await resume(dialogue, study, sources(model), kept, tmp_path)
        assert _persons(dialogue) == mine, (step, what)
        whole(dialogue, kept)
    await dialogue.aclose()


def _persons(dialogue: Dialogue) -> set[tuple[str, str]]:
    """The words that stand on a person's authority, with their author."""
    report = dialogue.report
    assert report is not None
    return {(one.text, by) for one in report.statements() if report.review and (by := report.review.author(one.id))}

"""Commands that show a reading, measure, and change what it is read with."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from chat_desk import ADA, Chat, texts

from wetread.config import Settings
from wetread.events import ToolStarted

# --- showing


async def test_the_report_and_its_issues(read: Chat) -> None:
    text = await read.type("/report")
    assert "SIMULATED" in text and "FINDINGS" in text and texts(read.report)["S1"] in text
    assert "cited by" in await read.type("/report full")
    assert "not “long”" in await read.type("/report long")
    assert re.search(r"SEC-1 +lines_and_tubes", await read.type("/issues"))


async def test_evidence_by_id_in_any_way_of_writing(read: Chat) -> None:
    cards = {await read.type(line) for line in ("/evidence E2", "/evidence [e2]", "e2", "/evidence e 2")}
    (card,) = cards
    assert "[E2] report_findings" in card and "cited by" in card and "simulated" in card
    every = await read.type("/evidence")
    assert all(f"[{one.id}]" in every for one in read.dialogue.session.ledger)
    assert "There is no evidence E99. There are: E1 to E6." in await read.type("/evidence e99")
    assert "There is no evidence heart." in await read.type("/evidence heart")


async def test_why_a_statement_stands(read: Chat) -> None:
    measured = next(one.id for one in read.report.statements() if "cardiothoracic" in one.text)
    text = await read.type(f"/why {measured.lower()}")
    assert "supported by its evidence" in text and "[E4] measure" in text and "[E3] segment" in text
    assert text == await read.type(f"[{measured}]")
    assert "What [E4] was made of" in await read.type("/why E4")
    assert "Which statement? There are: S1 to" in await read.type("/why")
    assert "There is no statement S77." in await read.type("/why S77")
    await read.type("/edit S1 The lungs are clear.", ADA)
    assert "written by the reader; drafted as “" in await read.type("/why S1")


async def test_pictures(read: Chat) -> None:
    for line in ("/show", "image_1", "/show [e3]", "/show s1"):
        assert await read.type(line) == ""
    assert [view.pixels is not None for view in read.screen.views] == [True] * 4
    assert [view.caption.split(" ")[0] for view in read.screen.views] == ["image_1", "image_1", "E3", "S1"]
    assert "There is no image_7. There are: image_1." in await read.type("/show image_7")
    assert "There is no statement S77." in await read.type("/show S77")
    assert "There is no evidence E77." in await read.type("/show E77")


async def test_how_pictures_are_shown(bare: Chat) -> None:
    assert "blocks" in await bare.type("/images")
    assert "Pictures are off" in await bare.type("/images OFF") and bare.screen.how == "off"
    assert "WET-INPUT-OPTION" in await bare.type("/images paper")


# --- measuring, and what it is read with


async def test_measuring_makes_evidence_that_agents_and_the_store_know(chat: Chat) -> None:
    text = await chat.type("/measure ctr")
    assert re.search(r"✓ measure cardiothoracic ratio on image_1 · cardiothoracic ratio 0\.\d+ +\[E1\]", text)
    assert "reader ›" not in text and "[E1] measure" in text
    (asked, called, answered) = chat.dialogue.session.transcript
    assert (asked.role, asked.text) == ("user", "/measure ctr")
    assert called.tool_uses[0].name == "measure" and answered.tool_use_id == called.tool_uses[0].id
    again = await chat.type("/measure ratio of the heart")
    assert "answered before" not in again
    assert "answered before as E1" in await chat.type("/measure ctr")
    await chat.read()
    assert chat.report.evidence[0].tool == "measure"
    kept = chat.desk.store.sessions.evidence(chat.dialogue.id)
    assert [one.id for one in kept] == [one.id for one in chat.dialogue.session.ledger]
    assert [message.role for message in chat.dialogue.session.transcript[:3]] == ["user", "assistant", "tool"]


async def test_a_session_with_a_measurement_goes_on(chat: Chat) -> None:
    await chat.type("/measure ctr")
    from wetread.dialogue.kept import read_kept

    kept = read_kept(chat.desk.store, chat.dialogue.id)
    assert kept.state.transcript == chat.dialogue.session.transcript and not kept.cut_off
    assert sorted(one.id for one in kept.state.evidence) == ["E1", "E2"] and kept.state.turns == 0


async def test_what_cannot_be_measured_is_said(chat: Chat) -> None:
    text = await chat.type("/measure areas and diameters of the left lung on image 1")
    assert "left lung percent" in text
    assert "Not measurable: left lung diameter: the image has no pixel spacing." in text
    assert "“spleen” cannot be measured." in await chat.type("/measure spleen")
    assert "There is no image 'image_9'" in await chat.type("/measure ctr on image_9")
    assert len(chat.dialogue.session.ledger) == 2


async def test_a_measurement_that_is_cancelled_leaves_a_whole_transcript(chat: Chat) -> None:
    chat.endpoints.slow = True
    async for event in chat.dialogue.call("measure", {}, said="/measure"):
        if isinstance(event, ToolStarted) and event.tool == "segment":
            assert chat.dialogue.busy
            chat.dialogue.cancel()
    assert not chat.dialogue.busy
    assert [message.role for message in chat.dialogue.session.transcript] == ["user", "assistant", "tool"]
    assert chat.dialogue.session.transcript[-1].failed
    # at once, before anything of it has begun
    typed = asyncio.ensure_future(chat.type("/measure areas"))
    await asyncio.sleep(0)
    chat.dialogue.cancel()
    await typed
    assert not chat.dialogue.busy
    chat.endpoints.slow = False
    assert "cardiothoracic ratio 0." in await chat.type("/measure")


async def test_a_prior_is_added_and_images_keep_their_names(read: Chat, pictures: Path) -> None:
    assert "Added [image_2]" in await read.type(f"/prior {pictures / 'earlier film.png'}")
    study = read.dialogue.session.study
    assert [(one.handle, one.role) for one in study.images] == [("image_1", "current"), ("image_2", "prior")]
    assert read.desk.files is not None and len(read.desk.files.prior) == 1
    assert "prior report" in await read.type(f"/prior '{pictures}/report.txt'")
    assert read.dialogue.session.study.prior_report is not None and len(read.dialogue.session.study.images) == 2
    assert "among the study's images already" in await read.type(f"/prior {pictures / 'earlier film.png'}")
    before = read.dialogue.session.study
    for words, said in (
        ("", "Which earlier image"),
        ("nowhere.png", "WET-INPUT-MISSING"),
        ("'a b", "not closed"),
        ("a.txt b.txt", "one prior report"),
    ):
        assert said in await read.type(f"/prior {words}")
    assert read.dialogue.session.study is before
    await read.read()
    assert read.report.version > 1


async def test_what_a_person_said_of_the_exam_outlives_a_prior(read: Chat, pictures: Path) -> None:
    reading = read.dialogue.session.reading
    reading.study = reading.study.model_copy(update={"indication": "Cough."})
    await read.type(f"/prior {pictures / 'earlier film.png'}")
    assert read.dialogue.session.study.indication == "Cough."


async def test_a_study_that_nobody_named_gets_no_prior(read: Chat, pictures: Path) -> None:
    read.desk.files = None
    assert "cannot be read again" in await read.type(f"/prior {pictures / 'earlier film.png'}")


async def test_templates(read: Chat) -> None:
    text = await read.type("/template")
    assert re.search(r"▸ chest-xray +Chest radiograph", text) and "is for MR" in text
    assert "the next draft is made by it" in await read.type("/template chest-xray-portable")
    assert read.dialogue.session.template.name == "chest-xray-portable"
    assert "already" in await read.type("/template chest-xray-portable")
    assert "WET-CONFIG-TEMPLATE" in await read.type("/template nope")
    assert "WET-INPUT-TEMPLATE" in await read.type("/template mr-brain-lesion")
    assert read.dialogue.session.template.name == "chest-xray-portable"


async def test_models(chat: Chat) -> None:
    assert re.search(r"▸ protocol +rules", await chat.type("/model"))
    assert "From here on protocol reads." in await chat.type("/model protocol")
    assert "WET-CONFIG-MODEL" in await chat.type("/model openai:some")
    for name in ("gpt", "openai:", "openai"):
        assert "WET-INPUT-OPTION" in await chat.type(f"/model {name}")
    chat.desk.settings = Settings(model="openai:some")
    assert "openai:some" in await chat.type("/model")


async def test_agents_and_tools(chat: Chat) -> None:
    text = await chat.type("/agents")
    assert "orchestrator" in text and "not asked: the study has no prior_report or history" in text
    text = await chat.type("/tools")
    assert "MedImageParse" in text and "not configured" not in text

"""Commands that change, sign, save and export a report."""

from __future__ import annotations

import pytest
from chat_desk import ADA, PNEUMOTHORAX, Chat, ids, texts

from wetread.config import Settings
from wetread.review import Edit

# --- changing


async def test_an_edit_shows_what_changed_and_asks_for_a_name_once(read: Chat) -> None:
    before = texts(read.report)
    text = await read.type("/edit s1 " + PNEUMOTHORAX, "protocol", ADA)
    assert "WET-REVIEW-NAME" in text  # the protocol is no person
    assert f"[S1] [-{before['S1']}-] {{+{PNEUMOTHORAX}+}}" in text
    assert "CRITICAL RESULT" in text and "✓ Version 2, partial · " in text and "new: " in text and "CON-1" in text
    assert read.redrawn and read.report.version == 2
    text = await read.type("/edit S2", "The lungs are otherwise clear.")
    assert read.screen.asked[-1] == ("New text of S2", (), before["S2"])
    assert "Version 3" in text and texts(read.report)["S2"] == "The lungs are otherwise clear."
    assert read.report.review is not None and read.report.review.author("S2") == ADA


@pytest.mark.parametrize("answer", [None, "", "   "])
async def test_an_edit_that_is_left_changes_nothing(read: Chat, answer: str | None) -> None:
    assert "[S1] stands as it was." in await read.type("/edit S1", answer)
    assert read.report.version == 1


async def test_without_a_name_nothing_is_changed(read: Chat) -> None:
    for answer in (None, ""):
        assert "A change needs your name." in await read.type("/drop S1", answer)
    assert "WET-REVIEW-NAME" in await read.type("/drop S1", "agent", "reader", "wetread")
    assert read.report.version == 1


async def test_the_name_is_told_and_taken_from_the_settings(read: Chat) -> None:
    assert "Nobody gave a name yet" in await read.type("/reader")
    read.desk.settings = Settings(reader="Bo Other")
    assert "Changes are by Bo Other." in await read.type("/reader")
    await read.type("/drop S1")
    assert read.report.review is not None and read.report.review.by == "Bo Other"
    assert f"Changes are by {ADA}." in await read.type(f"/reader {ADA}")
    assert (read.desk.reader, read.dialogue.reader) == (ADA, ADA)
    assert "WET-REVIEW-NAME" in await read.type("/reader protocol")
    assert read.desk.reader == ADA


async def test_drop_add_and_undo(read: Chat) -> None:
    await read.type(f"/reader {ADA}")
    before = texts(read.report)
    assert f"[S3] [-{before['S3']}-]" in await read.type("/drop S3 Not seen.")
    assert read.report.review is not None and read.report.review.decisions[-1].reason == "Not seen."
    assert "{+The bones are intact.+}" in await read.type("/add Bones: The bones are intact.")
    assert "{+Ratio: normal.+}" in await read.type("/add heart=Ratio: normal.")
    added = ids(read.report)
    assert await read.type("/undo") and len(ids(read.report)) == len(added) - 1
    await read.type("/undo")
    await read.type("/undo")
    assert texts(read.report) == before
    assert "There is nothing to take back." in await read.type("/undo")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/edit", "Which statement? There are: S1 to S9."),
        ("/edit heart too large", "There is no statement heart."),
        ("/edit S77 x", "There is no statement S77."),
        ("/edit S1 {E9.nothing} heart.", "WET-REVIEW-TEXT"),
        ("/drop", "Which statement?"),
        ("/add", "Write /add PLACE: TEXT"),
        ("/add The bones are intact.", "Write /add PLACE: TEXT"),
        ("/add bones:", "Write /add PLACE: TEXT"),
        ("/add elbow: Normal.", "The report has no place elbow."),
        ("/fill", "this template has no fields"),
        ("/fill size: 8", "WET-REVIEW-FIELD"),
        ("/sign now", "/sign takes nothing or “preliminary”"),
    ],
)
async def test_what_cannot_be_changed_is_one_line(read: Chat, line: str, said: str) -> None:
    read.dialogue.reader = ADA
    text = await read.type(line)
    assert said in text and text.startswith("✗ WET-") and "\n" not in text
    assert read.report.version == 1


# --- review and signature


async def test_signing_asks_once_more_and_says_who(read: Chat) -> None:
    text = await read.type("/sign", ADA, "no")
    assert "Not signed." in text and read.report.version == 1
    assert read.screen.asked[-1][:2] == (f"Sign version 2 as final, in the name of {ADA}?", ("yes", "no"))
    text = await read.type("/sign", "perhaps", "y")
    assert "Version 2, final (was partial)" in text
    assert read.report.review is not None and read.report.review.signatures[-1].by == ADA
    assert "WET-REVIEW-SIGNED" in await read.type("/drop S1")
    assert "WET-REVIEW-SIGNED" in await read.type("/undo")


async def test_what_stands_against_signing_is_shown_and_signed_over_with_a_reason(read: Chat) -> None:
    read.dialogue.reader = ADA
    await read.dialogue.correct([Edit(statement="S1", text=PNEUMOTHORAX)])
    record = ("Dr. C", ADA, "2030-05-06T09:00+02:00", "telephone")
    text = await read.type("/sign", *record, "")
    assert "This stands against signing:" in text and "CON-1" in text and "Not signed. Nothing was changed." in text
    assert read.report.version == 2
    await read.type("/sign", *record, "Seen by me.", "yes")
    assert read.report.status == "final" and read.report.critical[0].communication.to == "Dr. C"
    assert read.report.review is not None
    assert {one.reason for one in read.report.review.overrides} == {"Seen by me."}


async def test_the_record_of_a_critical_result_is_asked_for_until_it_is_one(read: Chat) -> None:
    read.dialogue.reader = ADA
    await read.dialogue.correct([Edit(statement="S1", text=PNEUMOTHORAX)])
    text = await read.type("/sign", "Dr. C", ADA, "yesterday", "", "Dr. C", ADA, "2030-05-06T09:00", "by hand", None)
    assert "That is no time." in text and "Who was told?" in text
    asked = [(question, initial) for question, _, initial in read.screen.asked]
    assert asked[:2] == [("Told to", ""), ("Told by", ADA)] and asked[4] == ("Told to", "Dr. C")
    assert read.report.version == 2
    # nobody was told: no reason helps
    assert "WET-REVIEW-CRITICAL" in await read.type("/sign", "", ADA, "", "")
    assert read.report.version == 2


async def test_a_report_is_released_as_preliminary(read: Chat) -> None:
    assert "Version 2, preliminary (was partial)" in await read.type("/sign Preliminary", ADA)


async def test_a_review_goes_through_the_statements(read: Chat) -> None:
    before = texts(read.report)
    rest = ["skip"] * (len(before) - 4)
    said = ["a", "edit", "{E9.x}", "The lungs are otherwise clear.", "3", "what?", "e", "", *rest]
    added = ["bones", "elbow: Normal.", "bones: The bones are intact.", ""]
    text = await read.type("/review", ADA, *said, *added, "keep")
    assert all(f"[{id}]" in text for id in before)
    assert "WET-REVIEW-TEXT" in text and "WET-REVIEW-PLACE" in text and "That is no PLACE: TEXT." in text
    review = read.report.review
    assert review is not None and read.report.version == 2 and read.report.status == "partial"
    assert [(one.statement, one.action) for one in review.decisions] == [
        ("S1", "accepted"),
        ("S2", "edited"),
        ("S3", "rejected"),
        (ids(read.report)[-2], "added"),
    ]


@pytest.mark.parametrize(
    "answers",
    [[None], ["q", None], ["q", "", "quit"], ["a", "q", "", None], ["e", None]],
)
async def test_a_review_that_is_left_changes_nothing(read: Chat, answers: list[str | None]) -> None:
    assert "You left. Nothing was changed." in await read.type("/review", ADA, *answers)
    assert read.report.version == 1


async def test_a_review_signs_what_blocks_with_a_reason(read: Chat) -> None:
    read.dialogue.reader = ADA
    record = ["Dr. C", "", "", "telephone"]
    await read.dialogue.correct([Edit(statement="S1", text=PNEUMOTHORAX)])
    text = await read.type("/review", "q", "", *record, "preliminary")
    assert read.report.status == "preliminary" and "Version 3" in text
    text = await read.type("/review", "q", "", ADA, "2030-05-06T09:00", "sign", "", "sign", "I saw it.")
    assert "WET-REVIEW-BLOCKED" in text and read.report.status == "final"
    # a signed one is changed by signing again
    text = await read.type("/review", "r", "q", "", "correct")
    assert read.report.status == "corrected"


# --- files


async def test_exports(read: Chat) -> None:
    text = await read.type("/export")
    assert "fhir" in text and text == await read.type("/export list")
    assert "Written to out: report.md, report.json" in await read.type("/export md,json out")
    assert (read.folder / "out" / "report.md").is_file()
    await read.type("/export html")
    assert (read.folder / "wetread-out" / read.dialogue.id / "report.html").is_file()
    for words, said in (("paper", "/export: there is no format"), ("md a b", "One folder"), ("md 'a", "not closed")):
        assert said in await read.type(f"/export {words}")
    (read.folder / "file").touch()
    assert "WET-INPUT-OUT" in await read.type("/export md file")


@pytest.mark.slow
async def test_an_export_of_all_leaves_out_what_cannot_be_made(read: Chat) -> None:
    text = await read.type("/export all out")
    assert "WET-EXPORT-" in text and "report.json" in text
    assert "WET-EXPORT-" in await read.type("/export dicom-seg out")  # a picture has no DICOM to refer to


async def test_the_report_is_saved_with_its_pictures(read: Chat) -> None:
    assert "Written to a b: report.html, report.md, report.json, image_1-overlay.jpg" in await read.type("/save 'a b'")
    assert "WET-INPUT-OUT" in await read.type("/save /proc/nowhere")

"""The commands of the chat, typed at a desk with a real dialogue behind it: what they do, refuse and complete."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from wetread.agents.chat import ChatModel
from wetread.agents.models import chat_model
from wetread.apps.chat import commands
from wetread.apps.chat.commands import COMMANDS, completions
from wetread.apps.chat.desk import Desk, StudyFiles
from wetread.apps.chat.views import Story
from wetread.apps.pictures.views import View
from wetread.config import Settings
from wetread.dialogue.dialogue import Dialogue, Sources
from wetread.errors import InputError
from wetread.events import Event, ToolStarted
from wetread.reports.model import Report
from wetread.review import Edit
from wetread.store import Store
from wetread.testing import SimulatedEndpoints
from wetread.testing.phantom import chest_phantom
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest

ADA = "Ada Example"
ROOT = Path(__file__).parents[1]
PNEUMOTHORAX = "There is a large left pneumothorax."


class Screen:
    """Remembers what is shown, and answers from a list; `None` leaves the question."""

    def __init__(self) -> None:
        self.answers: list[str | None] = []
        self.asked: list[tuple[str, tuple[str, ...], str]] = []
        self.views: list[View] = []
        self.how = "blocks"
        self._shown: list[RenderableType] = []

    def show(self, what: RenderableType) -> None:
        self._shown.append(what)

    async def picture(self, make: Callable[[tuple[int, int]], View]) -> None:
        self.views.append(await asyncio.to_thread(make, (64, 64)))

    def images(self, how: str | None = None) -> str:
        if how not in (None, "off", "blocks"):
            raise InputError("WET-INPUT-OPTION", "There is no such way.")
        self.how = how or self.how
        return self.how

    async def ask(self, question: str, *, options: Sequence[str] = (), initial: str = "") -> str | None:
        self.asked.append((question, tuple(options), initial))
        assert self.answers, f"nobody expected the question {question!r}"
        return self.answers.pop(0)

    def text(self) -> str:
        """What was shown since it was asked last, in one line each."""
        out = io.StringIO()
        console = Console(file=out, width=400, highlight=False, markup=False, emoji=False)
        for what in self._shown:
            console.print(what)
        self._shown.clear()
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


class Endpoints(SimulatedEndpoints):
    """Simulated endpoints that never answer while they are `slow`."""

    slow = False

    async def score(self, request: EndpointRequest) -> EndpointReply:
        if self.slow:
            await asyncio.Event().wait()
        return await super().score(request)


class Chat:
    """A desk with all that is behind it."""

    def __init__(self, folder: Path, store: Store, files: StudyFiles | None) -> None:
        self.folder = folder
        self.screen = Screen()
        self.begun: list[Sequence[str]] = []
        self.resumed: list[str | None] = []
        self.left = 0
        self.redrawn = 0
        self.endpoints = Endpoints()
        self.desk = Desk(
            screen=self.screen,
            settings=Settings(),
            workspace=folder,
            store=store,
            begin=self._begin,
            resume=self._resume,
            send=lambda text: None,
            follow=self.follow,
            leave=self._leave,
            files=files,
            watchers=[self._redraw],
        )

    async def type(self, line: str, *answers: str | None) -> str:
        """Enter a line, give these answers; returns what was shown. All answers must have been asked for."""
        self.screen.answers = list(answers)
        assert commands.is_command(line), line
        await commands.run(self.desk, line)
        assert not self.screen.answers, f"nobody asked for {self.screen.answers}"
        return self.screen.text()

    async def follow(self, events: AsyncIterator[Event]) -> None:
        story = Story()
        async for event in events:
            for what in story(event):
                self.screen.show(what)

    @property
    def dialogue(self) -> Dialogue:
        assert self.desk.dialogue is not None
        return self.desk.dialogue

    @property
    def report(self) -> Report:
        assert self.dialogue.report is not None
        return self.dialogue.report

    async def read(self) -> None:
        async for _ in self.dialogue.send("Read this."):
            pass

    async def _begin(self, paths: Sequence[str]) -> None:
        self.begun.append(paths)

    async def _resume(self, id: str | None) -> None:
        self.resumed.append(id)

    def _leave(self) -> None:
        self.left += 1

    def _redraw(self) -> None:
        self.redrawn += 1


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    chest_phantom(512, seed=41).write_png(folder / "frontal.png")
    chest_phantom(256, seed=9).write_png(folder / "earlier film.png")
    (folder / "report.txt").write_text("The heart was normal.", encoding="utf-8")
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """A chat with no study."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "WETREAD_MODEL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with Store.open(tmp_path / "store.db") as store:
        yield Chat(tmp_path, store, None)


def sources(chat: Chat) -> Sources:
    def model(name: str) -> ChatModel:
        return chat_model(chat.desk.settings, name)

    return Sources(chat.endpoints, model, modes=("simulated",), workspace=chat.folder)


def files(pictures: Path) -> StudyFiles:
    return StudyFiles((str(pictures / "frontal.png"),), view="PA", indication="Fever.")


async def opened(chat: Chat, pictures: Path) -> Dialogue:
    chat.desk.files = files(pictures)
    store, folder = chat.desk.store, chat.folder / "sessions"
    return await Dialogue.begin(chat.desk.files.read(), sources(chat), store=store, folder=folder)


@pytest.fixture
async def chat(bare: Chat, pictures: Path) -> AsyncIterator[Chat]:
    """A chat about a phantom, read by the protocol with simulated endpoints; nothing was said yet."""
    async with await opened(bare, pictures) as dialogue:
        bare.desk.dialogue = dialogue
        yield bare


@pytest.fixture(scope="module")
def drafted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of a session whose report was drafted."""
    folder = tmp_path_factory.mktemp("drafted")

    async def draft(store: Store) -> None:
        chat = Chat(folder, store, None)
        async with await opened(chat, pictures) as dialogue:
            chat.desk.dialogue = dialogue
            await chat.read()

    with Store.open(folder / "store.db") as store:
        asyncio.run(draft(store))
    return folder


@pytest.fixture
async def read(drafted: Path, pictures: Path, bare: Chat) -> AsyncIterator[Chat]:
    """The same, after the report was drafted: that session, gone on with."""
    shutil.copytree(drafted, bare.folder / "kept")
    with Store.open(bare.folder / "kept" / "store.db") as store:
        bare.desk.store, bare.desk.files = store, files(pictures)
        (entry,) = store.sessions.all()
        study, folder = bare.desk.files.read(), bare.folder / "sessions"
        async with await Dialogue.resume(entry.id, study, sources(bare), store=store, folder=folder) as dialogue:
            bare.desk.dialogue = dialogue
            yield bare


def ids(report: Report) -> list[str]:
    return [one.id for one in report.statements()]


def texts(report: Report) -> dict[str, str]:
    return {one.id: one.text for one in report.statements()}


# --- what is a command


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [
        ("/report", "report", ""),
        ("  /Evidence  e3 ", "evidence", "e3"),
        ("E3", "evidence", "E3"),
        ("[e3]", "evidence", "E3"),
        ("s2.", "why", "S2"),
        ("[ S12 ]", "why", "S12"),
        ("image_1", "show", "image_1"),
        ("Image 2", "show", "image_2"),
        ("/", "", ""),
        ("/?", "?", ""),
        ("/nothing of the kind", "nothing", "of the kind"),
    ],
)
def test_a_command_is_read(line: str, name: str, words: str) -> None:
    assert commands.is_command(line)
    assert commands.read(line) == (name, words)


@pytest.mark.parametrize("line", ["Read this.", "E3 is wrong", "the S2", "E0", "S", "", "E1234567", "heart/lungs"])
def test_what_is_said_is_no_command(line: str) -> None:
    assert not commands.is_command(line)


def test_a_path_that_is_dropped_in_is_no_command(tmp_path: Path) -> None:
    assert not commands.is_command(str(tmp_path))
    assert not commands.is_command("/tmp")
    assert not commands.is_command("/a/b.dcm")


def test_each_command_has_its_handler_and_says_what_it_does() -> None:
    from importlib import import_module

    for command in COMMANDS.values():
        module = import_module(f"wetread.apps.chat.{command.module}")
        assert asyncio.iscoroutinefunction(getattr(module, f"do_{command.name}")), command.name
        assert command.help and not command.help.endswith(".") and len(command.help) <= 70, command.name


async def test_without_a_study_each_command_says_so_or_does_without(bare: Chat) -> None:
    without = {"reader", "new", "sessions", "resume", "images", "help", "quit", "cancel"}
    for name in COMMANDS:
        text = await bare.type(f"/{name}")
        if name in without or name == "export":
            assert "No study" not in text, name
        else:
            assert text.startswith("✗ WET-INPUT-OPTION: No study is open. /new PATH opens one"), (name, text)
    assert (bare.begun, bare.resumed, bare.left) == ([[]], [None], 1)


async def test_before_the_first_report_commands_about_it_say_so(chat: Chat) -> None:
    for line in ("/report", "/issues", "/edit S1 x", "/drop S1", "/add lungs: x", "/fill a: b", "/undo", "/review"):
        assert "WET-READING-NONE: There is no report yet. “Read this.” drafts one." in await chat.type(line), line
    for line in ("/sign", "/save", "/export md"):
        assert "WET-READING-NONE" in await chat.type(line), line
    assert "There is no statement yet." in await chat.type("/why S1")
    assert "There is no evidence yet." in await chat.type("/evidence")


async def test_an_unknown_command_names_the_nearest(bare: Chat) -> None:
    assert await bare.type("/evidnce E3") == (
        "✗ WET-INPUT-OPTION: There is no command /evidnce. Did you mean /evidence?"
    )
    assert "/help lists them." in await bare.type("/qqqq")


async def test_a_fault_of_a_handler_is_one_line(bare: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(desk: Desk, words: str) -> None:
        raise KeyError("/secret/path")

    monkeypatch.setattr("wetread.apps.chat.commands_session.do_help", fail)
    text = await bare.type("/help")
    assert "WET-FAULT" in text and "KeyError" in text and "secret" not in text and "\n" not in text


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


# --- the conversation itself


async def test_cost_is_of_the_journal_where_nobody_counts(read: Chat) -> None:
    text = await read.type("/cost")
    assert text.startswith("Turn 1  2 model calls, 0 tokens, $0, 3 endpoint calls") and "segment" in text


async def test_a_replay_shows_what_happened_and_calls_nothing(read: Chat) -> None:
    await read.type(f"/reader {ADA}")
    await read.type("/drop S1")
    versions = read.report.version
    text = await read.type("/replay")
    assert text.startswith("▓▓ REPLAY ▓▓") and text.rstrip().endswith("Nothing was called.")
    assert "› Read this." in text and "```" not in text and "✓ segment" in text
    assert "Report: version 1, partial." in text and "Report: version 2, partial." in text
    assert "The report is drafted" in text and read.report.version == versions
    assert text == await read.type(f"/replay {read.dialogue.id[:5]}")
    assert "There is no session zz." in await read.type("/replay zz")


async def test_sessions_are_listed_and_gone_on_with(read: Chat) -> None:
    text = await read.type("/sessions")
    assert f"▸ {read.dialogue.id}" in text and "SIMULATED" in text and "1 turn" in text
    await read.type("/resume")
    await read.type(f"/resume [{read.dialogue.id[:4]}]")
    assert read.resumed == [None, read.dialogue.id]
    assert "There is no session" in await read.type("/resume nothing")
    other = read.desk.store.sessions.begin(template="chest-xray", language_model="protocol", modes=())
    assert "2 sessions begin with" in await read.type("/resume ") or read.resumed[-1] is None
    assert other in await read.type("/sessions")


async def test_new_help_cancel_and_quit(read: Chat) -> None:
    await read.type("/new one.dcm 'two three.dcm'")
    assert read.begun == [["one.dcm", "two three.dcm"]]
    text = await read.type("/help")
    assert all(command.shape in text for command in COMMANDS.values())
    assert "/edit S3 The heart is normal in size." in await read.type("/help /edit")
    assert "Did you mean /report?" in await read.type("/help reprot")
    assert "Nothing is running." in await read.type("/cancel")
    await read.type("/quit")
    await read.type("/exit")
    assert read.left == 2


async def test_while_a_turn_runs_what_only_shows_is_done_and_the_rest_waits(chat: Chat) -> None:
    waits = {name for name, command in COMMANDS.items() if command.changes}
    at_once = {"report", "evidence", "show", "why", "issues", "cost", "help", "tools", "agents", "cancel", "quit"}
    assert not waits & at_once and {"edit", "measure", "sign", "undo", "resume", "new"} <= waits
    assert all(commands.is_beside(f"/{name}") != (name in waits) for name in COMMANDS)
    assert commands.is_beside("E3") and not commands.is_beside("hello")
    await chat.type("/measure ctr")
    chat.endpoints.slow = True
    async for event in chat.dialogue.send("Read this."):
        if not isinstance(event, ToolStarted) or event.tool != "classify":
            continue
        for name in sorted(waits):
            text = await chat.type(f"/{name}")
            assert text == f"· A turn is running: /{name} is for when it has ended. /cancel ends it.", name
        for line in (
            "/report",
            "/evidence",
            "E1",
            "/why E1",
            "/show",
            "/issues",
            "/cost",
            "/help",
            "/tools",
            "/agents",
        ):
            assert "A turn is running" not in await chat.type(line), line
        assert await chat.type("/cancel") == ""
    assert not chat.dialogue.busy and [one.turns for one in chat.desk.store.sessions.all()] == [1]
    assert "Nothing is running." in await chat.type("/cancel")


# --- completion


def offered(chat: Chat, line: str) -> list[str]:
    """Each line as it would be when completed."""
    found = completions(line, chat.desk)
    return [line[: len(line) - one.replaces] + one.text for one in found]


async def test_what_may_follow_is_completed(read: Chat, pictures: Path) -> None:
    assert offered(read, "/ev") == ["/evidence"] and offered(read, "/re")[0] == "/report"
    assert len(offered(read, "/")) == len(COMMANDS)
    assert offered(read, "/evidence e") == [f"/evidence {one.id}" for one in read.dialogue.session.ledger]
    assert offered(read, "/why [s1") == ["/why S1"]
    assert offered(read, "/show im") == ["/show image_1"]
    assert offered(read, "/edit S1 ") == [] and offered(read, "/issues ") == []
    assert offered(read, "/add b") == ["/add bones:"] and offered(read, "/fill ") == []
    assert offered(read, "/measure h") == ["/measure heart"]
    assert offered(read, "/measure heart, left") == ["/measure heart, left lung"]
    assert offered(read, "/template ch") == ["/template chest-xray", "/template chest-xray-portable"]
    assert offered(read, "/model p") == ["/model protocol"]
    assert offered(read, "/export fhir,p") == ["/export fhir,pdf"]
    assert "/export all" in offered(read, "/export ")
    assert offered(read, f"/export md {pictures}/fr") == [f"/export md {pictures}/frontal.png"]
    assert offered(read, f"/prior {pictures}/earlier f") == [f"/prior {pictures}/earlier film.png"]
    assert offered(read, "/prior /nowhere/at/all") == []
    assert offered(read, "/replay ") == [f"/replay {read.dialogue.id}"]
    assert offered(read, "/help rep") == ["/help report", "/help replay"]
    assert offered(read, "/images b") == ["/images blocks"]
    assert offered(read, "/sign p") == ["/sign preliminary"] and offered(read, "/report f") == ["/report full"]
    assert offered(read, "hello /ev") == [] and offered(read, "/nothing ") == []


async def test_nothing_is_completed_from_a_study_that_is_not_there(bare: Chat) -> None:
    for name in ("evidence", "why", "show", "edit", "add", "fill"):
        assert offered(bare, f"/{name} ") == []
    assert completions("/ev", None)[0].text == "/evidence" and completions("/evidence ", None) == []


def test_the_page_has_every_command() -> None:
    page = (ROOT / "docs" / "chat.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(/[^`]+)` \| (.+) \|$", page, flags=re.M)
    # a | inside a cell is written \|
    assert [(shape.replace("\\|", "|"), help) for shape, help in rows] == commands.help_rows()

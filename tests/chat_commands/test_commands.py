"""What is a command of the chat, what follows one, and those about the conversation itself."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from chat_desk import ADA, ROOT, Chat

from wetread.apps.chat import commands
from wetread.apps.chat.commands import COMMANDS, completions
from wetread.apps.chat.desk import Desk
from wetread.events import ToolStarted

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

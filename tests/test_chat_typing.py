"""What is typed, pasted and written in the chat, in a real pseudo-terminal, with a language model that can be held."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from pty_kit import Terminal
from starlette.applications import Starlette
from test_chat_terminal import READY, STUDY, WETREAD

from wetread.agents.chat import ChatReply, ChatRequest, OnText
from wetread.testing.chat_server import chat_routes
from wetread.testing.phantom import chest_phantom
from wetread.vocabulary import Origin

pytestmark = pytest.mark.slow

HOSTILE = (
    "title \x1b]0;OWNED\x07 clear \x1b[2J\x9b2J turned \u202edrow\u202c and \x1b]8;;http://x\x1b\\a link\x1b]8;;\x1b\\"
)
PROSE = "# Findings\n\nThe heart is normal.\n\n| what | where |\n|---|---|\n| mass | right |\n\nThat is all."


class Model:
    """Says what it is asked to; `wait` keeps it in the middle of its answer until it is let go."""

    name = "held"
    origin = Origin.AUTHORED

    def __init__(self) -> None:
        self.go = threading.Event()

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        said = next(one.text for one in reversed(request.messages) if one.role == "user").partition("\n\n```json")[0]
        texts = {"hostile": HOSTILE, "prose": PROSE, "long": "word " * 4000, "wait": "I begin and end."}
        text = texts.get(said, f"You said {len(said.splitlines())} lines.")
        for piece in (text[:8], text[8:]):
            if on_text is not None:
                on_text(piece)
            if said in ("wait", "hostile") and piece == text[:8]:
                await asyncio.to_thread(self.go.wait, 60)
        return ChatReply(text=text, model=self.name, finish="stop")

    async def aclose(self) -> None: ...


@pytest.fixture
def model() -> Iterator[Model]:
    yield (one := Model())
    one.go.set()


@pytest.fixture
def terminal(tmp_path: Path, model: Model) -> Iterator[Terminal]:
    chest_phantom(256).write_png(tmp_path / "chest.png")
    app = Starlette(routes=chat_routes(model))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    env = {"WETREAD_MODEL": "compatible:held", "WETREAD_MODEL_BASE_URL": f"http://127.0.0.1:{port}/v1"}
    command = [WETREAD, "chat", *STUDY, "--simulated"]
    with Terminal(command, cwd=tmp_path, env=env, columns=100, rows=40) as opened:
        opened.wait_for(READY)
        opened.wait_for(lambda shown: "SIMULATED" in shown.splitlines()[-1])
        yield opened
    model.go.set()
    server.should_exit = True
    thread.join(10)


def input_line(text: str) -> Callable[[str], bool]:
    """Whether a text stands in the input, below its rule."""
    return lambda shown: f"{'─' * 100}\n› {text}".rstrip() in shown


def test_what_is_being_typed_outlives_an_interrupt(terminal: Terminal) -> None:
    terminal.enter("wait")
    terminal.wait_for("I begin")
    terminal.enter("what waits")
    terminal.wait_for("queued: what waits")
    terminal.type("half a li")
    terminal.wait_for(input_line("half a li"))
    terminal.key("c-c")
    terminal.wait_for(input_line("what waits\nhalf a li"))
    screen = terminal.wait_for("Ctrl-C again quits")
    assert "SIMULATED" in screen.splitlines()[-1], "a hint hides no mode"


def test_an_interrupt_right_after_enter_is_for_what_was_entered(terminal: Terminal) -> None:
    for _ in range(5):
        before = terminal.everything().count("› wait")
        terminal.send(b"wait\r\x03")
        terminal.wait_for(
            lambda shown, before=before: shown.count("› wait") == before + 1, scrollback=True  # type: ignore[misc]
        )  # fmt: skip
        terminal.wait_for(lambda shown: input_line("")(shown) and "Ctrl-C stops" not in shown)
        terminal.wait_for(lambda shown: "again quits" not in shown)
    ended = terminal.everything().count("Stopped.") + terminal.everything().count("Cancelled")
    assert ended == 5


def test_text_as_it_comes_stands_as_it_will(terminal: Terminal, model: Model) -> None:
    terminal.enter("hostile")
    terminal.wait_for("\n  title")
    model.go.set()
    terminal.wait_for("a link]8;;\\")
    terminal.enter("prose")
    terminal.wait_for("\n  Findings\n\n  The heart is normal.\n\n  what  where\n  mass  right\n\n  That is all.\n")
    raw = bytes(terminal.raw)
    for bad in ("\x1b]0;OWNED", "\x1b[2J", "\x9b2J", "\x1b]8;;", "\u202e", "\u202c"):
        assert bad.encode() not in raw


def test_a_line_longer_than_the_screen_leaves_the_input_in_sight(terminal: Terminal) -> None:
    terminal.resize(60, 12)
    terminal.enter("long")
    terminal.wait_for(lambda shown: "model call" in shown and "\n›" in shown)
    assert terminal.everything().count("word") == 4000


def test_lines_pasted_without_marks_are_one_text(terminal: Terminal) -> None:
    terminal.type("x").wait_for(input_line("x"))  # the prompt has asked the terminal what it asks at first
    terminal.key("backspace")
    terminal.wait_for(lambda shown: not input_line("x")(shown))
    terminal.send(b"one\rtwo\rthree\rfour\rfive")
    terminal.wait_for(input_line("one\ntwo\nthree\nfour\nfive"))
    terminal.key("enter")
    terminal.wait_for("You said 5 lines.")
    terminal.paste("a line\n" * 1000)
    terminal.wait_for(input_line("[pasted text #1, 1001 lines]"))
    terminal.key("enter")
    terminal.wait_for("You said 1000 lines.")


def test_a_slash_alone_helps_and_what_is_no_cancel_is_none(terminal: Terminal) -> None:
    terminal.enter("/cancel")
    terminal.wait_for("Nothing is running.")
    terminal.enter("/")
    terminal.wait_for("Anything else is said to the agent.")
    terminal.enter("/cancelled")
    terminal.wait_for("Did you mean /cancel?")
    terminal.enter("/resume 0000")
    terminal.wait_for("There is no session 0000")
    terminal.enter("hello")
    terminal.wait_for("You said 1 lines.")

"""The chat as a person has it: in a real pseudo-terminal, typed into, interrupted, resized, killed and resumed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from pty_kit import Terminal

from wetread.apps.chat.live import FRAMES
from wetread.store import Store
from wetread.testing.phantom import chest_phantom
from wetread.testing.simulated_wire import asgi_app

WETREAD = Path(sys.executable).parent / "wetread"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chest_phantom(256).write_png(tmp_path / "chest.png")
    return tmp_path


class Endpoints:
    """Endpoints over HTTP whose answers can be held back; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._held: dict[str, threading.Event] = {}
        self._inner = asgi_app()
        self.server = uvicorn.Server(uvicorn.Config(self, port=0, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self.server.run, daemon=True)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].split("/")[1]
        self.asked.append(name)
        if name in self._held:
            await asyncio.to_thread(self._held[name].wait, 60)
        await self._inner(scope, receive, send)

    def hold(self, *names: str) -> None:
        """Answer these no more until `release`."""
        self._held = {name: threading.Event() for name in names}

    def release(self) -> None:
        held, self._held = self._held, {}
        for event in held.values():
            event.set()

    def __enter__(self) -> Endpoints:
        self._thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
        self.server.should_exit = True
        self._thread.join(10)

    @property
    def env(self) -> dict[str, str]:
        port = self.server.servers[0].sockets[0].getsockname()[1]
        names = ("cxrreportgen", "medimageparse", "medimageinsight")
        return {f"WETREAD_{name.upper()}_URL": f"http://127.0.0.1:{port}/{name}/score" for name in names}


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with Endpoints() as served:
        yield served


def chat(folder: Path, *arguments: str, env: dict[str, str] | None = None, **how: int) -> Terminal:
    return Terminal([WETREAD, "chat", *arguments], cwd=folder, env=env or {}, **how)  # type: ignore[arg-type]


def runs(tool: str, evidence: str) -> Callable[[str], bool]:
    """Whether a screen shows a call that has not ended."""
    return lambda shown: re.search(rf"^[{FRAMES}] {tool} .*\[{evidence}\]", shown, re.MULTILINE) is not None


READY = "Tab completes"
"""Stands in what is shown when a study is open."""

STUDY = ("chest.png", "--view", "PA", "--indication", "Cough")


def test_a_study_is_read_and_the_panel_shows_the_report(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated", columns=100, rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.wait_for(lambda shown: "SIMULATED" in shown.splitlines()[-1])  # the footer
        terminal.enter("Read this.")
        terminal.wait_for("tool calls")
        screen = terminal.wait_for("v1 partial")
        assert re.search(r"● +Heart +\[S\d\]", screen)
        assert re.search(r"✓ measure .*\[E4\]", terminal.everything())
        terminal.key("f2")
        terminal.wait_gone("v1 partial")
        terminal.key("f2")
        terminal.wait_for("v1 partial")
        terminal.enter("/quit")
        assert terminal.wait_exit() == 0
        assert "wetread chat --resume" in terminal.everything()


@pytest.mark.slow
def test_what_is_being_typed_is_no_answer_to_a_question_that_comes(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated", columns=100, rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for("v1 partial")
        terminal.type("Drop the last sentence.\nhalf a li")
        screen = terminal.wait_for(lambda shown: "(Esc: skip)" in shown and "\n?\n" in shown)
        assert "propose_edit" not in screen, "the question stands there once"
        terminal.enter("1")
        terminal.wait_for(lambda shown: "Your name, for the record?" in shown and "\n?\n" in shown)
        terminal.key("escape")
        terminal.wait_for(lambda shown: "no name" in shown and "\n› half a li\n" in shown)
        terminal.key("c-c")
        terminal.wait_gone("again quits")
        terminal.enter("/drop S2")
        terminal.wait_for("(Esc: leave)")
        terminal.key("escape")
        terminal.wait_for("Nothing was changed.")


@pytest.mark.slow
def test_the_panel_scrolls_to_its_end_and_no_further(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated", columns=100, rows=20) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for(lambda shown: "↓" in shown and "↑" not in shown)
        terminal.key(*["pagedown"] * 30)
        terminal.wait_for(lambda shown: "↑" in shown and "↓" not in shown)
        terminal.key("pageup")
        terminal.wait_for(lambda shown: "↑" in shown and "↓ 4 more" in shown)


@pytest.mark.slow
def test_calls_that_run_are_lines_and_a_message_waits_in_sight(folder: Path, endpoints: Endpoints) -> None:
    endpoints.hold("cxrreportgen", "medimageparse", "medimageinsight")
    with chat(folder, *STUDY, env=endpoints.env, columns=100, rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for(lambda shown: runs("report_findings", "E2")(shown) and runs("segment", "E3")(shown))
        terminal.wait_for(lambda shown: re.search(r"classify .*\[E5\] +\d+\.\d s\b", shown) is not None)
        terminal.enter("Measure the heart.")
        terminal.wait_for("queued: Measure the heart.")
        endpoints.release()
        terminal.wait_gone("queued:")
        terminal.wait_for(lambda shown: shown.count("› Measure the heart.") == 1)


def test_an_interrupt_keeps_what_is_done_and_the_conversation_goes_on(folder: Path, endpoints: Endpoints) -> None:
    endpoints.hold("medimageparse")
    with chat(folder, *STUDY, env=endpoints.env, columns=100, rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for("✓ report_findings")
        terminal.wait_for(lambda shown: "✓ classify" in shown and runs("segment", "E3")(shown))
        terminal.key("c-c")
        terminal.wait_for("Cancelled")
        endpoints.release()
        before = list(endpoints.asked)
        terminal.enter("Read this.")
        terminal.wait_for("v1 partial")
        assert endpoints.asked[len(before) :].count("cxrreportgen") == 0, "what was answered is not asked again"
        terminal.key("c-c")
        terminal.wait_for("Ctrl-C again quits")
        terminal.key("c-c")
        assert terminal.wait_exit() == 0


@pytest.mark.slow
def test_a_queued_message_comes_back_when_the_turn_is_stopped(folder: Path, endpoints: Endpoints) -> None:
    endpoints.hold("cxrreportgen")
    with chat(folder, *STUDY, env=endpoints.env) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for(runs("report_findings", "E2"))
        terminal.enter("and then this")
        terminal.wait_for("queued: and then this")
        terminal.key("c-c")
        terminal.wait_for(lambda shown: "› and then this" in shown and "queued" not in shown)


@pytest.mark.slow
def test_killed_in_the_middle_of_a_tool_it_goes_on(folder: Path, endpoints: Endpoints) -> None:
    endpoints.hold("medimageparse")
    with chat(folder, *STUDY, env=endpoints.env, columns=100, rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for(lambda shown: "✓ report_findings" in shown and "✓ classify" in shown)
        shown = terminal.everything()
        terminal.kill(signal.SIGKILL)
        assert terminal.wait_exit() == -signal.SIGKILL
    with Store.open(folder / ".wetread" / "store.db") as store:
        (entry,) = store.sessions.all()
        kept = {one.id for one in store.sessions.evidence(entry.id)}
    assert set(re.findall(r"✓ .*\[(E\d+)\]", shown)) <= kept, "what was shown is in the store"
    asked = list(endpoints.asked)
    endpoints.release()
    with chat(folder, "--resume", env=endpoints.env, columns=100, rows=40) as terminal:
        terminal.wait_for("cut off")
        terminal.enter("Go on.")
        terminal.wait_for("v1 partial")
        again = endpoints.asked[len(asked) :]
        assert again.count("cxrreportgen") == 0 and again.count("medimageparse") == 1


@pytest.mark.slow
def test_lines_words_and_long_pastes(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated") as terminal:
        terminal.wait_for(READY)
        terminal.type("one").key("a-enter").type("two")
        terminal.wait_for(lambda shown: "› one\n" in shown and "two" in shown)
        terminal.key("c-c")
        terminal.wait_gone("two")
        terminal.paste("line\n" * 200)
        terminal.wait_for("[pasted text #1, 201 lines]")
        terminal.key("enter")
        terminal.wait_for(lambda shown: "[pasted text" not in shown.splitlines()[-2])
        terminal.wait_for(lambda shown: shown.count("line") > 190, scrollback=True)  # the whole text was said


@pytest.mark.slow
def test_commands_are_completed_and_history_is_searched(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated", rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.type("/ev")
        terminal.wait_for("/evidence")
        terminal.key("c-c")
        terminal.enter("/cost")
        terminal.wait_for("Nothing was called yet.")
        terminal.key("c-r").type("cos")
        terminal.wait_for(lambda shown: "› /cost" in shown)
        terminal.key("enter", "c-c", "up")
        terminal.wait_for(lambda shown: "› /cost" in shown)


@pytest.mark.slow
def test_a_window_may_change_its_size_at_any_time(folder: Path, endpoints: Endpoints) -> None:
    endpoints.hold("cxrreportgen")
    with chat(folder, *STUDY, env=endpoints.env, columns=120, rows=40) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for(runs("report_findings", "E2"))
        for columns, rows in ((60, 20), (140, 50), (40, 12), (100, 40)):
            terminal.resize(columns, rows)
            terminal.wait_for("protocol")
        endpoints.release()
        terminal.wait_for("v1 partial")
        assert max(len(line) for line in terminal.lines()) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("term", ["dumb", "vt100", "linux", "xterm-256color"])
def test_no_terminal_is_too_odd(folder: Path, term: str) -> None:
    env = {"TERM": term, "NO_COLOR": "1"}
    with chat(folder, *STUDY, "--simulated", env=env, rows=50) as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for("tool call")
        terminal.enter("/show image_1")
        terminal.wait_for("image_1 ·")
        terminal.enter("/quit")
        assert terminal.wait_exit() == 0
        assert b"\x1b[38;2" not in bytes(terminal.raw), "no colour was asked for"
        assert terminal.everything().count("/show image_1") == 1, "each line stands there once"


@pytest.mark.slow
def test_what_is_typed_before_it_is_ready_is_not_lost(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated", rows=40) as terminal:
        terminal.wait_for("›")
        terminal.enter("Read this.")
        terminal.wait_for("v1 partial")


def test_a_study_that_is_none_ends_it_with_one_line(folder: Path) -> None:
    with chat(folder, "nothing.png") as terminal:
        assert terminal.wait_exit() == 2
        assert "WET-INPUT-MISSING" in terminal.everything()


@pytest.mark.slow
def test_without_a_study_one_is_chosen_or_dropped_in(folder: Path) -> None:
    os.rename(folder / "chest.png", folder / "a chest.png")
    with chat(folder, "--simulated", "--view", "PA", rows=40) as terminal:
        terminal.wait_for("a chest.png")
        terminal.enter("no-such-thing.png")
        terminal.wait_for("WET-INPUT-MISSING")
        terminal.paste(str(folder / "a chest.png").replace(" ", "\\ "))
        terminal.key("enter")
        terminal.wait_for(READY)


@pytest.mark.slow
def test_the_history_is_for_its_owner_alone(folder: Path) -> None:
    with chat(folder, *STUDY, "--simulated") as terminal:
        terminal.wait_for(READY)
        terminal.enter("/help")
        terminal.wait_for("Anything else is said to the agent.")
        terminal.enter("/quit")
        terminal.wait_exit()
    history = folder / ".wetread" / "history"
    assert "/help" in history.read_text() and history.stat().st_mode & 0o077 == 0
    studies = list((folder / ".wetread" / "studies").iterdir())
    assert len(studies) == 1 and studies[0].stat().st_mode & 0o077 == 0


def test_lines_through_a_pipe_answer_what_is_asked(folder: Path) -> None:
    typed = "Read this.\nDrop the last sentence.\n1\nAda Reader\n/undo\n"
    done = subprocess.run(
        [WETREAD, "chat", *STUDY, "--simulated"], input=typed, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Version 3" in done.stdout and "Stopped." not in done.stdout

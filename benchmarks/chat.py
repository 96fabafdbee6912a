"""The chat at a terminal: from command to first prompt, from a key to its echo, and both in a long session."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row
from wetread.apps import pseudo_terminal
from wetread.events import TurnEnded, TurnStarted
from wetread.messages import ChatMessage
from wetread.store import Store
from wetread.store.journal import Said
from wetread.testing.phantom import chest_phantom

ROUNDS, KEYS, MESSAGES = 7, 120, 2000
PROMPT = "›".encode()
WETREAD = str(Path(sys.executable).parent / "wetread")


class Window:
    """A chat in a pseudo-terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        self.began = time.perf_counter()
        self.process, self.terminal = pseudo_terminal.start(
            [WETREAD, "chat", *arguments], columns=100, rows=40, env={**env, **SETTINGS}, cwd=folder
        )
        self.seen = b""

    def wait(self, what: bytes, within: float = 60.0) -> float:
        """Seconds until something is on the screen."""
        began, self.seen = time.perf_counter(), b""
        while what not in self.seen:
            left = within - (time.perf_counter() - began)
            if left <= 0:
                raise TimeoutError(f"{what!r} did not come; last seen: {self.seen[-400:]!r}")
            if select.select([self.terminal], [], [], left)[0]:
                self.seen += os.read(self.terminal, 65536)
        return time.perf_counter() - began

    def drain(self) -> None:
        """Take what was written until now."""
        while select.select([self.terminal], [], [], 0)[0]:
            os.read(self.terminal, 65536)

    def send(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def echoes(self) -> list[float]:
        """Seconds from each of many keys to its echo, typed as a person types: some time apart."""
        found = []
        for number in range(KEYS):
            letter = "abcdefghij"[number % 10]
            self.drain()
            began = time.perf_counter()
            self.send(letter)
            self.wait(letter.encode(), within=5)
            found.append(time.perf_counter() - began)
            time.sleep(0.02)
        self.send("\x15")
        return found


SETTINGS: dict[str, str] = {}


@contextlib.contextmanager
def opened(folder: Path, *arguments: str) -> Iterator[Window]:
    window = Window(folder, *arguments)
    try:
        yield window
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(window.process.pid, signal.SIGKILL)
        window.process.wait()
        os.close(window.terminal)


@contextlib.contextmanager
def slow_endpoints(port: int) -> Iterator[None]:
    """Endpoints that take eight seconds, so that there is time to type while tools run."""
    server = subprocess.Popen(
        [WETREAD, "simulate", "--port", str(port), "--latency", "=8"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    SETTINGS.update({f"WETREAD_{name.upper()}_URL": f"{address}/{name}/score" for name in
                     ("cxrreportgen", "medimageparse", "medimageinsight")})  # fmt: skip
    try:
        _until_up(address)
        yield
    finally:
        SETTINGS.clear()
        server.terminate()
        server.wait()


def _until_up(address: str) -> None:
    import httpx

    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{address}/", timeout=1)
            return
        time.sleep(0.1)
    raise TimeoutError("the simulator does not answer")


def _long_session(folder: Path) -> str:
    """A session of two thousand messages in the store of a folder; returns its id."""
    with Store.open(folder / ".wetread" / "store.db") as store:
        entry = store.sessions.all()[0]
        number = len(store.sessions.entries(entry.id)) + 1
        added: list[object] = []
        for turn in range(2, MESSAGES // 2 + 2):
            added += [
                TurnStarted(turn=turn),
                Said(message=ChatMessage(role="user", text=f"Question {turn}: what is known of the left lung?")),
                Said(message=ChatMessage(role="assistant", text=f"Answer {turn}: nothing was said of it. " * 4)),
                TurnEnded(turn=turn, outcome="answered", text="", model_calls=1, tool_calls=0, prompt_tokens=900,
                          completion_tokens=60, wall_ms=100.0),
            ]  # fmt: skip
        store.sessions.append(entry.id, added, number=number)  # type: ignore[arg-type]
    return entry.id


def _port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def measure() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chest_phantom(512).write_png(folder / "chest.png")
        study = ["chest.png", "--view", "PA", "--indication", "Cough"]
        first = []
        for _ in range(ROUNDS):
            with opened(folder, *study, "--simulated") as window:
                first.append(window.wait(PROMPT))
        rows.append(
            Row("command to first prompt", min(first) * 1000, "ms", 500, f"median {statistics.median(first):.2f} s")
        )
        with slow_endpoints(_port()), opened(folder, *study) as window:
            window.wait(b"Tab completes")
            window.send("Read this.\r")
            window.wait(b"report_findings")
            echoes = window.echoes()
        rows.append(_echo("key to echo while tools run, median", echoes))
        rows.append(Row("key to echo while tools run, 95th of 100", sorted(echoes)[int(KEYS * 0.95)] * 1000, "ms"))
        with opened(folder, *study, "--simulated") as window:
            window.wait(b"Tab completes")
            window.send("Read this.\r")
            window.wait(b"tool calls")
        id = _long_session(folder)
        with opened(folder, "--resume", id) as window:
            rows.append(Row(f"to go on with a session of {MESSAGES:,} messages", window.wait(b"goes on after"), "s"))
            window.send("Is there a nodule?\r")
            window.wait(b"[E")
            rows.append(_echo("key to echo in it, median", window.echoes()))
    return rows


def _echo(what: str, echoes: list[float]) -> Row:
    return Row(what, statistics.median(echoes) * 1000, "ms", 20)

"""The chat in a terminal that breaks long lines, beside a shell: tmux, which is such a one and tells what it shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wetread.testing.phantom import chest_phantom

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")]

WETREAD = Path(sys.executable).parent / "wetread"
TIMEOUT_S = 60.0
"""Only a guard: a busy machine is no fault of the program."""


class Shell:
    """A shell in a tmux of its own."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self._socket = socket
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LANG": "C.UTF-8", "PS1": "shell$ "}
        command = ["new-session", "-d", "-x", "100", "-y", "40", "-c", str(folder), "sh", "-i"]
        subprocess.run([*self._tmux, "-f", "/dev/null", *command], env=env, check=True)

    @property
    def _tmux(self) -> list[str]:
        return ["tmux", "-S", str(self._socket)]

    def run(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True).stdout

    def type(self, text: str) -> None:
        self.run("send-keys", "-l", text)

    def key(self, *names: str) -> None:
        self.run("send-keys", *names)

    def enter(self, text: str) -> None:
        self.type(text)
        self.key("Enter")

    def everything(self) -> str:
        """What scrolled off, and the screen."""
        return "\n".join(line.rstrip() for line in self.run("capture-pane", "-p", "-S", "-").splitlines())

    def wait_for(self, seen: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + TIMEOUT_S
        while not seen(shown := self.everything()):
            assert time.monotonic() < deadline, shown
            time.sleep(0.05)
        return shown


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    chest_phantom(256).write_png(tmp_path / "chest.png")
    with tempfile.TemporaryDirectory(prefix="wetread-tmux-") as short:  # a socket's path must be short
        one = Shell(tmp_path, Path(short) / "s")
        try:
            one.enter(f"{WETREAD} chat chest.png --view PA --indication Cough --simulated")
            one.wait_for(lambda shown: "Tab completes" in shown and "simulated endpoints" in shown)
            yield one
        finally:
            one.run("kill-server")


def drawn_once(shown: str, columns: int) -> bool:
    """Whether the panel and the input stand there for that width, and nowhere else."""
    return f"\n{'─' * columns}\n›" in shown and shown.count("v1 partial") == shown.count("╭") == 1


def test_a_narrower_window_shows_nothing_twice(shell: Shell) -> None:
    shell.enter("Read this.")
    shell.wait_for(lambda shown: drawn_once(shown, 100) and "tool calls" in shown and "working" not in shown)
    shell.run("resize-window", "-x", "60", "-y", "40")
    shell.wait_for(lambda shown: drawn_once(shown, 60))
    shell.run("resize-window", "-x", "110", "-y", "40")
    shell.wait_for(lambda shown: drawn_once(shown, 110))
    assert shell.everything().count("The report is drafted") == 1, "nothing above was taken away"


def test_the_shell_has_the_terminal_while_the_chat_is_stopped(shell: Shell) -> None:
    shell.type("half a line")
    shell.wait_for(lambda shown: "› half a line" in shown)
    shell.key("C-z")
    shell.wait_for(lambda shown: "Stopped" in shown and shown.rstrip().endswith("shell$"))
    shell.enter("stty -a | grep -o '.icanon'; echo 'in the shell'")
    shown = shell.wait_for(lambda shown: "\nin the shell" in shown)
    assert "-icanon" not in shown and "simulated endpoints" not in shown.rpartition("Stopped")[2]
    shell.enter("fg")
    shell.wait_for(lambda shown: "› half a line" in shown.rpartition("in the shell")[2])
    shell.type(" and the rest")
    shell.wait_for(lambda shown: "› half a line and the rest" in shown)


def test_a_chat_that_is_told_to_end_leaves_the_terminal_as_it_was(shell: Shell) -> None:
    shell.type("half a line")
    shell.wait_for(lambda shown: "› half a line" in shown)
    pane = shell.run("display-message", "-p", "#{pane_pid}").strip()
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", pane], capture_output=True, text=True, check=True)
    os.kill(int(children.stdout.split()[0]), 15)
    shell.wait_for(lambda shown: "wetread chat --resume" in shown and shown.rstrip().endswith("shell$"))
    shell.enter("echo code $?; stty -a | grep -o '.icanon'; echo done")
    shown = shell.wait_for(lambda shown: "\ndone" in shown)
    assert "code 143" in shown and "-icanon" not in shown

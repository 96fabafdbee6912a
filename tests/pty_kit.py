"""Drives a program as a person at a terminal does: types, pastes, resizes, interrupts, and looks at the screen.

    with Terminal(["wetread", "chat", "study"], columns=100, rows=30) as terminal:
        terminal.wait_for("Ask, or /help")
        terminal.type("Read this.").key("enter")
        terminal.wait_for(lambda screen: "E3" in screen)
        terminal.resize(60, 20).key("c-c")
        assert terminal.wait_exit() == 0

Nothing sleeps: each wait ends as soon as what it waits for is there, or fails with the screen and what was written.
The program runs in a session of its own, with an environment of its own, and is killed with all of its process group
when the `with` block ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from screens import Emulator

from wetread.apps import pseudo_terminal

TIMEOUT_S = 30.0
"""For a wait that is not told otherwise; generous, since a busy machine is no fault of the program."""

KEYS = {
    "enter": "\r",
    "tab": "\t",
    "s-tab": "\x1b[Z",
    "backspace": "\x7f",
    "escape": "\x1b",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "insert": "\x1b[2~",
    "delete": "\x1b[3~",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    **{f"f{n}": f"\x1b[{code}~" for n, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)},
    **{f"c-{letter}": chr(ord(letter) & 0x1F) for letter in "abcdefghijklmnopqrstuvwxyz"},
    "c-@": "\x00",
    "c-\\": "\x1c",
    "c-]": "\x1d",
    "c-^": "\x1e",
    "c-_": "\x1f",
    "c-up": "\x1b[1;5A",
    "c-down": "\x1b[1;5B",
    "c-right": "\x1b[1;5C",
    "c-left": "\x1b[1;5D",
    "s-up": "\x1b[1;2A",
    "s-down": "\x1b[1;2B",
}
"""What a terminal sends, by prompt_toolkit's names of keys. With `a-` in front: with Alt, which is an escape before."""


class Terminal:
    """A program in a pseudo-terminal.

    Args:
        command: The program and its arguments.
        columns: The terminal's width in characters.
        rows: The terminal's height in characters.
        env: Added to the environment, which is else a clean one: PATH, HOME (an empty folder), LANG, TERM,
            XTERM_VERSION, TZ.
        cwd: The working directory; the empty folder by default.
        replies: Questions that this terminal answers, as of `screens.Emulator`: for a terminal that shows pictures.
        timeout: Seconds for a wait that is not told otherwise.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        columns: int = 100,
        rows: int = 30,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        replies: Mapping[bytes, bytes] | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        self.command = [str(word) for word in command]
        self.timeout = timeout
        self.raw = bytearray()
        """All that the program wrote."""
        self.emulator = Emulator(columns, rows, replies=replies, answer=self._write)
        self._changed = threading.Condition()
        self._ended = False
        self._cwd = cwd
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    # life

    def __enter__(self) -> Terminal:
        self._home = tempfile.TemporaryDirectory(prefix="wetread-home-", ignore_cleanup_errors=True)
        columns, rows = self.emulator.size
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": self._home.name,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            # the emulator cuts off lines that a narrower window has no room for, as this one does
            "XTERM_VERSION": "XTerm(390)",
            "TZ": "UTC",
            **self._env,
        }
        self._process, self._terminal = pseudo_terminal.start(
            self.command, columns=columns, rows=rows, env=environment, cwd=self._cwd or Path(self._home.name)
        )
        os.set_blocking(self._terminal, False)
        self._stop, self._stopping = os.pipe()
        self._reader = threading.Thread(target=self._read, name="pty reader", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with self._changed:  # until all of its processes have let go of the terminal
            self._changed.wait_for(lambda: self._ended, timeout=5)
        os.write(self._stopping, b".")
        self._reader.join()
        for descriptor in (self._terminal, self._stop, self._stopping):
            os.close(descriptor)
        self._home.cleanup()

    @property
    def pid(self) -> int:
        """The id of the program's process, and of its process group."""
        assert self._process is not None, "the terminal is used in a with block"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None as long as the program runs; below 0 where a signal ended it."""
        assert self._process is not None, "the terminal is used in a with block"
        return self._process.poll()

    def kill(self, number: int = signal.SIGKILL, *, group: bool = False) -> Terminal:
        """Send a signal to the program, or to all of its process group; nothing happens where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)
        return self

    # what a person does

    def type(self, text: str) -> Terminal:
        """Type characters; a line break is the Enter key."""
        self._write(text.replace("\r\n", "\n").replace("\n", "\r").encode())
        return self

    def enter(self, text: str = "") -> Terminal:
        """Type a line and send it."""
        return self.type(f"{text}\n")

    def send(self, data: bytes) -> Terminal:
        """Send bytes as they are."""
        self._write(data)
        return self

    def key(self, *names: str) -> Terminal:
        """Press keys, by prompt_toolkit's names: `enter`, `f2`, `c-c`, `pageup`, `a-enter`; or single characters."""
        for name in names:
            alt, name = ("\x1b", name[2:]) if name.lower().startswith(("a-", "m-")) else ("", name)
            sent = KEYS.get(name.lower(), name)
            assert len(name) == 1 or name.lower() in KEYS, f"no key is called {name!r}"
            if self.emulator.application_cursor and sent[:2] == "\x1b[" and sent[2:] in tuple("ABCDHF"):
                sent = f"\x1bO{sent[2:]}"
            self._write((alt + sent).encode())
        return self

    def paste(self, text: str) -> Terminal:
        """Paste a text as terminals do: in brackets where the program asked for them, line breaks as Enter sends."""
        data = text.replace("\r\n", "\n").replace("\n", "\r").encode()
        with self._changed:
            bracketed = self.emulator.pastes_in_brackets
        self._write(b"\x1b[200~" + data + b"\x1b[201~" if bracketed else data)
        return self

    def resize(self, columns: int, rows: int) -> Terminal:
        """Give the window another size; the program gets SIGWINCH."""
        with self._changed:
            self.emulator.resize(columns, rows)
            pseudo_terminal.resize(self._terminal, columns=columns, rows=rows)
        return self

    # what a person sees

    def screen(self) -> str:
        """The visible screen as text."""
        with self._changed:
            return self.emulator.text()

    def everything(self) -> str:
        """What scrolled off the top, and the screen."""
        with self._changed:
            return self.emulator.everything()

    def lines(self) -> list[str]:
        """The visible lines, as many as the terminal has."""
        with self._changed:
            return self.emulator.lines()

    def scrollback(self) -> list[str]:
        """The lines that scrolled off the top."""
        with self._changed:
            return self.emulator.scrollback()

    def svg(self, *, scrollback: bool = False) -> str:
        """The screen as a picture."""
        with self._changed:
            return self.emulator.svg(scrollback=scrollback, title=" ".join(self.command[:2]))

    def wait_for(
        self, wanted: str | Callable[[str], bool], timeout: float | None = None, *, scrollback: bool = False
    ) -> str:
        """Wait until a text is on the screen, or until a function of the screen's text says so; returns the screen.

        Args:
            wanted: The text, or the function.
            timeout: Seconds; the terminal's own by default.
            scrollback: Whether to look at what scrolled off as well.

        Raises:
            AssertionError: it did not come in time, or the program ended before.
        """
        # the screen's text has no spaces at the ends of its lines
        shown = "" if callable(wanted) else re.sub(r" +(?=\n|\Z)", "", wanted)
        seen = wanted if callable(wanted) else lambda text: shown in text
        what = "what the test waits for" if callable(wanted) else repr(wanted)
        look = self.emulator.everything if scrollback else self.emulator.text
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        with self._changed:
            while not seen(look()):
                if self._ended:
                    raise AssertionError(self._told(f"The program ended without {what}."))
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise AssertionError(self._told(f"{what} did not come."))
            return look()

    def wait_gone(self, text: str, timeout: float | None = None) -> str:
        """Wait until a text is no longer on the screen."""
        return self.wait_for(lambda screen: text not in screen, timeout)

    def wait_quiet(self, seconds: float = 0.3, timeout: float | None = None) -> str:
        """Wait until nothing was written for so long: for screens that are looked at. Returns the screen."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        with self._changed:
            while not self._ended and self._changed.wait(seconds):
                if time.monotonic() >= deadline:
                    raise AssertionError(self._told("The screen did not come to rest."))
            return self.emulator.text()

    def wait_exit(self, timeout: float | None = None) -> int:
        """Wait until the program ends and all that it wrote is here; returns its exit code, below 0 for a signal."""
        assert self._process is not None
        timeout = self.timeout if timeout is None else timeout
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            with self._changed:
                raise AssertionError(self._told("The program does not end.")) from None
        # what it started and left behind may have the terminal open still: then there is no end of it
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=2)
        return code

    # within

    def _write(self, data: bytes) -> None:
        deadline = time.monotonic() + self.timeout
        while data:
            _, ready, _ = select.select([], [self._terminal], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError("The program does not take what is typed.")
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._terminal, data) :]

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._terminal, self._stop], [], [])
            if self._stop in ready:
                break
            data = pseudo_terminal.read(self._terminal)
            with self._changed:
                if data == pseudo_terminal.END:
                    self._ended = True
                else:
                    self.raw += data
                    with contextlib.suppress(OSError):  # an answer to a program that is gone
                        self.emulator.feed(data)
                self._changed.notify_all()
                if self._ended:
                    break

    def _told(self, what: str) -> str:
        """For a failure: what happened, the screen in a frame, and the end of what was written."""
        columns, _ = self.emulator.size
        code = self.exit_code
        frame = "\n".join(f"│{line.ljust(columns)}│" for line in self.emulator.lines())
        above = "\n".join(self.emulator.scrollback()[-20:])
        return (
            f"{what} {' '.join(self.command)} {'runs' if code is None else f'ended with {code}'}.\n"
            f"{above}\n┌{'─' * columns}┐\n{frame}\n└{'─' * columns}┘\n"
            f"Cursor at {self.emulator.cursor}. Written last: {bytes(self.raw[-400:])!r}"
        )

"""Records what a command shows in a terminal as an asciicast: a header, and one line for each piece of output.

The format is asciinema's, version 2: https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wetread.apps import pseudo_terminal
from wetread.errors import InputError

TERM = "xterm-256color"
TAIL = 4000
"""Characters of the output that are kept to be shown where the command fails."""

_STRING = r"\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)"
ESCAPES = re.compile(rf"{_STRING}|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]")


@dataclass
class Recording:
    """What came of a recording.

    Attributes:
        code: The command's exit code; 128 and the signal's number where a signal ended it.
        seconds: How long the cast plays.
        events: How many pieces of output it has.
        text: The last of the output, without colours and movements.
        leaks: Names of what the cast still holds of this machine: `home folder`, `user name`, `host name`.
    """

    code: int
    seconds: float = 0.0
    events: int = 0
    text: str = ""
    leaks: tuple[str, ...] = ()


@dataclass
class _Writer:
    """Times and texts of a cast as they come, with idle time cut and this machine's paths taken out."""

    write: Callable[[str], object]
    idle_limit: float
    speed: float
    hidden: Mapping[str, str]
    at: float = 0.0
    last: float | None = None
    events: int = 0
    seen: str = ""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def take(self, data: bytes, now: float) -> None:
        text = self._decoder.decode(data)
        if not text:
            return
        for secret, instead in self.hidden.items():
            text = text.replace(secret, instead)
        if self.last is not None:
            self.at += min(now - self.last, self.idle_limit) / self.speed
        self.last = now
        self.events += 1
        self.write(json.dumps([round(self.at, 6), "o", text], ensure_ascii=False) + "\n")
        self.seen += text


def record(
    command: Sequence[str],
    out: Path,
    *,
    columns: int = 100,
    rows: int = 30,
    idle_limit: float = 2.0,
    speed: float = 1.0,
    title: str = "",
    env: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Recording:
    """Run a command in a pseudo-terminal and write what it shows.

    Nothing is written where the command fails or the recording is interrupted; a file that was there stays. The header
    has neither the time nor the machine; the home folder and the working folder are written as `~` and `.`, and the
    command finds `reader` as the name of its user.

    Args:
        command: The program and its arguments.
        out: The cast.
        columns: The terminal's width in characters.
        rows: The terminal's height in characters.
        idle_limit: Most seconds between two pieces of output.
        speed: How many times as fast it plays as it was.
        title: For the header.
        env: The environment; this process' own by default.
        clock: Seconds, which only grow.

    Raises:
        InputError: `WET-INPUT-OUT`, the file cannot be written; `WET-INPUT-PTY`, there are no pseudo-terminals.
    """
    environ = dict(os.environ if env is None else env)
    hidden = _hidden(environ)
    header = {"version": 2, "width": columns, "height": rows, "title": title, "env": {"TERM": TERM}}
    try:
        descriptor, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    except OSError as error:
        raise InputError(
            "WET-INPUT-OUT", f"{out} cannot be written ({error.strerror}).", "Name another file."
        ) from None
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(header, ensure_ascii=False) + "\n")
            writer = _Writer(file.write, idle_limit, speed, hidden)
            code = _run(command, writer, columns=columns, rows=rows, env=_environment(environ), clock=clock)
        text = ESCAPES.sub("", writer.seen)
        if code == 0:
            _publish(draft, out)
    finally:
        draft.unlink(missing_ok=True)
    return Recording(code, round(writer.at, 3), writer.events, text[-TAIL:], _leaks(text, environ))


def _run(
    command: Sequence[str],
    writer: _Writer,
    *,
    columns: int,
    rows: int,
    env: Mapping[str, str],
    clock: Callable[[], float],
) -> int:
    process, terminal = pseudo_terminal.start(command, columns=columns, rows=rows, env=env)
    try:
        while data := pseudo_terminal.read(terminal):
            writer.take(data, clock())
            for answer in _answers(data, rows):
                with contextlib.suppress(OSError):
                    os.write(terminal, answer)
        code = process.wait()
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(terminal)
    return code if code >= 0 else 128 - code


def _answers(data: bytes, rows: int) -> list[bytes]:
    """What a terminal answers that shows text and no pictures.

    Where the cursor is, is told as the last line: who asks wants to know how much room is below, and none is the answer
    that is right however far the screen has filled.
    """
    asked = re.findall(rb"\x1b\[(?:(6)n|0?(c))", data)
    return [f"\x1b[{rows};1R".encode() if cursor else b"\x1b[?6c" for cursor, _ in asked]


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "TMUX")}
    return kept | {"TERM": TERM, "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LOGNAME": "reader", "USER": "reader"}


def _hidden(environ: Mapping[str, str]) -> dict[str, str]:
    """What must not be in a cast, with what stands there instead; the longest first, since one may hold the other."""
    folders = {str(Path.cwd()): ".", environ.get("HOME", ""): "~"}
    found = {folder: instead for folder, instead in folders.items() if len(folder) > 1}
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _leaks(text: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    import socket

    names = {
        "home folder": environ.get("HOME", ""),
        "user name": environ.get("USER") or environ.get("LOGNAME") or "",
        "host name": socket.gethostname(),
    }
    whole = {what: rf"(?<!\w){re.escape(name)}(?!\w)" for what, name in names.items() if len(name) > 2}
    return tuple(what for what, pattern in whole.items() if re.search(pattern, text))


def _publish(draft: Path, out: Path) -> None:
    draft.chmod(0o644)
    try:
        os.replace(draft, out)
    except OSError as error:
        raise InputError(
            "WET-INPUT-OUT", f"{out} cannot be written ({error.strerror}).", "Name another file."
        ) from None

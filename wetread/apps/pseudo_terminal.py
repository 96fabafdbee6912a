"""A command in a pseudo-terminal: what a program does that has a person at a terminal, seen by another program.

POSIX only: Windows has no pseudo-terminals of this kind, and `start` says so.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from wetread.errors import InputError

# opening a terminal makes it the controlling one of a session's leader: Ctrl-C and resizing reach the command then. A
# function run between fork and exec could do the same, but not safely beside threads.
_IN_TERMINAL = ("/bin/sh", "-c", 'exec "$@" <>"$0" >&0 2>&1')

END = b""
"""What `read` gives when nobody has the terminal open any more."""


def start(
    command: Sequence[str], *, columns: int, rows: int, env: Mapping[str, str], cwd: Path | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command as the leader of a session of its own, in a pseudo-terminal.

    Args:
        command: The program and its arguments.
        columns: The terminal's width in characters.
        rows: The terminal's height in characters.
        env: The whole environment of the command.
        cwd: Its working directory; the caller's by default.

    Returns:
        The process, whose id is that of its process group too, and the file descriptor at the person's end of the
        terminal. The caller waits for the one and closes the other.

    Raises:
        InputError: `WET-INPUT-PTY`, this system has no pseudo-terminals.
    """
    try:
        import pty
    except ImportError:  # pragma: no cover, Windows
        raise InputError(
            "WET-INPUT-PTY", "This system has no pseudo-terminals.", "Use Linux, macOS or WSL for this command."
        ) from None
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        raise InputError(
            "WET-INPUT-PTY", f"No pseudo-terminal is to be had ({error.strerror}).", "Is /dev/pts mounted?"
        ) from None
    try:
        resize(ours, columns=columns, rows=rows)
        process = subprocess.Popen(
            [*_IN_TERMINAL, os.ttyname(theirs), *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


def resize(terminal: int, *, columns: int, rows: int) -> None:
    """Give the terminal another size; what runs in it gets SIGWINCH."""
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read(terminal: int, size: int = 65536) -> bytes:
    """What was written to the terminal, as much as there is; waits for the first byte. `END` at the end."""
    try:
        return os.read(terminal, size)
    except OSError:  # Linux says EIO where others say end of file
        return END

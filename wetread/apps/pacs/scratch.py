"""A private folder for what came over the network: images with names in their headers, on no disk if it can be helped.

It lies in memory (/dev/shm) where the system has room there, can be entered by nobody else, and is removed at the end
whatever happens. Of a process that was killed, the next one removes it: a folder is alive as long as its lock is held.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "wetread-received-"
_LOCK = ".lock"
_MEMORY = Path("/dev/shm")


@contextmanager
def private_folder(wanted_bytes: int = 0) -> Iterator[Path]:
    """A folder that lasts as long as the block.

    Args:
        wanted_bytes: Room that is needed; with less of it in memory the folder is made among temporary files.
    """
    _sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=_place(wanted_bytes), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            _held(lock)
            inner = folder / "study"
            inner.mkdir(mode=0o700)
            yield inner
        finally:
            os.close(lock)


def _place(wanted_bytes: int) -> Path | None:
    with contextlib.suppress(OSError):
        usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK | os.X_OK)
        # no more than half of what is free: other programs live there too
        if usable and shutil.disk_usage(_MEMORY).free // 2 >= wanted_bytes:
            return _MEMORY
    return None


def _sweep() -> None:
    """Remove what killed processes of this user left behind."""
    owner = getattr(os, "getuid", lambda: 0)()
    for place in {_MEMORY, Path(tempfile.gettempdir())}:
        with contextlib.suppress(OSError):
            for folder in place.glob(f"{PREFIX}*"):
                with contextlib.suppress(OSError):
                    _remove_if_dead(folder, owner)


def _remove_if_dead(folder: Path, owner: int) -> None:
    if folder.is_symlink() or folder.stat().st_uid != owner:
        return
    lock = os.open(folder / _LOCK, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if _held(lock):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _held(lock: int) -> bool:
    """Take the lock; false where another process has it, or where there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

"""Keeps pydicom from speaking while a file is read: its warnings and log records quote header values and file names."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_reading: ContextVar[bool] = ContextVar("wetread_reading_dicom", default=False)


class _Silent(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading.get()


_silent = _Silent()


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Within the block, and in this thread or task alone, pydicom logs nothing.

    Its Python warnings are switched off for the whole process, since `warnings` knows no narrower scope that is safe
    among threads.
    """
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
    for name in list(logging.root.manager.loggerDict):
        if name == "pydicom" or name.startswith("pydicom."):
            logging.getLogger(name).addFilter(_silent)
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)

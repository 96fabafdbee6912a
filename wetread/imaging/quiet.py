"""Keeps decoding libraries from speaking while a file is read: their warnings and log records quote header values and
file names."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Literal

_reading: ContextVar[bool] = ContextVar("wetread_reading_file", default=False)

# Loggers come into being with their modules: these are imported first, so that none is missed.
_MODULES = {
    "pydicom": ("pydicom", "pydicom.filereader", "pydicom.pixels.decoders", "pydicom.pixels.utils"),
    "PIL": ("PIL.Image", "PIL.ImageFile", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.TiffImagePlugin"),
}


class _Silent(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading.get()


_silent = _Silent()


@contextmanager
def quiet(library: Literal["pydicom", "PIL"]) -> Iterator[None]:
    """Within the block, and in this thread or task alone, the library logs nothing.

    Its Python warnings are switched off for the whole process, since `warnings` knows no narrower scope that is safe
    among threads.
    """
    for module in _MODULES[library]:
        import_module(module)
    warnings.filterwarnings("ignore", module=rf"{library}(\.|$)")
    for name in list(logging.root.manager.loggerDict):
        if name == library or name.startswith(f"{library}."):
            logging.getLogger(name).addFilter(_silent)
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)

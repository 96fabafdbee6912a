"""pynetdicom, the library of the extra `pacs`: whether it is there, and that it keeps to itself what it sees."""

from __future__ import annotations

import logging

from wetread.errors import PacsError


def need_pynetdicom(*, sending: bool) -> None:
    """Make sure that pynetdicom can be imported, and that it logs nothing: its records quote titles and data sets.

    Raises:
        PacsError: `WET-PACS-EXTRA`, it is not installed.
    """
    try:
        from pynetdicom import _config
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "pynetdicom":
            raise
        raise PacsError(
            "WET-PACS-EXTRA",
            "This needs pynetdicom, which is not installed.",
            "Install it: pip install 'wetread[pacs]'.",
            sending=sending,
        ) from None
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)

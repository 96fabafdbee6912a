"""pynetdicom, the library of the extra `pacs`: whether it is there, and that it keeps to itself what it sees."""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from wetread.errors import PacsError

if TYPE_CHECKING:
    from pynetdicom.transport import AssociationSocket


def need_pynetdicom(*, sending: bool) -> None:
    """Make sure that pynetdicom can be imported, logs nothing (its records quote titles and data sets), and closes.

    Raises:
        PacsError: `WET-PACS-EXTRA`, it is not installed.
    """
    try:
        from pynetdicom import _config, transport
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
    transport.AssociationSocket._shutdown_socket = close_socket  # type: ignore[method-assign, assignment]


def close_socket(association: AssociationSocket) -> None:
    """Shut down and close a socket. pynetdicom (3.0) leaves it open where the shutdown fails, as it does when there was
    no connection or the peer has broken it, and then forgets it."""
    held = association.socket
    if held is None:
        return
    with contextlib.suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)
    held.close()

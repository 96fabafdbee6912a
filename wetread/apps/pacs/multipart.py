"""multipart/related (RFC 2046, RFC 2387) as DICOMweb uses it (PS3.18 8.7): parts as they come in, within bounds, and a
body to send."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from email.message import Message
from typing import Literal, NamedTuple

MAX_HEADER_BYTES = 16_384
"""Of one part, and of what stands before the first."""


class Malformed(ValueError):
    """A body that is not what its content type says."""


class Piece(NamedTuple):
    """Something of a part: `begin`, then any number of `data`, then `end`."""

    kind: Literal["begin", "data", "end"]
    data: bytes = b""


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that a Content-Type names, or None where it is not multipart.

    Raises:
        Malformed: it is multipart and names none that can be.
    """
    message = Message()
    message["content-type"] = content_type
    if message.get_content_maintype() != "multipart":
        return None
    found = message.get_param("boundary")
    if not isinstance(found, str) or not re.fullmatch(r"[\x20-\x7e]{1,200}", found) or found != found.rstrip():
        raise Malformed("a multipart answer without a boundary")
    return found.encode("ascii")


class PartReader:
    """Splits a multipart body while it comes in. Holds no more than one read and a part's headers.

    Args:
        boundary: As the content type names it.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # the first delimiter may stand at the very beginning
        self._state: Literal["before", "line", "headers", "body", "after"] = "before"

    @property
    def ended(self) -> bool:
        """Whether the closing delimiter has come."""
        return self._state == "after"

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What is complete with these bytes.

        Raises:
            Malformed: this is no multipart body.
        """
        buffer = self._buffer
        buffer += data
        while True:
            if self._state in ("before", "body"):
                at = buffer.find(self._delimiter)
                if at < 0:
                    # the delimiter may be cut in two by the read
                    sure = len(buffer) - len(self._delimiter) + 1
                    if self._state == "body" and sure > 0:
                        yield Piece("data", bytes(buffer[:sure]))
                        del buffer[:sure]
                    elif len(buffer) > MAX_HEADER_BYTES:
                        raise Malformed("a multipart answer that does not begin")
                    return
                if self._state == "body":
                    if at:
                        yield Piece("data", bytes(buffer[:at]))
                    yield Piece("end")
                del buffer[: at + len(self._delimiter)]
                self._state = "line"
            elif self._state == "line":
                if buffer.startswith(b"--"):
                    self._state = "after"
                    continue
                end = buffer.find(b"\r\n")
                if end < 0 or bytes(buffer[:end]).strip(b" \t"):
                    if end >= 0 or len(buffer) > MAX_HEADER_BYTES:
                        raise Malformed("a part that does not begin")
                    return
                del buffer[:end]  # its line break begins the headers, which may be none
                self._state = "headers"
            elif self._state == "headers":
                end = buffer.find(b"\r\n\r\n")
                if end < 0 or end > MAX_HEADER_BYTES:
                    if len(buffer) > MAX_HEADER_BYTES:
                        raise Malformed("a part whose headers do not end")
                    return
                yield Piece("begin", bytes(buffer[:end]))
                del buffer[: end + 4]
                self._state = "body"
            else:
                buffer.clear()
                return


def related(parts: Sequence[bytes], media_type: str) -> tuple[bytes, str]:
    """A multipart/related body of parts of one type, and its Content-Type."""
    boundary = secrets.token_hex(24)
    while any(boundary.encode() in part for part in parts):
        boundary = secrets.token_hex(24)
    head = f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n".encode()
    body = b"".join(b"".join((head, part, b"\r\n")) for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f'multipart/related; type="{media_type}"; boundary={boundary}'

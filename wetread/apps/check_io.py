"""What `wetread check` reads: drafted reports, plain texts in old and new encodings, and long streams."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from wetread.errors import InputError

if TYPE_CHECKING:
    from wetread.reports.model import Report

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 32 * 1024 * 1024
"""A longer line of JSON is told to be too long and passed over, so that memory stays bounded."""

_STDIN = "-"
_SAMPLE = 4096
_ODD_SHARE = 0.05


def bounded_lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a stream; None for one that is too long."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        if len(line) <= MAX_LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES)
        yield None


def read_input(name: str) -> str | Report | dict[str, Any]:
    """A file, or standard input for `-`: a drafted report, an object of the JSON form, or a plain text.

    Raises:
        InputError: `WET-INPUT-REPORT-FILE`, it cannot be read; `WET-INPUT-TEXT`, it is no text; `WET-INPUT-REPORT` and
            its kin, it is a report.json that cannot be used.
    """
    path = Path(name)
    if name != _STDIN and path.is_dir():
        name = str(path / "report.json")
    with opened(name) as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    shown = "Standard input" if name == _STDIN else name
    if len(data) > MAX_FILE_BYTES:
        raise InputError("WET-INPUT-TEXT", f"{shown} is larger than any report.", "Give many reports with --jsonl.")
    if data[:64].lstrip().startswith(b"{"):
        found = _json(data)
        if found is not None and "schema_version" in found:
            from wetread.reports.reading import parse_report

            return parse_report(data, shown)
        if found is not None and ("text" in found or "sections" in found):
            return found
    return decode(data, shown)


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def decode(data: bytes, name: str) -> str:
    """A text from its bytes: UTF-8, UTF-16 by its mark, else Windows-1252, which old systems write.

    Raises:
        InputError: `WET-INPUT-TEXT`, for what is no text.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # control characters in number are the mark of a binary file
        odd = sum(not character.isprintable() and not character.isspace() for character in text[:_SAMPLE])
        if "\0" not in text and odd <= _ODD_SHARE * len(text[:_SAMPLE]):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise InputError("WET-INPUT-TEXT", f"{name} is no text.", "Give a report.json or a plain text.")


def opened(name: str) -> BinaryIO:
    """A file for reading, or standard input for `-`.

    Raises:
        InputError: `WET-INPUT-REPORT-FILE`, it cannot be read.
    """
    if name == _STDIN:
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise InputError(
            "WET-INPUT-REPORT-FILE", f"{name} cannot be read ({error.strerror}).", "Check the path."
        ) from None

"""Ids as people type them: in any case, with or without brackets."""

from __future__ import annotations

import re

_ID = re.compile(
    r"\[?\s*(?:(?P<kind>[ES])\s?(?P<number>[1-9]\d{0,5})|image[ _-]?(?P<image>[1-9]\d{0,5}))\s*\]?", re.IGNORECASE
)

_OPENS = {"E": "evidence", "S": "why", "i": "show"}


def as_id(text: str) -> str | None:
    """`E3`, `S2` or `image_1` from what was typed; None where it is no id."""
    match = _ID.fullmatch(text.strip().rstrip(".,;"))
    if match is None:
        return None
    return f"image_{match['image']}" if match["image"] else f"{match['kind'].upper()}{match['number']}"


def bare(line: str) -> tuple[str, str] | None:
    """The command and the id that an id typed alone stands for; None where the line is more or less than an id."""
    id = as_id(line)
    return None if id is None else (_OPENS[id[0]], id)

"""Requests in the one form in which the tape compares them: readable, and free of what changes from run to run.

Left out or replaced: the bytes of images (their pixel hash stands for them), ids of tool uses (numbered in the order in
which they appear), tool specifications (their hash stands for them). Kept: every word that a model is sent.

A text that is a JSON object stands as that object and a text of several lines as the list of its lines, so that a
difference shows the one line that differs; white space inside a JSON object therefore does not count.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

import orjson

from wetread.agents.chat import ChatMessage, ChatRequest
from wetread.imaging.payload import Payload
from wetread.tools.endpoints.port import Cell, EndpointRequest
from wetread.values import canonical_json, sha256_hex

_DIFF_LINES = 60
_LINE_LENGTH = 200


def of_endpoint_request(request: EndpointRequest) -> dict[str, Any]:
    """An endpoint request in canonical form: images by the hash of their pixels and their size."""
    return {
        "endpoint": request.endpoint,
        "columns": list(request.columns),
        "rows": [[_cell(cell) for cell in row] for row in request.rows],
        "params": request.params,
    }


def of_chat_request(request: ChatRequest) -> dict[str, Any]:
    """A chat request in canonical form: tool-use ids become `call_1`, `call_2`, ...; tools are names and hashes."""
    numbers: dict[str, str] = {}
    canonical: dict[str, Any] = {
        "agent": request.agent,
        "messages": [_message(message, numbers) for message in request.messages],
        "tools": {spec.name: _short_hash(spec.model_dump(mode="json")) for spec in request.tools},
        "tool_choice": request.tool_choice,
    }
    if request.json_schema is not None:
        canonical["json_schema"] = _short_hash(request.json_schema)
    return canonical


def key_of(canonical: dict[str, Any]) -> str:
    """SHA-256 of a canonical request, in hexadecimal."""
    return sha256_hex(canonical_json(canonical))


def readable(text: str) -> Any:
    """A text in its canonical form: an object where it is a JSON object, a list where it has several lines."""
    if text.startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            return found
    return text.split("\n") if "\n" in text else text


def difference(asked: dict[str, Any], nearest: dict[str, Any] | None) -> str:
    """A unified diff of two canonical requests, of bounded length; `nearest` is None where there is nothing like it."""
    before = _lines(nearest) if nearest is not None else []
    found = difflib.unified_diff(before, _lines(asked), "on the tape", "asked now", lineterm="", n=2)
    return bounded_diff(found)


def bounded_diff(lines: Any) -> str:
    """The lines of a diff as one text of at most 60 lines of 200 characters, saying how much was left out."""
    kept = [line if len(line) <= _LINE_LENGTH else line[: _LINE_LENGTH - 1] + "…" for line in lines]
    if len(kept) > _DIFF_LINES:
        kept[_DIFF_LINES:] = [f"... {len(kept) - _DIFF_LINES} more lines"]
    return "\n".join(kept)


def nearest(asked: dict[str, Any], candidates: list[dict[str, Any]], *, limit: int = 40) -> dict[str, Any] | None:
    """The candidate most like a request, by the lines they share. Only the first `limit` are looked at."""
    lines = _lines(asked)
    best: tuple[float, dict[str, Any] | None] = (-1.0, None)
    for candidate in candidates[:limit]:
        likeness = difflib.SequenceMatcher(None, lines, _lines(candidate), autojunk=False).quick_ratio()
        if likeness > best[0]:
            best = (likeness, candidate)
    return best[1]


def _lines(canonical: dict[str, Any]) -> list[str]:
    return json.dumps(canonical, indent=1, sort_keys=True, ensure_ascii=False).split("\n")


def _cell(cell: Cell) -> Any:
    if isinstance(cell, Payload):
        return {"image": cell.pixel_sha256, "rows": cell.rows, "columns": cell.columns}
    return None if cell is None else readable(cell)


def _message(message: ChatMessage, numbers: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role}
    if message.text:
        found["text"] = readable(message.text)
    if message.tool_uses:
        found["tool_uses"] = [
            {"id": _number(use.id, numbers), "name": use.name, "arguments": readable(use.arguments)}
            for use in message.tool_uses
        ]
    if message.tool_use_id is not None:
        found["answers"] = _number(message.tool_use_id, numbers)
    if message.failed:
        found["failed"] = True
    return found


def _number(id: str, numbers: dict[str, str]) -> str:
    return numbers.setdefault(id, f"call_{len(numbers) + 1}")


def _short_hash(data: Any) -> str:
    return sha256_hex(canonical_json(data))[:16]

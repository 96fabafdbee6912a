"""Replies and faults in the form in which they stand on the tape, and back.

A text that is a JSON object, compact, stands as that object, and a text of several lines as the list of its lines; any
other text as it is. So a person can read them, and they can be given back to the letter.
"""

from __future__ import annotations

from typing import Any

import orjson

from wetread.agents.chat import ChatReply, ToolUse
from wetread.errors import WetreadError
from wetread.scenarios import canonical
from wetread.scenarios.tape_blobs import BlobReader, pack, unpack
from wetread.scenarios.tape_file import EndpointRecord, KeptChat, KeptRows, KeptToolUse, OriginKind, RecordedError
from wetread.tools.endpoints.port import EndpointReply
from wetread.vocabulary import Origin

ORIGINS: dict[OriginKind, Origin] = {
    "recorded": Origin.RECORDED,
    "simulated": Origin.SIMULATED,
    "authored": Origin.AUTHORED,
}
"""What the origin of a record says of evidence that rests on it."""


def write_chat(reply: ChatReply) -> KeptChat:
    """A chat reply for the tape."""
    uses = (KeptToolUse(id=use.id, name=use.name, arguments=_readable(use.arguments)) for use in reply.tool_uses)
    return KeptChat(
        text=_readable(reply.text),
        tool_uses=tuple(uses),
        usage=reply.usage,
        model=reply.model,
        finish=reply.finish,
    )


def read_chat(kept: KeptChat) -> ChatReply:
    """A chat reply from the tape."""
    uses = (ToolUse(id=use.id, name=use.name, arguments=_plain(use.arguments)) for use in kept.tool_uses)
    return ChatReply(
        text=_plain(kept.text), tool_uses=tuple(uses), usage=kept.usage, model=kept.model, finish=kept.finish
    )


def write_rows(reply: EndpointReply) -> tuple[KeptRows, dict[str, bytes]]:
    """An endpoint reply for the tape, and its blobs by name."""
    rows, blobs = pack(reply.rows)
    kept = KeptRows(model_name=reply.model_name, model_version=reply.model_version, warnings=reply.warnings, rows=rows)
    return kept, blobs


def read_rows(record: EndpointRecord, kept: KeptRows, blobs: BlobReader) -> EndpointReply:
    """An endpoint reply from the tape.

    Raises:
        TapeError: a blob is missing or broken.
    """
    return EndpointReply(
        rows=unpack(kept.rows, blobs),
        origin=ORIGINS[record.origin.kind],
        model_name=kept.model_name,
        model_version=kept.model_version,
        latency_ms=record.latency_ms,
        warnings=kept.warnings,
    )


def write_error(error: WetreadError) -> RecordedError:
    """A fault for the tape."""
    return RecordedError(
        code=error.code,
        message=error.message,
        hint=error.hint,
        retryable=getattr(error, "retryable", False),
        status=getattr(error, "status", None),
    )


def _readable(text: str) -> Any:
    found = canonical.readable(text)
    return text if isinstance(found, dict) and orjson.dumps(found).decode() != text else found


def _plain(kept: Any) -> str:
    if isinstance(kept, dict):
        return orjson.dumps(kept).decode()
    return "\n".join(kept) if isinstance(kept, list) else str(kept)

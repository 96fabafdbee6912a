"""One run over a tape: what answers in place of chat model and endpoints, or listens while they answer.

The same request many times is a queue, answered in order. A request that is not on the tape is a `TapeMiss` with a diff
against the record most like it, remembered so that it fails the run even where a tool made failed evidence of it; so
does a record that nobody asked for.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from wetread.agents.chat import ChatModel, ChatReply, ChatRequest, OnText, ToolUse
from wetread.errors import EndpointError, ModelError, TapeError, WetreadError
from wetread.scenarios import canonical
from wetread.scenarios.tape_blobs import BlobReader, pack, unpack
from wetread.scenarios.tape_file import (
    OriginKind,
    Provenance,
    Record,
    RecordedError,
    Seam,
    TapeContent,
    load_tape,
    save_tape,
)
from wetread.tools.endpoints.port import ENDPOINT_NAMES, EndpointName, EndpointPort, EndpointReply, EndpointRequest
from wetread.vocabulary import Origin


class Mode(StrEnum):
    """What a run does with its tape."""

    REPLAY = "replay"
    """Everything from the tape, strictly."""
    RECORD = "record"
    """Everything live; makes a new tape."""
    REFRESH_LLM = "refresh-llm"
    """The chat model live, the endpoints from the tape."""
    REFRESH_TOOLS = "refresh-tools"
    """The endpoints live, the chat model from the tape."""

    def live(self, seam: Seam) -> bool:
        """Whether that seam is asked live, and recorded."""
        return self is Mode.RECORD or self is (Mode.REFRESH_LLM if seam == "chat" else Mode.REFRESH_TOOLS)


class TapeMiss(TapeError):
    """A request that is not on the tape. `diff` is a unified diff against the record most like it."""

    def __init__(self, code: str, message: str, hint: str, diff: str) -> None:
        super().__init__(code, message, hint)
        self.diff = diff


@dataclass
class _Slot:
    """A place on the new tape, taken when a request began."""

    seam: Seam
    request: dict[str, Any]
    key: str
    record: Record | None = None


class Tape:
    """One run over a tape. Not for two runs at once; the content it reads from may be shared.

    Args:
        content: What is on the tape; nothing for a first recording.
        mode: See `Mode`.
    """

    def __init__(self, content: TapeContent | None = None, mode: Mode = Mode.REPLAY) -> None:
        self.content = content or TapeContent()
        self.mode = mode
        self.model: str | None = self.content.model
        self.configured: tuple[str, ...] = self.content.configured
        self._queues: dict[tuple[Seam, str], deque[Record]] = {}
        self._used: set[int] = set()
        self._slots: list[_Slot] = []
        self._blobs: dict[str, bytes] = {}
        self._misses: list[TapeError] = []
        for seam in _SEAMS:
            if not mode.live(seam):
                for record in self.content.records(seam):
                    self._queues.setdefault((seam, record.key), deque()).append(record)

    @classmethod
    def open(cls, path: Path, mode: Mode = Mode.REPLAY) -> Tape:
        """A run over the tape of a file; a recording needs none.

        Raises:
            TapeError: the tape is missing or corrupt.
        """
        return cls(None if mode is Mode.RECORD else load_tape(path), mode)

    def answer(self, seam: Seam, request: dict[str, Any]) -> Record:
        """The next recorded answer to a canonical request.

        Raises:
            TapeError: a `TapeMiss`, or `WET-TAPE-SPENT`: asked more often than recorded.
        """
        key = canonical.key_of(request)
        queue = self._queues.get((seam, key))
        if queue:
            record = queue.popleft()
            self._used.add(id(record))
            return record
        miss = self._miss(seam, request, spent=queue is not None)
        self._misses.append(miss)
        raise miss

    def begin(self, seam: Seam, request: dict[str, Any]) -> _Slot:
        """Take a place on the new tape; `keep` fills it, and one that is never filled leaves no trace."""
        slot = _Slot(seam, request, canonical.key_of(request))
        self._slots.append(slot)
        return slot

    def keep(
        self,
        slot: _Slot,
        origin: Provenance,
        latency_ms: float,
        *,
        reply: dict[str, Any] | None = None,
        error: RecordedError | None = None,
        blobs: dict[str, bytes] | None = None,
    ) -> Record:
        """Record what came of a request."""
        slot.record = Record(
            key=slot.key,
            origin=origin,
            latency_ms=round(latency_ms, 1),
            request=slot.request,
            reply=reply,
            error=error,
        )
        self._blobs.update(blobs or {})
        return slot.record

    def repeats(self, slot: _Slot) -> int:
        """How often the same request was begun before that slot."""
        before = self._slots[: self._slots.index(slot)]
        return sum(other.key == slot.key and other.seam == slot.seam for other in before)

    @property
    def blobs(self) -> BlobReader:
        """Where recorded arrays are read from."""
        return self.content.blobs

    def unused(self) -> list[Record]:
        """Records that should have been asked for and were not."""
        return [record for queue in self._queues.values() for record in queue]

    def faults(self) -> list[TapeError]:
        """What was wrong with the run so far: every request not on the tape, and one error for all unused records."""
        found = list(self._misses)
        unused = self.unused()
        if unused:
            shown = "; ".join(_named(record) for record in unused[:5])
            more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
            found.append(TapeError("WET-TAPE-UNUSED", f"Records that nobody asked for: {shown}{more}.", _AGAIN))
        return found

    def result(self) -> TapeContent:
        """The tape after this run: live seams as recorded now, replayed ones without what nobody asked for."""
        return replace(
            self.content,
            model=self.model,
            configured=self.configured,
            chat=self._made("chat"),
            endpoints=self._made("endpoints"),
        )

    def save(self, path: Path, *, secrets: Collection[str] = ()) -> TapeContent:
        """Write the tape as it is after this run, and read it back.

        Raises:
            TapeError: it holds what looks like a secret, or cannot be written.
        """
        save_tape(self.result(), path, self._blobs, secrets=secrets)
        return load_tape(path)

    def _made(self, seam: Seam) -> tuple[Record, ...]:
        if self.mode.live(seam):
            return tuple(slot.record for slot in self._slots if slot.seam == seam and slot.record)
        return tuple(record for record in self.content.records(seam) if id(record) in self._used)

    def _miss(self, seam: Seam, request: dict[str, Any], *, spent: bool) -> TapeError:
        who = request["endpoint"] if seam == "endpoints" else f"the chat model, for the agent '{request['agent']}',"
        if spent:
            return TapeError("WET-TAPE-SPENT", f"{who} was asked the same more often than was recorded.", _AGAIN)
        records = self.content.records(seam)
        field = "endpoint" if seam == "endpoints" else "agent"
        like = [record.request for record in records if record.request[field] == request[field]]
        diff = canonical.difference(request, canonical.nearest(request, like))
        return TapeMiss("WET-TAPE-MISS", f"{who} was asked what is not on the tape.", _AGAIN, diff)


class TapedModel:
    """The chat-model seam (a `ChatModel`): answers from the tape, or asks `inner` and records.

    Args:
        inner: Asked where the mode says so; not needed for a replay.
        origin: What a record of `inner` is: `recorded`, unless it was written by hand.
        clock: The time a record is given.
    """

    def __init__(
        self,
        tape: Tape,
        inner: ChatModel | None = None,
        *,
        origin: OriginKind = "recorded",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tape = tape
        self._inner = _needed(inner, tape, "chat")
        self._origin = origin
        self._clock = clock
        if self._inner is not None:
            tape.model = self._inner.name

    @property
    def name(self) -> str:
        return self._tape.model or "none"

    @property
    def origin(self) -> Origin:
        """Where its answers come from, as a replay will say: evidence that rests on them says the same."""
        if self._inner is not None:
            return _ORIGINS[self._origin]
        kinds = [record.origin.kind for record in self._tape.content.chat]
        return _ORIGINS[kinds[0]] if kinds else Origin.RECORDED

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        """Answer one request; see `ChatModel`. A replay gives the text out word by word.

        Raises:
            ModelError: as recorded, or as `inner` raises it.
            TapeError: the request is not on the tape.
        """
        asked = canonical.of_chat_request(request)
        if self._inner is not None:
            return await self._record(self._inner, request, asked, on_text)
        # an answer that never suspends would starve the loop
        await asyncio.sleep(0)
        record = self._tape.answer("chat", asked)
        if record.error is not None:
            raise ModelError(record.error.code, record.error.message, record.error.hint)
        reply = _read_chat(record.reply or {})
        if on_text is not None:
            for piece in re.findall(r"\s*\S+|\s+$", reply.text):
                on_text(piece)
        return reply

    async def _record(
        self, inner: ChatModel, request: ChatRequest, asked: dict[str, Any], on_text: OnText | None
    ) -> ChatReply:
        slot = self._tape.begin("chat", asked)
        at = self._clock() if self._origin == "recorded" else None
        origin = Provenance(kind=self._origin, source=inner.name, at=at)
        began = time.perf_counter()
        try:
            reply = await inner.complete(request, on_text)
        except ModelError as error:
            self._tape.keep(slot, origin, _since(began) if at else 0.0, error=_error(error))
            raise
        # ids made by chance would make every recording differ
        stem = f"{slot.key[:8]}-{self._tape.repeats(slot)}"
        uses = tuple(use.model_copy(update={"id": f"{stem}-{n}"}) for n, use in enumerate(reply.tool_uses, 1))
        reply = reply.model_copy(update={"tool_uses": uses})
        latency = _since(began) if at else 0.0
        self._tape.keep(slot, origin, latency, reply=_write_chat(reply))
        return reply

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()


class TapedEndpoints:
    """The endpoint seam (an `EndpointPort`): answers from the tape, or asks `inner` and records.

    Args:
        inner: Asked where the mode says so; not needed for a replay.
        faults: What the record of a fault is; a reply says for itself where it came from.
        source: Host of an endpoint, for the origin of what is recorded.
        clock: The time a record is given.
    """

    def __init__(
        self,
        tape: Tape,
        inner: EndpointPort | None = None,
        *,
        faults: OriginKind = "recorded",
        source: Callable[[EndpointName], str] = lambda endpoint: "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tape = tape
        self._inner = _needed(inner, tape, "endpoints")
        self._faults = faults
        self._source = source
        self._clock = clock
        if self._inner is not None:
            tape.configured = tuple(name for name in ENDPOINT_NAMES if self._inner.configured(name))

    def configured(self, endpoint: EndpointName) -> bool:
        """Whether that endpoint can be called: in a replay, whether it could be when the tape was made."""
        return endpoint in self._tape.configured

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """Answer one request; see `EndpointPort`.

        Raises:
            EndpointError: as recorded, or as `inner` raises it.
            TapeError: the request is not on the tape, or the answer's arrays are broken.
        """
        asked = canonical.of_endpoint_request(request)
        if self._inner is not None:
            return await self._record(self._inner, request, asked)
        await asyncio.sleep(0)
        record = self._tape.answer("endpoints", asked)
        if record.error is not None:
            fault = record.error
            raise EndpointError(fault.code, fault.message, fault.hint, retryable=fault.retryable, status=fault.status)
        return _read_reply(record, self._tape.blobs)

    async def _record(self, inner: EndpointPort, request: EndpointRequest, asked: dict[str, Any]) -> EndpointReply:
        slot = self._tape.begin("endpoints", asked)
        began = time.perf_counter()
        try:
            reply = await inner.score(request)
        except EndpointError as error:
            origin = self._provenance(self._faults, request.endpoint)
            self._tape.keep(slot, origin, _since(began) if origin.at else 0.0, error=_error(error))
            raise
        rows, blobs = pack(reply.rows)
        kept = {
            "model_name": reply.model_name,
            "model_version": reply.model_version,
            **({"warnings": list(reply.warnings)} if reply.warnings else {}),
            "rows": rows,
        }
        origin = self._provenance(_KINDS.get(reply.origin, "recorded"), request.endpoint)
        record = self._tape.keep(slot, origin, reply.latency_ms, reply=kept, blobs=blobs)
        # the session goes on with what a replay will give it, to the last bit
        return _read_reply(record, BlobReader(Path(), blobs))

    def _provenance(self, kind: OriginKind, endpoint: EndpointName) -> Provenance:
        if kind != "recorded":
            return Provenance(kind=kind)
        return Provenance(kind=kind, source=self._source(endpoint), at=self._clock())

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()


_SEAMS: tuple[Seam, Seam] = ("chat", "endpoints")
_KINDS: dict[Origin, OriginKind] = {Origin.SIMULATED: "simulated", Origin.AUTHORED: "authored"}
_ORIGINS = {"recorded": Origin.RECORDED, "simulated": Origin.SIMULATED, "authored": Origin.AUTHORED}
_AGAIN = "If the change is meant, record the scenario again: `wetread run --record NAME`."


def _needed(inner: Any, tape: Tape, seam: Seam) -> Any:
    if not tape.mode.live(seam):
        return None
    if inner is None:
        raise TapeError("WET-TAPE-LIVE", f"The mode {tape.mode} asks the {seam} live, and there is nothing to ask.")
    return inner


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _error(error: WetreadError) -> RecordedError:
    return RecordedError(
        code=error.code,
        message=error.message,
        hint=error.hint,
        retryable=getattr(error, "retryable", False),
        status=getattr(error, "status", None),
    )


def _named(record: Record) -> str:
    request = record.request
    if "endpoint" in request:
        return f"{request['endpoint']} ({record.key[:8]})"
    return f"agent '{request['agent']}', {len(request['messages'])} messages ({record.key[:8]})"


def _read_reply(record: Record, blobs: BlobReader) -> EndpointReply:
    kept = record.reply or {}
    return EndpointReply(
        rows=unpack(kept["rows"], blobs),
        origin=_ORIGINS[record.origin.kind],
        model_name=kept["model_name"],
        model_version=kept["model_version"],
        latency_ms=record.latency_ms,
        warnings=tuple(kept.get("warnings", ())),
    )


def _write_chat(reply: ChatReply) -> dict[str, Any]:
    kept = reply.model_dump(mode="json", exclude_defaults=True)
    if "text" in kept:
        kept["text"] = _readable_text(reply.text)
    for use in kept.get("tool_uses", ()):
        use["arguments"] = _readable_text(use["arguments"])
    return kept


def _read_chat(kept: dict[str, Any]) -> ChatReply:
    uses = tuple(
        ToolUse(id=use["id"], name=use["name"], arguments=_plain_text(use["arguments"]))
        for use in kept.get("tool_uses", ())
    )
    return ChatReply.model_validate({**kept, "text": _plain_text(kept.get("text", "")), "tool_uses": uses})


def _readable_text(text: str) -> Any:
    """A text as it stands on the tape; unlike `canonical.readable`, it can be given back to the letter."""
    found = canonical.readable(text)
    return text if isinstance(found, dict) and orjson.dumps(found).decode() != text else found


def _plain_text(kept: Any) -> str:
    if isinstance(kept, dict):
        return orjson.dumps(kept).decode()
    return "\n".join(kept) if isinstance(kept, list) else str(kept)

"""One run over a tape: what answers in place of chat model and endpoints, or listens while they answer.

The same request many times is a queue, answered in order. A request that is not on the tape is a `TapeMiss` with a diff
against the record most like it, remembered so that it fails the run even where a tool made failed evidence of it; so
does a record that nobody asked for.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from wetread.agents.chat import ChatModel, ChatReply, ChatRequest, OnText
from wetread.errors import EndpointError, ModelError, TapeError
from wetread.scenarios import canonical
from wetread.scenarios.tape_blobs import BlobReader
from wetread.scenarios.tape_file import (
    ChatRecord,
    EndpointRecord,
    OriginKind,
    Provenance,
    Seam,
    TapeContent,
    load_tape,
    save_tape,
)
from wetread.scenarios.tape_reel import Reel, TapeMiss, unused_fault
from wetread.scenarios.tape_replies import ORIGINS, read_chat, read_rows, write_chat, write_error, write_rows
from wetread.tools.endpoints.port import ENDPOINT_NAMES, EndpointName, EndpointPort, EndpointReply, EndpointRequest
from wetread.vocabulary import Origin

__all__ = ["Mode", "Tape", "TapeMiss", "TapedEndpoints", "TapedModel"]


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


class Tape:
    """One run over a tape. Not for two runs at once; the content it reads from may be shared.

    Args:
        content: What is on the tape; nothing for a first recording.
        mode: See `Mode`.

    Attributes:
        chat, endpoints: The two seams.
        model: Name of the chat model whose answers these are.
        configured: The endpoints that can be called, or could when the tape was made.
        pending: Bytes of recorded blobs that are not written yet, by name.
    """

    def __init__(self, content: TapeContent | None = None, mode: Mode = Mode.REPLAY) -> None:
        self.content = content or TapeContent()
        self.mode = mode
        self.chat = Reel[ChatRecord]("chat", self.content.chat, live=mode.live("chat"))
        self.endpoints = Reel[EndpointRecord]("endpoints", self.content.endpoints, live=mode.live("endpoints"))
        self.model: str | None = self.content.model
        self.configured: tuple[str, ...] = self.content.configured
        self.pending: dict[str, bytes] = {}

    @classmethod
    def open(cls, path: Path, mode: Mode = Mode.REPLAY) -> Tape:
        """A run over the tape of a file; a recording needs none.

        Raises:
            TapeError: the tape is missing or corrupt.
        """
        return cls(None if mode is Mode.RECORD else load_tape(path), mode)

    def faults(self) -> list[TapeError]:
        """What was wrong with the run so far: every request not on the tape, and one error for all unused records."""
        unused = [*self.chat.unused(), *self.endpoints.unused()]
        return [*self.chat.misses, *self.endpoints.misses, *([unused_fault(unused)] if unused else [])]

    def result(self) -> TapeContent:
        """The tape after this run: live seams as recorded now, replayed ones without what nobody asked for."""
        return replace(
            self.content,
            model=self.model,
            configured=self.configured,
            chat=self.chat.result(),
            endpoints=self.endpoints.result(),
        )

    def save(self, path: Path, *, secrets: Collection[str] = ()) -> TapeContent:
        """Write the tape as it is after this run, and read it back.

        Raises:
            TapeError: it holds what looks like a secret, or cannot be written.
        """
        save_tape(self.result(), path, self.pending, secrets=secrets)
        return load_tape(path)


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
        self._inner = _needed(inner, tape.chat)
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
            return ORIGINS[self._origin]
        kinds = [record.origin.kind for record in self._tape.content.chat]
        return ORIGINS[kinds[0]] if kinds else Origin.RECORDED

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
        record = self._tape.chat.answer(asked)
        if record.reply is None:
            assert record.error is not None
            raise ModelError(record.error.code, record.error.message, record.error.hint)
        reply = read_chat(record.reply)
        if on_text is not None:
            for piece in re.findall(r"\s*\S+|\s+$", reply.text):
                on_text(piece)
        return reply

    async def _record(
        self, inner: ChatModel, request: ChatRequest, asked: dict[str, Any], on_text: OnText | None
    ) -> ChatReply:
        slot = self._tape.chat.begin(asked)
        at = self._clock() if self._origin == "recorded" else None
        origin = Provenance(kind=self._origin, source=inner.name, at=at)
        began = time.perf_counter()
        try:
            reply = await inner.complete(request, on_text)
        except ModelError as error:
            slot.record = ChatRecord(
                key=slot.key, origin=origin, latency_ms=_since(began, at), request=asked, error=write_error(error)
            )
            raise
        # ids made by chance would make every recording differ
        stem = f"{slot.key[:8]}-{slot.repeat}"
        uses = tuple(use.model_copy(update={"id": f"{stem}-{n}"}) for n, use in enumerate(reply.tool_uses, 1))
        reply = reply.model_copy(update={"tool_uses": uses})
        slot.record = ChatRecord(
            key=slot.key, origin=origin, latency_ms=_since(began, at), request=asked, reply=write_chat(reply)
        )
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
        self._inner = _needed(inner, tape.endpoints)
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
        record = self._tape.endpoints.answer(asked)
        if record.reply is None:
            fault = record.error
            assert fault is not None
            raise EndpointError(fault.code, fault.message, fault.hint, retryable=fault.retryable, status=fault.status)
        return read_rows(record, record.reply, self._tape.content.blobs)

    async def _record(self, inner: EndpointPort, request: EndpointRequest, asked: dict[str, Any]) -> EndpointReply:
        slot = self._tape.endpoints.begin(asked)
        began = time.perf_counter()
        try:
            reply = await inner.score(request)
        except EndpointError as error:
            origin = self._provenance(self._faults, request.endpoint)
            slot.record = EndpointRecord(
                key=slot.key,
                origin=origin,
                latency_ms=_since(began, origin.at),
                request=asked,
                error=write_error(error),
            )
            raise
        kept, blobs = write_rows(reply)
        self._tape.pending.update(blobs)
        slot.record = EndpointRecord(
            key=slot.key,
            origin=self._provenance(_KINDS.get(reply.origin, "recorded"), request.endpoint),
            latency_ms=round(reply.latency_ms, 1),
            request=asked,
            reply=kept,
        )
        # the session goes on with what a replay will give it, to the last bit
        return read_rows(slot.record, kept, BlobReader(Path(), blobs))

    def _provenance(self, kind: OriginKind, endpoint: EndpointName) -> Provenance:
        if kind != "recorded":
            return Provenance(kind=kind)
        return Provenance(kind=kind, source=self._source(endpoint), at=self._clock())

    async def aclose(self) -> None:
        if self._inner is not None:
            await self._inner.aclose()


_KINDS: dict[Origin, OriginKind] = {Origin.SIMULATED: "simulated", Origin.AUTHORED: "authored"}
_Inner = TypeVar("_Inner")


def _needed(inner: _Inner | None, reel: Reel[Any]) -> _Inner | None:
    """What a live seam asks; None for one that is replayed."""
    if not reel.live:
        return None
    if inner is None:
        raise TapeError("WET-TAPE-LIVE", f"The {reel.seam} are to be asked live, and there is nothing to ask.")
    return inner


def _since(began: float, at: datetime | None) -> float:
    """Milliseconds since `began`; 0 for what was not recorded from a real model, where they mean nothing."""
    return round((time.perf_counter() - began) * 1000, 1) if at is not None else 0.0

"""Endpoints whose answers are kept until the reading that asked for them is done.

An endpoint's answer costs seconds and money, and a turn may be cancelled, or its process killed, between the answer
and the evidence that is made of it. So each answer goes to the disk as soon as it came, and whoever asks the same
again is answered from there. Answers hold no identifiers, as requests hold none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import time
import zlib
from pathlib import Path
from typing import Any

import orjson

from wetread.imaging.payload import Payload
from wetread.tools.base import current_call
from wetread.tools.endpoints.port import Cell, EndpointName, EndpointPort, EndpointReply, EndpointRequest
from wetread.values import canonical_json, sha256_hex
from wetread.vocabulary import Origin

_LEVEL = 1  # masks are mostly zeros: more costs time and gains little
KEPT_DAYS = 7
"""After so many days without a new answer, those of a session are let go of."""


class RememberedEndpoints:
    """An endpoint port that keeps answers in a folder and gives them again.

    Args:
        endpoints: Who answers what is not there.
        folder: Where the answers of one session are; made when the first comes.
    """

    def __init__(self, endpoints: EndpointPort, folder: Path) -> None:
        self._endpoints = endpoints
        self.folder = folder
        self._there: set[str] = set()
        with contextlib.suppress(OSError):  # a folder that cannot be read costs calls, not the reading
            self._there = {path.name for path in folder.glob("[0-9a-f]*")}
        self._writing: dict[str, asyncio.Future[bool]] = {}
        self._got: dict[str, set[str]] = {}

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """The kept answer to a request, else the endpoint's.

        Raises:
            EndpointError: the endpoint failed; failures are not kept.
        """
        name = _key(request)
        if (writing := self._writing.get(name)) is not None:
            await asyncio.shield(writing)
        call = _call()
        if call is not None:
            self._got.setdefault(call, set()).add(name)
        path = self.folder / name
        if name in self._there:
            kept = await asyncio.to_thread(_read, path)
            if kept is not None:
                return kept
            self._there.discard(name)
        reply = await self._endpoints.score(request)
        # a caller that is cancelled leaves it to its end; a disk that takes no answer costs a call later, no more
        writing = self._writing[name] = asyncio.get_running_loop().run_in_executor(None, _write, path, reply)
        writing.add_done_callback(lambda done: self._written(name, done))
        await asyncio.shield(writing)
        return reply

    def _written(self, name: str, done: asyncio.Future[bool]) -> None:
        del self._writing[name]
        if not done.cancelled() and done.exception() is None and done.result():
            self._there.add(name)

    def configured(self, endpoint: EndpointName) -> bool:
        return self._endpoints.configured(endpoint)

    def ended(self, call: str, *, useless: bool) -> None:
        """A tool call that asked has ended. What was of no use to it is not in the way of the next one."""
        names = self._got.pop(call, set())
        if useless:
            self._there -= names
            for name in names:
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Let go of all answers."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    async def aclose(self) -> None:
        """Nothing: whoever opened the endpoints closes them."""


def sweep(folder: Path, *, but: str = "", now: float | None = None) -> None:
    """Let go of what sessions have kept that nobody went on with for `KEPT_DAYS`.

    Args:
        folder: Where the folders of the sessions are.
        but: The session that is being opened.
        now: Seconds since the epoch; the present by default.
    """
    oldest = (time.time() if now is None else now) - KEPT_DAYS * 24 * 3600
    with contextlib.suppress(OSError):
        for one in folder.iterdir():
            answers = one / "answers"
            touched = answers.stat().st_mtime if answers.is_dir() else one.stat().st_mtime
            if one.name != but and _is_session(one.name) and one.is_dir() and touched < oldest:
                shutil.rmtree(one, ignore_errors=True)


def _is_session(name: str) -> bool:
    return len(name) == 16 and set(name) <= set("0123456789abcdef")


def _call() -> str | None:
    try:
        return current_call().id
    except LookupError:
        return None


def _key(request: EndpointRequest) -> str:
    """The request's hash, images by that of their pixels."""
    rows = [[_cell(cell) for cell in row] for row in request.rows]
    asked = [request.endpoint, list(request.columns), rows, request.params]
    return sha256_hex(canonical_json(asked))


def _cell(cell: Cell) -> Any:
    return [cell.pixel_sha256, cell.rows, cell.columns] if isinstance(cell, Payload) else cell


def _read(path: Path) -> EndpointReply | None:
    try:
        kept = orjson.loads(zlib.decompress(path.read_bytes()))
        return EndpointReply(
            rows=kept["rows"],
            origin=Origin(kept["origin"]),
            model_name=kept["model_name"],
            model_version=kept["model_version"],
            latency_ms=kept["latency_ms"],
            warnings=tuple(kept["warnings"]),
        )
    except (OSError, zlib.error, ValueError, KeyError, TypeError):
        return None  # not there, or cut off: ask again


def _write(path: Path, reply: EndpointReply) -> bool:
    """Put an answer on the disk, whole or not at all. It need not outlive the machine's power: no sync."""
    kept = {
        "rows": reply.rows,
        "origin": reply.origin.value,
        "model_name": reply.model_name,
        "model_version": reply.model_version,
        "latency_ms": reply.latency_ms,
        "warnings": list(reply.warnings),
    }
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        data = zlib.compress(orjson.dumps(kept), _LEVEL)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(data)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, TypeError):
        return False  # an answer of the tape holds arrays: it is on the tape already
    return True

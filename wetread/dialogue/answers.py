"""Endpoints whose answers are kept until the reading that asked for them is done.

An endpoint's answer costs seconds and money, and a process may be killed between the answer and the evidence that is
made of it. So each answer goes to the disk as soon as it came, and whoever opens the session again is answered from
there. Answers hold no identifiers, as requests hold none.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import zlib
from pathlib import Path
from typing import Any

import orjson

from wetread.imaging.payload import Payload
from wetread.tools.endpoints.port import Cell, EndpointName, EndpointPort, EndpointReply, EndpointRequest
from wetread.values import canonical_json, sha256_hex
from wetread.vocabulary import Origin

_LEVEL = 1  # masks are mostly zeros: more costs time and gains little


class RememberedEndpoints:
    """An endpoint port that keeps answers in a folder and gives them again.

    Args:
        endpoints: Who answers what is not there.
        folder: Where the answers of one session are; made when the first comes.
    """

    def __init__(self, endpoints: EndpointPort, folder: Path) -> None:
        self._endpoints = endpoints
        self.folder = folder
        # each is given once: an answer that turned out to be of no use is not in the way for ever
        self._there = {path.name for path in folder.glob("[0-9a-f]*")}

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """The kept answer to a request, else the endpoint's.

        Raises:
            EndpointError: the endpoint failed; failures are not kept.
        """
        path = self.folder / _key(request)
        if path.name in self._there:
            self._there.discard(path.name)
            kept = await asyncio.to_thread(_read, path)
            if kept is not None:
                return kept
        reply = await self._endpoints.score(request)
        # a disk that takes no answer costs a call after a crash, not the reading
        await asyncio.shield(asyncio.to_thread(_write, path, reply))
        return reply

    def configured(self, endpoint: EndpointName) -> bool:
        return self._endpoints.configured(endpoint)

    def forget(self) -> None:
        """Let go of all answers: what they said is in the evidence."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def aclose(self) -> None:
        """Nothing: whoever opened the endpoints closes them."""


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


def _write(path: Path, reply: EndpointReply) -> None:
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
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, TypeError):
        return  # an answer of the tape holds arrays: it is on the tape already

"""The simulated endpoints over HTTP: an ASGI app with the forms, statuses and headers of Azure ML online endpoints.

`POST /cxrreportgen/score`, `/medimageparse/score`, `/medimageinsight/score`; with a chat model `/v1/chat/completions`
and `/v1/models` too. `GET /` says what is there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from wetread.agents.chat import ChatModel
from wetread.errors import EndpointError
from wetread.testing.chat_server import chat_routes
from wetread.testing.faults import FaultPlan
from wetread.testing.simulated import Answers, Latency, Timing, answer, broken_body
from wetread.testing.simulated_models import Refused, SimulatedModels
from wetread.testing.simulated_request import is_allowed, parse_request, read_body
from wetread.tools.endpoints.port import ENDPOINT_NAMES, EndpointName
from wetread.tools.endpoints.statuses import DEPLOYMENT, INNER_REASON, INNER_STATUS, ORIGIN

DEPLOYMENT_NAME = "simulated"


def asgi_app(
    seed: int = 0,
    latency: Latency | None = None,
    faults: FaultPlan | None = None,
    *,
    answers: Answers | None = None,
    chat: ChatModel | None = None,
    key: str | None = None,
    max_payload_mb: float = 10.0,
    max_in_flight: Mapping[EndpointName, int] | None = None,
    only: Collection[EndpointName] = ENDPOINT_NAMES,
) -> Starlette:
    """The app.

    Args:
        seed: Another seed, other answers.
        latency: How long answers take.
        faults: What goes wrong.
        answers: Answers in the simulator's place.
        chat: Answers chat completions; without it there are no such routes.
        key: Asked for as `Authorization: Bearer <key>` by every route but `/`; None asks for nothing.
        max_payload_mb: Larger bodies are answered with 413.
        max_in_flight: More requests at a time are answered with 429; None and endpoints not named have no limit.
        only: The endpoints that are there at all.
    """
    server = _Server(seed, latency, faults, answers, key, int(max_payload_mb * 1e6), dict(max_in_flight or {}))
    routes: list[BaseRoute] = [
        Route(f"/{name}/score", _Scoring(server, name), methods=["POST"], name=name)
        for name in ENDPOINT_NAMES
        if name in only
    ]
    index = {"simulated": True, "endpoints": [f"/{name}/score" for name in ENDPOINT_NAMES if name in only]}

    async def home(request: Request) -> Response:
        return JSONResponse(index, headers={ORIGIN: "simulated"})

    routes.append(Route("/", home))
    if chat is not None:
        routes += chat_routes(chat, key=key)
    return Starlette(routes=routes)


class _Server:
    def __init__(
        self,
        seed: int,
        latency: Latency | None,
        faults: FaultPlan | None,
        answers: Answers | None,
        key: str | None,
        max_bytes: int,
        max_in_flight: dict[EndpointName, int],
    ) -> None:
        self.models = SimulatedModels(seed)
        self.timing = Timing(latency)
        self.faults = faults or FaultPlan()
        self.answers = answers
        self.key = key
        self.max_bytes = max_bytes
        self.max_in_flight = max_in_flight
        self.in_flight: Counter[EndpointName] = Counter()


class _Scoring:
    """One scoring route."""

    def __init__(self, server: _Server, name: EndpointName) -> None:
        self._server = server
        self._name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        server, name = self._server, self._name
        if not is_allowed(request, server.key):
            return _plain(401, "key_auth_bad_header_forbidden")
        if request.headers.get(DEPLOYMENT, DEPLOYMENT_NAME) != DEPLOYMENT_NAME:
            return _plain(404, "specified deployment could not be found")
        body = await read_body(request, server.max_bytes)
        if body is None:
            return _plain(413, "request entity too large")
        limit = server.max_in_flight.get(name)
        if limit is not None and server.in_flight[name] >= limit:
            return _plain(429, "too many requests in flight")
        server.in_flight[name] += 1
        try:
            return await self._score(body)
        finally:
            server.in_flight[name] -= 1

    async def _score(self, body: bytes) -> Response:
        server, name = self._server, self._name
        fault = server.faults.take(name)
        seconds = server.timing.next(name) + (fault.seconds if fault and fault.kind == "slow" else 0.0)
        if fault is not None and fault.kind == "status":
            await asyncio.sleep(seconds)
            return _plain(fault.status, "simulated fault", fault.headers)
        try:
            request = await asyncio.to_thread(parse_request, name, body, server.models)
            rows, _ = await asyncio.gather(answer(server.models, server.answers, request), asyncio.sleep(seconds))
        except Refused as refusal:
            return _refused(str(refusal))
        except EndpointError as error:
            return _refused(error.message)
        broken = fault is not None and fault.kind not in ("slow", "drop")
        content = broken_body(rows, fault) if fault is not None and broken else orjson.dumps(rows)
        headers = {"content-type": "application/json", ORIGIN: "simulated", DEPLOYMENT: DEPLOYMENT_NAME}
        if fault is not None and fault.kind == "drop":
            return _Dropped(content, headers)
        return Response(content, headers=headers)


class _Dropped(Response):
    """Promises its whole content, sends half and leaves: uvicorn then breaks the connection."""

    def __init__(self, content: bytes, headers: dict[str, str]) -> None:
        super().__init__(content, headers=headers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: max(1, len(self.body) // 2)])
        await send({"type": "http.response.body", "body": half, "more_body": True})


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, headers={ORIGIN: "simulated", **(headers or {})}, media_type="text/plain")


def _refused(reason: str) -> Response:
    return _plain(424, reason, {INNER_STATUS: "400", INNER_REASON: reason})

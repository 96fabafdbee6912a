"""Simulated endpoints in this process: exact wire forms, always the same answer, waiting and faults on order.

What they say means nothing about a patient; every answer is marked as simulated. Over the wire: `simulated_wire`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import orjson
from pydantic import Field

from wetread import __version__
from wetread.errors import EndpointError
from wetread.testing.faults import Fault, FaultPlan
from wetread.testing.simulated_models import Refused, SimulatedModels
from wetread.testing.simulated_rows import Row
from wetread.tools.endpoints.envelope import MODEL_NAMES, check_rows, check_table, parse_rows
from wetread.tools.endpoints.port import ENDPOINT_NAMES, EndpointName, EndpointReply, EndpointRequest
from wetread.tools.endpoints.statuses import INNER_REASON, INNER_STATUS, dropped_error, status_error
from wetread.values import Value
from wetread.vocabulary import Origin

MODEL_VERSION = f"simulated {__version__}"

Answers = Callable[[EndpointRequest], list[Row] | None]
"""Answers in the simulator's place, with rows in wire form (see `simulated_rows`); None leaves it to the simulator."""


class Latency(Value):
    """Seconds that answers take.

    Attributes:
        seconds: For each endpoint; 0 for one that is not named.
        cold_start_s: What the first call of each endpoint takes besides.
    """

    seconds: Mapping[EndpointName, float] = Field(default_factory=dict)
    cold_start_s: float = Field(default=0.0, ge=0)


class Timing:
    """Tells how long each call takes, first calls longer."""

    def __init__(self, latency: Latency | None) -> None:
        self._latency = latency or Latency()
        self._warm: set[EndpointName] = set()

    def next(self, endpoint: EndpointName) -> float:
        """Seconds that the next call of an endpoint takes."""
        cold = endpoint not in self._warm
        self._warm.add(endpoint)
        return self._latency.seconds.get(endpoint, 0.0) + (self._latency.cold_start_s if cold else 0.0)


class SimulatedEndpoints:
    """An `EndpointPort` without a network. `origin` is always `simulated`.

    A fault happens as the HTTP client would tell of it once it has given up: there are no retries here.

    Args:
        seed: Another seed, other answers.
        latency: How long answers take; replies carry it as their latency, so that it does not depend on the machine.
        faults: What goes wrong.
        answers: Answers in the simulator's place.
        only: The endpoints that are there at all; all by default.
        sleep: How to wait.
    """

    def __init__(
        self,
        seed: int = 0,
        latency: Latency | None = None,
        faults: FaultPlan | None = None,
        *,
        answers: Answers | None = None,
        only: Collection[EndpointName] = ENDPOINT_NAMES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._models = SimulatedModels(seed)
        self._timing = Timing(latency)
        self._faults = faults or FaultPlan()
        self._answers = answers
        self._only = frozenset(only)
        self._sleep = sleep

    def configured(self, endpoint: EndpointName) -> bool:
        """Whether that endpoint is among those simulated."""
        return endpoint in self._only

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """Answer one request.

        Raises:
            EndpointError: as ordered, or as the real endpoint would for such a request.
        """
        name = request.endpoint
        if not self.configured(name):
            raise EndpointError("WET-ENDPOINT-NOT-CONFIGURED", f"{name} is not simulated here.")
        check_table(request)
        fault = self._faults.take(name)
        seconds = self._timing.next(name) + (fault.seconds if fault and fault.kind == "slow" else 0.0)
        if fault is not None and fault.kind in ("status", "drop"):
            await self._sleep(seconds)
            raise dropped_error(name) if fault.kind == "drop" else status_error(name, fault.status, fault.headers)
        rows: list[Any]
        rows, _ = await asyncio.gather(answer(self._models, self._answers, request), self._sleep(seconds))
        if fault is not None and fault.kind != "slow":
            rows = parse_rows(name, broken_body(rows, fault), len(request.rows))
        return EndpointReply(
            rows=check_rows(name, rows, len(request.rows)),
            origin=Origin.SIMULATED,
            model_name=MODEL_NAMES[name],
            model_version=MODEL_VERSION,
            latency_ms=round(seconds * 1000, 1),
        )

    async def aclose(self) -> None:
        """Nothing is held."""


async def answer(models: SimulatedModels, answers: Answers | None, request: EndpointRequest) -> list[Row]:
    """The rows for a request: the hook's, else the simulator's; pictures are worked on in a thread.

    Raises:
        EndpointError: `WET-ENDPOINT-MODEL` for a request that the model does not take.
    """
    rows = answers(request) if answers is not None else None
    if rows is not None:
        return rows
    try:
        if models.knows(request):
            return models.answer(request)
        return await asyncio.to_thread(models.answer, request)
    except Refused as refusal:
        raise status_error(request.endpoint, 424, {INNER_STATUS: "400", INNER_REASON: str(refusal)}) from None


def broken_body(rows: list[Row], fault: Fault) -> bytes:
    """The body of an answer that a fault has been at."""
    match fault.kind:
        case "malformed":
            return b"<html><body>The service is upgrading.</body></html>"
        case "rows":
            return orjson.dumps([*rows, rows[-1]])
        case "truncated":
            body = orjson.dumps(rows)
            return body[: len(body) // 2]
        case "null_output":
            rows = [{**row, "output": "null"} for row in rows]
        case "nan_boxes":
            rows = [{**row, "output": '[["The heart is enlarged.", [[NaN, 0.2, 0.5, 0.6]]]]'} for row in rows]
        case "wrong_shape":
            rows = [{**row, "image_features": _one_mask_less(row["image_features"])} for row in rows]
        case "not_finite":
            rows = [{key: _without_first(value) for key, value in row.items()} for row in rows]
    return orjson.dumps(rows)


def _without_first(value: Any) -> Any:
    """A vector, nested or not, with null in place of its first number."""
    if not isinstance(value, list):
        return value
    return [[None, *value[0][1:]]] if isinstance(value[0], list) else [None, *value[1:]]


def _one_mask_less(text: str) -> str:
    features = orjson.loads(text)
    features["shape"] = [features["shape"][0] + 1, *features["shape"][1:]]
    return orjson.dumps(features).decode()

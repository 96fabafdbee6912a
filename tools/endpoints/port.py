"""The endpoint port: the one seam through which model endpoints are called, recorded, replayed and simulated.

A request is the Azure ML envelope before it becomes JSON; a reply is the list of rows after JSON is parsed and the
envelope is validated. Codecs make the one and read the other; they do no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from wetread.config import ENDPOINT_NAMES, EndpointName
from wetread.imaging.payload import Payload
from wetread.vocabulary import Origin

__all__ = ["ENDPOINT_NAMES", "Cell", "EndpointName", "EndpointPort", "EndpointReply", "EndpointRequest"]

Cell = str | Payload | None
"""One cell of a request's table: a text, an image, or nothing."""


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """One call: `rows` follow the order of `columns`."""

    endpoint: EndpointName
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndpointReply:
    """The answer: one JSON value per row, in row order.

    In a replayed reply, an array that travelled as base64 may stand as a numpy array in its place; codecs take both.
    """

    rows: list[Any]
    origin: Origin
    model_name: str
    model_version: str = "unknown"
    latency_ms: float = 0.0
    warnings: tuple[str, ...] = ()


class EndpointPort(Protocol):
    """Whatever answers endpoint requests: the HTTP client, the simulator in this process, the tape."""

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """Answer one request.

        Raises:
            EndpointError: with the code of the fault; never anything else but cancellation.
        """
        ...

    def configured(self, endpoint: EndpointName) -> bool:
        """Whether that endpoint can be called at all."""
        ...

    async def aclose(self) -> None: ...

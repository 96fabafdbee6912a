"""What a recording asks in place of a tape: the endpoints and the chat model that a scenario names."""

from __future__ import annotations

from collections.abc import Collection

from wetread.tools.endpoints.port import EndpointName, EndpointPort, EndpointReply, EndpointRequest
from wetread.tools.endpoints.statuses import status_error


class Outage:
    """An `EndpointPort` in front of another: some endpoints are down, some are not configured."""

    def __init__(
        self, inner: EndpointPort, *, down: Collection[EndpointName] = (), absent: Collection[EndpointName] = ()
    ) -> None:
        self._inner = inner
        self._down = frozenset(down)
        self._absent = frozenset(absent)

    def configured(self, endpoint: EndpointName) -> bool:
        return endpoint not in self._absent and self._inner.configured(endpoint)

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """Answer one request; see `EndpointPort`.

        Raises:
            EndpointError: `WET-ENDPOINT-UNAVAILABLE` for one that is down; as `inner` raises it otherwise.
        """
        if request.endpoint in self._down:
            raise status_error(request.endpoint, 503, {})
        return await self._inner.score(request)

    async def aclose(self) -> None:
        await self._inner.aclose()

"""The HTTP client of the model endpoints: reused connections, and a deadline, a limit and a breaker for each.

A process makes one `HttpEndpoints`, hands it to every session, and closes it at its end.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from wetread import __version__
from wetread.config import EndpointSettings, Settings
from wetread.errors import EndpointError
from wetread.tools.endpoints.breaker import Breaker
from wetread.tools.endpoints.envelope import MODEL_NAMES, body_size, build_body, check_table, contract_error, parse_rows
from wetread.tools.endpoints.port import ENDPOINT_NAMES, EndpointName, EndpointReply, EndpointRequest
from wetread.tools.endpoints.statuses import (
    DEPLOYMENT,
    ORIGIN,
    dropped_error,
    megabytes,
    retry_after,
    safe_name,
    status_error,
)
from wetread.tools.endpoints.tokens import TokenCredential, Tokens, authorization
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 4
CONNECT_TIMEOUT_S = 10.0
MAX_REPLY_BYTES = 64_000_000
"""An answer that is longer is given up while it comes in. 16 masks of 1024 x 1024 are 22 MB."""

_MAX_BACKOFF_S = 20.0
_MAX_ERROR_BODY = 65_536
_NO_ANSWER = frozenset(
    {
        "WET-ENDPOINT-CONNECT",
        "WET-ENDPOINT-DROPPED",
        "WET-ENDPOINT-SLOW",
        "WET-ENDPOINT-UNAVAILABLE",
        "WET-ENDPOINT-MODEL",
        "WET-ENDPOINT-DEADLINE",
    }
)
"""Faults that say the endpoint itself is in trouble, if another try might help; what the breaker counts."""


class HttpEndpoints:
    """The endpoints of `settings`, called over HTTP; an `EndpointPort`.

    Each call has one deadline that holds for waiting, retries and reading. A request's size is checked before it is
    sent. Connection faults, 408, 429, 5xx, and 424 with such an inner status are tried again with growing, jittered
    pauses, or after as long as `Retry-After` asks; a 429 makes the endpoint's other calls wait too. Redirects are not
    followed. Proxies and certificates of the environment are honoured, but never for this machine itself.

    May be used from several event loops, one after the other; connections belong to the loop they were made on.

    Args:
        settings: Which endpoints there are.
        transport: Another way to send requests, for tests.
        credential: Where Entra ID tokens come from, for endpoints without a key.
        rest_s: Seconds for which an endpoint that keeps failing is left alone.
        clock, sleep, jitter: Seconds that only go up; a pause; a number from 0 to 1.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        credential: TokenCredential | None = None,
        rest_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._credential = credential
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._breakers = {name: Breaker(rest_s=rest_s, clock=clock) for name in ENDPOINT_NAMES}
        self._wires: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[_Wire]] = WeakKeyDictionary()

    def configured(self, endpoint: EndpointName) -> bool:
        """Whether that endpoint has an address."""
        return endpoint in self._settings.endpoints

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """Answer one request. `latency_ms` is of the attempt that was answered, without waiting and earlier attempts.

        Raises:
            EndpointError: the fault of the last attempt, or `WET-ENDPOINT-NOT-CONFIGURED`, `-REQUEST`, `-TOO-LARGE`
                (nothing was sent), `-RESTING` (the breaker is open), `-DEADLINE`.
        """
        name = request.endpoint
        settings = self._settings.endpoints.get(name)
        if settings is None:
            raise EndpointError(
                "WET-ENDPOINT-NOT-CONFIGURED",
                f"{name} has no address.",
                f"Set WETREAD_{name.upper()}_URL, or use simulated endpoints.",
            )
        check_table(request)
        size = body_size(request)
        if size > settings.max_payload_mb * 1e6:
            raise EndpointError(
                "WET-ENDPOINT-TOO-LARGE",
                f"The request for {name} is {megabytes(size)}, above its limit of {settings.max_payload_mb:g} MB; "
                "nothing was sent.",
                "Send fewer or smaller images, or raise max_payload_mb if the endpoint takes more.",
            )
        call = _Call(request, settings, self._breakers[name], self._clock() + settings.timeout_s)
        try:
            async with asyncio.timeout(settings.timeout_s):
                return await self._run(call)
        except TimeoutError:
            error = self._late(call)
            call.settle(error)
            raise error from None
        except EndpointError as error:
            call.settle(error)
            raise
        finally:
            call.withdraw()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        made = self._wires.pop(asyncio.get_running_loop(), None)
        if made is not None:
            wire = await made
            await wire.client.aclose()
            await wire.tokens.aclose()

    async def _run(self, call: _Call) -> EndpointReply:
        wire = await self._wire()
        lane = wire.lanes[call.name]
        while True:
            asked = self._clock()
            async with lane.slots:
                await self._wait_for_turn(call, lane)
                call.waited_s += self._clock() - asked
                call.admit()
                call.attempts += 1
                try:
                    reply = await self._attempt(call, wire)
                except _Fault as fault:
                    error, wait = fault.error, fault.wait
                    call.last = error
                else:
                    call.settle(None)
                    return reply
            if not error.retryable or call.attempts >= ATTEMPTS or call.probe or call.breaker.state == "open":
                raise error
            if wait is not None and error.status == 429:
                lane.paused_until = max(lane.paused_until, self._clock() + wait)
            backoff = min(_MAX_BACKOFF_S, 0.5 * 2 ** (call.attempts - 1)) * (0.5 + 0.5 * self._jitter())
            pause = max(backoff, wait or 0.0)
            if self._clock() + pause >= call.deadline:
                raise error
            await self._sleep(pause)

    async def _wait_for_turn(self, call: _Call, lane: _Lane) -> None:
        while (pause := lane.paused_until - self._clock()) > 0:
            if self._clock() + pause >= call.deadline:
                raise call.last or status_error(call.name, 429, {})
            await self._sleep(pause)

    async def _attempt(self, call: _Call, wire: _Wire) -> EndpointReply:
        """One request over the wire, with one more if a token was refused."""
        import httpx

        if call.body is None:
            call.body = build_body(call.request)
        refused: str | None = None
        while True:
            headers = {"content-type": "application/json", "accept": "application/json"}
            try:
                token = await authorization(call.name, call.settings, wire.tokens, refused)
            except EndpointError as error:
                raise _Fault(error) from None
            if token is not None:
                headers["authorization"] = token
            if call.settings.deployment is not None:
                headers[DEPLOYMENT] = call.settings.deployment
            began = self._clock()
            try:
                async with wire.client.stream(
                    "POST", call.settings.url, content=call.body, headers=headers
                ) as response:
                    if response.status_code != 200:
                        await _drain(response)
                        can_refresh = call.settings.auth == "entra" and refused is None
                        if response.status_code in (401, 403) and can_refresh:
                            refused = token
                            continue
                        raise _Fault(
                            status_error(call.name, response.status_code, response.headers, len(call.body)),
                            retry_after(response.headers.get("retry-after")),
                        )
                    data = await _read(call.name, response)
            except (httpx.HTTPError, OSError, ssl.SSLError) as error:
                raise _Fault(connection_error(call.name, error)) from None
            latency_ms = round((self._clock() - began) * 1000, 1)
            try:
                rows = parse_rows(call.name, data, len(call.request.rows))
            except EndpointError as error:
                raise _Fault(error) from None
            return _reply(call, rows, response.headers, latency_ms)

    def _late(self, call: _Call) -> EndpointError:
        where = f"after {call.attempts} attempts" if call.attempts > 1 else "at the first attempt"
        if not call.attempts:
            where = "while waiting for a free place"
        elif call.waited_s >= call.settings.timeout_s / 2:
            where += f", after {call.waited_s:.2g} s of waiting for a free place"
        last = f", the last fault being {call.last.code}" if call.last else ""
        return EndpointError(
            "WET-ENDPOINT-DEADLINE",
            f"{call.name} did not answer within {call.settings.timeout_s:g} s ({where}{last}).",
            f"Raise WETREAD_{call.name.upper()}_TIMEOUT_S if the model is slow.",
            retryable=True,
        )

    async def _wire(self) -> _Wire:
        """Client, tokens and limits of the running loop, made when first needed: building a client loads all CAs, which
        takes a thread some tenths of a second."""
        loop = asyncio.get_running_loop()
        made = self._wires.get(loop)
        if made is None:
            parts = (self._settings, self._transport, self._credential)
            if self._transport is None:
                made = loop.run_in_executor(None, _Wire, *parts)
            else:
                made = loop.create_future()
                made.set_result(_Wire(*parts))
            self._wires[loop] = made
        return await asyncio.shield(made)


def warm() -> None:
    """Load what the first call loads."""
    import httpx

    httpx.HTTPError  # noqa: B018 - loaded for itself


def new_http_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client as all calls use it: kept connections, no redirects, the environment's proxies but for this machine.

    Its requests may take for ever once connected: the caller sets the deadline.
    """
    import httpx

    direct = ("all://localhost", "all://*.localhost", "all://127.0.0.1", "all://[::1]")
    return httpx.AsyncClient(
        transport=transport,
        mounts=dict.fromkeys(direct),
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60.0),
        headers={"user-agent": f"wetread/{__version__}"},
        follow_redirects=False,
    )


class _Fault(Exception):
    """An attempt that failed, and the seconds that its answer asked to wait."""

    def __init__(self, error: EndpointError, wait: float | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.wait = wait


class _Lane:
    """What the calls of one endpoint share."""

    def __init__(self, slots: int) -> None:
        self.slots = asyncio.Semaphore(slots)
        self.paused_until = float("-inf")


class _Wire:
    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None, credential: TokenCredential | None
    ) -> None:
        self.client = new_http_client(transport)
        self.tokens = Tokens(credential)
        self.lanes = {name: _Lane(endpoint.max_in_flight) for name, endpoint in settings.endpoints.items()}


class _Call:
    """One call from its first attempt to its end, and what it tells the breaker: exactly one of three things."""

    def __init__(self, request: EndpointRequest, settings: EndpointSettings, breaker: Breaker, deadline: float) -> None:
        self.request = request
        self.name = request.endpoint
        self.settings = settings
        self.breaker = breaker
        self.deadline = deadline
        self.body: bytes | None = None
        self.attempts = 0
        self.waited_s = 0.0
        self.last: EndpointError | None = None
        self.probe = False
        self._admitted = False

    def admit(self) -> None:
        if self.attempts:
            return
        admitted = self.breaker.admit()
        if admitted is None:
            raise EndpointError(
                "WET-ENDPOINT-RESTING",
                f"{self.name} failed several times in a row and is left alone for {self.breaker.rest_s:.0f} s more.",
                "See `wetread doctor`.",
                retryable=True,
            )
        self._admitted, self.probe = True, admitted

    def settle(self, error: EndpointError | None) -> None:
        if not self._admitted:
            return
        self._admitted = False
        if error is not None and error.code == "WET-ENDPOINT-CREDENTIAL":
            self.breaker.withdrawn(self.probe)
        elif error is not None and error.code in _NO_ANSWER and error.retryable:
            self.breaker.failed(self.probe)
        else:
            self.breaker.succeeded()

    def withdraw(self) -> None:
        if self._admitted:
            self._admitted = False
            self.breaker.withdrawn(self.probe)


def _reply(call: _Call, rows: list[Any], headers: httpx.Headers, latency_ms: float) -> EndpointReply:
    simulated = headers.get(ORIGIN) == "simulated"
    deployment = safe_name(headers.get(DEPLOYMENT, "")) or call.settings.deployment
    warnings = (f"{call.name} answered at attempt {call.attempts}",) if call.attempts > 1 else ()
    return EndpointReply(
        rows=rows,
        origin=Origin.SIMULATED if simulated else Origin.ENDPOINT,
        model_name=MODEL_NAMES[call.name],
        model_version=f"deployment {deployment}" if deployment else "unknown",
        latency_ms=latency_ms,
        warnings=warnings,
    )


async def _drain(response: httpx.Response) -> None:
    """Read a short body to its end, so that the connection can be used again; its text is nobody's business."""
    import httpx

    size = 0
    with suppress(httpx.HTTPError):  # the status is known and says more
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > _MAX_ERROR_BODY:
                break


async def _read(name: EndpointName, response: httpx.Response) -> bytearray:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_REPLY_BYTES:
            raise _Fault(contract_error(name, f"the answer is longer than {megabytes(MAX_REPLY_BYTES)}"))
    return data


def connection_error(name: EndpointName, error: BaseException) -> EndpointError:
    """What went wrong below HTTP, without the words of the libraries below: those hold addresses."""
    import httpx

    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return EndpointError(
            "WET-ENDPOINT-TLS",
            f"The certificate of {name} is not trusted.",
            "Behind an inspecting proxy, set SSL_CERT_FILE to its certificates.",
        )
    if isinstance(error, httpx.DecodingError):
        return contract_error(name, "its compression is broken")
    if isinstance(error, httpx.TooManyRedirects | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return EndpointError(
            "WET-ENDPOINT-REQUEST", f"The request for {name} cannot be sent over HTTP.", "Check its URL."
        )
    if any(isinstance(link, socket.gaierror) for link in chain):
        what = "its host name is not known"
    elif any(isinstance(link, ssl.SSLError) for link in chain) and isinstance(error, httpx.ConnectError):
        what = "no TLS connection could be made"
    elif isinstance(error, httpx.ConnectTimeout):
        what = f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
    elif isinstance(error, httpx.ProxyError):
        what = "the proxy refused"
    elif isinstance(error, httpx.ConnectError):
        what = "the connection was refused"
    else:
        return dropped_error(name)
    return EndpointError(
        "WET-ENDPOINT-CONNECT",
        f"{name} cannot be reached: {what}.",
        "Check the URL, the network and the proxy.",
        retryable=True,
    )

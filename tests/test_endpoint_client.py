"""The HTTP client of the endpoints: what it sends, how each fault is told, and that it never waits, floods or leaks."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from serving import served

import wetread.tools.endpoints.client as client_module
from wetread.config import EndpointSettings, Settings
from wetread.errors import EndpointError
from wetread.imaging.geometry import full
from wetread.imaging.prepare import encode
from wetread.testing.faults import FaultPlan
from wetread.testing.simulated import SimulatedEndpoints
from wetread.testing.simulated_wire import asgi_app
from wetread.tools.endpoints import cxrreportgen, medimageinsight, medimageparse
from wetread.tools.endpoints.client import ATTEMPTS, HttpEndpoints
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest
from wetread.tools.endpoints.statuses import INNER_REASON, INNER_STATUS, ORIGIN, retry_after, safe_reason
from wetread.vocabulary import Origin

Handler = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Awaitable[httpx.Response]]

KEY = "k3y-that-must-not-show"
URL = "https://endpoint.example/score?code=qu3ry-that-must-not-show"
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
IMAGE = encode(PIXELS, full(40, 50))
SQUARE = encode(np.zeros((1024, 1024), np.uint8), full(1024, 1024))
REQUEST = cxrreportgen.encode(IMAGE, indication="Cough")
GOOD = {"output": '[["The heart size is normal.", null]]'}


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def settings(**changes: Any) -> Settings:
    values = {"url": URL, "key": SecretStr(KEY), **changes}
    return Settings(endpoints={"cxrreportgen": EndpointSettings(**values)})


@asynccontextmanager
async def client(
    handler: Handler, clock: Clock | None = None, *, credential: Any = None, **changes: Any
) -> AsyncIterator[HttpEndpoints]:
    clock = clock or Clock()
    endpoints = HttpEndpoints(
        settings(**changes),
        transport=httpx.MockTransport(handler),
        credential=credential,
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 1.0,
    )
    try:
        yield endpoints
    finally:
        await endpoints.aclose()


class Script:
    """Answers requests with responses in turn, the last one for ever."""

    def __init__(self, *responses: httpx.Response | Exception | int) -> None:
        self._responses = list(responses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        if isinstance(response, Exception):
            raise response
        if isinstance(response, int):
            return httpx.Response(response, text=f"secret body {KEY}") if response != 200 else ok()
        return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def ok(*rows: Any, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=list(rows or [GOOD]), headers=headers)


async def fault(script: Script, clock: Clock | None = None, **changes: Any) -> EndpointError:
    async with client(script, clock, **changes) as endpoints:
        with pytest.raises(EndpointError) as caught:
            await endpoints.score(REQUEST)
    line = caught.value.line()
    assert KEY not in line and "qu3ry" not in line and "Cough" not in line and "secret" not in line
    assert "cxrreportgen" in line
    return caught.value


# ---- what is sent, what comes back


async def test_request_and_reply() -> None:
    script = Script(ok(GOOD, **{"azureml-model-deployment": "green"}))
    async with client(script, deployment="blue") as endpoints:
        reply = await endpoints.score(REQUEST)
    (sent,) = script.requests
    assert str(sent.url) == URL and sent.method == "POST"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["azureml-model-deployment"] == "blue"
    assert sent.headers["content-type"] == "application/json"
    table = json.loads(sent.content)["input_data"]
    assert table["columns"] == ["frontal_image", "indication", "comparison"]
    assert table["data"] == [[IMAGE.base64.decode(), "Cough", "None"]]
    assert (reply.rows, reply.origin, reply.model_name) == ([GOOD], Origin.ENDPOINT, "CXRReportGen")
    assert (reply.model_version, reply.warnings) == ("deployment green", ())


async def test_a_simulator_is_never_taken_for_an_endpoint() -> None:
    async with client(Script(ok(GOOD, **{ORIGIN: "simulated"}))) as endpoints:
        assert (await endpoints.score(REQUEST)).origin is Origin.SIMULATED


async def test_nothing_is_authenticated_over_plain_http_to_this_machine() -> None:
    script = Script(ok())
    async with client(script, url="http://127.0.0.1/score", key=None, credential=Credential("t")) as endpoints:
        await endpoints.score(REQUEST)
    assert "authorization" not in script.requests[0].headers


async def test_an_endpoint_that_is_not_configured() -> None:
    script = Script(ok())
    async with client(script) as endpoints:
        assert endpoints.configured("cxrreportgen") and not endpoints.configured("medimageparse")
        with pytest.raises(EndpointError, match="WETREAD_MEDIMAGEPARSE_URL") as caught:
            await endpoints.score(medimageparse.encode(SQUARE, ["lung"]))
    assert caught.value.code == "WET-ENDPOINT-NOT-CONFIGURED" and not script.requests


async def test_too_large_is_told_before_anything_is_sent() -> None:
    script = Script(ok())
    error = await fault(script, max_payload_mb=0.001)
    assert error.code == "WET-ENDPOINT-TOO-LARGE" and "0.0 MB" in error.message and not script.requests


async def test_no_request_is_sent_that_is_none() -> None:
    script = Script(ok())
    async with client(script) as endpoints:
        with pytest.raises(EndpointError) as caught:
            await endpoints.score(EndpointRequest("cxrreportgen", ("frontal_image",), ((IMAGE, "x"),)))
    assert caught.value.code == "WET-ENDPOINT-REQUEST" and not script.requests


# ---- each status has its own code, and is tried again or not


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (302, "REDIRECT", False),
        (400, "REJECTED", False),
        (401, "AUTH", False),
        (403, "AUTH", False),
        (404, "NOT-FOUND", False),
        (408, "SLOW", True),
        (413, "TOO-LARGE", False),
        (422, "REJECTED", False),
        (424, "MODEL", False),
        (429, "BUSY", True),
        (500, "UNAVAILABLE", True),
        (502, "UNAVAILABLE", True),
        (503, "UNAVAILABLE", True),
        (504, "UNAVAILABLE", True),
    ],
)
async def test_statuses(status: int, code: str, again: bool) -> None:
    script, clock = Script(httpx.Response(status, headers={"location": "https://evil.example"}, text=KEY)), Clock()
    error = await fault(script, clock)
    assert (error.code, error.status, error.retryable) == (f"WET-ENDPOINT-{code}", status, again)
    assert len(script.requests) == (ATTEMPTS if again else 1)
    assert clock.slept == ([0.5, 1.0, 2.0] if again else [])


@pytest.mark.parametrize(
    ("inner", "again"), [("500", True), ("503", True), ("408", True), ("400", False), ("x", False)]
)
async def test_model_errors_by_inner_status(inner: str, again: bool) -> None:
    headers = {INNER_STATUS: inner, INNER_REASON: "bad image in row 0"}
    script = Script(httpx.Response(424, headers=headers))
    error = await fault(script)
    assert (error.code, error.retryable) == ("WET-ENDPOINT-MODEL", again)
    assert len(script.requests) == (ATTEMPTS if again else 1)
    assert "bad image in row 0" in error.message


async def test_a_later_attempt_that_succeeds_says_so() -> None:
    script = Script(503, httpx.ReadError("gone"), ok())
    async with client(script) as endpoints:
        reply = await endpoints.score(REQUEST)
    assert reply.rows == [GOOD] and reply.warnings == ("cxrreportgen answered at attempt 3",)


@pytest.mark.parametrize(
    "value", [pytest.param("7", id="seconds"), pytest.param(None, id="date"), pytest.param("soon", id="nonsense")]
)
async def test_retry_after_is_honoured(value: str | None) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    script, clock = Script(httpx.Response(429, headers={"retry-after": value or date}), ok()), Clock()
    async with client(script, clock) as endpoints:
        await endpoints.score(REQUEST)
    assert len(script.requests) == 2
    (slept,) = clock.slept
    assert slept == {"7": 7.0, "soon": 0.5}.get(value or "", slept) and (value is not None or 20 < slept <= 30)


async def test_waiting_beyond_the_deadline_is_given_up_at_once() -> None:
    script, clock = Script(httpx.Response(429, headers={"retry-after": "600"})), Clock()
    error = await fault(script, clock)
    assert error.code == "WET-ENDPOINT-BUSY" and len(script.requests) == 1 and clock.slept == []


async def test_a_busy_endpoint_is_left_alone_by_other_calls_too() -> None:
    clock, sent_at = Clock(), []

    def handler(request: httpx.Request) -> httpx.Response:
        sent_at.append(clock.now)
        return httpx.Response(429, headers={"retry-after": "9"}) if len(sent_at) == 1 else ok()

    async with client(handler, clock, max_in_flight=1) as endpoints:
        await asyncio.gather(*(endpoints.score(REQUEST) for _ in range(3)))
    assert sent_at[0] == 1000.0 and min(sent_at[1:]) >= 1009.0 and len(sent_at) == 4


@given(
    st.text(max_size=40) | st.sampled_from(["0", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 9999 99:99 GMT"])
)
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or seconds >= 0


@given(st.text(max_size=300))
def test_any_reason_is_short_and_harmless(text: str) -> None:
    reason = safe_reason(text + " https://host/path?key=1 john@doe.org MRN0123456789 <b>")
    assert len(reason) <= 80 and "http" not in reason.replace("http", "", text.count("http"))
    assert not set(reason) & set("<>@/\\{}\"'\n\r\x1b") and "0123456789" not in reason


# ---- bodies and connections


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"output": "[]"}', b"[]", b"[1]", b'[{"output": "[]"}, {}]', b'[{"output": "[[']
)
async def test_malformed_answers(body: bytes) -> None:
    script = Script(httpx.Response(200, content=body))
    error = await fault(script)
    assert (error.code, len(script.requests)) == ("WET-ENDPOINT-CONTRACT", 1)


async def test_an_endless_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_REPLY_BYTES", 10_000)
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b" " * 1000

    async with client(lambda request: httpx.Response(200, content=body())) as endpoints:
        with pytest.raises(EndpointError, match="longer than") as caught:
            await endpoints.score(REQUEST)
    assert caught.value.code == "WET-ENDPOINT-CONTRACT" and read < 20_000


async def test_a_broken_compression() -> None:
    async with client(lambda request: _raw(b"no gzip", {"content-encoding": "gzip"})) as endpoints:
        with pytest.raises(EndpointError) as caught:
            await endpoints.score(REQUEST)
    assert caught.value.code == "WET-ENDPOINT-CONTRACT"


def _raw(content: bytes, headers: dict[str, str]) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        yield content

    return httpx.Response(200, headers=headers, content=body())


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "again"),
    [
        (httpx.ConnectError("to 10.1.2.3 refused"), "CONNECT", True),
        (caused(httpx.ConnectError(""), socket.gaierror("secret host")), "CONNECT", True),
        (httpx.ConnectTimeout(""), "CONNECT", True),
        (httpx.ProxyError("secret proxy"), "CONNECT", True),
        (caused(httpx.ConnectError(""), ssl.SSLEOFError()), "CONNECT", True),
        (caused(httpx.ConnectError(""), ssl.SSLCertVerificationError()), "TLS", False),
        (httpx.ReadError(""), "DROPPED", True),
        (httpx.WriteError(""), "DROPPED", True),
        (httpx.RemoteProtocolError("peer closed"), "DROPPED", True),
        (ConnectionResetError("secret"), "DROPPED", True),
        (httpx.LocalProtocolError("secret header"), "REQUEST", False),
    ],
)
async def test_connection_faults(error: Exception, code: str, again: bool) -> None:
    script = Script(error)
    caught = await fault(script)
    assert (caught.code, caught.retryable) == (f"WET-ENDPOINT-{code}", again)
    assert len(script.requests) == (ATTEMPTS if again else 1)
    assert "10.1.2.3" not in caught.line()


# ---- tokens


class Credential:
    """Gives tokens in turn, the last one for ever; counts."""

    def __init__(self, *tokens: str, lives_s: float = 3600) -> None:
        self._tokens = list(tokens)
        self._lives_s = lives_s
        self.asked = 0

    def get_token(self, *scopes: str) -> Any:
        assert scopes == ("https://ml.azure.com/.default",)
        self.asked += 1
        if not self._tokens:
            raise RuntimeError("secret account name")
        token = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        return SimpleNamespace(token=token, expires_on=datetime.now(UTC).timestamp() + self._lives_s)


class AsyncCredential:
    async def get_token(self, *scopes: str) -> Any:
        return SimpleNamespace(token="async", expires_on=datetime.now(UTC).timestamp() + 3600)


def accepts(token: str) -> tuple[list[str], Handler]:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return ok() if seen[-1] == f"Bearer {token}" else httpx.Response(401)

    return seen, handler


async def test_one_token_serves_all_calls() -> None:
    credential = Credential("a")
    seen, handler = accepts("a")
    async with client(handler, key=None, credential=credential) as endpoints:
        await asyncio.gather(*(endpoints.score(REQUEST) for _ in range(5)))
    assert credential.asked == 1 and seen == ["Bearer a"] * 5


async def test_an_async_credential() -> None:
    _, handler = accepts("async")
    async with client(handler, key=None, credential=AsyncCredential()) as endpoints:
        assert (await endpoints.score(REQUEST)).rows == [GOOD]


async def test_a_token_near_its_end_is_renewed() -> None:
    credential = Credential("a", lives_s=60)
    _, handler = accepts("a")
    async with client(handler, key=None, credential=credential) as endpoints:
        await endpoints.score(REQUEST)
        await endpoints.score(REQUEST)
    assert credential.asked == 2


async def test_a_refused_token_is_renewed_once() -> None:
    seen, handler = accepts("new")
    async with client(handler, key=None, credential=Credential("old", "new")) as endpoints:
        reply = await endpoints.score(REQUEST)
    assert seen == ["Bearer old", "Bearer new"] and reply.warnings == ()


async def test_a_token_refused_twice_is_told() -> None:
    script = Script(403)
    error = await fault(script, key=None, credential=Credential("a", "b", "c"))
    assert error.code == "WET-ENDPOINT-AUTH" and len(script.requests) == 2


async def test_no_token_to_be_had() -> None:
    script = Script(ok())
    error = await fault(script, key=None, credential=Credential())
    assert error.code == "WET-ENDPOINT-CREDENTIAL" and not script.requests


# ---- deadline, cancelling, limit, breaker


async def never(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def test_deadline() -> None:
    async with client(never, timeout_s=0.05) as endpoints:
        with pytest.raises(EndpointError, match=r"0\.05 s \(at the first attempt") as caught:
            await endpoints.score(REQUEST)
    assert (caught.value.code, caught.value.retryable) == ("WET-ENDPOINT-DEADLINE", True)


async def test_deadline_holds_for_waiting_too() -> None:
    holding, let_go = asyncio.Event(), asyncio.Event()

    async def holds_its_place(request: httpx.Request) -> httpx.Response:
        holding.set()
        try:
            return await never(request)
        finally:
            await let_go.wait()

    async with client(holds_its_place, timeout_s=0.05, max_in_flight=1) as endpoints:
        first = asyncio.create_task(endpoints.score(REQUEST))
        await holding.wait()
        with pytest.raises(EndpointError, match="while waiting for a free place") as caught:
            await endpoints.score(REQUEST)
        let_go.set()
        with pytest.raises(EndpointError, match="at the first attempt"):
            await first
    assert caught.value.code == "WET-ENDPOINT-DEADLINE"


async def test_a_deadline_tells_of_the_time_spent_waiting() -> None:
    clock, holding, let_go = Clock(), asyncio.Event(), asyncio.Event()

    async def answers_once(request: httpx.Request) -> httpx.Response:
        if holding.is_set():
            return await never(request)
        holding.set()
        await let_go.wait()
        return ok()

    async with client(answers_once, clock, timeout_s=0.5, max_in_flight=1) as endpoints:
        first = asyncio.create_task(endpoints.score(REQUEST))
        await holding.wait()
        second = asyncio.create_task(endpoints.score(REQUEST))
        await asyncio.sleep(0)
        clock.now += 0.4
        let_go.set()
        await first
        with pytest.raises(EndpointError, match=r"at the first attempt, after 0\.4 s of waiting for a free place"):
            await second


async def test_deadline_ends_the_retries() -> None:
    script, clock = Script(503), Clock()
    error = await fault(script, clock, timeout_s=1.2)
    assert error.code == "WET-ENDPOINT-UNAVAILABLE" and len(script.requests) == 2


async def test_no_more_in_flight_than_allowed() -> None:
    running, most = 0, 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return ok()

    async with client(handler, max_in_flight=3) as endpoints:
        replies = await asyncio.gather(*(endpoints.score(REQUEST) for _ in range(20)))
    assert len(replies) == 20 and most == 3


async def test_cancelling_frees_the_place_and_says_nothing_about_the_endpoint() -> None:
    stuck = asyncio.Event()
    calls = 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls <= 8:
            stuck.set()
            await asyncio.Event().wait()
        return ok()

    async with client(handler, max_in_flight=1) as endpoints:
        for _ in range(8):
            stuck.clear()
            running = asyncio.create_task(endpoints.score(REQUEST))
            waiting = asyncio.create_task(endpoints.score(REQUEST))
            await stuck.wait()
            waiting.cancel()
            running.cancel()
            found = await asyncio.gather(running, waiting, return_exceptions=True)
            assert [type(error) for error in found] == [asyncio.CancelledError] * 2
        assert (await endpoints.score(REQUEST)).rows == [GOOD]


async def code_of(call: Awaitable[EndpointReply]) -> str:
    try:
        await call
    except EndpointError as error:
        return error.code.removeprefix("WET-ENDPOINT-")
    return "ok"


async def test_breaker_opens_probes_and_closes() -> None:
    script, clock = Script(503), Clock()
    async with client(script, clock) as endpoints:
        assert [await code_of(endpoints.score(REQUEST)) for _ in range(6)] == ["UNAVAILABLE"] * 5 + ["RESTING"]
        sent = len(script.requests)
        clock.now += 31
        assert await code_of(endpoints.score(REQUEST)) == "UNAVAILABLE"
        assert len(script.requests) == sent + 1, "the probe is one attempt"
        assert await code_of(endpoints.score(REQUEST)) == "RESTING"
        clock.now += 31
        script._responses = [200]
        assert [await code_of(endpoints.score(REQUEST)) for _ in range(3)] == ["ok"] * 3


async def test_breaker_lets_one_probe_through_at_a_time() -> None:
    clock, asked, answer, healthy = Clock(), asyncio.Event(), asyncio.Event(), False

    async def handler(request: httpx.Request) -> httpx.Response:
        if not healthy:
            return httpx.Response(503)
        asked.set()
        await answer.wait()
        return ok()

    async with client(handler, clock) as endpoints:
        for _ in range(5):
            await code_of(endpoints.score(REQUEST))
        clock.now += 31
        healthy = True
        for number in range(2):  # the first probe is cancelled, and leaves its place to the next
            probe = asyncio.create_task(code_of(endpoints.score(REQUEST)))
            await asked.wait()
            asked.clear()
            assert await code_of(endpoints.score(REQUEST)) == "RESTING"
            if number == 0:
                probe.cancel()
                await asyncio.gather(probe, return_exceptions=True)
        answer.set()
        assert await probe == "ok"
        assert await code_of(endpoints.score(REQUEST)) == "ok"


@pytest.mark.parametrize("status", [400, 401, 404, 413, 424, 429])
async def test_refusals_do_not_open_the_breaker(status: int) -> None:
    script = Script(status)
    async with client(script) as endpoints:
        codes = {await code_of(endpoints.score(REQUEST)) for _ in range(8)}
    assert len(codes) == 1 and "RESTING" not in codes


async def test_breakers_are_one_for_each_endpoint() -> None:
    both = Settings(
        endpoints={
            name: EndpointSettings(url=f"https://{name}.example/score", key=SecretStr("k"))
            for name in ("cxrreportgen", "medimageinsight")
        }
    )

    def handler(request: httpx.Request) -> httpx.Response:
        if "cxr" in request.url.host:
            return httpx.Response(503)
        return ok({"text_features": [1.0] + [0.0] * 1023})

    clock = Clock()
    endpoints = HttpEndpoints(both, transport=httpx.MockTransport(handler), clock=clock, sleep=clock.sleep)
    codes = [await code_of(endpoints.score(REQUEST)) for _ in range(6)]
    assert codes[-1] == "RESTING"
    assert await code_of(endpoints.score(medimageinsight.encode(texts=["x-ray chest"]))) == "ok"
    await endpoints.aclose()


def test_one_client_for_several_event_loops() -> None:
    script = Script(ok())
    endpoints = HttpEndpoints(settings(max_in_flight=1), transport=httpx.MockTransport(script))

    async def twice() -> None:
        await asyncio.gather(endpoints.score(REQUEST), endpoints.score(REQUEST))
        await endpoints.aclose()

    asyncio.run(twice())
    asyncio.run(twice())
    assert len(script.requests) == 4


# ---- against the simulator, over a real socket


def settings_at(base: str, **changes: Any) -> Settings:
    names = ("cxrreportgen", "medimageparse", "medimageinsight")
    return Settings(endpoints={name: EndpointSettings(url=f"{base}/{name}/score", **changes) for name in names})


async def test_over_a_real_socket() -> None:
    here = SimulatedEndpoints(seed=3)
    requests = [
        REQUEST,
        medimageparse.encode(SQUARE, ["left lung", "heart"]),
        medimageinsight.encode([IMAGE], ["x-ray chest"]),
    ]
    ports: set[int] = set()

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            ports.add(scope["client"][1])
        await app(scope, receive, send)

    app = asgi_app(seed=3, key=KEY)
    with served(counted) as base:
        endpoints = HttpEndpoints(settings_at(base, key=SecretStr(KEY)))
        for _ in range(3):
            for request in requests:
                there, expected = await endpoints.score(request), await here.score(request)
                assert there.rows == expected.rows and there.origin is Origin.SIMULATED
        assert len(ports) == 1, "one connection serves all calls that come one after the other"
        await endpoints.aclose()


async def test_a_connection_that_breaks_and_one_that_is_given_up() -> None:
    clock = Clock()
    faults = FaultPlan.parse(["cxrreportgen:drop", "cxrreportgen:slow=60,after=2"])
    app = asgi_app(faults=faults)
    asked = threading.Semaphore(0)

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        async def heard() -> Any:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                asked.release()
            return message

        await app(scope, heard, send)

    with served(counted) as base:
        endpoints = HttpEndpoints(settings_at(base, max_in_flight=1), clock=clock, sleep=clock.sleep)
        reply = await endpoints.score(REQUEST)
        assert reply.warnings == ("cxrreportgen answered at attempt 2",)
        slow = asyncio.create_task(endpoints.score(REQUEST))
        for _ in range(3):  # the one that was dropped, its second attempt, and this one
            assert await asyncio.to_thread(asked.acquire, timeout=30)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert (await endpoints.score(REQUEST)).rows == reply.rows
        await endpoints.aclose()


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    clock = Clock()
    endpoints = HttpEndpoints(settings_at(f"http://127.0.0.1:{port}"), clock=clock, sleep=clock.sleep)
    assert await code_of(endpoints.score(REQUEST)) == "CONNECT"
    await endpoints.aclose()

"""Chat models over the wire: against servers on loopback that behave well, oddly, and badly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from wetread.agents import models
from wetread.agents.chat import ChatMessage, ChatReply, ChatRequest, ToolSpec, ToolUse, Usage
from wetread.agents.models import chat_model
from wetread.agents.openai_wire import ReplyBuilder, is_strict, wire_request
from wetread.agents.protocol import Protocol
from wetread.config import Settings
from wetread.errors import ConfigError, ModelError
from wetread.testing.chat_server import chat_routes
from wetread.testing.scripted import ScriptedModel, calls

KEY = "sk-test-NEVER-SHOWN"
LOOK = ToolSpec(
    name="look", description="Looks.", parameters={"type": "object", "properties": {"at": {"type": "string"}}}
)
ASK = ChatRequest(
    agent="reader",
    messages=(ChatMessage(role="system", text="You read."), ChatMessage(role="user", text="PATIENT-TEXT")),
    tools=(LOOK,),
)

Handler = Callable[[dict[str, Any]], Response]


class Server:
    """An OpenAI-like server whose answers are a list of handlers, the last of them for ever."""

    def __init__(self, handlers: list[Handler]) -> None:
        self.handlers = handlers
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.url = ""

    async def answer(self, request: Request) -> Response:
        self.bodies.append(orjson.loads(await request.body()))
        self.headers.append(dict(request.headers))
        self.paths.append(str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""))
        return self.handlers[min(len(self.bodies), len(self.handlers)) - 1](self.bodies[-1])


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        free.listen()
        config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[free]))
        try:
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            yield f"http://127.0.0.1:{free.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def server(*handlers: Handler) -> AsyncIterator[Server]:
    one = Server(list(handlers))
    async with serving(Starlette(routes=[Route("/{path:path}", one.answer, methods=["POST"])])) as url:
        one.url = url
        yield one


@asynccontextmanager
async def model_at(url: str, kind: str = "compatible") -> AsyncIterator[Any]:
    base = url if kind == "azure" else f"{url}/v1"
    model = chat_model(Settings(model=f"{kind}:m1", model_base_url=base, model_api_key=SecretStr(KEY)))
    try:
        yield model
    finally:
        await model.aclose()


def stream(*chunks: dict[str, Any] | str, end: bool = True) -> Handler:
    def answer(body: dict[str, Any]) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield b"data: " + (chunk.encode() if isinstance(chunk, str) else orjson.dumps(chunk)) + b"\n\n"
            if end:
                yield b"data: [DONE]\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    return answer


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": fields, "finish_reason": finish}],
    }


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


def fails(status: int, headers: dict[str, str] | None = None, **error: Any) -> Handler:
    return lambda body: JSONResponse({"error": error}, status, headers=headers)


SAYS = stream(delta(content="Fine."), delta("stop"), usage(9, 2))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MAX_RETRIES", 1)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)


async def test_a_conversation_goes_out_and_comes_back() -> None:
    """Against our own server: the two sides of the wire agree."""
    script = ScriptedModel([calls(("look", {"at": "Herz"}), text="Let me see."), "Fine."])
    async with serving(Starlette(routes=chat_routes(script, key=KEY))) as url, model_at(url) as model:
        pieces: list[str] = []
        first = await model.complete(ASK, pieces.append)
        assert (first.text, first.tool_uses[0].name, first.finish) == ("Let me see.", "look", "tool_calls")
        assert orjson.loads(first.tool_uses[0].arguments) == {"at": "Herz"}
        told = (
            *ASK.messages,
            ChatMessage(role="assistant", text=first.text, tool_uses=first.tool_uses),
            ChatMessage(role="tool", text="Grüße", tool_use_id=first.tool_uses[0].id),
        )
        second = await model.complete(ASK.model_copy(update={"messages": told}), pieces.append)
    assert (second.text, second.model) == ("Fine.", "compatible:m1")
    assert "".join(pieces) == "Let me see.Fine."
    assert script.requests[1].messages == told
    assert script.requests[0].tools == (LOOK,)


async def test_text_comes_in_pieces_and_usage_is_asked_for() -> None:
    async with (
        server(
            stream(
                delta(role="assistant", content=None),
                delta(content="No "),
                delta(content="effusion."),
                delta("stop"),
                usage(31, 4),
            )
        ) as one,
        model_at(one.url) as model,
    ):
        pieces: list[str] = []
        reply = await model.complete(ASK, pieces.append)
    assert pieces == ["No ", "effusion."]
    assert reply == ChatReply(
        text="No effusion.", usage=Usage(prompt_tokens=31, completion_tokens=4), model="compatible:m1"
    )
    assert one.bodies[0]["stream_options"] == {"include_usage": True}
    assert one.bodies[0]["model"] == "m1"


def call(
    index: int | None = 0, id: str | None = None, name: str | None = None, arguments: Any = None
) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {key: value for key, value in (("index", index), ("id", id), ("function", function)) if value is not None}


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [
                [call(0, "a", "look", "")],
                [call(0, None, None, '{"at":')],
                [call(0, None, None, '"1"}')],
                [call(1, "b", "look", '{"at":"2"}')],
            ],
            id="in pieces",
        ),
        pytest.param([[call(0, "a", "look", '{"at":"1"}'), call(1, "b", "look", '{"at":"2"}')]], id="whole"),
        pytest.param(
            [[call(0, "a", "look", '{"at":"1"}')], [call(0, "b", "look", '{"at":"2"}')]], id="one index for all"
        ),
        pytest.param([[call(None, "a", "look", '{"at":"1"}')], [call(None, "b", "look", '{"at":"2"}')]], id="no index"),
        pytest.param([[call(0, None, "look", '{"at":"1"}')], [call(1, None, "look", '{"at":"2"}')]], id="no ids"),
        pytest.param(
            [[call(0, "a", "look", {"at": "1"})], [call(1, "b", "look", {"at": "2"})]], id="arguments as objects"
        ),
        pytest.param(
            [[call(None, None, "look", '{"at":"1"}')], [call(None, None, "look", '{"at":"2"}')]], id="neither"
        ),
    ],
)
async def test_tool_calls_as_servers_send_them(chunks: list[list[dict[str, Any]]]) -> None:
    sent = stream(*(delta(content=None, tool_calls=some) for some in chunks), delta("stop"))
    async with server(sent) as one, model_at(one.url) as model:
        reply = await model.complete(ASK)
    assert [(use.name, orjson.loads(use.arguments)) for use in reply.tool_uses] == [
        ("look", {"at": "1"}),
        ("look", {"at": "2"}),
    ]
    assert len({use.id for use in reply.tool_uses}) == 2
    assert all(use.id for use in reply.tool_uses)
    assert reply.finish == "tool_calls"


async def test_without_usage_tokens_are_estimated() -> None:
    async with server(stream(delta(content="x" * 40), delta("stop"))) as one, model_at(one.url) as model:
        reply = await model.complete(ASK)
    assert reply.usage.completion_tokens == 10
    assert reply.usage.prompt_tokens > 5


async def test_what_a_server_does_not_take_is_left_out_from_then_on() -> None:
    def picky(body: dict[str, Any]) -> Response:
        for part in ("stream_options", "temperature"):
            if part in body:
                return JSONResponse(
                    {"error": {"message": f"Unrecognized request argument: {part}", "param": part}}, 400
                )
        return SAYS(body)

    async with server(picky) as one, model_at(one.url) as model:
        assert (await model.complete(ASK)).text == "Fine."
        assert (await model.complete(ASK)).text == "Fine."
    assert len(one.bodies) == 4
    assert not {"stream_options", "temperature"} & set(one.bodies[3])


async def test_a_server_that_does_not_stream_is_asked_for_the_whole() -> None:
    whole = {
        "choices": [{"message": {"content": "Fine.", "tool_calls": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    async with server(lambda body: JSONResponse(whole)) as one, model_at(one.url) as model:
        pieces: list[str] = []
        reply = await model.complete(ASK, pieces.append)
        await model.complete(ASK)
    assert (reply.text, reply.usage.prompt_tokens, pieces) == ("Fine.", 3, ["Fine."])
    assert [bool(body.get("stream")) for body in one.bodies] == [True, False, False]


async def test_a_schema_is_sent_where_it_does_not_stop_tools() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    asked = ASK.model_copy(update={"json_schema": schema})
    async with server(SAYS) as one:
        async with model_at(one.url) as model:
            await model.complete(asked)
            await model.complete(asked.model_copy(update={"tools": ()}))
        async with model_at(one.url, "openai") as model:
            await model.complete(asked)
    assert ["response_format" in body for body in one.bodies] == [False, True, True]
    assert one.bodies[1]["response_format"]["json_schema"] == {"name": "reader", "schema": schema, "strict": True}


async def test_azure_is_called_by_deployment_with_its_own_key_header() -> None:
    async with server(SAYS) as one, model_at(one.url, "azure") as model:
        assert model.name == "azure:m1"
        reply = await model.complete(ASK)
        assert (reply.text, reply.model) == ("Fine.", "azure:m1")
    assert one.paths == ["/openai/deployments/m1/chat/completions?api-version=2024-10-21"]
    assert one.headers[0]["api-key"] == KEY


async def test_an_azure_deployment_is_told_with_the_model_behind_it() -> None:
    says = stream({"choices": [], "model": ""}, delta(content="Fine.") | {"model": "gpt-4.1-2025-04-14"}, delta("stop"))
    async with server(says) as one, model_at(one.url, "azure") as model:
        assert (await model.complete(ASK)).model == "azure:m1 (gpt-4.1-2025-04-14)"
    says = stream(delta("stop", content="Fine.") | {"model": "a (b)\n"})
    async with server(says) as one, model_at(one.url, "azure") as model:
        assert (await model.complete(ASK)).model == "azure:m1", "what is no name is not taken"


async def test_azure_without_a_key_asks_entra(monkeypatch: pytest.MonkeyPatch) -> None:
    import azure.identity

    scopes: list[str] = []

    def provider(credential: object, *asked: str) -> Callable[[], str]:
        scopes.extend(asked)
        return lambda: "entra-token"

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", object)
    monkeypatch.setattr(azure.identity, "get_bearer_token_provider", provider)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "not-this-one")
    async with server(SAYS) as one:
        model = chat_model(Settings(model="azure:m1", model_base_url=one.url))
        await model.complete(ASK)
        await model.aclose()
    assert scopes == ["https://cognitiveservices.azure.com/.default"]
    assert one.headers[0]["authorization"] == "Bearer entra-token"
    assert "api-key" not in one.headers[0]


async def test_nobody_signed_in_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import azure.identity
    from azure.core.exceptions import ClientAuthenticationError

    def nobody() -> str:
        raise ClientAuthenticationError("tenant 1234 secret detail")

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", object)
    monkeypatch.setattr(azure.identity, "get_bearer_token_provider", lambda *_: nobody)
    model = chat_model(Settings(model="azure:m1", model_base_url="https://example.invalid"))
    with pytest.raises(ModelError, match="az login") as caught:
        await model.complete(ASK)
    await model.aclose()
    assert "1234" not in str(caught.value)


async def test_the_environment_s_key_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://example.invalid")
    async with server(SAYS) as one:
        model = chat_model(Settings(model="compatible:m1", model_base_url=f"{one.url}/v1"))
        await model.complete(ASK)
        await model.aclose()
    assert "sk-environment" not in str(one.headers)


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (fails(401, message=f"Incorrect API key {KEY}", code="invalid_api_key"), "WET-MODEL-AUTH"),
        (fails(403), "WET-MODEL-AUTH"),
        (fails(404, code="model_not_found"), "WET-MODEL-UNKNOWN"),
        (fails(429), "WET-MODEL-BUSY"),
        (fails(429, code="insufficient_quota"), "WET-MODEL-QUOTA"),
        (fails(400, code="context_length_exceeded", message="PATIENT-TEXT is too long"), "WET-MODEL-TOO-LONG"),
        (fails(413), "WET-MODEL-TOO-LONG"),
        (fails(400, code="content_filter"), "WET-MODEL-FILTERED"),
        (fails(400, message="PATIENT-TEXT", code="PATIENT TEXT"), "WET-MODEL-REQUEST"),
        (fails(500), "WET-MODEL-SERVER"),
        (fails(503, message="PATIENT-TEXT"), "WET-MODEL-SERVER"),
        (lambda body: Response("<html>PATIENT-TEXT</html>", 502), "WET-MODEL-SERVER"),
        (lambda body: Response("not json PATIENT-TEXT", media_type="application/json"), "WET-MODEL-BROKEN"),
        (lambda body: JSONResponse([1, 2]), "WET-MODEL-BROKEN"),
        (stream({"error": {"message": "PATIENT-TEXT", "code": 500}}), "WET-MODEL-BROKEN"),
        (stream("{not json PATIENT-TEXT"), "WET-MODEL-BROKEN"),
        (stream(delta(content=None, tool_calls=[call(0, "a", "look", '{"at": "PATI')]), end=False), "WET-MODEL-BROKEN"),
        (stream(delta(content="", finish="content_filter")), "WET-MODEL-FILTERED"),
        (stream(), "WET-MODEL-BROKEN"),
    ],
)
async def test_faults_have_a_code_each_and_repeat_nothing(handler: Handler, code: str) -> None:
    async with server(handler) as one, model_at(one.url) as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(ASK)
    assert caught.value.code == code
    error = caught.value
    assert error.__context__ is None or error.__suppress_context__
    said = f"{error.line()} {error.hint} {error.__cause__}"
    assert "PATIENT" not in said
    assert KEY not in said
    assert len(one.bodies) <= 6


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with model_at(url) as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(ASK)
    assert caught.value.code == "WET-MODEL-UNREACHABLE"


async def test_a_connection_that_breaks_in_the_answer_is_said_to_have_broken() -> None:
    """The server was reached: who has read half an answer is not told to look at the address."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        chunk = b'data: {"choices":[{"index":0,"delta":{"content":"Half"},"finish_reason":null}]}\n\n'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        await writer.drain()
        await told.wait()
        writer.transport.abort()

    told = asyncio.Event()
    server = await asyncio.start_server(half, "127.0.0.1", 0)
    async with server, model_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(ASK, lambda text: told.set())
    assert caught.value.code == "WET-MODEL-BROKEN"


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "READ_S", 0.2)

    def silent(body: dict[str, Any]) -> Response:
        async def never() -> AsyncIterator[bytes]:
            await asyncio.sleep(30)
            yield b""

        return StreamingResponse(never(), media_type="text/event-stream")

    async with server(silent) as one, model_at(one.url) as model:
        with pytest.raises(ModelError) as caught:
            await model.complete(ASK)
    assert caught.value.code == "WET-MODEL-TIMEOUT"


async def test_a_stream_that_breaks_before_it_said_anything_is_tried_again() -> None:
    cut = stream(delta(content=None, tool_calls=[call(0, "a", "look", '{"at"')]), end=False)
    async with server(cut, SAYS) as one, model_at(one.url) as model:
        assert (await model.complete(ASK)).text == "Fine."
    assert len(one.bodies) == 2


async def test_a_busy_server_is_tried_again() -> None:
    async with server(fails(429, {"retry-after": "0"}), fails(503), SAYS) as one:
        model = chat_model(Settings(model="compatible:m", model_base_url=f"{one.url}/v1"))
        model._client = model._client.with_options(max_retries=2)  # type: ignore[attr-defined]
        assert (await model.complete(ASK)).text == "Fine."
        await model.aclose()
    assert len(one.bodies) == 3


async def test_cancelling_a_call_ends_it() -> None:
    began = asyncio.Event()

    def slow(body: dict[str, Any]) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            yield b"data: " + orjson.dumps(delta(content="Now")) + b"\n\n"
            await asyncio.sleep(30)

        return StreamingResponse(lines(), media_type="text/event-stream")

    async with server(slow) as one, model_at(one.url) as model:
        task = asyncio.create_task(model.complete(ASK, lambda text: began.set()))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("settings_", "hint"),
    [
        (Settings(model="openai:m"), "OPENAI_API_KEY"),
        (Settings(model="azure:m"), "AZURE_OPENAI_ENDPOINT"),
        (Settings(model="compatible:m"), "WETREAD_MODEL_BASE_URL"),
    ],
)
def test_what_is_not_set_is_named(settings_: Settings, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as caught:
        chat_model(settings_)
    assert caught.value.code == "WET-CONFIG-MODEL"


def test_the_protocol_needs_nothing() -> None:
    assert isinstance(chat_model(Settings()), Protocol)
    assert isinstance(chat_model(Settings(model="openai:m"), "protocol"), Protocol)


def test_bad_arguments_in_the_history_are_not_sent_on() -> None:
    bad = ChatMessage(role="assistant", tool_uses=(ToolUse(id="1", name="look", arguments="{oops"),))
    body = wire_request(ChatRequest(agent="a", messages=(bad,)), "m", schema_beside_tools=True)
    assert body["messages"][0]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_name_that_a_model_made_up_is_sent_as_servers_take_it() -> None:
    odd = ChatMessage(role="assistant", tool_uses=(ToolUse(id="1", name="look at: the heart", arguments="{}"),))
    body = wire_request(ChatRequest(agent="a", messages=(odd,)), "m", schema_beside_tools=True)
    assert body["messages"][0]["tool_calls"][0]["function"]["name"] == "look_at__the_heart"


def test_half_characters_become_text() -> None:
    builder = ReplyBuilder()
    builder.add(delta(content="\ud83d", tool_calls=[call(0, "\ud800", "look", '"\udfff"')]))
    reply = builder.reply(ASK, "m")
    assert reply.text == "?"
    assert reply.model_dump_json()


def test_strict_is_claimed_only_for_what_is() -> None:
    closed = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert is_strict(closed)
    assert is_strict({"type": "array", "items": closed})
    assert not is_strict({**closed, "required": []})
    assert not is_strict({**closed, "properties": {"a": {"type": "object", "properties": {}}}})


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
odd_call = st.fixed_dictionaries(
    {}, optional={"index": json, "id": json, "function": st.dictionaries(st.sampled_from(["name", "arguments"]), json)}
)
odd_delta = st.fixed_dictionaries(
    {}, optional={"content": json, "tool_calls": st.lists(odd_call, max_size=3) | st.none()}
)
odd_chunk = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(st.fixed_dictionaries({}, optional={"delta": odd_delta, "finish_reason": json}), max_size=2)
        | st.none(),
        "usage": json,
    },
)


@given(st.lists(odd_chunk, max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_chunk_is_too_odd(chunks: list[dict[str, Any]]) -> None:
    builder = ReplyBuilder()
    for chunk in chunks:
        builder.add(chunk)
    reply = builder.reply(ASK, "m")
    assert isinstance(reply.text, str)
    assert reply.usage.prompt_tokens >= 0
    assert all(use.id for use in reply.tool_uses)


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=5), st.dictionaries(st.text(max_size=4), st.integers(0, 9), max_size=3)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 7),
)
@settings(max_examples=60, deadline=None)
def test_pieces_of_calls_come_together_however_they_are_cut(
    wanted: list[tuple[str, dict[str, int]]], size: int
) -> None:
    builder = ReplyBuilder()
    for index, (name, arguments) in enumerate(wanted):
        text = orjson.dumps(arguments).decode()
        builder.add(delta(tool_calls=[call(index, f"id{index}", name, "")]))
        for start in range(0, len(text), size):
            builder.add(delta(tool_calls=[call(index, None, None, text[start : start + size])]))
    uses = builder.reply(ASK, "m").tool_uses
    assert [(use.name, orjson.loads(use.arguments)) for use in uses] == wanted

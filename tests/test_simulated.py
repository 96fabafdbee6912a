"""The simulated endpoints, in process and over the wire, their faults, and the chat model beside them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import served

from wetread.agents.chat import ChatReply, ChatRequest, ToolUse, Usage
from wetread.apps.simulate import client_variables, parse_latency, serve
from wetread.config import load_settings
from wetread.errors import EndpointError, InputError, ModelError
from wetread.imaging.geometry import full
from wetread.imaging.prepare import Preparation, encode, prepare
from wetread.testing.faults import Fault, FaultPlan
from wetread.testing.phantom import chest_phantom
from wetread.testing.simulated import Latency, SimulatedEndpoints
from wetread.testing.simulated_rows import findings_row
from wetread.testing.simulated_wire import asgi_app
from wetread.tools.endpoints import cxrreportgen, medimageinsight, medimageparse
from wetread.tools.endpoints.envelope import build_body
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest
from wetread.vocabulary import Origin


def chest(seed: int = 0, rows: int = 300, columns: int = 260) -> npt.NDArray[np.uint8]:
    """Two dark ellipses in something bright: enough of a chest to find lungs in."""
    y, x = np.mgrid[0:rows, 0:columns]
    y, x = y / rows, x / columns
    picture = np.full((rows, columns), 190.0)
    for middle in (0.29, 0.71):
        picture[np.hypot((x - middle) / 0.16, (y - 0.45) / 0.3) < 1] = 70
    noise = np.random.default_rng(seed).normal(0, 6, (rows, columns))
    return np.clip(picture + noise, 1, 255).astype(np.uint8)


def payload(pixels: npt.NDArray[np.uint8], preparation: Preparation = Preparation.FULL) -> Any:
    return encode(*prepare(pixels, preparation))


FRONTAL = payload(chest())
SQUARE = payload(chest(), Preparation.PAD_1024)
SMALL = payload(chest(), Preparation.SQUARE_512)
BLANK = encode(np.full((1024, 1024), 128, np.uint8), full(1024, 1024))
FINDINGS = cxrreportgen.encode(FRONTAL)
SEGMENT = medimageparse.encode(SQUARE, ["left lung", "right lung", "heart"])
EMBED = medimageinsight.encode([SMALL])
REQUESTS = [
    FINDINGS,
    SEGMENT,
    EMBED,
    medimageinsight.encode(texts=["x-ray chest pneumonia", "x-ray chest no pneumonia"]),
]


async def score(request: EndpointRequest, **options: Any) -> EndpointReply:
    return await SimulatedEndpoints(**options).score(request)


# ---- what the models say


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.endpoint)
async def test_the_same_request_has_the_same_answer(request_: EndpointRequest) -> None:
    first, again, other = await score(request_), await score(request_), await score(request_, seed=1)
    assert first == again and first.origin is Origin.SIMULATED and first.model_version.startswith("simulated")
    if request_.endpoint != "medimageparse":
        assert other.rows != first.rows


async def test_findings_follow_the_picture_and_the_inputs() -> None:
    texts = set()
    for seed in range(12):
        found = cxrreportgen.decode(await score(cxrreportgen.encode(payload(chest(seed)))))
        texts.add(tuple(sentence.text for sentence in found.sentences))
        assert found.sentences and not any("prior" in sentence.text for sentence in found.sentences)
        assert not found.warnings
        for box in (box for sentence in found.sentences for box in sentence.boxes):
            edges = np.array([box.x_min, box.y_min, box.x_max, box.y_max])
            assert (edges * 100 - 0.5) == pytest.approx(np.rint(edges * 100 - 0.5), abs=1e-6)
    assert len(texts) > 6
    with_prior = [
        cxrreportgen.decode(await score(cxrreportgen.encode(payload(chest(seed)), prior=FRONTAL))) for seed in range(6)
    ]
    assert any("from the prior study" in sentence.text for found in with_prior for sentence in found.sentences)


async def test_lungs_lie_where_the_picture_is_dark() -> None:
    masks = medimageparse.decode(await score(SEGMENT), SEGMENT)
    assert masks.classes == ("lung", "lung", "heart anatomies")
    dark = SQUARE.frame.from_image((chest() < 130).astype(np.uint8) * 255) > 127
    middle = medimageparse.SIDE // 2
    for mask, side in zip(masks.probabilities, ("right", "left"), strict=False):
        inside = mask >= medimageparse.PRESENT
        truth = dark.copy()
        truth[:, :middle] &= side == "left"
        truth[:, middle:] &= side == "right"
        overlap = 2 * (inside & truth).sum() / (inside.sum() + truth.sum())
        assert overlap > 0.7, f"the patient's left is right in the picture; overlap {overlap:.2f}"
    assert len(np.unique(masks.probabilities)) > 50, "edges are soft"


@pytest.mark.parametrize("ratio", [0.42, 0.6])
async def test_the_heart_is_as_wide_as_the_pictures(ratio: float) -> None:
    pixels = chest_phantom(800, seed=2, cardiothoracic_ratio=ratio).pixels
    request = medimageparse.encode(payload(pixels, Preparation.PAD_1024), ["heart", "lungs"])
    heart, lungs = medimageparse.decode(await score(request), request).probabilities >= medimageparse.PRESENT
    width, chest_width = (np.ptp(np.flatnonzero(mask.any(axis=0))) for mask in (heart, lungs))
    assert width / chest_width == pytest.approx(ratio, abs=0.08)


async def test_what_is_not_there_is_near_empty_or_spurious() -> None:
    request = medimageparse.encode(SQUARE, ["spleen", "pneumothorax", "banana", "kidney", "brain", "eye"])
    masks = medimageparse.decode(await score(request), request)
    areas = [(mask >= medimageparse.PRESENT).mean() for mask in masks.probabilities]
    assert max(areas) < 0.05 and len(set(areas)) > 1
    request = medimageparse.encode(BLANK, ["left lung", "heart"])
    blank = medimageparse.decode(await score(request), request)
    assert (blank.probabilities >= medimageparse.PRESENT).mean() < 0.05


async def test_similar_pictures_are_similar() -> None:
    pictures = [chest(0), chest(1), np.rot90(chest(0)).copy(), np.full((300, 260), 90, np.uint8)]
    request = medimageinsight.encode([payload(picture, Preparation.SQUARE_512) for picture in pictures])
    found = medimageinsight.decode(await score(request), request)
    assert found.images is not None and found.scaling_factor == pytest.approx(4.516, abs=0.01) and not found.warnings
    same, turned, flat = found.images[1:] @ found.images[0]
    assert same > 0.95 > turned and same > flat


async def test_zero_shot_tells_findings_apart() -> None:
    names = ["pneumonia", "effusion", "nodule", "edema", "fracture", "mass", "pneumothorax", "cardiomegaly"]
    texts = [f"x-ray chest {word}{name}" for name in names for word in ("", "no ")]
    asked = medimageinsight.encode(texts=texts)
    vectors = medimageinsight.decode(await score(asked), asked).texts
    image = medimageinsight.decode(await score(EMBED), EMBED)
    assert vectors is not None and image.images is not None
    found = medimageinsight.zero_shot_probabilities(
        image.images[0], vectors.reshape(-1, 2, 1024), image.scaling_factor
    )[:, 0]
    assert np.ptp(found) > 0.01 and np.median(found) < 0.5


# ---- waiting, answers by hand, what is there


async def test_latency_is_waited_and_told() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    endpoints = SimulatedEndpoints(latency=Latency(seconds={"cxrreportgen": 2.0}, cold_start_s=5), sleep=sleep)
    told = [(await endpoints.score(request)).latency_ms for request in (FINDINGS, FINDINGS, EMBED, EMBED)]
    assert waited == [7.0, 2.0, 5.0, 0.0] and told == [7000.0, 2000.0, 5000.0, 0.0]


async def test_answers_by_hand() -> None:
    by_hand = [findings_row([("A mass.", [(0.105, 0.205, 0.305, 0.405)]), ("Clear.", None)])]
    endpoints = SimulatedEndpoints(answers=lambda asked: by_hand if asked.endpoint == "cxrreportgen" else None)
    reply = await endpoints.score(FINDINGS)
    assert reply.origin is Origin.SIMULATED
    assert [s.text for s in cxrreportgen.decode(reply).sentences] == ["A mass.", "Clear."]
    assert (await endpoints.score(EMBED)).rows == (await score(EMBED)).rows


async def test_only_some_endpoints() -> None:
    endpoints = SimulatedEndpoints(only=["cxrreportgen"])
    assert endpoints.configured("cxrreportgen") and not endpoints.configured("medimageparse")
    with pytest.raises(EndpointError) as caught:
        await endpoints.score(SEGMENT)
    assert caught.value.code == "WET-ENDPOINT-NOT-CONFIGURED"


@pytest.mark.parametrize(
    "request_",
    [
        EndpointRequest("cxrreportgen", ("lateral_image",), ((FRONTAL,),)),
        EndpointRequest("cxrreportgen", ("frontal_image",), ((None,),)),
        EndpointRequest("medimageparse", ("image", "text"), ((FRONTAL, "lung"),)),
        EndpointRequest("medimageparse", ("image", "text"), ((SQUARE, ""),)),
        EndpointRequest("medimageinsight", ("image", "text"), ((SMALL, ""), (None, "x"))),
        EndpointRequest("medimageinsight", ("picture",), ((SMALL,),)),
    ],
)
async def test_what_a_model_does_not_take(request_: EndpointRequest) -> None:
    with pytest.raises(EndpointError) as caught:
        await score(request_)
    assert (caught.value.code, caught.value.status, caught.value.retryable) == ("WET-ENDPOINT-MODEL", 424, False)


# ---- faults


FAULTS = [
    ("*:status=503", FINDINGS, "UNAVAILABLE"),
    ("cxrreportgen:status=429,retry_after=2", FINDINGS, "BUSY"),
    ("cxrreportgen:status=401", FINDINGS, "AUTH"),
    ("cxrreportgen:status=424,inner=503", FINDINGS, "MODEL"),
    ("medimageparse:malformed", SEGMENT, "CONTRACT"),
    ("medimageparse:truncated", SEGMENT, "CONTRACT"),
    ("medimageinsight:rows", EMBED, "CONTRACT"),
    ("medimageparse:wrong_shape", SEGMENT, "CONTRACT"),
    ("medimageinsight:not_finite", EMBED, "CONTRACT"),
    ("cxrreportgen:drop", FINDINGS, "DROPPED"),
]


def decode(reply: EndpointReply, request: EndpointRequest) -> Any:
    match request.endpoint:
        case "cxrreportgen":
            return cxrreportgen.decode(reply)
        case "medimageparse":
            return medimageparse.decode(reply, request)
        case "medimageinsight":
            return medimageinsight.decode(reply, request)


@pytest.mark.parametrize(("words", "request_", "code"), FAULTS, ids=[words for words, _, _ in FAULTS])
async def test_each_fault_happens_once_then_all_is_well(words: str, request_: EndpointRequest, code: str) -> None:
    endpoints = SimulatedEndpoints(faults=FaultPlan.parse([words]))
    with pytest.raises(EndpointError) as caught:
        decode(await endpoints.score(request_), request_)
    assert caught.value.code == f"WET-ENDPOINT-{code}"
    decode(await endpoints.score(request_), request_)


@pytest.mark.parametrize("words", ["cxrreportgen:null_output", "cxrreportgen:nan_boxes", "*:nan_boxes"])
async def test_faults_that_a_decoder_survives_with_a_warning(words: str) -> None:
    endpoints = SimulatedEndpoints(faults=FaultPlan.parse([words]))
    await endpoints.score(EMBED)
    found = cxrreportgen.decode(await endpoints.score(FINDINGS))
    assert found.warnings and not any(sentence.boxes for sentence in found.sentences)


def test_which_calls_a_fault_hits() -> None:
    plan = FaultPlan.parse(["cxrreportgen:status=500,after=1,times=2", "*:drop,after=2,times=always"])
    kinds = [fault.kind if (fault := plan.take("cxrreportgen")) else None for _ in range(5)]
    assert kinds == [None, "status", "status", "drop", "drop"]
    assert [plan.take("medimageparse") is None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("drop", "between endpoint and fault"),
        ("cxrreportgn:drop", "'cxrreportgen'"),
        ("*:dorp", "'drop'"),
        ("*:drop=3", "takes no value"),
        ("*:status=999", "status"),
        ("*:status=503,tmies=2", "'times'"),
        ("*:status=503,times=0", "times"),
        ("medimageparse:nan_boxes", "only happen to cxrreportgen"),
        ("*:slow=x", "seconds"),
    ],
)
def test_faults_that_cannot_be(words: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        FaultPlan.parse([words])
    assert caught.value.code == "WET-INPUT-FAULT" and hint in caught.value.line()


@given(st.text(max_size=60) | st.text("cxr*:=,.dropstaus0123456789", max_size=40))
def test_any_words_are_a_fault_or_a_mistake(words: str) -> None:
    try:
        (fault,) = FaultPlan.parse([words]).faults
    except InputError as error:
        assert "\n" not in error.line()
    else:
        assert isinstance(fault, Fault)


# ---- the wire


@asynccontextmanager
async def wire(**options: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(asgi_app(**options))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulated") as client:
        yield client


def body(columns: list[str], *rows: list[Any], **more: Any) -> dict[str, Any]:
    return {"input_data": {"columns": columns, "index": list(range(len(rows))), "data": list(rows)}, **more}


async def test_wire_forms() -> None:
    async with wire() as client:
        answers = {
            request.endpoint: (await client.post(f"/{request.endpoint}/score", content=build_body(request))).json()
            for request in REQUESTS[:3]
        }
        home = (await client.get("/")).json()
    assert home == {"simulated": True, "endpoints": [f"/{name}/score" for name in answers]}
    output = json.loads(answers["cxrreportgen"][0]["output"])
    assert all(isinstance(text, str) and (boxes is None or len(boxes[0]) == 4) for text, boxes in output)
    features = json.loads(answers["medimageparse"][0]["image_features"])
    assert features["shape"] == [3, 1024, 1024] and features["dtype"] == "uint8"
    assert len(base64.b64decode(features["data"])) == 3 * 1024 * 1024
    insight = answers["medimageinsight"][0]
    assert np.shape(insight["image_features"]) == (1, 1024) and "text_features" not in insight
    assert insight["scaling_factor"] == 4.516357


@pytest.mark.parametrize("encoded", [base64.b64encode(FRONTAL.png), base64.encodebytes(FRONTAL.png)])
async def test_base64_plain_and_in_lines(encoded: bytes) -> None:
    async with wire() as client:
        answer = await client.post(
            "/cxrreportgen/score",
            json=body(["indication", "frontal_image", "comparison"], ["", encoded.decode(), None], params=None),
        )
    assert answer.status_code == 200 and answer.headers["x-wetread-origin"] == "simulated"
    assert answer.json() == (await score(FINDINGS)).rows


PNG = FRONTAL.base64.decode()


@pytest.mark.parametrize(
    "sent",
    [
        b"no JSON",
        b"[]",
        b"{}",
        body([]),
        body(["frontal_image"]),
        body(["frontal_image"], [PNG, PNG]),
        body(["frontal_image"], *[[PNG]] * 11),
        body(["frontal_image", "weather"], [PNG, "fine"]),
        body(["lateral_image"], [PNG]),
        body(["frontal_image"], [5]),
        body(["frontal_image"], ["data:image/png;base64," + PNG]),
        body(["frontal_image"], [base64.urlsafe_b64encode(b"\xff\xfe\xfb" * 50).decode()]),
        body(["frontal_image"], [base64.b64encode(b"no picture").decode()]),
        body(["frontal_image"], [base64.b64encode(FRONTAL.png[:500]).decode()]),
        body(["frontal_image"], [PNG]) | {"params": [1]},
        {"input_data": {"columns": ["frontal_image"], "index": [1], "data": [[PNG]]}},
    ],
)
async def test_the_wire_refuses_as_the_container_does(sent: Any) -> None:
    async with wire() as client:
        content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        answer = await client.post("/cxrreportgen/score", content=content)
    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-statuscode"] == "400"


async def test_statuses_before_the_model() -> None:
    content = build_body(FINDINGS)
    async with wire(key="right", max_payload_mb=0.2, only=["cxrreportgen"]) as client:

        async def status(path: str = "/cxrreportgen/score", sent: bytes = content, **headers: str) -> int:
            return (await client.post(path, content=sent, headers=headers)).status_code

        good = {"authorization": "Bearer right"}
        assert await status() == 401
        assert await status(authorization="Bearer wrong") == 401
        assert await status(**good) == 200
        assert await status(**good, **{"azureml-model-deployment": "simulated"}) == 200
        assert await status(**good, **{"azureml-model-deployment": "other"}) == 404
        assert await status(**good, sent=b" " * 300_000) == 413
        assert await status("/medimageparse/score", **good) == 404
        assert (await client.get("/cxrreportgen/score", headers=good)).status_code == 405


async def test_more_in_flight_than_the_endpoint_takes() -> None:
    slow = Latency(seconds={"cxrreportgen": 0.05})
    async with wire(latency=slow, max_in_flight={"cxrreportgen": 2}) as client:
        sent = [client.post("/cxrreportgen/score", content=build_body(FINDINGS)) for _ in range(4)]
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*sent))
        assert statuses == [200, 200, 429, 429]
        assert (await client.post("/cxrreportgen/score", content=build_body(FINDINGS))).status_code == 200


# ---- the chat model


class Chat:
    """Says what it was asked, in pieces, and calls the first tool if there is one."""

    name = "test-model"
    asked: ChatRequest | None = None
    fails = False

    async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
        self.asked = request
        await asyncio.sleep(0)
        if self.fails:
            raise ModelError("WET-MODEL-TEST", "It failed.")
        for piece in ("Hello, ", "you"):
            if on_text:
                on_text(piece)
        uses = tuple(
            ToolUse(id=f"call_{n}", name=tool.name, arguments='{"a": "é"}') for n, tool in enumerate(request.tools)
        )
        usage = Usage(prompt_tokens=7, completion_tokens=3)
        return ChatReply(
            text="Hello, you!", tool_uses=uses, usage=usage, model="m", finish="tool_calls" if uses else "stop"
        )

    async def aclose(self) -> None:
        pass


TOOLS: Any = [
    {"type": "function", "function": {"name": "segment", "description": "d", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "measure", "parameters": {"type": "object", "properties": {}}}},
]
MESSAGES: Any = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "segment", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
]


async def chat_post(chat: Chat, sent: Any, **headers: str) -> httpx.Response:
    async with wire(chat=chat, key="k") as client:
        return await client.post("/v1/chat/completions", json=sent, headers={"authorization": "Bearer k", **headers})


async def test_chat_request_is_understood() -> None:
    chat = Chat()
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "title": "T"}}}
    sent = {"model": "any", "messages": MESSAGES, "tools": TOOLS, "tool_choice": "required", "response_format": schema}
    answer = await chat_post(chat, sent, **{"x-wetread-agent": "reviewer"})
    assert answer.status_code == 200
    asked = chat.asked
    assert asked is not None and asked.agent == "reviewer" and asked.tool_choice == "required"
    assert [(m.role, m.text, m.tool_use_id) for m in asked.messages] == [
        ("system", "Be brief.", None),
        ("user", "Hi", None),
        ("assistant", "", None),
        ("tool", "done", "c1"),
    ]
    assert asked.messages[2].tool_uses == (ToolUse(id="c1", name="segment", arguments="{}"),)
    assert [tool.name for tool in asked.tools] == ["segment", "measure"]
    assert asked.json_schema == {"type": "object", "title": "T"}
    named = {"model": "m", "messages": MESSAGES, "tools": TOOLS}
    await chat_post(chat, named | {"tool_choice": {"type": "function", "function": {"name": "measure"}}})
    assert [tool.name for tool in chat.asked.tools] == ["measure"] and chat.asked.agent == "orchestrator"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"messages": []},
        {"messages": [{"content": "x"}]},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": [{"role": "user", "content": 5}]},
        {"messages": [{"role": "user", "content": "x"}], "tools": [{}]},
        {"messages": [{"role": "user", "content": "x"}], "tool_choice": "perhaps"},
        {"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema"}},
        [],
        "x",
    ],
)
async def test_no_chat_request(sent: Any) -> None:
    answer = await chat_post(Chat(), sent)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


async def test_chat_faults() -> None:
    chat = Chat()
    chat.fails = True
    sent = {"model": "m", "messages": MESSAGES}
    answer = await chat_post(chat, sent)
    assert answer.status_code == 500 and answer.json()["error"]["code"] == "WET-MODEL-TEST"
    streamed = await chat_post(chat, sent | {"stream": True})
    assert '"WET-MODEL-TEST"' in streamed.text and "[DONE]" not in streamed.text
    assert (await chat_post(chat, sent, authorization="Bearer no")).status_code == 401


async def test_the_vendors_own_client_understands(unused_port_app: Any) -> None:
    base = unused_port_app(asgi_app(chat=Chat(), key="k"))
    async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="k", max_retries=0) as client:
        assert [model.id async for model in client.models.list()] == ["test-model"]
        whole = await client.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS)
        choice = whole.choices[0]
        assert (choice.message.content, choice.finish_reason) == ("Hello, you!", "tool_calls")
        assert choice.message.tool_calls is not None and len(choice.message.tool_calls) == 2
        assert whole.usage is not None and whole.usage.total_tokens == 10
        text, arguments, usage, finish = "", {}, None, None
        stream = await client.chat.completions.create(
            model="m", messages=MESSAGES, tools=TOOLS, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            usage = chunk.usage or usage
            for part in chunk.choices:
                text += part.delta.content or ""
                finish = part.finish_reason or finish
                for call in part.delta.tool_calls or []:
                    assert call.function is not None
                    arguments[call.index] = (call.id, call.function.name, call.function.arguments)
    assert (text, finish) == ("Hello, you!", "tool_calls")
    assert arguments == {0: ("call_0", "segment", '{"a": "é"}'), 1: ("call_1", "measure", '{"a": "é"}')}
    assert usage is not None and (usage.prompt_tokens, usage.completion_tokens) == (7, 3)


@pytest.fixture
def unused_port_app() -> Any:
    """Serves an app on a free port of this machine until the test ends; returns its address."""
    with ExitStack() as running:
        yield lambda app: running.enter_context(served(app))


# ---- the command's body


def test_serve_until_interrupted() -> None:
    code = "from wetread.apps.simulate import serve; serve(port=0, on_ready=lambda url: print(url, flush=True))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with httpx.Client(trust_env=False) as client:
                assert client.get(url).json()["simulated"] is True
                assert client.get(f"{url}/v1/models").json()["data"][0]["id"] == "protocol"
        finally:
            os.kill(process.pid, signal.SIGINT)
    settings = load_settings(environ=client_variables(url))
    assert settings.endpoints["medimageparse"].url == f"{url}/medimageparse/score"
    assert settings.model_base_url == f"{url}/v1"


def test_serve_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InputError, match="Cannot listen") as caught:
        serve(port=taken.getsockname()[1])
    assert caught.value.code == "WET-INPUT-ADDRESS"
    with pytest.raises(InputError, match="without a key"):
        serve(host="0.0.0.0", port=0)
    with pytest.raises(InputError, match="Cannot listen"):
        serve(port=70_000)
    with pytest.raises(InputError) as mistaken:
        serve(port=0, faults=["*:dorp"])
    assert mistaken.value.code == "WET-INPUT-FAULT"


def test_latency_in_words() -> None:
    latency = parse_latency(["0.5", "cxrreportgen=2"], cold_start_s=3)
    assert latency.seconds == {"cxrreportgen": 2.0, "medimageparse": 0.5, "medimageinsight": 0.5}
    assert latency.cold_start_s == 3
    for words in ("cxr=1", "x", "cxrreportgen=", "-1", "nan", "1e9"):
        with pytest.raises(InputError) as caught:
            parse_latency([words])
        assert caught.value.code == "WET-INPUT-LATENCY"

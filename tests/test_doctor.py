"""The doctor: what it says of each thing that can be wrong, and never a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from wetread.apps.doctor import Row, examine
from wetread.config import variable
from wetread.insight.library import CaseLibrary
from wetread.testing.simulated_wire import asgi_app

KEY = "k3y-that-must-not-show"


def endpoint(url: str = "https://cxr.example/score?code=qu3ry", key: str | None = KEY) -> dict[str, str]:
    found = {variable("cxrreportgen", "url"): url}
    return found | ({variable("cxrreportgen", "key"): key} if key else {})


async def look(folder: Path, environ: dict[str, str], answer: Any = 200, **options: Any) -> dict[str, Row]:
    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else httpx.Response(answer, text=KEY)

    rows = await examine(folder, environ, transport=httpx.MockTransport(handler), **options)
    assert all(KEY not in row.model_dump_json() and "qu3ry" not in row.model_dump_json() for row in rows)
    return {row.name if row.topic == "endpoints" else row.topic: row for row in rows}


async def test_nothing_configured(tmp_path: Path) -> None:
    rows = await look(tmp_path, {})
    states = {name: row.state for name, row in rows.items()}
    assert states == {
        "workspace": "ok",
        "settings": "ok",
        "cxrreportgen": "missing",
        "medimageparse": "missing",
        "medimageinsight": "missing",
        "chat model": "ok",
        "library": "missing",
    }
    assert "WETREAD_CXRREPORTGEN_URL" in rows["cxrreportgen"].advice


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (200, "ok", "takes requests"),
        (424, "ok", "takes requests"),
        (422, "ok", "takes requests"),
        (429, "ok", "busy"),
        (401, "error", "refused the key"),
        (403, "error", "refused the key"),
        (404, "error", "no deployment"),
        (405, "error", "HTTP 405"),
        (308, "error", "another address"),
        (503, "error", "not available"),
        (httpx.ConnectError("secret"), "error", "cannot be reached"),
        (httpx.ReadError("secret"), "error", "broke"),
    ],
)
async def test_endpoint(tmp_path: Path, answer: Any, state: str, words: str) -> None:
    row = (await look(tmp_path, endpoint(), answer))["cxrreportgen"]
    assert row.state == state and words in row.detail
    assert row.detail.startswith("cxr.example, with a key: ")
    assert bool(row.advice) is (state != "ok")


async def test_the_probe_carries_key_and_deployment_and_no_picture(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(424)

    await look(tmp_path, endpoint() | {variable("cxrreportgen", "deployment"): "blue"}, answer)
    (sent,) = seen
    assert sent.headers["authorization"] == f"Bearer {KEY}" and sent.headers["azureml-model-deployment"] == "blue"
    assert len(sent.content) < 100


async def test_an_endpoint_that_does_not_answer(tmp_path: Path) -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    rows = await examine(tmp_path, endpoint(), transport=httpx.MockTransport(silent), probe_s=0.05)
    (row,) = (row for row in rows if row.name == "cxrreportgen")
    assert row.state == "error" and "no answer within 0.05 s" in row.detail


async def test_entra_id(tmp_path: Path) -> None:
    class Credential:
        token: str | None = "t0ken"

        def get_token(self, *scopes: str) -> Any:
            if self.token is None:
                raise RuntimeError(KEY)
            return SimpleNamespace(token=self.token, expires_on=4e9)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(424 if request.headers.get("authorization") == "Bearer t0ken" else 401)

    credential = Credential()
    rows = await look(tmp_path, endpoint(key=None), answer, credential=credential)
    assert rows["cxrreportgen"].state == "ok" and "with Entra ID" in rows["cxrreportgen"].detail
    credential.token = None
    rows = await look(tmp_path, endpoint(key=None), answer, credential=credential)
    assert rows["cxrreportgen"].state == "error" and "az login" in rows["cxrreportgen"].advice


async def test_plain_http_to_elsewhere_is_warned_of(tmp_path: Path) -> None:
    row = (await look(tmp_path, endpoint("http://simulator:8800/score", None)))["cxrreportgen"]
    assert row.state == "warning" and "unencrypted" in row.advice


async def test_a_simulator_is_called_one(tmp_path: Path) -> None:
    environ = endpoint("http://127.0.0.1:1/cxrreportgen/score", None)
    rows = await examine(tmp_path, environ, transport=httpx.ASGITransport(asgi_app()))
    (row,) = (row for row in rows if row.name == "cxrreportgen")
    assert row.state == "ok" and "simulated" in row.detail


MODEL = {"WETREAD_MODEL_BASE_URL": "https://llm.example/v1", "WETREAD_MODEL_API_KEY": KEY}


@pytest.mark.parametrize(
    ("environ", "answer", "state", "words"),
    [
        ({"WETREAD_MODEL": "openai:m"}, 200, "missing", "no key"),
        ({"WETREAD_MODEL": "openai:m", "OPENAI_API_KEY": KEY}, 200, "ok", "api.openai.com"),
        ({"WETREAD_MODEL": "azure:m"}, 200, "missing", "no address"),
        ({"WETREAD_MODEL": "compatible:m"}, 200, "missing", "no address"),
        ({"WETREAD_MODEL": "compatible:m", **MODEL}, 200, "ok", "llm.example: reachable"),
        ({"WETREAD_MODEL": "compatible:m", **MODEL}, 401, "error", "refused the key"),
        ({"WETREAD_MODEL": "compatible:m", **MODEL}, 404, "warning", "HTTP 404"),
        ({"WETREAD_MODEL": "compatible:m", **MODEL}, httpx.ConnectError(""), "error", "cannot be reached"),
        ({"WETREAD_MODEL": "azure:m", "AZURE_OPENAI_ENDPOINT": "https://a.example"}, 401, "warning", "Entra ID"),
    ],
)
async def test_chat_model(tmp_path: Path, environ: dict[str, str], answer: Any, state: str, words: str) -> None:
    row = (await look(tmp_path, environ, answer))["chat model"]
    assert row.state == state and words in row.detail


async def test_settings_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "wetread.toml").write_text('[endpoints.cxrreportgen]\nkye = "x"\n', encoding="utf-8")
    rows = await look(tmp_path, {})
    assert rows["settings"].state == "error" and "line 2" in rows["settings"].detail and "endpoints" not in rows


async def test_a_variable_with_a_typo(tmp_path: Path) -> None:
    rows = await examine(tmp_path, {"WETREAD_MODLE": KEY})
    (row,) = (row for row in rows if row.state == "warning")
    assert row.name == "WETREAD_MODLE" and "WETREAD_MODEL" in row.advice and KEY not in row.model_dump_json()


def make_library(path: Path) -> None:
    with CaseLibrary.open(path):
        pass


@pytest.mark.parametrize(
    ("prepare", "state", "words"),
    [
        (make_library, "ok", "0 cases"),
        (lambda path: None, "error", "no case library"),
        (lambda path: path.write_bytes(b"nonsense" * 100), "error", ""),
    ],
)
async def test_library(tmp_path: Path, prepare: Callable[[Path], Any], state: str, words: str) -> None:
    path = tmp_path / "cases.db"
    prepare(path)
    row = (await look(tmp_path, {"WETREAD_LIBRARY": str(path)}))["library"]
    assert row.state == state and words in row.detail


async def test_workspace(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    assert "adds prompts" in (await look(tmp_path, {}))["workspace"].detail
    assert (await look(tmp_path / "none", {}))["workspace"].state == "error"

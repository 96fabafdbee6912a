"""The body of `wetread doctor`: what is configured, reachable and missing, and what to do about it. Never a secret.

Endpoints are asked with an empty table: it shows whether address, key and deployment are right, and costs no inference.
All probes run at once, and none takes longer than a few seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wetread.config import (
    ENDPOINT_NAMES,
    FILE_NAME,
    DicomWebSettings,
    EndpointName,
    EndpointSettings,
    Settings,
    load_settings,
    split_url,
    unknown_variables,
    variable,
)
from wetread.errors import EndpointError, WetreadError
from wetread.urls import is_private
from wetread.values import Value

if TYPE_CHECKING:
    import httpx

    from wetread.tools.endpoints.tokens import TokenCredential, Tokens

State = Literal["ok", "warning", "missing", "error"]
PROBE_S = 6.0
_EMPTY_TABLE = b'{"input_data":{"columns":[],"index":[],"data":[]},"params":{}}'
_WORKSPACE_FOLDERS = ("agents", "prompts", "scenarios")


class Row(Value):
    """One thing looked at.

    Attributes:
        topic: The group it is shown in.
        name: What was looked at.
        state: `missing` is not configured, which may be what one wants; `error` is configured and does not work.
        detail: What was found.
        advice: What to do about it; empty where there is nothing to do.
    """

    topic: Literal["settings", "endpoints", "chat model", "library", "archive", "workspace"]
    name: str
    state: State
    detail: str
    advice: str = ""


async def examine(
    folder: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    credential: TokenCredential | None = None,
    probe_s: float = PROBE_S,
) -> tuple[Row, ...]:
    """Look at everything a reading needs.

    Args:
        folder: The workspace.
        environ: The environment.
        transport, credential: Another way to send requests, and another source of tokens, for tests.
        probe_s: Seconds that each probe may take.
    """
    from wetread.tools.endpoints.client import new_http_client
    from wetread.tools.endpoints.tokens import Tokens

    rows = [_workspace(folder), *_variables(environ)]
    try:
        settings = load_settings(folder, environ)
    except WetreadError as error:
        return (*rows, Row(topic="settings", name=error.code, state="error", detail=error.message, advice=error.hint))
    found = "is there" if (folder / FILE_NAME).is_file() else "is not there; the environment alone counts"
    rows.append(Row(topic="settings", name=FILE_NAME, state="ok", detail=found))
    tokens = Tokens(credential)
    async with new_http_client(transport) as client:
        probes = [_endpoint(name, settings.endpoints.get(name), client, tokens, probe_s) for name in ENDPOINT_NAMES]
        rows += await asyncio.gather(*probes, _chat_model(settings, client, probe_s))
        rows += await _archive(settings.dicomweb, client, probe_s)
    await tokens.aclose()
    rows.append(await asyncio.to_thread(_library, settings.library))
    return tuple(rows)


async def _endpoint(
    name: EndpointName, settings: EndpointSettings | None, client: httpx.AsyncClient, tokens: Tokens, probe_s: float
) -> Row:
    if settings is None:
        advice = f"Set {variable(name, 'url')} and {variable(name, 'key')}, or [endpoints.{name}] in {FILE_NAME}."
        return Row(topic="endpoints", name=name, state="missing", detail="has no address", advice=advice)
    auth = {"key": "with a key", "entra": "with Entra ID", "none": "without authentication"}[settings.auth]
    pinned = f", deployment {settings.deployment}" if settings.deployment else ""
    where = f"{settings.host}, {auth}{pinned}"
    try:
        async with asyncio.timeout(probe_s):
            state, what, advice = await _ask(name, settings, client, tokens)
    except TimeoutError:
        state, what = "error", f"no answer within {probe_s:g} s"
        advice = "Check the URL, the network and the proxy; a deployment that starts takes 10 to 20 minutes."
    if state == "ok" and not settings.is_private:
        state, advice = "warning", "Pictures travel unencrypted: use https."
    return Row(topic="endpoints", name=name, state=state, detail=f"{where}: {what}", advice=advice)


async def _ask(
    name: EndpointName, settings: EndpointSettings, client: httpx.AsyncClient, tokens: Tokens
) -> tuple[State, str, str]:
    import httpx

    from wetread.tools.endpoints.client import connection_error
    from wetread.tools.endpoints.statuses import DEPLOYMENT, ORIGIN, status_error
    from wetread.tools.endpoints.tokens import authorization

    headers = {"content-type": "application/json"}
    if settings.deployment:
        headers[DEPLOYMENT] = settings.deployment
    try:
        if settings.auth == "entra":
            await client.get(settings.url)  # is it there at all? asking for a token first may take long, offline
        token = await authorization(name, settings, tokens)
        if token:
            headers["authorization"] = token
        response = await client.post(settings.url, content=_EMPTY_TABLE, headers=headers)
    except EndpointError as error:
        return "error", error.message, error.hint
    except (httpx.HTTPError, OSError) as error:
        fault = connection_error(name, error)
        return "error", fault.message, fault.hint
    status = response.status_code
    simulated = " (simulated: its answers mean nothing)" if response.headers.get(ORIGIN) else ""
    if status in (200, 400, 422, 424):
        return "ok", f"reachable, and takes requests{simulated}", ""
    if status == 429:
        return "ok", f"reachable, and busy now{simulated}", ""
    if status == 405:
        return (
            "error",
            "reachable, but takes no requests at this path (HTTP 405)",
            "Use the scoring address: .../score.",
        )
    fault = status_error(name, status, response.headers)
    return "error", fault.message, fault.hint


async def _chat_model(settings: Settings, client: httpx.AsyncClient, probe_s: float) -> Row:
    def row(state: State, detail: str, advice: str = "") -> Row:
        return Row(topic="chat model", name=settings.model, state=state, detail=detail, advice=advice)

    kind = settings.model_kind
    if kind == "protocol":
        return row("ok", "readings follow the template's rules, without a language model")
    if settings.model_base_url is None and kind != "openai":
        source = "AZURE_OPENAI_ENDPOINT" if kind == "azure" else "WETREAD_MODEL_BASE_URL"
        return row("missing", "has no address", f"Set {source}.")
    if settings.model_api_key is None and kind == "openai":
        return row("missing", "has no key", "Set OPENAI_API_KEY or WETREAD_MODEL_API_KEY.")
    base = (settings.model_base_url or "https://api.openai.com/v1").rstrip("/")
    host = split_url(base).hostname or ""
    try:
        async with asyncio.timeout(probe_s):
            return row(*await _ask_model(kind, base, host, settings, client))
    except TimeoutError:
        return row("error", f"{host}: no answer within {probe_s:g} s", "Check the address, the network and the proxy.")


async def _ask_model(
    kind: str, base: str, host: str, settings: Settings, client: httpx.AsyncClient
) -> tuple[State, str, str]:
    """Ask for the list of models, which costs nothing."""
    import httpx

    key = settings.model_api_key.get_secret_value() if settings.model_api_key else None
    url = f"{base}/models"
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if kind == "azure":
        url = f"{base}/openai/models?api-version={settings.model_api_version or '2024-10-21'}"
        headers = {"api-key": key} if key else {}
    try:
        response = await client.get(url, headers=headers)
    except (httpx.HTTPError, OSError):
        return "error", f"{host} cannot be reached", "Check the address, the network and the proxy."
    if response.status_code in (401, 403):
        if key is None:
            return "warning", f"{host}: reachable, asks for a key or an Entra ID token", "Set WETREAD_MODEL_API_KEY."
        return "error", f"{host} refused the key (HTTP {response.status_code})", "Check the key."
    if response.status_code != 200:
        return "warning", f"{host}: reachable, but lists no models (HTTP {response.status_code})", "Check the address."
    return "ok", f"{host}: reachable", ""


async def _archive(settings: DicomWebSettings, client: httpx.AsyncClient, probe_s: float) -> list[Row]:
    """The archive, where the settings name one: whether it answers a search for a study that is not there."""
    if settings.url is None:
        return []
    from wetread.apps.pacs.dicomweb import DicomWeb
    from wetread.apps.pacs.place import archive_at, authorization

    place = archive_at(settings.url, allow_http=True)
    how = "with a token" if settings.token else "with a user" if settings.user else "without credentials"

    def row(state: State, detail: str, advice: str = "") -> list[Row]:
        return [
            Row(topic="archive", name="dicomweb", state=state, detail=f"{place.host}, {how}: {detail}", advice=advice)
        ]

    try:
        async with asyncio.timeout(probe_s):
            await DicomWeb(place, client, authorization=authorization(place, settings), attempts=1).probe()
    except TimeoutError:
        return row("error", f"no answer within {probe_s:g} s", "Check the address, the network and the proxy.")
    except WetreadError as error:
        return row("error", error.message, error.hint)
    if not is_private(split_url(settings.url)):
        return row("warning", "reachable", "Images and names travel unencrypted: use https.")
    return row("ok", "reachable, and answers searches")


def _variables(environ: Mapping[str, str]) -> list[Row]:
    return [
        Row(topic="settings", name=name, state="warning", detail="a variable that means nothing here", advice=hint)
        for name, hint in unknown_variables(environ)
    ]


def _workspace(folder: Path) -> Row:
    if not folder.is_dir():
        return Row(topic="workspace", name=str(folder), state="error", detail="is no folder", advice="Check its path.")
    there = [name for name in _WORKSPACE_FOLDERS if (folder / name).is_dir()]
    detail = f"adds {', '.join(there)}" if there else "adds nothing to what is built in"
    return Row(topic="workspace", name=str(folder), state="ok", detail=detail)


def _library(path: Path | None) -> Row:
    if path is None:
        advice = "Set WETREAD_LIBRARY; `wetread index add` makes one."
        return Row(topic="library", name="case library", state="missing", detail="is not set", advice=advice)
    from wetread.insight.library import CaseLibrary

    try:
        with CaseLibrary.open(path, read_only=True) as library:
            return Row(topic="library", name=str(path), state="ok", detail=f"{len(library)} cases")
    except WetreadError as error:
        return Row(topic="library", name=str(path), state="error", detail=error.message, advice=error.hint)

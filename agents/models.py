"""Chat models by name: `protocol`, `openai:NAME`, `azure:DEPLOYMENT`, `compatible:NAME` (vLLM, Ollama, LM Studio)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.agents.chat import ChatModel, ChatReply, ChatRequest, OnText
from wetread.agents.openai_wire import ReplyBuilder, wire_request
from wetread.agents.protocol import Protocol
from wetread.config import Settings, split_url
from wetread.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
AZURE_API_VERSION = "2024-10-21"
"""The newest API version that is not a preview."""

CONNECT_S = 10.0
READ_S = 180.0
"""Longest silence within one answer; a turn's own deadline is shorter than many of them."""
MAX_RETRIES = 2
"""Per call, by the SDK, for 408, 409, 429, 5xx and broken connections, honouring Retry-After."""
MAX_CHARS = 2_000_000
"""An answer longer than this is cut off and refused."""

_OPTIONAL: dict[str, Any] = {"temperature": 0, "stream_options": {"include_usage": True}}
_DROPPABLE = ("stream_options", "temperature", "response_format", "tool_choice")
_UNWANTED = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|extra|not permitted|not allowed|invalid", re.IGNORECASE
)


def chat_model(settings: Settings, name: str | None = None, *, workspace: Path | None = None) -> ChatModel:
    """The chat model that the settings name.

    Args:
        settings: Base URL, key and API version are taken from them.
        name: Another model than the settings', for an agent with one of its own.
        workspace: Folder that may hold templates of a user's own, for the protocol.

    Raises:
        ConfigError: `WET-CONFIG-MODEL`: something that this kind of model needs is not set.
    """
    if name is not None:
        # validated anew: `model_copy` takes anything
        settings = Settings.model_validate({**dict(settings), "model": name})
    kind = settings.model_kind
    if kind == "protocol":
        return Protocol(workspace)
    if kind == "openai":
        return OpenAIChat(settings.model, settings.model_name, _openai(settings), schema_beside_tools=True)
    if kind == "azure":
        return OpenAIChat(settings.model, settings.model_name, _azure(settings), schema_beside_tools=True)
    return OpenAIChat(settings.model, settings.model_name, _compatible(settings), schema_beside_tools=False)


class OpenAIChat:
    """A model behind OpenAI's chat completions, streamed. For one event loop.

    What a server refuses of the request's optional parts is left out and not sent again.

    Args:
        name: How the model is called in reports and events.
        model: Its name on the server.
        client: The SDK's client.
        schema_beside_tools: See `wire_request`.
    """

    def __init__(self, name: str, model: str, client: AsyncOpenAI, *, schema_beside_tools: bool) -> None:
        self._name = name
        self._model = model
        self._client = client
        self._schema_beside_tools = schema_beside_tools
        self._refused: set[str] = set()
        self._streams = True

    @property
    def name(self) -> str:
        return self._name

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        """Answer one request; see `ChatModel`.

        Raises:
            ModelError: `WET-MODEL-AUTH`, `-UNKNOWN`, `-BUSY`, `-QUOTA`, `-TOO-LONG`, `-FILTERED`, `-REQUEST`,
                `-TIMEOUT`, `-UNREACHABLE`, `-SERVER`, `-BROKEN`.
        """
        import httpx2
        import openai

        told = False

        def tell(text: str) -> None:
            nonlocal told
            told = told or bool(text)
            if on_text is not None:
                on_text(text)

        last_try = False
        while True:
            body = wire_request(request, self._model, schema_beside_tools=self._schema_beside_tools) | _OPTIONAL
            body = {key: value for key, value in body.items() if key not in self._refused}
            try:
                builder = await self._collect(body, tell)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                unwanted = _unwanted(error, body)
                if unwanted is None:
                    raise self._error(error) from None
                self._refused.add(unwanted)
                continue
            except openai.OpenAIError as error:
                if told and isinstance(error, openai.APIConnectionError):
                    timeout = isinstance(error, openai.APITimeoutError)
                    raise self._broken("TIMEOUT" if timeout else "BROKEN") from None
                raise self._error(error) from None
            except (httpx2.HTTPError, ValueError) as error:
                # a stream that breaks off is not the SDK's to retry; once, unless the reader has seen a part of it
                if told or last_try:
                    timeout = isinstance(error, httpx2.TimeoutException)
                    raise self._broken("TIMEOUT" if timeout else "BROKEN") from None
                last_try = True
                continue
            if builder.chunks == 0 and self._streams:
                self._streams = False
                continue
            if not builder.whole:
                if told or last_try:
                    raise self._broken("BROKEN")
                last_try = True
                continue
            reply = builder.reply(request, self._told_name(builder))
            if reply.finish == "content_filter" and not reply.tool_uses:
                raise ModelError("WET-MODEL-FILTERED", f"The content filter of {self._name} stopped the answer.")
            return reply

    def _told_name(self, builder: ReplyBuilder) -> str:
        # an Azure deployment has a name of its owner's: what it costs is told by the model behind it
        served = builder.served if self._name.startswith("azure:") else ""
        return f"{self._name} ({served})" if served else self._name

    async def _collect(self, body: dict[str, Any], tell: OnText) -> ReplyBuilder:
        builder = ReplyBuilder()
        async with aclosing(self._chunks(body)) as chunks:
            async for chunk in chunks:
                added = builder.add(chunk)
                if len(builder.text) > MAX_CHARS:
                    raise ModelError("WET-MODEL-BROKEN", f"The answer of {self._name} does not end.")
                if added:
                    tell(added)
        return builder

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        create: Callable[..., Any] = self._client.chat.completions.create
        if not self._streams:
            body = {key: value for key, value in body.items() if key != "stream_options"}
            completion = await create(**body)
            yield _plain(completion)
            return
        stream = await create(**body, stream=True)
        try:
            async for chunk in stream:
                yield _plain(chunk)
        finally:
            await stream.close()

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    def _broken(self, what: str) -> ModelError:
        say = "stopped answering" if what == "TIMEOUT" else "broke off its answer"
        return ModelError(f"WET-MODEL-{what}", f"{self._name} {say}.", "Try again.")

    def _error(self, error: Exception) -> ModelError:
        """Our error for one of the SDK's: its status and code, never its text, which may repeat what was sent."""
        import httpx2
        import openai

        name = self._name
        if isinstance(error, openai.APITimeoutError):
            return ModelError("WET-MODEL-TIMEOUT", f"{name} did not answer in time.", "Try again.")
        if isinstance(error, openai.APIConnectionError):
            if isinstance(error.__cause__, httpx2.ReadError | httpx2.RemoteProtocolError):
                return self._broken("BROKEN")
            host = split_url(str(self._client.base_url)).netloc
            return ModelError("WET-MODEL-UNREACHABLE", f"{host} cannot be reached for {name}.", "Check the base URL.")
        if not isinstance(error, openai.APIStatusError):
            return ModelError("WET-MODEL-BROKEN", f"The server of {name} answered what cannot be read.")
        status, code = error.status_code, _code_of(error)
        shown = f"{status}, {code}" if code else str(status)
        if status in (401, 403):
            hint = "Check the key (WETREAD_MODEL_API_KEY), or who is signed in."
            return ModelError("WET-MODEL-AUTH", f"The server refuses access to {name} ({shown}).", hint)
        if status == 404:
            return ModelError("WET-MODEL-UNKNOWN", f"The server has no {name} ({shown}).", "Check name and base URL.")
        if status == 429:
            if code == "insufficient_quota":
                return ModelError("WET-MODEL-QUOTA", f"The quota of {name} is used up ({shown}).", "Raise it or wait.")
            return ModelError("WET-MODEL-BUSY", f"{name} takes no more requests now ({shown}).", "Wait and try again.")
        if status == 413 or code in ("context_length_exceeded", "string_above_max_length"):
            return ModelError("WET-MODEL-TOO-LONG", f"The request is too long for {name} ({shown}).")
        if code == "content_filter":
            return ModelError("WET-MODEL-FILTERED", f"The content filter of {name} refused the request ({shown}).")
        if status >= 500 or status == 408:
            return ModelError("WET-MODEL-SERVER", f"The server of {name} failed ({shown}).", "Try again later.")
        return ModelError("WET-MODEL-REQUEST", f"The server of {name} refused the request ({shown}).")


def _plain(value: Any) -> Mapping[str, Any]:
    """An SDK object as plain data, unvalidated: servers send what its types do not foresee."""
    data = value.model_dump(exclude_unset=True, warnings=False) if hasattr(value, "model_dump") else value
    if not isinstance(data, Mapping):
        raise ValueError("not an object")
    return data


def _unwanted(error: Any, body: Mapping[str, Any]) -> str | None:
    """The optional part of the request that the server refuses, if that is what its error says."""
    details = error.body if isinstance(error.body, dict) else {}
    param = str(details.get("param") or "")
    text = f"{param} {details.get('message') or error.message}"
    for part in _DROPPABLE:
        if part in body and (part == param.partition(".")[0] or (part in text and _UNWANTED.search(text))):
            return part
    return None


def _code_of(error: Any) -> str:
    code = str(getattr(error, "code", None) or "")
    return code if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", code) else ""


def _client_options() -> dict[str, Any]:
    import httpx2

    return {"timeout": httpx2.Timeout(READ_S, connect=CONNECT_S), "max_retries": MAX_RETRIES}


def _openai(settings: Settings) -> AsyncOpenAI:
    if settings.model_api_key is None:
        raise _unset(settings, "a key", "Set OPENAI_API_KEY or WETREAD_MODEL_API_KEY.")
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        api_key=settings.model_api_key.get_secret_value(),
        base_url=settings.model_base_url or OPENAI_URL,
        **_client_options(),
    )


def _compatible(settings: Settings) -> AsyncOpenAI:
    if settings.model_base_url is None:
        raise _unset(settings, "a base URL", "Set WETREAD_MODEL_BASE_URL, such as http://localhost:11434/v1.")
    from openai import AsyncOpenAI

    # a key must be given, or the SDK would send the environment's OpenAI key to this server
    key = settings.model_api_key.get_secret_value() if settings.model_api_key else "none"
    return AsyncOpenAI(api_key=key, base_url=settings.model_base_url, **_client_options())


def _azure(settings: Settings) -> AsyncOpenAI:
    if settings.model_base_url is None:
        raise _unset(settings, "an endpoint", "Set AZURE_OPENAI_ENDPOINT or WETREAD_MODEL_BASE_URL.")
    from openai import AsyncAzureOpenAI

    key = settings.model_api_key
    auth: dict[str, Any] = (
        {"api_key": key.get_secret_value()} if key else {"azure_ad_token_provider": _entra_token(settings.model)}
    )
    return AsyncAzureOpenAI(
        azure_endpoint=settings.model_base_url,
        azure_deployment=settings.model_name,
        api_version=settings.model_api_version or AZURE_API_VERSION,
        **auth,
        **_client_options(),
    )


def _entra_token(model: str) -> Callable[[], Any]:
    """A provider of Entra ID tokens. The synchronous one in a thread: the other needs one more HTTP library."""
    provider: Callable[[], str] | None = None

    def ask() -> str:
        nonlocal provider
        if provider is None:
            from azure.identity import DefaultAzureCredential, get_bearer_token_provider

            provider = get_bearer_token_provider(DefaultAzureCredential(), AZURE_SCOPE)
        return provider()

    async def token() -> str:
        from azure.core.exceptions import AzureError

        try:
            return await asyncio.to_thread(ask)
        except AzureError:
            raise ModelError(
                "WET-MODEL-AUTH",
                f"No Entra ID token could be had for {model}.",
                "Sign in (az login), or set AZURE_OPENAI_API_KEY.",
            ) from None

    return token


def _unset(settings: Settings, what: str, hint: str) -> ConfigError:
    return ConfigError("WET-CONFIG-MODEL", f"Model {settings.model} needs {what}, and none is set.", hint)

"""How a call to an endpoint is authenticated: by key, by an Entra ID token that is kept while it is good, or not."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any, Protocol

from wetread.config import EndpointSettings
from wetread.errors import EndpointError
from wetread.tools.endpoints.port import EndpointName

SCOPE = "https://ml.azure.com/.default"
_MARGIN_S = 300.0


class TokenCredential(Protocol):
    """A credential of `azure.identity` or `azure.identity.aio`: `get_token(scope)` gives `token` and `expires_on`."""

    def get_token(self, *scopes: str) -> Any: ...


class Tokens:
    """Entra ID tokens for one event loop: one fetch at a time, shared by all calls.

    Args:
        credential: Where tokens come from; by default `azure.identity.DefaultAzureCredential`, made when first needed.
    """

    def __init__(self, credential: TokenCredential | None = None) -> None:
        self._given = credential
        self._own: Any = None
        self._token: str | None = None
        self._expires = 0.0
        self._lock = asyncio.Lock()

    async def get(self, endpoint: EndpointName, refused: str | None = None) -> str:
        """A token; another than `refused`, where an endpoint has refused one.

        Raises:
            EndpointError: `WET-ENDPOINT-CREDENTIAL` where none can be had.
        """
        async with self._lock:
            fresh = self._token is not None and time.time() < self._expires - _MARGIN_S
            if self._token is None or not fresh or self._token == refused:
                if refused is not None:
                    await self._forget()
                self._token, self._expires = await self._fetch(endpoint)
            return self._token

    async def _fetch(self, endpoint: EndpointName) -> tuple[str, float]:
        try:
            credential = self._given
            if credential is None:
                if self._own is None:
                    self._own = await asyncio.to_thread(_default_credential)
                credential = self._own
            if inspect.iscoroutinefunction(credential.get_token):
                answer = await credential.get_token(SCOPE)
            else:
                answer = await asyncio.to_thread(credential.get_token, SCOPE)
            return str(answer.token), float(answer.expires_on)
        except Exception:  # the many errors of azure.identity name accounts and machines; none may pass
            raise EndpointError(
                "WET-ENDPOINT-CREDENTIAL",
                f"{endpoint} has no key, and no Entra ID token could be had.",
                f"Set WETREAD_{endpoint.upper()}_KEY, or sign in with `az login` or a managed identity.",
            ) from None

    async def _forget(self) -> None:
        """Drop our own credential too: it keeps tokens by itself, the refused one among them."""
        if self._own is not None:
            own, self._own = self._own, None
            await asyncio.to_thread(own.close)

    async def aclose(self) -> None:
        await self._forget()


def _default_credential() -> Any:
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(exclude_interactive_browser_credential=True)


async def authorization(
    endpoint: EndpointName, settings: EndpointSettings, tokens: Tokens, refused: str | None = None
) -> str | None:
    """The value of the `Authorization` header, None where none is sent.

    Raises:
        EndpointError: `WET-ENDPOINT-CREDENTIAL`.
    """
    if settings.key is not None:
        return f"Bearer {settings.key.get_secret_value()}"
    if settings.auth == "none":
        return None
    return f"Bearer {await tokens.get(endpoint, refused.removeprefix('Bearer ') if refused else None)}"

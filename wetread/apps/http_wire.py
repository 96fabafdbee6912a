"""HTTP to the servers of other systems: one request and its answer within bounds, and how long to wait before another.

A server that may do better next time says so by its status; which requests are safe to repeat, the caller knows.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 4
TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which another attempt may succeed."""

_CONNECT_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S, _LONGEST_ASKED_WAIT_S = 0.5, 8.0, 30.0

Sleep = Callable[[float], Awaitable[None]]


class Broken(Exception):
    """A connection that could not be made, or broke; `what` says it without an address.

    Args:
        what: What happened.
        before: Whether it is sure that the server saw nothing of the request.
    """

    def __init__(self, what: str, *, before: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.before = before


class Wire:
    """One client; remembers how long the last answer asked to wait.

    Args:
        client: Sends the requests; the caller closes it.
        headers: Of every request.
        timeout_s: For one request with its answer.
    """

    def __init__(self, client: httpx.AsyncClient, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
        self._client = client
        self._headers = headers
        self._timeout_s = timeout_s
        self._asked: float | None = None

    async def send(
        self, method: str, url: str, content: bytes | None = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One request; its status and its body, which may be cut at `MAX_ANSWER_BYTES`.

        Raises:
            Broken: there was no whole answer in time.
        """
        async with self.open(method, url, content, headers=headers) as answer:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    break
            return answer.status_code, bytes(body)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        silence_s: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """One request; the answer is read by the caller, within the block.

        Args:
            method, url, content: The request.
            headers: Beside those of every request.
            timeout_s: Another limit for the whole.
            silence_s: How long the server may say nothing in between.

        Raises:
            Broken: there was no answer in time, or it broke off while it was read.
        """
        import httpx

        self._asked = None
        limit = self._timeout_s if timeout_s is None else timeout_s
        sent = {**self._headers, **(headers or {})}
        silence = httpx.USE_CLIENT_DEFAULT if silence_s is None else httpx.Timeout(silence_s, connect=_CONNECT_S)
        try:
            async with (
                asyncio.timeout(limit),
                self._client.stream(method, url, content=content, headers=sent, timeout=silence) as answer,
            ):
                self._asked = _seconds(answer.headers.get("retry-after", ""))
                yield answer
        except TimeoutError:
            raise Broken(f"no answer within {limit:g} s") from None
        except httpx.ConnectError as error:
            trusted = not any(isinstance(link, ssl.SSLCertVerificationError) for link in _chain(error))
            what = "no connection could be made" if trusted else "its certificate is not trusted"
            raise Broken(what, before=True) from None
        except httpx.ReadTimeout:
            raise Broken(f"it said nothing for {silence_s or limit:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Broken("the connection broke before the whole answer was there") from None

    def wait(self, attempt: int) -> float:
        """Seconds until the next attempt: as asked for, else doubling, spread so that many do not come at once."""
        if self._asked is not None:
            return min(self._asked, _LONGEST_ASKED_WAIT_S)
        return min(_FIRST_WAIT_S * 2.0 ** (attempt - 1), _LONGEST_WAIT_S) * random.uniform(0.5, 1.0)


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; None where there is none, or a date."""
    return float(text) if re.fullmatch(r"\d{1,6}", text.strip()) else None

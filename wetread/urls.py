"""URLs as people type them into settings and options: what of them may be used, and what is this machine."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """The parts of an http(s) URL.

    Raises:
        ValueError: says what is wrong without repeating the URL, which may hold a secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL that can be read") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("a URL begins with https:// or, for this machine, http://")
    if not parts.hostname or port == 0 or not re.fullmatch(r"[\x21-\x7e]+", url) or url != url.strip():
        raise ValueError("the URL has no host, or a character that must not be there")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL holds no user and password here; set the key instead")
    if parts.fragment:
        raise ValueError("the URL has a '#' part, which is never sent")
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def shown_host(parts: SplitResult) -> str:
    """Host and port of a URL, to be shown to people."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host


def is_private(parts: SplitResult) -> bool:
    """Whether nobody on the way can read what is sent there: https, or this machine."""
    return parts.scheme == "https" or is_loopback(parts.hostname or "")

"""The body of `wetread simulate`: the simulated endpoints and a chat model, served until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wetread.config import ENDPOINT_NAMES, MAX_IN_FLIGHT, is_loopback, variable
from wetread.errors import InputError

if TYPE_CHECKING:
    from wetread.agents.chat import ChatModel
    from wetread.testing.simulated import Latency

LATENCY_HELP = "cxrreportgen=2, or =0.5 for all"


def serve(
    host: str = "127.0.0.1",
    port: int = 8800,
    *,
    seed: int = 0,
    latency: Latency | None = None,
    faults: Sequence[str] = (),
    key: str | None = None,
    limits: bool = False,
    chat: ChatModel | None = None,
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until interrupted.

    Args:
        host, port: Where to listen; port 0 takes a free one.
        seed: Another seed, other answers.
        latency: How long answers take; `parse_latency` reads it from words.
        faults: What goes wrong, as `FaultPlan.parse` reads it.
        key: Asked of every request; needed to listen anywhere but on this machine.
        limits: Answer 429 to more requests at a time than the default deployments take.
        chat: Who answers chat completions; the reading protocol by default.
        on_ready: Gets the address, such as `http://127.0.0.1:8800`, once requests are taken.

    Raises:
        InputError: `WET-INPUT-FAULT`, `WET-INPUT-ADDRESS`.
    """
    import uvicorn

    from wetread.agents.protocol import Protocol
    from wetread.testing.faults import FaultPlan
    from wetread.testing.simulated_wire import asgi_app

    if key is None and not is_loopback(host):
        raise InputError(
            "WET-INPUT-ADDRESS",
            "The simulator would listen to the network without a key.",
            "Set a key, or listen at 127.0.0.1.",
        )
    app = asgi_app(
        seed,
        latency,
        FaultPlan.parse(faults),
        chat=chat or Protocol(),
        key=key,
        max_in_flight=MAX_IN_FLIGHT if limits else None,
    )
    listening = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    with listening:
        on_ready(f"http://{shown}:{listening.getsockname()[1]}")
        config = uvicorn.Config(app, log_level="critical", access_log=False, timeout_graceful_shutdown=2)
        uvicorn.Server(config).run(sockets=[listening])


def parse_latency(texts: Sequence[str], cold_start_s: float = 0.0) -> Latency:
    """Latencies from words such as `cxrreportgen=2`; a number alone is for all endpoints.

    Raises:
        InputError: `WET-INPUT-LATENCY`.
    """
    from wetread.testing.simulated import Latency
    from wetread.yamlfile import nearest

    seconds = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        names = ENDPOINT_NAMES if name in ("", "*") else tuple(known for known in ENDPOINT_NAMES if known == name)
        if not names:
            hint = nearest(name, ENDPOINT_NAMES)
            raise InputError("WET-INPUT-LATENCY", "The latency is for no endpoint that there is.", hint)
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 3600:
            raise InputError("WET-INPUT-LATENCY", "A latency is 0 to 3600 seconds.", f"Write {LATENCY_HELP}.")
        seconds.update(dict.fromkeys(names, value))
    return Latency(seconds=seconds, cold_start_s=cold_start_s)


def client_variables(url: str) -> dict[str, str]:
    """The variables that lead wetread to a simulator at an address; its key, if it has one, is set besides."""
    endpoints = {variable(name, "url"): f"{url}/{name}/score" for name in ENDPOINT_NAMES}
    return {**endpoints, "WETREAD_MODEL": "compatible:protocol", "WETREAD_MODEL_BASE_URL": f"{url}/v1"}


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(128)
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such address"
        raise InputError(
            "WET-INPUT-ADDRESS", f"Cannot listen at {host}:{port} ({reason}).", "Choose another --host or --port."
        ) from None
    return listening

"""What arrives at the simulated endpoints: who may call, how much, and the envelope back into an `EndpointRequest`."""

from __future__ import annotations

import hmac
from typing import Any

import orjson
import pybase64
from starlette.requests import Request

from wetread.imaging.geometry import full
from wetread.imaging.payload import Payload
from wetread.testing.simulated_models import COLUMNS, IMAGE_COLUMNS, Refused, SimulatedModels
from wetread.testing.simulated_picture import BadPicture, look_at
from wetread.tools.endpoints.envelope import MAX_ROWS
from wetread.tools.endpoints.port import Cell, EndpointName, EndpointRequest


def is_allowed(request: Request, key: str | None) -> bool:
    """Whether a request carries the key, if there is one."""
    given = request.headers.get("authorization", "")
    return key is None or hmac.compare_digest(given.encode(), f"Bearer {key}".encode())


async def read_body(request: Request, max_bytes: int) -> bytes | None:
    """The body, or None as soon as it is longer than that."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def parse_request(name: EndpointName, body: bytes, models: SimulatedModels) -> EndpointRequest:
    """A body as a request. Base64 may come in lines; its urlsafe alphabet is refused, as is a `data:` prefix.

    Raises:
        Refused: for what the real endpoints answer with 424.
    """
    try:
        data = orjson.loads(body)
    except ValueError:
        raise Refused("the body is not JSON") from None
    table = data.get("input_data") if isinstance(data, dict) else None
    if not isinstance(table, dict):
        raise Refused("input_data is missing")
    columns, rows, index = table.get("columns"), table.get("data"), table.get("index")
    if not isinstance(columns, list) or not columns or not set(map(str, columns)) <= set(COLUMNS[name]):
        raise Refused("the columns are not those of the model")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS[name]:
        raise Refused("the number of rows is not taken")
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        raise Refused("a row does not fit the columns")
    if index is not None and index != list(range(len(rows))):
        raise Refused("the index does not count the rows")
    params = data.get("params") or {}
    if not isinstance(params, dict):
        raise Refused("params is no object")
    if isinstance(params.get("get_scaling_factor"), str):
        params["get_scaling_factor"] = params["get_scaling_factor"].lower() == "true"
    cells = tuple(tuple(_cell(*pair, models) for pair in zip(columns, row, strict=True)) for row in rows)
    return EndpointRequest(name, tuple(columns), cells, params)


def _cell(column: str, value: Any, models: SimulatedModels) -> Cell:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Refused("a cell is no text")
    return _payload(value, models) if column in IMAGE_COLUMNS else value


def _payload(text: str, models: SimulatedModels) -> Payload:
    try:
        base64 = "".join(text.split()).encode("ascii")
        png = pybase64.b64decode(base64, validate=True)
        picture = look_at(png)
    except BadPicture as error:
        raise Refused(str(error)) from error
    except ValueError:
        raise Refused("a picture is not standard base64") from None
    payload = Payload(png, base64, picture.sha256, picture.rows, picture.columns, full(picture.rows, picture.columns))
    models.remember(payload, picture)
    return payload

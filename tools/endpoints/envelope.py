"""The envelope common to all model endpoints: a table of cells as JSON, and a list with one object per row back. Pure.

The form is the one MLflow models have behind Azure ML online endpoints:
`{"input_data": {"columns": [...], "index": [...], "data": [[...]]}, "params": {}}`.
"""

from __future__ import annotations

from typing import Any

import orjson

from wetread.errors import EndpointError
from wetread.imaging.payload import Payload
from wetread.tools.endpoints.port import Cell, EndpointName, EndpointRequest

MAX_ROWS: dict[EndpointName, int] = {"cxrreportgen": 10, "medimageparse": 256, "medimageinsight": 1024}
"""Rows that one request may have, by the models' signatures."""

MODEL_NAMES: dict[EndpointName, str] = {
    "cxrreportgen": "CXRReportGen",
    "medimageparse": "MedImageParse",
    "medimageinsight": "MedImageInsight",
}
"""What each model is called in evidence and reports."""


def contract_error(endpoint: EndpointName, what: str) -> EndpointError:
    """The error for an answer that breaks the wire contract. `what` says how, in words of ours alone."""
    return EndpointError(
        "WET-ENDPOINT-CONTRACT",
        f"{endpoint} answered in a form that its contract does not have: {what}.",
        "Check that the URL leads to that model and which version is deployed.",
    )


def request_error(endpoint: EndpointName, what: str) -> EndpointError:
    """The error for a request that no endpoint would take, raised before anything is sent."""
    return EndpointError("WET-ENDPOINT-REQUEST", f"This is no request for {endpoint}: {what}.")


def build_body(request: EndpointRequest) -> bytes:
    """The request as JSON. Images are spliced in as the base64 they already have: no JSON encoder sees them.

    Raises:
        EndpointError: `WET-ENDPOINT-REQUEST` for a table that is not one (no columns, ragged rows, too many rows).
    """
    check_table(request)
    parts = [b'{"input_data":{"columns":', orjson.dumps(request.columns), b',"index":']
    parts += [orjson.dumps(list(range(len(request.rows)))), b',"data":[']
    for number, row in enumerate(request.rows):
        parts.append(b",[" if number else b"[")
        for position, cell in enumerate(row):
            if position:
                parts.append(b",")
            if isinstance(cell, Payload):
                parts += [b'"', cell.base64, b'"']
            else:
                parts.append(orjson.dumps(cell))
        parts.append(b"]")
    parts += [b']},"params":', orjson.dumps(request.params), b"}"]
    return b"".join(parts)


def check_table(request: EndpointRequest) -> None:
    """Refuse a request whose table is empty, ragged or too long.

    Raises:
        EndpointError: `WET-ENDPOINT-REQUEST`.
    """
    if not request.columns or len(set(request.columns)) != len(request.columns):
        raise request_error(request.endpoint, "its columns are missing or repeated")
    if not 1 <= len(request.rows) <= MAX_ROWS[request.endpoint]:
        raise request_error(
            request.endpoint, f"it has {len(request.rows)} rows, and 1 to {MAX_ROWS[request.endpoint]} are taken"
        )
    if any(len(row) != len(request.columns) for row in request.rows):
        raise request_error(request.endpoint, "a row has not one cell for each column")


def body_size(request: EndpointRequest) -> int:
    """Bytes that the body will have, to within a few bytes of punctuation, without building it."""
    return 128 + sum(_cell_size(cell) + 8 for row in request.rows for cell in row)


def _cell_size(cell: Cell) -> int:
    if cell is None:
        return 4
    return len(cell.base64) if isinstance(cell, Payload) else len(cell.encode())


def parse_rows(endpoint: EndpointName, body: bytes | bytearray, expected: int) -> list[Any]:
    """The rows of an answer.

    Args:
        body: The whole body of a 200.
        expected: Rows that were sent.

    Raises:
        EndpointError: `WET-ENDPOINT-CONTRACT` for anything but a JSON list with one object per row.
    """
    try:
        rows = orjson.loads(body)
    except ValueError:
        raise contract_error(endpoint, f"its {len(body)} bytes are not JSON") from None
    return check_rows(endpoint, rows, expected)


def check_rows(endpoint: EndpointName, rows: Any, expected: int) -> list[Any]:
    """The same rows, once they are a list with one object per row.

    Raises:
        EndpointError: `WET-ENDPOINT-CONTRACT`.
    """
    if not isinstance(rows, list):
        raise contract_error(endpoint, f"the body is {_kind(rows)}, not a list")
    if len(rows) != expected:
        raise contract_error(endpoint, f"{len(rows)} rows came back for {expected} sent")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise contract_error(endpoint, f"row {number} is {_kind(row)}, not an object")
    return rows


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")

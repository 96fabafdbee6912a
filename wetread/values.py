"""The base of all value objects, and the one canonical form in which they are hashed."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value: valid from construction, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def canonical_json(data: Any) -> bytes:
    """Canonical JSON of plain data: keys sorted, no white space, UTF-8."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


def sha256_hex(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()

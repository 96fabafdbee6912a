"""Arrays of a recorded reply, kept out of the tape's JSON: masks as PNG, embeddings as `.npy`, named by content.

On the tape stand references:

    {"$masks": ["3fa1c0de5a774d10.png", ...]}                 (n, rows, columns) uint8 probabilities, one PNG each
    {"$array": "9b1f....npy", "at": 1024, "shape": [1, 1024]}  floats, part of one flat float32 file per reply
    {"$json": {...}} and {"$json_spaced": {...}}               a JSON text inside the JSON, written out readably
    {"$as_is": {...}}                                          an object of the endpoint's own with such a key

`unpack` gives arrays back as numpy arrays (read-only), which the endpoint port allows in a reply. Floats are kept as
float32, what the endpoints compute in; so a recording session must go on with what `unpack` makes of `pack`.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from wetread.errors import TapeError
from wetread.values import sha256_hex

_NAME = re.compile(r"[0-9a-f]{16}\.(png|npy)")
_FEWEST_NUMBERS = 64
_MOST_NUMBERS = 1 << 28


class BlobReader:
    """Blobs of one tape, each read, verified and decoded once.

    Args:
        folder: Where the blob files lie.
        pending: Bytes of blobs that are not written yet, by name.
    """

    def __init__(self, folder: Path, pending: Mapping[str, bytes] | None = None) -> None:
        self._folder = folder
        self._pending = pending or {}
        self._decoded: dict[str, NDArray[Any]] = {}
        self._stacks: dict[tuple[str, ...], NDArray[np.uint8]] = {}

    def array(self, name: str) -> NDArray[Any]:
        """The array of one blob, read-only.

        Raises:
            TapeError: the file is missing, or is not what was recorded.
        """
        found = self._decoded.get(name)
        if found is None:
            found = self._decoded[name] = self._read(name)
        return found

    def masks(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """Masks of one size as one array [masks, rows, columns], read-only, shared by all who ask.

        Raises:
            TapeError: as `array`; or they are no such masks.
        """
        key = tuple(names)
        found = self._stacks.get(key)
        if found is None:
            masks = [self._read(name) for name in names]
            if not masks or any(mask.ndim != 2 or mask.shape != masks[0].shape for mask in masks):
                raise _broken(", ".join(names), "are not masks of one size")
            found = self._stacks[key] = np.stack(masks)
            found.flags.writeable = False
        return found

    def _read(self, name: str) -> NDArray[Any]:
        if not _NAME.fullmatch(name):
            raise _broken(name, "is not the name of a blob")
        data = self._pending.get(name)
        if data is None:
            try:
                data = (self._folder / name).read_bytes()
            except OSError as error:
                raise _broken(name, f"cannot be read ({error.strerror})") from None
        if not name.startswith(sha256_hex(data)[:16]):
            raise _broken(name, "does not hold what was recorded")
        array: NDArray[Any]
        if name.endswith(".png"):
            from PIL import Image

            array = np.asarray(Image.open(io.BytesIO(data)))
        else:
            array = np.load(io.BytesIO(data), allow_pickle=False)
        array.flags.writeable = False
        return array


def pack(value: Any) -> tuple[Any, dict[str, bytes]]:
    """A reply's rows as they stand on the tape, and the blobs they refer to, by name."""
    floats: list[NDArray[np.float32]] = []
    blobs: dict[str, bytes] = {}
    places: list[dict[str, Any]] = []
    packed = _pack(value, floats, places, blobs)
    if floats:
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate([array.ravel() for array in floats]), allow_pickle=False)
        name = _keep(buffer.getvalue(), "npy", blobs)
        for place in places:
            place["$array"] = name
    return packed, blobs


def unpack(value: Any, blobs: BlobReader) -> Any:
    """The rows of a reply from what stands on the tape.

    Raises:
        TapeError: a blob is missing or broken, or a reference does not fit it.
    """
    if isinstance(value, list):
        return [unpack(item, blobs) for item in value]
    if not isinstance(value, dict):
        return value
    if "$masks" in value:
        return blobs.masks(value["$masks"])
    if "$array" in value:
        start, shape = int(value["at"]), [int(side) for side in value["shape"]]
        size = math.prod(shape)
        part = blobs.array(value["$array"])[start : start + size]
        if start < 0 or part.size != size:
            raise _broken(value["$array"], "is shorter than the tape says")
        return part.reshape(shape)
    if "$json" in value:
        return orjson.dumps(value["$json"]).decode()
    if "$json_spaced" in value:
        return json.dumps(value["$json_spaced"])
    if "$as_is" in value:
        return value["$as_is"]
    return {key: unpack(item, blobs) if isinstance(item, dict | list) else item for key, item in value.items()}


def names_in(value: Any) -> set[str]:
    """The blobs that a packed value refers to."""
    if isinstance(value, list):
        return {name for item in value for name in names_in(item)}
    if isinstance(value, dict):
        if "$masks" in value:
            return set(value["$masks"])
        if "$array" in value:
            return {value["$array"]}
        if "$as_is" in value:
            return set()
        return {name for item in value.values() for name in names_in(item)}
    return set()


def _pack(value: Any, floats: list[NDArray[np.float32]], places: list[dict[str, Any]], blobs: dict[str, bytes]) -> Any:
    if isinstance(value, str):
        array = _array_in_text(value)
        return _pack(array, floats, places, blobs) if array is not None else _spelled_out(value)
    if isinstance(value, list):
        numbers = _numbers(value)
        if numbers is None:
            return [_pack(item, floats, places, blobs) for item in value]
        value = numbers
    if isinstance(value, np.ndarray):
        if value.ndim == 3 and value.dtype == np.uint8 and value.size:
            return {"$masks": [_keep(_png(mask), "png", blobs) for mask in value]}
        if value.size < _FEWEST_NUMBERS or value.dtype.kind != "f":
            return value.tolist()
        places.append({"$array": "", "at": sum(array.size for array in floats), "shape": list(value.shape)})
        floats.append(value.astype(np.float32))
        return places[-1]
    if isinstance(value, dict):
        if any(key.startswith("$") for key in value):
            return {"$as_is": value}
        return {key: _pack(item, floats, places, blobs) for key, item in value.items()}
    return value


def _numbers(value: list[Any]) -> NDArray[np.float64] | None:
    """A long regular list of numbers as an array; None for any other list."""
    inner = value
    while len(inner) == 1 and isinstance(inner[0], list):
        inner = inner[0]
    kinds = {type(item) for item in inner}
    if len(inner) < _FEWEST_NUMBERS or float not in kinds or not kinds <= {float, int}:
        return None
    array = np.asarray(value, np.float64)
    # what is not finite in float32 is a fault of the endpoint, to be kept as it came
    return array if bool(np.all(np.abs(array) < np.finfo(np.float32).max)) else None


def _array_in_text(text: str) -> NDArray[np.uint8] | None:
    """MedImageParse's masks: base64, shape and dtype in a JSON text. None for all else, or where they do not fit."""
    if len(text) < 256 or not text.startswith("{"):
        return None
    try:
        inner = orjson.loads(text)
        if not isinstance(inner, dict) or set(inner) != {"data", "shape", "dtype"} or inner["dtype"] != "uint8":
            return None
        shape = tuple(int(side) for side in inner["shape"])
        data = base64.b64decode(inner["data"], validate=True)
    except (orjson.JSONDecodeError, binascii.Error, TypeError, ValueError):
        return None
    if len(shape) != 3 or min(shape) < 1 or len(data) != np.prod(shape) or len(data) > _MOST_NUMBERS:
        return None
    return np.frombuffer(data, np.uint8).reshape(shape)


def _spelled_out(text: str) -> Any:
    """A JSON text inside the JSON, where it can be given back to the letter."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        inner = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if orjson.dumps(inner).decode() == text:
        return {"$json": inner}
    return {"$json_spaced": inner} if json.dumps(inner) == text else text


def _png(mask: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _keep(data: bytes, suffix: str, blobs: dict[str, bytes]) -> str:
    name = f"{sha256_hex(data)[:16]}.{suffix}"
    blobs[name] = data
    return name


def _broken(name: str, what: str) -> TapeError:
    return TapeError("WET-TAPE-BLOB", f"The blob {name} of the tape {what}.", "Record the scenario again.")

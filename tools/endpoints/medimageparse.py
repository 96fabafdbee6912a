"""MedImageParse: masks by text prompt, as 8-bit probabilities on a square of 1024 pixels. Wire codec, pure.

The model always answers; it has no score of validity. What is absent comes back as a near-empty or a spurious mask, so
the quality of a mask is for its reader to judge.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pybase64

from wetread.errors import ToolError
from wetread.imaging.payload import Payload
from wetread.tools.endpoints.envelope import check_rows, contract_error, request_error
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest

ENDPOINT: Final = "medimageparse"
SIDE = 1024
"""Rows and columns of the picture that the model takes."""

PRESENT = 128
"""The value from which a pixel counts as inside: probability 0.5 of 255."""

MAX_PROMPTS = 16
MAX_PROMPT_LENGTH = 100
SEPARATOR = " & "
CLASSES = (
    "liver",
    "lung",
    "kidney",
    "pancreas",
    "heart anatomies",
    "brain anatomies",
    "eye anatomies",
    "vessel",
    "other organ",
    "tumor",
    "infection",
    "other lesion",
    "fluid disturbance",
    "other abnormality",
    "histology structure",
    "other",
)
"""What the model says a prompt is; it is its own reading of the words, not of the picture."""

_DTYPES = {"uint8": "u1", "bool": "?", "float16": "<f2", "float32": "<f4", "float64": "<f8"}
_MAX_NAMES = 20_000


@dataclass(frozen=True, slots=True)
class Masks:
    """One mask for each prompt, in order.

    `probabilities` is uint8 [prompts, rows, columns] in the frame of the picture sent, 0 to 255, read-only.
    `classes` are the model's words for each prompt, None where it gave none.
    """

    prompts: tuple[str, ...]
    probabilities: npt.NDArray[np.uint8]
    classes: tuple[str | None, ...]
    warnings: tuple[str, ...] = ()


def encode(image: Payload, prompts: Sequence[str]) -> EndpointRequest:
    """The request for all prompts on one picture of 1024 x 1024.

    Raises:
        ToolError: `WET-TOOL-PROMPT` for prompts that cannot be sent: none, empty, too many, too long, with a `&`.
        EndpointError: `WET-ENDPOINT-REQUEST` for a picture of another size.
    """
    if (image.rows, image.columns) != (SIDE, SIDE):
        raise request_error(ENDPOINT, f"the picture is {image.rows} x {image.columns}, not {SIDE} x {SIDE}")
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise ToolError(
            "WET-TOOL-PROMPT", f"{len(prompts)} structures were asked for at once; 1 to {MAX_PROMPTS} can be."
        )
    cleaned = [" ".join(prompt.split()) for prompt in prompts]
    for number, prompt in enumerate(cleaned, 1):
        if not prompt or not prompt.isprintable():
            raise ToolError("WET-TOOL-PROMPT", f"Structure {number} has no name.")
        if "&" in prompt:
            raise ToolError("WET-TOOL-PROMPT", f"The name of structure {number} has a '&', which parts two structures.")
        if len(prompt) > MAX_PROMPT_LENGTH:
            raise ToolError(
                "WET-TOOL-PROMPT", f"The name of structure {number} is longer than {MAX_PROMPT_LENGTH} characters."
            )
    return EndpointRequest(ENDPOINT, ("image", "text"), ((image, SEPARATOR.join(cleaned)),))


def prompts_of(request: EndpointRequest) -> tuple[str, ...]:
    """The prompts that a request of one row asks for, in order."""
    text = request.rows[0][request.columns.index("text")]
    return tuple(part.strip() for part in str(text).split("&"))


def decode(reply: EndpointReply, request: EndpointRequest) -> Masks:
    """The masks of a reply of one row, checked against what was asked.

    `image_features` is JSON in a text with `data` (base64), `shape` and `dtype`; an object or an array is taken too.
    Probabilities as floating point, 0 to 1, are brought to 0 to 255.

    Raises:
        EndpointError: `WET-ENDPOINT-CONTRACT` where shape, type, length or values are not what was asked for.
    """
    (row,) = check_rows(ENDPOINT, reply.rows, 1)
    prompts = prompts_of(request)
    image = request.rows[0][request.columns.index("image")]
    if not isinstance(image, Payload):
        raise request_error(ENDPOINT, "the cell image holds no picture")
    array = _array(row.get("image_features"))
    expected = (len(prompts), image.rows, image.columns)
    if array.shape != expected:
        raise contract_error(ENDPOINT, f"the masks are {_times(array.shape)}, and {_times(expected)} were asked for")
    probabilities = _probabilities(array)
    warnings = list(reply.warnings)
    # every 16th row tells of most answers that they hold more than 0 and 1
    if (
        probabilities[:, ::16].max(initial=0) <= 1
        and probabilities.max(initial=0) == 1
        and int(np.count_nonzero(probabilities)) > probabilities.size // 1000
    ):
        warnings.append("the masks hold 0 and 1 only and were read as probabilities of 255, so they count as empty")
    classes, problem = _classes(row.get("text_features"), len(prompts))
    if problem:
        warnings.append(problem)
    probabilities.flags.writeable = False
    return Masks(prompts, probabilities, classes, tuple(warnings))


def _array(value: Any) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _DTYPES:
            raise contract_error(ENDPOINT, "the masks have a number type that is not known")
        return value
    if isinstance(value, str):
        value = _features(value)
    if not isinstance(value, dict):
        raise contract_error(ENDPOINT, "image_features is missing or no object")
    dtype = _dtype(value.get("dtype"))
    shape = value.get("shape")
    if not isinstance(shape, list) or not 2 <= len(shape) <= 4:
        raise contract_error(ENDPOINT, "the shape of the masks is not a list of 2 to 4 sizes")
    if not all(type(size) is int and 0 < size <= 65_536 for size in shape):
        raise contract_error(ENDPOINT, "the shape of the masks has a size that cannot be")
    data = value.get("data")
    if not isinstance(data, str):
        raise contract_error(ENDPOINT, "the masks have no data")
    try:
        raw = pybase64.b64decode(data, validate=True)
    except ValueError:
        try:
            raw = pybase64.b64decode("".join(data.split()), validate=True)  # base64 in lines, as MIME has it
        except ValueError:
            raise contract_error(ENDPOINT, "the data of the masks are not base64") from None
    size = dtype.itemsize
    for length in shape:
        size *= length
    if len(raw) != size:
        raise contract_error(ENDPOINT, f"the masks have {len(raw)} bytes, and their shape asks for {size}")
    return np.frombuffer(raw, dtype).reshape(shape)


def _features(text: str) -> Any:
    """The object in a JSON text. Its megabytes of base64 are cut out first: a JSON parser takes 20 times as long."""
    key = text.find('"data"')
    begin = text.find('"', key + 6) + 1
    end = text.find('"', begin)
    try:
        if 0 <= key < begin < end and "\\" not in text[:begin] and text.find("\\", begin, end) < 0:
            value = orjson.loads(text[:begin] + text[end:])
            if isinstance(value, dict) and value.get("data") == "":
                return value | {"data": text[begin:end]}
        return orjson.loads(text)
    except ValueError:
        raise contract_error(ENDPOINT, "image_features is not JSON") from None


def _dtype(name: Any) -> np.dtype[Any]:
    if isinstance(name, str):
        plain = name.lower().removeprefix("numpy.").removeprefix("np.")
        if plain in _DTYPES:
            return np.dtype(_DTYPES[plain])
        for code in ("|u1", "|b1", "<f2", "<f4", "<f8"):
            if plain in (code, code.lstrip("|<")):
                return np.dtype(code)
    raise contract_error(ENDPOINT, "the masks have a number type that is not known")


def _probabilities(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.view()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if not np.isfinite(array).all() or array.min() < -1e-3 or array.max() > 1 + 1e-3:
        raise contract_error(ENDPOINT, "the masks hold values that are no probabilities")
    return np.rint(np.clip(array.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def _classes(value: Any, count: int) -> tuple[tuple[str | None, ...], str | None]:
    """The class names, which come as a list or as a Python list written out. Only an extra: a fault warns."""
    if isinstance(value, str) and len(value) <= _MAX_NAMES:
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            value = None
    if isinstance(value, list | tuple) and len(value) == count and all(isinstance(name, str) for name in value):
        return tuple(name if name in CLASSES else None for name in value), None
    return (None,) * count, "the model's class names were missing or could not be read"


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))

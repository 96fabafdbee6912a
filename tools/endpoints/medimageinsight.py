"""MedImageInsight: pictures and texts as unit vectors of one space of 1024 numbers. Wire codec and zero-shot, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from wetread.errors import ToolError
from wetread.imaging.payload import Payload
from wetread.tools.endpoints.envelope import check_rows, contract_error, request_error
from wetread.tools.endpoints.port import Cell, EndpointReply, EndpointRequest

ENDPOINT: Final = "medimageinsight"
DIMENSIONS = 1024

DEFAULT_SCALING_FACTOR = 4.5164
"""Natural logarithm of the scale that the released weights hold (91.5), for replies that leave it out."""

MAX_TEXT_BYTES = 225
"""75 CLIP tokens of about three bytes; the model cuts what is longer without a word."""

_MAX_SCALING_FACTOR = 10.0
_NORM_TOLERANCE = 0.01

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit vectors, float32 [rows, 1024], of the pictures and of the texts sent; None for what was not sent.

    `scaling_factor` is a logarithm, as sent; None where the reply has none. `each_text` are the vectors of `texts` one
    by one, for who keeps some of them: in the memory that the reply has them in, where it has them as float32.
    """

    images: Vectors | None = None
    texts: Vectors | None = None
    scaling_factor: float | None = None
    warnings: tuple[str, ...] = ()
    each_text: tuple[Vectors, ...] = ()


def encode(
    images: Sequence[Payload] = (), texts: Sequence[str] = (), *, scaling_factor: bool = True
) -> EndpointRequest:
    """The request for pictures, for texts, or for pairs of both: each row has the same columns.

    One picture against many texts is two requests at the same time, so that the picture travels once.

    Args:
        images: Pictures; any size, the server squeezes them to a square.
        texts: As many as there are pictures, if there are any.
        scaling_factor: Ask for the scale of `zero_shot_probabilities`.

    Raises:
        ToolError: `WET-TOOL-PROMPT` for a text that is empty or longer than the model reads.
        EndpointError: `WET-ENDPOINT-REQUEST` for nothing at all, or pictures and texts that do not pair.
    """
    if images and texts and len(images) != len(texts):
        raise request_error(ENDPOINT, f"{len(images)} pictures and {len(texts)} texts do not pair")
    cleaned = [" ".join(text.split()) for text in texts]
    for number, text in enumerate(cleaned, 1):
        if not text:
            raise ToolError("WET-TOOL-PROMPT", f"Text {number} is empty.")
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise ToolError(
                "WET-TOOL-PROMPT",
                f"Text {number} has {len(text)} characters; the model reads about {MAX_TEXT_BYTES} and cuts the rest.",
            )
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    if images and texts:
        columns, rows = ("image", "text"), tuple(zip(images, cleaned, strict=True))
    elif images:
        columns, rows = ("image",), tuple((image,) for image in images)
    elif texts:
        columns, rows = ("text",), tuple((text,) for text in cleaned)
    else:
        raise request_error(ENDPOINT, "it has neither pictures nor texts")
    return EndpointRequest(ENDPOINT, columns, rows, {"get_scaling_factor": True} if scaling_factor else {})


def decode(reply: EndpointReply, request: EndpointRequest) -> Embeddings:
    """The vectors of a reply, nested `[[1024]]` or flat `[1024]` alike.

    A vector that is not of length one is brought to it, with a warning: scores against it may be of another recipe.

    Raises:
        EndpointError: `WET-ENDPOINT-CONTRACT` where a vector is missing, of another size, not finite or zero.
    """
    rows = check_rows(ENDPOINT, reply.rows, len(request.rows))
    warnings = list(reply.warnings)
    images = _vectors(rows, "image_features", warnings)[0] if "image" in request.columns else None
    texts, each = _vectors(rows, "text_features", warnings) if "text" in request.columns else (None, [])
    return Embeddings(images, texts, _scaling_factor(rows), tuple(warnings), tuple(each))


def zero_shot_probabilities(
    image: npt.ArrayLike, texts: npt.ArrayLike, scaling_factor: float | None = None
) -> npt.NDArray[np.float64]:
    """Probabilities of texts that exclude each other, for one picture: `softmax(exp(scaling_factor) * texts . image)`.

    Findings that may occur together are asked for one by one, as a pair of present and absent: `texts` of the shape
    [findings, 2, 1024] gives [findings, 2], and `[:, 0]` is the probability that each is present.

    Args:
        image: Unit vector [1024].
        texts: Unit vectors [..., n, 1024]; the n of the last axis but one compete.
        scaling_factor: The logarithm that the endpoint sends; `DEFAULT_SCALING_FACTOR` where it sends none.

    Returns:
        float64 [..., n], summing to one over the last axis.
    """
    scale = np.exp(DEFAULT_SCALING_FACTOR if scaling_factor is None else scaling_factor)
    logits = scale * (np.asarray(texts, np.float64) @ np.asarray(image, np.float64))
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


@np.errstate(over="ignore", invalid="ignore")
def _vectors(rows: list[Any], key: str, warnings: list[str]) -> tuple[Vectors, list[Vectors]]:
    """The vectors of all rows together, and each by itself: as it came, where it can be taken as it is."""
    found: list[Vectors] = []
    for number, row in enumerate(rows):
        value = row.get(key)
        if value is None:
            raise contract_error(ENDPOINT, f"{key} of row {number} is missing")
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            vector = value
        else:
            try:
                vector = np.asarray(value, np.float64)
            except (TypeError, ValueError):
                raise contract_error(ENDPOINT, f"{key} of row {number} are not numbers") from None
        if vector.size != DIMENSIONS or vector.shape not in ((DIMENSIONS,), (1, DIMENSIONS)):
            raise contract_error(ENDPOINT, f"{key} of row {number} has not {DIMENSIONS} numbers")
        found.append(vector.reshape(DIMENSIONS).astype(np.float32, copy=False))
    vectors = np.stack(found)
    norms = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(norms).all() or not (norms > 1e-6).all():
        raise contract_error(ENDPOINT, f"{key} holds a vector that is zero or not finite")
    if (np.abs(norms - 1) > _NORM_TOLERANCE).any():
        warnings.append(f"{key} were not of length one and were brought to it")
        vectors /= norms[:, None]
        found = list(vectors)
    return vectors, found


def _scaling_factor(rows: list[Any]) -> float | None:
    value = rows[0].get("scaling_factor")
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _MAX_SCALING_FACTOR:
        raise contract_error(ENDPOINT, "scaling_factor is not a logarithm of a scale")
    return float(value)

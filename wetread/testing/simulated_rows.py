"""Rows as the endpoints send them, made from plain values. For the simulator, and for whoever authors an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pybase64

from wetread.evidence import Box
from wetread.tools.endpoints.cxrreportgen import BINS

Row = dict[str, Any]


def findings_row(sentences: Iterable[tuple[str, Sequence[Sequence[float]] | None]]) -> Row:
    """A row of CXRReportGen: sentences, each with boxes `(x_min, y_min, x_max, y_max)` in the square, or None."""
    items = [[text, [list(box) for box in boxes] if boxes else None] for text, boxes in sentences]
    return {"output": orjson.dumps(items).decode()}


def crop_box(box: Box, rows: int, columns: int) -> tuple[float, float, float, float]:
    """A box in pixels of an image, rows x columns, as CXRReportGen would send it: in the centre square, in bins.

    Raises:
        ValueError: the box lies outside of the square, which the model does not see.
    """
    side = min(rows, columns)
    left, top = (columns - side) // 2, (rows - side) // 2
    edges = [(box.x_min - left) / side, (box.y_min - top) / side, (box.x_max - left) / side, (box.y_max - top) / side]
    if min(edges[2:]) <= 0 or max(edges[:2]) >= 1:
        raise ValueError("the box lies outside of the centre square")
    x_min, y_min, x_max, y_max = ((min(max(int(edge * BINS), 0), BINS - 1) + 0.5) / BINS for edge in edges)
    return x_min, y_min, x_max, y_max


def masks_row(probabilities: npt.NDArray[np.uint8], classes: Sequence[str]) -> Row:
    """A row of MedImageParse: uint8 probabilities [prompts, 1024, 1024] as base64 in a JSON text, and class names."""
    array = np.ascontiguousarray(probabilities, np.uint8)
    data = pybase64.b64encode(array.data).decode()
    shape = ", ".join(map(str, array.shape))
    text = f'{{"data": "{data}", "shape": [{shape}], "dtype": "uint8"}}'
    return {"image_features": text, "text_features": list(classes)}


def embedding_row(
    image: Sequence[float] | None, text: Sequence[float] | None, scaling_factor: float | None = None
) -> Row:
    """A row of MedImageInsight: the picture's vector nested, the text's flat, as the endpoint has them."""
    row: Row = {}
    if image is not None:
        row["image_features"] = [list(image)]
    if text is not None:
        row["text_features"] = list(text)
    if scaling_factor is not None:
        row["scaling_factor"] = scaling_factor
    return row

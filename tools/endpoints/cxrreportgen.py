"""CXRReportGen: findings of a chest radiograph in sentences, each with the boxes it is about. Wire codec, pure.

The model sees the centre square of the frontal image and gives boxes relative to that square, in 100 bins.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import Field

from wetread.evidence import Box
from wetread.imaging.payload import Payload
from wetread.tools.endpoints.envelope import check_rows, contract_error
from wetread.tools.endpoints.port import Cell, EndpointReply, EndpointRequest
from wetread.values import Value

ENDPOINT: Final = "cxrreportgen"
BINS = 100
"""Coordinates come as `k / BINS + 1 / (2 * BINS)`: the boxes are exact to 1 % of the square."""

MAX_SENTENCES = 200
MAX_BOXES = 100
MAX_CHARACTERS = 2000
_NO_SENTENCE = frozenset({"", "null", "none", "n/a", "nan"})


class CropBox(Value):
    """A box relative to the centre square that the model saw: 0 to 1, origin top left, `min` below `max`."""

    x_min: float = Field(ge=0, le=1)
    y_min: float = Field(ge=0, le=1)
    x_max: float = Field(ge=0, le=1)
    y_max: float = Field(ge=0, le=1)

    def on_picture(self, rows: int, columns: int) -> Box:
        """The box in pixels of the picture that was sent, rows x columns; its `Frame` leads on to the image's own.

        With `s = min(rows, columns)`: `X = x * s + (columns - s) // 2`, `Y = y * s + (rows - s) // 2`.
        """
        side = min(rows, columns)
        left, top = (columns - side) // 2, (rows - side) // 2
        return Box(
            x_min=self.x_min * side + left,
            y_min=self.y_min * side + top,
            x_max=self.x_max * side + left,
            y_max=self.y_max * side + top,
        )


class GroundedSentence(Value):
    """One finding as the model wrote it, and where it sees it. No boxes: it is about no single place."""

    text: str
    boxes: tuple[CropBox, ...] = ()


class GroundedFindings(Value):
    """The model's findings in its order. It writes no impression, and may speak of a prior that it never got."""

    sentences: tuple[GroundedSentence, ...]
    warnings: tuple[str, ...] = ()


def encode(
    frontal: Payload,
    *,
    lateral: Payload | None = None,
    prior: Payload | None = None,
    indication: str | None = None,
    technique: str | None = None,
    comparison: str | None = None,
    prior_report: str | None = None,
) -> EndpointRequest:
    """The request for one study. Columns of what is not there are left out.

    Args:
        frontal: Current frontal image, full or its centre square.
        lateral: Current lateral image.
        prior: Frontal image of the prior study.
        comparison: What the study is compared with; `"None"` is sent where nothing is said, as the model was taught.
    """
    cells: dict[str, Cell] = {"frontal_image": frontal, "lateral_image": lateral, "prior_image": prior}
    texts = {"indication": indication, "technique": technique, "comparison": comparison, "prior_report": prior_report}
    cells |= {column: text.strip() if text else None for column, text in texts.items()}
    cells["comparison"] = cells["comparison"] or "None"
    present = {column: cell for column, cell in cells.items() if cell}
    return EndpointRequest(ENDPOINT, tuple(present), (tuple(present.values()),))


def decode(reply: EndpointReply) -> GroundedFindings:
    """The findings of a reply of one row.

    `output` is JSON in a text (a list is taken too), and may be null: then there are no sentences, and a warning.
    Sentences without words are dropped, as are those that the model repeats word for word about the same place (it may
    go in circles until its tokens are used up), and single boxes that cannot be (not finite, inverted, outside the
    square), each with a warning. A box that is thinner than a bin is given the bin's width.

    Raises:
        EndpointError: `WET-ENDPOINT-CONTRACT` where the structure itself is broken.
    """
    (row,) = check_rows(ENDPOINT, reply.rows, 1)
    if "output" not in row:
        raise contract_error(ENDPOINT, "the field output is missing")
    items = _items(row["output"])
    warnings = list(reply.warnings)
    if items is None:
        return GroundedFindings(sentences=(), warnings=(*warnings, "the model gave no findings (null)"))
    if len(items) > MAX_SENTENCES:
        raise contract_error(ENDPOINT, f"{len(items)} sentences, more than {MAX_SENTENCES}")
    sentences: dict[GroundedSentence, None] = {}
    repeated = 0
    for number, item in enumerate(items, 1):
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[0], str | None):
            raise contract_error(ENDPOINT, f"sentence {number} is not a pair of text and boxes")
        text = item[0] or ""
        if len(text) > MAX_CHARACTERS:
            raise contract_error(ENDPOINT, f"sentence {number} has {len(text)} characters, over {MAX_CHARACTERS}")
        if not text.isprintable():
            text = "".join(c if c.isprintable() else " " for c in text)
        text = " ".join(text.split())
        if text.lower().rstrip(".") in _NO_SENTENCE:
            warnings.append(f"sentence {number} of the model had no words and was left out")
            continue
        boxes, dropped = _boxes(item[1], number)
        if dropped:
            warnings.append(f"{dropped} of the boxes of sentence {number} cannot be and were left out")
        sentence = GroundedSentence(text=text, boxes=boxes)
        repeated += sentence in sentences
        sentences[sentence] = None
    if repeated:
        warnings.append(f"{repeated} of the model's sentences repeat an earlier one and were left out")
    if not sentences and not warnings:
        warnings.append("the model gave no findings (an empty list)")
    return GroundedFindings(sentences=tuple(sentences), warnings=tuple(warnings))


def _items(output: Any) -> list[Any] | None:
    if isinstance(output, str):
        try:
            output = json.loads(output) if output.strip() else None  # takes NaN, as the model's own writer gives it
        except (ValueError, RecursionError):
            raise contract_error(ENDPOINT, "output is not JSON") from None
    if output is not None and not isinstance(output, list):
        raise contract_error(ENDPOINT, "output is not a list")
    return output


def _boxes(value: Any, sentence: int) -> tuple[tuple[CropBox, ...], int]:
    if value is None:
        return (), 0
    if not isinstance(value, list) or len(value) > MAX_BOXES:
        raise contract_error(ENDPOINT, f"the boxes of sentence {sentence} are not a list of at most {MAX_BOXES}")
    if len(value) == 4 and not any(isinstance(item, list) for item in value):
        value = [value]
    boxes = [_box(item) for item in value]
    kept = tuple(box for box in boxes if box is not None)
    return kept, len(boxes) - len(kept)


def _box(value: Any) -> CropBox | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in value):
        return None
    if not all(0 <= number <= 1 for number in value):  # false for NaN
        return None
    x_min, y_min, x_max, y_max = map(float, value)
    if x_min > x_max or y_min > y_max:
        return None
    x_min, x_max = _at_least_a_bin(x_min, x_max)
    y_min, y_max = _at_least_a_bin(y_min, y_max)
    return CropBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def _at_least_a_bin(low: float, high: float) -> tuple[float, float]:
    if high - low >= 0.5 / BINS:
        return low, high
    middle, half = (low + high) / 2, 0.5 / BINS
    return max(0.0, middle - half), min(1.0, middle + half)

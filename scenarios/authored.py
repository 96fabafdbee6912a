"""Answers written by hand: `authored.yaml` of a scenario, and the chat model and endpoints that answer from it.

    chat:
      orchestrator:                               # one entry per call, in order
        - calls:
            - report_findings: {image: image_1}
            - segment: {image: image_1, structures: [heart]}
        - calls:
            - submit_report: {findings: [...], impression: [...]}
      historian:
        - answer: {findings: [...]}               # JSON text; `text:` for plain text
    endpoints:
      image_1:                                    # the image that is asked about
        sentences:                                # CXRReportGen; boxes: x_min, y_min, x_max, y_max in its pixels
          - {text: The aorta is tortuous., boxes: [[820, 300, 1010, 900]]}
        outlines:                                 # MedImageParse; polygons in its pixels
          heart: [[[700, 900], [1100, 900], [900, 1400]]]
        probabilities: {pneumothorax: 0.02}       # MedImageInsight; by the finding's key in the template

What stands here is for a recording only: it goes onto the tape in the wire's own form, with the origin `authored`. An
endpoint that the file says nothing about for an image is asked of the source behind it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import Field, model_validator

from wetread.agents.chat import ChatReply, ChatRequest, OnText, ToolUse, Usage
from wetread.errors import ConfigError, ModelError
from wetread.evidence import Box
from wetread.imaging.bank import ImageBank
from wetread.imaging.geometry import centre_crop
from wetread.imaging.payload import Payload
from wetread.imaging.prepare import Preparation
from wetread.scenarios.authored_cases import AuthoredCase
from wetread.tools.endpoints.cxrreportgen import BINS
from wetread.tools.endpoints.medimageinsight import DEFAULT_SCALING_FACTOR, DIMENSIONS
from wetread.tools.endpoints.medimageparse import SEPARATOR
from wetread.tools.endpoints.port import EndpointName, EndpointPort, EndpointReply, EndpointRequest
from wetread.values import Value
from wetread.vocabulary import Origin
from wetread.yamlfile import nearest, read_yaml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL_NAME = "authored"
MODEL_VERSION = "by hand"

BoxCorners = tuple[float, float, float, float]
Polygon = Annotated[tuple[tuple[float, float], ...], Field(min_length=3)]


class AuthoredTurn(Value):
    """One answer of a chat model: text, a JSON answer, tool calls (name and arguments)."""

    text: str = ""
    answer: dict[str, Any] | None = None
    calls: tuple[dict[str, dict[str, Any]], ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> AuthoredTurn:
        if any(len(call) != 1 for call in self.calls):
            raise ValueError("each call is one tool's name with its arguments")
        if self.text and self.answer is not None:
            raise ValueError("`text` and `answer` exclude each other")
        if not (self.text or self.answer is not None or self.calls):
            raise ValueError("an answer has `text`, `answer` or `calls`")
        return self


class AuthoredSentence(Value):
    """One sentence of CXRReportGen, with its boxes in pixels of the frontal image."""

    text: str
    boxes: tuple[BoxCorners, ...] = ()


class AuthoredImage(Value):
    """What the endpoints say about one image."""

    sentences: tuple[AuthoredSentence, ...] | None = None
    outlines: dict[str, tuple[Polygon, ...]] | None = None
    """Structures by the words of the prompt; one that is not here comes back as an empty mask."""
    probabilities: dict[str, float] | None = None
    """Each finding's probability, 0 to 1, by its key in the template."""

    @model_validator(mode="after")
    def _probable(self) -> AuthoredImage:
        if any(not 0 < value < 1 for value in (self.probabilities or {}).values()):
            raise ValueError("a probability lies between 0 and 1, both excluded")
        return self


class Authored(Value):
    """`authored.yaml`: chat answers by agent, endpoint answers by image, cases of the library."""

    chat: dict[str, tuple[AuthoredTurn, ...]] = Field(default_factory=dict)
    endpoints: dict[str, AuthoredImage] = Field(default_factory=dict)
    cases: tuple[AuthoredCase, ...] = ()


def read_authored(path: Path) -> Authored:
    """Read `authored.yaml`.

    Raises:
        ConfigError: with file and line.
    """
    return read_yaml(path, Authored)


def check_authored(path: Path, authored: Authored, handles: Collection[str], findings: Collection[str]) -> None:
    """Make sure that what was written is about images of the study and, for probabilities, findings of the template.

    Raises:
        ConfigError: `WET-CONFIG-AUTHORED`: an unknown image or finding, or a finding without its probability.
    """
    images = [*authored.endpoints, *(case.image for case in authored.cases)]
    unknown = [
        f"there is no {handle}. {nearest(handle, sorted(handles))}" for handle in images if handle not in handles
    ]
    for handle, image in authored.endpoints.items():
        if image.probabilities is not None:
            for finding in sorted(set(findings) ^ set(image.probabilities)):
                what = "has no probability" if finding in findings else "is no finding of the template"
                hint = "" if finding in findings else nearest(finding, sorted(findings))
                unknown.append(f"{finding} of {handle} {what}. {hint}")
    if unknown:
        raise ConfigError("WET-CONFIG-AUTHORED", f"{path}: {unknown[0].strip()}")


class AuthoredModel:
    """A `ChatModel` that gives each agent its written answers in order."""

    name = "authored"

    def __init__(self, turns: Mapping[str, Sequence[AuthoredTurn]]) -> None:
        self._turns = {agent: list(found) for agent, found in turns.items()}
        self._missing: list[str] = []

    async def complete(self, request: ChatRequest, on_text: OnText | None = None) -> ChatReply:
        """The agent's next answer; see `ChatModel`. Tokens are counted as characters / 4.

        Raises:
            ModelError: `WET-MODEL-AUTHORED`, the agent's answers are used up.
        """
        await asyncio.sleep(0)
        turns = self._turns.get(request.agent)
        if not turns:
            self._missing.append(request.agent)
            raise ModelError(
                "WET-MODEL-AUTHORED",
                f"authored.yaml has no further answer for the agent '{request.agent}'.",
                f"Write one under chat.{request.agent}.",
            )
        turn = turns.pop(0)
        text = orjson.dumps(turn.answer).decode() if turn.answer is not None else turn.text
        if text and on_text is not None:
            on_text(text)
        uses = tuple(
            ToolUse(id=f"call_{number}", name=name, arguments=orjson.dumps(arguments).decode())
            for number, call in enumerate(turn.calls, 1)
            for name, arguments in call.items()
        )
        return ChatReply(
            text=text,
            tool_uses=uses,
            usage=Usage(
                prompt_tokens=_tokens(request.model_dump_json()),
                completion_tokens=_tokens(text + "".join(use.arguments for use in uses)),
            ),
            model=self.name,
            finish="tool_calls" if uses else "stop",
        )

    async def aclose(self) -> None:
        pass

    def mistake(self) -> str | None:
        """Why what was written does not fit what was asked; None where it does."""
        if self._missing:
            return f"the agent '{self._missing[0]}' was asked for one more answer than is written."
        left = sorted(agent for agent, turns in self._turns.items() if turns)
        return f"answers of {', '.join(left)} were not asked for." if left else None


class AuthoredEndpoints:
    """An `EndpointPort` that answers in the wire's form from what was written, else from `inner`.

    Args:
        images: What was written, by image handle; `check_authored` must have passed it.
        bank: Tells which image a payload is of.
        findings: For each finding's key the phrases that end the present and the absent prompt.
        inner: Answers the rest.
    """

    def __init__(
        self,
        images: Mapping[str, AuthoredImage],
        bank: ImageBank,
        findings: Mapping[str, tuple[str, str]],
        inner: EndpointPort,
    ) -> None:
        self._images = images
        self._bank = bank
        self._findings = findings
        self._inner = inner

    def configured(self, endpoint: EndpointName) -> bool:
        return self._inner.configured(endpoint)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def score(self, request: EndpointRequest) -> EndpointReply:
        """Answer one request; see `EndpointPort`."""
        if request.endpoint == "cxrreportgen":
            rows = await self._sentences(request)
        elif request.endpoint == "medimageparse":
            rows = await self._masks(request)
        else:
            rows = await self._embeddings(request)
        if rows is None:
            return await self._inner.score(request)
        return EndpointReply(
            rows=rows, origin=Origin.AUTHORED, model_name=MODEL_NAME, model_version=MODEL_VERSION, latency_ms=0.0
        )

    async def _about(self, payload: Any) -> AuthoredImage | None:
        """What was written about the image that a payload is of."""
        if isinstance(payload, Payload):
            for handle, image in self._images.items():
                for preparation in Preparation:
                    if (await self._bank.payload(handle, preparation)).pixel_sha256 == payload.pixel_sha256:
                        return image
        return None

    async def _sentences(self, request: EndpointRequest) -> list[Any] | None:
        rows = []
        for row in request.rows:
            payload = dict(zip(request.columns, row, strict=True)).get("frontal_image")
            image = await self._about(payload)
            if image is None or image.sentences is None:
                return None
            assert isinstance(payload, Payload)
            said = [[sentence.text, _unit_boxes(sentence.boxes, payload)] for sentence in image.sentences]
            rows.append({"output": orjson.dumps(said).decode()})
        return rows

    async def _masks(self, request: EndpointRequest) -> list[Any] | None:
        rows = []
        for row in request.rows:
            cells = dict(zip(request.columns, row, strict=True))
            image = await self._about(cells.get("image"))
            if image is None or image.outlines is None:
                return None
            payload, prompts = cells["image"], str(cells["text"]).split(SEPARATOR)
            assert isinstance(payload, Payload)
            rows.append(
                {
                    "image_features": await asyncio.to_thread(_draw, image.outlines, prompts, payload),
                    "text_features": [_class_of(prompt) for prompt in prompts],
                }
            )
        return rows

    async def _embeddings(self, request: EndpointRequest) -> list[Any] | None:
        """Vectors for which zero-shot classification comes to the written probabilities.

        Each finding has an axis of its own. Its two prompts differ along that axis alone, so with the scale s the
        logits differ by `2 s d x`, where d is the prompts' share and x the image's; the rest of the image's vector is
        what the source behind answers, so that pictures which are alike stay alike.
        """
        if not any(image.probabilities is not None for image in self._images.values()):
            return None
        inner = await self._inner.score(request)
        rows = []
        for cells, answered in zip(request.rows, inner.rows, strict=True):
            row = dict(answered)
            for column, cell in zip(request.columns, cells, strict=True):
                if column == "image":
                    image = await self._about(cell)
                    if image is None or image.probabilities is None:
                        return None
                    row["image_features"] = [self._image_vector(row["image_features"], image.probabilities).tolist()]
                elif (vector := self._text_vector(str(cell))) is not None:
                    row["text_features"] = vector.tolist()
                else:
                    return None
            row["scaling_factor"] = DEFAULT_SCALING_FACTOR
            rows.append(row)
        return rows

    def _image_vector(self, answered: Any, probabilities: Mapping[str, float]) -> NDArray[np.float64]:
        import numpy as np

        vector = np.asarray(answered, np.float64).reshape(DIMENSIONS).copy()
        axes = len(self._findings)
        vector[: axes + 1] = 0.0
        scale = 2 * _SHARE * math.exp(DEFAULT_SCALING_FACTOR)
        for axis, finding in enumerate(self._findings):
            probability = probabilities[finding]
            vector[axis] = math.log(probability / (1 - probability)) / scale
        vector[axes + 1 :] *= math.sqrt(1 - float(np.sum(vector[:axes] ** 2))) / float(
            np.linalg.norm(vector[axes + 1 :])
        )
        return vector

    def _text_vector(self, text: str) -> NDArray[np.float64] | None:
        import numpy as np

        axes = len(self._findings)
        best: tuple[int, int, float] | None = None
        for axis, phrases in enumerate(self._findings.values()):
            for phrase, sign in zip(phrases, (1.0, -1.0), strict=True):
                # "No pneumothorax" ends with "pneumothorax": the longest phrase is meant
                if text.lower().endswith(phrase.lower()) and (best is None or len(phrase) > best[0]):
                    best = (len(phrase), axis, sign)
        if best is None:
            return None
        vector = np.zeros(DIMENSIONS)
        vector[best[1]] = best[2] * _SHARE
        vector[axes] = math.sqrt(1 - _SHARE**2)
        return vector


_SHARE = 0.6
_EDGE = 3.0
"""Blur of an outline's edge in pixels of the frame; a real mask's probability falls off over a few pixels."""


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _unit_boxes(boxes: Sequence[BoxCorners], payload: Payload) -> list[list[float]] | None:
    """Boxes as the model gives them: relative to the centre square, in the middles of its bins; None for none."""
    frame = payload.frame
    square = centre_crop(frame.image_rows, frame.image_columns)
    found = []
    for x_min, y_min, x_max, y_max in boxes:
        box = square.image_to_unit(Box(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max))
        found.append([_bin(value) for value in (box.x_min, box.y_min, box.x_max, box.y_max)])
    return found or None


def _bin(value: float) -> float:
    return round((min(max(math.floor(value * BINS), 0), BINS - 1) + 0.5) / BINS, 4)


def _draw(outlines: Mapping[str, Sequence[Polygon]], prompts: Sequence[str], payload: Payload) -> NDArray[np.uint8]:
    """Probability masks (prompts, rows, columns) uint8 in the frame of the payload, with soft edges."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    masks = []
    for prompt in prompts:
        picture = Image.new("L", (payload.columns, payload.rows))
        draw = ImageDraw.Draw(picture)
        for polygon in outlines.get(prompt, ()):
            draw.polygon([payload.frame.from_image(point) for point in polygon], fill=250)
        masks.append(np.asarray(picture.filter(ImageFilter.GaussianBlur(_EDGE))))
    return np.stack(masks)


def _class_of(prompt: str) -> str:
    for word, name in (("lung", "lung"), ("heart", "heart anatomies"), ("opacity", "other abnormality")):
        if word in prompt:
            return name
    return "other"

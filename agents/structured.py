"""A model's text as typed data: read leniently, validated strictly, with sentences that say what to mend."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_CHARS = 200_000

_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)


class Unusable(ValueError):
    """A text that is not the data asked for; its message is for the model that wrote it."""


def parse_answer(text: str, model: type[ModelT]) -> ModelT:
    """The one JSON object in a text, as `model`.

    Models put fences or a sentence around JSON: what stands around the object is left out.

    Raises:
        Unusable: no such object, or not of that shape.
    """
    data = _object(text)
    if data is None:
        raise Unusable("the answer is not one JSON object")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, detail['loc'])) or 'the object'}: {detail['msg'].lower()}"
            for detail in error.errors(include_url=False, include_input=False, include_context=False)[:4]
        ]
    raise Unusable("; ".join(wrong))


def _object(text: str) -> dict[str, Any] | None:
    if len(text) > MAX_CHARS:
        return None
    # reasoning that some local models leave in front of their answer
    text = _THOUGHT.sub("", text)
    fenced = _FENCE.search(text)
    start, end = text.find("{"), text.rfind("}")
    for candidate in (text, fenced[1] if fenced else "", text[start : end + 1] if 0 <= start < end else ""):
        try:
            data = orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        if isinstance(data, dict):
            return data
    return None

"""A tool's arguments as a language model writes them: read leniently, refused in one helpful sentence."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, ValidationError

from wetread.errors import ToolError
from wetread.study import Study, StudyImage
from wetread.tools.base import Arguments, ArgumentsT

MAX_ARGUMENTS_CHARS = 200_000
"""Longer argument texts are refused unread: a draft of a whole report has some 10,000."""

_MAX_COMPLAINTS = 3
_UNSAID = frozenset({"title", "default", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"})
"""Words of JSON Schema that a model is not told: sizes are checked here, and met by all but the absurd."""
_MAX_SHOWN = 60


def as_list(value: Any) -> Any:
    """A list from what models send in a list's place: one word, words with commas, a list written as JSON text."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    return [word for part in text.split(",") if (word := part.strip())]


Words = Annotated[tuple[str, ...], BeforeValidator(as_list)]
"""A list of words; a single word and words with commas are taken for one."""


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments of a call as an object.

    Nothing, `null` and `{}` are no arguments; an object that was encoded twice, or fenced as Markdown, is unwrapped; an
    argument that is null was left out.

    Raises:
        ToolError: `WET-TOOL-ARGUMENTS` for text that is no JSON object.
    """
    if len(text) > MAX_ARGUMENTS_CHARS:
        raise _refusal(f"The arguments are longer than {MAX_ARGUMENTS_CHARS} characters.")
    value: Any = text
    for _ in range(3):
        if not isinstance(value, str):
            break
        stripped = _unfenced(value)
        if not stripped:
            return {}
        try:
            value = orjson.loads(stripped)
        except orjson.JSONDecodeError:
            raise _refusal("The arguments are not valid JSON.") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refusal("The arguments are not a JSON object.")
    return {key: item for key, item in value.items() if item is not None}


def validate_arguments(model: type[ArgumentsT], values: dict[str, Any]) -> ArgumentsT:
    """The typed arguments.

    Raises:
        ToolError: `WET-TOOL-ARGUMENTS`, naming the field, what is wrong with it and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        complaints = [_complaint(model, detail) for detail in details[:_MAX_COMPLAINTS]]
        if len(details) > _MAX_COMPLAINTS:
            complaints.append(f"and {len(details) - _MAX_COMPLAINTS} more")
        # The input is never repeated: it may hold what nobody should read twice.
        raise _refusal("; ".join(complaints) + ".") from None


def lean_schema(model: type[Arguments]) -> dict[str, Any]:
    """The JSON Schema of the arguments, without titles, references and defaults: it is part of every prompt."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    lean: dict[str, Any] = _lean(schema, definitions)
    lean.setdefault("properties", {})
    return lean


def find_image(study: Study, handle: str) -> StudyImage:
    """The image of a handle that a model wrote.

    Raises:
        ToolError: `WET-TOOL-HANDLE`, naming the handles there are.
    """
    image = study.image(handle.strip().lower())
    if image is None:
        raise ToolError(
            "WET-TOOL-HANDLE", f"There is no image {shown(handle)} in this study.", f"There are: {describe(study)}."
        )
    return image


def describe(study: Study) -> str:
    """The images of a study in a few words, as a refusal names them."""
    return ", ".join(f"{image.handle} ({image.role}, {image.modality}, {image.view.value})" for image in study.images)


def shown(text: str) -> str:
    """A piece of a model's own text, quoted and cut, for an answer to it."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return f"'{printable[:_MAX_SHOWN]}'"


def nearest(word: str, words: list[str]) -> str:
    """Either a question after the nearest word, or an empty text."""
    close = difflib.get_close_matches(word, words, n=1)
    return f"Did you mean {close[0]!r}?" if close else ""


def _refusal(message: str) -> ToolError:
    return ToolError("WET-TOOL-ARGUMENTS", message)


def _unfenced(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and len(stripped) >= 6:
        stripped = stripped[3:-3].removeprefix("json").strip()
    return stripped


def _complaint(model: type[Arguments], detail: Any) -> str:
    place = ".".join(str(step) for step in detail["loc"]) or "arguments"
    if detail["type"] == "extra_forbidden":
        known = list(model.model_fields)
        if len(detail["loc"]) > 1:
            return f"{shown(place)} is unknown"
        return f"{shown(place)} is unknown; {'it takes ' + ', '.join(known) if known else 'it takes no arguments'}"
    if detail["type"] == "missing":
        return f"'{place}' is missing"
    return f"{shown(place)}: {detail['msg'][:200]}"


def _lean(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_lean(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        return _lean({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    if "anyOf" in node:
        choices = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        if len(choices) == 1:
            return _lean({**choices[0], **{key: value for key, value in node.items() if key != "anyOf"}}, definitions)
    lean: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            # Here the keys are the fields' own names, one of which may well be "title" or "default".
            lean[key] = {name: _lean(field, definitions) for name, field in value.items()}
        elif not _is_noise(key, value, node):
            lean[key] = _lean(value, definitions)
    return lean


def _is_noise(key: str, value: Any, node: dict[str, Any]) -> bool:
    if key == "description":
        return "properties" in node  # a class's docstring: for people
    return key in _UNSAID or (key == "additionalProperties" and value is False)

"""Typed arguments and results written in YAML: a few words for each field, from which a pydantic model is made.

result:
  findings:
    many: true
    fields:
      finding: {about: what is described}
      side: {choices: [right, left, bilateral], optional: true}
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, create_model, model_validator

from wetread.values import Value

Kind = Literal["string", "number", "integer", "boolean"]

_PYTHON: dict[Kind, type] = {"string": str, "number": float, "integer": int, "boolean": bool}


class FieldSpec(Value):
    """One field. `many` makes it a list; `fields` makes it an object, else it is of `type`."""

    about: str = ""
    type: Kind = "string"
    choices: tuple[str, ...] = ()
    many: bool = False
    optional: bool = False
    fields: dict[str, FieldSpec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.fields and (self.choices or self.type != "string"):
            raise ValueError("a field with 'fields' has no 'type' and no 'choices'")
        if self.choices and self.type != "string":
            raise ValueError("'choices' are for strings")
        bad = next((name for name in self.fields if not name.isidentifier()), None)
        if bad is not None:
            raise ValueError(f"'{bad}' is not a field name: letters, digits and _")
        return self


def model_of(name: str, fields: dict[str, FieldSpec], base: type[BaseModel]) -> type[BaseModel]:
    """The pydantic model of such fields, derived from `base` (which settles strictness)."""
    made: dict[str, Any] = {}
    for key, spec in fields.items():
        made[key] = _field(f"{name}_{key}", spec, base)
    return create_model(name, __base__=base, **made)


def schema_of(fields: dict[str, FieldSpec]) -> dict[str, Any]:
    """The JSON Schema of such fields, as short as it can be said: it is part of a prompt."""
    return {
        "type": "object",
        "properties": {key: _schema(spec) for key, spec in fields.items()},
        "required": [key for key, spec in fields.items() if not spec.optional],
        "additionalProperties": False,
    }


def _field(name: str, spec: FieldSpec, base: type[BaseModel]) -> tuple[Any, Any]:
    kind: Any = _PYTHON[spec.type]
    if spec.fields:
        kind = model_of(name, spec.fields, base)
    elif spec.choices:
        kind = Literal[spec.choices]
    if spec.many:
        kind = tuple[kind, ...]
    about = spec.about or None
    if not spec.optional:
        return kind, Field(description=about)
    return (
        (kind, Field(default=(), description=about))
        if spec.many
        else (
            kind | None,
            Field(default=None, description=about),
        )
    )


def _schema(spec: FieldSpec) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": spec.type}
    if spec.fields:
        schema = schema_of(spec.fields)
    elif spec.choices:
        schema = {"type": "string", "enum": list(spec.choices)}
    if spec.many:
        schema = {"type": "array", "items": schema}
    return schema | {"description": spec.about} if spec.about else schema

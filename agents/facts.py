"""What a language model is told of a study before any tool was called: an allow-list, without dates and identifiers."""

from __future__ import annotations

import orjson
from pydantic import JsonValue

from wetread.reports.template import ReportTemplate
from wetread.study import Study

OPENING = "```json\n"
CLOSING = "\n```"
MAX_EXAM_CHARS = 120


def study_facts(study: Study, template: ReportTemplate) -> dict[str, JsonValue]:
    """The allow-listed facts: exam, template, age, sex, images by handle, and which texts `study_context` has."""
    texts = [
        name
        for name, text in (
            ("indication", study.indication),
            ("history", study.history),
            ("technique", study.technique),
            ("prior_report", study.prior_report),
        )
        if text
    ]
    facts: dict[str, JsonValue] = {
        "exam": _cut(study.exam),
        "template": template.name,
        "age": study.age_years,
        "sex": study.sex,
        "images": [
            _known(
                handle=image.handle,
                role=image.role,
                modality=image.modality,
                view=image.view.value,
                patient_right_on=image.patient_right_on,
                days_before=image.days_before,
            )
            for image in study.images
        ],
        "context": list(texts),
    }
    return _known(**facts)


def facts_block(facts: dict[str, JsonValue]) -> str:
    """The facts as they stand in a message."""
    return OPENING + orjson.dumps(facts).decode() + CLOSING


def read_facts(text: str) -> dict[str, JsonValue] | None:
    """The facts from a message that ends with their block, or None."""
    start = text.rfind(OPENING)
    if start < 0 or not text.endswith(CLOSING):
        return None
    try:
        facts = orjson.loads(text[start + len(OPENING) : -len(CLOSING)])
    except orjson.JSONDecodeError:
        return None
    return facts if isinstance(facts, dict) and isinstance(facts.get("images"), list) else None


def without_facts(text: str) -> str:
    """A message as it was typed: without the facts at its end, if it has any."""
    return text if read_facts(text) is None else text[: text.rfind(OPENING)].rstrip()


def _cut(text: str | None) -> str | None:
    # the exam's name comes from an order or a header: data, one line of it
    return " ".join(text.replace("`", "'").split())[:MAX_EXAM_CHARS] if text else None


def _known(**values: JsonValue) -> dict[str, JsonValue]:
    return {key: value for key, value in values.items() if value is not None}

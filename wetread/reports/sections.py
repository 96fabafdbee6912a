"""Sections that code writes from order, header and study: exam, indication, history, technique, comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from typing import Literal

from wetread.reports.model import Section
from wetread.reports.plain import plain
from wetread.reports.template import ReportTemplate
from wetread.study import Study, StudyImage
from wetread.vocabulary import View

NONE_AVAILABLE = "None available."
"""What the comparison section says, literally, where nothing earlier is among the inputs."""

NOT_GIVEN = "Not given."

Source = Literal["order", "header", "study", "code", "agent"]

_WRITTEN_BY_AGENTS = frozenset({"findings", "impression", "recommendation"})
_VIEWS = {
    View.PA: "PA",
    View.AP: "AP",
    View.FRONTAL: "frontal (projection not known)",
    View.LATERAL: "lateral",
    View.OTHER: "other",
    View.UNKNOWN: "unknown",
}
_MODALITIES = {"CR": "radiograph", "DX": "radiograph", "RG": "radiograph", "CT": "CT image", "MR": "MR image"}


def sections(study: Study, template: ReportTemplate, seen: Collection[str] | None = None) -> tuple[Section, ...]:
    """The code-written sections in the template's order.

    Exam: from the order or the header, else from the views; never from a model. What is unknown is said to be.

    Args:
        seen: Handles of the images that tools looked at, where that is known.
    """
    exam = template.exam(study)
    written = []
    for spec in template.sections:
        if spec.name in _WRITTEN_BY_AGENTS:
            continue
        text, source = _text(spec.name, study, exam.title, seen)
        if not text and not spec.required:
            continue
        written.append(
            Section(
                name=spec.name,
                title=spec.title,
                loinc=spec.loinc or exam.loinc,
                text=text or NOT_GIVEN,
                source=source,
                required=spec.required,
            )
        )
    return tuple(written)


def _text(name: str, study: Study, exam: str, seen: Collection[str] | None) -> tuple[str, Source]:
    match name:
        case "exam":
            return (plain(study.exam), "order") if study.exam else (exam, "code")
        case "indication":
            return plain(study.indication or ""), "order"
        case "history":
            return plain(study.history or ""), "order"
        case "technique":
            return technique(study, seen), "study"
        case _:
            return comparison(study), "study"


def technique(study: Study, seen: Collection[str] | None = None) -> str:
    """Views, what the order says of the technique, and what limits the reading; `seen` as in `sections`."""
    parts = [_views(study.current) + "."]
    if study.technique:
        parts.append(plain(study.technique).rstrip(".") + ".")
    limits = _limitations(study)
    if seen:
        limits += _unseen([image.handle for image in study.current], seen)
    if limits:
        parts.append("Limitations: " + " ".join(limits))
    return " ".join(parts)


def comparison(study: Study) -> str:
    """Earlier images and report by date, or literally "None available."."""
    named = []
    for image in study.priors:
        what = f"{_modality(image)}, {_VIEWS[image.view]}"
        named.append(f"{what}, {_dated(image.acquired, image.days_before)}")
    if study.prior_report is not None:
        prior = study.prior_report
        named.append(f"report, {_dated(prior.acquired, prior.days_before)}")
    if not named:
        return NONE_AVAILABLE
    counted = [f"{text} ({count} images)" if count > 1 else text for text, count in Counter(named).items()]
    text = "; ".join(counted)
    return text[0].upper() + text[1:] + "."


def _dated(day: date | None, days: int | None) -> str:
    if day is None:
        return "date not known"
    before = f" ({days} {'day' if days == 1 else 'days'} before)" if days is not None and days > 0 else ""
    return day.isoformat() + before


def _views(images: tuple[StudyImage, ...]) -> str:
    counted = Counter((_modality(image), _view(image)) for image in images)
    by_modality: dict[str, list[str]] = {}
    for (modality, view), count in counted.items():
        by_modality.setdefault(modality, []).append(f"{view} ({count} images)".strip() if count > 1 else view)
    text = "; ".join(", ".join(filter(None, [modality, _listed(views)])) for modality, views in by_modality.items())
    return text[0].upper() + text[1:]


def _view(image: StudyImage) -> str:
    # a section through the body has no view, and that is nothing unknown
    is_section = image.view is View.UNKNOWN and image.modality in ("CT", "MR")
    return "" if is_section else _VIEWS[image.view]


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _modality(image: StudyImage) -> str:
    return _MODALITIES.get(image.modality, "image" if image.modality == "unknown" else f"{image.modality} image")


def _limitations(study: Study) -> list[str]:
    found = []
    frontals = [image for image in study.current if image.is_frontal]
    if any(image.view is View.AP for image in frontals):
        found.append("AP projection magnifies the heart.")
    if any(image.view is View.FRONTAL for image in frontals):
        found.append("It is not known whether the frontal view is PA or AP.")
    if any(image.patient_right_on == "unknown" for image in frontals):
        found.append("The side of the patient's right is not known on the frontal view.")
    if frontals and not any(image.spacing is not None and image.spacing.kind == "calibrated" for image in frontals):
        found.append("No calibrated pixel spacing: lengths are not measurable.")
    for image in study.current:
        found += [_note(image.handle, note) for note in image.notes]
    found += [plain(warning).rstrip(".") + "." for warning in study.warnings]
    return list(dict.fromkeys(found))


def _unseen(handles: Sequence[str], seen: Collection[str]) -> list[str]:
    """That tools looked at some images only: a normal report must not be taken to be about the others."""
    missed = [handle for handle in handles if handle not in seen]
    if not missed:
        return []
    named = _listed(missed) if len(missed) <= 3 else f"{len(missed)} of the {len(handles)} images"
    return [f"No tool looked at {named}."]


def _note(handle: str, note: str) -> str:
    return f"{handle}: {plain(note).rstrip('.')}."

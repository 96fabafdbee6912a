"""`find_similar`: earlier cases that look alike, from a local case library, by MedImageInsight embeddings."""

from __future__ import annotations

import asyncio

from pydantic import Field, JsonValue

from wetread.errors import ToolError
from wetread.evidence import Reason
from wetread.insight.library import Match, VectorSpace
from wetread.study import StudyImage
from wetread.tools.arguments import describe
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.embeddings import ImageEmbedding, embed_image
from wetread.tools.images import choose_image, is_radiograph
from wetread.tools.outside_text import without_dates
from wetread.vocabulary import RADIOGRAPH, View

MAX_SNIPPET_CHARS = 160
_FRONTAL = tuple(view.value for view in View if view.is_frontal)


class FindSimilarArguments(Arguments):
    """Which image, how many cases."""

    image: str | None = None
    k: int = Field(default=3, ge=1, le=10)


class FindSimilar(Tool[FindSimilarArguments]):
    """Retrieval by embedding. What it finds are other patients: context, never a finding of this one."""

    name = "find_similar"
    card = (
        "MedImageInsight embeddings: most similar earlier cases of a local library, same modality and view, other "
        "patients. Context only: never a finding of this patient. Abstains without a library."
    )
    arguments = FindSimilarArguments
    endpoint = "medimageinsight"
    deadline_s = None

    def resolve(self, arguments: FindSimilarArguments, reading: Reading) -> FindSimilarArguments:
        return arguments.model_copy(update={"image": choose_image(reading.study, arguments.image)})

    def precheck(self, arguments: FindSimilarArguments, reading: Reading) -> None:
        if reading.library is None:
            raise ToolError("WET-TOOL-LIBRARY", "There is no case library to search.", abstained=True)
        image = reading.study.image(arguments.image or "")
        if image is not None and image.modality == "unknown" and not is_radiograph(image):
            raise ToolError(
                "WET-TOOL-MODALITY",
                f"Neither modality nor view of {image.handle} is known; similar cases are of the same.",
                f"There are: {describe(reading.study)}.",
                abstained=True,
            )

    async def run(self, arguments: FindSimilarArguments, reading: Reading) -> Outcome:
        image = reading.study.image(arguments.image or "")
        library = reading.library
        assert image is not None and library is not None
        embedding = await embed_image(reading, image.handle)
        space = VectorSpace(model=embedding.model.name, version=embedding.model.version, recipe=embedding.recipe)
        # The first search reads the library into memory.
        matches = await asyncio.to_thread(
            library.search,
            embedding.vector,
            arguments.k,
            space=space,
            not_patient=reading.study.patient_key,
            not_image=embedding.pixel_sha256,
            modalities=_modalities(image),
            views=_views(image),
        )
        reason = None if matches else await asyncio.to_thread(_why_none, reading, space)
        return _outcome(image, embedding, matches, reason)


def _outcome(image: StudyImage, embedding: ImageEmbedding, matches: list[Match], reason: Reason | None) -> Outcome:
    cases: list[JsonValue] = [
        {
            "case": match.id,
            "similarity": round(match.similarity, 3),
            "labels": list(match.labels),
            "snippet": without_dates(match.snippet)[:MAX_SNIPPET_CHARS],
        }
        for match in matches
    ]
    best = f", the nearest with {matches[0].similarity:.2f}" if matches else ""
    return Outcome(
        for_model={"cases": cases},
        summary=reason.message if reason else f"{len(cases)} similar case{'' if len(cases) == 1 else 's'}{best}",
        model=embedding.model,
        origin=embedding.origin,
        status="abstained" if reason else "ok",
        reason=reason,
        inputs={image.handle: embedding.pixel_sha256},
        latency_ms=embedding.latency_ms,
        warnings=embedding.warnings,
        value={"cases": cases, "recipe": embedding.recipe},
    )


def _why_none(reading: Reading, space: VectorSpace) -> Reason:
    assert reading.library is not None
    spaces = dict(reading.library.spaces())
    if space not in spaces and spaces:
        others = "; ".join(str(other) for other in list(spaces)[:3])
        return Reason(
            code="WET-TOOL-LIBRARY-SPACE",
            message=f"The case library has no vectors of {space}, only of {others}; these cannot be compared.",
        )
    return Reason(
        code="WET-TOOL-LIBRARY-EMPTY", message="The case library has no case of this modality and view to compare with."
    )


def _modalities(image: StudyImage) -> tuple[str, ...]:
    return tuple(sorted(RADIOGRAPH)) if is_radiograph(image) else (image.modality,)


def _views(image: StudyImage) -> tuple[str, ...] | None:
    if not is_radiograph(image):
        return None
    return _FRONTAL if image.is_frontal else (image.view.value,)

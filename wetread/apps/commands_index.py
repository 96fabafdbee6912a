"""`wetread index add|search`: a library of earlier cases, by the embeddings of their images."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.terminal import console, note
from wetread.apps.wiring import open_endpoints, settings_for
from wetread.errors import ConfigError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wetread.config import Settings
    from wetread.insight.library import VectorSpace
    from wetread.study import Study, StudyImage

SIMULATED = "SIMULATED: these embeddings come from wetread's simulator; what they find alike means nothing."


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    from wetread.apps.pacs.studies import local_study
    from wetread.study_reading import read_study

    settings = settings_for(Path(options.workspace))
    path = _library_path(options, settings)
    work = _add if options.action == "add" else _search
    with local_study(options.study, (), settings) as named:
        return asyncio.run(work(options, settings, path, read_study(named.paths, view=options.view)))


async def _add(options: argparse.Namespace, settings: Settings, path: Path, study: Study) -> int:
    from wetread.insight.library import Case, CaseLibrary

    image = _image(study)
    vector, space, pixels = await _embed(study, image, settings, simulated=options.simulated)
    with CaseLibrary.open(path) as library:
        new = library.add(
            Case(
                id=options.id,
                space=space,
                vector=tuple(vector.tolist()),
                patient=study.patient_key or "",
                image_sha256=pixels,
                modality=image.modality,
                view=image.view.value,
                labels=tuple(map(study.scrub, options.label)),
                snippet=study.scrub(options.snippet),
            )
        )
        note(f"{'Added' if new else 'Replaced'} {options.id} in {path}: {len(library)} cases.")
    return 0


async def _search(options: argparse.Namespace, settings: Settings, path: Path, study: Study) -> int:
    from rich.table import Table

    from wetread.insight.library import CaseLibrary

    image = _image(study)
    with CaseLibrary.open(path, read_only=True) as library:
        vector, space, pixels = await _embed(study, image, settings, simulated=options.simulated)
        matches = library.search(vector, options.k, space=space, not_patient=study.patient_key, not_image=pixels)
        if not matches:
            _say_why_none(space, library.spaces())
    table = Table("Case", "Similarity", "Labels", "Snippet", box=None, pad_edge=False)
    for match in matches:
        table.add_row(match.id, f"{match.similarity:.3f}", ", ".join(match.labels), match.snippet)
    console(sys.stdout).print(table)
    return 0


def _say_why_none(space: VectorSpace, there: Iterable[tuple[VectorSpace, int]]) -> None:
    counts = dict(there)
    if space in counts:
        note("No other case: those in the library are of this image or this patient.")
    elif counts:
        note(f"None of {space}. The library has: {'; '.join(f'{one} ({count})' for one, count in counts.items())}.")
    else:
        note("The library has no case yet.")


def _library_path(options: argparse.Namespace, settings: Settings) -> Path:
    if options.library:
        return Path(options.library)
    if settings.library is None:
        raise ConfigError("WET-CONFIG-LIBRARY", "No case library is named.", "Give --library, or set WETREAD_LIBRARY.")
    return settings.library


def _image(study: Study) -> StudyImage:
    """The image that stands for a study: its frontal radiograph, else its only current image."""
    image = study.frontal()
    if image is None and len(study.current) == 1:
        image = study.current[0]
    if image is None:
        raise InputError(
            "WET-INPUT-INDEX",
            f"Which of the study's {len(study.current)} images to use is not clear.",
            "Give one file.",
        )
    return image


async def _embed(
    study: Study, image: StudyImage, settings: Settings, *, simulated: bool
) -> tuple[NDArray[np.float32], VectorSpace, str]:
    """An image's unit vector, what made it, and the hash of the pixels sent."""
    from wetread.imaging.bank import ImageBank
    from wetread.imaging.prepare import Preparation
    from wetread.insight.library import VectorSpace
    from wetread.tools.endpoints import medimageinsight

    if simulated:
        note(SIMULATED, "bold yellow")
    endpoints = open_endpoints(settings, simulated=simulated)
    try:
        if not endpoints.configured("medimageinsight"):
            raise ConfigError(
                "WET-CONFIG-ENDPOINTS", "MedImageInsight is not configured.", "Set WETREAD_MEDIMAGEINSIGHT_URL."
            )
        payload = await ImageBank(study).payload(image.handle, Preparation.SQUARE_512)
        request = medimageinsight.encode([payload])
        reply = await endpoints.score(request)
        images = medimageinsight.decode(reply, request).images
        assert images is not None
    finally:
        await endpoints.aclose()
    space = VectorSpace(model=reply.model_name, version=reply.model_version, recipe=Preparation.SQUARE_512.recipe)
    return images[0], space, payload.pixel_sha256

"""Cases of a library written by hand: how alike they are to an image is given, their vectors are made to fit.

    cases:                                        # in authored.yaml, beside chat and endpoints
      - {id: case-0007, image: image_1, similarity: 0.83, modality: DX, view: PA, labels: [mass], snippet: ...}

A recording writes them into the scenario's library anew. What is shipped so holds nobody's images.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from wetread.imaging.bank import ImageBank
from wetread.imaging.prepare import Preparation
from wetread.insight.library import Case, CaseLibrary, VectorSpace
from wetread.tools.endpoints import medimageinsight
from wetread.tools.endpoints.port import EndpointPort
from wetread.values import Value, sha256_hex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class AuthoredCase(Value):
    """One case. `similarity` is the cosine between its vector and the image's."""

    id: str
    image: str
    similarity: float = Field(gt=-1, lt=1)
    modality: str
    view: str
    labels: tuple[str, ...] = ()
    snippet: str = ""


async def write_library(cases: Sequence[AuthoredCase], path: Path, endpoints: EndpointPort, bank: ImageBank) -> None:
    """Write a library of these cases, the old one staying until the new one is whole.

    Raises:
        EndpointError: an image's embedding cannot be had.
        InputError: an image's handle is unknown, or the library cannot be written.
    """
    vectors: dict[str, tuple[VectorSpace, NDArray[np.float32]]] = {}
    for handle in sorted({case.image for case in cases}):
        request = medimageinsight.encode([await bank.payload(handle, Preparation.SQUARE_512)])
        reply = await endpoints.score(request)
        images = medimageinsight.decode(reply, request).images
        assert images is not None
        space = VectorSpace(model=reply.model_name, version=reply.model_version, recipe=Preparation.SQUARE_512.recipe)
        vectors[handle] = space, images[0]
    _write([_case(case, *vectors[case.image]) for case in cases], path)


def _write(cases: Sequence[Case], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with CaseLibrary.open(draft) as library:
            library.add_many(cases)
        # a library that is as it was keeps its bytes, so that a recording changes only what changed
        if not path.exists() or _contents(path) != _contents(draft):
            os.replace(draft, path)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _case(case: AuthoredCase, space: VectorSpace, image: NDArray[np.float32]) -> Case:
    import numpy as np

    chance = np.random.default_rng(int(sha256_hex(case.id.encode())[:16], 16)).normal(size=image.size)
    across = chance - (chance @ image) * image
    across /= np.linalg.norm(across)
    vector = case.similarity * image + np.sqrt(1 - case.similarity**2) * across
    return Case(
        id=case.id,
        space=space,
        vector=tuple(vector.tolist()),
        modality=case.modality,
        view=case.view,
        labels=case.labels,
        snippet=case.snippet,
    )


def _contents(path: Path) -> list[str]:
    """Everything in a library, as SQL."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        return list(connection.iterdump())

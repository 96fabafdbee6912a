"""Embeddings of one reading: an image is embedded once, texts once for an endpoint, however many tools want them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from wetread.errors import EndpointError
from wetread.evidence import ModelVersion
from wetread.imaging.prepare import Preparation
from wetread.tools.base import Reading
from wetread.tools.endpoints import medimageinsight
from wetread.tools.endpoints.port import EndpointPort
from wetread.tools.shared import once
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREPARATION = Preparation.SQUARE_512
MAX_TEXTS = 2_000
"""Texts whose vectors are kept for one endpoint, 4 KiB each."""


@dataclass(frozen=True, slots=True)
class ImageEmbedding:
    """An image's unit vector, float32 [1024], and what made it."""

    vector: NDArray[np.float32]
    model: ModelVersion
    recipe: str
    origin: Origin
    pixel_sha256: str
    scaling_factor: float | None
    latency_ms: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextEmbeddings:
    """Texts' unit vectors, float32 [texts, 1024], in the order asked. `latency_ms` is 0 where all were known."""

    vectors: NDArray[np.float32]
    model: ModelVersion
    latency_ms: float
    warnings: tuple[str, ...]


async def embed_image(reading: Reading, handle: str) -> ImageEmbedding:
    """The embedding of an image: asked for once a reading.

    Raises:
        EndpointError: as the endpoint.
    """

    async def ask() -> ImageEmbedding:
        payload = await reading.images.payload(handle, PREPARATION)
        request = medimageinsight.encode([payload])
        reply = await reading.endpoints.score(request)
        decoded = medimageinsight.decode(reply, request)
        assert decoded.images is not None
        return ImageEmbedding(
            vector=decoded.images[0],
            model=ModelVersion(name=reply.model_name, version=reply.model_version),
            recipe=PREPARATION.recipe,
            origin=reply.origin,
            pixel_sha256=payload.pixel_sha256,
            scaling_factor=decoded.scaling_factor,
            latency_ms=reply.latency_ms,
            warnings=decoded.warnings,
        )

    return await once(reading.shared, ("embedding", handle), ask)


class _Known:
    """Vectors of texts under one model version of one endpoint; the least recently used leave first."""

    def __init__(self) -> None:
        self.model: ModelVersion | None = None
        self.vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def get(self, texts: Sequence[str]) -> list[NDArray[np.float32]] | None:
        if any(text not in self.vectors for text in texts):
            return None
        for text in texts:
            self.vectors.move_to_end(text)
        return [self.vectors[text] for text in texts]

    def put(self, model: ModelVersion, texts: Sequence[str], vectors: Sequence[NDArray[np.float32]]) -> None:
        if model != self.model:
            self.model = model
            self.vectors.clear()
        # What a tape holds for all who read from it need not be held once more; else a vector must not keep the others.
        kept = (vector.copy() if vector.flags.writeable else vector for vector in vectors)
        self.vectors.update(zip(texts, kept, strict=True))
        while len(self.vectors) > MAX_TEXTS:
            self.vectors.popitem(last=False)


# By the port itself, not by its address: a replay's port knows nothing that is not on its own tape.
_KNOWN: WeakKeyDictionary[EndpointPort, _Known] = WeakKeyDictionary()


async def embed_texts(reading: Reading, texts: Sequence[str]) -> TextEmbeddings:
    """The embeddings of texts, which do not change with the study: asked for once as long as the endpoint client lives.

    Raises:
        ToolError: `WET-TOOL-PROMPT` for a text that the model would cut.
        EndpointError: as the endpoint.
    """
    import numpy as np

    known = _KNOWN.setdefault(reading.endpoints, _Known())
    vectors = known.get(texts)
    if vectors is not None and known.model is not None:
        return TextEmbeddings(np.stack(vectors), known.model, 0.0, ())

    async def ask() -> TextEmbeddings:
        request = medimageinsight.encode(texts=texts, scaling_factor=False)
        reply = await reading.endpoints.score(request)
        decoded = medimageinsight.decode(reply, request)
        assert decoded.texts is not None
        model = ModelVersion(name=reply.model_name, version=reply.model_version)
        known.put(model, texts, decoded.each_text)
        return TextEmbeddings(decoded.texts, model, reply.latency_ms, decoded.warnings)

    key = ("texts", tuple(texts))
    found = await once(reading.shared, key, ask)
    reading.shared.pop(key, None)  # from here on they are known; a reading need not hold them too
    return found


async def embed_texts_as(reading: Reading, texts: Sequence[str], model: ModelVersion) -> TextEmbeddings:
    """As `embed_texts`, by that very model: what is known of another version is asked for again.

    Raises:
        EndpointError: `WET-ENDPOINT-CONTRACT` where the endpoint changes its model between two calls.
    """
    found = await embed_texts(reading, texts)
    if found.model == model:
        return found
    _KNOWN.pop(reading.endpoints, None)
    reading.shared.pop(("texts", tuple(texts)), None)
    found = await embed_texts(reading, texts)
    if found.model != model:
        raise EndpointError(
            "WET-ENDPOINT-CONTRACT",
            "medimageinsight answered two calls with two versions of its model; their vectors cannot be compared.",
            retryable=True,
        )
    return found

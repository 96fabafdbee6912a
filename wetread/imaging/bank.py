"""The pixels and payloads of one study: each is made once, in a thread, and shared by all who ask."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wetread.errors import InputError
from wetread.imaging.payload import Payload
from wetread.imaging.pixels import read_pixels
from wetread.imaging.prepare import Preparation, encode, pixel_sha256, prepare
from wetread.study import Study, StudyImage

T = TypeVar("T")


class ImageBank:
    """Pixels as displayed and payloads, by image handle.

    Nothing is read before it is asked for; what was made is kept, so memory is bounded by the study. Callers that ask
    at the same time share one computation, whatever thread or event loop they are in; a caller that is cancelled
    leaves it to the others. A failed computation is not kept.
    """

    def __init__(self, study: Study) -> None:
        self._images = {image.handle: image for image in study.images}
        self._made: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    async def pixels(self, handle: str) -> NDArray[np.uint8]:
        """Pixels of an image as displayed: (rows, columns) uint8, read-only.

        Raises:
            InputError: the handle is unknown, or the file cannot be decoded.
        """
        return await self._away(("pixels", handle), lambda: self.pixels_now(handle))

    async def payload(self, handle: str, preparation: Preparation) -> Payload:
        """An image in one preparation, encoded.

        Raises:
            InputError: the handle is unknown, or the file cannot be decoded.
        """
        return await self._away(("payload", handle, preparation), lambda: self.payload_now(handle, preparation))

    async def sha256(self, handle: str) -> str:
        """SHA-256 of an image's displayed pixels and shape (as `Payload.pixel_sha256` of `FULL`).

        Raises:
            InputError: the handle is unknown, or the file cannot be decoded.
        """
        return await self._away(("sha256", handle), lambda: self.sha256_now(handle))

    async def load(self) -> None:
        """Decode every image of the study, side by side: the early check that all of it can be read.

        Raises:
            InputError: the first image, in study order, that cannot be decoded.
        """
        outcomes = await asyncio.gather(*(self.pixels(handle) for handle in self._images), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def pixels_now(self, handle: str) -> NDArray[np.uint8]:
        """`pixels` for code that is not asynchronous: blocks this thread."""
        image = self._image(handle)

        def make() -> NDArray[np.uint8]:
            array = read_pixels(image)
            array.flags.writeable = False
            return array

        return self._once(("pixels", handle), make)

    def payload_now(self, handle: str, preparation: Preparation) -> Payload:
        """`payload` for code that is not asynchronous: blocks this thread."""
        return self._once(
            ("payload", handle, preparation), lambda: encode(*prepare(self.pixels_now(handle), preparation))
        )

    def sha256_now(self, handle: str) -> str:
        """`sha256` for code that is not asynchronous: blocks this thread."""
        return self._once(("sha256", handle), lambda: pixel_sha256(self.pixels_now(handle)))

    def _image(self, handle: str) -> StudyImage:
        image = self._images.get(handle)
        if image is None:
            raise InputError(
                "WET-INPUT-HANDLE", "No image of the study has that handle.", f"There are: {', '.join(self._images)}."
            )
        return image

    async def _away(self, key: Hashable, make: Callable[[], T]) -> T:
        made = self._made.get(key)
        if made is not None and made.done() and made.exception() is None:
            result: T = made.result()
            return result
        return await asyncio.to_thread(make)

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        # Whoever finds nothing computes at once in its own thread, so those who wait never wait for a thread.
        with self._lock:
            made: Future[T] | None = self._made.get(key)
            mine = made is None
            if made is None:
                made = self._made[key] = Future()
        if mine:
            try:
                made.set_result(make())
            except BaseException as error:
                with self._lock:
                    del self._made[key]
                made.set_exception(error)
        return made.result()

"""The pixels and payloads of one study: each is made once, in a thread, and shared by all who ask."""

from __future__ import annotations

import asyncio
import contextlib
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
        self._works: dict[Hashable, _Work] = {}
        self._lock = threading.Lock()

    async def pixels(self, handle: str) -> NDArray[np.uint8]:
        """Pixels of an image as displayed: (rows, columns) uint8, read-only.

        Raises:
            InputError: the handle is unknown, or the file cannot be decoded.
        """
        return await self._away(("pixels", handle), lambda: self._decode(handle))

    async def payload(self, handle: str, preparation: Preparation) -> Payload:
        """An image in one preparation, encoded.

        Raises:
            InputError: the handle is unknown, or the file cannot be decoded.
        """
        return await self._away(("payload", handle, preparation), lambda: self._encode(handle, preparation))

    async def sha256(self, handle: str) -> str:
        """SHA-256 of an image's displayed pixels and shape (as `Payload.pixel_sha256` of `FULL`).

        Raises:
            InputError: the handle is unknown, or the file cannot be decoded.
        """
        return await self._away(("sha256", handle), lambda: self._hash(handle))

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
        return self._once(("pixels", handle), lambda: self._decode(handle))

    def payload_now(self, handle: str, preparation: Preparation) -> Payload:
        """`payload` for code that is not asynchronous: blocks this thread."""
        return self._once(("payload", handle, preparation), lambda: self._encode(handle, preparation))

    def sha256_now(self, handle: str) -> str:
        """`sha256` for code that is not asynchronous: blocks this thread."""
        return self._once(("sha256", handle), lambda: self._hash(handle))

    def _decode(self, handle: str) -> NDArray[np.uint8]:
        array = read_pixels(self._image(handle))
        array.flags.writeable = False
        return array

    def _encode(self, handle: str, preparation: Preparation) -> Payload:
        image, full = self._image(handle), Preparation.FULL
        if preparation is not full and (
            preparation.frame(image.rows, image.columns) == full.frame(image.rows, image.columns)
        ):
            return self.payload_now(handle, full)  # the same picture is encoded once
        return encode(*prepare(self.pixels_now(handle), preparation))

    def _hash(self, handle: str) -> str:
        return pixel_sha256(self.pixels_now(handle))

    def _image(self, handle: str) -> StudyImage:
        image = self._images.get(handle)
        if image is None:
            raise InputError(
                "WET-INPUT-HANDLE", "No image of the study has that handle.", f"There are: {', '.join(self._images)}."
            )
        return image

    async def _away(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            work = self._works.get(key)
            new = work is None
            if work is None:
                work = self._works[key] = _Work()
        if new:
            try:
                asyncio.get_running_loop().run_in_executor(None, self._quietly, key, make)
            except RuntimeError:  # the loop is being shut down
                with self._lock:
                    del self._works[key]
                raise
        if work.future.done():
            result: T = work.future.result()
            return result
        # Waiting takes no thread. Shielded, since others may be waiting for the same.
        return await asyncio.shield(asyncio.wrap_future(work.future))

    def _quietly(self, key: Hashable, make: Callable[[], object]) -> None:
        with contextlib.suppress(Exception):  # those who wait are told
            self._once(key, make)

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        # Whoever needs what nobody has begun to make makes it at once in its own thread, also where it stands in a
        # thread's queue already: those who wait in a thread never wait for one.
        with self._lock:
            work = self._works.get(key)
            if work is None:
                work = self._works[key] = _Work()
            mine, work.begun = not work.begun, True
        if mine:
            try:
                work.future.set_result(make())
            except BaseException as error:
                with self._lock:
                    del self._works[key]
                work.future.set_exception(error)
        result: T = work.future.result()
        return result


class _Work:
    """What is being made, or was."""

    __slots__ = ("begun", "future")

    def __init__(self) -> None:
        self.begun = False
        self.future: Future[Any] = Future()

"""Work that several calls of one reading want and that is done once: a mask, an embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

ResultT = TypeVar("ResultT")
OtherT = TypeVar("OtherT")


class Shared(Generic[ResultT]):
    """One piece of work, begun once, awaited by many.

    A caller that is cancelled leaves the work to the others; when the last one leaves, the work is cancelled and its
    end awaited: nothing runs on that nobody waits for.
    """

    def __init__(self, work: Coroutine[Any, Any, ResultT] | asyncio.Future[ResultT]) -> None:
        self._task = asyncio.ensure_future(work)
        self._waiting = 0

    @classmethod
    def of(cls, result: ResultT) -> Shared[ResultT]:
        """Work that is done already. Needs a running loop."""
        done: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        done.set_result(result)
        return cls(done)

    @property
    def spoiled(self) -> bool:
        """Whether it ended without a result, so that it is worth another try."""
        return self._task.done() and (self._task.cancelled() or self._task.exception() is not None)

    async def result(self) -> ResultT:
        """The result, or the error with which the work ended.

        Raises:
            CancelledError: the caller was cancelled, or the work was when its last other caller left.
        """
        if self._task.done():
            return self._task.result()
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if self._waiting == 1 and not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task})
            raise
        finally:
            self._waiting -= 1


async def once(store: dict[Any, Any], key: Hashable, make: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """The result of the work of that key, begun now unless it is done or in flight. Failed work is tried again.

    Args:
        store: `Reading.shared`.
        key: What the work is, begin with a word.
        make: Begins the work.
    """
    shared = store.get(key)
    if shared is None or shared.spoiled:
        shared = store[key] = Shared(make())
    result: ResultT = await shared.result()
    return result


async def both(one: Coroutine[Any, Any, ResultT], other: Coroutine[Any, Any, OtherT]) -> tuple[ResultT, OtherT]:
    """Two pieces of work at the same time. Where one fails the other is cancelled, and the error comes bare.

    Unlike a task group, whose exception groups no `except EndpointError` would catch.
    """
    first, second = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        await asyncio.wait((first, second), return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in (first, second):
            task.cancel()
        await asyncio.wait((first, second))
    for task in (first, second):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return first.result(), second.result()

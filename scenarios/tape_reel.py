"""One seam of a tape during one run: what answers a replay, and what a recording has answered so far."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from wetread.errors import TapeError
from wetread.scenarios import canonical
from wetread.scenarios.tape_file import Record, Seam

RecordT = TypeVar("RecordT", bound=Record)

AGAIN = "If the change is meant, record the scenario again: `wetread run --record NAME`."
_MOST_NAMED = 5


class TapeMiss(TapeError):
    """A request that is not on the tape. `diff` is a unified diff against the record most like it."""

    def __init__(self, code: str, message: str, hint: str, diff: str) -> None:
        super().__init__(code, message, hint)
        self.diff = diff


class Slot(Generic[RecordT]):
    """A place on the new tape, taken when a request began.

    Attributes:
        request, key: The canonical request and its hash.
        repeat: How often the same was asked before.
        record: What came of it; None until then, and for a request that was cancelled.
    """

    def __init__(self, request: dict[str, Any], key: str, repeat: int) -> None:
        self.request = request
        self.key = key
        self.repeat = repeat
        self.record: RecordT | None = None


class Reel(Generic[RecordT]):
    """One seam of a tape during one run.

    Args:
        seam: Which.
        records: What is on the tape.
        live: Whether it is asked live and recorded anew; otherwise it is replayed.
    """

    def __init__(self, seam: Seam, records: Sequence[RecordT], *, live: bool) -> None:
        self.seam = seam
        self.live = live
        self.misses: list[TapeError] = []
        self._records = records
        self._queues: dict[str, deque[RecordT]] = {}
        self._used: set[int] = set()
        self._slots: list[Slot[RecordT]] = []
        self._begun: Counter[str] = Counter()
        if not live:
            for record in records:
                self._queues.setdefault(record.key, deque()).append(record)

    def answer(self, request: dict[str, Any]) -> RecordT:
        """The next recorded answer to a canonical request.

        Raises:
            TapeError: a `TapeMiss`, or `WET-TAPE-SPENT`: asked more often than recorded. It is kept in `misses`.
        """
        queue = self._queues.get(canonical.key_of(request))
        if queue:
            record = queue.popleft()
            self._used.add(id(record))
            return record
        miss = self._miss(request, spent=queue is not None)
        self.misses.append(miss)
        raise miss

    def begin(self, request: dict[str, Any]) -> Slot[RecordT]:
        """Take a place on the new tape, in the order of asking."""
        key = canonical.key_of(request)
        slot = Slot[RecordT](request, key, self._begun[key])
        self._begun[key] += 1
        self._slots.append(slot)
        return slot

    def unused(self) -> list[RecordT]:
        """Records that should have been asked for and were not."""
        return [record for queue in self._queues.values() for record in queue]

    def result(self) -> tuple[RecordT, ...]:
        """The records after this run: as recorded now, or those that were asked for."""
        if self.live:
            return tuple(slot.record for slot in self._slots if slot.record is not None)
        return tuple(record for record in self._records if id(record) in self._used)

    def _miss(self, request: dict[str, Any], *, spent: bool) -> TapeError:
        who = request["endpoint"] if "endpoint" in request else f"the chat model, for the agent '{request['agent']}',"
        if spent:
            return TapeError("WET-TAPE-SPENT", f"{who} was asked the same more often than was recorded.", AGAIN)
        field = "endpoint" if "endpoint" in request else "agent"
        like = [record.request for record in self._records if record.request.get(field) == request[field]]
        diff = canonical.difference(request, canonical.nearest(request, like))
        return TapeMiss("WET-TAPE-MISS", f"{who} was asked what is not on the tape.", AGAIN, diff)


def unused_fault(records: Sequence[Record]) -> TapeError:
    """The error that names records which nobody asked for."""
    shown = "; ".join(_named(record) for record in records[:_MOST_NAMED])
    more = f" and {len(records) - _MOST_NAMED} more" if len(records) > _MOST_NAMED else ""
    return TapeError("WET-TAPE-UNUSED", f"Records that nobody asked for: {shown}{more}.", AGAIN)


def _named(record: Record) -> str:
    request = record.request
    if "endpoint" in request:
        return f"{request['endpoint']} ({record.key[:8]})"
    return f"agent '{request.get('agent')}', {len(request.get('messages', ()))} messages ({record.key[:8]})"

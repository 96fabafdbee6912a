"""Faults on order: which call of which endpoint goes wrong, and how. For the simulator in process and over the wire.

In words, as the command line takes them: `cxrreportgen:status=503,times=2`, `medimageparse:slow=5`, `*:drop,after=1`,
`medimageinsight:status=429,retry_after=2`, `cxrreportgen:status=424,inner=500,times=always`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from wetread.errors import InputError
from wetread.tools.endpoints.port import ENDPOINT_NAMES, EndpointName
from wetread.tools.endpoints.statuses import INNER_REASON, INNER_STATUS
from wetread.values import Value
from wetread.yamlfile import nearest

FaultKind = Literal[
    "status", "slow", "drop", "malformed", "truncated", "rows", "nan_boxes", "null_output", "wrong_shape", "not_finite"
]
ONLY_FOR: dict[FaultKind, EndpointName] = {
    "nan_boxes": "cxrreportgen",
    "null_output": "cxrreportgen",
    "wrong_shape": "medimageparse",
    "not_finite": "medimageinsight",
}
"""Faults that only one endpoint's answers can have."""


class Fault(Value):
    """One thing that goes wrong.

    Attributes:
        kind: `status` answers with `status`; `slow` with right data, `seconds` later; `drop` breaks the connection in
            the middle of the answer; `malformed` sends a page instead of JSON; `truncated` half of the JSON; `rows` one
            row too many; the others break the data: boxes of NaN, an output of null, a mask too few, null in a vector.
        endpoint: Whose; all endpoints' by default.
        status: For `status`.
        inner: For status 424: what the model's container answered.
        retry_after: Header value sent along with a status: seconds, or an HTTP date.
        seconds: For `slow`.
        after: Calls of the endpoint that go well first.
        times: Calls that go wrong then; None for all that follow.
    """

    kind: FaultKind
    endpoint: EndpointName | None = None
    status: int = Field(default=503, ge=300, le=599)
    inner: int | None = Field(default=None, ge=100, le=599)
    retry_after: str | None = Field(default=None, pattern=r"^[\x20-\x7e]*$")
    seconds: float = Field(default=5.0, ge=0)
    after: int = Field(default=0, ge=0)
    times: int | None = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _can_happen(self) -> Fault:
        only = ONLY_FOR.get(self.kind)
        if only is not None and self.endpoint not in (None, only):
            raise ValueError(f"{self.kind} can only happen to {only}")
        return self

    @property
    def headers(self) -> dict[str, str]:
        """Headers that a `status` answer has besides."""
        headers = {}
        if self.retry_after is not None:
            headers["retry-after"] = self.retry_after
        if self.status == 424:
            headers[INNER_STATUS] = str(self.inner or 500)
            headers[INNER_REASON] = "simulated fault"
        return headers

    def hits(self, endpoint: EndpointName, call: int) -> bool:
        """Whether the endpoint's call of that number, from 0, goes wrong by this."""
        if self.endpoint not in (None, endpoint) or ONLY_FOR.get(self.kind, endpoint) != endpoint:
            return False
        return self.after <= call and (self.times is None or call < self.after + self.times)


class FaultPlan:
    """Faults, and how many calls each endpoint has had. Where two faults hit one call, the first of them happens."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self._calls: Counter[EndpointName] = Counter()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> FaultPlan:
        """A plan from words such as `cxrreportgen:status=503,times=2`.

        Raises:
            InputError: `WET-INPUT-FAULT`, with the nearest right word.
        """
        return cls(_parse(text) for text in texts)

    def take(self, endpoint: EndpointName) -> Fault | None:
        """Count one call of an endpoint; the fault that happens to it, or None."""
        call = self._calls[endpoint]
        self._calls[endpoint] += 1
        return next((fault for fault in self.faults if fault.hits(endpoint, call)), None)


_VALUES = {"status": "status", "slow": "seconds"}


def _parse(text: str) -> Fault:
    endpoint, colon, rest = text.strip().partition(":")
    if not colon:
        raise _mistake(text, "it has no ':' between endpoint and fault", "Write cxrreportgen:status=503, or *:drop.")
    if endpoint not in (*ENDPOINT_NAMES, "*"):
        raise _mistake(text, "there is no such endpoint", nearest(endpoint, (*ENDPOINT_NAMES, "*")))
    fields: dict[str, Any] = {} if endpoint == "*" else {"endpoint": endpoint}
    for position, part in enumerate(rest.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if position == 0:
            if name not in get_args(FaultKind):
                raise _mistake(text, f"'{name[:40]}' is no fault", nearest(name, get_args(FaultKind)))
            fields["kind"] = name
            if equals and name not in _VALUES:
                raise _mistake(text, f"{name} takes no value")
            if equals:
                fields[_VALUES[name]] = value
        elif name not in Fault.model_fields or name in ("kind", "endpoint") or not equals:
            options = ("inner", "retry_after", "after", "times")
            raise _mistake(text, f"'{name[:40]}' is no option of a fault", nearest(name, options))
        else:
            fields[name] = None if (name, value) == ("times", "always") else value
    try:
        return Fault.model_validate(fields)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(filter(None, map(str, mistake["loc"])))
    message = mistake["msg"].removeprefix("Value error, ").rstrip(".")
    raise _mistake(text, f"{where or 'it'}: {message[:1].lower()}{message[1:]}")


def _mistake(text: str, what: str, hint: str = "") -> InputError:
    shown = "".join(c for c in text if c.isprintable())[:80]
    return InputError("WET-INPUT-FAULT", f"The fault '{shown}' cannot be: {what}.", hint)

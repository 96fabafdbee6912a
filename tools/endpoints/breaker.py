"""A circuit breaker: an endpoint that failed several calls in a row is left alone for a while, then tried once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal


class Breaker:
    """Counts calls, not attempts: a call that succeeded at its third attempt is a success.

    Args:
        threshold: Failed calls in a row after which no more are let through.
        rest_s: Seconds until one call, the probe, is let through. It closes the breaker or opens it for as long again.
        clock: Seconds that only go up.
    """

    def __init__(
        self, *, threshold: int = 5, rest_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._probing = False

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        if self._opened is None:
            return "closed"
        return "half-open" if self._probing or self.rest_s == 0 else "open"

    @property
    def rest_s(self) -> float:
        """Seconds until a probe may go; 0 when closed."""
        return 0.0 if self._opened is None else max(0.0, self._opened + self._rest_s - self._clock())

    def admit(self) -> bool | None:
        """Whether a call may go: None if not, else whether it is the probe. Each ends in one of the three below."""
        if self._opened is None:
            return False
        if self._probing or self.rest_s > 0:
            return None
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The endpoint answered; a refusal of one request counts as an answer."""
        self._failures, self._opened, self._probing = 0, None, False

    def failed(self, probe: bool) -> None:
        """The endpoint did not answer, or only with faults of its own."""
        if self._opened is not None and not probe:
            return  # let through before it opened: no news
        self._failures += 1
        if probe or self._failures >= self._threshold:
            self._opened = self._clock()
            self._probing = False

    def withdrawn(self, probe: bool) -> None:
        """The call was given up by its caller and says nothing about the endpoint."""
        if probe:
            self._probing = False

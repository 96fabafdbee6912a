"""The ledger: what each tool call came to. Statements cite it, code checks against it, numbers come from it alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue

from wetread.values import Value
from wetread.vocabulary import Assertion, Change, Origin, Side

Status = Literal["ok", "failed", "abstained"]


class Box(Value):
    """Axis-parallel box in pixels of an image as stored: origin top left, edges, not pixel centres."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float


class Region(Value):
    """A place on an image: a box, a mask (artifact handle, 8-bit PNG in the image's own pixels), or both."""

    image: str
    box: Box | None = None
    mask: str | None = None
    label: str = ""
    side: Side | None = None
    """The patient's side of the region's centroid; None where the view or orientation does not allow one."""


class Measurement(Value):
    """One number that code measured. Text takes it as `{E4.name}`; unit is UCUM ("1" for a ratio)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    value: float
    unit: str
    digits: int = Field(default=1, ge=0, le=6)
    image: str | None = None
    method: str = ""

    @property
    def text(self) -> str:
        """The value rounded as it is shown, with its unit unless it is a pure number."""
        number = f"{self.value:.{self.digits}f}"
        return number if self.unit == "1" else f"{number} {_SHOWN_UNITS.get(self.unit, self.unit)}"


_SHOWN_UNITS = {"cm2": "cm²", "mm2": "mm²", "cm3": "cm³"}


class Observation(Value):
    """What one tool says about one finding, in words that checks can compare.

    `finding` and `anatomy` are keys of the lexicon (`wetread.reports.language`); None where the text names none that it
    knows.
    `probability` is the tool's own, 0 to 1, where it gives one.
    """

    text: str
    finding: str | None = None
    system: str | None = None
    assertion: Assertion = Assertion.PRESENT
    side: Side | None = None
    anatomy: str | None = None
    change: Change | None = None
    probability: float | None = Field(default=None, ge=0, le=1)
    regions: tuple[Region, ...] = ()


class Reason(Value):
    """Why an evidence failed or abstained: a stable code and a safe sentence."""

    code: str
    message: str


class ModelVersion(Value):
    """The model or algorithm behind an evidence."""

    name: str
    version: str = "unknown"


class Evidence(Value):
    """One tool call's outcome. Immutable once in the ledger."""

    id: str = Field(pattern=r"^E[1-9][0-9]*$")
    tool: str
    model: ModelVersion
    origin: Origin
    status: Status
    reason: Reason | None = None
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    """Name of each input (an image handle, "indication", ...) to the SHA-256 of what was sent."""
    uses: tuple[str, ...] = ()
    """Ids of the evidence this one was computed from."""
    latency_ms: float = 0.0
    warnings: tuple[str, ...] = ()
    summary: str = ""
    """One line for a person."""
    observations: tuple[Observation, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    regions: tuple[Region, ...] = ()
    """Regions that belong to no finding: segmented structures."""
    value: dict[str, JsonValue] = Field(default_factory=dict)
    """The tool's whole typed result, as data."""
    artifacts: tuple[str, ...] = ()

    def measurement(self, name: str) -> Measurement | None:
        return next((m for m in self.measurements if m.name == name), None)


class PendingEvidence:
    """An evidence that has its id and not yet its outcome. Ids follow the order in which calls begin."""

    def __init__(self, ledger: Ledger, id: str, tool: str, arguments: Mapping[str, Any]) -> None:
        self.id = id
        self.tool = tool
        self.arguments = dict(arguments)
        self._ledger = ledger
        self._began = time.perf_counter()

    def close(
        self, *, model: ModelVersion, origin: Origin, status: Status, latency_ms: float | None = None, **fields: Any
    ) -> Evidence:
        """Put the outcome into the ledger. `latency_ms` defaults to the time since the call began."""
        if latency_ms is None:
            latency_ms = round((time.perf_counter() - self._began) * 1000, 1)
        evidence = Evidence(
            id=self.id,
            tool=self.tool,
            arguments=self.arguments,
            model=model,
            origin=origin,
            status=status,
            latency_ms=latency_ms,
            **fields,
        )
        self._ledger._close(evidence)
        return evidence


class Ledger:
    """All evidence of one session, in the order in which the calls began."""

    def __init__(self) -> None:
        self._closed: dict[str, Evidence] = {}
        self._opened = 0

    def open(self, tool: str, arguments: Mapping[str, Any]) -> PendingEvidence:
        """Begin an evidence: issues its id at once, so that ids do not depend on which call answers first."""
        self._opened += 1
        return PendingEvidence(self, f"E{self._opened}", tool, arguments)

    @property
    def issued(self) -> int:
        """How many ids were issued."""
        return self._opened

    def reserve(self) -> str:
        """Take the next id for evidence that is made elsewhere, such as what a person saw; `adopt` brings it in."""
        self._opened += 1
        return f"E{self._opened}"

    def adopt(self, evidence: Iterable[Evidence], *, issued: int = 0) -> None:
        """Take in evidence that was made elsewhere, by an earlier process or in a review; what is there stays.

        Args:
            evidence: Any number, in any order.
            issued: How many ids were issued before, where calls that came to nothing had the last ones.
        """
        for one in evidence:
            self._closed.setdefault(one.id, one)
        self._opened = max([self._opened, issued, *(int(id[1:]) for id in self._closed)])

    def _close(self, evidence: Evidence) -> None:
        if evidence.id in self._closed:
            raise ValueError(f"{evidence.id} is already in the ledger")
        self._closed[evidence.id] = evidence

    def get(self, id: str) -> Evidence | None:
        return self._closed.get(id)

    def __iter__(self) -> Iterator[Evidence]:
        return iter(sorted(self._closed.values(), key=lambda evidence: int(evidence.id[1:])))

    def __len__(self) -> int:
        return len(self._closed)

    def by_tool(self, tool: str) -> list[Evidence]:
        return [evidence for evidence in self if evidence.tool == tool]

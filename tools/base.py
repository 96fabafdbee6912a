"""What a tool is: typed arguments in, typed outcome out, a model card that says when to use it, a precheck that refuses early."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from wetread.artifacts import ArtifactStore
from wetread.events import Event
from wetread.evidence import Evidence, Ledger, Measurement, ModelVersion, Observation, Reason, Region, Status
from wetread.study import Study
from wetread.tools.endpoints.port import EndpointPort
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    from wetread.imaging.bank import ImageBank
    from wetread.insight.library import CaseLibrary
    from wetread.reports.template import ReportTemplate


class Arguments(BaseModel):
    """Base of every tool's arguments: unknown fields refused, and few words, since their schema is part of each prompt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)


@dataclass(slots=True)
class Reading:
    """All that tools share while one study is read. One per session; tools keep no state of their own."""

    study: Study
    images: ImageBank
    template: ReportTemplate
    endpoints: EndpointPort
    ledger: Ledger = field(default_factory=Ledger)
    artifacts: ArtifactStore = field(default_factory=ArtifactStore)
    library: CaseLibrary | None = None
    now: Callable[[], datetime] = field(default=datetime.now)
    emit: Callable[[Event], None] = field(default=lambda event: None)
    shared: dict[str, Any] = field(default_factory=dict)
    """Work in flight that several calls may want (a segmentation of one structure, an embedding), by key."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool's run came to. The toolbox makes evidence of it.

    `for_model` is what the agent reads: short, typed, JSON-ready; no pixels, no paths, no identifiers.
    """

    for_model: dict[str, JsonValue]
    summary: str
    model: ModelVersion
    origin: Origin
    status: Status = "ok"
    reason: Reason | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    latency_ms: float | None = None
    warnings: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    regions: tuple[Region, ...] = ()
    value: dict[str, JsonValue] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()


class Tool(ABC, Generic[ArgumentsT]):
    """A typed async function that an agent may call.

    Class attributes:
        name: As the agent calls it.
        card: The model card in a few lines: what it does, for which modality and view, its limits. An agent reads it.
        arguments: The argument model.
        endpoint: True where an endpoint is called; its deadline then is the endpoint's.
        deadline_s: Seconds after which a call is given up.
    """

    name: ClassVar[str]
    card: ClassVar[str]
    arguments: type[ArgumentsT]
    deadline_s: ClassVar[float] = 200.0

    def precheck(self, arguments: ArgumentsT, reading: Reading) -> None:  # noqa: B027 - refusing nothing is a right default
        """Refuse what cannot work before any call is made: unknown handle, wrong modality or view.

        Raises:
            ToolError: `abstained` where the tool is simply not for this image.
        """

    @abstractmethod
    async def run(self, arguments: ArgumentsT, reading: Reading) -> Outcome:
        """Do the work.

        Raises:
            ToolError: what the model may read.
            EndpointError: becomes failed evidence.
        """


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the toolbox hands back: the text for the model, and the evidence, if the call came to one."""

    text: str
    failed: bool
    evidence: Evidence | None = None

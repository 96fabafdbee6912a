"""What a tool is: typed arguments in, typed outcome out, a card on when to use it, a precheck that refuses early."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from wetread.artifacts import ArtifactStore
from wetread.events import Event
from wetread.evidence import Evidence, Ledger, Measurement, ModelVersion, Observation, Reason, Region, Status
from wetread.reports.model import Report
from wetread.study import Study
from wetread.tools.endpoints.port import EndpointName, EndpointPort
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    from wetread.imaging.bank import ImageBank
    from wetread.insight.library import CaseLibrary
    from wetread.reports.template import ReportTemplate
    from wetread.tools.person import Person


class Arguments(BaseModel):
    """Base of every tool's arguments: unknown fields refused; few words, since the schema is part of each prompt."""

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
    shared: dict[Any, Any] = field(default_factory=dict)
    """Work in flight or done that several calls want (a mask of one structure, an embedding), by key."""
    language_model: str = "protocol"
    """Name of the chat model that drafts, as the report shows it."""
    modes: tuple[Literal["simulated", "replay", "authored"], ...] = ()
    """What the session knows of itself beyond what the evidence's origins say."""
    report: Report | None = None
    """The last draft that was composed and checked, accepted or not; None before the first."""
    accepted: bool = False
    """Whether `report` was accepted: nothing is left to repair, or the rounds are used up."""
    rounds: int = 0
    """How many drafts were submitted."""
    barred: str | None = None
    """Why no draft is taken any more in this turn, once an agent was told so and submitted another; ends its work."""
    carry: Callable[[Report], Report] = field(default=lambda report: report)
    """Makes of a composed draft, before it is checked and sealed, the report that follows on the one in hand: what a
    person changed in that one stays changed. Raises `ToolError` where a draft may not replace it."""
    person: Person | None = None
    """Who can be asked while it is read; None where nobody can."""


@dataclass(frozen=True, slots=True)
class Call:
    """The call that a tool's `run` answers."""

    tool: str
    agent: str
    id: str
    evidence: str | None
    """The id that the call's evidence will have; None for a tool that makes none."""


_CALL: ContextVar[Call] = ContextVar("wetread_call")


def current_call() -> Call:
    """The call that is being answered; a tool's `run` and what it starts may ask for it.

    Raises:
        LookupError: outside of a call.
    """
    return _CALL.get()


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
        endpoint: The endpoint without which the tool has no answer; a call abstains where it is not configured.
        deadline_s: Seconds after which a call is given up; None where the endpoint client's own deadline holds.
        makes_evidence: False for a tool whose outcome is no evidence (`submit_report`).
    """

    name: ClassVar[str]
    card: ClassVar[str]
    arguments: type[ArgumentsT]
    endpoint: ClassVar[EndpointName | None] = None
    deadline_s: ClassVar[float | None] = 400.0
    makes_evidence: ClassVar[bool] = True

    def resolve(self, arguments: ArgumentsT, reading: Reading) -> ArgumentsT:
        """Fill in what was left out from the study, such as the image, so that evidence and repeated calls name it.

        Raises:
            ToolError: what was given cannot be meant (an unknown handle). The call is refused and makes no evidence.
        """
        return arguments

    def precheck(self, arguments: ArgumentsT, reading: Reading) -> None:
        """Refuse what cannot work before any call is made: wrong modality or view, an endpoint that is not configured.

        Raises:
            ToolError: with `abstained` it becomes evidence, a reason why something is not assessed; without, the call
                is refused and makes no evidence.
        """

    def recall(self, evidence: Evidence, reading: Reading) -> bool:
        """Put back what later calls want of an evidence of this tool that an earlier process made, beside the evidence.

        Returns whether that was possible, so that the evidence may answer a repeated call.
        """
        return True

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

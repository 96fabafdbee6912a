"""A conversation about one study: messages in, events out, and in the end a report.

session = Session(study, endpoints=endpoints, model=model)
async for event in session.send("Read this study."):
    print(event)
print(session.result().status)
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson
from pydantic import JsonValue

from wetread.agents.budget import Budget, Limit, Meter
from wetread.agents.chat import ChatMessage, ChatModel, ToolUse
from wetread.agents.crew import Crew
from wetread.agents.facts import facts_block, read_facts, study_facts
from wetread.agents.protocol import Protocol, draft_from
from wetread.agents.protocol_answers import SUBMIT
from wetread.agents.transcript import repaired, without_results
from wetread.artifacts import ArtifactStore
from wetread.errors import BudgetError, ModelError, ReadingError, ToolError, WetreadError
from wetread.events import BudgetReached, CriticalResultFound, Event, Notice, ReportReady, TurnEnded, TurnStarted
from wetread.evidence import Evidence, Ledger
from wetread.imaging.bank import ImageBank
from wetread.imaging.prepare import Preparation
from wetread.reports.checks import check_report
from wetread.reports.compose import compose, with_issues
from wetread.reports.model import Report
from wetread.reports.template import ReportTemplate, check_study, choose_template, load_template
from wetread.study import Study
from wetread.tools.base import Reading, Tool, ToolAnswer
from wetread.tools.endpoints.port import EndpointName, EndpointPort
from wetread.tools.person import Person

if TYPE_CHECKING:
    from wetread.insight.library import CaseLibrary

Mode = Literal["simulated", "replay", "authored"]
Outcome = Literal["answered", "reported", "budget", "cancelled", "failed"]

NUDGE = "No report was submitted. Call submit_report now with what the tools found."
"""Said once, to a model that worked and then answered in text, or not at all."""

_PREPARATIONS: dict[str, tuple[Preparation, EndpointName]] = {
    "report_findings": (Preparation.FULL, "cxrreportgen"),
    "segment": (Preparation.PAD_1024, "medimageparse"),
    "measure": (Preparation.PAD_1024, "medimageparse"),
    "classify": (Preparation.SQUARE_512, "medimageinsight"),
    "find_similar": (Preparation.SQUARE_512, "medimageinsight"),
}
"""In which form a tool sends an image, and to whom."""

_WARM = threading.Event()


def _now() -> datetime:
    return datetime.now(UTC)


async def warm() -> None:
    """Load what a first turn loads, in a thread: whoever waits for it can be cancelled meanwhile.

    A turn does it by itself; who opens a session for a person does it before they have typed anything.
    """
    if not _WARM.is_set():
        await asyncio.to_thread(_load)


def _load() -> None:
    import wetread.agents._autogen  # noqa: F401 - imported for what it loads
    from wetread.reports.checking import check
    from wetread.tools.endpoints import client

    client.warm()
    check("FINDINGS: The lungs are clear. Small left effusion.\nIMPRESSION: Small left effusion.")
    _WARM.set()


@dataclass(frozen=True, slots=True)
class SessionState:
    """What another session of the same study goes on from.

    Attributes:
        transcript: The conversation, each tool use with its result.
        evidence: All evidence.
        issued: How many evidence ids were issued.
        answers: What the tools answered, for calls that need not be made again.
        artifacts: Masks and pictures of the evidence.
        report: The report in hand.
        turns: How many turns there were.
    """

    transcript: tuple[ChatMessage, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    issued: int = 0
    answers: tuple[ToolAnswer, ...] = ()
    artifacts: ArtifactStore = field(default_factory=ArtifactStore)
    report: Report | None = None
    turns: int = 0


class Session:
    """One conversation about one study. Not for two event loops; many sessions may share endpoints and models.

    Args:
        study: What is read.
        endpoints: The imaging models. The caller closes them.
        model: The chat model; without one the reading protocol reads. The caller closes it.
        template: The report template or its name; chosen by the study where left out.
        library: Earlier cases for retrieval.
        budget: Limits of each turn.
        now: The clock for what stands on the report; a replay holds it still.
        modes: What a reader must not overlook (a replay, answers written by hand).
        workspace: Folder with agents, prompts and templates of a user's own.
        specialists: Names of the agents that may be asked; those of the orchestrator that the study has something for
            where left out. None are asked by the protocol.
        models: Makes the chat model of an agent whose YAML names one of its own. The session closes those.
        tools: Tools beside the built-in ones; one of the same name takes its place.
        images: The study's pixels where another session of it has prepared them already.
        state: What an earlier session came to; needs a running loop.
        person: Who is there to be asked. Tools that need somebody are passed as `tools`.
        carry: See `Reading.carry`.

    Raises:
        ConfigError: a mistake in the workspace.
        InputError: the template is not for this study, or there is none for it.
    """

    def __init__(
        self,
        study: Study,
        *,
        endpoints: EndpointPort,
        model: ChatModel | None = None,
        template: ReportTemplate | str | None = None,
        library: CaseLibrary | None = None,
        budget: Budget | None = None,
        now: Callable[[], datetime] = _now,
        modes: Sequence[Mode] = (),
        workspace: Path | None = None,
        specialists: Sequence[str] | None = None,
        models: Callable[[str], ChatModel] | None = None,
        tools: Sequence[Tool[Any]] = (),
        images: ImageBank | None = None,
        state: SessionState | None = None,
        person: Person | None = None,
        carry: Callable[[Report], Report] | None = None,
    ) -> None:
        state = state or SessionState()
        if not isinstance(template, ReportTemplate):
            template = load_template(template or choose_template(study, workspace), workspace)
        check_study(template, study)
        model = model or Protocol(workspace)
        self.template = template
        self.images = images or ImageBank(study)
        self.budget = budget or Budget()
        self.report: Report | None = state.report
        """The last report: accepted, or partial where a turn was cut short. None before the first."""
        self.reading = Reading(
            study=study,
            images=self.images,
            template=template,
            endpoints=endpoints,
            library=library,
            now=now,
            language_model=model.name,
            modes=tuple(modes),
            artifacts=state.artifacts,
            person=person,
            report=state.report,
        )
        if carry is not None:
            self.reading.carry = carry
        self.heard: Callable[[ChatMessage], None] = _ignore
        """Is told every message of the conversation when it is said."""
        self._transcript: tuple[ChatMessage, ...] = state.transcript
        self._meter = Meter(self.budget)
        self._turn: asyncio.Task[None] | None = None
        self._began = False
        """Whether the running turn has come to where it can be cancelled and still tells its end."""
        self._stopped = False
        """Whether it was cancelled."""
        self._turns = state.turns
        self._deadline: asyncio.Timeout | None = None
        self._waits = 0
        self._left_s = 0.0
        self._closed = False
        self._why_none = "Nothing was read yet."
        self._crew = Crew(self.reading, model, workspace=workspace, specialists=specialists, models=models, tools=tools)
        self.ledger.adopt(state.evidence, issued=state.issued)
        self._crew.recall(state.answers)

    @property
    def study(self) -> Study:
        """What is read."""
        return self.reading.study

    @property
    def ledger(self) -> Ledger:
        """All evidence so far."""
        return self.reading.ledger

    @property
    def artifacts(self) -> ArtifactStore:
        """Masks and pictures, by handle."""
        return self.reading.artifacts

    @property
    def tools(self) -> Mapping[str, Tool[Any]]:
        """The tools of this session by name, specialists among them."""
        return self._crew.tools

    @property
    def transcript(self) -> tuple[ChatMessage, ...]:
        """The conversation so far, each tool use with its result."""
        return self._transcript

    def result(self) -> Report:
        """The report.

        Raises:
            ReadingError: `WET-READING-NONE`: none was drafted; says why.
        """
        if self.report is None:
            raise ReadingError("WET-READING-NONE", f"No report was drafted. {self._why_none}")
        return self.report

    def send(self, text: str) -> AsyncIterator[Event]:
        """Say something and follow the turn: an event for all that happens, `TurnEnded` last.

        What the study's headers name is taken out of the text before anything else sees it.

        Leaving the iteration early cancels the turn. A turn that a budget or a failing model ends leaves a partial
        report of what was found until then.

        Raises:
            ReadingError: `WET-READING-BUSY`, a turn is running; `WET-READING-CLOSED`, the session was closed.
            WetreadError: what no rule of a turn covers, such as a replay's `TapeError`; after `TurnEnded`.
        """
        return self._follow(lambda: self._take_turn(self.study.scrub(text)))

    def call(self, tool: str, arguments: Mapping[str, JsonValue], *, said: str) -> AsyncIterator[Event]:
        """Have one tool work, for a person who asks for it, and follow that: it makes evidence as an agent's call does.

        The conversation gets it as what was said, a call and its answer, so that agents know of it.

        Args:
            tool: Its name.
            arguments: As an agent would give them.
            said: What the person asked for, in words.

        Raises:
            ReadingError: as `send`.
        """
        scrub = self.study.scrub
        given = {name: scrub(value) if isinstance(value, str) else value for name, value in arguments.items()}
        return self._follow(lambda: self._call(tool, given, scrub(said)))

    async def _follow(self, work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[Event]:
        """Start work and give its events; leaving the iteration cancels it."""
        if self._closed:
            raise ReadingError("WET-READING-CLOSED", "The session is closed.", "Open another one.")
        if self._turn is not None:
            raise ReadingError("WET-READING-BUSY", "A turn is running.", "Follow it to its end, or cancel it, first.")
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.reading.emit = events.put_nowait
        self._began = self._stopped = False
        turn = self._turn = asyncio.create_task(work())
        turn.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            if not turn.cancelled():
                turn.result()
        finally:
            await self._end(turn)
            self.reading.emit = _ignore
            self._turn = None

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While a person is waited for, the turn's wall time stands still."""
        loop, deadline = asyncio.get_running_loop(), self._deadline
        self._waits += 1
        if self._waits == 1 and deadline is not None and (when := deadline.when()) is not None:
            self._left_s = when - loop.time()
            deadline.reschedule(None)
        try:
            yield
        finally:
            self._waits -= 1
            if self._waits == 0 and deadline is not None and deadline is self._deadline and not deadline.expired():
                deadline.reschedule(loop.time() + self._left_s)

    @property
    def turns(self) -> int:
        """How many turns there were."""
        return self._turns

    def adopt(self, report: Report) -> None:
        """Take a version that a person made as the report in hand, with the evidence of what they saw."""
        self.report = self.reading.report = report
        self.ledger.adopt(report.evidence)

    def fall_back(self, report: Report | None) -> None:
        """Go back to an earlier version, since the later one could not be kept: no agent is to believe that it was."""
        lost, self.report, self.reading.report = self.report, report, report
        if lost is not None and (lost.review is None or not lost.review.by):
            submitted = [use.id for one in self._transcript for use in one.tool_uses if use.name == SUBMIT]
            self._transcript = without_results(self._transcript, submitted[-1:])

    def cancel(self) -> None:
        """End the running turn now; its iterator still gives `TurnEnded`. Nothing happens where none is running."""
        # once: a second one would break off what the first one still clears away
        if self._turn is None or self._stopped:
            return
        self._stopped = True
        if self._began:
            self._turn.cancel()

    async def aclose(self) -> None:
        """End a running turn and close what the session made for itself."""
        self._closed = True
        if self._turn is not None:
            await self._end(self._turn)
        await self._crew.aclose()

    def _begin(self) -> None:
        """From here on the work can be cancelled; it ends at once where it was before."""
        self._began = True
        if self._stopped:
            raise asyncio.CancelledError

    async def _end(self, turn: asyncio.Task[None]) -> None:
        """Cancel a turn that still runs, and wait until nothing of it is left."""
        if not turn.done():
            self.cancel()
            await asyncio.wait({turn})
        if not turn.cancelled():
            turn.exception()  # looked at, so that nobody misses it where the caller has left

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    # one turn

    async def _take_turn(self, text: str) -> None:
        self._turns += 1
        meter = self._meter = Meter(self.budget)
        reading = self.reading
        reading.accepted, reading.rounds, reading.report, reading.barred = False, 0, self.report, None
        record: list[ChatMessage] = _Record(self.heard)
        began = time.perf_counter()
        outcome: Outcome = "failed"
        answer = ""
        reading.emit(TurnStarted(turn=self._turns))
        pixels = asyncio.create_task(self._prepare()) if self._turns == 1 else None
        try:
            self._begin()
            await asyncio.sleep(0)  # the pixels are begun before what is loaded at the first use
            await warm()
            deadline = self._deadline = asyncio.timeout(self.budget.wall_s)
            try:
                async with deadline:
                    outcome, answer = await self._converse(text, record)
            except TimeoutError:
                if not deadline.expired():
                    raise
                outcome, answer = "budget", self._cut_short("wall_time", record)
            except BudgetError:
                outcome, answer = "budget", self._cut_short(meter.reached or "iterations", record)
            except ModelError as error:
                reading.emit(Notice(code=error.code, message=str(error)))
                outcome, answer = "failed", self._partial(f"The language model failed ({error.code}).", record)
                self._why_none = str(error)
        except asyncio.CancelledError:
            outcome, self._why_none = "cancelled", "The turn was cancelled."
            if reading.accepted and reading.report is not None:
                self._tell(reading.report)  # it was done, and the agent was told so
            raise
        except WetreadError as error:
            reading.emit(Notice(code=error.code, message=str(error)))
            self._why_none = str(error)
            raise
        except Exception:
            reading.emit(Notice(code="WET-READING-FAULT", message="The turn failed for a reason of its own."))
            self._why_none = "The turn failed."
            raise
        finally:
            self._deadline = None
            if pixels is not None:
                pixels.cancel()
            added = repaired(record)
            if answer and added and added[-1].role != "assistant":
                said = ChatMessage(role="assistant", text=answer)
                added = (*added, said)
                self.heard(said)
            self._transcript += added
            reading.emit(
                TurnEnded(
                    turn=self._turns,
                    outcome=outcome,
                    text=answer,
                    model_calls=meter.model_calls,
                    tool_calls=meter.tool_calls,
                    prompt_tokens=meter.prompt_tokens,
                    completion_tokens=meter.completion_tokens,
                    wall_ms=round((time.perf_counter() - began) * 1000, 1),
                )
            )

    async def _call(self, tool: str, arguments: Mapping[str, JsonValue], said: str) -> None:
        record: list[ChatMessage] = _Record(self.heard)
        use = ToolUse(id=f"reader_{len(self._transcript)}", name=tool, arguments=orjson.dumps(dict(arguments)).decode())
        self._meter = Meter(self.budget)
        try:
            self._begin()
            await warm()
            record.append(ChatMessage(role="user", text=said))
            record.append(ChatMessage(role="assistant", tool_uses=(use,)))
            answer = await self._crew.call(use, self._meter)
            record.append(ChatMessage(role="tool", text=answer.text, tool_use_id=use.id, failed=answer.failed))
        finally:
            self._transcript += repaired(record)

    async def _converse(self, text: str, record: list[ChatMessage]) -> tuple[Outcome, str]:
        """Let the orchestrator work until a draft is accepted or it answers in text."""
        # lone surrogates, such as a terminal may let through, are no text that can be sent
        reading, task = self.reading, text.encode("utf-8", "replace").decode()
        facts = study_facts(self.study, self.template)
        if not _told(self._transcript, facts):
            task = f"{task}\n\n{facts_block(facts)}"
        owed = False
        for nudged in (False, True):
            history = (*self._transcript, *repaired(record))
            run = await self._crew.work(task, history=history, record=record, meter=self._meter)
            if run.ended == "finished":
                if not reading.accepted:
                    self._why_none = reading.barred or ""
                    return "answered", self._why_none
                return "reported", self._reported()
            if run.ended == "iterations":
                raise self._meter.reach("iterations")
            owed = owed or self._owes_report(run.messages)
            if nudged or (run.text.strip() and not owed):
                break
            task = NUDGE
        self._why_none = "The model answered without a report."
        if run.text.strip():
            return ("failed", self._partial(self._why_none, record)) if owed else ("answered", run.text)
        reading.emit(Notice(code="WET-MODEL-EMPTY", message="The model answered with nothing, twice."))
        return "failed", self._partial("The language model gave no answer.", record)

    def _owes_report(self, messages: Sequence[ChatMessage]) -> bool:
        """Whether work like this is to end in a report. A person who is there may have asked for less, and can say."""
        return self.reading.person is None and any(message.tool_uses for message in messages)

    def _reported(self) -> str:
        report = self.reading.report
        assert report is not None
        self._tell(report)
        missing = [system.title for system in report.findings if system.status == "not_assessed"]
        parts = [f"{len(report.statements())} statements", f"{len(report.issues)} issues"]
        if missing:
            parts.append(f"not assessed: {', '.join(missing)}")
        return f"The report is drafted: {'; '.join(parts)}."

    def _tell(self, report: Report) -> None:
        """The report is there: first what somebody must be told at once, then the whole."""
        self.report = report
        self.ledger.adopt(report.evidence)
        for result in report.critical:
            self.reading.emit(CriticalResultFound(result=result))
        self.reading.emit(ReportReady(report=report))

    def _cut_short(self, limit: Limit, record: Sequence[ChatMessage]) -> str:
        self._meter.reach(limit)
        message = self._meter.message(limit)
        self.reading.emit(BudgetReached(limit=limit, message=message))
        self._why_none = message
        return self._partial(message, record)

    def _partial(self, why: str, record: Sequence[ChatMessage]) -> str:
        """Make a report of what there is, the last draft or one by rules; returns what to say of it.

        A whole report that there was before the turn stays as it is: half a one is no reason to let go of it.
        """
        reading = self.reading
        if self.report is not None and (self.report.incomplete is None or self.report.status != "partial"):
            reading.report = self.report
            return f"{why} The report stands as it was."
        if reading.rounds and reading.report is not None:
            incomplete = f"{why} This is the last draft that was submitted."
            report = reading.report.model_copy(update={"incomplete": incomplete}).sealed()
        elif any(evidence.status == "ok" for evidence in reading.ledger):
            draft = draft_from((*self._transcript, *repaired(record)), self.template)
            report = compose(
                draft,
                study=self.study,
                template=self.template,
                ledger=reading.ledger,
                artifacts=reading.artifacts,
                now=reading.now(),
                language_model=reading.language_model,
                modes=reading.modes,
                incomplete=f"{why} Drafted by rules from what tools had found until then.",
            )
            try:
                report = reading.carry(report)
            except ToolError as error:
                return f"{why} {error.message}"
            report = with_issues(report, check_report(report, self.study))
        else:
            return why
        reading.report = report
        self._tell(report)
        return f"{why} What was found until then is in a partial report."

    async def _prepare(self) -> None:
        """Prepare the pixels that the reading protocol will ask for, while the first model call is under way."""
        images = {
            "frontal": self.study.frontal(),
            "lateral": self.study.lateral(),
            "prior": self.study.frontal("prior"),
        }
        wanted: dict[tuple[str, Preparation], None] = {}
        for call in (call for calls in self.template.protocol for call in calls):
            image = images.get(call.image or "frontal")
            if call.tool not in _PREPARATIONS or image is None:
                continue
            preparation, endpoint = _PREPARATIONS[call.tool]
            if not self.reading.endpoints.configured(endpoint):
                continue
            wanted[image.handle, preparation] = None
            if preparation is Preparation.FULL:
                wanted.update(dict.fromkeys((i.handle, preparation) for i in images.values() if i is not None))
        # whoever needs an image that cannot be prepared says so; here nobody does
        with contextlib.suppress(WetreadError):
            for handle, preparation in wanted:
                await self.images.payload(handle, preparation)


class _Record(list[ChatMessage]):
    """What a turn adds to the conversation; tells of each message when it is said."""

    def __init__(self, heard: Callable[[ChatMessage], None]) -> None:
        super().__init__()
        self._heard = heard

    def append(self, message: ChatMessage) -> None:
        super().append(message)
        self._heard(message)


def _told(transcript: Sequence[ChatMessage], facts: dict[str, JsonValue]) -> bool:
    """Whether the conversation has the study's facts as they are; texts that came later are the tools' to tell."""
    said = (read_facts(message.text) for message in reversed(transcript) if message.role == "user")
    last = next((one for one in said if one is not None), None)
    return last is not None and all(last.get(key) == facts.get(key) for key in ("exam", "template", "images"))


def _ignore(said: object) -> None:
    """Nobody listens between turns."""

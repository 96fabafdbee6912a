"""A session that lasts: every event is kept before it is told, and a person's words stand.

async with await Dialogue.begin(study, sources, store=store, folder=folder) as dialogue:
    async for event in dialogue.send("Read this."):
        ...
    await dialogue.correct([Reject(statement="S4")], by="A. Reader")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import JsonValue

from wetread.agents.budget import Budget
from wetread.agents.chat import ChatModel
from wetread.dialogue.answers import RememberedEndpoints
from wetread.dialogue.kept import Kept, read_kept
from wetread.dialogue.log import SessionLog
from wetread.errors import InputError, ReadingError, ReviewError
from wetread.events import Event, Notice, QuestionAnswered, QuestionAsked, ReportReady
from wetread.imaging.bank import ImageBank
from wetread.messages import ChatMessage
from wetread.reports.model import Report
from wetread.reports.template import check_study, choose_template, load_template
from wetread.review import Action, Add, Edit, Reject, conclude, follow_on, take_back
from wetread.review.conclude import Outcome, person
from wetread.session import Mode, Session, SessionState
from wetread.store import Store
from wetread.store.journal import Indicated, JournalEntry, Opened, ReportKept, Said
from wetread.study import Study
from wetread.tools.base import Tool, current_call
from wetread.tools.endpoints.port import EndpointPort
from wetread.tools.person import About, Decided, Proposal
from wetread.tools.registry import person_tools

if TYPE_CHECKING:
    from wetread.insight.library import CaseLibrary

YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Sources:
    """What a dialogue works with. Who makes it closes it.

    Attributes:
        endpoints: The imaging models.
        models: Makes a chat model by name, for one that is not the session's own; the dialogue closes what it made.
        model: The chat model; None for the protocol.
        library: Earlier cases for retrieval.
        workspace: Folder with agents, prompts and templates of a user's own.
        budget: Limits of each turn.
        modes: What a reader must not overlook.
        now: The clock for what stands on the report.
        scrub: Takes what identifies the patient out of what a person types.
        tools: Tools beside the built-in ones; by default those by which an agent reaches the person.
    """

    endpoints: EndpointPort
    models: Callable[[str], ChatModel]
    model: ChatModel | None = None
    library: CaseLibrary | None = None
    workspace: Path | None = None
    budget: Budget = field(default_factory=Budget)
    modes: tuple[Mode, ...] = ()
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    scrub: Callable[[str], str] = field(default=lambda text: text)
    tools: tuple[Tool[Any], ...] = field(default_factory=person_tools)


class Dialogue:
    """One conversation of a person about one study, kept as it goes. For one event loop; one turn at a time.

    Made by `begin` or `resume`. An async context manager.
    """

    def __init__(
        self,
        study: Study,
        sources: Sources,
        log: SessionLog,
        folder: Path,
        *,
        template: str,
        model: ChatModel | None,
        kept: Kept | None = None,
    ) -> None:
        self.reader: str | None = None
        """The name of the person, once they gave it: who corrections are by."""
        self.question: QuestionAsked | None = None
        """What the person is asked just now."""
        self.kept = kept
        """What the store had of the session when it was opened again; None for a new one."""
        self.folder = folder
        """Where what only this machine needs is kept while the session lasts."""
        self._sources = sources
        self._log = log
        self._model = model
        self._own_models: list[ChatModel] = []
        self._endpoints = RememberedEndpoints(sources.endpoints, folder / "answers")
        self._answer: asyncio.Future[str | None] | None = None
        self._asking = asyncio.Lock()
        self._entries: asyncio.Queue[JournalEntry | None] | None = None
        self._line = _line(kept.versions if kept else ())
        self._safe = {one.sha256 for one in self._line}
        self.session = self._open(study, template, model, ImageBank(study), kept.state if kept else SessionState())

    @classmethod
    async def begin(
        cls, study: Study, sources: Sources, *, store: Store, folder: Path, template: str | None = None
    ) -> Dialogue:
        """Begin a session in a store.

        Args:
            study: What is read.
            sources: What it works with.
            store: Where it is kept.
            folder: Where what only this machine needs is kept while sessions last, a folder each.
            template: The report template; chosen by the study where left out.

        Raises:
            InputError, ConfigError: the study, the template or something in the workspace cannot be used.
            StoreError: the store cannot be written.
        """
        chosen = load_template(template or choose_template(study, sources.workspace), sources.workspace)
        check_study(chosen, study)
        model = sources.model.name if sources.model is not None else "protocol"
        id = await asyncio.to_thread(
            lambda: store.sessions.begin(template=chosen.name, language_model=model, modes=sources.modes)
        )
        made = cls(study, sources, SessionLog(store, id), folder / id, template=chosen.name, model=sources.model)
        await made._note_opened()
        return made

    @classmethod
    async def resume(cls, id: str, study: Study, sources: Sources, *, store: Store, folder: Path) -> Dialogue:
        """Go on with a session: what was said, found and corrected is there, and what endpoints answered stands.

        Args:
            id: The session's id.
            study: The study it was about, read again.
            sources, store, folder: See `begin`. The model is that of `sources`.

        Raises:
            InputError: `WET-INPUT-STUDY`, it is another study.
            StoreError: there is no such session, or it cannot be read.
        """
        kept = await asyncio.to_thread(read_kept, store, id)
        if kept.opened is None:
            raise ReadingError(
                "WET-READING-SESSION", "That session was kept whole and cannot go on.", "Open its report, or the study."
            )
        if kept.indication is not None:
            study = study.model_copy(update={"indication": kept.indication})
        images = await _hashes(ImageBank(study), study)
        if any(images.get(handle) != sha256 for handle, sha256 in kept.opened.images.items()):
            raise InputError(
                "WET-INPUT-STUDY",
                "The images are not those that the session is about.",
                "Name the study it began with.",
            )
        log = SessionLog(store, id, number=kept.number)
        template = kept.opened.template
        made = cls(study, sources, log, folder / id, template=template, model=sources.model, kept=kept)
        await made._note_opened()
        return made

    @property
    def id(self) -> str:
        """The session's id in the store."""
        return self._log.session

    @property
    def report(self) -> Report | None:
        """The latest version of the report; None before the first."""
        return self._line[-1] if self._line else None

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._entries is not None

    # a turn

    def send(self, text: str) -> AsyncIterator[Event]:
        """Say something and follow the turn; each event is on the disk before it is given.

        Raises:
            ReadingError: `WET-READING-BUSY`, a turn is running; what else ends a turn, see `Session.send`.
            StoreError: something could not be kept: the turn was ended, and what was not kept was not told.
        """
        return self._turn(lambda: self.session.send(self._sources.scrub(text)))

    def call(self, tool: str, arguments: Mapping[str, JsonValue], *, said: str) -> AsyncIterator[Event]:
        """Have one tool work for the person, and follow it; kept, told and cancelled as a turn.

        Args and raises: see `Session.call`.
        """
        return self._turn(lambda: self.session.call(tool, arguments, said=self._sources.scrub(said)))

    async def _turn(self, begin: Callable[[], AsyncIterator[Event]]) -> AsyncIterator[Event]:
        if self.busy:
            raise ReadingError("WET-READING-BUSY", "A turn is running.", "Follow it to its end, or cancel it, first.")
        entries: asyncio.Queue[JournalEntry | None] = asyncio.Queue()
        self._entries = entries
        self.session.heard = lambda message: entries.put_nowait(Said(message=message))
        turn = asyncio.create_task(self._follow(begin(), entries))
        turn.add_done_callback(lambda _: entries.put_nowait(None))
        try:
            ended = False
            while not ended:
                batch = [await entries.get()]
                while not entries.empty():
                    batch.append(entries.get_nowait())
                ended = None in batch
                told = [one for one in batch if one is not None]
                await self._keep(told)
                for entry in told:
                    if isinstance(entry, ReportReady):
                        self._push(entry.report)
                    if not isinstance(entry, Said | Indicated | Opened | ReportKept):
                        yield entry
            await turn
        finally:
            self.session.heard = _nobody
            if not turn.done():
                turn.cancel()
                await asyncio.wait({turn})
            self._entries = None
            self._fall_back()

    def cancel(self) -> None:
        """End the running turn now; its events still come to their end. Nothing happens where none is running."""
        self.session.cancel()

    def answer(self, text: str | None) -> None:
        """Answer the question that is open; None skips it. Nothing happens where none is."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None if text is None else self._sources.scrub(text))

    # the person, as tools reach them

    async def ask(self, question: str, *, options: tuple[str, ...] = (), about: About = "other") -> str | None:
        """Ask the person for an agent; see `tools.person.Person`."""
        answer = await self._put(
            QuestionAsked(agent=current_call().agent, question=question, options=options, about=about)
        )
        if about == "indication" and answer:
            reading = self.session.reading
            reading.study = reading.study.model_copy(update={"indication": answer})
            if self._entries is not None:
                self._entries.put_nowait(Indicated(text=answer))
        return answer

    async def propose(self, proposal: Proposal) -> Decided:
        """Put a change before the person for an agent; what they accept is their own edit."""
        report = self.report
        if report is None:
            return Decided(accepted=False, message="There is no report yet.")
        agent = current_call().agent
        asked = QuestionAsked(agent=agent, question=_wording(proposal, report), options=(YES, NO), about="proposal")
        answer = await self._put(asked)
        if (answer or "").strip().lower() not in (YES, "y"):
            return Decided(accepted=False, message="The reader declined.")
        while self.reader is None:
            name = await self._put(QuestionAsked(agent=agent, question="Your name, for the record?"))
            if not (name or "").strip():
                return Decided(accepted=False, message="The reader gave no name, so nothing was changed.")
            try:
                self.reader = person(name or "", report)
            except ReviewError as error:
                self.session.reading.emit(Notice(code=error.code, message=str(error)))
        try:
            version = self._concluded([_action(proposal)], "keep", None)
        except ReviewError as error:
            return Decided(accepted=False, message=str(error))
        self.session.adopt(version)
        self._push(version)
        self.session.reading.emit(ReportReady(report=version))
        return Decided(accepted=True, message=f"Done: version {version.version} has the reader's change.")

    # corrections

    async def correct(
        self, actions: Sequence[Action], *, outcome: Outcome = "keep", override: str | None = None
    ) -> Report:
        """Change, release or sign the report, in the name of `reader`; returns the next version, which is kept.

        Args:
            actions: What to do with its statements; see `review`.
            outcome, override: See `review.conclude`.

        Raises:
            ReviewError: it cannot be done; `WET-REVIEW-NAME`, the reader gave no name.
            ReadingError: `WET-READING-BUSY`, a turn is running; `WET-READING-NONE`, there is no report.
            StoreError: it cannot be kept; nothing was changed.
        """
        self._idle()
        version = self._concluded(actions, outcome, override)
        await self._take(version)
        self._push(version)
        return version

    async def undo(self) -> Report:
        """Take back the last change of the report, a person's or a new draft; returns the next version.

        Raises:
            ReviewError: `WET-REVIEW-NOTHING`, there is nothing to take back; see `review.take_back`.
            ReadingError, StoreError: see `correct`.
        """
        self._idle()
        latest = self._latest()
        if len(self._line) < 2:
            raise ReviewError("WET-REVIEW-NOTHING", "There is nothing to take back.")
        earlier = self._line[-2]
        version = take_back(latest, earlier, by=self._named(), at=datetime.now(UTC))
        await self._take(version)
        self._line[-2:] = [version]
        return version

    # what it is read with

    async def use(self, *, model: str | None = None, template: str | None = None, study: Study | None = None) -> None:
        """Go on with another chat model, report template, or study (the same one, with priors).

        Raises:
            ConfigError, InputError: it cannot be used; all stays as it was.
            ReadingError: `WET-READING-BUSY`.
        """
        self._idle()
        old = self.session
        chosen = self._model if model is None else self._sources.models(model)
        images = old.images if study is None else ImageBank(study)
        state = SessionState(
            transcript=old.transcript,
            evidence=tuple(old.ledger),
            issued=old.ledger.issued,
            artifacts=old.artifacts,
            report=old.report,
            turns=old.turns,
        )
        try:
            if study is not None:
                # what tools were told of the study before may be another answer now; endpoints know what they said
                self._endpoints = RememberedEndpoints(self._sources.endpoints, self.folder / "answers")
            new = self._open(study or old.study, template or old.template.name, chosen, images, state)
        except BaseException:
            if model is not None and chosen is not None:
                await chosen.aclose()
            raise
        if study is None:
            new.reading.shared = old.reading.shared
        if model is not None and chosen is not None:
            self._own_models.append(chosen)
        self._model, self.session = chosen, new
        await old.aclose()
        await self._note_opened()

    async def aclose(self) -> None:
        """End a running turn, and let go of what only a crash would have needed."""
        await self.session.aclose()
        for model in self._own_models:
            await model.aclose()
        await asyncio.to_thread(self._log.close)
        await asyncio.to_thread(self._endpoints.forget)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _open(
        self, study: Study, template: str, model: ChatModel | None, images: ImageBank, state: SessionState
    ) -> Session:
        sources = self._sources
        return Session(
            study,
            endpoints=self._endpoints,
            model=model,
            template=template,
            library=sources.library,
            budget=sources.budget,
            now=sources.now,
            modes=sources.modes,
            workspace=sources.workspace,
            models=sources.models,
            tools=sources.tools,
            images=images,
            state=state,
            person=self,
            carry=self._carry,
        )

    async def _follow(self, events: AsyncIterator[Event], entries: asyncio.Queue[JournalEntry | None]) -> None:
        """Give on what the session tells; it tells all of it, also where nobody listens any more."""
        async for event in events:
            entries.put_nowait(event)

    async def _keep(self, entries: Sequence[JournalEntry]) -> None:
        await self._log.keep(entries, self.session.artifacts)
        self._safe.update(one.report.sha256 for one in entries if isinstance(one, ReportReady))

    def _push(self, version: Report) -> None:
        if not self._line or self._line[-1].sha256 != version.sha256:
            self._line.append(version)

    def _fall_back(self) -> None:
        """Let go of versions that could not be kept: the report in hand is the last that was."""
        if any(one.sha256 not in self._safe for one in self._line) or (
            self.session.report is not None and self.session.report.sha256 not in self._safe
        ):
            self._line = [one for one in self._line if one.sha256 in self._safe]
            self.session.report = self.session.reading.report = self.report

    async def _note_opened(self) -> None:
        session = self.session
        study = session.study
        opened = Opened(
            template=session.template.name,
            model=session.reading.language_model,
            modes=session.reading.modes,
            images=await _hashes(session.images, study),
        )
        await self._keep([opened])

    async def _put(self, question: QuestionAsked) -> str | None:
        """Put one question; the turn's clock stands still until it is answered."""
        emit = self.session.reading.emit
        with self.session.waiting():
            async with self._asking:
                self._answer = asyncio.get_running_loop().create_future()
                self.question = question
                emit(question)
                try:
                    answer = await self._answer
                finally:
                    self.question, self._answer = None, None
        emit(QuestionAnswered(question=question.question, answer=answer))
        return answer

    def _carry(self, draft: Report) -> Report:
        """What follows on the report in hand when an agent has drafted anew."""
        latest = self.report
        if latest is None:
            return draft
        session = self.session
        redraft = follow_on(draft, latest, template=session.template, reserve=session.ledger.reserve)
        for line in redraft.kept:
            session.reading.emit(Notice(code="WET-REVIEW-KEPT", message=line))
        return redraft.report

    def _concluded(self, actions: Sequence[Action], outcome: Outcome, override: str | None) -> Report:
        session = self.session
        return conclude(
            self._latest(),
            by=self._named(),
            at=datetime.now(UTC),
            actions=actions,
            outcome=outcome,
            override=override,
            study=session.study,
            template=session.template,
            reader=session.ledger.reserve(),
        )

    async def _take(self, version: Report) -> None:
        await self._keep([ReportReady(report=version)])
        self.session.adopt(version)

    def _latest(self) -> Report:
        if self.report is None:
            raise ReadingError("WET-READING-NONE", "There is no report yet.", "Have one drafted first.")
        return self.report

    def _named(self) -> str:
        if self.reader is None:
            raise ReviewError("WET-REVIEW-NAME", "A change needs your name.", "Give it first.")
        return self.reader

    def _idle(self) -> None:
        if self.busy:
            raise ReadingError("WET-READING-BUSY", "A turn is running.", "Wait for its end, or cancel it, first.")


async def _hashes(images: ImageBank, study: Study) -> dict[str, str]:
    return {image.handle: await images.sha256(image.handle) for image in study.images}


def _line(versions: Sequence[Report]) -> list[Report]:
    """The versions that can be taken back to, the latest last: those that were taken back are left out."""
    line: list[Report] = []
    for version in versions:
        if len(line) > 1 and _says(version) == _says(line[-2]):
            line.pop()
            line[-1] = version
        else:
            line.append(version)
    return line


def _says(report: Report) -> tuple[object, ...]:
    return report.findings, report.impression, report.recommendations, report.fields, report.status


def _wording(proposal: Proposal, report: Report) -> str:
    """A proposal as the person is asked about it."""
    text = next((one.text for one in report.statements() if one.id == proposal.statement), "")
    match proposal.do:
        case "reject":
            return f"Drop {proposal.statement}: {text}"
        case "edit":
            return f"Change {proposal.statement}: {text} → {proposal.text}"
        case "add":
            return f"Add under {proposal.place}: {proposal.text}"


def _action(proposal: Proposal) -> Action:
    match proposal.do:
        case "reject":
            return Reject(statement=proposal.statement or "")
        case "edit":
            return Edit(statement=proposal.statement or "", text=proposal.text or "")
        case "add":
            return Add(place=proposal.place or "", text=proposal.text or "")


def _nobody(message: ChatMessage) -> None:
    """Nobody listens between turns."""

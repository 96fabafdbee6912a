"""A session that lasts: every event is kept before it is told, and a person's words stand.

async with await Dialogue.begin(study, sources, store=store, folder=folder) as dialogue:
    async for event in dialogue.send("Read this."):
        ...
    await dialogue.correct([Reject(statement="S4")], by="A. Reader")
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import JsonValue

from wetread.agents.chat import ChatModel
from wetread.agents.protocol import PROTOCOL
from wetread.dialogue.answers import RememberedEndpoints, sweep
from wetread.dialogue.corrections import Corrections
from wetread.dialogue.kept import Kept, read_kept
from wetread.dialogue.line import Line
from wetread.dialogue.log import SessionLog
from wetread.dialogue.proposals import NO, YES, action, wording
from wetread.dialogue.questions import Questions
from wetread.dialogue.sources import Sources
from wetread.dialogue.turn import Turn
from wetread.errors import InputError, ReadingError, ReviewError, WetreadError
from wetread.events import Event, Notice, QuestionAsked, ReportReady, ToolFinished
from wetread.imaging.bank import ImageBank
from wetread.reports.model import Report
from wetread.reports.states import SIGNED
from wetread.reports.template import check_study, choose_template, load_template
from wetread.review import Action
from wetread.review.conclude import Outcome, person
from wetread.session import Session, SessionState, warm
from wetread.store import Store
from wetread.store.journal import NO_EVENTS, Indicated, Opened
from wetread.study import Study
from wetread.tools.base import current_call
from wetread.tools.person import About, Decided, Proposal
from wetread.tools.study_context import MAX_ORDER_CHARS

__all__ = ["NO", "YES", "Dialogue", "Sources"]


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
        images: ImageBank,
        kept: Kept | None = None,
    ) -> None:
        self.kept = kept
        """What the store had of the session when it was opened again; None for a new one."""
        self.folder = folder
        """Where what only this machine needs is kept while the session lasts."""
        self._sources = sources
        self._log = log
        self._model = model
        self._own_models: list[ChatModel] = []
        self._endpoints = RememberedEndpoints(sources.endpoints, folder / "answers")
        self._questions = Questions()
        self._proposing = asyncio.Lock()
        self._turn: Turn | None = None
        self._closed = False
        self._indication = kept.indication if kept else None
        self._corrections = Corrections(self, log, Line(kept.versions, kept.back) if kept else Line())
        self.session = self._open(study, template, model, images, kept.state if kept else SessionState())

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
        images = ImageBank(study)
        await _hashes(images, study)  # a study that cannot be read leaves no session behind
        model = sources.model.name if sources.model is not None else PROTOCOL
        id = await asyncio.to_thread(
            lambda: store.sessions.begin(template=chosen.name, language_model=model, modes=sources.modes)
        )
        await asyncio.to_thread(sweep, folder)
        log = SessionLog(store, id)
        made = cls(study, sources, log, folder / id, template=chosen.name, model=sources.model, images=images)
        await made._corrections.keep([await made._opened(made.session)])
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
            ReadingError: `WET-READING-SESSION`, it was kept whole, such as by a reading that is no conversation.
            StoreError: there is no such session, or it cannot be read.
        """
        kept = await asyncio.to_thread(read_kept, store, id)
        if kept.opened is None:
            raise ReadingError(
                "WET-READING-SESSION", "That session was kept whole and cannot go on.", "Open its report, or the study."
            )
        if kept.indication is not None:
            study = study.model_copy(update={"indication": kept.indication})
        images = ImageBank(study)
        hashes = await _hashes(images, study)
        if any(hashes.get(handle) != sha256 for handle, sha256 in kept.opened.images.items()):
            raise _another_study()
        await asyncio.to_thread(sweep, folder, but=id)
        log = SessionLog(store, id, number=kept.number)
        made = cls(
            study,
            sources,
            log,
            folder / id,
            template=kept.opened.template,
            model=sources.model,
            images=images,
            kept=kept,
        )
        await made._corrections.keep([await made._opened(made.session)])
        return made

    @property
    def id(self) -> str:
        """The session's id in the store."""
        return self._log.session

    @property
    def report(self) -> Report | None:
        """The latest version of the report; None before the first."""
        return self._corrections.latest

    @property
    def reader(self) -> str | None:
        """The name of the person, once they gave it: who corrections are by."""
        return self._corrections.reader

    @reader.setter
    def reader(self, name: str | None) -> None:
        self._corrections.reader = name

    @property
    def question(self) -> QuestionAsked | None:
        """What the person is asked just now."""
        return self._questions.open

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._turn is not None

    async def warm(self) -> None:
        """Load what the first turn loads, while the person still types. A turn does it by itself."""
        await warm()

    # a turn

    def send(self, text: str) -> AsyncIterator[Event]:
        """Say something and follow the turn; each event is on the disk before it is given.

        Where the report was changed elsewhere meanwhile, that version is told first. Leaving the iteration early
        cancels the turn; what it told until then is kept all the same.

        Raises:
            ReadingError: `WET-READING-BUSY`, a turn is running; what else ends a turn, see `Session.send`.
            StoreError: something could not be kept: the turn was ended, and what was not kept was not told. All but a
                report is kept with what comes next, once it can be.
        """
        said = self._sources.scrub(text)
        return self._follow(lambda session: session.send(said))

    def call(self, tool: str, arguments: Mapping[str, JsonValue], *, said: str) -> AsyncIterator[Event]:
        """Have one tool work for the person, and follow it; kept, told and cancelled as a turn.

        Args and raises: see `Session.call`.
        """
        words = self._sources.scrub(said)
        return self._follow(lambda session: session.call(tool, arguments, said=words))

    async def _follow(self, work: Callable[[Session], AsyncIterator[Event]]) -> AsyncIterator[Event]:
        self._idle()
        turn = self._turn = Turn(self._heed)
        self._corrections.begin_turn()
        try:
            async with self._corrections.changing:
                newer = await self._corrections.catch_up()
            if newer is not None:
                yield ReportReady(report=newer)
            turn.begin(self.session, work)
            ended = False
            while not ended:
                told, ended = await turn.next()
                await self._corrections.keep(told)
                for entry in told:
                    if not isinstance(entry, NO_EVENTS):
                        yield entry
            turn.check()
        finally:
            await self._finish(turn)

    def cancel(self) -> None:
        """End the running turn now; its events still come to their end. Nothing happens where none is running."""
        if self._turn is not None:
            self._turn.cancel()

    def answer(self, text: str | None) -> None:
        """Answer the question that is open; None skips it. Nothing happens where none is."""
        self._questions.answer(None if text is None else self._sources.scrub(text))

    # the person, as tools reach them

    async def ask(self, question: str, *, options: tuple[str, ...] = (), about: About = "other") -> str | None:
        """Ask the person for an agent; see `tools.person.Person`."""
        asked = QuestionAsked(agent=current_call().agent, question=question, options=options, about=about)
        answer = await self._questions.put(asked, self.session)
        if about == "indication" and answer and self._turn is not None:
            answer = self._indication = answer[:MAX_ORDER_CHARS]
            reading = self.session.reading
            reading.study = reading.study.model_copy(update={"indication": answer})
            self._turn.put(Indicated(text=answer))
        return answer

    async def propose(self, proposal: Proposal) -> Decided:
        """Put a change before the person for an agent; what they accept is their own edit. One after the other."""
        with self.session.waiting():
            async with self._proposing:
                return await self._decided(proposal)

    async def _decided(self, proposal: Proposal) -> Decided:
        report, session = self.report, self.session
        if report is None:
            return Decided(accepted=False, message="There is no report yet.")
        agent = current_call().agent
        asked = QuestionAsked(agent=agent, question=wording(proposal, report), options=(YES, NO), about="proposal")
        answer = await self._questions.put(asked, session)
        if (answer or "").strip().lower() not in (YES, "y"):
            return Decided(accepted=False, message="The reader declined.")
        while self.reader is None:
            name = await self._questions.put(QuestionAsked(agent=agent, question="Your name, for the record?"), session)
            if not (name or "").strip():
                return Decided(accepted=False, message="The reader gave no name, so nothing was changed.")
            try:
                self.reader = person(name or "", report)
            except ReviewError as error:
                session.reading.emit(Notice(code=error.code, message=str(error)))
        try:
            version = self._corrections.concluded([action(proposal)])
        except ReviewError as error:
            return Decided(accepted=False, message=str(error))
        reading = session.reading
        stale = reading.rounds > 0
        reading.rounds, reading.accepted = 0, False
        self._corrections.take_up(version)
        reading.emit(ReportReady(report=version))
        again = " The draft that you submitted does not have it: submit it again." if stale else ""
        return Decided(accepted=True, message=f"Done: version {version.version} has the reader's change.{again}")

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
            StoreError: it cannot be kept; nothing was changed. `WET-STORE-CONFLICT`: the report was changed elsewhere;
                that version is in hand now.
        """
        self._idle()
        return await self._corrections.correct(actions, outcome, override)

    async def undo(self) -> Report:
        """Take back the last change of the report, a person's or a new draft; returns the next version.

        Raises:
            ReviewError: `WET-REVIEW-NOTHING`, there is nothing to take back; see `review.take_back`.
            ReadingError, StoreError: see `correct`.
        """
        self._idle()
        return await self._corrections.undo()

    # what it is read with

    async def use(self, *, model: str | None = None, template: str | None = None, study: Study | None = None) -> None:
        """Go on with another chat model, report template, or study (the same one, with priors).

        Raises:
            ConfigError: it cannot be used; all stays as it was.
            InputError: the same; `WET-INPUT-STUDY`, it is another study, or has another image where tools have looked.
            ReadingError: `WET-READING-BUSY`.
            StoreError: it cannot be kept; all stays as it was.
        """
        self._idle()
        async with self._corrections.changing:
            old = self.session
            if study is not None and study.indication is None and self._indication is not None:
                study = study.model_copy(update={"indication": self._indication})
            images = old.images if study is None else ImageBank(study)
            if study is not None:
                await self._check_same(study, images)
            chosen = self._model if model is None else self._sources.models(model)
            state = SessionState(
                transcript=old.transcript,
                evidence=tuple(old.ledger),
                issued=old.ledger.issued,
                artifacts=old.artifacts,
                report=old.report,
                turns=old.turns,
            )
            remembered = self._endpoints
            try:
                if study is not None:
                    # tools may say something else of it now; endpoints know what they said
                    self._endpoints = RememberedEndpoints(self._sources.endpoints, self.folder / "answers")
                new = self._open(study or old.study, template or old.template.name, chosen, images, state)
                await self._corrections.keep([await self._opened(new)])
            except BaseException:
                self._endpoints = remembered
                if model is not None and chosen is not None:
                    await chosen.aclose()
                raise
            if study is None:
                new.reading.shared = old.reading.shared
            before, self._model, self.session = self._model, chosen, new
            if model is not None and chosen is not None:
                self._own_models.append(chosen)
            await old.aclose()
            if before is not chosen and before in self._own_models:
                self._own_models.remove(before)
                await before.aclose()

    async def aclose(self) -> None:
        """End a running turn, keep what it told, and let go of what nobody needs any more."""
        if self._closed:
            return
        self._closed = True
        if self._turn is not None:
            await self._finish(self._turn)
        await self.session.aclose()
        for model in self._own_models:
            await model.aclose()
        await self._log.close()
        if self.report is not None and self.report.status in SIGNED:
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
            carry=self._corrections.carry,
        )

    def _heed(self, event: Event) -> None:
        if isinstance(event, ToolFinished):
            self._endpoints.ended(event.call, useless=event.status == "failed")

    async def _finish(self, turn: Turn) -> None:
        """The end of a turn, however it came: nothing of it is left running, and what it told is kept if it can be."""
        left = await turn.end()
        with contextlib.suppress(WetreadError):  # whoever follows has had the error already, or has left
            await self._corrections.keep(left)
        self._corrections.end_turn()
        if self._turn is turn:
            self._turn = None

    async def _opened(self, session: Session) -> Opened:
        return Opened(
            template=session.template.name,
            model=session.reading.language_model,
            modes=session.reading.modes,
            images=await _hashes(session.images, session.study),
        )

    async def _check_same(self, study: Study, images: ImageBank) -> None:
        """Whether it is the study that is read: the same images, and no other one where tools have looked."""
        old = self.session
        there, had = await _hashes(images, study), await _hashes(old.images, old.study)
        looked_at = {handle for one in old.ledger for handle in one.inputs}
        for image in old.study.images:
            same = there.get(image.handle) == had[image.handle]
            if not same and (image.role == "current" or image.handle in looked_at):
                raise _another_study()

    def _idle(self) -> None:
        if self._closed:
            raise ReadingError("WET-READING-CLOSED", "The session is closed.", "Open it again.")
        if self.busy:
            raise ReadingError("WET-READING-BUSY", "A turn is running.", "Wait for its end, or cancel it, first.")


async def _hashes(images: ImageBank, study: Study) -> dict[str, str]:
    return {image.handle: await images.sha256(image.handle) for image in study.images}


def _another_study() -> InputError:
    return InputError(
        "WET-INPUT-STUDY", "The images are not those that the session is about.", "Name the study it began with."
    )

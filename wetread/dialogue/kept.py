"""What the store has of a session, as another process goes on from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wetread.agents.protocol_answers import SUBMIT, data_of
from wetread.agents.spec import ORCHESTRATOR
from wetread.agents.transcript import repaired, without_results
from wetread.artifacts import ArtifactStore
from wetread.events import Event, ToolFinished, ToolStarted, TurnEnded, TurnStarted
from wetread.evidence import Evidence
from wetread.messages import ChatMessage
from wetread.reports.model import Report
from wetread.session import SessionState
from wetread.store import Store
from wetread.store.journal import NO_EVENTS, Indicated, JournalEntry, Opened, ReportKept, Said, TakenBack
from wetread.tools.base import ToolAnswer


@dataclass(frozen=True)
class Kept:
    """A session as its journal tells it.

    Attributes:
        entries: The whole journal.
        state: What a session goes on from.
        opened: What it was read with last; None for a session whose journal was not written as it happened.
        versions: The versions of its report, oldest first.
        indication: What a person said the exam is for.
        cut_off: Whether the last turn has no end: the process was killed while it ran.
        back: Hash of each version that took others back to that of the one it went back to.
    """

    entries: tuple[JournalEntry, ...]
    state: SessionState
    opened: Opened | None
    versions: tuple[Report, ...]
    indication: str | None
    cut_off: bool
    back: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The number of the journal's next entry."""
        return len(self.entries) + 1

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, without messages and what the session was opened with."""
        return tuple(one for one in self.entries if not isinstance(one, NO_EVENTS))


def read_kept(store: Store, session: str) -> Kept:
    """Read a session.

    Raises:
        StoreError: there is none of that id, or what it has is damaged.
    """
    entries = tuple(store.sessions.entries(session))
    finished = [one for one in entries if isinstance(one, ToolFinished)]
    versions = _versions(store, entries)
    report = versions[-1] if versions else None
    evidence = _evidence(finished, versions)
    turns = [one for one in entries if isinstance(one, TurnStarted | TurnEnded)]
    state = SessionState(
        transcript=_transcript(entries, finished),
        evidence=tuple(evidence.values()),
        issued=max(
            (int(one.evidence[1:]) for one in entries if isinstance(one, ToolStarted) and one.evidence), default=0
        ),
        answers=_answers(finished),
        artifacts=_artifacts(store, list(evidence.values())),
        report=report,
        turns=sum(isinstance(one, TurnStarted) for one in turns),
    )
    return Kept(
        entries=entries,
        state=state,
        opened=next((one for one in reversed(entries) if isinstance(one, Opened)), None),
        versions=versions,
        indication=next((one.text for one in reversed(entries) if isinstance(one, Indicated)), None),
        cut_off=bool(turns) and isinstance(turns[-1], TurnStarted),
        back={one.sha256: one.to for one in entries if isinstance(one, TakenBack)},
    )


def _versions(store: Store, entries: Sequence[JournalEntry]) -> tuple[Report, ...]:
    kept = [one.sha256 for one in entries if isinstance(one, ReportKept)]
    if not kept:
        return ()
    # all of them: the report may have been reviewed outside of the session since
    return tuple(store.reports.get(one.sha256) for one in store.reports.versions(kept[-1]))


def _evidence(finished: Sequence[ToolFinished], versions: Sequence[Report]) -> dict[str, Evidence]:
    """What tools found, and what persons saw: that stands in the versions they made alone. An id is used once."""
    found = {one.evidence.id: one.evidence for one in finished if one.evidence is not None}
    for version in reversed(versions):
        for one in version.evidence:
            found.setdefault(one.id, one)
    return found


def _transcript(entries: Sequence[JournalEntry], finished: Sequence[ToolFinished]) -> tuple[ChatMessage, ...]:
    """The messages, each tool use with its result. A result that came in the last moment has no message yet."""
    said = [one.message for one in entries if isinstance(one, Said)]
    answered = {message.tool_use_id for message in said if message.role == "tool"}
    # specialists number their calls as they like
    late = {
        one.call: ChatMessage(
            role="tool", text=one.answer, tool_use_id=one.call, failed=one.status in ("failed", "refused")
        )
        for one in finished
        if one.agent == ORCHESTRATOR and one.answer and one.call not in answered
    }
    return without_results(repaired(_with_late(said, late)), _lost_drafts(entries))


def _lost_drafts(entries: Sequence[JournalEntry]) -> set[str]:
    """Calls by which a draft was accepted whose report was not kept any more: it has to be submitted again."""
    lost: set[str] = set()
    open_: set[str] = set()
    for one in entries:
        if isinstance(one, ReportKept):
            open_ = set()
        elif isinstance(one, TurnStarted):
            lost |= open_
            open_ = set()
        elif isinstance(one, ToolFinished) and _accepted(one):
            open_.add(one.call)
    return lost | open_


def _with_late(said: Sequence[ChatMessage], late: Mapping[str, ChatMessage]) -> Iterator[ChatMessage]:
    for message in said:
        yield message
        yield from (late[use.id] for use in message.tool_uses if use.id in late)


def _accepted(one: ToolFinished) -> bool:
    return (one.agent, one.tool) == (ORCHESTRATOR, SUBMIT) and data_of(one.answer).get("accepted") is True


def _answers(finished: Sequence[ToolFinished]) -> tuple[ToolAnswer, ...]:
    first: dict[str, ToolAnswer] = {}
    for one in finished:
        if one.evidence is not None and one.answer:
            first.setdefault(one.evidence.id, ToolAnswer(text=one.answer, failed=False, evidence=one.evidence))
    return tuple(first[id] for id in sorted(first, key=lambda id: int(id[1:])))


def _artifacts(store: Store, evidence: Sequence[Evidence]) -> ArtifactStore:
    loaded = ArtifactStore()
    for handle in dict.fromkeys(handle for one in evidence for handle in one.artifacts):
        known, data = store.artifacts.describe(handle), store.artifacts.get(handle)
        if known is not None and data is not None:
            loaded.put(handle.partition(":")[0], data, known.media_type, known.summary)
    return loaded

"""What the tests of a dialogue share: a study, endpoints whose calls are counted, scripts, and how to follow a turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from wetread.agents.chat import ChatModel, ChatRequest
from wetread.dialogue.answers import _key
from wetread.dialogue.dialogue import Dialogue, Sources
from wetread.events import Event, QuestionAsked, TurnEnded
from wetread.messages import ChatMessage
from wetread.store import Store
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.testing.phantom import chest_phantom
from wetread.testing.scripted import ScriptedModel, calls
from wetread.testing.simulated import SimulatedEndpoints
from wetread.tools.endpoints.port import EndpointName, EndpointReply, EndpointRequest

EFFUSION = "There is a small left pleural effusion."
SENTENCES = [[EFFUSION, None], ["The heart size is normal.", None], ["The lungs are clear.", None]]
UNSEEN = ("lines_and_tubes", "lungs", "heart", "mediastinum_and_hila", "bones", "soft_tissues", "upper_abdomen")
LOOK = calls(("report_findings", {}))
READER = "Ada Example"


def draft(
    text: str = EFFUSION, impression: str = "Small left pleural effusion.", evidence: str = "E1", **more: Any
) -> dict[str, Any]:
    """A draft as a model submits it, with one sentence about the pleura."""
    return {
        "findings": [{"system": "pleura", "text": text, "evidence": [evidence]}],
        "impression": [{"text": impression, "evidence": [evidence]}],
        "not_assessed": dict.fromkeys(UNSEEN, "No tool looked at it."),
    } | more


def submit(*args: Any, **more: Any) -> Any:
    return calls(("submit_report", draft(*args, **more)))


SUBMIT = submit()


def script(replies: Any) -> dict[str, Any]:
    """What the orchestrator says; the reviewer has no objections."""
    return {"orchestrator": replies, "reviewer": lambda request: '{"objections": []}'}


def by_turn(*replies: Any) -> Any:
    """Looks, then answers each turn with its reply, however often it is sent back."""

    def answer(request: ChatRequest) -> Any:
        turn = sum(message.role == "user" for message in request.messages)
        looked = any(message.role == "tool" for message in request.messages)
        return replies[min(turn, len(replies)) - 1] if looked else LOOK

    return script(answer)


def make_study(folder: Path, seed: int = 1) -> Study:
    path = folder / f"chest{seed}.png"
    Image.fromarray(chest_phantom(192, seed=seed).pixels).save(path)
    return read_study([path], view="PA")


class Counted:
    """Simulated endpoints whose requests are counted, and which may be made to hang."""

    def __init__(self) -> None:
        self._inner = SimulatedEndpoints(only=("cxrreportgen", "medimageparse", "medimageinsight"), answers=_answers)
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.hang: set[EndpointName] = set()
        self.reached = asyncio.Event()

    async def score(self, request: EndpointRequest) -> EndpointReply:
        key = f"{request.endpoint}:{_key(request)}"
        self.asked[key] += 1
        if request.endpoint in self.hang:
            self.reached.set()
            await asyncio.sleep(3600)
        reply = await self._inner.score(request)
        self.answered[key] += 1
        return reply

    def configured(self, endpoint: EndpointName) -> bool:
        return self._inner.configured(endpoint)

    async def aclose(self) -> None: ...


def _answers(request: EndpointRequest) -> list[Any] | None:
    return [{"output": orjson.dumps(SENTENCES).decode()}] if request.endpoint == "cxrreportgen" else None


def sources(model: ChatModel | None = None, endpoints: Any = None, **options: Any) -> Sources:
    options.setdefault("models", lambda name: ScriptedModel([], name=name))
    options.setdefault("now", lambda: datetime(2031, 1, 2, tzinfo=UTC))
    return Sources(endpoints=endpoints or Counted(), model=model, **options)


async def begin(study: Study, used: Sources, store: Store, folder: Path, **options: Any) -> Dialogue:
    made = await Dialogue.begin(study, used, store=store, folder=folder, **options)
    made.reader = READER
    return made


async def resume(old: Dialogue | str, study: Study, used: Sources, store: Store, folder: Path) -> Dialogue:
    id = old if isinstance(old, str) else old.id
    made = await Dialogue.resume(id, study, used, store=store, folder=folder)
    made.reader = READER
    return made


async def say(dialogue: Dialogue, text: str = "Read this.") -> list[Event]:
    """A whole turn, questions skipped; afterwards nothing of it is left."""
    events = []
    async for event in dialogue.send(text):
        events.append(event)
        if isinstance(event, QuestionAsked):
            dialogue.answer(None)
    assert not others()
    return events


def of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def ended(events: list[Event]) -> TurnEnded:
    (end,) = of(events, TurnEnded)
    assert isinstance(end, TurnEnded)
    return end


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def well_formed(messages: tuple[ChatMessage, ...]) -> None:
    """As a chat API takes it: behind each message with tool uses stand their results, in order, and nowhere else."""
    open_: list[str] = []
    seen: set[str] = set()
    for message in messages:
        if message.role == "tool":
            assert open_ and message.tool_use_id == open_.pop(0), message
            continue
        assert not open_, f"without a result: {open_}"
        assert message.text or message.tool_uses, "an empty message"
        open_ = [use.id for use in message.tool_uses]
        assert not seen & set(open_), "a call id is used twice"
        seen |= set(open_)
        assert message.role == "assistant" or not open_
    assert not open_, f"without a result: {open_}"


def words(dialogue: Dialogue) -> dict[str, str]:
    """The statements of the report in hand, by id."""
    assert dialogue.report is not None
    return {one.id: one.text for one in dialogue.report.statements()}

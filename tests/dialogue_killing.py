"""Kills a process that leads a dialogue, again and again, and has the next one go on. Run by `test_dialogue_killed.py`.

Endpoints are served over HTTP by a process of their own. The one that leads the dialogue is forked from this one, says
each event that it is told and each request that it sends, and is killed at a random point. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import select
import signal
import socket
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dialogues import Counted, draft, make_study, script, well_formed

from wetread.agents.chat import ChatModel, ChatReply, ChatRequest
from wetread.config import load_settings
from wetread.dialogue.answers import _key
from wetread.dialogue.dialogue import Dialogue, Sources
from wetread.dialogue.kept import read_kept
from wetread.events import EVENTS, ReportReady, TextDelta, ToolFinished
from wetread.review import Edit
from wetread.session import warm
from wetread.store import Store
from wetread.study import Study
from wetread.testing.scripted import ScriptedModel, calls
from wetread.testing.simulated import Latency
from wetread.testing.simulated_wire import asgi_app
from wetread.tools.endpoints.client import HttpEndpoints
from wetread.tools.endpoints.port import EndpointName, EndpointReply, EndpointRequest

EDITED = "There is a left effusion, as I see it."


class Telling:
    """Endpoints that say each request before it is sent."""

    def __init__(self, inner: HttpEndpoints, out: int) -> None:
        self._inner, self._out = inner, out

    async def score(self, request: EndpointRequest) -> EndpointReply:
        _say(self._out, {"asked": _key(request)})
        return await self._inner.score(request)

    def configured(self, endpoint: EndpointName) -> bool:
        return self._inner.configured(endpoint)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Talking(ScriptedModel):
    """A language model that looks, talks in pieces, drafts, and asks for what it did not get."""

    async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
        if on_text is not None and request.agent == "orchestrator":
            for piece in ("I look", " at ", "it.\n"):
                on_text(piece)
                await asyncio.sleep(0.002)
        return await super().complete(request, on_text)


def reply(request: ChatRequest) -> Any:
    said = [message.text for message in request.messages if message.role == "tool" and not message.failed]
    seen = [found for text in said if '"findings"' in text and (found := re.search(r'"evidence":"(E\d+)"', text))]
    if not seen:
        return calls(
            ("report_findings", {}),
            ("classify", {"findings": ["nodule", "pleural effusion"]}),
            ("measure", {"measurements": ["cardiothoracic_ratio"]}),
            text="First I look.",
        )
    return calls(("submit_report", draft(evidence=seen[0][1])))


def _say(out: int, what: dict[str, Any]) -> None:
    os.write(out, json.dumps(what).encode() + b"\n")


def model_for(life: int) -> ChatModel | None:
    return Talking(script(reply)) if life % 2 else None


async def live(base: str, place: Path, study: Study, id: str | None, life: int, out: int) -> None:
    """Go on with a session, or begin one: read it, correct it, have it drafted anew."""
    variables = {
        f"WETREAD_{name.upper()}_URL": f"{base}/{name}/score"
        for name in ("cxrreportgen", "medimageparse", "medimageinsight")
    }
    endpoints = Telling(HttpEndpoints(load_settings(place, variables)), out)
    used = Sources(endpoints, lambda name: ScriptedModel([]), model_for(life), now=lambda: datetime.now(UTC))
    with Store.open(place / "store.db") as store:
        if id is None:
            dialogue = await Dialogue.begin(study, used, store=store, folder=place / "chat")
        else:
            dialogue = await Dialogue.resume(id, study, used, store=store, folder=place / "chat")
        dialogue.reader = "Ada Example"
        well_formed(dialogue.session.transcript)
        _say(out, {"session": dialogue.id})
        async with dialogue:
            for text in ("Read this.", "Read it again."):
                async for event in dialogue.send(text):
                    _say(out, {"event": EVENTS.dump_python(event, mode="json")})
                report = dialogue.report
                first = next((one.id for one in report.statements()), None) if report else None
                if first is not None:
                    version = await dialogue.correct([Edit(statement=first, text=EDITED)])
                    _say(out, {"version": version.sha256})
        _say(out, {"done": dialogue.report is not None})
    await endpoints.aclose()


def kill_one(
    base: str, place: Path, study: Study, id: str | None, life: int, after: float | None, lines: int = 10**6
) -> list[Any]:
    """One life, killed so many seconds after it has opened the session, or said so many lines; what it said."""
    read, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            asyncio.run(live(base, place, study, id, life, out))
        except BaseException as error:
            _say(out, {"error": repr(error)[:500]})
        finally:
            os._exit(0)
    os.close(out)
    said = b""
    while b"\n" not in said and (more := os.read(read, 65536)):
        said += more
    if after is not None:
        until = time.monotonic() + after
        while (left := until - time.monotonic()) > 0 and select.select([read], [], [], left)[0]:
            if not (more := os.read(read, 65536)):
                break
            said += more
            if said.count(b"\n") >= lines:
                break
        os.kill(child, signal.SIGKILL)
    while more := os.read(read, 65536):
        said += more
    os.waitpid(child, 0)
    os.close(read)
    return [json.loads(line) for line in said.decode().split("\n")[:-1]]


def wrongs(place: Path, id: str, told: list[Any]) -> list[str]:
    """What does not hold after a kill."""
    wrong: list[str] = []
    events = [EVENTS.validate_python(one["event"]) for one in told if "event" in one]
    with Store.open(place / "store.db") as store:
        kept = read_kept(store, id)
        well_formed(kept.state.transcript)
        there = Counter(one.model_dump_json() for one in kept.events)
        for event in events:
            if isinstance(event, ReportReady):
                store.reports.get(event.report.sha256)
            elif not isinstance(event, TextDelta) and not there[event.model_dump_json()]:
                wrong.append(f"told and not kept: {event.type}")
        pieces = "".join(one.text for one in events if isinstance(one, TextDelta))
        whole = "".join(one.text for one in kept.events if isinstance(one, TextDelta))
        if pieces not in whole:
            wrong.append("a piece of text was told and is not kept")
        for one in told:
            if "version" in one:
                store.reports.get(one["version"])
        finished = [one.evidence for one in kept.entries if isinstance(one, ToolFinished) and one.evidence is not None]
        if {one.id: one for one in finished} != {one.id: one for one in store.sessions.evidence(id)}:
            wrong.append("journal and evidence differ")
        for version in kept.versions:
            ids = {one.id for one in version.evidence}
            if not {cited for one in version.statements() for cited in one.evidence} <= ids:
                wrong.append("a statement cites what is not there")
        if kept.versions:
            wrong += store.reports.verify(kept.versions[-1].sha256)
    return wrong + [one["error"] for one in told if "error" in one]


def main(place: Path, times: int, seed: int) -> int:
    study = make_study(place)
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = os.fork()
    if server == 0:
        import uvicorn

        seconds: dict[EndpointName, float] = dict.fromkeys(("cxrreportgen", "medimageparse", "medimageinsight"), 0.03)
        app = asgi_app(latency=Latency(seconds=seconds))
        uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listening])
        os._exit(0)
    try:
        return _kill(base, place, study, times, random.Random(seed))
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


def _kill(base: str, place: Path, study: Study, times: int, chance: random.Random) -> int:
    for name in ("warm", "whole"):
        (place / name).mkdir()
    asyncio.run(_warm_up(study, place / "warm"))
    began = time.monotonic()
    whole = kill_one(base, place / "whole", study, None, 0, None)
    longest = 0.6 * (time.monotonic() - began)
    wrong = [str(one) for one in whole if "error" in one]
    found: Counter[str] = Counter()
    id: str | None = None
    had: set[str] = set()  # what the endpoints have answered and the disk has
    for life in range(times):
        told = kill_one(base, place, study, id, life, chance.uniform(0, longest), chance.randint(2, 24))
        again = had & {one["asked"] for one in told if "asked" in one}
        wrong += [f"life {life}: asked again: {key[:8]}" for key in again]
        id = next((one["session"] for one in told if "session" in one), id)
        if id is None:
            continue
        wrong += [f"life {life}: {one}" for one in wrongs(place, id, told)]
        had |= {one.name for one in (place / "chat" / id / "answers").glob("[0-9a-f]*")}
        done = any("done" in one for one in told)
        found["in the middle"] += not done and any("event" in one for one in told)
        found["with answers"] += bool(had)
        found["asked"] += sum("asked" in one for one in told)
        found["events"] += sum("event" in one for one in told)
        if done or life % 5 == 4:
            # the last life of a session comes to its end
            told = kill_one(base, place, study, id, life, None)
            again = had & {one["asked"] for one in told if "asked" in one}
            wrong += [f"last life {life}: asked again: {key[:8]}" for key in again]
            wrong += [f"last life {life}: {one}" for one in wrongs(place, id, told)]
            found["whole"] += {"done": True} in told
            if {"done": True} not in told:
                wrong.append(f"last life {life}: no report: {_last_words(told)}")
            found["sessions"] += 1
            id, had = None, set()
    with Store.open(place / "store.db") as store:
        wrong += store.audit.verify().problems
    print(json.dumps({"wrong": wrong[:40], **found}))  # noqa: T201
    return 0


def _last_words(told: list[Any]) -> str:
    ends = [one["event"] for one in told if "event" in one and one["event"]["type"] == "turn_ended"]
    return "; ".join(f"{one['outcome']}: {one['text']}" for one in ends)[:400]


async def _warm_up(study: Study, place: Path) -> None:
    """Import what is imported late, so that lives are killed while they work and not while they load."""
    await warm()
    with Store.open(place / "store.db") as store:
        used = Sources(Counted(), lambda name: ScriptedModel([]), Talking(script(reply)))
        async with await Dialogue.begin(study, used, store=store, folder=place / "chat") as dialogue:
            async for _ in dialogue.send("Read this."):
                pass


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))

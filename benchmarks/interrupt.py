"""From Ctrl-C to a turn that is over: how long it takes wherever it is caught, the worst of several."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.table import Row
from wetread.agents.chat import ChatReply, ChatRequest
from wetread.dialogue.dialogue import Dialogue, Sources
from wetread.events import Event, ModelCalled, QuestionAsked, ToolStarted, TurnEnded, TurnStarted
from wetread.store import Store
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.testing.phantom import chest_phantom
from wetread.testing.scripted import ScriptedModel, calls
from wetread.testing.simulated import Latency, SimulatedEndpoints
from wetread.tools.endpoints.port import ENDPOINT_NAMES

LIMIT_MS = 100.0
TIMES = 7
ANSWER = "result:\n  answer: {about: one word}\n"
AGENTS = {
    "orchestrator": "description: Reads.\nprovides: [report]\nprompt: orchestrator.md.j2\n"
    "tools: [report_findings, submit_report]\nconsults: [outer]\n",
    "outer": f"description: Asks on.\nprompt: plain.md.j2\ntools: []\nconsults: [inner]\n{ANSWER}",
    "inner": f"description: Answers.\nprompt: plain.md.j2\ntools: []\n{ANSWER}",
}


class Hanging(ScriptedModel):
    """Never comes to an end where its script says `hang`."""

    async def complete(self, request: ChatRequest, on_text: Any = None) -> ChatReply:
        reply = await super().complete(request, on_text)
        if reply.text == "hang":
            await asyncio.sleep(3600)
        return reply


def nested(workspace: Path) -> Path:
    """A workspace in which the orchestrator asks an agent that asks another."""
    (workspace / "agents").mkdir(parents=True)
    (workspace / "prompts" / "agents").mkdir(parents=True)
    (workspace / "prompts" / "agents" / "plain.md.j2").write_text("Answer.", "utf-8")
    for name, text in AGENTS.items():
        (workspace / "agents" / f"{name}.yaml").write_text(f"name: {name}\n{text}", "utf-8")
    return workspace


class Case:
    """Where a turn is caught: what the model says, and at which event, so many seconds after it."""

    def __init__(self, what: str, says: dict[str, Any], at: Callable[[Event], bool], nested: bool = False) -> None:
        self.what, self.says, self.at, self.nested = what, says, at, nested


ALL = calls(
    ("report_findings", {}),
    ("measure", {"measurements": ["cardiothoracic_ratio"]}),
    ("classify", {"findings": ["nodule"]}),
)
ASK = calls(("ask_person", {"question": "What for?"}))
CASES = (
    Case("a model call that hangs", {"orchestrator": "hang"}, lambda event: isinstance(event, ModelCalled)),
    Case("tools in flight", {"orchestrator": ALL}, lambda event: isinstance(event, ToolStarted)),
    Case(
        "a specialist in a specialist",
        {"orchestrator": calls(("consult_outer", {})), "outer": calls(("consult_inner", {})), "inner": "hang"},
        lambda event: isinstance(event, ModelCalled) and event.agent == "inner",
        nested=True,
    ),
    Case("a question to the person", {"orchestrator": ASK}, lambda event: isinstance(event, QuestionAsked)),
    Case("the first moments of a turn", {"orchestrator": "hang"}, lambda event: isinstance(event, TurnStarted)),
)


async def interrupted(case: Case, study: Study, store: Store, folder: Path) -> float:
    """Milliseconds from the cancelling to the end of the turn, kept and told."""
    slow = SimulatedEndpoints(latency=Latency(seconds=dict.fromkeys(ENDPOINT_NAMES, 3600.0)))
    model = Hanging({agent: (lambda request, said=said: said) for agent, said in case.says.items()})
    workspace = nested(folder / "workspace") if case.nested and not (folder / "workspace").exists() else None
    used = Sources(
        slow, lambda name: model, model, workspace=workspace or (folder / "workspace" if case.nested else None)
    )
    cancelled = 0.0
    async with await Dialogue.begin(study, used, store=store, folder=folder) as dialogue:

        def cancel() -> None:
            nonlocal cancelled
            cancelled = time.perf_counter()
            dialogue.cancel()

        async for event in dialogue.send("Read this."):
            if not cancelled and case.at(event):
                # a moment later: what was begun is under way
                asyncio.get_running_loop().call_later(0.05, cancel)
            if isinstance(event, TurnEnded):
                assert event.outcome == "cancelled", event
        taken = (time.perf_counter() - cancelled) * 1000
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
    return taken


def cold(study: Path) -> float:
    """The first turn of a process, caught while it still loads what it needs."""
    code = (
        "import asyncio, sys, tempfile; from pathlib import Path; from benchmarks import interrupt as it\n"
        "from wetread.store import Store; from wetread.study_reading import read_study\n"
        "folder = Path(tempfile.mkdtemp())\n"
        "with Store.open(folder / 'store.db') as store:\n"
        "    study = read_study([sys.argv[1]], view='PA')\n"
        "    print(asyncio.run(it.interrupted(it.CASES[-1], study, store, folder)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(study)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(chest_phantom(1024).pixels).save(folder / "chest.png")
        study = read_study([folder / "chest.png"], view="PA")
        with Store.open(folder / "store.db") as store:
            for case in CASES:
                taken = [asyncio.run(interrupted(case, study, store, folder)) for _ in range(TIMES)]
                rows.append(Row(f"interrupt {case.what}", max(taken), "ms", LIMIT_MS, f"worst of {TIMES}"))
        taken = [cold(folder / "chest.png") for _ in range(TIMES)]
        rows.append(Row("interrupt a process's first turn", max(taken), "ms", LIMIT_MS, f"worst of {TIMES}"))
    return rows

"""What the other benchmarks read: a phantom's study, and the two turns with which a language model reads it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from wetread.agents.chat import ChatReply, ChatRequest
from wetread.events import DraftSubmitted
from wetread.session import Session
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.testing.phantom import chest_phantom
from wetread.testing.scripted import ScriptedModel, calls

ALL_TOOLS = calls(
    ("study_context", {}),
    ("report_findings", {"image": "image_1"}),
    ("segment", {"image": "image_1", "structures": ["left lung", "right lung", "heart"]}),
    ("measure", {"image": "image_1", "quantities": ["cardiothoracic_ratio"]}),
    ("classify", {"image": "image_1"}),
)
DRAFT = calls(
    (
        "submit_report",
        {
            "findings": [
                {
                    "system": "heart",
                    "text": "The heart size is normal; the cardiothoracic ratio is {E4.cardiothoracic_ratio}.",
                    "evidence": ["E4"],
                }
            ],
            "impression": [{"text": "Normal heart size.", "evidence": ["E4"]}],
            "not_assessed": dict.fromkeys(
                (
                    "lines_and_tubes",
                    "lungs",
                    "pleura",
                    "mediastinum_and_hila",
                    "bones",
                    "soft_tissues",
                    "upper_abdomen",
                ),
                "Left out by this script.",
            ),
        },
    )
)
NO_OBJECTIONS = '{"objections": []}'


class TimedModel(ScriptedModel):
    """A scripted reader whose every answer takes `seconds`; a reviewer, if asked, objects to nothing."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__({"orchestrator": [ALL_TOOLS, DRAFT], "reviewer": [NO_OBJECTIONS]})
        self._seconds = seconds

    async def complete(self, request: ChatRequest, on_text: object = None) -> ChatReply:
        await asyncio.sleep(self._seconds)
        return await super().complete(request, None)


def phantom_study(folder: Path) -> Study:
    path = folder / "frontal.png"
    chest_phantom(seed=4).write_png(path)
    return read_study([path], view="PA", indication="Cough.")


async def read(session: Session) -> None:
    """One whole reading; a report must come of its first draft."""
    async for event in session.send("Read this study."):
        if isinstance(event, DraftSubmitted) and event.round > 1:
            raise RuntimeError("The scripted draft was sent back: give the phantom a seed whose findings it fits.")
    session.result()

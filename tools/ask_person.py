"""`ask_person`: a question to the person who reads, for what no tool can tell. The wait costs nothing."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, JsonValue

from wetread.errors import ToolError
from wetread.evidence import ModelVersion
from wetread.reports.plain import plain
from wetread.study import Study, StudyImage
from wetread.tools.arguments import Words
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.outside_text import present
from wetread.tools.person import About, no_person
from wetread.tools.study_context import MAX_ORDER_CHARS
from wetread.vocabulary import Origin

MAX_OPTIONS = 12
_HANDLE = re.compile(r"image_[1-9][0-9]{0,5}")


class AskPersonArguments(Arguments):
    """The question."""

    question: str = Field(min_length=1, max_length=500)
    options: Words = Field(default=(), max_length=MAX_OPTIONS)
    about: About = "other"


class AskPerson(Tool[AskPersonArguments]):
    """Asks the reader. Which prior is meant is answered by its handle, chosen among the study's own."""

    name = "ask_person"
    card = "Ask the reader what no tool can tell. about prior: offers the prior frontals, answers with a handle."
    arguments = AskPersonArguments
    deadline_s = None
    makes_evidence = False

    def precheck(self, arguments: AskPersonArguments, reading: Reading) -> None:
        if reading.person is None:
            raise no_person()
        if arguments.about == "prior" and not prior_frontals(reading.study):
            raise ToolError("WET-TOOL-HANDLE", "This study has no prior frontal image.")

    async def run(self, arguments: AskPersonArguments, reading: Reading) -> Outcome:
        person = reading.person
        assert person is not None
        priors = prior_frontals(reading.study)
        if arguments.about == "prior" and len(priors) == 1:
            return _outcome({"answer": priors[0].handle}, "there is one prior frontal image")
        options = tuple(plain(option) for option in arguments.options)
        if arguments.about == "prior":
            options = tuple(label(image) for image in priors)
        answer = await person.ask(plain(arguments.question), options=options, about=arguments.about)
        if answer is None or not answer.strip():
            return _outcome({"skipped": True}, "the reader skipped it")
        if arguments.about == "prior":
            return _prior(answer, options, priors)
        if arguments.about == "indication":
            return _outcome({"answer": present(answer, MAX_ORDER_CHARS)}, "the reader gave the indication")
        return _outcome({"answer": plain(answer)[:MAX_ORDER_CHARS]}, "the reader answered")


def prior_frontals(study: Study) -> list[StudyImage]:
    """The frontal radiographs of earlier studies, in the order of their handles."""
    return [image for image in study.priors if image.is_frontal]


def label(image: StudyImage) -> str:
    """A prior image as a person chooses it: `image_3: PA, 400 days before`."""
    days = image.days_before
    ago = "date unknown" if days is None else f"{days} day{'' if days == 1 else 's'} before"
    return f"{image.handle}: {image.view.value}, {ago}"


def _prior(answer: str, options: tuple[str, ...], priors: list[StudyImage]) -> Outcome:
    """The handle that was chosen: by the option's own words, by its number, or named in the answer."""
    handles = [image.handle for image in priors]
    said = answer.strip().lower()
    named = [handle for handle in dict.fromkeys(_HANDLE.findall(said)) if handle in handles]
    if len(named) != 1 and said.isdecimal() and 1 <= int(said[:6]) <= len(options):
        named = [handles[int(said[:6]) - 1]]
    if len(named) != 1:
        return _outcome({"skipped": True, "note": "The answer names none of the priors."}, "no prior was chosen")
    return _outcome({"answer": named[0]}, f"the reader chose {named[0]}")


def _outcome(said: dict[str, JsonValue], summary: str) -> Outcome:
    values: dict[str, Any] = dict(said)
    return Outcome(
        for_model=values, summary=summary, model=ModelVersion(name="wetread dialogue", version="1"), origin=Origin.CODE
    )

"""Commands about what it is read with: tools, priors, templates, chat models, agents."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from pydantic import ValidationError
from rich.text import Text

from wetread.apps.chat.asking import conversation, paths_of, wrong
from wetread.apps.chat.completing import named_models
from wetread.apps.chat.markdownish import CITED
from wetread.apps.chat.measuring import arguments_of
from wetread.apps.chat.views import note
from wetread.apps.chat.views_evidence import evidence_card
from wetread.apps.chat.views_tables import agents_table, image_line, models_table, templates_table, tools_table
from wetread.errors import InputError
from wetread.vocabulary import View

if TYPE_CHECKING:
    from wetread.apps.chat.desk import Desk
    from wetread.messages import ChatMessage
    from wetread.study import Study

_TEXTS = (".txt", ".text", ".md")
"""Names of an earlier report's file end so."""


async def do_measure(desk: Desk, words: str) -> None:
    """Measure for the person; what comes of it is evidence, which agents may cite."""
    dialogue = conversation(desk)
    arguments = arguments_of(words)
    before = len(dialogue.session.ledger)
    await desk.follow(dialogue.call("measure", arguments, said=f"/measure {words}".strip()))
    made = [one for one in list(dialogue.session.ledger)[before:] if one.tool == "measure" and one.measurements]
    for evidence in made:
        desk.screen.show(evidence_card(evidence, dialogue.report))
        for name, reason in _not_measured(dialogue.session.transcript[-1]):
            desk.screen.show(note(f"Not measurable: {name.replace('_', ' ')}: {reason}.", "yellow"))
    desk.changed()


def _not_measured(answer: ChatMessage) -> list[tuple[str, str]]:
    """What could not be measured, and why, as the agents are told it."""
    said = orjson.loads(answer.text) if answer.role == "tool" and not answer.failed else {}
    return [(one["name"], one["reason"]) for one in said.get("not_measurable", ())]


async def do_prior(desk: Desk, words: str) -> None:
    """Add an earlier image or report to the study."""
    dialogue = conversation(desk)
    if desk.files is None or not desk.files.paths:
        raise wrong("This study cannot be read again from here.", "/new with its path opens it, then /prior.")
    paths = paths_of(words)
    if not paths:
        raise wrong("Which earlier image or report?", "Write /prior PATH.")
    texts = [path for path in paths if Path(path).suffix.lower() in _TEXTS]
    if len(texts) > 1:
        raise wrong("A study has one prior report.", "Give the latest.")
    files = desk.files.with_prior(
        images=[path for path in paths if path not in texts], report=texts[0] if texts else None
    )
    old = dialogue.session.study
    study = _as_before(await asyncio.to_thread(files.read), old)
    await dialogue.use(study=study)
    desk.files = files
    known = {image.handle for image in old.images}
    for image in study.images:
        if image.handle not in known:
            desk.screen.show(Text.assemble("Added ", (f"[{image.handle}] ", CITED), image_line(image)))
            if image.view is View.UNKNOWN:
                desk.screen.show(note("Without a view it is not compared: name it in a study.yaml.", "yellow"))
    if texts:
        desk.screen.show(note("Added the prior report. What it says is text from outside: data, never instruction."))
    for warning in study.warnings:
        if warning not in old.warnings:
            desk.screen.show(note(warning, "yellow"))
    desk.changed()


def _as_before(study: Study, old: Study) -> Study:
    """A study read again, its images called as before, new ones after them, and with what a person said of it."""
    known = {(image.source.path, image.source.frame): image.handle for image in old.images}
    following = max(int(image.handle.removeprefix("image_")) for image in old.images)
    images = []
    for image in study.images:
        handle = known.get((image.source.path, image.source.frame))
        if handle is None:
            following += 1
            handle = f"image_{following}"
        images.append(image.model_copy(update={"handle": handle}))
    if len(images) == len(old.images) and study.prior_report == old.prior_report:
        raise wrong("That is among the study's images already.")
    return study.model_copy(update={"images": tuple(images), "indication": old.indication or study.indication})


async def do_template(desk: Desk, words: str) -> None:
    """List the templates, or take another."""
    from wetread.reports.template import check_study, load_template, template_names

    dialogue = conversation(desk)
    here = dialogue.session.template.name
    if words == here:
        desk.screen.show(note(f"{here} is the template already."))
        return
    if words:
        await dialogue.use(template=words)
        desk.screen.show(note(f"Template {dialogue.session.template.name}: the next draft is made by it."))
        desk.changed()
        return
    rows = []
    for name in template_names(desk.workspace):
        template = load_template(name, desk.workspace)
        try:
            check_study(template, dialogue.session.study)
        except InputError as error:
            rows.append((template, error.message))
        else:
            rows.append((template, ""))
    desk.screen.show(templates_table(rows, here))


async def do_model(desk: Desk, words: str) -> None:
    """List the chat models, or take another."""
    from wetread.config import Settings

    dialogue = conversation(desk)
    here = dialogue.session.reading.language_model
    if not words:
        desk.screen.show(models_table(named_models(desk), here))
        return
    try:
        Settings.model_validate({"model": words})
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        hint = "Write protocol, openai:NAME, azure:DEPLOYMENT or compatible:NAME."
        raise wrong(
            f"{said[:1].upper()}{said[1:]}" if "write" not in said else f"“{words[:40]}” is no model.", hint
        ) from None
    await dialogue.use(model=words)
    desk.screen.show(note(f"From here on {dialogue.session.reading.language_model} reads."))
    desk.changed()


async def do_agents(desk: Desk, words: str) -> None:
    """Who reasons."""
    from wetread.agents.spec import load_agents

    session = conversation(desk).session
    agents = load_agents(desk.workspace, session.tools)
    fitting = [name for name, spec in agents.items() if spec.fits(session.study)]
    model = session.reading.language_model
    desk.screen.show(agents_table(agents, fitting, model))
    if model == "protocol":
        desk.screen.show(note("The protocol reads by rules and asks no agent: /model takes a language model.", "dim"))


async def do_tools(desk: Desk, words: str) -> None:
    """The tools and their cards."""
    from wetread.config import ENDPOINT_NAMES

    session = conversation(desk).session
    configured = [name for name in ENDPOINT_NAMES if session.reading.endpoints.configured(name)]
    desk.screen.show(tools_table(session.tools.values(), configured))

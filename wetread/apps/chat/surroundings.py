"""What a chat works with, from the settings, the simulator or a recorded scenario; and what closes it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.agents.models import chat_model
from wetread.apps.wiring import open_endpoints, open_model
from wetread.dialogue.sources import Sources

if TYPE_CHECKING:
    from wetread.agents.budget import Budget
    from wetread.apps.chat.studies import StudySource
    from wetread.config import Settings
    from wetread.study import Study


async def surroundings(
    source: StudySource, settings: Settings, workspace: Path, budget: Budget
) -> tuple[AsyncExitStack, Study, Sources]:
    """The study, what a dialogue about it works with, and what closes all that was opened for it.

    Args:
        source: Where the study is from: a scenario answers from its tape, an archive's images are fetched first.

    Raises:
        ConfigError, InputError, PacsError, TapeError: something of it cannot be used; all else is closed again.
    """
    stack = AsyncExitStack()
    try:
        study = await _study(source, settings, workspace, stack)
        found = (
            _replayed(source.scenario, settings, workspace, stack)
            if source.scenario is not None
            else await _live(source, settings, workspace, stack)
        )
    except BaseException:
        await stack.aclose()
        raise
    return (
        stack,
        study,
        Sources(
            models=lambda name: chat_model(settings, name, workspace=workspace),
            workspace=workspace,
            budget=budget,
            scrub=study.scrub,
            **found,
        ),
    )


async def _study(source: StudySource, settings: Settings, workspace: Path, stack: AsyncExitStack) -> Study:
    from wetread.apps.pacs.place import is_address

    if any(is_address(path) for path in (*source.paths, *source.prior)):
        from wetread.apps.pacs.studies import local_study

        fetched = local_study(source.paths, source.prior, settings, tell=False)
        named = await asyncio.to_thread(stack.enter_context, fetched)
        source = source.at(named.paths, named.prior)
    return await asyncio.to_thread(source.read, workspace)


async def _live(source: StudySource, settings: Settings, workspace: Path, stack: AsyncExitStack) -> dict[str, Any]:
    from wetread.insight.library import CaseLibrary

    endpoints = open_endpoints(settings, simulated=source.simulated)
    stack.push_async_callback(endpoints.aclose)
    model = await asyncio.to_thread(open_model, settings, workspace)
    stack.push_async_callback(model.aclose)
    library = None
    if settings.library is not None:
        library = stack.enter_context(CaseLibrary.open(settings.library, read_only=True))
    modes = ("simulated",) if source.simulated else ()
    return {"endpoints": endpoints, "model": model, "library": library, "modes": modes}


def _replayed(name: str, settings: Settings, workspace: Path, stack: AsyncExitStack) -> dict[str, Any]:
    from wetread.scenarios.runner import open_replay
    from wetread.scenarios.scenario import find_scenarios

    scenario = find_scenarios([name], workspace)[0]
    replay = stack.enter_context(open_replay(scenario, workspace))
    found: dict[str, Any] = {
        "endpoints": replay.endpoints,
        "model": replay.model or open_model(settings.model_copy(update={"model": "protocol"}), workspace),
        "library": replay.library,
        "modes": replay.modes,
        "now": lambda: scenario.file.now,
    }
    if replay.model is not None:
        # what the tape's model was asked had no tools among it that reach a person
        found["tools"] = ()
    return found

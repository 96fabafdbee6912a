"""From settings to a session: the endpoints, the chat model, the library that a command works with."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.config import Settings, load_settings
from wetread.errors import ConfigError

if TYPE_CHECKING:
    from wetread.agents.chat import ChatModel
    from wetread.scenarios.runner import LiveSources
    from wetread.session import Session
    from wetread.study import Study
    from wetread.tools.endpoints.port import EndpointPort


def settings_for(workspace: Path, model: str | None = None) -> Settings:
    """The settings of a workspace; `model` stands for `WETREAD_MODEL`.

    Raises:
        ConfigError: something in them is wrong, or the workspace is no folder.
    """
    if not workspace.is_dir():
        raise ConfigError("WET-CONFIG-WORKSPACE", f"The workspace {workspace} is no folder.", "Check --workspace.")
    return load_settings(workspace, {**os.environ, "WETREAD_MODEL": model} if model else os.environ)


def open_endpoints(settings: Settings, *, simulated: bool) -> EndpointPort:
    """The endpoints to call.

    Raises:
        ConfigError: `WET-CONFIG-ENDPOINTS`, none are configured and none are to be simulated.
    """
    if simulated:
        from wetread.testing.simulated import SimulatedEndpoints

        return SimulatedEndpoints()
    if not settings.endpoints:
        raise ConfigError(
            "WET-CONFIG-ENDPOINTS",
            "No model endpoint is configured, so nothing can look at the images.",
            "Three ways on: set WETREAD_CXRREPORTGEN_URL and its like (see `wetread doctor`); add --simulated to try"
            " with made-up answers; or replay a recorded scenario with `wetread run`.",
        )
    from wetread.tools.endpoints.client import HttpEndpoints

    return HttpEndpoints(settings)


def open_model(settings: Settings, workspace: Path | None = None) -> ChatModel:
    """The chat model that the settings name; the protocol knows the templates of the workspace too.

    Raises:
        ConfigError: it cannot be built from them.
    """
    from wetread.agents.models import chat_model

    return chat_model(settings, workspace=workspace)


@asynccontextmanager
async def open_session(
    study: Study, settings: Settings, *, simulated: bool, template: str | None, workspace: Path
) -> AsyncIterator[Session]:
    """A session over a study, with all that it needs open, and closed after it.

    Raises:
        ConfigError: endpoints, model, library or workspace cannot be used.
        InputError: the template is not for this study.
    """
    async with AsyncExitStack() as stack:
        endpoints = open_endpoints(settings, simulated=simulated)
        stack.push_async_callback(endpoints.aclose)

        from wetread.agents.models import chat_model
        from wetread.insight.library import CaseLibrary
        from wetread.session import Session

        model = open_model(settings, workspace)
        stack.push_async_callback(model.aclose)
        library = None
        if settings.library is not None:
            library = stack.enter_context(CaseLibrary.open(settings.library, read_only=True))
        session = Session(
            study,
            endpoints=endpoints,
            model=model,
            template=template,
            library=library,
            modes=("simulated",) if simulated else (),
            workspace=workspace,
            models=lambda name: chat_model(settings, name, workspace=workspace),
        )
        yield await stack.enter_async_context(session)


@asynccontextmanager
async def open_live_sources(settings: Settings) -> AsyncIterator[LiveSources]:
    """What a recording may ask: the endpoints and the language model of the settings, those that there are."""
    from wetread.scenarios.runner import LiveSources

    async with AsyncExitStack() as stack:
        endpoints = None
        if settings.endpoints:
            endpoints = open_endpoints(settings, simulated=False)
            stack.push_async_callback(endpoints.aclose)
        model = None
        if settings.model_kind != "protocol":
            model = open_model(settings)
            stack.push_async_callback(model.aclose)
        keys = [settings.model_api_key, *(endpoint.key for endpoint in settings.endpoints.values())]
        yield LiveSources(
            endpoints=endpoints,
            model=model,
            host=lambda name: settings.endpoints[name].host if name in settings.endpoints else "",
            secrets=[key.get_secret_value() for key in keys if key is not None],
        )

"""Agents' prompts: Jinja2 files in `prompts/agents/`, a workspace's before the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.errors import ConfigError

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment


def agent_prompt(name: str, values: Mapping[str, Any], workspace: Path | None = None) -> str:
    """A prompt with its values filled in.

    Args:
        name: File name, such as `historian.md.j2`.
        values: What the prompt's `{{ }}` stand for; one that is missing is an error, not a gap.
        workspace: Folder that may hold a `prompts/agents/` of its own.

    Raises:
        ConfigError: WET-CONFIG-PROMPT: no such file, or a mistake in it, with the line where there is one.
    """
    from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

    shown = f"prompts/agents/{name}"
    try:
        return _environment(workspace).get_template(name).render(values).strip()
    except TemplateNotFound:
        raise ConfigError("WET-CONFIG-PROMPT", f"There is no prompt {shown}.", "Check the agent's 'prompt'.") from None
    except TemplateSyntaxError as error:
        raise ConfigError("WET-CONFIG-PROMPT", f"{shown}, line {error.lineno}: {error.message}.", "Mend it.") from None
    except TemplateError as error:
        raise ConfigError("WET-CONFIG-PROMPT", f"{shown}: {error.message}.", "Mend it.") from None


def has_agent_prompt(name: str, workspace: Path | None = None) -> bool:
    """Whether there is a prompt of that file name."""
    if "/" in name or "\\" in name:
        return False
    return name in _built_in_names() or any((root / name).is_file() for root in _roots(workspace))


@cache
def built_in_prompts() -> Path:
    """The folder of the prompts and templates that ship with wetread."""
    return Path(str(files("wetread.prompts")))


@cache
def _built_in_names() -> frozenset[str]:
    return frozenset(path.name for path in (built_in_prompts() / "agents").iterdir() if path.is_file())


def _roots(workspace: Path | None) -> list[Path]:
    built_in = built_in_prompts() / "agents"
    return [workspace / "prompts" / "agents", built_in] if workspace is not None else [built_in]


@lru_cache(maxsize=16)
def _environment(workspace: Path | None) -> ImmutableSandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # plain text for a language model: nothing to escape
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_roots(workspace)),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )

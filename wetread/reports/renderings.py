"""Where a template's renderings are found, and how they are run: sandboxed, with no undefined names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.reports.template import common_folders, template_folder, template_names

if TYPE_CHECKING:
    from jinja2 import Environment


def jinja_environment(
    template: str, workspace: Path | None, *, autoescape: bool, finalize: Callable[[Any], Any]
) -> Environment:
    """What renders a report of `template`: looks in the template's own folder, then in those that all templates share.

    Args:
        autoescape: Whether values are escaped for HTML.
        finalize: What is done to each value before it is written.
    """
    own = [template_folder(template, workspace)] if template in template_names(workspace) else []
    return _environment((*own, *common_folders(workspace)), autoescape, finalize)


@cache
def _environment(folders: tuple[Path, ...], autoescape: bool, finalize: Callable[[Any], Any]) -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        autoescape=autoescape,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

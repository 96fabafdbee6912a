"""The import rules of docs/dev/design.md, held by code: each part knows only what stands to its left."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AT_THE_ROOT = ("agents", "tools", "prompts", "scenarios")

RANKS = [
    {
        "wetread",
        "errors",
        "values",
        "vocabulary",
        "messages",
        "config",
        "dicomweb_settings",
        "urls",
        "yamlfile",
        "prompts",
    },
    {"study", "artifacts", "deidentify"},
    {"study_reading", "study_files", "deidentification", "imaging", "evidence", "insight"},
    {"reports"},
    {"events"},
    {"tools", "store"},
    {"agents"},
    {"session"},
    {"review"},
    {"dialogue"},
    {"testing"},
    {"scenarios"},
    {"apps"},
]
RANK = {part: rank for rank, parts in enumerate(RANKS) for part in parts}

FENCED = {
    "autogen_agentchat": ("wetread.agents._autogen",),
    "autogen_core": ("wetread.agents._autogen",),
    "autogen_ext": (),
    "httpx": ("wetread.tools.endpoints", "wetread.apps"),
    "openai": ("wetread.agents",),
}


def module_files() -> Iterator[tuple[str, Path]]:
    """Every module as (name under which it is installed, file)."""
    for folder, prefix in [(ROOT / "wetread", "wetread"), *((ROOT / name, f"wetread.{name}") for name in AT_THE_ROOT)]:
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            if prefix == "wetread" and inner[0] in AT_THE_ROOT:
                continue
            yield ".".join([prefix, *inner]), path


MODULES = list(module_files())


def imported(path: Path, module: str) -> Iterator[tuple[str, int]]:
    """Absolute names of what a file imports, anywhere in it, with the line."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def rank_of(name: str) -> int:
    """The rank of an installed module, by its first word behind `wetread`."""
    parts = name.split(".")
    return RANK.get(parts[1], 0) if len(parts) > 1 else 0


@pytest.mark.parametrize(("module", "path"), MODULES, ids=[module for module, _ in MODULES])
def test_imports_keep_to_the_ranks(module: str, path: Path) -> None:
    own = module.split(".")[1]
    assert own in RANK or own == "__init__", f"{module} has no rank: add it to docs/dev/design.md and to RANKS"
    for name, line in imported(path, module):
        top = name.split(".")[0]
        assert top not in AT_THE_ROOT, f"{module}:{line} imports {name}: use wetread.{name}"
        if top in FENCED:
            assert module.startswith(FENCED[top]), f"{module}:{line} imports {name} outside its folder"
        if top == "wetread":
            assert rank_of(name) <= rank_of(module), f"{module}:{line} imports {name}, which stands to its right"


def test_every_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {module.rsplit(".", 1)[0] for module, _ in MODULES} == set(project["tool"]["setuptools"]["packages"])


def test_links_into_the_package_are_the_four() -> None:
    assert {path.name for path in (ROOT / "wetread").iterdir() if path.is_symlink()} == set(AT_THE_ROOT)

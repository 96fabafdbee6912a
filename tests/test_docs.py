"""The documentation is true: its Python blocks run, its console blocks print what they say, its links lead somewhere.

A ```python block runs by itself. A ```console block holds commands (`$ ...`) with what they print; `...` stands for anything.
Both run in an empty folder with `study/` (a phantom's PNG and its study.yaml) in it. A block headed by the comment
`<!-- not run: reason -->` is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wetread.testing.phantom import chest_phantom

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?P<skip><!-- not run: [^>]+ -->\n)?^```(?P<kind>python|console)\n(?P<body>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def blocks(kind: str) -> Iterator[object]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if match["kind"] == kind and not match["skip"]:
                line = text.count("\n", 0, match.start("body")) + 1
                yield pytest.param(match["body"], id=f"{page.relative_to(ROOT)}:{line}")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a study in it and nothing configured."""
    for name in [name for name in os.environ if name.startswith(("WETREAD_", "OPENAI_", "AZURE_", "HLS_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "study"
    folder.mkdir()
    chest_phantom(seed=7).write_png(folder / "frontal.png")
    (folder / "study.yaml").write_text(
        "exam: XR Chest PA\nindication: Cough for two weeks.\nage: 61\nsex: F\nimages:\n  - {file: frontal.png, view: PA, patient_right_on: left}\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.mark.parametrize("code", blocks("python"))
def test_python_block_runs(code: str, workspace: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=workspace, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with what it should print."""
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def as_pattern(output: str) -> str:
    lines = [".*" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*") for line in output.strip().split("\n")]
    return r"\s*" + "\n".join(lines) + r"\s*"


@pytest.mark.parametrize("body", blocks("console"))
def test_console_block_prints_what_it_says(body: str, workspace: Path) -> None:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100", "NO_COLOR": "1"}
    for command, output in commands(body):
        done = subprocess.run(["bash", "-c", command], cwd=workspace, env=environ, capture_output=True, text=True, timeout=120)
        said = done.stdout + done.stderr
        assert done.returncode == 0 or output, f"{command}: exit {done.returncode}\n{said}"
        if output.strip():
            said = "\n".join(line.rstrip() for line in said.splitlines())
            assert re.fullmatch(as_pattern(output), said, flags=re.S), f"$ {command}\n{said}"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_every_error_code_has_an_entry() -> None:
    named = set(re.findall(r"^### `(WET-[A-Z0-9-]+)`", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), flags=re.M))
    used: set[str] = set()
    for name in ("wetread", "agents", "tools", "prompts", "scenarios"):
        for path in (ROOT / name).rglob("*.py"):
            used |= set(re.findall(r"[\"'](WET-[A-Z]+-[A-Z0-9-]+[A-Z0-9])[\"']", path.read_text(encoding="utf-8")))
    assert used <= named, f"without an entry in docs/errors.md: {sorted(used - named)}"
    assert named <= used, f"documented, used nowhere: {sorted(named - used)}"


@pytest.mark.skipif(shutil.which("git") is None, reason="asks git which files there are")
def test_pages_name_no_foreign_place() -> None:
    """What is published speaks of the project alone: no path of a developer's machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    home = re.compile(r"(?<![\w.])/(?:home|Users|root)/\w+")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".md", ".py", ".yaml", ".toml", ".json", ".j2"} and path.is_file():
            found = home.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name}: {found and found[0]}"

"""The documentation is true: its Python blocks run, its commands print what they say, its links lead somewhere.

A ```python block runs by itself; where a ```text block stands right under it, that is what it prints. A ```console
block holds commands (`$ ...`), all of which succeed, with what they print; `...` stands for anything. All run in a
folder with `study/` in it (a phantom's PNG and its study.yaml), and with the files that the page shows above it under
a line that is their name in backticks and a colon. A block under the comment `<!-- not run: reason -->` is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from _pytest.mark import ParameterSet

from wetread.agents.budget import Limit
from wetread.events import EVENTS
from wetread.testing.phantom import chest_phantom

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^>]+ -->\n)?^```(?P<kind>python|console)\n(?P<body>.*?)^```$"
    r"(?:\n+^```text\n(?P<printed>.*?)^```$)?",
    re.M | re.S,
)
FILE = re.compile(r"^`(?P<name>[\w./-]+)`:\n+^```\w*\n(?P<body>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")

SHEET = """\
exam: XR Chest PA
indication: Cough for two weeks.
age: 61
sex: F
images:
  - {file: frontal.png, view: PA, patient_right_on: left}
"""


def blocks(kind: str) -> list[ParameterSet]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if match["kind"] == kind and not match["skip"]:
                line = text.count("\n", 0, match.start("body")) + 1
                found.append(pytest.param(match, id=f"{page.relative_to(ROOT)}:{line}"))
    return found


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chest_phantom(seed=7).write_png(tmp_path_factory.mktemp("picture") / "frontal.png")


@pytest.fixture
def workspace(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a study in it and nothing configured."""
    for name in [name for name in os.environ if name.startswith(("WETREAD_", "OPENAI_", "AZURE_", "HLS_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "study"
    folder.mkdir()
    shutil.copy(picture, folder)
    (folder / "study.yaml").write_text(SHEET, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("block", blocks("python"))
def test_python_block_runs(block: re.Match[str], workspace: Path) -> None:
    write_files(block, workspace)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block["body"]], cwd=workspace, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    if block["printed"] is not None:
        assert matches(done.stdout, block["printed"]), done.stdout


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with what it should print; lines that begin with `> ` go on with the command."""
    for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
        lines = part.split("\n")
        command = [lines.pop(0)]
        while lines and lines[0].startswith("> "):
            command.append(lines.pop(0)[2:])
        yield "\n".join(command), "\n".join(lines)


def matches(said: str, shown: str) -> bool:
    """Whether what was printed is what is shown, where `...` stands for anything."""
    lines = [re.escape(line.strip() if line.strip() == "..." else line) for line in shown.strip().split("\n")]
    pattern = "\n".join(lines).replace(re.escape("..."), ".*")
    said = "\n".join(line.rstrip() for line in said.splitlines())
    return re.fullmatch(rf"\s*{pattern}\s*", said, flags=re.S) is not None


@pytest.mark.parametrize("block", blocks("console"))
def test_console_block_prints_what_it_says(block: re.Match[str], workspace: Path) -> None:
    write_files(block, workspace)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}
    for command, shown in commands(block["body"]):
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1; {command}"], cwd=workspace, env=environ, capture_output=True, timeout=120
        )
        said = done.stdout.decode()
        assert done.returncode == 0, f"$ {command}: exit {done.returncode}\n{said}"
        if shown.strip():
            assert matches(said, shown), f"$ {command}\n{said}"


def write_files(block: re.Match[str], folder: Path) -> None:
    """Write the files that a block's page shows above it."""
    for file in FILE.finditer(block.string, 0, block.start()):
        path = folder / file["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["body"], encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for name, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / name if name else page
        assert target.exists(), f"{page.relative_to(ROOT)} links to {name}"
        assert not anchor or anchor in anchors(target), f"{page.relative_to(ROOT)} links to {name}#{anchor}"


def test_every_error_code_has_an_entry() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^### `(WET-[A-Z0-9-]+)`$", page, flags=re.M))
    used = {"WET-FAULT", *(f"WET-BUDGET-{limit.upper().replace('_', '-')}" for limit in get_args(Limit))}
    for name in ("wetread", "agents", "tools", "prompts", "scenarios"):
        for path in (ROOT / name).rglob("*.py"):
            used |= set(re.findall(r"WET-[A-Z]+(?:-[A-Z0-9]+)+", path.read_text(encoding="utf-8")))
    assert used <= named, f"without an entry in docs/errors.md: {sorted(used - named)}"
    assert named <= used, f"documented, used nowhere: {sorted(named - used)}"


def test_every_event_is_in_the_table() -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    table = page.partition("## Events")[2].partition("\n## ")[0]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert named == set(EVENTS.json_schema()["discriminator"]["mapping"])


@pytest.mark.skipif(shutil.which("git") is None, reason="asks git which files there are")
def test_pages_name_no_foreign_place() -> None:
    """What is published speaks of the project alone: no path of a developer's machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    home = re.compile(r"(?<![\w.])/(?:home|Users|root)/(?!roe\b)\w+")  # Roe is a patient whom tests make up
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".md", ".py", ".yaml", ".toml", ".json", ".j2"} and path.is_file():
            found = home.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name}: {found and found[0]}"

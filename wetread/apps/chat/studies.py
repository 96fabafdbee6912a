"""Which study a chat is about: from the command line, typed or dropped into the terminal, or of an earlier session."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from wetread.apps.chat.desk import StudyFiles
from wetread.config import STORE_FILE
from wetread.errors import InputError
from wetread.values import Value

if TYPE_CHECKING:
    from wetread.study import Study

MAX_LISTED = 12
MAX_LINE = 4096
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_SESSION = re.compile(r"[0-9a-f]{16}")


class StudySource(Value):
    """Where a study is, so that a session can go on with it. Stays on this machine, beside the store.

    `scenario` names a recorded scenario whose study it is, with the tape that answers.
    """

    paths: tuple[str, ...] = ()
    view: str | None = None
    indication: str | None = None
    history: str | None = None
    prior: tuple[str, ...] = ()
    prior_report: str | None = None
    scenario: str | None = None
    simulated: bool = False

    def read(self, workspace: Path) -> Study:
        """The study.

        Raises:
            InputError: it cannot be used.
        """
        if self.scenario is not None:
            from wetread.scenarios.runner import read_scenario_study
            from wetread.scenarios.scenario import find_scenarios

            return read_scenario_study(find_scenarios([self.scenario], workspace)[0])
        return self.files().read()

    def files(self) -> StudyFiles:
        """What a person named of it."""
        return StudyFiles(
            paths=self.paths,
            view=self.view,
            indication=self.indication,
            history=self.history,
            prior=self.prior,
            prior_report=self.prior_report,
        )

    def of(self, files: StudyFiles) -> StudySource:
        """The same with other files."""
        return self.model_copy(update=asdict(files))

    def at(self, paths: Sequence[Path], prior: Sequence[Path]) -> StudySource:
        """The same with its images where they lie at present."""
        return self.model_copy(update={"paths": tuple(map(str, paths)), "prior": tuple(map(str, prior))})

    def absolute(self) -> StudySource:
        """The same with absolute paths, so that it is found from any folder."""
        return self.model_copy(
            update={
                "paths": tuple(_absolute(path) for path in self.paths),
                "prior": tuple(_absolute(path) for path in self.prior),
                "prior_report": _absolute(self.prior_report) if self.prior_report else None,
            }
        )


def sessions_folder(workspace: Path) -> Path:
    """Where a workspace keeps what only this machine needs of its sessions."""
    return workspace / STORE_FILE.parent / "sessions"


def _file(workspace: Path, session: str) -> Path:
    if not _SESSION.fullmatch(session):
        raise InputError("WET-INPUT-SESSION", "That is no id of a session.", "`/sessions` lists them.")
    return workspace / STORE_FILE.parent / "studies" / f"{session}.json"


def remember(workspace: Path, session: str, source: StudySource) -> None:
    """Note where a session's study is. For the one who runs it alone: paths may name people."""
    path = _file(workspace, session)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(source.absolute().model_dump_json(exclude_defaults=True))
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(
            "WET-INPUT-OUT", f"{path.parent} cannot be written ({error.strerror}).", "Name another --workspace."
        ) from None


def remembered(workspace: Path, session: str) -> StudySource:
    """Where the study of a session is.

    Raises:
        InputError: `WET-INPUT-SESSION`, that is not known here.
    """
    try:
        return StudySource.model_validate_json(_file(workspace, session).read_bytes())
    except (OSError, ValidationError):
        raise InputError(
            "WET-INPUT-SESSION",
            "Where the study of that session is, is not known here.",
            "Name the study: wetread chat STUDY --resume ID.",
        ) from None


def typed_paths(text: str) -> tuple[str, ...]:
    """The paths in a line that was typed or dropped into the terminal: quoted, escaped, or as file:// addresses.

    A line that as a whole is a path is that path, whatever spaces are in it.
    """
    line = text.strip()
    whole = os.path.expanduser(line)
    if whole and os.path.exists(whole):
        return (whole,)
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return tuple(os.path.expanduser(_local(word)) for word in words)


def is_path(line: str) -> bool:
    """Whether a line is nothing but paths that are there, as a terminal writes what is dropped into it.

    A name alone is none: whoever types a word means the word.
    """
    if not any(sign in line for sign in ("/", "\\")) or len(line) > MAX_LINE or "\n" in line.strip():
        return False
    found = typed_paths(line)
    return bool(found) and all(os.path.exists(path) for path in found)


def studies_here(folder: Path) -> list[Path]:
    """What lies in a folder and looks like a study: folders with a study.yaml, DICOM files or pictures in them, and
    DICOM files. By name; headers are not read for it."""
    found: list[Path] = []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    for entry in entries:
        if entry.name.startswith((".", "wetread-out")):
            continue
        if entry.suffix.lower() in (".dcm", *_PICTURES) or (entry.is_dir() and _holds_images(entry)):
            found.append(entry)
        if len(found) == MAX_LISTED:
            break
    return found


def _holds_images(folder: Path) -> bool:
    try:
        for number, entry in enumerate(os.scandir(folder)):
            name = entry.name.lower()
            if name == "study.yaml" or name.endswith((".dcm", *_PICTURES)):
                return True
            if number > 200:
                return False
    except OSError:
        pass
    return False


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _local(word: str) -> str:
    return unquote(urlsplit(word).path) if word.startswith("file://") else word

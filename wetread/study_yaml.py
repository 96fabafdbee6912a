"""`study.yaml`: what a folder's images are, the order, and the priors. Every mistake is reported with its line.

exam: Chest, two views
indication: Cough and fever.
history: Former smoker.
technique: PA and lateral, upright.
age: 61
sex: F
date: 2026-03-02
patient: any key that is the same for the same patient
images:
  - file: frontal.png
    view: PA
    patient_right_on: left
  - {file: old.png, role: prior, view: PA, date: 2025-01-20}
prior_report: {file: old.txt, date: 2025-01-20}
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

import yaml

from wetread.errors import InputError
from wetread.study_files import read_text, shown_path
from wetread.vocabulary import View

_MAX_DEPTH = 6

Role = Literal["current", "prior"]
RightOn = Literal["left", "right", "unknown"]
Sex = Literal["F", "M", "O"]


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One entry under `images`."""

    path: Path
    shown: str
    role: Role = "current"
    view: View | None = None
    acquired: date | None = None
    patient_right_on: RightOn | None = None
    modality: str | None = None


@dataclass(frozen=True, slots=True)
class StudySheet:
    """What a `study.yaml` says. None for what it does not say."""

    exam: str | None = None
    indication: str | None = None
    history: str | None = None
    technique: str | None = None
    age: int | None = None
    sex: Sex | None = None
    patient: str | None = None
    acquired: date | None = None
    images: tuple[ListedImage, ...] = ()
    prior_report: str | None = None
    prior_report_date: date | None = None


def parse_view(text: str) -> View | None:
    """A view by its name, in any case; `LL`, `RL` and `LAT` count as lateral. None for no such view."""
    named = {view.value.lower(): view for view in View}
    named.update({"ll": View.LATERAL, "rl": View.LATERAL, "lat": View.LATERAL})
    return named.get(text.strip().lower())


def view_names() -> str:
    """The names of the views, for an error."""
    return ", ".join(view.value for view in View)


def read_sheet(path: Path) -> StudySheet:
    """Read and validate a `study.yaml`; files it names must lie in its folder and exist.

    Raises:
        InputError: `WET-INPUT-YAML` with file and line, `WET-INPUT-ESCAPE`, `WET-INPUT-MISSING`, and those of
        `read_text`.
    """
    return _Reader(path, shown_path(path)).sheet()


class _Reader:
    def __init__(self, path: Path, shown: str) -> None:
        self.folder = path.parent
        self.shown = shown
        self.text = read_text(path, shown)

    def fail(self, node: yaml.Node | None, message: str, hint: str = "", mark: Any = None) -> NoReturn:
        mark = mark or (node.start_mark if node is not None else None)
        place = f"{self.shown}, line {mark.line + 1}" if mark is not None else self.shown
        raise InputError("WET-INPUT-YAML", f"{place}: {message}", hint)

    def sheet(self) -> StudySheet:
        top = self._mapping(
            self._compose(),
            (
                "exam",
                "indication",
                "history",
                "technique",
                "age",
                "sex",
                "patient",
                "date",
                "images",
                "prior_report",
            ),
            "study.yaml",
        )
        prior_text, prior_date = self._prior_report(top.get("prior_report"))
        age = self._scalar(top.get("age"))
        if age is not None and (not age.isdecimal() or int(age) > 130):
            self.fail(top["age"], '"age" is a whole number of years, 0 to 130.')
        sex = self._scalar(top.get("sex"))
        if sex is not None and sex.upper() not in ("F", "M", "O"):
            self.fail(top["sex"], '"sex" is F, M or O.')
        return StudySheet(
            exam=self._scalar(top.get("exam")),
            indication=self._scalar(top.get("indication")),
            history=self._scalar(top.get("history")),
            technique=self._scalar(top.get("technique")),
            age=int(age) if age is not None else None,
            sex=cast("Sex", sex.upper()) if sex is not None else None,
            patient=self._scalar(top.get("patient")),
            acquired=self._date(top.get("date")),
            images=tuple(self._image(item) for item in self._sequence(top.get("images"))),
            prior_report=prior_text,
            prior_report_date=prior_date,
        )

    def _compose(self) -> yaml.Node:
        """The document's nodes. Anchors and deep nesting are refused before anything is built of them."""
        try:
            depth = 0
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    self.fail(None, "anchors and aliases are not used here.", "Write the value out.", event.start_mark)
                if isinstance(event, yaml.CollectionStartEvent):
                    depth += 1
                    if depth > _MAX_DEPTH:
                        self.fail(None, "the file is nested too deeply.", mark=event.start_mark)
                elif isinstance(event, yaml.CollectionEndEvent):
                    depth -= 1
            node = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.fail(None, "this is not valid YAML.", "Check quotes, colons and indentation around it.", mark)
        except (yaml.YAMLError, RecursionError):
            self.fail(None, "this is not valid YAML.", "Check for characters that do not belong into a text file.")
        if node is None:
            self.fail(None, "the file says nothing.", "See the documentation of study.yaml.")
        return node

    def _mapping(self, node: yaml.Node, keys: Iterable[str], what: str) -> dict[str, yaml.Node]:
        known = tuple(keys)
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, f"{what} is a mapping of {', '.join(known)}.", "Write lines like `key: value`.")
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            if key not in known:
                near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
                hint = f'Did you mean "{near[0]}"?' if near else f"Known are: {', '.join(known)}."
                self.fail(key_node, f'"{key[:40]}" is no key of {what}.', hint)
            if key in found:
                self.fail(key_node, f'"{key}" stands here twice.', "Keep one of them.")
            found[key] = value
        return {key: value for key, value in found.items() if not _is_null(value)}

    def _sequence(self, node: yaml.Node | None) -> list[yaml.Node]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fail(node, '"images" is a list.', "Begin each entry with `- file: `.")
        return list(node.value)

    def _scalar(self, node: yaml.Node | None) -> str | None:
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.fail(node, "a text is expected here.", "Quote it if it begins with a bracket or brace.")
        return str(node.value).strip() or None

    def _date(self, node: yaml.Node | None) -> date | None:
        text = self._scalar(node)
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.fail(node, "a date is written YYYY-MM-DD.")

    def _image(self, node: yaml.Node) -> ListedImage:
        if isinstance(node, yaml.ScalarNode):
            return ListedImage(path=self._file(node), shown=self._file_shown(node))
        entry = self._mapping(node, ("file", "role", "view", "date", "patient_right_on", "modality"), "an image")
        if "file" not in entry:
            self.fail(node, 'an image needs a "file".')
        role = self._choice(entry.get("role"), "role", ("current", "prior"))
        right_on = self._choice(entry.get("patient_right_on"), "patient_right_on", ("left", "right", "unknown"))
        view = None
        view_text = self._scalar(entry.get("view"))
        if view_text is not None:
            view = parse_view(view_text)
            if view is None:
                self.fail(entry["view"], "there is no such view.", f"Views are: {view_names()}.")
        modality = self._scalar(entry.get("modality"))
        if modality is not None and not (modality.isalnum() and modality.isascii() and len(modality) <= 16):
            self.fail(entry["modality"], '"modality" is a DICOM term like CR, DX, CT.')
        return ListedImage(
            path=self._file(entry["file"]),
            shown=self._file_shown(entry["file"]),
            role=cast("Role", role or "current"),
            view=view,
            acquired=self._date(entry.get("date")),
            patient_right_on=cast("RightOn | None", right_on),
            modality=modality.upper() if modality is not None else None,
        )

    def _choice(self, node: yaml.Node | None, name: str, choices: tuple[str, ...]) -> str | None:
        text = self._scalar(node)
        if text is not None and text not in choices:
            self.fail(node, f'"{name}" is one of {", ".join(choices)}.')
        return text

    def _prior_report(self, node: yaml.Node | None) -> tuple[str | None, date | None]:
        if node is None:
            return None, None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node), None
        entry = self._mapping(node, ("file", "text", "date"), "prior_report")
        if ("file" in entry) == ("text" in entry):
            self.fail(node, 'a prior report has either "file" or "text".')
        acquired = self._date(entry.get("date"))
        if "text" in entry:
            return self._scalar(entry["text"]), acquired
        return read_text(self._file(entry["file"]), self._file_shown(entry["file"])), acquired

    def _file_shown(self, node: yaml.Node) -> str:
        return f"{self._scalar(node)} ({self.shown}, line {node.start_mark.line + 1})"

    def _file(self, node: yaml.Node) -> Path:
        name = self._scalar(node)
        if name is None:
            self.fail(node, "a file name is expected here.")
        try:
            path = (self.folder / name).resolve()
            inside = path.is_relative_to(self.folder.resolve())
        except (OSError, ValueError, RuntimeError):
            self.fail(node, "this is no usable file name.")
        if not inside:
            raise InputError(
                "WET-INPUT-ESCAPE",
                f"{self.shown}, line {node.start_mark.line + 1}: the file lies outside the study's folder.",
                "Copy it into the folder and name it from there.",
            )
        return path


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null", "Null", "NULL")

"""Report templates: what a report of one kind of study must hold, and the protocol by which it is read.

A template is a folder `prompts/reports/<name>/` with `template.yaml` and, where it wants its own, `report.html.j2` and
`report.md.j2`. A workspace's folder of the same name takes precedence. Sections and LOINC codes: DICOM CID 7001.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from wetread.errors import ConfigError, InputError
from wetread.study import Study
from wetread.values import Value
from wetread.vocabulary import View
from wetread.yamlfile import load_yaml, nearest

DEFAULT = "chest-xray"

SectionName = Literal[
    "exam", "indication", "history", "technique", "comparison", "findings", "impression", "recommendation"
]
ImageRole = Literal["frontal", "lateral", "prior"]


class SectionSpec(Value):
    """A section of the report, in the template's order."""

    name: SectionName
    title: str
    loinc: str | None = Field(default=None, pattern=r"^[0-9]{1,5}-[0-9]$")
    """LOINC code of the section; the exam has that of its `ExamSpec`."""
    required: bool = False


class SystemSpec(Value):
    """A system under findings.

    `tools` are those that look at it: when all of them failed, the report says so. `structures` are the segmented
    structures that belong to it.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    required: bool = True
    tools: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()


class ExamSpec(Value):
    """What to call an exam that the order does not name: the first whose `views` are those of the study."""

    title: str
    loinc: str = Field(pattern=r"^[0-9]{1,5}-[0-9]$")
    views: tuple[Literal["frontal", "lateral"], ...] = ()
    """Kinds of the study's views, each named once per image; empty fits any."""


class ClassifySpec(Value):
    """A finding asked of the classifier, with the words of its present and absent prompt."""

    finding: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    present: str
    absent: str


class ProtocolCall(Value):
    """One tool call of the reading protocol. `image` names the image whose handle is put in as argument `image`."""

    tool: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    image: ImageRole | None = None


class ReportTemplate(Value):
    """One report template."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str
    title: str
    loinc: str = Field(default="18748-4", pattern=r"^[0-9]{1,5}-[0-9]$")
    """LOINC code of the document; 18748-4 is Diagnostic imaging study."""
    modalities: tuple[str, ...] = Field(min_length=1)
    body_parts: tuple[str, ...] = ()
    """Words of DICOM Body Part Examined (0018,0015) for which this template is chosen unasked; empty fits any."""
    views: tuple[View, ...] = ()
    needs: tuple[ImageRole, ...] = ()
    """Images without which there is nothing to read."""
    exams: tuple[ExamSpec, ...] = Field(min_length=1)
    sections: tuple[SectionSpec, ...] = Field(min_length=1)
    systems: tuple[SystemSpec, ...] = Field(min_length=1)
    classify: tuple[ClassifySpec, ...] = ()
    protocol: tuple[tuple[ProtocolCall, ...], ...] = ()
    """Rounds of calls: those of one round are independent and run at the same time."""

    @field_validator("version", mode="before")
    @classmethod
    def _version_as_text(cls, version: object) -> object:
        return str(version) if isinstance(version, int | float) and not isinstance(version, bool) else version

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        listed: dict[str, list[str]] = {
            "section": [section.name for section in self.sections],
            "system": [system.key for system in self.systems],
            "classify finding": [entry.finding for entry in self.classify],
        }
        for what, names in listed.items():
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} '{twice}' is listed twice")
        uncoded = next((s.name for s in self.sections if s.loinc is None and s.name != "exam"), None)
        if uncoded is not None:
            raise ValueError(f"section '{uncoded}' has no loinc")
        return self

    def system(self, key: str) -> SystemSpec | None:
        """The system of that key or title, however it is spelled, or None."""
        wanted = _key(key)
        return next((spec for spec in self.systems if wanted in (spec.key, _key(spec.title))), None)

    def section(self, name: str) -> SectionSpec | None:
        """The section of that name, or None."""
        return next((spec for spec in self.sections if spec.name == name), None)

    def exam(self, study: Study) -> ExamSpec:
        """What to call the study's exam, by the views of its current images."""
        kinds = sorted(_kind(image.view) for image in study.current)
        return next((exam for exam in self.exams if not exam.views or sorted(exam.views) == kinds), self.exams[-1])


def template_names(workspace: Path | None = None) -> tuple[str, ...]:
    """Names of all templates, built-in and of the workspace, sorted."""
    found = {folder.name for root in _roots(workspace) if root.is_dir() for folder in root.iterdir() if _is_one(folder)}
    return tuple(sorted(found))


def template_folder(name: str, workspace: Path | None = None) -> Path:
    """The folder of a template, the workspace's before the built-in one.

    Raises:
        ConfigError: WET-CONFIG-TEMPLATE, there is no such template.
    """
    known = template_names(workspace)
    if name not in known:
        raise ConfigError("WET-CONFIG-TEMPLATE", f"There is no report template '{name}'.", nearest(name, known))
    return next(root / name for root in _roots(workspace) if _is_one(root / name))


def load_template(name: str, workspace: Path | None = None) -> ReportTemplate:
    """A template by name.

    Args:
        name: Folder name under `prompts/reports/`.
        workspace: Folder that may hold `prompts/reports/<name>/template.yaml` of its own.

    Raises:
        ConfigError: WET-CONFIG-TEMPLATE (unknown name), WET-CONFIG-YAML (a mistake, with file and line).
    """
    path = template_folder(name, workspace) / "template.yaml"
    return _load(path, path.stat().st_mtime_ns)


def choose_template(study: Study, workspace: Path | None = None) -> str:
    """Name of the template that fits a study by modality, view and body part; the default one first.

    Raises:
        InputError: WET-INPUT-TEMPLATE, none fits; says why the default one does not.
    """
    names = sorted(template_names(workspace), key=lambda name: (name != DEFAULT, name))
    reasons = []
    for name in names:
        template = load_template(name, workspace)
        reason = _misfit(template, study) or _other_body_part(template, study)
        if reason is None:
            return name
        reasons.append(reason)
    raise _unfit(*reasons[0])


def check_study(template: ReportTemplate, study: Study) -> None:
    """Refuse a study that the template is not for.

    Raises:
        InputError: WET-INPUT-TEMPLATE: a modality or view that it does not cover, or an image that it needs is missing.
    """
    reason = _misfit(template, study)
    if reason is not None:
        raise _unfit(*reason)


def _misfit(template: ReportTemplate, study: Study) -> tuple[str, str] | None:
    """Why a study does not fit and what to do, or None."""
    named = f"template {template.name}"
    for image in study.current:
        if image.modality not in template.modalities and image.modality != "unknown":
            return (
                f"{image.handle} has modality {image.modality}, and {named} is for {', '.join(template.modalities)}.",
                "Leave the image out, or name another template with --template.",
            )
    unknown = next((image for image in study.current if image.view is View.UNKNOWN), None)
    for role in template.needs:
        found = {"frontal": study.frontal(), "lateral": study.lateral(), "prior": study.frontal("prior")}[role]
        if found is None and unknown is not None and role != "prior":
            return (
                f"The view of {unknown.handle} is not known, and {named} needs a {role} image.",
                "Say what it is: --view PA, AP, frontal or lateral.",
            )
        if found is None:
            return f"The study has no {role} image, and {named} needs one.", "Add it, or name another template."
    return None


def _other_body_part(template: ReportTemplate, study: Study) -> tuple[str, str] | None:
    for image in study.current:
        part = (image.body_part or "").upper()
        if part and template.body_parts and not any(word.upper() in part for word in template.body_parts):
            return (
                f"The header of {image.handle} names another body part than template {template.name} is for.",
                "If the header is wrong, name the template with --template.",
            )
    return None


def _unfit(message: str, hint: str) -> InputError:
    return InputError("WET-INPUT-TEMPLATE", message, hint)


def _kind(view: View) -> str:
    return "frontal" if view.is_frontal else view.value


def _key(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _roots(workspace: Path | None) -> list[Path]:
    built_in = Path(str(files("wetread.prompts"))) / "reports"
    return [workspace / "prompts" / "reports", built_in] if workspace is not None else [built_in]


def _is_one(folder: Path) -> bool:
    return (folder / "template.yaml").is_file()


@cache
def _load(path: Path, stamp: int) -> ReportTemplate:
    # `stamp` is part of the key, so that an edited file is read again
    file = load_yaml(path, name=f"{path.parent.name}/{path.name}")
    template = file.parse(ReportTemplate)
    if template.name != path.parent.name:
        raise file.mistake(f"name is '{template.name}', and the folder is '{path.parent.name}'", "name")
    return template

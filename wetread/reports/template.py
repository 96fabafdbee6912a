"""Report templates: what a report of one kind of study must hold, and the protocol by which it is read.

A template is a folder `prompts/reports/<name>/` with `template.yaml` and, where it wants its own, `report.html.j2` and
`report.md.j2`; what it does not have of its own is in `prompts/reports/common/`. A workspace's folder of the same name
takes precedence. Sections and LOINC codes: DICOM CID 7001.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from wetread.errors import ConfigError, InputError
from wetread.prompts.loader import built_in_prompts
from wetread.reports.critical import CriticalList, built_in, critical_list
from wetread.reports.form import FieldSpec, check_fields
from wetread.study import Study, StudyImage
from wetread.values import Value
from wetread.vocabulary import RADIOGRAPH, View
from wetread.yamlfile import load_yaml, nearest

DEFAULT = "chest-xray"
GENERIC = "generic"
"""The template of a study that no other template is for. It asks of no tool."""

COMMON = "common"
"""The folder of the renderings that templates share."""

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


STANDARD_SECTIONS = (
    SectionSpec(name="exam", title="Exam", required=True),
    SectionSpec(name="indication", title="Indication", loinc="18785-6", required=True),
    SectionSpec(name="history", title="Clinical history", loinc="11329-0"),
    SectionSpec(name="technique", title="Technique", loinc="55111-9", required=True),
    SectionSpec(name="comparison", title="Comparison", loinc="18834-2", required=True),
    SectionSpec(name="findings", title="Findings", loinc="59776-5", required=True),
    SectionSpec(name="impression", title="Impression", loinc="19005-8", required=True),
    SectionSpec(name="recommendation", title="Recommendation", loinc="18783-1"),
)
"""The sections of a template that names none (DICOM CID 7001)."""


class SystemSpec(Value):
    """A system under findings.

    `tools` are those that look at it: when all of them failed, the report says so. `structures` are the segmented
    structures that belong to it. Where nobody calls the system as a whole normal, the absence of all that `rules_out`
    names is taken for it; where that is empty, any absence.
    """

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    required: bool = True
    tools: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    rules_out: tuple[str, ...] = ()


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
    modalities: tuple[str, ...] = ()
    """Modalities that it is for; empty for any, and then it is chosen by name alone."""
    body_parts: tuple[str, ...] = ()
    """Words of DICOM Body Part Examined (0018,0015) for which this template is chosen unasked; empty fits any."""
    views: tuple[View, ...] = ()
    """Views of the current radiographs for which it is chosen unasked; empty fits any. Lateral ones always fit."""
    needs: tuple[ImageRole, ...] = ()
    """Images without which there is nothing to read."""
    exams: tuple[ExamSpec, ...] = Field(min_length=1)
    sections: tuple[SectionSpec, ...] = Field(default=STANDARD_SECTIONS, min_length=1)
    systems: tuple[SystemSpec, ...] = Field(min_length=1)
    classify: tuple[ClassifySpec, ...] = ()
    protocol: tuple[tuple[ProtocolCall, ...], ...] = ()
    """Rounds of calls: those of one round are independent and run at the same time."""
    fields: tuple[FieldSpec, ...] = ()
    """Form fields, shown under the findings."""
    critical: CriticalList = Field(default_factory=built_in)
    """What is critical. In a file: changes to the list that holds for all templates."""

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
        check_fields(self.fields, [system.key for system in self.systems])
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
    own = _in(_roots(workspace)[0]) if workspace is not None else {}
    return tuple(sorted({*_built_in(), *own}))


def template_folder(name: str, workspace: Path | None = None) -> Path:
    """The folder of a template, the workspace's before the built-in one.

    Raises:
        ConfigError: WET-CONFIG-TEMPLATE, there is no such template.
    """
    own = _in(_roots(workspace)[0]).get(name) if workspace is not None else None
    folder = own or _built_in().get(name)
    if folder is None:
        known = template_names(workspace)
        raise ConfigError("WET-CONFIG-TEMPLATE", f"There is no report template '{name}'.", nearest(name, known))
    return folder


def common_folders(workspace: Path | None = None) -> tuple[Path, ...]:
    """The folders of the renderings that templates share, the workspace's first."""
    return tuple(root / COMMON for root in _roots(workspace))


def load_template(name: str, workspace: Path | None = None) -> ReportTemplate:
    """A template by name.

    Args:
        name: Folder name under `prompts/reports/`.
        workspace: Folder that may hold `prompts/reports/<name>/template.yaml` of its own.

    Raises:
        ConfigError: WET-CONFIG-TEMPLATE (unknown name), WET-CONFIG-YAML (a mistake, with file and line).
    """
    template = _as_written(name, workspace)
    critical = critical_list(workspace)
    if "critical" in template.model_fields_set:
        critical = critical.changed(template.critical)
    return template.model_copy(update={"critical": critical})


def _as_written(name: str, workspace: Path | None) -> ReportTemplate:
    """A template as its file has it, with its changes of the critical list and not yet the list."""
    path = _file(template_folder(name, workspace))
    return _load(path, path.stat().st_mtime_ns)


def choose_template(study: Study, workspace: Path | None = None) -> str:
    """Name of the template that fits a study by modality, body part and view.

    Of several that fit, one that names fewer views, then one that names body parts, then the default one. The generic
    template is for studies no image of which another one is for by modality and body part; a study that fits in part,
    or lacks an image or a view, is refused.

    Raises:
        InputError: WET-INPUT-TEMPLATE, none fits; says why.
    """
    fitting: list[ReportTemplate] = []
    lacking: list[tuple[str, str]] = []
    current = study.current
    critical_list(workspace)  # a mistake in it is told here, as it would be of the template chosen
    for name in sorted(template_names(workspace), key=lambda name: (name != DEFAULT, name)):
        template = _as_written(name, workspace)
        others = [image for image in current if not _is_for(template, image)]
        if len(others) == len(current):
            continue
        reason = _other_image(template, others[0]) if others else _missing_image(template, study)
        if reason is not None:
            lacking.append(reason)
        elif not _other_view(template, study):
            fitting.append(template)
    if fitting:
        return min(fitting, key=_breadth).name
    if lacking:
        raise _unfit(*lacking[0])
    return GENERIC


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
    return _other_modality(template, study) or _missing_image(template, study)


def _other_modality(template: ReportTemplate, study: Study) -> tuple[str, str] | None:
    for image in study.current:
        if template.modalities and image.modality not in template.modalities and image.modality != "unknown":
            return _other_image(template, image)
    return None


def _other_image(template: ReportTemplate, image: StudyImage) -> tuple[str, str]:
    """What to say of an image that a template is not for."""
    if image.modality in template.modalities:
        return (
            f"The header of {image.handle} names another body part than template {template.name} is for.",
            "If the header is wrong, name the template with --template.",
        )
    return (
        f"{image.handle} has modality {image.modality}, and template {template.name} is for"
        f" {', '.join(template.modalities)}.",
        "Leave the image out, or name another template with --template.",
    )


def _missing_image(template: ReportTemplate, study: Study) -> tuple[str, str] | None:
    named = f"template {template.name}"
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


def _other_view(template: ReportTemplate, study: Study) -> bool:
    views = [image.view for image in study.current if image.view is not View.LATERAL]
    return bool(template.views) and any(view not in template.views for view in views)


def _is_for(template: ReportTemplate, image: StudyImage) -> bool:
    """Whether a template is for an image by modality and body part, unasked.

    A picture of unknown modality is taken for a radiograph, and a radiograph that does not name its body part may show
    any; a section must name it.
    """
    is_radiograph = image.modality in RADIOGRAPH or image.modality == "unknown"
    if image.modality not in template.modalities and not (
        image.modality == "unknown" and RADIOGRAPH.intersection(template.modalities)
    ):
        return False
    part = (image.body_part or "").upper()
    if not part:
        return is_radiograph or not template.body_parts
    return not template.body_parts or any(word.upper() in part for word in template.body_parts)


def _breadth(template: ReportTemplate) -> tuple[float, bool, bool, str]:
    """How much a template is for; the narrowest one is chosen."""
    views = float(len(template.views)) if template.views else float("inf")
    return views, not template.body_parts, template.name != DEFAULT, template.name


def _unfit(message: str, hint: str) -> InputError:
    return InputError("WET-INPUT-TEMPLATE", message, hint)


def _kind(view: View) -> str:
    return "frontal" if view.is_frontal else view.value


@lru_cache(maxsize=1024)
def _key(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _roots(workspace: Path | None) -> list[Path]:
    built_in = built_in_prompts() / "reports"
    return [workspace / "prompts" / "reports", built_in] if workspace is not None else [built_in]


def _in(root: Path) -> dict[str, Path]:
    """The templates of a folder by their names."""
    if not root.is_dir():
        return {}
    return {folder.name: folder for folder in root.iterdir() if (folder / "template.yaml").is_file()}


@cache
def _built_in() -> dict[str, Path]:
    return _in(_roots(None)[0])


@lru_cache(maxsize=256)
def _file(folder: Path) -> Path:
    return folder / "template.yaml"


@cache
def _load(path: Path, stamp: int) -> ReportTemplate:
    # `stamp` is part of the key, so that an edited file is read again
    file = load_yaml(path, name=f"{path.parent.name}/{path.name}")
    template = file.parse(ReportTemplate)
    if template.name != path.parent.name:
        raise file.mistake(f"name is '{template.name}', and the folder is '{path.parent.name}'", "name")
    return template

"""Report templates: the built-in one, a workspace's own, mistakes, and which study a template is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from wetread.errors import ConfigError, InputError
from wetread.reports.language import lexicon
from wetread.reports.template import (
    ReportTemplate,
    check_study,
    choose_template,
    load_template,
    template_folder,
    template_names,
)
from wetread.study import ImageSource, Study, StudyImage
from wetread.vocabulary import View

BUILT_IN = ("chest-xray", "chest-xray-portable", "ct-chest-nodule", "generic", "mr-brain-lesion")
SYSTEMS = [
    "lines_and_tubes",
    "lungs",
    "pleura",
    "heart",
    "mediastinum_and_hila",
    "bones",
    "soft_tissues",
    "upper_abdomen",
]
LOINC = {
    "indication": "18785-6",
    "history": "11329-0",
    "technique": "55111-9",
    "comparison": "18834-2",
    "findings": "59776-5",
    "impression": "19005-8",
    "recommendation": "18783-1",
}
MINE = """\
name: {name}
version: 2
title: Mine
modalities: [DX]
exams: [{{title: Mine, loinc: 30745-4}}]
sections:
  - {{name: findings, title: Findings, loinc: 59776-5}}
systems:
  - {{key: lungs, title: Lungs}}
"""


def image(number: int = 1, **fields: object) -> StudyImage:
    given = {"modality": "DX", "view": View.PA, "rows": 10, "columns": 10, **fields}
    source = ImageSource(path=Path("x.dcm"), kind="dicom")
    return StudyImage.model_validate({"handle": f"image_{number}", "source": source, **given})


def workspace(tmp_path: Path, name: str, text: str) -> Path:
    folder = tmp_path / "prompts" / "reports" / name
    folder.mkdir(parents=True)
    (folder / "template.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def loinc_is_valid(code: str) -> bool:
    """LOINC check digit: mod 10, every second digit from the right doubled."""
    number, digit = code.split("-")
    doubled = [int(c) * (2 if place % 2 == 0 else 1) for place, c in enumerate(reversed(number))]
    return (10 - sum(value // 10 + value % 10 for value in doubled) % 10) % 10 == int(digit)


def test_the_built_in_template_follows_the_standard() -> None:
    template = load_template("chest-xray")
    assert [system.key for system in template.systems] == SYSTEMS
    assert [section.name for section in template.sections] == ["exam", *LOINC]
    assert {s.name: s.loinc for s in template.sections if s.name != "exam"} == LOINC
    codes = [template.loinc, *LOINC.values(), *(exam.loinc for exam in template.exams)]
    assert all(loinc_is_valid(code) for code in codes)
    assert not loinc_is_valid("18785-5")


def test_what_the_template_asks_is_known_to_the_rest() -> None:
    from wetread.tools.registry import built_in_tools

    template = load_template("chest-xray")
    tools = {tool.name: tool for tool in built_in_tools()}
    findings = lexicon().findings
    assert [entry.finding for entry in template.classify if entry.finding not in findings] == []
    for system in template.systems:
        assert set(system.tools) <= set(tools)
    for call in (call for calls in template.protocol for call in calls):
        given = {**call.arguments, "image": "image_1"} if call.image else call.arguments
        tools[call.tool].arguments.model_validate(given)


def test_systems_are_found_however_spelled() -> None:
    template = load_template("chest-xray")
    for spelling in ("Lines and tubes", "lines_and_tubes", "LINES AND TUBES", " lines-and-tubes "):
        found = template.system(spelling)
        assert found is not None and found.key == "lines_and_tubes"
    assert template.system("spleen") is None


def test_the_exam_is_named_by_the_views() -> None:
    template = load_template("chest-xray")
    two = Study(images=(image(1), image(2, view=View.LATERAL)))
    one = Study(images=(image(1, view=View.AP),))
    three = Study(images=(image(1), image(2), image(3, view=View.LATERAL)))
    assert [template.exam(study).loinc for study in (two, one, three)] == ["36643-5", "36554-4", "30745-4"]


def test_a_workspace_adds_and_overrides(tmp_path: Path) -> None:
    root = workspace(tmp_path, "mine", MINE.format(name="mine"))
    workspace(tmp_path, "chest-xray", MINE.format(name="chest-xray"))
    assert template_names(root) == (*(name for name in BUILT_IN if name < "mine"), "mine", "mr-brain-lesion")
    assert load_template("mine", root).title == "Mine"
    assert load_template("chest-xray", root).version == "2"
    assert load_template("chest-xray").version == "1"
    assert template_folder("mine", root).parent == root / "prompts" / "reports"


def test_an_edited_template_is_read_again(tmp_path: Path) -> None:
    import os

    root = workspace(tmp_path, "mine", MINE.format(name="mine"))
    assert load_template("mine", root).title == "Mine"
    path = template_folder("mine", root) / "template.yaml"
    path.write_text(MINE.format(name="mine").replace("title: Mine\nmod", "title: Yours\nmod"), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert load_template("mine", root).title == "Yours"


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("modalities", "modalites"), 4, "Did you mean 'modalities'?"),
        (("name: {name}", "name: other"), 1, "the folder is 'mine'"),
        (("findings, title", "findigs, title"), 7, "sections[1].name"),
        (("59776-5", "59776"), 7, "sections[1].loinc"),
        (("key: lungs", "key: The Lungs"), 9, "systems[1].key"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, change: tuple[str, str], line: int, said: str) -> None:
    root = workspace(tmp_path, "mine", MINE.replace(*change).format(name="mine"))
    with pytest.raises(ConfigError) as caught:
        load_template("mine", root)
    assert caught.value.code == "WET-CONFIG-YAML"
    assert f"mine/template.yaml, line {line}: " in caught.value.line()
    assert said in caught.value.line()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("  - {key: lungs, title: Again}\n", "system 'lungs' is listed twice"),
        (
            "classify: [{finding: a, present: A, absent: B}, {finding: a, present: A, absent: B}]\n",
            "'a' is listed twice",
        ),
    ],
)
def test_what_stands_twice_is_refused(tmp_path: Path, more: str, said: str) -> None:
    root = workspace(tmp_path, "mine", MINE.format(name="mine") + more)
    with pytest.raises(ConfigError, match=said):
        load_template("mine", root)


@pytest.mark.parametrize("name", ["chest-xry", "../chest-xray", "", "chest-xray/../chest-xray"])
def test_an_unknown_template_is_told(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_template(name)
    assert caught.value.code == "WET-CONFIG-TEMPLATE"
    assert "chest-xray" in caught.value.line()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ((image(1), image(2, modality="MR", view=View.OTHER)), "image_2 has modality MR"),
        ((image(modality="unknown", view=View.UNKNOWN),), "--view"),
        ((image(view=View.LATERAL),), "no frontal image"),
    ],
)
def test_a_study_of_another_kind_is_refused(images: tuple[StudyImage, ...], said: str) -> None:
    study = Study(images=images)
    for refuse in (lambda: check_study(load_template("chest-xray"), study), lambda: choose_template(study)):
        with pytest.raises(InputError) as caught:
            refuse()
        assert caught.value.code == "WET-INPUT-TEMPLATE"
        assert said in caught.value.line()
        assert caught.value.hint


def test_a_study_is_given_its_template(tmp_path: Path) -> None:
    hand = Study(images=(image(body_part="HAND"),))
    assert choose_template(hand) == "generic"
    check_study(load_template("chest-xray"), hand)
    with pytest.raises(InputError, match="another body part"):
        choose_template(Study(images=(image(1), image(2, body_part="HAND"))))
    assert choose_template(Study(images=(image(body_part="PORT CHEST"),))) == "chest-xray"
    assert choose_template(Study(images=(image(1), image(2, modality="CT", role="prior")))) == "chest-xray"
    root = workspace(tmp_path, "hands", MINE.format(name="hands") + "body_parts: [hand]\n")
    assert choose_template(hand, root) == "hands"


@pytest.mark.parametrize(
    ("images", "template"),
    [
        ((image(view=View.AP),), "chest-xray-portable"),
        ((image(view=View.AP), image(2, view=View.LATERAL)), "chest-xray-portable"),
        ((image(view=View.AP), image(2, view=View.PA)), "chest-xray"),
        ((image(view=View.FRONTAL, modality="unknown"),), "chest-xray"),
        ((image(view=View.OTHER), image(2)), "chest-xray"),
        ((image(modality="CT", view=View.UNKNOWN, body_part="CHEST"),), "ct-chest-nodule"),
        ((image(modality="CT", view=View.UNKNOWN),), "generic"),
        ((image(modality="CT", view=View.UNKNOWN, body_part="ABDOMEN"),), "generic"),
        ((image(modality="MR", view=View.UNKNOWN, body_part="BRAIN"),), "mr-brain-lesion"),
        ((image(modality="US", view=View.UNKNOWN, body_part="CHEST"),), "generic"),
    ],
)
def test_the_study_chooses_the_template(images: tuple[StudyImage, ...], template: str) -> None:
    study = Study(images=images)
    assert choose_template(study) == template
    check_study(load_template(template), study)


@pytest.mark.parametrize("name", ["chest-xray", "chest-xray-portable", "mr-brain-lesion"])
def test_a_ct_is_refused_by_templates_for_others(name: str) -> None:
    with pytest.raises(InputError, match="image_1 has modality CT"):
        check_study(load_template(name), Study(images=(image(modality="CT", view=View.UNKNOWN),)))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_template_is_sound(name: str) -> None:
    from wetread.tools.registry import built_in_tools

    template = load_template(name)
    tools = {tool.name: tool for tool in built_in_tools()}
    codes = [template.loinc, *(exam.loinc for exam in template.exams)]
    codes += [part.loinc for part in (*template.sections, *template.fields) if part.loinc is not None]
    assert all(loinc_is_valid(code) for code in codes)
    assert {section.name: section.loinc for section in template.sections if section.name != "exam"} == LOINC
    assert all(set(system.tools) <= set(tools) for system in template.systems)
    for call in (call for calls in template.protocol for call in calls):
        tools[call.tool].arguments.model_validate({**call.arguments, **({"image": "image_1"} if call.image else {})})
    assert template.critical.add


def test_a_template_is_a_value() -> None:
    template = load_template("chest-xray")
    assert ReportTemplate.model_validate_json(template.model_dump_json()) == template

"""Renderings: the same content in HTML, Markdown and terminal; hostile text stays text; files whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from rich.console import Console

from wetread import DISCLAIMER
from wetread.artifacts import ArtifactStore
from wetread.errors import InputError
from wetread.evidence import Box, Ledger, Measurement, ModelVersion, Observation, Reason, Region
from wetread.imaging.bank import ImageBank
from wetread.reports.checks import check_report
from wetread.reports.compose import compose, with_issues
from wetread.reports.model import Draft, DraftImpression, DraftStatement, Report
from wetread.reports.render import to_html, to_json, to_markdown, to_terminal, write_report
from wetread.reports.schema import SCHEMA_PATH, report_schema, schema_json
from wetread.reports.template import load_template
from wetread.reports.view import TINTS, pieces
from wetread.study import ImageSource, Study, StudyImage
from wetread.vocabulary import Assertion, Origin, Side, View

ROOT = Path(__file__).parents[1]
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> [a](javascript:alert(1)) ![i](http://x/y.png) "
    "`code` **bold** | cell </style></title> {{ 7*7 }} {% raw %} http://evil.example &lt;b&gt; "
    "\x1b[31mred\x07 \u202eltr"
)


def gray(rows: int, columns: int) -> bytes:
    picture = Image.linear_gradient("L").resize((columns, rows))
    return png(picture)


def png(picture: Image.Image) -> bytes:
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()


def disc(rows: int, columns: int) -> bytes:
    picture = Image.new("L", (columns, rows))
    ImageDraw.Draw(picture).ellipse((columns * 0.2, rows * 0.2, columns * 0.6, rows * 0.8), fill=255)
    return png(picture)


class Made:
    """A report with something of everything, its study and artifacts. `words` stands wherever outside text can."""

    def __init__(self, folder: Path, words: str = "words", origin: Origin = Origin.SIMULATED) -> None:
        for number in (1, 2):
            (folder / f"{number}.png").write_bytes(gray(300, 200))
        first, second = (ImageSource(path=folder / f"{number}.png", kind="picture") for number in (1, 2))
        self.study = Study(
            images=(
                StudyImage(
                    handle="image_1",
                    modality="DX",
                    view=View.PA,
                    patient_right_on="left",
                    rows=300,
                    columns=200,
                    notes=(words,),
                    source=first,
                ),
                StudyImage(
                    handle="image_2",
                    role="prior",
                    modality="DX",
                    view=View.AP,
                    rows=300,
                    columns=200,
                    acquired=date(2029, 1, 2),
                    source=second,
                ),
            ),
            indication=words,
            history=words,
            age_years=61,
            sex="F",
        )
        self.artifacts = ArtifactStore()
        self.mask = self.artifacts.put("mask", disc(300, 200), "image/png", "heart").handle
        self.ledger = Ledger()
        mass = Region(image="image_1", box=Box(x_min=20, y_min=30, x_max=70, y_max=90), label=words, side=Side.RIGHT)
        self._add(
            "report_findings",
            origin,
            summary=words,
            warnings=(words,),
            inputs={"image_1": "ab" * 32, words: "cd" * 32},
            observations=(Observation(text=words, finding="mass", system="lungs", side=Side.RIGHT, regions=(mass,)),),
        )
        self._add("segment", origin, regions=(Region(image="image_1", mask=self.mask, label="heart"),))
        self._add(
            "measure",
            Origin.CODE,
            uses=("E2",),
            measurements=(Measurement(name="ratio", value=0.4449, unit="1", digits=2, method=words),),
            observations=(
                Observation(text="x", finding="pneumothorax", assertion=Assertion.ABSENT, probability=0.031),
            ),
        )
        reason = Reason(code="WET-ENDPOINT-DOWN", message=words)
        self._add("classify", origin, status="failed", reason=reason)
        draft = Draft(
            findings=(
                DraftStatement(system="lungs", text="There is a new right mass of 9.9 cm.", evidence=("E1", "E77")),
                DraftStatement(system="heart", text="The cardiothoracic ratio is {E3.ratio}.", evidence=("E3",)),
                DraftStatement(system=words, text=words, evidence=(words,)),
            ),
            impression=(DraftImpression(text="Right mass.", evidence=("E1",)), DraftImpression(text=words)),
            recommendations=("CT of the chest.",),
            not_assessed={"bones": f"Cut off. {words}"},
        )
        report = compose(
            draft,
            study=self.study,
            template=load_template("chest-xray"),
            ledger=self.ledger,
            artifacts=self.artifacts,
            now=datetime(2030, 5, 6, 7, 8, tzinfo=UTC),
            language_model=words,
            incomplete=words,
        )
        self.report = with_issues(report, check_report(report, Study(images=self.study.images[:1])))
        mask = self.artifacts.get(self.mask)
        assert mask is not None
        self.pictures = {"image_1": gray(300, 200), "image_2": gray(300, 200), self.mask: mask}

    def _add(self, tool: str, origin: Origin, **fields: Any) -> None:
        model = ModelVersion(name="Model-of-" + tool, version="7")
        self.ledger.open(tool, {}).close(
            **{"model": model, "origin": origin, "status": "ok", "latency_ms": 1234.0, **fields}
        )


@pytest.fixture(name="made")
def _made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def terminal(report: Report, width: int = 80, **options: Any) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width, **options).print(to_terminal(report))
    return kept.getvalue()


class Page(HTMLParser):
    """What a browser would see of a page: elements, texts, and nesting that closes."""

    VOID = frozenset({"meta", "input", "br", "img", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._seen: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        self.texts.setdefault(tag, []).append(data)
        if tag not in ("style", "script"):
            self._seen.append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [
            given
            for name, given in self.elements
            if name == tag and all(value in (given.get(key) or "").split() for key, value in wanted.items())
        ]

    @property
    def text(self) -> str:
        return " ".join("".join(self._seen).split())


# Every rendering


@pytest.mark.parametrize("kind", ["html", "markdown", "terminal"])
def test_a_rendering_says_all_that_a_reader_must_know(made: Made, kind: str) -> None:
    if kind == "html":
        text = Page(to_html(made.report, made.pictures)).text
    elif kind == "markdown":
        text = to_markdown(made.report).replace("\\", "")
    else:
        text = " ".join(terminal(made.report, 200).split())
    for said in [
        "AI-assisted draft, not reviewed by a physician.",
        DISCLAIMER,
        "SIMULATED",
        "Incomplete.",
        "partial",
        "There is a new right mass of 9.9 cm.",
        "The cardiothoracic ratio is 0.44.",
        "Cut off. words",
        "Right mass.",
        "CT of the chest.",
        "PRI-1",
        "NUM-1",
        "GRD-1",
        "E77",
        "Model-of-classify 7",
        "WET-ENDPOINT-DOWN",
        "1,234" if kind != "markdown" else "1234",
    ]:
        assert said in text, said
    assert "not assessed" in text.lower()


@pytest.mark.parametrize(
    ("origin", "word"), [(Origin.SIMULATED, "SIMULATED"), (Origin.RECORDED, "REPLAY"), (Origin.AUTHORED, "AUTHORED")]
)
def test_no_origin_is_mistaken_for_another(tmp_path: Path, origin: Origin, word: str) -> None:
    made = Made(tmp_path, origin=origin)
    page = to_html(made.report, {})
    for text in (page, to_markdown(made.report), terminal(made.report)):
        assert word in text
        assert not any(other in text for other in {"SIMULATED", "REPLAY", "AUTHORED"} - {word})
    assert len(Page(page).all("div", class_="stamp")) == 1


def test_a_real_report_bears_no_such_mark(tmp_path: Path) -> None:
    made = Made(tmp_path, origin=Origin.ENDPOINT)
    assert Page(to_html(made.report, {})).all("div", class_="mode") == []


def test_a_report_without_anything_renders(tmp_path: Path) -> None:
    study = Made(tmp_path).study
    report = compose(
        Draft(),
        study=study,
        template=load_template("chest-xray"),
        ledger=Ledger(),
        artifacts=ArtifactStore(),
        now=datetime(2030, 1, 1),
        language_model="protocol",
    )
    for text in (Page(to_html(report, {})).text, to_markdown(report), terminal(report)):
        assert "None was drafted." in text
        assert "No tool was run." in text


# HTML


def test_html_is_self_contained_and_fixed_by_hash(made: Made) -> None:
    text = to_html(made.report, made.pictures)
    page = Page(text)
    [policy] = [found["content"] or "" for tag, found in page.elements if tag == "meta" and "http-equiv" in found]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    for tag in ("style", "script"):
        [content] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    for _, found in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in found)
        for name in ("src", "href", "action", "data", "poster", "xlink:href"):
            assert (found.get(name) or "#").startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,"))


def test_html_is_accessible(made: Made) -> None:
    page = Page(to_html(made.report, made.pictures))
    [html] = page.all("html")
    assert html["lang"] == "en"
    for landmark in ("header", "main", "footer"):
        assert len(page.all(landmark)) == 1
    assert len(page.all("h1")) == 1
    ids = [found["id"] for _, found in page.elements if found.get("id")]
    assert len(ids) == len(set(ids))
    links = [found["href"] or "" for tag, found in page.elements if tag == "a"]
    assert links and {link.removeprefix("#") for link in links} <= set(ids)
    assert all(shape.get("aria-label") for shape in page.all("g"))
    for box in page.all("input", type="checkbox"):
        assert box["data-layer"]


def test_html_links_statements_evidence_and_regions(made: Made) -> None:
    page = Page(to_html(made.report, made.pictures))
    [mass] = [s for s in made.report.statements() if s.text.startswith("There is a new")]
    [item] = page.all("li", id=mass.id)
    assert "placed" in (item["class"] or "")
    boxes = [given for given in page.all("g", class_="box") if mass.id in (given["data-at"] or "").split()]
    assert len(boxes) == 1
    assert [(r["x"], r["y"], r["width"], r["height"]) for r in page.all("rect")][-1] == ("20.0", "30.0", "50.0", "60.0")
    [heart] = page.all("g", class_="mask")
    assert heart["data-layer"] == "heart"
    [path] = page.all("path")
    corners = [float(number) for number in re.findall(r"[\d.]+", path["d"] or "")]
    assert min(corners[::2]) == pytest.approx(40, abs=3)
    assert max(corners[1::2]) == pytest.approx(240, abs=3)
    assert {given["href"] for given in page.all("a", class_="chip")} == {"#E1", "#E2", "#E3"}
    assert len(page.all("span", class_="gone")) == 2


def test_html_marks_the_patients_side_only_where_it_is_known(made: Made) -> None:
    page = Page(to_html(made.report, made.pictures))
    assert [given["text-anchor"] for given in page.all("text", class_="side")] == ["start", "end"]
    assert page.texts["text"] == ["R", "L"]
    assert page.text.count("patient's side not marked") == 1


def test_html_underlines_what_issues_are_about(made: Made) -> None:
    page = Page(to_html(made.report, made.pictures))
    assert {"new", "9.9 cm"} <= set(page.texts["mark"])


def test_html_shows_not_assessed_unlike_normal(made: Made) -> None:
    page = Page(to_html(made.report, made.pictures))
    [bones] = page.all("section", id="system-bones")
    assert "not_assessed" in (bones["class"] or "").split()
    assert bones["aria-label"] == "Bones: Not assessed"


def test_pictures_are_brought_down_to_size(tmp_path: Path) -> None:
    made = Made(tmp_path)
    page = Page(to_html(made.report, {"image_1": gray(2000, 1700)}))
    [image] = page.all("image")
    kind, data = (image["href"] or "").split(",")
    assert kind == "data:image/jpeg;base64"
    assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) == 1600
    assert "not in this file" in page.text


def test_a_picture_that_is_none_is_shown_as_missing(made: Made) -> None:
    page = Page(to_html(made.report, {"image_1": b"<svg onload=alert(1)>", made.mask: b"junk"}))
    assert page.all("image") == []
    assert page.all("path") == []


def test_tints_are_those_of_the_page() -> None:
    style = (ROOT / "prompts" / "reports" / "common" / "report.css").read_text(encoding="utf-8")
    assert tuple(re.findall(r"--t\d: (#\w{6})", style)) == TINTS


# Hostile text


def test_hostile_text_is_text_in_html(tmp_path: Path) -> None:
    calm = Page(to_html(Made(tmp_path).report, {}))
    made = Made(tmp_path, HOSTILE)
    page = Page(to_html(made.report, made.pictures))
    assert {tag for tag, _ in page.elements} - {"svg", "image", "g", "title", "rect", "path", "text"} <= {
        tag for tag, _ in calm.elements
    } | {"fieldset", "legend"}
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert page.all("img") == []
    assert "alert(1)" not in " ".join(page.texts["script"])
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    text = to_html(made.report, made.pictures)
    assert not any(c in text for c in "\x1b\x07\u202e")


@settings(max_examples=25, deadline=None)
@given(words=st.text(alphabet=st.sampled_from("<>\"'&/=`{}% ab\n\\-\x00\u202e"), min_size=1, max_size=25))
def test_any_words_leave_the_page_whole(words: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    plain = Page(to_html(Made(folder).report, {}))
    page = Page(to_html(Made(folder, words).report, {}))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}


def test_hostile_text_is_text_in_markdown(tmp_path: Path) -> None:
    text = to_markdown(Made(tmp_path, HOSTILE).report)
    assert not re.search(r"(?<!\\)<(script|img|b)", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "http://" not in text
    assert "**bold**" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}


def test_hostile_text_cannot_drive_a_terminal(tmp_path: Path) -> None:
    text = terminal(Made(tmp_path, HOSTILE).report, 100)
    assert not any(c in text for c in "\x1b\x07\u202e")
    assert "[31mred" in text


# Terminal


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_keeps_its_width(made: Made, width: int) -> None:
    text = terminal(made.report, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_the_terminal_needs_no_colour(made: Made) -> None:
    assert "\x1b" not in terminal(made.report)
    assert "\x1b" in terminal(made.report, force_terminal=True, color_system="truecolor")


# Spans


@given(st.text(min_size=1, max_size=30), st.data())
def test_pieces_are_the_text(text: str, data: st.DataObject) -> None:
    from wetread.reports.model import Issue, Statement

    number = st.integers(min_value=-3, max_value=40)
    spans = data.draw(st.lists(st.tuples(number, number), max_size=4))
    statement = Statement(id="S1", section="findings", text=text)
    found = [
        Issue(code="NUM-1", severity="error", message="x", where="S1", start=start, end=end) for start, end in spans
    ]
    assert "".join(piece.text for piece in pieces(statement, found)) == text


# Files


def test_files_are_written_whole(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "deep"
    paths = write_report(made.report, artifacts=made.artifacts, bank=ImageBank(made.study), folder=folder)
    assert [path.name for path in paths] == ["report.html", "report.md", "report.json", "image_1-overlay.jpg"]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert Report.model_validate_json((folder / "report.json").read_bytes()) == made.report
    with Image.open(folder / "image_1-overlay.jpg") as overlay:
        assert overlay.size == (200, 300)
        assert overlay.mode == "RGB"
    assert "](image_1-overlay.jpg)" in (folder / "report.md").read_text(encoding="utf-8")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("image")) == 2


def test_only_its_own_files_are_touched(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("mine.txt", "report.html", "image_7-overlay.jpg"):
        (folder / name).write_text("old", encoding="utf-8")
    write_report(made.report, artifacts=made.artifacts, bank=ImageBank(made.study), folder=folder)
    assert (folder / "mine.txt").read_text(encoding="utf-8") == "old"
    assert (folder / "report.html").read_text(encoding="utf-8") != "old"
    assert not (folder / "image_7-overlay.jpg").exists()


def test_nothing_is_left_half_written(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.html").write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="No space left") as caught:
        write_report(made.report, artifacts=made.artifacts, bank=ImageBank(made.study), folder=folder)
    assert caught.value.code == "WET-INPUT-OUT"
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    assert (folder / "report.html").read_text(encoding="utf-8") == "old"


def test_a_folder_that_is_a_file_is_told(made: Made, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(made.report, artifacts=made.artifacts, bank=ImageBank(made.study), folder=tmp_path / "taken")


def test_an_image_that_cannot_be_decoded_is_missing(made: Made, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    write_report(made.report, artifacts=made.artifacts, bank=ImageBank(made.study), folder=tmp_path / "out")
    page = Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("image")) == 1
    assert "not in this file" in page.text


def test_renderings_are_the_same_every_time(made: Made) -> None:
    assert to_html(made.report, made.pictures) == to_html(made.report, made.pictures)
    assert to_markdown(made.report) == to_markdown(made.report)
    assert to_json(made.report) == to_json(made.report)


def test_a_workspace_brings_its_own_page(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "prompts" / "reports" / "chest-xray"
    folder.mkdir(parents=True)
    built_in = ROOT / "prompts" / "reports" / "chest-xray" / "template.yaml"
    (folder / "template.yaml").write_bytes(built_in.read_bytes())
    (folder / "report.md.j2").write_text("Mine: {{ title }}", encoding="utf-8")
    assert to_markdown(made.report, workspace=tmp_path) == "Mine: Chest radiograph, single view\n"
    assert "Chest radiograph" in to_html(made.report, {}, workspace=tmp_path)
    unknown = made.report.model_copy(update={"template": "no-longer-there"})
    assert "Chest radiograph" in to_markdown(unknown)


# Schema


def test_the_published_schema_is_current() -> None:
    assert (ROOT / SCHEMA_PATH).read_bytes() == schema_json(), "run python -m wetread.reports.schema"


def test_a_report_is_as_the_schema_says(made: Made) -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = orjson.loads(to_json(made.report))
    validator.validate(data)
    for wrong in ({**data, "status": "done"}, {**data, "extra": 1}, {k: v for k, v in data.items() if k != "findings"}):
        assert not validator.is_valid(wrong)

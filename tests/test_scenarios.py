"""Scenarios: their file, answers written by hand, expectations, and all that are shipped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetread.agents.chat import ChatMessage, ChatRequest
from wetread.errors import ConfigError, EndpointError, ModelError
from wetread.events import Notice, ToolFinished, ToolStarted, TurnEnded
from wetread.evidence import Evidence, ModelVersion, Reason, Region
from wetread.imaging.bank import ImageBank
from wetread.imaging.prepare import Preparation
from wetread.reports.model import Claim, Grounding, Issue, Report, Section, Statement, SystemFindings
from wetread.scenarios.authored import (
    AuthoredEndpoints,
    AuthoredImage,
    AuthoredModel,
    check_authored,
    read_authored,
)
from wetread.scenarios.expectations import check_expectations
from wetread.scenarios.runner import LiveSources, run_scenario
from wetread.scenarios.scenario import BUILT_IN, Expectations, Scenario, find_scenarios
from wetread.scenarios.sources import Outage
from wetread.scenarios.tape import Mode, TapeMiss
from wetread.scenarios.tape_file import load_tape
from wetread.study_reading import read_study
from wetread.testing.phantom import chest_phantom
from wetread.testing.scripted import ScriptedModel, calls
from wetread.testing.simulated import SimulatedEndpoints
from wetread.tools.endpoints import cxrreportgen, medimageinsight, medimageparse
from wetread.tools.endpoints.port import EndpointRequest
from wetread.vocabulary import Origin, Side

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HEAD = "title: A chest\nnow: 2026-01-15T12:00:00+00:00\n"


def write_scenario(folder: Path, text: str = "", name: str = "mine") -> Scenario:
    path = folder / "scenarios" / name / "scenario.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + text)
    return Scenario(path.parent)


# --- scenario.yaml


def test_a_scenario_has_its_folders_name_and_sound_defaults(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path)
    assert scenario.name == "mine"
    assert scenario.file.messages == ("Draft the report.",)
    assert scenario.file.model == "protocol"
    assert scenario.file.now == NOON


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle: tape\n", r"scenario\.yaml, line 3: unknown key 'modle'.* Did you mean 'model'\?"),
        ("model: gpt\n", r"line 3: model: "),
        ("down: [cxrreportgne]\n", r"line 3: down\[1\]"),
        ("library: ../../etc/passwd\n", r"line 3: library: a path inside the scenario's folder"),
        ("study: {paths: [/etc]}\n", r"line 3: study\.paths\[1\]: a path inside"),
        ("messages: []\n", r"line 3: messages"),
        ("expect:\n  tools:\n    - tool: segment\n      cuont: 2\n", r"line 6: unknown key 'cuont'.*'count'"),
        ("expect:\n  statements:\n    - {matches: '(', side: left}\n", r"line 5: .*not a regular expression"),
        ("expect: {statements: [{side: port}]}\n", r"line 3: .*side"),
        ("budget: {wall_s: 0}\n", r"line 3: budget\.wall_s"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        write_scenario(tmp_path, text)


def test_the_clock_needs_a_zone(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("title: x\nnow: 2026-01-15T12:00:00\n")
    with pytest.raises(ConfigError, match=r"line 2: now: a time with its zone"):
        Scenario(tmp_path)


def test_a_workspace_adds_scenarios_and_an_unknown_name_is_told(tmp_path: Path) -> None:
    write_scenario(tmp_path)
    assert "mine" in [scenario.name for scenario in find_scenarios([], tmp_path)]
    assert [scenario.name for scenario in find_scenarios(["mine"], tmp_path)] == ["mine"]
    with pytest.raises(ConfigError, match=r"no scenario 'mien'. Did you mean 'mine'"):
        find_scenarios(["mien"], tmp_path)


# --- expectations

EVENTS = [
    ToolStarted(
        agent="orchestrator", call="1", tool="segment", arguments={"image": "image_1", "structures": ["heart"]}
    ),
    ToolStarted(agent="orchestrator", call="2", tool="report_findings", arguments={"image": "image_1"}),
    ToolFinished(agent="orchestrator", call="1", tool="segment", status="ok", summary="", latency_ms=1),
    ToolFinished(agent="orchestrator", call="2", tool="report_findings", status="failed", summary="", latency_ms=1),
    Notice(code="WET-READING-FAULT", message="x"),
    TurnEnded(
        turn=1,
        outcome="reported",
        model_calls=1,
        tool_calls=2,
        prompt_tokens=0,
        completion_tokens=0,
        wall_ms=1,
    ),
]
MODEL = ModelVersion(name="m")
EVIDENCE = [
    Evidence(id="E1", tool="segment", model=MODEL, origin=Origin.AUTHORED, status="ok"),
    Evidence(
        id="E2",
        tool="report_findings",
        model=MODEL,
        origin=Origin.CODE,
        status="failed",
        reason=Reason(code="WET-ENDPOINT-BUSY", message="busy"),
    ),
]
REPORT = Report(
    template="chest-xray",
    template_version="1",
    created=NOON,
    language_model="protocol",
    disclosure="d",
    images=(),
    sections=(Section(name="comparison", title="Comparison", loinc="18834-2", text="None available."),),
    findings=(
        SystemFindings(
            system="lungs",
            title="Lungs",
            status="abnormal",
            statements=(
                Statement(
                    id="S1",
                    section="findings",
                    system="lungs",
                    text="Mass in the right lung.",
                    evidence=("E1",),
                    claims=(Claim(finding="mass", side=Side.RIGHT),),
                    regions=(Region(image="image_1"),),
                ),
            ),
        ),
        SystemFindings(system="pleura", title="Pleura", status="not_assessed", reason="x"),
    ),
    impression=(Statement(id="S2", section="impression", text="Lung mass."),),
    grounding=Grounding(statements=2, grounded=1, contradicted=0, not_assessed=1),
    issues=(Issue(code="GRD-1", severity="warning", message="x"), Issue(code="GRD-1", severity="warning", message="y")),
)


def differences(**expected: Any) -> list[str]:
    expect = Expectations.model_validate(expected)
    return [found.what for found in check_expectations(expect, EVENTS, EVIDENCE, REPORT)]


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"tools": [{"tool": "segment", "arguments": {"structures": ["heart"]}, "count": 1, "status": "ok"}]},
        {"tools": [{"tool": "classify", "count": 0}, {"tool": "report_findings", "agent": "orchestrator"}]},
        {"order": ["segment", "report_findings"]},
        {
            "evidence": [
                {"tool": "segment"},
                {"tool": "report_findings", "status": "failed", "code": "WET-ENDPOINT-BUSY"},
            ]
        },
        {"statements": [{"contains": "MASS in the", "system": "lungs", "side": "right", "evidence": "segment"}]},
        {"statements": [{"matches": "^Lung mass", "section": "impression", "located": False}]},
        {"absent": [{"contains": "pneumothorax"}, {"contains": "mass", "side": "left"}]},
        {"not_assessed": ["pleura"], "sections": {"comparison": "None available."}},
        {"issues": {"exactly": ["GRD-1", "GRD-1"], "include": ["GRD-1"], "exclude": ["LAT-1"]}},
        {"notices": ["WET-READING-FAULT"]},
    ],
)
def test_what_holds_is_no_difference(expected: dict[str, Any]) -> None:
    assert differences(**expected) == []


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({"outcome": "budget"}, "should have ended 'budget' and ended 'reported'"),
        ({"tools": [{"tool": "classify"}]}, "'classify'} was not called"),
        ({"tools": [{"tool": "segment", "arguments": {"structures": ["lung"]}}]}, "it was called with [{'image'"),
        ({"tools": [{"tool": "segment", "count": 2}]}, "was called 1 times, not 2"),
        ({"tools": [{"tool": "report_findings", "status": "ok"}]}, "was not called"),
        ({"order": ["report_findings", "segment"]}, "report_findings should be called before segment"),
        ({"order": ["classify"]}, "classify was not called"),
        ({"evidence": [{"tool": "report_findings"}]}, "of report_findings there is: E2 failed"),
        ({"evidence": [{"tool": "segment", "count": 0}]}, "1 pieces of evidence"),
        ({"statements": [{"contains": "mass", "side": "left"}]}, "no statement is like"),
        ({"statements": [{"contains": "lung mass", "evidence": "segment"}]}, "no statement is like"),
        ({"absent": [{"contains": "mass", "section": "impression"}]}, "S2 should not be there"),
        ({"not_assessed": ["lungs"]}, "lungs should be shown as not assessed; those shown so: pleura"),
        ({"sections": {"comparison": "2024"}}, "should contain '2024' and is 'None available.'"),
        ({"sections": {"history": ""}}, "the section 'history' is not in the report"),
        ({"issues": {"exactly": ["GRD-1"]}}, "the issues should be GRD-1 and are GRD-1, GRD-1"),
        ({"issues": {"include": ["LAT-1"], "exclude": ["GRD-1"]}}, "the issue LAT-1 is missing"),
        ({"notices": ["WET-X"]}, "the notice WET-X was not given"),
    ],
)
def test_what_does_not_hold_is_told(expected: dict[str, Any], said: str) -> None:
    found = differences(**expected)
    assert any(said in what for what in found), found


# --- answers written by hand


def test_authored_answers_are_checked_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "authored.yaml"
    path.write_text("endpoints:\n  image_1:\n    probabilities:\n      mass: 1.2\n")
    with pytest.raises(ConfigError, match=r"authored\.yaml, line \d: .*between 0 and 1"):
        read_authored(path)
    path.write_text("chat:\n  orchestrator:\n    - calls: [{segment: {}, measure: {}}]\n")
    with pytest.raises(ConfigError, match=r"line 3: .*one tool's name"):
        read_authored(path)


async def test_an_authored_model_answers_each_agent_in_order(tmp_path: Path) -> None:
    path = tmp_path / "authored.yaml"
    path.write_text(
        "chat:\n"
        "  orchestrator:\n"
        "    - calls:\n        - segment: {image: image_1, structures: [heart]}\n        - classify: {}\n"
        "    - text: Done.\n"
        "  historian:\n    - answer: {findings: []}\n"
    )
    model = AuthoredModel(read_authored(path).chat)

    def ask(agent: str) -> ChatRequest:
        return ChatRequest(agent=agent, messages=(ChatMessage(role="user", text="x"),))

    first = await model.complete(ask("orchestrator"))
    assert [(use.name, use.arguments) for use in first.tool_uses] == [
        ("segment", '{"image":"image_1","structures":["heart"]}'),
        ("classify", "{}"),
    ]
    assert (await model.complete(ask("historian"))).text == '{"findings":[]}'
    assert model.mistake() == "answers of orchestrator were not asked for."
    assert (await model.complete(ask("orchestrator"))).text == "Done."
    assert model.mistake() is None
    with pytest.raises(ModelError, match="no further answer for the agent 'orchestrator'"):
        await model.complete(ask("orchestrator"))
    assert "'orchestrator' was asked for one more answer" in (model.mistake() or "")


@pytest.fixture
def bank(tmp_path: Path) -> ImageBank:
    from PIL import Image

    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 255, (300, 220), np.uint8)).save(tmp_path / "chest.png")
    return ImageBank(read_study([tmp_path / "chest.png"], view="PA"))


FINDINGS = {"pneumothorax": ("Pneumothorax", "No pneumothorax"), "cardiomegaly": ("Cardiomegaly", "Normal heart size")}


def authored(bank: ImageBank, **image: Any) -> AuthoredEndpoints:
    return AuthoredEndpoints({"image_1": AuthoredImage.model_validate(image)}, bank, FINDINGS, SimulatedEndpoints())


@settings(max_examples=25, deadline=None)
@given(x=st.integers(0, 200), y=st.integers(40, 240), width=st.integers(4, 19), height=st.integers(4, 19))
async def test_authored_boxes_come_back_within_a_bin(x: int, y: int, width: int, height: int) -> None:
    import tempfile

    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        Image.new("L", (220, 300), 90).save(Path(folder) / "chest.png")
        bank = ImageBank(read_study([Path(folder) / "chest.png"], view="PA"))
        payload = await bank.payload("image_1", Preparation.FULL)
    corners = (x, y, min(x + width, 219), min(y + height, 259))
    port = authored(bank, sentences=[{"text": "A mass.", "boxes": [corners]}, {"text": "No effusion."}])
    request = cxrreportgen.encode(payload)
    reply = await port.score(request)
    assert reply.origin is Origin.AUTHORED
    mass, effusion = cxrreportgen.decode(reply).sentences
    assert (mass.text, effusion.text, effusion.boxes) == ("A mass.", "No effusion.", ())
    (box,) = mass.boxes
    on_image = box.on_picture(payload.rows, payload.columns)
    bin_size = 220 / 100
    for found, wanted in zip((on_image.x_min, on_image.y_min, on_image.x_max, on_image.y_max), corners, strict=True):
        assert abs(found - wanted) <= bin_size / 2 + 1e-6


async def test_authored_outlines_come_back_as_masks_in_the_image(bank: ImageBank) -> None:
    outline = [[50, 80], [150, 80], [150, 230], [50, 230]]
    payload = await bank.payload("image_1", Preparation.PAD_1024)
    port = authored(bank, outlines={"heart": [outline]})
    request = medimageparse.encode(payload, ["heart", "left lung"])
    masks = medimageparse.decode(await port.score(request), request)
    assert masks.classes == ("heart anatomies", "lung")
    heart = payload.frame.to_image(masks.probabilities[0]) >= medimageparse.PRESENT
    truth = np.zeros((300, 220), bool)
    truth[80:230, 50:150] = True
    assert (heart & truth).sum() * 2 / (heart.sum() + truth.sum()) > 0.97
    assert not (masks.probabilities[1] >= medimageparse.PRESENT).any()


async def test_authored_probabilities_come_out_of_zero_shot_classification(bank: ImageBank) -> None:
    port = authored(bank, probabilities={"pneumothorax": 0.03, "cardiomegaly": 0.91})
    payload = await bank.payload("image_1", Preparation.SQUARE_512)
    image_request = medimageinsight.encode([payload])
    image = medimageinsight.decode(await port.score(image_request), image_request)
    prompts = [f"x-ray chest posteroanterior {phrase}" for pair in FINDINGS.values() for phrase in pair]
    text_request = medimageinsight.encode(texts=prompts)
    texts = medimageinsight.decode(await port.score(text_request), text_request)
    assert image.images is not None and texts.texts is not None
    found = medimageinsight.zero_shot_probabilities(
        image.images[0], texts.texts.reshape(2, 2, -1), image.scaling_factor
    )[:, 0]
    np.testing.assert_allclose(found, [0.03, 0.91], atol=1e-3)
    assert image.warnings == texts.warnings == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("endpoints: {image_2: {sentences: []}}\n", "there is no image_2. Did you mean 'image_1'"),
        ("endpoints: {image_1: {probabilities: {pneumothorax: 0.1}}}\n", "cardiomegaly of image_1 has no probability"),
        (
            "endpoints: {image_1: {probabilities: {pneumothorax: 0.1, cardiomegaly: 0.2, pneumothorx: 0.1}}}\n",
            "pneumothorx of image_1 is no finding of the template. Did you mean 'pneumothorax'",
        ),
        (
            "cases: [{id: a, image: image_3, similarity: 0.5, modality: DX, view: PA}]\n",
            "there is no image_3",
        ),
    ],
)
def test_answers_about_what_is_not_there_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "authored.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_authored(path, read_authored(path), ["image_1"], FINDINGS)
    assert said in caught.value.message


async def test_what_is_not_written_is_asked_of_the_source_behind(bank: ImageBank) -> None:
    port = authored(bank, sentences=[])
    request = medimageparse.encode(await bank.payload("image_1", Preparation.PAD_1024), ["heart"])
    assert (await port.score(request)).origin is Origin.SIMULATED


async def test_an_endpoint_that_is_down_answers_503() -> None:
    port = Outage(SimulatedEndpoints(), down=["cxrreportgen"], absent=["medimageparse"])
    with pytest.raises(EndpointError) as caught:
        await port.score(EndpointRequest("cxrreportgen", ("indication",), (("x",),)))
    assert (caught.value.status, caught.value.retryable) == (503, True)
    assert [port.configured(name) for name in ("cxrreportgen", "medimageparse", "medimageinsight")] == [
        True,
        False,
        True,
    ]


# --- running


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with the scenario `mine`, read by the protocol from simulated endpoints."""
    scenario = write_scenario(tmp_path, "endpoints: simulated\nstudy: {view: PA, indication: Cough.}\n")
    (scenario.folder / "study").mkdir()
    chest_phantom(256).write_png(scenario.folder / "study" / "chest.png")
    return tmp_path


def rewrite(workspace: Path, old: str, new: str) -> Scenario:
    path = workspace / "scenarios" / "mine" / "scenario.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return Scenario(path.parent)


async def test_a_recording_is_replayed_to_the_byte(workspace: Path) -> None:
    scenario = Scenario(workspace / "scenarios" / "mine")
    recorded = await run_scenario(scenario, Mode.RECORD, workspace=workspace)
    assert recorded.differences == ()
    assert {path.name for path in recorded.written} == {"tape.json", "report.json"}
    replayed = await run_scenario(scenario, workspace=workspace)
    assert replayed.differences == ()
    assert replayed.report == recorded.report
    assert replayed.report is not None
    assert set(replayed.report.modes) == {"replay", "simulated"}
    assert {item.origin for item in replayed.report.evidence} <= {Origin.SIMULATED, Origin.CODE}


async def test_a_changed_request_is_told_though_the_tool_only_failed(workspace: Path) -> None:
    scenario = Scenario(workspace / "scenarios" / "mine")
    await run_scenario(scenario, Mode.RECORD, workspace=workspace)
    changed = rewrite(workspace, "Cough.", "Fever.")
    result = await run_scenario(changed, workspace=workspace)
    told = [difference for difference in result.differences if "WET-TAPE-MISS" in difference.what]
    assert any('-   "Cough."' in difference.diff and '+   "Fever."' in difference.diff for difference in told)
    assert any("WET-TAPE-UNUSED" in difference.what for difference in result.differences)


async def test_an_endpoint_that_is_down_stays_down_in_the_replay(workspace: Path) -> None:
    scenario = rewrite(
        workspace,
        "endpoints: simulated\n",
        "endpoints: simulated\ndown: [cxrreportgen]\nabsent: [medimageinsight]\n"
        "expect:\n  evidence:\n"
        "    - {tool: report_findings, status: failed, code: WET-ENDPOINT-UNAVAILABLE}\n"
        "    - {tool: classify, status: abstained}\n"
        "  not_assessed: [pleura, bones]\n",
    )
    result = await run_scenario(scenario, Mode.RECORD, workspace=workspace)
    assert result.differences == ()
    assert [record.error.status for record in load_tape(scenario.tape).endpoints if record.error] == [503]


async def test_a_recording_needs_its_sources(workspace: Path) -> None:
    scenario = rewrite(workspace, "endpoints: simulated", "endpoints: configured")
    with pytest.raises(ConfigError, match="real endpoints, and none are configured"):
        await run_scenario(scenario, Mode.RECORD, workspace=workspace)
    scenario = rewrite(workspace, "endpoints: configured", "endpoints: simulated\nmodel: tape")
    with pytest.raises(ConfigError, match="a language model, and none is configured"):
        await run_scenario(scenario, Mode.RECORD, workspace=workspace)
    assert not scenario.tape.exists()


DRAFT = {
    "findings": [{"system": "pleura", "text": "No pneumothorax.", "evidence": ["E1"]}],
    "impression": [{"text": "No pneumothorax.", "evidence": ["E1"]}],
}


async def test_a_language_model_is_recorded_and_refreshed(workspace: Path) -> None:
    scenario = rewrite(workspace, "endpoints: simulated", "endpoints: simulated\nmodel: tape")

    def live() -> LiveSources:
        def answer(agent: str) -> Any:
            drafts = [calls(("submit_report", DRAFT))] * 3
            return [calls(("classify", {})), *drafts] if agent == "orchestrator" else ['{"objections": []}'] * 3

        return LiveSources(model=ScriptedModel({agent: answer(agent) for agent in ("orchestrator", "reviewer")}))

    result = await run_scenario(scenario, Mode.RECORD, workspace=workspace, live=live())
    assert result.differences == ()
    first = load_tape(scenario.tape)
    assert first.model == "scripted"
    assert {record.origin.kind for record in first.chat} == {"recorded"}
    result = await run_scenario(scenario, Mode.REFRESH_LLM, workspace=workspace, live=live())
    assert result.differences == ()
    second = load_tape(scenario.tape)
    assert second.endpoints == first.endpoints
    assert [record.key for record in second.chat] == [record.key for record in first.chat]
    result = await run_scenario(scenario, Mode.REFRESH_TOOLS, workspace=workspace)
    assert result.differences == ()
    assert load_tape(scenario.tape).chat == second.chat


async def test_a_refresh_that_asks_for_something_new_fails_and_changes_nothing(workspace: Path) -> None:
    scenario = rewrite(workspace, "endpoints: simulated", "endpoints: simulated\nmodel: tape")
    asked_for = [("classify", {}), ("report_findings", {})]
    for mode, tool in zip((Mode.RECORD, Mode.REFRESH_LLM), asked_for, strict=True):
        before = scenario.tape.read_bytes() if scenario.tape.exists() else None
        script = {
            "orchestrator": [calls(tool), *[calls(("submit_report", DRAFT))] * 3],
            "reviewer": ['{"objections": []}'] * 3,
        }
        running = run_scenario(scenario, mode, workspace=workspace, live=LiveSources(model=ScriptedModel(script)))
        if mode is Mode.RECORD:
            assert (await running).differences == ()
        else:
            with pytest.raises(TapeMiss, match="cxrreportgen was asked what is not on the tape"):
                await running
            assert scenario.tape.read_bytes() == before


# --- what is shipped

SHIPPED = [path.parent.name for path in sorted(BUILT_IN.glob("*/scenario.yaml"))]


@pytest.mark.parametrize("name", SHIPPED)
async def test_a_shipped_scenario_comes_out_as_expected(name: str) -> None:
    (scenario,) = find_scenarios([name])
    result = await run_scenario(scenario)
    assert [(difference.what, difference.diff) for difference in result.differences] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_tape_is_small_and_says_where_it_came_from(name: str) -> None:
    (scenario,) = find_scenarios([name])
    tape = load_tape(scenario.tape)
    assert tape.origins <= {"authored", "simulated"}
    blobs = scenario.folder / "blobs"
    files = [scenario.tape, *(blobs.iterdir() if blobs.is_dir() else [])]
    assert sum(file.stat().st_size for file in files) < 300_000

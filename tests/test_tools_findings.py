"""`report_findings`: what is sent, what comes back as claims, sides and boxes in the image's own pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from wetread.evidence import Box, Evidence
from wetread.imaging.bank import ImageBank
from wetread.reports.template import load_template
from wetread.study import ImageSource, PriorReport, Study, StudyImage
from wetread.testing.simulated import SimulatedEndpoints
from wetread.testing.simulated_rows import crop_box, findings_row
from wetread.tools.base import Reading
from wetread.tools.endpoints.port import EndpointRequest
from wetread.tools.report_findings import ReportFindings
from wetread.tools.toolbox import Toolbox
from wetread.vocabulary import Assertion, Change, Side, View

Sentence = tuple[str, Sequence[Sequence[float]] | None]
MakeImage = Callable[..., StudyImage]


@pytest.fixture
def make_image(tmp_path: Path) -> MakeImage:
    """An image of noise, 100 x 100 unless told."""

    def make(handle: str = "image_1", rows: int = 100, columns: int = 100, **fields: Any) -> StudyImage:
        path = tmp_path / f"{handle}.png"
        rng = np.random.default_rng(len(handle) + int(handle[-1]))
        Image.fromarray(rng.integers(0, 255, (rows, columns), np.uint8)).save(path)
        given = {"modality": "DX", "view": View.PA, "patient_right_on": "left", **fields}
        return StudyImage(
            handle=handle, rows=rows, columns=columns, source=ImageSource(path=path, kind="picture"), **given
        )

    return make


class Asked:
    """A reading whose CXRReportGen answers these sentences, and the requests that it got."""

    def __init__(self, study: Study, sentences: Sequence[Sentence] | dict[str, Any] = ()) -> None:
        self.requests: list[EndpointRequest] = []
        self.row = sentences if isinstance(sentences, dict) else findings_row(sentences)
        self.reading = Reading(
            study=study,
            images=ImageBank(study),
            template=load_template("chest-xray"),
            endpoints=SimulatedEndpoints(answers=self._answer),
        )

    def _answer(self, request: EndpointRequest) -> list[dict[str, Any]]:
        self.requests.append(request)
        return [self.row]

    async def call(self, **arguments: Any) -> dict[str, Any]:
        box = Toolbox([ReportFindings()], self.reading)
        answer = await box.call("report_findings", json.dumps(arguments), agent="orchestrator", call_id="c1")
        return cast(dict[str, Any], json.loads(answer.text))

    @property
    def evidence(self) -> Evidence:
        (evidence,) = self.reading.ledger
        return evidence


async def test_a_box_comes_back_in_the_image_s_pixels(make_image: MakeImage) -> None:
    image = make_image(rows=300, columns=200)
    drawn = Box(x_min=20, y_min=100, x_max=60, y_max=160)
    asked = Asked(Study(images=(image,)), [("There is a right pleural effusion.", [crop_box(drawn, 300, 200)])])
    said = await asked.call()
    assert said["findings"] == [
        {
            "n": 1,
            "text": "There is a right pleural effusion.",
            "system": "pleura",
            "finding": "pleural_effusion",
            "assertion": "present",
            "side": "right",
            "box": True,
        }
    ]
    (observation,) = asked.evidence.observations
    (region,) = observation.regions
    assert region.box is not None and region.image == "image_1" and region.side is Side.RIGHT
    for corner in ("x_min", "y_min", "x_max", "y_max"):
        assert getattr(region.box, corner) == pytest.approx(getattr(drawn, corner), abs=200 * 0.011)


@pytest.mark.parametrize(
    ("right_on", "x", "side"),
    [
        ("left", (10, 30), Side.RIGHT),
        ("left", (70, 90), Side.LEFT),
        ("left", (40, 60), Side.MIDLINE),
        ("right", (10, 30), Side.LEFT),
        ("unknown", (10, 30), None),
    ],
)
async def test_the_side_is_the_patient_s(
    make_image: MakeImage, right_on: str, x: tuple[float, float], side: Side | None
) -> None:
    image = make_image(rows=100, columns=100, patient_right_on=right_on)
    box = crop_box(Box(x_min=x[0], y_min=40, x_max=x[1], y_max=60), 100, 100)
    asked = Asked(Study(images=(image,)), [("There is a nodule.", [box])])
    said = await asked.call()
    (observation,) = asked.evidence.observations
    assert observation.regions[0].side is side and observation.side is side
    assert said["findings"][0]["side"] == (side.value if side else None)


async def test_a_heart_left_of_the_middle_has_no_side(make_image: MakeImage) -> None:
    asked = Asked(Study(images=(make_image(),)), [("There is moderate cardiomegaly.", [(0.4, 0.5, 0.9, 0.8)])])
    said = await asked.call()
    assert said["findings"][0]["side"] is None
    (observation,) = asked.evidence.observations
    assert observation.side is None and observation.regions[0].side is Side.LEFT


async def test_one_observation_for_each_claim(make_image: MakeImage) -> None:
    sentences: list[Sentence] = [
        ("No pleural effusion or pneumothorax.", None),
        ("Large left pleural effusion and small right pneumothorax.", [(0.1, 0.1, 0.3, 0.3), (0.7, 0.6, 0.9, 0.9)]),
        ("Look here.", [(0.1, 0.1, 0.3, 0.3)]),
    ]
    asked = Asked(Study(images=(make_image(rows=100),)), sentences)
    said = await asked.call()
    first, second, third = said["findings"]
    assert [first["finding"], *(one["finding"] for one in first["also"])] == ["pleural_effusion", "pneumothorax"]
    assert first["assertion"] == "absent" and not first["box"] and first["also"][0]["assertion"] == "absent"
    assert second["side"] == "left" and second["also"][0]["side"] == "right"
    assert (third["finding"], third["system"], third["n"]) == (None, None, 3) and "also" not in third
    effusion, pneumothorax = (
        one for one in asked.evidence.observations if one.assertion is Assertion.PRESENT and one.finding
    )
    assert [region.side for region in effusion.regions] == [Side.LEFT]
    assert [region.side for region in pneumothorax.regions] == [Side.RIGHT]


async def test_an_absence_beside_a_presence_points_nowhere(make_image: MakeImage) -> None:
    asked = Asked(
        Study(images=(make_image(),)), [("Left pleural effusion without pneumothorax.", [(0.6, 0.6, 0.9, 0.9)])]
    )
    await asked.call()
    by_finding = {one.finding: one for one in asked.evidence.observations}
    assert len(by_finding["pleural_effusion"].regions) == 1 and by_finding["pneumothorax"].regions == ()


async def test_everything_of_the_study_is_sent(make_image: MakeImage) -> None:
    study = Study(
        images=(
            make_image("image_1"),
            make_image("image_2", view=View.LATERAL),
            make_image("image_3", role="prior", view=View.AP, days_before=30),
        ),
        indication="Cough.",
        technique="Two views.",
        prior_report=PriorReport(text="Small effusion.", days_before=30),
    )
    asked = Asked(study, [("The lungs are clear.", None)])
    await asked.call()
    (request,) = asked.requests
    sent = dict(zip(request.columns, request.rows[0], strict=True))
    assert sent["indication"] == "Cough." and sent["technique"] == "Two views."
    assert sent["prior_report"] == "Small effusion." and sent["comparison"] == "Chest radiograph, 30 days earlier."
    assert len({id(sent[name]) for name in ("frontal_image", "lateral_image", "prior_image")}) == 3
    assert set(asked.evidence.inputs) == {
        "image_1",
        "image_2",
        "image_3",
        "indication",
        "technique",
        "comparison",
        "prior_report",
    }
    assert all(len(digest) == 64 for digest in asked.evidence.inputs.values())


async def test_nothing_is_sent_that_the_study_does_not_have(make_image: MakeImage) -> None:
    asked = Asked(Study(images=(make_image(),)), [("The lungs are clear.", None)])
    await asked.call()
    assert set(asked.requests[0].columns) == {"frontal_image", "comparison"}
    assert set(asked.evidence.inputs) == {"image_1"}


@pytest.mark.parametrize(
    "text",
    [
        "Small right pleural effusion, unchanged.",
        "Compared to the prior radiograph, the lungs are clear.",
        "There has been interval placement of a chest tube.",
    ],
)
async def test_an_invented_prior_is_kept_and_flagged(make_image: MakeImage, text: str) -> None:
    asked = Asked(Study(images=(make_image(),)), [("The heart is normal.", None), (text, None)])
    said = await asked.call()
    assert said["findings"][1]["text"] == text
    assert said["warnings"] == ["sentence 2 mentions a comparison, no prior was sent"]

    prior = make_image("image_2", role="prior")
    asked = Asked(Study(images=(make_image(), prior)), [("The heart is normal.", None), (text, None)])
    assert "warnings" not in await asked.call()


async def test_change_is_part_of_the_observation(make_image: MakeImage) -> None:
    prior = make_image("image_2", role="prior")
    asked = Asked(Study(images=(make_image(), prior)), [("The right pleural effusion has increased.", None)])
    await asked.call()
    assert asked.evidence.observations[0].change is Change.INCREASED


@pytest.mark.parametrize(
    ("size", "edges"),
    [((200, 200), None), ((204, 200), None), ((200, 300), "left and right"), ((300, 200), "upper and lower")],
)
async def test_a_crop_that_loses_much_is_told(make_image: MakeImage, size: tuple[int, int], edges: str | None) -> None:
    asked = Asked(Study(images=(make_image(rows=size[0], columns=size[1]),)), [("Clear lungs.", None)])
    said = await asked.call()
    if edges is None:
        assert "warnings" not in said
    else:
        assert said["warnings"] == [
            f"the model sees the centre square only: 33% of the image, at its {edges} edges, cannot be boxed"
        ]


@pytest.mark.parametrize("output", ["null", None, "[]", '[["null", null]]'])
async def test_no_findings_at_all_are_told(make_image: MakeImage, output: str | None) -> None:
    asked = Asked(Study(images=(make_image(),)), {"output": output})
    said = await asked.call()
    assert said["status"] == "ok" and said["findings"] == [] and len(said["warnings"]) == 1
    assert asked.evidence.observations == ()


async def test_a_broken_answer_is_failed_evidence(make_image: MakeImage) -> None:
    asked = Asked(Study(images=(make_image(),)), {"outptu": "[]"})
    said = await asked.call()
    assert said["status"] == "failed" and said["code"] == "WET-ENDPOINT-CONTRACT"
    assert asked.evidence.model.name == "CXRReportGen"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"modality": "CT", "view": View.UNKNOWN}, "WET-TOOL-MODALITY"),
        ({"view": View.UNKNOWN}, "WET-TOOL-VIEW"),
        ({"view": View.LATERAL}, "WET-TOOL-VIEW"),
        ({"role": "prior"}, "WET-TOOL-PRIOR"),
        ({"body_part": "FOOT"}, "WET-TOOL-BODY-PART"),
        ({"modality": "unknown", "view": View.UNKNOWN}, "WET-TOOL-MODALITY"),
    ],
)
async def test_what_it_is_not_for_abstains_before_any_call(
    make_image: MakeImage, fields: dict[str, Any], code: str
) -> None:
    asked = Asked(Study(images=(make_image(**fields),)))
    said = await asked.call()
    assert said["status"] == "abstained" and said["code"] == code and asked.requests == []
    assert asked.evidence.status == "abstained"


@pytest.mark.parametrize(
    "fields", [{"view": View.FRONTAL}, {"view": View.AP}, {"modality": "unknown"}, {"body_part": "CHEST"}]
)
async def test_what_it_is_for(make_image: MakeImage, fields: dict[str, Any]) -> None:
    asked = Asked(Study(images=(make_image(**fields),)), [("The lungs are clear.", None)])
    assert (await asked.call())["status"] == "ok"


async def test_the_wrong_image_is_refused_with_the_right_one(make_image: MakeImage) -> None:
    study = Study(
        images=(make_image("image_1"), make_image("image_2", view=View.LATERAL), make_image("image_3", role="prior"))
    )
    asked = Asked(study)
    for handle in ("image_2", "image_3"):
        said = await asked.call(image=handle)
        assert said["status"] == "refused" and "Ask for image_1." in said["message"]
    said = await asked.call(image="image_9")
    assert said["code"] == "WET-TOOL-HANDLE" and "image_1 (current, DX, PA)" in said["message"]
    assert asked.requests == [] and len(asked.reading.ledger) == 0


async def test_the_image_left_out_is_the_frontal_one(make_image: MakeImage) -> None:
    study = Study(images=(make_image("image_1", view=View.LATERAL), make_image("image_2", view=View.AP)))
    asked = Asked(study, [("The lungs are clear.", None)])
    await asked.call()
    assert asked.evidence.arguments == {"image": "image_2"}
    again = await asked.call(image=" IMAGE_2 ")
    assert again["evidence"] == "E1" and len(asked.requests) == 1

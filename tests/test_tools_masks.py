"""`segment` and `measure`: masks judged, each asked for once, and numbers only where they mean something."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wetread.evidence import Evidence
from wetread.imaging.bank import ImageBank
from wetread.reports.template import load_template
from wetread.study import ImageSource, Spacing, Study, StudyImage
from wetread.testing.faults import Fault, FaultPlan
from wetread.testing.simulated import Latency, SimulatedEndpoints
from wetread.testing.simulated_rows import findings_row, masks_row
from wetread.tools.base import Reading
from wetread.tools.endpoints.medimageparse import prompts_of
from wetread.tools.endpoints.port import EndpointRequest
from wetread.tools.quantities import longest_diameter
from wetread.tools.registry import built_in_tools
from wetread.tools.structures import structure_names
from wetread.tools.toolbox import Toolbox
from wetread.vocabulary import View

ROWS, COLUMNS = 300, 250
Shape = tuple[float, float, float, float]
"""A rectangle in the image's pixels: x_min, y_min, x_max, y_max."""

CHEST: dict[str, Shape] = {
    "right lung": (25, 50, 105, 230),
    "left lung": (145, 50, 225, 230),
    "heart": (95, 150, 185, 230),
}
"""Cardiothoracic ratio 90 / 200."""


def probabilities(image: StudyImage, shape: Shape | None, inside: int = 230) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A mask in the model's frame: the image padded to a square of 1024."""
    mask = np.zeros((1024, 1024), np.uint8)
    if shape is not None:
        scale = 1024 / max(image.rows, image.columns)
        left, top = (1024 - image.columns * scale) / 2, (1024 - image.rows * scale) / 2
        x_min, x_max = (round(x * scale + left) for x in (shape[0], shape[2]))
        y_min, y_max = (round(y * scale + top) for y in (shape[1], shape[3]))
        mask[y_min:y_max, x_min:x_max] = inside
    return mask


class Chest:
    """A reading whose MedImageParse answers these masks, and the prompts that it was asked."""

    def __init__(
        self,
        image: StudyImage,
        *more: StudyImage,
        shapes: Mapping[str, Shape | None] = CHEST,
        masks: Mapping[str, np.ndarray[Any, Any]] | None = None,
        sentences: list[Any] | None = None,
        **endpoints: Any,
    ) -> None:
        self.image, self.prompts = image, cast(list[tuple[str, ...]], [])
        self.shapes, self.masks, self.sentences = shapes, masks or {}, sentences or []
        study = Study(images=(image, *more))
        self.reading = Reading(
            study=study,
            images=ImageBank(study),
            template=load_template("chest-xray"),
            endpoints=SimulatedEndpoints(answers=self._answer, **endpoints),
        )
        self.box = Toolbox(built_in_tools(), self.reading)

    def _answer(self, request: EndpointRequest) -> list[dict[str, Any]]:
        if request.endpoint == "cxrreportgen":
            return [findings_row(self.sentences)]
        prompts = prompts_of(request)
        self.prompts.append(prompts)
        drawn = [
            self.masks[prompt] if prompt in self.masks else probabilities(self.image, self.shapes.get(prompt))
            for prompt in prompts
        ]
        return [masks_row(np.stack(drawn), ["other"] * len(prompts))]

    async def call(self, name: str, id: str = "c1", **arguments: Any) -> dict[str, Any]:
        answer = await self.box.call(name, json.dumps(arguments), agent="orchestrator", call_id=id)
        return cast(dict[str, Any], json.loads(answer.text))

    def evidence(self, tool: str) -> Evidence:
        (evidence,) = self.reading.ledger.by_tool(tool)
        return evidence


MakeImage = Callable[..., StudyImage]


@pytest.fixture
def make_image(tmp_path: Path) -> MakeImage:
    def make(handle: str = "image_1", rows: int = ROWS, columns: int = COLUMNS, **fields: Any) -> StudyImage:
        path = tmp_path / f"{handle}.png"
        Image.fromarray(np.full((rows, columns), 90, np.uint8)).save(path)
        given = {"modality": "DX", "view": View.PA, "patient_right_on": "left", **fields}
        return StudyImage(
            handle=handle, rows=rows, columns=columns, source=ImageSource(path=path, kind="picture"), **given
        )

    return make


async def test_masks_come_back_in_the_image_s_pixels(make_image: MakeImage) -> None:
    chest = Chest(make_image())
    said = await chest.call("segment")
    assert [one["name"] for one in said["structures"]] == ["left lung", "right lung", "heart"]
    assert [one["status"] for one in said["structures"]] == ["ok"] * 3
    assert [one["side"] for one in said["structures"]] == ["left", "right", "left"]
    evidence = chest.evidence("segment")
    for one, region in zip(said["structures"], evidence.regions, strict=True):
        shape = CHEST[one["name"]]
        assert region.box is not None and region.image == "image_1" and region.label == one["name"]
        for value, expected in zip(
            (region.box.x_min, region.box.y_min, region.box.x_max, region.box.y_max), shape, strict=True
        ):
            assert value == pytest.approx(expected, abs=1)
        data = chest.reading.artifacts.get(region.mask or "")
        assert data is not None
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.mode == "1" and picture.size == (COLUMNS, ROWS)
            drawn = np.asarray(picture)
        rows, columns = np.nonzero(drawn)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (
            region.box.x_min,
            region.box.y_min,
            region.box.x_max,
            region.box.y_max,
        )
        area = (shape[2] - shape[0]) * (shape[3] - shape[1])
        assert one["area_percent"] == pytest.approx(100 * area / (ROWS * COLUMNS), abs=0.5)
    assert len(evidence.artifacts) == 3 and set(evidence.inputs) == {"image_1"}


async def test_the_reader_is_told_no_side_that_is_not_known(make_image: MakeImage) -> None:
    chest = Chest(make_image(patient_right_on="unknown"))
    said = await chest.call("segment")
    assert [one["side"] for one in said["structures"]] == [None] * 3
    assert all(region.side is None for region in chest.evidence("segment").regions)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        pytest.param(None, "empty", id="nothing"),
        pytest.param((10, 10, 14, 14), "empty", id="a few pixels"),
        pytest.param((0, 0, 250, 300), "too large", id="everything"),
        pytest.param(CHEST["right lung"], "lies on the patient's right", id="wrong side"),
    ],
)
async def test_a_mask_that_cannot_be_abstains_alone(make_image: MakeImage, shape: Shape | None, says: str) -> None:
    chest = Chest(make_image(), shapes={**CHEST, "left lung": shape, "right lung": (20, 40, 60, 100)})
    said = await chest.call("segment")
    left, right, heart = said["structures"]
    assert said["status"] == "ok" and left["status"] == "abstained" and says in left["reason"]
    assert right["status"] == heart["status"] == "ok"
    assert [region.label for region in chest.evidence("segment").regions] == ["right lung", "heart"]


async def test_on_a_turned_picture_the_sides_are_turned(make_image: MakeImage) -> None:
    chest = Chest(make_image(patient_right_on="right"))
    said = await chest.call("segment")
    assert [one["status"] for one in said["structures"]] == ["abstained", "abstained", "ok"]
    assert "lies on the patient's right" in said["structures"][0]["reason"]


async def test_scattered_and_faint_masks_abstain(make_image: MakeImage) -> None:
    image = make_image()
    scattered = np.zeros((1024, 1024), np.uint8)
    for x in range(600, 1000, 60):
        for y in range(100, 900, 60):
            scattered[y : y + 20, x : x + 20] = 255
    faint = probabilities(image, CHEST["right lung"], inside=135)
    chest = Chest(image, masks={"left lung": scattered, "right lung": faint})
    left, right, heart = (await chest.call("segment"))["structures"]
    assert left["reason"] == "its mask is scattered" and right["reason"] == "its mask is faint"
    assert heart["status"] == "ok"


async def test_two_masks_of_one_place_abstain_both(make_image: MakeImage) -> None:
    both = (20.0, 50.0, 230.0, 230.0)
    chest = Chest(make_image(patient_right_on="unknown"), shapes={**CHEST, "left lung": both, "right lung": both})
    left, right, heart = (await chest.call("segment"))["structures"]
    assert left["status"] == right["status"] == "abstained" and "same place" in left["reason"]
    assert heart["status"] == "ok"


async def test_small_pieces_beside_a_structure_are_left_out(make_image: MakeImage) -> None:
    image = make_image()
    mask = probabilities(image, CHEST["heart"])
    mask[950:990, 100:140] = 230
    chest = Chest(image, masks={"heart": mask})
    said = await chest.call("segment", structures="heart")
    (region,) = chest.evidence("segment").regions
    assert region.box is not None and region.box.y_max < 240
    assert said["warnings"] == ["heart: 1 smaller pieces of the mask were left out"]


async def test_no_usable_mask_at_all_abstains(make_image: MakeImage) -> None:
    chest = Chest(make_image(), shapes={})
    said = await chest.call("segment")
    assert said["status"] == "abstained" and said["code"] == "WET-TOOL-MASKS"
    assert said["message"] == (
        "No mask can be used. Left lung: its mask is empty; right lung: its mask is empty; heart: its mask is empty."
    )
    assert chest.evidence("segment").regions == ()


@pytest.mark.parametrize(
    ("asked", "prompts"),
    [
        (["Heart"], ("heart",)),
        (["heart", "left_lung", "heart"], ("left lung", "heart")),
        (["lungs"], ("left lung", "right lung")),
        ("cardiac silhouette, right-lung", ("right lung", "heart")),
        ([], ("left lung", "right lung", "heart")),
    ],
)
async def test_structures_by_their_names(make_image: MakeImage, asked: Any, prompts: tuple[str, ...]) -> None:
    chest = Chest(make_image())
    await chest.call("segment", structures=asked)
    assert chest.prompts == [prompts]


async def test_unknown_structures_are_refused_with_the_list(make_image: MakeImage) -> None:
    chest = Chest(make_image())
    said = await chest.call("segment", structures=["hart"])
    assert said["status"] == "refused" and said["code"] == "WET-TOOL-STRUCTURE" and chest.prompts == []
    assert "left lung, right lung, heart, lung opacity" in said["message"] and "'heart'?" in said["message"]


@pytest.mark.parametrize("view", [View.LATERAL, View.UNKNOWN, View.OTHER])
async def test_other_views_abstain_before_any_call(make_image: MakeImage, view: View) -> None:
    chest = Chest(make_image(view=view))
    for name in ("segment", "measure"):
        said = await chest.call(name)
        assert said["status"] == "abstained" and said["code"] == "WET-TOOL-VIEW"
    assert chest.prompts == []


async def test_each_structure_is_asked_for_once(make_image: MakeImage) -> None:
    chest = Chest(make_image(), latency=Latency(seconds={"medimageparse": 0.01}))
    first, second, third = await asyncio.gather(
        chest.call("segment", structures=["heart"]),
        chest.call("segment", structures=["heart", "left lung"]),
        chest.call("segment", structures=["left lung", "heart", "right lung"]),
    )
    assert sorted(name for prompts in chest.prompts for name in prompts) == ["heart", "left lung", "right lung"]
    assert [said["evidence"] for said in (first, second, third)] == ["E1", "E2", "E3"]
    second_evidence, third_evidence = (chest.reading.ledger.get(id) for id in ("E2", "E3"))
    assert second_evidence is not None and second_evidence.uses == ("E1",)
    assert third_evidence is not None and set(third_evidence.uses) == {"E1", "E2"}
    assert [one["status"] for one in third["structures"]] == ["ok"] * 3


async def test_a_failed_request_is_tried_again(make_image: MakeImage) -> None:
    chest = Chest(make_image(), faults=FaultPlan((Fault(endpoint="medimageparse", kind="status"),)))
    first = await chest.call("segment")
    assert first["status"] == "failed" and first["code"].startswith("WET-ENDPOINT-")
    second = await chest.call("segment")
    assert second["status"] == "ok" and second["evidence"] == "E2"


async def test_measure_waits_for_what_is_being_segmented(make_image: MakeImage) -> None:
    for order in (["measure", "segment"], ["segment", "measure"]):
        chest = Chest(make_image(), latency=Latency(seconds={"medimageparse": 0.01}))
        answers = await asyncio.gather(*(chest.call(name, id=name) for name in order))
        said = dict(zip(order, answers, strict=True))
        assert len(chest.prompts) == 1 and len(chest.reading.ledger) == 2
        measured = said["measure"]
        assert chest.evidence("measure").uses == (said["segment"]["evidence"],)
        assert measured["measurements"] == [
            {
                "slot": f"{{{measured['evidence']}.cardiothoracic_ratio}}",
                "name": "cardiothoracic_ratio",
                "text": "0.45",
            }
        ]
        assert measured["not_measurable"] == []


async def test_measure_asks_for_what_nobody_asked_for(make_image: MakeImage) -> None:
    chest = Chest(make_image())
    await chest.call("segment", structures=["heart"])
    said = await chest.call("measure", id="c2")
    assert said["measurements"][0]["text"] == "0.45"
    assert chest.prompts == [("heart",), ("left lung", "right lung")]
    assert [evidence.tool for evidence in chest.reading.ledger] == ["segment", "measure", "segment"]
    assert set(chest.evidence("measure").uses) == {"E1", "E3"}


async def test_the_ratio_is_a_measurement_with_its_method(make_image: MakeImage) -> None:
    chest = Chest(make_image())
    await chest.call("measure")
    (measurement,) = chest.evidence("measure").measurements
    assert measurement.value == pytest.approx(90 / 200, abs=0.01)
    assert measurement.unit == "1" and measurement.digits == 2 and "horizontal width" in measurement.method


@pytest.mark.parametrize(
    ("view", "note"),
    [
        (View.PA, None),
        (View.AP, "AP view: the heart is magnified"),
        (View.FRONTAL, "projection not known: the ratio is meant for an upright PA view"),
    ],
)
async def test_what_the_view_does_to_the_ratio(make_image: MakeImage, view: View, note: str | None) -> None:
    chest = Chest(make_image(view=view))
    said = await chest.call("measure")
    assert said["measurements"][0].get("note") == note
    assert said.get("warnings") == ([f"cardiothoracic_ratio: {note}"] if note else None)


async def test_a_chest_at_the_edge_may_be_cut_off(make_image: MakeImage) -> None:
    chest = Chest(make_image(), shapes={**CHEST, "right lung": (0, 50, 105, 230)})
    said = await chest.call("measure")
    assert "may be cut off" in said["measurements"][0]["note"]


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        pytest.param({**CHEST, "heart": None}, "heart: its mask is empty", id="no heart"),
        pytest.param({**CHEST, "heart": (1, 150, 60, 230)}, "do not fit together", id="heart beside the lungs"),
        pytest.param({**CHEST, "heart": (120, 100, 150, 230)}, "do not fit together", id="heart as a line"),
    ],
)
async def test_a_ratio_that_cannot_be_is_none(
    make_image: MakeImage, shapes: Mapping[str, Shape | None], says: str
) -> None:
    chest = Chest(make_image(), shapes=shapes)
    said = await chest.call("measure")
    assert said["status"] == "abstained" and said["measurements"] == [] and said["code"] == "WET-TOOL-NOT-MEASURABLE"
    assert said["not_measurable"][0]["name"] == "cardiothoracic_ratio" and says in said["not_measurable"][0]["reason"]


async def test_an_endpoint_that_is_down_leaves_nothing_measurable(make_image: MakeImage) -> None:
    faults = FaultPlan((Fault(endpoint="medimageparse", kind="status", times=None),))
    chest = Chest(make_image(), faults=faults, latency=Latency(seconds={"medimageparse": 0.01}))
    segmented, measured = await asyncio.gather(chest.call("segment"), chest.call("measure", id="c2"))
    assert segmented["status"] == "failed" and measured["status"] == "abstained"
    assert measured["not_measurable"][0]["name"] == "cardiothoracic_ratio"
    assert segmented["message"].rstrip(".") in measured["not_measurable"][0]["reason"]
    assert chest.evidence("measure").uses == ("E1",)


async def test_an_endpoint_that_is_not_there_says_so(make_image: MakeImage) -> None:
    chest = Chest(make_image(), only=("cxrreportgen",))
    said = await chest.call("measure")
    assert said["status"] == "abstained" and "medimageparse is not configured" in said["message"]


def spacing(kind: Literal["calibrated", "detector"]) -> Spacing:
    return Spacing(row_mm=1.0, column_mm=2.0, kind=kind)


async def test_areas_need_a_calibrated_spacing(make_image: MakeImage) -> None:
    chest = Chest(make_image(spacing=spacing("calibrated")))
    said = await chest.call("measure", quantities=["areas"], structures=["heart"])
    area, percent = said["measurements"]
    assert area["name"] == "heart_area" and percent["name"] == "heart_percent"
    measurement = chest.evidence("measure").measurement("heart_area")
    assert measurement is not None and measurement.unit == "cm2"
    assert measurement.value == pytest.approx(90 * 80 * 2 / 100, rel=0.02)
    assert area["text"].endswith(" cm²") and percent["text"] == "9.6 %"
    assert said["not_measurable"] == []


@pytest.mark.parametrize(("kind", "why"), [("detector", "at the detector plane"), (None, "no pixel spacing")])
async def test_without_one_an_area_is_a_part_of_the_picture(
    make_image: MakeImage, kind: Literal["detector"] | None, why: str
) -> None:
    chest = Chest(make_image(spacing=spacing(kind) if kind else None))
    said = await chest.call("measure", quantities="areas", structures="heart")
    assert [one["name"] for one in said["measurements"]] == ["heart_percent"]
    assert said["not_measurable"][0]["name"] == "heart_area" and why in said["not_measurable"][0]["reason"]
    assert all(one.unit in ("1", "%") for one in chest.evidence("measure").measurements)


async def test_the_diameter_of_a_structure(make_image: MakeImage) -> None:
    chest = Chest(make_image(spacing=spacing("calibrated")))
    await chest.call("measure", quantities=["diameters"], structures=["heart"])
    measurement = chest.evidence("measure").measurement("heart_diameter")
    assert measurement is not None and measurement.unit == "mm"
    assert measurement.value == pytest.approx(np.hypot(90 * 2, 80), rel=0.02)


async def test_the_diameters_of_findings(make_image: MakeImage) -> None:
    sentences = [("Masses in both lungs.", [(0.1, 0.2, 0.2, 0.5), (0.7, 0.2, 0.9, 0.3)]), ("No effusion.", None)]
    chest = Chest(
        make_image(spacing=spacing("calibrated")), sentences=sentences, latency=Latency(seconds={"cxrreportgen": 0.01})
    )
    _, said = await asyncio.gather(
        chest.call("report_findings"), chest.call("measure", id="c2", quantities=["diameters"])
    )
    assert [one["name"] for one in said["measurements"]] == ["mass_1_diameter", "mass_2_diameter"]
    first, second = chest.evidence("measure").measurements
    side = 250
    assert first.value == pytest.approx(0.3 * side, rel=0.05) and second.value == pytest.approx(
        0.2 * side * 2, rel=0.05
    )
    assert chest.evidence("measure").uses == ("E1",) and "right" in said["measurements"][0]["note"]
    assert chest.prompts == []


@pytest.mark.parametrize("kind", ["detector", None])
async def test_no_millimetres_without_a_calibrated_spacing(
    make_image: MakeImage, kind: Literal["detector"] | None
) -> None:
    chest = Chest(make_image(spacing=spacing(kind) if kind else None), sentences=[("A mass.", [(0.1, 0.2, 0.2, 0.5)])])
    await chest.call("report_findings")
    said = await chest.call("measure", id="c2", quantities=["diameters"])
    assert said["status"] == "abstained" and "spacing" in said["message"]
    assert chest.evidence("measure").measurements == ()


async def test_boxes_nobody_found_are_not_measurable(make_image: MakeImage) -> None:
    chest = Chest(make_image(spacing=spacing("calibrated")))
    said = await chest.call("measure", quantities=["diameters"])
    assert said["status"] == "abstained" and "no finding with a box" in said["message"]


async def test_a_prior_can_be_measured(make_image: MakeImage) -> None:
    image = make_image()
    chest = Chest(image, make_image("image_2", role="prior"))
    said = await chest.call("measure", image="image_2")
    assert said["measurements"][0]["text"] == "0.45"
    assert chest.evidence("measure").measurements[0].image == "image_2"


async def test_cancelling_leaves_nothing_running(make_image: MakeImage) -> None:
    chest = Chest(make_image(), latency=Latency(seconds={"medimageparse": 60}))
    calls = [asyncio.create_task(chest.call(name, id=name)) for name in ("segment", "measure")]
    await asyncio.sleep(0.3)
    for call in calls:
        call.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert len(chest.reading.ledger) == 0


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 8)), min_size=1, max_size=30),
    row_mm=st.sampled_from([0.5, 1.0, 2.0]),
    column_mm=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_the_longest_diameter_agrees_with_the_definition(
    cells: list[tuple[int, int]], row_mm: float, column_mm: float
) -> None:
    present = np.zeros((9, 12), bool)
    for x, y in cells:
        present[y, x] = True
    corners = [(x + dx, y + dy) for x, y in cells for dx in (0, 1) for dy in (0, 1)]
    exact = max(np.hypot((ax - bx) * column_mm, (ay - by) * row_mm) for ax, ay in corners for bx, by in corners)
    assert longest_diameter(present, Spacing(row_mm=row_mm, column_mm=column_mm, kind="calibrated")) == pytest.approx(
        exact
    )


def test_an_empty_mask_has_no_diameter() -> None:
    assert longest_diameter(np.zeros((3, 3), bool), spacing("calibrated")) == 0


@given(st.lists(st.sampled_from(["heart", "Left Lung", "right_lung", "lungs", "opacity", "lung-opacity"]), max_size=5))
def test_structure_names_are_known_distinct_and_settled(names: list[str]) -> None:
    found = structure_names(tuple(names))
    assert found and len(set(found)) == len(found) and structure_names(found) == found


async def test_the_same_answer_is_judged_for_each_geometry_and_evidence(make_image: MakeImage) -> None:
    first, turned = Chest(make_image()), Chest(make_image(patient_right_on="right"))
    again = Chest(make_image())
    await again.call("measure", quantities=["diameters"], structures="heart")
    answers = [await chest.call("segment") for chest in (first, turned, again)]
    assert [[one["status"] for one in said["structures"]] for said in answers] == [
        ["ok", "ok", "ok"],
        ["abstained", "abstained", "ok"],
        ["ok", "ok", "ok"],
    ]
    (own, *_), (_, shared) = first.reading.ledger, again.reading.ledger.by_tool("segment")
    assert own.uses == () and shared.uses == ("E2",)
    assert own.regions == shared.regions

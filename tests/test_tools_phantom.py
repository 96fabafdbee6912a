"""All tools on a drawn chest whose truth is known: what goes in through files comes out in the right place."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest

from wetread.imaging.bank import ImageBank
from wetread.imaging.masks import read_mask_png
from wetread.imaging.prepare import Preparation
from wetread.reports.template import load_template
from wetread.study_reading import read_study
from wetread.testing.phantom import Finding, Phantom, chest_phantom
from wetread.testing.simulated import SimulatedEndpoints
from wetread.testing.simulated_rows import Row, crop_box, findings_row, masks_row
from wetread.tools.base import Reading
from wetread.tools.endpoints.medimageparse import prompts_of
from wetread.tools.endpoints.port import EndpointRequest
from wetread.tools.registry import built_in_tools
from wetread.tools.toolbox import Toolbox
from wetread.vocabulary import Side


def truthful(phantom: Phantom) -> SimulatedEndpoints:
    """Endpoints that answer with what the phantom was drawn from."""
    rows, columns = phantom.pixels.shape

    def answer(request: EndpointRequest) -> list[Row] | None:
        if request.endpoint == "medimageparse":
            frame = Preparation.PAD_1024.frame(rows, columns)
            masks = [frame.from_image(phantom.structures[prompt]) for prompt in prompts_of(request)]
            return [masks_row(np.stack(masks), ["other"] * len(masks))]
        if request.endpoint == "cxrreportgen":
            return [
                findings_row([("There is a mass.", [crop_box(one.box, rows, columns)]) for one in phantom.findings])
            ]
        return None

    return SimulatedEndpoints(answers=answer)


async def read(phantom: Phantom, path: Path, **elements: Any) -> tuple[Reading, dict[str, dict[str, Any]]]:
    study = read_study([phantom.write_dicom(path / "chest.dcm", elements=elements)])
    reading = Reading(
        study=study, images=ImageBank(study), template=load_template("chest-xray"), endpoints=truthful(phantom)
    )
    box = Toolbox(built_in_tools(), reading)
    calls = {
        "report_findings": "{}",
        "segment": "{}",
        "measure": '{"quantities": ["cardiothoracic_ratio", "areas", "diameters"]}',
        "classify": "{}",
    }
    answers = await asyncio.gather(
        *(box.call(name, text, agent="orchestrator", call_id=name) for name, text in calls.items())
    )
    return reading, dict(zip(calls, (cast(dict[str, Any], json.loads(one.text)) for one in answers), strict=True))


@pytest.mark.parametrize(
    ("rows", "columns", "right_on", "ratio"),
    [(500, 411, "left", 0.42), (413, 600, "left", 0.55), (1301, 1200, "right", 0.48), (512, 512, "right", 0.62)],
)
async def test_masks_ratio_and_sides_agree_with_the_truth(
    tmp_path: Path, rows: int, columns: int, right_on: Literal["left", "right"], ratio: float
) -> None:
    phantom = chest_phantom(rows, columns, seed=rows, cardiothoracic_ratio=ratio, patient_right_on=right_on)
    reading, said = await read(phantom, tmp_path)
    (evidence,) = reading.ledger.by_tool("segment")
    assert [region.label for region in evidence.regions] == ["left lung", "right lung", "heart"]
    assert [region.side for region in evidence.regions][:2] == [Side.LEFT, Side.RIGHT]
    for region in evidence.regions:
        mask = read_mask_png(reading.artifacts.get(region.mask or "") or b"") >= 128
        truth = phantom.structures[region.label] >= 128
        assert mask.shape == truth.shape
        assert 2 * np.count_nonzero(mask & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth)) > 0.98
    (measured,) = reading.ledger.by_tool("measure")
    found = measured.measurement("cardiothoracic_ratio")
    assert found is not None and found.value == pytest.approx(phantom.cardiothoracic_ratio, abs=0.02)
    assert "note" not in said["measure"]["measurements"][0]
    lung = measured.measurement("left_lung_percent")
    share = np.count_nonzero(phantom.structures["left lung"] >= 128) / (rows * columns)
    assert lung is not None and lung.value == pytest.approx(100 * share, rel=0.02)


@pytest.mark.parametrize("right_on", ["left", "right"])
@pytest.mark.parametrize("side", ["left", "right"])
async def test_a_finding_s_side_and_size_agree_with_the_truth(
    tmp_path: Path, side: Literal["left", "right"], right_on: Literal["left", "right"]
) -> None:
    finding = Finding(kind="mass", side=side, size=0.12)
    phantom = chest_phantom(500, 460, findings=[finding], patient_right_on=right_on)
    reading, said = await read(phantom, tmp_path, PixelSpacing=[0.8, 0.8], PixelSpacingCalibrationType="FIDUCIAL")
    assert said["report_findings"]["findings"][0]["side"] == side
    (truth,) = phantom.findings
    (evidence,) = reading.ledger.by_tool("report_findings")
    box = evidence.observations[0].regions[0].box
    assert box is not None
    for edge in ("x_min", "y_min", "x_max", "y_max"):
        assert getattr(box, edge) == pytest.approx(getattr(truth.box, edge), abs=0.011 * 460)
    (measured,) = reading.ledger.by_tool("measure")
    size = measured.measurement("mass_1_diameter")
    drawn = max(truth.box.x_max - truth.box.x_min, truth.box.y_max - truth.box.y_min) * 0.8
    assert size is not None and size.value == pytest.approx(drawn, abs=0.022 * 460 * 0.8)
    area = measured.measurement("heart_area")
    true_area = np.count_nonzero(phantom.structures["heart"] >= 128) * 0.8 * 0.8 / 100
    assert area is not None and area.value == pytest.approx(true_area, rel=0.02)


async def test_spacing_at_the_detector_measures_nothing_in_millimetres(tmp_path: Path) -> None:
    phantom = chest_phantom(400, findings=[Finding(kind="mass", side="left", size=0.12)])
    reading, said = await read(phantom, tmp_path, ImagerPixelSpacing=[0.2, 0.2])
    (measured,) = reading.ledger.by_tool("measure")
    assert {one.unit for one in measured.measurements} == {"1", "%"}
    assert all("detector plane" in one["reason"] for one in said["measure"]["not_measurable"])

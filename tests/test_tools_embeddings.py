"""`classify` and `find_similar`: pairs of prompts, probabilities, and cases of other patients in the same space."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from wetread.evidence import Evidence
from wetread.imaging.bank import ImageBank
from wetread.imaging.payload import Payload
from wetread.imaging.prepare import Preparation
from wetread.insight.library import Case, CaseLibrary, VectorSpace
from wetread.reports.template import load_template
from wetread.study import ImageSource, Study, StudyImage
from wetread.testing.faults import Fault, FaultPlan
from wetread.testing.simulated import Latency, SimulatedEndpoints
from wetread.testing.simulated_rows import embedding_row
from wetread.tools.base import Reading
from wetread.tools.classify import ABSENT_TO, PRESENT_FROM, says
from wetread.tools.endpoints.port import EndpointReply, EndpointRequest
from wetread.tools.registry import built_in_tools
from wetread.tools.toolbox import Toolbox
from wetread.vocabulary import Assertion, View

SCALE = 4.5
IMAGE = [1.0, *[0.0] * 1023]
RECIPE = Preparation.SQUARE_512.recipe


def text_vector(text: str, likeness: float = 0.0) -> list[float]:
    """A unit vector of a text: `likeness` along the image, the rest where the text's hash says."""
    place = 1 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:2]) % 1023
    vector = [0.0] * 1024
    vector[0], vector[place] = likeness, math.sqrt(1 - likeness**2)
    return vector


class Port(SimulatedEndpoints):
    """MedImageInsight in which the image is alike to the texts named, by a model whose version may change."""

    def __init__(self, likeness: Mapping[str, float], **fields: Any) -> None:
        super().__init__(answers=self._answer, **fields)
        self.likeness, self.version = likeness, "v1"
        self.requests: list[EndpointRequest] = []

    def _answer(self, request: EndpointRequest) -> list[dict[str, Any]]:
        self.requests.append(request)
        rows = []
        for cell in (row[0] for row in request.rows):
            if isinstance(cell, Payload):
                rows.append(embedding_row(IMAGE, None, SCALE))
            else:
                text = str(cell)
                likeness = next((value for end, value in self.likeness.items() if text.endswith(end)), 0.0)
                rows.append(embedding_row(None, text_vector(text, likeness)))
        return rows

    async def score(self, request: EndpointRequest) -> EndpointReply:
        reply = await super().score(request)
        return EndpointReply(
            rows=reply.rows,
            origin=reply.origin,
            model_name=reply.model_name,
            model_version=self.version_for(request),
            latency_ms=reply.latency_ms,
        )

    def version_for(self, request: EndpointRequest) -> str:
        return self.version

    @property
    def texts(self) -> list[str]:
        return [str(row[0]) for request in self.requests if "text" in request.columns for row in request.rows]


MakeReading = Callable[..., "Asked"]


class Asked:
    def __init__(self, study: Study, port: Port, library: CaseLibrary | None) -> None:
        self.port = port
        self.reading = Reading(
            study=study,
            images=ImageBank(study),
            template=load_template("chest-xray"),
            endpoints=port,
            library=library,
        )
        self.box = Toolbox(built_in_tools(), self.reading)

    async def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.box.call(name, json.dumps(arguments), agent="orchestrator", call_id="c1")
        return cast(dict[str, Any], json.loads(answer.text))

    @property
    def evidence(self) -> Evidence:
        return list(self.reading.ledger)[-1]


@pytest.fixture
def ask(tmp_path: Path) -> MakeReading:
    def make(
        likeness: Mapping[str, float] | None = None,
        *,
        port: Port | None = None,
        library: CaseLibrary | None = None,
        patient_key: str | None = None,
        **fields: Any,
    ) -> Asked:
        path = tmp_path / "image_1.png"
        Image.fromarray(np.full((40, 30), 90, np.uint8)).save(path)
        given = {"modality": "DX", "view": View.PA, **fields}
        image = StudyImage(
            handle="image_1", rows=40, columns=30, source=ImageSource(path=path, kind="picture"), **given
        )
        study = Study(images=(image,), patient_key=patient_key)
        return Asked(study, port or Port(likeness or {}), library)

    return make


def expected(present: float, absent: float) -> float:
    """Softmax of the pair, with the scale as a logarithm."""
    return 1 / (1 + math.exp(-math.exp(SCALE) * (present - absent)))


async def test_each_finding_is_a_pair_of_its_own(ask: MakeReading) -> None:
    likeness = {
        " Pneumothorax": 0.30,
        " No pneumothorax": 0.28,
        " Pleural effusion": 0.2,
        " No pleural effusion": 0.205,
    }
    asked = ask(likeness)
    said = await asked.call("classify", findings=["pneumothorax", "pleural_effusion", "mass"])
    first, second, third = said["findings"]
    assert first == {"finding": "pneumothorax", "probability": round(expected(0.30, 0.28), 2), "says": "present"}
    assert second == {"finding": "pleural_effusion", "probability": round(expected(0.2, 0.205), 2), "says": "uncertain"}
    assert third == {"finding": "mass", "probability": 0.5, "says": "uncertain"}
    observations = {one.finding: one for one in asked.evidence.observations}
    assert (
        observations["pneumothorax"].assertion is Assertion.PRESENT and observations["pneumothorax"].system == "pleura"
    )
    assert observations["pneumothorax"].probability == pytest.approx(expected(0.30, 0.28), abs=1e-3)
    assert all(one.regions == () and one.side is None for one in observations.values())


@pytest.mark.parametrize(
    ("view", "start"),
    [
        (View.PA, "x-ray chest posteroanterior "),
        (View.AP, "x-ray chest anteroposterior "),
        (View.LATERAL, "x-ray chest lateral "),
        (View.FRONTAL, "x-ray chest "),
    ],
)
async def test_prompts_name_the_view_only_where_it_is_known(ask: MakeReading, view: View, start: str) -> None:
    asked = ask(view=view)
    await asked.call("classify", findings=["pneumothorax"])
    assert asked.port.texts == [f"{start}Pneumothorax", f"{start}No pneumothorax"]


async def test_the_template_says_what_is_asked_by_default(ask: MakeReading) -> None:
    asked = ask()
    said = await asked.call("classify")
    template = load_template("chest-xray")
    assert [one["finding"] for one in said["findings"]] == [entry.finding for entry in template.classify]
    assert len(asked.port.texts) == 2 * len(template.classify)
    assert set(asked.evidence.inputs) == {"image_1", "prompts"}


async def test_other_findings_take_their_words_from_the_lexicon(ask: MakeReading) -> None:
    asked = ask()
    said = await asked.call("classify", findings="Hiatal hernia")
    assert said["findings"][0]["finding"] == "hiatal_hernia"
    assert asked.port.texts == [
        "x-ray chest posteroanterior Hiatal hernia",
        "x-ray chest posteroanterior No hiatal hernia",
    ]


async def test_findings_that_nobody_knows_are_refused(ask: MakeReading) -> None:
    asked = ask()
    said = await asked.call("classify", findings=["pneumothorx"])
    assert said["status"] == "refused" and said["code"] == "WET-TOOL-FINDINGS" and "'pneumothorax'" in said["message"]
    said = await asked.call("classify", findings=[f"finding {number}" for number in range(100)])
    assert said["status"] == "refused" and "too many" in said["message"]
    assert asked.port.requests == []


async def test_the_picture_travels_once_for_all_tools(ask: MakeReading, tmp_path: Path) -> None:
    with CaseLibrary.open(tmp_path / "cases.db") as library:
        port = Port({}, latency=Latency(seconds={"medimageinsight": 0.01}))
        asked = ask(port=port, library=library)
        await asyncio.gather(
            asked.call("classify"), asked.call("find_similar"), asked.call("classify", findings="mass")
        )
    assert sum("image" in request.columns for request in port.requests) == 1


async def test_texts_are_embedded_once_for_each_endpoint_client(ask: MakeReading) -> None:
    port = Port({" Lung mass": 0.1})
    first = await ask(port=port).call("classify", findings=["mass"])
    second = await ask(port=port).call("classify", findings=["mass"])
    assert first["findings"] == second["findings"] and len(port.texts) == 2
    await ask(port=(other := Port({}))).call("classify", findings=["mass"])
    assert len(other.texts) == 2


async def test_texts_of_another_model_version_are_asked_for_again(ask: MakeReading) -> None:
    port = Port({})
    await ask(port=port).call("classify", findings=["mass"])
    port.version = "v2"
    asked = ask(port=port)
    said = await asked.call("classify", findings=["mass"])
    assert said["status"] == "ok" and len(port.texts) == 4 and asked.evidence.model.version == "v2"


async def test_a_model_that_changes_between_two_calls_is_not_compared(ask: MakeReading) -> None:
    class Fickle(Port):
        def version_for(self, request: EndpointRequest) -> str:
            return "v1" if "image" in request.columns else "v2"

    said = await ask(port=Fickle({})).call("classify", findings=["mass"])
    assert said["status"] == "failed" and said["code"] == "WET-ENDPOINT-CONTRACT"


async def test_an_endpoint_that_is_down_is_failed_evidence(ask: MakeReading) -> None:
    port = Port({}, faults=FaultPlan((Fault(kind="status", times=None),)))
    asked = ask(port=port)
    said = await asked.call("classify")
    assert said["status"] == "failed" and said["code"].startswith("WET-ENDPOINT-")
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"modality": "CT", "view": View.UNKNOWN}, "WET-TOOL-MODALITY"),
        ({"body_part": "HAND"}, "WET-TOOL-BODY-PART"),
    ],
)
async def test_what_it_is_not_for_abstains(ask: MakeReading, fields: dict[str, Any], code: str) -> None:
    asked = ask(**fields)
    said = await asked.call("classify")
    assert said["status"] == "abstained" and said["code"] == code and asked.port.requests == []


@pytest.mark.parametrize(
    ("probability", "assertion"),
    [
        (1.0, Assertion.PRESENT),
        (PRESENT_FROM, Assertion.PRESENT),
        (0.5, Assertion.UNCERTAIN),
        (ABSENT_TO, Assertion.ABSENT),
        (0.0, Assertion.ABSENT),
    ],
)
def test_what_a_probability_comes_to(probability: float, assertion: Assertion) -> None:
    assert says(probability) is assertion


SPACE = VectorSpace(model="MedImageInsight", version="v1", recipe=RECIPE)


def case(id: str, likeness: float, **fields: Any) -> Case:
    vector = (likeness, math.sqrt(1 - likeness**2), *[0.0] * 1022)
    return Case(id=id, vector=vector, **{"space": SPACE, "modality": "CR", "view": "AP", **fields})


async def test_similar_cases_of_other_patients(ask: MakeReading, tmp_path: Path) -> None:
    with CaseLibrary.open(tmp_path / "cases.db") as library:
        library.add_many(
            [
                case("own", 0.99, patient="me"),
                case("near", 0.9, labels=("mass",), snippet="Mass on 03/04/2021. " + "x" * 500),
                case("far", 0.1),
                case("lateral", 0.95, view="lateral"),
                case("ct", 0.95, modality="CT"),
            ]
        )
        asked = ask(library=library, patient_key="me")
        said = await asked.call("find_similar", k=2)
    near, far = said["cases"]
    assert (near["case"], near["labels"]) == ("near", ["mass"]) and near["similarity"] == pytest.approx(0.9, abs=2e-3)
    assert near["snippet"].startswith("Mass on [date]. x") and len(near["snippet"]) <= 160
    assert far["case"] == "far" and asked.evidence.observations == ()
    assert asked.evidence.model.name == "MedImageInsight" and set(asked.evidence.inputs) == {"image_1"}


async def test_a_picture_does_not_find_itself(ask: MakeReading, tmp_path: Path) -> None:
    with CaseLibrary.open(tmp_path / "cases.db") as library:
        asked = ask(library=library)
        payload = await asked.reading.images.payload("image_1", Preparation.SQUARE_512)
        library.add_many([case("itself", 1.0, image_sha256=payload.pixel_sha256), case("other", 0.5)])
        said = await asked.call("find_similar")
    assert [one["case"] for one in said["cases"]] == ["other"]


async def test_without_a_library_it_abstains_and_calls_nothing(ask: MakeReading) -> None:
    asked = ask()
    said = await asked.call("find_similar")
    assert said["status"] == "abstained" and said["code"] == "WET-TOOL-LIBRARY" and asked.port.requests == []


async def test_vectors_of_another_space_are_not_compared(ask: MakeReading, tmp_path: Path) -> None:
    with CaseLibrary.open(tmp_path / "cases.db") as library:
        asked = ask(library=library)
        said = await asked.call("find_similar")
        assert said["code"] == "WET-TOOL-LIBRARY-EMPTY" and said["cases"] == []
        library.add(case("old", 0.9, space=VectorSpace(model="MedImageInsight", version="v0", recipe=RECIPE)))
        said = await asked.call("find_similar")
    assert said["status"] == "abstained" and said["code"] == "WET-TOOL-LIBRARY-SPACE"
    assert "MedImageInsight v0" in said["message"] and "MedImageInsight v1" in said["message"]


async def test_a_library_without_such_views_abstains(ask: MakeReading, tmp_path: Path) -> None:
    with CaseLibrary.open(tmp_path / "cases.db") as library:
        library.add(case("lateral", 0.9, view="lateral"))
        said = await ask(library=library).call("find_similar")
    assert said["code"] == "WET-TOOL-LIBRARY-EMPTY"


@pytest.mark.parametrize("k", [0, 11, "many"])
async def test_how_many_is_bounded(ask: MakeReading, k: Any) -> None:
    said = await ask().call("find_similar", k=k)
    assert said["status"] == "refused" and "'k'" in said["message"]
